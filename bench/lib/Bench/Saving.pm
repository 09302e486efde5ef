package Bench::Saving;

# Durable POSTs of 64 clients through nginx, beside an empty libfcgi program; and where
# their time goes: how many messages a commit has, what part of the time is the disk's,
# and what SQLite alone does with batches like these, and with one message in each
# commit.

use strict;
use warnings;

use Bench::Database ();
use Bench::FanOut   ();
use Bench::Figures  ();
use Bench::Load     ();
use JSON::PP        ();

use constant {
    CLIENTS  => 64,
    OF_FLOOR => 0.75,
};

my $GROUP = CLIENTS . ' clients that POST, through nginx';

sub measure {
    my ($bench) = @_;
    $bench->say("saving: $GROUP");
    my $watch = "$bench->{dir}/fsync-watch";
    unlink $watch;
    my %stands = (
        longroom => Bench::Longroom->start(nginx_workers => Bench::Stand::cores(), fsync_watch => $watch,
            database => $bench->database('saving')),
        floor => $bench->stand('floor', Bench::Stand::cores()),
    );
    my $database = Bench::Database::make($bench, 'sqlite-alone');
    my (%messages, $batch);
    my $series = $bench->alternate(
        longroom => sub {
            my ($figures, $found_batch) = posts_of_longroom($bench, $stands{longroom}, \%messages, $watch);
            $batch = $found_batch;
            return $figures;
        },
        floor  => sub { posts_of_floor($bench, $stands{floor}, \%messages) },
        sqlite => sub { alone($bench, $database, $batch) },
        one    => sub { alone($bench, $database, 1) },
    );
    rows($bench, $series);
    $stands{longroom}->end;
    unlink $watch;
    return;
}

sub posts {
    my ($bench, $stand, $messages) = @_;
    my $post = sub {
        my ($count) = @_;
        return Bench::Load::run($stand, to => 'nginx', posts_to => $stand->url,
            arguments => ['--senders=' . CLIENTS, "--messages=$count"]);
    };
    $messages->{$stand} ||= CLIENTS + int $post->(10 * CLIENTS)->{posts}{per_second} * $bench->{seconds};
    return $post->($messages->{$stand});
}

sub figures {
    my ($found) = @_;
    my $posts = $found->{posts};
    return {
        per_second => $posts->{per_second},
        cpu        => $found->{processes}{history}{us_per_post},
        map { $_ => $posts->{latency_us}{$_} / 1000 } qw(p50 p99 p99_9),
    };
}

sub posts_of_floor {
    my ($bench, $stand, $messages) = @_;
    $stand->renew;
    return figures(posts($bench, $stand, $messages));
}

# With the part that the disk and the commits had.
sub posts_of_longroom {
    my ($bench, $stand, $messages, $watch) = @_;
    posts($bench, $stand, $messages) if !$messages->{$stand};
    $stand->renew;
    my @before = seen($stand, $watch);
    my $found = posts($bench, $stand, $messages);
    my @after = seen($stand, $watch);
    my ($syncs, $sync_ns, $commits, $saved) = map { $after[$_] - $before[$_] } 0 .. $#after;
    return {
        %{ figures($found) },
        batch => $saved / $commits,
        share => $sync_ns / 1e9 / $found->{posts}{seconds},
        sync  => $sync_ns / 1e6 / $syncs,
    }, $saved / $commits;
}

sub seen {
    my ($stand, $watch) = @_;
    my $metrics = $stand->metrics('history');
    return (unpack('QQ', Longroom::slurp($watch)), map { $metrics->{"batch_messages_$_"} } qw(count sum));
}

sub alone {
    my ($bench, $database, $batch) = @_;
    my $result = Longroom::run([Longroom::program('floor-sqlite'), $database, 'insert', int($batch + 0.5) || 1, $bench->{seconds}],
        seconds => $bench->{seconds} + 30);
    die "floor-sqlite: $result->{stderr}\n" if $result->{status};
    my $found = JSON::PP->new->decode($result->{stdout});
    return { per_second => $found->{rows} / $found->{seconds} };
}

sub rows {
    my ($bench, $series) = @_;
    my ($longroom, $sqlite, $one) = @{$series}{qw(longroom sqlite one)};
    my %row = (group => $GROUP);
    $bench->row(%row, id => 'post-rate', what => 'POSTs', unit => 'per_second',
        goals => [{ of => 'floor', least => OF_FLOOR }], Bench::FanOut::series($series, 'per_second'),
        note => 'each 201 is on disk; the floor stores nothing');
    for my $quantile ([p50 => 'p50'], [p99 => 'p99'], [p99_9 => 'p99.9']) {
        $bench->row(%row, id => "post-$quantile->[0]", what => "POST to answer, $quantile->[1]", unit => 'ms',
            Bench::FanOut::series($series, $quantile->[0]));
    }
    $bench->row(%row, id => 'post-cpu', what => 'CPU a POST, without nginx', unit => 'us', Bench::FanOut::series($series, 'cpu'));
    $bench->row(%row, id => 'post-fsync', what => 'part of the time that is fsync', unit => 'percent',
        longroom => $longroom->{share});
    $bench->row(%row, id => 'post-fsync-ms', what => 'one fsync', unit => 'ms', longroom => $longroom->{sync});
    $bench->row(%row, id => 'post-batch', what => 'messages a commit', unit => 'number', longroom => $longroom->{batch});
    $bench->row(%row, id => 'post-sqlite', what => 'saved, beside SQLite alone with such batches', unit => 'per_second',
        longroom => $longroom->{per_second}, floor => $sqlite->{per_second});
    $bench->row(%row, id => 'post-single', what => 'saved, beside SQLite alone, a commit a message', unit => 'per_second',
        longroom => $longroom->{per_second}, floor => $one->{per_second}, note => 'what group commit gives');
    return;
}

1;
