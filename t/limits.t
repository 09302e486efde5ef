# How much a user may do: sends with a burst, for users and rooms, polls that
# wait and reads under way (PROTOCOL section 12).

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

subtest 'a user sends a burst, then has to wait' => sub {
    my @answers = map { say_in('ann', 'room_1') } 1 .. 5;
    is "@{[map { $_->{status} } @answers]}", '201 201 201 201 201', 'the burst is taken';
    my @left = map { $_->{headers}{'ratelimit-remaining'} } @answers;
    is $left[0], 4, 'the first answer says how many more there may be';
    is $answers[0]{headers}{'ratelimit-limit'}, 5, '... of how many';
    cmp_ok $left[4], '<', $left[0], 'each send counts';
    my $refused = say_in('ann', 'room_1');
    $refused = say_in('ann', 'room_1') if $refused->{status} == 201;    # a second has passed
    Longroom::is_problem($refused, 429, 'rate-limited', 'then no more');
    is $refused->{headers}{'ratelimit-remaining'}, 0, 'none is left';
    like $refused->{headers}{'retry-after'}, qr/\A[1-9][0-9]*\z/, 'Retry-After says when';
    is say_in('ann', 'room_2')->{status}, 429, 'in another room too';
    is say_in('bob', 'room_2')->{status}, 201, 'but others may go on';
    ok $l->eventually(20, sub { say_in('ann', 'room_2')->{status} == 201 }), 'after a while he may again';
};

subtest 'what was refused was neither saved nor broadcast' => sub {
    my %taken;
    for (1 .. 8) { my $answer = say_in('carl', 'room_3', "carl $_"); $taken{"carl $_"} = 1 if $answer->{status} == 201 }
    my $page = $l->request(GET => '/rooms/room_3/messages?limit=100', headers => Visitors::headers('nginx', 'carl'));
    is_deeply [sort @{ Longroom::message_contents($page) }], [sort keys %taken], 'history has what was taken';
    cmp_ok scalar keys %taken, '<', 8, 'and that is not all';
};

subtest 'all users of a room together have a limit' => sub {
    my @status;
    for my $who (qw(w1 w2 w3 w4) x 5) { push @status, say_in($who, 'room_4'); }
    my ($refused) = grep { $_->{status} == 429 && $_->{headers}{'ratelimit-limit'} == 12 } @status;
    ok $refused, 'one is refused for the room';
    like $refused->{headers}{'retry-after'} // '', qr/\A[1-9]/, 'and told when to go on';
};

subtest 'a user has only so many polls that wait' => sub {
    my @polls = map { wait_in('ann', "room_$_") } 11 .. 13;
    ok await_waiting(3), 'three wait';
    my $refused = wait_in('ann', 'room_14')->answer;
    Longroom::is_problem($refused, 429, 'rate-limited', 'the fourth is refused');
    like $refused->{headers}{'retry-after'} // '', qr/\A[1-9]/, 'and told when to go on';
    Longroom::is_problem(wait_in('ann', 'room_13')->answer, 429, 'rate-limited', 'one like the last, too');
    my $other = wait_in('bob', 'room_11');
    ok await_waiting(4), 'somebody else may wait';
    pop(@polls)->close;
    ok await_waiting(3), 'when one goes away';
    push @polls, wait_in('ann', 'room_14');
    ok await_waiting(4), 'another may come';
    Longroom::is_problem(wait_in('ann', 'room_15')->answer, 429, 'rate-limited', 'but no more');
    say_in('dora', 'room_11');
    is $polls[0]->answer->{status}, 200, 'and when one is answered';
    ok await_waiting(2), '... who has left the room is not counted';
    $polls[0] = wait_in('ann', 'room_15');
    ok await_waiting(3), '... another may come';
    undef $other;
};

# A read, straight to longroom-history, by somebody whom nginx has told of.
sub read_as {
    my ($who, $target) = @_;
    my $c = $l->connect('history');
    $c->write(fastcgi_bytes(GET => $target, undef, undef, LONGROOM_USER_ID => $who, LONGROOM_READ => '*'));
    return $c;
}

