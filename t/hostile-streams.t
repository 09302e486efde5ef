# Streams and lists of rooms from clients that are malicious or broken: they do not read,
# come and go by thousands, ask for lists that are long or different each time, and say
# in contents and cursors what a stream could take for its own (PROTOCOL sections 6, 9
# and 12).

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Socket qw(SOL_SOCKET SO_LINGER);
use Stream;
use Test::More;
use Time::HiRes qw(time);
use Visitors;

my $sanitized = Longroom::slurp(Longroom::program('longroom-pushd')) =~ /__[amt]san_init/;

sub metric {
    my ($l, $name) = @_;
    return $l->metrics('pushd')->{$name};
}

sub resident_bytes {
    my ($l, $which) = @_;
    return Longroom::slurp('/proc/' . $l->pid('pushd') . '/status') =~ /^$which:\s+(\d+) kB/m ? 1024 * $1 : die "no $which\n";
}

sub path { my ($rooms, $query) = @_; return "/rooms/$rooms/events" . (defined $query ? "?$query" : '') }

sub opened {
    my ($l, $rooms, $query, %options) = @_;
    my $s = Stream->open($l, path($rooms, $query), %options);
    return ($s, $s->next);
}

# Sends so many messages of so many bytes; returns the id of the first.
sub fill_room {
    my ($l, $room, $count, $bytes) = @_;
    $l->send_all($room, [map { "$_ " . 'x' x $bytes } 1 .. $count], clients => 4);
    return Longroom::message_ids($l->history($room, after => 0, limit => 1))->[0];
}

sub median { return (sort { $a <=> $b } @_)[@_ / 2] }

# The time from sending a message to its event.
sub seconds_to_event {
    my ($l, $room, $s) = @_;
    my $begin = time;
    $l->post($room, "at $begin");
    return $s->next->{json}{content} eq "at $begin" ? time - $begin : 1000;
}

# Many streams of which nothing is read; $request is given the number of each.
sub crowd_of_streams {
    my ($l, $count, $request) = @_;
    my @clients = map { my $c = $l->connect('pushd'); $c->write($request->($_)); $c } 1 .. $count;
    ok $l->eventually(60, sub { metric($l, 'connections{state="waiting"}') == $count }), "$count streams wait";
    return @clients;
}

sub all_leave {
    my ($l, @clients) = @_;
    $_->close for @clients;
    ok $l->eventually(60, sub { metric($l, 'streams') == 0 && metric($l, 'connections{state="waiting"}') == 0 }), 'all leave';
    return;
}

# What each has got by now.
sub got { my ($c) = @_; $c->hangs_up(0); return $c->bytes }

# ---------------------------------------------------------------- not read

subtest 'streams that are not read are cut at limits.unread, and slow no other' => sub {
    my $l = Longroom->start(operator => 1,
        settings => { 'limits.unread' => '2M', 'limits.write_timeout' => '60s', 'push.window' => '4M' });
    my $first = fill_room($l, 'room_1', 100, 15_000);
    my ($good) = opened($l, 'room_1,room_2');
    my $alone = median(map { seconds_to_event($l, 'room_2', $good) } 1 .. 15);
    my $slow = 0;
    my (@slow, @seconds);
    for (1 .. 15) {
        # Each has a page of its own of 1 MiB.
        push @slow, Stream->open($l, path($_ % 2 ? 'room_1' : 'room_1,room_3', 'after=' . ($first + $_ % 20)), rcvbuf => 1)
            for $slow + 1 .. $slow + 4;
        $slow += 4;
        push @seconds, seconds_to_event($l, 'room_2', $good);
    }
    ok $l->eventually(30, sub { metric($l, 'cut_total{reason="unread"}') >= $slow - 3 }), 'those that do not read are cut';
    cmp_ok metric($l, 'unread_bytes'), '<=', 2 * 2**20, 'unread bytes stay within limits.unread';
    cmp_ok metric($l, 'streams'), '<=', 4, 'they are gone';
    is metric($l, 'streams') + metric($l, 'streams_ended_total{reason="client"}'), $slow + 1, '... and counted';
    note sprintf 'from sending to an event: %.1f ms alone, %.1f ms amid them', 1000 * $alone, 1000 * median(@seconds);
    cmp_ok median(@seconds), '<', 0.25, 'a stream that is read has its messages at once';
    # 3 x push.window, limits.unread, and what is always there.
    cmp_ok resident_bytes($l, 'VmHWM'), '<', 64 * 2**20, 'little memory was needed' if !$sanitized;
    $_->close for @slow, $good;
    $l->stop;
};

