# Streams of events (PROTOCOL section 6), straight from longroom-pushd's socket.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Stream;
use Test::More;
use Time::HiRes qw(time);
use Visitors;

my $CURSOR = qr/1\.[0-9a-f]{8}\.([0-9]+)(?:\.[0-9a-f]{8}\.[0-9]+)?/;

my $next_room = 100;
sub room { return 'room_' . $next_room++ }

# A room with messages that longroom-pushd has: its name and their ids.
sub room_with {
    my ($l, @contents) = @_;
    my $room = room();
    my @ids = map { $l->post($room, $_)->{json}{id} } @contents;
    $l->poll($room, after => $ids[-1] - 1, timeout => 20);
    return ($room, @ids);
}

sub path { my ($room, $query) = @_; return "/rooms/$room/events" . (defined $query ? "?$query" : '') }

# A new stream and its first event.
sub opened {
    my ($l, $room, $query, %options) = @_;
    my $s = Stream->open($l, path($room, $query), %options);
    return ($s, $s->next);
}

sub waiting { my ($l) = @_; return $l->metrics('pushd')->{streams} }

# It takes 40 s, with the other tests beside it. The lines say what came, and when.
my $silent = Longroom->start(operator => 1);
my $silence = Longroom->background(sub {
    my ($quiet, $other) = (room(), room());
    my $begin = time;
    my ($still, $moved) = map { (opened($silent, $quiet))[0] } 1 .. 2;
    my ($several) = opened($silent, "$quiet," . room());
    $_->{comments} = 0 for $still, $moved;    # one came with the head, if the log was read first
    my $id = $silent->post($other, 'elsewhere')->{json}{id};
    my $told = $moved->next(30);
    my $of_several = $several->next(30);
    my @lines = ("$of_several->{event} $of_several->{data}", "$told->{event} $told->{data}", $told->{id} =~ /\A1\.[0-9a-f]{8}\.$id\b/ ? 'its id' : $told->{id}, time - $begin);
    $still->until(sub { $_[0]{comments} }, 60);
    push @lines, "$still->{comments} comment", time - $begin, join ' ', map { $_->{event} } @{ $still->{events} };
    $silent->post($quiet, 'at last');
    return @lines, $moved->contents(1);
});

my $l = Longroom->start(operator => 1);

# ---------------------------------------------------------------- begin and go on

subtest 'a stream is ready at once, and then has each message as an event' => sub {
    my $room = room();
    # The first in a room has the log read.
    (opened($l, $room))[0]->close;
    my ($s, $ready) = opened($l, $room);
    is $s->{status}, 200, 'the status is 200';
    for my $line ('Content-Type: text/event-stream', 'Cache-Control: no-store', 'X-Accel-Buffering: no',
        'Transfer-Encoding: chunked') {
        like $s->{head}, qr/^\Q$line\E\r$/m, $line;
    }
    unlike $s->{head}, qr/^(?:Content-Length|Connection):/m, 'no length, and the connection is kept';
    is $ready->{event}, 'ready', 'the first event is ready';
    like $ready->{retry}, qr/\A[123][0-9]{3}\z/, '... with a retry';
    cmp_ok $ready->{retry}, '<=', 3000, '... of at most 3 s';
    like $ready->{id}, qr/\A$CURSOR\z/, '... and an id';
    is_deeply $ready->{json}, { cursor => $ready->{id}, rooms => [$room] }, '... that is the cursor it tells';
    is_deeply $s->{chunks}, [length "retry: 1234\nid: $ready->{id}\nevent: ready\ndata: $ready->{data}\n\n"],
        'in one chunk';

    my @sent = map { $l->post($room, "m$_")->{json} } 1 .. 5;
    my @got = map { $s->next } 1 .. 5;
    is_deeply [map { $_->{json} } @got], \@sent, 'each message is an event, in order';
    is_deeply [map { $_->{event} } @got], [('message') x 5], '... without a name';
    is_deeply [map { $_->{id} =~ /\A$CURSOR\z/ && $1 } @got], [map { $_->{id} } @sent], '... with a cursor after it';
    ok !exists $got[0]{retry}, 'retry comes once';
    is_deeply [sort keys %{ $got[0] }], [qw(data event id json)], 'nothing else is in it';
    $s->close;
};

