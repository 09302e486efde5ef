package Bench::Streams;

# Server-Sent Events: one message to many streams of a room, beside the floor, nchan and
# our own polls; what a stream costs while nothing comes; streams of many rooms; and a
# restart under streams.

use strict;
use warnings;

use Bench::FanOut  ();
use Bench::Figures ();
use Bench::Load    ();
use Bench::Waiting ();
use Longroom       ();

use constant {
    NGINX_OF_FLOOR    => 1.15,
    NGINX_OF_POLLS    => 0.6,
    STRAIGHT_OF_FLOOR => 1.10,
    STRAIGHT_OF_NCHAN => 0.5,       # twice the deliveries a CPU second
    KIB_PER_STREAM    => 0.5,
    KIB_PER_LISTED    => 8,         # with 100 rooms
    OF_ONE_ROOM       => 1.25,
    LISTED_RATE       => 100,       # so slow that a stream gets one message at a time
    RESTART_SECONDS   => 2,
};

sub measure {
    my ($bench) = @_;
    return if !$bench->has_streams(Longroom::build_dir());
    through_nginx($bench, $bench->{few});
    straight($bench, $bench->{few});
    memory($bench);
    listed($bench) if $bench->has_lists(Longroom::build_dir());
    restart($bench);
    return;
}

sub through_nginx {
    my ($bench, $streams) = @_;
    Bench::FanOut::fan_out($bench, id => "streams-nginx-$streams", group => "$streams streams in a room, through nginx",
        waiters => $streams, streams => 1, polls => 1, to => 'nginx', pin => [qw(nginx pushd)], programs => [qw(nginx pushd)],
        goals => [{ of => 'floor', most => NGINX_OF_FLOOR }, { of => 'polls', most => NGINX_OF_POLLS }],
        note => 'CPU of nginx and the program behind it; nchan is nginx itself');
    return;
}

sub straight {
    my ($bench, $streams) = @_;
    Bench::FanOut::fan_out($bench, id => "streams-straight-$streams", group => "$streams streams in a room, straight",
        waiters => $streams, streams => 1, to => 'straight', pin => ['pushd'], programs => ['pushd'],
        goals => [{ of => 'floor', most => STRAIGHT_OF_FLOOR }, { of => 'peer', most => STRAIGHT_OF_NCHAN }]);
    return;
}

sub memory {
    my ($bench) = @_;
    my $streams = $bench->possible('parked');
    my $group = "$streams streams parked, straight";
    $bench->say("memory: $group");
    local $bench->{runs} = $bench->{slow_runs};
    my $series = $bench->compare(sub {
        my ($stand, $name) = @_;
        return Bench::Waiting::park($stand, $name, waiters => $streams, streams => 1);
    }, workers => 1, floor => 0, streams => 1);
    $bench->row(id => 'streams-memory-user', group => $group, what => 'user memory a stream', unit => 'kib',
        goals => [{ of => 'longroom', most => KIB_PER_STREAM }], Bench::FanOut::series($series, 'user'));
    $bench->row(id => 'streams-memory-kernel', group => $group, what => 'kernel memory a stream', unit => 'kib',
        Bench::FanOut::series($series, 'kernel'));
    return;
}

# As many streams, each of many rooms, and each of one; a room has about the same number
# of them. Not closed: then, with so many rooms, messages of several would come together.
sub listed {
    my ($bench) = @_;
    my ($streams, $each, $rooms) = @{ $bench->{listed} };
    my $group = "$streams streams of $each rooms each, no two the same, straight";
    $bench->say("several rooms: $group");
    local $bench->{runs} = $bench->{slow_runs};
    my $stand = $bench->stand('longroom', 1);
    $stand->pin('pushd');
    my %arguments = (longroom => ["--rooms=$rooms", "--rooms-each=$each"], single => ['--rooms=' . int($streams / $each)]);
    my $series = $bench->alternate(map {
        my $name = $_;
        ($name => sub { listed_once($bench, $stand, waiters => $streams, streams => 1, arguments => $arguments{$name}) });
    } qw(longroom single));
    my %row = (group => $group);
    $bench->row(%row, id => 'listed-memory', what => 'user memory a stream', unit => 'kib',
        goals => [{ of => 'longroom', most => KIB_PER_LISTED }], longroom => $series->{longroom}{user});
    $bench->row(%row, id => 'listed-cpu', what => 'CPU a delivery', unit => 'us', longroom => $series->{longroom}{cpu},
        note => 'a message goes to the streams that have its room, about ' . int($each * $streams / $rooms + 0.5));
    $bench->row(%row, id => 'listed-single', what => '... of streams of one room', unit => 'us', longroom => $series->{single}{cpu});
    $bench->row(%row, id => 'listed-times', what => 'of those of one room', unit => 'times',
        longroom => [Bench::Figures::ratios(map { $series->{$_}{cpu} } qw(longroom single))],
        goals => [{ of => 'longroom', most => OF_ONE_ROOM }], note => 'a message costs what its room has streams');
    return;
}

sub listed_once {
    my ($bench, $stand, %shape) = @_;
    $stand->renew;
    my $memory = Bench::Waiting::park($stand, 'longroom', %shape);
    my @messages = ('--rate=' . LISTED_RATE, '--messages=' . int(LISTED_RATE * $bench->{open_seconds}));
    my $found = Bench::Load::run($stand, %shape, to => 'straight', pinned => 1, arguments => [@{ $shape{arguments} }, @messages]);
    return { user => $memory->{user}, cpu => Bench::Load::us_per_delivery($found, 'pushd') };
}

# Streams come back when they were told to, in 1 to 3 s: what is beyond that is the
# server's.
sub restart {
    my ($bench) = @_;
    my $streams = $bench->possible('restarted');
    my $group = "longroom-pushd is killed and started again, $streams streams on its socket";
    $bench->say("restart: $group");
    my $stand = $bench->stand('longroom', 1);
    local $bench->{runs} = $bench->{slow_runs};
    my $series = $bench->alternate(longroom => sub {
        my $found = Bench::Waiting::restart_once($stand, $bench->{restart_seconds}, waiters => $streams, streams => 1);
        my $back = $found->{streams};
        die "only $back->{returned} of $streams streams came back\n" if $back->{returned} < $streams;
        return {
            seconds => $back->{latency_us}{max} / 1e6,
            message => $found->{deliveries}{latency_us}{max} / 1e6,
            Bench::Waiting::wrong_and_reads($stand, $found),
        };
    });
    my %row = (group => $group);
    $bench->row(%row, id => 'streams-restart-seconds', what => 'until all are served again', unit => 'seconds',
        goals => [{ of => 'longroom', most => RESTART_SECONDS }], longroom => $series->{longroom}{seconds},
        note => 'the longest time from the end of the pause that a stream was asked for to its ready');
    $bench->row(%row, id => 'streams-restart-message', what => 'the longest way of a message', unit => 'seconds',
        longroom => $series->{longroom}{message}, note => 'with that pause of 1 to 3 s');
    $bench->row(%row, id => 'streams-restart-wrong', what => 'messages lost or doubled', unit => 'number',
        goals => [{ of => 'longroom', most => 0, each => 1 }], longroom => $series->{longroom}{wrong});
    $bench->row(%row, id => 'streams-restart-reads', what => 'reads of the log a delivery', unit => 'small',
        longroom => $series->{longroom}{reads});
    return;
}

1;