subtest 'a crowd that stops reading shares pieces, and gets all when it reads' => sub {
    my ($crowd, $messages) = ($sanitized ? 50 : 300, 100);
    my $l = Longroom->start(operator => 1, settings => { 'limits.unread' => '64M', 'limits.write_timeout' => '120s' });
    my @slow = map { (opened($l, 'room_1', undef, rcvbuf => 1))[0] } 1 .. $crowd;
    my ($good) = opened($l, 'room_1');
    my $before = resident_bytes($l, 'VmRSS');
    $l->send_all('room_1', [map { "$_ " . 'x' x 7000 } 1 .. $messages], clients => 1);
    ok $good->until($messages, 60), 'a stream that is read has all';
    is metric($l, 'connections{state="writing"}'), $crowd, 'the others are being written to';
    # They stop at a few different places; those at the same share a piece.
    cmp_ok metric($l, 'unread_bytes'), '<', $crowd * $messages * 7000 / 10, '... and share what they have not read';
    cmp_ok resident_bytes($l, 'VmRSS') - $before, '<', 64 * 2**20, '... in little memory' if !$sanitized;
    # JSON::PP would take a minute.
    my @wrong = grep {
        my $c = $_->{c};
        my $deadline = time + 60;
        1 while substr($c->bytes, -10_000) !~ /"content":"$messages / && $c->_fill($deadline);
        join(' ', $c->bytes =~ /"content":"([0-9]+) /g) ne join ' ', 1 .. $messages;
    } @slow;
    is scalar @wrong, 0, 'each gets all, in order, once, when it reads';
    is metric($l, qq(cut_total{reason="$_"})), 0, "none was cut: $_" for qw(unread slow-reader);
    all_leave($l, @slow, $good);
    $l->stop;
};

subtest 'half-open streams' => sub {
    my $l = Longroom->start(operator => 1, settings => { 'limits.write_timeout' => '300ms' });
    my @stuck = map { (opened($l, $_, undef, rcvbuf => 1))[0] } 'room_1', 'room_1,room_2', '*';
    fill_room($l, 'room_1', 60, 15_000);
    ok $l->eventually(30, sub { metric($l, 'cut_total{reason="slow-reader"}') == 3 }), 'limits.write_timeout ends them';
    is metric($l, 'streams'), 0, 'no stream is left';
    is metric($l, 'unread_bytes'), 0, '... nor what they did not read';
    my @silent = map { (opened($l, $_))[0] } 'room_3', 'room_3,room_4', '*';
    shutdown $_->{c}->socket, 1 for @silent;
    ok $l->eventually(20, sub { metric($l, 'streams') == 0 }), 'one whose client says no more has left';
    is metric($l, 'streams_ended_total{reason="client"}'), 6, 'all are counted';
    $_->close for @stuck, @silent;
    $l->stop;
};

# ---------------------------------------------------------------- coming and going

subtest 'streams that are opened and dropped leave nothing' => sub {
    my $rounds = $sanitized ? 5 : 50;
    my $l = Longroom->start(operator => 1);
    my $first = fill_room($l, 'room_1', 70, 15_000);
    my @rooms = ('room_1', 'room_1,room_2', '*', 'no-room', 'a,b,c', 'general,room_1');
    my @after_round;
    for my $round (1 .. 2) {
        my $number = 0;
        for (1 .. $rounds) {
            my @open;
            for (1 .. 50) {
                my $through = $number % 5 ? 'pushd' : 'nginx';
                my $c = $l->connect($through);
                my $bytes = Stream::request(path($rooms[ $number % @rooms ], $number % 7 ? undef : "after=$first"));
                $c->write($number % 11 ? $bytes : substr $bytes, 0, -3);
                # A unix socket that is closed with bytes in it resets the connection too.
                setsockopt $c->socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 if $number % 2;
                push @open, $c;
                # Some before they are seen, some when they are ready, some amid a page.
                $c->_fill(time + 20) if $number % 11 && $number % 3 == 0;
                $number++;
            }
            $_->close for @open;
        }
        ok $l->eventually(60, sub {
            my $m = $l->metrics('pushd');
            return $m->{streams} == 0 && !grep { $m->{qq(connections{state="$_"})} } qw(waiting writing);
        }), "$number streams come and go";
        push @after_round, resident_bytes($l, 'VmRSS');
    }
    my $m = $l->metrics('pushd');
    is $m->{'streams_ended_total{reason="client"}'}, $m->{streams_begun_total}, 'each that began has ended';
    cmp_ok $m->{streams_begun_total}, '>', 20 * $rounds, '... and many began';
    is $m->{unread_bytes}, 0, 'nothing is left unread';
    cmp_ok $after_round[1], '<', $after_round[0] + 4 * 2**20, 'memory does not grow' if !$sanitized;
    my ($s) = opened($l, 'room_9');
    cmp_ok seconds_to_event($l, 'room_9', $s), '<', 5, 'the next stream is served';
    $s->close;
    $l->stop;
};

# ---------------------------------------------------------------- lists

subtest 'lists of rooms that no stream follows' => sub {
    my $l = Longroom->start(operator => 1);
    my @names = map { sprintf '%s-%03d', 'n' x 60, $_ } 1 .. 101;
    my $encoded = join ',', map { join '', map { sprintf '%%%02X', ord } split // } @names[0 .. 99];
    my @rows = (
        [join(',', @names[0 .. 99]),          200],
        [join('%2C', @names[0 .. 99]),        200],
        [$encoded,                            200, undef, 414],
        [join(',', @names),                   400, 'bad-parameter'],
        [join(',', @names[0 .. 98], 'x' x 65), 400, 'bad-room-name'],
        [join(',', @names[0 .. 98], $names[7]), 400, 'bad-room-name'],
        [join(',', ('room_1') x 100),         400, 'bad-room-name'],
        [join(',', 'a', '%61'),               400, 'bad-room-name'],
        [join(',', 'room_1', '*'),            400, 'bad-room-name'],
        [',' x 99,                            400, 'bad-room-name'],
        [',' x 8000,                          400, 'bad-parameter'],
        ['%2c' x 4000,                        400, 'bad-parameter'],
        ['x' x 8000,                          400, 'bad-room-name'],
        ['%41' x 3000,                        400, 'bad-room-name'],
        [join(',', ('room_026') x 99),        400, 'bad-room-name'],
        ['a,%00',                             400, 'bad-room-name', 400],
        ['a,%0D%0A',                          400, 'bad-room-name'],
        ['a,b%',                              400, 'bad-room-name', 400],
        ['a,%ff',                             400, 'bad-room-name'],
        ["a,\xe2\x80\xa8",                    400, 'bad-room-name'],
    );
    my $rooms = metric($l, 'rooms');
    for my $row (sort { $b->[1] <=> $a->[1] } @rows) {
        my ($list, $status, $type, $over_nginx) = @$row;
        my $title = length($list) . ' bytes, ' . substr $list =~ s/[^!-~]/?/gr, 0, 20;
        for my $to ('pushd', 'nginx') {
            my $expected = $to eq 'nginx' ? $over_nginx // $status : $status;
            my $c = $l->connect($to);
            if ($expected == 200) {
                my ($s, $ready) = opened($l, $list, undef, to => $to);
                is scalar @{ $ready->{json}{rooms} }, 100, "$to: $title: a stream";
                $s->close;
                $rooms = metric($l, 'rooms');
                next;
            }
            my $answer = $c->ask(Stream::request(path($list)), 20) || { status => 'none' };
            is $answer->{status}, $expected, "$to: $title: $expected";
            is $answer->{json}{type}, $type, '... of this type' if $to eq 'pushd' || !$over_nginx;
            $c->close;
        }
    }
    is metric($l, 'rooms'), $rooms, 'no room was looked up for a wrong list';
    my $m = $l->metrics('pushd');
    cmp_ok $m->{'refusals_total{type="bad-room-name",status="400"}'}, '>=', 20, 'refusals are counted';
    $l->stop;
};

subtest 'one right lost among ten' => sub {
    my %visitors = (nine => { read => join ' ', map {"team_$_"} 1 .. 9 }, all => { read => '*', write => '*' });
    my $l = Visitors::start('token', \%visitors, operator => 1, settings => { 'limits.user_sends' => 1000, 'limits.user_burst' => 1000 });
    my %sender = (Authorization => 'Bearer ' . Visitors::token('all'), 'Content-Type' => 'text/plain');
    my @auth = ('Authorization: Bearer ' . Visitors::token('nine'));
    my @streams;
    for my $at (0 .. 9) {
        my @list = map {"team_$_"} 1 .. 9;
        splice @list, $at, 0, 'team_10';
        my ($s, $ready) = opened($l, join(',', @list), undef, headers => \@auth);
        is_deeply $ready->{json}{forbidden}, ['team_10'], "at place $at, the tenth is named";
        is_deeply $ready->{json}{rooms}, [map {"team_$_"} 1 .. 9], '... and the others are followed';
        push @streams, $s;
    }
    for my $room (map {"team_$_"} 10, 1 .. 9, 10) {
        $l->request(POST => "/rooms/$room/messages", content => "in $room", headers => \%sender);
    }
    is $_->contents(9), join(' ', map {"in team_$_"} 1 .. 9), 'the nine are heard, the tenth is not' for @streams;
    $l->request(POST => '/rooms/team_1/messages', content => 'the end', headers => \%sender);
    is $_->contents(1), 'the end', '... nor later' for @streams;
    $_->close for @streams;
    $l->stop;
};

# ---------------------------------------------------------------- contents

subtest 'no content breaks out of its event' => sub {
    my $l = Longroom->start(operator => 1);
    my @contents = (
        "a\r\nb", "a\nb", "a\rb", "a\n\nb", "a\r\rb", "a\n\ndata: x\n\n.", "a\n\nevent: end\ndata: {\"reason\":\"life\"}\n\n.",
        "data: x", "data:", "event: reset", "id: 1.00000000.5", "retry: 1", ": no comment", "a\nid: 9\nb", "0\r\n\r\n.",
        "a\x{2028}b\x{2029}c", "\x{feff}bom\x{feff}within\x{feff}", "a\x{85}b\x{0b}c\x{0c}d", "\x{1b}[31mred", "a\x{7f}b",
        "\"quotes\" \\ </script><!--", "\x{1f600}\x{10ffff}", 'x' . "\n" x 16_000 . 'x', 'x' . "\r\n" x 8_000 . 'x',
        "x\x{1}\x{2}\x{1f}x",
    );
    my @streams = map { (opened($l, $_->[0], undef, to => $_->[1]))[0] } ['room_1', 'pushd'], ['room_1,room_2', 'nginx'], ['*', 'pushd'];
    my @sent = map { $l->post('room_1', $_, username => "u\x{2028}data: x", client_id => 'id: ' . ++$l->{next_id}) } @contents;
    is join(' ', map { $_->{status} } @sent), join(' ', (201) x @contents), 'all are saved';
    my $late = Stream->open($l, path('room_1', 'after=0'));
    is $late->next->{event}, 'ready', 'a stream comes later';
    for my $s (@streams, $late) {
        my @got = map { $s->next } @contents;
        is_deeply [map { $_->{json} } @got], [map { $_->{json} } @sent], 'each is one event, with the message';
        is_deeply [grep { $_->{event} ne 'message' || $_->{data} =~ /[\r\n]/ } @got], [], '... on one line';
        is scalar(grep { !$_->{id} } @got), 0, '... with an id';
    }
    for my $body ('{"content":"a\u0000b"}', "{\"content\":\"a\0b\"}", "{\"content\":\"a\nb\"}") {
        my $answer = $l->request(POST => '/rooms/room_1/messages', content => $body, headers => { 'Content-Type' => 'application/json' });
        is $answer->{status}, 400, 'NUL, and a bare control character, are refused';
    }
    $l->post('room_1', 'at the end');
    is $_->contents(1), 'at the end', 'the streams go on' for @streams, $late;
    $_->close for @streams, $late;
    $l->stop;
};

# ---------------------------------------------------------------- Last-Event-ID

subtest 'no Last-Event-ID does harm' => sub {
    my $l = Longroom->start(operator => 1);
    my @said = map {"m$_"} 1 .. 3;
    my @ids = map { $l->post('room_1', $_)->{json}{id} } @said;
    my ($first, $ready) = opened($l, 'room_1');
    my ($tag, $epoch) = $ready->{id} =~ /\A1\.([0-9a-f]{8})\.[0-9]+\.([0-9a-f]{8})\./ or die "what cursor is $ready->{id}?\n";
    my $other = sprintf '%08x', hex($tag) ^ 1;
    my @rows = (
        # What it is, the value, what comes: reset, the messages after so many, or a status.
        ['10 KB',                    'x' x 10_000,              'reset'],
        ['60 KB of digits',          '9' x 60_000,              'reset'],
        ['70 KB',                    'x' x 70_000,              431],
        ['a NUL',                    "a\0b",                    400],
        ['a carriage return',        "1\rAuthorization: x",     400],
        ['a tab within',             "1\t2",                    'reset'],
        ['bytes that are no UTF-8',  "\xff\xfe",                'reset'],
        ['2^63 - 1',                 '9223372036854775807',     'reset'],
        ['2^63',                     '9223372036854775808',     'reset'],
        ['2^64',                     '18446744073709551616',    'reset'],
        ['a negative id',            '-1',                      'reset'],
        ['a sign',                   "+$ids[0]",                'reset'],
        ['a leading zero',           "0$ids[0]",                'reset'],
        ['hexadecimal',              '0x1',                     'reset'],
        ['now',                      'now',                     'reset'],
        ['two values',               "$ids[0], $ids[0]",        'reset'],
        ['quotes',                   "\"$ids[0]\"",             'reset'],
        ['another log',              "1.$other.$ids[0]",        'reset'],
        ['another version',          "2.$tag.$ids[0]",          'reset'],
        ['no id',                    "1.$tag.",                 'reset'],
        ['a negative id in a cursor', "1.$tag.-1",              'reset'],
        ['beyond the log',           "1.$tag.9223372036854775807", 'reset'],
        ['an epoch without position', "1.$tag.$ids[0].$epoch",  'reset'],
        ['a cursor and more',        "1.$tag.$ids[0].$epoch.5.6", 'reset'],
        ['a negative position',      "1.$tag.$ids[0].$epoch.-5", 'reset'],
        ['a position beyond',        "1.$tag.$ids[0].$epoch.9223372036854775807", 'after 1'],
        ['a position of another',    "1.$tag.$ids[0].$other.3", 'after 1'],
        ['the beginning',            '0',                       'after 0'],
        ['the end',                  "1.$tag.$ids[2]",          'after 3'],
        ['white space around',       " \t$ids[1] \t",           'after 2'],
    );
    for my $row (@rows) {
        my ($what, $value, $expected) = @$row;
        for my $rooms ('room_1', 'room_1,room_2', '*') {
            my $head = ["Last-Event-ID: $value"];
            if ($expected =~ /\A[0-9]+\z/) {
                is $l->connect('pushd')->ask(Stream::request(path($rooms), headers => $head), 20)->{status}, $expected, "$what: $expected";
                next;
            }
            my ($s, $begin) = opened($l, $rooms, undef, headers => $head);
            is $begin->{event}, 'ready', "$what: $rooms";
            if ($expected eq 'reset') {
                my $reset = $s->next;
                is $reset->{event}, 'reset', '... reset';
                my @newest = $rooms eq 'room_1' ? @said[($#said > 9 ? $#said - 9 : 0) .. $#said] : ();
                is_deeply Longroom::message_contents($reset), \@newest, '... with the newest of one room';
            }
            my ($count) = $expected =~ /\Aafter ([0-9]+)\z/;
            my @missed = defined $count ? @said[$count .. $#said] : ();
            push @said, my $next = 'next ' . @said;
            $l->post('room_1', $next);
            is $s->contents(@missed + 1), join(' ', @missed, $next), '... what follows, and the next';
            $s->close;
        }
    }
    ok $l->eventually(20, sub { metric($l, 'streams') == 1 }), 'all but the first have left';
    $l->stop;
};

# ---------------------------------------------------------------- bytes beside a stream

subtest 'requests sent behind a stream wait for its end' => sub {
    my $l = Longroom->start(operator => 1, settings => { 'push.stream_life' => '1s' });
    my $id = $l->post('room_1', 'x')->{json}{id};
    my $request = Stream::request(path('room_1', 'after=' . ($id - 1)));
    my $s = Stream->open($l, path('room_1', 'after=' . ($id - 1)), behind => $request x 2 . Longroom::get_bytes('/rooms/room_1/poll?timeout=0') . $request);
    for my $number (1 .. 4) {
        if ($number == 4) {
            is +($s->{c}->answer(20) || { status => 'none' })->{status}, 200, 'a poll between them is answered';
            $s = $s->behind;
        }
        ok $s->is_over(20), "stream $number ends";
        is join(' ', map { $_->{event} } @{ $s->{events} }), 'ready message end', '... with all of it';
        $s = $s->behind;
    }
    is $s->{c}->bytes, '', 'nothing else comes';
    $l->stop;
};

subtest 'bytes that a client sends while it has a stream' => sub {
    my $l = Longroom->start(operator => 1);
    for my $rooms ('room_1', 'room_1,room_2', '*') {
        my ($s) = opened($l, $rooms);
        for (1 .. 20) {
            $s->{c}->write("\r\n\0garbage" x 20);
            $l->post('room_1', "m$_");
        }
        is $s->contents(20), join(' ', map {"m$_"} 1 .. 20), "$rooms: do not disturb it";
        my $before = metric($l, 'cut_total{reason="flood"}');
        $s->{c}->write('x' x 70_000, 5);
        ok $s->{c}->hangs_up(20), '... until there are more than limits.request_head of them';
        is metric($l, 'cut_total{reason="flood"}') - $before, 1, '... which is counted';
        ok $l->eventually(20, sub { metric($l, 'streams') == 0 }), '... and the stream is gone';
    }
    $l->stop;
};

# ---------------------------------------------------------------- many rooms

# Of 200 rooms; no two of them have the same. room_1000 is in all.
sub list_number {
    my ($number) = @_;
    my @own = map { my $at = $number % 34; $number = int $number / 34; 1098 + $at + 34 * $_ } 0 .. 2;
    return join ',', map {"room_$_"} 1000 .. 1096, @own;
}

subtest '100 rooms in each of 10,000 streams' => sub {
    my $streams = $sanitized ? 500 : 10_000;
    my $fits = Longroom::descriptor_limit() - 500;
    $streams = $fits if $fits < $streams;
    note "with $streams, because of sanitizers, or few descriptors" if $streams < 10_000;
    my $l = Longroom->start(operator => 1);
    $l->poll(list_number($_ * 4000), timeout => 0) for 0 .. 9;
    my $before = resident_bytes($l, 'VmRSS');
    my @peaks;
    for my $what ('the same rooms', 'other rooms', 'other rooms again') {
        my @clients = crowd_of_streams($l, $streams, sub { Stream::request(path(list_number($what eq 'the same rooms' ? 1 : $_[0]))) });
        push @peaks, resident_bytes($l, 'VmHWM') - $before;
        note sprintf '%s: %.2f KiB a stream', $what, $peaks[-1] / 1024 / $streams;
        cmp_ok $peaks[-1] / $streams, '<', 8192, "$what: at most 8 KiB a stream" if !$sanitized;
        ok $l->eventually(30, sub { !grep { got($_) !~ /event: ready/ } @clients }), 'all are ready';
        my $delivered = metric($l, 'deliveries_total');
        my $begin = time;
        $l->post('room_1000', 'to all');
        ok $l->eventually(30, sub { metric($l, 'deliveries_total') - $delivered == $streams }), 'a message goes to all';
        cmp_ok time - $begin, '<', 3, '... soon';
        note sprintf '... within %.2f s', time - $begin;
        ok $l->eventually(30, sub { !grep { got($_) !~ /"to all"/ } @clients }), '... which have it';
        my $few = $l->connect('pushd');
        $few->write(Longroom::get_bytes('/rooms/room_9,room_10/poll?timeout=40'));
        ok $l->eventually(20, sub { metric($l, 'connections{state="waiting"}') == $streams + 1 }), 'a poll waits in other rooms';
        $begin = time;
        $l->post('room_9', 'to one');
        is_deeply Longroom::message_contents($few->answer(20)), ['to one'], '... and has its message';
        cmp_ok time - $begin, '<', 1, '... at once';
        all_leave($l, @clients);
    }
    # What was freed is used again. (The allocator keeps it.)
    cmp_ok $peaks[2], '<', 1.1 * $peaks[1] + 2**20, 'afterwards the memory is free for others' if !$sanitized;
    cmp_ok metric($l, 'rooms'), '<=', 300, 'rooms are not kept twice';
    $l->stop;
};

subtest '1,000 streams, each of 100 rooms that do not exist' => sub {
    my $streams = $sanitized ? 100 : 1000;
    my $l = Longroom->start(operator => 1);
    my $before = resident_bytes($l, 'VmRSS');
    for my $round (1 .. 2) {
        my @clients = crowd_of_streams($l, $streams, sub { my $n = $_[0]; Stream::request(path(join ',', map {"none-$round-$n-$_"} 1 .. 100)) });
        ok $l->eventually(60, sub { metric($l, 'waiting_log_reads') == 0 }), 'the log has been read';
        cmp_ok metric($l, 'rooms'), '>=', 100 * $streams, 'they count as rooms';
        cmp_ok metric($l, 'rooms'), '<=', 100 * $streams + 20_010, '... beside those kept';
        ok $l->eventually(30, sub { !grep { got($_) !~ /event: ready/ } @clients }), 'all are ready';
        # PROTOCOL section 9: rooms, lists, connections, reads.
        my $bound = 1.2 * ((100 * $streams + 20_000) * 2048 + $streams * (512 + 100 * 32 + 1024 + 1024));
        cmp_ok resident_bytes($l, 'VmHWM') - $before, '<', $bound, 'memory is within the bound' if !$sanitized;
        note sprintf '%.1f MiB, of %.1f', (resident_bytes($l, 'VmHWM') - $before) / 2**20, $bound / 2**20;
        $l->post("none-$round-7-50", 'Hello');
        ok $l->eventually(20, sub { got($clients[6]) =~ /"Hello"/ }), 'one of them gets its message';
        is scalar(grep { got($_) =~ /"Hello"/ } @clients), 1, '... alone';
        all_leave($l, @clients);
        cmp_ok metric($l, 'rooms'), '<=', 20_010, 'few rooms are kept';
    }
    $l->stop;
};

subtest 'many lists of forbidden rooms' => sub {
    my ($streams, $polls) = $sanitized ? (100, 1000) : (1000, 12_000);
    my $l = Visitors::start('token', {}, operator => 1, settings => { 'auth.anonymous_read' => 'open', 'push.window' => '4M' });
    my @forbidden = map { sprintf 'f' x 50 . '-%05d-', $_ } 0 .. $streams + $polls;
    my $list = sub { my $n = $_[0]; return join ',', 'open', map { sprintf '%s%07d', $forbidden[$n], $_ } 1 .. 99 };
    my $before = resident_bytes($l, 'VmRSS');
    my @clients = crowd_of_streams($l, $streams, sub { Stream::request(path($list->($_[0]))) });
    is metric($l, 'rooms'), 1, 'no forbidden room is looked up';
    my $is_told = sub { got($clients[ $_[0] - 1 ]) =~ /event: ready\ndata: \{.*"rooms":\["open"\],"forbidden":\["$forbidden[$_[0]]/ };
    ok $l->eventually(30, sub { !grep { !$is_told->($_) } 1 .. $streams }), 'each is told its own';
    my $crowd = $l->crowd('pushd');
    my ($next, $wrong) = (0, 0);
    for (1 .. 10) {
        my $mine;
        $crowd->add(sub {
            my ($answer) = @_;
            $wrong++ if $answer && ($answer->{status} != 200 || $answer->{content} !~ /"forbidden":\["$forbidden[$mine]/);
            return if ++$next > $polls;
            $mine = $streams + $next;
            return Longroom::get_bytes('/rooms/' . $list->($mine) . '/poll?timeout=0');
        });
    }
    ok $crowd->run(180), "$polls polls are answered";
    is $wrong, 0, '... each with its own';
    # PROTOCOL section 9: connections, lists, cached pages, lists that are kept.
    my $bound = 1.2 * ($streams * (1024 + 512 + 32 + 99 * 128) + 3 * 4 * 2**20 + 20_000 * 2048);
    my $took  = resident_bytes($l, 'VmHWM') - $before;
    note sprintf '%.1f MiB, of %.1f', $took / 2**20, $bound / 2**20;
    cmp_ok $took, '<', $bound, 'memory is within the bound' if !$sanitized;
    all_leave($l, @clients);
    $l->stop;
};

done_testing;
