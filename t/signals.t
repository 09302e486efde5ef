# Signals (PROTOCOL section 4): messages that are never stored. Streams get them at once,
# polls with the next message or a second later.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Longroom;
use Stream;
use Test::More;
use Time::HiRes qw(sleep time);

my $l = Longroom->start(operator => 1, settings => { 'limits.user_sends' => 1000, 'limits.user_burst' => 10_000,
    'limits.room_sends' => 1000, 'limits.room_burst' => 10_000 });

my $next_room = 100;
sub room { return 'room_' . $next_room++ }

sub send_signal {
    my ($room, $content) = @_;
    return $l->post($room, $content, type => 'typing', store => JSON::PP::false());
}

# Polls that wait in a room whose beginning longroom-pushd knows.
sub waiting_polls {
    my ($room, $count, %query) = @_;
    my $cursor = $l->poll($room, timeout => 0)->{json}{cursor};
    my $waiting = state_of('waiting');
    my @polls = map { $l->connect('pushd') } 1 .. $count;
    $_->write(Longroom::get_bytes("/rooms/$room/poll" . Longroom::query(after => $cursor, %query))) for @polls;
    ok $l->eventually(20, sub { state_of('waiting') == $waiting + $count }), "$count polls wait";
    return @polls;
}

sub state_of { my ($state) = @_; return $l->metrics('pushd')->{"connections{state=\"$state\"}"} }

sub contents { return join ' ', @{ Longroom::message_contents($_[0]) } }

sub is_signal {
    my ($message, $content) = @_;
    is_deeply [@{$message}{qw(type id saved content)}], ['typing', undef, JSON::PP::false(), $content], "$content is a signal";
    return;
}

subtest 'a stream gets a signal at once, a poll a second later' => sub {
    my $room = room();
    my ($poll) = waiting_polls($room, 1);
    my $s = Stream->open($l, "/rooms/$room/events");
    is $s->next->{event}, 'ready', 'a stream is there too';
    my $sent = time;
    my $answer = send_signal($room, 'ann');
    is $answer->{status}, 202, 'a signal is accepted';
    is_signal($answer->{json}, 'ann');
    is_signal($s->next->{json}, 'ann');
    my $in_stream = time;
    my $page = $poll->answer(20);
    is contents($page), 'ann', 'the poll has it';
    is_signal($page->{json}{messages}[0], 'ann');
    cmp_ok time - $sent, '>=', 0.99, '... a second later';
    cmp_ok $in_stream, '<', time, '... after the stream';
    $poll->write(Longroom::get_bytes("/rooms/$room/poll?timeout=0&after=$page->{json}{cursor}"));
    is contents($poll->answer(20)), '', '... once';
    $_->close for $s, $poll;
};

subtest 'a message brings polls the signals before it' => sub {
    my $room = room();
    my ($poll, $other) = (waiting_polls($room, 1), waiting_polls("$room," . room(), 1));
    my $sent = time;
    send_signal($room, $_) for qw(ann ben);
    $l->post($room, 'hello');
    for my $waiter ($poll, $other) {
        my $page = $waiter->answer(20);
        # If it took longer, the signals were due.
        is contents($page), 'ann ben hello', 'all in order' if time - $sent < 0.9;
        $waiter->close;
    }
};

subtest 'a poll gets what it lacks when its time is up' => sub {
    my $room = room();
    my $cursor = $l->poll($room, timeout => 0)->{json}{cursor};
    send_signal($room, 'ann');
    my $page;
    ok $l->eventually(20, sub { $page = $l->poll($room, timeout => 0, after => $cursor); $page->{json}{count} }),
        'a poll that does not wait gets it at once';
    is contents($page), 'ann', '... it alone';
    is contents($l->poll($room, timeout => 0, after => $page->{json}{cursor})), '', '... once';
};

subtest 'signals are in no history' => sub {
    my $room = room();
    $l->post($room, 'saved');
    send_signal($room, 'ann');
    is contents($l->history($room)), 'saved', 'the message alone';
};

# They come back within a moment, so that there is always a signal in between.
subtest 'while people type, polls are answered about once a second' => sub {
    my $room = room();
    my $cursor = $l->poll($room, timeout => 0)->{json}{cursor};
    my $pollers = $l->pollers('pushd');
    my @seen = map { $pollers->follow($room, after => $cursor) } 1 .. 20;
    my $began = time;
    my $sender = Longroom->background(sub {
        for my $i (1 .. 30) { send_signal($room, $i); sleep 0.1 }
        return;
    });
    ok $pollers->run(60, sub { !grep { @{ $_->{contents} } < 30 } @seen }), 'all get all';
    my $most = time - $began + 1;
    is_deeply [map {"@{ $_->{contents} }"} @seen], [("@{[1 .. 30]}") x 20], 'once, in order';
    is scalar(grep { $_->{polls} > $most } @seen), 0, 'in few answers: ' . join ' ', map { $_->{polls} } @seen;
    $sender->result;
    $pollers->close;
};

subtest 'a poll that is sent away gets its signals' => sub {
    my $room = room();
    my ($poll) = waiting_polls($room, 1);
    my $s = Stream->open($l, "/rooms/$room/events");
    is $s->next->{event}, 'ready', 'a stream tells when the signal is there';
    my $sent = time;
    send_signal($room, 'ann');
    $s->next;
    $l->signal('pushd', 'TERM');
    my $page = $poll->answer(20);
    is contents($page), 'ann', 'the signal';
    ok $page->{json}{retry_ms}, '... and when to come back' if time - $sent < 0.9;
    $_->close for $s, $poll;
    $l->restart('pushd');
    is contents($l->poll($room, timeout => 0, after => $page->{json}{cursor})), '', 'then it is gone';
};

done_testing;
