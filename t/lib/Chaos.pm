package Chaos;

# Harms a running Longroom (Longroom.pm) in every way that it must survive: kills,
# stops and ends its programs, reloads nginx, breaks the bus, locks the database, fills
# the disk, steps the wall clock, restores backups. One generator with one seed decides
# all of it, and every step is in a journal. TortureCheck.pm judges the clients; this
# file tells it when something was down.
#
# Nothing here waits: tick() does what is due and returns, so that faults overlap, and
# a program may be killed before it has started.

use strict;
use warnings;

use Time::HiRes qw(time);

# A deck that is dealt to its end before it is shuffled again, so that every kind of
# fault comes even in a short run.
use constant DECK => (
    ('kill_history') x 3, ('kill_pushd') x 3, ('kill_nginx') x 3, ('kill_both') x 2,
    'kill_workers', 'kill_master',
    'stop_history', ('stop_pushd') x 2, 'stop_workers',
    'end_history', 'end_pushd', 'end_nginx',
    'reload_nginx', 'break_bus', ('lock') x 2, ('fill') x 2, 'step_clock', 'restart_all', 'restore',
);

use constant {
    START_SECONDS => 30,    # a program that has not started by then never will
    END_SECONDS   => 30,    # ... has shut down
};

my @PROGRAMS = qw(nginx history pushd);

# Options: longroom, seed, every (mean seconds between two faults), journal (a path),
# disk (a tmpfs of its own, with the database, or nothing), disk_size (as for mount),
# clock (libfaketime's path, or nothing), restores (backups may be restored).
sub new {
    my ($class, %options) = @_;
    open my $journal, '>', $options{journal} or die "can't write $options{journal}: $!\n";
    $journal->autoflush(1);
    my $self = bless {
        %options,
        out      => $journal,
        began    => time,
        random   => $options{seed} & 0xffffffff,
        due      => [],
        deck     => [],
        outages  => [],
        away     => {},
        count    => {},
        problems => [],
        restored => [],
        program  => { map { $_ => { state => 'up' } } @PROGRAMS },
    }, $class;
    $self->{next} = time + $options{every};
    return $self;
}

# The environment in which the programs' wall clock can be stepped.
sub clock_environment {
    my ($library, $file) = @_;
    return (
        LD_PRELOAD                 => $library,
        FAKETIME_TIMESTAMP_FILE    => $file,
        FAKETIME_CACHE_DURATION    => 1,
        FAKETIME_DONT_FAKE_MONOTONIC => 1,
    );
}

sub problems { return @{ $_[0]{problems} } }
sub counts   { return $_[0]{count} }

# When something was down: [from, to, what], in seconds of the system's clock.
sub outages { return $_[0]{outages} }

# The restored backups: {last_id, the highest in it; lost, a copy of the database that
# it replaced; at, a time when neither program ran}.
sub restored { return $_[0]{restored} }

# ---------------------------------------------------------------- decisions

# xorshift, so that a seed means the same in every Perl.
sub _random {
    my ($self, $below) = @_;
    my $x = $self->{random} || 2_463_534_242;
    $x ^= ($x << 13) & 0xffffffff;
    $x ^= $x >> 17;
    $x ^= ($x << 5) & 0xffffffff;
    $self->{random} = $x;
    return $below * $x / 4_294_967_296;
}

sub _between {
    my ($self, $least, $most) = @_;
    return $least + $self->_random($most - $least);
}

sub _one_in { return $_[0]->_random($_[1]) < 1 }

sub _deal {
    my ($self) = @_;
    my $deck = $self->{deck};
    @$deck = grep { $_ ne 'restore' || $self->{restores} } DECK if !@$deck;
    return splice @$deck, int $self->_random(scalar @$deck), 1;
}

sub _write {
    my ($self, $format, @values) = @_;
    my $now = time;
    printf { $self->{out} } "%.3f +%.3f $format\n", $now, $now - $self->{began}, @values;
    return;
}

sub _count { $_[0]{count}{ $_[1] }++; return }

sub _blame {
    my ($self, $what) = @_;
    push @{ $self->{problems} }, $what;
    $self->_write('PROBLEM %s', $what);
    return;
}

sub _in {
    my ($self, $seconds, $work) = @_;
    push @{ $self->{due} }, [time + $seconds, $work];
    return;
}

# ---------------------------------------------------------------- the loop

