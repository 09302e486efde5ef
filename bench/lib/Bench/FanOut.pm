package Bench::FanOut;

# One room, many waiters, closed loop: each message is sent when all waiters have the
# last one, so the figures are how fast and how dearly one message reaches all. Servers
# have one core, the load another.

use strict;
use warnings;

use Bench::Load ();
use Bench       ();

use constant {
    OF_FLOOR => 1.10,
    OF_NCHAN => 1 / 1.5,
};

sub measure {
    my ($bench) = @_;
    straight($bench, $bench->{few});
    through_nginx($bench, $bench->{few});
    local $bench->{runs} = $bench->{many_runs};
    straight($bench, $bench->possible('many'));
    return;
}

sub straight {
    my ($bench, $waiters) = @_;
    fan_out($bench, id => "straight-$waiters", group => "$waiters waiters in a room, straight", waiters => $waiters,
        to => 'straight', pin => ['pushd'], programs => ['pushd'],
        goals => [{ of => 'floor', most => OF_FLOOR }, { of => 'peer', most => OF_NCHAN }]);
    return;
}

sub through_nginx {
    my ($bench, $waiters) = @_;
    fan_out($bench, id => "nginx-$waiters", group => "$waiters waiters in a room, through nginx", waiters => $waiters,
        to => 'nginx', pin => [qw(nginx pushd)], programs => [qw(nginx pushd)],
        goals => [{ of => 'floor', most => OF_FLOOR }],
        note => 'CPU of nginx and the program behind it; nchan is nginx itself');
    return;
}

# streams => 1: of event streams; polls => 1: beside polls.
sub fan_out {
    my ($bench, %shape) = @_;
    $bench->say("fan-out: $shape{group}");
    my %messages;
    my $series = $bench->compare(sub {
        my ($stand, $name) = @_;
        local $shape{streams} = $shape{streams} && $name ne 'polls';
        my @programs = $name eq 'peer' ? ('nginx') : @{ $shape{programs} };
        $messages{$name} ||= enough($bench, $stand, %shape);
        my $found = closed($stand, $messages{$name}, %shape);
        return {
            per_second => $found->{deliveries}{per_second},
            cpu        => Bench::Load::us_per_delivery($found, @programs),
        };
    }, workers => 1, map { $_ => $shape{$_} } qw(pin streams polls));
    my %row = (group => $shape{group}, note => $shape{note});
    $bench->row(%row, id => "$shape{id}-rate", what => 'deliveries', unit => 'per_second', series($series, 'per_second'));
    $bench->row(%row, id => "$shape{id}-cpu", what => 'CPU a delivery', unit => 'us', goals => $shape{goals},
        series($series, 'cpu'));
    return;
}

sub closed {
    my ($stand, $messages, %shape) = @_;
    return Bench::Load::run($stand, (map { $_ => $shape{$_} } qw(to waiters streams)), pinned => 1,
        arguments => ['--closed', "--messages=$messages"]);
}

# The number of messages that keep this stand busy for the time wanted. It warms it up
# as well.
sub enough {
    my ($bench, $stand, %shape) = @_;
    my $tried = closed($stand, 10, %shape);
    my $messages = int $tried->{deliveries}{per_second} * $bench->{seconds} / $shape{waiters};
    return $messages < 10 ? 10 : $messages;
}

# The columns of a row, from what compare() returned.
sub series {
    my ($series, $figure) = @_;
    return map { $series->{$_} ? ($_ => $series->{$_}{$figure}) : () } qw(longroom floor peer polls against);
}

1;
