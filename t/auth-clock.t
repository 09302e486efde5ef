# A token expires by the wall clock or by elapsed time, whichever is first, also when
# it is remembered and while the wall clock is set (PROTOCOL section 12). The programs'
# clock is set by t/preload/set_clock.c; the test's own clock is unchanged.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Test::More;
use Visitors;

my $place = Longroom::fresh_dir();
my $CLOCK = "$place/clock";

# In place, because the programs have mapped the file.
sub set_clock {
    my ($seconds) = @_;
    open my $file, '+<', $CLOCK or die "$CLOCK: $!\n";
    syswrite $file, pack 'q', 1000 * $seconds;
    return close $file;
}

Longroom::spew($CLOCK, pack 'q', 0);
my $l = Visitors::start('token', { map { $_ => { read => '*', write => '*' } } qw(ann bob) }, operator => 1,
    settings => { 'auth.clock_skew' => '0s', 'auth.cookie' => 'session' });
for my $program (qw(history pushd)) {
    $l->stop_program($program);
    # A sanitizer must be the first library to load.
    $l->start_program($program, env => {
        LD_PRELOAD     => Longroom::build_dir() . '/set_clock.so',
        LONGROOM_CLOCK => $CLOCK,
        ASAN_OPTIONS   => join(':', $ENV{ASAN_OPTIONS} // (), 'verify_asan_link_order=0'),
    });
}

sub poll_request {
    my ($header, $timeout) = @_;
    return "GET /rooms/room_1/poll?timeout=$timeout HTTP/1.1\r\nHost: localhost\r\n$header\r\n\r\n";
}

# The same poll twice, byte for byte, a page of history, a POST to another room.
sub answers {
    my ($header) = @_;
    my ($name, $value) = split /: /, $header, 2;
    my @got = ((map { $l->connect('pushd')->ask(poll_request($header, 0)) } 1, 2),
        map { $l->request(@$_, headers => { $name => $value, 'Content-Type' => 'text/plain' }) }
            [GET => '/rooms/room_1/messages'], [POST => '/rooms/room_2/messages', content => 'Hello']);
    return join ' ', map { "$_->{status} " . ($_->{json}{type} // '-') } @got;
}

my $good    = '200 - 200 - 200 - 201 chat_message';
my $expired = join ' ', ('401 token-expired') x 4;

# By the header as nginx writes it, which is remembered separately, and by another.
my %HEADERS = (Authorization => 'Authorization: Bearer ', 'a cookie' => 'Cookie: session=');

for my $way (sort keys %HEADERS) {
    subtest "tokens expire when the wall clock is set forward: $way" => sub {
        my $header = $HEADERS{$way} . Visitors::token('ann', exp => time + 600, jti => $way);
        my $other  = $HEADERS{$way} . Visitors::token('bob', exp => time + 3600, jti => $way);
        is answers($header), $good, 'the token is valid';
        my @polls = map { my $c = $l->connect('pushd'); $c->write(poll_request($_, 8)); $c } $header, $header, $other;
        ok $l->eventually(20, sub { $l->metrics('pushd')->{'connections{state="waiting"}'} == 3 }), 'polls wait';
        is answers($header), $good, 'and a poll that does not wait is answered each time';
        set_clock(700);
        Longroom::is_problem($_->answer, 401, 'token-expired', 'a waiting poll ends when its token expires')
            for @polls[0, 1];
        is answers($header), $expired, 'so does a repeated request';
        is answers($other), $good, 'another token stays valid';
        set_clock(0);
        is answers($header), $good, 'if the clock is set right again, the token is valid again';
        is $polls[2]->answer->{status}, 200, 'a poll with a longer token keeps waiting';
    };

    subtest "tokens expire in time when the wall clock is set back: $way" => sub {
        my $short  = $HEADERS{$way} . Visitors::token('ann', exp => time + 3, jti => "$way, short");
        my $longer = $HEADERS{$way} . Visitors::token('bob', exp => time + 600, jti => "$way, longer");
        my $poll = $l->connect('pushd');
        is answers($short), $good, 'the token is valid';
        $poll->write(poll_request($short, 20));
        ok $l->eventually(20, sub { $l->metrics('pushd')->{'connections{state="waiting"}'} == 1 }), 'a poll waits';
        set_clock(-3600);
        Longroom::is_problem($poll->answer, 401, 'token-expired',
            'it waits no longer than its token was valid at first');
        is answers($short), $expired, 'the lifetime of the token is not prolonged';
        is answers($longer), $good, 'another token is valid';
        set_clock(0);
    };
}
$l->stop;

done_testing;
