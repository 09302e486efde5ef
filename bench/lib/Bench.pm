package Bench;

# What the measurements share: how much to measure, the running stands, and the
# resulting rows.
#
# A measurement is a module with a function measure($bench), which calls row():
#
#     id, group, what, unit   its name, its heading, its words, and how its
#                             figures are written (Bench::Table)
#     longroom, floor, peer,  series of figures, one a run; all but the first are optional;
#     polls, against          polls are Longroom's own beside its streams, against is another
#                             build of Longroom
#     goals                   [{of => 'longroom'|'floor'|'peer'|'polls'|'against', least|most => N}]:
#                             of the figure itself, or of its ratio to that one
#     note                    further remarks

use strict;
use warnings;

use Bench::Figures ();
use Bench::Stand   ();

# Descriptors of a process that are not for waiters.
use constant OTHER_DESCRIPTORS => 200;

# runs, seconds   of each contestant, and how long a run loads it: short and many runs,
#                 so that a change of the machine's speed falls between pairs and not
#                 within them, and that there are enough to tell noise
# page_*, post_*  the same of pages (wrk knows whole seconds only) and of POSTs with tokens
# token_*         ... and of deliveries with tokens
# many_runs       with many waiters, which take long to connect
# slow_runs       of slow measurements: memory, and restarts
# waiters         few, many, parked (for memory), restarted
# listed          streams of several rooms: how many, of how many rooms each, of how many
#                 in all (relatively prime, so that no two streams have the same)
# counted_*       the same where instructions are counted
my %PLANS = (
    full => {
        runs => 15, seconds => 0.6, many_runs => 8, slow_runs => 5, few => 1000, many => 10_000, parked => 15_000, restarted => 10_000,
        listed => [10_000, 100, 10_007],
        rate => 200, open_seconds => 2, long_seconds => 30, quiet_seconds => 1, restart_seconds => 4,
        page_runs => 10, page_seconds => 1, post_runs => 15, post_seconds => 2, token_runs => 40, token_seconds => 0.5,
        logs => [1000, 1_000_000, 10_000_000],
        counted_runs => 3, counted_waiters => 100, counted_messages => 100, counted_posts => 150, counted_pages => 150,
        counted_polls => 600, counted_tokens => 50, counted_seconds => 0.4,
    },
    quick => {
        runs => 4, seconds => 0.4, many_runs => 2, slow_runs => 2, few => 1000, many => 5000, parked => 10_000, restarted => 5000,
        listed => [5000, 100, 5003],
        rate => 200, open_seconds => 1, long_seconds => 0, quiet_seconds => 0.5, restart_seconds => 4,
        page_runs => 2, page_seconds => 1, post_runs => 4, post_seconds => 1, token_runs => 8, token_seconds => 0.5,
        logs => [1000, 500_000],
        counted_runs => 1, counted_waiters => 50, counted_messages => 50, counted_posts => 100, counted_pages => 100,
        counted_polls => 400, counted_tokens => 20, counted_seconds => 0.3,
    },
    # For t/bench.t: it checks the function, not the figures.
    tiny => {
        runs => 1, seconds => 0.1, many_runs => 1, slow_runs => 1, few => 20, many => 30, parked => 50, restarted => 20,
        listed => [20, 3, 7],
        rate => 20, open_seconds => 0.5, long_seconds => 0, quiet_seconds => 0.5, restart_seconds => 1,
        page_runs => 1, page_seconds => 0.1, post_runs => 1, post_seconds => 0.1, token_runs => 1, token_seconds => 0.1,
        logs => [100, 300],
        counted_runs => 1, counted_waiters => 5, counted_messages => 4, counted_posts => 10, counted_pages => 10,
        counted_polls => 30, counted_tokens => 5, counted_seconds => 0.1,
    },
);

sub plans { return sort keys %PLANS }

# Options: plan; dir, for databases, on a disk; log => sub { one line };
# against => DIR, another build, if there is one.
sub new {
    my ($class, %options) = @_;
    return bless {
        %{ $PLANS{ $options{plan} } },
        %options,
        stands    => {},
        databases => {},
        rows      => [],
        missing   => {},
    }, $class;
}

# This many waiters, or as many as a process may have descriptors for.
sub possible {
    my ($self, $which) = @_;
    my $most = Longroom::descriptor_limit() - OTHER_DESCRIPTORS;
    return $self->{$which} if $self->{$which} <= $most;
    $self->say("only $most waiters: the hard limit of descriptors allows no more");
    return $most;
}

sub rows { return @{ $_[0]{rows} } }

