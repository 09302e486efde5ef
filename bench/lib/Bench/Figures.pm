package Bench::Figures;

# Series of figures: taken in turns, so that a neighbour's noise meets all who
# are compared, and judged by their medians.

use strict;
use warnings;

# alternate(RUNS, name => sub { return {figure => value} }, ...): A B C A B C ...
# Returns {name => {figure => [values]}}.
sub alternate {
    my ($runs, @contestants) = @_;
    my %series;
    for my $run (1 .. $runs) {
        for (my $i = 0; $i < @contestants; $i += 2) {
            my ($name, $measure) = @contestants[$i, $i + 1];
            my $figures = $measure->($run);
            push @{ $series{$name}{$_} }, $figures->{$_} for keys %$figures;
        }
    }
    return \%series;
}

sub median {
    my @sorted = sort { $a <=> $b } @_;
    return if !@sorted;
    my $middle = int @sorted / 2;
    return @sorted % 2 ? $sorted[$middle] : ($sorted[$middle - 1] + $sorted[$middle]) / 2;
}

sub least { return (sort { $a <=> $b } @_)[0] }
sub most  { return (sort { $a <=> $b } @_)[-1] }

# The ratios of what was measured one after the other: a change of the machine's
# speed between two rounds is in both parts, and falls out.
sub ratios {
    my ($ours, $theirs) = @_;
    return if !$ours || !$theirs;
    return map { $theirs->[$_] ? $ours->[$_] / $theirs->[$_] : () }
        0 .. ($#$ours < $#$theirs ? $#$ours : $#$theirs);
}

sub ratio { return median(ratios(@_)) }

1;
