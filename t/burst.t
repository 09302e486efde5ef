# Many at once: a thousand clients on four nginx workers, and thousands of
# connections in one moment. No client hangs, and none gets 502 or 504.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Test::More;
use Time::HiRes qw(time);

# Perl cannot raise its own limit; the shell can, so this starts again under it.
if (!$ENV{LONGROOM_LIMIT_RAISED}) {
    $ENV{LONGROOM_LIMIT_RAISED} = 1;
    exec 'sh', '-c', 'ulimit -n "$(ulimit -Hn)" 2>/dev/null; exec "$@"', 'sh', $^X, $0
        or die "can't run sh: $!";
}

my $limit = Longroom::descriptor_limit();
my $l = Longroom->start(nginx_workers => 4);

# Adds $count clients that each make what $requests->($client) lists, and counts
# the answers by status (0: none) and by request.
sub add_clients {
    my ($crowd, $count, $told, $requests) = @_;
    for my $n (1 .. $count) {
        my @left = $requests->($n);
        my $kind;
        $crowd->add(sub {
            my ($answer) = @_;
            $told->{"$kind $answer->{status}"}++ if $answer;
            my $next = shift @left or return;
            ($kind, my $bytes) = @$next;
            return $bytes;
        });
    }
    return;
}

sub in_words {
    my ($told) = @_;
    return join ', ', map {"$_: $told->{$_}"} sort keys %$told;
}

sub mixed {
    my ($n) = @_;
    my $room = 'room_' . (1 + $n % 20);
    return map { (
        [send    => Longroom::post_bytes($room, "from $n")],
        [history => Longroom::get_bytes("/rooms/$room/messages")],
        [poll    => Longroom::get_bytes("/rooms/$room/poll?after=0&timeout=5")],
        [poll    => Longroom::get_bytes("/rooms/$room/poll?timeout=1")],
    ) } 1 .. 2;
}

subtest 'a thousand clients can send, read and wait at once' => sub {
    my $begin = time;
    my %told;
    my $crowd = $l->crowd;
    add_clients($crowd, 1000, \%told, \&mixed);
    ok $crowd->run(60), 'no client hangs';
    is in_words(\%told), 'history 200: 2000, poll 200: 4000, send 201: 2000',
        'all are answered, each as expected';
    is_deeply [$l->sql('SELECT count(*) FROM messages;')], [2000], 'what was sent is saved';
};

SKIP: {
    my $burst = 3000;
    # Two descriptors for a poll in nginx, one here, one in longroom-pushd.
    skip "the limit of $limit descriptors is too low for $burst connections", 1
        if $limit < 2 * $burst + 500;

    subtest 'three thousand connections in one moment are served' => sub {
        my %told;
        my $crowd = $l->crowd;
        my $after = $l->poll('room_500', timeout => 0)->{json}{cursor};
        add_clients($crowd, $burst, \%told, sub {
            my ($n) = @_;
            return $n % 3 == 0
                ? [history => Longroom::get_bytes('/rooms/room_500/messages')]
                : [poll => Longroom::get_bytes("/rooms/room_500/poll?timeout=50&after=$after")];
        });
        ok $crowd->run(60, sub { ($told{'history 200'} || 0) == $burst / 3 }),
            'readers are answered while the others wait';
        is $l->post('room_500', 'for all')->{status}, 201, 'a message is sent';
        ok $crowd->run(60), 'no client waits any more';
        is in_words(\%told), "history 200: @{[$burst / 3]}, poll 200: @{[$burst - $burst / 3]}",
            'no request was refused';
    };
}

$l->stop;
done_testing;
