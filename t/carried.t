# What a message carries beside its text (PROTOCOL section 4): type, data, reply_to, and
# "store":false. A table: each row is a POST, and what comes of it, byte for byte, in the
# answer, in a page of history, as a single message, in a poll and in a stream.

use strict;
use warnings;
use utf8;

use FindBin ();
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Longroom;
use Stream;
use Test::More;

use constant {
    JSON => 'application/json',
    FORM => 'application/x-www-form-urlencoded',
    TEXT => 'text/plain',
};

my $STORED    = 'room_26';
my $EPHEMERAL = 'general';

my $l = Longroom->start(operator => 1);

# A form of these fields, every byte that is not a letter or digit as %XX.
sub form {
    my (@pairs) = @_;
    my @fields;
    push @fields, shift(@pairs) . '=' . Longroom::escaped(shift @pairs) while @pairs;
    return join '&', @fields;
}

# An object with other objects, or arrays, in it, this many in all.
sub nested {
    my ($levels, $open, $close) = @_;
    return '{"a":' . $open x ($levels - 1) . '1' . $close x ($levels - 1) . '}';
}

sub sized { my ($size) = @_; return '{"a":"' . 'x' x ($size - 8) . '"}' }

my $MEMBERS = '{' . join(',', map {"\"m$_\":1"} 1 .. 10_000) . '}';
my $NUMBERS = '{"n":[1e400,-0,-0.0,1.50,1E+05,12345678901234567890,0.1e-999]}';
my $ESCAPED = '{"\u0061":"\u00e9 \/ \" \\\\ \n \u2028 \ud83d\ude00"}';

