# Changes that an operator makes by SQL (longroom-history(8)): ETags, pages, the
# window and gap follow the database, within about a second.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Longroom;
use Test::More;

my $l = Longroom->start(operator => 1);

my $next_room = 100;

# A room with $count messages that longroom-pushd has: its name and their ids.
sub make_room {
    my ($count) = @_;
    my $room = 'room_' . $next_room++;
    my @ids  = map { $l->post($room, "m$_")->{json}{id} } 1 .. $count;
    $l->poll($room, after => $ids[-1] - 1, timeout => 20);
    return ($room, @ids);
}

sub seen { return join ' ', @{ Longroom::message_contents($_[0]) }, $_[0]{json}{gap} ? 'gap' : () }

# What a poll after this place gets at once; waits until it is as expected.
sub polls_to {
    my ($room, $after, $expected, $title) = @_;
    my $got;
    $l->eventually(5, sub {
        $got = seen($l->poll($room, after => $after, timeout => 0));
        return $got eq $expected;
    });
    is $got, $expected, $title;
    return;
}

sub history_is {
    my ($room, $after, $expected, $title, %more) = @_;
    is seen($l->history($room, after => $after, %more)), $expected, $title;
    return;
}

sub status_with {
    my ($path, $tag) = @_;
    return $l->request(GET => $path, headers => { 'If-None-Match' => $tag })->{status};
}

sub reads_of_rooms { return $l->metrics('pushd')->{'log_reads_total{kind="room"}'} }

