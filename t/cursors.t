# What cursors promise (PROTOCOL section 7): they can be followed from anywhere in
# the log, across restarts; cursors of another log, beyond the end, or malformed are
# recognised; and nothing is skipped silently.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use File::Copy ();
use JSON::PP   ();
use Longroom;
use Test::More;
use Time::HiRes qw(time);

my $l = Longroom->start(settings => { 'push.window' => '64K' });

sub now_of { return $l->poll($_[0], timeout => 0)->{json}{cursor} }

# Returns the statuses other than 201.
sub send_in_background {
    my ($room, $texts, $clients) = @_;
    return $l->background(sub {
        my $answers = $l->send_all($room, $texts, clients => $clients);
        return grep { $_ != 201 } map { $_->{status} } @$answers;
    });
}

sub is_reset {
    my ($answer, $ids, $title) = @_;
    is $answer->{status}, 200, "$title: the status is 200";
    is_deeply $answer->{json}{reset}, JSON::PP::true, '... the page says reset';
    is_deeply $l->message_ids($answer), $ids, '... the page is the newest';
    my $next = $l->poll('room_26', after => $answer->{json}{cursor}, timeout => 0)->{json};
    is_deeply [$next->{count}, $next->{reset}], [0, undef], '... its cursor is valid';
    return;
}

my @ids = map { $l->post('room_26', "message $_")->{json}{id} } 1 .. 12;
my @newest = @ids[2 .. 11];
is_deeply $l->message_ids($l->poll('room_26', after => $ids[10], timeout => 20)), [$ids[11]],
    'twelve messages have arrived';

subtest 'a cursor and an id mean the position after their message' => sub {
    my $page = $l->history('room_26', after => $ids[3], limit => 1);
    for my $after ($ids[4], $page->{json}{cursor}) {
        is_deeply $l->message_ids($l->poll('room_26', after => $after, timeout => 20)),
            [@ids[5 .. 11]], "a poll after $after";
        is_deeply $l->message_ids($l->history('room_26', after => $after, limit => 100)),
            [@ids[5 .. 11]], "history after $after";
    }
    is_deeply $l->message_ids($l->poll('room_26', after => 0, timeout => 20)), \@ids,
        'after=0 gives everything';
    my $from_poll = $l->poll('room_26', after => $ids[9], timeout => 20)->{json}{cursor};
    is $l->history('room_26', after => $from_poll)->{json}{count}, 0, 'history accepts the cursor of a poll';
    $l->post('room_27', 'between');
    $from_poll = $l->poll('room_27', after => $from_poll, timeout => 20)->{json}{cursor};
    is_deeply $l->message_ids($l->history('room_26', before => $from_poll, limit => 2)),
        [@ids[10, 11]], 'in both directions';
};

subtest 'a cursor of another database gets reset at once' => sub {
    my $other = Longroom->start;
    $other->post('room_26', "other $_") for 1 .. 3;
    my %cursor = (
        history => $other->history('room_26')->{json}{cursor},
        poll    => $other->poll('room_26', after => 0, timeout => 20)->{json}{cursor},
    );
    $other->stop;
    for my $from (sort keys %cursor) {
        my $begin = time;
        is_reset($l->poll('room_26', after => $cursor{$from}, timeout => 50), \@newest, "a poll, cursor of $from");
        is_reset($l->history('room_26', after => $cursor{$from}), \@newest, "history after, cursor of $from");
        is_reset($l->history('room_26', before => $cursor{$from}), \@newest, "history before, cursor of $from");
        cmp_ok time - $begin, '<', 10, '... without waiting';
        is $l->poll('nobody', after => $cursor{$from}, timeout => 50)->{json}{reset}, JSON::PP::true,
            '... in an empty room too';
    }
};

subtest 'an id beyond the end gets reset from a poll and an empty page from history' => sub {
    for my $beyond ($ids[11] + 1000, '9223372036854775807') {
        is_reset($l->poll('room_26', after => $beyond, timeout => 50), \@newest, "a poll after $beyond");
        my $page = $l->history('room_26', after => $beyond);
        is_deeply [$page->{status}, $page->{json}{count}], [200, 0], "history after $beyond is empty";
    }
};

