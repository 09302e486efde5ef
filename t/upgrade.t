# A database of an earlier version (t/fixtures) is updated in place when
# longroom-history starts: clients notice nothing, and messages may carry more.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use File::Copy ();
use Longroom;
use Test::More;

use constant { FIRST_TAG => 'f0190124', NEWEST_TAG => '89ed2b0d', BEGAN => 21, NEWEST => 23 };

my $fixture = "$FindBin::Bin/fixtures/version-5";

# $sql: what an operator had done to it. Neither program is started.
sub put_in_place {
    my ($sql) = @_;
    my $l = Longroom->start(without => [qw(history pushd)]);
    my $file = $l->database;
    my $made = Longroom::run(['sqlite3', '-batch', '-init', '/dev/null', $file], stdin => Longroom::slurp("$fixture.sql") . ($sql // ''));
    is $made->{status}, 0, 'the database is there' or diag $made->{stderr};
    File::Copy::copy("$fixture-acknowledged", "$file-acknowledged") or die "copy $fixture-acknowledged: $!\n";
    return $l;
}

sub start_on_it {
    my $l = put_in_place(@_);
    $l->start_program($_) for qw(history pushd);
    return $l;
}

sub complaints { my ($l) = @_; return [ map { $l->log_lines($_, qr/ (?:warning|error): /) } qw(history pushd) ] }

sub old_answers { return map { [split /\t/] } split /\n/, Longroom::slurp("$fixture.answers") }

sub same_answers {
    my ($l, $title) = @_;
    for (old_answers()) {
        my ($path, $tag, $body) = @$_;
        my $answer = $l->request(GET => $path);
        is $answer->{content} =~ s/\n\z//r, $body, "$title: $path";
        is $answer->{headers}{etag}, $tag, '... with its ETag';
    }
    return;
}

subtest 'history is byte for byte what it was' => sub {
    my $l = put_in_place();
    my $inode = (stat $l->database)[1];
    $l->start_program($_) for qw(history pushd);
    is_deeply [$l->sql('PRAGMA user_version; PRAGMA integrity_check;')], [6, 'ok'], 'the database is of the new version, and sound';
    is((stat $l->database)[1], $inode, 'it is the same file');
    same_answers($l, 'at once');
    $l->restart($_) for qw(history pushd);
    same_answers($l, 'after another start');
    is_deeply complaints($l), [], 'nothing is amiss';
    $l->stop;
};

subtest 'cursors stay what they were' => sub {
    my $l = start_on_it();
    my @rows = (
        [FIRST_TAG . '.14', [16, 19, 22], undef, 'a cursor of the first incarnation'],
        [FIRST_TAG . '.' . BEGAN, [22], undef, 'one of its end'],
        [FIRST_TAG . '.22', undef, 1, 'one beyond it'],
        [NEWEST_TAG . '.19', [22], undef, 'one of the newest'],
        [NEWEST_TAG . '.' . NEWEST, [], undef, 'one of the end'],
    );
    for (@rows) {
        my ($cursor, $ids, $reset, $title) = @$_;
        my $page = $l->poll('room_26', after => "1.$cursor", timeout => 0);
        is $page->{json}{reset}, $reset, $title . ($reset ? ' gets a reset' : ' is good');
        is_deeply Longroom::message_ids($page), $ids, '... and gets what follows' if $ids;
    }
    is_deeply Longroom::message_ids($l->poll('room_26', after => 3, timeout => 0)), [6, 9, 11, 14, 16, 19, 22], 'a page from before a gap';
    ok $l->poll('room_26', after => 3, timeout => 0)->{json}{gap}, '... has the gap';
    is $l->post('room_26', 'new')->{json}{id}, NEWEST + 1, 'the next message gets the next id';
    $l->stop;
};

subtest 'a client_id from before is still known' => sub {
    my $l = start_on_it();
    my @ann = (user_id => '2', username => 'ann', client_id => 'ann-5');
    my $repeat = $l->post('room_26', 'Message 5 of room 26', @ann);
    is $repeat->{status}, 200, 'a repeat is a repeat';
    is $repeat->{content}, $l->request(GET => '/rooms/room_26/messages/11')->{content}, '... with the first message';
    Longroom::is_problem($l->post('room_26', 'Message 5', @ann), 422, 'conflict', 'another content');
    Longroom::is_problem($l->post('room_26', 'Message 5 of room 26', @ann, @$_), 422, 'conflict', "the content with $_->[0]")
        for [type => 'join'], [data => { a => 1 }], [reply_to => 6];
    is $l->post('room_26', 'again', @ann[0 .. 3], client_id => 'ann-1')->{status}, 201, 'that of a removed message is free';
    $l->stop;
};

subtest 'messages carry more from now on' => sub {
    my $l = start_on_it();
    my $waiter = $l->connect;
    $waiter->write(Longroom::get_bytes('/rooms/room_26/poll?timeout=50&after=' . NEWEST));
    my $sent = $l->post('room_26', 'new', type => 'join', data => { a => [1, 'b'] }, reply_to => 11, client_id => 'new');
    is $sent->{status}, 201, 'a message with type, data and reply_to is saved';
    my $one = $sent->{json};
    is_deeply [@$one{qw(type data reply_to)}], ['join', { a => [1, 'b'] }, 11], 'the answer has them';
    is_deeply $waiter->answer(20)->{json}{messages}, [$one], 'so has a waiting poll';
    is_deeply $l->history('room_26')->{json}{messages}[-1], $one, 'so has history';
    is_deeply $l->history('room_26', limit => 500)->{json}{messages}[-1], $one, 'so has a long page';
    is_deeply [$l->sql("SELECT type, data, reply_to FROM messages WHERE id = $one->{id};")], ['join|{"a":[1,"b"]}|11'], 'and the database';
    is $l->post('room_26', 'new', type => 'join', data => { a => [1, 'b'] }, reply_to => 11, client_id => 'new')->{status}, 200, 'a repeat is a repeat';
    $l->restart($_) for qw(history pushd);
    is_deeply $l->poll('room_26', after => NEWEST, timeout => 5)->{json}{messages}, [$one], 'it is there after a restart';
    $l->stop;
};

subtest 'longroom-pushd may start first' => sub {
    my $l = put_in_place();
    $l->_spawn('pushd');
    ok $l->wait_log('pushd', qr/info: waiting for longroom-history: there is no log yet$/m, 20), 'it waits for longroom-history';
    is_deeply [$l->sql('PRAGMA user_version;')], [5], 'the database is as it was';
    $l->start_program('history');
    ok $l->wait_log('pushd', qr/info: following the log/, 20), 'then it follows the log';
    is_deeply complaints($l), [], 'neither program complains';
    is_deeply Longroom::message_ids($l->poll('room_26', after => 19, timeout => 5)), [22], 'polls are served';
    $l->stop;
};

my %before = (
    'a trigger was dropped'        => 'DROP TRIGGER messages_edited;',
    'a column was added'           => 'ALTER TABLE messages ADD COLUMN theirs TEXT;',
    'a trigger and a view were added' => "CREATE VIEW theirs AS SELECT * FROM messages;\n"
        . 'CREATE TRIGGER theirs_too AFTER INSERT ON messages BEGIN UPDATE messages SET sender_name = sender_name WHERE 0; END;',
    'the table was altered before' => 'ALTER TABLE messages RENAME COLUMN content TO words; ALTER TABLE messages RENAME COLUMN words TO content;',
);
for my $what (sort keys %before) {
    subtest "it is updated although $what" => sub {
        my $l = start_on_it($before{$what});
        same_answers($l, $what);
        is $l->post('room_26', 'new')->{status}, 201, 'messages are saved';
        my $changes = ($l->sql('SELECT changes FROM change_count;'))[0];
        $l->sql(q(UPDATE messages SET data = '{"a":1}' WHERE id = 22;));
        is(($l->sql('SELECT changes FROM change_count;'))[0], $changes + 1, 'changes by SQL are told');
        $l->stop;
    };
}

done_testing;
