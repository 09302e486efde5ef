# Whatever dies, stalls or leaves, each follower of a room gets every saved message
# once, in order (PROTOCOL section 1): programs stopped and killed, the bus down,
# clients that leave and come back, other writers.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Test::More;
use Time::HiRes qw(time);

# Enough to overflow every buffer between longroom-history and a stopped
# longroom-pushd many times.
use constant MESSAGES_WHILE_STOPPED => $ENV{LONGROOM_STOPPED_MESSAGES} || 20_000;

sub now_of { my ($l, $room) = @_; return $l->poll($room, timeout => 0)->{json}{cursor} }

sub saved_ids { my ($l, $room) = @_; return $l->sql(
    "SELECT id FROM messages WHERE room_id = $room ORDER BY id;") }

sub saved_contents { my ($l, $room) = @_; return $l->sql(
    "SELECT content FROM messages WHERE room_id = $room ORDER BY id;") }

sub got_all_once {
    my ($l, $title, @rooms) = @_;    # [number, poller ...]
    for (@rooms) {
        my ($room, @seen) = @$_;
        my @saved = saved_ids($l, $room);
        Longroom::same_list($_->{ids}, \@saved, "$title: a poller in room_$room has everything once, in order")
            for @seen;
        is scalar(grep { $_->{gaps} || $_->{resets} } @seen), 0, '... without a gap or a reset';
    }
    return;
}

subtest 'a client that leaves and comes back misses nothing that three others send' => sub {
    my $l = Longroom->start;
    my $begin = now_of($l, 'room_26');
    my @senders = map {
        my $name = $_;
        $l->background(sub {
            my $answers = $l->send_all('room_26', [map {"$name $_"} 1 .. 300], clients => 1,
                fields => { user_id => $name });
            return grep { $_ != 201 } map { $_->{status} } @$answers;
        });
    } qw(ann bob eve);
    my (@ids, @contents);
    my $cursor = $begin;
    my $follow_for = sub {
        my ($count) = @_;
        my $pollers = $l->pollers;
        my $seen = $pollers->follow('room_26', after => $cursor);
        my $reached = $pollers->run(60, sub { @{ $seen->{ids} } >= $count });
        $pollers->close;
        push @ids, @{ $seen->{ids} };
        push @contents, @{ $seen->{contents} };
        $cursor = $seen->{cursor};
        return $reached;
    };
    ok $follow_for->(50), 'a client follows the room for a while, and leaves';
    my $left_at = @ids;
    is_deeply [$_->result], [], 'every POST of a sender gets 201' for @senders;
    ok $follow_for->(900 - @ids), 'the client comes back';
    cmp_ok $left_at, '<', 900, 'it missed some messages meanwhile';
    Longroom::same_list(\@ids, [saved_ids($l, 26)], 'it read everything in order, once');
    for my $name (qw(ann bob eve)) {
        Longroom::same_list([grep {/^$name /} @contents], [map {"$name $_"} 1 .. 300],
            "the messages of $name, in the order in which they were sent");
    }

    $l->restart(qw(nginx history pushd));
    is $l->poll('room_26', after => $cursor, timeout => 0)->{json}{count}, 0,
        'after a restart of all programs nothing follows the cursor yet';
    $l->post('room_26', 'after the restart');
    ok $follow_for->(1), 'the cursor leads to the next message';
    Longroom::same_list(\@ids, [saved_ids($l, 26)], 'everything is still in order, once');
    Longroom::same_list(\@ids, [map { $_->{id} } @{ $l->whole_history('room_26') }], 'as in history');
    $l->stop;
};

subtest 'a stopped longroom-pushd stalls no sender' => sub {
    my $l = Longroom->start;
    my $pollers = $l->pollers;
    my $begin = now_of($l, 'room_1');
    my %seen = map {
        my $room = $_;
        $room => [map { $pollers->follow("room_$room", after => $begin) } 1 .. 3];
    } 1 .. 5;
    $l->post("room_$_", 'first') for 1 .. 5;
    ok $pollers->run(20, sub { !grep { !@{ $_->{ids} } } map {@$_} values %seen }),
        'fifteen polls wait in five rooms';
    $l->signal('pushd', 'STOP');
    my $each = MESSAGES_WHILE_STOPPED / 5;
    my $start = time;
    my $failed = 0;
    my $crowd = $l->crowd;
    my $next = 0;
    for (1 .. 32) {
        $crowd->add(sub {
            my ($answer) = @_;
            $failed++ if $answer && $answer->{status} != 201;
            my $n = $next++;
            return if $n >= MESSAGES_WHILE_STOPPED;
            return Longroom::post_bytes('room_' . (1 + $n % 5), "m$n");
        });
    }
    ok $crowd->run(300), MESSAGES_WHILE_STOPPED . ' messages are sent meanwhile';
    diag sprintf '%d messages in %.1f s', MESSAGES_WHILE_STOPPED, time - $start if $ENV{LONGROOM_TIMES};
    is $failed, 0, 'each gets 201: a stalled subscriber stalls nothing else';
    $l->signal('pushd', 'CONT');
    ok $pollers->run(60, sub { !grep { @{ $_->{ids} } <= $each } map {@$_} values %seen }), 'all arrive';
    $pollers->run(0.3);
    $pollers->close;
    got_all_once($l, 'stopped', map { [$_, @{ $seen{$_} }] } 1 .. 5);
    $l->stop;
};

