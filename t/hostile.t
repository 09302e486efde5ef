# Clients that are malicious or broken: heads that two programs could parse
# differently, clients that are slow on purpose, floods. Each has its limit, its
# answer and its metric (PROTOCOL section 9), and other clients are not harmed.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use FastCGI qw(ask_by_fastcgi fastcgi_bytes);
use File::Temp ();
use IO::Socket::INET ();
use Longroom;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

my $sanitized = Longroom::slurp(Longroom::program('longroom-pushd')) =~ /__[amt]san_init/;
my $POLL = '/rooms/room_1/poll?timeout=0';

sub metric {
    my ($l, $name) = @_;
    return $l->metrics('pushd')->{$name};
}

sub resident_bytes {
    my ($pid, $which) = @_;
    $which ||= 'VmRSS';
    return Longroom::slurp("/proc/$pid/status") =~ /^$which:\s+(\d+) kB/m ? 1024 * $1 : undef;
}

# What PROTOCOL section 9 allows longroom-pushd for so many connections; for reads of
# the log only the usual amount, because there are none of the worst kind here.
sub memory_bound {
    my ($window, $unread, $connections) = @_;
    my $rooms = 20_000 + $connections;
    return 3 * $window + $unread + $connections * 1024 + $rooms * 2048 + 10_000 * 1024 + 40 * 2**20;
}

# ---------------------------------------------------------------- smuggling

# Bytes behind the first request must be answered as a request of their own, or not
# at all: the hidden request is for a room whose name gives it away.
my $HIDDEN = "GET /rooms/hidden/poll?timeout=0 HTTP/1.1\r\nHost: x\r\n\r\n";

