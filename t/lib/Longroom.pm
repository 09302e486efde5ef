package Longroom;

# Runs Longroom for a test: nginx, longroom-history and longroom-pushd in a fresh
# folder, each with its stderr in a file there, all of them removed whatever happens
# to the test. What the programs must do is for the tests to say; this file only
# knows how to start, ask, disturb and stop them.
#
#     my $l = Longroom->start(settings => {'rooms.ephemeral' => 'lobby'});
#     my $answer = $l->post('room_26', 'Hello');      # {status, headers, content, json}
#     $l->signal('pushd', 'KILL');
#     $l->start_program('pushd');
#     $l->stop;                                       # itself a test
#
# Three helpers are below: Longroom::Connection (bytes in, bytes out), Longroom::Crowd
# (many clients in one process) and Longroom::Pollers (a crowd whose clients follow
# rooms).
#
# The port is chosen by binding to 0 here and handing the listening socket to
# nginx, which inherits sockets named in the variable NGINX. Choosing a free
# port first and telling nginx its number would be a race.

use strict;
use warnings;

use Cwd            ();
use Fcntl          qw(F_DUPFD F_SETFD F_GETFD FD_CLOEXEC);
use File::Basename ();
use File::Spec     ();
use File::Temp     ();
use IO::Socket::INET ();
use IO::Socket::UNIX ();
use JSON::PP       ();
use IPC::Open2     qw(open2);
use POSIX          qw(WNOHANG);
use Scalar::Util   qw(weaken);
use Skipped        ();
use Socket         qw(SOMAXCONN);
use Test::More     ();
use Time::HiRes    qw(sleep time);

# Deadlines are for what must happen in any case, so they are generous: a run under a
# sanitizer on a busy machine is slow, and no passing test waits for them.
use constant {
    START_SECONDS => 30,
    STOP_SECONDS  => 30,
    ASK_SECONDS   => 70,
};

my $JSON = JSON::PP->new->utf8->canonical;
my $REPORT = qr/ERROR:\ (?:Address|Leak|Memory)Sanitizer
               | LeakSanitizer: | runtime\ error: | WARNING:\ ThreadSanitizer/x;
my @ORDER = qw(nginx history pushd);

my @alive;            # every instance that may have processes, weakly
my %background;       # processes of background(), by id
my $failed = 0;       # something went wrong that no test has told

$SIG{PIPE} = 'IGNORE';
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);

# ---------------------------------------------------------------- places

sub source_dir {
    return $ENV{LONGROOM_SOURCE} if $ENV{LONGROOM_SOURCE};
    return Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../..');
}

sub build_dir {
    return source_dir() . '/build' if !$ENV{LONGROOM_BUILD};
    return Cwd::abs_path($ENV{LONGROOM_BUILD}) || die "there is no folder $ENV{LONGROOM_BUILD}\n";
}

# The path of a built program; a test without its program must fail, not skip.
sub program {
    my ($name) = @_;
    my $path = build_dir() . "/$name";
    -x $path or die "$path is not there: build first, or set LONGROOM_BUILD\n";
    return $path;
}

# A fresh folder, removed with the object. The path is short: the address of a unix
# socket has at most 107 bytes.
sub fresh_dir {
    my $tmp = File::Spec->tmpdir;
    $tmp = '/tmp' if length $tmp > 60;
    return File::Temp->newdir('lr-XXXXXX', DIR => $tmp);
}

# ---------------------------------------------------------------- life

# Options: settings => {'section.key' => value}  given to both programs by -o
#          nginx_workers => N                    (1)
#          without => ['pushd']                  not started
#          dir => '/there'                       kept when the test ends
#          programs => {pushd => 'NAME'}         built programs other than the usual
#          operator => 1                         /healthz and /metrics, for operator()
#          nginx => {files => [of etc/nginx], http => TEXT, server => TEXT}
#                                                further files and lines of nginx's
#          tls => 1                              also the server of tls-server.conf
#          shutdown => '1s'                      nginx's worker_shutdown_timeout
#          hand_over => 1                        listening sockets are made here and
#                                                inherited; they stay between restarts
#          history => {...}                      start_program's options for it
#          as => UID                             both programs run as this user; their
#                                                folder is this user's
sub start {
    my ($class, %options) = @_;
    my $self = bless {
        owner    => $$,
        settings => { %{ $options{settings} || {} } },
        workers  => $options{nginx_workers} || 1,
        operator => $options{operator},
        programs => $options{programs} || {},
        nginx    => $options{nginx} || {},
        tls      => $options{tls},
        shutdown => $options{shutdown},
        as       => $options{as},
        process  => {},
        problems => [],
    }, $class;
    $self->{keeper} = fresh_dir() if !$options{dir};
    $self->{dir} = $options{dir} || $self->{keeper}->dirname;
    push @alive, $self;
    weaken $alive[-1];

    $self->{handed} = { map { $_ => [listening_socket($self->socket_path($_))] } qw(history pushd) }
        if $options{hand_over};
    chown $options{as}, $options{as}, $self->{dir} if defined $options{as};
    my %without = map { $_ => 1 } @{ $options{without} || [] };
    $self->_write_settings;
    if (!$without{nginx}) {
        $self->{listener} = _listen();
        if ($options{tls}) {
            $self->{tls_listener} = _listen();
            $self->_make_certificate;
        }
        $self->_write_nginx_conf;
    }
    # One after the other, so that longroom-pushd finds a database at once.
    my %options_of = (history => $options{history});
    $self->start_program($_, %{ $options_of{$_} || {} }) for grep { !$without{$_} } @ORDER;
    return $self;
}

sub dir  { return $_[0]{dir} }

sub database {
    my ($self) = @_;
    my ($file) = ($self->{settings}{'store.url'} || '') =~ /^sqlite:(.+)/;
    return $file || "$self->{dir}/longroom.db";
}

sub port { return $_[0]{listener}->sockport }
sub url  { return 'http://127.0.0.1:' . $_[0]->port }

# With tls: the server that has the test's own certificate.
sub tls_url     { return 'https://127.0.0.1:' . $_[0]{tls_listener}->sockport }
sub certificate { return "$_[0]{dir}/tls.crt" }

