# Bad input of every kind gets the documented error (PROTOCOL section 8) and
# harms no other client: one table of requests and their answers, through nginx
# and straight to longroom-pushd. Bad room names are in rooms.t, bad cursors in
# cursors.t.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Test::More;

my $l = Longroom->start;

my $MESSAGES = '/rooms/room_26/messages';
my $POLL     = '/rooms/room_26/poll';
my $JSON     = ['Content-Type: application/json'];
my $FORM     = ['Content-Type: application/x-www-form-urlencoded'];
my $TEXT     = ['Content-Type: text/plain'];

my %STATUS = (
    'content-too-large'      => 413,
    'head-too-large'         => 431,
    'method-not-allowed'     => 405,
    'not-found'              => 404,
    'unsupported-media-type' => 415,
);

sub bytes_of {
    my ($method, $path, $headers, $body) = @_;
    my @lines = ("$method $path HTTP/1.1", 'Host: localhost', @{ $headers || [] });
    push @lines, 'Content-Length: ' . length $body
        if defined $body && !grep {/^(?:Content-Length|Transfer-Encoding):/i} @lines;
    return join('', map {"$_\r\n"} @lines) . "\r\n" . ($body // '');
}

# Each row: what is wrong, method, path, headers, body, the problem's type.
sub is_answered {
    my ($to, @rows) = @_;
    for my $row (@rows) {
        my ($what, $method, $path, $headers, $body, $type, $status) = @$row;
        my $c = $l->connect($to);
        my $answer = $c->ask(bytes_of($method, $path, $headers, $body), 30) || { status => 'none' };
        Longroom::is_problem($answer, $status || $STATUS{$type} || 400, $type, $what);
    }
    return;
}

sub json_rows {
    my ($type, %bodies) = @_;
    return map { ["JSON: $_", POST => $MESSAGES, $JSON, $bodies{$_}, $type] } sort keys %bodies;
}

my %not_utf8 = (
    'a byte that UTF-8 never has'  => "\xff",
    'a lone continuation byte'     => "\x80",
    'an overlong slash'            => "\xc0\xaf",
    'an overlong NUL'              => "\xe0\x80\x80",
    'a surrogate'                  => "\xed\xa0\x80",
    'a code past U+10FFFF'         => "\xf4\x90\x80\x80",
    'a character that is cut off'  => "\xe2\x82",
);

subtest 'a body that is not JSON is refused' => sub {
    is_answered(nginx => json_rows('not-json',
        'cut off'                     => '{"content":"x"',
        'an array'                    => '["content"]',
        'a string'                    => '"content"',
        'a number'                    => '12',
        'null'                        => 'null',
        'plain text'                  => 'Hello',
        'text behind the object'      => '{"content":"x"} y',
        'two objects'                 => '{"content":"x"}{"content":"y"}',
        'a name without quotes'       => '{content:"x"}',
        'single quotes'               => q({'content':'x'}),
        'a comma too many'            => '{"content":"x",}',
        'a comment'                   => '/* hello */ {"content":"x"}',
        'NaN'                         => '{"content":NaN}',
        'a number with a leading zero' => '{"content":012}',
        'a number with a plus'        => '{"content":+1}',
        'a number without a fraction' => '{"content":1.}',
        'an unknown escape'           => '{"content":"\q"}',
        'half an escape'              => '{"content":"\u12"}',
        'a raw newline in a string'   => qq({"content":"a\nb"}),
        'a raw tab in a string'       => qq({"content":"a\tb"}),
        'a raw NUL in a string'       => qq({"content":"a\0b"}),
        'a raw NUL behind the object' => qq({"content":"x"}\0),
        'a form'                      => 'content=x',
        'TRUE'                        => '{"content":TRUE}',
        'arrays 100,000 deep, open'   => '[' x 100_000,
    ));
};

subtest 'a body that is not UTF-8 is refused' => sub {
    is_answered(nginx => map {
        my $bytes = $not_utf8{$_};
        my $escaped = join '', map { sprintf '%%%02x', ord } split //, $bytes;
        (
            ["JSON: $_", POST => $MESSAGES, $JSON, qq({"content":"a$bytes"}), 'not-utf8'],
            ["a form: $_", POST => $MESSAGES, $FORM, "content=a$escaped", 'not-utf8'],
            ["text: $_", POST => $MESSAGES, $TEXT, "a$bytes", 'not-utf8'],
        )
    } sort keys %not_utf8);
};

# type, body, what the detail says
my @HINTS = (
    ['JSON sent as a form', $FORM, '{"content":"x"}', qr{looks like JSON: send Content-Type: application/json}],
    ['... with white space', $FORM, " \n{ \"content\": \"a&b=c\" }", qr{send Content-Type: application/json}],
    ['an unknown member', $JSON, '{"content":"x","contents":"y"}', qr{'contents' is unknown: use content,}],
    ['a long unknown member', $JSON, '{"' . 'm' x 1000 . '":1}', qr{'m{64}' is unknown}],
    ['an unknown member of UTF-8', $JSON, qq({"\xc3\xa9t\xc3\xa9":1}), qr{'\x{e9}t\x{e9}' is unknown}],
    ['an unknown field', $FORM, 'content=x&user=2', qr{'user' is unknown}],
    ['a field twice', $FORM, 'content=x&content=y', qr{content is given twice}],
    ['a member of another type', $JSON, '{"content":"x","user_id":2}', qr{user_id must be a string}],
    ['an invalid name', $JSON, '{"content":"x","username":"a\nb"}', qr{username must have 1 to 128 bytes}],
    ['JSON with a comma too many', $JSON, '{"content":"x",}', qr{not one JSON object: see byte 15\b}],
    ['an open string', $JSON, '{"content":"x', qr{not one JSON object: it ends early}],
    ['no object', $JSON, '["x"]', qr{not one JSON object: see byte 0\b}],
    ['no quotes', $JSON, "{'content':'x'}", qr{see byte 1\b}],
    ['not UTF-8', $JSON, qq({"content":"a\xff"}), qr{not UTF-8: see byte 13\b}],
);

subtest 'errors say where and what to do' => sub {
    for (@HINTS) {
        my ($what, $type, $body, $says) = @$_;
        my $answer = $l->connect->ask(bytes_of(POST => $MESSAGES, $type, $body), 30) || { content => 'none' };
        like Longroom::with_json($answer)->{json}{detail}, $says, $what;
    }
};

sub utf8_of {
    my ($hex) = @_;
    my $text = chr hex $hex;
    utf8::encode($text);
    return $text;
}

subtest 'JSON with unknown or invalid members is refused' => sub {
    my $long = 'k' x 129;
    is_answered(nginx => json_rows('bad-parameter',
        'content is a number'          => '{"content":5}',
        'content is a huge number'     => '{"content":' . '9' x 400 . '}',
        'content is null'              => '{"content":null}',
        'content is true'              => '{"content":true}',
        'content is an array'          => '{"content":["x"]}',
        'content is an object'         => '{"content":{"content":"x"}}',
        'arrays 31 deep in the object' => '{"content":' . '[' x 31 . ']' x 31 . '}',
        'arrays 33 deep'               => '{"content":' . '[' x 33 . ']' x 33 . '}',
        'arrays 50,000 deep'           => '{"content":' . '[' x 50_000 . ']' x 50_000 . '}',
        'objects 5,000 deep'           => '{"content":' x 5_000 . '1' . '}' x 5_000,
        '9,000 unknown members'        => '{' . join(',', map {qq("m$_":1)} 1 .. 9_000) . '}',
        'an array that never ends'     => '{"content":[',
        'a number before a string'     => '{"content":1,"content":"x"}',
        'content holds U+0000'         => '{"content":"a\u0000b"}',
        'client_id is a number'        => '{"content":"x","client_id":5}',
        'client_id is null'            => '{"content":"x","client_id":null}',
        'client_id is empty'           => '{"content":"x","client_id":""}',
        'client_id is too long'        => qq({"content":"x","client_id":"$long"}),
        'client_id holds a newline'    => '{"content":"x","client_id":"a\nb"}',
        'client_id holds U+0000'       => '{"content":"x","client_id":"a\u0000"}',
        'user_id is a number'          => '{"content":"x","user_id":2}',
        'user_id is empty'             => '{"content":"x","user_id":""}',
        'user_id is too long'          => qq({"content":"x","user_id":"$long"}),
        'user_id holds a newline'      => '{"content":"x","user_id":"a\nb"}',
        'username is an array'         => '{"content":"x","username":[]}',
        'username is too long'         => qq({"content":"x","username":"$long"}),
        'username holds an escape'     => '{"content":"x","username":"\u001b[2J"}',
        'sender_type is empty'         => '{"content":"x","sender_type":""}',
        'sender_type is a number'      => '{"content":"x","sender_type":1}',
        'an unknown member'            => '{"content":"x","colour":"red"}',
        'an unknown huge number'       => '{"content":"x","n":1e99999}',
        'the members of an answer'     => '{"content":"x","id":5,"room_id":"room_1"}',
        'a name that U+0000 would cut short' => '{"content\u0000":"x"}',
    ));
};

subtest 'empty content is refused' => sub {
    is_answered(nginx =>
        json_rows('empty-content',
            'no body'                   => '',
            'an empty string'           => '{"content":""}',
            'white space'               => '{"content":" \t\r\n"}',
            'white space of Unicode'    => '{"content":"\u00a0\u2003\u3000\ufeff"}',
        ),
        ['a form without a value', POST => $MESSAGES, $FORM, 'content=', 'empty-content'],
        ['a form of blanks', POST => $MESSAGES, $FORM, 'content=+%20%E3%80%80', 'empty-content'],
        ['no text', POST => $MESSAGES, $TEXT, '', 'empty-content'],
        (map { ["text of U+$_ alone", POST => $MESSAGES, $TEXT, utf8_of($_) . ' ' . utf8_of($_), 'empty-content'] }
            qw(00AD 034F 061C 115F 17B4 180E 200B 200D 200F 202E 2060 2066 2800 3164 FE0F FFA0 E0061)),
        ['blank text', POST => $MESSAGES, $TEXT, "\n\n", 'empty-content'],
        ['neither a body nor a length', POST => $MESSAGES, $TEXT, undef, 'empty-content'],
    );
};

subtest 'invalid forms and text are refused' => sub {
    is_answered(nginx =>
        ['a cut percent', POST => $MESSAGES, $FORM, 'content=%', 'bad-parameter'],
        ['a percent without hex', POST => $MESSAGES, $FORM, 'content=%zz', 'bad-parameter'],
        ['U+0000 in a form', POST => $MESSAGES, $FORM, 'content=a%00b', 'bad-parameter'],
        ['a field twice', POST => $MESSAGES, $FORM, 'content=a&content=b', 'bad-parameter'],
        ['an unknown field', POST => $MESSAGES, $FORM, 'content=a&colour=red', 'bad-parameter'],
        ['an empty user_id', POST => $MESSAGES, $FORM, 'content=a&user_id=', 'bad-parameter'],
        ['U+0000 in text', POST => $MESSAGES, $TEXT, "a\0b", 'bad-parameter'],
    );
};

subtest 'other media types are refused' => sub {
    is_answered(nginx => (map {
        ["Content-Type: $_", POST => $MESSAGES, ["Content-Type: $_"], '{"content":"x"}',
            'unsupported-media-type']
    } 'application/xml', 'text/html', 'multipart/form-data; boundary=x', 'application/json-patch+json',
        'application/json; charset=latin1', 'text/plain;charset=utf-16', 'json', 'text/', '*/*'),
        ['no Content-Type', POST => $MESSAGES, [], '{"content":"x"}', 'unsupported-media-type'],
    );
};

subtest 'input over a limit is refused' => sub {
    is_answered(nginx =>
        ['a content over its limit', POST => $MESSAGES, $JSON, '{"content":"' . 'x' x 16_385 . '"}',
            'content-too-large'],
        ['text over its limit', POST => $MESSAGES, $TEXT, 'x' x 16_385, 'content-too-large'],
        ['a body over its limit', POST => $MESSAGES, $TEXT, ' ' x 118_785, 'content-too-large'],
        ['a body of 1 MB', POST => $MESSAGES, $JSON, '{"content":"' . 'x' x 1_000_000 . '"}',
            'content-too-large'],
        ['a body of 100 MB', POST => $MESSAGES, $TEXT, 'x' x 100_000_000, 'content-too-large'],
        ['a body of 20 MB in chunks', POST => $MESSAGES, [@$TEXT, 'Transfer-Encoding: chunked'],
            ("10000\r\n" . 'x' x 65_536 . "\r\n") x 320 . "0\r\n\r\n", 'content-too-large'],
        ['a Content-Length of 10 EB', POST => $MESSAGES, [@$TEXT, 'Content-Length: 9000000000000000000'], 'x',
            'content-too-large'],
        ['a request line over its limit', GET => "$MESSAGES?x=" . 'x' x 20_000, [], undef,
            'head-too-large', 414],
        ['a header over its limit', GET => $MESSAGES, ['X-Long: ' . 'x' x 20_000], undef, 'head-too-large'],
        ['very many headers', GET => $MESSAGES, [map {"X-$_: " . 'x' x 100} 1 .. 1000], undef,
            'head-too-large'],
    );
    is_answered(pushd =>
        ['straight: a request line over its limit', GET => "$POLL?x=" . 'x' x 70_000, [], undef,
            'head-too-large', 414],
        ['straight: a header over its limit', GET => $POLL, ['X-Long: ' . 'x' x 70_000], undef,
            'head-too-large'],
        ['straight: very many headers', GET => $POLL, [map {"X-$_: " . 'x' x 100} 1 .. 1000], undef,
            'head-too-large'],
    );
};

# As many cookies as a browser may send to a site with many applications.
subtest 'headers that nginx accepts are accepted by both programs' => sub {
    my @cookies = map { my $line = $_; "Cookie: " . join '; ', map {"c$line$_=" . 'x' x 3000} 1 .. 4 } 1 .. 2;
    for my $path ($MESSAGES, "$POLL?timeout=0") {
        my $answer = $l->connect->ask(bytes_of(GET => $path, \@cookies), 30) || { status => 'none' };
        is $answer->{status}, 200, "24 kB of cookies: $path";
    }
};

subtest 'invalid parameters and headers are refused' => sub {
    is_answered(nginx =>
        (map { ["limit=$_", GET => "$MESSAGES?limit=$_", [], undef, 'bad-parameter'] }
            '0', '-1', '1001', 'ten', '', '1.5', '0x10', '%zz', '%', '5&limit=5', '+5', '010', '1e2',
            '99999999999999999999'),
        (map { ["after and before: $_", GET => "$MESSAGES?$_", [], undef, 'bad-parameter'] }
            'after=1&before=2', 'after=1&after=1', 'before=1&before=2'),
        ['a limit that is not UTF-8', GET => "$MESSAGES?limit=%ff", [], undef, 'not-utf8'],
        (map { ["timeout=$_", GET => "$POLL?timeout=$_", [], undef, 'bad-parameter'] }
            '-1', '56', 'ten', '', '1.5', '%zz', '%', '1&timeout=1', '99999999999999999999'),
        ['after twice', GET => "$POLL?after=1&after=1", [], undef, 'bad-parameter'],
        ['a timeout that is not UTF-8', GET => "$POLL?timeout=%ff", [], undef, 'not-utf8'],
        ['an Idempotency-Key that is too long', POST => $MESSAGES, [@$TEXT, 'Idempotency-Key: ' . 'k' x 129],
            'x', 'bad-parameter'],
        ['an empty Idempotency-Key in quotes', POST => $MESSAGES, [@$TEXT, 'Idempotency-Key: ""'],
            'x', 'bad-parameter'],
        ['an Idempotency-Key that is not UTF-8', POST => $MESSAGES, [@$TEXT, "Idempotency-Key: \xff"],
            'x', 'not-utf8'],
    );
    for my $path ("$MESSAGES?colour=red", "$MESSAGES?colour=%zz&&=&limit=5", "$POLL?timeout=0&colour=red") {
        is $l->connect->ask(bytes_of(GET => $path))->{status}, 200,
            "$path: unknown parameters are ignored";
    }
};

subtest 'methods that a path does not have are refused' => sub {
    my @rows = map { ["$_->[0] $_->[1]", @$_, [], undef, 'method-not-allowed'] } (
        (map { [$_ => $MESSAGES] } qw(PUT DELETE PATCH OPTIONS TRACE BREW)),
        (map { [$_ => "$MESSAGES/1"] } qw(POST PUT DELETE)),
        (map { [$_ => $POLL] } qw(POST PUT DELETE OPTIONS)),
    );
    is_answered(nginx => @rows);
    my %allow = ($MESSAGES => 'GET, HEAD, POST', "$MESSAGES/1" => 'GET, HEAD');
    for my $path (sort keys %allow) {
        my $answer = $l->connect->ask(bytes_of(DELETE => $path));
        is join(', ', sort split /,\s*/, $answer->{headers}{allow} || ''), $allow{$path},
            "Allow lists the methods of $path";
    }
};

subtest 'unknown paths get 404' => sub {
    is_answered(nginx => map { ["GET $_", GET => $_, [], undef, 'not-found'] }
        '/rooms', '/rooms/', '/rooms/room_26', '/rooms/room_26/', '/rooms/room_26/event', '/rooms/room_26/events/',
        "$MESSAGES/", "$MESSAGES/0", "$MESSAGES/-1", "$MESSAGES/x", "$MESSAGES/01", "$MESSAGES/1/2",
        "$MESSAGES/9223372036854775808", "$POLL/", '/rooms/room_26/Poll', '/nothing.html');
    like $l->connect->ask(bytes_of(GET => $_))->{content}, qr{/messages\b.*/poll\b}, "GET $_ lists the existing paths"
        for '/rooms', '/rooms/', '/rooms/room_26', '/rooms/room_26/message';
    is_answered(pushd => map { ["straight: GET $_", GET => $_, [], undef, 'not-found'] }
        '/', '/poll', '/rooms', '/rooms/', '/rooms/room_26', '/rooms/room_26/event', "$POLL/", $MESSAGES, '*');
};

subtest 'path traversal is refused' => sub {
    # How nginx normalises a path is its own business, as long as it stays inside.
    for my $path ('/rooms/../messages', '/rooms/%2e%2e/messages', '/rooms/../../etc/passwd',
        '/rooms/..%2f..%2fetc%2fpasswd/messages', '/rooms/a%2Fb/messages', '/rooms/%00/messages',
        '/rooms/a%00b/messages', '/rooms/%zz/messages', '/%2e%2e/%2e%2e/etc/passwd')
    {
        my $answer = $l->connect->ask(bytes_of(GET => $path));
        like "$answer->{status} " . ($answer->{json}{type} // $answer->{content}),
            qr/^(?:404 not-found|400 bad-request|400 bad-room-name)$/, "over nginx: $path is refused";
    }
    is_answered(pushd => map { ["straight: GET $_", GET => $_, [], undef, 'bad-room-name'] }
        '/rooms/./poll', '/rooms/../poll', '/rooms/%2e%2e/poll', '/rooms/a%2Fb/poll', '/rooms/%2e%2e%2fa/poll',
        '/rooms/%00/poll', '/rooms/a%00/poll', '/rooms/%zz/poll', '/rooms/%/poll', '/rooms/%4/poll',
        '/rooms/%ff/poll', '/rooms//poll');
};

subtest 'requests that are not HTTP are refused' => sub {
    my %bytes = (
        'no version'                     => "HELLO\r\n\r\n",
        'a version of the future'        => "GET $POLL?timeout=0 HTTP/9.9\r\nHost: x\r\n\r\n",
        'a greeting of TLS'              => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . "\0" x 512,
        'a length that is not a number'     => "POST $MESSAGES HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        'a negative length'         => "POST $MESSAGES HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        'two lengths'                    => "POST $MESSAGES HTTP/1.1\r\nHost: x\r\n"
            . "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    );
    for my $what (sort keys %bytes) {
        for my $to (qw(nginx pushd)) {
            my $c = $l->connect($to);
            my $answer = $c->ask($bytes{$what}, 30);
            Longroom::is_problem($answer || { status => 'none' }, 400, 'bad-request', "$to: $what");
            ok $c->hangs_up(20), '... and the connection is closed';
        }
    }
    is_answered(pushd =>
        ['straight: a header without a colon', GET => $POLL, ['Broken header'], undef, 'bad-request'],
        ['straight: a NUL in a header', GET => $POLL, ["X-Nul: a\0b"], undef, 'bad-request'],
        ['straight: a body where none belongs', GET => $POLL, [], 'hello', 'bad-request'],
        ['straight: chunks where no body belongs', GET => $POLL, ['Transfer-Encoding: chunked'],
            "5\r\nhello\r\n0\r\n\r\n", 'bad-request'],
    );
    is_answered(nginx =>
        ['two Hosts', POST => $MESSAGES, ['Host: other'], 'x', 'bad-request'],
        ['history with a body', GET => $MESSAGES, [], 'hello', 'bad-request'],
    );
};

subtest 'a body that ends early leaves nothing behind' => sub {
    my $c = $l->connect;
    $c->write("POST $MESSAGES HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nhalf");
    $c->close;
    my $answer = $l->connect->ask("POST $MESSAGES HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
            . "Transfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n");
    is $answer->{status}, 201, 'a chunked body is accepted meanwhile';
    is_deeply Longroom::message_contents($l->history('room_26', limit => 1000)), ['whole'],
        'of all these requests only that one left a message';
};

subtest 'both programs survive all of this' => sub {
    ok $l->runs($_), "$_ is the process that was started" for qw(history pushd nginx);
    my $cursor = $l->poll('room_26', after => 0, timeout => 20)->{json}{cursor};
    my $sent = $l->post('room_26', 'still here');
    is $sent->{status}, 201, 'a message is saved';
    is_deeply $l->poll('room_26', after => $cursor, timeout => 20)->{json}{messages}, [$sent->{json}],
        'a message is delivered';
};

$l->stop;
done_testing;
