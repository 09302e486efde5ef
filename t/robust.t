# What the programs must withstand: peers that say nothing or lie, values that look
# like something else, files and sockets of others. Each of these was once a defect.
# Bad input with an answer of its own is in bad-input.t.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use FastCGI          qw(ask_by_fastcgi fastcgi_answer fastcgi_bytes);
use IO::Socket::INET ();
use IO::Socket::UNIX ();
use JSON::PP         ();
use Longroom;
use POSIX            qw(WNOHANG);
use Socket           qw(SOMAXCONN);
use Test::More;
use Time::HiRes      qw(sleep time);

my $JSON = JSON::PP->new->utf8->canonical;

# ---------------------------------------------------------------- programs

my %spawned;    # processes not started by the harness, by id
END { local $?; kill KILL => keys %spawned; waitpid $_, 0 for keys %spawned }

# Starts a program that the harness cannot start so, and returns its id. Options:
# stdin => $handle.
sub spawn {
    my ($log, $command, %options) = @_;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
        open STDERR, '>>', $log or POSIX::_exit(126);
        POSIX::dup2(fileno $options{stdin}, 0) if $options{stdin};
        open STDIN, '<', '/dev/null' or POSIX::_exit(126) if !$options{stdin};
        { no warnings 'exec'; exec { $command->[0] } @$command }
        POSIX::_exit(127);
    }
    $spawned{$pid} = 1;
    return $pid;
}

# The status of a spawned program once it ends, as in $?; undef after $seconds.
sub status_of {
    my ($pid, $seconds) = @_;
    my $status;
    Longroom->eventually($seconds, sub {
        return 0 if waitpid($pid, WNOHANG) == 0;
        $status = $?;
        return 1;
    });
    delete $spawned{$pid} if defined $status;
    return $status;
}

sub settings_in {
    my ($dir) = @_;
    Longroom::spew("$dir/longroom.conf", Longroom::settings_text($dir));
    return "$dir/longroom.conf";
}

# ---------------------------------------------------------------- longroom-history

subtest 'silent FastCGI connections do not block longroom-history' => sub {
    my $l = Longroom->start(without => ['pushd'], settings => { 'history.threads' => 2 });
    my @silent = map { $l->connect('history') } 1 .. 2;
    $silent[1]->write(substr fastcgi_bytes(GET => '/rooms/room_1/messages'), 0, 30);
    is $l->post('room_1', 'x')->{status}, 201, 'as many silent peers as threads do not stop the service';
    ok $_->hangs_up(20), 'they are disconnected' for @silent;

    my $another = $l->connect('history');
    my $begin   = time;
    $l->signal('history', 'TERM');
    $l->await_end('history');
    cmp_ok time - $begin, '<', 20, 'a silent peer does not delay SIGTERM';
    $l->stop;
};

subtest 'requests that arrive at SIGTERM on accepted connections are answered' => sub {
    my $l = Longroom->start(without => [qw(nginx pushd)], settings => { 'history.threads' => 32 });
    my @c = map { $l->connect('history') } 1 .. 20;
    ask_by_fastcgi($l->connect('history'), GET => '/rooms/room_1/messages');
    $l->signal('history', 'TERM');
    ok $l->wait_log('history', qr/shutting down: draining accepted requests/), 'longroom-history is shutting down';
    $_->write(fastcgi_bytes(POST => '/rooms/room_1/messages', 'x')) for @c;
    my @sent = map { fastcgi_answer($_) } @c;
    is_deeply [map { $_->{status} } @sent], [(201) x 20], 'it answers what it accepted before';
    $l->await_end('history');
    $l->stop;
};

subtest 'the socket of a dead publisher that cannot be removed is an error' => sub {
    plan skip_all => 'root may remove everything' if $> == 0;
    my $dir = Longroom::fresh_dir();
    mkdir "$dir/closed" or die "$dir/closed: $!";
    my $dead = IO::Socket::UNIX->new(Local => "$dir/closed/bus.ipc", Listen => 1) or die "listen: $!";
    close $dead;
    chmod 0555, "$dir/closed";
    my $run = Longroom::run([Longroom::program('longroom-history'), '-c', settings_in("$dir"),
        '-o', "bus.publish=ipc://$dir/closed/bus.ipc"]);
    is $run->{status}, 1, 'longroom-history exits with status 1';
    like $run->{stderr}, qr/error: bus .*Permission denied/, 'it says why';
    chmod 0755, "$dir/closed";
};

