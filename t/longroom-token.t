# longroom-token: keys, tokens that the programs accept, and what inspect says about
# tokens that others made. Signatures are checked with the openssl command too.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use JSON::PP     ();
use Longroom;
use MIME::Base64 qw(encode_base64url decode_base64url);
use Test::More;
use Tokens;
use Visitors;

my $PROGRAM = Longroom::program('longroom-token');
my $DIR     = Longroom::fresh_dir();

# Arguments; then options of Longroom::run after a reference to them.
sub token {
    my ($arguments, %options) = @_;
    return Longroom::run([ $PROGRAM, @$arguments ], %options);
}

sub make {
    my $result = token([ 'make', @_ ]);
    is($result->{status}, 0, "a token is made: @_") || diag($result->{stderr});
    is($result->{stderr}, '', '... stderr is empty');
    like $result->{stdout}, qr/\A[\w-]+\.[\w-]+\.[\w-]+\n\z/, '... stdout has the token only';
    return $result->{stdout} =~ s/\n//r;
}

sub part {
    my ($token, $at) = @_;
    return JSON::PP::decode_json(decode_base64url((split /\./, $token)[$at]));
}

# One line says what is wrong, and stdout is empty.
sub is_refused {
    my ($result, $status, $words, $title) = @_;
    is $result->{status}, $status, "$title: status $status";
    like $result->{stderr}, qr/\A[^\n]*$words[^\n]*\n\z/, '... one line says why';
    is $result->{stdout}, '', '... stdout is empty';
    return;
}

sub mode { return sprintf '%04o', (stat $_[0])[2] & 07777 }

sub openssl {
    my $result = Longroom::run([ 'openssl', @_ ]);
    die "openssl @_: $result->{stderr}\n" if $result->{status} != 0;
    return $result->{stdout};
}

# ---------------------------------------------------------------- keys

subtest 'key makes a pair of keys' => sub {
    my $result = token([ 'key', "$DIR/pair" ]);
    is $result->{status}, 0, 'the pair is made';
    is $result->{stdout}, "[auth]\nmode = token\nkeys = $DIR/pair.pub\n",
        'the lines for longroom.conf are printed';
    is mode("$DIR/pair"),     '0600', 'the private key is readable by its owner only';
    is mode("$DIR/pair.pub"), '0644', 'the public key is readable by all';
    like openssl('pkey', '-in', "$DIR/pair", '-noout', '-text'), qr/NIST CURVE: P-256/, 'openssl reads it';
    is openssl('pkey', '-in', "$DIR/pair", '-pubout'), Longroom::slurp("$DIR/pair.pub"),
        'and the two keys belong together';
};

subtest 'key makes a pair of Ed25519 keys' => sub {
    my $result = token([ 'key', '--ed25519', "$DIR/ed" ]);
    is $result->{status}, 0, 'the pair is made';
    is $result->{stdout}, "[auth]\nmode = token\nkeys = $DIR/ed.pub\n",
        'the lines for longroom.conf are printed';
    like openssl('pkey', '-in', "$DIR/ed", '-noout', '-text'), qr/ED25519 Private-Key/, 'openssl reads it';
    is openssl('pkey', '-in', "$DIR/ed", '-pubout'), Longroom::slurp("$DIR/ed.pub"),
        'and the two keys belong together';
    my $made = make('--key', "$DIR/ed", '--user', '2');
    is_deeply part($made, 0), { alg => 'EdDSA', typ => 'JWT' }, 'its tokens use EdDSA';
    like token([ 'inspect', '-o', "auth.keys=$DIR/ed.pub" ], stdin => $made)->{stdout}, qr/^good: Longroom accepts it/m,
        'and are accepted';
    is_refused(token([ 'key', '--ed25519', '--secret', "$DIR/both" ]), 2, 'not both',
        '--ed25519 with --secret');
};

