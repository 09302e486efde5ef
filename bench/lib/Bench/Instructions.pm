package Bench::Instructions;

# Instructions in user space, counted by callgrind: figures that the machine's
# neighbours cannot affect, used to compare two builds (--against). Each is taken from
# two runs that differ only in the number of requests; what they have in common, the
# start and the first request of a kind, cancels out. The kernel's part, which is the
# larger one, is not included.
#
# So that a count is the same each time, there is one client with one request after the
# other, and longroom-history has one thread for requests: the number of messages in a
# commit, and of threads that open the log, is not left to chance.

use strict;
use warnings;

use Bench::Database ();
use Bench::FanOut   ();
use Bench::Load     ();
use Bench::Tokens   ();
use JSON::PP        ();

use constant {
    MORE      => 3,       # times as many in the second run
    NOT_WORSE => 1.03,    # than the other build
    LOG       => 100,     # messages from which pages are read
};

my $POST = Longroom::post_bytes('room_1', 'x' x 100, user_id => 's0', username => 'sender 0');
my $CARRYING = Longroom::post_bytes('room_1', 'x' x 100, user_id => 's0', username => 'sender 0',
    data => { map { ("member$_" => 'x' x 30) } 1 .. 6 }, reply_to => 1);
my $PAGE = Longroom::get_bytes('/rooms/room_1/messages');
# In turns: longroom-pushd recognises a poll like the last one by its bytes.
my @POLLS = map { Longroom::get_bytes("/rooms/room_$_/poll?timeout=0") } 1, 2;

sub measure {
    my ($bench) = @_;
    return if !$bench->has_program('valgrind', 'valgrind');
    if (grep { Longroom::slurp("$_/longroom-pushd") =~ /__[atm]san_init/ } Longroom::build_dir(), $bench->{against} // ()) {
        $bench->lacks('instructions', 'valgrind and sanitizers do not go together');
        return;
    }
    deliveries($bench, 'instructions', 'waiters', 'a delivery', streams => 0);
    deliveries($bench, 'instructions-stream', 'streams', 'a delivery to a stream', streams => 1)
        if $bench->has_streams(Longroom::build_dir());
    posts($bench);
    pages($bench);
    polls($bench);
    beside($bench);
    return;
}

# ---------------------------------------------------------------- what is counted

sub deliveries {
    my ($bench, $id, $kind, $what, %options) = @_;
    my ($waiters, $messages) = @{$bench}{qw(counted_waiters counted_messages)};
    my $group = "$waiters $kind in a room, straight, counted by callgrind";
    local $bench->{against} = $bench->{against};
    undef $bench->{against} if $options{streams} && $bench->{against} && !$bench->has_streams($bench->{against});
    my $series = compare($bench, $group, [qw(longroom floor)], sub {
        my ($name) = @_;
        $name = 'floor_events' if $name eq 'floor' && $options{streams};
        return { count => growth($bench, $name, 'pushd', $messages, sub {
            my ($stand, $count) = @_;
            # Otherwise other load decides how many polls it finds at once.
            $stand->pin('pushd');
            Bench::Load::run($stand, %options, to => 'straight', waiters => $waiters, pinned => 1, arguments => ['--closed', "--messages=$count"]);
        }) / $waiters };
    });
    row($bench, id => $id, group => $group, what => "instructions $what", Bench::FanOut::series($series, 'count'));
    return;
}

sub posts {
    my ($bench) = @_;
    my $group = '1 client that POSTs, through nginx, counted by callgrind';
    my $series = compare($bench, $group, [qw(longroom floor sqlite)], sub {
        my ($name) = @_;
        return { count => row_of_sqlite($bench) } if $name eq 'sqlite';
        return { count => growth($bench, $name, 'history', $bench->{counted_posts}, sub {
            my ($stand, $count) = @_;
            Bench::Load::one_by_one($stand, 'nginx', 201, ($POST) x $count);
        }) };
    });
    my %row = (group => $group, note => 'a commit a message');
    row($bench, %row, id => 'instructions-post', what => 'instructions a POST', Bench::FanOut::series($series, 'count'));
    $bench->row(%row, id => 'instructions-sqlite', what => 'a POST, beside SQLite alone', unit => 'count',
        longroom => $series->{longroom}{count}, floor => $series->{sqlite}{count});
    return;
}

