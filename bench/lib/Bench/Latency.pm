package Bench::Latency;

# From a POST to its receipt, through nginx, by the clock and not by what has arrived:
# a very hot room, and a quiet one.

use strict;
use warnings;

use Bench::FanOut ();
use Bench::Load   ();

use constant {
    SENDERS      => 32,      # so that no message waits for a sender
    ALL          => 0.99,    # of the scheduled deliveries a second
    P99_MS       => 100,
    QUIET_RATE   => 100,
};

my @QUANTILES = ([p50 => 'p50'], [p99 => 'p99'], [p99_9 => 'p99.9']);

sub measure {
    my ($bench) = @_;
    hot($bench, $bench->{open_seconds});
    # As long as the goal requires, once.
    hot($bench, $bench->{long_seconds}, 1) if $bench->{long_seconds};
    quiet($bench);
    return;
}

sub hot {
    my ($bench, $seconds, $runs) = @_;
    my ($waiters, $rate) = @{$bench}{qw(few rate)};
    my $group = "$waiters waiters in a room, $rate messages/s for $seconds s, through nginx";
    $bench->say("open loop: $group");
    local $bench->{runs} = $runs if $runs;
    my $series = $bench->compare(sub {
        my ($stand) = @_;
        my $found = open_loop($stand, $seconds, $rate, SENDERS, $waiters);
        return { figures($found), late => $found->{posts}{late_max_us} / 1000 };
    }, workers => Bench::Stand::cores(), floor => 0);
    my $id = $runs ? 'open-long' : 'open';
    my $due = $rate * $waiters;
    $bench->row(id => "$id-rate", group => $group, what => 'deliveries', unit => 'per_second',
        goals => [{ of => 'longroom', least => ALL * $due }], Bench::FanOut::series($series, 'per_second'));
    quantiles($bench, $series, $id, $group, { p99 => [{ of => 'longroom', most => P99_MS }] });
    $bench->row(id => "$id-answer", group => $group, what => 'messages an answer', unit => 'number',
        Bench::FanOut::series($series, 'per_answer'));
    $bench->row(id => "$id-late", group => $group, what => 'a POST was late by up to', unit => 'ms',
        Bench::FanOut::series($series, 'late'),
        note => 'behind its time, because all senders waited for their answers; not in the latency');
    return;
}

sub quiet {
    my ($bench) = @_;
    my $group = '1 waiter, ' . QUIET_RATE . ' messages/s, through nginx';
    $bench->say("quiet room: $group");
    my $series = $bench->compare(sub {
        my ($stand) = @_;
        return { figures(open_loop($stand, $bench->{quiet_seconds}, QUIET_RATE, 4, 1)) };
    }, workers => Bench::Stand::cores());
    quantiles($bench, $series, 'quiet', $group, {},
        "Longroom's messages are on disk before they are sent round, the others' are not; the floor's come past nginx");
    return;
}

sub open_loop {
    my ($stand, $seconds, $rate, $senders, $waiters) = @_;
    return Bench::Load::run($stand, to => 'nginx', waiters => $waiters,
        arguments => ["--rate=$rate", '--messages=' . int($rate * $seconds), "--senders=$senders"]);
}

sub figures {
    my ($found) = @_;
    my $deliveries = $found->{deliveries};
    return (
        per_second => $deliveries->{per_second},
        per_answer => $deliveries->{messages_per_answer},
        map { $_->[0] => $deliveries->{latency_us}{ $_->[0] } / 1000 } @QUANTILES,
    );
}

sub quantiles {
    my ($bench, $series, $id, $group, $goals, $note) = @_;
    for my $quantile (@QUANTILES) {
        my ($name, $word) = @$quantile;
        $bench->row(id => "$id-$name", group => $group, what => "POST to receipt, $word", unit => 'ms',
            goals => $goals->{$name}, note => $note, Bench::FanOut::series($series, $name));
    }
    return;
}

1;
