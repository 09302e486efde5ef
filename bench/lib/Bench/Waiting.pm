package Bench::Waiting;

# The cost of waiters while nothing comes: memory of the program (PSS, with all of them
# minus PSS with none) and of the kernel; and what a restart of the program costs them.

use strict;
use warnings;

use Bench::FanOut ();
use Bench::Load   ();
use Time::HiRes   ();

use constant {
    KIB_PER_WAITER  => 0.75,
    RESTART_SECONDS => 2,
    RESTART_RATE    => 5,
};

sub measure {
    my ($bench) = @_;
    memory($bench);
    restart($bench);
    return;
}

sub memory {
    my ($bench) = @_;
    my $waiters = $bench->possible('parked');
    my $group = "$waiters waiters parked, straight";
    $bench->say("memory: $group");
    local $bench->{runs} = $bench->{slow_runs};
    my $series = $bench->compare(sub {
        my ($stand, $name) = @_;
        return park($stand, $name, waiters => $waiters);
    }, workers => 1, floor => 0);
    $bench->row(id => 'memory-user', group => $group, what => 'user memory a waiter', unit => 'kib',
        goals => [{ of => 'longroom', most => KIB_PER_WAITER }], Bench::FanOut::series($series, 'user'));
    $bench->row(id => 'memory-kernel', group => $group, what => 'kernel memory a waiter', unit => 'kib',
        Bench::FanOut::series($series, 'kernel'),
        note => "the slabs' growth: both ends of each connection, the server's and longroom-load's");
    return;
}

# KiB a waiter. Options: as Bench::Load::run's.
sub park {
    my ($stand, $name, %options) = @_;
    my $pid = $stand->pid($name eq 'peer' ? 'nginx' : 'pushd');
    my @before = (user_kib($pid), slab_kib());
    my $held = Bench::Load::hold($stand, to => 'straight', %options);
    my @after = (user_kib($pid), slab_kib());
    Bench::Load::let_go($held);
    my ($user, $kernel) = map { ($after[$_] - $before[$_]) / $options{waiters} } 0, 1;
    return { user => $user, kernel => $kernel };
}

# PSS of a process and its children.
sub user_kib {
    my ($pid) = @_;
    my $sum = 0;
    for my $process ($pid, split ' ', Longroom::slurp("/proc/$pid/task/$pid/children")) {
        my ($kib) = Longroom::slurp("/proc/$process/smaps_rollup") =~ /^Pss:\s+([0-9]+)/m or die "no PSS of $process\n";
        $sum += $kib;
    }
    return $sum;
}

sub slab_kib {
    my ($kib) = Longroom::slurp('/proc/meminfo') =~ /^Slab:\s+([0-9]+)/m or die "no Slab in /proc/meminfo\n";
    return $kib;
}

# longroom-pushd is killed and restarted while messages are sent at a fixed rate: the
# longest delivery time is the time until all were served again.
sub restart {
    my ($bench) = @_;
    my $waiters = $bench->possible('restarted');
    my $group = "longroom-pushd is killed and started again, $waiters waiters on its socket";
    $bench->say("restart: $group");
    my $stand = $bench->stand('longroom', 1);
    local $bench->{runs} = $bench->{slow_runs};
    my $series = $bench->alternate(longroom => sub {
        my $found = restart_once($stand, $bench->{restart_seconds}, waiters => $waiters);
        return { seconds => $found->{deliveries}{latency_us}{max} / 1e6, wrong_and_reads($stand, $found) };
    });
    $bench->row(id => 'restart-seconds', group => $group, what => 'until all are served again', unit => 'seconds',
        goals => [{ of => 'longroom', most => RESTART_SECONDS }], longroom => $series->{longroom}{seconds},
        note => "the longest way of a message, of " . RESTART_RATE . ' a second; with the clients\' own pauses before they try again');
    $bench->row(id => 'restart-wrong', group => $group, what => 'messages lost or doubled', unit => 'number',
        goals => [{ of => 'longroom', most => 0, each => 1 }], longroom => $series->{longroom}{wrong});
    $bench->row(id => 'restart-reads', group => $group, what => 'reads of the log a delivery', unit => 'small',
        longroom => $series->{longroom}{reads}, note => 'by the new longroom-pushd, its start and a look a second included');
    return;
}

# Options: as Bench::Load::run's. Returns longroom-load's JSON.
sub restart_once {
    my ($stand, $seconds, %options) = @_;
    my $held = Bench::Load::hold($stand, to => 'socket', %options, arguments => [
        '--hold=0', '--rate=' . RESTART_RATE, '--messages=' . int(RESTART_RATE * $seconds), '--senders=8',
    ]);
    # In the middle of the messages.
    Time::HiRes::sleep($seconds / 4);
    $stand->signal('pushd', 'KILL');
    $stand->start_program('pushd');
    return Bench::Load::await($held, qw(lost doubled server_errors));
}

sub wrong_and_reads {
    my ($stand, $found) = @_;
    return (
        wrong => $found->{checks}{lost} + $found->{checks}{doubled},
        reads => log_reads($stand) / $found->{deliveries}{count},
    );
}

sub log_reads {
    my ($stand) = @_;
    my $metrics = $stand->metrics('pushd');
    my $sum = 0;
    $sum += $metrics->{$_} for grep {/^log_reads_total/} keys %$metrics;
    return $sum;
}

1;
