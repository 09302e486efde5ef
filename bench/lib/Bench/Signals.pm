package Bench::Signals;

# What longroom-pushd pays for signals in a room where people type: they reach streams
# one by one, and polls together, once a second. The same as saved messages, for
# comparison.

use strict;
use warnings;

use Bench::Figures ();
use Bench::Load    ();

use constant RATE => 10;

sub measure {
    my ($bench) = @_;
    my $clients = $bench->{few};
    my $group = "$clients clients in a room, " . RATE . ' signals/s, straight';
    $bench->say("signals: $group");
    local $bench->{runs} = $bench->{slow_runs};
    my $stand = $bench->stand('longroom', 1);
    $stand->pin('pushd');
    my %shapes = map {
        my $signals = $_;
        ("polls $signals" => [0, $signals], "streams $signals" => [1, $signals]);
    } 0, 1;
    my $series = $bench->alternate(map {
        my $name = $_;
        ($name => sub { once($bench, $stand, $clients, @{ $shapes{$name} }) });
    } sort keys %shapes);
    for my $kind (qw(polls streams)) {
        my ($message, $signal) = map { $series->{"$kind $_"} } 0, 1;
        my %row = (group => $group);
        $bench->row(%row, id => "signals-$kind", what => "CPU a signal, $kind", unit => 'us', longroom => $signal->{cpu});
        $bench->row(%row, id => "signals-messages-$kind", what => '... a message', unit => 'us', longroom => $message->{cpu});
        $bench->row(%row, id => "signals-times-$kind", what => 'of a message', unit => 'times',
            longroom => [Bench::Figures::ratios($signal->{cpu}, $message->{cpu})]);
        $bench->row(%row, id => "signals-answer-$kind", what => 'signals an answer, or a piece', unit => 'number',
            longroom => $signal->{per_answer});
    }
    return;
}

# CPU of longroom-pushd for one signal (or message), with all of its deliveries.
sub once {
    my ($bench, $stand, $clients, $streams, $signals) = @_;
    my $count = int(2 * RATE * $bench->{open_seconds});
    $stand->renew;
    my $found = Bench::Load::run($stand, to => 'straight', waiters => $clients, streams => $streams, pinned => 1,
        arguments => ['--rate=' . RATE, "--messages=$count", $signals ? '--signals' : ()]);
    return {
        cpu        => Bench::Load::us_per_delivery($found, 'pushd') * $clients,
        per_answer => $found->{deliveries}{messages_per_answer},
    };
}

1;
