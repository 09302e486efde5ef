# Presence with rooms that change all the time, users who flap, clients that ask for all
# of it without end, and crowds (PROTOCOL sections 6 and 9).

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Stream;
use Test::More;
use Time::HiRes qw(time);

my $sanitized = Longroom::slurp(Longroom::program('longroom-pushd')) =~ /__[amt]san_init/;

sub started {
    my (%settings) = @_;
    return Longroom->start(operator => 1,
        settings => { 'auth.mode' => 'open', 'push.presence' => 'users', 'push.presence_grace' => '1s', %settings });
}

sub metric { my ($l, $name) = @_; return $l->metrics('pushd')->{$name} }

sub resident_bytes {
    my ($l, $which) = @_;
    return Longroom::slurp('/proc/' . $l->pid('pushd') . '/status') =~ /^$which:\s+(\d+) kB/m ? 1024 * $1 : die "no $which\n";
}

sub waiting { my ($l) = @_; return metric($l, 'connections{state="waiting"}') }

# Requests that wait, of which nothing is read yet; $target is given the number of each.
sub crowd_of {
    my ($l, $count, $target) = @_;
    my $before = waiting($l);
    my @clients = map { my $c = $l->connect('pushd'); $c->write(Longroom::get_bytes($target->($_))); $c } 1 .. $count;
    ok $l->eventually(120, sub { waiting($l) == $before + $count }), "$count requests wait";
    return @clients;
}

sub all_leave {
    my ($l, @clients) = @_;
    $_->close for @clients;
    ok $l->eventually(60, sub { waiting($l) == 0 }), 'all leave';
    ok $l->eventually(60, sub { metric($l, 'presence_users') == 0 }), '... and are no longer here';
    return;
}

# What has come by now.
sub got { my ($c) = @_; $c->hangs_up(0); return $c->bytes }

sub rooms_of { my ($from, $count) = @_; return join ',', map {"room_$_"} $from .. $from + $count - 1 }

sub presence_of { my ($l, $rooms) = @_; return $l->request(GET => "/rooms/$rooms/presence")->{json}{rooms} }

# ---------------------------------------------------------------- the window

subtest '1,000 rooms that change each second leave the window alone' => sub {
    my $l = started('push.window' => '1M');
    my @said = map {"m$_"} 1 .. 100;
    my $cursor = $l->poll('room_1,room_2', timeout => 0)->{json}{cursor};
    $l->post($_ % 2 ? 'room_1' : 'room_2', $said[$_ - 1]) for 1 .. 100;
    ok $l->eventually(20, sub { @{ $l->poll('room_1,room_2', after => $cursor, timeout => 0)->{json}{messages} } == 100 }), '100 messages are there';
    my @watchers = crowd_of($l, 100, sub { '/rooms/' . rooms_of(10 * $_[0], 10) . '/events?presence=1' });
    ok $l->eventually(30, sub { metric($l, 'presence_rooms') == 1000 }), '1,000 rooms are watched';
    ok $l->eventually(60, sub { metric($l, 'presence_told_total') >= 1000 }), '... by streams that are told of each';
    my $before = $l->metrics('pushd');
    my $rounds = $sanitized ? 2 : 10;
    my @flapping;
    for my $round (1 .. $rounds) {
        $_->close for @flapping;
        @flapping = map { my $c = $l->connect('pushd'); $c->write(Longroom::get_bytes($_)); $c }
            map { '/rooms/' . rooms_of(10 + 100 * $_, 100) . "/events?user_id=$_&username=round$round" } 0 .. 9;
        my $wanted = $before->{presence_told_total} + 1000 * $round;
        ok $l->eventually(60, sub { metric($l, 'presence_told_total') >= $wanted }), "round $round: all are told";
    }
    my $after = $l->metrics('pushd');
    is $after->{$_}, $before->{$_}, "$_ is as before" for qw(window_messages window_bytes);
    my $page = $l->poll('room_1,room_2', after => $cursor, timeout => 0);
    is_deeply Longroom::message_contents($page), \@said, 'a poll from before all that gets its messages';
    my $now = $l->metrics('pushd');
    is $now->{"log_reads_total{kind=\"$_\"}"}, $before->{"log_reads_total{kind=\"$_\"}"}, "... from the window: no read of $_" for qw(room rooms all);
    all_leave($l, @watchers, @flapping);
    $l->stop;
};

# ---------------------------------------------------------------- flapping

subtest 'users who come and go are told once a second at most' => sub {
    my $l = started('push.presence_grace' => '0');
    my $s = Stream->open($l, '/rooms/room_1/events?presence=1&user_id=ann');
    $s->next for 1 .. 2;
    my $begin = time;
    my $turns = 0;
    while (time - $begin < 6) {
        my $c = $l->connect('pushd');
        $c->write(Longroom::get_bytes("/rooms/room_1/events?user_id=bob&username=bob" . ++$turns));
        $l->eventually(10, sub { got($c) =~ /event: ready/ });
        $c->close;
    }
    my $took = time - $begin;
    $s->until(sub { 0 }, 1.5);
    my $told = @{ $s->{events} };
    cmp_ok $turns, '>', 50, "bob comes and goes, $turns times";
    cmp_ok $told, '<=', $took + 3, "... and it is told $told times";
    $s->close;

    # The same request again and again, with another name each time, and with a hundred rooms.
    my $rooms = rooms_of(1, 100);
    my @names = map {"/rooms/$rooms/poll?timeout=0&user_id=bob&username=bob$_"} 0, 1;
    my $crowd = $l->crowd('pushd');
    my ($next, $wrong) = (0, 0);
    for (1 .. 4) {
        $crowd->add(sub {
            my ($answer) = @_;
            $wrong++ if $answer && $answer->{status} != 200;
            return if ++$next > 2000;
            return Longroom::get_bytes($names[$next % 2]);
        });
    }
    ok $crowd->run(120), '2,000 polls with changing names are answered';
    is $wrong, 0, '... all of them';
    is presence_of($l, 'room_1')->[0]{count}, 0, '... and nobody is here who does not wait';
    $l->stop;
};

