# Rows and triggers that others have added to the database (longroom-history(8)):
# each has a defined effect, and none affects other rooms.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Longroom;
use Test::More;

# Sends $count messages into innocent rooms and, between them, some into bad rooms,
# so that they are saved together: in as few commits as possible. Returns the answers
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
        is scalar(grep { $_ != 201 } @statuses), 0, "$title: each POST to $room gets 201";
        Longroom::same_list([map { $_->{id} } @{ $l->whole_history($room) }],
            [sort { $a <=> $b } map { $_->[1] } @{ $answers->{$room} }], '... and is in history');
    }
    return;
}

my %traps = (
    'a name that has another room\'s id' => "INSERT INTO rooms (room_id, name) VALUES (77, 'trap');",
    map {
        my $raise = $_;
        ("a trigger with RAISE($raise)" => <<"END")
CREATE TRIGGER trap_@{[lc $raise]} AFTER INSERT ON messages
  WHEN EXISTS (SELECT 1 FROM rooms WHERE room_id = new.room_id AND name = 'trap')
  BEGIN SELECT RAISE($raise, 'no traps'); END;
END
    } qw(ABORT FAIL ROLLBACK)
);
$traps{'a trigger that drops the row'} = <<'END';
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
    subtest "$trap affects its own room only" => sub {
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
            'messages to the bad room get 202, and are in no log';
        ok $pollers->run(20, sub { @{ $followed->{ids} } >= 25 && @{ $heard->{contents} } >= 10 }),
            'all messages are broadcast';
        $pollers->close;
        Longroom::same_list($followed->{ids}, [map { $_->{id} } @{ $l->whole_history('room_1') }], '... in order, once');
        my @lines = grep {/Failed to save/} split /\n/, $l->log('history', $from);
        # A commit that has only messages which meet an error looks like a failing store, and is logged
        # for each of them: whether there is one is left to chance.
        my $most = $trap eq 'a trigger with an error' ? 10 : 1;
        ok @lines >= 1 && @lines <= $most, "the failure is logged, in at most $most lines" or diag join "\n", @lines;
        like $lines[0], qr/Failed to save message to database: .+: room_id=trap\b/, '... that names the room';
        my @ids = sort { $a <=> $b } map { $_->[1] } map {@$_} @$answers{ map {"room_$_"} 1 .. 4 };
        is $ids[-1] - $ids[0], $#ids, 'no id was used up';
        my $metrics = $l->metrics('history');
        is $metrics->{'messages_total{outcome="unsaved"}'}, 10, 'those not saved are counted';
        is $l->operator('history/healthz')->{status}, 200,
            'longroom-history is healthy, because all others can be saved';
        $l->set_in_file("[history]\non_save_failure = reject");
        Longroom::is_problem($l->post('trap', 'x'), 503, 'storage',
            'with on_save_failure = reject they are refused');
        is_deeply [$l->sql('PRAGMA integrity_check;')], ['ok'], 'the database is sound';
        $l->stop;
    };
}

subtest 'odd rows in the table of rooms do no harm' => sub {
    my $l = Longroom->start(operator => 1, settings => { 'store.busy_timeout' => '60s' });
    $l->sql("INSERT INTO rooms (room_id, name) VALUES (-9223372036854775808, 'lowest'), (0, 'none'), (99, 'room_1'),"
            . " (3, 'room_77'), (-5, x'6c6f626279'), (-6, 'no room');");
    my $answers = send_together($l, 40, map {"new-$_"} 1 .. 10);
    are_saved($l, $answers, 'beside odd rows');
    is $answers->{"new-$_"}[0][0], 201, "and in a new room" for 1 .. 10;
    is $l->post('lobby', 'x')->{status}, 201, 'a name that is not text is no room\'s name';
    $l->stop;
};

subtest 'with a broken schema, nothing is saved until it is repaired' => sub {
    my $l = Longroom->start(operator => 1);
    $l->post('room_1', 'before');
    $l->sql('ALTER TABLE messages RENAME TO theirs;');
    is $l->post('room_1', 'x')->{status}, 202, 'the message is not saved';
    ok $l->wait_log('history', qr/Failed to save message to database: no such table/, 5), 'the log says why';
    $l->sql('ALTER TABLE theirs RENAME TO messages;');
    ok $l->eventually(10, sub { $l->post('room_1', 'x')->{status} == 201 }),
        'once it is repaired, messages are saved again';
    $l->stop;
};

# ---- Rows of messages ----

sub insert {
    my (%row) = (room_id => 26, sender_id => "'9'", sender_name => "'cron'", content => "'x'", sent_ms => 0, @_);
    my @columns = sort keys %row;
    return 'INSERT INTO messages (' . join(', ', @columns) . ') VALUES (' . join(', ', @row{@columns}) . ');';
}