# Each row: what it is, the head, what follows, the status straight to
# longroom-pushd, and through nginx unless nginx accepts it in a safe way.
my @HEADS = (
    ['two lengths', "Host: x\r\nContent-Length: 0\r\nContent-Length: 5\r\n", $HIDDEN, 400, 400],
    ['two equal lengths', "Host: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n", "hello$HIDDEN", 400, 400],
    ['a list of lengths', "Host: x\r\nContent-Length: 5, 5\r\n", "hello$HIDDEN", 400, 400],
    ['a length with a sign', "Host: x\r\nContent-Length: +5\r\n", "hello$HIDDEN", 400, 400],
    ['a hexadecimal length', "Host: x\r\nContent-Length: 0x5\r\n", "hello$HIDDEN", 400, 400],
    ['a huge length', "Host: x\r\nContent-Length: 99999999999999999999999\r\n", $HIDDEN, 400, 400],
    ['a length and chunks', "Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "0\r\n\r\n$HIDDEN", 400, 400],
    ['chunks twice', "Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n$HIDDEN",
        400, 400],
    ['chunks in disguise', "Host: x\r\nTransfer-Encoding: xchunked\r\n", "0\r\n\r\n$HIDDEN", 400, 400],
    ['chunks, not last', "Host: x\r\nTransfer-Encoding: chunked, identity\r\n", "0\r\n\r\n$HIDDEN", 400, 400],
    ['white space before a colon', "Host: x\r\nContent-Length : 5\r\n", "hello$HIDDEN", 400, 400],
    ['a tab before a colon', "Host: x\r\nContent-Length\t: 5\r\n", "hello$HIDDEN", 400, 400],
    ['a header that begins with a space', " Host: x\r\n", $HIDDEN, 400],
    ['a folded header', "Host: x\r\nX-Long: a\r\n b\r\n", $HIDDEN, 400],
    ['a header folded by a tab', "Host: x\r\nX-Long: a\r\n\tContent-Length: 5\r\n", $HIDDEN, 400],
    ['no Host', "X-Other: x\r\n", $HIDDEN, 400, 400],
    ['two Hosts', "Host: x\r\nHost: y\r\n", $HIDDEN, 400, 400],
    ['two equal Hosts', "Host: x\r\nhOST: x\r\n", $HIDDEN, 400, 400],
    ['two names in a Host', "Host: x y\r\n", $HIDDEN, 400, 400],
    ['a path in a Host', "Host: x/y\r\n", $HIDDEN, 400, 400],
    ['a user in a Host', "Host: x\@y\r\n", $HIDDEN, 400],
    ['a NUL in a value', "Host: x\r\nX-Nul: a\0b\r\n", $HIDDEN, 400, 400],
    ['a NUL in a name', "Host: x\r\nX\0Nul: a\r\n", $HIDDEN, 400, 400],
    ['a header without a name', "Host: x\r\n: a\r\n", $HIDDEN, 400, 400],
    ['a carriage return within a value', "Host: x\r\nX-Cr: a\rContent-Length: 5\r\n", $HIDDEN, 400],
);

sub hides_nothing {
    my ($l, $to, $what, $bytes, $status) = @_;
    my $c = $l->connect($to);
    $c->write($bytes);
    my $first = $c->answer(20) || { status => 'none', content => '' };
    is $first->{status}, $status, "$to: $what is refused";
    ok $c->hangs_up(20), '... the connection is closed';
    unlike $c->bytes, qr/hidden/, '... and what follows is not taken as a request';
    return;
}

subtest 'ambiguous heads are refused' => sub {
    my $l = Longroom->start(operator => 1);
    my $rooms = metric($l, 'rooms');
    for my $row (@HEADS) {
        my ($what, $head, $rest, $straight, $over_nginx) = @$row;
        my $bytes = "GET $POLL HTTP/1.1\r\n$head\r\n$rest";
        hides_nothing($l, 'pushd', $what, $bytes, $straight);
        hides_nothing($l, 'nginx', $what, $bytes, $over_nginx) if $over_nginx;
    }
    for my $row (
        ['the preface of HTTP/2', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
        ['HTTP/0.9',              "GET $POLL\r\n\r\n"],
        ['a blank request line',     "   \r\n\r\n"],
        ['a first line with a NUL', "GET /rooms/a\0b/poll HTTP/1.1\r\nHost: x\r\n\r\n"],
        ) {
        my ($what, $bytes) = @$row;
        my $c = $l->connect('pushd');
        $c->write($bytes);
        Longroom::is_problem($c->answer(20) || { status => 'none' }, 400, 'bad-request', "pushd: $what is refused");
        ok $c->hangs_up(20), '... and the connection is closed';
    }
    cmp_ok metric($l, 'refusals_total{type="bad-request",status="400"}'), '>=', @HEADS, 'all are counted';
    is metric($l, 'rooms'), $rooms, 'no room was looked up';
    $l->stop;
};

# nginx rewrites what it passes to longroom-history, so a message that is hidden from
# nginx would show up as one that was never sent.
subtest 'a POST cannot hide another' => sub {
    my $l = Longroom->start(without => ['pushd']);
    my $hidden = Longroom::post_bytes('hidden', 'x');
    my $length = length $hidden;
    for my $row (
        ['two lengths',            "Content-Length: 1\r\nContent-Length: $length\r\n", $hidden],
        ['a length and chunks',    "Content-Length: $length\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n$hidden"],
        ['chunks and a length',    "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", "1\r\nx\r\n0\r\n\r\n$hidden"],
        ['a folded coding',        "Content-Length: $length\r\nTransfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n$hidden"],
        ['a space before a colon', "Content-Length: 1\r\nTransfer-Encoding : chunked\r\n", "0\r\n\r\n$hidden"],
        ['an unknown coding',      "Transfer-Encoding: xchunked\r\n", "0\r\n\r\n$hidden"],
        ['a chunk too short',      "Transfer-Encoding: chunked\r\n", "1\r\nxyz\r\n0\r\n\r\n$hidden"],
        ['a chunk without a size',     "Transfer-Encoding: chunked\r\n", "\r\n\r\n$hidden"],
        ['a chunk of negative size',  "Transfer-Encoding: chunked\r\n", "-1\r\n\r\n$hidden"],
        ['a chunk size beyond 64 bits',   "Transfer-Encoding: chunked\r\n", "10000000000000000\r\n\r\n$hidden"],
        ) {
        my ($what, $headers, $body) = @$row;
        hides_nothing($l, 'nginx', $what, "POST /rooms/room_1/messages HTTP/1.1\r\nHost: x\r\n"
            . "Content-Type: text/plain\r\n$headers\r\n$body", 400);
    }
    is $l->history($_)->{json}{count}, 0, "no message came to $_" for qw(room_1 hidden);
    $l->stop;
};

# Where every reading gives the body the same end, what follows is a request.
subtest 'a request behind an unambiguous body is answered' => sub {
    my $l = Longroom->start;
    my %bodies = (
        'chunks with an extension' => ["Transfer-Encoding: chunked\r\n", "1;a=\"b\"\r\nx\r\n0;c\r\n\r\n"],
        'chunks with a trailer'    => ["Transfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\nContent-Length: 9\r\n\r\n"],
        'a length'                 => ["Content-Length: 1\r\n", 'x'],
    );
    for my $what (sort keys %bodies) {
        my ($headers, $body) = @{ $bodies{$what} };
        my $c = $l->connect;
        $c->write("POST /rooms/room_1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n$headers\r\n$body$HIDDEN");
        is +($c->answer(20) || { status => 'none' })->{status}, 201, "$what: accepted";
        like +($c->answer(20) || { content => 'none' })->{content}, qr/"room_id":"hidden"/,
            '... and the next request is answered';
        ok !$c->hangs_up(0.05), '... and the connection stays open';
    }
    my $flood = $l->connect('pushd');
    $flood->write(Longroom::get_bytes('/rooms/room_1/poll?timeout=50') . $HIDDEN x 4000, 5);
    ok $flood->hangs_up(20), 'pipelining more than limits.request_head ends the connection';
    $l->stop;
};

subtest 'unusual but valid requests are answered' => sub {
    my $l = Longroom->start(without => ['nginx']);
    my %bytes = (
        'an empty line first'      => "\r\nGET $POLL HTTP/1.1\r\nHost: x\r\n\r\n",
        'lines that end in LF'     => "GET $POLL HTTP/1.1\nHost: x\n\n",
        'a Host with a port'       => "GET $POLL HTTP/1.1\r\nHost:\t[::1]:80 \r\n\r\n",
        'an empty Host'        => "GET $POLL HTTP/1.1\r\nHost:\r\n\r\n",
        'an absolute target'         => "GET http://x$POLL HTTP/1.1\r\nHost: x\r\n\r\n",
        'HTTP/1.0 without a Host'  => "GET $POLL HTTP/1.0\r\n\r\n",
        'a byte at a time'         => undef,
    );
    for my $what (sort keys %bytes) {
        my $c = $l->connect('pushd');
        if (defined $bytes{$what}) { $c->write($bytes{$what}) }
        else                       { $c->write($_) for split //, "GET $POLL HTTP/1.1\r\nHost: x\r\n\r\n" }
        is +($c->answer(20) || { status => 'none' })->{status}, 200, "$what is answered";
    }
    $l->stop;
};

# ---------------------------------------------------------------- slow ones

subtest 'a slow head is cut off' => sub {
    my $l = Longroom->start(operator => 1, settings => { 'limits.head_timeout' => '300ms' });
    my @slow = map { $l->connect('pushd') } 1 .. 20;
    $_->write("GET $POLL HTTP/1.1\r\nX-Slow: ") for @slow;
    ok $l->eventually(30, sub {
        for my $c (@slow) { $c->write('x') if !$c->hangs_up(0) }
        return !grep { !$_->hangs_up(0) } @slow;
    }), '20 slow heads are cut off, however often a byte comes';
    is metric($l, 'cut_total{reason="slow-head"}'), 20, 'they are counted';
    my $c = $l->connect('pushd');
    $c->write("GET $POLL HTTP/1.1\r\n");
    my $answer = $c->answer(20) || { status => 'none' };
    Longroom::is_problem($answer, 408, 'too-slow', 'a client that stops sending is told why');
    is $answer->{headers}{connection}, 'close', '... with Connection: close';
    ok $c->hangs_up(20), '... and the connection is closed';
    $l->stop;
};

# Requests a long page and does not read it.
sub slow_reader {
    my ($l, $room) = @_;
    my $c = $l->connect('pushd');
    setsockopt $c->socket, Socket::SOL_SOCKET(), Socket::SO_RCVBUF(), 1;
    $c->write(Longroom::get_bytes("/rooms/$room/poll?after=0&timeout=20"));
    return $c;
}

# About 60 long messages; returns the room's first id.
sub fill_room {
    my ($l, $room, $count) = @_;
    $l->send_all($room, [map { $_ . 'x' x 15_000 } 1 .. $count || 60], clients => 4);
    return Longroom::message_ids($l->history($room, after => 0, limit => 1))->[0];
}

subtest 'readers that do not read are cut off at limits.unread' => sub {
    my $l = Longroom->start(operator => 1, settings => { 'limits.unread' => '2M', 'limits.write_timeout' => '60s' });
    fill_room($l, "room_$_") for 1 .. 3;
    my @same = map { slow_reader($l, 'room_1') } 1 .. 20;
    ok $l->eventually(30, sub { metric($l, 'connections{state="writing"}') == 20 }),
        'they are kept while there is memory';
    cmp_ok metric($l, 'unread_bytes'), '<', 2**20, 'a shared answer counts once';
    my @others = map { slow_reader($l, "room_$_") } 2, 3;
    ok $l->eventually(30, sub { metric($l, 'cut_total{reason="unread"}') >= 1 }),
        'beyond the limit, some are cut off';
    cmp_ok metric($l, 'unread_bytes'), '<=', 2 * 2**20, 'unread bytes stay within limits.unread';
    ok $l->wait_log('pushd', qr/limits\.unread exceeded: disconnecting the slowest readers/), 'the log says so';
    is_deeply $l->message_contents($l->poll('room_4', after => $l->post('room_4', 'x')->{json}{id} - 1)), ['x'],
        'other clients are served';
    # The program's end would wait for them.
    $_->close for @same, @others;
    $l->stop;
};

subtest 'long pages for many at once stay within limits.unread' => sub {
    my ($window, $unread, $readers) = (24 * 2**20, 16 * 2**20, 400);
    my $l = Longroom->start(operator => 1, settings => { 'push.window' => $window, 'limits.unread' => $unread });
    my $first = fill_room($l, 'room_1', 1000);
    # All of them are there when it looks, and each asks for a different page of 1 MiB.
    $l->signal('pushd', 'STOP');
    my @readers = map { $l->connect('pushd') } 1 .. $readers;
    $readers[$_]->write(Longroom::get_bytes("/rooms/room_1/poll?timeout=20&after=" . ($first + $_))) for keys @readers;
    $l->signal('pushd', 'CONT');
    ok $l->eventually(60, sub { metric($l, 'cut_total{reason="unread"}') >= $readers - 17 }),
        'some readers are cut off';
    cmp_ok metric($l, 'unread_bytes'), '<=', $unread, 'unread bytes go down to limits.unread';
    cmp_ok resident_bytes($l->pid('pushd'), 'VmHWM'), '<', memory_bound($window, $unread, $readers),
        'longroom-pushd never takes more memory than PROTOCOL allows' if !$sanitized;
    $_->close for @readers;
    $l->stop;
};

subtest 'a reader with a slow line is not cut off' => sub {
    my $l = Longroom->start(operator => 1, settings => { 'limits.write_timeout' => '2s' });
    fill_room($l, 'room_1');
    my $c     = slow_reader($l, 'room_1');
    my $begin = time;
    my $bytes = '';
    $c->socket->blocking(1);
    # A socket accepts more from longroom-pushd only when most of it was read.
    while (sysread $c->socket, $bytes, 32_768, length $bytes) {
        last if $bytes =~ /\}\n\z/;
        select undef, undef, undef, 0.15;
    }
    like $bytes, qr/"more":false\}\n\z/, 'it gets the whole long page';
    cmp_ok time - $begin, '>', 2, 'though that takes longer than limits.write_timeout';
    is metric($l, 'cut_total{reason="slow-reader"}'), 0, 'it is not cut off';
    $l->stop;
};

subtest 'readers that take too long are cut off' => sub {
    my $l = Longroom->start(operator => 1, settings => { 'limits.write_timeout' => '200ms' });
    fill_room($l, 'room_1');
    my $c = slow_reader($l, 'room_1');
    ok $l->eventually(30, sub { metric($l, 'cut_total{reason="slow-reader"}') == 1 }),
        'they are cut off, and counted';
    is metric($l, 'unread_bytes'), 0, 'they hold no memory any more';
    $l->stop;
};

subtest 'slow FastCGI peers are cut off' => sub {
    my $l = Longroom->start(without => ['pushd'], operator => 1,
        settings => { 'history.threads' => 2, 'history.request_timeout' => '2s' });
    my $post  = fastcgi_bytes(POST => '/rooms/room_1/messages', 'x');
    my @slow  = map { $l->connect('history') } 1 .. 2;
    my $drip  = $l->background(sub {
        # More bytes than the time allows.
        for my $at (0 .. length($post) - 2) {
            syswrite $_->socket, substr $post, $at, 1 for @slow;
            select undef, undef, undef, 0.1;
        }
        return 'done';
    });
    is $l->post('room_1', 'y')->{status}, 201, 'as many slow peers as threads do not stop the service';
    ok $_->hangs_up(30), 'they are cut off, though they keep sending' for @slow;
    ok $l->wait_log('history', qr/history\.request_timeout exceeded: disconnecting/), 'the log says so';
    ok $l->eventually(20, sub { $l->metrics('history')->{'cut_total{reason="slow"}'} >= 2 }),
        'they are counted';
    $drip->result;

    # All but the end of the body, so that its message is saved.
    my $open = $l->connect('history');
    $open->write(substr $post, 0, -8);
    is $l->post('room_1', 'z')->{status}, 201,
        'a peer that leaves the end of a body open does not keep others waiting';
    ok !$open->hangs_up(0), '... while it waits itself';
    ok $open->hangs_up(30), '... until it is cut off';
    $l->stop;
};

# ---------------------------------------------------------------- floods

subtest 'running out of descriptors harms no waiter' => sub {
    plan skip_all => 'prlimit (util-linux) is not there' if Longroom::run(['prlimit', '--version'])->{status};
    my $l = Longroom->start(operator => 1);
    my $waiting = $l->connect('pushd');
    $waiting->write(Longroom::get_bytes('/rooms/room_1/poll?timeout=50'));
    ok $l->eventually(20, sub { metric($l, 'connections{state="waiting"}') == 1 }), 'a poll waits';
    my $pid = $l->pid('pushd');
    my $open = () = glob "/proc/$pid/fd/*";
    my $allowed = $open + 5;
    Longroom::run(['prlimit', '--pid', $pid, "--nofile=$allowed:$allowed"])->{status} == 0 or die "prlimit failed\n";
    my @flood = map { $l->connect('pushd') } 1 .. 30;
    ok $l->wait_log('pushd', qr/accepting paused: Too many open files/), 'the log says so';
    $l->post('room_1', 'meanwhile');
    is_deeply $l->message_contents($waiting->answer(20)), ['meanwhile'], 'the waiting poll is answered';
    $_->close for @flood;
    my $answer;
    ok $l->eventually(20, sub {
        $answer = $l->connect('pushd')->ask(Longroom::get_bytes($POLL), 20);
        return $answer && $answer->{status} == 200;
    }), 'after the flood, others are served too';
    cmp_ok metric($l, 'accept_pauses_total'), '>=', 1, 'the pause is counted';
    $l->stop;
};

# Takes the place of longroom-history: binds the bus as nanomsg's PUB does (its
# protocol "SP" over a unix socket) and sends frames that longroom-history never would.
sub publish_garbage {
    my ($l, $address, @frames) = @_;
    my $listener = IO::Socket::UNIX->new(Local => $address, Listen => 5) or die "can't bind $address: $!\n";
    return $l->background(sub {
        my $c = $listener->accept or die "no subscriber connects: $!\n";
        $c->autoflush(1);
        print {$c} "\0SP\0" . pack 'nn', 0x20, 0;
        read($c, my $theirs, 8) == 8 or die "no handshake\n";
        for my $frame (@frames) { print {$c} pack('CQ>', 1, length $frame) . $frame }
        read $c, my $nothing, 1;    # until it hangs up
        return 'done';
    });
}

subtest 'garbage on the bus is dropped' => sub {
    my $l = Longroom->start(operator => 1, settings => { 'bus.publish' => '' });
    $l->stop_program('pushd');
    my $frames = 20_000;
    my $address = $l->dir . '/bus.ipc';
    my $publisher = publish_garbage($l, $address, map { $_ % 3 ? "garbage $_" : '' } 1 .. $frames);
    $l->start_program('pushd');
    ok $l->eventually(60, sub { (metric($l, 'frames_total{outcome="foreign"}') || 0) >= $frames / 2 }),
        'it is counted';
    my @lines = $l->log('pushd') =~ /dropped an unreadable bus frame/g;
    cmp_ok scalar @lines, '>=', 1, 'the log says so';
    cmp_ok scalar @lines, '<', 10, '... now and then, not for each frame';
    is $l->post('room_1', 'x')->{status}, 201, 'messages are saved meanwhile';
    $l->stop;
    $publisher->result;
};

# As from a longroom-history that is newer than longroom-pushd.
subtest 'a frame of a later version is dropped, and its messages come from the log' => sub {
    my $l = Longroom->start(operator => 1, settings => { 'bus.publish' => '' });
    my $cursor = $l->poll('room_1', timeout => 0)->{json}{cursor};
    $l->stop_program('pushd');
    my $id = $l->post('room_1', 'first')->{json}{id};
    my $publisher = publish_garbage($l, $l->dir . '/bus.ipc', map { pack 'CNq>q>N', 3, 0x5f3a9c01, $id + $_, $id + $_, 1 } 1 .. 20_000);
    $l->start_program('pushd');
    # The first of them may come before longroom-pushd takes any.
    ok $l->eventually(60, sub { (metric($l, 'frames_total{outcome="foreign"}') || 0) >= 10_000 }), 'they are counted';
    $l->post('room_1', 'second');
    my $page = $l->poll('room_1', after => $cursor, timeout => 0);
    is_deeply Longroom::message_contents($page), ['first'], 'what was in the log at the start is there';
    is_deeply Longroom::message_contents($l->poll('room_1', after => $page->{json}{cursor}, timeout => 10)), ['second'],
        'what is saved later too, though no frame tells of it';
    is $l->operator('pushd/healthz')->{status}, 200, 'longroom-pushd is healthy';
    $l->stop;
    $publisher->result;
};

subtest 'a flood of room names takes little memory' => sub {
    my $l = Longroom->start(operator => 1, without => []);
    my $rooms = $sanitized ? 12_000 : 30_000;
    my $crowd = $l->crowd('pushd');
    my $next  = 0;
    for (1 .. 20) {
        $crowd->add(sub {
            return if ++$next > $rooms;
            return Longroom::get_bytes("/rooms/flood-$next/poll?timeout=0");
        });
    }
    ok $crowd->run(120), "polls in $rooms rooms are answered";
    cmp_ok metric($l, 'rooms'), '<=', 10_100, 'few of the rooms are kept';
    my $bytes = resident_bytes($l->pid('pushd'));
    cmp_ok $bytes, '<', 40 * 2**20, 'they take little memory' if !$sanitized;
    $l->stop;
};

subtest 'a room that fills the window does not harm others' => sub {
    my $l = Longroom->start(operator => 1, settings => { 'push.window' => '64K' });
    my $id = $l->post('quiet', 'said before the flood')->{json}{id};
    my $cursor = $l->history('quiet')->{json}{cursor};
    $l->post('quiet', 'and this too');
    fill_room($l, 'loud') for 1 .. 2;
    cmp_ok metric($l, 'window_bytes'), '<=', 64 * 1024, 'the window keeps its size';
    is_deeply $l->message_contents($l->poll('quiet', after => $cursor, timeout => 20)), ['and this too'],
        'a poll of another room is answered from the log';
    my $poller = $l->connect('pushd');
    $poller->write(Longroom::get_bytes('/rooms/quiet/poll?timeout=50'));
    ok $l->eventually(20, sub { metric($l, 'connections{state="waiting"}') == 1 }), 'or waits';
    $l->post('quiet', 'at last');
    is_deeply $l->message_contents($poller->answer(20)), ['at last'], 'and gets the next message';
    $l->stop;
};

subtest 'a page of long messages has about 1 MiB' => sub {
    my $l = Longroom->start(without => ['pushd']);
    # A control character takes six bytes in JSON.
    $l->send_all('plain', [map { $_ . 'x' x 16_000 } 1000 .. 1199], clients => 4);
    $l->send_all('escaped', [map { $_ . "\x01" x 16_000 } 1000 .. 1039], clients => 4);
    for my $row (['plain', 200], ['escaped', 40]) {
        my ($room, $count) = @$row;
        my @all = map { $_->{id} } @{ $l->whole_history($room) };
        is scalar @all, $count, "$room: following pages forwards finds all messages";
        my ($page, @back, $longest) = ($l->history($room, limit => 1000));
        while (1) {
            $longest = length $page->{content} if !$longest || $longest < length $page->{content};
            unshift @back, @{ Longroom::message_ids($page) };
            last if !$page->{json}{more};
            $page = $l->history($room, limit => 1000, before => $back[0]);
        }
        is_deeply \@back, \@all, '... and backwards';
        cmp_ok $longest, '>', 900_000, '... in pages of about 1 MiB';
        cmp_ok $longest, '<', 1_200_000, '... and no more';
        my $after = $l->history($room, after => 0, limit => 1000);
        cmp_ok length $after->{content}, '<', 1_200_000, '... in either direction';
        is scalar @{ $l->history($room, limit => 10)->{json}{messages} }, 10, '... a page of ten is never cut';
    }
    $l->stop;
};

# ---------------------------------------------------------------- a siege

# Thousands of connections to nginx that send a byte now and then, and readers that
# never read, half of them straight to longroom-pushd, each with a page of its own: a
# separate process that keeps them all until it is told to stop.
sub besiege {
    my ($l, $slow_heads, $slow_readers, $first) = @_;
    my $go = $l->dir . '/siege-stands';
    my $end = $l->dir . '/siege-ends';
    unlink $go, $end;
    my $siege = $l->background(sub {
        my (@heads, @readers);
        my $connect = sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $l->port) };
        while (@readers < $slow_readers) {
            my $reader = @readers % 2 ? $connect->() : $l->connect('pushd')->socket;
            die "reader: $!\n" if !$reader;
            setsockopt $reader, Socket::SOL_SOCKET(), Socket::SO_RCVBUF(), 1;
            syswrite $reader, Longroom::get_bytes('/rooms/room_9/poll?timeout=20&after=' . ($first + @readers));
            push @readers, $reader;
        }
        my $cut = 0;
        my $turn = 0;
        while (!-e $end) {
            while (@heads < $slow_heads) {
                my $head = $connect->() or last;
                $head->blocking(0);
                syswrite $head, "GET /rooms/room_1/poll HTTP/1.1\r\nHost: x\r\nX-Slow: ";
                push @heads, $head;
            }
            Longroom::spew($go, '') if @heads == $slow_heads && !-e $go;
            my @kept = grep { syswrite $_, 'x' } @heads;
            $cut += @heads - @kept;
            @heads = @kept;
            select undef, undef, undef, 0.5;
        }
        return ($cut);
    });
    $l->eventually(120, sub { -e $go }) or die "the siege is not set up\n";
    return sub { Longroom::spew($end, ''); return $siege->result };
}