subtest 'a bus without a publisher is logged' => sub {
    my $l = Longroom->start(settings => { 'bus.subscribe' => 'ipc:///nonexistent/bus.ipc' });
    ok $l->wait_log('pushd', qr/warning: no publisher on the bus/, 20), 'the log says so';
    $l->stop;
};

subtest 'a second SIGTERM ends longroom-history at once' => sub {
    my $dir = Longroom::fresh_dir();
    my $log = "$dir/history.log";
    my $pid = spawn($log, [Longroom::program('longroom-history'), '-c', settings_in("$dir")]);
    my $silent = Longroom->eventually(30, sub {
        return eval { Longroom::Connection->new({ path => "$dir/history.sock" }) };
    });
    kill TERM => $pid;
    ok(Longroom->eventually(20, sub { Longroom::slurp($log) =~ /shutting down: draining accepted requests/ }),
        'while longroom-history waits for a silent peer');
    ok !-e "$dir/history.sock", 'it no longer accepts connections';
    kill TERM => $pid;
    my $status = status_of($pid, 30);
    is $status, POSIX::SIGTERM(), 'the second SIGTERM ends it by that signal';
};

subtest 'an inherited loopback socket is served in open mode' => sub {
    my $dir    = Longroom::fresh_dir();
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => SOMAXCONN)
        or die "can't listen: $@\n";
    my $port = $socket->sockport;
    my $pid = spawn("$dir/history.log", [Longroom::program('longroom-history'), '-c', settings_in("$dir")],
        stdin => $socket);
    # If it were refused, the program would not run.
    close $socket;
    my $sent = ask_by_fastcgi(Longroom::Connection->new({ port => $port }),
        POST => '/rooms/room_1/messages', 'by descriptor 0');
    is $sent->{status}, 201, 'a message is saved with auth.mode = open';
    is $sent->{headers}{location}, '/rooms/room_1/messages/1', 'Location is as usual';
    ok !-e "$dir/history.sock", 'history.listen is not used';
    kill TERM => $pid;
    is status_of($pid, 30), 0, 'SIGTERM ends it with status 0';
    unlike Longroom::slurp("$dir/history.log"), qr/Sanitizer|runtime error/, 'without a report from a sanitizer';
};

subtest 'a path that begins with several slashes does not lead to another host' => sub {
    my $l = Longroom->start(without => [qw(nginx pushd)]);
    for my $path ('//x/../rooms/room_9/messages', '//evil.example/rooms/room_9/messages', '///rooms/room_9/messages') {
        my $sent = ask_by_fastcgi($l->connect('history'), POST => $path, 'x');
        is $sent->{status}, 201, "$path is accepted";
        like $sent->{headers}{location}, qr{^/[^/]\S*/messages/$sent->{json}{id}\z},
            '... and Location stays on this host';
    }
    my $page = ask_by_fastcgi($l->connect('history'), GET => '//evil.example/rooms/room_9/messages?limit=1');
    like $page->{headers}{link}, qr{^</[^/]}, 'so does Link';
    $l->stop;
};

subtest 'a user_id cannot forge parts of a log line' => sub {
    my $l = Longroom->start(without => [qw(nginx pushd)]);
    my $sent = ask_by_fastcgi($l->connect('history'), POST => '/rooms/room_1/messages',
        $JSON->encode({ content => 'x', user_id => '2, msg_id=777' }), 'application/json');
    is $sent->{status}, 201, 'the message is saved';
    is $sent->{json}{user_id}, '2, msg_id=777', 'the user_id is stored unchanged';
    my $line = $l->wait_log('history', qr/(Saved message to database: .*)/);
    is $line, 'Saved message to database: room_id=1, user_id=2??msg_id?777, msg_id=1',
        'in the log it cannot be mistaken for the id';

    my $from = $l->log_size('history');
    $sent = ask_by_fastcgi($l->connect('history'), POST => '/rooms/room_1/messages',
        qq({"content":"x","user_id":"\\u2028a\\u202eb\\u2066c"}), 'application/json');
    is $sent->{status}, 201, 'a user_id with bidirectional control characters is accepted too';
    is $l->wait_log('history', qr/(Saved message to database: .*)/, 5, $from),
        'Saved message to database: room_id=1, user_id=?a?b?c, msg_id=2', 'they are replaced in the log';
    $l->stop;
};

