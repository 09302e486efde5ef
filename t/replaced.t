# A database that is replaced while it is in use (longroom-history(8), FILES): the
# threads of longroom-history notice it at the same time, and none waits for another
# that waits for it.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Test::More;
use Time::HiRes qw(time);

use constant LONG_S => 3; # store.busy_timeout is 5 s

my @texts = map {"kept $_"} 1 .. 5;

# Longroom whose log is ahead of a backup.
sub begin {
    my $l = Longroom->start(settings => { 'limits.user_sends' => 0, 'limits.room_sends' => 0 });
    $l->post('room_26', $_)->{status} == 201 or die "not saved\n" for @texts;
    $l->sql('.backup ' . $l->dir . '/backup.db');
    $l->post('room_26', $_)->{status} == 201 or die "not saved\n" for 'lost';
    return $l;
}

sub put_backup {
    my ($l) = @_;
    my $dir = $l->dir;
    system('sh', '-c', "cp $dir/backup.db $dir/next.db && mv $dir/next.db " . $l->database) == 0 or die "cp and mv\n";
    return;
}

subtest 'a reader is the first to notice' => sub {
    my $l = begin();
    put_backup($l);
    my $begin = time;
    is_deeply $l->message_contents($l->history('room_26')), \@texts, 'it gets the messages of the new file';
    cmp_ok time - $begin, '<', LONG_S, 'at once';
    is $l->post('room_26', 'next')->{status}, 201, 'the next message is saved';
    unlike $l->log('history'), qr/waiting for the lock on folder/,
        'no thread waited for the lock on the folder';
    is_deeply [glob $l->database . '-wal.aside*'], [], 'nothing is left of the old database';
    $l->stop;
};

subtest 'readers and writers notice together, twenty times' => sub {
    my $l = begin();
    my $enough = $l->dir . '/enough';
    my @clients = map {
        my $reads = $_ > 2;
        $l->background(sub {
            my ($longest, $good) = (0, 0);
            while (!-e $enough) {
                my $begin = time;
                my $answer = $reads ? $l->history('room_26') : $l->post('room_26', 'between');
                $good++ if $answer->{status} =~ /^20[01]$/;
                $longest = time - $begin if time - $begin > $longest;
            }
            return "$longest $good";
        });
    } 1 .. 6;
    for (1 .. 20) {
        put_backup($l);
        Time::HiRes::sleep(0.35);
    }
    Longroom::spew($enough, '');
    my @found = map { [split / /, ($_->result)[0]] } @clients;
    my ($longest) = sort { $b <=> $a } map { $_->[0] } @found;
    cmp_ok $longest, '<', LONG_S, 'no answer took long';
    is scalar(grep { $_->[1] == 0 } @found), 0, 'every reader and every sender was served';
    unlike $l->log('history'), qr/waiting for the lock on folder|is locked by another process/,
        'no thread waited for the lock on the folder';
    is $l->post('room_26', 'next')->{status}, 201, 'messages are saved';
    is_deeply [$l->sql('PRAGMA integrity_check;')], ['ok'], 'the database is sound';
    $l->stop;
};

done_testing;
