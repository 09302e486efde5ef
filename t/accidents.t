# Accidents that happen to a database, while the programs run and between two runs
# (longroom-history(8), FILES). Each row is one accident. After each, the test claims:
# every message that was answered with 201 and is still in the file is served, and
# nothing else; a client that follows gets reset if it has messages that the log
# lacks, otherwise the next message and nothing else; no message is answered with
# 201 and then lost; the database is sound; and a restart changes none of this.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use File::Copy ();
use JSON::PP   ();
use Longroom;
use Test::More;

my @early = map {"early $_"} 1 .. 30;
my @late  = map {"late $_"} 1 .. 30;

sub shell {
    my ($command) = @_;
    system('sh', '-c', $command) == 0 or die "$command\n";
    return;
}

sub by_sqlite {
    my ($file, $sql) = @_;
    my $result = Longroom::run(['sqlite3', '-batch', '-init', '/dev/null', $file], stdin => "$sql\n");
    return join ' ', grep {length} split /\n/, "$result->{stdout}$result->{stderr}";
}

sub files_of { my ($file) = @_; return map {"$file$_"} '', '-wal', '-shm' }

sub set_aside {
    my ($l) = @_;
    return grep { !/-shm/ } glob $l->database . '-*.aside-*';
}

# How backups are made, of a log in use.
my %backup_by = (
    'by .backup'     => sub { my ($from, $to) = @_; by_sqlite($from, ".backup '$to'") },
    'by VACUUM INTO' => sub { my ($from, $to) = @_; by_sqlite($from, "VACUUM INTO '$to'") },
);

# Longroom with 60 messages, a backup of the first 30, and a client that has received all.
sub begin {
    my ($kind) = @_;
    my $l = Longroom->start(operator => 1, settings => { 'limits.user_sends' => 0, 'limits.room_sends' => 0 });
    $l->post('room_26', $_)->{status} == 201 or die "not saved\n" for @early;
    $backup_by{ $kind || 'by .backup' }->($l->database, $l->dir . '/backup.db');
    $l->post('room_26', $_)->{status} == 201 or die "not saved\n" for @late;
    my $last = $l->history('room_26', limit => 1);
    return ($l, $l->dir . '/backup.db', $last->{json}{cursor});
}

sub now_of { return $_[0]->poll('room_26', timeout => 0)->{json}{cursor} }

sub kill_all {
    my ($l) = @_;
    $l->signal($_, 'KILL') for qw(pushd history);
    return;
}

sub stop_all {
    my ($l) = @_;
    $l->stop_program($_) for qw(pushd history);
    return;
}

sub start_all {
    my ($l) = @_;
    $l->start_program($_) for qw(history pushd);
    return;
}

sub contents {
    my ($l) = @_;
    my $page = $l->eventually(20, sub {
        my $answer = $l->history('room_26', limit => 1000);
        return $answer->{status} == 200 && $answer;
    }) or return ['history cannot be read'];
    return $l->message_contents($page);
}

sub is_sound {
    my ($l, $file) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is(by_sqlite($file || $l->database, 'PRAGMA integrity_check;'), 'ok', 'the database is sound');
}

# longroom-history refuses to start, and says why.
sub is_not_started {
    my ($l, $why) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $run = Longroom::run([$l->_command('history')], clean_env => 1);
    is $run->{status} // 'still running', 1, 'longroom-history does not start';
    like $run->{stderr}, $why, 'it says what is wrong';
    return;
}

# Sends until a message is saved.
sub saved_again {
    my ($l, $content) = @_;
    return $l->eventually(20, sub {
        my $answer = $l->post('room_26', $content);
        die "POST is answered with $answer->{status}\n" if $answer->{status} !~ /^(?:201|202|503)$/;
        return $answer->{status} == 201 && $answer;
    });
}

# While there is no log: nothing is saved, and both programs say so.
sub is_refused {
    my ($l) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my %status = map { $l->post('room_26', 'nowhere')->{status} => 1 } 1 .. 3;
    ok !$status{201}, 'no POST is answered with 201' or diag join ' ', keys %status;
    ok $l->eventually(20, sub { $l->operator('history/healthz')->{status} == 503 }),
        'longroom-history says that it fails';
    %status = map { $l->post('room_26', 'nowhere')->{status} => 1 } 1 .. 3;
    ok !$status{201}, 'nor is any POST a moment later' or diag join ' ', keys %status;
    return;
}