subtest 'control characters in names are refused' => sub {
    my $l = Longroom->start(without => [qw(nginx pushd)]);
    my $post = sub {
        my ($name, $value) = @_;
        return ask_by_fastcgi($l->connect('history'), POST => '/rooms/room_1/messages',
            $JSON->encode({ content => 'x', $name => $value }), 'application/json');
    };
    for my $code (0x7f, 0x80, 0x85, 0x9b, 0x9f) {
        for my $name (qw(user_id username client_id)) {
            Longroom::is_problem($post->($name, 'a' . chr $code), 400, 'bad-parameter',
                sprintf 'U+%04X in %s is refused', $code, $name);
        }
    }
    is $post->(user_id => 'a' . chr $_)->{status}, 201, sprintf 'U+%04X is not a control character', $_ for 0xa0, 0xff, 0x2c00, 0x1f600;
    is $post->(content => "a\x{85}b")->{status}, 201, 'in content they are accepted';
    $l->stop;
};

subtest 'a page before an id beyond the end has a valid cursor' => sub {
    my $l = Longroom->start;
    for my $what ('an empty log', 'an empty room of a log') {
        my $page = $l->history('room_1', before => 999_999);
        is $page->{json}{count}, 0, "$what: the page is empty";
        my $poll = $l->poll('room_1', after => $page->{json}{cursor}, timeout => 0);
        is $poll->{status}, 200, 'a poll accepts its cursor';
        is $poll->{json}{reset}, undef, 'without reset';
        my $next = $l->post('lobby', 'for another room');
        $next = $l->post('room_2', 'x');
        is_deeply $l->message_ids($l->poll('room_2', after => $page->{json}{cursor}, timeout => 20)),
            [grep { $_ > 2 || $what eq 'an empty log' } $next->{json}{id}], 'later messages come after it';
    }
    $l->stop;
};

# ---------------------------------------------------------------- files

subtest "another program's database is refused" => sub {
    my $dir  = Longroom::fresh_dir();
    my $file = "$dir/theirs.db";
    Longroom::run(['sqlite3', '-batch', '-init', '/dev/null', $file],
        stdin => "CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1);\n")->{status} == 0
        or die "can't make a database\n";
    my $before = Longroom::slurp($file);
    my $run = Longroom::run([Longroom::program('longroom-history'), '-c', settings_in("$dir"),
        '-o', "store.url=sqlite:$file"], clean_env => 1, seconds => 30);
    is $run->{status} // 'still running', 1, 'longroom-history does not start on it: status 1';
    like $run->{stderr}, qr/error: .*not a Longroom database/, 'the message says why';
    ok Longroom::slurp($file) eq $before, 'no byte of the file is changed';
    is join(' ', sort map {s{.*/}{}r} glob "$dir/*"), 'longroom.conf theirs.db',
        'no file is created beside it';
};

subtest 'invalid addresses are refused' => sub {
    my $dir  = Longroom::fresh_dir();
    my $conf = settings_in("$dir");
    my @rows = (
        (map { ['store.url', $_] } 'sqlite:longroom.db', 'sqlite:./longroom.db', 'sqlite:', 'sqlite::memory:',
            'sqlite:file:longroom.db', 'foo:bar', '/longroom.db'),
        (map { ['bus.publish', $_] } 'bus.ipc', 'ipc://bus.ipc', 'inproc://bus', 'ws://127.0.0.1:1', '/bus.ipc'),
        (map { ['bus.subscribe', $_] } 'bus.ipc', "ipc://$dir/bus.ipc, ipc://bus.ipc", 'inproc://bus'),
    );
    for my $program (map { Longroom::program($_) } qw(longroom-history longroom-pushd)) {
        my ($name) = $program =~ m{([^/]+)\z};
        is Longroom::run([$program, '-c', $conf, '-t'], clean_env => 1)->{status}, 0,
            "$name -t accepts valid addresses";
        for my $row (@rows) {
            my ($setting, $value) = @$row;
            my $run = Longroom::run([$program, '-c', $conf, '-t', '-o', "$setting=$value"], clean_env => 1);
            ok $run->{status}, "$name -t refuses $setting=$value";
            like $run->{stderr}, qr/\Q$setting\E/, '... and names the setting';
        }
    }
    is join(' ', map {s{.*/}{}r} glob "$dir/*"), 'longroom.conf', 'no file was created';
};

subtest 'files and sockets have mode 0660, whatever the umask' => sub {
    for my $mask (0, 0022, 0077) {
        my $before = umask $mask;
        my $l = eval { Longroom->start };
        umask $before;
        die $@ if !$l;
        $l->post('room_1', 'x');
        for my $file (map({ $l->socket_path($_) } qw(history pushd)), map { $l->database . $_ } '', '-wal', '-shm') {
            is sprintf('%04o', (stat $file)[2] & 07777), '0660',
                sprintf 'with umask %04o the mode of %s is 0660', $mask, $file =~ s{.*/}{}r;
        }
        is sprintf('%04o', (stat $l->dir . '/bus.ipc')[2] & 0007), '0000',
            '... the bus is closed to other users';
        $l->stop;
    }
};

