# Limits for each user: sends with a burst, for users and rooms, waiting polls and
# concurrent reads (PROTOCOL section 12).

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use FastCGI qw(ask_by_fastcgi fastcgi_answer fastcgi_bytes);
use Longroom;
use Test::More;
use Visitors;

my %VISITORS = map { $_ => { read => '*', write => '*' } } qw(ann bob carl dora w1 w2 w3 w4);

my $l = Visitors::start('nginx', \%VISITORS, operator => 1, settings => {
    'limits.user_sends' => 1, 'limits.user_burst' => 5, 'limits.room_sends' => 1, 'limits.room_burst' => 12,
    'limits.user_polls' => 3, 'limits.user_reads' => 3,
});

# Straight to longroom-history.
sub say_as {
    my ($who, $room, $content) = @_;
    return ask_by_fastcgi($l->connect('history'), POST => "/rooms/$room/messages", $content, undef,
        LONGROOM_USER_ID => $who, LONGROOM_WRITE => '*');
}

sub say_in {
    my ($who, $room, $content) = @_;
    return $l->request(POST => "/rooms/$room/messages", content => $content // 'Hello',
        headers => { %{ Visitors::headers('nginx', $who) }, 'Content-Type' => 'text/plain' });
}

# Starts a poll and returns its connection.
sub wait_in {
    my ($who, $room) = @_;
    my $c = $l->connect;
    $c->write("GET /rooms/$room/poll?timeout=50 HTTP/1.1\r\nHost: localhost\r\nCookie: who=$who\r\n\r\n");
    return $c;
}

sub waiting { return $l->metrics('pushd')->{'connections{state="waiting"}'} }

sub await_waiting {
    my ($count) = @_;
    return $l->eventually(20, sub { waiting() == $count });
}

subtest 'a user may send a burst, then must wait' => sub {
    my @answers = map { say_in('ann', 'room_1') } 1 .. 5;
    is "@{[map { $_->{status} } @answers]}", '201 201 201 201 201', 'the burst is accepted';
    my @left = map { $_->{headers}{'ratelimit-remaining'} } @answers;
    is $left[0], 4, 'the first answer says how many sends remain';
    is $answers[0]{headers}{'ratelimit-limit'}, 5, '... and how large the burst is';
    cmp_ok $left[4], '<', $left[0], 'each send counts';
    my $refused = say_in('ann', 'room_1');
    $refused = say_in('ann', 'room_1') if $refused->{status} == 201;    # a second has passed
    Longroom::is_problem($refused, 429, 'rate-limited', 'the next one is refused');
    is $refused->{headers}{'ratelimit-remaining'}, 0, 'none remains';
    like $refused->{headers}{'retry-after'}, qr/\A[1-9][0-9]*\z/, 'Retry-After says when to try again';
    is say_in('ann', 'room_2')->{status}, 429, 'in another room too';
    is say_in('bob', 'room_2')->{status}, 201, 'other users are not affected';
    ok $l->eventually(20, sub { say_in('ann', 'room_2')->{status} == 201 }),
        'after a while the user may send again';
};

subtest 'a refused message is neither saved nor broadcast' => sub {
    my %taken;
    for (1 .. 8) { my $answer = say_in('carl', 'room_3', "carl $_"); $taken{"carl $_"} = 1 if $answer->{status} == 201 }
    my $page = $l->request(GET => '/rooms/room_3/messages?limit=100', headers => Visitors::headers('nginx', 'carl'));
    is_deeply [sort @{ Longroom::message_contents($page) }], [sort keys %taken],
        'history has the accepted messages';
    cmp_ok scalar keys %taken, '<', 8, 'some were refused';
};

subtest 'a room has a limit for all users together' => sub {
    my @status;
    for my $who (qw(w1 w2 w3 w4) x 5) { push @status, say_in($who, 'room_4'); }
    my ($refused) = grep { $_->{status} == 429 && $_->{headers}{'ratelimit-limit'} == 12 } @status;
    ok $refused, 'a POST is refused for the room';
    like $refused->{headers}{'retry-after'} // '', qr/\A[1-9]/, 'Retry-After says when to try again';
};

subtest 'the waiting polls of a user are limited' => sub {
    my @polls = map { wait_in('ann', "room_$_") } 11 .. 13;
    ok await_waiting(3), 'three wait';
    my $refused = wait_in('ann', 'room_14')->answer;
    Longroom::is_problem($refused, 429, 'rate-limited', 'the fourth is refused');
    like $refused->{headers}{'retry-after'} // '', qr/\A[1-9]/, 'Retry-After says when to try again';
    Longroom::is_problem(wait_in('ann', 'room_13')->answer, 429, 'rate-limited', 'so is a repeated one');
    my $other = wait_in('bob', 'room_11');
    ok await_waiting(4), 'another user may wait';
    pop(@polls)->close;
    ok await_waiting(3), 'when a poll hangs up';
    push @polls, wait_in('ann', 'room_14');
    ok await_waiting(4), 'another one may wait';
    Longroom::is_problem(wait_in('ann', 'room_15')->answer, 429, 'rate-limited', 'but only one');
    say_in('dora', 'room_11');
    is $polls[0]->answer->{status}, 200, 'when a poll is answered';
    ok await_waiting(2), '... it no longer counts';
    $polls[0] = wait_in('ann', 'room_15');
    ok await_waiting(3), '... another one may wait';
    undef $other;
};