# It runs for a fixed time, and prints how many rows it has inserted.
sub row_of_sqlite {
    my ($bench) = @_;
    my $database = Bench::Database::make($bench, 'counted-sqlite');
    my (@rows, @counts);
    for my $times (1, MORE) {
        push @counts, counted($bench, sub {
            my ($file) = @_;
            my $result = Longroom::run([Bench::Stand::callgrind($file), Longroom::program('floor-sqlite'), $database,
                'insert', 1, $times * $bench->{counted_seconds}], seconds => 60);
            die "floor-sqlite: $result->{stderr}\n" if $result->{status} // 1;
            push @rows, JSON::PP->new->decode($result->{stdout})->{rows};
        });
    }
    return ($counts[1] - $counts[0]) / ($rows[1] - $rows[0]);
}

sub pages {
    my ($bench) = @_;
    my $group = '1 client that reads the newest 10 messages, through nginx, counted by callgrind';
    my $series = compare($bench, $group, [qw(longroom floor)], sub {
        my ($name) = @_;
        return { count => growth($bench, $name, 'history', $bench->{counted_pages}, sub {
            my ($stand, $count) = @_;
            Bench::Load::one_by_one($stand, 'nginx', 201, ($POST) x LOG);
            Bench::Load::one_by_one($stand, 'nginx', 200, ($PAGE) x $count);
        }) };
    });
    row($bench, id => 'instructions-page', group => $group, what => 'instructions a page', Bench::FanOut::series($series, 'count'));
    return;
}

# Polls that are answered at once, and what tokens add to them.
sub polls {
    my ($bench) = @_;
    my $group = '1 client that polls without waiting, straight, counted by callgrind';
    my @algorithms = Bench::Tokens::algorithms($bench);
    my %visitors = map { $_ => Bench::Tokens::visitors($_, @POLLS + MORE * $bench->{counted_tokens}) } @algorithms;
    my $series = compare($bench, $group, ['longroom'], sub {
        my ($name) = @_;
        my %figures = (open => growth($bench, $name, 'pushd', $bench->{counted_polls}, sub {
            my ($stand, $count) = @_;
            Bench::Load::one_by_one($stand, 'pushd', 200, polls_with($count));
        }));
        for my $algorithm (@algorithms) {
            my ($remembered, $new) = token_costs($bench, $name, $visitors{$algorithm});
            $figures{"$algorithm-remembered"} = $remembered;
            $figures{"$algorithm-new"} = $new - $remembered;
        }
        return \%figures;
    });
    my %row = (group => $group);
    row($bench, %row, id => 'instructions-poll', what => 'instructions a poll, open', Bench::FanOut::series($series, 'open'));
    for my $algorithm (@algorithms) {
        row($bench, %row, id => "instructions-remembered-$algorithm", what => "... with a remembered token, $algorithm",
            Bench::FanOut::series($series, "$algorithm-remembered"));
        row($bench, %row, id => "instructions-token-$algorithm", what => "a token, $algorithm",
            Bench::FanOut::series($series, "$algorithm-new"), note => 'what a poll costs more with one that comes for the first time');
    }
    return;
}

# Instructions of a poll with a remembered token, and with a new one.
sub token_costs {
    my ($bench, $name, $visitors) = @_;
    my @tokens = split /\n/, Longroom::slurp($visitors->{tokens}->filename);
    my @known = splice @tokens, 0, scalar @POLLS;
    my %settings = ('auth.mode' => 'token', 'auth.keys' => $visitors->{key}->filename, 'limits.user_polls' => 1_000_000);
    my @costs;
    for my $kind ([$bench->{counted_polls}, @known], [$bench->{counted_tokens}, @tokens]) {
        my ($count, @with) = @$kind;
        push @costs, growth($bench, $name, 'pushd', $count, sub {
            my ($stand, $requests) = @_;
            Bench::Load::one_by_one($stand, 'pushd', 200, polls_with($requests, @with));
        }, %settings);
    }
    return @costs;
}

