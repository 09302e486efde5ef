# How the programs are configured: -c, -o, -t, -V, the settings file, and what is
# refused. A refusal says what is wrong and where, and starts nothing.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use IO::Socket::UNIX ();
use Longroom;
use Test::More;

my @PROGRAMS = qw(longroom-history longroom-pushd);

my $place = Longroom::fresh_dir();
my $file  = "$place/longroom.conf";
my $good  = Longroom::settings_text($place);

sub run_program {
    my ($program, @arguments) = @_;
    # Nothing may come from the environment, and the test must not wait for a program
    # that does start.
    return Longroom::run([Longroom::program($program), @arguments], clean_env => 1, seconds => 20);
}

# Runs both programs with a settings file and tests that they refuse it with these
# words.
sub is_refused {
    my ($title, $text, $arguments, @words) = @_;
    Longroom::spew($file, $text);
    for my $program (@PROGRAMS) {
        my $run = run_program($program, '-c', $file, @$arguments);
        like $run->{status} // 'still running', qr/^[12]$/, "$program refuses $title";
        like $run->{stderr}, $_, "... and says $_" for @words;
        is $run->{stdout}, '', '... on stderr';
    }
    my @left = grep { $_ ne $file } glob "$place/*";
    is_deeply \@left, [], '... no file was created' or unlink @left;
    return;
}

# The number of the line that contains these words.
sub line_of {
    my ($text, $words) = @_;
    my $before = substr $text, 0, index $text, $words;
    return 1 + $before =~ tr/\n//;
}

subtest '-V prints the version, an unknown option the usage' => sub {
    for my $program (@PROGRAMS) {
        my $version = run_program($program, '-V');
        is $version->{status}, 0, "$program -V ends with status 0";
        like $version->{stdout}, qr/^$program [0-9]+\.[0-9]+\.[0-9]+\n\z/, '... and prints the version';
        my $unknown = run_program($program, '-Z');
        is $unknown->{status}, 2, "$program -Z ends with status 2";
        like $unknown->{stderr}, qr/usage: $program /, '... and prints the usage';
        is run_program($program, 'more')->{status}, 2, "$program takes no arguments";
    }
};

subtest '-t checks the settings and starts nothing' => sub {
    Longroom::spew($file, $good);
    for my $program (@PROGRAMS) {
        my $run = run_program($program, '-t', '-c', $file);
        is $run->{status}, 0, "$program accepts the settings"
            or diag $run->{stderr};
        my $tcp = run_program($program, '-t', '-c', $file, '-o', 'history.listen=127.0.0.1:9000',
            '-o', 'push.listen=[::1]:9001, localhost:9002');
        is $tcp->{status}, 0, '... also loopback addresses in place of sockets'
            or diag $tcp->{stderr};
        my $environment = Longroom::run([Longroom::program($program), '-t'],
            clean_env => 1, env => { LONGROOM_CONF => $file });
        is $environment->{status}, 0, '... and finds the file through the environment';
    }
    is_deeply [glob "$place/*"], [$file], 'no file was created';
    is_refused('bad settings with -t too', "$good\n[push]\nwindow = much\n", ['-t'], qr/window/);
};

subtest 'an unreadable file is named' => sub {
    for my $program (@PROGRAMS) {
        my $run = run_program($program, '-c', "$place/none.conf");
        is $run->{status}, 1, "$program ends with status 1";
        like $run->{stderr}, qr{\Q$place\E/none\.conf: No such file}, '... and names it';
    }
};

# The shipped file, which users read first, against the table.
subtest 'longroom.conf has every setting, in the order of the table, with its default' => sub {
    my $source = Longroom::source_dir();
    my (@table, @shipped, $section);
    my $rows = Longroom::slurp("$source/common/config/settings.def");
    push @table, "$1.$2 = $3" =~ s/ \z//r
        while $rows =~ /^SETTING\((\w+), (\w+), \w+, \w+,\s+"([^"]*)"/mg;
    for (split /\n/, Longroom::slurp("$source/etc/longroom.conf")) {
        $section = $1 if /^\[(\w+)\]$/;
        push @shipped, "$section.$1" if /^#(\w+ =.*)$/;
    }
    cmp_ok scalar @table, '>', 30, 'the table was read';
    is_deeply \@shipped, \@table, 'the two agree';
    my $copy = "$place/shipped.conf";
    Longroom::spew($copy, Longroom::slurp("$source/etc/longroom.conf") =~ s/^#(\w+ =)/$1/gmr);
    for my $program (@PROGRAMS) {
        # Not the folder of an installed instance.
        my $run = run_program($program, '-t', '-c', $copy, '-o', "store.url=sqlite:$place/longroom.db");
        is $run->{status}, 0, "$program accepts all its lines uncommented"
            or diag $run->{stderr};
    }
    unlink $copy;
};