subtest 'as many lists of rooms as a client likes' => sub {
    my $polls = $sanitized ? 500 : 5000;
    my $l = started('push.presence_grace' => '10m');
    my $before = resident_bytes($l, 'VmRSS');
    my $crowd = $l->crowd('pushd');
    my $next = 0;
    # Messages after 0: each poll is answered at once, and has been there.
    $l->post('room_1', 'x');
    for (1 .. 8) {
        $crowd->add(sub {
            return if ++$next > $polls;
            return Longroom::get_bytes('/rooms/room_1,' . rooms_of(1000 + $next % 1000, 50) . "/poll?after=0&timeout=5&user_id=u$next");
        });
    }
    ok $crowd->run(300), "$polls users with 51 rooms each have been there";
    my $count = presence_of($l, 'room_1')->[0]{count};
    is $count, $polls, 'they are in their grace';
    my $took = resident_bytes($l, 'VmHWM') - $before;
    note sprintf '%.1f MiB for %d users in rooms', $took / 2**20, metric($l, 'presence_users');
    # PROTOCOL section 9.
    cmp_ok $took, '<', 1.2 * ($polls * (512 + 51 * 512) + 20_000 * 2048 + 1100 * 2048 + $polls * 51 * 32), 'memory is within the bound' if !$sanitized;
    ok $l->set_in_file("[push]\npresence_grace = 0\n"), 'the grace becomes shorter';
    $l->stop;
};

# ---------------------------------------------------------------- asking without end

subtest 'one client asks for 100 rooms of 100 users without end' => sub {
    my $l = started();
    my $rooms = rooms_of(1, 100);
    my @users = crowd_of($l, 100, sub { "/rooms/$rooms/events?user_id=user-number-$_[0]&username=the+name+of+number+$_[0]" });
    my $size = length $l->request(GET => "/rooms/$rooms/presence")->{content};
    cmp_ok $size, '>', 700_000, "an answer has $size bytes";
    my $asked = Longroom::fresh_dir();
    # As long as there are answers.
    open my $counter, '>>', "$asked/count" or die "$!\n";
    $counter->autoflush;
    my $asker = $l->background(sub {
        my $crowd = $l->crowd('pushd');
        my ($answers, $bad) = (0, 0);
        for (1 .. 8) {
            $crowd->add(sub {
                my ($answer) = @_;
                if ($answer) {
                    $answer->{status} == 200 && length $answer->{content} == $size ? $answers++ : $bad++;
                    print {$counter} 'x';
                }
                return if -e "$asked/enough";
                return Longroom::get_bytes("/rooms/$rooms/presence");
            });
        }
        $crowd->run(120) or die "asking takes too long\n";
        return $answers, $bad;
    });
    my $count = sub { return -s "$asked/count" };
    ok $l->eventually(30, sub { $count->() > 5 }), 'it gets one after the other';
    my $s = Stream->open($l, '/rooms/room_9999/events');
    $s->next;
    my @between;
    for my $number (1 .. 30) {
        my $begin = $count->();
        $l->post('room_9999', "m$number");
        is $s->contents(1), "m$number", "message $number arrives";
        push @between, $count->() - $begin;
    }
    Longroom::spew("$asked/enough", '');
    my ($answers, $bad) = $asker->result;
    is $bad, 0, 'all its answers are whole';
    @between = sort { $a <=> $b } @between;
    note "$answers answers; between sending a message and its arrival: $between[15], at most $between[-1]";
    cmp_ok $between[15], '<=', 40, 'a message waits for few of them';
    $s->close;
    all_leave($l, @users);
    $l->stop;
};

# ---------------------------------------------------------------- a crowd

subtest '20,000 users of one room' => sub {
    my $users = $sanitized ? 500 : 20_000;
    my $fits = Longroom::descriptor_limit() - 500;
    $users = $fits if $fits < $users;
    note "with $users, because of sanitizers, or few descriptors" if $users < 20_000;
    my $l = started('limits.unread' => '512M');
    my $before = resident_bytes($l, 'VmRSS');
    my @clients = crowd_of($l, $users, sub { "/rooms/room_1/events?presence=1&user_id=$_[0]" });
    is presence_of($l, 'room_1')->[0]{count}, $users, 'all count';
    is scalar @{ presence_of($l, 'room_1')->[0]{users} }, 100, 'a hundred are named';
    ok $l->eventually(120, sub { !grep { got($_) !~ /"count":$users,/ } @clients }), 'each is told how many they are';
    note sprintf '%.2f KiB a user', (resident_bytes($l, 'VmHWM') - $before) / 1024 / $users if !$sanitized;
    my $told = metric($l, 'presence_told_total');
    my $s = Stream->open($l, '/rooms/room_1/events?user_id=one-more');
    $s->next;
    my $begin = time;
    $l->post('room_1', 'to all');
    is $s->contents(1), 'to all', 'a message arrives';
    ok $l->eventually(60, sub { metric($l, 'presence_told_total') - $told >= $users }), 'one more comes: all are told';
    my $more = $users + 1;
    ok $l->eventually(60, sub { !grep { got($_) !~ /"count":$more,/ || got($_) !~ /"to all"/ } @clients }), '... once, and have the message';
    cmp_ok metric($l, 'presence_told_total') - $told, '<=', $users + 5, '... no more';
    all_leave($l, @clients, $s->{c});
    $l->stop;
};

done_testing;