my @nonsense = (
    '', 'abc', '-1', '+1', '1.0', '1e3', ' 1', '1 ', '0x1', '01.5f3a9c01.1', '1.', '1.1', '1..1', '1.5f3a9c01.',
    '1.5f3a9c01.142.', '1.5f3a9c01.142.9be01d22', '1.5f3a9c01.142.9be01d22.17.1', '1.5f3a9c01.-2',
    '1.5f3a9c0g.142', '1.5f3a9c0100.142', '2.5f3a9c01.142', '0.5f3a9c01.142', '9223372036854775808',
    '99999999999999999999999999', '1.5f3a9c01.9223372036854775808', 'NOW', 'now ', "1\0", "1\n",
    "\xd9\xa1", '1' x 65, 'x' x 10_240, '1' x 10_240,
);
subtest 'a malformed cursor gets bad-cursor' => sub {
    for my $cursor (@nonsense) {
        my $shown = length $cursor > 40 ? length($cursor) . ' bytes' : "'" . Longroom::escaped($cursor) . "'";
        Longroom::is_problem($l->poll('room_26', after => $cursor, timeout => 50), 400, 'bad-cursor',
            "a poll after $shown");
        Longroom::is_problem($l->history('room_26', $_ => $cursor), 400, 'bad-cursor',
            "history $_ $shown") for qw(after before);
    }
    Longroom::is_problem($l->history('room_26', after => 'now'), 400, 'bad-cursor',
        '`now` is for polls only');
};

subtest 'a poller far behind the window is served from the log' => sub {
    my @texts = map { sprintf('%04d', $_) . 'x' x 1000 } 1 .. 400;
    my $begin = now_of('deep');
    $l->send_all('deep', [@texts[0 .. 199]]);
    my $pollers = $l->pollers;
    my @seen = map { $pollers->follow('deep', after => $_ % 2 ? $begin : 0) } 1 .. 20;
    my $sender = send_in_background('deep', [@texts[200 .. 399]], 2);
    ok $pollers->run(60, sub { !grep { @{ $_->{ids} } < 400 } @seen }),
        'twenty pollers from the beginning get to the end while more is sent';
    is_deeply [$sender->result], [], 'all was saved';
    $pollers->run(0.3);
    $pollers->close;
    my @saved = map { $_->{id} } @{ $l->whole_history('deep') };
    is scalar @saved, 400, 'history has it all';
    Longroom::same_list($_->{ids}, \@saved, 'a poller has everything once, in order') for @seen;
    is scalar(grep { $_->{failures} || $_->{gaps} || $_->{resets} } @seen), 0,
        'no poller saw a failure, a gap or a reset';
};

