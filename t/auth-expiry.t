# Where a token may be in a request, and how long it gives access (PROTOCOL section
# 12). Which tokens are valid is tested in token.t.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Stream;
use Test::More;
use Time::HiRes ();
use Visitors;

my %VISITORS = (ann => { read => '*', write => '*' });

my $l = Visitors::start('token', \%VISITORS, operator => 1,
    settings => { 'auth.clock_skew' => '0s', 'auth.cookie' => 'session', map { ("limits.${_}_sends" => 10_000, "limits.${_}_burst" => 10_000) } qw(user room) });

sub bearer { return (Authorization => "Bearer $_[0]") }

sub answers {
    my (%headers) = @_;
    my @got = map { $l->request(@$_, headers => { %headers, 'Content-Type' => 'text/plain' }) } (
        [GET => '/rooms/room_1/messages'], [GET => '/rooms/room_1/poll?timeout=0'],
        [POST => '/rooms/room_1/messages', content => 'Hello'],
    );
    return join ' ', map { "$_->{status} " . ($_->{json}{type} // '-') } @got;
}

sub wait_with {
    my ($token) = @_;
    my $c = $l->connect;
    $c->write("GET /rooms/room_1/poll?timeout=55 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $token\r\n\r\n");
    return $c;
}

my $good    = '200 - 200 - 201 chat_message';
my $bad     = join ' ', ('401 unauthorized') x 3;
my $expired = join ' ', ('401 token-expired') x 3;

subtest 'a token may be in Authorization or in the cookie' => sub {
    my $token = Visitors::token('ann');
    my $wrong = Visitors::token('ann', exp => 1);
    my %rows = (
        'Authorization'                => [$good, bearer($token)],
        'in small letters'             => [$good, Authorization => "bearer $token"],
        'the cookie'                   => [$good, Cookie => "session=$token"],
        'the cookie among others'      => [$good, Cookie => "a=b; xsession=x; session=$token; session2=y"],
        'both: Authorization takes precedence'   => [$expired, bearer($wrong), Cookie => "session=$token"],
        'another scheme and a cookie'  => [$good, Authorization => 'Basic YTpi', Cookie => "session=$token"],
        'the first of two cookies'     => [$expired, Cookie => "session=$wrong; session=$token"],
        'another cookie'               => [$bad, Cookie => "Session=$token"],
        'nowhere'                      => [$bad],
    );
    is answers(@{ $rows{$_} }[1 .. $#{ $rows{$_} }]), $rows{$_}[0], $_ for sort keys %rows;

    # HTTP/2 allows this, and proxies in front of nginx may produce it.
    for my $cookies (["a=b", "session=$token"], ["session=$token", 'a=b']) {
        my $lines = join '', map {"Cookie: $_\r\n"} @$cookies;
        my @got = map { $l->connect->ask("GET /rooms/room_1/$_ HTTP/1.1\r\nHost: localhost\r\n$lines\r\n")->{status} }
            'messages', 'poll?timeout=0';
        is "@got", '200 200', 'cookies in two headers: ' . substr $cookies->[0], 0, 3;
    }
};

subtest 'a poll ends when its token expires' => sub {
    # longroom-pushd must have what was sent, or it would come to a poll that waits.
    $l->request(GET => '/rooms/room_1/poll?timeout=20&after=4', headers => { bearer(Visitors::token('ann')) });
    my $exp = time + 3;
    my @tokens = map { Visitors::token('ann', exp => $exp, jti => $_) } 1, 1, 2;
    my @polls = map { wait_with($_) } @tokens;
    my $long = wait_with(Visitors::token('ann'));
    ok $l->eventually(20, sub { $l->metrics('pushd')->{'connections{state="waiting"}'} == 4 }), 'the polls wait';
    for my $poll (@polls) {
        my $answer = $poll->answer;
        Longroom::is_problem($answer, 401, 'token-expired', 'the answer says that the token has expired');
        like $answer->{headers}{'www-authenticate'}, qr/\ABearer .*invalid_token/, '... and so does its header';
    }
    cmp_ok time, '>=', $exp, 'not before the expiry';
    is answers(bearer($tokens[0])), $expired, 'the next request with the remembered token is refused too';
    $l->request(POST => '/rooms/room_1/messages', content => 'Hello',
        headers => { bearer(Visitors::token('ann')), 'Content-Type' => 'text/plain' });
    is $long->answer->{status}, 200, 'a poll with a longer token keeps waiting';
};

subtest 'a poll gets nothing that is sent after its token has expired' => sub {
    my $exp = time + 3;
    my @polls = map { wait_with(Visitors::token('ann', exp => $exp, jti => $_)) } 1 .. 20;
    ok $l->eventually(20, sub { $l->metrics('pushd')->{'connections{state="waiting"}'} == 20 }), 'the polls wait';
    my %sender = (bearer(Visitors::token('ann')), 'Content-Type' => 'text/plain');
    my $sent;
    # By the clock that stamps messages; the polls end within a moment.
    Time::HiRes::sleep(0.001) while Time::HiRes::time() < $exp + 0.005;
    $sent = $l->request(POST => '/rooms/room_1/messages', content => 'too late', headers => \%sender);
    is $sent->{status}, 201, 'a message is sent after the expiry';
    is_deeply [map { $_->answer->{status} } @polls], [(401) x 20], 'none of the polls gets it';
};

# Messages are sent all the time, by the clock that stamps them.
subtest 'a stream ends when its token expires, in the middle of messages' => sub {
    my $exp = int(time) + 3;
    my @paths = map {"/rooms/$_/events"} 'room_2', 'room_2,room_3', 'room_4,room_2,room_3', '*';
    my @streams = map {
        Stream->open($l, $paths[$_ % @paths], headers => ['Authorization: Bearer ' . Visitors::token('ann', exp => $exp, jti => $_)])
    } 1 .. 20;
    is_deeply [map { $_->next->{event} } @streams], [('ready') x 20], 'the streams are ready';
    my $waiting = Stream->open($l, '/rooms/room_9/events', headers => ['Authorization: Bearer ' . Visitors::token('ann', exp => $exp)]);
    is $waiting->next->{event}, 'ready', '... and one in which nothing happens';
    my %sender = (bearer(Visitors::token('ann')), 'Content-Type' => 'text/plain');
    my (@late, $sent);
    while (Time::HiRes::time() < $exp + 0.2) {
        my $began = Time::HiRes::time();
        my $id = $l->request(POST => '/rooms/room_2/messages', content => 'x', headers => \%sender)->{json}{id};
        push @late, $id if $began > $exp + 0.005;
        $sent++;
        Time::HiRes::sleep(0.002);
    }
    cmp_ok scalar @late, '>', 2, 'messages are sent after the expiry';
    for my $s (@streams, $waiting) {
        ok $s->is_over(20), 'a stream is over';
        my $end = pop @{ $s->{events} };
        is "$end->{event} $end->{data}", 'end {"reason":"token-expired"}', '... told by its last event';
        my @got = map { $_->{json}{id} } @{ $s->{events} };
        cmp_ok scalar @got, '>', 10, '... it had those before' if $s != $waiting;
        is_deeply [grep { my $id = $_; grep { $_ == $id } @got } @late], [], '... and none of those after';
        my ($cursor_id) = $end->{id} =~ /\A1\.[0-9a-f]{8}\.([0-9]+)/;
        cmp_ok $cursor_id, '<', $late[0], '... nor does its cursor pass them';
    }
};

# As PROTOCOL section 12 says: at most 100 ms later. The time in which a busy machine
# tells of it is not the programs'.
subtest 'a stream ends at once when its token expires' => sub {
    my $exp = int(time) + 2;
    my @streams = map {
        Stream->open($l, '/rooms/room_5,room_6/events', headers => ['Authorization: Bearer ' . Visitors::token('ann', exp => $exp, jti => $_)])
    } 1 .. 5;
    is_deeply [map { $_->next->{event} } @streams], [('ready') x 5], 'the streams are ready';
    ok $streams[0]->is_over(20), 'a stream ends';
    my $late = Time::HiRes::time() - $exp;
    cmp_ok $late, '>=', 0, 'not before the expiry';
    cmp_ok $late, '<', 0.1 + 0.1, 'nor much later';
    ok $_->is_over(1), 'so do the others' for @streams;
};

$l->stop;

done_testing;
