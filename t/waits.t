# No wait is endless or silent (longroom.conf(5)): a folder that another process keeps
# locked, a fifo in place of a file.

use strict;
use warnings;

use Fcntl   qw(:flock);
use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use POSIX ();
use Test::More;

# Any process that may read a folder can do this, between two openings of its database.
sub lock_folder {
    my ($folder) = @_;
    open my $lock, '<', $folder or die "$folder: $!";
    Longroom->eventually(10, sub { flock $lock, LOCK_EX | LOCK_NB }) or die "$folder stays locked: $!";
    return $lock;
}

sub start_alone {
    my ($program, @arguments) = @_;
    return Longroom::run([Longroom::program($program), @arguments], clean_env => 1, seconds => 40);
}

for my $program (qw(longroom-history longroom-pushd)) {
    subtest "$program does not start while another process keeps its folder locked" => sub {
        my $place = Longroom::fresh_dir();
        Longroom::spew("$place/longroom.conf", Longroom::settings_text($place));
        my $lock = lock_folder("$place");
        my $run  = start_alone($program, '-c', "$place/longroom.conf");
        is $run->{status}, 1, 'it gives up';
        like $run->{stderr}, qr/warning: waiting for the lock on folder \Q$place\E:/,
            'it soon says what it waits for';
        like $run->{stderr}, qr/error: .*folder \Q$place\E is locked by another process/,
            'and at last why it exits';
    };
}

subtest 'SIGTERM ends a start that waits' => sub {
    my $l    = Longroom->start(without => [qw(nginx history pushd)]);
    my $lock = lock_folder($l->dir);
    my $pid  = fork // die "fork: $!";
    if (!$pid) {
        open STDERR, '>', $l->dir . '/history.log' or POSIX::_exit(126);
        my $program = Longroom::program('longroom-history');
        { no warnings 'exec'; exec $program, '-c', $l->dir . '/longroom.conf' }
        POSIX::_exit(127);
    }
    ok $l->wait_log('history', qr/waiting for the lock/), 'it waits';
    kill TERM => $pid;
    my $ended = $l->eventually(5, sub { waitpid($pid, POSIX::WNOHANG()) == $pid });
    ok $ended, 'it ends at once' or kill KILL => $pid;
    $l->stop;
};

subtest 'a folder locked while longroom-history runs delays no request for long' => sub {
    my $place = Longroom::fresh_dir();
    my $l     = Longroom->start(
        settings => { 'store.url' => "sqlite:$place/longroom.db", 'store.busy_timeout' => '200ms' },
        operator => 1
    );
    $l->post('room_26', 'before');
    my $lock = lock_folder("$place");
    unlink map {"$place/longroom.db$_"} '', '-wal', '-shm';
    is $l->post('room_26', "m$_")->{status}, 202, 'a message is broadcast and not saved' for 1 .. 3;
    ok $l->wait_log('history', qr/folder \Q$place\E is locked by another process/, 5), 'the log names the folder';
    is $l->operator('history/healthz')->{status}, 503, '/healthz fails';
    close $lock;
    ok $l->eventually(20, sub { $l->post('room_26', 'after')->{status} == 201 }),
        'messages are saved again when it is unlocked';
    $lock = lock_folder("$place");
    unlink map {"$place/longroom.db$_"} '', '-wal', '-shm';
    $l->stop;
};

subtest 'a fifo as the settings file is not waited for' => sub {
    my $place = Longroom::fresh_dir();
    POSIX::mkfifo("$place/fifo", 0600) or die "mkfifo: $!";
    for my $program (qw(longroom-history longroom-pushd)) {
        my $run = start_alone($program, '-t', '-c', "$place/fifo");
        is $run->{status}, 1, "$program does not wait for ever for a writer";
        like $run->{stderr}, qr{\Q$place\E/fifo: }, '... and names the file';
    }
    Longroom::spew("$place/longroom.conf", Longroom::settings_text($place));
    my $program = Longroom::program('longroom-history');
    my $run = Longroom::run(['bash', '-c', qq{"$program" -t -c <(cat "$place/longroom.conf")}], seconds => 20);
    is $run->{status}, 0, 'the process substitution of a shell is read';
};

subtest 'a fifo as the database is refused' => sub {
    my $place = Longroom::fresh_dir();
    POSIX::mkfifo("$place/longroom.db", 0600) or die "mkfifo: $!";
    Longroom::spew("$place/longroom.conf", Longroom::settings_text($place));
    for my $program (qw(longroom-history longroom-pushd)) {
        my $run = start_alone($program, '-c', "$place/longroom.conf");
        is $run->{status}, 1, "$program does not start";
        like $run->{stderr}, qr{\Q$place\E/longroom\.db: not a regular file}, '... and says why';
    }
};

done_testing;