sub text_of { my ($value) = @_; return ref $value ? JSON::PP->new->canonical->encode($value) : $value // '' }

subtest 'an UPDATE changes what clients see of a message' => sub {
    my ($room, @ids) = make_room(3);
    my %other = (room => (make_room(2))[0]);
    my %path  = (page => "/rooms/$room/messages", message => "/rooms/$room/messages/$ids[1]");
    $other{tag} = $l->history($other{room})->{headers}{etag};
    my $waiter = $l->connect;
    $waiter->write(Longroom::get_bytes("/rooms/$room/poll?timeout=50&after=$ids[2]"));
    my %columns = (
        sender_id => ['user_id',  '77'], sender_name => ['username', 'new name'],
        client_id => ['client_id', 'c7'], sender_type => ['sender_type', 'robot'],
        sent_ms   => ['timestamp', 1_790_000_000_123, '2026-09-21T14:13:20.123Z'],
        content   => ['content', 'new text'], type => ['type', 'join'],
        data      => ['data', '{"b":[1]}'], reply_to => ['reply_to', '7'],
    );
    for my $column (sort keys %columns) {
        my ($member, $value, $shown) = @{ $columns{$column} };
        $shown //= $value;
        my %tag = map { $_ => $l->request(GET => $path{$_})->{headers}{etag} } keys %path;
        is status_with($path{$_}, $tag{$_}), 304, "the $_ has its ETag" for sort keys %path;
        $l->sql("UPDATE messages SET $column = '$value' WHERE id = $ids[1];");
        is status_with($path{$_}, $tag{$_}), 200, "$column: the old ETag of the $_ is no longer valid"
            for sort keys %path;
        is text_of($l->history($room)->{json}{messages}[1]{$member}), $shown, '... and history has the new value';
        my $polled = $l->eventually(5, sub {
            my $page = $l->poll($room, after => $ids[0], timeout => 0)->{json};
            return text_of($page->{messages}[0]{$member}) eq $shown && $page;
        });
        ok $polled, '... so has a poll, about a second later' or next;
        is_deeply [map { $_->{id} } @{ $polled->{messages} }], [@ids[1, 2]], '... with all that follows';
        is $polled->{gap}, undef, '... and no gap';
    }
    is status_with("/rooms/$other{room}/messages", $other{tag}), 304, 'another room keeps its ETag';
    is $waiter->answer(0.1), undef, 'a waiting poll keeps waiting';
    $l->post($room, 'later');
    is seen($waiter->answer(20)), 'later', 'and gets the next message';
};

# Where messages are removed from nine, and what the places report after that:
# [after which message, what follows, the place after the page].
my %removals = (
    front  => [[1 .. 3], [0, 'm4 m5 m6 m7 m8 m9 gap'], [1, 'm4 m5 m6 m7 m8 m9 gap'], [3, 'm4 m5 m6 m7 m8 m9'], [5, 'm6 m7 m8 m9'], [9, '']],
    middle => [[4, 5], [0, 'm1 m2 m3 m6 m7 m8 m9 gap'], [3, 'm6 m7 m8 m9 gap'], [4, 'm6 m7 m8 m9 gap'], [5, 'm6 m7 m8 m9'], [8, 'm9']],
    end    => [[8, 9], [0, 'm1 m2 m3 m4 m5 m6 m7 gap'], [6, 'm7 gap'], [7, 'gap'], [8, 'gap'], [9, '']],
    all    => [[1 .. 9], [0, 'gap'], [5, 'gap'], [8, 'gap'], [9, '']],
    two    => [[2, 8], [0, 'm1 m3 m4 m5 m6 m7 m9 gap'], [1, 'm3 m4 m5 m6 m7 m9 gap'], [2, 'm3 m4 m5 m6 m7 m9 gap'], [7, 'm9 gap'], [8, 'm9']],
);

for my $restarted (0, 1) {
    for my $where (sort keys %removals) {
        subtest "a DELETE is reported by gap: $where" . ($restarted ? ', longroom-pushd started after it' : '') => sub {
            my ($room, @ids) = make_room(9);
            my ($removed, @rows) = @{ $removals{$where} };
            my %place  = map { $_ => $_ == 0 ? $ids[0] - 1 : $ids[$_ - 1] } 0 .. 9;
            my %cursor = map { $_ => $l->history($room, after => $place{0}, limit => $_ || 1)->{json}{cursor} } 1 .. 9;
            my $waiter = $l->connect;
            $waiter->write(Longroom::get_bytes("/rooms/$room/poll?timeout=50&after=$ids[8]"));
            is $waiter->answer(0.1), undef, 'a poll waits';
            my $tag = $l->history($room)->{headers}{etag};
            $l->sql("DELETE FROM messages WHERE id IN (" . join(',', map { $ids[$_ - 1] } @$removed) . ');');
            is status_with("/rooms/$room/messages", $tag), 200, 'the ETag is no longer valid';
            if ($restarted) {
                $waiter->close;
                $l->restart('pushd');
            }
            for my $row (@rows) {
                my ($n, $expected) = @$row;
                for my $after ($place{$n}, $cursor{$n} // ()) {
                    polls_to($room, $after, $expected, "a poll after message $n");
                    history_is($room, $after, $expected, 'history too');
                    my $cursor = $l->poll($room, after => $after, timeout => 0)->{json}{cursor};
                    polls_to($room, $cursor, '', 'reported once: the cursor is past the gap');
                    history_is($room, $cursor, '', 'in history too');
                }
            }
            return if $restarted;
            is $waiter->answer(0.1), undef, 'a client that had everything is told nothing';
            $l->post($room, 'later');
            is seen($waiter->answer(20)), 'later', 'and gets the next message, without a gap';
        };
    }
}

subtest 'paging reports the gap where it is' => sub {
    my ($room, @ids) = make_room(9);
    my $start = $ids[0] - 1;
    $l->sql("DELETE FROM messages WHERE id = $ids[4];");
    my ($after, @pages) = ($start);
    for (1 .. 4) {
        my $page = $l->history($room, after => $after, limit => 2);
        push @pages, seen($page);
        $after = $page->{json}{cursor};
    }
    is_deeply \@pages, ['m1 m2', 'm3 m4', 'm6 m7 gap', 'm8 m9'], 'by the page that lacks a message';
    is $l->history($room, before => $ids[6])->{json}{gap}, undef, 'reading backwards reports no gap';
    is $l->history($room)->{json}{gap}, undef, 'nor does the newest page';
};

subtest 'a follower that sleeps is told what it has missed' => sub {
    my ($room, @ids) = make_room(3);
    my $cursor = $l->poll($room, after => $ids[1], timeout => 20)->{json}{cursor};
    my @later  = map { $l->post($room, "late $_")->{json}{id} } 1 .. 4;
    $l->sql("DELETE FROM messages WHERE id = $ids[0];");
    polls_to($room, $cursor, 'late 1 late 2 late 3 late 4', 'nothing, when a message that it had is removed');
    $l->sql("DELETE FROM messages WHERE id = $later[1];");
    polls_to($room, $cursor, 'late 1 late 3 late 4 gap', 'a gap, when a message that it never had is removed');
    my $awake = $l->poll($room, after => $cursor, timeout => 0)->{json}{cursor};
    my $waiter = $l->connect;
    $waiter->write(Longroom::get_bytes("/rooms/$room/poll?timeout=50&after=$awake"));
    is $waiter->answer(0.1), undef, 'then its poll waits';
    $l->post($room, 'later');
    is seen($waiter->answer(20)), 'later', 'and gets the next message';
};

subtest 'a message removed before longroom-pushd sees it is a gap' => sub {
    my ($room, @ids) = make_room(2);
    my $waiter = $l->connect;
    $waiter->write(Longroom::get_bytes("/rooms/$room/poll?timeout=50&after=$ids[1]"));
    is $waiter->answer(0.1), undef, 'a poll waits';
    my $insert = "INSERT INTO messages (room_id, sender_id, sender_name, content, sent_ms) VALUES ("
        . ($room =~ /(\d+)/)[0] . ", '1', 'x', 'brief', 0);";
    $l->sql("BEGIN; $insert DELETE FROM messages WHERE content = 'brief'; COMMIT;");
    my $answer = $waiter->answer(20);
    is seen($answer), 'gap', 'the waiter is told of the gap' or return;
    polls_to($room, $answer->{json}{cursor}, '', 'it is reported once');
};

subtest 'changes elsewhere cost a room nothing' => sub {
    my ($room,  @ids)   = make_room(3);
    my ($other, @there) = make_room(3);
    polls_to($room, $ids[0], 'm2 m3', 'the room is in the window');
    $l->sql("DELETE FROM messages WHERE id = $there[1];");
    polls_to($other, $there[0] - 1, 'm1 m3 gap', 'a message was removed in another room');
    my $before = reads_of_rooms();
    polls_to($room, $ids[0], 'm2 m3', 'the room is still in the window') for 1 .. 3;
    is reads_of_rooms(), $before, 'without another read of the log';
};

subtest 'a message may be moved' => sub {
    my ($from, @ids) = make_room(3);
    my ($to, @there) = make_room(1);
    my $start = $ids[0] - 1;
    my ($number) = $to =~ /(\d+)/;
    $l->sql("UPDATE messages SET room_id = $number WHERE id = $ids[1];");
    polls_to($from, $start, 'm1 m3 gap', 'it has left its room');
    history_is($from, $start, 'm1 m3 gap', 'in history too');
    polls_to($to, $start, 'm2 m1', 'it is in the other room');
    $l->sql("UPDATE messages SET id = id + 1000 WHERE id = $ids[0];");
    polls_to($from, $start, 'm3 m1 gap', 'it may get another id');
    history_is($from, $start, 'm3 m1 gap', 'in history too');
    my $sent = $l->post($from, 'next');
    is $sent->{json}{id}, $ids[0] + 1001, 'new ids are above it';
    polls_to($from, $ids[0] + 1000, 'next', 'polls follow');
};

subtest 'a room may be renamed' => sub {
    my $id = $l->post('old-name', 'm1')->{json}{id};
    polls_to('old-name', $id - 1, 'm1', 'the room has a message');
    $l->sql("UPDATE rooms SET name = 'new-name' WHERE name = 'old-name';");
    polls_to('new-name', $id - 1, 'm1', 'it has its messages under the new name');
    polls_to('old-name', $id - 1, '', 'and none under the old one');
};

subtest 'very many changes at once are followed' => sub {
    my ($room, @ids) = make_room(4);
    my ($number) = $room =~ /(\d+)/;
    $l->sql("INSERT INTO messages (room_id, sender_id, sender_name, content, sent_ms)"
            . " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
            . " SELECT $number + i % 2000, '1', 'x', 'many ' || i, 0 FROM n;");
    $l->sql("UPDATE messages SET content = 'changed' WHERE content LIKE 'many %';"
            . "DELETE FROM messages WHERE content = 'changed' AND room_id % 2 = 0;");
    my ($even) = grep { ($number + $_) % 2 == 0 } 2, 3;
    my ($odd)  = grep { ($number + $_) % 2 == 1 } 2, 3;
    polls_to('room_' . ($number + $even), $ids[3], 'gap', 'rooms that lost everything have a gap');
    polls_to('room_' . ($number + $odd), $ids[3], 'changed changed', 'others have the new texts');
    polls_to($room, $ids[1], "m3 m4" . ($number % 2 ? ' changed' : ' gap'), 'a room with earlier messages');
};

subtest 'a database of the first version keeps its gaps' => sub {
    my $place = Longroom::fresh_dir();
    my $old = Longroom::run(['sqlite3', "$place/longroom.db"], stdin => <<'END');
CREATE TABLE log (identity INTEGER NOT NULL, removals INTEGER NOT NULL DEFAULT 0);
CREATE TABLE rooms (room_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, pruned_id INTEGER NOT NULL DEFAULT 0);
CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, room_id INTEGER NOT NULL, sender_id TEXT NOT NULL,
  sender_name TEXT NOT NULL, sender_type TEXT NOT NULL DEFAULT 'user', content TEXT NOT NULL, client_id TEXT,
  sent_ms INTEGER NOT NULL);
CREATE INDEX messages_by_room ON messages (room_id);
CREATE UNIQUE INDEX messages_by_client_id ON messages (room_id, sender_id, client_id) WHERE client_id IS NOT NULL;
CREATE TRIGGER messages_removed AFTER DELETE ON messages BEGIN
  INSERT OR IGNORE INTO rooms (room_id, name) VALUES (old.room_id, 'room_' || old.room_id);
  UPDATE rooms SET pruned_id = max(pruned_id, old.id) WHERE room_id = old.room_id;
  UPDATE log SET removals = removals + 1;
END;
INSERT INTO log (identity) VALUES (77);
PRAGMA application_id = 1282303858; PRAGMA user_version = 1; PRAGMA journal_mode = WAL;
INSERT INTO rooms (room_id, name) VALUES (-1, 'lobby');
INSERT INTO messages (room_id, sender_id, sender_name, content, sent_ms)
  VALUES (26, '1', 'x', 'm1', 0), (-1, '1', 'x', 'm2', 0), (26, '1', 'x', 'm3', 0), (-1, '1', 'x', 'm4', 0);
DELETE FROM messages WHERE id = 1;
END
    is $old->{status}, 0, 'the database exists' or diag $old->{stderr};
    my $new = Longroom->start(settings => { 'store.url' => "sqlite:$place/longroom.db" });
    is seen($new->poll($_->[0], after => 0, timeout => 0)), $_->[1], "a poll of $_->[0]"
        for ['room_26', 'm3 gap'], ['lobby', 'm2 m4'];
    is seen($new->history('room_26', after => 0)), 'm3 gap', 'history too';
    is $new->post('lobby', 'm5')->{json}{id}, 5, 'new messages are saved';
    $new->stop;
};

is_deeply [$l->sql('PRAGMA integrity_check;')], ['ok'], 'the database is sound';
$l->stop;
# What the last checkpoint has left has another schema than the WAL.
subtest 'a schema that is changed on both sides of a checkpoint' => sub {
    for my $first ('CREATE TABLE theirs (a);', 'VACUUM;') {
        my $l = Longroom->start(without => ['pushd']);
        my @ids = $l->post('room_1', 'before')->{json}{id};
        $l->history('room_1');
        $l->sql($_) for $first, 'PRAGMA wal_checkpoint(TRUNCATE);', 'CREATE TABLE others (a);';
        push @ids, $l->post('room_1', "after $_")->{json}{id} for 1, 2;
        Longroom::same_list([map { $_->{id} } @{ $l->history('room_1')->{json}{messages} || [] }], \@ids,
            "$first: what was saved stays");
        is $l->post('room_1', 'more')->{status}, 201, '... and more is saved';
        unlike $l->log('history'), qr/damaged|set aside/, 'the log knows its own files';
        $l->stop;
    }
};

done_testing;
