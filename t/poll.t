# Waiting for messages (PROTOCOL section 6): when a poll is answered and with
# what, how many can wait, and how longroom-pushd treats connections. What
# cursors promise is tested in cursors.t.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use IO::Poll qw(POLLPRI);
use JSON::PP ();
use Longroom;
use Test::More;
use Time::HiRes qw(time);

my $l = Longroom->start;

# Descriptors of longroom-pushd when no client is connected. Once it answers this
# request, it has noticed that all earlier clients have left.
my $last = $l->connect('pushd');
$last->ask(Longroom::get_bytes('/rooms/parking/poll?timeout=0'));
my $idle = descriptors($l->pid('pushd')) - 1;
$last->close;

sub now_of { return $l->poll($_[0], timeout => 0)->{json}{cursor} }

sub descriptors {
    my ($pid) = @_;
    opendir my $dir, "/proc/$pid/fd" or return 0;
    return scalar grep {/^\d/} readdir $dir;
}

# Polls once per client; the answers go into the list that is returned.
sub wait_for_one {
    my ($crowd, @paths) = @_;
    my @answers;
    for my $n (0 .. $#paths) {
        $crowd->add(sub {
            my ($answer) = @_;
            return Longroom::get_bytes($paths[$n]) if !$answer;
            $answers[$n] = $answer;
            return;
        });
    }
    return \@answers;
}

# Closes the connections that nginx keeps to longroom-pushd.
sub forget_connections {
    $l->restart('nginx');
    return $l->eventually(20, sub { descriptors($l->pid('pushd')) <= $idle });
}

# Runs the crowd until longroom-pushd holds that many connections, and has read
# their requests: it and nginx read in order of arrival, so both have once they
# answer a request that was made later.
sub until_parked {
    my ($crowd, $connections) = @_;
    my $parked = $crowd->run(30, sub { descriptors($l->pid('pushd')) >= $idle + $connections });
    $l->poll('parking', timeout => 0);
    $l->connect('pushd')->ask(Longroom::get_bytes('/rooms/parking/poll?timeout=0'));
    return $parked;
}

# Many messages in one commit, by another program.
sub import_messages {
    my ($room, $count) = @_;
    $l->sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $count)
             INSERT INTO messages (room_id, sender_id, sender_name, sender_type, content, sent_ms)
             SELECT $room, 1, 1, 'user', 'm' || i, 1790000000000 FROM n;");
    return;
}

subtest 'a poll waits for the next message' => sub {
    my $waiting = $l->connect;
    $waiting->write(Longroom::get_bytes('/rooms/room_26/poll?timeout=20&after=' . now_of('room_26')));
    is $waiting->answer(0.3), undef, 'it is not answered while there is no message';
    my $sent = time;
    my $message = $l->post('room_26', 'here')->{json};
    my $answer = $waiting->answer(20);
    cmp_ok time - $sent, '<', 0.9, 'the answer comes with the message, not with the next check of the log';
    is $answer->{status}, 200, 'the status is 200';
    is $answer->{headers}{'cache-control'}, 'no-store', 'it may not be stored';
    like $answer->{headers}{'content-type'}, qr{^application/json\b}, 'it is JSON';
    my $json = $answer->{json};
    is_deeply $json->{messages}, [$message], 'the message is the one that was sent';
    is_deeply [sort keys %$json], [sort qw(room_id count messages cursor earliest more)],
        'its members are those of the protocol';
    is_deeply [@$json{qw(room_id count earliest more)}],
        ['room_26', 1, $message->{id}, JSON::PP::false], 'with the right values';
};

subtest 'without a cursor, and with after=now, only later messages are delivered' => sub {
    for my $query ('timeout=20', 'timeout=20&after=now') {
        my $waiting = $l->connect;
        $waiting->write(Longroom::get_bytes("/rooms/room_26/poll?$query"));
        is $waiting->answer(0.2), undef, "$query: earlier messages are not delivered";
        $l->post('room_26', "for $query");
        is_deeply Longroom::message_contents($waiting->answer(20)), ["for $query"], 'the new one is';
    }
};

subtest 'existing messages are delivered at once' => sub {
    my $cursor = now_of('room_26');
    my @ids = map { $l->post('room_26', "missed $_")->{json}{id} } 1 .. 3;
    is_deeply $l->message_ids($l->poll('room_26', after => $ids[1], timeout => 30)), [$ids[2]],
        'the messages after an id';
    my $answer = $l->poll('room_26', after => $cursor, timeout => 30);
    is_deeply $l->message_contents($answer), ['missed 1', 'missed 2', 'missed 3'],
        'all messages between two polls arrive together';
    is $l->poll('room_26', after => $answer->{json}{cursor}, timeout => 0)->{json}{count}, 0,
        'the cursor of the answer is after them';
};