subtest 'retry is drawn for each stream' => sub {
    my $room = room();
    my %retries = map { my ($s, $ready) = opened($l, $room); $s->close; ($ready->{retry} => 1) } 1 .. 12;
    cmp_ok scalar(keys %retries), '>', 3, 'they differ';
    is_deeply [grep { $_ < 1000 || $_ > 3000 } keys %retries], [], 'all are 1 to 3 s';
};

subtest 'a stream goes on after its cursor' => sub {
    my ($room, @ids) = room_with($l, map {"m$_"} 1 .. 6);
    my ($s, $ready) = opened($l, $room, "after=$ids[1]");
    is $s->contents(4), 'm3 m4 m5 m6', 'after= an id: what follows';
    is scalar @{ $s->{chunks} }, 2, 'ready and the first messages come together';
    like $ready->{id}, qr/\A1\.[0-9a-f]{8}\.$ids[1]\b/, 'ready tells where the client stood';
    my $last = $l->post($room, 'm7');
    my $event = $s->next;
    is $event->{json}{content}, 'm7', 'then the next';
    $s->close;
    $l->post($room, 'm8');

    my %rows = (
        'Last-Event-ID'                => [undef, ["Last-Event-ID: $event->{id}"]],
        'after'                        => ["after=$event->{id}", []],
        'Last-Event-ID before after'   => ["after=$ids[0]", ["Last-Event-ID: $event->{id}"]],
        'Last-Event-ID before a bad after' => ['after=bad', ["Last-Event-ID: $event->{id}"]],
        'in small letters'             => ["after=$ids[0]", ["last-event-id:$event->{id} "]],
        'an id alone'                  => ["after=$ids[0]", ["Last-Event-ID: $last->{json}{id}"]],
        'an empty Last-Event-ID'       => ["after=$event->{id}", ['Last-Event-ID:']],
        'ready comes back'             => ["after=$ready->{id}", [], 'm3'],
    );
    for my $what (sort keys %rows) {
        my ($query, $headers, $expected) = @{ $rows{$what} };
        my ($t) = opened($l, $room, $query, headers => $headers);
        is $t->contents(1), $expected // 'm8', $what;
        $t->close;
    }
};

subtest 'a Last-Event-ID that cannot be read is answered with reset' => sub {
    my ($room, @ids) = room_with($l, map {"m$_"} 1 .. 12);
    for my $headers (['Last-Event-ID: x'], ['Last-Event-ID: now'], ['Last-Event-ID: 1.00000000.5'],
        ['Last-Event-ID: ' . 'x' x 5000], ["Last-Event-ID: $ids[0]", "Last-Event-ID: $ids[0]"],
        ['Last-Event-ID: 9223372036854775807']) {
        my ($s, $ready) = opened($l, $room, "after=$ids[0]", headers => $headers);
        is $s->{status}, 200, substr("@$headers", 0, 40) . ': 200';
        is $ready->{event}, 'ready', '... ready';
        my $reset = $s->next;
        is $reset->{event}, 'reset', '... and reset';
        is_deeply Longroom::message_contents($reset), [map {"m$_"} 3 .. 12], '... with the newest page';
        ok $reset->{json}{reset}, '... as a poll gives it';
        is $reset->{id}, $reset->{json}{cursor}, '... whose cursor is the id';
        my ($again) = opened($l, $room, undef, headers => ["Last-Event-ID: $ready->{id}"]);
        is $again->next->{event}, 'reset', 'a client that got only ready gets it again';
        my ($on) = opened($l, $room, undef, headers => ["Last-Event-ID: $reset->{id}"]);
        $l->post($room, my $content = "after @$headers");
        is $_->next->{json}{content}, $content, 'the stream goes on' for $s, $on;
        $l->sql("DELETE FROM messages WHERE content = '$content';");
        $_->close for $s, $again, $on;
    }
};