sub pid {
    my ($self, $name) = @_;
    return $self->{process}{$name};
}

# Starts one program again (or for the first time) and returns when it answers.
# Options: stdin => $handle         given to it instead of /dev/null
#          descriptors => N         its limit of open files
#          env => {NAME => value}   added to its environment
sub start_program {
    my ($self, $name, %options) = @_;
    $self->_spawn($name, %options);
    $self->_wait_until_it_answers($name);
    return $self->pid($name);
}

# SIGTERM, and an exit status of 0.
sub stop_program {
    my ($self, $name) = @_;
    my $pid = $self->{process}{$name} or return;
    kill CONT => $pid;
    kill TERM => $pid;
    $self->await_end($name);
    return;
}

# Waits for a program that was told to end (by stop_program, or by a signal).
sub await_end {
    my ($self, $name) = @_;
    my $pid = $self->{process}{$name} or return;
    return if $self->_reap($name, STOP_SECONDS);
    push @{ $self->{problems} },
        "$name still runs @{[STOP_SECONDS]} s after SIGTERM:\n" . _what_it_does($pid);
    $self->_kill_at_once($name);
    return;
}

# Where its threads are, as far as this machine can tell.
sub _what_it_does {
    my ($pid) = @_;
    my $stacks = run(['gdb', '-p', $pid, '-batch', '-ex', 'thread apply all backtrace 12'])->{stdout};
    my @threads = map { slurp($_) } glob "/proc/$pid/task/*/stat";
    return join '', @threads, grep { /^(?:Thread|#)/ } split /^/m, $stacks;
}

sub restart {
    my ($self, @names) = @_;
    $self->stop_program($_)  for @names;
    $self->start_program($_) for @names;
    return;
}

# After KILL the program is gone when this returns.
sub signal {
    my ($self, $name, $signal) = @_;
    my $pid = $self->{process}{$name} or die "$name does not run\n";
    if ($signal eq 'KILL') {
        $self->_kill_at_once($name);
        return;
    }
    kill $signal => $pid;
    return;
}

# Ends everything. This is a test: it fails if a program has died, has not exited with
# status 0, or has a sanitizer's report in its log.
sub stop {
    my ($self) = @_;
    my @problems = $self->_end;
    my $ok = Test::More::ok(!@problems,
        'every program exits with status 0, without a report from a sanitizer');
    Test::More::diag($_) for @problems;
    $self->_show_logs if !Test::More->builder->is_passing;
    return $ok;
}

sub _end {
    my ($self) = @_;
    return if $self->{ended}++;
    # If the object goes without stop(), the programs are ended quickly.
    my $at_once = sub { kill KILL => map { -$_ } values %{ $self->{group} } };
    local @SIG{qw(INT TERM HUP)} = ($at_once) x 3;
    # A client that is kept open would make the programs wait.
    delete $self->{kept};
    $self->stop_program($_) for grep { $self->{process}{$_} } qw(pushd history nginx);
    for my $name (@ORDER) {
        my @reports = grep { /$REPORT/ } split /\n/, $self->log($name);
        push @{ $self->{problems} }, map {"$name: $_"} @reports;
        kill KILL => -$self->{group}{$name} if $self->{group}{$name};
    }
    return @{ $self->{problems} };
}

sub _end_untold {
    my ($self) = @_;
    return if $self->{ended} || $self->{owner} != $$;
    # Waiting for processes sets $?. Destroyed before END: by a die.
    my $died = $? != 0 || ${^GLOBAL_PHASE} eq 'RUN';
    my @problems = $self->_end;
    $failed = 1 if @problems;
    print STDERR "# $_\n" for @problems;
    $self->_show_logs if @problems || $died || !Test::More->builder->is_passing;
    return;
}

sub DESTROY {
    my ($self) = @_;
    local ($., $@, $!, $^E, $?);
    $self->_end_untold;
    return;
}

END {
    my $status = $?;
    kill KILL => keys %background;
    $_->_end_untold for grep {$_} @alive;
    $? = $status || ($failed ? 1 : 0);
}

# ---------------------------------------------------------------- processes

sub _command {
    my ($self, $name) = @_;
    if ($name eq 'nginx') {
        return ($ENV{LONGROOM_NGINX} || 'nginx', '-p', $self->{dir}, '-e', "$self->{dir}/nginx.log",
            '-c', "$self->{dir}/nginx.conf", '-g', 'daemon off;');
    }
    my %settings = %{ $self->{settings} };
    my @as = defined $self->{as} ? ('setpriv', "--reuid=$self->{as}", "--regid=$self->{as}", '--clear-groups') : ();
    return (@as, program($self->{programs}{$name} || "longroom-$name"), '-c', "$self->{dir}/longroom.conf",
        map { ('-o', "$_=$settings{$_}") } sort keys %settings);
}

sub _spawn {
    my ($self, $name, %options) = @_;
    die "$name runs already\n" if $self->{process}{$name};
    my @command = $self->_command($name);
    @command = with_descriptors($options{descriptors}, @command) if $options{descriptors};
    my @listeners = $name eq 'nginx' ? grep { defined } @$self{qw(listener tls_listener)} : ();
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        # A group of its own: Ctrl-C is for the test, which then ends the programs; and
        # nginx's workers die with it when it must be killed.
        setpgrp 0, 0;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
        open STDERR, '>>', "$self->{dir}/$name.log" or POSIX::_exit(126);
        open STDOUT, '>&', \*STDERR or POSIX::_exit(126);
        my $stdin = $options{stdin};
        if   ($stdin) { POSIX::dup2(fileno $stdin, 0) }
        else          { open STDIN, '<', '/dev/null' or POSIX::_exit(126) }
        fcntl $_, F_SETFD, (fcntl $_, F_GETFD, 0) & ~FD_CLOEXEC for @listeners;
        $ENV{NGINX} = join '', map { fileno($_) . ';' } @listeners if @listeners;
        _hand_over(@{ $self->{handed}{$name} }) if $self->{handed}{$name};
        %ENV = (%ENV, %{ $options{env} || {} });
        { no warnings 'exec'; exec { $command[0] } @command }
        print STDERR "can't run $command[0]: $!\n";
        POSIX::_exit(127);
    }
    $self->{process}{$name} = $self->{group}{$name} = $pid;
    return;
}

# A listening unix socket, as a socket unit of systemd makes it.
sub listening_socket {
    my ($path) = @_;
    my $socket = IO::Socket::UNIX->new(Local => $path, Listen => 4096) or die "can't listen at $path: $!\n";
    chmod 0660, $path or die "$path: $!\n";
    return $socket;
}

# In a process that is about to become a program: passes it these sockets by the
# protocol of sd_listen_fds(3).
sub _hand_over {
    my (@sockets) = @_;
    # Moved out of the way first: one may have the number that another must get.
    my @high = map { fcntl $_, F_DUPFD, 100 } @sockets;
    POSIX::dup2($high[$_], 3 + $_) for 0 .. $#high;
    POSIX::close($_) for @high;
    @ENV{qw(LISTEN_PID LISTEN_FDS)} = ($$, scalar @sockets);
    return;
}

# The command that runs @command with at most $count descriptors: only the shell can
# set limits.
sub with_descriptors {
    my ($count, @command) = @_;
    return ('sh', '-c', "ulimit -n $count && exec \"\$@\"", 'sh', @command);
}

# Waits for the end of a program that was told to end. True when it has.
sub _reap {
    my ($self, $name, $seconds) = @_;
    my $pid = $self->{process}{$name};
    my $status;
    eventually($self, $seconds, sub {
        my $got = waitpid $pid, WNOHANG;
        $status = $? if $got == $pid;
        return $got != 0;
    }) or return 0;
    delete $self->{process}{$name};
    push @{ $self->{problems} }, "$name ended with " . _status_text($status)
        if !defined $status || $status != 0;
    return 1;
}

sub _kill_at_once {
    my ($self, $name) = @_;
    my $pid = delete $self->{process}{$name};
    kill KILL => -$pid, $pid;
    waitpid $pid, 0;
    push @{ $self->{problems} }, "$name had ended before it was killed: " . _status_text($?)
        if $? != POSIX::SIGKILL();
    return;
}

sub _status_text {
    my ($status) = @_;
    return 'an unknown status' if !defined $status || $status < 0;
    return 'signal ' . ($status & 127) if $status & 127;
    return 'status ' . ($status >> 8);
}

# Makes nginx read its configuration again. Returns when the old workers are gone: they
# finish their requests first, within worker_shutdown_timeout.
sub reload_nginx {
    my ($self) = @_;
    my %old = map { $_ => 1 } $self->nginx_workers;
    $self->signal('nginx', 'HUP');
    eventually($self, 2 * START_SECONDS, sub {
        my @now = $self->nginx_workers;
        return @now && !grep { $old{$_} } @now;
    }) or die "nginx does not reload:\n" . $self->_tail('nginx');
    return;
}

sub nginx_workers {
    my ($self) = @_;
    my $master = $self->pid('nginx');
    return split ' ', slurp("/proc/$master/task/$master/children");
}

# True while the program runs.
sub runs {
    my ($self, $name) = @_;
    my $pid = $self->{process}{$name} or return 0;
    return 1 if kill(0, $pid) && !_is_zombie($pid);
    return 0;
}

sub _is_zombie {
    my ($pid) = @_;
    open my $stat, '<', "/proc/$pid/stat" or return 0;
    return scalar(<$stat>) =~ /\) Z / ? 1 : 0;
}

