package Bench::Report;

# The report page: one self-contained file. Every row has a plot of all its runs, on an
# axis that begins at 0: a dot for each run, a line to the median.

use strict;
use warnings;

use Bench::Figures ();
use Bench::Table   ();
use JSON::PP       ();
use Longroom       ();

sub contestants {
    my (@rows) = @_;
    return ([longroom => 'Longroom'], map { [$_ => $Bench::Table::HEADS{$_}] } Bench::Table::others(@rows));
}

use constant {
    WIDTH  => 340,
    LINE   => 18,
    LABEL  => 78,     # of WIDTH, for the names
    MARGIN => 8,
};

# Writes report.html and results.json.
sub write {
    my ($dir, $results) = @_;
    Longroom::spew("$dir/results.json", JSON::PP->new->utf8->canonical->pretty->encode($results));
    Longroom::spew("$dir/report.html", page($results));
    return;
}

sub escaped {
    my ($text) = @_;
    my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;', '"' => '&quot;');
    return $text =~ s/([&<>"])/$entity{$1}/gr;
}

sub page {
    my ($results) = @_;
    my @rows = @{ $results->{rows} };
    my $style = style();
    return join "\n", '<!DOCTYPE html>', '<html lang="en">', '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">', '<title>Longroom, measured</title>',
        "<style>$style</style>", '<h1>Longroom, measured</h1>', summary(@rows), facts($results), explanation($results),
        groups(@rows), '</html>', '';
}

sub summary {
    my (@rows) = @_;
    my @judged = map { Bench::Table::judgements($_) } @rows;
    my %count = (met => 0, MISSED => 0);
    $count{ Bench::Table::verdict($_) }++ for @judged;
    my ($met, $missed) = delete @count{qw(met MISSED)};
    return "<p><strong>Of " . @judged . " goals $met are met, $missed missed"
        . join('', map {", $count{$_} $_"} sort keys %count) . '.</strong></p>';
}

sub facts {
    my ($results) = @_;
    my @lines = map { '<tr><th>' . escaped($_->[0]) . '</th><td>' . escaped($_->[1]) . '</td></tr>' } @{ $results->{facts} };
    return join "\n", '<table class="facts">', @lines, '</table>';
}

sub explanation {
    my ($results) = @_;
    my $plan = $results->{plan} eq 'full' ? '' : " This was a $results->{plan} run, with fewer and shorter measurements.";
    return <<"END";
<p>Each figure is the median of runs in which all contestants took turns; a dot is a run. A ratio is the median of the
ratios of runs that followed each other, with the bounds within which it lies 95 times of 100 (of fewer than six runs: with
the least and the most). &ldquo;No difference shown&rdquo;: 1.00 is within them, and there is nothing to claim. A goal is
&ldquo;not shown&rdquo; where its limit is within them. The <em>floor</em> is the least that could be done: a bare epoll loop for
pushing, an empty libfcgi program for requests, SQLite alone for saving; behind the same nginx where there is one.
<em>nchan</em> is nginx's push module, without a store behind it. bench/README says how each figure is taken and what it
does not show.$plan</p>
END
}

sub groups {
    my (@rows) = @_;
    my @others = map { $_->[1] } grep { $_->[0] ne 'longroom' } contestants(@rows);
    my $heads = join '', map {"<th>$_</th>"} '', 'Longroom', @others, map({"/$_"} @others), 'goal', 'runs';
    my @html;
    my $group = '';
    for my $row (@rows) {
        if ($row->{group} ne $group) {
            push @html, '</table>' if $group ne '';
            $group = $row->{group};
            push @html, '<h2>' . escaped(ucfirst $group) . '</h2>',
                qq(<table class="rows"><tr>$heads</tr>);
        }
        push @html, row($row, contestants(@rows));
    }
    push @html, '</table>' if @html;
    return @html;
}

sub row {
    my ($row, @contestants) = @_;
    my $what = escaped($row->{what}) . ($row->{note} ? '<br><small>' . escaped($row->{note}) . '</small>' : '');
    my @figures = map {
        my $spread = Bench::Table::spread($row, $_->[0]);
        escaped(Bench::Table::median($row, $_->[0])) . ($spread ne '' ? '<br><small>' . escaped($spread) . '</small>' : '');
    } @contestants;
    my @ratios = map { Bench::Table::ratio($row, $_->[0]) =~ s{ (.*)}{<br><small>$1</small>}r } grep { $_->[0] ne 'longroom' } @contestants;
    my @goals = map {
        my $verdict = Bench::Table::verdict($_);
        '<span class="' . ($verdict =~ /not/ ? 'open' : lc $verdict) . '">' . escaped("$_->{words}: $verdict") . '</span>';
    } Bench::Table::judgements($row);
    return "<tr id=\"$row->{id}\"><td class=\"what\">$what</td>"
        . join('', map {"<td>$_</td>"} @figures, @ratios)
        . '<td class="goal">' . join('<br>', @goals) . '</td><td>' . plot($row, @contestants) . '</td></tr>';
}

sub plot {
    my ($row, @contestants) = @_;
    my @there = grep { @{ $row->{ $_->[0] } || [] } } @contestants;
    my $most = Bench::Figures::most(map { @{ $row->{ $_->[0] } } } @there) // 0;
    my $scale = $most > 0 ? (WIDTH - LABEL - MARGIN) / $most : 0;
    my $height = LINE * @there;
    my @marks;
    for my $i (0 .. $#there) {
        my ($name, $label) = @{ $there[$i] };
        my $y = LINE * $i + LINE / 2;
        my @at = map { sprintf '%.1f', LABEL + $scale * ($_ < 0 ? 0 : $_) } @{ $row->{$name} };
        push @marks, sprintf '<text x="%d" y="%d">%s</text>', LABEL - 6, $y + 4, $label;
        push @marks, sprintf '<line class="%s" x1="%d" y1="%d" x2="%s" y2="%d"/>', $name, LABEL, $y, Bench::Figures::median(@at), $y;
        push @marks, map {qq(<circle class="$name" cx="$_" cy="$y" r="3"/>)} @at;
    }
    return sprintf '<svg width="%d" height="%d" viewBox="0 0 %d %d" role="img">%s</svg>', WIDTH, $height, WIDTH, $height, join '', @marks;
}

sub style {
    return <<'END';

:root { color-scheme: light dark; --longroom: #1668b8; --floor: #8a8a8a; --peer: #c2571a; --polls: #2e8b57; --against: #7a4fb5; }
@media (prefers-color-scheme: dark) { :root { --longroom: #6db3f5; --floor: #9a9a9a; --peer: #f0955c; --polls: #6fcf97; --against: #b795e8; } }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 96rem; margin: 2rem auto; padding: 0 1rem; }
h2 { font-size: 1.05rem; margin: 2rem 0 .4rem; }
table { border-collapse: collapse; }
th, td { padding: .25rem .7rem .25rem 0; text-align: right; vertical-align: top; white-space: nowrap; }
th { font-weight: 600; }
.rows { table-layout: fixed; width: 100%; }
.rows th:first-child { width: 13rem; }
.rows th:nth-last-child(2) { width: 11rem; } .rows th:last-child { width: 22rem; }
td small { white-space: normal; }
.facts th, .facts td, td.what, td.goal { text-align: left; }
td.what, td.goal { white-space: normal; }
.rows tr + tr { border-top: 1px solid #8884; }
small { opacity: .7; }
.met { color: #2a8a3e; }
.missed { color: #c0392b; font-weight: 600; }
svg text { font: 12px system-ui, sans-serif; text-anchor: end; fill: currentColor; }
line { stroke-width: 5; opacity: .45; }
line.longroom { stroke: var(--longroom); } circle.longroom { fill: var(--longroom); }
line.floor { stroke: var(--floor); } circle.floor { fill: var(--floor); }
line.peer { stroke: var(--peer); } circle.peer { fill: var(--peer); }
line.polls { stroke: var(--polls); } circle.polls { fill: var(--polls); }
line.against { stroke: var(--against); } circle.against { fill: var(--against); }
END
}

1;