subtest 'key makes a secret' => sub {
    my $result = token([ 'key', '--secret', "$DIR/secret" ]);
    is $result->{status}, 0, 'the secret is made';
    is $result->{stdout}, "[auth]\nmode = token\nkeys = $DIR/secret\n",
        'the lines for longroom.conf are printed';
    is mode("$DIR/secret"), '0600', 'it is readable by its owner only';
    like Longroom::slurp("$DIR/secret"), qr/\A[0-9a-f]{64}\n\z/, 'it is 32 bytes in hexadecimal';
    ok !-e "$DIR/secret.pub", 'there is no public file';
    token([ 'key', '--secret', "$DIR/secret-2" ]);
    isnt Longroom::slurp("$DIR/secret-2"), Longroom::slurp("$DIR/secret"), 'the next secret is different';
};

subtest 'an existing file is never overwritten' => sub {
    Longroom::spew("$DIR/$_", "mine\n") for qw(old half.pub);
    symlink "$DIR/nowhere", "$DIR/link" or die "symlink: $!\n";
    is_refused(token([ 'key', "$DIR/old" ]), 1, "$DIR/old: File exists", 'a private key');
    is_refused(token([ 'key', '--secret', "$DIR/old" ]), 1, "$DIR/old: File exists", 'a secret');
    is_refused(token([ 'key', "$DIR/half" ]), 1, "$DIR/half.pub: File exists", 'a public key');
    is_refused(token([ 'key', "$DIR/link" ]), 1, "$DIR/link: File exists", 'a dangling link');
    is Longroom::slurp("$DIR/$_"), "mine\n", "$_ is unchanged" for qw(old half.pub);
    ok !-e "$DIR/$_", "$_ was not left behind" for qw(old.pub half nowhere);
};

subtest 'key checks where the file goes' => sub {
    my $result = Longroom::run([ 'sh', '-c', 'cd "$0" && "$1" key here', $DIR, $PROGRAM ]);
    like $result->{stdout}, qr{^keys = /.*/here\.pub$}m, 'the absolute path is printed';
    is_refused(token([ 'key', "$DIR/a b" ]), 1, 'auth\.keys can\'t name a file', 'white space');
    is_refused(token([ 'key', "$DIR/a,b" ]), 1, 'auth\.keys can\'t name a file', 'a comma');
    is_refused(token([ 'key', "$DIR/no/such" ]), 1, "$DIR/no/such: No such file", 'a missing folder');
    SKIP: {
        skip 'this needs /dev/full', 2 if !-e '/dev/full';
        my $full = Longroom::run([ 'sh', '-c', '"$0" make --key "$1" --user 2 >/dev/full', $PROGRAM, "$DIR/secret" ]);
        is $full->{status}, 1, 'a token that cannot be written is a failure';
        like $full->{stderr}, qr/standard output/, '... and the message says so';
    }
};

# ---------------------------------------------------------------- tokens

