# When the log cannot be written or read (PROTOCOL sections 4 and 8): full, read-only,
# locked, gone. The room keeps talking, no unsaved message is reported as saved, and
# service returns without a restart.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use File::Path ();
use JSON::PP   ();
use Longroom;
use Test::More;
use Time::HiRes qw(time);

my @mounted;
END { system 'umount', '-l', $_ for @mounted }

sub now_of { my ($l, $room) = @_; return $l->poll($room, timeout => 0)->{json}{cursor} }

# A message that cannot be saved still reaches the room.
sub is_broadcast_unsaved {
    my ($l, $why) = @_;
    my $from    = $l->log_size('history');
    my $pollers = $l->pollers;
    my $seen    = $pollers->follow('room_26', after => now_of($l, 'room_26'));
    $pollers->run(0.1);
    my $sent = $l->post('room_26', 'heard but not kept', user_id => '2', client_id => 'again');
    is $sent->{status}, 202, "$why: the answer is 202";
    is_deeply [@{ $sent->{json} }{qw(id saved content client_id)}],
        [undef, JSON::PP::false, 'heard but not kept', 'again'], 'it says that the message is in no log';
    is $sent->{headers}{location}, undef, 'without a Location';
    ok $pollers->run(20, sub { ($seen->{contents}[-1] // '') eq 'heard but not kept' }),
        'a waiting client gets the message';
    is $seen->{ids}[-1], 'null', 'without an id';
    $pollers->close;
    ok $l->wait_log('history', qr/Failed to save message to database: .+: room_id=26\b/, 5, $from),
        'the log line has the words that operators watch for';
    return;
}

sub is_saved_again {
    my ($l, $why) = @_;
    my $sent = $l->eventually(20, sub {
        my $answer = $l->post('room_26', 'kept', user_id => '2');
        return $answer->{status} == 201 && $answer;
    });
    ok $sent, "$why: messages are saved again" or return;
    is_deeply $l->request(GET => "/rooms/room_26/messages/$sent->{json}{id}")->{json}, $sent->{json},
        'they are in history';
    my $page = $l->poll('room_26', after => $sent->{json}{id} - 1, timeout => 20);
    is_deeply $page->{json}{messages}[0], $sent->{json}, 'they are delivered';
    return;
}

subtest 'a locked database does not stop the room' => sub {
    my $l = Longroom->start(settings => { 'store.busy_timeout' => '1s' });
    my $first = $l->post('room_26', 'before')->{json};
    my $unlock = $l->lock_database;
    is_broadcast_unsaved($l, 'locked');
    is_deeply $l->history('room_26')->{json}{messages}, [$first], 'history is served meanwhile';
    $unlock->();
    is_saved_again($l, 'unlocked');
    is $l->post('room_26', 'heard but not kept', user_id => '2', client_id => 'again')->{status}, 201,
        'the client_id of an unsaved message is free';

    $unlock = $l->lock_database;
    my $c = $l->connect;
    $c->write(Longroom::post_bytes('room_26', 'patient'));
    is $c->answer(0.1), undef, 'a POST waits for the lock';
    $unlock->();
    is $c->answer(20)->{status}, 201, 'it is saved if the lock is released in time';
    $l->stop;
};

subtest 'with on_save_failure = reject a locked database refuses messages' => sub {
    my $l = Longroom->start(
        settings => { 'store.busy_timeout' => '1s', 'history.on_save_failure' => 'reject' });
    my $from   = $l->log_size('history');
    my $before = now_of($l, 'room_26');
    my $unlock = $l->lock_database;
    my $answer = $l->post('room_26', 'refused');
    Longroom::is_problem($answer, 503, 'storage', 'the answer is 503');
    ok $answer->{headers}{'retry-after'}, 'Retry-After says when to try again';
    ok $l->wait_log('history', qr/Failed to save message to database: .+: room_id=26\b/, 5, $from),
        'the log says why';
    $unlock->();
    is $l->post('room_26', 'taken')->{status}, 201, 'once unlocked, the next message is saved';
    is_deeply $l->message_contents($l->poll('room_26', after => $before, timeout => 20)), ['taken'],
        'nothing else was broadcast';
    $l->stop;
};

subtest 'SIGHUP changes on_save_failure' => sub {
    my $l      = Longroom->start(settings => { 'store.busy_timeout' => '100ms' });
    my $unlock = $l->lock_database;
    is $l->post('room_26', 'heard')->{status}, 202, 'a message is broadcast';
    $l->set_in_file("[history]\non_save_failure = reject");
    Longroom::is_problem($l->post('room_26', 'refused'), 503, 'storage', 'the next is refused');
    $l->set_in_file('');
    is $l->post('room_26', 'heard')->{status}, 202, 'without the line a message is broadcast again';
    $unlock->();
    $l->stop;
};

subtest 'many requests wait once for a long lock' => sub {
    my $l = Longroom->start(settings => { 'store.busy_timeout' => '1s' });
    $l->post('room_26', 'before');
    my $unlock = $l->lock_database;
    my $begin  = time;
    my $answers = $l->send_all('room_26', [1 .. 300], clients => 100);
    is_deeply { map { $_->{status} => 1 } @$answers }, { 202 => 1 }, 'all are answered, unsaved';
    cmp_ok time - $begin, '<', 20, 'after one wait for the lock, not one for each batch';
    is $l->history('room_26')->{status}, 200, 'history is served meanwhile';
    $unlock->();
    is_saved_again($l, 'unlocked');
    $l->stop;
};

subtest 'a full disk does not stop the room' => sub {
    plan skip_all => 'only root may mount a small file system' if $> != 0;
    my $place = File::Temp->newdir('lr-XXXXXX', DIR => '/tmp');
    system("mount -t tmpfs -o size=2m,mode=0755 none $place 2>/dev/null") == 0
        or plan skip_all => 'mounting a small file system is not allowed here';
    push @mounted, "$place";
    my $l = Longroom->start(settings => { 'store.url' => "sqlite:$place/longroom.db" }, operator => 1);
    is $l->operator('history/healthz')->{status}, 200, 'longroom-history is healthy while there is space';
    Longroom::spew("$place/ballast", 'x' x 800_000);
    for my $size (16_000, 1) {
        ok $l->eventually(60, sub { $l->post('room_26', 'y' x $size)->{status} == 202 }),
            "after some messages of $size bytes there is no space for another";
    }
    is_broadcast_unsaved($l, 'full');
    is $l->operator('history/healthz')->{status}, 503, '/healthz reports that it cannot write';
    is $l->history('room_26')->{status}, 200, 'history is served meanwhile';
    my $newest = $l->history('room_26')->{json}{messages}[-1];
    unlink "$place/ballast";
    is_saved_again($l, 'with space again');
    is_deeply $l->request(GET => "/rooms/room_26/messages/$newest->{id}")->{json}, $newest,
        'earlier messages are still there';
    is_deeply [$l->sql('PRAGMA integrity_check;')], ['ok'], 'the database is sound';
    $l->stop;
    system 'umount', '-l', pop @mounted;
};

subtest 'a read-only database does not stop the room' => sub {
    my $l = Longroom->start;
    $l->post('room_26', 'before');
    my @files = map { $l->database . $_ } '', '-wal';
    my $made = system("chattr +i @files 2>/dev/null") == 0;
    if (!$made) {
        $l->stop;
        plan skip_all => 'files cannot be made immutable here (chattr +i)';
    }
    my $ok = eval { is_broadcast_unsaved($l, 'read-only'); 1 };
    is $l->history('room_26')->{status}, 200, 'history is served meanwhile';
    system "chattr -i @files 2>/dev/null";
    die $@ if !$ok;
    is_saved_again($l, 'writable again');
    $l->stop;
};

subtest 'longroom-history does not start on a read-only database' => sub {
    my $l = Longroom->start;
    my $before = $l->post('room_26', 'before')->{json};
    $l->stop_program($_) for qw(pushd history);
    my $file = $l->database;
    my @allow = $> == 0 ? ("chattr +i $file", "chattr -i $file") : ("chmod 0444 $file", "chmod 0644 $file");
    if (system("$allow[0] 2>/dev/null") != 0) {
        $l->stop;
        plan skip_all => 'files cannot be made immutable here (chattr +i)';
    }
    my $run = Longroom::run([$l->_command('history')], clean_env => 1);
    system "$allow[1] 2>/dev/null";
    is $run->{status} // 'still running', 1, 'longroom-history does not start, because it could save nothing';
    like $run->{stderr}, qr{\Q$file\E may not be written: \w+ .+: owned by \S+, running as \S+; mode},
        'it says why';
    $l->start_program($_) for qw(history pushd);
    is_deeply $l->history('room_26')->{json}{messages}, [$before],
        'once it is writable, its messages are served';
    is_saved_again($l, 'writable again');
    $l->stop;
};

# Messages answered with 201 must be in the new log, the others must get 202 or 503;
# and waiters must learn at once that the log is another one.
sub removed_while_running {
    my ($what, $remove, $restore) = @_;
    my $place = File::Temp->newdir('lr-XXXXXX', DIR => File::Spec->tmpdir);
    mkdir "$place/db" or die "mkdir: $!";
    my $file = "$place/db/longroom.db";
    my $l = Longroom->start(settings => { 'store.url' => "sqlite:$file" });
    my @old = map { $l->post('room_26', "old $_")->{json}{id} } 1 .. 3;
    my $cursor = $l->poll('room_26', after => $old[1], timeout => 20)->{json}{cursor};
    my $waiter = $l->connect;
    $waiter->write(Longroom::get_bytes("/rooms/room_26/poll?timeout=50&after=$cursor"));
    is $waiter->answer(0.1), undef, 'a poll waits';

    $remove->($place);
    if ($restore) {
        is_broadcast_unsaved($l, 'while it is gone');
        is $waiter->answer(20)->{json}{count}, 1, 'the first waiter got it too';
        $waiter->write(Longroom::get_bytes("/rooms/room_26/poll?timeout=50&after=$cursor"));
        $restore->($place);
    }
    my (@saved, %status);
    my $begin = time;
    my $back = $l->eventually(20, sub {
        my $answer = $l->post('room_26', 'new');
        $status{ $answer->{status} }++;
        push @saved, $answer->{json}{id} if $answer->{status} == 201;
        return @saved;
    });
    ok $back, 'messages are saved again';
    is join(' ', grep { !/^(?:201|202|503)$/ } keys %status), '',
        'until then every POST gets 202 or 503';
    my $page = $waiter->answer(20) || {};
    # A waiter may first get a message that is in no log.
    $page = $l->poll('room_26', after => $page->{json}{cursor}, timeout => 20)
        if $page->{json} && !$page->{json}{reset};
    is_deeply $page->{json}{reset}, JSON::PP::true, 'a waiting client is told that the log is another one';
    cmp_ok time - $begin, '<', 5, 'within seconds';
    ok -e $file, 'the file is there again';
    is_deeply [$l->sql('SELECT id FROM messages ORDER BY id;')], \@saved,
        'it has the messages that got 201';
    is_deeply $l->message_ids($l->history('room_26')), \@saved, 'so has history';
    is $l->history('room_26', after => $cursor)->{json}{reset}, JSON::PP::true,
        'the old cursor is of another log';
    is_saved_again($l, 'from then on');
    $l->stop;
}

subtest 'removing the database file begins another log' => sub {
    removed_while_running('file', sub { unlink "$_[0]/db/longroom.db" or die "unlink: $!" });
};

subtest 'removing the database with all its files begins another log' => sub {
    removed_while_running('files', sub {
        unlink map {"$_[0]/db/longroom.db$_"} '', '-wal', '-shm';
    });
};

subtest 'removing the whole folder begins another log once it is back' => sub {
    removed_while_running('folder',
        sub { File::Path::remove_tree("$_[0]/db") },
        sub { mkdir "$_[0]/db" or die "mkdir: $!" });
};

done_testing;