# A hundred well-behaved clients follow a room while one of them sends; the median of
# the time from sending to receiving.
sub median_ms {
    my ($l, $messages) = @_;
    my $run = Longroom::run([Longroom::program('longroom-load'), '--url', $l->url, '--waiters', 100,
        '--messages', $messages, '--rate', 50, '--json', '--seconds', 60], seconds => 120);
    my $report = eval { JSON::PP::decode_json($run->{stdout}) } || {};
    return ($run->{status}, ($report->{deliveries}{latency_us}{p50} || 0) / 1000);
}

subtest 'a siege leaves good clients unharmed' => sub {
    my ($heads, $readers) = $sanitized ? (500, 100) : (5000, 1000);
    my $fits = Longroom::descriptor_limit() / 2 - 1000;
    ($heads, $readers) = (500, 100) if $fits < $heads + $readers;
    note "with $heads and $readers: a build with sanitizers, or few descriptors" if $heads < 5000;
    my $l = Longroom->start(operator => 1, nginx_workers => 2);
    my $first = fill_room($l, 'room_9', $readers + 70);
    my $relieve;
    # LONGROOM_SIEGES=5: repeats it that often, to see more of the times.
    for (1 .. $ENV{LONGROOM_SIEGES} || 1) {
        $relieve->() if $relieve;
        my ($status, $before) = median_ms($l, 100);
        is $status, 0, '100 clients get 100 messages';
        $relieve = besiege($l, $heads, $readers, $first);
        ($status, my $meanwhile) = median_ms($l, 100);
        is $status, 0, "they also do amid $heads slow heads and $readers readers that do not read";
        note sprintf 'median from sending to receiving: %.2f ms without them, %.2f ms with them', $before, $meanwhile;
    }
    if (!$sanitized) {
        cmp_ok resident_bytes($l->pid('pushd'), 'VmHWM'), '<',
            memory_bound(64 * 2**20, 64 * 2**20, $heads + $readers + 200), 'longroom-pushd stays within its memory';
        cmp_ok resident_bytes($l->pid('history'), 'VmHWM'), '<', 128 * 2**20, '... and so does longroom-history';
    }
    $relieve->();
    is $l->post('room_1', 'free again')->{status}, 201, 'after the siege, messages are saved as before';
    $l->stop;
};

done_testing;