sub _wait_until_it_answers {
    my ($self, $name) = @_;
    # An inherited socket accepts connections before its program answers.
    $self->wait_log($name, qr/serving; pid $self->{process}{$name}\n/) if $self->{handed}{$name};
    my $answers = eventually($self, START_SECONDS, sub {
        die "$name does not start:\n" . $self->_tail($name) if !$self->runs($name);
        return $name eq 'nginx'   ? -e "$self->{dir}/nginx.pid"
            : !$self->_accepts($name) ? 0
            : $name eq 'pushd'    ? $self->_pushd_is_ready
            :                       $self->_history_is_ready;
    });
    die "$name does not answer:\n" . $self->_tail($name) . $self->_tail('nginx') if !$answers;
    return;
}

# It answers 503 until it has read the log, and as long as there is none.
sub _pushd_is_ready {
    my ($self) = @_;
    my $answer = $self->connect('pushd')->ask(get_bytes('/rooms/room_1/poll?timeout=0')) or return 0;
    # In other modes than open, polls need an identity.
    $answer = $self->connect('pushd')->ask(get_bytes('/healthz')) or return 0 if $answer->{status} == 401;
    return $answer->{status} == 200 || !-e $self->database;
}

sub _history_is_ready {
    my ($self) = @_;
    return 1 if !$self->{process}{nginx};
    my $status = $self->request(GET => '/rooms/room_1/messages?limit=1')->{status};
    return $status != 502 && $status != 504 && $status != 599;
}

sub _accepts {
    my ($self, $name) = @_;
    return defined IO::Socket::UNIX->new(Peer => $self->socket_path($name));
}

sub socket_path {
    my ($self, $name) = @_;
    return "$self->{dir}/" . { history => 'history.sock', pushd => 'push.sock' }->{$name};
}

# Runs a command to its end. stdin => bytes, env => {NAME => value or undef}, seconds
# => N, clean_env => 1, sockets => [inherited]. Returns {status, stdout, stderr};
# status is the exit status, 128 and more for a signal, undef if it had to be stopped.
sub run {
    my ($command, %options) = @_;
    my %file = map { $_ => File::Temp->new } qw(stdin stdout stderr);
    binmode $file{stdin};
    print { $file{stdin} } $options{stdin} // '';
    $file{stdin}->flush;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        setpgrp 0, 0;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
        open STDIN,  '<', $file{stdin}->filename  or POSIX::_exit(126);
        open STDOUT, '>', $file{stdout}->filename or POSIX::_exit(126);
        open STDERR, '>', $file{stderr}->filename or POSIX::_exit(126);
        my %env = %{ $options{env} || {} };
        %ENV = map { $_ => $ENV{$_} } grep { /^(?:PATH|HOME|TMPDIR|\w+SAN_OPTIONS)$/ } keys %ENV
            if $options{clean_env};
        _hand_over(@{ $options{sockets} }) if $options{sockets};
        defined $env{$_} ? $ENV{$_} = $env{$_} : delete $ENV{$_} for keys %env;
        { no warnings 'exec'; exec { $command->[0] } @$command }
        print STDERR "can't run $command->[0]: $!\n";
        POSIX::_exit(127);
    }
    my $status;
    my $ended = eventually(undef, $options{seconds} || 30, sub {
        return 0 if waitpid($pid, WNOHANG) == 0;
        $status = $?;
        return 1;
    });
    if (!$ended) {
        kill KILL => -$pid, $pid;
        waitpid $pid, 0;
    }
    my %result = map { $_ => slurp($file{$_}->filename) } qw(stdout stderr);
    $result{status} = $status & 127 ? 128 + ($status & 127) : $status >> 8 if defined $status;
    return \%result;
}

