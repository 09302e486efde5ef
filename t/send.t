# What a sender may rely on (PROTOCOL section 4): the three kinds of body, the limits
# at their edges, the answers 201, 200, 202 and 422, and that 201 means saved. Refused
# input is in bad-input.t.

use strict;
use warnings;
use utf8;

use FindBin ();
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Longroom;
use Test::More;

my $l = Longroom->start;

sub post_raw {
    my ($room, $type, $body, %headers) = @_;
    return $l->request(
        POST    => "/rooms/$room/messages",
        headers => { 'Content-Type' => $type, %headers },
        content => $body,
    );
}

sub count { return $l->history($_[0], limit => 1000)->{json}{count} }

subtest 'a JSON message gets 201 and the message as it is stored' => sub {
    my $from   = $l->log_size('history');
    my $answer = $l->post('room_26', 'Hello world', user_id => '2', username => 'ann');
    is $answer->{status}, 201, 'the status is 201';
    like $answer->{headers}{'content-type'}, qr{^application/json\b}, 'the body is JSON';
    my $message = $answer->{json};
    like $message->{timestamp}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
        'the timestamp is RFC 3339 in UTC with milliseconds';
    my $id = $message->{id};
    like $answer->{content}, qr/"id"\s*:\s*[1-9][0-9]*\b/, 'the id is an integer';
    like $answer->{content}, qr/"user_id"\s*:\s*"2"/,      'the user_id is a string';
    is_deeply $message,
        {
            type        => 'chat_message',
            id          => $id,
            room_id     => 'room_26',
            user_id     => '2',
            username    => 'ann',
            sender_type => 'user',
            content     => 'Hello world',
            timestamp   => $message->{timestamp},
        },
        'the members are those of the protocol and no others';

    my $location = $answer->{headers}{location};
    like $location, qr{/rooms/room_26/messages/$id$}, 'Location names the message';
    my ($path) = $location =~ m{^(?:http://[^/]+)?(/.*)$};
    my $fetched = $l->request(GET => $path);
    is $fetched->{status}, 200, 'Location can be fetched';
    is_deeply $fetched->{json}, $message, 'it is the message that was answered';

    ok $l->wait_log('history',
        qr/Saved message to database: room_id=26, user_id=2, msg_id=$id\b/, 5, $from),
        'the log line has the words that operators watch for';
    is_deeply [$l->sql("SELECT id, room_id, sender_id, sender_name, sender_type, content,
                        client_id IS NULL, sent_ms > 1700000000000 FROM messages WHERE id = $id;")],
        ["$id|26|2|ann|user|Hello world|1|1"], 'the database has it with the number of the room';
};

subtest 'a form is equivalent' => sub {
    my $answer = post_raw('room_26', 'application/x-www-form-urlencoded',
        'content=Gr%C3%BC%C3%9Fe+und+%26+mehr&user_id=7&username=b%20c&client_id=f-1');
    is $answer->{status}, 201, 'the status is 201';
    is_deeply [@{ $answer->{json} }{qw(content user_id username client_id)}],
        ['Grüße und & mehr', '7', 'b c', 'f-1'], 'percent and plus are decoded';
};

subtest 'plain text is the content' => sub {
    my $answer = post_raw('room_26', 'text/plain; charset=UTF-8', " {\"content\":\"\xe2\x82\xac\"}\n");
    is $answer->{status}, 201, 'the status is 201';
    is $answer->{json}{content}, '{"content":"€"}', 'the body is the content, trimmed';
    is $answer->{json}{user_id}, 'anonymous', 'the sender is anonymous';
};

subtest 'charset names for UTF-8 and US-ASCII are accepted' => sub {
    for my $charset (qw(utf8 UTF8 utf-8 us-ascii US-ASCII "utf-8")) {
        is post_raw('room_26', "application/json; charset=$charset", '{"content":"x"}')->{status}, 201,
            "charset=$charset";
    }
};

subtest 'a byte order mark before JSON is skipped' => sub {
    my $answer = post_raw('room_26', 'application/json', qq(\xef\xbb\xbf{"content":"marked"}));
    is $answer->{status}, 201, 'the status is 201';
    is $answer->{json}{content}, 'marked', 'the content is complete';
};

subtest 'in open mode the client names the sender, with defaults' => sub {
    is_deeply [@{ $l->post('room_26', 'x')->{json} }{qw(user_id username)}],
        ['anonymous', 'anonymous'], 'both default to anonymous';
    is_deeply [@{ $l->post('room_26', 'x', user_id => '9')->{json} }{qw(user_id username)}],
        ['9', '9'], 'the username is the user_id if absent';
    is_deeply [@{ $l->post('room_26', 'x', username => 'eve')->{json} }{qw(user_id username)}],
        ['anonymous', 'eve'], 'a username alone leaves the user_id anonymous';
    is $l->post('room_26', 'x', sender_type => 'bot')->{json}{sender_type}, 'bot', 'the sender_type is the one given';
    my $longest = 'é' x 64;
    is $l->post('room_26', 'x', user_id => $longest, username => $longest)->{json}{username},
        $longest, 'both may have 128 bytes';
};

subtest 'white space is trimmed from both ends, and only there' => sub {
    my $space = join '', map {chr} 0x09 .. 0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000 .. 0x200A,
        0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF;
    is $l->post('room_26', "${space}a${space}b$space")->{json}{content}, "a${space}b",
        'every character of White_Space, and U+FEFF';
    is $l->post('room_26', "\x{200B}a\x{180E}")->{json}{content}, "\x{200B}a\x{180E}",
        'a zero-width space (U+200B) and U+180E are not white space';
};

subtest 'any character but U+0000 comes back as it was sent' => sub {
    my $odd = join '', (map {chr} 0x01 .. 0x08, 0x0E .. 0x1F, 0x7F), '"\\/<>&',
        "\x{E000}\x{FFFD}\x{FFFE}\x{10FFFF}\x{1F600}";
    my $answer = $l->post('room_26', "a${odd}z");
    is $answer->{status}, 201, 'control characters and the end of Unicode are accepted';
    is $answer->{json}{content}, "a${odd}z", 'the answer has them';
    is $l->request(GET => "/rooms/room_26/messages/$answer->{json}{id}")->{json}{content},
        "a${odd}z", 'history has them';
    is post_raw('room_26', 'application/json', '{"content":"\ud83d\ude00 \ud83d x \ude00"}')->{json}{content},
        "\x{1F600} \x{FFFD} x \x{FFFD}", 'an unpaired surrogate escape becomes U+FFFD';
};

subtest 'the content may have 16384 bytes after trimming' => sub {
    my $most = 'é' x 8192;
    my $answer = $l->post('room_26', "  $most\n");
    is $answer->{status}, 201, '16384 bytes are accepted';
    is $answer->{json}{content}, $most, 'the content is complete';
    Longroom::is_problem($l->post('room_26', $most . 'x'), 413, 'content-too-large',
        '16385 bytes are refused');
    my $escaped = '{"content":"' . '\u0001' x 16384 . '"}';
    is post_raw('room_26', 'application/json', $escaped)->{status}, 201,
        'the longest content is accepted with every character escaped';
    is post_raw('room_26', 'application/x-www-form-urlencoded', 'content=' . '%41' x 16384)->{status},
        201, 'in a form too';
    is post_raw('room_26', 'text/plain', 'y' x 16384)->{status}, 201, 'and as text';
    Longroom::is_problem(post_raw('room_26', 'text/plain', 'y' x 16385), 413, 'content-too-large',
        'one byte more of text is refused');
};

subtest 'a client_id is saved once' => sub {
    my $room  = 'dedupe';
    my $first = $l->post($room, 'once', user_id => '2', client_id => 'c-1');
    is $first->{status}, 201, 'the first is saved';
    is $first->{json}{client_id}, 'c-1', 'the answer has its client_id';
    my $again = $l->post($room, ' once ', user_id => '2', client_id => 'c-1');
    is $again->{status}, 200, 'the second gets 200';
    is_deeply $again->{json}, $first->{json}, 'and the first message';
    Longroom::is_problem($l->post($room, 'twice', user_id => '2', client_id => 'c-1'), 422,
        'conflict', 'another content under the same client_id is a conflict');
    is $l->post($room, 'once', user_id => '3', client_id => 'c-1')->{status}, 201,
        'another sender may use the same client_id';
    is $l->post('dedupe-2', 'once', user_id => '2', client_id => 'c-1')->{status}, 201,
        'and so may the same sender in another room';
    is count($room), 2, 'the room has the messages that got 201';
    is $l->post($room, 'long', client_id => 'k' x 128)->{json}{client_id}, 'k' x 128,
        'a client_id may have 128 bytes';
};

subtest 'Idempotency-Key is the same as a client_id' => sub {
    my $room = 'keyed';
    my $json = '{"content":"once"}';
    my $first = post_raw($room, 'application/json', $json, 'Idempotency-Key' => '"k 1"');
    is $first->{status}, 201, 'a header in double quotes is accepted';
    is $first->{json}{client_id}, 'k 1', 'the client_id is without the quotes';
    is post_raw($room, 'application/json', $json, 'Idempotency-Key' => 'k 1')->{status}, 200,
        'without quotes it is the same key';
    is post_raw($room, 'text/plain', 'once', 'Idempotency-Key' => 'k 1')->{json}{id},
        $first->{json}{id}, 'it is the same for every kind of body';
    is post_raw($room, 'application/json', '{"content":"once","client_id":"k 1"}',
        'Idempotency-Key' => '"k 1"')->{status}, 200, 'header and client_id may both be given and agree';
    Longroom::is_problem(
        post_raw($room, 'application/json', '{"content":"once","client_id":"k 2"}',
            'Idempotency-Key' => 'k 1'),
        400, 'bad-parameter', 'if they differ, they are refused');
    Longroom::is_problem(post_raw($room, 'text/plain', 'once', 'Idempotency-Key' => ''),
        400, 'bad-parameter', 'an empty one is refused');
    my $c = $l->connect;
    my $twice = Longroom::post_bytes($room, 'once');
    $twice =~ s/\r\n/\r\nIdempotency-Key: k 1\r\nIdempotency-Key: k 2\r\n/;
    Longroom::is_problem($c->ask($twice), 400, 'bad-parameter', 'two headers are refused');
    is count($room), 1, 'all of these are one message';
};

subtest 'a client_id that is sent many times at once is saved once' => sub {
    my $crowd = $l->crowd;
    my %status;
    my %id;
    for (1 .. 24) {
        $crowd->add(sub {
            my ($answer) = @_;
            return Longroom::post_bytes('at-once', 'same', client_id => 'same') if !$answer;
            $status{ $answer->{status} }++;
            $id{$1}++ if $answer->{content} =~ /"id"\s*:\s*(\d+)/;
            return;
        });
    }
    ok $crowd->run(30), 'all are answered';
    is_deeply \%status, { 201 => 1, 200 => 23 }, 'one gets 201, the others 200';
    is keys %id, 1, 'all get the same id';
    is count('at-once'), 1, 'history has one message';
};

subtest 'a message to an ephemeral room is in no log' => sub {
    my ($rows) = $l->sql('SELECT count(*) FROM messages;');
    my $answer = $l->post('general', 'gone soon', client_id => 'e-1');
    is $answer->{status}, 202, 'the status is 202';
    is $answer->{json}{id}, undef, 'the id is null';
    is_deeply [$answer->{json}{saved}], [JSON::PP::false], 'saved is false';
    is $answer->{json}{client_id}, 'e-1', 'it has the client_id';
    is $answer->{headers}{location}, undef, 'there is no Location';
    is count('general'), 0, 'the room has no history';
    is_deeply [map { $_->{json}{ephemeral} } $l->history('general'), $l->poll('general', timeout => 0),
        $l->poll('general', after => 0, timeout => 0)], [(JSON::PP::true) x 3], 'its pages and polls say so';
    is_deeply [map { $_->{json}{ephemeral} } $l->history('room_26'), $l->poll('room_26', timeout => 0),
        $l->poll('room_26', after => 0, timeout => 0)], [undef, undef, undef], 'those of other rooms do not';
    is_deeply [$l->sql('SELECT count(*) FROM messages;')], [$rows], 'the database has no more rows';
};

subtest 'ids grow in the order of the sends' => sub {
    my @ids = map { $l->post($_ % 2 ? 'grow' : 'room_26', "message $_")->{json}{id} } 1 .. 20;
    is scalar(grep { $ids[$_] > $ids[$_ - 1] } 1 .. 19), 19, 'across the rooms';
};

$l->stop;
done_testing;