# A read, straight to longroom-history, with the identity that nginx would set.
sub read_as {
    my ($who, $target) = @_;
    my $c = $l->connect('history');
    $c->write(fastcgi_bytes(GET => $target, undef, undef, LONGROOM_USER_ID => $who, LONGROOM_READ => '*'));
    return $c;
}

subtest 'the concurrent reads of a user are limited' => sub {
    $l->stop_program('history');
    delete $l->{settings}{$_} for qw(limits.user_sends limits.user_burst limits.room_sends limits.room_burst);
    $l->start_program('history');
    my $page = '/rooms/room_30/messages?limit=1000';
    my @sent = map { say_as('dora', 'room_30', 'x' x 16_000) } 1 .. 30;
    push @sent, map { say_as('bob', 'room_30', 'x' x 16_000) } 1 .. 30;
    is scalar(grep { $_->{status} == 201 } @sent), 60, 'a room is filled for long pages';
    my $unread = sub { return $l->metrics('history')->{'slow_peers{state="reading"}'} };
    my @reads = map { read_as('ann', $page) } 1 .. 3;
    ok $l->eventually(20, sub { $unread->() == 3 }), 'three answers are being sent';
    my $refused = fastcgi_answer(read_as('ann', $page));
    Longroom::is_problem($refused, 429, 'rate-limited', 'the fourth read is refused');
    is $refused->{headers}{'retry-after'}, 1, 'Retry-After says when to try again';
    is fastcgi_answer(read_as('ann', '/rooms/room_30/messages/1'))->{status}, 429,
        'so is a read of one message';
    is say_as('ann', 'room_30', 'y')->{status}, 201, 'a message is accepted';
    is fastcgi_answer(read_as('carl', $page))->{status}, 200, 'another user may read';
    is fastcgi_answer($reads[0])->{json}{count}, 60, 'when one answer is read';
    my $another;
    ok $l->eventually(20, sub { $another = fastcgi_answer(read_as('ann', $page)); $another->{status} == 200 }),
        'another read is accepted';
};

subtest 'SIGHUP reloads the limits' => sub {
    $l->stop_program($_) for qw(pushd history);
    delete $l->{settings}{$_} for grep {/^limits\./} keys %{ $l->{settings} };
    $l->start_program($_) for qw(history pushd);
    $l->set_in_file("[limits]\nuser_sends = 1\nuser_burst = 1\nuser_polls = 1\nuser_reads = 1");
    my @answers = map { say_in('ann', 'room_20')->{status} } 1 .. 3;
    ok((grep { $_ == 429 } @answers), 'a lower limit applies at once');
    my $first = wait_in('ann', 'room_21');
    ok await_waiting(1), 'one poll waits';
    is wait_in('ann', 'room_22')->answer->{status}, 429, 'a second does not';
    $l->set_in_file("[limits]\nuser_sends = 0\nroom_sends = 0\nuser_polls = 0\nuser_reads = 0");
    my @free = map { say_in('ann', 'room_20') } 1 .. 100;
    is scalar(grep { $_->{status} == 201 } @free), 100, '0 means no limit';
    ok !exists $free[0]{headers}{'ratelimit-limit'}, 'and no header mentions one';
    my @polls = map { wait_in('ann', 'room_21') } 1 .. 70;
    ok await_waiting(71), 'no limit on polls either';
    my @reads = map { read_as('ann', '/rooms/room_30/messages?limit=1000') } 1 .. 6;
    is_deeply [map { fastcgi_answer($_)->{status} } @reads], [(200) x 6], 'nor on reads';
};

subtest 'messages sent under earlier limits do not count against a user' => sub {
    $l->set_in_file("[limits]\nuser_sends = 1\nuser_burst = 1000\nroom_sends = 0");
    say_in('dora', 'room_23') for 1 .. 200;
    $l->set_in_file("[limits]\nuser_sends = 1000\nuser_burst = 10\nroom_sends = 0");
    my $sent;
    ok $l->eventually(20, sub { $sent = say_in('dora', 'room_23'); $sent->{status} == 201 }),
        'the user waits no longer than the new limits require';
    cmp_ok $sent->{headers}{'ratelimit-reset'}, '<=', 1, '... and the headers say so';
};
$l->stop;

subtest 'with auth.mode = open, where users name themselves, there are no limits' => sub {
    $l = Longroom->start(settings => { 'limits.user_sends' => 1, 'limits.user_burst' => 1, 'limits.room_burst' => 1 });
    is "@{[map { $l->post('room_1', 'x', user_id => '1')->{status} } 1 .. 5]}", '201 201 201 201 201', 'sends';
    $l->stop;
};

done_testing;