subtest 'a poll whose time is up gets an empty page' => sub {
    my $cursor = now_of('quiet');
    for my $timeout (0, 1) {
        my $begin  = time;
        my $answer = $l->poll('quiet', after => $cursor, timeout => $timeout);
        my $took   = time - $begin;
        is $answer->{status}, 200, "timeout=$timeout is answered with 200";
        my $json = $answer->{json};
        is_deeply [@$json{qw(room_id count messages earliest more)}],
            ['quiet', 0, [], undef, JSON::PP::false], 'the page has the usual shape';
        ok !exists $json->{gap} && !exists $json->{reset}, 'it has no flag';
        like $json->{cursor}, qr/^[A-Za-z0-9._-]{1,64}$/, 'it has a cursor';
        cmp_ok $took, '>', $timeout - 0.1, "not before $timeout s";
        cmp_ok $took, '<', $timeout + 5, 'and not long after';
        $cursor = $json->{cursor};
    }
    $l->post('quiet', 'noise');
    is_deeply $l->message_contents($l->poll('quiet', after => $cursor, timeout => 20)), ['noise'],
        'its cursor misses nothing';
};

subtest 'all waiters in a room get the same message' => sub {
    my $crowd = $l->crowd;
    my $after = now_of('full');
    forget_connections();
    my $answers = wait_for_one($crowd, ("/rooms/full/poll?timeout=30&after=$after") x 300);
    ok until_parked($crowd, 300), '300 wait';
    my $id = $l->post('full', 'for all')->{json}{id};
    ok $crowd->run(30), 'all are answered';
    is_deeply { map { $_->{content} => 1 } @$answers }, { $answers->[0]{content} => 1 },
        'with the same bytes';
    like $answers->[0]{content}, qr/"id"\s*:\s*$id\b/, 'they have the message';
};

subtest 'waiters in many rooms get the messages of their rooms' => sub {
    my $pollers = $l->pollers;
    my $after   = now_of('room_100');
    my @seen = map { $pollers->follow('room_' . (100 + $_ % 50), after => $after) } 0 .. 199;
    my %ids;
    my $turn = 0;
    for my $round (1 .. 3) {
        for my $n (0 .. 49) {
            push @{ $ids{$n} }, $l->post('room_' . (100 + $n), "round $round")->{json}{id};
        }
        $pollers->run(0.05);
    }
    ok $pollers->run(30, sub { !grep { @{ $_->{ids} } < 3 } @seen }),
        '200 waiters in 50 rooms get all messages';
    my @wrong = grep {"@{ $seen[$_]{ids} }" ne "@{ $ids{$_ % 50} }"} 0 .. 199;
    is "@wrong", '', 'each gets the messages of its room, once, in order';
    is_deeply [map { $_->{failures} } @seen], [(0) x 200], 'no poll failed';
    $pollers->close;
};

subtest 'a poll gets at most 1000 messages, and is told when there are more' => sub {
    my $after = now_of('room_77');
    import_messages(77, 1500);
    my ($newest) = $l->sql('SELECT max(id) FROM messages;');
    is $l->poll('room_77', after => $newest - 1, timeout => 20)->{json}{count}, 1, '1500 messages are there';
    my $first = $l->poll('room_77', after => $after, timeout => 20);
    is $first->{json}{count}, 1000, 'the first page is full';
    is_deeply $first->{json}{more}, JSON::PP::true, 'it says that there are more';
    my $begin = time;
    my $second = $l->poll('room_77', after => $first->{json}{cursor}, timeout => 20);
    cmp_ok time - $begin, '<', 10, 'the next poll is answered at once';
    is_deeply $second->{json}{more}, JSON::PP::false, 'it says that there are no more';
    Longroom::same_list([map { @{ $l->message_contents($_) } } $first, $second],
        [map {"m$_"} 1 .. 1500], 'together they have everything in order');
};

subtest 'a waiting poll is told too that there are more' => sub {
    my $c = $l->connect;
    $c->write(Longroom::get_bytes('/rooms/room_78/poll?timeout=30&after=' . now_of('room_78')));
    is $c->answer(0.1), undef, 'a poll waits';
    import_messages(78, 1500);
    my $page = $c->answer(20)->{json};
    is $page->{count}, 1000, 'the page is full';
    is_deeply $page->{more}, JSON::PP::true, 'it says that there are more';
};