# A room with a foreign row between two messages of ours: the contents that every
# way of reading must give.
sub between {
    my ($l, $rows, @expected) = @_;
    my $first = $l->post('room_26', 'first')->{json}{id};
    my $waiter = $l->connect;
    $waiter->write(Longroom::get_bytes("/rooms/room_26/poll?timeout=50&after=$first"));
    $l->sql($rows);
    $l->post('room_26', 'last');
    my @heard;
    my $answer = $waiter->answer(20);
    while ($answer && $answer->{json}) {
        push @heard, @{ Longroom::message_contents($answer) };
        last if @heard && $heard[-1] eq 'last';
        $answer = $l->poll('room_26', after => $answer->{json}{cursor}, timeout => 20);
    }
    my %got = (
        'a waiting poll'     => \@heard,
        'the newest'    => Longroom::message_contents($l->history('room_26')),
        'a long page'   => Longroom::message_contents($l->history('room_26', limit => 500)),
        'page by page'  => [map { $_->{content} } @{ $l->whole_history('room_26') }],
        'a page before' => Longroom::message_contents($l->history('room_26', before => '9223372036854775807', limit => 20)),
    );
    my $polled = $l->eventually(10, sub {
        my $page = $l->poll('room_26', after => $first - 1, timeout => 0);
        return ($page->{json}{messages}[-1]{content} // '') eq 'last' && $page;
    });
    $got{'a poll'} = Longroom::message_contents($polled) if $polled;
    for my $way (keys %got) {
        shift @{ $got{$way} } if ($got{$way}[0] // '') eq 'first';
    }
    # These end at 1 MiB.
    my @wanted = (@expected, 'last');
    for my $way ('a long page', 'a page before') {
        my @got = @{ $got{$way} };
        is_deeply \@got, [@wanted[@wanted - @got .. $#wanted]], "$way has the end of the readable messages";
        delete $got{$way} if @got && length "@expected" > 1_048_576;
    }
    is_deeply $got{$_}, \@wanted, "$_ has the readable messages" for sort keys %got;
    $l->restart('pushd');
    my @polled;
    my $cursor = $first;
    for (@wanted) {
        my $page = $l->poll('room_26', after => $cursor, timeout => 0);
        push @polled, @{ Longroom::message_contents($page) };
        $cursor = $page->{json}{cursor};
    }
    is_deeply \@polled, \@wanted, 'so has a longroom-pushd that was started later';
    return $first;
}

my %readable = (
    'a BLOB as content'               => [insert(content => "x'68692021'"), 'hi !'],
    'a BLOB as content that is not UTF-8' => [insert(content => "x'61ff62'"), "a\x{fffd}b"],
    'a number as content'             => [insert(content => 42), '42'],
    'an empty content'              => [insert(content => "''"), ''],
    'U+0000 in the content'           => [insert(content => "'a' || char(0) || 'b'"), "a\0b"],
    'a content of 2 MiB'              => [insert(content => "hex(zeroblob(1048576))"), '0' x 2_097_152],
    'BLOBs and numbers elsewhere'     =>
        [insert(sender_id => "x'61ff'", sender_name => 7, sender_type => "x'62'", client_id => "x'63'"), 'x'],
    'long names'                      => [insert(sender_id => "hex(zeroblob(5000))", client_id => 'hex(zeroblob(300))'), 'x'],
    'a type, data and a reply_to'     => [insert(type => "'join'", data => q('{"a":[1]}'), reply_to => 7), 'x'],
    'a type that no client may send'  => [insert(type => "'presence'", reply_to => -7), 'x'],
    'a type, data and a reply_to of other kinds' => [insert(type => "x'ff00'", data => '2.5', reply_to => "'seven'"), 'x'],
    'BLOBs as type, data and reply_to' => [insert(type => "x'6a6f696e'", data => q(x'7b2261223a317d'), reply_to => "x'07'"), 'x'],
    'data that is not JSON'           => [insert(data => q('{"a":')), 'x'],
    'data of 2 MiB'                   => [insert(data => q('{"a":"' || hex(zeroblob(1048576)) || '"}')), 'x'],
    'an invalid time'             => [insert(sent_ms => "'noon'"), 'x'],
    'a time after the year 9999'      => [insert(sent_ms => '9223372036854775807'), 'x'],
    'a time long ago'                 => [insert(sent_ms => '-9223372036854775808'), 'x'],
);
for my $what (sort keys %readable) {
    subtest "$what is readable" => sub {
        my $l = Longroom->start(operator => 1);
        my ($row, $expected) = @{ $readable{$what} };
        my $first = between($l, $row, $expected);
        my $one = $l->request(GET => '/rooms/room_26/messages/' . ($first + 1));
        is $one->{json}{content}, $expected, 'so it is as a single message';
        like $one->{json}{timestamp}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
            'its timestamp is well formed';
        is $l->operator("$_/healthz")->{status}, 200, "longroom-$_ is healthy" for qw(history pushd);
        $l->stop;
    };
}

my %passed = (
    'an id of 0'            => [insert(id => 0), 'its id is below 1', 'id 0'],
    'a negative id'         => [insert(id => -7), 'its id is below 1', 'id -7'],
    'the lowest id'         => [insert(id => '-9223372036854775808'), 'its id is below 1'],
    'a room_id of 0'        => [insert(room_id => 0), 'its room_id is of no room'],
    'a room_id without name' => [insert(room_id => -99), 'its room_id is of no room'],
    'a room_id that is text' => [insert(room_id => "'lobby'"), 'its room_id is of no room'],
    'a room_id that is not an integer' => [insert(room_id => '26.5'), 'its room_id is of no room'],
    'a room with an invalid name'    =>
        ["INSERT INTO rooms (room_id, name) VALUES (-5, 'no room');" . insert(room_id => -5), 'its room_id is of no room'],
    'a room with the name of a numbered one' =>
        ["INSERT INTO rooms (room_id, name) VALUES (-5, 'room_27');" . insert(room_id => -5), 'its room_id is of no room'],
    'a content of 5 MiB'    => [insert(content => 'hex(zeroblob(2621440))'), 'it is longer than 4 MiB'],
    'data of 5 MiB'         => [insert(data => q('{"a":"' || hex(zeroblob(2621440)) || '"}')), 'it is longer than 4 MiB'],
    'a name of 5 MiB'       => [insert(sender_name => 'hex(zeroblob(2621440))'), 'it is longer than 4 MiB'],
);
for my $what (sort keys %passed) {
    subtest "$what is skipped, and the log says so" => sub {
        my $l = Longroom->start(operator => 1);
        my ($row, $why) = @{ $passed{$what} };
        my $from = $l->log_size('pushd');
        between($l, $row);
        ok $l->wait_log('pushd', qr/warning: skipped a row written by another program: \Q$why\E: msg_id=/, 10, $from),
            'the log names the row';
        $l->poll('room_26', after => 0, timeout => 0) for 1 .. 5;
        my $from_now = $l->log_size('pushd');
        $l->sql(insert());
        ok $l->eventually(10, sub { $l->poll('room_26', after => 0, timeout => 0)->{json}{messages}[-1]{content} eq 'x' }),
            'the next row is delivered';
        unlike $l->log('pushd', $from_now), qr/skipped a row/, 'the row is logged once';
        is $l->operator("$_/healthz")->{status}, 200, "longroom-$_ is healthy" for qw(history pushd);
        $l->sql('DELETE FROM messages; DELETE FROM rooms;');
        is_deeply [$l->sql('PRAGMA integrity_check;')], ['ok'],
            'the database is sound after the rows are removed';
        $l->stop;
    };
}

subtest 'a row with an id below the newest is in history' => sub {
    my $l = Longroom->start;
    my $first = $l->post('room_26', 'first')->{json}{id};
    $l->sql(insert(id => $first + 10, content => "'high'"));
    $l->sql(insert(id => $first + 5, content => "'low'"));
    is_deeply Longroom::message_contents($l->history('room_26')), [qw(first low high)],
        'it stands at its place';
    is $l->post('room_26', 'last')->{json}{id}, $first + 11, 'new ids are above the highest';
    $l->stop;
};

subtest 'when no id is left, messages are broadcast and not saved' => sub {
    my $l = Longroom->start(operator => 1, settings => { 'store.busy_timeout' => '1s' });
    my $first = $l->post('room_26', 'first')->{json}{id};
    $l->sql(insert(id => '9223372036854775807', content => "'highest'"));
    is $l->post('room_26', 'x')->{status}, 202, 'a message is broadcast and not saved';
    ok $l->wait_log('history', qr/Failed to save message to database: no id is left: .+: room_id=26\b/, 5),
        'the log says why';
    for my $program (qw(history pushd)) {
        my $health = $l->eventually(10, sub {
            my $answer = $l->operator("$program/healthz");
            return $answer->{status} == 503 && $answer;
        });
        ok $health, "/healthz of longroom-$program fails" or next;
        my $json = JSON::PP::decode_json($health->{content});
        is $json->{status}, 'failing', '... and says so';
        like $json->{reason}, qr/^no id is left: /, '... and why';
    }
    is_deeply Longroom::message_contents($l->history('room_26')), [qw(first highest)],
        'all messages can be read';
    is_deeply Longroom::message_contents($l->poll('room_26', after => $first - 1, timeout => 0)), [qw(first highest)],
        'by polls too';
    $l->set_in_file("[history]\non_save_failure = reject");
    Longroom::is_problem($l->post('room_26', 'x'), 503, 'storage',
        'with on_save_failure = reject messages are refused');
    $l->sql("DELETE FROM messages WHERE id = 9223372036854775807;"
            . "UPDATE sqlite_sequence SET seq = (SELECT max(id) FROM messages) WHERE name = 'messages';");
    is $l->post('room_26', 'again')->{json}{id}, $first + 1,
        'after the row is removed and the sequence reset, messages are saved again';
    ok $l->eventually(10, sub { $l->operator('pushd/healthz')->{status} == 200 }),
        'longroom-pushd is healthy too';
    is_deeply Longroom::message_contents($l->poll('room_26', after => $first, timeout => 5)), ['again'],
        'polls get the message';
    $l->stop;
};

done_testing;