sub tick {
    my ($self) = @_;
    my $now = time;
    my @due = sort { $a->[0] <=> $b->[0] } grep { $_->[0] <= $now } @{ $self->{due} };
    @{ $self->{due} } = grep { $_->[0] > $now } @{ $self->{due} };
    $_->[1]->() for @due;
    $self->_watch($_) for @PROGRAMS;
    $self->_put_back if $self->_is_held && !grep { $self->{program}{$_}{state} ne 'down' } qw(history pushd);
    return if $self->{calming} || $now < $self->{next};
    $self->{next} = $now + $self->_between(0.2, 1.8) * $self->{every};
    my $fault = $self->_deal;
    $self->can("_$fault")->($self);
    return;
}

# Starts no new faults, and ends the old ones. True when everything is healthy; call
# it, like tick, until then.
sub calm {
    my ($self) = @_;
    if (!$self->{calming}++) {
        $self->_write('calm');
        # Everything that is due is a repair, and may be done at once.
        $_->[0] = 0 for @{ $self->{due} };
        # The bus may be broken without a repair being due.
        $self->{unlinked} and $self->_kill('history');
    }
    $_->[0] = 0 for @{ $self->{due} };
    $self->tick;
    return !@{ $self->{due} } && !%{ $self->{away} }
        && !grep { $_->{state} ne 'up' } values %{ $self->{program} };
}

# In any case: no process stays stopped, no lock holder stays alive.
sub DESTROY {
    my ($self) = @_;
    local ($?, $!, $@);
    $self->_unlock if $self->{lock};
    return;
}

# ---------------------------------------------------------------- down and up

# Faults overlap; each has its own key.
sub _leaves {
    my ($self, $key) = @_;
    $self->{away}{$key} //= time;
    return;
}

sub _is_back {
    my ($self, $key) = @_;
    my $since = delete $self->{away}{$key} // return;
    push @{ $self->{outages} }, [$since, time, $key];
    return;
}

# ---------------------------------------------------------------- programs

sub _start {
    my ($self, $name) = @_;
    my $program = $self->{program}{$name};
    return if $program->{state} ne 'down' || $name ne 'nginx' && $self->_is_held;
    my %clock = $self->{clock} && $name ne 'nginx'
        ? clock_environment($self->{clock}, $self->_clock_file) : ();
    local @ENV{ keys %clock } = values %clock;
    unlink "$self->{longroom}{dir}/nginx.pid" if $name eq 'nginx';
    $self->{longroom}->_spawn($name);
    $self->_write('start %s, process %d', $name, $self->{longroom}->pid($name));
    @$program{qw(state since)} = ('starting', time);
    return;
}

sub _start_in {
    my ($self, $name, $seconds) = @_;
    $self->{program}{$name}{state} = 'down';
    $self->_write('%s is to start in %.3f s', $name, $seconds);
    $self->_in($seconds, sub { $self->_start($name) });
    return;
}

# How long a program is down: mostly a moment, so that much happens.
sub _pause {
    my ($self) = @_;
    return $self->_one_in(4) ? $self->_between(0.5, 3) : $self->_between(0, 0.4);
}

sub _watch {
    my ($self, $name) = @_;
    my $program = $self->{program}{$name};
    my $l = $self->{longroom};
    return if $program->{state} eq 'down';
    my $waited = time - ($program->{since} || 0);
    if ($program->{state} eq 'ending') {
        if ($l->_reap($name, 0)) {
            $self->_write('%s has ended', $name);
            $self->_start_in($name, $self->_pause);
        }
        elsif ($waited > END_SECONDS) {
            $self->_blame("$name still runs " . END_SECONDS . " s after SIGTERM:\n"
                . Longroom::_what_it_does($l->pid($name)));
            $self->_killed($name);
        }
        return;
    }
    if (!$l->runs($name)) {
        $self->_blame("$name died by itself: " . $l->_tail($name));
        $l->_reap($name, 0);
        $self->_is_back("$name stopped");
        $self->_leaves($name);
        $self->_start_in($name, $self->_pause);
        return;
    }
    return if $program->{state} ne 'starting';
    if ($name eq 'nginx' ? -e "$l->{dir}/nginx.pid" : $l->_accepts($name)) {
        $program->{state} = 'up';
        $self->_is_back($name);
        $self->_write('%s is up', $name);
    }
    elsif ($waited > START_SECONDS && !$self->{away}{"$name stopped"}) {
        $self->_blame("$name does not start: " . $l->_tail($name));
        $self->_killed($name);
    }
    return;
}