# [title, kind of body, body, 'status', what the message has, room]: it is accepted.
# [title, kind of body, body, 'status type', detail]: it is refused.
my @rows = (
    # type
    ['no type', JSON, '{"content":"a"}', 201, {}],
    ['the default type', JSON, '{"content":"a","type":"chat_message"}', 201, {}],
    ['the default type in a form', FORM, form(content => 'a', type => 'chat_message'), 201, {}],
    ['another type', JSON, '{"content":"a","type":"site.poll-2_x"}', 201, { type => 'site.poll-2_x' }],
    ['another type in a form', FORM, form(content => 'a', type => 'file'), 201, { type => 'file' }],
    ['a type without content', JSON, '{"type":"joined"}', 201, { type => 'joined', content => '' }],
    ['a type with empty content, in a form', FORM, form(type => 'joined', content => ''), 201,
        { type => 'joined', content => '' }],
    ['a type with invisible content', JSON, '{"type":"joined","content":" \u200b\u00a0"}', 201,
        { type => 'joined', content => '' }],
    ['a type of 64 bytes', JSON, '{"content":"a","type":"' . 't' x 64 . '"}', 201, { type => 't' x 64 }],
    ['a type of 65 bytes', JSON, '{"content":"a","type":"' . 't' x 65 . '"}', '400 bad-parameter',
        qr/^type must have 1 to 64 of/],
    ['an empty type', FORM, form(content => 'a', type => ''), '400 bad-parameter', qr/^type must have/],
    ['a type in capitals', JSON, '{"content":"a","type":"File"}', '400 bad-parameter', qr/^type must have/],
    ['a type that begins with a digit', FORM, form(content => 'a', type => '2nd'), '400 bad-parameter', qr/^type must have/],
    ['a type with a space', JSON, '{"content":"a","type":"a b"}', '400 bad-parameter', qr/^type must have/],
    ['a type beyond ASCII', FORM, form(content => 'a', type => "\xc3\xa9"), '400 bad-parameter', qr/^type must have/],
    ['a type that is no string', JSON, '{"content":"a","type":7}', '400 bad-parameter', qr/^type must be a string/],
    (map { ["the type $_ is Longroom's own", JSON, qq({"content":"a","type":"$_"}), '400 bad-parameter', qr/^type must not be/] }
        qw(message_edited message_deleted presence)),
    ['a type of Longroom in a form', FORM, form(content => 'a', type => 'presence'), '400 bad-parameter', qr/^type must not be/],
    ['a chat_message without content', JSON, '{"type":"chat_message","content":" "}', '400 empty-content', qr/visible/],

    # data
    ['data', JSON, '{"content":"a","data":{"b":1,"a":{"c":[null,true,"x"]}}}', 201, { data => '{"b":1,"a":{"c":[null,true,"x"]}}' }],
    ['data in a form', FORM, form(content => 'a', data => '{"b":"1 + 1","a":[]}'), 201, { data => '{"b":"1 + 1","a":[]}' }],
    ['data alone', JSON, '{"data":{}}', 201, { content => '', data => '{}' }],
    ['data with white space as content', JSON, '{"content":" \n","data":{"a":1}}', 201, { content => '', data => '{"a":1}' }],
    ['data alone in a form', FORM, form(data => '{"a":1}'), 201, { content => '', data => '{"a":1}' }],
    ['white space between tokens', JSON, qq({"data":\r\n { "a b" :\t[ 1 , "c , d" ] } }), 201,
        { content => '', data => '{"a b":[1,"c , d"]}' }],
    ['white space between tokens in a form', FORM, form(data => qq(\n{ "a" : { }\n}\n)), 201, { content => '', data => '{"a":{}}' }],
    ['numbers', JSON, qq({"data":$NUMBERS}), 201, { content => '', data => $NUMBERS }],
    ['numbers in a form', FORM, form(data => $NUMBERS), 201, { content => '', data => $NUMBERS }],
    ['escapes', JSON, qq({"data":$ESCAPED}), 201, { content => '', data => $ESCAPED }],
    ['unpaired surrogates', JSON, '{"data":{"a":"\ud800 \uDC00\ud83d\ude00","\udfff":1}}', 201,
        { content => '', data => '{"a":"\ufffd \ufffd\ud83d\ude00","\ufffd":1}' }],
    ['characters beyond ASCII', JSON, qq({"data":{"\xc3\xa9":"\xe2\x80\xa8\xf0\x9f\x98\x80"}}), 201,
        { content => '', data => qq({"\xc3\xa9":"\xe2\x80\xa8\xf0\x9f\x98\x80"}) }],
    ['data twice: the last one counts', JSON, '{"data":{"a":1},"content":"a","data":{"a":2}}', 201, { data => '{"a":2}' }],
    ['the same name in two objects', JSON, '{"data":{"data":{"data":1},"a":[{"a":1},{"a":1}]}}', 201,
        { content => '', data => '{"data":{"data":1},"a":[{"a":1},{"a":1}]}' }],
    ['data of 4,096 bytes', JSON, '{"data":' . sized(4096) . '}', 201, { content => '', data => sized(4096) }],
    ['data of 4,096 bytes in a form', FORM, 'data=' . sized(4096) =~ s/(.)/sprintf '%%%02x', ord $1/ger, 201,
        { content => '', data => sized(4096) }],
    ['data of 4,096 bytes with the longest content, escaped', JSON,
        '{"content":"' . '\u0001' x 16_384 . '","data":' . sized(4096) . '}', 201,
        { content => "\x01" x 16_384, data => sized(4096) }],
    ['data of 4,097 bytes', JSON, '{"data":' . sized(4097) . '}', '413 content-too-large', qr/^data is longer than limits\.data$/],
    ['data of 4,097 bytes in a form', FORM, form(data => sized(4097)), '413 content-too-large', qr/^data is longer than limits\.data$/],
    ['data of 10,000 members', JSON, qq({"data":$MEMBERS}), '413 content-too-large', qr/^data is longer than limits\.data$/],
    ['data of 10,000 members in a form', FORM, "data=$MEMBERS", '413 content-too-large', qr/^data is longer than limits\.data$/],
    ['arrays 30 deep', JSON, '{"data":' . nested(30, '[', ']') . '}', 201, { content => '', data => nested(30, '[', ']') }],
    ['objects 30 deep in a form', FORM, form(data => nested(30, '{"a":', '}')), 201,
        { content => '', data => nested(30, '{"a":', '}') }],
    ['arrays 31 deep', JSON, '{"data":' . nested(31, '[', ']') . '}', '400 bad-parameter', qr/^data is nested more than 30 deep$/],
    ['objects 31 deep in a form', FORM, form(data => nested(31, '{"a":', '}')), '400 bad-parameter', qr/^data is nested more than 30 deep$/],
    ['arrays 2,000 deep', JSON, '{"data":' . nested(2000, '[', ']') . '}', '400 bad-parameter', qr/^data is nested more than 30 deep$/],
    ['arrays 30,000 deep without an end', JSON, '{"data":{"a":' . '[' x 30_000, '400 bad-parameter', qr/^data is nested more than 30 deep$/],
    ['a member twice', JSON, '{"data":{"a":1,"b":2,"a":1}}', '400 bad-parameter', qr/^data has the member 'a' twice$/],
    ['a member twice, once escaped', JSON, '{"data":{"a":1,"\u0061":1}}', '400 bad-parameter', qr/^data has the member 'a' twice$/],
    ['a member twice, far inside', FORM, form(data => '{"x":[{"y":{"b":1,"b":2}}]}'), '400 bad-parameter',
        qr/^data has the member 'b' twice$/],
    ['two unpaired surrogates as names', JSON, '{"data":{"\ud800":1,"\udc00":1}}', '400 bad-parameter',
        qr/^data has the member '\x{FFFD}' twice$/],
    ['a long name twice', JSON, '{"data":{"' . 'n' x 1000 . '":1,"' . 'n' x 1000 . '":1}}', '400 bad-parameter',
        qr/^data has the member 'n{64}' twice$/],
    ['U+0000', JSON, '{"data":{"a":"\u0000"}}', '400 bad-parameter', qr/^data contains U\+0000/],
    ['U+0000 in a name, in a form', FORM, form(data => '{"\u0000":1}'), '400 bad-parameter', qr/^data contains U\+0000/],
    ['an array', JSON, '{"data":[{}]}', '400 bad-parameter', qr/^data must be a JSON object$/],
    ['a string', JSON, '{"data":"{}"}', '400 bad-parameter', qr/^data must be a JSON object$/],
    ['null', JSON, '{"content":"a","data":null}', '400 bad-parameter', qr/^data must be a JSON object$/],
    ['an empty field', FORM, form(content => 'a', data => ''), '400 bad-parameter', qr/^data must be a JSON object$/],
    ['two objects in a form', FORM, form(data => '{}{}'), '400 bad-parameter', qr/^data must be a JSON object$/],
    ['no JSON in a form', FORM, form(data => "{'a':1}"), '400 bad-parameter', qr/^data must be a JSON object$/],
    ['no JSON', JSON, '{"data":{"a":01}}', '400 not-json', qr/see byte 14/],
    ['data without an end', JSON, '{"data":{"a":', '400 not-json', qr/ends early/],
    ['data that is not UTF-8', JSON, qq({"data":{"a":"\xff"}}), '400 not-utf8', qr/see byte 14/],
    ['data that is not UTF-8, in a form', FORM, 'data={"a":"%ff"}', '400 not-utf8', qr/not UTF-8/],

    # reply_to
    ['reply_to', JSON, '{"content":"a","reply_to":142}', 201, { reply_to => 142 }],
    ['reply_to in a form', FORM, form(content => 'a', reply_to => 142), 201, { reply_to => 142 }],
    ['the highest reply_to', JSON, '{"content":"a","reply_to":9223372036854775807}', 201, { reply_to => '9223372036854775807' }],
    ['a higher reply_to', FORM, form(content => 'a', reply_to => '9223372036854775808'), '400 bad-parameter',
        qr/^reply_to must be an integer from 1 to 9223372036854775807$/],
    (map { ["reply_to $_", JSON, qq({"content":"a","reply_to":$_}), '400 bad-parameter', qr/^reply_to must be an integer/] }
        qw(0 -1 1.0 1e2 "142" null true [142])),
    (map { ["reply_to $_ in a form", FORM, form(content => 'a', reply_to => $_), '400 bad-parameter', qr/^reply_to must be/] }
        '0', '-1', '+1', '01', ' 1', ''),
    ['reply_to without content', JSON, '{"reply_to":142}', '400 empty-content', qr/content is missing/],

    # all of them, and each kind of body
    ['everything', JSON, '{"content":"b","type":"file","data":{"a":1},"reply_to":7,"store":true,"client_id":"all"}', 201,
        { content => 'b', type => 'file', data => '{"a":1}', reply_to => 7, client_id => 'all' }],
    ['everything in a form', FORM,
        form(client_id => 'all-2', store => 'true', reply_to => 7, data => '{"a":1}', type => 'file', content => 'b'), 201,
        { content => 'b', type => 'file', data => '{"a":1}', reply_to => 7, client_id => 'all-2' }],
    ['text carries nothing', TEXT, '{"type":"file","data":{}}', 201, { content => '{"type":"file","data":{}}' }],
    ['text that looks like a form', TEXT, 'a&store=false', 201, { content => 'a&store=false' }],
    ['an unknown member', JSON, '{"content":"a","attachments":[]}', '400 bad-parameter',
        qr/^'attachments' is unknown: use content, type, data, reply_to, store, client_id, user_id, username and sender_type$/],
    ['a field twice', FORM, form(data => '{}', data => '{}'), '400 bad-parameter', qr/^data is given twice$/],

    # a client_id again
    ['the same again', JSON, '{"client_id":"all","store":true,"reply_to":7,"data": { "a" : 1 },"type":"file","content":" b "}',
        200, { client_id => 'all' }],
    ['the same again in a form', FORM, form(client_id => 'all', reply_to => 7, data => '{"a":1}', type => 'file', content => 'b'),
        200, { client_id => 'all' }],
    ['other data', JSON, '{"client_id":"all","reply_to":7,"data":{"a":1.0},"type":"file","content":"b"}', '422 conflict',
        qr/different content, type, data or reply_to/],
    ['no data', JSON, '{"client_id":"all","reply_to":7,"type":"file","content":"b"}', '422 conflict', qr/data/],
    ['another type', FORM, form(client_id => 'all', reply_to => 7, data => '{"a":1}', type => 'files', content => 'b'),
        '422 conflict', qr/type/],
    ['no type', JSON, '{"client_id":"all","reply_to":7,"data":{"a":1},"content":"b"}', '422 conflict', qr/type/],
    ['another reply_to', JSON, '{"client_id":"all","reply_to":8,"data":{"a":1},"type":"file","content":"b"}', '422 conflict', qr/reply_to/],
    ['no reply_to', JSON, '{"client_id":"all","data":{"a":1},"type":"file","content":"b"}', '422 conflict', qr/reply_to/],
    ['no content', JSON, '{"client_id":"all","reply_to":7,"data":{"a":1},"type":"file"}', '422 conflict', qr/content/],

    # store
    ['store true', JSON, '{"content":"a","store":true}', 201, {}],
    ['a signal', JSON, '{"type":"typing","store":false}', 202, { type => 'typing', content => '' }],
    ['a signal in a form', FORM, form(type => 'typing', store => 'false'), 202, { type => 'typing', content => '' }],
    ['a signal with everything', JSON, '{"content":"b","type":"file","data":{"a":1},"reply_to":7,"store":false,"client_id":"all"}', 202,
        { content => 'b', type => 'file', data => '{"a":1}', reply_to => 7, client_id => 'all' }],
    ['its repeat is broadcast again, and never compared', JSON, '{"content":"c","store":false,"client_id":"all"}', 202,
        { content => 'c', client_id => 'all' }],
    ['a signal that is only text', JSON, '{"content":"psst","store":false}', 202, { content => 'psst' }],
    ['a signal in an ephemeral room', JSON, '{"type":"typing","store":false}', 202, { type => 'typing', content => '' }, $EPHEMERAL],
    ['data in an ephemeral room', FORM, form(data => $NUMBERS, reply_to => 1), 202,
        { content => '', data => $NUMBERS, reply_to => 1 }, $EPHEMERAL],
    ['store true in an ephemeral room', JSON, '{"content":"a","store":true}', 202, {}, $EPHEMERAL],
    ['store last true', JSON, '{"content":"a","store":false,"store":true}', 201, {}],
    (map { ["store $_", JSON, qq({"content":"a","store":$_}), '400 bad-parameter', qr/^store must be true or false$/] }
        qw("no" "false" 0 null {})),
    (map { ["store $_ in a form", FORM, form(content => 'a', store => $_), '400 bad-parameter', qr/^store must be true or false$/] }
        'no', '0', 'False', ''),
    ['a signal without anything', JSON, '{"store":false}', '400 empty-content', qr/content is missing/],
);