# What must be true after the accident. $log is what the file holds.
sub is_served {
    my ($l, $cursor, $log, %is) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $next = saved_again($l, 'next');
    ok $next, 'messages are saved' or return;
    is_deeply contents($l), [@$log, 'next'], 'history has what the file holds';
    my ($tag) = $l->history('room_26')->{json}{cursor} =~ /\.(\w+)\./;
    ok $l->eventually(20, sub { (now_of($l) // '') =~ /\.$tag\./ }), 'longroom-pushd follows that file';
    my $page = $l->eventually(20, sub {
        my $answer = $l->poll('room_26', after => $cursor, timeout => 5);
        return $answer->{status} == 200 && ($answer->{json}{count} || $answer->{json}{reset}) && $answer;
    });
    my $told = $page->{json}{reset} ? 'reset' : $page->{json}{gap} ? 'gap' : 'nothing';
    is $told, $is{reset} ? 'reset' : 'nothing', 'the client that follows is told if the log lost messages';
    is_deeply $l->message_contents($page), ['next'], 'it gets the next message' if !$is{reset};
    is $l->message_contents($page)->[-1], 'next', 'it gets the newest messages' if $is{reset};
    ok $l->eventually(20, sub { $l->operator("$_/healthz")->{status} == 200 }), "$_ is healthy" for qw(history pushd);
    is_sound($l);
    $l->restart($_) for qw(history pushd);
    is_deeply contents($l), [@$log, 'next'], 'a restart changes nothing';
    is saved_again($l, 'last')->{json}{id}, $next->{json}{id} + 1, 'the next message gets the next id';
    is_sound($l);
    return;
}

# ---------------------------------------------------------------- while the programs run

for my $kind (sort keys %backup_by) {
    for my $how ('mv %s %s', 'cp %s %s') {
        my $word = substr $how, 0, 2;
        subtest "$word of a backup made $kind over the database, while the programs run" => sub {
            my ($l, $backup, $cursor) = begin($kind);
            shell(sprintf $how, $backup, $l->database);
            is_served($l, $cursor, \@early, reset => 1);
            $l->stop;
        };
    }
}

subtest 'a backup is put in place twice, while the programs run' => sub {
    my ($l, $backup, $cursor) = begin();
    shell("cp $backup $backup.2; mv $backup " . $l->database);
    ok saved_again($l, 'between'), 'messages are saved';
    shell("mv $backup.2 " . $l->database);
    is_served($l, $cursor, \@early, reset => 1);
    $l->stop;
};

subtest 'the database is moved elsewhere, and back, while the programs run' => sub {
    my ($l, undef, $cursor) = begin();
    my $elsewhere = $l->dir . '/elsewhere.db';
    shell('mv ' . $l->database . " $elsewhere");
    ok saved_again($l, 'of another log'), 'a new log begins';
    is by_sqlite($elsewhere, 'SELECT count(*) FROM messages;'), 60, 'the moved file has all that was saved';
    is_sound($l, $elsewhere);
    is_deeply contents($l), ['of another log'], 'the new log has what is in it';
    shell("mv $elsewhere " . $l->database);
    is_served($l, $cursor, [@early, @late]);
    $l->stop;
};

subtest 'the database is moved elsewhere with its side files, and back, while the programs run' => sub {
    my ($l, undef, $cursor) = begin();
    my $place = $l->dir . '/elsewhere';
    mkdir $place;
    shell('mv ' . $l->database . "* $place");
    ok saved_again($l, 'of another log'), 'a new log begins';
    is by_sqlite("$place/longroom.db", 'SELECT count(*) FROM messages;'), 60, 'the moved file has all that was saved';
    shell('rm ' . $l->database . "*; mv $place/* " . $l->dir);
    is_served($l, $cursor, [@early, @late]);
    $l->stop;
};

subtest 'the database is removed, while the programs run' => sub {
    my ($l, undef, $cursor) = begin();
    unlink $l->database;
    is_served($l, $cursor, [], reset => 1);
    $l->stop;
};

my %cuts = (
    'emptied'                => sub { ': > ' . $_[0] },
    'cut short'              => sub { my $half = int((-s $_[0]) / 8192) * 4096; "truncate -s $half " . $_[0] },
    'overwritten with noise' => sub { "dd if=/dev/urandom of=$_[0] conv=notrunc bs=4096 count=4 2>/dev/null" },
    'overwritten with text'  => sub { "echo 'not a database' > $_[0]" },
);
for my $what (sort keys %cuts) {
    for my $where ('the WAL', 'the file') {
        my $how = $where eq 'the WAL' ? 'cp' : 'mv';
        subtest "the database is $what, while the programs run with everything in $where, then replaced by a backup with $how" => sub {
            my ($l, $backup, $cursor) = begin();
            by_sqlite($l->database, 'PRAGMA wal_checkpoint(TRUNCATE);') if $where eq 'the file';
            shell($cuts{$what}->($l->database));
            is_refused($l);
            ok $l->wait_log('history', qr/written over, or cut|damaged|is empty/, 5), 'the log says why';
            shell("$how $backup " . $l->database);
            is_served($l, $cursor, \@early, reset => 1);
            $l->stop;
        };
    }
}

# The log's tag stays the same.
subtest 'pages become corrupt, and a reader notices' => sub {
    my ($l, $backup, $cursor) = begin();
    $l->post('room_26', 'z' x 8000) for 1 .. 30;
    by_sqlite($l->database, 'PRAGMA wal_checkpoint(TRUNCATE);');
    ok saved_again($l, 'all is well'), 'messages are saved';
    my $file = $l->database;
    shell("dd if=/dev/urandom of=$file conv=notrunc bs=4096 seek=14 count=60 2>/dev/null");
    ok $l->eventually(20, sub { $l->history('room_26', limit => 1000)->{status} == 503 }), 'history cannot be read';
    is_refused($l);
    ok $l->wait_log('history', qr/damaged/, 5), 'the log says why';
    shell("mv $backup $file");
    is_served($l, $cursor, \@early, reset => 1);
    $l->stop;
};

for my $suffix ('-wal', '-shm') {
    subtest "the $suffix is removed, while the programs run" => sub {
        my ($l, undef, $cursor) = begin();
        unlink $l->database . $suffix;
        is_served($l, $cursor, [@early, @late]);
        $l->stop;
    };
}

my %others = (
    'a text file'                 => sub { Longroom::spew($_[0], "notes\n" x 1000) },
    "another program's database"  => sub { by_sqlite($_[0], 'CREATE TABLE notes (text); INSERT INTO notes VALUES (1);') },
);
for my $what (sort keys %others) {
    subtest "$what replaces the database and the database is put back, while the programs run" => sub {
        my ($l, undef, $cursor) = begin();
        $others{$what}->($l->dir . '/other');
        my $bytes = Longroom::slurp($l->dir . '/other');
        shell('mv ' . $l->database . ' ' . $l->dir . '/elsewhere.db; cp ' . $l->dir . '/other ' . $l->database);
        is_refused($l);
        ok Longroom::slurp($l->database) eq $bytes, 'the file there is left alone';
        shell('mv ' . $l->dir . '/elsewhere.db ' . $l->database);
        is_served($l, $cursor, [@early, @late]);
        $l->stop;
    };
}

subtest 'another log is put in place with its side files, while the programs run' => sub {
    my ($other) = begin();
    kill_all($other);
    my ($l, undef, $cursor) = begin();
    ok -s $other->database . '-wal', 'the other has a WAL';
    shell('mv ' . join(' ', files_of($other->database)) . ' ' . $l->dir);
    is_served($l, $cursor, [@early, @late], reset => 1);
    $l->stop;
    $other->stop;
};

# ---------------------------------------------------------------- not accidents

# What other programs may do to a log at any time.
my %deeds = (
    'a checkpoint'      => 'PRAGMA wal_checkpoint(TRUNCATE);',
    'a new index'       => 'CREATE INDEX notes ON messages (sent_ms, content);',
    'VACUUM'            => 'VACUUM;',
    'a large change'    => "PRAGMA wal_autocheckpoint = 10; CREATE TABLE notes (text);\n"
        . "INSERT INTO notes WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
        . ' SELECT randomblob(3000) FROM n;',
    'a table removed'   => "CREATE TABLE notes (text); INSERT INTO notes VALUES (randomblob(900000));\n"
        . 'DROP TABLE notes; VACUUM; PRAGMA wal_checkpoint(TRUNCATE);',
);
for my $what (sort keys %deeds) {
    subtest "$what by another program does no harm" => sub {
        my ($l, undef, $cursor) = begin();
        my $from = $l->log_size('history');
        my $n;
        for my $round (1 .. 3) {
            $l->sql($deeds{$what} =~ s/notes/notes$round/gr);
            is $l->post('room_26', 'next ' . ++$n)->{status}, 201, 'the next message is saved';
            is $l->history('room_26')->{status}, 200, 'history is served';
        }
        ok !$l->eventually(3, sub { $l->operator('history/healthz')->{status} != 200 }),
            'longroom-history stays healthy';
        my @all = (@early, @late, map {"next $_"} 1 .. $n);
        is_deeply contents($l), \@all, 'all messages are there';
        is_deeply $l->message_contents($l->poll('room_26', after => $cursor, timeout => 5)),
            [ map {"next $_"} 1 .. $n ], 'the client that follows has missed nothing';
        is $l->post('room_26', 'last')->{status}, 201, 'messages are saved';
        kill_all($l);
        start_all($l);
        is_deeply contents($l), [@all, 'last'], 'they survive the kill of both programs';
        unlike $l->log('history', $from) . $l->log('pushd'), qr/damaged|set aside|replaced/, 'no log mentions damage';
        is_sound($l);
        $l->stop;
    };
}

# ---------------------------------------------------------------- between two runs

for my $kind (sort keys %backup_by) {
    for my $how ('mv %s %s', 'cp %s %s') {
        my $word = substr $how, 0, 2;
        subtest "$word of a backup made $kind over the database, after both programs were killed" => sub {
            my ($l, $backup, $cursor) = begin($kind);
            kill_all($l);
            ok -s $l->database . '-wal', 'a WAL is left';
            shell(sprintf $how, $backup, $l->database);
            start_all($l);
            is_served($l, $cursor, \@early, reset => 1);
            ok set_aside($l), 'the WAL is set aside';
            $l->stop;
        };
        subtest "$word of a backup made $kind over the database, with an older WAL, after both programs were killed" => sub {
            my ($l, $backup, $cursor) = begin($kind);
            $l->restart('history');
            $l->post('room_26', "more $_") for 1 .. 5;
            kill_all($l);
            shell(sprintf $how, $backup, $l->database);
            start_all($l);
            is_served($l, $cursor, \@early, reset => 1);
            ok set_aside($l), 'the WAL is set aside';
            $l->stop;
        };
        subtest "$word of a backup made $kind over the database, after both programs were stopped" => sub {
            my ($l, $backup, $cursor) = begin($kind);
            stop_all($l);
            shell(sprintf $how, $backup, $l->database);
            start_all($l);
            is_served($l, $cursor, \@early, reset => 1);
            $l->stop;
        };
        subtest "$word of a backup made $kind over the database, while longroom-pushd runs" => sub {
            my ($l, $backup, $cursor) = begin($kind);
            $l->restart('history');
            $l->post('room_26', "more $_") for 1 .. 5;
            $l->signal('history', 'KILL');
            shell(sprintf $how, $backup, $l->database);
            $l->start_program('history');
            is_served($l, $cursor, \@early, reset => 1);
            $l->stop;
        };
    }
}

subtest 'a copy of a closed database over the database of the next run, after both programs were killed' => sub {
    my ($l, undef, $cursor) = begin();
    stop_all($l);
    shell('cp ' . $l->database . ' ' . $l->dir . '/closed.db');
    start_all($l);
    $l->post('room_26', "more $_") for 1 .. 5;
    my $after = $l->history('room_26', limit => 1)->{json}{cursor};
    kill_all($l);
    shell('mv ' . $l->dir . '/closed.db ' . $l->database);
    start_all($l);
    is_served($l, $after, [@early, @late], reset => 1);
    $l->stop;
};

subtest 'the database of killed programs is copied with its side files' => sub {
    my ($l, undef, $cursor) = begin();
    kill_all($l);
    my $copy = $l->dir . '/copy';
    mkdir $copy;
    shell('cp ' . join(' ', files_of($l->database)) . " $copy");
    shell('rm ' . join(' ', files_of($l->database)) . "; mv $copy/* " . $l->dir);
    start_all($l);
    is_served($l, $cursor, [@early, @late]);
    $l->stop;
};

subtest 'the database of killed programs is moved away, another log begins, and it is moved back' => sub {
    my ($l, undef, $cursor) = begin();
    kill_all($l);
    shell('mv ' . $l->database . ' ' . $l->dir . '/elsewhere.db');
    start_all($l);
    ok saved_again($l, 'of another log'), 'a new log begins';
    is_deeply contents($l), ['of another log'], 'it has its own messages only';
    ok set_aside($l), 'the WAL of the killed programs is set aside';
    stop_all($l);
    shell('mv ' . $l->dir . '/elsewhere.db ' . $l->database);
    start_all($l);
    is_served($l, $cursor, [@early, @late]);
    $l->stop;
};

subtest 'the -shm is removed after both programs were killed' => sub {
    my ($l, undef, $cursor) = begin();
    kill_all($l);
    unlink $l->database . '-shm';
    start_all($l);
    is_served($l, $cursor, [@early, @late]);
    $l->stop;
};

subtest 'the -wal is removed after both programs were killed' => sub {
    my ($l, undef, $cursor) = begin();
    # The file still holds what was checkpointed.
    by_sqlite($l->database, 'PRAGMA wal_checkpoint(TRUNCATE);');
    $l->post('room_26', "lost $_") for 1 .. 5;
    kill_all($l);
    unlink $l->database . '-wal';
    start_all($l);
    is_served($l, $cursor, [@early, @late]);
    $l->stop;
};

for my $end ('stopped', 'killed') {
    subtest "the database is emptied after both programs were $end" => sub {
        my ($l, undef, $cursor) = begin();
        $end eq 'stopped' ? stop_all($l) : kill_all($l);
        shell(': > ' . $l->database);
        start_all($l);
        is_served($l, $cursor, [], reset => 1);
        ok set_aside($l), 'the WAL is set aside' if $end eq 'killed';
        $l->stop;
    };
}

subtest 'a text file replaces the database of killed programs, and the database is put back' => sub {
    my ($l, undef, $cursor) = begin();
    kill_all($l);
    shell('mv ' . $l->database . ' ' . $l->dir . '/elsewhere.db');
    Longroom::spew($l->database, "notes\n" x 1000);
    is_not_started($l, qr/file is not a database: put the right one in its place/);
    shell('mv ' . $l->dir . '/elsewhere.db ' . $l->database);
    start_all($l);
    is_served($l, $cursor, [@early, @late]);
    $l->stop;
};

subtest "another program's journal lies beside the database" => sub {
    my ($l, $backup, $cursor) = begin();
    stop_all($l);
    # The journal of an interrupted transaction, of a database with the same page size.
    my $other = $l->dir . '/other.db';
    by_sqlite($other, 'CREATE TABLE notes (text); INSERT INTO notes VALUES (randomblob(9000));');
    by_sqlite($other, "PRAGMA journal_mode = PERSIST; PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN;\n"
        . "UPDATE notes SET text = randomblob(90000);\n.shell cp $other-journal $other-kept\nROLLBACK;");
    my $journal = Longroom::slurp("$other-kept");
    # As it is after its sync: its header holds the number of its pages.
    substr $journal, 0, 12, pack('H*', 'd9d505f920a163d7') . pack 'N', 1;
    Longroom::spew($l->database . '-journal', $journal);
    $l->start_program('history');
    isnt $l->post('room_26', 'nowhere')->{status}, 201, 'no POST is answered with 201';
    ok $l->wait_log('history', qr/-journal beside it .+ remove it/, 20), 'the log says what to do';
    unlink $l->database . '-journal';
    $l->start_program('pushd');
    is_served($l, $cursor, [@early, @late]);
    $l->stop;
};

# Root may write anything, so this runs as another user.
subtest 'a database that was read-only for a while' => sub {
    plan skip_all => 'only root may run the programs as another user' if $> != 0;
    system("setpriv --reuid=65534 --regid=65534 --clear-groups test -x "
        . Longroom::program('longroom-history') . ' 2>/dev/null') == 0
        or plan skip_all => 'another user may not run the programs here';
    for my $end ('killed', 'stopped', 'running') {
        my $l = Longroom->start(as => 65534, operator => 1);
        my $file = $l->database;
        my $why = qr/longroom\.db may not be written: Permission denied: owned by (\S+), running as \1; mode 0440/;
        is $l->post('room_26', 'before')->{status}, 201, "$end: a message is saved";
        $l->signal('pushd', 'KILL');
        $l->signal('history', 'KILL') if $end eq 'killed';
        $l->stop_program('history') if $end eq 'stopped';
        unlink "$file-shm" if $end ne 'running';
        chmod 0440, grep {-e} $file, "$file-wal";
        if ($end eq 'running') {
            # Another file under its name, so that it is opened again.
            shell("cp -p $file $file.copy; mv $file.copy $file");
            ok $l->eventually(10, sub { $l->post('room_26', 'unsaved')->{status} == 202 }),
                '... while the file is read-only, no message is saved';
            ok $l->wait_log('history', $why, 10), '... and the log names the file';
        }
        else {
            is_not_started($l, $why);
        }
        chmod 0660, $file;
        $l->start_program('history') if $end ne 'running';
        ok $l->eventually(10, sub { $l->post('room_26', 'after')->{status} == 201 }),
            '... once the mode of the database is repaired, the next message is';
        my %modes = map { $_ => (stat $_)[2] & 0666 } grep {-e} map { $l->database . $_ } '-wal', '-shm';
        is join(' ', grep { $modes{$_} != 0660 } keys %modes), '', '... and its side files have its mode';
        $l->start_program('pushd');
        $l->stop;
    }
};

done_testing;
