# Clients that hang up. Nothing is kept of them, in whatever state they are and
# whatever they sent just before (PROTOCOL section 6): the poll of a client that
# has left no longer counts.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Test::More;

my @STATES = qw(head waiting writing lingering);
my $WAITS  = Longroom::get_bytes('/rooms/room_1/poll?timeout=50');
my $NOW    = Longroom::get_bytes('/rooms/room_1/poll?timeout=0');
my $LONG   = Longroom::get_bytes('/rooms/long/poll?timeout=50&after=0');
my $HALF   = "GET /rooms/room_1/poll HTTP/1.1\r\nHost: local";
my $BAD    = "not HTTP at all\r\n\r\n";

sub start {
    # In this test, connections end only because the client hangs up.
    my $l = Longroom->start(settings => { 'limits.head_timeout' => '300s', 'limits.idle_timeout' => '300s',
        'limits.write_timeout' => '300s' }, @_);
    $l->send_all('long', [map { $_ . 'x' x 15_000 } 1 .. 60], clients => 4);
    # From now on longroom-pushd needs no read of the log for it.
    $l->connect('pushd')->ask($LONG, 20);
    return $l;
}

# How many connections are in each state. The asking connection itself, in state
# head, is not counted.
sub states {
    my ($l, $c) = @_;
    $c ||= asker($l);
    my %count = $c->answer(60)->{content} =~ /connections\{state="(\w+)"\} (\d+)/g;
    $count{head}--;
    return { map { $_ => $count{$_} } @STATES };
}

sub asker {
    my ($l) = @_;
    my $c = $l->connect('pushd');
    $c->write(Longroom::get_bytes('/metrics'));
    return $c;
}

my %NONE = map { $_ => 0 } @STATES;

# longroom-pushd sees all of it at once when it continues. Events arrive in order,
# so the connection that asks last learns the fate of those before it.
sub hang_up_unseen {
    my ($l, @bytes) = @_;
    $l->signal('pushd', 'STOP');
    for my $bytes (@bytes) {
        my $c = $l->connect('pushd');
        $c->write($bytes);
        $c->close;
    }
    my $asker = asker($l);
    $l->signal('pushd', 'CONT');
    return states($l, $asker);
}

subtest 'clients that hang up before they are looked at are forgotten' => sub {
    my $l = start();
    for my $row (
        ['a poll',                                $WAITS],
        ['half a head',                           $HALF],
        ['a poll that is answered at once',       $NOW],
        ['a poll for a long page',                $LONG],
        ['two polls, of which the second waits',  $NOW . $WAITS],
        ['a poll that waits, and another',        $WAITS . $WAITS],
        ['a long page, and a poll that waits',    $LONG . $WAITS],
        ['a poll and half a head',                $NOW . $HALF],
        ['a malformed request',                    $BAD],
        ['a poll, and a malformed request',        $NOW . $BAD],
        ['a poll, and as much as one read takes', $NOW x (16_384 / length $NOW) . substr($WAITS, 0, 16_384 % length $NOW)],
        ) {
        my ($what, $bytes) = @$row;
        is_deeply hang_up_unseen($l, ($bytes) x 20), \%NONE, "$what: no connection is left";
    }
    $l->stop;
};

# Brings a client into a state, with longroom-pushd running.
sub brought_to {
    my ($l, $state, @bytes) = @_;
    my $c = $l->connect('pushd');
    $c->write($_) for @bytes;
    $l->eventually(20, sub { states($l)->{$state} == 1 }) or die "is not $state\n";
    return $c;
}

# A client in the state sends something more, or nothing, and hangs up.
subtest 'a client may hang up in any state' => sub {
    my $l = start();
    for my $row (
        [head      => $HALF, ''],
        [head      => $HALF, 'host'],
        [waiting   => $WAITS, ''],
        [waiting   => $WAITS, $NOW],
        [writing   => $LONG, ''],
        [writing   => $LONG, $WAITS],
        [lingering => $BAD, ''],
        [lingering => $BAD, 'and more'],
        ) {
        my ($state, $bytes, $more) = @$row;
        my $c = brought_to($l, $state, $bytes);
        $l->signal('pushd', 'STOP');
        $c->write($more);
        $c->close;
        my $asker = asker($l);
        $l->signal('pushd', 'CONT');
        is_deeply states($l, $asker), \%NONE, "$state: " . ($more ? 'with more bytes' : 'without more bytes') . ': no connection is left';
    }
    $l->stop;
};

