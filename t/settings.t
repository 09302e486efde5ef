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

subtest 'bad words after -o' => sub {
    for my $bad ('push.widnow=64M', 'push.window=much', 'window=64M', 'push.window', '=', '.=', '') {
        is_refused("-o '$bad'", $good, ['-o', $bad], qr/-o \Q$bad\E|-o [a-z.]+: /);
    }
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
    is_refused('an unknown kind of store', $good, ['-o', 'store.url=mongodb:x'], qr/store\.url/);
};

subtest 'more connections than descriptors' => sub {
    Longroom::spew($file, $good);
    my $run = Longroom::run([Longroom::with_descriptors(200, Longroom::program('longroom-pushd'),
        '-c', $file, '-o', 'push.max_connections=1000')], clean_env => 1, seconds => 20);
    is $run->{status} // 'still running', 1, 'longroom-pushd refuses them';
    like $run->{stderr}, qr/push\.max_connections: 1000\b.*\b200\b/, 'and says how many there are';
};

subtest 'a mode that this version does not have' => sub {
    (my $without = $good) =~ s/^mode = open\n//m;
    is_refused('no auth.mode', $without, [], qr/auth\.mode/, qr/must be set/);
    for my $mode (qw(nginx token)) {
        (my $other = $good) =~ s/^mode = open$/mode = $mode/m;
        my $line = line_of($other, "mode = $mode");
        is_refused("auth.mode = $mode", $other, [], qr{\Q$file\E:$line: auth\.mode: }, qr/open/);
    }
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
