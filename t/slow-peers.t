# FastCGI peers that are slow, silent, or do not read: an incomplete request or an
# unread answer occupies no thread of longroom-history.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use FastCGI qw(ask_by_fastcgi fastcgi_answer fastcgi_bytes fastcgi_record);
use Longroom;
use Test::More;
use Time::HiRes qw(time);

my $ROOM  = '/rooms/room_1/messages';
# Six times as long in JSON.
my $LARGE = "\1" x 131_072;

sub slow {
    my ($l, $state) = @_;
    return $l->metrics('history')->{qq(slow_peers{state="$state"})};
}

sub cut {
    my ($l, $reason) = @_;
    return $l->metrics('history')->{qq(cut_total{reason="$reason"})};
}

# Answers that were not read, including those dropped since.
sub unread {
    my ($l) = @_;
    return slow($l, 'reading') + cut($l, 'slow-reader');
}

# Connections that have sent these bytes.
sub peers {
    my ($l, $count, $bytes) = @_;
    my @peers = map { $l->connect('history') } 1 .. $count;
    $_->write($bytes) for grep { length $bytes } @peers;
    return @peers;
}

sub are_served {
    my ($l, $what) = @_;
    my $sent = ask_by_fastcgi($l->connect('history'), POST => $ROOM, 'good');
    is $sent->{status}, 201, "$what: a message is saved";
    my $page = ask_by_fastcgi($l->connect('history'), GET => $ROOM);
    is $page->{json}{messages}[-1]{content}, 'good', '... and read';
    return;
}

sub still_open { return scalar grep { !$_->hangs_up(0) } @_ }

subtest 'peers that do not finish their requests occupy no thread' => sub {
    my $l = Longroom->start(without => [qw(pushd)], operator => 1, settings => { 'history.threads' => 2 });
    my $request = fastcgi_bytes(POST => $ROOM, 'x' x 40_000, undef);
    my $whole   = fastcgi_bytes(POST => $ROOM, 'late');
    my %kinds = (
        'nothing'                   => '',
        'half a header'             => substr($request, 0, 4),
        'half of the parameters'    => substr($request, 0, 60),
        'parameters without an end' => substr($request, 0, index $request, fastcgi_record(4, '')),
        'half of a body'            => substr($request, 0, 20_000),
        'a body without an end'     => substr($whole, 0, -8),
    );
    my %peers;
    for my $kind (sort keys %kinds) {
        $peers{$kind} = [peers($l, 16, $kinds{$kind})];
        are_served($l, "beside 16 that have sent $kind");
    }
    my $all = 16 * keys %kinds;
    ok $l->eventually(20, sub { slow($l, 'sending') == $all }), 'all of them are waited for';
    is still_open(map {@$_} values %peers), $all, 'none has been disconnected meanwhile';

    # The request for /metrics itself is one.
    cmp_ok $l->metrics('history')->{busy_threads}, '<=', 1, 'they occupy no thread';
    my $late = $peers{'a body without an end'};
    $_->write(fastcgi_record(5, '')) for @$late;
    is_deeply [map { fastcgi_answer($_)->{status} } @$late], [(201) x 16],
        'peers that send the rest are answered';
    ok $_->hangs_up(30), 'a silent one is disconnected' for $peers{nothing}[0];
    cmp_ok cut($l, 'no-request'), '>=', 1, '... and counted';
    $l->stop;
};

subtest 'requests in small pieces are understood' => sub {
    my $l = Longroom->start(without => [qw(nginx pushd)]);
    my $c = $l->connect('history');
    $c->write($_) for split //, fastcgi_bytes(POST => $ROOM, 'drop by drop');
    is fastcgi_answer($c)->{json}{content}, 'drop by drop', 'a request byte by byte is understood';
    my $long = 'y' x 100_000;
    my @records = map { fastcgi_record(5, $_) } unpack '(a10)*', $long;
    my $bytes = fastcgi_bytes(POST => $ROOM, '', undef, CONTENT_LENGTH => length $long);
    substr $bytes, -8, 8, join '', @records, fastcgi_record(5, '');
    is ask_raw($l, $bytes)->{status}, 413, 'so is a body in many records';
    is ask_by_fastcgi($l->connect('history'), POST => $ROOM, 'z' x 2_000_000)->{status}, 413,
        'a body that is far too long is skipped, and answered';
    $l->stop;
};

sub ask_raw {
    my ($l, $bytes) = @_;
    my $c = $l->connect('history');
    $c->write($bytes);
    return fastcgi_answer($c);
}