subtest 'a client beyond the limit on connections may hang up' => sub {
    my $l = start(settings => { 'push.max_connections' => 5, 'limits.head_timeout' => '300s' });
    my @held = map { $l->connect('pushd') } 1 .. 4;
    for my $bytes ($WAITS, $HALF, $NOW . $HALF) {
        is_deeply hang_up_unseen($l, ($bytes) x 20), \%NONE, 'no connection is left';
    }
    $l->stop;
};

subtest 'a client that closes only its sending side is answered as far as that needs no waiting' => sub {
    my $l = start();
    for my $row (
        ['a poll that is answered at once',   [200], $NOW],
        ['two such polls',                       [200, 200], $NOW . $NOW],
        ['a long page',                       [200], $LONG],
        ['a poll behind a long page',        [200, 200], $LONG . $NOW],
        ['a poll that waits',                    [], $WAITS],
        ['a poll answered at once, and one that waits',   [200], $NOW . $WAITS],
        ['a long page, and a poll that waits',   [200], $LONG . $WAITS],
        ['a poll that waits, and one that would not', [], $WAITS . $NOW],
        ['half a head',                       [], $HALF],
        ['a bad request',                     [400], $BAD],
        ) {
        my ($what, $expected, $bytes) = @$row;
        my $c = $l->connect('pushd');
        $l->signal('pushd', 'STOP');
        $c->write($bytes);
        shutdown $c->socket, 1;
        $l->signal('pushd', 'CONT');
        my @status;
        while (my $answer = $c->answer(20)) {
            push @status, $answer->{status};
        }
        is_deeply \@status, $expected, "$what: the expected answers come";
        ok $c->hangs_up(20), '... and then the connection closes';
        is $c->bytes, '', '... after whole answers only';
    }
    is_deeply states($l), \%NONE, 'no connection is left';
    $l->stop;
};

subtest 'a shutdown does not wait for clients that have hung up' => sub {
    my $l = start();
    $l->signal('pushd', 'STOP');
    my @gone = map { $l->connect('pushd') } 1 .. 20;
    $gone[$_]->write(($WAITS, $HALF, $NOW . $HALF, $LONG)[$_ % 4]) for keys @gone;
    $_->close for @gone;
    # It allows 30 s for clients that still read.
    $l->signal('pushd', 'TERM');
    my $begin = time;
    $l->signal('pushd', 'CONT');
    $l->await_end('pushd');
    cmp_ok time - $begin, '<', 20, 'longroom-pushd ends early';
    $l->stop;
};

# As fast as one process can, through nginx, as one user, with the default limits.
subtest 'rapid polls that hang up do not count against the user' => sub {
    my $l = start(operator => 1, settings => { 'auth.mode' => 'nginx' },
        nginx => { server => 'set $longroom_user_id "2"; set $longroom_read "*"; set $longroom_write "*";' });
    my $polls = sub { my $m = $l->metrics('pushd'); return $m->{'connections{state="waiting"}'} };
    for my $times (300, 3_000) {
        for (1 .. $times) {
            my $c = $l->connect;
            $c->write($WAITS);
            $c->close;
        }
        ok $l->eventually(20, sub { $polls->() == 0 }), "$times times: no poll waits";
        is $l->poll('room_1', timeout => 0)->{status}, 200, '... and the user may poll';
        is_deeply [map { $l->poll('room_1', timeout => 0)->{status} } 1 .. 3], [200, 200, 200], '... again and again';
    }
    note 'refused meanwhile: ' . $l->metrics('pushd')->{'refusals_total{type="rate-limited",status="429"}'};
    $l->stop;
};

done_testing;