cmp_ok scalar @rows, '>=', 60, scalar(@rows) . ' rows';

# Both see all that comes.
my %cursor = map { $_ => $l->poll($_, timeout => 0)->{json}{cursor} } $STORED, $EPHEMERAL;
my %stream = map { $_ => Stream->open($l, "/rooms/$_/events?after=$cursor{$_}") } $STORED, $EPHEMERAL;
is $_->next->{event}, 'ready', 'a stream begins' for values %stream;

my $encode = JSON::PP->new->utf8(0)->allow_nonref;

# The message as it must be, without id and time; $has->{content} is bytes.
sub message_text {
    my ($room, $has, $is_saved) = @_;
    my $content = $has->{content} // 'a';
    utf8::decode($content);
    my $text = join ',', '{"type":' . $encode->encode($has->{type} // 'chat_message'), '"id":' . ($is_saved ? 'ID' : 'null'),
        qq("room_id":"$room","user_id":"anonymous","username":"anonymous","sender_type":"user"),
        '"content":' . $encode->encode($content),
        ($has->{data}     ? qq("data":$has->{data})         : ()),
        ($has->{reply_to} ? qq("reply_to":$has->{reply_to}) : ()),
        '"timestamp":"TIME"', ($has->{client_id} ? qq("client_id":"$has->{client_id}") : ()),
        ($is_saved ? () : '"saved":false');
    return "$text}";
}

# Of a page: the texts of its messages.
sub messages_of {
    my ($page) = @_;
    return $page->{content} =~ /"messages":\[(.*)\],"cursor"/s ? $1 : "no page: $page->{status}";
}

sub check_refused {
    my ($answer, $expected, $detail) = @_;
    my ($status, $type) = split / /, $expected;
    Longroom::is_problem($answer, $status, $type, 'it is refused');
    like $answer->{json}{detail}, $detail, 'and the detail says why';
    return;
}

my (%first, $stored);

sub check_accepted {
    my ($answer, $room, $status, $has, $poll) = @_;
    my $is_saved = $status == 201;
    is $answer->{status}, $status, "the status is $status" or diag $answer->{content};
    my $text = $answer->{content} =~ s/\n\z//r;
    my $plain = $text =~ s/"id":\d+/"id":ID/r =~ s/"timestamp":"[^"]+Z"/"timestamp":"TIME"/r;
    is $plain, message_text($room, $has, $is_saved), 'the answer has what was sent';
    my $page = $poll->answer;
    is messages_of($page), $text, 'so does a poll';
    $cursor{$room} = $page->{json}{cursor};
    my $event = $stream{$room}->next;
    is $event->{data}, $text, 'and a stream';
    my $newest = $l->history($room, limit => 1);
    if ($is_saved) {
        $stored++;
        $first{ $has->{client_id} } = $text if $has->{client_id};
        is messages_of($newest), $text, 'and a page of history';
        is $l->request(GET => "/rooms/$room/messages/$answer->{json}{id}")->{content}, "$text\n", 'and the message alone';
    } else {
        isnt messages_of($newest), $text, 'but history does not';
    }
    return;
}

