# How the programs are told what to do: -c, -o, -t, -V, the settings file, and
# what is refused. A refusal says what is wrong and where, and starts nothing.

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
    # Nothing may come from outside, and a program that would start in earnest
    # must not be waited for.
    return Longroom::run([Longroom::program($program), @arguments], clean_env => 1, seconds => 20);
}

# Runs both programs on a text of settings and tests that they refuse it with
# these words.
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
    is_deeply \@left, [], '... and nothing was made' or unlink @left;
    return;
}

# The number of the line that holds these words.
sub line_of {
    my ($text, $words) = @_;
    my $before = substr $text, 0, index $text, $words;
    return 1 + $before =~ tr/\n//;
}

subtest 'the version and the usage' => sub {
    for my $program (@PROGRAMS) {
        my $version = run_program($program, '-V');
        is $version->{status}, 0, "$program -V ends with status 0";
        like $version->{stdout}, qr/^$program [0-9]+\.[0-9]+\.[0-9]+\n\z/, '... and prints the version';
        my $unknown = run_program($program, '-Z');
        is $unknown->{status}, 2, "$program -Z ends with status 2";
        like $unknown->{stderr}, qr/usage: $program /, '... and prints the usage';
        is run_program($program, 'more')->{status}, 2, "$program takes no further words";
    }
};

subtest '-t checks the settings and starts nothing' => sub {
    Longroom::spew($file, $good);
    for my $program (@PROGRAMS) {
        my $run = run_program($program, '-t', '-c', $file);
        is $run->{status}, 0, "$program finds the settings good"
            or diag $run->{stderr};
        my $tcp = run_program($program, '-t', '-c', $file, '-o', 'history.listen=127.0.0.1:9000',
            '-o', 'push.listen=[::1]:9001, localhost:9002');
        is $tcp->{status}, 0, '... also with loopback addresses in place of sockets'
            or diag $tcp->{stderr};
        my $environment = Longroom::run([Longroom::program($program), '-t'],
            clean_env => 1, env => { LONGROOM_CONF => $file });
        is $environment->{status}, 0, '... and finds the file by the environment';
    }
    is_deeply [glob "$place/*"], [$file], 'nothing was made';
    is_refused('bad settings with -t too', "$good\n[push]\nwindow = much\n", ['-t'], qr/window/);
};

subtest 'a file that can not be read' => sub {
    for my $program (@PROGRAMS) {
        my $run = run_program($program, '-c', "$place/none.conf");
        is $run->{status}, 1, "$program ends with status 1";
        like $run->{stderr}, qr{\Q$place\E/none\.conf: No such file}, '... and names it';
    }
};

# The shipped file, which people read first, against the table.
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
        # Not the folder of an installed one.
        my $run = run_program($program, '-t', '-c', $copy, '-o', "store.url=sqlite:$place/longroom.db");
        is $run->{status}, 0, "$program takes all of it, as it would be without comment signs"
            or diag $run->{stderr};
    }
    unlink $copy;
};

my @bad_lines = (
    # title, the line, what is to be said beside the file and the line's number
    ['an unknown setting',            "[push]\nwidnow = 64M",             'widnow = 64M', qr/push\.widnow/],
    ['an unknown section',            "[pull]\nwindow = 64M",             'window = 64M', qr/pull\.window/],
    ['a setting in the wrong section', "[store]\nthreads = 4",            'threads = 4',  qr/store\.threads/],
    ['a size without a number',       "[push]\nwindow = much",            'window = much', qr/'much'/],
    ['a size of an unknown unit',     "[push]\nwindow = 64Q",             'window = 64Q', qr/'64Q'/],
    ['a size that is too small',      "[push]\nwindow = 1K",              'window = 1K',  qr/1K/],
    ['a size past every number',      "[push]\nwindow = 99999999999999G", 'window = 9',   qr/push\.window/],
    ['a number with a fraction',      "[history]\nthreads = 1.5",         'threads = 1.5', qr/'1\.5'/],
    ['no threads',                    "[history]\nthreads = 0",           'threads = 0',  qr/history\.threads/],
    ['a negative number',             "[push]\nmax_connections = -1",     'max_conn',     qr/'-1'/],
    ['a time of an unknown unit',     "[store]\nbusy_timeout = 5 weeks",  'busy_timeout', qr/'5 weeks'/],
    ['a choice that is none',         "[history]\non_save_failure = panic", 'on_save',    qr/panic.*broadcast\|reject/],
    ['a setting that is given twice', "[history]\nthreads = 4\nthreads = 5", 'threads = 5', qr/history\.threads/],
    ['names in capitals',             "[Auth]\nMode = open",              'Mode = open',  qr/Auth\.Mode: names are lower case: auth\.mode/],
    ['a line that is none',           "[history]\nhello",                 'hello',        qr/\S/],
    ['a line that is too long',       '# ' . 'x' x 10_000,                '# xxx',        qr/long/],
);
for (@bad_lines) {
    my ($title, $lines, $bad, $words) = @$_;
    subtest $title => sub {
        my $text = "$good\n$lines\n";
        my $line = line_of($text, $bad);
        is_refused($title, $text, [], qr{\Q$file\E:$line: }, $words);
    };
}