# This many polls, with these tokens in turn, if there are any.
sub polls_with {
    my ($count, @tokens) = @_;
    return map {
        my $token = @tokens ? "\r\nAuthorization: Bearer $tokens[$_ % @tokens]" : '';
        $POLLS[$_ % @POLLS] =~ s/\r\n\r\n/$token\r\n\r\n/r;
    } 0 .. $count - 1;
}

# What costs nothing unless it is used: what it costs then. The other build may lack it.
sub beside {
    my ($bench) = @_;
    local $bench->{against} = undef;
    my ($waiters, $messages) = @{$bench}{qw(counted_waiters counted_messages)};
    my $group = 'what messages carry, and who is here, counted by callgrind';
    my $series = compare($bench, $group, ['longroom'], sub {
        my ($name) = @_;
        return { post => growth($bench, $name, 'history', $bench->{counted_posts}, sub {
            my ($stand, $count) = @_;
            Bench::Load::one_by_one($stand, 'nginx', 201, ($CARRYING) x $count);
        }), delivery => growth($bench, $name, 'pushd', $messages, sub {
            my ($stand, $count) = @_;
            $stand->pin('pushd');
            Bench::Load::run($stand, to => 'straight', waiters => $waiters, pinned => 1, arguments => ['--closed', "--messages=$count"]);
        }, 'push.presence' => 'users') / $waiters };
    });
    row($bench, group => $group, id => 'instructions-post-data', what => 'instructions a POST with data and reply_to',
        Bench::FanOut::series($series, 'post'), note => '263 bytes of data');
    row($bench, group => $group, id => 'instructions-presence', what => "a delivery to one of $waiters waiters, presence on",
        Bench::FanOut::series($series, 'delivery'));
    return;
}

# ---------------------------------------------------------------- how

# The other build takes turns in the measurements of these names.
sub compare {
    my ($bench, $group, $names, $measure) = @_;
    $bench->say("instructions: $group");
    local $bench->{runs} = $bench->{counted_runs};
    return $bench->alternate(map { my $name = $_; ($name => sub { $measure->($name) }) } @$names, $bench->{against} ? 'against' : ());
}

sub row {
    my ($bench, %row) = @_;
    $bench->row(%row, unit => 'count', goals => [$row{against} ? { of => 'against', most => NOT_WORSE } : ()]);
    return;
}

# What one more request costs the program: $load->($stand, $count) makes $count.
sub growth {
    my ($bench, $name, $program, $count, $load, %settings) = @_;
    my ($few, $many) = map {
        my $requests = $_;
        counted($bench, sub {
            my ($file) = @_;
            my $stand = start($bench, $name, callgrind => { $program => $file }, settings => \%settings);
            $load->($stand, $requests);
            # It writes its counts when the program ends.
            $stand->end;
        });
    } $count, MORE * $count;
    return ($many - $few) / ((MORE - 1) * $count);
}

sub start {
    my ($bench, $name, %options) = @_;
    return Bench::Floor->start(%options, threads => 1) if $name eq 'floor';
    return Bench::EventsFloor->start(%options, threads => 1) if $name eq 'floor_events';
    $options{settings} = { %{ $options{settings} }, 'history.threads' => 1 };
    $options{build} = $bench->{against} if $name eq 'against';
    # Each makes its own: the builds' logs may differ in format.
    return Bench::Longroom->start(%options, database => $bench->database("counted-$name"));
}

# The instructions of the program that $run->($file) runs and ends.
sub counted {
    my ($bench, $run) = @_;
    my $file = "$bench->{dir}/callgrind.out";
    unlink $file;
    $run->($file);
    my ($count) = Longroom::slurp($file) =~ /^(?:summary|totals): ([0-9]+)/m or die "callgrind has counted nothing\n";
    unlink $file;
    return $count;
}

1;