subtest 'a page has at most about 1 MiB' => sub {
    my $after = now_of('wide');
    my $answers = $l->send_all('wide', [map { sprintf('%03d', $_) . 'x' x 16_000 } 1 .. 90]);
    is_deeply { map { $_->{status} => 1 } @$answers }, { 201 => 1 }, '90 long messages are saved';
    my @ids;
    my $pages = 0;
    while ($pages < 10) {
        my $page = $l->poll('wide', after => $after, timeout => 20);
        cmp_ok length $page->{content}, '<', 1.1 * 1_048_576, 'no page is much larger';
        push @ids, @{ $l->message_ids($page) };
        $after = $page->{json}{cursor};
        $pages++;
        last if @ids >= 90;
    }
    cmp_ok $pages, '>', 1, 'the messages take several pages';
    Longroom::same_list(\@ids, [map { $_->{id} } @{ $l->whole_history('wide') }],
        'the pages have every message once');
};

subtest 'a client that hangs up is noticed' => sub {
    for my $way ('straight', 'through nginx') {
        ok forget_connections(), 'no client is connected';
        my $crowd = $l->crowd($way eq 'straight' ? 'pushd' : 'nginx');
        wait_for_one($crowd, ('/rooms/room_26/poll?timeout=55') x 50);
        ok until_parked($crowd, 50), "50 clients wait $way";
        $crowd->close;
        ok $l->eventually(20, sub { descriptors($l->pid('pushd')) <= $idle + 5 }),
            'their connections are closed soon after they hang up';
    }
};

subtest 'longroom-pushd speaks HTTP/1.1 with persistent connections' => sub {
    my $get = Longroom::get_bytes('/rooms/room_26/poll?timeout=0');
    my $c = $l->connect('pushd');
    is $c->ask($get)->{status}, 200, 'consecutive requests are answered' for 1 .. 3;

    $c->write(Longroom::get_bytes('/rooms/a/poll?timeout=1')
            . Longroom::get_bytes('/rooms/b/poll?timeout=0') . $get);
    is_deeply [map { $c->answer(20)->{json}{room_id} } 1 .. 3], [qw(a b room_26)],
        'pipelined requests are answered in order';

    $c->write($_) for split //, $get;
    is $c->answer->{status}, 200, 'a request may arrive byte by byte';

    is $c->ask(($get =~ s/\r\nHost:/\r\nX-Long: @{['x' x 8000]}\r\nHost:/r))->{status}, 200,
        'it may have a long header';
};

