# Who is here (PROTOCOL section 6): GET .../presence, and polls and streams with
# presence=1, in all modes.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Longroom;
use Stream;
use Test::More;
use Time::HiRes qw(time);
use Visitors;

my %ON = ('push.presence' => 'users', 'push.presence_grace' => '1s');

# How a user comes: in mode open by the request, in others by what identifies them.
sub headers_of { my ($mode, $who) = @_; return $mode eq 'open' ? {} : Visitors::headers($mode, $who) }

sub target {
    my ($mode, $path, $who, %query) = @_;
    if ($mode eq 'open' && defined $who) {
        my ($id, $name) = ref $who ? @$who : ($who);
        $query{user_id} = $id;
        $query{username} = $name if defined $name;
    }
    return $path . Longroom::query(%query);
}

sub ask_as {
    my ($l, $mode, $who, $path, %query) = @_;
    return $l->request(GET => target($mode, $path, $who, %query), headers => headers_of($mode, $who));
}

# A stream that is ready.
sub stream_as {
    my ($l, $mode, $who, $rooms, %query) = @_;
    my $headers = headers_of($mode, $who);
    my $s = Stream->open($l, target($mode, "/rooms/$rooms/events", $who, %query), to => 'nginx',
        headers => [map {"$_: $headers->{$_}"} sort keys %$headers]);
    my $ready = $s->next;
    is $ready->{event}, 'ready', 'a stream is ready' if $ready->{event} ne 'ready';
    return $s;
}

# A poll that waits, on a connection of its own.
sub poll_as {
    my ($l, $mode, $who, $rooms, %query) = @_;
    my $headers = headers_of($mode, $who);
    my $c = $l->connect;
    $c->write('GET ' . target($mode, "/rooms/$rooms/poll", $who, %query) . " HTTP/1.1\r\nHost: localhost\r\n"
        . join('', map {"$_: $headers->{$_}\r\n"} sort keys %$headers) . "\r\n");
    return $c;
}

sub page_of { return Longroom::with_json($_[0]->answer(40) || { status => 599, headers => {}, content => '' }) }

# "room_1 3 (1): ann,bob", as a room is told.
sub line_of {
    my ($room) = @_;
    my $users = $room->{users} ? join ',', map { $_->{username} } @{ $room->{users} } : 'no users';
    return "$room->{room_id} $room->{count} ($room->{anonymous}): $users";
}

sub lines_of { my ($answer) = @_; return join '; ', map { line_of($_) } @{ $answer->{json}{rooms} || [{ room_id => "status $answer->{status}", count => '-', anonymous => '-' }] } }

sub who { my ($l, $mode, $who, $rooms) = @_; return lines_of(ask_as($l, $mode, $who, "/rooms/$rooms/presence")) }

sub becomes {
    my ($l, $mode, $who, $rooms, $expected, $title) = @_;
    my $got;
    $l->eventually(20, sub { ($got = who($l, $mode, $who, $rooms)) eq $expected });
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is $got, $expected, $title;
}