for my $row (@rows) {
    my ($title, $kind, $body, $expected, $what, $room) = @$row;
    $room //= $STORED;
    subtest "$title ($kind)" => sub {
        my $poll;
        if ($expected =~ /^20[12]$/) {
            $poll = $l->connect;
            $poll->write(Longroom::get_bytes("/rooms/$room/poll?timeout=30&after=$cursor{$room}"));
        }
        my $answer = $l->request(POST => "/rooms/$room/messages", headers => { 'Content-Type' => $kind }, content => $body);
        return check_refused($answer, $expected, $what) if $expected =~ / /;
        return check_accepted($answer, $room, $expected, $what, $poll) if $poll;
        is $answer->{status}, 200, 'the status is 200';
        is $answer->{content}, "$first{ $what->{client_id} }\n", 'the answer is the first message';
    };
}

is $l->history($STORED, limit => 1000)->{json}{count}, $stored, 'history has the messages that got 201, and no others';
my $metrics = $l->metrics('history');
is $metrics->{signals_total}, 6, 'signals are counted';
is $metrics->{'messages_total{outcome="unsaved"}'}, 2, 'apart from what was only broadcast for another reason';
$l->stop;

subtest 'a signal is broadcast even if what cannot be saved is rejected' => sub {
    my $l = Longroom->start(without => ['pushd'], settings => { 'history.on_save_failure' => 'reject' });
    is $l->post('room_1', 'psst', store => JSON::PP::false)->{status}, 202, 'the status is 202';
    $l->stop;
};

