# Several longroom-pushd on one log that tell each other who is here: 2,000 users on
# two of them, one of which is killed and started again (longroom-pushd(8), SEVERAL
# PROCESSES).

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use IO::Socket::UNIX ();
use List::Util  qw(max);
use Longroom;
use Test::More;
use Time::HiRes qw(sleep time);

use constant {
    USERS     => 2000,
    BOTH      => 100,     # of these, on both
    ANONYMOUS => 20,      # on each
    ALL       => 2040,
    SETTLES   => 35,      # seconds, at the most
    EVERY     => 0.2,
};

my $dir = Longroom::fresh_dir();
my %common = (
    'push.presence' => 'counts',
    'bus.publish'   => "ipc://$dir/bus.ipc",
    'bus.subscribe' => "ipc://$dir/bus.ipc, ipc://$dir/push1.ipc, ipc://$dir/push2.ipc",
);
my @l = Longroom->start(without => ['nginx'], settings => { %common, 'push.publish' => "ipc://$dir/push1.ipc" });
push @l, Longroom->start(
    without  => [qw(nginx history)],
    settings => { %common, 'store.url' => 'sqlite:' . $l[0]->database, 'push.publish' => "ipc://$dir/push2.ipc" },
);

# Streams wait for as long as they are kept; nobody needs to read them.
my @streams = ([], []);

sub join_room {
    my ($which, $parameters) = @_;
    my $socket;
    # A unix socket whose backlog is full refuses at once.
    Longroom::eventually(undef, 10, sub { $socket = IO::Socket::UNIX->new(Peer => $l[$which]->socket_path('pushd')) })
        or die "can't connect: $!\n";
    syswrite $socket, Longroom::get_bytes("/rooms/lobby/events?$parameters");
    push @{ $streams[$which] }, $socket;
    return;
}

sub join_users { my ($which, @users) = @_; join_room($which, "user_id=$_") for @users; return }
sub join_anonymous { my ($which) = @_; join_room($which, 'after=now') for 1 .. ANONYMOUS; return }

sub ask { my ($which, $path) = @_; return $l[$which]->connect('pushd')->ask(Longroom::get_bytes($path)) }

# (users, anonymous)
sub told {
    my ($which) = @_;
    my $room = ask($which, '/rooms/lobby/presence')->{json}{rooms}[0];
    return ($room->{count} - $room->{anonymous}, $room->{anonymous});
}

sub metric {
    my ($which, $name) = @_;
    return ask($which, '/metrics')->{content} =~ /^longroom_pushd_\Q$name\E (\S+)$/m ? $1 : undef;
}

# What was told since it was last asked for, of each: [least users, most users, most
# anonymous].
my @extremes;

sub look {
    my @said;
    for my $which (grep { $l[$_]->runs('pushd') } 0, 1) {
        my ($users, $anonymous) = told($which);
        my $seen = $extremes[$which] ||= [$users, $users, $anonymous];
        $seen->[0] = $users     if $users < $seen->[0];
        $seen->[1] = $users     if $users > $seen->[1];
        $seen->[2] = $anonymous if $anonymous > $seen->[2];
        push @said, "$users+$anonymous";
    }
    return "@said";
}

# Asks every 200 ms until all say this, or for so many seconds.
sub look_until {
    my ($expected, $seconds) = @_;
    my $deadline = time + $seconds;
    my $said;
    while (($said = look()) ne $expected && time < $deadline) { sleep EVERY }
    return $said;
}

sub look_on { my ($seconds) = @_; look_until('', $seconds); return }

my $both_right = join ' ', (USERS . '+' . 2 * ANONYMOUS) x 2;

subtest 'both count the users of both once' => sub {
    join_users(0, 1 .. USERS / 2);
    join_users(1, USERS / 2 + 1 - BOTH .. USERS);
    join_anonymous($_) for 0, 1;
    is look_until($both_right, SETTLES), $both_right, 'both say how many there are';
    is metric($_, 'presence_peers'), 1, "$_ knows the other" for 0, 1;
    cmp_ok max(map { $_->[1] } @extremes), '<=', USERS, 'nobody was counted twice on the way';
};

subtest 'one is killed and started again' => sub {
    @extremes = ();
    $l[0]->signal('pushd', 'KILL');
    $streams[0] = [];
    my $killed = time;
    $l[0]->start_program('pushd');
    # Its users come back, half of them elsewhere.
    join_users(0, 1 .. USERS / 4);
    join_users(1, USERS / 4 + 1 .. USERS / 2);
    ok Longroom::eventually(undef, 10, sub { look(); (told(1))[1] == ANONYMOUS }),
        'the other forgets its anonymous';
    join_anonymous(0);
    is look_until($both_right, SETTLES), $both_right, 'both say how many there are';
    my $took = time - $killed;
    cmp_ok $took, '<', SETTLES, sprintf 'within %d s (%.1f s)', SETTLES, $took;
    # What the dead one said is forgotten only now.
    look_on(SETTLES - $took);
    is look(), $both_right, 'they still say so after 35 s';
    is $extremes[1][0], USERS, 'nobody was gone who is there';
    cmp_ok max(map { $_->[1] } @extremes), '<=', USERS, 'no user was ever counted twice';
    cmp_ok max(map { $_->[2] } @extremes), '<=', 2 * ANONYMOUS, 'nor anybody anonymous';
};

subtest 'one is told to end' => sub {
    @extremes = ();
    $l[0]->signal('pushd', 'TERM');
    ok Longroom::eventually(undef, 3, sub { (told(1))[1] == ANONYMOUS }), 'its anonymous go at once';
    $l[0]->await_end('pushd');
    $streams[0] = [];
    join_users(1, 1 .. USERS / 4);
    look_on(12);
    is look(), USERS . '+' . ANONYMOUS, 'its users have come back';
    is_deeply [ @{ $extremes[1] }[0, 1] ], [USERS, USERS], 'nobody was gone meanwhile, or counted twice';
    is metric(1, 'presence_peers'), 0, 'it knows no other';
    $l[0]->start_program('pushd');
    is look_until(join(' ', (USERS . '+' . ANONYMOUS) x 2), 5), join(' ', (USERS . '+' . ANONYMOUS) x 2),
        'one that is started is told everything at once';
};

subtest 'others on the bus are not taken for longroom-history' => sub {
    is metric($_, 'bus_connected'), 1, "$_ is connected to it" for 0, 1;
    $l[0]->stop_program('history');
    ok Longroom::eventually(undef, 20, sub { metric($_, 'bus_connected') == 0 }), "$_ is not when it is down" for 0, 1;
    ok $l[$_]->wait_log('pushd', qr/warning: no publisher on the bus: /), "$_ warns" for 0, 1;
    my @from = map { $l[$_]->log_size('pushd') } 0, 1;
    $l[0]->start_program('history');
    ok $l[$_]->wait_log('pushd', qr/info: the bus is connected again/, undef, $from[$_]), "$_ is again" for 0, 1;
    $l[0]->restart('pushd');
    look_on(4);
    unlike $l[1]->log('pushd', $from[1]), qr/warning/, 'when another restarts, nothing is reported';
    is metric($_, 'frames_total{outcome="foreign"}'), 0, "no frame is foreign to $_" for 0, 1;
    is metric($_, 'presence_frames_total{outcome="refused"}'), 0, "nor refused by $_" for 0, 1;
};

$_->stop for @l;
done_testing;
