# Restarts that no client notices: inherited sockets, and how the programs shut down
# (longroom-history(8), longroom-pushd(8)). What SIGHUP does is tested in settings.t.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use File::Temp ();
use IO::Socket::INET ();
use JSON::PP ();
use Longroom;
use Socket qw(SOCK_DGRAM SOMAXCONN);
use Test::More;

my $sanitized = Longroom::slurp(Longroom::program('longroom-pushd')) =~ /__[amt]san_init/;
my $get       = Longroom::get_bytes('/rooms/room_26/poll?timeout=0');

# ---------------------------------------------------------------- under load

# Runs longroom-load beside the test; returns a function that waits for its end
# and returns its report. Its stderr is in the file load.log.
sub load {
    my ($l, @options) = @_;
    my ($log, $json) = map { $l->dir . "/load.$_" } qw(log json);
    my @command = (Longroom::program('longroom-load'), '--url', $l->url, '--json', @options);
    my $run = $l->background(sub {
        my $ended = Longroom::run(
            ['sh', '-c', 'log=$1 json=$2; shift 2; exec "$@" 2>"$log" >"$json"', 'sh', $log, $json, @command],
            seconds => 200);
        return $ended->{status} // 'still running';
    });
    return sub {
        my ($status) = $run->result;
        my $report = eval { JSON::PP::decode_json(Longroom::slurp($json)) } || {};
        my ($connections, $polls) = map { $_ || {} } @$report{qw(connections polls)};
        is $status, 0, 'nothing was lost, doubled or out of order, and no client hung';
        is_deeply [@$connections{qw(not_made broken silent)}], [0, 0, 0], 'no connection was refused or broken';
        is_deeply [@$polls{qw(server_errors refused)}], [0, 0], 'no poll failed';
        diag Longroom::slurp($log) if !Test::More->builder->is_passing;
        return $report;
    };
}

sub descriptors {
    my ($pid) = @_;
    opendir my $dir, "/proc/$pid/fd" or return 0;
    return scalar grep {/^\d/} readdir $dir;
}

subtest 'a restart of longroom-pushd under ten thousand waiters loses nothing' => sub {
    my $waiters = $sanitized ? 1000 : 10_000;
    my $fits    = Longroom::descriptor_limit() - 500;
    $waiters = $fits if $fits < $waiters;
    note "with $waiters, because of sanitizers, or few descriptors" if $waiters < 10_000;
    my $l = Longroom->start(hand_over => 1, nginx_workers => 3, operator => 1);
    $l->post("room_$_", 'here is a room') for 1001 .. 1100;
    my $end = load($l, '--source-addresses', 4, '--rooms', 100, '--first-room', 1001, '--waiters', $waiters, '--senders', 4,
        '--messages', 300, '--rate', 20, '--check-history', '--settle', 30, '--seconds', 180);
    ok $l->eventually(90, sub { Longroom::slurp($l->dir . '/load.log') =~ /waiters wait/ }), 'they wait';
    for my $time (1 .. 3) {
        $l->restart('pushd');
        ok $l->eventually(60, sub { descriptors($l->pid('pushd')) > $waiters }),
            'they come back after the restart';
    }
    my $pushd = $l->metrics('pushd');
    my $reads = 0;
    $reads += $pushd->{"log_reads_total{kind=\"$_\"}"} for qw(tail states room);
    cmp_ok $reads, '<=', 10, 'they are served from memory, with a handful of reads of the log';
    is_deeply $end->()->{posts}{status}, { 201 => 300 }, 'every message sent meanwhile was saved';
    $l->stop;
};

subtest 'a restart of longroom-history under five hundred senders loses nothing' => sub {
    my $l = Longroom->start(hand_over => 1, nginx_workers => 2);
    my $end = load($l, '--rooms', 20, '--waiters', 20, '--senders', 500, '--messages', 1_000_000,
        '--send-seconds', 5, '--client-ids', '--check-history', '--settle', 60, '--seconds', 180);
    my $saved = sub { ($l->sql('SELECT count(*) FROM messages;'))[0] };
    ok $l->eventually(60, sub { $saved->() > 500 }), 'they send';
    $l->restart('history') for 1 .. 5;
    my $report = $end->();
    cmp_ok $report->{posts}{sent}, '>', 1000, "$report->{posts}{sent} messages were sent";
    is_deeply $report->{posts}{status}, { 201 => $report->{posts}{sent} }, 'each got 201 at the first attempt';
    $l->stop;
};

# nginx keeps connections to longroom-pushd, and may be about to use one when it is
# closed: it must notice, and repeat the request on another.
subtest 'a restart of longroom-pushd fails no poll that does not wait' => sub {
    my $l = Longroom->start(hand_over => 1, nginx_workers => 2);
    my $polls = $l->background(sub {
        my ($crowd, %told) = $l->crowd;
        for (1 .. 50) {
            $crowd->add(sub {
                my ($answer) = @_;
                $told{ $answer->{status} }++ if $answer;
                return -e $l->dir . '/enough' ? undef : $get;
            });
        }
        $crowd->run(120) or die "they do not end\n";
        return join ' ', sort keys %told;
    });
    $l->restart('pushd') for 1 .. 20;
    Longroom::spew($l->dir . '/enough', '');
    is_deeply [$polls->result], ['200'], 'no poll fails';
    $l->stop;
};

