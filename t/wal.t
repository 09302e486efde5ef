# The WAL of the database (longroom.conf(5), store.wal_warning): it is checkpointed in
# time; it grows while a reader keeps one snapshot of the database, which is logged;
# and it is truncated once that reader is gone.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use IPC::Open2 qw(open2);
use Longroom;
use Test::More;

my %unlimited = ('limits.user_sends' => 0, 'limits.room_sends' => 0);

# Reads a snapshot of the database until the returned function is called.
sub long_reader {
    my ($l) = @_;
    my $pid = open2(my $out, my $in, 'sqlite3', '-batch', '-init', '/dev/null', $l->database);
    print {$in} "BEGIN;\nSELECT 'reads', count(*) FROM messages;\n";
    $in->flush;
    my $line = <$out> // '';
    $line =~ /reads/ or die "can't read: $line";
    return sub {
        print {$in} "COMMIT;\n.quit\n";
        close $in;
        waitpid $pid, 0;
    };
}

sub wal_bytes { return -s $_[0]->database . '-wal' || 0 }

sub all_saved {
    my ($l, $count, $size) = @_;
    my $answers = $l->send_all('room_26', [ map { "$_ " . 'x' x $size } 1 .. $count ]);
    return !grep { $_->{status} != 201 } @$answers;
}

subtest 'without a reader the WAL stays small' => sub {
    my $l = Longroom->start(settings => \%unlimited);
    ok all_saved($l, 3000, 1000), '3,000 messages are saved';
    cmp_ok wal_bytes($l), '<', 10_000_000, 'the WAL is no larger than a few checkpoints need';
    cmp_ok -s $l->database, '>', 1_000_000, 'the database has them';
    $l->stop;
};

subtest 'a long reader makes the WAL grow, and is reported' => sub {
    my $l = Longroom->start(settings => { %unlimited, 'store.wal_warning' => '16M' }, operator => 1);
    my $end = long_reader($l);
    ok all_saved($l, 1800, 12_000), 'messages are saved while a reader keeps a snapshot';
    cmp_ok wal_bytes($l), '>', 17_000_000, 'the WAL grows';
    ok $l->eventually(10, sub { $l->metrics('history')->{wal_bytes} > 17_000_000 }), 'a metric has its size';
    ok $l->eventually(10, sub { $l->metrics('history')->{wal_held_seconds} >= 2 }),
        'another has how long it is held';
    ok $l->wait_log('history', qr/the WAL is large: wal_bytes=\d+ held_seconds=\d+/, 10), 'the log says so';
    my $before = wal_bytes($l);
    ok $l->eventually(4, sub { $l->metrics('history')->{wal_held_seconds} >= 4 }), 'seconds later';
    is wal_bytes($l), $before, 'looking for the end of the reader writes nothing';
    my @told = $l->log('history') =~ /the WAL is large/g;
    is @told, 1, 'it was logged once';
    $end->();
    ok $l->eventually(10, sub { wal_bytes($l) < 1_000_000 }),
        'when the reader is gone the WAL is truncated, though nothing is sent';
    ok $l->eventually(10, sub { $l->metrics('history')->{wal_held_seconds} == 0 }), 'the metric is back at 0';
    ok $l->wait_log('history', qr/the WAL is small again: wal_bytes=\d+/, 10), 'the log says so';
    is_deeply [ $l->sql('SELECT count(*) FROM messages;') ], [1800], 'all is there';
    is_deeply [ $l->sql('PRAGMA integrity_check;') ], ['ok'], 'the database is sound';
    $l->stop;
};

subtest 'the WAL is truncated when a reader leaves while messages are sent' => sub {
    my $l = Longroom->start(settings => \%unlimited);
    my $end = long_reader($l);
    ok all_saved($l, 1200, 12_000), 'messages are saved while a reader keeps a snapshot';
    my $large = wal_bytes($l);
    $end->();
    ok $l->eventually(30, sub { $l->post('room_26', 'on')->{status} == 201 && wal_bytes($l) < $large / 2 }),
        'the WAL is truncated between them';
    $l->stop;
};

done_testing;