sub _may_hurt {
    my ($self, $name, @states) = @_;
    my $state = $self->{program}{$name}{state};
    return 1 if grep { $_ eq $state } @states;
    $self->_write('%s is %s: spared', $name, $state);
    return 0;
}

sub _killed {
    my ($self, $name) = @_;
    my $l = $self->{longroom};
    my $pid = $l->pid($name);
    $self->_leaves($name);
    $l->signal($name, 'KILL');
    # A program that was ending may have ended a moment before.
    my $problems = $l->{problems};
    pop @$problems if $self->{program}{$name}{state} eq 'ending'
        && @$problems && $problems->[-1] =~ /^$name had ended before it was killed: status 0$/;
    # libfaketime leaves them when a process is killed.
    unlink "/dev/shm/faketime_shm_$pid", "/dev/shm/sem.faketime_sem_$pid" if $self->{clock};
    $self->_is_back("$name stopped");
    $self->_start_in($name, $self->_pause);
    return;
}

sub _kill {
    my ($self, $name) = @_;
    $self->_may_hurt($name, qw(up starting ending)) or return;
    $self->_write('kill -9 %s', $name);
    $self->_count("$name KILL");
    $self->_killed($name);
    $self->{unlinked} = 0 if $name eq 'history';
    return;
}

sub _kill_history { $_[0]->_kill('history') }
sub _kill_pushd   { $_[0]->_kill('pushd') }
sub _kill_nginx   { $_[0]->_kill('nginx') }

sub _kill_both {
    my ($self) = @_;
    $self->_kill($_) for $self->_one_in(2) ? qw(history pushd) : qw(pushd history);
    return;
}

sub _end {
    my ($self, $name) = @_;
    $self->_may_hurt($name, 'up') or return;
    $self->_write('end %s', $name);
    $self->_count("$name TERM");
    $self->_leaves($name);
    @{ $self->{program}{$name} }{qw(state since)} = ('ending', time);
    $self->{longroom}->signal($name, 'CONT');
    $self->{longroom}->signal($name, 'TERM');
    $self->{unlinked} = 0 if $name eq 'history';
    return;
}

sub _end_history { $_[0]->_end('history') }
sub _end_pushd   { $_[0]->_end('pushd') }
sub _end_nginx   { $_[0]->_end('nginx') }

sub _restart_all {
    my ($self) = @_;
    $self->_write('restart all');
    $self->_count('all restarted');
    my $kill = $self->_one_in(2);
    my @left = @PROGRAMS;
    while (@left) {
        my $name = splice @left, int $self->_random(scalar @left), 1;
        $kill ? $self->_kill($name) : $self->_end($name);
    }
    return;
}

# ---------------------------------------------------------------- stopped

sub _stop_for {
    my ($self, $key, $seconds, @pids) = @_;
    $self->_leaves($key);
    kill STOP => @pids;
    $self->_in($seconds, sub {
        # Processes that were killed meanwhile are gone, and so are their ids: no other
        # process of ours has them, because every child is reaped before another starts.
        kill CONT => @pids;
        $self->_is_back($key);
        $self->_write('continue %s', $key);
    });
    return;
}

sub _stop {
    my ($self, $name) = @_;
    $self->_may_hurt($name, qw(up starting)) or return;
    my $key = "$name stopped";
    return if $self->{away}{$key};
    my $seconds = $self->_one_in(3) ? $self->_between(1, 6) : $self->_between(0.1, 1);
    $self->_write('stop %s for %.3f s', $name, $seconds);
    $self->_count("$name STOP");
    $self->_stop_for($key, $seconds, $self->{longroom}->pid($name));
    return;
}

sub _stop_history { $_[0]->_stop('history') }
sub _stop_pushd   { $_[0]->_stop('pushd') }

# ---------------------------------------------------------------- nginx

sub _workers {
    my ($self) = @_;
    my $pid = $self->{longroom}->pid('nginx') or return;
    return split ' ', Longroom::slurp("/proc/$pid/task/$pid/children");
}

sub _kill_workers {
    my ($self) = @_;
    $self->_may_hurt('nginx', 'up') or return;
    my @workers = $self->_workers;
    $self->_write('kill -9 the workers of nginx: %s', "@workers");
    $self->_count('nginx workers KILL');
    kill KILL => @workers;
    return;
}

