package Bench::Table;

# Rows in readable form: figures with their spread, ratios, goals.

use strict;
use warnings;

use Bench::Figures ();

my %UNITS = (
    per_second => sub { grouped(sprintf '%.0f', $_[0]) . '/s' },
    count      => sub { grouped(sprintf '%.0f', $_[0]) },
    us         => sub { sprintf '%.2f us', $_[0] },
    ms         => sub { sprintf $_[0] < 10 ? '%.2f ms' : '%.1f ms', $_[0] },
    seconds    => sub { sprintf '%.2f s', $_[0] },
    kib        => sub { sprintf '%.2f KiB', $_[0] },
    percent    => sub { sprintf '%.0f %%', 100 * $_[0] },
    number     => sub { sprintf $_[0] == int $_[0] ? '%d' : '%.2f', $_[0] },
    small      => sub { sprintf '%.6f', $_[0] },
    times      => sub { sprintf '%.3f', $_[0] },
);

my %NAMES = (longroom => 'Longroom', floor => 'the floor', peer => 'nchan', polls => 'our polls', against => 'the other build');

our %HEADS = (floor => 'floor', peer => 'nchan', polls => 'polls', against => 'other build');

sub grouped {
    my ($number) = @_;
    1 while $number =~ s/^(-?[0-9]+)([0-9]{3})/$1,$2/;
    return $number;
}

sub figure {
    my ($unit, $value) = @_;
    return '-' if !defined $value;
    return $UNITS{$unit}->($value);
}

# The median of a row's series, formatted.
sub median {
    my ($row, $name) = @_;
    return figure($row->{unit}, Bench::Figures::median(@{ $row->{$name} || [] }));
}

sub spread {
    my ($row, $name) = @_;
    my @values = @{ $row->{$name} || [] };
    return '' if @values < 2;
    my ($least, $most) = map { figure($row->{unit}, $_) =~ s{(?:/s| us| ms| s| KiB| %)$}{}r }
        Bench::Figures::least(@values), Bench::Figures::most(@values);
    return "$least..$most";
}

# The ratio to that contestant, with its bounds unless they show no difference: if 1.00
# is within them, it is as likely as any.
sub ratio {
    my ($row, $name) = @_;
    my @ratios = Bench::Figures::ratios($row->{longroom}, $row->{$name});
    return '-' if !@ratios;
    my $places = $name eq 'against' ? '%.3f' : '%.2f';
    my $text = sprintf $places, Bench::Figures::median(@ratios);
    return $text if @ratios < 2;
    $text .= sprintf " ($places to $places)", Bench::Figures::interval(@ratios);
    return Bench::Figures::differ(@ratios) ? $text : "$text: no difference shown";
}

# {words, verdict}. A goal is met or missed if the whole interval that the runs leave
# possible is on that side of it; each => 1: if all runs are.
sub judge {
    my ($row, $goal) = @_;
    my $of_itself = $goal->{of} eq 'longroom';
    my @values = $of_itself ? @{ $row->{longroom} || [] } : Bench::Figures::ratios($row->{longroom}, $row->{ $goal->{of} });
    my $limit = $goal->{most} // $goal->{least};
    my $words = sprintf '%s %s%s', defined $goal->{most} ? 'at most' : 'at least',
        $of_itself ? figure($row->{unit}, $limit) : sprintf('%.2f', $limit),
        $of_itself ? '' : " of $NAMES{ $goal->{of} }";
    return { words => $words, verdict => 'not measured' } if !@values;
    my ($low, $high) = $goal->{each} ? (Bench::Figures::least(@values), Bench::Figures::most(@values)) : Bench::Figures::interval(@values);
    # What would have to be better, and what would have to be worse.
    my ($best, $worst) = defined $goal->{most} ? ($low - $limit, $high - $limit) : ($limit - $high, $limit - $low);
    return { words => $words, verdict => $worst <= 0 ? 'met' : $best > 0 || $goal->{each} ? 'MISSED' : 'not shown' };
}

sub judgements {
    my ($row) = @_;
    return map { judge($row, $_) } @{ $row->{goals} || [] };
}

# 'met'; 'MISSED'; 'not shown', as the runs differ too much; 'not measured'.
sub verdict { return $_[0]{verdict} }

# The contestants of any row.
sub others {
    my (@rows) = @_;
    my %always = (floor => 1, peer => 1);
    return grep { my $name = $_; $always{$name} || grep { $_->{$name} } @rows } qw(floor peer polls against);
}

sub lines {
    my (@rows) = @_;
    my @others = others(@rows);
    my @cells = ([('') x 2, 'Longroom', 'spread', (map { $HEADS{$_} } @others), (map {"/$HEADS{$_}"} @others), 'goal']);
    my $group = '';
    for my $row (@rows) {
        push @cells, [$row->{group}] if $row->{group} ne $group;
        $group = $row->{group};
        push @cells, [
            '', $row->{what}, median($row, 'longroom'), spread($row, 'longroom'),
            (map { median($row, $_) } @others), (map { ratio($row, $_) } @others),
            join('; ', map { "$_->{words}: " . verdict($_) } judgements($row)),
        ];
    }
    return laid_out(@cells);
}

# Figures to the right, words to the left; one cell alone is a heading.
sub laid_out {
    my (@cells) = @_;
    my @width;
    for my $line (grep { @$_ > 1 } @cells) {
        for my $i (0 .. $#$line) {
            $width[$i] = length $line->[$i] if length $line->[$i] > ($width[$i] || 0);
        }
    }
    my @lines;
    for my $line (@cells) {
        push @lines, '', $line->[0] if @$line == 1;
        next if @$line == 1;
        my $text = join '  ', map { sprintf $_ < 2 || $_ == $#width ? "%-$width[$_]s" : "%$width[$_]s", $line->[$_] } grep { $width[$_] } 0 .. $#$line;
        push @lines, "  $text" =~ s/\s+$//r;
    }
    return @lines;
}

1;