my @bad_lines = (
    # title, the line, what the message says beside the file and the line's number
    ['an unknown setting',            "[push]\nwidnow = 64M",             'widnow = 64M', qr/push\.widnow/],
    ['an unknown section',            "[pull]\nwindow = 64M",             'window = 64M', qr/pull\.window/],
    ['a setting in the wrong section', "[store]\nthreads = 4",            'threads = 4',  qr/store\.threads/],
    ['a size without a number',       "[push]\nwindow = much",            'window = much', qr/'much'/],
    ['a size of an unknown unit',     "[push]\nwindow = 64Q",             'window = 64Q', qr/'64Q'/],
    ['a size that is too small',      "[push]\nwindow = 1K",              'window = 1K',  qr/1K/],
    ['a size that overflows',      "[push]\nwindow = 99999999999999G", 'window = 9',   qr/push\.window/],
    ['a number with a fraction',      "[history]\nthreads = 1.5",         'threads = 1.5', qr/'1\.5'/],
    ['no threads',                    "[history]\nthreads = 0",           'threads = 0',  qr/history\.threads/],
    ['a negative number',             "[push]\nmax_connections = -1",     'max_conn',     qr/'-1'/],
    ['a time of an unknown unit',     "[store]\nbusy_timeout = 5 weeks",  'busy_timeout', qr/'5 weeks'/],
    ['an invalid choice',         "[history]\non_save_failure = panic", 'on_save',    qr/panic.*broadcast\|reject/],
    ['a setting that is given twice', "[history]\nthreads = 4\nthreads = 5", 'threads = 5', qr/history\.threads/],
    ['names in capitals',             "[Auth]\nMode = open",              'Mode = open',  qr/Auth\.Mode: names are lower case: auth\.mode/],
    ['a malformed line',           "[history]\nhello",                 'hello',        qr/\S/],
    ['a line that is too long',       '# ' . 'x' x 10_000,                '# xxx',        qr/long/],
);
for (@bad_lines) {
    my ($title, $lines, $bad, $words) = @$_;
    subtest "$title is refused" => sub {
        my $text = "$good\n$lines\n";
        my $line = line_of($text, $bad);
        is_refused($title, $text, [], qr{\Q$file\E:$line: }, $words);
    };
}

subtest 'a comment behind a value is not part of it' => sub {
    for my $comment (' ; much', ' # much', "\t#much", ' #') {
        my $text = "$good\n[push]\nwindow = 64M$comment\n[rooms]\nephemeral = lobby hall$comment\n"
            . "[auth]\naudience =$comment\n";
        Longroom::spew($file, $text);
        my $run = run_program($PROGRAMS[0], '-t', '-c', $file);
        is $run->{status}, 0, "'$comment' is recognised" or diag $run->{stderr};
    }
    is_refused('a value with a mark inside', "$good\n[rooms]\nephemeral = lobby#1\n", [], qr/'lobby#1'/);
};

subtest 'bad arguments of -o are refused' => sub {
    for my $bad ('push.widnow=64M', 'push.window=much', 'window=64M', 'push.window', '=', '.=', '') {
        is_refused("-o '$bad'", $good, ['-o', $bad], qr/-o \Q$bad\E|-o [a-z.]+: /);
    }
};