subtest 'without a bus there are no signals' => sub {
    my $l = Longroom->start(without => ['pushd'], settings => { 'bus.publish' => '' });
    my $answer = $l->post('room_1', 'psst', store => JSON::PP::false);
    Longroom::is_problem($answer, 503, 'storage', 'the answer says so');
    like $answer->{json}{detail}, qr/^a signal is only broadcast/, 'and why';
    is $l->post('room_1', 'kept')->{status}, 201, 'other messages are saved';
    $l->stop;
};

subtest 'limits.data can be changed while the programs run' => sub {
    my $l = Longroom->start(without => ['pushd'], settings => { 'limits.content' => '1' });
    my $long = { a => 'x' x (20_000 - 8) };
    is $l->post('room_1', '', data => $long)->{status}, 413, 'data of 20,000 bytes is too long by default';
    $l->set_in_file("[limits]\ndata = 20000");
    is $l->post('room_1', '', data => $long)->{status}, 201, 'with another limit it is accepted, and so is its body';
    is length $l->history('room_1')->{json}{messages}[0]{data}{a}, 20_000 - 8, 'it is in history';
    $l->set_in_file("[limits]\ndata = 0");
    Longroom::is_problem($l->post('room_1', '', data => {}), 413, 'content-too-large', 'with 0 there is none');
    is $l->post('room_1', 'a')->{status}, 201, 'but text';
    is length $l->history('room_1')->{json}{messages}[0]{data}{a}, 20_000 - 8, 'and what was saved is still given';
    $l->stop;
};

done_testing;
