# ./quickstart as a user runs it: it starts, keeps running when a program dies, says
# what is wrong when it cannot start, and leaves nothing behind. And the commands of
# README and doc/private-rooms.md, as pasted.
#
# Every process of a run holds the lock of its folder. So taking that lock tests that
# no process is left.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Fcntl        qw(:flock);
use HTTP::Tiny   ();
use IO::Socket::INET ();
use JSON::PP     ();
use Longroom;
use POSIX        qw(WNOHANG);
use Test::More;

my $QUICKSTART = Longroom::source_dir() . '/quickstart';
my $SECONDS    = 60;    # for what must happen in any case
my @NAMES      = qw(nginx history pushd);

# Nothing is built here, whatever the environment says.
$ENV{LONGROOM_BUILD} = Longroom::build_dir();

my %running;

END {
    my $status = $?;
    for my $pid (keys %running) {
        kill TERM => $pid;
        waitpid $pid, 0;
    }
    $? = $status;
}

sub slurp {
    my ($path) = @_;
    open my $in, '<', $path or return '';
    local $/;
    return <$in> // '';
}

sub eventually { return Longroom->eventually($SECONDS, @_) }

# A port that was free a moment ago. quickstart is given a number, so another
# process may take it first; start() then tries again. The system assigns clients
# higher ports.
sub free_port {
    for (1 .. 100) {
        my $port = 10000 + int rand 20000;
        return $port if IO::Socket::INET->new(
            LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1, ReuseAddr => 1);
    }
    die "can't find a free port: $!\n";
}

# Options: dir, arguments => [...], env => {...}, ignore => 'INT', wait => 0.
sub start {
    my (%options) = @_;
    my $run;
    for (1 .. 5) {
        $run = launch(%options, port => free_port());
        return $run if defined $options{wait} && !$options{wait};
        eventually(sub { length slurp($run->{stdout}) || ended($run) });
        return $run if length slurp($run->{stdout});
        last if slurp($run->{stderr}) !~ /Address already in use/;
    }
    die "quickstart does not get ready:\n" . slurp($run->{stderr});
}

sub launch {
    my (%run) = @_;
    $run{keeper} = Longroom::fresh_dir();
    $run{dir} ||= "$run{keeper}/run";
    $run{$_} = "$run{keeper}/$_" for qw(stdout stderr);
    # A handler of ours would swallow signals sent before exec.
    local @SIG{qw(INT TERM HUP PIPE)} = ('DEFAULT') x 4;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        setpgrp 0, 0;
        $SIG{ $run{ignore} } = 'IGNORE' if $run{ignore};
        %ENV = (%ENV, %{ $run{env} || {} });
        open STDIN,  '<', '/dev/null'  or POSIX::_exit(126);
        open STDOUT, '>', $run{stdout} or POSIX::_exit(126);
        open STDERR, '>', $run{stderr} or POSIX::_exit(126);
        exec $QUICKSTART, '--port', $run{port}, '--dir', $run{dir}, @{ $run{arguments} || [] }
            or POSIX::_exit(127);
    }
    $run{pid} = $pid;
    $running{$pid} = 1;
    return \%run;
}

# The wait status, once it has ended.
sub ended {
    my ($run) = @_;
    if (!defined $run->{status} && waitpid($run->{pid}, WNOHANG) == $run->{pid}) {
        $run->{status} = $?;
        delete $running{ $run->{pid} };
    }
    return defined $run->{status};
}

# Sends a signal to quickstart alone, or as a terminal does, to its whole group.
sub signal_is_good {
    my ($run, $signal, $title) = @_;
    kill $signal => ($signal eq 'TERM' ? $run->{pid} : -$run->{pid});
    eventually(sub { ended($run) });
    is($run->{status}, 0, "$title: it ends with status 0") || diag(slurp($run->{stderr}));
    nothing_is_left($run->{dir}, $title);
    return;
}

sub nothing_is_left {
    my ($dir, $title) = @_;
    my @pid_files = grep { -e } map {"$dir/$_.pid"} @NAMES;
    is_deeply(\@pid_files, [], "$title: no pid file is left");
    if (!open my $lock, '+<', "$dir/quickstart.lock") {
        pass("$title: no process was started");
    }
    else {
        ok(flock($lock, LOCK_EX | LOCK_NB), "$title: no process is left");
    }
    return;
}