# Its workers continue without it for a while, then all of nginx is restarted.
sub _kill_master {
    my ($self) = @_;
    $self->_may_hurt('nginx', 'up') or return;
    my $pid = $self->{longroom}->pid('nginx');
    my $seconds = $self->_between(0.1, 1.5);
    $self->_write('kill -9 the master of nginx; its workers live for %.3f s', $seconds);
    $self->_count('nginx KILL');
    $self->{program}{nginx}{state} = 'down';
    kill KILL => $pid;
    $self->_in($seconds, sub { $self->_killed('nginx') });
    return;
}

sub _stop_workers {
    my ($self) = @_;
    my $key = 'nginx stopped';
    return if $self->{away}{$key};
    $self->_may_hurt('nginx', 'up') or return;
    my $seconds = $self->_between(0.1, 4);
    my @workers = $self->_workers;
    $self->_write('stop the workers of nginx for %.3f s: %s', $seconds, "@workers");
    $self->_count('nginx workers STOP');
    $self->_stop_for($key, $seconds, @workers);
    return;
}

sub _reload_nginx {
    my ($self) = @_;
    $self->_may_hurt('nginx', 'up') or return;
    $self->_write('reload nginx');
    $self->_count('nginx HUP');
    $self->{longroom}->signal('nginx', 'HUP');
    return;
}

# ---------------------------------------------------------------- the rest

# Without its socket no subscriber finds the publisher; it comes back with
# longroom-history.
sub _break_bus {
    my ($self) = @_;
    my $seconds = $self->_between(0.2, 3);
    my $lonely = $self->_one_in(2);
    $self->_write('break the bus for %.3f s%s', $seconds, $lonely ? ', longroom-pushd starts without it' : '');
    $self->_count('bus broken');
    unlink "$self->{longroom}{dir}/bus.ipc";
    $self->{unlinked} = 1;
    $self->_kill('pushd') if $lonely;
    my $end = $self->_one_in(2);
    $self->_in($seconds, sub { $end ? $self->_end('history') : $self->_kill('history') });
    return;
}

# Locked by another process, which ends cleanly or not.
sub _lock {
    my ($self) = @_;
    return if $self->{lock} || $self->_is_held;
    my $seconds = $self->_one_in(3) ? $self->_between(2, 7) : $self->_between(0.1, 1.5);
    $self->{lock_dies} = $self->_one_in(3);
    $self->_write('lock the database for %.3f s%s', $seconds, $self->{lock_dies} ? ', the holder dies' : '');
    my $pid = open my $in, '|-', 'sqlite3', '-batch', '-init', '/dev/null', $self->{longroom}->database;
    die "can't run sqlite3: $!\n" if !$pid;
    $in->autoflush(1);
    my $mark = "$self->{longroom}{dir}/locked";
    unlink $mark;
    print {$in} ".output /dev/null\n.timeout 5000\n.bail on\nBEGIN EXCLUSIVE;\n.shell touch $mark\n";
    $self->{lock} = { pid => $pid, in => $in, mark => $mark };
    $self->_leaves('database locked');
    $self->_in($seconds, sub { $self->_unlock });
    return;
}

sub _unlock {
    my ($self) = @_;
    my $lock = delete $self->{lock} or return;
    my $had = -e $lock->{mark};
    $self->_count('database locked') if $had;
    kill KILL => $lock->{pid} if $self->{lock_dies} || !$had;
    print { $lock->{in} } "ROLLBACK;\n";
    close $lock->{in};
    $self->_is_back('database locked');
    $self->_write('the database is unlocked%s', $had ? '' : '; it had never been locked');
    return;
}

# Shrinks the tmpfs to its contents and a little more: the next commits fail, some of
# them half-way.
sub _fill {
    my ($self) = @_;
    return if !$self->{disk} || $self->{away}{'disk full'} || $self->_is_held;
    my ($used) = Longroom::run(['df', '-k', '--output=used', $self->{disk}])->{stdout} =~ /([0-9]+)\s*\z/ or return;
    my $left = int $self->_random($self->_one_in(2) ? 8 : 300);
    my $seconds = $self->_between(0.3, 4);
    # It may hold more by now, and does not shrink below that.
    my $shrunk;
    for my $more (0, 100, 1000) {
        my $size = $used + $left + $more;
        $shrunk = Longroom::run(['mount', '-o', "remount,size=${size}k", $self->{disk}]);
        last if !$shrunk->{status};
    }
    $self->_write('the disk is full up to %d KiB for %.3f s%s', $left, $seconds, $shrunk->{status} ? ": failed: $shrunk->{stderr}" : '');
    return if $shrunk->{status};
    $self->_count('disk filled');
    $self->_leaves('disk full');
    $self->_in($seconds, sub {
        Longroom::run(['mount', '-o', "remount,size=$self->{disk_size}", $self->{disk}]);
        $self->_is_back('disk full');
        $self->_write('the disk has space again');
    });
    return;
}