subtest 'reading history and then polling misses nothing while others send' => sub {
    my @texts = map {"m$_"} 1 .. 500;
    my $sender = send_in_background('lively', \@texts, 4);
    # Each joiner comes when this many messages are there, reads the newest page, and
    # polls after its cursor.
    my @joined;
    for my $n (0 .. 9) {
        my $page;
        $l->eventually(60, sub {
            $page = $l->history('lively');
            return ($page->{json}{count} && $page->{json}{messages}[-1]{id} >= $ids[-1] + 40 * $n);
        });
        push @joined, $page;
    }
    my $pollers = $l->pollers;
    my @seen;
    for my $page (@joined) {
        my $seen = $pollers->follow('lively', after => $page->{json}{cursor});
        unshift @{ $seen->{ids} }, @{ $l->message_ids($page) };
        push @seen, $seen;
    }
    is_deeply [$sender->result], [], 'all was saved';
    my @saved = map { $_->{id} } @{ $l->whole_history('lively') };
    ok $pollers->run(30, sub { !grep { ($_->{ids}[-1] // 0) < $saved[-1] } @seen }), 'all reach the end';
    $pollers->close;
    for my $seen (@seen) {
        my @expected = grep { $_ >= ($seen->{ids}[0] // 0) } @saved;
        Longroom::same_list($seen->{ids}, \@expected, 'each joiner has every message once, from the first one seen');
    }
};

subtest 'messages that are in no log reach each follower once' => sub {
    my $begin = now_of('general');
    my $waiting = $l->pollers;
    my $seen = $waiting->follow('general', after => $begin);
    $l->post('general', "e$_") for 1 .. 3;
    ok $waiting->run(20, sub { @{ $seen->{contents} } >= 3 }), 'a waiting client gets them';
    my $page = $l->poll('general', after => $begin, timeout => 20);
    is_deeply $l->message_contents($page), [qw(e1 e2 e3)], 'messages sent between two polls arrive together';
    is_deeply [map { [@$_{qw(id saved)}] } @{ $page->{json}{messages} }],
        [([undef, JSON::PP::false]) x 3], 'they have no id and are marked as not saved';
    my $cursor = $page->{json}{cursor};
    is $l->poll('general', after => $cursor, timeout => 0)->{json}{count}, 0, 'they are not delivered again';
    $l->post('room_26', 'between');
    $l->post('general', 'e4');
    is_deeply $l->message_contents($l->poll('general', after => $cursor, timeout => 20)), ['e4'],
        'the cursor leads to the next message';
    ok $waiting->run(20, sub { @{ $seen->{contents} } >= 4 }), 'the client that waited all the time gets it too';
    $waiting->run(0.1);
    $waiting->close;
    is_deeply $seen->{contents}, [qw(e1 e2 e3 e4)], 'each once, in order';

    $l->restart('pushd');
    my $after_restart = $l->poll('general', after => $cursor, timeout => 0)->{json};
    is_deeply [@$after_restart{qw(count reset gap)}], [0, undef, undef],
        'a cursor from before a restart of longroom-pushd is valid, but unsaved messages are lost';
    my $c = $l->connect;
    $c->write(Longroom::get_bytes("/rooms/general/poll?timeout=20&after=$cursor"));
    is $c->answer(0.2), undef, 'a poll with it waits';
    $l->post('general', 'e5');
    is_deeply Longroom::message_contents($c->answer(20)), ['e5'], 'and gets the next message';
};

subtest 'cursors survive a restart of everything' => sub {
    my $cursor = $l->history('room_26', after => $ids[5], limit => 1)->{json}{cursor};
    my $waited = $l->poll('room_26', after => $ids[6], timeout => 20)->{json}{cursor};
    $l->restart(qw(history pushd));
    my @rest = map { $_->{id} } grep { $_->{id} > $ids[6] } @{ $l->whole_history('room_26') };
    is_deeply $l->message_ids($l->poll('room_26', after => $cursor, timeout => 20)), \@rest,
        'the cursor of a page leads to the rest';
    is $l->poll('room_26', after => $waited, timeout => 0)->{json}{count}, 0,
        'the cursor of a poll that had everything waits';
};

subtest 'gap reports messages that retention removed' => sub {
    my @pruned = map { $l->post('room_50', "p$_")->{json}{id} } 1 .. 10;
    my %cursor = map { $_ => $l->history('room_50', after => $pruned[0] - 1, limit => $_)->{json}{cursor} } 3, 6, 8;
    my $before = $pruned[0] - 1;
    $l->sql("DELETE FROM messages WHERE room_id = 50 AND id <= $pruned[5];");
    $l->restart('pushd');
    for my $after ($before, $pruned[2], $cursor{3}) {
        my $page = $l->poll('room_50', after => $after, timeout => 20);
        is_deeply $page->{json}{gap}, JSON::PP::true, "a poll after $after reports the gap";
        is $page->{json}{earliest}, $pruned[6], '... and the new earliest message';
        is_deeply $l->message_ids($page), [@pruned[6 .. 9]], '... the remaining messages follow';
    }
    for ([$pruned[5], 6], [$cursor{6}, 6], [$pruned[7], 8], [$cursor{8}, 8]) {
        my ($after, $next) = @$_;
        my $page = $l->poll('room_50', after => $after, timeout => 20);
        is $page->{json}{gap}, undef, "nothing was removed after $after, so there is no gap";
        is_deeply $l->message_ids($page), [@pruned[$next .. 9]], '... and the messages follow';
    }
    is $l->poll('room_26', after => $before, timeout => 0)->{json}{gap}, undef,
        'another room has no gap';
    is $l->history('room_50')->{json}{earliest}, $pruned[6], 'history has the new earliest too';
};

subtest 'after a backup is restored, cursors beyond its end get reset' => sub {
    my $dir = $l->dir;
    $l->stop_program($_) for qw(pushd history);
    File::Copy::copy($l->database, "$dir/backup.db") or die "copy: $!";
    $l->start_program($_) for qw(history pushd);
    my $kept = $l->history('room_26')->{json}{cursor};
    $l->post('room_26', "lost $_") for 1 .. 3;
    my %beyond = (
        history => $l->history('room_26')->{json}{cursor},
        poll    => $l->poll('room_26', after => $kept, timeout => 20)->{json}{cursor},
    );
    $l->stop_program($_) for qw(pushd history);
    unlink map { $l->database . $_ } '', '-wal', '-shm';
    File::Copy::copy("$dir/backup.db", $l->database) or die "copy: $!";
    $l->start_program($_) for qw(history pushd);
    my @now = @{ $l->message_ids($l->history('room_26')) };
    for my $from (sort keys %beyond) {
        is_reset($l->poll('room_26', after => $beyond{$from}, timeout => 50), \@now, "a poll, cursor of $from");
        is_reset($l->history('room_26', after => $beyond{$from}), \@now, "history, cursor of $from");
    }
    my $good = $l->poll('room_26', after => $kept, timeout => 0)->{json};
    is_deeply [@$good{qw(count reset)}], [0, undef], 'a cursor within the backup is still valid';
};

$l->stop;
done_testing;