# Whether it has set a handler for SIGTERM (bit 14 of the mask).
sub traps_signals {
    my ($pid) = @_;
    my ($digits) = slurp("/proc/$pid/status") =~ /^SigCgt:\s*[0-9a-f]*([0-9a-f]{4})$/m;
    return hex($digits || 0) & 1 << 14;
}

sub url { return "http://127.0.0.1:$_[0]{port}$_[1]" }

sub get { return HTTP::Tiny->new(timeout => $SECONDS)->get(url(@_)) }

sub post {
    my ($run, $room, $content) = @_;
    return HTTP::Tiny->new(timeout => $SECONDS)->post(url($run, "/rooms/$room/messages"),
        { headers => { 'Content-Type' => 'text/plain' }, content => $content });
}

sub contents {
    my ($answer) = @_;
    return [ map { $_->{content} } @{ JSON::PP::decode_json($answer->{content})->{messages} } ];
}

sub pid_of { return slurp("$_[0]{dir}/$_[1].pid") =~ /(\d+)/ ? $1 : 0 }

# -------------------------------------------------------------- the start

# nginx is found where Debian has it, even if PATH does not name that folder.
my $run = start(
    env       => { PATH => '/usr/local/bin:/usr/bin:/bin' },
    arguments => [ '--workers', 1, '-o', 'rooms.ephemeral=lobby', '-o', 'limits.idle_timeout=70s' ],
);
is(post($run, 'room_26', 'first')->{status}, 201, 'once quickstart says ready, a POST is saved');
is(slurp($run->{stdout}), "ready http://127.0.0.1:$run->{port}/\n",
    'it prints its address, and nothing else');
is_deeply(
    [ grep { !-e "$run->{dir}/$_" }
            qw(longroom.conf nginx.conf longroom.db history.sock push.sock bus.ipc
            nginx.pid history.pid pushd.pid) ],
    [], 'all files of the programs are in its folder');
like(get($run, '/')->{content}, qr/<title>Longroom/, 'the page is served at /');
is(post($run, 'lobby', 'x')->{status}, 202, 'a setting given with -o reaches longroom-history');
like(slurp("/proc/@{[pid_of($run, 'pushd')]}/cmdline"), qr/-o\0limits\.idle_timeout=70s\0/,
    'and longroom-pushd');

# ------------------------------------------------------------ the README

# What quickstart installs, by valid package names; among them the packages of the
# commands in README and in the pages read beside it, unless a minimal Debian has
# them.
my ($packages) = slurp($QUICKSTART) =~ /^run_packages='([^']*)'/m;
is_deeply([ grep { !/\A[a-z0-9][a-z0-9.+-]+\z/ } split ' ', $packages ],
    [], 'quickstart installs valid package names only');
my @documents = ('README', map {"doc/$_.md"} qw(browser install performance private-rooms));
my %commands = map { $_ => 1 } map {
    slurp(Longroom::source_dir() . "/$_")
        =~ /^    .*?\b(curl|openssl|make|sqlite3|jq|php|python3)\s/mg
} @documents;
cmp_ok(keys %commands, '>=', 3, 'the documents call commands');
for my $command (sort keys %commands) {
    my $package = $command eq 'make' ? 'build-essential' : $command;
    like(" $packages ", qr/\s$package\s/, "the documents call $command, which quickstart installs");
}

# Every page that README links to exists, and README links to every page.
my %linked = map { $_ => 1 } slurp(Longroom::source_dir() . '/README') =~ /\]\((doc\/[^)]*)\)/g;
my @pages = map {s{^\Q@{[Longroom::source_dir()]}\E/}{}r} glob Longroom::source_dir() . '/doc/*.md';
is_deeply([ sort keys %linked ], [ sort @pages ], 'README links to the pages in doc/, and to no others');

