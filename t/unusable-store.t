# A database that can never work (longroom-history(8), longroom-pushd(8)): both
# programs refuse to start on it, -t says so, and the reason is complete: which file
# refuses which user. A passing problem does not prevent a start. Each row is a place
# for a database; -t leaves it as it is, and so does a refused start.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use File::Find ();
use Longroom;
use POSIX ();
use Test::More;

use constant USER => 65_534;

# Root may read and write anything.
plan skip_all => 'only root may run the programs as another user' if $> != 0;
my @as = ('setpriv', '--reuid=' . USER, '--regid=' . USER, '--clear-groups');
system("@as test -x " . Longroom::program('longroom-history') . ' 2>/dev/null') == 0
    or plan skip_all => 'another user may not run the programs here';
my $NAME = getpwuid(USER) // USER;

my @mounted;
END { system 'umount', '-l', $_ for @mounted }

my %was_given;    # the files of a log of this user's, with one message

sub shell {
    my ($command) = @_;
    system('sh', '-c', $command) == 0 or die "$command\n";
    return;
}

sub by_sqlite {
    my ($file, $sql) = @_;
    my $result = Longroom::run(['sqlite3', '-batch', '-init', '/dev/null', $file], stdin => "$sql\n");
    die $result->{stderr} if $result->{stderr};
    return $result->{stdout};
}

sub mount_small {
    my ($at, $options) = @_;
    system("mount -t tmpfs -o $options none $at 2>/dev/null") == 0 or return 0;
    push @mounted, $at;
    return 1;
}

# No program runs yet. The database will be in a folder of its own.
sub place {
    my $l = Longroom->start(without => [qw(nginx history pushd)], as => USER);
    my $place = $l->dir . '/place';
    $l->{settings} = { 'store.url' => "sqlite:$place/longroom.db", 'store.busy_timeout' => '200ms' };
    mkdir $place;
    chown USER, USER, $place;
    return ($l, $place);
}

sub put_log {
    my ($place) = @_;
    Longroom::spew("$place/$_", $was_given{$_}) for keys %was_given;
    my @files = map {"$place/$_"} keys %was_given;
    chown USER, USER, @files;
    chmod 0660, @files;
    return "$place/longroom.db";
}

{
    my ($l, $place) = place();
    $l->_spawn('history');
    $l->wait_log('history', qr/serving/) or die $l->log('history');
    is cgi($l, 'POST')->{status}, 201, 'a message is saved';
    $l->stop_program('history');
    $was_given{$_} = Longroom::slurp("$place/$_") for 'longroom.db', 'longroom.db-acknowledged';
    $l->stop;
}

# The contents of a folder, to the last byte.
sub snapshot {
    my ($at) = @_;
    my @all;
    File::Find::find({ no_chdir => 1, wanted => sub {
        my @is = lstat;
        push @all, join ' ', $_, map({ sprintf '%o', $_ } @is[2, 4, 5]), $is[9], -f _ ? Longroom::slurp($_) : '';
    } }, $at);
    return [sort @all];
}

sub run_as {
    my ($l, $program, @arguments) = @_;
    local $l->{programs} = {};
    return Longroom::run([$l->_command($program), @arguments], clean_env => 1, seconds => 20);
}