subtest 'removed messages are told by gap' => sub {
    my ($room, @ids) = room_with($l, map {"m$_"} 1 .. 9);
    $l->sql("DELETE FROM messages WHERE id IN ($ids[3], $ids[4]);");
    ok $l->eventually(10, sub { $l->poll($room, after => $ids[0], timeout => 0)->{json}{gap} }), 'polls tell of it';
    my ($s, $ready) = opened($l, $room, "after=$ids[1]");
    is_deeply $ready->{json}{gap_rooms}, [$room], 'ready has gap_rooms';
    my $gap = $s->next;
    is $gap->{event}, 'gap', 'gap comes before the messages';
    is $gap->{data}, qq({"rooms":["$room"]}), '... and names the room';
    is $s->contents(5), 'm3 m6 m7 m8 m9', 'then what remains';
    my ($again) = opened($l, $room, undef, headers => ["Last-Event-ID: $gap->{id}"]);
    my $first = $again->next;
    $first = $again->next if $first->{event} eq 'gap';
    is $first->{json}{content}, 'm3', 'a client that comes back after the gap misses nothing';
    $_->close for $s, $again;

    # A cursor that has passed a message that is in no log.
    my $before = $l->poll('general', timeout => 0)->{json}{cursor};
    $l->post('general', 'brief');
    my $both = "general,$room";
    (my $place = $l->poll('general', after => $before, timeout => 20)->{json}{cursor}) =~ s/\A(1\.[^.]+)\.[0-9]+/$1.$ids[1]/;
    ($s) = opened($l, $both, "after=$place");
    $gap = $s->next;
    is $gap->{event}, 'gap', 'a gap behind such a message';
    ($again) = opened($l, $both, undef, headers => ["Last-Event-ID: $gap->{id}"]);
    $l->post($room, 'last');
    ok $again->until(sub { grep { ($_->{json}{content} // '') eq 'last' } @{ $_[0]{events} } }), 'coming back after it';
    is join(' ', map { $_->{json}{content} // () } @{ $again->{events} }), 'm3 m6 m7 m8 m9 last', '... gives nothing twice';
    $_->close for $s, $again;
};

subtest 'an ephemeral room' => sub {
    my ($s, $ready) = opened($l, 'general');
    is_deeply $ready->{json}{ephemeral}, ['general'], 'is named by ready';
    $l->post('general', "u$_") for 1 .. 3;
    my @events = map { $s->next } 1 .. 3;
    is join(' ', map { $_->{json}{content} } @events), 'u1 u2 u3', 'its messages come';
    my ($again) = opened($l, 'general', undef, headers => ["Last-Event-ID: $events[0]{id}"]);
    is $again->contents(2), 'u2 u3', 'and come again after an id';
    $_->close for $s, $again;
};

subtest 'many streams of a room share what they get' => sub {
    my $room = room();
    my @streams = map { (opened($l, $room))[0] } 1 .. 50;
    my $before = $l->metrics('pushd');
    $l->post($room, 'to all');
    is_deeply [map { $_->contents(1) } @streams], [('to all') x 50], 'all get the message';
    my $after = $l->metrics('pushd');
    is $after->{deliveries_total} - $before->{deliveries_total}, 50, '50 deliveries';
    cmp_ok $after->{pages_rendered_total} - $before->{pages_rendered_total}, '<=', 2, '... rendered once';
    is $after->{streams}, 50, 'the streams are counted';
    $_->close for @streams;
    ok $l->eventually(20, sub { waiting($l) == 0 }), 'and no longer when they have left';
};

# ---------------------------------------------------------------- several rooms

sub rooms_said { return join ' ', map {"$_->{json}{room_id}:$_->{json}{content}"} @_ }

for my $all (0, 1) {
    subtest 'a stream of ' . ($all ? 'all rooms' : 'several rooms') => sub {
        my ($first, $second, $other) = map { room() } 1 .. 3;
        my @said = ("$first:a", "$other:b", "$second:c");
        my @ids = map { $l->post(split /:/)->{json}{id} } @said;
        $l->poll($second, after => $ids[0], timeout => 20);
        my $rooms = $all ? '*' : "$second,$first,general";
        my @expected = grep { $all || !/\A$other/ } @said;
        my ($s, $ready) = opened($l, $rooms, 'after=' . ($ids[0] - 1));
        is_deeply $ready->{json}{rooms}, [split /,/, $rooms], 'ready names them as asked for';
        is_deeply $ready->{json}{ephemeral}, $all ? undef : ['general'], '... and those that are ephemeral';
        my @got = map { $s->next } @expected;
        is rooms_said(@got), "@expected", 'it has what was said, in the order of the log';
        $l->post('general', 'not stored');
        is rooms_said($s->next), 'general:not stored', '... what is not stored';
        $l->post($other, 'elsewhere');
        is rooms_said($s->next), "$other:elsewhere", '... in any room' if $all;
        $l->post($first, 'later');
        is rooms_said($s->next), "$first:later", '... and what comes';
        my ($again) = opened($l, $rooms, undef, headers => ["Last-Event-ID: $got[0]{id}"]);
        is rooms_said($again->next), $expected[1], 'an id continues all of them';
        $_->close for $s, $again;
    };
}

subtest 'rooms taken in and left keep the cursor' => sub {
    my ($first, $second) = (room(), room());
    my ($s, $ready) = opened($l, $first);
    $l->post($second, 'before');
    $l->post($first, 'one');
    my $one = $s->next;
    $s->close;
    $l->post($second, 'meanwhile');
    $l->post($first, 'two');
    my ($both) = opened($l, "$first,$second", undef, headers => ["Last-Event-ID: $one->{id}"]);
    my @got = map { $both->next } 1 .. 2;
    is rooms_said(@got), "$second:meanwhile $first:two", 'a room taken in, from the cursor on';
    $both->close;
    $l->post($first, 'not heard');
    $l->post($second, 'three');
    my ($left) = opened($l, $second, undef, headers => ["Last-Event-ID: $got[1]{id}"]);
    is $left->contents(1), 'three', 'a room left is no longer heard';
    $left->close;
};

subtest 'gaps and resets of several rooms' => sub {
    my @rooms = map { room() } 1 .. 3;
    my $list = join ',', @rooms;
    my @ids = map { $l->post($rooms[$_ % 3], "m$_")->{json}{id} } 0 .. 8;
    $l->poll($rooms[2], after => $ids[7], timeout => 20);
    $l->sql("DELETE FROM messages WHERE id IN ($ids[1], $ids[3]);");
    ok $l->eventually(10, sub { $l->poll($_, after => $ids[0], timeout => 0)->{json}{gap} }), 'polls tell of it' for @rooms[0, 1];
    for my $of ($list, '*') {
        my ($s, $ready) = opened($l, $of, "after=$ids[0]");
        is_deeply [sort @{ $ready->{json}{gap_rooms} }], [sort @rooms[0, 1]], "$of: ready has gap_rooms";
        my $gap = $s->next;
        is $gap->{event}, 'gap', '... gap comes';
        is_deeply [sort @{ $gap->{json}{rooms} }], [sort @rooms[0, 1]], '... and names both';
        is $s->contents(6), 'm2 m4 m5 m6 m7 m8', '... then what remains';
        my ($reset, $place) = opened($l, $of, undef, headers => ['Last-Event-ID: 1.00000000.7']);
        is $place->{event}, 'ready', 'a cursor of another log: ready';
        my $page = $reset->next;
        is "$page->{event} $page->{json}{count} @{ $page->{json}{messages} }", 'reset 0 ', '... and a reset without messages';
        is $page->{id}, $page->{json}{cursor}, '... whose cursor is the id';
        my ($retry) = opened($l, $of, undef, headers => ["Last-Event-ID: $place->{id}"]);
        is $retry->next->{event}, 'reset', '... again for a client that had only ready';
        $l->post($rooms[1], "after $of");
        is $_->next->{json}{content}, "after $of", 'the streams go on' for $s, $reset, $retry;
        # While it waits, a message is removed that it has; that is told to nobody.
        $l->sql("DELETE FROM messages WHERE content = 'after $of';");
        $_->close for $s, $reset, $retry;
    }
};

# ---------------------------------------------------------------- HTTP

subtest 'HTTP/1.0 has no chunks' => sub {
    my ($room, @ids) = room_with($l, 'one', 'two');
    my ($s, $ready) = opened($l, $room, "after=$ids[0]", version => '1.0');
    is $ready->{event}, 'ready', 'ready';
    unlike $s->{head}, qr/Transfer-Encoding/, 'no chunks';
    like $s->{head}, qr/^Connection: close\r$/m, 'the connection closes at the end';
    is $s->contents(1), 'two', 'a message';
    $l->post($room, 'three');
    is $s->contents(1), 'three', 'a shared chunk is sent without its frame';
    is $s->{text} . $s->{c}->bytes, '', 'and nothing else';
    $s->close;
};

subtest 'HEAD gets the head' => sub {
    my $c = $l->connect('pushd');
    $c->write(Stream::request(path(room()), method => 'HEAD') . Longroom::get_bytes('/rooms/room_1/poll?timeout=0'));
    my $answer = $c->answer(20, 'HEAD');
    is $answer->{status}, 200, 'it is complete';
    is $answer->{headers}{'content-type'}, 'text/event-stream', '... and says what GET would';
    is $c->answer(20)->{status}, 200, 'the next request is answered';
};

subtest 'other requests are refused as polls are' => sub {
    my %rows = (
        POST   => [405, 'method-not-allowed', path('room_1')],
        DELETE => [405, 'method-not-allowed', path('room_1')],
        'GET '  => [400, 'bad-room-name', path('room_01')],
        'GET  ' => [400, 'bad-cursor', path('room_1', 'after=x')],
        'GET   ' => [400, 'bad-parameter', path('room_1', 'after=1&after=1')],
        'GET    ' => [404, 'not-found', path('room_1') . '/'],
    );
    for my $method (sort keys %rows) {
        my ($status, $type, $path) = @{ $rows{$method} };
        my $answer = $l->connect('pushd')->ask(Stream::request($path, method => $method =~ s/ +//r), 20);
        Longroom::is_problem($answer, $status, $type, "$method$path");
        next if $status != 405;
        is $answer->{headers}{allow}, 'GET, HEAD', '... Allow';
        like $answer->{json}{detail}, qr/GET or HEAD/, '... and the text says the same';
    }
};

subtest 'chunks are framed exactly' => sub {
    my $room = room();
    my $c = $l->connect('pushd');
    $c->write(Stream::request(path($room)));
    ok $l->eventually(20, sub { $c->hangs_up(0.01); $c->bytes =~ /event: ready.*\n\n\r\n\z/s }), 'ready ends its chunk';
    my $before = length $c->bytes;
    my $message = $l->post($room, 'exactly')->{json};
    my $line;
    $l->eventually(20, sub { $c->hangs_up(0.01); $line = substr $c->bytes, $before; $line =~ /\n\n\r\n\z/ });
    my ($size, $content) = $line =~ /\A([0-9a-f]+)\r\n(.*)\r\n\z/s;
    is hex($size // 0), length($content // ''), 'the size is that of the content';
    like $content, qr/\Aid: $CURSOR\ndata: \{.*\}\n\n\z/, 'the content is one event';
    $c->close;
};

# ---------------------------------------------------------------- slow readers

subtest 'a client that stops reading gets everything later, in larger pieces' => sub {
    my $room = room();
    my ($slow) = opened($l, $room, undef, rcvbuf => 4096);
    my ($quick) = opened($l, $room);
    my $count = 400;
    my $text = 'x' x 3000;
    $l->send_all($room, [map {"$_ $text"} 1 .. $count], clients => 1);
    ok $quick->until($count, 60), 'another client gets them';
    is $l->metrics('pushd')->{'connections{state="writing"}'}, 1, 'the slow one is being written to';
    ok $slow->until($count, 60), 'it gets all when it reads';
    is_deeply [map { $_->{json}{content} =~ /\A([0-9]+)/ } @{ $slow->{events} }], [1 .. $count], '... in order, once';
    cmp_ok scalar @{ $slow->{chunks} }, '<', $count / 2, '... in fewer pieces: ' . @{ $slow->{chunks} };
    $slow->{events} = [];
    $l->post($room, 'later');
    is $slow->contents(1), 'later', 'and goes on';
    $_->close for $slow, $quick;
};

subtest 'a client far behind gets page after page' => sub {
    my $room = room();
    my $count = 2500;
    $l->send_all($room, [map { "$_ " . 'y' x 600 } 1 .. $count], clients => 16);
    my @expected = map { $_->{id} } @{ $l->whole_history($room) };
    my @streams = map { Stream->open($l, path($room, 'after=0')) } 1 .. 3;
    for my $s (@streams) {
        ok $s->until($count + 1, 60), 'all come';
        my $ready = shift @{ $s->{events} };
        is_deeply [map { $_->{json}{id} } @{ $s->{events} }], \@expected, '... in order, once';
        $s->close;
    }
};

# ---------------------------------------------------------------- the end

subtest 'a client that hangs up is forgotten' => sub {
    my $room = room();
    my ($s) = opened($l, $room);
    my ($slow) = opened($l, $room, undef, rcvbuf => 4096);
    $l->send_all($room, [map { "$_ " . 'z' x 10_000 } 1 .. 60], clients => 2);
    ok $l->eventually(20, sub { $l->metrics('pushd')->{'connections{state="writing"}'} == 2 }), 'both are written to';
    my $before = $l->metrics('pushd')->{'streams_ended_total{reason="client"}'};
    $_->close for $s, $slow;
    ok $l->eventually(20, sub { waiting($l) == 0 }), 'no stream is left';
    is $l->metrics('pushd')->{'streams_ended_total{reason="client"}'} - $before, 2, 'their ends are counted';
};

subtest 'a stream ends after push.stream_life' => sub {
    $l->set_in_file("[push]\nstream_life = 2s");
    my ($room, @ids) = room_with($l, 'm1');
    my $begin = time;
    my $late = Stream->open($l, path($room));
    my ($s) = opened($l, $room, undef, behind => Longroom::get_bytes("/rooms/$room/poll?timeout=0&after=0"));
    my $end = $s->next;
    my $life = time - $begin;
    is $end->{event}, 'end', 'it ends';
    cmp_ok $life, '>=', 1.6, '... after five sixths of it at least';
    cmp_ok $life, '<', 3, '... and soon';
    is $end->{retry}, 100, '... with a retry of 100 ms';
    is $end->{data}, '{"reason":"life"}', '... and says why';
    ok $s->is_over(5), 'the response is complete';
    my $answer = $s->{c}->answer(20);
    is $answer->{status}, 200, 'the request sent behind it is answered';
    $l->post($room, 'between');
    my ($again) = opened($l, $room, undef, headers => ["Last-Event-ID: $end->{id}"]);
    is $again->contents(1), 'between', 'coming back misses nothing';
    my ($old) = opened($l, $room, undef, version => '1.0');
    is $old->next->{event}, 'end', 'a stream over HTTP/1.0 ends';
    ok $old->is_over(5), '... by the end of the connection';
    is $old->{text}, '', '... and without a chunk';
    $l->set_in_file('');
    cmp_ok $l->metrics('pushd')->{'streams_ended_total{reason="life"}'}, '>=', 3, 'their ends are counted';
    $_->close for $s, $again, $late;
};

subtest 'a shutdown ends each stream' => sub {
    my $room = room();
    my @streams = map { (opened($l, $room, undef, version => $_))[0] } ('1.1') x 5, '1.0';
    my ($slow) = opened($l, $room, undef, rcvbuf => 4096);
    $l->send_all($room, [map { "$_ " . 'z' x 10_000 } 1 .. 40], clients => 2);
    $_->until(40) for @streams;
    $_->{events} = [] for @streams;
    my $begin = time;
    $l->signal('pushd', 'TERM');
    for my $s (@streams) {
        my $end = $s->next;
        is "$end->{event} $end->{data}", 'end {"reason":"shutdown"}', 'a stream ends';
        cmp_ok $end->{retry}, '<=', 1000, '... with a retry';
        ok $s->is_over(5), '... and is complete';
        ok $s->{c}->hangs_up(5), '... with its connection';
    }
    ok $slow->until(sub { $_[0]{over} }, 20), 'one that is read slowly ends when it is read';
    is $slow->{events}[-1]{data}, '{"reason":"shutdown"}', '... with the same event';
    $l->await_end('pushd');
    cmp_ok time - $begin, '<', 15, 'longroom-pushd ends in time';
    $l->start_program('pushd');
    $l->post($room, 'next');
    for my $id ($slow->{events}[-1]{id}) {
        my ($s) = opened($l, $room, undef, headers => ["Last-Event-ID: $id"]);
        my $last = (split / /, $slow->{events}[-2]{json}{content})[0];
        ok $s->until(sub { grep { ($_->{json}{content} // '') eq 'next' } @{ $_[0]{events} } }), 'and goes on from there';
        is scalar(@{ $s->{events} }) + grep({ $_->{event} eq 'message' } @{ $slow->{events} }), 41, '... missing nothing';
        $s->close;
    }
};

$l->stop;

# ---------------------------------------------------------------- limits and rights

subtest 'limits are told by an event' => sub {
    my $l = Visitors::start('token', { ann => { read => '*', write => '*' } }, operator => 1,
        settings => { 'limits.user_polls' => 2, 'push.max_connections' => 12 });
    my @auth = ('Authorization: Bearer ' . Visitors::token('ann'));
    my @held = map { (opened($l, 'room_1', undef, headers => \@auth))[0] } 1 .. 2;
    my ($s, $problem) = opened($l, 'room_1', undef, headers => \@auth);
    is $s->{status}, 200, 'one stream too many of a user gets 200';
    like $s->{head}, qr{^Content-Type: text/event-stream\r$}m, '... a stream';
    is $problem->{event}, 'problem', '... a problem';
    is $problem->{retry}, 1000, '... a retry';
    is "$problem->{json}{type} $problem->{json}{status}", 'rate-limited 429', '... what is wrong';
    ok $s->is_over(5), '... and its end';
    is $s->{c}->ask(Stream::request('/rooms/room_1/poll?timeout=0', headers => \@auth))->{status}, 429, 'streams count as polls';
    $held[0]->close;
    ok $l->eventually(20, sub { waiting($l) == 1 }), 'one leaves';
    my ($next, $ready) = opened($l, 'room_1', undef, headers => \@auth);
    is $ready->{event}, 'ready', 'and another may come';
    my @idle = map { $l->connect('pushd') } 1 .. 9;
    ($s, $problem) = opened($l, 'room_1', undef, headers => \@auth);
    is "$s->{status} $problem->{event} $problem->{json}{type}", '200 problem overloaded', 'too many connections';
    like $s->{head}, qr/^Connection: close\r$/m, '... closes';
    ok $s->is_over(5) && $s->{c}->hangs_up(5), '... completely';
    $l->stop;
};

subtest 'a stream ends when its token expires' => sub {
    my $l = Visitors::start('token', { ann => { read => '*', write => '*' } }, operator => 1, settings => { 'auth.clock_skew' => '0s' });
    my $exp = int(time) + 3;
    my @streams = map { Stream->open($l, path('room_1'), headers => ['Authorization: Bearer ' . Visitors::token('ann', exp => $exp, jti => $_)]) } 1 .. 5;
    is $_->next->{event}, 'ready', 'a stream begins' for @streams;
    my %sender = (Authorization => 'Bearer ' . Visitors::token('ann'), 'Content-Type' => 'text/plain');
    $l->request(POST => '/rooms/room_1/messages', content => 'in time', headers => \%sender);
    is $_->contents(1), 'in time', 'a message comes' for @streams;
    Time::HiRes::sleep(0.001) while Time::HiRes::time() < $exp + 0.005;
    is $l->request(POST => '/rooms/room_1/messages', content => 'too late', headers => \%sender)->{status}, 201,
        'a message is sent after the expiry';
    for my $s (@streams) {
        my $end = $s->next;
        is "$end->{event} $end->{data}", 'end {"reason":"token-expired"}', 'the stream ends without it';
        ok !exists $end->{retry} && $end->{id}, '... with an id and no retry';
        ok $s->is_over(5), '... and is complete';
    }
    cmp_ok time, '<', $exp + 2, 'soon';
    my $answer = $l->connect('pushd')->ask(Stream::request(path('room_1')));
    Longroom::is_problem($answer, 401, 'unauthorized', 'a stream without a token');
    $l->stop;
};

subtest 'a silent stream tells that it is alive' => sub {
    my ($of_several, $event, $id, $first, $comment, $second, $others, $last) = $silence->result;
    is $event, 'cursor {}', 'the cursor is told when it has moved';
    is $of_several, 'cursor {}', '... to a stream of several rooms too';
    is $id, 'its id', '... as the id';
    cmp_ok $first, '>', 14, '... not before 15 s';
    is $comment, '1 comment', 'then a comment is sent';
    cmp_ok $second - $first, '>', 24, '... after 25 s more';
    is $others, 'cursor', '... and no event in between';
    is $last, 'at last', 'the stream goes on';
    $silent->stop;
};

done_testing;