subtest 'make writes the claims that the options ask for' => sub {
    my @key = ('--key', "$DIR/secret");
    my $before = time;
    my $plain = make(@key, '--user', '2');
    my $claims = part($plain, 1);
    is_deeply part($plain, 0), { alg => 'HS256', typ => 'JWT' }, 'the header has only what it needs';
    cmp_ok $claims->{iat}, '>=', $before, 'iat is the time of making';
    cmp_ok $claims->{iat}, '<=', time, '... which is now';
    is $claims->{exp} - $claims->{iat}, 3600, 'it is valid for an hour';
    delete @$claims{qw(iat exp)};
    is_deeply $claims, { sub => '2', longroom => { read => [], write => [] } },
        'it gives no rights unless asked';

    my %rows = (
        '--name'  => [ [ '--name', 'Zoë B.' ], name => 'Zoë B.' ],
        '--type'  => [ [ '--type', 'bot' ], longroom => { read => [], write => [], sender_type => 'bot' } ],
        '--read'  => [ [ '--read', 'a,b-* c?', '--read', 'd' ], longroom => { read => [qw(a b-* c? d)], write => [] } ],
        '--write' => [ [ '--write', 'a b', '--write', '*' ], longroom => { read => [], write => [qw(a b *)] } ],
        'auth.audience' => [ [ '-o', 'auth.audience=chat' ], aud => 'chat' ],
        'auth.issuer'   => [ [ '-o', 'auth.issuer=https://a.example' ], iss => 'https://a.example' ],
        'auth.claim'    => [ [ '-o', 'auth.claim=rooms', '--read', 'a' ], rooms => { read => ['a'], write => [] } ],
    );
    for my $name (sort keys %rows) {
        my ($arguments, $claim, $value) = @{ $rows{$name} };
        utf8::decode($value) if !ref $value;
        is_deeply part(make(@key, '--user', '2', @$arguments), 1)->{$claim}, $value, "the token has $name";
    }
    Longroom::spew("$DIR/conf", "[auth]\nmode = token\nkeys = $DIR/secret\naudience = filed\n");
    is part(make(@key, '--user', '2', '-c', "$DIR/conf"), 1)->{aud}, 'filed', 'the settings file is read';
    is part(make(@key, '--user', '2', '-c', "$DIR/conf", '-o', 'auth.audience=x'), 1)->{aud}, 'x',
        '... and -o takes precedence';
    is part(make(@key, '--user', '2', '--kid', 'k "1"'), 0)->{kid}, 'k "1"', '--kid is in the header';
    for ([ '90s', 90 ], [ '1s', 1 ], [ '2h', 7200 ], [ '3650d', 315_360_000 ]) {
        my $long = part(make(@key, '--user', '2', '--for', $_->[0]), 1);
        is $long->{exp} - $long->{iat}, $_->[1], "--for $_->[0] sets exp";
    }
};

subtest 'a token that Longroom would refuse is not made' => sub {
    my @good = ('make', '--key', "$DIR/secret", '--user', '2');
    my @many = map { ('--read', "room_$_") } 1 .. 257;
    my @long = map { ('--read', "room_$_-" . 'x' x 40) } 1 .. 200;
    my @rows = (
        [ 'an empty user id',            ['--user', ''],                1, 'sub is missing or not a string' ],
        [ 'a user id of 129 bytes',      ['--user', 'x' x 129],         1, 'sub is missing or not a string' ],
        [ 'a user id with a newline',    ['--user', "a\nb"],            1, 'sub is missing or not a string' ],
        [ 'a user id that is not UTF-8', ['--user', "a\xff"],           1, 'sub is missing or not a string' ],
        [ 'a name too long',             ['--name', 'x' x 129],         1, 'name must be a string' ],
        [ 'a type too long',             ['--type', 'x' x 129],         1, 'sender_type must be a string' ],
        [ 'a pattern for no room',       ['--read', 'a/b'],             1, 'arrays of at most 256 room patterns' ],
        [ 'a pattern too long',          ['--write', 'x' x 65],         1, 'arrays of at most 256 room patterns' ],
        [ '257 patterns',                \@many,                        1, 'arrays of at most 256 room patterns' ],
        [ 'a token of 10 KB',            \@long,                        1, 'longer than 8 KiB' ],
        [ 'a claim given twice',         ['-o', 'auth.claim=exp'],      1, 'without repeated members' ],
        [ 'a kid that is not UTF-8',     ['--kid', "a\xff"],            1, '--kid' ],
        [ 'another kind of algorithm',   ['--algorithm', 'ES256'],      1, 'this key signs HS256, not ES256' ],
        [ 'no algorithm at all',         ['--algorithm', 'none'],       1, 'this key signs HS256, not none' ],
        [ 'no such file',                ['--key', "$DIR/no"],          1, "$DIR/no: No such file" ],
        [ 'a folder as a key',           ['--key', "$DIR"],             1, 'not a regular file' ],
        [ 'a public key',                ['--key', "$DIR/pair.pub"],    1, 'no private key' ],
        [ 'no settings',                 ['-c', "$DIR/no"],             1, "$DIR/no: No such file" ],
        [ 'an invalid setting',          ['-o', 'auth.mode=x'],         2, 'choose one of nginx' ],
        [ 'a lifetime of zero',          ['--for', '0s'],               2, '--for: \'0s\'' ],
        [ 'a lifetime without a unit',   ['--for', '60'],               2, '--for: \'60\'' ],
        [ 'a lifetime too long',         ['--for', '3651d'],            2, '--for: \'3651d\'' ],
        [ 'a lifetime that overflows',   ['--for', '99999999999999999999d'], 2, '--for' ],
        [ 'an unknown option',           ['--fro', '1h'],               2, '--fro' ],
        [ 'an unknown letter',         ['-x'],                        2, '\'x\'' ],
        [ 'an option of another verb', ['--secret'],                  2, '--secret' ],
        [ 'an option without a value', ['--name'],                    2, '--name' ],
        [ 'an extra argument',           ['team_red'],                  2, 'options only' ],
    );
    is_refused(token([ @good, @{ $_->[1] } ]), @$_[2, 3], $_->[0]) for @rows;
    is_refused(token([ 'make', '--user', '2' ]), 2, '--key', 'no key');
    is_refused(token([ 'make', '--key', "$DIR/secret" ]), 2, '--user', 'no user');
    is_refused(token(['key']), 2, 'one FILE', 'a key without a file');
    is_refused(token([ 'key', "$DIR/x", "$DIR/y" ]), 2, 'one FILE', 'two files');
    is_refused(token([ 'inspect', 'a', 'b' ]), 2, 'one TOKEN', 'two tokens');
    for ([], ['sign'], ['-t']) {
        my $result = token($_);
        is $result->{status}, 2, "no verb (@$_): status 2";
        like $result->{stderr}, qr/\Ausage: longroom-token key/, '... and the usage';
    }
};