sub cgi {
    my ($l, $method) = @_;
    my %env = (GATEWAY_INTERFACE => 'CGI/1.1', REQUEST_METHOD => $method, QUERY_STRING => '',
        REQUEST_URI => '/rooms/room_26/messages');
    @env{qw(CONTENT_TYPE CONTENT_LENGTH)} = ('text/plain', 5) if $method eq 'POST';
    my $run = Longroom::run([$l->_command('history')], clean_env => 1, env => \%env,
        stdin => $method eq 'POST' ? 'Hello' : '');
    my ($head, $content) = split /\r?\n\r?\n/, $run->{stdout}, 2;
    my ($status) = ($head // '') =~ /^Status: ([0-9]+)/m;
    my ($type) = ($content // '') =~ /"type":"([a-z-]+)"/;
    return { ended => $run->{status}, status => $status // '200', type => $type // '', log => $run->{stderr} };
}

sub refused {
    my ($what, $done) = @_;
    return qr{\Q$what\E may not be $done: Permission denied: owned by root, running as \Q$NAME\E; mode 0\d{3}, group root};
}

# ---------------------------------------------------------------- what never works

my $FAR = join '/', ('x' x 110) x 4;
my $LONG = join '/', ('x' x 100) x 5;

# title; what is done to the place; what longroom-history says, and longroom-pushd,
# or 0 if that starts; and the status of a GET by CGI, if not 503.
my @never = (
    ['a database of another user', sub { my $f = put_log($_[0]); shell("chown root: $f; chmod 0600 $f") },
        sub { refused("$_[0]/longroom.db", 'read') }, sub { refused("$_[0]/longroom.db", 'read') }],
    ['a database of another user, at the end of a long path', sub {
            shell("cd $_[0] && mkdir -p $FAR && chown -R " . USER . ' .');
            my $f = put_log("$_[0]/$FAR");
            shell("chown root: $f; chmod 0600 $f");
        }, (sub { refused("$_[0]/$FAR/longroom.db", 'read') }) x 2, undef, "$FAR/longroom.db"],
    ['a database that may be read and not written', sub { my $f = put_log($_[0]); shell("chown root: $f; chmod 0644 $f") },
        sub { refused("$_[0]/longroom.db", 'written') }, 0, 200],
    ['a database of mode 0', sub { my $f = put_log($_[0]); chmod 0, $f },
        (sub { qr{longroom\.db may not be read: Permission denied: owned by \Q$NAME\E, running as \Q$NAME\E; mode 0000} }) x 2],
    ['no database, in a folder that may not be written', sub { shell("chown root: $_[0]; chmod 0755 $_[0]") },
        sub { refused($_[0], 'written') }, 0],
    ['a database in a folder that may not be written', sub { put_log($_[0]); shell("chown root: $_[0]; chmod 0755 $_[0]") },
        sub { refused($_[0], 'written') }, 0],
    ['a folder that may not be entered', sub { put_log($_[0]); shell("chown root: $_[0]; chmod 0700 $_[0]") },
        (sub { refused($_[0], 'entered') }) x 2],
    ['a folder above it that may not be entered', sub { shell("mkdir $_[0]/a; chmod 0700 $_[0]/a; mkdir -p $_[0]/a/b/c") },
        (sub { refused("$_[0]/a", 'entered') }) x 2, undef, 'a/b/c/longroom.db'],
    ['a missing folder', sub { }, sub { qr{\Q$_[0]\E/none: No such file or directory: make the folder} }, 0, undef, 'none/longroom.db'],
    ['several missing folders', sub { }, sub { qr{\Q$_[0]\E/none: No such file or directory} }, 0, undef,
        'none/of/these/longroom.db'],
    ['a file in place of the folder', sub { Longroom::spew("$_[0]/file", '') },
        (sub { qr{\Q$_[0]\E/file: Not a directory} }) x 2, undef, 'file/longroom.db'],
    ['a folder in place of the file', sub { mkdir "$_[0]/longroom.db" }, (sub { qr{\Q$_[0]\E/longroom\.db: Is a directory} }) x 2],
    ['a fifo in place of the file', sub { POSIX::mkfifo("$_[0]/longroom.db", 0666) }, (sub { qr/not a regular file/ }) x 2],
    ['a loop of links', sub { symlink 'a', "$_[0]/longroom.db"; symlink 'longroom.db', "$_[0]/a" },
        (sub { qr{\Q$_[0]\E/longroom\.db: Too many levels of symbolic links} }) x 2],
    ['a link into a folder that may not be entered',
        sub { shell("mkdir $_[0]/closed; chmod 0700 $_[0]/closed; ln -s closed/longroom.db $_[0]/longroom.db") },
        (sub { refused("$_[0]/closed", 'entered') }) x 2],
    ['a link into a missing folder', sub { symlink '../gone/longroom.db', "$_[0]/longroom.db" },
        sub { qr{/gone: No such file or directory} }, 0],
    ['a text file', sub { Longroom::spew("$_[0]/longroom.db", "notes\n" x 1000); chmod 0666, "$_[0]/longroom.db" },
        (sub { qr/file is not a database/ }) x 2],
    ['a short text file', sub { Longroom::spew("$_[0]/longroom.db", "notes\n"); chmod 0666, "$_[0]/longroom.db" },
        (sub { qr/file is not a database/ }) x 2],
    ["another program's database", sub { by_sqlite("$_[0]/longroom.db", 'CREATE TABLE notes (text);'); chmod 0666, "$_[0]/longroom.db" },
        (sub { qr/the file is not a Longroom database/ }) x 2],
    ["another program's database, all of it in its -wal", sub {
            my $file = "$_[0]/longroom.db";
            by_sqlite($file, "PRAGMA journal_mode = WAL; CREATE TABLE notes (text);\n.shell cp $file $_[0]/a; cp $file-wal $_[0]/b");
            shell("mv $_[0]/a $file; mv $_[0]/b $file-wal; rm -f $file-shm; chown " . USER . " $file $file-wal");
        }, (sub { qr/the file is not a Longroom database/ }) x 2],
    ['a database of a newer version', sub { by_sqlite(put_log($_[0]), 'PRAGMA user_version = 99;') },
        (sub { qr/the database is of a newer version: 99; this program knows up to \d/ }) x 2],
    ['an empty database of another program', sub { by_sqlite("$_[0]/longroom.db", 'PRAGMA user_version = 2;'); chmod 0666, "$_[0]/longroom.db" },
        (sub { qr/the file is not a Longroom database/ }) x 2],
    ['a log of an impossible version', sub { by_sqlite(put_log($_[0]), 'PRAGMA user_version = -1;') },
        (sub { qr/the database is of a newer version: 4294967295/ }) x 2],
    ['a path too long for SQLite', sub { shell("cd $_[0] && mkdir -p $LONG && chown -R " . USER . ' .') },
        (sub { qr/\d{3} bytes of a path, where SQLite takes \d{3}: File name too long/ }) x 2, undef, "$LONG/longroom.db"],
    ['a name too long for the files beside it', sub { },
        (sub { qr/248 bytes of a name, which needs room for 8 more: File name too long/ }) x 2, undef, 'n' x 248],
    ["a -wal of another user's", sub { put_log($_[0]); my $w = "$_[0]/longroom.db-wal"; Longroom::spew($w, 'x' x 4152); chmod 0600, $w },
        sub { refused("$_[0]/longroom.db-wal", 'read') }, 0],
);

for (@never) {
    my ($title, $do, $history, $pushd, $get, $name) = @$_;
    subtest "$title is refused" => sub {
        my ($l, $place) = place();
        $l->{settings}{'store.url'} = "sqlite:$place/$name" if $name;
        $do->($place);
        my %words = (history => $history, pushd => $pushd);
        for my $program (qw(history pushd)) {
            my $before = snapshot($place);
            my $run = run_as($l, $program, '-t');
            if (!$words{$program}) {
                is $run->{status}, 0, "$program -t accepts it, because it may pass" or diag $run->{stderr};
                like $run->{stdout}, qr/may not be|there is none yet/, '... and says what is in the way'
                    if $title !~ /may be read/;
                starts($l, $program);
                next;
            }
            my $reason = $words{$program}->($place);
            is $run->{status}, 1, "$program -t ends with status 1";
            like $run->{stderr}, qr/error: can't open the database \S+: .*$reason/, '... and says why';
            unlike $run->{stdout}, qr/good/, '... and does not call the settings good';
            $run = run_as($l, $program);
            is $run->{status} // 'still running', 1, "$program does not start";
            like $run->{stderr}, qr/error: can't open the database \S+: .*$reason/, '... and says why';
            unlike $run->{stderr}, qr/serving/, '... and never says that it serves';
            is_deeply snapshot($place), $before, '... and nothing is changed';
        }
        my $sent = cgi($l, 'POST');
        is "@$sent{qw(ended status type)}", '0 503 storage', 'as CGI a POST gets 503';
        like $sent->{log}, $history->($place), '... and logs why';
        is cgi($l, 'GET')->{status}, $get // 503, '... a GET gets what can be read';
        $sent = run_as($l, 'history', '--new-incarnation');
        is $sent->{status}, 1, '--new-incarnation fails';
        like $sent->{stderr}, $history->($place), '... and says why';
        $l->stop;
    };
}

subtest 'a store of an unknown kind is refused' => sub {
    my ($l) = place();
    $l->{settings}{'store.url'} = 'postgresql://localhost/longroom';
    for my $program (qw(history pushd)) {
        for my $run (run_as($l, $program, '-t'), run_as($l, $program)) {
            is $run->{status} // 'still running', 1, "$program refuses it";
            like $run->{stderr}, qr{store\.url: .*postgresql://localhost/longroom: write sqlite:},
                '... and says which kinds exist';
        }
    }
    $l->stop;
};

subtest 'a path that ends with a slash is refused' => sub {
    my ($l, $place) = place();
    $l->{settings}{'store.url'} = "sqlite:$place/longroom.db/";
    for my $program (qw(history pushd)) {
        for my $run (run_as($l, $program, '-t'), run_as($l, $program)) {
            is $run->{status} // 'still running', 1, "$program refuses it";
            like $run->{stderr}, qr{store\.url: \Q$place\E/longroom\.db/ names a folder}, '... and says why';
        }
    }
    is_deeply [glob "$place/*"], [], 'no file is created';
    $l->stop;
};

# ---------------------------------------------------------------- what does not prevent a start

sub starts {
    my ($l, $program) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $l->_spawn($program);
    ok $l->wait_log($program, qr/serving; pid/, 20), "$program starts" or diag $l->log($program);
    $l->stop_program($program);
    return;
}

# title; what is done to the place, false if it cannot be done here; what -t says of
# it for longroom-history, and for longroom-pushd; whether messages are saved.
my @may_pass = (
    ['a log', sub { put_log($_[0]) }, qr/a log of version \d/, qr/a log of version \d/, 1],
    ['no database', sub { 1 }, qr/there is none yet: the start makes it/, qr/there is none yet: longroom-history makes it/, 1],
    ['an empty file', sub { my $f = "$_[0]/longroom.db"; Longroom::spew($f, ''); chown USER, USER, $f },
        qr/it is empty: a log begins in it/, qr/it is empty: longroom-history/, 1],
    ['a log that was just made and not closed', sub {
            my $file = put_log($_[0]);
            shell("rm $file");
            by_sqlite($file, 'PRAGMA journal_mode = WAL;');
            shell("rm -f $file-*; chown " . USER . " $file");
        }, qr/it is empty: a log begins in it/, qr/it is empty: longroom-history/, 1],
    ['an older log', sub {
            by_sqlite(put_log($_[0]), 'PRAGMA user_version = 3; DROP TABLE life; DROP INDEX holes_by_id; DROP TRIGGER messages_edited;'
                . join '', map {"ALTER TABLE messages DROP COLUMN $_;"} qw(type data reply_to));
        },
        qr/a log of version 3: the start updates it to \d/, qr/a log of version 3: longroom-history updates it/, 1],
    ['a log of a link', sub { mkdir "$_[0]/x"; put_log("$_[0]/x"); chown USER, USER, "$_[0]/x"; symlink 'x/longroom.db', "$_[0]/longroom.db" },
        qr/a log of version \d/, qr/a log of version \d/, 1],
    ['an -acknowledged of another user', sub { put_log($_[0]); shell("chown root: $_[0]/*-acknowledged; chmod 0600 $_[0]/*-acknowledged") },
        qr/a log of version/, qr/a log of version/, 1],
    ['a folder in place of -acknowledged', sub { put_log($_[0]); shell("rm $_[0]/*-acknowledged; mkdir $_[0]/longroom.db-acknowledged") },
        qr/a log of version/, qr/a log of version/, 1],
    ['an unused -shm of another user', sub { put_log($_[0]); Longroom::spew("$_[0]/longroom.db-shm", ''); chmod 0600, "$_[0]/longroom.db-shm" },
        qr/a log of version/, refused('longroom.db-shm', 'written'), 1],
    ['a -wal of its own that may not be written', sub { put_log($_[0]); my $w = "$_[0]/longroom.db-wal"; Longroom::spew($w, ''); chown USER, USER, $w; chmod 0400, $w },
        qr/a log of version/, qr/a log of version/, 1],
    ["an empty file, beside it a -wal of another user's", sub {
            my $f = "$_[0]/longroom.db";
            Longroom::spew($f, '');
            chown USER, USER, $f;
            Longroom::spew("$f-wal", 'messages');
            chmod 0600, "$f-wal";
        }, qr/it is empty: a log begins in it/, qr/it is empty: longroom-history/, 1],
    ['a folder that may not be written, with all files in it', sub {
            my $file = put_log($_[0]);
            my @side = map {"$file$_"} qw(-wal -shm -writers);
            Longroom::spew($_, '') for @side;
            chown USER, USER, @side;
            shell("chown root: $_[0]; chmod 0755 $_[0]");
        }, qr/a log of version/, qr/a log of version/, 1],
    ['a read-only file system', sub {
            mount_small($_[0], 'size=4m,mode=0777') or return;
            put_log($_[0]);
            shell("mount -o remount,ro $_[0]");
        }, qr/longroom\.db may not be written: Read-only file system/, qr/place may not be written: Read-only file system/, 0],
    ['a full disk', sub {
            mount_small($_[0], 'size=256k,mode=0777') or return;
            put_log($_[0]);
            system "dd if=/dev/zero of=$_[0]/ballast bs=1k 2>/dev/null";
            1;
        }, qr/a log of version/, qr/a log of version/, 0],
    ['a locked log', sub { my ($place, $l) = @_; put_log($place); $l->{unlock} = $l->lock_database }, qr/a log of version/, qr/a log of version/, 0],
);

for (@may_pass) {
    my ($title, $do, $history, $pushd, $saved) = @$_;
    subtest "$title does not prevent a start" => sub {
        my ($l, $place) = place();
        my $done = $do->($place, $l);
        if (!defined $done && $title =~ /read-only|full/ && !grep { $_ eq $place } @mounted) {
            $l->stop;
            plan skip_all => 'mounting a small file system is not allowed here';
        }
        my %words = (history => $history, pushd => $pushd);
        for my $program (qw(pushd history)) {
            my $before = snapshot($place);
            my $run = run_as($l, $program, '-t');
            is $run->{status}, 0, "$program -t accepts it" or diag $run->{stderr};
            like $run->{stdout}, qr/the settings are good/, '... and the settings';
            like "$run->{stdout}$run->{stderr}", $words{$program}, '... and says what the database is';
            is_deeply snapshot($place), $before, '... and changes nothing';
        }
        starts($l, 'pushd');
        $l->_spawn('history');
        ok $l->wait_log('history', qr/serving; pid/, 20), 'history starts' or diag $l->log('history');
        my $sent = cgi($l, 'POST');
        is $sent->{status}, $saved ? 201 : 503, $saved ? 'messages are saved' : 'messages are not saved' or diag $sent->{log};
        (delete $l->{unlock} or sub { })->();
        $l->stop;
        system 'umount', '-l', pop @mounted if grep { $_ eq $place } @mounted;
    };
}

# ---------------------------------------------------------------- while the programs run

subtest 'a running program keeps running' => sub {
    my $l = Longroom->start(as => USER, operator => 1);
    my $file = $l->database;
    is $l->post('room_26', 'before')->{status}, 201, 'a message is saved';
    like run_as($l, 'history', '-t')->{stdout}, qr/a log of version/, '-t accepts a log in use';
    is $l->post('room_26', 'beside')->{status}, 201, '... and breaks no lock of it';
    # Another file under its name, so that it is opened again.
    shell("cp -p $file $file.copy; chown root: $file.copy; chmod 0600 $file.copy; mv $file.copy $file");
    ok $l->eventually(10, sub { $l->post('room_26', 'unsaved')->{status} == 202 }),
        'an unsaved message is broadcast';
    ok $l->wait_log('history', refused($file, 'read'), 10), '... and the log says why in full';
    is $l->operator('history/healthz')->{status}, 503, '... and so does /healthz';
    is run_as($l, 'history', '-t')->{status}, 1, '-t refuses it';
    $l->set_in_file('');
    like $l->log($_), qr/longroom\.conf: settings reloaded/, "SIGHUP to $_ is obeyed" for qw(history pushd);
    chown USER, USER, $file;
    ok $l->eventually(20, sub { $l->post('room_26', 'after')->{status} == 201 }),
        'once repaired, messages are saved again';
    ok $l->eventually(20, sub { $l->operator("$_/healthz")->{status} == 200 }),
        "... and $_ is healthy" for qw(history pushd);
    $l->stop;
};

subtest 'an unreadable -wal whose database is gone is set aside' => sub {
    my ($l, $place) = place();
    Longroom::spew("$place/longroom.db-wal", 'messages');
    chmod 0600, "$place/longroom.db-wal";
    starts($l, 'history');
    is_deeply [map { Longroom::slurp($_) } glob "$place/*-wal.aside-*"], ['messages'], 'it is kept under another name';
    $l->stop;
};

# As containers from before faccessat2(2) answer it: with another error than ENOSYS.
subtest 'a system that forbids newer calls is supported' => sub {
    my %prctl = (x86_64 => 157, aarch64 => 167);
    my $call = $prctl{ (POSIX::uname())[4] } // plan skip_all => 'no number of prctl(2) is known for this machine';
    my $filter = pack '(SCCL)4', 0x20, 0, 0, 0, 0x15, 0, 1, 439, 6, 0, 0, 0x50001, 6, 0, 0, 0x7fff0000;
    my ($l, $place) = place();
    put_log($place);
    my @command = ($l->_command('history'), '-t');
    my $pid = open(my $said, '-|') // die "fork: $!\n";
    if (!$pid) {
        syscall($call, 38, 1, 0, 0, 0) == 0 && syscall($call, 22, 2, pack('Sx6P', 4, $filter)) == 0 or POSIX::_exit(77);
        exec @command or POSIX::_exit(126);
    }
    like join('', <$said>), qr/a log of version/, '-t finds the log usable';
    close $said;
    $l->stop;
};

subtest 'a link to a missing database is followed' => sub {
    my ($l, $place) = place();
    mkdir "$place/there";
    chown USER, USER, "$place/there";
    symlink 'there/longroom.db', "$place/longroom.db";
    starts($l, 'history');
    ok -s "$place/there/longroom.db", 'the database is created at the link\'s target';
    unlike $l->log('history'), qr/error:/, 'it works at once';
    $l->stop;
};

done_testing;