sub row {
    my ($self, %row) = @_;
    push @{ $self->{rows} }, \%row;
    return;
}

sub say {
    my ($self, $text) = @_;
    $self->{log}->($text);
    return;
}

# Reports, once, what cannot be measured and why.
sub lacks {
    my ($self, $what, $why) = @_;
    $self->say("without $what: $why") if !$self->{missing}{$what}++;
    return;
}

sub has_nchan {
    my ($self) = @_;
    return 1 if Bench::Nchan->is_there;
    $self->lacks('nchan', 'the package libnginx-mod-nchan is not installed');
    return 0;
}

sub has_program {
    my ($self, $program, $package) = @_;
    return 1 if grep { -x "$_/$program" } split /:/, $ENV{PATH};
    $self->lacks("what needs $program", "the package $package is not installed");
    return 0;
}

# Whether the build in this folder knows event streams, and several rooms in a request:
# an older one, of --against, may not.
sub has_streams {
    my ($self, $build) = @_;
    return $self->_knows($build, 'text/event-stream', 'event streams');
}

sub has_lists {
    my ($self, $build) = @_;
    return $self->_knows($build, 'rooms_per_request', 'several rooms in a request');
}

sub _knows {
    my ($self, $build, $word, $what) = @_;
    return 1 if index(Longroom::slurp("$build/longroom-pushd"), $word) >= 0;
    $self->lacks($what, "$build/longroom-pushd has none");
    return 0;
}

# Alternating runs.
sub alternate {
    my ($self, @contestants) = @_;
    return Bench::Figures::alternate($self->{runs}, @contestants);
}

# Alternating runs of Longroom, its floor and, if it is there, nchan, on stands
# with this many workers: $measure->($stand, $name) returns {figure => value}.
# peer => 0: without nchan; floor => 0: without the floor; pin => [programs]: these
# have a core to themselves, and of nchan its nginx. streams => 1: with the floor for
# streams; polls => 1: and with Longroom once more, for its polls. Each run has freshly
# started programs (Bench::Stand::renew).
sub compare {
    my ($self, $measure, %options) = @_;
    my @contestants = ('longroom');
    push @contestants, 'floor' if $options{floor} // 1;
    push @contestants, 'peer'  if ($options{peer} // 1) && $self->has_nchan;
    push @contestants, 'polls' if $options{polls};
    push @contestants, 'against' if $self->{against} && (!$options{streams} || $self->has_streams($self->{against}));
    my %stand_of = (polls => 'longroom', $options{streams} ? (floor => 'floor_events') : ());
    my %stands = map { $_ => $self->stand($stand_of{$_} || $_, $options{workers}) } @contestants;
    for my $name ($options{pin} ? @contestants : ()) {
        $stands{$name}->pin($name eq 'peer' ? 'nginx' : @{ $options{pin} });
    }
    return $self->alternate(map {
        my $name = $_;
        ($name => sub {
            $stands{$name}->renew;
            return $measure->($stands{$name}, $name);
        });
    } @contestants);
}

my %CLASS = (
    longroom     => 'Bench::Longroom',
    against      => 'Bench::Longroom',
    floor        => 'Bench::Floor',
    floor_events => 'Bench::EventsFloor',
    peer         => 'Bench::Nchan',
);

# A stand that is kept for all measurements.
sub stand {
    my ($self, $name, $workers) = @_;
    my $key = "$name-$workers";
    return $self->{stands}{$key} ||= $CLASS{$name}->start(
        nginx_workers => $workers,
        $CLASS{$name} eq 'Bench::Longroom' ? (database => $self->database($key)) : (),
        $name eq 'against' ? (build => $self->{against}) : (),
    );
}

# Ends everything that runs, and leaves only the results in the folder.
sub end {
    my ($self) = @_;
    $_->end for values %{ $self->{stands} };
    $self->{stands} = {};
    $self->_remove_databases;
    return;
}

# If interrupted, end() does not run.
sub DESTROY {
    my ($self) = @_;
    local ($., $@, $!, $^E, $?);
    $self->_remove_databases;
    return;
}

sub _remove_databases {
    my ($self) = @_;
    $self->remove_database($_) for keys %{ $self->{databases} };
    return;
}

# The path of a new database.
sub database {
    my ($self, $name) = @_;
    $self->remove_database($name);
    $self->{databases}{$name} = 1;
    return "$self->{dir}/$name.db";
}

sub remove_database {
    my ($self, $name) = @_;
    unlink map {"$self->{dir}/$name.db$_"} '', '-wal', '-shm';
    return;
}

1;