# As in longroom-history(8): a backup is made while everything runs; some time later
# both programs end, it is put in place, the log begins an incarnation, and both start.
sub _restore {
    my ($self) = @_;
    return if $self->{restore} || $self->{calming};
    return $self->_in(0.3, sub { $self->_restore }) if $self->{lock};
    my $backup = "$self->{longroom}{dir}/backup-" . (1 + @{ $self->{restored} }) . '.db';
    my ($made, $last) = map { Longroom::run(['sqlite3', '-batch', '-init', '/dev/null', @$_]) }
        [$self->{longroom}->database, '.timeout 2000', ".backup $backup"], [$backup, 'SELECT max(id) FROM messages'];
    my ($last_id) = $last->{stdout} =~ /^([0-9]+)$/;
    if (($made->{status} // 1) || !$last_id) {
        $self->_write('no backup: %s', $made->{stderr} . $last->{stderr});
        unlink $backup;
        return $self->_in(0.3, sub { $self->_restore });
    }
    my $seconds = $self->_between(0.5, 6);
    $self->_write('a backup up to id %d is put back in %.3f s', $last_id, $seconds);
    $self->{restore} = { backup => $backup, last_id => $last_id };
    $self->_in($seconds, sub { $self->_hold });
    return;
}

# Ends both programs and keeps them down. Another lock on the database must go first;
# on a full disk there is no space for the backup.
sub _hold {
    my ($self) = @_;
    if ($self->{lock} || $self->{away}{'disk full'}) {
        $self->_in(0.2, sub { $self->_hold });
        return;
    }
    $self->{restore}{held} = 1;
    for my $name (qw(history pushd)) {
        my $state = $self->{program}{$name}{state};
        $self->_end($name) if $state eq 'up';
        $self->_kill($name) if $state eq 'starting';
    }
    return;
}

sub _is_held { return $_[0]{restore} && $_[0]{restore}{held} }

sub _put_back {
    my ($self) = @_;
    my $restore = delete $self->{restore};
    my ($l, $database) = ($self->{longroom}, $self->{longroom}->database);
    my $lost = "$l->{dir}/lost-" . (1 + @{ $self->{restored} }) . '.db';
    my $done = Longroom::run(['sh', '-ec', <<'END', 'sh', $database, $lost, $restore->{backup}], seconds => 60);
mv "$1" "$2"
[ ! -e "$1-wal" ] || mv "$1-wal" "$2-wal"
rm -f "$1-shm"
mv "$3" "$1"
END
    $self->_blame("the backup can't be put back: $done->{stderr}") if $done->{status} // 1;
    my $begun = Longroom::run([$l->_command('history'), '--new-incarnation'], seconds => 60);
    $self->_blame("no new incarnation: $begun->{stderr}") if $begun->{status} // 1;
    push @{ $self->{restored} }, { last_id => $restore->{last_id}, lost => $lost, at => time };
    $self->_write('the backup up to id %d is in place', $restore->{last_id});
    $self->_count('backup restored');
    $self->_start_in('history', $self->_pause);
    # So that the log may grow past its earlier end before a client asks.
    $self->_start_in('pushd', $self->_one_in(2) ? $self->_between(2, 8) : $self->_pause);
    return;
}

sub _clock_file { return "$_[0]{longroom}{dir}/clock" }

# libfaketime reads the file once a second.
sub _step_clock {
    my ($self) = @_;
    return if !$self->{clock};
    my @steps = (-86_400 * 400, -3600, -1, 0, 1, 3600, 86_400 * 400);
    my $offset = $steps[int $self->_random(scalar @steps)];
    $self->_write('the wall clock is %+d s off', $offset);
    $self->_count('clock stepped');
    my $file = $self->_clock_file;
    Longroom::spew("$file.new", sprintf "%+d\n", $offset);
    rename "$file.new", $file or die "can't write $file: $!\n";
    return;
}

1;