subtest 'a comment behind a value is none of it' => sub {
    for my $comment (' ; much', ' # much', "\t#much", ' #') {
        my $text = "$good\n[push]\nwindow = 64M$comment\n[rooms]\nephemeral = lobby hall$comment\n"
            . "[auth]\naudience =$comment\n";
        Longroom::spew($file, $text);
        my $run = run_program($PROGRAMS[0], '-t', '-c', $file);
        is $run->{status}, 0, "'$comment' is understood" or diag $run->{stderr};
    }
    is_refused('a value with a mark inside', "$good\n[rooms]\nephemeral = lobby#1\n", [], qr/'lobby#1'/);
};

subtest 'bad words after -o' => sub {
    for my $bad ('push.widnow=64M', 'push.window=much', 'window=64M', 'push.window', '=', '.=', '') {
        is_refused("-o '$bad'", $good, ['-o', $bad], qr/-o \Q$bad\E|-o [a-z.]+: /);
    }
};

subtest 'addresses that are no store' => sub {
    is_refused('a path without a scheme', $good, ['-o', 'store.url=/var/lib/x.db'],
        qr{store\.url: /var/lib/x\.db: add the scheme: sqlite:/var/lib/x\.db});
    is_refused('a name', $good, ['-o', 'store.url=x.db'], qr{store\.url: x\.db: write sqlite: and an absolute path});
    is_refused('a relative path', $good, ['-o', 'store.url=sqlite:x.db'], qr{store\.url: x\.db is not an absolute path});
};