subtest 'killing both programs loses nothing' => sub {
    my $l = Longroom->start;
    my $count = 5_000;
    my $pollers = $l->pollers;
    my $begin = now_of($l, 'room_26');
    my @seen = map { $pollers->follow('room_26', after => $begin) } 1 .. 5;
    # Every message has a client_id and is repeated until it gets 201 or 200, as the
    # protocol says.
    my $sender = $l->background(sub {
        my $answers = $l->send_all('room_26', [map {"m$_"} 1 .. $count], clients => 16, retry => 1);
        return map {"$_->{status} " . ($_->{content} =~ /"id"\s*:\s*([0-9]+)/ ? $1 : '-')} @$answers;
    });
    my $reach = sub {
        my ($part) = @_;
        ok $pollers->run(120, sub { !grep { @{ $_->{ids} } < $part * $count } @seen }),
            sprintf '%d %% are sent and received', 100 * $part;
    };
    for my $round (0, 1) {
        for my $program (qw(pushd history)) {
            $reach->(0.15 + 0.35 * $round + ($program eq 'history' ? 0.15 : 0));
            $l->signal($program, 'KILL');
            # For a moment nothing answers.
            $pollers->run(0.2);
            $l->start_program($program);
        }
    }
    $reach->(1);
    my @answers = $sender->result;
    $pollers->run(0.3);
    $pollers->close;
    is scalar(grep { !/^20[01] \d+$/ } @answers), 0, 'every message gets 201 or 200 in the end';
    my %saved = map { $_ => 1 } saved_ids($l, 26);
    is scalar(grep { !$saved{ (split)[1] } } @answers), 0, 'every answered message is in the database';
    Longroom::same_list([sort(saved_contents($l, 26))], [sort map {"m$_"} 1 .. $count], 'each once');
    got_all_once($l, 'killed', [26, @seen]);
    is_deeply [$l->sql('PRAGMA integrity_check;')], ['ok'], 'the database is sound';
    $l->stop;
};

subtest 'with the bus down, messages arrive a second late' => sub {
    my $l = Longroom->start(settings => { 'bus.subscribe' => 'ipc:///nonexistent/longroom/bus.ipc' });
    my $pollers = $l->pollers;
    my $begin = now_of($l, 'room_26');
    my @seen = map { $pollers->follow('room_26', after => $begin) } 1 .. 3;
    for my $n (1 .. 3) {
        my $sent = time;
        $l->post('room_26', "late $n");
        ok $pollers->run(20, sub { !grep { @{ $_->{ids} } < $n } @seen }), 'a message arrives';
        cmp_ok time - $sent, '<', 4, 'about a second late';
    }
    $pollers->close;
    got_all_once($l, 'without the bus', [26, @seen]);
    $l->stop;
};

subtest 'a row that another program writes into the database is delivered' => sub {
    my $l = Longroom->start;
    my $ours = $l->post('room_26', 'ours')->{json}{id};
    my $cursor = $l->poll('room_26', after => $ours - 1, timeout => 20)->{json}{cursor};
    my $waiter = $l->connect;
    $waiter->write(Longroom::get_bytes("/rooms/room_26/poll?timeout=30&after=$cursor"));
    is $waiter->answer(0.1), undef, 'a poll waits';
    my $written = time;
    $l->sql(q{INSERT INTO messages (room_id, sender_id, sender_name, sender_type, content, sent_ms)
              VALUES (26, '5', 'import', 'user', 'theirs', 1790000000123);});
    my $message = $waiter->answer(20)->{json}{messages}[0];
    cmp_ok time - $written, '<', 4, 'it is answered about a second later';
    is_deeply [@$message{qw(room_id user_id username sender_type content timestamp)}],
        ['room_26', '5', 'import', 'user', 'theirs', '2026-09-21T14:13:20.123Z'],
            'with a message like any other';
    is $l->history('room_26')->{json}{count}, 2, 'history has it too';
    is $l->post('room_26', 'ours again')->{json}{id}, $message->{id} + 1, 'the next id is above it';
    $l->stop;
};

done_testing;