# ---------------------------------------------------------------- longroom-pushd

subtest 'a poll cannot hide another request in a body' => sub {
    my $l = Longroom->start(without => ['nginx']);
    my $hidden = "GET /rooms/hidden/poll?timeout=0 HTTP/1.1\r\nHost: x\r\n\r\n";
    my %headers = (
        'gzip'                     => "Transfer-Encoding: gzip\r\n",
        'chunked'                  => "Transfer-Encoding: chunked\r\n",
        'gzip, chunked'            => "Transfer-Encoding: gzip, chunked\r\n",
        'identity'                 => "Transfer-Encoding: identity\r\n",
        'xchunked'                 => "Transfer-Encoding: xchunked\r\n",
        'gzip with a length of 0' => "Transfer-Encoding: gzip\r\nContent-Length: 0\r\n",
        'Content-Length'           => "Content-Length: @{[length $hidden]}\r\n",
    );
    for my $what (sort keys %headers) {
        for my $body ($hidden, sprintf("%x\r\n%s\r\n0\r\n\r\n%s", length $hidden, $hidden, $hidden)) {
            next if $what eq 'Content-Length' && $body ne $hidden;
            my $c = $l->connect('pushd');
            $c->write("GET /rooms/room_1/poll?timeout=0 HTTP/1.1\r\nHost: x\r\n$headers{$what}\r\n$body");
            my $answer = $c->answer(20) || { status => 'none' };
            Longroom::is_problem($answer, 400, 'bad-request', "$what: refused");
            is $answer->{headers}{connection}, 'close', '... with Connection: close';
            ok $c->hangs_up(20), '... and the connection is closed';
            is $c->bytes, '', '... without another answer';
        }
    }
    $l->stop;
};

subtest 'Connection: close is honoured' => sub {
    my $l = Longroom->start;
    my $request = sub {
        my ($path, $close) = @_;
        return "GET $path HTTP/1.1\r\nHost: x\r\n" . ($close ? "Connection: close\r\n" : '') . "\r\n";
    };
    for my $path ('/rooms/room_1/poll?timeout=0', '/rooms/room_1/poll?timeout=1', '/rooms/room_01/poll', '/nothing') {
        my $c      = $l->connect('pushd');
        my $answer = $c->ask($request->($path, 1), 20);
        is $answer->{headers}{connection}, 'close', "$path: is echoed";
        ok $c->hangs_up(20), '... the connection is closed';
        is $c->bytes, '', '... after the answer';
    }
    my $old = $l->connect('pushd');
    is $old->ask("GET /rooms/room_1/poll?timeout=0 HTTP/1.0\r\n\r\n", 20)->{headers}{connection}, 'close',
        'HTTP/1.0 is treated so too';

    # Both wait for the same answer.
    my $cursor = $l->poll('room_1', timeout => 0)->{json}{cursor};
    my ($closing, $staying) = map { $l->connect('pushd') } 1 .. 2;
    $closing->write($request->("/rooms/room_1/poll?after=$cursor", 1));
    $staying->write($request->("/rooms/room_1/poll?after=$cursor", 0));
    is $_->answer(0.1), undef, 'two polls wait' for $closing, $staying;
    $l->post('room_1', 'to both');
    my @answers = map { $_->answer(20) } $closing, $staying;
    is_deeply $l->message_contents($_), ['to both'], 'both get the message' for @answers;
    is_deeply [map { $_->{headers}{connection} } @answers], ['close', undef],
        'only the one that asked gets Connection: close';
    ok $closing->hangs_up(20), 'its connection is closed';
    is $staying->ask($request->('/rooms/room_1/poll?timeout=0', 0), 20)->{status}, 200,
        'the other connection stays open';
    $l->stop;
};

