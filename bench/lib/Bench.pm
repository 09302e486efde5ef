package Bench;

# What the measurements share: how much to measure, the stands that are up, and
# the rows that come of it.
#
# A measurement is a module with a function measure($bench), which calls row():
#
#     id, group, what, unit   its name, its heading, its words, and how its
#                             figures are written (Bench::Table)
#     longroom, floor, peer   series of figures, one a run; the last two may lack
#     goals                   [{of => 'longroom'|'floor'|'peer', least|most => N}]:
#                             of the figure itself, or of its ratio to that one
#     note                    what else to know

use strict;
use warnings;

use Bench::Figures ();
use Bench::Stand   ();

# Of a process's descriptors, what is left for other than waiters.
use constant OTHER_DESCRIPTORS => 200;

# runs      of each contestant
# seconds   that a run is meant to load
# waiters   few, many, parked (for memory), restarted
# token_*   the same of deliveries with tokens: many runs, and short ones
my %PLANS = (
    full => {
        runs => 5, seconds => 2, few => 1000, many => 10_000, parked => 15_000, restarted => 10_000,
        rate => 200, open_seconds => 6, long_seconds => 30, quiet_seconds => 3, restart_seconds => 4,
        logs => [1000, 1_000_000, 10_000_000], counted_waiters => 100, counted_messages => 50,
        token_runs => 40, token_seconds => 0.5,
    },
    quick => {
        runs => 2, seconds => 1, few => 1000, many => 5000, parked => 10_000, restarted => 5000,
        rate => 200, open_seconds => 4, long_seconds => 0, quiet_seconds => 1, restart_seconds => 4,
        logs => [1000, 500_000], counted_waiters => 50, counted_messages => 20,
        token_runs => 8, token_seconds => 0.5,
    },
    # For t/bench.t: that it works, not what it measures.
    tiny => {
        runs => 1, seconds => 0.1, few => 20, many => 30, parked => 50, restarted => 20,
        rate => 20, open_seconds => 0.5, long_seconds => 0, quiet_seconds => 0.5, restart_seconds => 1,
        logs => [100, 300], counted_waiters => 5, counted_messages => 4,
        token_runs => 1, token_seconds => 0.1,
    },
);

sub plans { return sort keys %PLANS }

# Options: plan; dir, where databases are, on a disk; log => sub { one line }.
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

# So many waiters, or as many as one process may have descriptors for.
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

# Something can't be measured; says why, once.
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

# Alternating runs.
sub alternate {
    my ($self, @contestants) = @_;
    return Bench::Figures::alternate($self->{runs}, @contestants);
}

# Alternating runs of Longroom, its floor and, if it is there, nchan, on stands
# with so many workers: $measure->($stand, $name) returns {figure => value}.
# peer => 0: without nchan; floor => 0: without the floor; pin => [programs]:
# these keep to a core of their own, and of nchan its nginx.
sub compare {
    my ($self, $measure, %options) = @_;
    my @contestants = ('longroom');
    push @contestants, 'floor' if $options{floor} // 1;
    push @contestants, 'peer'  if ($options{peer} // 1) && $self->has_nchan;
    my %stands = map { $_ => $self->stand($_, $options{workers}) } @contestants;
    for my $name ($options{pin} ? @contestants : ()) {
        $stands{$name}->pin($name eq 'peer' ? 'nginx' : @{ $options{pin} });
    }
    return $self->alternate(map { my $name = $_; ($name => sub { $measure->($stands{$name}, $name) }) } @contestants);
}

my %CLASS = (longroom => 'Bench::Longroom', floor => 'Bench::Floor', peer => 'Bench::Nchan');

# One that is kept for all measurements.
sub stand {
    my ($self, $name, $workers) = @_;
    my $key = "$name-$workers";
    return $self->{stands}{$key} ||= $CLASS{$name}->start(
        nginx_workers => $workers,
        $name eq 'longroom' ? (database => $self->database($key)) : (),
    );
}

# Ends all that runs, and leaves nothing but results in the folder.
sub end {
    my ($self) = @_;
    $_->end for values %{ $self->{stands} };
    $self->{stands} = {};
    $self->_remove_databases;
    return;
}

# Interrupted, it has no end().
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

# The path of a database that is not there yet.
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