my ($section) = slurp(Longroom::source_dir() . '/README') =~ /^With curl\n-+\n(.*?)\n\n\n/ms;
my @pasted = map {s/^    //mgr} grep {/curl/} split /\n\n(?!    )|\n\n(?=    )/, $section // '';
@pasted = grep { !/\A\S.*:\Z/ } @pasted;
s{http://127\.0\.0\.1:8080}{http://127.0.0.1:$run->{port}}g for @pasted;
my @loops = grep {/^while/m} @pasted;
my @streams = grep {/events/} @pasted;
my @lines = grep { !/^while|events/m } @pasted;

SKIP: {
    skip 'curl is not installed', 1 if system('command -v curl >/dev/null') != 0;
    cmp_ok(@lines, '>=', 6, 'the README has curl lines for sending, history and poll');
    for my $line (@lines) {
        my $result = Longroom::run([ 'sh', '-c', $line ], seconds => $SECONDS);
        my $json = eval { JSON::PP::decode_json($result->{stdout}) } || {};
        ok(exists $json->{content} || exists $json->{messages} || exists $json->{rooms},
            'works as pasted: ' . $line =~ s/\s*\\\n\s*/ /gr)
            || diag($result->{stdout}, $result->{stderr});
    }
    is_deeply(contents(get($run, '/rooms/room_26/messages')),
        [ 'first', 'Hello world', 'Fish & chips?', 'the time is now', 'once', 'Look' ],
        'and the README\'s messages are in history');

    is(@loops, 1, 'the README has a loop that follows a room');
    follows('the loop', $loops[0], qr/Hello world/);
    is(@streams, 1, 'the README has a stream of a room');
    follows('the stream', $streams[0], qr/^event: ready$/m);
}

# Tests that a command prints messages that come after its beginning.
sub follows {
    my ($title, $command, $begins) = @_;
    my $followed = File::Temp->new;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        setpgrp 0, 0;
        open STDOUT, '>', $followed->filename or POSIX::_exit(126);
        open STDERR, '>', '/dev/null' or POSIX::_exit(126);    # curl's progress
        exec 'sh', '-c', $command or POSIX::_exit(127);
    }
    ok(eventually(sub { slurp($followed->filename) =~ $begins }), "$title begins");
    for my $message ('"cursor":"no"', 'second \n') {
        post($run, 'room_26', $message);
        my $text = JSON::PP->new->allow_nonref->encode($message);
        ok(eventually(sub { index(slurp($followed->filename), $text) >= 0 }),
            "$title prints a later message: $message");
    }
    kill KILL => -$pid;
    waitpid $pid, 0;
    return;
}

# The part on tokens: two lines for one terminal, the rest for another.
SKIP: {
    skip 'curl is not installed', 1 if system('command -v curl >/dev/null') != 0;
    my $keys = Longroom::fresh_dir();
    my ($part) = slurp(Longroom::source_dir() . '/doc/private-rooms.md') =~ /^(    build\/longroom-token key .*?)^The last line/ms;
    $part //= '';
    $part =~ s{build/longroom-token}{Longroom::program('longroom-token')}ge;
    $part =~ s{(?:\$PWD/)?build/site\.key}{$keys/site.key}g;
    my ($make_key, $quickstart, $rest) = $part =~ m{\A    ([^\n]*)\n    \./quickstart ([^\n]*)\n(.*)}s;
    is(Longroom::run([ 'sh', '-c', $make_key // 'false' ])->{status}, 0, 'the key of doc/private-rooms.md is made');
    my $private = start(arguments => [ '--workers', 1, map {s/"//gr} split ' ', $quickstart // '' ]);
    my $lines = join "\n", grep {/^    /} split /\n/, $rest // '';
    $lines =~ s{http://127\.0\.0\.1:8080}{url($private, '')}e;
    my $told = Longroom::run([ 'sh', '-e', '-c', $lines ], seconds => $SECONDS)->{stdout};
    like($told, qr/\A\{"type":"unauthorized".*?\{"type":"chat_message".*?"user_id":"2","username":"Ann".*?
        "count":1,.*?"content":"Hello".*?\{"type":"forbidden".*?^good:\ Longroom\ accepts\ it/msx,
        'only a client with a token for the room has access') || diag($told);
    signal_is_good($private, 'TERM', 'SIGTERM with private rooms');
}

# The indented lines of a page, for a shell, from one line to another.
sub commands_between {
    my ($page, $from, $to) = @_;
    my ($part) = slurp(Longroom::source_dir() . "/doc/$page.md") =~ /^\Q$from\E(.*?)^\Q$to\E/ms;
    return join "\n", map {s/^ +//r} grep {/^    +\S/} split /\n/, $part // '';
}

# The example site: two lines for one terminal, of which the first builds; the rest
# for another.
SKIP: {
    skip 'curl is not installed', 1 if system('command -v curl >/dev/null') != 0;
    my ($run, $lines) = map { commands_between(@$_) }
        ['private-rooms', 'The example site has', 'Open http'],
        ['private-rooms', 'Without a browser', 'Choose a mode'];
    is($run, "./quickstart build\netc/nginx/example-site/run", 'the example site is built and run');
    my $folder = Longroom::fresh_dir();
    my $port   = free_port();
    my $site   = fork // die "fork: $!\n";
    if (!$site) {
        setpgrp 0, 0;
        open STDOUT, '>', "$folder/log" or POSIX::_exit(126);
        open STDERR, '>&', \*STDOUT     or POSIX::_exit(126);
        exec Longroom::source_dir() . '/etc/nginx/example-site/run', '--port', $port, '--dir', "$folder/run"
            or POSIX::_exit(127);
    }
    $running{$site} = 1;
    ok(eventually(sub { slurp("$folder/log") =~ /^ready /m }), 'it says ready') || diag(slurp("$folder/log"));
    $lines =~ s{http://127\.0\.0\.1:8080}{http://127.0.0.1:$port}g;
    $lines =~ s{run/jar}{$folder/jar}g;
    my $told = Longroom::run([ 'bash', '-c', $lines ], seconds => $SECONDS)->{stdout};
    like($told, qr/\AHTTP\/1\.1\ 401\ .*"type":"unauthorized".*"count":0,.*
        "type":"chat_message".*"content":"Hello".*"type":"forbidden"/msx,
        'its users have access to their rooms') || diag($told);
    kill TERM => $site;
    waitpid $site, 0;
    delete $running{$site};
}

# The installation is for root and for the whole machine, so it is not run here. But
# the files to copy must exist, and the commands pasted next must find the clone.
my $install = commands_between('install', 'Build and install', 'This installs');
like($install, qr/^\(cd build\/system && .* && make install\)$/m, 'an installation stays in the clone');
my $pages = join '', map { slurp(Longroom::source_dir() . "/$_") } @documents;
unlike($pages, qr/^    +(?:.*&& *)?cd /m, 'no other command leaves it');
my ($shipped) = slurp(Longroom::source_dir() . '/Makefile.am') =~ /^dist_example_DATA = ((?:.*\\\n)*.*)/m;
my %shipped = map { s{.*/}{}r => 1 } grep { $_ ne '\\' } split ' ', $shipped // '';
my @copied = $pages =~ m{/share/doc/longroom/examples/(\S+)}g;
cmp_ok(@copied, '>=', 4, 'files are copied from the examples');
is_deeply([ grep { !$shipped{$_} } @copied ], [], 'the install target installs them there');

# --------------------------------------------------- a program that dies

for my $name (@NAMES) {
    my $old = pid_of($run, $name);
    my $said = length slurp($run->{stderr});
    kill KILL => $old;
    ok(eventually(sub { pid_of($run, $name) && pid_of($run, $name) != $old }),
        "$name is restarted when it is killed, and its pid file is renewed");
    ok(eventually(sub { post($run, 'room_27', "after $name")->{status} == 201
                        && get($run, '/rooms/room_27/poll?timeout=0')->{status} == 200 }),
        'messages are saved and polls are answered again');
    my @told = grep {/^quickstart:/} split /\n/, substr slurp($run->{stderr}), $said;
    is_deeply(\@told, [ "quickstart: $name was ended by SIGKILL; started again after 100 ms" ],
        'one line says so');
}

# -------------------------------------------------------- refusals

sub is_refused {
    my ($title, $arguments, $words) = @_;
    my $result = Longroom::run([ $QUICKSTART, @$arguments ], seconds => $SECONDS);
    is($result->{status}, 1, "$title: it ends with status 1");
    like($result->{stderr}, $words, "$title: it says so");
    is($result->{stdout}, '', "$title: it does not say ready");
    return;
}

my $place = Longroom::fresh_dir();

is_refused('a folder in use', [ '--port', free_port(), '--dir', $run->{dir} ],
    qr/^quickstart: \Q$run->{dir}\E is in use.*process $run->{pid}\b/m);
is_refused('a port in use', [ '--port', $run->{port}, '--dir', "$place/port" ],
    qr/^quickstart: can't listen on 127\.0\.0\.1:$run->{port}: Address already in use/m);
nothing_is_left("$place/port", 'a port in use');
is(get($run, '/rooms/room_26/messages')->{status}, 200, 'the instance there keeps running');
is_refused('a folder that cannot be made', [ '--port', free_port(), '--dir', "$run->{stdout}/x" ],
    qr/^quickstart: can't make the folder/m);
is_refused('a path too long for a socket', [ '--dir', "$place/" . 'x' x 100 ],
    qr/^quickstart: .*at most 107 bytes/m);
is_refused('white space in the path', [ '--dir', "$place/a b" ], qr/^quickstart: .*white space/m);
for my $setting ('history.threads=many', 'push.window=many', 'no.such=setting') {
    my ($name) = split /=/, $setting;
    is_refused("the setting $setting",
        [ '--port', free_port(), '--dir', "$place/run", '-o', $setting ], qr/-o \Q$name\E/);
    nothing_is_left("$place/run", "the setting $setting");
}
{
    local $ENV{LONGROOM_BUILD} = "$place";
    is_refused('LONGROOM_BUILD without programs', [ '--dir', "$place/run" ],
        qr/^quickstart: $place\/longroom-history is not there/m);
}

for (['bench', '--slow'], ['fuzz', '--minutes', 'x'], ['torture', '--seed', 'x'], ['--port', 'http'], ['--port', 0], ['--port', 65536],
    ['--workers', 0], ['--dir'], ['frobnicate']) {
    my $result = Longroom::run([ $QUICKSTART, @$_ ], seconds => $SECONDS);
    is($result->{status}, 2, "quickstart @$_ is refused with status 2");
    like($result->{stderr}, qr/^quickstart: /, "quickstart @$_: it says why");
}
my $help = Longroom::run([ $QUICKSTART, '--help' ], seconds => $SECONDS);
like($help->{stdout}, qr/^usage:/, 'quickstart --help prints the usage');
is($help->{status}, 0, 'and exits with 0');

# ------------------------------------------------------------- the end

my $known = contents(get($run, '/rooms/room_26/messages?limit=1000'));
my $poll = IO::Socket::INET->new("127.0.0.1:$run->{port}") or die "can't connect: $!\n";
print {$poll} "GET /rooms/room_26/poll?timeout=55 HTTP/1.1\r\nHost: localhost\r\n\r\n";
# nginx has one worker here, and this request comes later: once it is answered,
# longroom-pushd has both.
is(get($run, '/rooms/room_26/poll?timeout=0')->{status}, 200, 'a poll waits');
signal_is_good($run, 'INT', 'Ctrl-C');
like(join('', <$poll>), qr/\AHTTP\/1\.1 200 .*"cursor":"[^"]+"/s,
    'a waiting poll was answered before the end');
is(slurp($run->{stdout}), "ready http://127.0.0.1:$run->{port}/\n",
    'nothing more was printed until the end');

SKIP: {
    skip 'sqlite3 is not installed', 1 if system('command -v sqlite3 >/dev/null') != 0;
    is(Longroom::run([ 'sqlite3', "$run->{dir}/longroom.db", 'PRAGMA integrity_check' ])->{stdout},
        "ok\n", 'the database is intact');
}

# A background job of a script starts with SIGINT ignored.
my $again = start(dir => $run->{dir}, ignore => 'INT');
is_deeply(contents(get($again, '/rooms/room_26/messages?limit=1000')), $known,
    'after a restart in the same folder, all messages are there');
kill KILL => pid_of($again, 'pushd');
signal_is_good($again, 'INT', 'Ctrl-C while a program is about to be restarted');

my $stopped = start();
kill STOP => pid_of($stopped, $_) for @NAMES;
signal_is_good($stopped, 'TERM', 'SIGTERM while no program responds');

my %moment = (
    'at once'              => sub { 1 },
    'when a program is up' => sub { pid_of($_[0], 'history') },
    'when all are up'      => sub { pid_of($_[0], 'nginx') },
);
for my $signal (qw(INT TERM HUP)) {
    for my $when (sort keys %moment) {
        my $early = start(wait => 0);
        # Before it traps signals, a signal simply ends the shell.
        eventually(sub { traps_signals($early->{pid}) && $moment{$when}->($early) });
        signal_is_good($early, $signal, "SIG$signal during the start, $when");
    }
}

done_testing;