subtest 'HEAD gets no body' => sub {
    my $l    = Longroom->start(without => ['nginx']);
    my $c    = $l->connect('pushd');
    my $head = "HEAD /rooms/room_1/poll?timeout=0 HTTP/1.1\r\nHost: x\r\n\r\n";
    my $answer = $c->ask($head, 20, 'HEAD');
    is $answer->{status}, 405, 'HEAD of a poll gets 405';
    cmp_ok $answer->{headers}{'content-length'}, '>', 0,
        'Content-Length is the length of the body it would have';
    my $get = Longroom::get_bytes('/rooms/room_1/poll?timeout=0');
    is $c->ask($get, 20)->{status}, 200, 'the next answer follows at once';
    $c->write($head . $head . $get);
    is_deeply [map { $c->answer(20, $_)->{status} } qw(HEAD HEAD GET)], [405, 405, 200],
        'pipelined requests too';
    $c->write(Longroom::get_bytes('/rooms/room_1/poll?timeout=1') . $head . $get);
    is_deeply [map { $c->answer(20, $_)->{status} } qw(GET HEAD GET)], [200, 405, 200],
        'also behind a poll that waits';
    $l->stop;
};

# Seconds of CPU time that a process has used.
sub cpu_seconds {
    my ($pid) = @_;
    my @fields = split ' ', Longroom::slurp("/proc/$pid/stat") =~ s/.*\) //sr;
    return ($fields[11] + $fields[12]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

subtest 'connections beyond push.max_connections cost no CPU time' => sub {
    plan skip_all => 'this system has no /proc with CPU times' if !-e "/proc/$$/stat";
    my $l = Longroom->start(without => ['nginx'], settings => { 'push.max_connections' => 10 });
    # Some beyond the limit are accepted, to be answered with 503.
    my @held = map { $l->connect('pushd') } 1 .. 200;
    ok $l->wait_log('pushd', qr/accepting paused: push\.max_connections: connections=\d+/),
        'it stops accepting at the limit';
    my ($cpu, $begin) = (cpu_seconds($l->pid('pushd')), time);
    sleep 1;
    my $share = (cpu_seconds($l->pid('pushd')) - $cpu) / (time - $begin);
    cmp_ok $share, '<', 0.2, 'it does not spin meanwhile';
    $_->close for @held;
    # Connections whose end it has not noticed yet may count for a moment.
    ok $l->eventually(20, sub {
        my $answer = $l->connect('pushd')->ask(Longroom::get_bytes('/rooms/room_1/poll?timeout=0'), 20) || {};
        return ($answer->{status} // 0) == 200;
    }), 'when they have left, the next is served';
    $l->stop;
};

sub resident_mb {
    my ($pid) = @_;
    return Longroom::slurp("/proc/$pid/status") =~ /^VmRSS:\s+(\d+) kB/m ? $1 / 1024 : undef;
}

# Fills a room with about 1 MB of messages and polls for them.
sub fill_and_poll {
    my ($l, $number) = @_;
    my $crowd = $l->crowd('pushd');
    my $path  = "/rooms/room_$number/poll";
    my ($cursor, $whole) = (undef, 0);
    $crowd->add(sub {
        my ($answer) = @_;
        return Longroom::get_bytes("$path?timeout=0") if !$answer;
        if (!$cursor) {
            ($cursor) = $answer->{content} =~ /"cursor":"([^"]+)"/ or die "no cursor: $answer->{content}\n";
            $l->sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 58)
                     INSERT INTO messages (room_id, sender_id, sender_name, sender_type, content, sent_ms)
                     SELECT $number, 1, 1, 'user', printf('%.*c', 16000, 'x'), 1790000000000 FROM n;");
            # Its frame makes longroom-pushd read the messages before it.
            ask_by_fastcgi($l->connect('history'), POST => "/rooms/room_$number/messages", 'the last');
        }
        $whole++ if $answer->{content} =~ /"the last"/ && length $answer->{content} > 900_000;
        return if $whole == 2;
        return Longroom::get_bytes("$path?timeout=20&after=$cursor");
    });
    $crowd->run(60) or die "room $number takes too long\n";
    return;
}

subtest 'long pages of many rooms are not kept in memory' => sub {
    plan skip_all => 'memory use says nothing in a build with sanitizers'
        if Longroom::slurp(Longroom::program('longroom-pushd')) =~ /__[amt]san_init/;
    plan skip_all => 'this system has no /proc with memory use' if !-e "/proc/$$/status";
    my $l = Longroom->start(without => ['nginx'], settings => { 'push.window' => '1M' });
    fill_and_poll($l, $_) for 1 .. 10;
    my $before = resident_mb($l->pid('pushd'));
    fill_and_poll($l, $_) for 11 .. 60;
    my $growth = resident_mb($l->pid('pushd')) - $before;
    cmp_ok $growth, '<', 20, 'fifty of them add less than 20 MB to ' . int($before) . ' MB';
    $l->stop;
};

done_testing;