subtest 'invalid addresses of the bus are refused' => sub {
    for my $setting (qw(bus.publish bus.subscribe push.publish)) {
        is_refused("$setting without a scheme", $good, ['-o', "$setting=/run/x.ipc"],
            qr{\Q$setting\E: '/run/x\.ipc': write ipc:///path or tcp://host:port});
    }
    is_refused('push.publish on the address of longroom-history', $good,
        ['-o', 'bus.publish=ipc:///run/x.ipc', '-o', 'push.publish=ipc:///run/x.ipc'],
        qr{push\.publish: 'ipc:///run/x\.ipc' is bus\.publish too: longroom-pushd needs an address of its own});
};

subtest 'invalid store addresses are refused' => sub {
    is_refused('a path without a scheme', $good, ['-o', 'store.url=/var/lib/x.db'],
        qr{store\.url: /var/lib/x\.db: add the scheme: sqlite:/var/lib/x\.db});
    is_refused('a name', $good, ['-o', 'store.url=x.db'], qr{store\.url: x\.db: write sqlite: and an absolute path});
    is_refused('a relative path', $good, ['-o', 'store.url=sqlite:x.db'], qr{store\.url: x\.db: write an absolute path});
};

subtest 'invalid values are refused' => sub {
    my $long = '/' . 'x' x 108;
    for my $name (qw(history.listen push.listen)) {
        for my $bad ('unix:relative.sock', "unix:$long", 'nowhere', '127.0.0.1:', ':80', '127.0.0.1:http2go', '127.0.0.1:70000',
            'host name:80')
        {
            is_refused("$name=$bad", $good, ['-o', "$name=$bad"], qr/\Q$name\E/);
        }
    }
    is_refused('an empty address', $good, ['-o', 'push.listen='], qr/push\.listen/);
    is_refused('a pattern that matches no room', $good, ['-o', 'rooms.ephemeral=a/b'], qr/rooms\.ephemeral/);
    is_refused("a pattern of 9 stars in $_", $good, ['-o', "$_=*a*b*c*d*e*f*g*h*"], qr/\Q$_\E.*has more than 8 stars/)
        for qw(rooms.ephemeral auth.anonymous_read);
    is_refused("a pattern of 65 bytes in $_", $good, ['-o', "$_=" . 'x' x 65], qr/\Q$_\E.*cannot match any room name/)
        for qw(rooms.ephemeral auth.anonymous_read);
    is_refused("an invalid cookie name: $_", $good, ['-o', "auth.cookie=$_"], qr/auth\.cookie/)
        for 'a b', 'a=b', 'a;b', '"a"';
    is_refused('an unknown kind of store', $good, ['-o', 'store.url=mongodb:x'], qr/store\.url/);
};

subtest 'more connections than descriptors are refused' => sub {
    Longroom::spew($file, $good);
    my $run = Longroom::run([Longroom::with_descriptors(200, Longroom::program('longroom-pushd'),
        '-c', $file, '-o', 'push.max_connections=1000')], clean_env => 1, seconds => 20);
    is $run->{status} // 'still running', 1, 'longroom-pushd refuses them';
    like $run->{stderr}, qr/push\.max_connections: 1000\b.*\b200\b/, 'and says how many there are';
};

subtest 'mode token without keys is refused' => sub {
    (my $other = $good) =~ s/^mode = open$/mode = token/m;
    is_refused('auth.mode = token', $other, [], qr/auth\.keys/, qr/at least one file/);
    is_refused('a missing key file', $other, ['-o', "auth.keys=$place/no-such-key"],
        qr{\Q$place\E/no-such-key});
    is_refused('a missing key file with -t', $other, ['-t', '-o', "auth.keys=$place/no-such-key"],
        qr{\Q$place\E/no-such-key});
};

subtest 'open mode with a public address is refused' => sub {
    for my $address ('0.0.0.0:0', '[::]:0', '192.0.2.1:9000') {
        (my $history = $good) =~ s/^listen = unix:\S*history\S*$/listen = $address/m;
        my $line = line_of($history, "listen = $address");
        is_refused("history.listen = $address", $history, [], qr{\Q$file\E:$line: history\.listen: },
            qr/\Q$address\E/, qr/auth\.mode = open/);
        is_refused("push.listen = $address beside a valid one", $good,
            ['-o', "push.listen=unix:$place/push.sock $address"], qr/push\.listen/, qr/\Q$address\E/);
    }
};

subtest '-o takes precedence over the file' => sub {
    my $l = Longroom->start(settings => { 'limits.content' => '5', 'rooms.ephemeral' => 'lobby, hall-*' });
    is $l->post('room_26', '12345')->{status}, 201, 'five bytes are accepted with limits.content = 5';
    Longroom::is_problem($l->post('room_26', '123456'), 413, 'content-too-large', 'six bytes are refused');
    is $l->post($_, 'gone')->{status}, 202, "$_ is ephemeral" for 'lobby', 'hall-1';
    is $l->post($_, 'kept')->{status}, 201, "$_ is not" for 'general', 'hall';
    is sprintf('%o', (stat $l->socket_path($_))[2] & 0117), '0', "the socket of $_ is closed to other users"
        for qw(history pushd);

    my %name = (history => 'longroom-history', pushd => 'longroom-pushd');
    for my $program (sort keys %name) {
        my $socket = $l->socket_path($program);
        my $second = run_program($name{$program}, '-c', $l->dir . '/longroom.conf',
            '-o', 'bus.publish=ipc://' . $l->dir . '/second.ipc');
        is $second->{status} // 'still running', 1, "a second $program on the same socket is refused";
        like $second->{stderr}, qr/\Q$socket\E/, '... and names the socket';
        like $l->request(GET => $program eq 'history' ? '/rooms/room_26/messages' : '/rooms/room_26/poll?timeout=0')
            ->{status}, qr/^200$/, '... while the first keeps running';

        $l->signal($program, 'KILL');
        ok -S $socket, 'a killed program leaves its socket file behind';
        $l->start_program($program);
        is $l->post('room_26', 'again')->{status}, 201, '... the next one replaces it';
        is $l->poll('room_26', timeout => 0)->{status}, 200, '... and serves';
    }
    $l->stop;
    ok !-e $l->socket_path($_), "the socket file of $_ is removed when it stops" for qw(history pushd);
};

# ---------------------------------------------------------------- SIGHUP

sub poll_now { return Longroom::get_bytes('/rooms/room_26/poll?timeout=0' . ($_[0] // '')) }

subtest 'SIGHUP applies what longroom-history can change' => sub {
    my $l = Longroom->start(settings => { 'rooms.ephemeral' => 'fixed' }, without => ['pushd']);
    is $l->post('room_26', '123456')->{status}, 201, 'a message within the limit';
    $l->set_in_file("[limits]\ncontent = 5");
    Longroom::is_problem($l->post('room_26', '123456'), 413, 'content-too-large',
        'is too long for the new limits.content');
    is $l->post('fixed', 'x')->{status}, 202, 'the value of -o';
    $l->set_in_file("[rooms]\nephemeral = lobby, hall-*");
    is $l->post('room_26', '123456')->{status}, 201, 'a setting removed from the file has its default again';
    is $l->post('fixed', 'x')->{status}, 202, '-o still takes precedence';
    is $l->post('lobby', 'x')->{status}, 201, '... over the value in the file';
    $l->stop;

    my $free = Longroom->start(without => ['pushd']);
    is $free->post($_, 'x')->{status}, 201, "$_ is not ephemeral" for qw(lobby hall-1);
    $free->set_in_file("[rooms]\nephemeral = lobby, hall-*");
    is $free->post($_, 'x')->{status}, 202, "$_ is, with the new rooms.ephemeral" for qw(lobby hall-1);
    is $free->post('general', 'x')->{status}, 201, 'other rooms no longer are';
    $free->stop;
};

subtest 'SIGHUP applies what longroom-pushd can change' => sub {
    my $l = Longroom->start(without => ['nginx', 'history']);
    my %c = map { $_ => $l->connect('pushd') } qw(idle half long waiting);
    is $c{$_}->ask(poll_now())->{status}, 503, 'without a database polls get 503' for qw(idle);
    $l->start_program('history');
    ok $l->eventually(20, sub { $c{idle}->ask(poll_now())->{status} == 200 }),
        'with the database polls are answered';
    $c{half}->write(substr poll_now(), 0, 30);
    $c{long}->write('GET /rooms/room_26/poll?timeout=0 HTTP/1.1' . "\r\nX: " . 'x' x 5000);
    $c{waiting}->write(Longroom::get_bytes('/rooms/room_26/poll?timeout=3'));
    is $c{waiting}->answer(0.2), undef, 'a poll waits';

    $l->set_in_file("[limits]\nrequest_head = 2K");
    Longroom::is_problem($l->connect('pushd')->ask(poll_now('&x=' . 'x' x 3000)), 414, 'head-too-large',
        'a request is too long for the new limits.request_head');
    $c{long}->write("\r\n\r\n");
    my $long = $c{long}->answer(20);
    like $long->{status}, qr/^4/, '... so is a request that began before';
    ok $c{long}->hangs_up(20), '... its connection is closed';

    $l->set_in_file("[limits]\nhead_timeout = 100ms");
    ok $c{half}->hangs_up(20), 'a new limits.head_timeout applies to requests that began before';
    is $c{idle}->ask(poll_now())->{status}, 200, 'other connections stay open';
    is $l->connect('pushd')->ask(poll_now('&x=' . 'x' x 3000))->{status}, 200,
        'a long request is accepted again';
    $l->set_in_file("[limits]\nidle_timeout = 1s");
    ok $c{idle}->hangs_up(20), 'a new limits.idle_timeout applies to connections that were idle before';
    is $c{waiting}->answer(20)->{json}{count}, 0, 'but not to a waiting poll';
    $c{waiting}->close;

    $l->set_in_file("[push]\nmax_connections = 2");
    my @c = map { $l->connect('pushd') } 1 .. 3;
    my @told;
    ok $l->eventually(20, sub { @told = map { $_->ask(poll_now())->{status} } @c[0, 1]; "@told" eq '200 200' }),
        'two are served with push.max_connections = 2';
    is $c[2]->ask(poll_now())->{status}, 503, 'the third is refused';
    $l->set_in_file('');
    is $l->connect('pushd')->ask(poll_now())->{status}, 200, 'without that line it is served';
    $l->stop;
};

subtest 'SIGHUP changes push.window without losing messages' => sub {
    my $l = Longroom->start(without => ['nginx']);
    my $crowd = $l->pollers('pushd');
    my $seen = $crowd->follow('room_26', after => 0);
    my $fill = sub {
        $l->sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
                 INSERT INTO messages (room_id, sender_id, sender_name, sender_type, content, sent_ms)
                 SELECT 26, 1, 1, 'user', printf('%.*c', 2000, 'x'), 1790000000000 FROM n;");
    };
    $fill->();
    ok $crowd->run(30, sub { @{ $seen->{ids} } >= 100 }), 'a hundred messages arrive with a large window';
    $l->set_in_file("[push]\nwindow = 64K");
    $fill->();
    ok $crowd->run(30, sub { @{ $seen->{ids} } >= 200 }),
        'a hundred more with a window that is too small for them';
    $l->set_in_file("[push]\nwindow = 1M");
    $fill->();
    ok $crowd->run(30, sub { @{ $seen->{ids} } >= 300 }), 'a hundred more with one that is large enough';
    is_deeply $seen->{ids}, [1 .. 300], 'none is lost or doubled';
    $crowd->close;
    $l->stop;
};

subtest 'SIGHUP keeps what only a restart can change' => sub {
    my $l = Longroom->start(without => ['nginx']);
    my %from = map { $_ => $l->log_size($_) } qw(history pushd);
    my $text = Longroom::settings_text($l->dir);
    $text =~ s/^(\[history\]\n)/$1threads = 7\n/m;
    $text =~ s/^(listen = .*)push\.sock/$1other.sock/m;
    Longroom::spew($l->dir . '/longroom.conf', $text);
    $l->signal($_, 'HUP') for qw(history pushd);
    for (qw(history pushd)) {
        is $l->wait_log($_, qr/warning: (\S*longroom\.conf: .*)/, 20, $from{$_}),
            $l->dir . '/longroom.conf: restart needed for: history.threads, push.listen',
            "$_ logs which settings wait for a restart";
    }
    is $l->connect('pushd')->ask(poll_now())->{status}, 200, 'longroom-pushd keeps its address';
    $l->stop;
};

subtest 'SIGHUP judges a file together with the settings that only a restart can change' => sub {
    my $l = Longroom->start(without => [qw(nginx history pushd)]);
    my ($dir, $open) = ($l->dir, Longroom::settings_text($l->dir));
    Longroom::spew("$dir/key", 'a secret of no less than 32 bytes!');
    chmod 0600, "$dir/key";
    Longroom::spew("$dir/longroom.conf", $open =~ s{^mode = open$}{mode = token\nkeys = $dir/key}mr);
    $l->start_program($_) for qw(history pushd);
    Longroom::spew("$dir/longroom.conf", $open);
    $l->signal($_, 'HUP') for qw(history pushd);
    for (qw(history pushd)) {
        ok $l->wait_log($_, qr/error: \S+longroom\.conf: auth\.keys: .*at least one file.*\n.*error: reload failed, settings unchanged\n/),
            "the file alone needs no key, but $_ still runs in mode token, and keeps its keys";
    }
    $l->stop;
};

subtest 'SIGHUP with a bad file changes nothing' => sub {
    my $l = Longroom->start(without => ['pushd'], settings => { 'rooms.ephemeral' => 'lobby' });
    my $good = Longroom::settings_text($l->dir);
    $l->set_in_file("[limits]\ncontent = 5");
    my %bad = (
        'an invalid value'      => "$good\n[limits]\ncontent = much\n",
        'an unknown setting'        => "$good\n[limits]\ncontents = 7\n",
        'settings that contradict each other' => $good =~ s/^(listen = )unix:.*history\.sock/${1}0.0.0.0:1/mr,
    );
    for my $title (sort keys %bad) {
        my $from = $l->log_size('history');
        Longroom::spew($l->dir . '/longroom.conf', $bad{$title});
        $l->signal('history', 'HUP');
        ok $l->wait_log('history', qr/error: \S+longroom\.conf:\d+: .*\n.*error: reload failed, settings unchanged\n/, 20, $from),
            "$title is logged, with file and line";
        is $l->post('room_26', '12345')->{status}, 201, 'and changes';
        is $l->post('room_26', '123456')->{status}, 413, '... nothing';
    }
    unlink $l->dir . '/longroom.conf';
    my $from = $l->log_size('history');
    $l->signal('history', 'HUP');
    ok $l->wait_log('history', qr/error: \S+longroom\.conf: No such file.*\n.*reload failed, settings unchanged\n/, 20, $from),
        'a missing file is logged';
    is $l->post('room_26', '123456')->{status}, 413, 'and changes nothing';
    $l->stop;
};

subtest 'SIGHUP with more connections than descriptors changes nothing' => sub {
    my $l = Longroom->start(without => ['nginx']);
    $l->set_in_file("[push]\nmax_connections = 1000000\n[limits]\nrequest_head = 2K");
    ok $l->wait_log('pushd', qr/error: push\.max_connections: 1000000 is more than the limit of \d+ open files/),
        'longroom-pushd logs it';
    is $l->connect('pushd')->ask(poll_now('&x=' . 'x' x 3000))->{status}, 200,
        'not even a setting that is valid by itself';
    $l->stop;
};

subtest 'many SIGHUPs under load fail no request' => sub {
    my $l = Longroom->start;
    my $crowd = $l->crowd;
    my %told;
    for my $n (1 .. 40) {
        my $left = 25;
        $crowd->add(sub {
            my ($answer) = @_;
            $told{ $answer->{status} }++ if $answer;
            return if $left-- == 0;
            return Longroom::post_bytes("room_$n", 'x' x 100) if $n % 2;
            return poll_now();
        });
    }
    my $turn = 0;
    ok $crowd->run(60, sub {
        $l->signal($_, 'HUP') for qw(history pushd);
        Longroom::spew($l->dir . '/longroom.conf', Longroom::settings_text($l->dir) . "\n[rooms]\nephemeral = r$turn\n")
            if $turn++ % 10 == 0;
        return 0 if grep { $_->{out} } @{ $crowd->{clients} };
        return 1;
    }), 'no client hangs';
    is_deeply \%told, { 200 => 500, 201 => 500 }, 'every answer is a success';
    $l->stop;
};

# Whether SIGHUP would not end the program: it is blocked or caught.
sub heeds_hang_up {
    my ($pid) = @_;
    return Longroom::slurp("/proc/$pid/comm") =~ /^longroom-/
        && Longroom::slurp("/proc/$pid/status") =~ /^Sig(?:Blk|Cgt):\s+[0-9a-f]*[13579bdf]$/m;
}

subtest 'SIGHUP during the start and the shutdown is harmless' => sub {
    plan skip_all => 'this system has no /proc with signal masks' if !-e "/proc/$$/status";
    for my $program (qw(history pushd)) {
        for my $time (1 .. 5) {
            my $l = Longroom->start(without => [qw(nginx history pushd)]);
            $l->_spawn($program);
            ok $l->eventually(30, sub {
                $l->signal($program, 'HUP') if heeds_hang_up($l->pid($program));
                return $l->log($program) =~ /serving; pid/;
            }), "$program starts in spite of SIGHUP";
            my $c = $l->connect($program);
            $l->signal($program, $_) for qw(HUP TERM HUP HUP);
            $c->close;
            $l->await_end($program);
            $l->stop;
        }
    }
};

subtest 'a file that is not a socket is left alone' => sub {
    for my $program (@PROGRAMS) {
        my $name = $program eq 'longroom-history' ? 'history' : 'push';
        my $precious = "$place/$name.sock";
        Longroom::spew($file, $good);
        Longroom::spew($precious, 'precious');
        my $run = run_program($program, '-c', $file);
        is $run->{status} // 'still running', 1, "$program refuses to start";
        like $run->{stderr}, qr/\Q$precious\E/, '... and names the file';
        is -s $precious, length 'precious', '... the file is unchanged';
        unlink $precious;
    }
};

done_testing;