subtest 'addresses that are none' => sub {
    my $long = '/' . 'x' x 108;
    for my $name (qw(history.listen push.listen)) {
        for my $bad ('unix:relative.sock', "unix:$long", 'nowhere', '127.0.0.1:', ':80', '127.0.0.1:http2go', '127.0.0.1:70000',
            'host name:80')
        {
            is_refused("$name=$bad", $good, ['-o', "$name=$bad"], qr/\Q$name\E/);
        }
    }
    is_refused('no address at all', $good, ['-o', 'push.listen='], qr/push\.listen/);
    is_refused('a pattern that matches no room', $good, ['-o', 'rooms.ephemeral=a/b'], qr/rooms\.ephemeral/);
    is_refused("a pattern of 9 stars in $_", $good, ['-o', "$_=*a*b*c*d*e*f*g*h*"], qr/\Q$_\E.*has more than 8 stars/)
        for qw(rooms.ephemeral auth.anonymous_read);
    is_refused("a pattern of 65 bytes in $_", $good, ['-o', "$_=" . 'x' x 65], qr/\Q$_\E.*can match no room's name/)
        for qw(rooms.ephemeral auth.anonymous_read);
    is_refused("a cookie that can't be called so: $_", $good, ['-o', "auth.cookie=$_"], qr/auth\.cookie/)
        for 'a b', 'a=b', 'a;b', '"a"';
    is_refused('an unknown kind of store', $good, ['-o', 'store.url=mongodb:x'], qr/store\.url/);
};

subtest 'more connections than descriptors' => sub {
    Longroom::spew($file, $good);
    my $run = Longroom::run([Longroom::with_descriptors(200, Longroom::program('longroom-pushd'),
        '-c', $file, '-o', 'push.max_connections=1000')], clean_env => 1, seconds => 20);
    is $run->{status} // 'still running', 1, 'longroom-pushd refuses them';
    like $run->{stderr}, qr/push\.max_connections: 1000\b.*\b200\b/, 'and says how many there are';
};

subtest 'tokens without keys' => sub {
    (my $other = $good) =~ s/^mode = open$/mode = token/m;
    is_refused('auth.mode = token', $other, [], qr/auth\.keys/, qr/at least one file/);
    is_refused('a key file that is not there', $other, ['-o', "auth.keys=$place/no-such-key"],
        qr{\Q$place\E/no-such-key});
    is_refused('such a file, when it is only checked', $other, ['-t', '-o', "auth.keys=$place/no-such-key"],
        qr{\Q$place\E/no-such-key});
};

subtest 'open mode beside an address that others can reach' => sub {
    for my $address ('0.0.0.0:0', '[::]:0', '192.0.2.1:9000') {
        (my $history = $good) =~ s/^listen = unix:\S*history\S*$/listen = $address/m;
        my $line = line_of($history, "listen = $address");
        is_refused("history.listen = $address", $history, [], qr{\Q$file\E:$line: history\.listen: },
            qr/\Q$address\E/, qr/auth\.mode = open/);
        is_refused("push.listen = $address beside a good one", $good,
            ['-o', "push.listen=unix:$place/push.sock $address"], qr/push\.listen/, qr/\Q$address\E/);
    }
};

subtest '-o wins over the file' => sub {
    my $l = Longroom->start(settings => { 'limits.content' => '5', 'rooms.ephemeral' => 'lobby, hall-*' });
    is $l->post('room_26', '12345')->{status}, 201, 'a limit';
    Longroom::is_problem($l->post('room_26', '123456'), 413, 'content-too-large', 'of five bytes');
    is $l->post($_, 'gone')->{status}, 202, "$_ is ephemeral" for 'lobby', 'hall-1';
    is $l->post($_, 'kept')->{status}, 201, "$_ is not" for 'general', 'hall';
    is sprintf('%o', (stat $l->socket_path($_))[2] & 0117), '0', "the socket of $_ is not for everybody"
        for qw(history pushd);

    my %name = (history => 'longroom-history', pushd => 'longroom-pushd');
    for my $program (sort keys %name) {
        my $socket = $l->socket_path($program);
        my $second = run_program($name{$program}, '-c', $l->dir . '/longroom.conf',
            '-o', 'bus.publish=ipc://' . $l->dir . '/second.ipc');
        is $second->{status} // 'still running', 1, "a second $program on the same socket is refused";
        like $second->{stderr}, qr/\Q$socket\E/, '... and names it';
        like $l->request(GET => $program eq 'history' ? '/rooms/room_26/messages' : '/rooms/room_26/poll?timeout=0')
            ->{status}, qr/^200$/, '... while the first goes on';

        $l->signal($program, 'KILL');
        ok -S $socket, 'a killed program leaves its socket file behind';
        $l->start_program($program);
        is $l->post('room_26', 'again')->{status}, 201, '... that the next one replaces';
        is $l->poll('room_26', timeout => 0)->{status}, 200, '... and serves';
    }
    $l->stop;
    ok !-e $l->socket_path($_), "the socket file of $_ goes with it" for qw(history pushd);
};

# ---------------------------------------------------------------- SIGHUP

sub poll_now { return Longroom::get_bytes('/rooms/room_26/poll?timeout=0' . ($_[0] // '')) }

subtest 'SIGHUP takes what longroom-history can change' => sub {
    my $l = Longroom->start(settings => { 'rooms.ephemeral' => 'fixed' }, without => ['pushd']);
    is $l->post('room_26', '123456')->{status}, 201, 'a message that is not too long';
    $l->set_in_file("[limits]\ncontent = 5");
    Longroom::is_problem($l->post('room_26', '123456'), 413, 'content-too-large', 'is so with another limits.content');
    is $l->post('fixed', 'x')->{status}, 202, 'what -o says';
    $l->set_in_file("[rooms]\nephemeral = lobby, hall-*");
    is $l->post('room_26', '123456')->{status}, 201, 'what the file does not say any more has its default again';
    is $l->post('fixed', 'x')->{status}, 202, 'still wins over the file';
    is $l->post('lobby', 'x')->{status}, 201, '... that says another';
    $l->stop;

    my $free = Longroom->start(without => ['pushd']);
    is $free->post($_, 'x')->{status}, 201, "$_ is not ephemeral" for qw(lobby hall-1);
    $free->set_in_file("[rooms]\nephemeral = lobby, hall-*");
    is $free->post($_, 'x')->{status}, 202, "$_ is, with another rooms.ephemeral" for qw(lobby hall-1);
    is $free->post('general', 'x')->{status}, 201, 'and others are not any more';
    $free->stop;
};

subtest 'SIGHUP takes what longroom-pushd can change' => sub {
    my $l = Longroom->start(without => ['nginx', 'history']);
    my %c = map { $_ => $l->connect('pushd') } qw(idle half long waiting);
    is $c{$_}->ask(poll_now())->{status}, 503, 'where there is no database yet, there is none' for qw(idle);
    $l->start_program('history');
    ok $l->eventually(20, sub { $c{idle}->ask(poll_now())->{status} == 200 }), 'with it polls are answered';
    $c{half}->write(substr poll_now(), 0, 30);
    $c{long}->write('GET /rooms/room_26/poll?timeout=0 HTTP/1.1' . "\r\nX: " . 'x' x 5000);
    $c{waiting}->write(Longroom::get_bytes('/rooms/room_26/poll?timeout=3'));
    is $c{waiting}->answer(0.2), undef, 'one waits';

    $l->set_in_file("[limits]\nrequest_head = 2K");
    Longroom::is_problem($l->connect('pushd')->ask(poll_now('&x=' . 'x' x 3000)), 414, 'head-too-large',
        'a request is too long for another limits.request_head');
    $c{long}->write("\r\n\r\n");
    my $long = $c{long}->answer(20);
    like $long->{status}, qr/^4/, '... and so is one that has begun before';
    ok $c{long}->hangs_up(20), '... which is the last';

    $l->set_in_file("[limits]\nhead_timeout = 100ms");
    ok $c{half}->hangs_up(20), 'another limits.head_timeout holds for who has begun before';
    is $c{idle}->ask(poll_now())->{status}, 200, 'while others go on';
    is $l->connect('pushd')->ask(poll_now('&x=' . 'x' x 3000))->{status}, 200, 'and a long request is allowed again';
    $l->set_in_file("[limits]\nidle_timeout = 1s");
    ok $c{idle}->hangs_up(20), 'another limits.idle_timeout for who was idle before';
    is $c{waiting}->answer(20)->{json}{count}, 0, 'but not for who waits';
    $c{waiting}->close;

    $l->set_in_file("[push]\nmax_connections = 2");
    my @c = map { $l->connect('pushd') } 1 .. 3;
    my @told;
    ok $l->eventually(20, sub { @told = map { $_->ask(poll_now())->{status} } @c[0, 1]; "@told" eq '200 200' }),
        'two are served with push.max_connections = 2';
    is $c[2]->ask(poll_now())->{status}, 503, 'and the third is refused';
    $l->set_in_file('');
    is $l->connect('pushd')->ask(poll_now())->{status}, 200, 'but not without that line';
    $l->stop;
};

subtest 'another push.window after SIGHUP' => sub {
    my $l = Longroom->start(without => ['nginx']);
    my $crowd = $l->pollers('pushd');
    my $seen = $crowd->follow('room_26', after => 0);
    my $fill = sub {
        $l->sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
                 INSERT INTO messages (room_id, sender_id, sender_name, sender_type, content, sent_ms)
                 SELECT 26, 1, 1, 'user', printf('%.*c', 2000, 'x'), 1790000000000 FROM n;");
    };
    $fill->();
    ok $crowd->run(30, sub { @{ $seen->{ids} } >= 100 }), 'a hundred messages come with a large window';
    $l->set_in_file("[push]\nwindow = 64K");
    $fill->();
    ok $crowd->run(30, sub { @{ $seen->{ids} } >= 200 }), 'a hundred more with one that does not hold them';
    $l->set_in_file("[push]\nwindow = 1M");
    $fill->();
    ok $crowd->run(30, sub { @{ $seen->{ids} } >= 300 }), 'a hundred more with one that does';
    is_deeply $seen->{ids}, [1 .. 300], 'none is lost or doubled';
    $crowd->close;
    $l->stop;
};

subtest 'SIGHUP keeps what only a start can change' => sub {
    my $l = Longroom->start(without => ['nginx']);
    my %from = map { $_ => $l->log_size($_) } qw(history pushd);
    my $text = Longroom::settings_text($l->dir);
    $text =~ s/^(\[history\]\n)/$1threads = 7\n/m;
    $text =~ s/^(listen = .*)push\.sock/$1other.sock/m;
    Longroom::spew($l->dir . '/longroom.conf', $text);
    $l->signal($_, 'HUP') for qw(history pushd);
    for (qw(history pushd)) {
        is $l->wait_log($_, qr/warning: (\S*longroom\.conf: .*)/, 20, $from{$_}),
            $l->dir . '/longroom.conf: takes effect at the next start: history.threads, push.listen',
            "$_ tells the operator, in a line";
    }
    is $l->connect('pushd')->ask(poll_now())->{status}, 200, 'and goes on where it was';
    $l->stop;
};

subtest 'SIGHUP with what is good, but not beside what only a start can change' => sub {
    my $l = Longroom->start(without => [qw(nginx history pushd)]);
    my ($dir, $open) = ($l->dir, Longroom::settings_text($l->dir));
    Longroom::spew("$dir/key", 'a secret of no less than 32 bytes!');
    chmod 0600, "$dir/key";
    Longroom::spew("$dir/longroom.conf", $open =~ s{^mode = open$}{mode = token\nkeys = $dir/key}mr);
    $l->start_program($_) for qw(history pushd);
    Longroom::spew("$dir/longroom.conf", $open);
    $l->signal($_, 'HUP') for qw(history pushd);
    for (qw(history pushd)) {
        ok $l->wait_log($_, qr/error: \S+longroom\.conf: auth\.keys: .*at least one file\n.*error: the settings stay as they were\n/),
            "without a mode of tokens no key is needed, but $_ has that mode, and keeps its keys";
    }
    $l->stop;
};

subtest 'SIGHUP with a bad file' => sub {
    my $l = Longroom->start(without => ['pushd'], settings => { 'rooms.ephemeral' => 'lobby' });
    my $good = Longroom::settings_text($l->dir);
    $l->set_in_file("[limits]\ncontent = 5");
    my %bad = (
        'a value that is none'      => "$good\n[limits]\ncontent = much\n",
        'an unknown setting'        => "$good\n[limits]\ncontents = 7\n",
        'settings that do not meet' => $good =~ s/^(listen = )unix:.*history\.sock/${1}0.0.0.0:1/mr,
    );
    for my $title (sort keys %bad) {
        my $from = $l->log_size('history');
        Longroom::spew($l->dir . '/longroom.conf', $bad{$title});
        $l->signal('history', 'HUP');
        ok $l->wait_log('history', qr/error: \S+longroom\.conf:\d+: .*\n.*error: the settings stay as they were\n/, 20, $from),
            "$title is told, with file and line";
        is $l->post('room_26', '12345')->{status}, 201, 'and changes';
        is $l->post('room_26', '123456')->{status}, 413, '... nothing';
    }
    unlink $l->dir . '/longroom.conf';
    my $from = $l->log_size('history');
    $l->signal('history', 'HUP');
    ok $l->wait_log('history', qr/error: \S+longroom\.conf: No such file.*\n.*stay as they were\n/, 20, $from),
        'a file that is gone is told';
    is $l->post('room_26', '123456')->{status}, 413, 'and changes nothing';
    $l->stop;
};

subtest 'SIGHUP with more connections than descriptors' => sub {
    my $l = Longroom->start(without => ['nginx']);
    $l->set_in_file("[push]\nmax_connections = 1000000\n[limits]\nrequest_head = 2K");
    ok $l->wait_log('pushd', qr/error: push\.max_connections: 1000000, but only \d+ files may be open/),
        'tells longroom-pushd, which changes nothing';
    is $l->connect('pushd')->ask(poll_now('&x=' . 'x' x 3000))->{status}, 200, 'not even what would be good alone';
    $l->stop;
};

subtest 'many SIGHUPs under load' => sub {
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
    }), 'nobody hangs';
    is_deeply \%told, { 200 => 500, 201 => 500 }, 'and every answer is good';
    $l->stop;
};

# Whether SIGHUP does not end it: the program has blocked or caught it.
sub heeds_hang_up {
    my ($pid) = @_;
    return Longroom::slurp("/proc/$pid/comm") =~ /^longroom-/
        && Longroom::slurp("/proc/$pid/status") =~ /^Sig(?:Blk|Cgt):\s+[0-9a-f]*[13579bdf]$/m;
}

subtest 'SIGHUP at the start and at the end' => sub {
    plan skip_all => 'this system has no /proc to tell how a program takes signals' if !-e "/proc/$$/status";
    for my $program (qw(history pushd)) {
        for my $time (1 .. 5) {
            my $l = Longroom->start(without => [qw(nginx history pushd)]);
            $l->_spawn($program);
            ok $l->eventually(30, sub {
                $l->signal($program, 'HUP') if heeds_hang_up($l->pid($program));
                return $l->log($program) =~ /serving; pid/;
            }), "$program starts in spite of it";
            my $c = $l->connect($program);
            $l->signal($program, $_) for qw(HUP TERM HUP HUP);
            $c->close;
            $l->await_end($program);
            $l->stop;
        }
    }
};

subtest 'a file that is no socket is not touched' => sub {
    for my $program (@PROGRAMS) {
        my $name = $program eq 'longroom-history' ? 'history' : 'push';
        my $precious = "$place/$name.sock";
        Longroom::spew($file, $good);
        Longroom::spew($precious, 'precious');
        my $run = run_program($program, '-c', $file);
        is $run->{status} // 'still running', 1, "$program refuses to start";
        like $run->{stderr}, qr/\Q$precious\E/, '... and names it';
        is -s $precious, length 'precious', '... and leaves it';
        unlink $precious;
    }
};

done_testing;