# ---------------------------------------------------------------- files

sub _write_settings {
    my ($self) = @_;
    my $dir = $self->{dir};
    spew("$dir/longroom.conf", settings_text($dir));
    return;
}

sub settings_text {
    my ($dir) = @_;
    return <<"END";
[store]
url = sqlite:$dir/longroom.db

[bus]
publish = ipc://$dir/bus.ipc
subscribe = ipc://$dir/bus.ipc

[history]
listen = unix:$dir/history.sock

[push]
listen = unix:$dir/push.sock

[auth]
mode = open
END
}

# Adds lines to the settings file, in place of those added before, and makes the
# running programs reload it. Returns when they have: true if all accepted it.
sub set_in_file {
    my ($self, $lines) = @_;
    my @programs = grep { $self->{process}{$_} } qw(history pushd);
    my %from = map { $_ => $self->log_size($_) } @programs;
    spew("$self->{dir}/longroom.conf", settings_text($self->{dir}) . "\n$lines\n");
    $self->signal($_, 'HUP') for @programs;
    my $taken = 0;
    for (@programs) {
        $self->wait_log($_, qr/longroom\.conf: settings reloaded|reload failed, settings unchanged/, undef, $from{$_})
            or die "$_ does not reload its settings:\n" . $self->_tail($_);
        $taken += $self->log($_, $from{$_}) =~ /longroom\.conf: settings reloaded$/m;
    }
    return $taken == @programs;
}

sub _listen {
    my $listener = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => 0,
        Listen    => SOMAXCONN,
        ReuseAddr => 1,
    ) or die "can't listen: $@\n";
    # nginx uses it as it is, and would block in accept.
    $listener->blocking(0);
    return $listener;
}

