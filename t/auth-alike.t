# A crowd whose requests differ in their tokens alone: longroom-pushd reads the
# first of them and compares the others with it. Whatever comes in the token's
# place, each gets what he would get if he were alone.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Test::More;
use Visitors;

my %VISITORS = (
    ann  => { read => '*',      write => '*' },
    bob  => { read => 'room_1', write => '' },
    carl => { read => 'room_2', write => '' },
    dora => { read => 'room_*', write => '' },
);

my $l = Visitors::start('token', \%VISITORS, operator => 1,
    settings => { 'auth.clock_skew' => '0s', 'limits.user_polls' => 2 });
my %token = map { $_ => Visitors::token($_) } keys %VISITORS;

# Past nginx, so that the bytes are as they are here.
my $c = $l->connect('pushd');

sub request_as {
    my ($token, $timeout) = @_;
    return 'GET /rooms/room_1/poll?timeout=' . ($timeout || 0)
        . " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $token\r\nX-Last: 1\r\n\r\n";
}

sub verdict { return $_[0] ? "$_[0]{status} " . ($_[0]{json}{type} // '-') : 'no answer' }

sub ask_as { return verdict($c->ask(request_as(@_))) }

# The first one is read, which makes it the one that others are compared with.
sub read_first {
    is verdict($l->connect('pushd')->ask(request_as($token{ann}))), '200 -', 'somebody asks first';
    return;
}

subtest 'each has his own rights' => sub {
    my $round = sub { join ', ', map { "$_ " . ask_as($token{$_}) } qw(ann bob carl dora carl ann bob) };
    my $expected = 'ann 200 -, bob 200 -, carl 403 forbidden, dora 200 -, carl 403 forbidden, ann 200 -, bob 200 -';
    is $round->(), $expected, 'when their tokens come for the first time';
    is $round->(), $expected, 'and when they are known' for 1, 2;
};

subtest 'a token that is none lets nobody in' => sub {
    my $expired = Visitors::token('bob', exp => time - 1);
    my %rows = (
        'expired'                  => [$expired, '401 token-expired'],
        'none'                     => ['', '401 unauthorized'],
        'no token'                 => ['x', '401 unauthorized'],
        'with another signature'   => [$token{bob} =~ s/(.{5})\z/reverse $1/er, '401 unauthorized'],
        'with something behind it' => ["$token{bob}x", '401 unauthorized'],
        'cut off'                  => [substr($token{bob}, 0, -1), '401 unauthorized'],
        'the end of one'           => [substr($token{bob}, 1), '401 unauthorized'],
    );
    for my $row (sort keys %rows) {
        read_first();
        is ask_as($token{bob}), '200 -', 'another may ask';
        is ask_as($rows{$row}[0]), $rows{$row}[1], $row;
    }
};

subtest 'what is more than a token is read' => sub {
    my %rows = (
        'a second Authorization'  => ["$token{bob}\r\nAuthorization: Bearer $token{ann}", '400 bad-request'],
        'a second Host'           => ["$token{bob}\r\nHost: localhost", '400 bad-request'],
        'a body'                  => ["$token{bob}\r\nContent-Length: 3", '400 bad-request'],
        'a folded line'           => ["$token{bob}\r\n x", '400 bad-request'],
        'a NUL'                   => ["$token{bob}\0", '400 bad-request'],
        'a header between'        => ["$token{bob}\r\nX-More: 1", '200 -'],
        'spaces before it'        => ["  $token{bob}", '200 -'],
        'a space behind it'       => ["$token{bob} ", '401 unauthorized'],
        'a token under another name' => ["$token{carl}\r\nProxy-Authorization: Bearer $token{ann}", '403 forbidden'],
    );
    for my $row (sort keys %rows) {
        read_first();
        is ask_as($token{bob}), '200 -', 'another may ask';
        is verdict($l->connect('pushd')->ask(request_as($rows{$row}[0]))), $rows{$row}[1], $row;
    }
    read_first();
    my $two = $l->connect('pushd');
    $two->write(request_as("$token{bob}\r\n\r\n" . request_as($token{carl}) =~ s/\r\n\r\n\z//r));
    is verdict($two->answer), '200 -', 'two requests in one piece: the first is answered';
    is verdict($two->answer), '403 forbidden', '... and the second';
    my $last = $l->connect('pushd');
    is verdict($last->ask(request_as("$token{bob}\r\nConnection: close"))), '200 -', 'who wants no more';
    ok $last->hangs_up(20), '... is left alone';
};

subtest 'each is counted and waits for himself' => sub {
    my $again = Visitors::token('bob', jti => 'a second one');
    my $short = Visitors::token('dora', exp => time + 4);
    is ask_as($_), '200 -', 'comes' for $again, $short;
    my $wait = sub { my $poll = $l->connect('pushd'); $poll->write(request_as($_[0], 50)); $poll };
    my $waiting = sub { my ($count) = @_; $l->eventually(20, sub { $l->metrics('pushd')->{'connections{state="waiting"}'} == $count }) };
    my ($ann, $bob, $other, $dora) = map { $wait->($_) } $token{ann}, $token{bob}, $again, $short;
    ok $waiting->(4), 'all wait';
    is verdict($wait->($token{bob})->answer), '429 rate-limited', 'who has two polls that wait has no third';
    is verdict($wait->($again)->answer), '429 rate-limited', '... whichever of his tokens he comes with';
    my $more = $wait->($token{ann});
    ok $waiting->(5), 'others are not counted with him';
    is verdict($dora->answer), '401 token-expired', 'whose token expires is sent away';
    is ask_as($short), '401 token-expired', '... and does not come in again';
    my $sent = $l->request(POST => '/rooms/room_1/messages', content => 'Hello',
        headers => { Authorization => "Bearer $token{ann}", 'Content-Type' => 'text/plain' });
    is $sent->{status}, 201, 'there is a message';
    is_deeply [map { Longroom::message_contents($_->answer) } $ann, $bob, $other, $more], [(['Hello']) x 4], 'the others get it';
};

subtest 'a token may not make a request longer than is allowed' => sub {
    my $long = Visitors::token('bob', more => 'x' x 300);
    my $padded = sub { my $other = $l->connect('pushd'); verdict($other->ask(request_as($_[0]) =~ s/^X-Last: /$& . 'x' x 400/emr)) };
    $l->set_in_file("[limits]\nrequest_head = 1024");
    # Settings are taken in a moment after they are read.
    ok $l->eventually(20, sub { $padded->($long) eq '431 head-too-large' }), 'it is too long';
    is ask_as($long), '200 -', 'in a shorter one it is not';
    is $padded->($token{ann}), '200 -', 'nor is a shorter one';
    is $padded->($long), '431 head-too-large', 'but it still is where it was';
    $l->set_in_file('');
};

subtest 'a key that is taken away is taken away for all of them' => sub {
    read_first();
    is ask_as($token{bob}), '200 -', 'was good';
    Longroom::spew("$l->{visitors_dir}/key", 'another secret, of 32 bytes or more');
    $l->set_in_file('');
    # Keys are taken in a moment after the settings.
    ok $l->eventually(20, sub { ask_as($token{bob}) eq '401 unauthorized' }), 'bob may not ask any more';
    is ask_as($token{$_}), '401 unauthorized', "nor may $_" for qw(ann carl dora bob);
};
$l->stop;

done_testing;
