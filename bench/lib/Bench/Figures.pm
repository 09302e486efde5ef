package Bench::Figures;

# Series of figures: taken in turns, so that a neighbour's noise affects all
# contestants, and judged by their medians.

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT_OK = qw(median);

use constant CERTAINTY => 0.95;

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

# The ratios of consecutive measurements: a change of the machine's speed between two
# rounds is in both parts, and cancels out.
sub ratios {
    my ($ours, $theirs) = @_;
    return if !$ours || !$theirs;
    return map { $theirs->[$_] ? $ours->[$_] / $theirs->[$_] : () }
        0 .. ($#$ours < $#$theirs ? $#$ours : $#$theirs);
}

# The two values between which the median of all such runs lies, 95 times in 100: no
# shape of the noise is assumed, only that each run is as likely to be above the median
# as below. For fewer than six runs there is no such confidence: the minimum and the
# maximum.
sub interval {
    my @sorted = sort { $a <=> $b } @_;
    return if !@sorted;
    my ($left_out, $chance, $sum) = (0, 0.5**@sorted, 0);
    while (($sum += $chance) <= (1 - CERTAINTY) / 2) {
        $chance *= (@sorted - $left_out) / ++$left_out;
    }
    $left_out-- if $left_out;
    return @sorted[$left_out, -1 - $left_out];
}

# Whether these ratios show a difference at all.
sub differ {
    my ($low, $high) = interval(@_);
    return defined $low && ($low > 1 || $high < 1);
}

1;
