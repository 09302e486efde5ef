package Bench::History;

# The newest 10 messages, read by 64 clients through nginx, from logs of several
# sizes, beside an empty libfcgi program whose body has the same size. Once always the
# same room, which holds a tenth of the log, and once any of the others.

use strict;
use warnings;

use Bench::Database ();
use Bench::Figures  ();
use Bench::Load     ();
use Bench::Table    ();

use constant {
    CLIENTS  => 64,
    OF_FLOOR => 0.75,
    FLAT     => 1.15,
};

sub measure {
    my ($bench) = @_;
    return if !$bench->has_program('wrk', 'wrk');
    my @logs = @{ $bench->{logs} };
    my %stands = map { $_ => log_of($bench, $_) } @logs;
    my ($smallest) = @logs;
    my $page = $stands{$smallest}->history('room_1');
    my $floor = Bench::Floor->start(nginx_workers => Bench::Stand::cores(), page_bytes => length $page->{content});
    read_pages($bench, 'one', 'always the same room', \%stands, $floor);
    read_pages($bench, 'any', 'a room drawn at random', \%stands, $floor);
    $_->end for $floor, values %stands;
    # Gigabytes that are not worth keeping.
    $bench->remove_database("log-$_") for @logs;
    return;
}

# The rooms of a log: a hundred messages each, on average.
sub rooms_of {
    my ($count) = @_;
    return 2 + int $count / 100;
}

sub log_of {
    my ($bench, $count) = @_;
    $bench->say('history: making a log of ' . Bench::Table::grouped($count) . ' messages');
    my $path = Bench::Database::make_filled($bench, "log-$count", $count, rooms_of($count));
    return Bench::Longroom->start(nginx_workers => Bench::Stand::cores(), without => ['pushd'],
        settings => { 'store.url' => "sqlite:$path" });
}

sub read_pages {
    my ($bench, $id, $words, $stands, $floor) = @_;
    my @logs = @{ $bench->{logs} };
    my $group = "the newest 10 messages, $words, " . CLIENTS . ' clients, through nginx';
    $bench->say("history: $group");
    local @{$bench}{qw(runs seconds)} = @{$bench}{qw(page_runs page_seconds)};
    my $read = sub {
        my ($stand, $count) = @_;
        return Bench::Load::wrk($stand, clients => CLIENTS, seconds => $bench->{seconds},
            rooms => $id eq 'any' ? rooms_of($count) : 1);
    };
    # Warms the caches; a run too short for figures does not need it.
    $read->($stands->{$_}, $_) for $bench->{seconds} < 1 ? () : @logs;
    my $read_anew = sub {
        $_[0]->renew;
        return $read->(@_);
    };
    my $series = $bench->alternate(
        (map { my $count = $_; ($count => sub { $read_anew->($stands->{$count}, $count) }) } @logs),
        floor => sub { $read_anew->($floor, $logs[-1]) },
    );
    for my $count (@logs) {
        $bench->row(id => "history-$id-$count", group => $group,
            what => 'pages, of ' . Bench::Table::grouped($count) . ' messages', unit => 'per_second',
            longroom => $series->{$count}{per_second}, floor => $series->{floor}{per_second},
            goals => [{ of => 'floor', least => OF_FLOOR }]);
    }
    my ($small, $large) = map { $series->{$_}{per_second} } @logs[0, -1];
    $bench->row(id => "history-$id-flat", group => $group,
        what => 'slower with ' . Bench::Table::grouped($logs[-1]) . ' messages than with ' . Bench::Table::grouped($logs[0]),
        unit => 'times', longroom => [Bench::Figures::ratios($small, $large)], goals => [{ of => 'longroom', most => FLAT }]);
    for my $quantile ([p50_us => 'p50'], [p99_us => 'p99'], [p99_9_us => 'p99.9']) {
        $bench->row(id => "history-$id-$quantile->[1]", group => $group, what => "page, $quantile->[1], largest log", unit => 'ms',
            longroom => [map { $_ / 1000 } @{ $series->{ $logs[-1] }{ $quantile->[0] } }],
            floor    => [map { $_ / 1000 } @{ $series->{floor}{ $quantile->[0] } }]);
    }
    return;
}

1;
