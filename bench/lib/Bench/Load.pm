package Bench::Load;

# Loads a stand with longroom-load or wrk, and returns what it measured. A run in which
# a message was lost or doubled has no figures: it dies.

use strict;
use warnings;

use File::Temp ();
use JSON::PP   ();
use Longroom   ();
use POSIX      ();

use constant LIMIT_SECONDS => 120;

my $JSON = JSON::PP->new->utf8;

# longroom-load on the stand. options: to => 'straight', 'nginx', or 'socket':
# longroom-pushd's unix socket; waiters; streams => 1, which they keep instead of polling;
# posts_to => URL (the stand's post_url); pinned => 1, on the core that the servers leave free; arguments => [...] more
# of its own options. Returns its JSON.
sub run {
    my ($stand, %options) = @_;
    return await(_start($stand, _command($stand, %options)));
}

sub _command {
    my ($stand, %options) = @_;
    my $url = $options{to} eq 'socket' ? 'unix:' . $stand->socket_path('pushd')
        : $options{to} eq 'straight' ? $stand->straight_url
        :                              $stand->url;
    my $processes = $stand->processes;
    my @command = (
        Longroom::program('longroom-load'), '--json', "--url=$url",
        '--post-url=' . ($options{posts_to} || $stand->post_url), '--seconds=' . LIMIT_SECONDS,
        '--waiters=' . ($options{waiters} || 0),
        $options{streams} ? ('--streams') : (),
        map({"--pid=$_=$processes->{$_}"} sort keys %$processes),
        $stand->load_options, @{ $options{arguments} || [] },
    );
    # From one address, 10,000 connections take long to find a port.
    push @command, '--source-addresses=' . POSIX::ceil($options{waiters} / 5000)
        if ($options{waiters} || 0) > 5000 && $options{to} ne 'socket';
    unshift @command, qw(taskset -c 1) if $options{pinned} && Bench::Stand::cores() > 1;
    return @command;
}

sub _judged {
    my ($stand, $stdout, $stderr, @allowed) = @_;
    my $found = eval { $JSON->decode($stdout) };
    my %checks = (%{ $found->{checks} || {} }, map { $_ => $found->{polls}{$_} } qw(stuck refused server_errors));
    delete @checks{@allowed};
    # Several senders race to nchan, which need not keep the order in which they
    # started.
    delete $checks{out_of_order} if $stand->isa('Bench::Nchan');
    delete $checks{required};
    my @wrong = grep { $checks{$_} } sort keys %checks;
    die ref($stand) . ": no figures (@wrong): $stderr\n"
        if !$found || @wrong || $found->{cut_short} || $found->{posts}{refused};
    return $found;
}

# Each of these requests, by one client on one connection, one after the other: nothing
# depends on order between clients. to => as in connect(); each must get this status.
sub one_by_one {
    my ($stand, $to, $status, @requests) = @_;
    my $client = $stand->connect($to);
    for my $request (@requests) {
        my $answer = $client->ask($request) || { status => 0, content => '' };
        die ref($stand) . ": no figures: $answer->{status} $answer->{content}\n" if $answer->{status} != $status;
    }
    return;
}

# CPU microseconds per delivery of these processes together.
sub us_per_delivery {
    my ($found, @names) = @_;
    my $sum = 0;
    $sum += $found->{processes}{$_}{us_per_delivery} for @names;
    return $sum;
}

# Parks waiters on the stand and returns when all wait; options as for run(). Its
# result is for let_go().
sub hold {
    my ($stand, %options) = @_;
    my $held = _start($stand, _command($stand, %options, arguments => ['--hold=1000', @{ $options{arguments} || [] }]));
    $stand->eventually(60, sub { Longroom::slurp($held->{log}->filename) =~ /waiters wait/ })
        or die 'the waiters do not come to wait: ' . Longroom::slurp($held->{log}->filename) . "\n";
    return $held;
}

sub _start {
    my ($stand, @command) = @_;
    my ($log, $report) = map { File::Temp->new } 1, 2;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        setpgrp 0, 0;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
        open STDOUT, '>', $report->filename or POSIX::_exit(126);
        open STDERR, '>', $log->filename or POSIX::_exit(126);
        { no warnings 'exec'; exec { $command[0] } @command }
        print STDERR "can't run $command[0]: $!\n";
        POSIX::_exit(127);
    }
    return bless { pid => $pid, log => $log, report => $report, stand => $stand }, 'Bench::Load::Held';
}

# Ends their wait; returns the JSON.
sub let_go {
    my ($held) = @_;
    kill TERM => $held->{pid};
    return await($held);
}

# Waits for the end of the run; returns the JSON. allowed: checks that the caller
# judges.
sub await {
    my ($held, @allowed) = @_;
    waitpid delete $held->{pid}, 0;
    return _judged($held->{stand}, map({ Longroom::slurp($held->{$_}->filename) } qw(report log)), @allowed);
}

# Nothing is left running if this process is ended.
sub Bench::Load::Held::DESTROY {
    my ($self) = @_;
    local ($?, $!, $@);
    return if !$self->{pid};
    kill KILL => $self->{pid};
    waitpid $self->{pid}, 0;
    return;
}

# wrk reads newest pages for $seconds with $connections, of one room (or of room_1 to
# room (of room_1 to room_N: rooms => N). Returns {per_second, p50_us, p99_us,
# p99_9_us}.
my $SCRIPT = <<'END';
local rooms = %d
function init()
    math.randomseed(1)
end
if rooms > 1 then
    function request()
        return wrk.format("GET", "/rooms/room_" .. math.random(2, rooms) .. "/messages")
    end
end
function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format('{"requests":%%d,"us":%%d,"errors":%%d,"p50_us":%%d,"p99_us":%%d,"p99_9_us":%%d}\n',
        summary.requests, summary.duration,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
END

sub wrk {
    my ($stand, %options) = @_;
    my $script = File::Temp->new(SUFFIX => '.lua');
    Longroom::spew($script->filename, sprintf $SCRIPT, $options{rooms} || 1);
    # wrk takes whole seconds.
    my $result = Longroom::run(
        ['wrk', '-t1', "-c$options{clients}", '-d' . POSIX::ceil($options{seconds}), '-s', $script->filename,
            $stand->url . '/rooms/room_1/messages'],
        seconds => $options{seconds} + 30,
    );
    my ($line) = $result->{stdout} =~ /^(\{.*\})$/m;
    my $found = $line && $JSON->decode($line);
    die "wrk: $result->{stdout}$result->{stderr}\n" if !$found || $found->{errors} || !$found->{requests};
    return { %$found, per_second => $found->{requests} * 1e6 / $found->{us} };
}

1;