subtest 'a second longroom-history does not start, and does no harm' => sub {
    my $l = Longroom->start(hand_over => 1);
    my $second = Longroom::run([Longroom::program('longroom-history'), '-c', $l->dir . '/longroom.conf'],
        sockets => $l->{handed}{history});
    is $second->{status}, 1, 'the second does not start while the first runs';
    like $second->{stderr}, qr{error: bus ipc://\S+: Address}, 'because the bus address is in use';
    is_deeply [map { $l->post('room_26', 'x')->{status} } 1 .. 20], [(201) x 20],
        'the first gets every request';
    $l->stop;
};

# ---------------------------------------------------------------- shutdown

subtest 'longroom-pushd answers every client when it shuts down' => sub {
    my $l = Longroom->start(hand_over => 1, without => ['nginx']);
    my %c = map { $_ => $l->connect('pushd') } qw(half new silent kept waiting);
    $c{half}->write(substr $get, 0, 30);
    is $c{kept}->ask($get)->{status}, 200, 'one client has been answered';
    $c{waiting}->write(Longroom::get_bytes('/rooms/room_26/poll?timeout=50'));
    is $c{waiting}->answer(0.2), undef, 'one client waits';
    $l->signal('pushd', 'TERM');
    $l->wait_log('pushd', qr/shutting down: answering the waiting polls/);
    my $late = $l->connect('pushd');
    $late->write($get);

    my $sent_away = $c{waiting}->answer(20);
    is $sent_away->{headers}{connection}, 'close', 'the waiting poll is answered, with Connection: close';
    is $sent_away->{json}{count}, 0, 'with an empty page';
    like $sent_away->{json}{retry_ms}, qr/^[1-9][0-9]{0,3}\z/, 'retry_ms says when to come back';
    cmp_ok $sent_away->{json}{retry_ms}, '<=', 1000, 'within a second, because there are few clients';
    ok $c{kept}->hangs_up(20), 'an idle connection is closed';
    $c{half}->write(substr $get, 30);
    $c{new}->write(Longroom::get_bytes("/rooms/room_26/poll?timeout=50&after=$sent_away->{json}{cursor}"));
    is $c{half}->answer(20)->{headers}{connection}, 'close',
        'a half-sent request is answered once it is complete';
    my $new = $c{new}->answer(20);
    is $new->{status}, 200, 'so is the first request of a new connection';
    ok $new->{json}{retry_ms}, 'with retry_ms too';
    $_->close for @c{qw(half new waiting)};
    $l->await_end('pushd');
    ok $c{silent}->hangs_up(20), 'a silent client does not delay the shutdown';

    is $late->answer(0.2), undef, 'a client that connects meanwhile stays in the backlog';
    $l->start_program('pushd');
    is $late->answer(20)->{status}, 200, 'the next longroom-pushd answers it';
    $l->stop;
    ok -S $l->socket_path($_), "the inherited socket file of $_ stays" for qw(history pushd);
};

subtest 'longroom-pushd drains the backlog of its own sockets' => sub {
    my $l = Longroom->start(without => ['nginx']);
    $l->signal('pushd', 'STOP');
    my $late = $l->connect('pushd');
    $late->write($get);
    $l->signal('pushd', $_) for qw(TERM CONT);
    is $late->answer(20)->{status}, 200,
        'longroom-pushd answers a client in the backlog, because no other process would';
    $late->close;
    $l->await_end('pushd');
    ok !-e $l->socket_path('pushd'), 'it removes the socket file';
    $l->stop;
};

subtest 'requests in the backlog of longroom-history reach the next one' => sub {
    my $l = Longroom->start(hand_over => 1, without => ['pushd']);
    my $accepted = $l->connect('history');
    $l->post('room_1', 'by now it has been accepted');
    $l->signal('history', 'TERM');
    $l->wait_log('history', qr/shutting down: draining accepted requests/);
    my $c = $l->connect;
    $c->write(Longroom::post_bytes('room_26', 'late'));
    is $c->answer(0.2), undef, 'a request after SIGTERM is not answered';
    $accepted->close;
    $l->await_end('history');
    $l->start_program('history');
    is $c->answer(20)->{status}, 201, 'the next longroom-history answers it';
    is_deeply $l->message_contents($l->history('room_26')), ['late'], 'the message is saved once';
    $l->stop;
};

# ---------------------------------------------------------------- LISTEN_FDS

my $place = Longroom::fresh_dir();
my $conf  = "$place/longroom.conf";
Longroom::spew($conf, Longroom::settings_text($place));

sub is_refused {
    my ($title, $sockets, $words, $programs, %env) = @_;
    for my $program (@{ $programs || [qw(longroom-history longroom-pushd)] }) {
        my $run = Longroom::run([Longroom::program($program), '-c', $conf],
            sockets => $sockets, env => \%env);
        is $run->{status} // 'still running', 1, "$program refuses $title";
        like $run->{stderr}, qr/error: $words/, '... and says why';
    }
    ok !-e "$place/$_.sock", "... and listens nowhere else" for qw(history push);
    return;
}

subtest 'descriptors that are not listening sockets are refused' => sub {
    my $file     = File::Temp->new;
    my $datagram = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Proto => 'udp', Type => SOCK_DGRAM);
    my $deaf     = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Proto => 'tcp');
    my $unfit    = qr/LISTEN_FDS: descriptor 3 is not a listening stream socket/;
    is_refused('a file',                             [$file],     $unfit);
    is_refused('a datagram socket',                  [$datagram], $unfit);
    is_refused('a socket that does not listen',   [$deaf],     $unfit);
    is_refused('a missing descriptor', [], qr/LISTEN_FDS: descriptor 3 is not/, undef, LISTEN_FDS => 1);
};

