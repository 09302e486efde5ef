# A crowd whose requests differ only in their tokens: longroom-pushd parses the first
# request and compares the others with it. Whatever stands in the token's place, each
# client gets the answer that it would get alone.

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

# Bypasses nginx, so that the bytes arrive as written here.
my $c = $l->connect('pushd');

sub request_as {
    my ($token, $timeout) = @_;
    return 'GET /rooms/room_1/poll?timeout=' . ($timeout || 0)
        . " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $token\r\nX-Last: 1\r\n\r\n";
}

sub verdict { return $_[0] ? "$_[0]{status} " . ($_[0]{json}{type} // '-') : 'no answer' }

sub ask_as { return verdict($c->ask(request_as(@_))) }

# The first request is parsed; the others are compared with it.
sub read_first {
    is verdict($l->connect('pushd')->ask(request_as($token{ann}))), '200 -', 'the first request is answered';
    return;
}

subtest 'each user has their own rights' => sub {
    my $round = sub { join ', ', map { "$_ " . ask_as($token{$_}) } qw(ann bob carl dora carl ann bob) };
    my $expected = 'ann 200 -, bob 200 -, carl 403 forbidden, dora 200 -, carl 403 forbidden, ann 200 -, bob 200 -';
    is $round->(), $expected, 'when their tokens are seen for the first time';
    is $round->(), $expected, 'and when they are known' for 1, 2;
};

subtest 'an invalid token gives no access' => sub {
    my $expired = Visitors::token('bob', exp => time - 1);
    my %rows = (
        'expired'                  => [$expired, '401 token-expired'],
        'none'                     => ['', '401 unauthorized'],
        'no token'                 => ['x', '401 unauthorized'],
        'with another signature'   => [$token{bob} =~ s/(.{5})\z/reverse $1/er, '401 unauthorized'],
        'with something behind it' => ["$token{bob}x", '401 unauthorized'],
        'cut off'                  => [substr($token{bob}, 0, -1), '401 unauthorized'],
        'the end of a token'           => [substr($token{bob}, 1), '401 unauthorized'],
    );
    for my $row (sort keys %rows) {
        read_first();
        is ask_as($token{bob}), '200 -', 'another user is served';
        is ask_as($rows{$row}[0]), $rows{$row}[1], $row;
    }
};

subtest 'anything beyond a token is parsed in full' => sub {
    my %rows = (
        'a second Authorization'  => ["$token{bob}\r\nAuthorization: Bearer $token{ann}", '400 bad-request'],
        'a second Host'           => ["$token{bob}\r\nHost: localhost", '400 bad-request'],
        'a body'                  => ["$token{bob}\r\nContent-Length: 3", '400 bad-request'],
        'a folded line'           => ["$token{bob}\r\n x", '400 bad-request'],
        'a NUL'                   => ["$token{bob}\0", '400 bad-request'],
        'a header between'        => ["$token{bob}\r\nX-More: 1", '200 -'],
        'spaces before it'        => ["  $token{bob}", '200 -'],
        'a space behind it'       => ["$token{bob} ", '401 unauthorized'],
        'a token in another header' => ["$token{carl}\r\nProxy-Authorization: Bearer $token{ann}", '403 forbidden'],
    );
    for my $row (sort keys %rows) {
        read_first();
        is ask_as($token{bob}), '200 -', 'another user is served';
        is verdict($l->connect('pushd')->ask(request_as($rows{$row}[0]))), $rows{$row}[1], $row;
    }
    read_first();
    my $two = $l->connect('pushd');
    $two->write(request_as("$token{bob}\r\n\r\n" . request_as($token{carl}) =~ s/\r\n\r\n\z//r));
    is verdict($two->answer), '200 -', 'two requests in one piece: the first is answered';
    is verdict($two->answer), '403 forbidden', '... and the second';
    my $last = $l->connect('pushd');
    is verdict($last->ask(request_as("$token{bob}\r\nConnection: close"))), '200 -',
        'Connection: close behind the token: the request is answered';
    ok $last->hangs_up(20), '... and the connection is closed';
};

subtest 'each user is counted, and waits, separately' => sub {
    my $again = Visitors::token('bob', jti => 'a second one');
    my $short = Visitors::token('dora', exp => time + 4);
    is ask_as($_), '200 -', 'another token of bob, and a short one of dora, are valid' for $again, $short;
    my $wait = sub { my $poll = $l->connect('pushd'); $poll->write(request_as($_[0], 50)); $poll };
    my $waiting = sub { my ($count) = @_; $l->eventually(20, sub { $l->metrics('pushd')->{'connections{state="waiting"}'} == $count }) };
    my ($ann, $bob, $other, $dora) = map { $wait->($_) } $token{ann}, $token{bob}, $again, $short;
    ok $waiting->(4), 'all wait';
    is verdict($wait->($token{bob})->answer), '429 rate-limited', 'a user with two waiting polls gets no third';
    is verdict($wait->($again)->answer), '429 rate-limited', '... with any of their tokens';
    my $more = $wait->($token{ann});
    ok $waiting->(5), 'other users are counted separately';
    is verdict($dora->answer), '401 token-expired', 'a poll ends when its token expires';
    is ask_as($short), '401 token-expired', '... and the token is not accepted again';
    my $sent = $l->request(POST => '/rooms/room_1/messages', content => 'Hello',
        headers => { Authorization => "Bearer $token{ann}", 'Content-Type' => 'text/plain' });
    is $sent->{status}, 201, 'there is a message';
    is_deeply [map { Longroom::message_contents($_->answer) } $ann, $bob, $other, $more], [(['Hello']) x 4], 'the others get the message';
};

subtest 'a token counts towards the limit on the length of a request' => sub {
    my $long = Visitors::token('bob', more => 'x' x 300);
    my $padded = sub { my $other = $l->connect('pushd'); verdict($other->ask(request_as($_[0]) =~ s/^X-Last: /$& . 'x' x 400/emr)) };
    $l->set_in_file("[limits]\nrequest_head = 1024");
    # Settings take effect a moment after they are read.
    ok $l->eventually(20, sub { $padded->($long) eq '431 head-too-large' }), 'the request is too long';
    is ask_as($long), '200 -', 'the same token in a shorter request is accepted';
    is $padded->($token{ann}), '200 -', 'so is a shorter token in the long request';
    is $padded->($long), '431 head-too-large', 'the long request is still too long';
    $l->set_in_file('');
};

subtest 'removing a key shuts out all of them' => sub {
    read_first();
    is ask_as($token{bob}), '200 -', 'the token was valid';
    Longroom::spew("$l->{visitors_dir}/key", 'another secret, of 32 bytes or more');
    $l->set_in_file('');
    # Keys take effect a moment after the settings.
    ok $l->eventually(20, sub { ask_as($token{bob}) eq '401 unauthorized' }), 'bob is refused';
    is ask_as($token{$_}), '401 unauthorized', "so is $_" for qw(ann carl dora bob);
};
$l->stop;

done_testing;