subtest 'a user has only so many reads under way' => sub {
    $l->stop_program('history');
    delete $l->{settings}{$_} for qw(limits.user_sends limits.user_burst limits.room_sends limits.room_burst);
    $l->start_program('history');
    my $page = '/rooms/room_30/messages?limit=1000';
    my @sent = map { say_as('dora', 'room_30', 'x' x 16_000) } 1 .. 30;
    push @sent, map { say_as('bob', 'room_30', 'x' x 16_000) } 1 .. 30;
    is scalar(grep { $_->{status} == 201 } @sent), 60, 'a room has long pages';
    my $unread = sub { return $l->metrics('history')->{'slow_peers{state="reading"}'} };
    my @reads = map { read_as('ann', $page) } 1 .. 3;
    ok $l->eventually(20, sub { $unread->() == 3 }), 'three answers are on their way';
    my $refused = fastcgi_answer(read_as('ann', $page));
    Longroom::is_problem($refused, 429, 'rate-limited', 'the fourth read is refused');
    is $refused->{headers}{'retry-after'}, 1, 'and told when to go on';
    is fastcgi_answer(read_as('ann', '/rooms/room_30/messages/1'))->{status}, 429, 'so is that of one message';
    is say_as('ann', 'room_30', 'y')->{status}, 201, 'but a message is taken';
    is fastcgi_answer(read_as('carl', $page))->{status}, 200, 'and somebody else may read';
    is fastcgi_answer($reads[0])->{json}{count}, 60, 'when one has its answer';
    my $another;
    ok $l->eventually(20, sub { $another = fastcgi_answer(read_as('ann', $page)); $another->{status} == 200 }),
        'another may come';
};

subtest 'limits are read again on SIGHUP' => sub {
    $l->stop_program($_) for qw(pushd history);
    delete $l->{settings}{$_} for grep {/^limits\./} keys %{ $l->{settings} };
    $l->start_program($_) for qw(history pushd);
    $l->set_in_file("[limits]\nuser_sends = 1\nuser_burst = 1\nuser_polls = 1\nuser_reads = 1");
    my @answers = map { say_in('ann', 'room_20')->{status} } 1 .. 3;
    ok((grep { $_ == 429 } @answers), 'a lower one holds at once');
    my $first = wait_in('ann', 'room_21');
    ok await_waiting(1), 'one poll waits';
    is wait_in('ann', 'room_22')->answer->{status}, 429, 'a second does not';
    $l->set_in_file("[limits]\nuser_sends = 0\nroom_sends = 0\nuser_polls = 0\nuser_reads = 0");
    my @free = map { say_in('ann', 'room_20') } 1 .. 100;
    is scalar(grep { $_->{status} == 201 } @free), 100, '0 is no limit';
    ok !exists $free[0]{headers}{'ratelimit-limit'}, 'and nothing is said of one';
    my @polls = map { wait_in('ann', 'room_21') } 1 .. 70;
    ok await_waiting(71), 'nor for polls';
    my @reads = map { read_as('ann', '/rooms/room_30/messages?limit=1000') } 1 .. 6;
    is_deeply [map { fastcgi_answer($_)->{status} } @reads], [(200) x 6], 'nor for reads';
};

subtest 'what was sent under other limits is not held against anybody' => sub {
    $l->set_in_file("[limits]\nuser_sends = 1\nuser_burst = 1000\nroom_sends = 0");
    say_in('dora', 'room_23') for 1 .. 200;
    $l->set_in_file("[limits]\nuser_sends = 1000\nuser_burst = 10\nroom_sends = 0");
    my $sent;
    ok $l->eventually(20, sub { $sent = say_in('dora', 'room_23'); $sent->{status} == 201 }),
        'she has to wait no longer than the new ones say';
    cmp_ok $sent->{headers}{'ratelimit-reset'}, '<=', 1, '... nor is she told to';
};
$l->stop;

subtest 'with auth.mode = open, where a user is who he says, there are none' => sub {
    $l = Longroom->start(settings => { 'limits.user_sends' => 1, 'limits.user_burst' => 1, 'limits.room_burst' => 1 });
    is "@{[map { $l->post('room_1', 'x', user_id => '1')->{status} } 1 .. 5]}", '201 201 201 201 201', 'sends';
    $l->stop;
};

done_testing;