subtest 'help and version are printed' => sub {
    for (['-h'], ['--help'], [ 'make', '--help' ], [ 'inspect', '-h' ]) {
        my $result = token($_);
        is "$result->{status} $result->{stderr}", '0 ', "@$_: status 0";
        like $result->{stdout}, qr/\Ausage: longroom-token key/, '... and the usage is printed';
    }
    like token(['-V'])->{stdout}, qr/\Alongroom-token [0-9.]+\n\z/, '-V prints the version';
    my ($options) = Longroom::slurp(Longroom::source_dir() . '/token/longroom-token.1') =~ /^\.Sh SYNOPSIS\n(.*?)^\.Sh/ms;
    my %documented = map { $_ => 1 } $options =~ /Fl -(\w+)/g;
    my %used = map { $_ => 1 } token(['-h'])->{stdout} =~ /--(\w+)/g;
    is_deeply [ sort keys %documented ], [ sort keys %used ],
        'the man page and the usage list the same options';
};

# ---------------------------------------------------------------- signatures

sub der_integer {
    my ($bytes) = @_;
    $bytes =~ s/\A\0+(?=.)//s;
    $bytes = "\0$bytes" if ord $bytes > 0x7f;
    return "\2" . chr(length $bytes) . $bytes;
}

subtest 'openssl verifies the signatures' => sub {
    my ($signed, $signature) = make('--key', "$DIR/secret", '--user', '2') =~ /(.*)\.(.*)/;
    Longroom::spew("$DIR/signed", $signed);
    my $secret = Longroom::slurp("$DIR/secret") =~ s/\n//r;
    my $mac = openssl(qw(dgst -sha256 -mac HMAC -macopt), "key:$secret", '-binary', "$DIR/signed");
    is $signature, encode_base64url($mac), 'HS256';

    ($signed, $signature) = make('--key', "$DIR/pair", '--user', '2') =~ /(.*)\.(.*)/;
    my $integers = join '', map { der_integer($_) } unpack 'a32 a32', decode_base64url($signature);
    Longroom::spew("$DIR/signed", $signed);
    Longroom::spew("$DIR/der", "\x30" . chr(length $integers) . $integers);
    is openssl('dgst', '-sha256', '-verify', "$DIR/pair.pub", '-signature', "$DIR/der", "$DIR/signed"),
        "Verified OK\n", 'ES256';

    ($signed, $signature) = make('--key', "$DIR/ed", '--user', '2') =~ /(.*)\.(.*)/;
    Longroom::spew("$DIR/signed", $signed);
    Longroom::spew("$DIR/raw", decode_base64url($signature));
    like openssl('pkeyutl', '-verify', '-rawin', '-pubin', '-inkey', "$DIR/ed.pub", '-sigfile', "$DIR/raw", '-in', "$DIR/signed"),
        qr/Verified Successfully/, 'EdDSA';
};