subtest 'a connection ends when the client asks for it' => sub {
    my $close = "GET /rooms/room_26/poll?timeout=0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    my $c = $l->connect('pushd');
    is $c->ask($close)->{status}, 200, 'Connection: close is answered';
    ok $c->hangs_up(10), 'the connection is closed';

    $c = $l->connect('pushd');
    my $answer = $c->ask("GET /rooms/room_26/poll?timeout=0 HTTP/1.0\r\n\r\n");
    is $answer->{status}, 200, 'HTTP/1.0 is answered';
    is $answer->{json}{count}, 0, 'the body has a length';
    ok $c->hangs_up(10), 'the connection is closed';

    $c = $l->connect('pushd');
    $c->write("GET /rooms/room_26/poll?timeout=55 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    is $c->answer(0.2), undef, 'a waiting poll keeps the connection';
    $l->post('room_26', 'bye');
    is $c->answer(20)->{json}{count}, 1, 'it is answered';
    ok $c->hangs_up(10), 'then the connection is closed';
};

subtest 'polls are GET requests without a body' => sub {
    my $path = '/rooms/room_26/poll?timeout=0';
    for my $method (qw(POST PUT DELETE PATCH OPTIONS)) {
        my $c = $l->connect('pushd');
        my $answer = $c->ask("$method $path HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        Longroom::is_problem($answer, 405, 'method-not-allowed', "$method is not allowed");
        like $answer->{headers}{allow}, qr/\bGET\b/, 'Allow names GET';
    }
    my $c = $l->connect('pushd');
    my $head = $c->ask("HEAD $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 20, 'HEAD');
    is $head->{status}, 405, 'HEAD is not allowed';
    ok $c->hangs_up(10), 'the connection is closed';
    is $c->bytes, '', 'the answer has no body';
    my $body = $l->connect('pushd')->ask("GET $path HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    Longroom::is_problem($body, 400, 'bad-request', 'a body with a GET is refused');
};

subtest 'SIGTERM answers every waiter with an empty page and its cursor' => sub {
    my $after = now_of('leaving');
    forget_connections();
    my %crowd = map { $_ => $l->crowd($_) } qw(nginx pushd);
    my %answers = map {
        $_ => wait_for_one($crowd{$_}, ("/rooms/leaving/poll?timeout=55&after=$after") x 50)
    } keys %crowd;
    ok until_parked($crowd{nginx}, 50) && until_parked($crowd{pushd}, 100), '100 wait';
    $l->signal('pushd', 'TERM');
    $_->run(20) for values %crowd;
    for my $to (sort keys %answers) {
        my @pages = map { JSON::PP::decode_json($_->{content} || '{}') } @{ $answers{$to} };
        is_deeply [map {"$_->{status}"} @{ $answers{$to} }], [(200) x 50],
            "the waiters of $to get 200";
        is_deeply [map { $_->{count} } @pages], [(0) x 50], 'each page is empty';
        is scalar(grep { ($_->{cursor} // '') =~ /^[A-Za-z0-9._-]{1,64}$/ } @pages), 50,
            'each page has a cursor';
        $after = $pages[0]{cursor};
    }
    $l->await_end('pushd');
    my $id = $l->post('leaving', 'while it is down')->{json}{id};
    $l->start_program('pushd');
    is_deeply $l->message_ids($l->poll('leaving', after => $after, timeout => 20)), [$id],
        'its cursor leads to later messages after the restart';
};

$l->stop;

subtest 'connections beyond the limit get 503' => sub {
    my $small = Longroom->start(settings => { 'push.max_connections' => 5 }, without => ['nginx']);
    my $get   = Longroom::get_bytes('/rooms/room_26/poll?timeout=0');
    my @c = map { $small->connect('pushd') } 1 .. 5;
    is $_->ask($get)->{status}, 200, 'five connections are served' for @c;
    my $sixth = $small->connect('pushd');
    my $answer = $sixth->ask($get, 20);
    Longroom::is_problem($answer, 503, 'overloaded', 'the sixth gets overloaded');
    ok $answer->{headers}{'retry-after'}, 'Retry-After says when to come back';
    ok $sixth->hangs_up(10), 'it is closed';
    is $c[0]->ask($get)->{status}, 200, 'the others are still served';
    $c[1]->close;
    ok $small->eventually(10, sub { ($small->connect('pushd')->ask($get, 20) || {})->{status} == 200 }),
        'when one leaves, another is served';
    $small->stop;
};

subtest 'with few descriptors all clients are answered' => sub {
    my $small = Longroom->start(without => [qw(nginx pushd)]);
    # Some descriptors are reserved, and not all are for connections.
    $small->start_program('pushd', descriptors => 150);
    my $crowd = $small->crowd('pushd');
    my %told;
    for (1 .. 300) {
        my $asked;
        $crowd->add(sub {
            my ($answer) = @_;
            $told{ $answer->{status} }++ if $answer;
            return if $asked++;
            return Longroom::get_bytes('/rooms/room_26/poll?timeout=1');
        });
    }
    ok $crowd->run(30), 'three hundred clients are answered';
    is join(' ', sort keys %told), '200 503', 'some get a page, the others overloaded';
    is $small->connect('pushd')->ask(Longroom::get_bytes('/rooms/room_26/poll?timeout=0'))->{status}, 200,
        'when they have left, another is served';
    $small->stop;
};

subtest 'slow clients are disconnected' => sub {
    my $strict = Longroom->start(
        without  => ['nginx'],
        settings => {
            'limits.head_timeout'  => '300ms',
            'limits.idle_timeout'  => '1s',
            'limits.write_timeout' => '1s',
        },
    );
    my %c = map { $_ => $strict->connect('pushd') } qw(idle half waiting);
    $c{half}->write("GET /rooms/room_26/poll?timeout=0 HTTP/1.1\r\nHost:");
    $c{waiting}->write(Longroom::get_bytes('/rooms/room_26/poll?timeout=3'));
    ok $c{half}->hangs_up(10), 'a client that does not finish a head is disconnected';
    ok $c{idle}->hangs_up(10), 'an idle client is disconnected';
    is $c{waiting}->answer(20)->{json}{count}, 0, 'a poll that waits longer is not';

    # Far more than the buffers of a socket hold.
    $strict->sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70)
                  INSERT INTO messages (room_id, sender_id, sender_name, sender_type, content, sent_ms)
                  SELECT 26, 1, 1, 'user', printf('%.*c', 16000, 'x'), 1790000000000 FROM n;");
    my $page = $strict->connect('pushd')->ask(Longroom::get_bytes('/rooms/room_26/poll?timeout=20&after=0'));
    cmp_ok length $page->{content}, '>', 1_000_000, 'a client that reads gets a long answer';
    my $reader = $strict->connect('pushd');
    $reader->write(Longroom::get_bytes('/rooms/room_26/poll?after=0'));
    my $watch = IO::Poll->new;
    $watch->mask($reader->socket => POLLPRI);    # POLLHUP is always reported
    is $watch->poll(10), 1, 'a client that does not read it is disconnected';
    ok $reader->hangs_up(10), 'in the middle';
    cmp_ok length $reader->bytes, '<', 1_000_000, 'of the answer';
    $strict->stop;
};

done_testing;