subtest 'malformed numbers are refused' => sub {
    is_refused("LISTEN_FDS=$_", [], qr/LISTEN_FDS: '\Q$_\E' is not a number/, undef, LISTEN_FDS => $_)
        for 'one', '-1', '', '99999999999999999999';
    is_refused('LISTEN_PID=me', [], qr/LISTEN_PID: 'me' is not a number/, undef, LISTEN_PID => 'me');
};

subtest 'a public address is refused in open mode' => sub {
    my $open = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => 0, Listen => SOMAXCONN)
        or die "can't listen: $@\n";
    is_refused('a public address with auth.mode = open', [$open], qr/.*auth\.mode = open/);
};

subtest 'longroom-pushd accepts several sockets, longroom-history one' => sub {
    my @sockets = map {
        IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => SOMAXCONN) or die "can't listen: $@\n"
    } 1 .. 3;
    is_refused('two', [@sockets[0, 1]], qr/LISTEN_FDS: 2 sockets inherited, but longroom-history accepts only one/,
        ['longroom-history']);
    my $l = Longroom->start(without => ['nginx', 'pushd']);
    $l->{handed}{pushd} = [Longroom::listening_socket($l->socket_path('pushd')), @sockets];
    $l->start_program('pushd');
    my @answers = map { 'Longroom::Connection'->new({ port => $_->sockport })->ask($get, 20) } @sockets;
    is_deeply [map {"$_->{status}"} @answers], [(200) x 3], 'longroom-pushd serves on three sockets';
    $l->stop;
};

subtest 'sockets meant for another process are ignored' => sub {
    my $l = Longroom->start(without => [qw(nginx history pushd)]);
    # As a shell between the service manager and the program would leave them.
    local @ENV{qw(LISTEN_PID LISTEN_FDS LISTEN_FDNAMES)} = ($$, 1, 'push');
    $l->start_program($_) for qw(history pushd);
    ok -S $l->socket_path($_), "$_ ignores them, and listens where the settings say" for qw(history pushd);
    $l->stop;
};

# With a cursor, an id, or "now": "now" is the end of the log, which longroom-pushd
# does not know yet.
subtest 'longroom-pushd answers waiters when it is stopped while its window fills' => sub {
    my $l = Longroom->start;
    my $cursor = $l->post('room_1', 'x') && $l->history('room_1')->{json}{cursor};
    $l->sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
             INSERT INTO messages (room_id, sender_id, sender_name, sender_type, content, sent_ms)
             SELECT 2, 1, 1, 'user', 'm' || i, 1790000000000 FROM n;");
    my $seen;
    for (1 .. 3) {
        $l->stop_program('pushd');
        my $from = $l->log_size('pushd');
        $l->_spawn('pushd');
        $l->wait_log('pushd', qr/serving; pid/, undef, $from);
        my %clients = map { $_ => $l->connect('pushd') } $cursor, 1, 'now', 200_001;
        $clients{$_}->write(Longroom::get_bytes("/rooms/room_1/poll?timeout=50&after=$_")) for sort keys %clients;
        select undef, undef, undef, 0.02;
        $l->signal('pushd', 'TERM');
        $seen ||= $l->log('pushd', $from) !~ /following the log/;
        for my $after (sort keys %clients) {
            my $answer = $clients{$after}->answer(30) || { status => 'none' };
            is $answer->{status}, 200, "after=$after: the waiter is answered";
            cmp_ok $answer->{json}{retry_ms} // 0, '>', 0, '... retry_ms says when to come back';
            like $answer->{json}{cursor} // 'none', qr/\A1\./, '... with a cursor';
            cmp_ok +(split /\./, $answer->{json}{cursor} // '0.0.0')[2], '>=', 200_001, '... that is the end of the log'
                if $after eq 'now';
        }
        $l->await_end('pushd');
        $l->start_program('pushd');
    }
    ok $seen, 'at least once the window was not yet filled';
    $l->stop;
};

done_testing;