# The next presence that a stream gets, until it is so.
sub hears {
    my ($s, $expected, $title) = @_;
    my $got = 'nothing';
    my $deadline = time + 20;
    while ($got ne $expected && time < $deadline) {
        my $event = $s->next(5);
        last if $event->{event} eq 'nothing';
        $got = ($event->{json}{type} // '') eq 'presence' ? line_of($event->{json}) : $event->{event};
    }
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is $got, $expected, $title;
}

sub presence_in { my ($page) = @_; return join '; ', map { line_of($_) } grep { $_->{type} eq 'presence' } @{ $page->{json}{messages} } }

# It takes 45 s, beside the other tests. The lines say what came, and after how long.
my $slow = Longroom->start(settings => { %ON, 'auth.mode' => 'open' }, operator => 1);
my $patience = Longroom->background(sub {
    my @lines;
    my $polls = sub {
        my ($timeout, $meanwhile) = @_;
        my $begin = time;
        my @polls = map { poll_as($slow, 'open', $_, 'a', presence => 1, timeout => $timeout) } qw(ann bob);
        $meanwhile->();
        push @lines, map({ presence_in(page_of($_)) } @polls), time - $begin;
    };
    my $plain;
    $polls->(40, sub { $plain = poll_as($slow, 'open', 'cyd', 'a', timeout => 14) });
    $polls->(40, sub { push @lines, page_of($plain)->{json}{count} });
    $polls->(13, sub {});
    $polls->(40, sub {
        $slow->eventually(20, sub { $slow->metrics('pushd')->{'connections{state="waiting"}'} == 2 });
        $slow->post('a', 'Hello');
    });
    return @lines;
});

# ---------------------------------------------------------------- off

subtest 'off, there is nothing of it' => sub {
    my $l = Visitors::start('token', { ann => { read => '*', write => '*' } });
    $l->request(POST => '/rooms/there/messages', content => 'x', headers => Visitors::headers('token', 'ann'));
    for my $who (undef, 'ann') {
        my @answers = map { ask_as($l, 'token', $who, "/rooms/$_/presence") } 'there', 'not', '*', 'a,b', 'room_026', 'a,a';
        Longroom::is_problem($_, 404, 'not-found', 'not found, whoever asks, whatever for') for @answers;
        is scalar(keys %{ { map { $_->{content} => 1 } @answers } }), 1, '... in the same words';
    }
    $l->stop;

    $l = Longroom->start(settings => { 'auth.mode' => 'open' });
    is $l->poll(join(',', 1 .. 11), presence => 1, timeout => 0)->{json}{count}, 0, 'presence=1 has no effect';
    is $l->poll('*', presence => 1, timeout => 0)->{status}, 200, '... for all rooms';
    is $l->poll('a', presence => 'x', user_id => "\x01", timeout => 0)->{status}, 200, '... nor has another value';
    my $s = stream_as($l, 'open', 'ann', 'a', presence => 1);
    $l->post('a', 'first');
    is $s->contents(1), 'first', '... in a stream';
    $s->close;
    $l->stop;
};

# ---------------------------------------------------------------- who asks

my @TARGETS = (
    # Path and query, status, type.
    ['/rooms/*/presence',                     400, 'bad-room-name'],
    ['/rooms/a,*/presence',                   400, 'bad-room-name'],
    ['/rooms/room_026/presence',              400, 'bad-room-name'],
    ['/rooms/a,a/presence',                   400, 'bad-room-name'],
    ['/rooms/,/presence',                     400, 'bad-room-name'],
    ['/rooms/' . join(',', 1 .. 101) . '/presence', 400, 'bad-parameter'],
    ['/rooms/a/presence/',                    404, 'not-found'],
    ['/rooms/a/poll?presence=2',              400, 'bad-parameter'],
    ['/rooms/a/poll?presence=',               400, 'bad-parameter'],
    ['/rooms/a/poll?presence=1&presence=1',   400, 'bad-parameter'],
    ['/rooms/a/events?presence=yes',          400, 'bad-parameter'],
    ['/rooms/*/poll?presence=1',              400, 'bad-parameter'],
    ['/rooms/*/events?presence=1',            400, 'bad-parameter'],
    ['/rooms/' . join(',', 1 .. 11) . '/poll?presence=1',   400, 'bad-parameter'],
    ['/rooms/' . join(',', 1 .. 11) . '/events?presence=1', 400, 'bad-parameter'],
    ['/rooms/' . join(',', 1 .. 10) . '/poll?presence=1&timeout=0', 200],
    ['/rooms/' . join(',', 1 .. 11) . '/poll?presence=0&timeout=0', 200],
    ['/rooms/*/poll?presence=0&timeout=0',    200],
    ['/rooms/a/poll?timeout=0&user_id=',      400, 'bad-parameter'],
    ['/rooms/a/poll?timeout=0&user_id=' . 'x' x 128, 200],
    ['/rooms/a/poll?timeout=0&user_id=' . 'x' x 129, 400, 'bad-parameter'],
    ['/rooms/a/poll?timeout=0&user_id=a%00b', 400, 'bad-parameter'],
    ['/rooms/a/poll?timeout=0&user_id=a%0Ab', 400, 'bad-parameter'],
    ['/rooms/a/poll?timeout=0&user_id=%C2%85', 400, 'bad-parameter'],
    ['/rooms/a/poll?timeout=0&user_id=%FF',   400, 'bad-parameter'],
    ['/rooms/a/poll?timeout=0&user_id=%4',    400, 'bad-parameter'],
    ['/rooms/a/poll?timeout=0&user_id=1&user_id=1', 400, 'bad-parameter'],
    ['/rooms/a/events?user_id=a%7Fb',         400, 'bad-parameter'],
    ['/rooms/a/poll?timeout=0&user_id=1&username=', 400, 'bad-parameter'],
    ['/rooms/a/poll?timeout=0&user_id=1&username=a%1Fb', 400, 'bad-parameter'],
    ['/rooms/a/poll?timeout=0&username=%FF',  200],
    ['/rooms/a/poll?timeout=0&user_id=%C3%A4&username=%F0%9F%98%80', 200],
);

subtest 'what may be asked for' => sub {
    my $l = Longroom->start(settings => { %ON, 'auth.mode' => 'open', 'auth.origins' => 'https://app.example' });
    for my $row (@TARGETS) {
        my ($target, $status, $type) = @$row;
        my $answer = $l->request(GET => $target);
        my $title = substr $target, 0, 70;
        $status == 200 ? is($answer->{status}, 200, $title) : Longroom::is_problem($answer, $status, $type, $title);
    }
    my $path = '/rooms/a,b/presence';
    my $answer = $l->request(GET => $path);
    is $answer->{content}, qq({"rooms":[{"room_id":"a","count":0,"anonymous":0,"users":[]},{"room_id":"b","count":0,"anonymous":0,"users":[]}]}\n),
        'rooms in which nobody is';
    is $answer->{headers}{'cache-control'}, 'no-store', '... are not to be kept';
    like $l->request(GET => '/rooms/b,a/presence')->{content}, qr/"b".*"a"/, '... in the order in which they are asked for';
    my $head = $l->request(HEAD => $path);
    is "$head->{status} $head->{content}", '200 ', 'HEAD gets the head';
    is $head->{headers}{'content-length'}, length $answer->{content}, '... with the length';
    my $post = $l->request(POST => $path, content => '');
    is "$post->{status} $post->{headers}{allow}", '405 GET, HEAD', 'other methods are not allowed';
    is $l->request(GET => $path, content => 'x')->{status}, 400, 'a body is refused';
    my $preflight = $l->request(OPTIONS => $path, headers => { Origin => 'https://app.example', 'Access-Control-Request-Method' => 'GET' });
    is "$preflight->{status} $preflight->{headers}{'access-control-allow-origin'}", '204 https://app.example', 'a listed origin may ask';
    is $l->request(GET => $path, headers => { Origin => 'https://app.example' })->{headers}{'access-control-allow-origin'}, 'https://app.example',
        '... and gets the answer';
    is $l->connect('pushd')->ask(Longroom::get_bytes('/x/y/rooms/a/presence'), 20)->{status}, 200, 'any prefix will do';
    $l->stop;
};

# ---------------------------------------------------------------- each mode

my %VISITORS = (
    ann  => { id => '2', name => 'ann', read => 'team_* news', write => '*' },
    ann2 => { id => '2', name => 'Ann B.', read => 'team_* news', write => '*' },
    bob  => { id => '3', name => "b\x{c3}\x{b6}b \"q\"", type => 'bot', read => 'team_* news', write => '*' },
    eve  => { id => '4', read => 'news', write => '*' },
);
my $BOB = "b\x{f6}b \"q\"";
my %NAMES = (open => { ann => ['2', 'ann'], ann2 => ['2', 'Ann B.'], bob => ['3', "b\xc3\xb6b \"q\""], eve => ['4', 'eve'] });
for my $mode (qw(open nginx token)) {
    # A token's claims are characters, the others bytes of UTF-8.
    $VISITORS{bob}{name} = $mode eq 'token' ? $BOB : $NAMES{open}{bob}[1];
    my $as = sub { my ($name) = @_; return !defined $name ? undef : $NAMES{$mode}{$name} // $name };
    my $start = sub {
        my (%settings) = @_;
        my %all = (%ON, 'auth.anonymous_read' => 'news', %settings);
        return Visitors::start($mode, \%VISITORS, settings => \%all, operator => 1) if $mode ne 'open';
        delete $all{'auth.anonymous_read'};
        return Longroom->start(settings => { %all, 'auth.mode' => 'open' }, operator => 1);
    };
    my $eve = $mode eq 'open' ? 'eve' : '4';

    subtest "mode $mode: who waits in a room is there" => sub {
        my $l = $start->();
        my $ann = $as->('ann');
        is who($l, $mode, $ann, 'team_red'), 'team_red 0 (0): ', 'who asks is not there';
        my $stream = stream_as($l, $mode, $ann, 'team_red');
        becomes($l, $mode, $ann, 'team_red', 'team_red 1 (0): ann', 'a stream');
        my @more = (stream_as($l, $mode, $ann, 'team_red'), stream_as($l, $mode, $ann, 'team_red,team_blue'));
        my $poll = poll_as($l, $mode, $ann, 'team_red', timeout => 40);
        $l->eventually(20, sub { $l->metrics('pushd')->{'connections{state="waiting"}'} == 4 });
        is who($l, $mode, $ann, 'team_red,team_blue'), 'team_red 1 (0): ann; team_blue 1 (0): ann', 'four of one user count once';
        my $bob = poll_as($l, $mode, $as->('bob'), 'team_red', timeout => 40);
        becomes($l, $mode, $ann, 'team_red', "team_red 2 (0): ann,$BOB", 'a poll');
        is ask_as($l, $mode, $ann, '/rooms/team_red/presence')->{json}{rooms}[0]{users}[1]{sender_type}, $mode eq 'open' ? 'user' : 'bot', '... with its sender_type';
        $_->close for @more;
        is who($l, $mode, $ann, 'team_blue'), 'team_blue 1 (0): ann', 'who leaves stays for the grace';
        becomes($l, $mode, $ann, 'team_blue', 'team_blue 0 (0): ', '... and no longer');
        is who($l, $mode, $ann, 'team_red'), "team_red 2 (0): ann,$BOB", 'elsewhere they remain';
        my $all = stream_as($l, $mode, $ann, 'team_green');
        $all->close;
        $_->close for $stream, $poll, $bob;
        becomes($l, $mode, $ann, 'team_red', 'team_red 0 (0): ', 'all have left');
        $l->stop;
    };

    subtest "mode $mode: the name that came last" => sub {
        my $l = $start->();
        my @streams = stream_as($l, $mode, $as->('ann'), 'team_red', presence => 1);
        hears($streams[0], 'team_red 1 (0): ann', 'one name');
        push @streams, stream_as($l, $mode, $as->('ann2'), 'team_red');
        is who($l, $mode, $as->('ann'), 'team_red'), 'team_red 1 (0): Ann B.', 'another name';
        hears($streams[0], 'team_red 1 (0): Ann B.', '... is told');
        # Requests that equal an earlier one are recognised without being parsed.
        for my $name (qw(ann ann2 ann ann2 ann)) {
            my $poll = poll_as($l, $mode, $as->($name), 'team_red', timeout => 40);
            becomes($l, $mode, $as->('ann'), 'team_red', 'team_red 1 (0): ' . ($name eq 'ann' ? 'ann' : 'Ann B.'), "a poll of $name");
            $poll->close;
        }
        $_->close for @streams;
        $l->stop;
    };

    subtest "mode $mode: users whose requests differ only in who they are" => sub {
        my $l = $start->();
        my @polls = map { poll_as($l, $mode, $as->($_), 'team_red', timeout => 40) } qw(ann bob);
        becomes($l, $mode, $as->('ann'), 'team_red', "team_red 2 (0): ann,$BOB", 'are two');
        for (1 .. 3) {
            my %headers = ('Content-Type' => 'text/plain', %{ headers_of($mode, $as->('ann')) });
            is $l->request(POST => '/rooms/team_red/messages', content => 'x', headers => \%headers)->{status}, 201, 'a message';
            is page_of($_)->{json}{count}, 1, 'each gets its message' for @polls;
            @polls = map { poll_as($l, $mode, $as->($_), 'team_red', timeout => 40) } qw(ann bob);
        }
        is who($l, $mode, $as->('ann'), 'team_red'), "team_red 2 (0): ann,$BOB", '... and stays';
        $_->close for @polls;
        $l->stop;
    };

    subtest "mode $mode: anonymous" => sub {
        my $l = $start->();
        my @streams = map { stream_as($l, $mode, undef, 'news') } 1 .. 3;
        push @streams, stream_as($l, $mode, $as->('eve'), 'news', presence => 1);
        becomes($l, $mode, undef, 'news', "news 4 (3): $eve", 'each counts');
        (shift @streams)->close;
        $l->eventually(20, sub { $l->metrics('pushd')->{streams} == 3 });
        unshift @streams, stream_as($l, $mode, undef, 'news');
        is who($l, $mode, undef, 'news'), "news 4 (3): $eve", 'one that comes takes the place of one that left';
        (shift @streams)->close;
        becomes($l, $mode, undef, 'news', "news 3 (2): $eve", '... whose grace ends');
        $_->close for @streams;
        becomes($l, $mode, undef, 'news', 'news 0 (0): ', 'all have left');
        $l->stop;
    };

    next if $mode eq 'open';

    subtest "mode $mode: rights" => sub {
        my $l = $start->();
        my $stream = stream_as($l, $mode, 'ann', 'team_red,news');
        my @refused = map { ask_as($l, $mode, 'eve', "/rooms/$_/presence") } 'team_red', 'team_none', 'team_red,team_none';
        is $_->{status}, 403, 'who may not read is refused' for @refused;
        is $refused[0]{content}, $refused[1]{content}, '... in the same words for a room that is not there';
        is ask_as($l, $mode, undef, "/rooms/$_/presence")->{status}, 401, "... and who is not known: $_" for qw(team_red team_none);
        my $answer = ask_as($l, $mode, 'eve', '/rooms/team_red,news,team_none/presence');
        is lines_of($answer), 'news 1 (0): ann', 'what may be read is told';
        is_deeply $answer->{json}{forbidden}, ['team_red', 'team_none'], '... and the others are named';
        my $page = page_of(poll_as($l, $mode, 'eve', 'team_red,news', presence => 1, timeout => 0));
        is presence_in($page), 'news 1 (0): ann', 'a poll is told of what it may read';
        is_deeply $page->{json}{forbidden}, ['team_red'], '... of no other';
        my $eves = stream_as($l, $mode, 'eve', 'team_red,news', presence => 1);
        hears($eves, "news 2 (0): ann,$eve", 'so is a stream');
        is who($l, $mode, 'ann', 'team_red'), 'team_red 1 (0): ann', 'nobody is in a forbidden room';
        my $spoof = $l->request(GET => '/rooms/news/poll?timeout=0&user_id=%01&username=x', headers => headers_of($mode, 'ann'));
        is $spoof->{status}, 200, 'user_id and username have no effect';
        my $named = poll_as($l, $mode, undef, 'news', user_id => 2, username => 'not ann', timeout => 40);
        becomes($l, $mode, 'ann', 'news', "news 3 (1): ann,$eve", '... for the anonymous either');
        $_->close for $stream, $eves, $named;
        $l->stop;
    };
}

# ---------------------------------------------------------------- polls

my $l = Longroom->start(settings => { %ON, 'auth.mode' => 'open' }, operator => 1);
my $next = 0;
sub room { return 'room_' . (100 + ++$next) }

subtest 'a page ends with its rooms' => sub {
    my ($room, $other) = (room(), room());
    my $s = stream_as($l, 'open', 'ann', "$room,$other");
    my $id = $l->post($room, 'one')->{json}{id};
    $l->post($room, 'two');
    $l->poll('*', after => $id, timeout => 20);
    my $page = $l->poll($room, after => $id - 1, presence => 1, user_id => 'bob')->{json};
    is $page->{count}, 3, 'count has it too';
    is join(' ', map { $_->{content} // $_->{type} } @{ $page->{messages} }), 'one two presence', 'it comes behind the messages';
    is_deeply $page->{messages}[-1], { type => 'presence', id => undef, room_id => $room, count => 2, anonymous => 0,
        users => [map { +{ user_id => $_, username => $_, sender_type => 'user' } } qw(ann bob)] }, '... the room as it is';
    is $l->poll($room, after => $id - 1, timeout => 0)->{json}{count}, 2, 'who does not ask gets messages alone';
    my $empty = $l->poll("$room,$other", after => $page->{cursor}, presence => 1, timeout => 0);
    is presence_in($empty), "$room 2 (0): ann,bob; $other 1 (0): ann", 'an empty page has all rooms';
    is $empty->{json}{count}, 2, '... and counts them';
    becomes($l, 'open', undef, $other, "$other 1 (0): ann", 'a poll that does not wait makes nobody be there');
    my $begin = time;
    is presence_in($l->poll($room, presence => 1, timeout => 1, user_id => 'bob')), "$room 2 (0): ann,bob", 'when its time is up';
    cmp_ok time - $begin, '>', 0.9, '... and not sooner';
    $s->close;
};

# ---------------------------------------------------------------- streams

subtest 'a stream is told after ready, and of changes' => sub {
    my ($room, $other) = (room(), room());
    my $s = stream_as($l, 'open', 'ann', "$room,$other", presence => 1);
    my @first = map { $s->next } 1 .. 2;
    is join('; ', sort map { line_of($_->{json}) } @first), "$room 1 (0): ann; $other 1 (0): ann", 'one for each room';
    is_deeply [map { $_->{event} } @first], ['message', 'message'], '... as messages';
    my $plain = stream_as($l, 'open', 'bob', $room);
    hears($s, "$room 2 (0): ann,bob", 'who comes');
    $l->post($room, 'Hello');
    is $s->contents(1), 'Hello', 'messages come between';
    is $plain->contents(1), 'Hello', 'a stream that did not ask gets messages alone';
    $plain->close;
    hears($s, "$room 1 (0): ann", 'who leaves');
    my $told = $l->post($other, 'last');
    my $event = $s->next;
    my ($back) = Stream->open($l, "/rooms/$room,$other/events?presence=1", headers => ["Last-Event-ID: $first[0]{id}"]);
    is $back->next->{event}, 'ready', 'who comes back after presence';
    is join(' ', map { $_->next->{json}{content} // 'presence' } ($back) x 4), 'Hello last presence presence', '... misses nothing, and is told anew';
    $_->close for $s, $back;
};

subtest 'an id of presence passes what was before it' => sub {
    my ($room, $other) = (room(), room());
    my $s = stream_as($l, 'open', 'ann', $room, presence => 1);
    $s->next;
    my $id = $l->post($other, 'elsewhere')->{json}{id};
    $l->poll($other, after => $id - 1, timeout => 20);
    my $bob = stream_as($l, 'open', 'bob', $room);
    my $event = $s->next;
    like $event->{id}, qr/\A1\.[0-9a-f]{8}\.$id\b/, 'it is where the log is';
    $_->close for $s, $bob;
};

subtest 'HTTP/1.0, and HEAD' => sub {
    my $room = room();
    my $s = Stream->open($l, "/rooms/$room/events?presence=1&user_id=ann", version => '1.0');
    is $s->next->{event}, 'ready', 'a stream without chunks';
    hears($s, "$room 1 (0): ann", '... is told too');
    my $bob = stream_as($l, 'open', 'bob', $room);
    hears($s, "$room 2 (0): ann,bob", '... of changes');
    is $l->request(HEAD => "/rooms/$room/events?presence=1&user_id=cyd")->{status}, 200, 'HEAD of a stream';
    becomes($l, 'open', undef, $room, "$room 2 (0): ann,bob", '... makes nobody be there');
    $_->close for $s, $bob;
};

subtest 'a stream that is not read is told later of the room as it is then' => sub {
    my $room = room();
    my $s = Stream->open($l, "/rooms/$room/events?presence=1&user_id=ann", rcvbuf => 2048);
    is $s->next->{event}, 'ready', 'it is ready';
    $s->next;
    my $long = 'x' x 16_000;
    $l->post($room, "$long $_") for 1 .. 60;
    my @others = map { stream_as($l, 'open', $_, $room) } qw(bob cyd);
    becomes($l, 'open', undef, $room, "$room 3 (0): ann,bob,cyd", 'two come meanwhile');
    my $messages = 0;
    my $line = '';
    while ($line ne "$room 3 (0): ann,bob,cyd" && (my $event = $s->next(10))->{event} ne 'nothing') {
        $event->{json}{type} eq 'presence' ? ($line = line_of($event->{json})) : $messages++;
    }
    is $line, "$room 3 (0): ann,bob,cyd", 'it is told';
    $messages++ while $messages < 60 && $s->next(10)->{event} ne 'nothing';
    is $messages, 60, '... and gets each message';
    $_->close for $s, @others;
};

$l->stop;

# ---------------------------------------------------------------- settings

subtest 'counts tells no users' => sub {
    my $c = Longroom->start(settings => { %ON, 'push.presence' => 'counts', 'auth.mode' => 'open' }, operator => 1);
    my $s = stream_as($c, 'open', 'ann', 'a', presence => 1);
    my $again = stream_as($c, 'open', ['ann', 'Ann'], 'a');
    my $anonymous = stream_as($c, 'open', undef, 'a');
    hears($s, 'a 2 (1): no users', 'a stream');
    is $c->request(GET => '/rooms/a/presence')->{content}, qq({"rooms":[{"room_id":"a","count":2,"anonymous":1}]}\n), 'who asks';
    is presence_in($c->poll('a', presence => 1, timeout => 0)), 'a 2 (1): no users', 'a poll';
    unlike $c->poll('a', presence => 1, timeout => 0)->{content}, qr/ann/i, '... nothing that names a user';
    $_->close for $s, $again, $anonymous;
    $c->stop;
};

subtest 'limits.presence and push.presence_grace' => sub {
    my $c = Longroom->start(settings => { 'push.presence' => 'users', 'auth.mode' => 'open' }, operator => 1);
    ok $c->set_in_file("[limits]\npresence = 2\n"), 'two users are told';
    my @streams = map { stream_as($c, 'open', $_, 'a') } qw(ann bob cyd);
    becomes($c, 'open', undef, 'a', 'a 3 (0): ann,bob', 'the first ones; all are counted');
    ok $c->set_in_file("[limits]\npresence = 0\n[push]\npresence_grace = 0\n"), 'none';
    becomes($c, 'open', undef, 'a', 'a 3 (0): ', '... is told');
    (pop @streams)->close;
    becomes($c, 'open', undef, 'a', 'a 2 (0): ', 'without a grace who leaves is gone');
    $_->close for @streams;
    $c->stop;
};

# ---------------------------------------------------------------- restart

subtest 'longroom-pushd starts again' => sub {
    my $r = Longroom->start(settings => { %ON, 'auth.mode' => 'open' }, operator => 1);
    my $s = stream_as($r, 'open', 'ann', 'a', presence => 1);
    $s->next;
    my $poll = poll_as($r, 'open', 'bob', 'a', presence => 1, timeout => 40);
    becomes($r, 'open', undef, 'a', 'a 2 (0): ann,bob', 'two are there');
    $r->stop_program('pushd');
    my $page = page_of($poll);
    ok $page->{json}{retry_ms}, 'a poll is answered';
    is $page->{json}{count}, 0, '... with an empty page';
    my $deadline = time + 20;
    my $event = { event => '' };
    $event = $s->next while $event->{event} !~ /end|nothing/ && time < $deadline;
    is $event->{json}{reason}, 'shutdown', 'a stream ends';
    $r->start_program('pushd');
    is who($r, 'open', undef, 'a'), 'a 0 (0): ', 'nobody is there';
    my ($back) = Stream->open($r, '/rooms/a/events?presence=1&user_id=ann', headers => ["Last-Event-ID: $event->{id}"]);
    is $back->next->{event}, 'ready', 'the stream comes back';
    hears($back, 'a 1 (0): ann', '... and is told');
    $r->signal('pushd', 'KILL');
    $r->start_program('pushd');
    $poll = poll_as($r, 'open', 'bob', 'a', timeout => 40);
    becomes($r, 'open', undef, 'a', 'a 1 (0): bob', 'after it was killed, who comes is there, once');
    $poll->close;
    $r->stop;
};

# ---------------------------------------------------------------- patience

subtest 'a poll waits for presence alone for 10 s' => sub {
    my ($ann, $bob, $took, @more) = $patience->result;
    is $_, 'a 3 (0): ann,bob,cyd', 'who comes is told' for $ann, $bob;
    cmp_ok $took, '>', 9.8, '... after 10 s';
    cmp_ok $took, '<', 13.5, '... before their time is up';
    (my $plain, $ann, $bob, $took, @more) = @more;
    is $plain, 0, 'a poll that did not ask has waited for its time';
    # cyd has left after 4 s, and is not here a second later.
    is $_, 'a 2 (0): ann,bob', 'who leaves is told' for $ann, $bob;
    cmp_ok $took, '>', 9.8, '... after 10 s';
    ($ann, $bob, $took, @more) = @more;
    is $_, 'a 2 (0): ann,bob', 'if nobody comes or goes' for $ann, $bob;
    cmp_ok $took, '>', 12.8, '... they wait for their time';
    ($ann, $bob, $took) = @more;
    is $_, 'a 2 (0): ann,bob', 'with a message it is told' for $ann, $bob;
    cmp_ok $took, '<', 8, '... at once';
    $slow->stop;
};

done_testing;
