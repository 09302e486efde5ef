# A token ends by the wall clock or by the time that has passed, whichever is first,
# also where it is remembered and while the wall clock is set (PROTOCOL section 12).
# The programs' clock is set by t/preload/set_clock.c, the test's own goes on.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Test::More;
use Visitors;

my $place = Longroom::fresh_dir();
my $CLOCK = "$place/clock";

# In place: the programs have it mapped.
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
    # A sanitizer wants to be the first library otherwise.
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

# A poll that comes again byte for byte, a page of history, a POST to another room.
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

# By the header as nginx has it, which is remembered by itself, and by another.
my %HEADERS = (Authorization => 'Authorization: Bearer ', 'a cookie' => 'Cookie: session=');

for my $way (sort keys %HEADERS) {
    subtest "the wall clock is set forward: $way" => sub {
        my $header = $HEADERS{$way} . Visitors::token('ann', exp => time + 600, jti => $way);
        my $other  = $HEADERS{$way} . Visitors::token('bob', exp => time + 3600, jti => $way);
        is answers($header), $good, 'a token is good';
        my @polls = map { my $c = $l->connect('pushd'); $c->write(poll_request($_, 8)); $c } $header, $header, $other;
        ok $l->eventually(20, sub { $l->metrics('pushd')->{'connections{state="waiting"}'} == 3 }), 'polls wait';
        is answers($header), $good, 'and one that does not comes again and again';
        set_clock(700);
        Longroom::is_problem($_->answer, 401, 'token-expired', 'a poll that waits ends, for its token has') for @polls[0, 1];
        is answers($header), $expired, 'a request that is repeated, too';
        is answers($other), $good, 'another token goes on';
        set_clock(0);
        is answers($header), $good, 'if the clock was wrong, no harm is done';
        is $polls[2]->answer->{status}, 200, 'who has a longer token waits on';
    };

    subtest "the wall clock is set back: $way" => sub {
        my $short  = $HEADERS{$way} . Visitors::token('ann', exp => time + 3, jti => "$way, short");
        my $longer = $HEADERS{$way} . Visitors::token('bob', exp => time + 600, jti => "$way, longer");
        my $poll = $l->connect('pushd');
        is answers($short), $good, 'a token is good';
        $poll->write(poll_request($short, 20));
        ok $l->eventually(20, sub { $l->metrics('pushd')->{'connections{state="waiting"}'} == 1 }), 'a poll waits';
        set_clock(-3600);
        Longroom::is_problem($poll->answer, 401, 'token-expired', 'it waits no longer than it would have');
        is answers($short), $expired, 'nor is the token good for longer';
        is answers($longer), $good, 'another one is good';
        set_clock(0);
    };
}
$l->stop;

done_testing;