subtest 'keys made by openssl work' => sub {
    my %keys = (
        RS => [qw(-algorithm RSA -pkeyopt rsa_keygen_bits:2048)],
        Ed => [qw(-algorithm ED25519)],
        map { ("P-$_" => [ qw(-algorithm EC -pkeyopt), "ec_paramgen_curve:P-$_" ]) } qw(256 384 521),
    );
    my %algorithms = (RS => [qw(RS256 RS384 RS512)], 'P-256' => ['ES256'], 'P-384' => ['ES384'], 'P-521' => ['ES512'],
        Ed => ['EdDSA']);
    for my $kind (sort keys %keys) {
        openssl('genpkey', @{ $keys{$kind} }, '-out', "$DIR/$kind");
        openssl('pkey', '-in', "$DIR/$kind", '-pubout', '-out', "$DIR/$kind.pub");
        is part(make('--key', "$DIR/$kind", '--user', '2'), 0)->{alg}, $algorithms{$kind}[0],
            "$kind: the default algorithm";
        for (@{ $algorithms{$kind} }) {
            my $token = make('--key', "$DIR/$kind", '--user', '2', '--algorithm', $_);
            my $result = token([ 'inspect', '-o', "auth.keys=$DIR/$kind.pub" ], stdin => $token);
            is $result->{status}, 0, "$_ is verified" or diag $result->{stdout};
        }
    }
    for (qw(HS256 HS384 HS512)) {
        my $token = make('--key', "$DIR/secret", '--user', '2', '--algorithm', $_);
        is token([ 'inspect', '-o', "auth.keys=$DIR/secret" ], stdin => $token)->{status}, 0, "$_ is verified";
    }
};

# ---------------------------------------------------------------- inspect

Longroom::spew("$DIR/visitors", Visitors::SECRET);
chmod 0600, "$DIR/visitors";

sub signed {
    my (%claims) = @_;
    %claims = (sub => '2', exp => 4_102_444_800, %claims);
    delete $claims{$_} for grep { !defined $claims{$_} } keys %claims;
    return Tokens::token('HS256', Visitors::SECRET, { alg => 'HS256' }, \%claims);
}

sub inspect {
    my ($token, @arguments) = @_;
    return token([ 'inspect', '-o', "auth.keys=$DIR/visitors", @arguments ], stdin => $token);
}

