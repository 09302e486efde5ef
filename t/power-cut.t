# A power cut, and a disk that fails (PROTOCOL section 1): every message answered with
# 201 is on disk, in history once, and none is there in part. A run of 200 messages is
# traced below SQLite (t/disk/faulty_disk.c); the trace yields what a power cut at any
# moment would have left (t/disk/disk.h).
#
# Every operation is swept with the store alone, some with longroom-history.
# LONGROOM_SWEEP=1 sweeps everything, which takes some minutes.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use FastCGI  qw(ask_by_fastcgi fastcgi_answer fastcgi_bytes);
use JSON::PP ();
use Longroom;
use Test::More;

# Thousands of databases are created and removed; their disk is modelled, so memory
# is enough.
$ENV{TMPDIR} = '/dev/shm' if -d '/dev/shm' && -w _;

my $JSON       = JSON::PP->new->utf8->canonical;
my $power_cut  = Longroom::program('power-cut');
my $everything = $ENV{LONGROOM_SWEEP};
my @kinds      = qw(answer open write truncate sync unlink);

# Environment that puts a program above the faulty disk. A sanitizer must be the
# first library to load.
sub below {
    my (%names) = @_;
    return {
        LD_PRELOAD   => Longroom::build_dir() . '/faulty_disk.so',
        ASAN_OPTIONS => join(':', $ENV{ASAN_OPTIONS} // (), 'verify_asan_link_order=0'),
        map { ("LONGROOM_DISK_$_" => $names{$_}) } keys %names,
    };
}

sub run_power_cut {
    my ($env, @arguments) = @_;
    return Longroom::run([$power_cut, @arguments], env => $env, seconds => 600);
}

# The operations in a trace: [kind, whether it failed].
sub operations {
    my ($trace) = @_;
    my ($bytes, $at, @operations) = (Longroom::slurp($trace), 0);
    while ($at + 24 <= length $bytes) {
        my ($kind, $result, undef, undef, $size) = unpack 'SSLQL', substr $bytes, $at, 24;
        push @operations, [$kinds[$kind], $result == 1] if $kind;
        $at += 24 + $size;
    }
    return @operations;
}

# Runs the 200 messages on a disk with this fault, or none, in a fresh folder.
sub run_on {
    my ($fault) = @_;
    my $keeper = Longroom::fresh_dir();
    my %run = (keeper => $keeper, dir => "$keeper", trace => "$keeper/trace");
    $run{status} = run_power_cut(below(TRACE => $run{trace}, $fault ? (FAULT => $fault) : ()), run => $run{dir})->{status};
    $run{last} = (split /\n/, Longroom::slurp("$run{dir}/longroom.db-answers"))[-1] // '';
    return \%run;
}

sub sweep {
    my ($trace, @span) = @_;
    my $place = Longroom::fresh_dir();
    return run_power_cut(below(), sweep => $trace, "$place", @span);
}

# Of several errors, the later ones mostly follow from the first.
sub beginning_of { return $_[0]{stderr} =~ /\A((?:.*\n){0,4})/ ? $1 : '' }

sub is_sound {
    my ($result, $title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is($result->{status}, 0, $title) || diag(beginning_of($result));
}

# ---------------------------------------------------------------- the store alone

my $whole = run_on();
is $whole->{status}, 0, 'the run ends well' or BAIL_OUT('power-cut does not run');
my @operations = operations($whole->{trace});
my %count;
$count{ $_->[0] }++ for @operations;
note join ', ', map {"$count{$_} $_"} sort keys %count;

subtest 'a power cut at every operation that loses all unsynced data does no harm' => sub {
    my $result = sweep($whole->{trace}, 1, 0 + @operations, 1, 0);
    is_sound($result, 'every answered message is there, once, and whole');
    is $result->{stdout}, @operations . ' operations, ' . @operations . " cuts, 0 wrong\n",
        'after a cut at every operation';
    cmp_ok $count{sync}, '>', 72, 'the run has as many syncs as it must';
};

subtest 'a power cut that keeps a part of the unsynced data does no harm' => sub {
    my @span  = (1, 0 + @operations, $everything ? (1, 10) : (3, 1));
    my $result = sweep($whole->{trace}, @span);
    note $result->{stdout};
    is_sound($result, 'every answered message is there, once, and whole');
};

subtest 'a disk that lies about a sync is caught by the sweep' => sub {
    my $run = run_on('sync:20-:LIE');
    is $run->{status}, 0, 'the run succeeds';
    my $result = sweep($run->{trace}, 1, 2000, 50, 0);
    is $result->{status}, 1, 'the sweep notices the loss';
    like $result->{stderr}, qr/was saved, and is lost/, 'and names a lost message';
};

# Each of some hundred faults takes two processes, which sanitizers slow down.
my $rarely = Longroom::slurp($power_cut) =~ /__[amt]san_init/ ? 3 : 1;

# Some of 1 .. $count, different ones in each run.
sub some_of {
    my ($count, $step) = @_;
    $step = $everything ? 1 : $step * $rarely;
    return grep { $_ <= $count } map { 1 + int(rand $step) + $step * $_ } 0 .. $count / $step;
}

my $seed = $ENV{LONGROOM_SEED} // time;
srand $seed;
note "LONGROOM_SEED=$seed";

# One run with a fault: no crash, no message lost, doubled or in part.
sub survives {
    my ($fault, $heals, $doubt) = @_;
    my $run = run_on($fault);
    return "$fault: ends with " . ($run->{status} // 'nothing') if ($run->{status} // -1) != 0;
    return "$fault: is not saved at the end: $run->{last}" if $heals && $run->{last} !~ /^saved/;
    my $check = run_power_cut(below(), check => $run->{dir}, $doubt);
    return if $check->{status} == 0;
    return "$fault: " . beginning_of($check);
}

for my $row (['open', 1], ['truncate', 1], ['sync', 4], ['write', 40], ['unlink', 1]) {
    my ($kind, $step) = @$row;
    subtest "a failing disk loses nothing: $kind" => sub {
        my (@wrong, $runs);
        for my $n (some_of($count{$kind}, $step)) {
            my $few = $n + 1 + int rand 6;
            # A failing message takes fewer operations than one that succeeds.
            my $heals = $few < $count{$kind} / 2;
            push @wrong, survives("$kind:$n-$n:EIO", $heals, 'undone'),
                survives("$kind:$n-$few:ENOSPC", $heals, $heals ? 'undone' : 'in-doubt'),
                survives("$kind:$n-:EIO", 0, 'in-doubt');
            $runs += 3;
        }
        note "$runs runs";
        is join("\n", @wrong), '', 'every fault is survived, and failed messages do not appear later';
    };
}

subtest 'a disk that fails for good loses nothing that was saved' => sub {
    my @wrong = map { survives("any:$_-:EIO", 0, 'in-doubt') } some_of(0 + @operations, 40);
    is join("\n", @wrong), '', 'no saved message is lost or doubled';
};

# After a failed sync the system may drop the data that it was to write.
subtest 'a power cut after a failed sync loses nothing' => sub {
    my ($cuts, @wrong) = (0);
    for my $n (some_of($count{sync}, 9)) {
        for my $more (2, 5) {
            my $fault  = sprintf 'sync:%d-%d:EIO', $n, $n + $more;
            my $run    = run_on($fault);
            my @traced = operations($run->{trace});
            my ($from) = grep { $traced[$_ - 1][1] && $traced[$_ - 1][0] eq 'sync' } 1 .. @traced;
            my $result = sweep($run->{trace}, $from, $from + 150, $everything ? 1 : 4, 0);
            $cuts += ($result->{stdout} =~ /, (\d+) cuts/)[0];
            push @wrong, "$fault: " . beginning_of($result) if $result->{status} != 0;
        }
    }
    note "$cuts cuts";
    is join("\n", @wrong), '', 'no message answered after the failure is lost';
};

# ---------------------------------------------------------------- longroom-history

my @rooms = qw(room_26 lobby room_7 team-x);
my @sizes = (1, 1, 6, 1, 12, 1, 2);

sub message {
    my ($i) = @_;
    return { content => "message $i" . ' and more' x ($i % 9 ? 0 : 700), client_id => "c$i", user_id => 'u' . $i % 3 };
}

sub path_of { return "/rooms/$rooms[$_[0] / 2 % 4]/messages" }

sub request_of {
    my ($i) = @_;
    return (POST => path_of($i), $JSON->encode(message($i)), 'application/json');
}

# Sends the 200 messages, some alone and some together; returns the answers by number.
# A program that is gone answers no more.
sub talk {
    my ($l) = @_;
    my (%answers, $call);
    for (my $i = 0; $i < 200;) {
        my $end = $i + $sizes[$call++ % @sizes];
        my %connections;
        for (; $i < $end && $i < 200; $i++) {
            $connections{$i} = eval { $l->connect('history') } or return \%answers;
            $connections{$i}->write(fastcgi_bytes(request_of($i)));
        }
        for my $n (sort { $a <=> $b } keys %connections) {
            my $answer = fastcgi_answer($connections{$n});
            $answers{$n} = $answer if $answer;
        }
    }
    return \%answers;
}

# All messages in history: [the JSON of each], as history shows them.
sub all_history {
    my ($l) = @_;
    return map { @{ ask_by_fastcgi($l->connect('history'), GET => "/rooms/$_/messages?limit=1000")->{json}{messages} } }
        @rooms;
}

# What is wrong with history after these answers.
sub wrong_in_history {
    my ($answers, @messages) = @_;
    my (%seen, %newest, @wrong);
    for my $m (@messages) {
        my ($i) = $m->{content} =~ /^message (\d+)/ or return 'a message that was never sent';
        my $good = $m->{content} eq message($i)->{content} && path_of($i) eq "/rooms/$m->{room_id}/messages";
        push @wrong, "message $i is different" if !$good;
        push @wrong, "message $i is out of order" if $m->{id} <= ($newest{ $m->{room_id} } // 0);
        push @wrong, "message $i is there twice" if $seen{$i};
        $seen{$i} = $newest{ $m->{room_id} } = $m->{id};
    }
    for my $i (sort { $a <=> $b } keys %$answers) {
        my ($status, $id) = ($answers->{$i}{status}, $seen{$i} // 'nowhere');
        push @wrong, "message $i was saved as $answers->{$i}{json}{id} and is $id"
            if $status =~ /^20[01]$/ && $answers->{$i}{json}{id} ne $id;
        push @wrong, "message $i was answered with $status and is there" if $status =~ /^(?:202|503)$/ && $seen{$i};
    }
    return @wrong;
}

# After a restart everything is as it was answered; and unsaved messages can be
# repeated, and are then there once.
sub is_as_answered {
    my ($l, $answers, $title) = @_;
    my @wrong = wrong_in_history($answers, all_history($l));
    my %after = %$answers;
    for my $i (grep { ($answers->{$_}{status} // 0) != 201 } 0 .. 199) {
        $after{$i} = ask_by_fastcgi($l->connect('history'), request_of($i)) || { status => 0 };
        push @wrong, "message $i repeated is answered with $after{$i}{status}" if $after{$i}{status} !~ /^20[01]$/;
    }
    my @messages = all_history($l);
    push @wrong, scalar(@messages) . ' are there after all was repeated' if @messages != 200;
    push @wrong, wrong_in_history(\%after, @messages), grep { $_ ne 'ok' } $l->sql('PRAGMA integrity_check;');
    return is join("\n", @wrong), '', $title;
}

sub start_history {
    my (%options) = @_;
    return Longroom->start(without => [qw(nginx pushd)], %options);
}

my ($started, $total);    # the operations of a start, and of a whole run

subtest 'longroom-history on a sound disk saves all messages' => sub {
    my $trace = Longroom::fresh_dir();
    my $l = start_history(history => { env => below(TRACE => "$trace/trace") });
    $started = operations("$trace/trace");
    my $answers = talk($l);
    is_deeply { map { $_->{status} => 1 } values %$answers }, { 201 => 1 }, 'all are saved';
    $total = operations("$trace/trace");
    is_as_answered($l, $answers, 'all are in history');
    $l->stop;
};

subtest 'longroom-history keeps its word after a power cut' => sub {
    my $steps = $everything ? 60 : 10;
    for my $n (map { int($started + 1 + ($total - $started) * ($_ + rand) / $steps) } 0 .. $steps - 1) {
        my $trace = Longroom::fresh_dir();
        my $l = start_history(history => { env => below(TRACE => "$trace/trace", FAULT => "any:$n-:CUT") });
        my $answers = talk($l);
        $l->signal('history', 'KILL');
        $l->stop;
        my $left = Longroom::fresh_dir();
        my $seed = $n % 2 ? 0 : $n;
        is run_power_cut(below(), leave => "$trace/trace", $seed, "$left")->{status}, 0, 'something is left';
        $l = start_history(dir => "$left");
        is_as_answered($l, $answers, "at operation $n, seed $seed, with "
            . keys(%$answers) . ' answered: it starts, and keeps its word');
        $l->stop;
    }
};

subtest 'longroom-history keeps its word on a failing disk' => sub {
    my $turn = 0;
    for my $fault ('sync:30-30:EIO', 'sync:31-37:EIO', 'sync:40-:EIO', 'write:300-300:ENOSPC', 'write:200-240:ENOSPC',
        'write:400-:EIO', 'open:5-12:EIO', 'open:6-:ENOSPC', 'truncate:1-:EIO')
    {
        my $reject = $turn++ % 2;
        my $l = start_history(
            settings => { 'history.on_save_failure' => $reject ? 'reject' : 'broadcast' },
            history  => { env => below(FAULT => $fault) },
        );
        my $answers = talk($l);
        my %status = map { $_->{status} => 1 } values %$answers;
        is keys(%$answers), 200, "$fault: every POST is answered";
        is join(' ', grep { !/^(?:20[01]|202|503)$/ || $_ == ($reject ? 202 : 503) } keys %status), '',
            '... as the settings say';
        is $answers->{199}{status}, 201, '... and in the end with 201' if $fault !~ /-:/;
        like $l->log('history'), qr/Failed to save message to database: .*: Input\/output error: room_id=/,
            '... and the log has the error of the system' if $fault =~ /write.*EIO/;
        $l->stop_program('history');
        $l->start_program('history');
        is_as_answered($l, $answers, '... and after a restart it has kept its word');
        $l->stop;
    }
};

done_testing;