subtest 'malformed requests are disconnected' => sub {
    my $l = Longroom->start(without => ['pushd'], operator => 1);
    my $good  = fastcgi_bytes(GET => $ROOM);
    my $begin = fastcgi_record(1, pack 'nCx5', 1, 0);
    my %bad = (
        'another version'         => "\2" . substr($good, 1),
        'HTTP'                    => "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        'no beginning'            => substr($good, length $begin),
        'an unknown role'     => fastcgi_record(1, pack 'nCx5', 9, 0) . substr($good, length $begin),
        'a second request'        => $begin . fastcgi_record(1, pack('nCx5', 1, 0), 2),
        'a record of another request'     => $begin . fastcgi_record(4, '', 2),
        'a management record'     => fastcgi_record(9, '', 0),
        'an abort'                => $begin . fastcgi_record(2, ''),
        'a body before parameters' => $begin . fastcgi_record(5, 'x'),
        'truncated parameters' => $begin . fastcgi_record(4, "\x0e\x10REQUEST") . fastcgi_record(4, '')
            . fastcgi_record(5, ''),
        'endless parameters'  => $begin . fastcgi_record(4, 'x' x 60_000) x 4,
    );
    for my $what (sort keys %bad) {
        my $c = $l->connect('history');
        $c->write($bad{$what});
        ok $c->hangs_up(30), "$what: the connection is closed";
        is $c->bytes, '', '... without an answer';
    }
    cmp_ok cut($l, 'no-request'), '>=', scalar keys %bad, 'they are counted';
    are_served($l, 'after all that');
    $l->stop;
};

# A room with a page of about $kib KiB.
sub fill_room {
    my ($l, $kib) = @_;
    $l->send_all('room_1', [map { sprintf('%04d', $_) . 'x' x 8_188 } 1 .. $kib / 8], clients => 4);
    return;
}

subtest 'peers that do not read their page occupy no thread' => sub {
    my $l = Longroom->start(without => ['pushd'], operator => 1,
        settings => { 'history.threads' => 2, 'limits.unread' => '256M' });
    fill_room($l, 800);
    my @unread = peers($l, 64, fastcgi_bytes(GET => "$ROOM?limit=1000&before=101"));
    ok $l->eventually(60, sub { unread($l) == 64 }), '64 of them are waited for';
    are_served($l, 'beside them');
    is $l->post('room_1', 'by nginx')->{status}, 201, 'a message through nginx is saved';
    cmp_ok $l->metrics('history')->{busy_threads}, '<=', 1, 'they occupy no thread';
    $_->close for @unread;
    ok $l->eventually(20, sub { slow($l, 'reading') == 0 }), 'a peer that hangs up is forgotten';
    my ($late) = peers($l, 1, fastcgi_bytes(GET => "$ROOM?limit=1000&before=101"));
    ok $l->eventually(20, sub { slow($l, 'reading') == 1 }), 'one more waits';
    is fastcgi_answer($late)->{json}{count}, 100, 'a peer that reads late gets the whole answer';
    $l->stop;
};

subtest 'peers that do not read the answer to their message occupy no thread' => sub {
    my $l = Longroom->start(without => ['pushd'], operator => 1,
        settings => { 'history.threads' => 2, 'limits.content' => '128K' });
    my @unread = peers($l, 24, fastcgi_bytes(POST => $ROOM, $LARGE));
    ok $l->eventually(60, sub { unread($l) == 24 }), '24 of them are waited for';
    are_served($l, 'beside them');
    my ($last) = peers($l, 1, fastcgi_bytes(POST => $ROOM, $LARGE));
    ok $l->eventually(20, sub { unread($l) == 25 }), 'one more waits';
    my $late = fastcgi_answer($last);
    is_deeply [$late->{status}, $late->{json}{content} eq $LARGE], [201, 1],
        'a peer that reads late gets the whole answer';
    $l->stop;
};

subtest 'unread answers are cut off at limits.unread' => sub {
    my $l = Longroom->start(without => ['pushd'], operator => 1, settings => { 'limits.unread' => '4M' });
    fill_room($l, 800);
    my @unread = peers($l, 12, fastcgi_bytes(GET => "$ROOM?limit=1000&before=101"));
    ok $l->eventually(30, sub { cut($l, 'unread') >= 1 }), 'some are cut off, and counted';
    ok $l->wait_log('history', qr/limits\.unread exceeded: disconnecting FastCGI peers/), 'the log says so';
    are_served($l, 'beside the others');
    cmp_ok slow($l, 'reading'), '>=', 1, 'the others are still waited for';
    $l->stop;
};