# Clients that are told so trust it as its own authority.
sub _make_certificate {
    my ($self) = @_;
    my $made = run([qw(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1
        -addext subjectAltName=IP:127.0.0.1 -keyout), "$self->{dir}/tls.key", '-out', $self->certificate]);
    die "openssl: $made->{stderr}\n" if ($made->{status} // -1) != 0;
    return;
}

sub slurp {
    my ($path) = @_;
    open my $in, '<:raw', $path or return '';
    local $/;
    return <$in> // '';
}

sub spew {
    my ($path, $text) = @_;
    open my $out, '>:raw', $path or die "can't write $path: $!\n";
    print {$out} $text;
    close $out or die "can't write $path: $!\n";
    return;
}

# ---------------------------------------------------------------- logs

# What a program has written to stderr so far, from byte $from on.
sub log {
    my ($self, $name, $from) = @_;
    return substr slurp("$self->{dir}/$name.log"), $from || 0;
}

# The lines of a program's log that match.
sub log_lines {
    my ($self, $name, $pattern) = @_;
    return grep { $_ =~ $pattern } split /\n/, $self->log($name);
}

sub log_size {
    my ($self, $name) = @_;
    return -s "$self->{dir}/$name.log" || 0;
}

# Waits for a line; returns the match's first group (or 1), or undef.
sub wait_log {
    my ($self, $name, $pattern, $seconds, $from) = @_;
    return $self->eventually($seconds || START_SECONDS, sub {
        return $self->log($name, $from) =~ $pattern ? $1 // 1 : undef;
    });
}

sub _tail {
    my ($self, $name) = @_;
    # Thousands of lines about saved messages would bury the rest.
    my @lines = grep { !/Saved message to database/ } split /^/m, $self->log($name);
    @lines = @lines[-30 .. -1] if @lines > 30;
    return join '', map {"$name: $_"} @lines;
}

sub _show_logs {
    my ($self) = @_;
    for my $name (@ORDER) {
        print STDERR "# $_" for split /^/m, $self->_tail($name);
    }
    return;
}

# Evaluates it until the result is true, and returns that; false after $seconds.
sub eventually {
    my (undef, $seconds, $question) = @_;
    my $deadline = time + $seconds;
    my $pause = 0.002;
    while (1) {
        my $answer = $question->();
        return $answer if $answer;
        return $answer if time > $deadline;
        sleep $pause;
        $pause *= 1.5 if $pause < 0.05;
    }
    return;
}

# ---------------------------------------------------------------- asking

# One request through nginx, on a connection that is kept. Content and answer are
# bytes; json is the decoded content where the answer's type says JSON. Status
# 599: no answer. HTTP::Tiny would do, but it sends the head and the body apart,
# which costs 40 ms a POST (Nagle's algorithm and delayed ACKs).
sub request {
    my ($self, $method, $path, %options) = @_;
    my %headers = (Host => 'localhost', %{ $options{headers} || {} });
    $headers{'Content-Length'} = length $options{content} if defined $options{content};
    my $bytes = join('', "$method $path HTTP/1.1\r\n", map({"$_: $headers{$_}\r\n"} sort keys %headers), "\r\n")
        . ($options{content} // '');
    my $answer = $self->_kept_connection->ask($bytes, ASK_SECONDS, $method);
    delete $self->{kept} if !$answer || lc($answer->{headers}{connection} || '') eq 'close';
    return $answer || { status => 599, headers => {}, content => '' };
}

# A connection of this process that the other end has not closed.
sub _kept_connection {
    my ($self) = @_;
    my $kept = $self->{kept};
    return $kept->{connection} if $kept && $kept->{pid} == $$ && !$kept->{connection}->hangs_up(0);
    $self->{kept} = { pid => $$, connection => $self->connect };
    return $self->{kept}{connection};
}

sub with_json {
    my ($answer) = @_;
    my $type = $answer->{headers}{'content-type'} || '';
    $answer->{json} = eval { $JSON->decode($answer->{content}) }
        if $type =~ m{^application/(?:problem\+)?json\b} && length $answer->{content};
    return $answer;
}

# $content is text (characters); fields are further members of the JSON object.
sub post {
    my ($self, $room, $content, %fields) = @_;
    return $self->request(
        POST    => "/rooms/$room/messages",
        headers => { 'Content-Type' => 'application/json' },
        content => $JSON->encode({ content => "$content", %fields }),
    );
}

sub history {
    my ($self, $room, %query) = @_;
    return $self->request(GET => "/rooms/$room/messages" . query(%query));
}

sub poll {
    my ($self, $room, %query) = @_;
    return $self->request(GET => "/rooms/$room/poll" . query(%query));
}

# The operator's requests: "history/metrics", "pushd/healthz", ...
sub operator {
    my ($self, $path, $method) = @_;
    my $request = get_bytes("/$path") =~ s/^GET/$method || 'GET'/er;
    return Longroom::Connection->new({ path => "$self->{dir}/operator.sock" })->ask($request, ASK_SECONDS, $method);
}

# A program's metrics: {'name{labels}' => value}, names without longroom_PROGRAM_.
sub metrics {
    my ($self, $program) = @_;
    my $answer = $self->operator("$program/metrics") or die "no answer to $program/metrics\n";
    return { map { /^longroom_${program}_(\S+?(?:\{.*\})?) (\S+)$/ ? ($1 => $2) : () } split /\n/, $answer->{content} };
}

# The whole of a room's history, oldest first, page by page.
sub whole_history {
    my ($self, $room) = @_;
    my @messages;
    my $after = 0;
    while (1) {
        my $page = $self->history($room, after => $after, limit => 1000);
        die "history answers $page->{status}: $page->{content}\n" if $page->{status} != 200;
        push @messages, @{ $page->{json}{messages} };
        return \@messages if !$page->{json}{more};
        $after = $page->{json}{cursor};
    }
    return;
}

sub query {
    my (%query) = @_;
    return '' if !%query;
    return '?' . join '&', map { "$_=" . escaped($query{$_}) } sort keys %query;
}

sub escaped {
    my ($bytes) = @_;
    $bytes =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ge;
    return $bytes;
}

# The ids, or the contents, of an answer's messages.
sub message_ids      { return [ map { $_->{id} } @{ $_[-1]{json}{messages} || [] } ] }
sub message_contents { return [ map { $_->{content} } @{ $_[-1]{json}{messages} || [] } ] }

# The bytes of a POST, for a connection or a crowd.
sub post_bytes {
    my ($room, $content, %fields) = @_;
    my $body = $JSON->encode({ content => "$content", %fields });
    return "POST /rooms/$room/messages HTTP/1.1\r\nHost: localhost\r\n"
        . "Content-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
}

sub get_bytes {
    my ($path) = @_;
    return "GET $path HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

# Sends each of @$contents once by $clients concurrent clients and returns the
# answers in the order of the contents. Options: fields => {...},
# retry => 1 (again after a failure; give it a client_id then).
sub send_all {
    my ($self, $room, $contents, %options) = @_;
    my @answers;
    my $next = 0;
    my $crowd = $self->crowd;
    for my $client (1 .. $options{clients} || 8) {
        my $mine;
        $crowd->add(sub {
            my ($answer) = @_;
            $answers[$mine] = $answer if $answer;
            my $again = $answer && $options{retry} && ($answer->{status} == 0 || $answer->{status} >= 500);
            $mine = $next++ if !$again;
            return if $mine > $#$contents;
            my %fields = %{ $options{fields} || {} };
            $fields{client_id} = "send-$mine" if $options{retry};
            $options{before}->($mine) if $options{before};
            return post_bytes($room, $contents->[$mine], %fields);
        });
    }
    $crowd->run($options{seconds} || 120) or die "sending takes too long\n";
    return \@answers;
}

# A connection of bytes: to nginx, or straight to 'pushd' or 'history'.
sub connect {
    my ($self, $to) = @_;
    return Longroom::Connection->new($self->_address($to));
}

sub crowd {
    my ($self, $to) = @_;
    return Longroom::Crowd->new($self->_address($to));
}

sub pollers {
    my ($self, $to) = @_;
    return Longroom::Pollers->new($self->_address($to));
}

sub _address {
    my ($self, $to) = @_;
    return { port => $self->port } if ($to || 'nginx') eq 'nginx';
    return { path => $self->socket_path($to) };
}

# Runs SQL in the sqlite3 shell, as another process would; returns the rows.
sub sql {
    my ($self, $statements) = @_;
    my $result = run(['sqlite3', '-batch', '-init', '/dev/null', $self->database],
        stdin => ".bail on\n.timeout 10000\n$statements\n");
    die "sqlite3: $result->{stderr}\n" if ($result->{status} // -1) != 0;
    return split /\n/, $result->{stdout};
}

# Holds the database's write lock as another process would; returns a function that
# releases it.
sub lock_database {
    my ($self) = @_;
    my $pid = open2(my $out, my $in, 'sqlite3', '-batch', '-init', '/dev/null', $self->database);
    print {$in} ".timeout 10000\nBEGIN EXCLUSIVE;\nSELECT 'locked';\n";
    $in->flush;
    my $line = <$out> // '';
    die "can't lock: $line" if $line !~ /locked/;
    return sub {
        print {$in} "ROLLBACK;\n.quit\n";
        close $in;
        waitpid $pid, 0;
    };
}

# Runs $work in a process of its own. $background->result waits for its end and
# returns the list of lines that $work returned; it dies if $work died.
sub background {
    my (undef, $work) = @_;
    pipe my $from, my $to or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        my @lines;
        my $done = eval { @lines = $work->(); 1 };
        print STDERR "# background: $@" if !$done;
        print {$to} map {"$_\n"} @lines;
        close $to;
        POSIX::_exit($done ? 0 : 1);
    }
    close $to;
    $background{$pid} = 1;
    return bless { pid => $pid, from => $from }, 'Longroom::Background';
}

sub Longroom::Background::result {
    my ($self) = @_;
    chomp(my @lines = readline $self->{from});
    waitpid $self->{pid}, 0;
    delete $background{ $self->{pid} };
    die "the background process failed\n" if $?;
    return @lines;
}

# Tests that two lists of words are the same; on failure it prints the first
# difference instead of both lists.
sub same_list {
    my ($got, $expected, $title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $at = 0;
    $at++ while $at < @$got && $at < @$expected && $got->[$at] eq $expected->[$at];
    return Test::More::ok(1, $title) if $at == @$got && $at == @$expected;
    Test::More::ok(0, $title);
    Test::More::diag(sprintf 'got %d, expected %d; at %d got %s, expected %s', scalar @$got,
        scalar @$expected, $at, $got->[$at] // 'nothing', $expected->[$at] // 'nothing');
    return 0;
}

# Tests an error answer: its status, its type, and that the body is a problem.
sub is_problem {
    my ($answer, $status, $type, $title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $json = ref $answer->{json} eq 'HASH' ? $answer->{json} : {};
    my $got = join ' ', $answer->{status}, $json->{status} // '-', $json->{type} // '-',
        ($answer->{headers}{'content-type'} || '-') =~ s/;.*//sr;
    return Test::More::is($got, "$status $status $type application/problem+json", $title)
        || Test::More::diag('content: ' . substr $answer->{content} // '', 0, 400);
}

# ---------------------------------------------------------------- nginx

# The files of etc/nginx, with this folder in place of the installed one and, as in
# quickstart, without the lines that only root may use, and with no more descriptors
# than there are.
sub _write_nginx_conf {
    my ($self) = @_;
    my $dir = $self->{dir};
    my $from = source_dir() . '/etc/nginx';
    my %value = (
        DIR     => $dir,
        PORT    => $self->port,
        WORKERS => $self->{workers},
        WEB     => source_dir() . '/web',
    );
    my $descriptors = descriptor_limit();
    my $more = $self->{nginx};
    spew("$dir/tls-server.conf", $self->_tls_server(slurp("$from/tls-server.conf"))) if $self->{tls};
    for my $name (qw(nginx.conf longroom-upstreams.conf longroom-locations.conf longroom-operator.conf),
        @{ $more->{files} || [] }) {
        my $text = slurp("$from/$name");
        length $text or die "$from/$name is not there\n";
        $text =~ s{/run/longroom\b}{$dir}g;
        $text =~ s{\@([A-Z]+)\@}{$value{$1} // die "$name: what is \@$1\@?\n"}ge;
        $text =~ s{^user root;\n}{}m if $> != 0;
        $text =~ s{^(worker_rlimit_nofile) ([0-9]+);}{$1 . ' ' . ($2 < $descriptors ? $2 : $descriptors) . ';'}em;
        $text =~ s{^(worker_shutdown_timeout) \w+;}{$1 $self->{shutdown};}m if $self->{shutdown};
        $text =~ s{^(    include longroom-upstreams.conf;\n)}{$1    include tls-server.conf;\n}m if $self->{tls};
        # A socket of its own: only the operator can reach it.
        $text =~ s{^(    include longroom-upstreams.conf;\n)}
                  {$1    server { listen unix:$dir/operator.sock; include longroom-operator.conf; }\n}m
            if $self->{operator};
        # Lines that a site may have above all its locations.
        my $http = join '', map { defined ? "$_\n" : () } $more->{http}, $ENV{LONGROOM_NGINX_HTTP};
        $text =~ s{^(    include longroom-upstreams.conf;\n)}{$1$http}m;
        $text =~ s{^(        include longroom-locations.conf;\n)}{$1$more->{server}\n}m if $more->{server};
        spew("$dir/$name", $text);
    }
    return;
}

# The example with the test's port and files; what it has on port 80 is at a socket.
sub _tls_server {
    my ($self, $text) = @_;
    my ($dir, $web) = ($self->{dir}, source_dir() . '/web');
    my $address = '127.0.0.1:' . $self->{tls_listener}->sockport;
    $text =~ s{^    listen \[::\]:[0-9]+.*;\n}{}mg;
    $text =~ s{^    listen 443 }{    listen $address }m or die "tls-server.conf: no port 443\n";
    $text =~ s{^    listen 80;}{    listen unix:$dir/port-80.sock;}m or die "tls-server.conf: no port 80\n";
    my $more = $self->{nginx}{server} // '';
    $text =~ s{^(    include longroom-locations.conf;\n)}{$1$more\n}m;
    $text =~ s{/etc/longroom/tls\b}{$dir/tls}g;
    $text =~ s{/usr/local/share/longroom/web\b}{$web}g;
    return $text;
}

# The number of descriptors that a process may have.
sub descriptor_limit {
    my ($hard) = slurp('/proc/self/limits') =~ /^Max open files\s+\S+\s+([0-9]+)/m;
    return $hard || 1024;
}

# ----------------------------------------------------------------

package Longroom::Answer;

# HTTP/1.1 answers out of a buffer of bytes.

# Takes one complete answer off the front of $$buffer and returns it as {status,
# headers, lines, content} (lines: in how many lines a header came), or nothing if it
# is not complete yet. $ended says that no more bytes will come.
sub take {
    my ($buffer, $method, $ended) = @_;
    my $end = index $$buffer, "\r\n\r\n";
    return if $end < 0;
    my ($first, @lines) = split /\r\n/, substr $$buffer, 0, $end;
    my ($version, $status) = $first =~ m{\AHTTP/(1\.[01]) ([0-9]{3})} or return;
    my (%headers, %lines);
    for (@lines) {
        my ($name, $value) = /\A([^:]+):\s*(.*?)\s*\z/s or next;
        $name = lc $name;
        $headers{$name} = exists $headers{$name} ? "$headers{$name}, $value" : $value;
        $lines{$name}++;
    }
    my ($content, $length) = _content($buffer, $end + 4, \%headers, $method, $status, $ended);
    return if !defined $content;
    substr $$buffer, 0, $length, '';
    return { version => $version, status => $status, headers => \%headers, lines => \%lines, content => $content };
}

# The content that begins at $start, and where the answer ends.
sub _content {
    my ($buffer, $start, $headers, $method, $status, $ended) = @_;
    return ('', $start) if $method eq 'HEAD' || $status < 200 || $status == 204 || $status == 304;
    return _chunks($buffer, $start) if lc($headers->{'transfer-encoding'} || '') eq 'chunked';
    my $length = $headers->{'content-length'};
    $length = length($$buffer) - $start if !defined $length && $ended;
    return if !defined $length || length($$buffer) < $start + $length;
    return (substr($$buffer, $start, $length), $start + $length);
}

sub _chunks {
    my ($buffer, $at) = @_;
    my $content = '';
    while (1) {
        pos($$buffer) = $at;
        $$buffer =~ /\G([0-9A-Fa-f]+)[^\r\n]*\r\n/gc or return;
        my $size = hex $1;
        $at = pos($$buffer) + $size + 2;
        return if length $$buffer < $at;
        return ($content, $at) if $size == 0;
        $content .= substr $$buffer, $at - $size - 2, $size;
    }
    return;
}

# ----------------------------------------------------------------

package Longroom::Connection;

# One connection, bytes in and bytes out, every wait with a deadline.

use Errno qw(EAGAIN EINTR);
use IO::Socket::INET ();
use IO::Socket::UNIX ();
use Socket           ();
use Time::HiRes      qw(time);

sub new {
    my ($class, $address) = @_;
    my $socket = $address->{path}
        ? IO::Socket::UNIX->new(Peer => $address->{path})
        : IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $address->{port});
    die "can't connect to @{[%$address]}: $!\n" if !$socket;
    $socket->blocking(0);
    setsockopt $socket, Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1 if !$address->{path};
    return bless { socket => $socket, buffer => '', ended => 0 }, $class;
}

sub socket { return $_[0]{socket} }

# True if all bytes were sent; false if the peer hung up first or time is up.
sub write {
    my ($self, $bytes, $seconds) = @_;
    my $deadline = time + ($seconds || 60);
    my $sent = 0;
    while ($sent < length $bytes) {
        my $n = syswrite $self->{socket}, $bytes, 65_536, $sent;
        if (defined $n) { $sent += $n; next }
        return 0 if !$!{EAGAIN} && !$!{EINTR};
        # A peer that refuses a long body may answer and need its answer read first.
        $self->_wait(1, $deadline) or return 0;
    }
    return 1;
}

sub _wait {
    my ($self, $for_writing, $deadline) = @_;
    my $left = $deadline - time;
    $left = 0 if $left < 0;
    vec(my $bits = '', fileno $self->{socket}, 1) = 1;
    return $for_writing
        ? select(undef, my $w = $bits, undef, $left) > 0
        : select(my $r = $bits, undef, undef, $left) > 0;
}

# Reads available bytes, at most until $deadline. False when nothing more comes.
sub _fill {
    my ($self, $deadline) = @_;
    return 0 if $self->{ended};
    $self->_wait(0, $deadline) or return 0;
    my $n = sysread $self->{socket}, $self->{buffer}, 262_144, length $self->{buffer};
    return 1 if $n || !defined $n && ($!{EAGAIN} || $!{EINTR});
    $self->{ended} = 1;
    return 1;
}

# The next answer, or undef after $seconds or when the peer has hung up.
sub answer {
    my ($self, $seconds, $method) = @_;
    my $deadline = time + ($seconds || 60);
    while (1) {
        my $answer = Longroom::Answer::take(\$self->{buffer}, $method || 'GET', $self->{ended});
        return Longroom::with_json($answer) if $answer;
        $self->_fill($deadline) or return;
    }
    return;
}

sub ask {
    my ($self, $bytes, $seconds, $method) = @_;
    $self->write($bytes, $seconds);
    return $self->answer($seconds, $method);
}

# True when the peer hangs up within $seconds; its last bytes stay in bytes().
sub hangs_up {
    my ($self, $seconds) = @_;
    my $deadline = time + $seconds;
    1 while $self->_fill($deadline);
    return $self->{ended};
}

# Reads until what has come matches the pattern, and returns its first group (or 1);
# undef after $seconds or when the peer has hung up.
sub awaits {
    my ($self, $pattern, $seconds) = @_;
    my $deadline = time + ($seconds || 60);
    while (1) {
        return $1 // 1 if $self->{buffer} =~ $pattern;
        $self->_fill($deadline) or return;
    }
    return;
}

sub bytes { return $_[0]{buffer} }

sub close {
    my ($self) = @_;
    CORE::close $self->{socket};
    return;
}

# ----------------------------------------------------------------

package Longroom::Crowd;

# Many clients in one process, each with one connection that it keeps: it sends a
# request, reads the answer, sends the next. A client is a function from the last
# answer (undef at first; status 0 if the connection broke) to the bytes of its next
# request, or to undef when it is done. After a failure (no answer, or 5xx) it waits a
# moment, as the protocol asks.

use Errno       qw(EAGAIN EINTR EINPROGRESS);
use IO::Socket::INET ();
use Socket      qw(pack_sockaddr_in pack_sockaddr_un inet_aton PF_INET PF_UNIX SOCK_STREAM
                   IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time sleep);

use constant PAUSE_AFTER_FAILURE => 0.05;

sub new {
    my ($class, $address) = @_;
    my $peer = $address->{path}
        ? pack_sockaddr_un($address->{path})
        : pack_sockaddr_in($address->{port}, inet_aton('127.0.0.1'));
    return bless {
        peer    => $peer,
        family  => $address->{path} ? PF_UNIX : PF_INET,
        clients => [],
        by_fd   => {},
        read    => '',
        write   => '',
    }, $class;
}

sub add {
    my ($self, $next) = @_;
    my $client = { next => $next, at => 0, in => '', out => undef };
    push @{ $self->{clients} }, $client;
    $self->_advance($client, undef);
    return $client;
}

# Runs until every client is done, or $until (if given) returns true; false when
# $seconds have passed before.
sub run {
    my ($self, $seconds, $until) = @_;
    my $deadline = time + $seconds;
    while (1) {
        return 1 if $until && $until->();
        my @resting = grep { $_->{out} && !$_->{socket} } @{ $self->{clients} };
        return 1 if !$until && !@resting && !%{ $self->{by_fd} };
        return 0 if time > $deadline;
        $self->_open($_) for grep { $_->{at} <= time } @resting;
        $self->_turn;
    }
    return;
}

# Hangs up all connections.
sub close {
    my ($self) = @_;
    $self->_drop($_) for values %{ $self->{by_fd} };
    $_->{out} = undef for @{ $self->{clients} };
    return;
}

sub _turn {
    my ($self) = @_;
    my ($r, $w) = ($self->{read}, $self->{write});
    my $n = select $r, $w, undef, 0.02;
    return if $n <= 0;
    for my $fd (keys %{ $self->{by_fd} }) {
        my $client = $self->{by_fd}{$fd} or next;
        $self->_say($client) if vec $w, $fd, 1;
        $self->_hear($client) if $client->{socket} && vec $r, $fd, 1;
    }
    return;
}

sub _advance {
    my ($self, $client, $answer) = @_;
    if ($answer && ($answer->{status} == 0 || $answer->{status} >= 500)) {
        $self->_drop($client);
        $client->{at} = time + PAUSE_AFTER_FAILURE;
    }
    my $bytes = $client->{next}->($answer);
    if (!defined $bytes) {
        $client->{out} = undef;
        $self->_drop($client);
        return;
    }
    ($client->{method}) = $bytes =~ /\A(\S*)/;
    ($client->{out}, $client->{sent}, $client->{in}) = ($bytes, 0, '');
    $self->_watch($client, 'write', 1) if $client->{socket};
    return;
}

sub _watch {
    my ($self, $client, $set, $on) = @_;
    vec($self->{$set}, $client->{fd}, 1) = $on;
    return;
}

sub _open {
    my ($self, $client) = @_;
    socket my $socket, $self->{family}, SOCK_STREAM, 0 or die "socket: $!\n";
    $socket->blocking(0);
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1 if $self->{family} == PF_INET;
    # A unix socket whose backlog is full gives EAGAIN.
    return $self->_fail($client, "connect: $!")
        if !connect($socket, $self->{peer}) && !$!{EINPROGRESS};
    $client->{socket} = $socket;
    $client->{fd} = fileno $socket;
    $self->{by_fd}{ $client->{fd} } = $client;
    $self->_watch($client, $_, 1) for qw(read write);
    return;
}

sub _drop {
    my ($self, $client) = @_;
    my $socket = delete $client->{socket} or return;
    $self->_watch($client, $_, 0) for qw(read write);
    delete $self->{by_fd}{ $client->{fd} };
    CORE::close $socket;
    return;
}

sub _fail {
    my ($self, $client, $why) = @_;
    $self->_advance($client, { status => 0, error => $why, content => '' });
    return;
}

sub _say {
    my ($self, $client) = @_;
    my $n = syswrite $client->{socket}, $client->{out}, length($client->{out}), $client->{sent};
    if (!defined $n) {
        return if $!{EAGAIN} || $!{EINTR};
        # The peer has hung up, perhaps with an answer: that is for _hear.
        $n = length($client->{out}) - $client->{sent};
    }
    $client->{sent} += $n;
    $self->_watch($client, 'write', 0) if $client->{sent} == length $client->{out};
    return;
}

sub _hear {
    my ($self, $client) = @_;
    my $n = sysread $client->{socket}, $client->{in}, $client->{piece} || 262_144, length $client->{in};
    return if !defined $n && ($!{EAGAIN} || $!{EINTR});
    $self->_take($client, !$n);
    return;
}

# Takes the answer out of what has come so far; $ended says that no more will.
sub _take {
    my ($self, $client, $ended) = @_;
    my $answer = Longroom::Answer::take(\$client->{in}, $client->{method}, $ended);
    if (!$answer) {
        $self->_fail($client, 'hung up without an answer') if $ended;
        return;
    }
    $self->_drop($client)
        if $ended || lc($answer->{headers}{connection} || '') eq 'close';
    $self->_advance($client, $answer);
    return;
}

# ----------------------------------------------------------------

package Longroom::Pollers;

# A crowd whose clients follow rooms by long polls, each from its cursor, and record
# what they see. A failed poll is repeated from the same cursor.

use parent -norequire, 'Longroom::Crowd';

# Follows $room. Options: after => cursor or id (now), timeout => seconds (20).
# Returns the poller's record:
#   ids, contents     of each message seen, in order
#   cursor            the newest
#   polls, empty      answers of status 200, and those without a message
#   failures          answers of another status, and broken connections
#   gaps, resets      answers with these flags
sub follow {
    my ($self, $room, %options) = @_;
    my $seen = {
        cursor   => $options{after} // 'now',
        ids      => [],
        contents => [],
        map { $_ => 0 } qw(polls empty failures gaps resets),
    };
    my $timeout = $options{timeout} // 20;
    $self->add(sub {
        my ($answer) = @_;
        _write_down($seen, $answer) if $answer;
        return Longroom::get_bytes("/rooms/$room/poll"
                . Longroom::query(after => $seen->{cursor}, timeout => $timeout));
    });
    return $seen;
}

# By pattern, because JSON::PP takes minutes to decode hundreds of thousands of
# messages. In valid JSON a quote inside a string follows a backslash, so "id":
# can only be a member's name.
sub _write_down {
    my ($seen, $answer) = @_;
    my ($cursor) = ($answer->{content} // '') =~ /"cursor"\s*:\s*"([^"]+)"/;
    if ($answer->{status} != 200 || !$cursor) {
        $seen->{failures}++;
        return;
    }
    my @ids = $answer->{content} =~ /"id"\s*:\s*([0-9]+|null)/g;
    push @{ $seen->{ids} }, @ids;
    push @{ $seen->{contents} }, $answer->{content} =~ /"content"\s*:\s*"((?:[^"\\]|\\.)*)"/g;
    $seen->{cursor} = $cursor;
    $seen->{polls}++;
    $seen->{empty}++ if !@ids;
    $seen->{gaps}++   if $answer->{content} =~ /"gap"\s*:\s*true/;
    $seen->{resets}++ if $answer->{content} =~ /"reset"\s*:\s*true/;
    return;
}

1;