subtest 'inspect prints a token' => sub {
    my $token = signed(name => 'Ann B.', nbf => 1, longroom => { read => ['a/*'] });
    my $result = inspect(signed(name => 'Ann B.', nbf => 1, longroom => { read => ['a'] }));
    is $result->{stdout}, <<'END', 'its header, its claims, its times as dates, and the verdict';
header
  "alg": "HS256"
claims
  "exp": 4102444800  2100-01-01T00:00:00Z
  "longroom": {"read":["a"]}
  "name": "Ann B."
  "nbf": 1  1970-01-01T00:00:01Z
  "sub": "2"
good: Longroom accepts it until 2100-01-01T00:00:30Z
END
    is $result->{stderr}, '', 'stderr is empty';
    is inspect("\n  $token\r\n\n")->{stdout}, inspect($token)->{stdout},
        'white space around a token is ignored';
    is token([ 'inspect', '-o', "auth.keys=$DIR/visitors", $token ])->{stdout}, inspect($token)->{stdout},
        'the token can be an argument too';
    like inspect(signed(exp => 9_223_372_036_854_775_807, iat => -1))->{stdout}, qr/9999-12-31T23:59:59Z/,
        'dates end, numbers do not';

    my $evil = inspect(signed(name => "\x{9b}2J\x{7f}\e[2J", "\e]0;x\a" => 1))->{stdout};
    unlike $evil, qr/[^\n -~]/, 'no control character of a token reaches the terminal';
    like $evil, qr/\\u009b2J\\u007f\\u001b\[2J/, '... it is printed escaped';
};

subtest 'inspect gives a verdict' => sub {
    my $past = time - 3600;
    my ($body) = signed() =~ /(.*)\./;
    my @rows = (
        [ 'a valid token',             signed(),                      [], 0, 'good: Longroom accepts it until 2100' ],
        [ 'an expired token',          signed(exp => $past),          [], 1, 'refused: the token has expired' ],
        [ '... with a larger skew',    signed(exp => time - 60),      ['-o', 'auth.clock_skew=10m'], 0, 'good' ],
        [ 'a token with a later nbf',  signed(nbf => 4_000_000_000),  [], 1, 'refused: the token is not valid yet' ],
        [ 'a token without exp',       signed(exp => undef),          [], 1, 'refused: the token\'s exp' ],
        [ 'another audience',          signed(aud => 'x'),            ['-o', 'auth.audience=y'], 1, 'refused: the token\'s aud' ],
        [ 'another issuer',            signed(iss => 'x'),            ['-o', 'auth.issuer=y'], 1, 'refused: the token\'s iss' ],
        [ 'a token without a user',    signed(sub => undef),          [], 1, 'refused: the token\'s sub' ],
        [ 'wrong rights',              signed(longroom => []),        [], 1, 'refused: the token\'s claim of rights' ],
        [ 'a wrong signature',         "$body." . 'A' x 43,           [], 1, 'refused: the token\'s signature does not match any key' ],
        [ 'alg none',                  Tokens::token('HS256', Visitors::SECRET, { alg => 'none' }, {}), [], 1, 'refused: no key in auth.keys has' ],
        [ 'another key',               signed(),                      ['-o', "auth.keys=$DIR/secret"], 1, 'refused: the token\'s signature' ],
        [ 'another kind of key',       signed(),                      ['-o', "auth.keys=$DIR/pair.pub"], 1, 'refused: no key in auth.keys has' ],
        [ 'several keys',              signed(),                      ['-o', "auth.keys=$DIR/pair.pub $DIR/visitors"], 0, 'good' ],
        [ 'no key, a valid token',     signed(),                      ['-o', 'auth.keys='], 1, 'not checked: ' ],
        [ 'no key, an expired token',  signed(exp => $past),          ['-o', 'auth.keys='], 1, 'refused: the token has expired' ],
        [ 'no key, no token',          'Hello',                       ['-o', 'auth.keys='], 1, 'refused: the token is malformed' ],
        [ 'no key, no claims',         'e30.e.e30',                   ['-o', 'auth.keys='], 1, 'refused: the token\'s claims' ],
        [ 'nothing',                   '',                            [], 1, 'refused: the token is malformed' ],
        [ 'two parts',                 'e30.e30',                     [], 1, 'refused: the token is malformed' ],
        [ 'bytes',                    join('', map {chr} 0 .. 255),  [], 1, 'refused: the token is malformed' ],
        [ 'bytes with dots',          "\0\xff.\0\xff.\0",            [], 1, 'refused: the token is malformed' ],
        [ 'a megabyte',               'a' x 1_000_000,               [], 1, 'refused: the token is longer than 8 KiB' ],
        [ 'a long token',               signed(x => 'x' x 7000),       [], 1, 'refused: the token is longer than 8 KiB' ],
    );
    for (@rows) {
        my ($title, $token, $arguments, $status, $verdict) = @$_;
        my $result = inspect($token, @$arguments);
        is $result->{status}, $status, "$title: status $status";
        like +(split /\n/, $result->{stdout})[-1], qr/\A\Q$verdict\E/, "... $verdict";
        is $result->{stderr}, '', '... stderr is empty';
    }

    Longroom::spew("$DIR/conf", "[auth]\nmode = token\nkeys = $DIR/visitors\nissuer = x\n");
    is token([ 'inspect', '-c', "$DIR/conf" ], stdin => signed(iss => 'x'))->{status}, 0,
        'settings may come from a file';
    is token([ 'inspect', '-c', "$DIR/conf" ], stdin => signed())->{status}, 1, '... which takes effect';
    like token([ 'inspect', '-c', "$DIR/conf", '-o', 'auth.mode=nginx' ], stdin => signed(iss => 'x'))->{stdout},
        qr/^refused: auth\.mode is not token$/m, 'in other modes every token is refused';
    is inspect(signed(), '-o', 'history.listen=no-host.invalid:1', '-o', 'store.url=elsewhere:', '-o', 'auth.mode=token')->{status}, 0,
        'only the settings of [auth] are checked, and no host is looked up';
    is_refused(inspect(signed(), '-o', "auth.keys=$DIR/no"), 1, "auth.keys: $DIR/no: No such file",
        'a missing key');
    is_refused(inspect(signed(), '-o', "auth.keys=$DIR/pair"), 1, 'give only the public one', 'a private key');
    is_refused(token([ 'inspect', '-c', "$DIR/no" ]), 1, "$DIR/no: No such file", 'a missing settings file');
};

# ---------------------------------------------------------------- Longroom

subtest 'Longroom accepts its tokens' => sub {
    my $l = Longroom->start(settings => { 'auth.mode' => 'token', 'auth.keys' => "$DIR/pair.pub $DIR/secret",
        'auth.audience' => 'chat' });
    for my $key (qw(pair secret)) {
        my $room = "team_$key";
        my $token = make('--key', "$DIR/$key", '--user', '2', '--name', 'Ann B.', '--type', 'bot',
            '--read', "$room lobby-*", '--write', $room, '-o', 'auth.audience=chat');
        my %headers = (Authorization => "Bearer $token");
        my $ask = sub {
            my ($method, $path, $content) = @_;
            return $l->request($method, $path, content => $content,
                headers => { %headers, defined $content ? ('Content-Type' => 'text/plain') : () });
        };
        my $sent = $ask->(POST => "/rooms/$room/messages", 'Hello');
        is $sent->{status}, 201, "$key: the token may send";
        my @fields = qw(user_id username sender_type);
        is_deeply [ @{ $sent->{json} }{@fields} ], [ '2', 'Ann B.', 'bot' ], '... as the user that it names';
        is_deeply Longroom::message_contents($ask->(GET => "/rooms/$room/messages")), ['Hello'], '... read';
        is $ask->(GET => "/rooms/$room/poll?timeout=0")->{status}, 200, '... poll';
        is $ask->(GET => '/rooms/lobby-1/poll?timeout=0')->{status}, 200, '... by each pattern';
        is $ask->(POST => '/rooms/lobby-1/messages', 'Hello')->{status}, 403, '... write only in its rooms';
        is $ask->(GET => '/rooms/team_x/messages')->{status}, 403, '... and read only in its rooms';

        $headers{Authorization} = 'Bearer ' . make('--key', "$DIR/$key", '--user', '2', '--read', '*');
        is $ask->(GET => "/rooms/$room/messages")->{status}, 401, 'a token without the audience is refused';
    }
    $l->stop;
};

done_testing;