subtest 'an unread answer is dropped after history.request_timeout' => sub {
    my $l = Longroom->start(without => ['pushd'], operator => 1, settings => { 'history.request_timeout' => '2s' });
    fill_room($l, 800);
    my ($unread) = peers($l, 1, fastcgi_bytes(GET => "$ROOM?limit=1000&before=101"));
    ok $l->eventually(30, sub { cut($l, 'slow') >= 1 }), 'it is dropped, and counted';
    ok $unread->hangs_up(20), 'the peer is disconnected';
    is fastcgi_answer($unread), undef, '... before the end of the answer';
    $l->stop;
};

subtest 'unfinished requests beyond the limit are cut off' => sub {
    plan skip_all => 'prlimit (util-linux) is not there' if Longroom::run(['prlimit', '--version'])->{status};
    my $l = Longroom->start(without => ['pushd'], operator => 1, history => { descriptors => 256 },
        settings => { 'history.threads' => 2 });
    my @silent = peers($l, 120, '');
    ok $l->eventually(30, sub { cut($l, 'unfinished') >= 1 }), 'some are cut off, and counted';
    ok $silent[0]->hangs_up(20), '... the oldest first';
    ok $l->wait_log('history', qr/too many incomplete requests: /), 'the log says so';
    are_served($l, 'beside them');
    $l->stop;
};

subtest 'slow peers do not delay SIGTERM' => sub {
    my $l = Longroom->start(without => ['pushd'], operator => 1, settings => { 'limits.content' => '128K' });
    fill_room($l, 800);
    my @silent = (peers($l, 16, ''), peers($l, 16, substr fastcgi_bytes(POST => $ROOM, 'x'), 0, -8));
    my @unread = peers($l, 16, fastcgi_bytes(GET => "$ROOM?limit=1000&before=101"));
    push @unread, peers($l, 8, fastcgi_bytes(POST => $ROOM, $LARGE));
    ok $l->eventually(30, sub { slow($l, 'sending') + cut($l, 'no-request') >= 32 && unread($l) == 24 }),
        'they are waited for';
    my ($late) = peers($l, 1, fastcgi_bytes(GET => "$ROOM?limit=1000&before=101"));
    ok $l->eventually(20, sub { unread($l) == 25 }), 'one more waits';
    my $begin = time;
    $l->signal('history', 'TERM');
    is fastcgi_answer($late)->{json}{count}, 100, 'a peer that reads still gets its answer';
    $l->await_end('history');
    cmp_ok time - $begin, '<', 15, 'the others do not delay the end';
    ok $_->hangs_up(5), 'they are disconnected' for $silent[0], $silent[31], $unread[1], $unread[23];
    $l->stop;
};

subtest 'a message behind many reads is saved before them' => sub {
    my $l = Longroom->start(without => [qw(nginx pushd)]);
    ask_by_fastcgi($l->connect('history'), POST => $ROOM, "m $_") for 1 .. 100;
    my $pid = $l->pid('history');
    kill STOP => $pid;
    my @readers = peers($l, 200, fastcgi_bytes(GET => "$ROOM?limit=1000"));
    my ($sender) = peers($l, 1, fastcgi_bytes(POST => $ROOM, 'the last'));
    kill CONT => $pid;
    is fastcgi_answer($sender)->{status}, 201, 'the message is saved';
    my @counts = map { fastcgi_answer($_)->{json}{count} } @readers;
    my $after = grep { $_ == 101 } @counts;
    is scalar(grep { $_ == 100 || $_ == 101 } @counts), 200, 'the reads are answered too';
    cmp_ok $after, '>=', 20, 'many of them after the message';
    $l->stop;
};

# A thread that takes long yields its turn to another, which may find the concurrency
# limit reached, and sleep.
subtest 'more long reads than threads are all answered' => sub {
    my $l = Longroom->start(without => [qw(nginx pushd)], settings => { 'history.threads' => 2, 'limits.content' => '128K', 'limits.unread' => '256M' });
    ask_by_fastcgi($l->connect('history'), POST => $ROOM, $LARGE) for 1 .. 2;
    my $pid = $l->pid('history');
    kill STOP => $pid;
    my @readers = peers($l, 20, fastcgi_bytes(GET => "$ROOM?limit=2"));
    kill CONT => $pid;
    my $answered = 0;
    for my $reader (@readers) {
        $reader->hangs_up(30) && length $reader->bytes > 2 * 6 * length $LARGE or last;
        $answered++;
    }
    is $answered, 20, 'all are answered, though no request follows';
    $l->stop;
};

done_testing;
