# Rows and triggers that others have put into the database (longroom-history(8)):
# each has one behaviour, and none takes other rooms along.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Longroom;
use Test::More;

# Sends so many messages into innocent rooms and, between them, into bad ones, so
# that they are saved together: in as few commits as can be. Returns the answers
# by room.
sub send_together {
    my ($l, $innocent, @bad) = @_;
    my @rooms = map { ("room_" . (1 + $_ % 4), $_ < @bad ? $bad[$_] : ()) } 0 .. $innocent - 1;
    my $unlock = $l->lock_database;
    my $sender = $l->background(sub {
        my $crowd = $l->crowd;
        my @lines;
        for my $room (@rooms) {
            my $sent;
            $crowd->add(sub {
                my ($answer) = @_;
                push @lines, join ' ', $room, $answer->{status}, $answer->{content} =~ /"id":([0-9]+|null)/ if $answer;
                return if $sent++;
                return Longroom::post_bytes($room, 'x');
            });
        }
        $crowd->run(60) or die "sending takes too long\n";
        return @lines;
    });
    ok $l->eventually(30, sub { $l->metrics('history')->{requests} >= @rooms }), 'they wait together';
    $unlock->();
    my %answers;
    for ($sender->result) {
        my ($room, $status, $id) = split / /;
        push @{ $answers{$room} }, [$status, $id];
    }
    return \%answers;
}

sub are_saved {
    my ($l, $answers, $title) = @_;
    for my $room (map {"room_$_"} 1 .. 4) {
        my @statuses = map { $_->[0] } @{ $answers->{$room} };
        is scalar(grep { $_ != 201 } @statuses), 0, "$title: in $room each is answered with 201";
        Longroom::same_list([map { $_->{id} } @{ $l->whole_history($room) }],
            [sort { $a <=> $b } map { $_->[1] } @{ $answers->{$room} }], '... and is in history');
    }
    return;
}

my %traps = (
    'a name that has another room\'s id' => "INSERT INTO rooms (room_id, name) VALUES (77, 'trap');",
    map {
        my $raise = $_;
        ("a trigger that says RAISE($raise)" => <<"END")
CREATE TRIGGER trap_@{[lc $raise]} AFTER INSERT ON messages
  WHEN EXISTS (SELECT 1 FROM rooms WHERE room_id = new.room_id AND name = 'trap')
  BEGIN SELECT RAISE($raise@{[$raise eq 'IGNORE' ? '' : ", 'no traps'"]}); END;
END
    } qw(ABORT FAIL ROLLBACK)
);
$traps{'a trigger that leaves the row out'} = <<'END';
CREATE TRIGGER trap_ignore BEFORE INSERT ON messages
  WHEN EXISTS (SELECT 1 FROM rooms WHERE room_id = new.room_id AND name = 'trap')
  BEGIN SELECT RAISE(IGNORE); END;
END
$traps{'a trigger with an error'} = <<'END';
CREATE TRIGGER trap_error BEFORE INSERT ON messages
  WHEN EXISTS (SELECT 1 FROM rooms WHERE room_id = new.room_id AND name = 'trap')
  BEGIN SELECT json('{'); END;
END

for my $trap (sort keys %traps) {
    subtest $trap => sub {
        my $l = Longroom->start(operator => 1, settings => { 'store.busy_timeout' => '60s' });
        my $pollers = $l->pollers;
        my $followed = $pollers->follow('room_1', after => $l->poll('room_1', timeout => 0)->{json}{cursor});
        my $heard    = $pollers->follow('trap',   after => $l->poll('trap',   timeout => 0)->{json}{cursor});
        $pollers->run(0.1);
        $l->sql($traps{$trap});
        my $from = $l->log_size('history');
        my $answers = send_together($l, 100, ('trap') x 10);
        are_saved($l, $answers, $trap);
        is_deeply { map { join(' ', @$_) => 1 } @{ $answers->{trap} } }, { '202 null' => 1 },
            'those of the bad room are answered with 202, and are in no log';
        ok $pollers->run(20, sub { @{ $followed->{ids} } >= 25 && @{ $heard->{contents} } >= 10 }),
            'all are broadcast';
        $pollers->close;
        Longroom::same_list($followed->{ids}, [map { $_->{id} } @{ $l->whole_history('room_1') }], '... in order, once');
        my @lines = grep {/Failed to save/} split /\n/, $l->log('history', $from);
        is scalar @lines, 1, 'the log says so in one line' or diag join "\n", @lines;
        like $lines[0], qr/Failed to save message to database: .+: room_id=trap\b/, '... that names the room';
        my @ids = sort { $a <=> $b } map { $_->[1] } map {@$_} @$answers{ map {"room_$_"} 1 .. 4 };
        is $ids[-1] - $ids[0], $#ids, 'no id was used up';
        my $metrics = $l->metrics('history');
        is $metrics->{'messages_total{outcome="unsaved"}'}, 10, 'those not saved are counted';
        is $l->operator('history/healthz')->{status}, 200, 'all others can be saved';
        $l->set_in_file("[history]\non_save_failure = reject");
        Longroom::is_problem($l->post('trap', 'x'), 503, 'storage', 'where it is wanted they are refused');
        is_deeply [$l->sql('PRAGMA integrity_check;')], ['ok'], 'the database is sound';
        $l->stop;
    };
}

subtest 'rows of rooms that are in nobody\'s way' => sub {
    my $l = Longroom->start(operator => 1, settings => { 'store.busy_timeout' => '60s' });
    $l->sql("INSERT INTO rooms (room_id, name) VALUES (-9223372036854775808, 'lowest'), (0, 'none'), (99, 'room_1'),"
            . " (3, 'room_77'), (-5, x'6c6f626279'), (-6, 'no room');");
    my $answers = send_together($l, 40, map {"new-$_"} 1 .. 10);
    are_saved($l, $answers, 'beside them');
    is $answers->{"new-$_"}[0][0], 201, "and in a new room" for 1 .. 10;
    is $l->post('lobby', 'x')->{status}, 201, 'a name that is no text is nobody\'s';
    $l->stop;
};

subtest 'a schema that is broken is no matter of single messages' => sub {
    my $l = Longroom->start(operator => 1);
    $l->post('room_1', 'before');
    $l->sql('ALTER TABLE messages RENAME TO theirs;');
    is $l->post('room_1', 'x')->{status}, 202, 'nothing is saved';
    ok $l->wait_log('history', qr/Failed to save message to database: no such table/, 5), 'the log says why';
    $l->sql('ALTER TABLE theirs RENAME TO messages;');
    ok $l->eventually(10, sub { $l->post('room_1', 'x')->{status} == 201 }), 'and then it is again';
    $l->stop;
};

done_testing;
