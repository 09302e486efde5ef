# Which tokens are accepted and which are refused, with the shipped configuration of
# nginx (PROTOCOL section 12): signatures, headers, keys and claims. Every token is
# sent twice: the second time it may be remembered.

use strict;
use warnings;

use FindBin      ();
use lib "$FindBin::Bin/lib";
use Longroom;
use MIME::Base64 qw(encode_base64url encode_base64);
use Test::More;
use Tokens;

my $now = time;
my $SECRET = 'a secret of no less than 32 bytes!';

# ---------------------------------------------------------------- keys

# The keys in auth.keys: some in files of their own, without a kid, and some in a JWK
# Set, with one.
my %key = (
    secret => $SECRET, map { $_ => Tokens::pair($_) } qw(rsa p256 p384 p521 ed25519),
);
my %named = (
    h => 'the secret of no less than 32 bytes that is named h', r => Tokens::pair('rsa'),
    e => Tokens::pair('p256'), e2 => Tokens::pair('p256'), d => Tokens::pair('ed25519'), only384 => 'a secret that is for HS384 and nothing else',
);
my $jwks = Tokens::json({ keys => [
    Tokens::jwk($named{h}, kid => 'h'), Tokens::jwk($named{r}, kid => 'r', use => 'sig', alg => 'RS256'),
    Tokens::jwk($named{e}, kid => 'e'), Tokens::jwk($named{e2}, kid => 'e2', key_ops => ['verify']),
    Tokens::jwk($named{only384}, kid => 'only384', alg => 'HS384'),
    Tokens::jwk($named{d}, kid => 'd', alg => 'EdDSA'),
    # Two with the same kid, as while one replaces the other.
    Tokens::jwk($named{h}, kid => 'twin'), Tokens::jwk($named{e}, kid => 'twin'),
    # These are ignored.
    { kty => 'OKP', crv => 'X25519', x => encode_base64url('x' x 32), kid => 'okp' },
    { kty => 'OKP', crv => 'Ed448', x => encode_base64url('x' x 57), kid => 'ed448' },
    Tokens::jwk('a secret for encryption, of 32 bytes', kid => 'enc', use => 'enc'),
] });
my $dir = Longroom::fresh_dir();

sub keep {
    my ($name, $bytes, $mode) = @_;
    Longroom::spew("$dir/$name", $bytes);
    chmod $mode // 0600, "$dir/$name" or die "$dir/$name: $!\n";
    return "$dir/$name";
}

my @files = (
    keep(secret => "$SECRET\n"), map({ keep("$_.pem", $key{$_}{public}, 0644) } qw(rsa p256 p384 p521 ed25519)),
    keep('keys.json', $jwks),
);
my %settings = (
    'auth.mode' => 'token', 'auth.keys' => "@files", 'auth.audience' => 'chat', 'auth.issuer' => 'https://site',
    'auth.anonymous_read' => 'news', 'limits.user_sends' => 0, 'limits.room_sends' => 0,
);
my $l = Longroom->start(settings => \%settings);

# ---------------------------------------------------------------- asking

my %ALL = (read => ['*'], write => ['*']);

sub claims {
    my (%claims) = @_;
    my %all = (
        sub => '2', name => 'Ann', exp => $now + 3600, aud => 'chat', iss => 'https://site',
        longroom => { %ALL, sender_type => 'staff' }, %claims,
    );
    # For claims to leave out.
    delete $all{$_} for grep { !defined $all{$_} } keys %all;
    return \%all;
}

# A valid token, except for the given differences.
sub token_of   { return hs256(claims(@_)) }
sub hs256      { return Tokens::token('HS256', $SECRET, { alg => 'HS256', typ => 'JWT' }, $_[0]) }
sub headed     { return Tokens::token('HS256', $SECRET, $_[0], claims()) }
sub with_text  { return hs256(Tokens::json(claims()) =~ s/\A\{/{$_[0],/r) }
sub of_kid     { my ($alg, $key, $kid) = @_; return Tokens::token($alg, $key, { alg => $alg, kid => $kid }, claims()) }
sub of_alg     { my ($alg, $key) = @_; return Tokens::token($alg, $key, { alg => $alg }, claims()) }

# Signed with one algorithm, with another one in the header.
sub said_to_be {
    my ($said, $alg, $key) = @_;
    return Tokens::token($alg, $key, { alg => $said }, claims());
}

sub ask {
    my ($method, $path, $token) = @_;
    return $l->request($method, $path, $method eq 'POST' ? (content => 'Hello') : (),
        headers => { Authorization => "Bearer $token", 'Content-Type' => 'text/plain' });
}

sub answers {
    my ($token) = @_;
    my @got = map { ask(@$_, $token) } [GET => '/rooms/room_1/messages?limit=1'],
        [GET => '/rooms/room_1/poll?timeout=0'], [POST => '/rooms/room_1/messages'];
    return join ' ', map { "$_->{status} " . ($_->{json}{type} // '-') } @got;
}

my $good      = '200 - 200 - 201 chat_message';
my $bad       = join ' ', ('401 unauthorized') x 3;
my $expired   = join ' ', ('401 token-expired') x 3;
my $forbidden = join ' ', ('403 forbidden') x 3;

# Rows: a name, the expected answers, a token.
sub table {
    my ($title, @rows) = @_;
    subtest $title => sub {
        while (my ($name, $expected, $token) = splice @rows, 0, 3) {
            is answers($token), $expected, $name;
            is answers($token), $expected, "$name, again";
        }
    };
    return;
}

# ---------------------------------------------------------------- signatures

my %other = (secret => 'another secret of no less than 32 bytes', map { $_ => Tokens::pair($_) } qw(rsa p256 p384 p521 ed25519));
my %KEY_OF = (
    HS256 => 'secret', HS384 => 'secret', HS512 => 'secret', RS256 => 'rsa', RS384 => 'rsa', RS512 => 'rsa',
    ES256 => 'p256', ES384 => 'p384', ES512 => 'p521', EdDSA => 'ed25519',
);
my @ALGORITHMS = sort keys %KEY_OF;

table('signatures are verified with each algorithm', map {
    my $alg = $_;
    my $name = $KEY_OF{$alg};
    my $token = of_alg($alg, $key{$name});
    my $changed = $token =~ s/(.)(.{20})\z/($1 eq 'A' ? 'B' : 'A') . $2/er;
    (
        "$alg"                                          => $good => $token,
        "$alg with another key"                         => $bad  => of_alg($alg, $other{$name}),
        "$alg with the signature of another token"      => $bad  =>
            $token =~ s/[^.]+\z//r . (token_of(sub => 'x') =~ s/.*\.//r),
        "$alg with a signature that is changed"         => $bad  => $changed,
        "$alg with other claims below the signature"    => $bad  =>
            $token =~ s/\.[^.]+/'.' . Tokens::part(claims(sub => '1'))/er,
        "$alg with an empty signature"                  => $bad  => $token =~ s/[^.]+\z//r,
        "$alg without a signature"                      => $bad  => $token =~ s/\.[^.]+\z//r,
    );
} @ALGORITHMS);

table('unsupported algorithms are refused', do {
    (
        'Ed25519, as RFC 9864 has it'        => $bad => said_to_be('Ed25519', 'EdDSA', $key{ed25519}),
        'eddsa in lower case'                => $bad => said_to_be('eddsa', 'EdDSA', $key{ed25519}),
        'PS256 with the RSA key'             => $bad => of_alg('PS256', $key{rsa}),
        'PS256 said to be RS256'             => $bad => said_to_be('RS256', 'PS256', $key{rsa}),
        'XX256'                              => $bad => said_to_be('XX256', 'HS256', $SECRET),
    );
});

table('none', map {
    my $text = Tokens::part({ alg => $_, typ => 'JWT' }) . '.' . Tokens::part(claims());
    (
        "'$_', two parts"                    => $bad => $text,
        "'$_', an empty signature"           => $bad => "$text.",
        "'$_', some signature"               => $bad => "$text.AAAA",
        "'$_', the secret's signature"       => $bad => Tokens::signed('HS256', $SECRET, $text),
    );
} qw(none None NONE nOnE), '', ' none', 'none ');

table('a public key is never a secret', map {
    my $name = $_;
    my ($pem, $der) = ($key{$name}{public}, Tokens::der($key{$name}));
    my $body = $pem =~ s/-----[^\n]+\n//gr;
    map { my $alg = $_; (
        "$name, $alg with its PEM"                      => $bad => of_alg($alg, $pem),
        "$name, $alg with its PEM but for the newline"  => $bad => of_alg($alg, $pem =~ s/\n\z//r),
        "$name, $alg with its DER"                      => $bad => of_alg($alg, $der),
        "$name, $alg with its base64"                   => $bad => of_alg($alg, $body =~ s/\n//gr),
    ) } qw(HS256 HS384 HS512);
} qw(rsa p256 ed25519));

table('the algorithm must be the one of the signature', map {
    my $said = $_;
    map { ("$_ said to be $said" => $bad => said_to_be($said, $_, $key{ $KEY_OF{$_} })) }
        grep { $_ ne $said } @ALGORITHMS;
} @ALGORITHMS);

# A number of 32 bytes, lowest first, plus the order of Ed25519.
sub plus_order {
    my @bytes = unpack 'C*', $_[0];
    my @order = unpack 'C*', pack 'H*', 'edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010';
    my $carry = 0;
    for (0 .. 31) {
        $carry += $bytes[$_] + $order[$_];
        $bytes[$_] = $carry & 255;
        $carry >>= 8;
    }
    return pack 'C*', @bytes;
}

table('invalid signatures are refused', do {
    my $of = sub { my ($alg, $bytes) = @_; return Tokens::part({ alg => $alg }) . '.' . Tokens::part(claims()) . '.'
        . encode_base64url($bytes) };
    my $text = Tokens::part({ alg => 'ES256' }) . '.' . Tokens::part(claims());
    my $order = pack 'H*', 'FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551';
    my $joined = Tokens::signature('ES256', $key{p256}, $text);
    (
        'of zeros'                => $bad => $of->(ES256 => "\0" x 64),
        'of a zero and a one'     => $bad => $of->(ES256 => "\0" x 32 . "\0" x 31 . "\1"),
        "the curve's order"       => $bad => $of->(ES256 => $order x 2),
        'too long'                => $bad => "$text." . encode_base64url("\0$joined"),
        'with wider numbers'      => $bad => "$text." . encode_base64url(join '', map {"\0$_"} unpack 'a32 a32', $joined),
        'in DER'                  => $bad => "$text." . encode_base64url(
            Tokens::openssl($text, 'dgst', '-sha256', '-sign', Tokens::key_file($key{p256}))),
        'RSA, of zeros'           => $bad => $of->(RS256 => "\0" x 256),
        'RSA, a one'              => $bad => $of->(RS256 => "\0" x 255 . "\1"),
        'RSA, the modulus'        => $bad => $of->(RS256 => Tokens::modulus($key{rsa})),
        'half of an HMAC'         => $bad => token_of() =~ s/.{22}\z//r,
        'an HMAC and a byte'      => $bad => do {
            my $signed = Tokens::part({ alg => 'HS256' }) . '.' . Tokens::part(claims());
            "$signed." . encode_base64url(Tokens::signature('HS256', $SECRET, $signed) . "\0");
        },
        'ECDSA, its numbers swapped'             => $bad => "$text." . encode_base64url(join '', reverse unpack 'a32 a32', $joined),
        'ECDSA, a byte less'      => $bad => "$text." . encode_base64url(substr $joined, 0, 63),
        'Ed25519, of zeros'       => $bad => $of->(EdDSA => "\0" x 64),
        # The signature of a point of small order, for any text.
        'Ed25519, a one and a zero'   => $bad => $of->(EdDSA => "\1" . "\0" x 63),
        do {
            my $signed = Tokens::part({ alg => 'EdDSA' }) . '.' . Tokens::part(claims());
            my $signature = Tokens::signature('EdDSA', $key{ed25519}, $signed);
            (
                'Ed25519, a byte more'    => $bad => "$signed." . encode_base64url("$signature\0"),
                'Ed25519, a byte less'    => $bad => "$signed." . encode_base64url(substr $signature, 0, 63),
                # RFC 8032 section 5.1.7: the second half is less than the order.
                'Ed25519, not in canonical form' => $bad => "$signed." . encode_base64url(
                    substr($signature, 0, 32) . plus_order(substr $signature, 32)),
            );
        },
    );
});

# ---------------------------------------------------------------- headers

for my $path ('messages', 'poll?timeout=0') {
    my $answer = ask(GET => "/rooms/room_1/$path", headed({ alg => 'HS256', typ => 'logout+jwt' }));
    like $answer->{json}{detail}, qr/typ must be JWT/, "$path: a token of another kind is named as such";
}

table('headers are checked', (
    'with typ and cty'            => $good => headed({ alg => 'HS256', typ => 'JWT', cty => 'x' }),
    'without typ'                 => $good => headed({ alg => 'HS256' }),
    'with typ in lower case'      => $good => headed({ alg => 'HS256', typ => 'jwt' }),
    'with typ of an access token' => $good => headed({ alg => 'HS256', typ => 'at+jwt' }),
    '... in capitals'             => $good => headed({ alg => 'HS256', typ => 'AT+JWT' }),
    '... as a media type'         => $good => headed({ alg => 'HS256', typ => 'application/at+jwt' }),
    '... in capitals, as a media type' => $good => headed({ alg => 'HS256', typ => 'Application/At+Jwt' }),
    'with at+jwt and more'             => $bad => headed({ alg => 'HS256', typ => 'at+jwt2' }),
    'with another media type'     => $bad  => headed({ alg => 'HS256', typ => 'text/at+jwt' }),
    'with another typ'            => $bad  => headed({ alg => 'HS256', typ => 'logout+jwt' }),
    'with an empty typ'           => $bad  => headed({ alg => 'HS256', typ => '' }),
    'whose typ is null'           => $bad  => headed('{"alg":"HS256","typ":null}'),
    'whose typ is an array'       => $bad  => headed({ alg => 'HS256', typ => ['JWT'] }),
    'with two typ'                => $bad  => headed('{"alg":"HS256","typ":"JWT","typ":"at+jwt"}'),
    'with an escape in alg'       => $good => headed('{"alg":"HS\u0032\u0035\u0036"}'),
    'with white space'            => $good => headed("{ \"alg\" :\t\"HS256\"\r\n}"),
    'without alg'                 => $bad  => headed({ typ => 'JWT' }),
    'that is empty'               => $bad  => headed('{}'),
    'whose alg is null'           => $bad  => headed('{"alg":null}'),
    'whose alg is a number'       => $bad  => headed('{"alg":256}'),
    'whose alg is an array'       => $bad  => headed('{"alg":["HS256"]}'),
    'whose alg is an object'      => $bad  => headed('{"alg":{"alg":"HS256"}}'),
    'whose alg is in lower case'      => $bad => headed('{"alg":"hs256"}'),
    'whose alg has a space'       => $bad  => headed('{"alg":"HS256 "}'),
    'whose alg has a NUL'         => $bad  => headed('{"alg":"HS256\u0000"}'),
    'with ALG'                    => $bad  => headed('{"ALG":"HS256"}'),
    'with two alg'                => $bad  => headed('{"alg":"HS256","alg":"HS256"}'),
    'with two alg, none first'    => $bad  => headed('{"alg":"none","alg":"HS256"}'),
    'with two alg, one escaped'   => $bad  => headed('{"alg":"HS256","\u0061lg":"none"}'),
    'with an unknown member twice'    => $bad => headed('{"alg":"HS256","x":1,"x":1}'),
    'with a nested member twice'      => $bad => headed('{"alg":"HS256","x":[{"y":1,"y":2}]}'),
    'that is an array'            => $bad  => headed('["HS256"]'),
    'that is a string'            => $bad  => headed('"HS256"'),
    'that is not JSON'            => $bad  => headed('HS256'),
    'with trailing bytes'         => $bad  => headed('{"alg":"HS256"}x'),
    'with a trailing NUL'         => $bad  => headed("{\"alg\":\"HS256\"}\0"),
    'twice'                       => $bad  => headed('{"alg":"HS256"}{"alg":"HS256"}'),
    'with a comment'              => $bad  => headed('{"alg":"HS256"/**/}'),
    'with a trailing comma'       => $bad  => headed('{"alg":"HS256",}'),
    'with crit'                   => $bad  => headed({ alg => 'HS256', crit => ['exp'], exp => 1 }),
    'with crit, empty'            => $bad  => headed({ alg => 'HS256', crit => [] }),
    'with crit, null'             => $bad  => headed('{"alg":"HS256","crit":null}'),
    'with b64'                    => $bad  => headed({ alg => 'HS256', crit => ['b64'], b64 => JSON::PP::false }),
));

table('a kid selects the keys', (
    'of a secret'                          => $good => of_kid(HS256 => $named{h}, 'h'),
    'of a secret, HS512'                   => $good => of_kid(HS512 => $named{h}, 'h'),
    'of an RSA key'                        => $good => of_kid(RS256 => $named{r}, 'r'),
    'of an RSA key, but not its alg'       => $bad  => of_kid(RS512 => $named{r}, 'r'),
    'of an EC key'                         => $good => of_kid(ES256 => $named{e}, 'e'),
    'of the next key of this kind'         => $good => of_kid(ES256 => $named{e2}, 'e2'),
    'of a secret that is for HS384 only'   => $good => of_kid(HS384 => $named{only384}, 'only384'),
    '... used for HS256'                   => $bad  => of_kid(HS256 => $named{only384}, 'only384'),
    'of an Ed25519 key'                    => $good => of_kid(EdDSA => $named{d}, 'd'),
    'of another Ed25519 key'               => $bad  => of_kid(EdDSA => $key{ed25519}, 'd'),
    'of an EC key, and EdDSA'              => $bad  => of_kid(EdDSA => $named{d}, 'e'),
    'of an Ed25519 key, and ES256'         => $bad  => of_kid(ES256 => $named{e}, 'd'),
    'that is absent, and EdDSA'            => $good => of_alg(EdDSA => $named{d}),
    'of two keys, the first'               => $good => of_kid(HS256 => $named{h}, 'twin'),
    'of two keys, the second'              => $good => of_kid(ES256 => $named{e}, 'twin'),
    'of another key'                       => $bad  => of_kid(ES256 => $named{e}, 'e2'),
    'of a key of another kind'             => $bad  => of_kid(HS256 => $named{h}, 'r'),
    'of a key for encryption'              => $bad  => of_kid(HS256 => 'a secret for encryption, of 32 bytes', 'enc'),
    'of an unsupported key'                => $bad  => of_kid(HS256 => 'x' x 32, 'okp'),
    'of no key'                            => $bad  => of_kid(HS256 => $named{h}, 'x'),
    'of no key, by a key without a kid'    => $bad  => of_kid(HS256 => $SECRET, 'secret'),
    'that is a path'                       => $bad  => of_kid(HS256 => '', '/dev/null'),
    'that is empty'                        => $bad  => of_kid(HS256 => $named{h}, ''),
    'in capitals'                          => $bad  => of_kid(HS256 => $named{h}, 'H'),
    'with a NUL'                           => $bad  => of_kid(HS256 => $named{h}, "h\0"),
    'that is a number'                     => $bad  => Tokens::token(HS256 => $SECRET, '{"alg":"HS256","kid":1}', claims()),
    'that is null'                         => $bad  => Tokens::token(HS256 => $SECRET, '{"alg":"HS256","kid":null}', claims()),
    'given twice'                          => $bad  =>
        Tokens::token(HS256 => $named{h}, '{"alg":"HS256","kid":"h","kid":"h"}', claims()),
    'that is absent: all keys are tried'   => $good => of_alg(HS256 => $named{h}),
    'that is absent, but not its alg'      => $bad  => of_alg(HS256 => $named{only384}),
    'absent, with a key in the header'     => $bad  => Tokens::token(HS256 => 'x' x 32,
        { alg => 'HS256', jwk => Tokens::jwk('x' x 32), jku => 'http://localhost/' }, claims()),
));

# ---------------------------------------------------------------- base64url, size

# Replaces the last character by another one that differs only in the surplus bits.
sub with_surplus_bits {
    my ($text) = @_;
    my $alphabet = join '', 'A' .. 'Z', 'a' .. 'z', 0 .. 9, '-', '_';
    my $last = index $alphabet, substr $text, -1;
    length($text) % 4 or die "no bits are left over\n";
    return substr($text, 0, -1) . substr $alphabet, $last ^ 1, 1;
}

table('base64url', do {
    my $token = token_of();
    my ($header, $claims, $signature) = split /\./, $token;
    # Sizes at which bits are left over.
    my ($odd_header) = grep { length($_) % 4 } map { Tokens::part('{"alg":"HS256"' . ' ' x $_ . '}') } 0 .. 2;
    my ($odd_claims) = grep { length($_) % 4 } map { Tokens::part(claims(x => 'x' x $_)) } 0 .. 2;
    my $over = sub { return Tokens::signed('HS256', $SECRET, $_[0]) };
    # So many ? that their characters are in both alphabets.
    my $rich = Tokens::part(claims(x => '???>>>' x 8));
    my $other = $rich =~ tr{-_}{+/}r;
    isnt $other, $rich, 'there are characters to change';
    (
        'the usual characters'                     => $good => $over->("$header.$rich"),
        'of the other alphabet'                    => $bad  => $over->("$header.$other"),
        'the header with padding'                  => $bad  => $over->("$odd_header==.$claims"),
        'the claims with padding'                  => $bad  => $over->("$header.$odd_claims="),
        'the signature with padding'               => $bad  => "$token=",
        'one character more in the signature'      => $bad  => "${token}A",
        'bits left over in the header'             => $bad  => $over->(with_surplus_bits($odd_header) . ".$claims"),
        'no bits left over'                        => $good => $over->("$odd_header.$odd_claims"),
        'bits left over in the claims'             => $bad  => $over->("$header." . with_surplus_bits($odd_claims)),
        'bits left over in the signature'          => $bad  => "$header.$claims." . with_surplus_bits($signature),
        'a space in the claims'                    => $bad  => $over->("$header. $claims"),
        'a tab in the claims'                      => $bad  => $over->("$header.$claims\t"),
        'a space in the signature'                 => $bad  => "$header.$claims." . $signature =~ s/\A./$& /r,
        'a character outside the alphabet'         => $bad  => $over->("$header.$claims!"),
        'bytes beyond ASCII'                       => $bad  => $over->("$header.$claims\xff"),
        'a fourth part'                            => $bad  => "$token.$signature",
        'five parts, as when encrypted'            => $bad  => "$header.x.$claims.x.$signature",
        'an empty header'                          => $bad  => $over->(".$claims"),
        'empty claims'                             => $bad  => $over->("$header."),
        'dots only'                                => $bad  => '..',
        'a dot before it'                          => $bad  => ".$token",
        'no dot'                                   => $bad  => 'x',
        'a comma and another token'                => $bad  => "$token,$token",
        'another token behind a space'             => $bad  => "$token $token",
        'in quotes'                                => $bad  => "\"$token\"",
        'spaces before it'                         => $good => "  $token",
    );
});

subtest 'a truncated token is refused' => sub {
    for my $alg (qw(HS256 ES256)) {
        my $token = of_alg($alg, $key{ $KEY_OF{$alg} });
        my @taken = grep { answers(substr $token, 0, $_) ne $bad } 1 .. length($token) - 1;
        is "@taken", '', "$alg, at each place";
        my @later = grep { answers(substr $token, $_) ne $bad } map { $_ * 7 } 1 .. length($token) / 7;
        is "@later", '', "$alg, at its beginning";
    }
};

# A token of exactly this size.
sub of_size {
    my ($size) = @_;
    for (0 .. 3) {
        # A character of the header shifts the size by a fraction of a claims character.
        my $token = sub { Tokens::token('HS256', $SECRET, '{"alg":"HS256"' . ' ' x $_[1] . '}', claims(x => 'x' x $_[0])) };
        my $missing = $size - length $token->(0, $_);
        for my $more (map { int($missing * 3 / 4) + $_ } -2 .. 2) {
            my $made = $token->($more, $_);
            return $made if length $made == $size;
        }
    }
    die "there is no token of $size bytes\n";
}

table('a token has at most 8 KiB', (
    '8 KiB'                => $good => of_size(8192),
    '8 KiB and a byte'     => $bad  => of_size(8193),
    '10 KB'                => $bad  => of_size(10000),
    '10 KB of nothing'     => $bad  => 'x' x 10000,
    '10 KB of dots'        => $bad  => '.' x 10000,
    '8 KiB of dots'        => $bad  => '.' x 8192,
    'claims in 8 KiB of brackets'   => $bad => hs256('[' x 5900),
    '... and of objects'   => $bad  => hs256('{"":' x 1475),
));

# ---------------------------------------------------------------- claims

table('exp and nbf are checked', (
    'expired'                        => $expired => token_of(exp => $now - 60),
    'expired, but within the skew'   => $good    => token_of(exp => $now - 3),
    'expired, signed by another key' => $bad     => Tokens::token('HS256', $other{secret}, { alg => 'HS256' }, claims(exp => 1)),
    'expired, and of another aud'    => $expired => token_of(exp => 1, aud => 'x'),
    'expired at zero'                => $expired => token_of(exp => 0),
    'absent'                         => $bad     => token_of(exp => undef),
    'null'                           => $bad     => hs256(Tokens::json(claims()) =~ s/"exp":\d+/"exp":null/r),
    'a string'                       => $bad     => token_of(exp => '' . ($now + 3600)),
    'a word'                         => $bad     => token_of(exp => 'never'),
    'true'                           => $bad     => token_of(exp => JSON::PP::true),
    'with a fraction'                => $good    => hs256(Tokens::json(claims()) =~ s/"exp":\d+/$&.5/r),
    'with a fraction, expired'       => $expired => hs256(Tokens::json(claims(exp => $now - 60)) =~ s/"exp":\d+/$&.5/r),
    'with a fraction of nothing'     => $good    => hs256(Tokens::json(claims()) =~ s/"exp":\d+/$&.0/r),
    'with an exponent'               => $good    => hs256(Tokens::json(claims()) =~ s/"exp":\d+/"exp":1e11/r),
    'with too large an exponent'     => $bad     => hs256(Tokens::json(claims()) =~ s/"exp":\d+/"exp":1e12/r),
    'beyond every number'            => $bad     => hs256(Tokens::json(claims()) =~ s/"exp":\d+/"exp":1e999/r),
    'beyond every number, negative'  => $bad     => hs256(Tokens::json(claims()) =~ s/"exp":\d+/"exp":-1e999/r),
    'negative, with a fraction'      => $bad     => hs256(Tokens::json(claims()) =~ s/"exp":\d+/"exp":-1.5/r),
    'with a zero before it'          => $bad     => hs256(Tokens::json(claims()) =~ s/"exp":/"exp":0/r),
    'negative'                       => $bad     => token_of(exp => -1),
    'the end of the year 9999'       => $good    => token_of(exp => 253402300799),
    'a second later'                 => $bad     => token_of(exp => 253402300800),
    'of 63 bits'                     => $bad     => token_of(exp => 9223372036854775807),
    'of 64 bits'                     => $bad     => hs256(Tokens::json(claims()) =~ s/"exp":\d+/"exp":18446744073709551615/r),
    'huge'                           => $bad     => hs256(Tokens::json(claims()) =~ s/"exp":\d+/'"exp":' . '9' x 400/er),
    'negative and huge'              => $bad     => hs256(Tokens::json(claims()) =~ s/"exp":\d+/'"exp":-' . '9' x 400/er),
    'not yet'                        => $bad     => token_of(nbf => $now + 600),
    'not yet, but within the skew'   => $good    => token_of(nbf => $now + 10),
    'since now'                      => $good    => token_of(nbf => $now),
    'nbf that is a string'           => $bad     => token_of(nbf => '1'),
    'nbf that is null'               => $bad     => with_text('"nbf":null'),
    'nbf with a fraction'            => $good    => with_text('"nbf":1.5'),
    'not yet, with a fraction'       => $bad     => with_text('"nbf":' . ($now + 600) . '.5'),
    'nbf that is negative'           => $bad     => token_of(nbf => -1),
    'iat does not matter'            => $good    => token_of(iat => $now + 600),
));

table('aud and iss are checked', (
    'another aud'                    => $bad  => token_of(aud => 'other'),
    'aud in capitals'                => $bad  => token_of(aud => 'Chat'),
    'aud with the same beginning'    => $bad  => token_of(aud => 'chat2'),
    'an empty aud'                   => $bad  => token_of(aud => ''),
    'no aud'                         => $bad  => token_of(aud => undef),
    'aud that is null'               => $bad  => hs256(Tokens::json(claims()) =~ s/"aud":"chat"/"aud":null/r),
    'aud that is an object'          => $bad  => token_of(aud => { chat => 'chat' }),
    'aud that is a number'           => $bad  => token_of(aud => 1),
    'an array with it'               => $good => token_of(aud => ['other', 'chat']),
    'an array without it'            => $bad  => token_of(aud => ['other']),
    'an empty array'                 => $bad  => token_of(aud => []),
    'an array with a number'         => $bad  => token_of(aud => ['chat', 1]),
    'an array in an array'           => $bad  => token_of(aud => [['chat']]),
    'another iss'                    => $bad  => token_of(iss => 'https://site.example'),
    'no iss'                         => $bad  => token_of(iss => undef),
    'iss with an extra slash'        => $bad  => token_of(iss => 'https://site/'),
    'iss that is an array'           => $bad  => token_of(iss => ['https://site']),
    'two aud'                        => $bad  => with_text('"aud":"chat"'),
));

table('claims are one JSON object without repeated members', (
    'sub twice'                      => $bad  => with_text('"sub":"1"'),
    'sub twice, the same'            => $bad  => with_text('"sub":"2"'),
    'sub twice, once with an escape' => $bad  => with_text('"s\u0075b":"1"'),
    'exp twice'                      => $bad  => with_text('"exp":99999999999'),
    'the rights twice'               => $bad  => with_text('"longroom":{"read":["*"],"write":["*"]}'),
    'a list of rights twice'         => $bad  => hs256(Tokens::json(claims()) =~ s/"read":\[[^]]*\]/$&,"read":["x"]/r),
    '... once with an escape'        => $bad  => hs256(Tokens::json(claims()) =~ s/"read":\[[^]]*\]/$&,"\\u0072ead":[]/r),
    'an unknown member twice'               => $bad => with_text('"x":1,"x":1'),
    '... nested'                     => $bad  => with_text('"x":{"y":[{"z":1,"z":1}]}'),
    'an empty name twice'            => $bad  => with_text('"":1,"":1'),
    'the same name in two objects'   => $good => with_text('"x":{"sub":1},"y":[{"sub":2},{"sub":3}]'),
    'an array'                       => $bad  => hs256('[' . Tokens::json(claims()) . ']'),
    'a string'                       => $bad  => hs256('"x"'),
    'null'                           => $bad  => hs256('null'),
    'nothing'                        => $bad  => hs256(' '),
    'an empty object'                => $bad  => hs256('{}'),
    'two objects'                    => $bad  => hs256(Tokens::json(claims()) x 2),
    'an object, and a comma'         => $bad  => hs256(Tokens::json(claims()) . ','),
    'an object, and a NUL'           => $bad  => hs256(Tokens::json(claims()) . "\0"),
    'an object that does not end'    => $bad  => hs256(Tokens::json(claims()) =~ s/\}\z//r),
    'white space around it'          => $good => hs256("\r\n\t " . Tokens::json(claims()) . "\n"),
    'a byte order mark before it'    => $bad  => hs256("\xef\xbb\xbf" . Tokens::json(claims())),
    'UTF-16'                         => $bad  => hs256(join '', map {"$_\0"} split //, Tokens::json(claims())),
    'a comment'                      => $bad  => with_text('/* */"x":1'),
    'a trailing comma'               => $bad  => with_text('"x":[1,]'),
    'single quotes'                  => $bad  => with_text(q{'x':1}),
    'a name without quotes'          => $bad  => with_text('x:1'),
    'NaN'                            => $bad  => with_text('"x":NaN'),
    'a number that begins with +'    => $bad  => with_text('"x":+1'),
    'TRUE'                           => $bad  => with_text('"x":TRUE'),
    'a line break in a string'       => $bad  => with_text("\"x\":\"\n\""),
    'an invalid escape'              => $bad  => with_text('"x":"\x41"'),
    'a NUL in a name'                => $bad  => with_text('"x\u0000":1'),
    'sub with a NUL in its name'     => $bad  => hs256(Tokens::json(claims()) =~ s/"sub"/"sub\\u0000"/r),
    'a NUL in a value'               => $bad  => with_text('"x":"\u0000"'),
    'a NUL that is not escaped'      => $bad  => with_text("\"x\":\"\0\""),
    'a backslash and u0000'          => $good => with_text('"x":"\\\\u0000"'),
    'invalid UTF-8'                  => $bad  => with_text("\"x\":\"\xff\""),
    'overlong UTF-8'                 => $bad  => with_text("\"x\":\"\xc1\xbf\""),
    'UTF-8 of a surrogate'           => $bad  => with_text("\"x\":\"\xed\xa0\x80\""),
    '31 arrays in it'                => $good => with_text('"x":' . '[' x 31 . '1' . ']' x 31),
    '32 arrays in it'                => $bad  => with_text('"x":' . '[' x 32 . ']' x 32),
    'escaped names, each once'       => $good => hs256(Tokens::json(claims()) =~ s/"sub"/"\\u0073ub"/r),
));

table('sub and name are checked', (
    'no sub'                         => $bad  => token_of(sub => undef),
    'sub that is empty'              => $bad  => token_of(sub => ''),
    'sub of 128 bytes'               => $good => token_of(sub => 'x' x 128),
    'sub of 129 bytes'               => $bad  => token_of(sub => 'x' x 129),
    'sub that is a number'           => $bad  => token_of(sub => 2),
    'sub that is null'               => $bad  => hs256(Tokens::json(claims()) =~ s/"sub":"2"/"sub":null/r),
    'sub that is an array'           => $bad  => token_of(sub => ['2']),
    'sub that is an object'          => $bad  => token_of(sub => {}),
    'sub that is true'               => $bad  => token_of(sub => JSON::PP::true),
    'sub with a line break'          => $bad  => token_of(sub => "a\nb"),
    'sub with DEL'                   => $bad  => token_of(sub => "a\x7f"),
    'sub with a C1 control'          => $bad  => token_of(sub => "a\x{85}"),
    'sub with half a surrogate pair' => $bad  => hs256(Tokens::json(claims()) =~ s/"sub":"2"/"sub":"\\ud800"/r),
    'sub with a surrogate pair'      => $good => hs256(Tokens::json(claims()) =~ s/"sub":"2"/"sub":"\\ud83d\\ude00"/r),
    'sub with U+FFFD'                => $bad  => token_of(sub => "\x{fffd}"),
    'no name'                        => $good => token_of(name => undef),
    'name that is empty'             => $good => token_of(name => ''),
    'name that is null'              => $good => hs256(Tokens::json(claims()) =~ s/"name":"Ann"/"name":null/r),
    'name that is a number'          => $bad  => token_of(name => 1),
    'name of 129 bytes'              => $bad  => token_of(name => 'x' x 129),
    'name with a control character'  => $bad  => token_of(name => "a\e[1m"),
));

sub rights { return token_of(longroom => $_[0]) }

table('rights', (
    'none at all'                    => $forbidden => token_of(longroom => undef),
    'an empty object'                => $forbidden => rights({}),
    'empty lists'                    => $forbidden => rights({ read => [], write => [] }),
    'by another claim'               => $forbidden => token_of(longroom => undef, rights => \%ALL),
    'for another room'               => $forbidden => rights({ read => ['room_2'], write => ['room_??'] }),
    'for this room'                  => $good      => rights({ read => ['x', 'room_1'], write => ['room_?'] }),
    'an unknown member is ignored'       => $good  => rights({ %ALL, admin => JSON::PP::true }),
    'null'                           => $bad       => hs256(Tokens::json(claims(longroom => 1)) =~ s/"longroom":1/"longroom":null/r),
    'an array'                       => $bad       => rights(['*']),
    'a string'                       => $bad       => rights('*'),
    'true'                           => $bad       => rights(JSON::PP::true),
    'a list that is a string'        => $bad       => rights({ %ALL, read => '*' }),
    'a list that is null'            => $bad       => rights({ %ALL, read => undef }),
    'a list that is an object'       => $bad       => rights({ %ALL, write => { '*' => 1 } }),
    'a list with a number'           => $bad       => rights({ %ALL, write => ['*', 1] }),
    'a list with null'               => $bad       => rights({ %ALL, write => ['*', undef] }),
    'an empty pattern'               => $bad       => rights({ %ALL, read => ['*', ''] }),
    'a pattern with a slash'         => $bad       => rights({ %ALL, read => ['*', '/'] }),
    'a pattern with brackets'        => $bad       => rights({ %ALL, read => ['[a-z]*'] }),
    'a pattern with a backslash'     => $bad       => rights({ %ALL, read => ['\\*'] }),
    'two patterns in one'            => $bad       => rights({ %ALL, read => ['room_1 room_2'] }),
    'a pattern of 64 bytes'          => $good      => rights({ %ALL, read => ['*' x 64] }),
    'a pattern of 8 stars'           => $good      => rights({ %ALL, read => ['*r*o*o*m*_*1*'] }),
    'a pattern of 9 stars'           => $bad       => rights({ %ALL, read => ['*r*o*o*m*_*1*?*?*'] }),
    'a pattern of 65 bytes'          => $bad       => rights({ %ALL, read => ['*' x 65] }),
    '256 patterns in a list'         => $good      => rights({ read => [('x') x 255, '*'], write => [('x') x 255, '*'] }),
    '257 patterns in a list'         => $bad       => rights({ %ALL, read => [('*') x 257] }),
    'sender_type that is empty'      => $bad       => rights({ %ALL, sender_type => '' }),
    'sender_type that is a number'   => $bad       => rights({ %ALL, sender_type => 1 }),
    'sender_type that is null'       => $bad       => rights({ %ALL, sender_type => undef }),
    'sender_type of 129 bytes'       => $bad       => rights({ %ALL, sender_type => 'x' x 129 }),
    'sender_type with a line break'  => $bad       => rights({ %ALL, sender_type => "a\n" }),
));

for my $path ('messages', 'poll?timeout=0') {
    my $answer = ask(GET => "/rooms/room_1/$path", rights({ %ALL, write => ['*a*b*c*d*e*f*g*h*'] }));
    like $answer->{json}{detail}, qr/more than 8 stars/, "$path: a pattern with too many stars is named";
}

subtest 'the sender is the user of the token' => sub {
    my $long = 'x' x 128;
    my %rows = (
        '2 Ann staff'      => token_of(),
        '2 Ann user'       => token_of(longroom => \%ALL),
        '7 7 user'         => token_of(sub => '7', name => undef, longroom => \%ALL),
        '8 8 user'         => token_of(sub => '8', name => '', longroom => \%ALL),
        '9 9 user'         => hs256(Tokens::json(claims(sub => '9', longroom => \%ALL)) =~ s/"name":"Ann"/"name":null/r),
        "$long Ann staff"  => token_of(sub => $long),
    );
    # The first time, and when it is remembered.
    for my $expected ((sort keys %rows) x 2) {
        my $sent = $l->request(POST => '/rooms/room_1/messages', content => '{"content":"x","user_id":"1","username":"root"}',
            headers => { Authorization => "Bearer $rows{$expected}", 'Content-Type' => 'application/json' });
        my $read = ask(GET => "/rooms/room_1/messages/$sent->{json}{id}", $rows{$expected});
        is join(' ', @{ $read->{json} }{qw(user_id username sender_type)}), $expected, substr $expected, 0, 20;
    }
};

subtest 'an invalid token is refused even where everybody may read' => sub {
    my %rows = (unauthorized => 'x.y.z', 'token-expired' => token_of(exp => 1));
    for my $type (sort keys %rows) {
        for my $path (qw(messages poll?timeout=0)) {
            my $answer = ask(GET => "/rooms/news/$path", $rows{$type});
            Longroom::is_problem($answer, 401, $type, "$type: $path");
            like $answer->{headers}{'www-authenticate'}, qr/\ABearer .*error="invalid_token"/, 'and WWW-Authenticate says so too';
        }
    }
    is ask(GET => '/rooms/news/messages', token_of(longroom => undef))->{status}, 200, 'a valid token without rights may read there';
};
$l->stop;

# ---------------------------------------------------------------- other keys

# Writes keys.json, and makes both programs reload it.
sub change_keys {
    my ($text) = @_;
    keep('keys.json', $text);
    my %from = map { $_ => $l->log_size($_) } qw(history pushd);
    $l->set_in_file('');
    return \%from;
}

sub set_of { return Tokens::json({ keys => [@_] }) }

subtest 'keys are replaced while the programs run' => sub {
    keep('keys.json', set_of(Tokens::jwk($named{h}, kid => 'h')));
    $l = Longroom->start(settings => { 'auth.mode' => 'token', 'auth.keys' => "$dir/keys.json" });
    my $pids = join ' ', map { $l->pid($_) } qw(history pushd);
    my ($old, $new) = (of_kid(HS256 => $named{h}, 'h'), of_kid(ES256 => $named{e}, 'e'));
    my $are = sub { my ($old_is, $new_is, $title) = @_;
        # Keys take effect a moment after the settings.
        ok $l->eventually(20, sub { answers($old) eq $old_is && answers($new) eq $new_is }), $title };
    $are->($good, $bad, 'one key');
    change_keys(set_of(Tokens::jwk($named{h}, kid => 'h'), Tokens::jwk($named{e}, kid => 'e')));
    $are->($good, $good, 'another key is added');
    change_keys(set_of(Tokens::jwk($named{e}, kid => 'e')));
    $are->($bad, $good, 'the first is removed: its tokens are refused, remembered or not');
    change_keys(set_of(Tokens::jwk($named{h}, kid => 'e')));
    $are->($bad, $bad, 'another key has the same kid');
    change_keys(set_of(Tokens::jwk($named{h}, kid => 'h'), Tokens::jwk($named{e}, kid => 'e')));
    $are->($good, $good, 'both keys again');
    for my $broken ('', 'garbage', '{"keys":[]}', substr(set_of(Tokens::jwk($named{h}, kid => 'h')), 0, -4), $key{rsa}{private}) {
        my $from = change_keys($broken);
        for (qw(history pushd)) {
            my $complaint = qr{auth\.keys: \Q$dir\E/keys\.json: .*\n.*: reload failed, settings unchanged\n};
            ok $l->wait_log($_, $complaint, undef, $from->{$_}), "$_ logs that the file is broken";
            my $lines = () = $l->log($_, $from->{$_}) =~ /$complaint/g;
            is $lines, 1, '... once';
            unlike $l->log($_, $from->{$_}), qr/: settings reloaded$/m, '... and does not claim to have reloaded';
        }
        $are->($good, $good, '... and keeps its keys');
    }
    unlink "$dir/keys.json";
    $l->set_in_file('');
    $are->($good, $good, 'it keeps its keys if the file is missing');
    change_keys(set_of(Tokens::jwk($named{e}, kid => 'e')));
    $are->($bad, $good, 'until there are valid ones');
    is join(' ', map { $l->pid($_) } qw(history pushd)), $pids, 'nothing was restarted';
    $l->stop;
};

subtest 'if no key has a kid, the kid of a token is ignored' => sub {
    my @unnamed = (keep('set.json', set_of(Tokens::jwk($named{h}), Tokens::jwk($named{e2}, kid => 'e2', use => 'enc'))),
        map { "$dir/$_" } qw(secret rsa.pem));
    $l = Longroom->start(settings => { 'auth.mode' => 'token', 'auth.keys' => "@unnamed" });
    my @rows = (
        ['a secret'               => $good => of_kid(HS256 => $SECRET, 'x')],
        ['a public key'           => $good => of_kid(RS256 => $key{rsa}, 'x')],
        ['a JWK'                  => $good => of_kid(HS256 => $named{h}, 'x')],
        ['an unknown key'         => $bad  => of_kid(HS256 => $named{only384}, 'x')],
        ['a key for encryption'   => $bad  => of_kid(ES256 => $named{e2}, 'e2')],
        ['a kid that is a number' => $bad  => Tokens::token(HS256 => $SECRET, '{"alg":"HS256","kid":1}', claims())],
    );
    is answers($_->[2]), $_->[1], $_->[0] for @rows;
    $l->stop;
};

subtest 'a token is tried with at most four keys' => sub {
    my $secret = sub { "secret number $_[0], of no less than 32 bytes" };
    my $unnamed = sub { keep("unnamed-$_[0]", $secret->($_[0])) };
    my $named = sub { keep('named.json', set_of(map { Tokens::jwk($secret->($_), kid => $_) } @_)) };
    my $plain = sub { of_alg(HS256 => $secret->($_[0])) };
    my %rows = (
        'more without a kid' => {
            files => [$named->('n1'), map { $unnamed->($_) } 1 .. 5], warning => 'no kid',
            good => [map({ $plain->($_) } 1 .. 4), of_kid(HS256 => $secret->('n1'), 'n1')], bad => [map { $plain->($_) } 5, 'n1'],
        },
        'two without a kid, and more with one' => {
            files => [$named->(map {"n$_"} 1 .. 11), map { $unnamed->($_) } 1, 2],
            good => [map({ $plain->($_) } 1, 2, 'n1', 'n2'), map { of_kid(HS256 => $secret->("n$_"), "n$_") } 1 .. 11],
            bad  => [$plain->('n3'), $plain->('n11')],
        },
        'more of the same kid' => {
            files => [keep('same.json', set_of(map { Tokens::jwk($secret->($_), kid => 'same') } 1 .. 5))], warning => 'the same kid',
            good => [map { of_kid(HS256 => $secret->($_), 'same') } 1 .. 4], bad => [of_kid(HS256 => $secret->(5), 'same')],
        },
        'keys of another kind do not count' => {
            files => [map({"$dir/$_.pem"} qw(rsa p256 p384 p521 ed25519)), map { $unnamed->($_) } 1 .. 4],
            good => [map { $plain->($_) } 1 .. 4], bad => [],
        },
    );
    for my $title (sort keys %rows) {
        my $row = $rows{$title};
        # The same file name has other keys in another row.
        $named->($title =~ /two/ ? map {"n$_"} 1 .. 11 : 'n1');
        $l = Longroom->start(settings => { 'auth.mode' => 'token', 'auth.keys' => "@{ $row->{files} }" });
        is answers($_), $good, "$title: the first four are tried" for @{ $row->{good} };
        for my $token (@{ $row->{bad} }) {
            is answers($token), $bad, "$title: the fifth is not";
            like ask(GET => "/rooms/room_1/$_", $token)->{json}{detail}, qr/none of the first 4 keys/, '... and why'
                for 'messages', 'poll?timeout=0';
        }
        my $warning = 'warning: auth.keys: more than 4 keys for HS256 have ' . ($row->{warning} // '');
        for (qw(history pushd)) {
            my $lines = () = $l->log($_) =~ /\Q$warning\E/g;
            is $lines, $row->{warning} ? 1 : 0, "$title: $_ says so " . ($row->{warning} ? 'once' : 'not at all');
        }
        $l->stop;
    }
};

subtest 'keys are accepted in other formats' => sub {
    my %pem = (
        'a certificate'            => [RS256 => $key{rsa}, Tokens::certificate($key{rsa})],
        'a certificate, EC'        => [ES256 => $key{p256}, Tokens::certificate($key{p256})],
        'a certificate, Ed25519'   => [EdDSA => $key{ed25519}, Tokens::certificate($key{ed25519})],
        'PKCS #1'                  => [RS256 => $key{rsa}, Tokens::openssl($key{rsa}{public}, qw(rsa -pubin -RSAPublicKey_out))],
        'lines that end in CR LF'  => [RS256 => $key{rsa}, $key{rsa}{public} =~ s/\n/\r\n/gr],
        'no newline at the end'    => [RS256 => $key{rsa}, $key{rsa}{public} =~ s/\n\z//r],
    );
    for my $title (sort keys %pem) {
        my ($alg, $pair, $text) = @{ $pem{$title} };
        $l = Longroom->start(settings => { 'auth.mode' => 'token', 'auth.keys' => keep('clothes.pem', $text, 0644) });
        is answers(of_alg($alg, $pair)), $good, $title;
        is answers(Tokens::token(HS256 => $text, { alg => 'HS256' }, claims())), $bad, '... and is not used as a secret';
        $l->stop;
    }
};

# ---------------------------------------------------------------- invalid keys

sub start_with {
    my ($program, @files) = @_;
    my $place = Longroom::fresh_dir();
    Longroom::spew("$place/longroom.conf", Longroom::settings_text($place));
    return Longroom::run([Longroom::program($program), '-c', "$place/longroom.conf", '-o', 'auth.mode=token',
        '-o', "auth.keys=@files"], clean_env => 1, seconds => 20);
}

sub is_refused {
    my ($title, $file, $pattern) = @_;
    for my $program (qw(longroom-history longroom-pushd)) {
        my $run = start_with($program, $file);
        ok defined $run->{status} && $run->{status} > 0 && $run->{status} < 128, "$title: $program does not start";
        my @lines = grep { /auth\.keys: \Q$file\E: / } split /\n/, $run->{stderr};
        is scalar @lines, 1, '... names the file, once';
        like "@lines", $pattern, '... and why';
    }
    return;
}

subtest 'invalid keys prevent a start' => sub {
    my $good_rsa = Tokens::jwk($key{rsa}, kid => 'a');
    my $private = Tokens::jwk($key{rsa}, d => 'AQAB');
    is_refused('a missing file', "$dir/nothing", qr/No such file/);
    is_refused('a folder', "$dir", qr/not a regular file/);
    is_refused('an empty file', keep(empty => ''), qr/at least 32 bytes/);
    is_refused('a line break', keep(newline => "\n"), qr/at least 32 bytes/);
    is_refused('a secret of 31 bytes', keep(short => 'x' x 31 . "\n"), qr/at least 32 bytes/);
    is_refused('a file of 65 KiB', keep(long => 'x' x (65 * 1024)), qr/longer than 64 KiB/);
    is_refused('a private key', keep(private => $key{rsa}{private}), qr/private key/);
    is_refused('a private and a public key', keep(both => $key{p256}{private} . $key{p256}{public}), qr/private key/);
    is_refused('two public keys', keep(two => $key{rsa}{public} . $key{p256}{public}), qr/two keys/);
    my @certificates = map { Tokens::certificate($key{$_}) } qw(rsa p256);
    is_refused('two certificates', keep(certificates => join '', @certificates), qr/two keys/);
    is_refused('a public key and a certificate', keep(mixed => $key{rsa}{public} . $certificates[1]), qr/two keys/);
    is_refused('a certificate and its private key', keep(site => $certificates[0] . $key{rsa}{private}), qr/private key/);
    is_refused('a truncated certificate', keep(cut => substr($certificates[0], 0, 200)), qr/no public key/);
    is_refused('garbage in PEM', keep(garbage => "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), qr/no public key/);
    is_refused('an RSA key of 1984 bits', keep(small => Tokens::pair('small')->{public}), qr/2048/);
    is_refused('an EC key of another curve', keep(curve => Tokens::pair('k256')->{public}), qr/neither RSA nor EC/);
    is_refused('an Ed448 key', keep(ed => Tokens::pair('ed448')->{public}), qr/neither RSA nor EC/);
    is_refused('an X25519 key', keep(x => Tokens::pair('x25519')->{public}), qr/neither RSA nor EC/);

    # If a public key were taken for a secret, anyone could sign with it.
    my $public = $key{rsa}{public};
    my $der = Tokens::der($key{rsa});
    is_refused('a public key in DER', keep(der => $der), qr/neither PEM nor JWK/);
    is_refused('a public key in base64', keep(base64 => encode_base64($der)), qr/neither PEM nor JWK/);
    is_refused('... in one line', keep(line => encode_base64($der, '')), qr/neither PEM nor JWK/);
    is_refused('... in base64url', keep(url => encode_base64url($der)), qr/neither PEM nor JWK/);
    is_refused('a public key behind something', keep(behind => "my key:\n$public"), qr/neither PEM nor JWK/);
    is_refused('a public key with line breaks written out', keep(escaped => '"' . $public =~ s/\n/\\n/gr . '"'), qr/neither PEM nor JWK/);
    is_refused('a public key of ssh', keep(ssh => 'ssh-rsa ' . encode_base64($der, '')), qr/neither PEM nor JWK/);
    is_refused('an array of JWKs', keep(array => Tokens::json([$good_rsa])), qr/neither PEM nor JWK/);

    is_refused('a JWK alone', keep(jwk => Tokens::json($good_rsa)), qr/not a JWK Set/);
    is_refused('a truncated JWK Set', keep(cut => substr set_of($good_rsa), 0, -2), qr/not a JWK Set/);
    is_refused('a JWK Set with keys given twice', keep(twice => '{"keys":[],"keys":[]}'), qr/not a JWK Set/);
    is_refused('a JWK Set without keys', keep(none => '{"keys":[]}'), qr/no key in it/);
    is_refused('a JWK Set with keys for others', keep(others => set_of({ kty => 'OKP', crv => 'X25519', x => 'AA' })), qr/no key in it/);
    is_refused('a JWK Set with a private key', keep(d => set_of($good_rsa, $private)), qr/private key/);
    is_refused('65 keys', keep(many => set_of(map { Tokens::jwk('x' x 32, kid => "$_") } 1 .. 65)), qr/more than 64/);
    my %wrong = (
        'no kty'                    => { kid => 'x' },
        'not an object'         => 'x',
        'a kid that is a number'    => { %$good_rsa, kid => 1 },
        'an alg that is a number'   => { %$good_rsa, alg => 1 },
        'a use that is a number'    => { %$good_rsa, use => 1 },
        'a short secret'            => Tokens::jwk('x' x 31),
        'a short modulus'           => { %$good_rsa, n => 'AQAB' },
        'an even modulus'           => { %$good_rsa, n => encode_base64url("\xff" x 255 . "\xfe") },
        'the exponent 1'            => { %$good_rsa, e => 'AQ' },
        'no exponent'               => { kty => 'RSA', n => $good_rsa->{n} },
        'padding'                   => { %$good_rsa, n => "$good_rsa->{n}=" },
        'a point off the curve'  => { %{ Tokens::jwk($key{p256}) }, y => encode_base64url('y' x 32) },
        'a short coordinate'        => { %{ Tokens::jwk($key{p256}) }, y => encode_base64url('y' x 31) },
        'a short Ed25519 key'  => { kty => 'OKP', crv => 'Ed25519', x => 'AA' },
        'an empty Ed25519 key'     => { kty => 'OKP', crv => 'Ed25519' },
        'a private Ed25519 key'         => Tokens::jwk($key{ed25519}, d => 'AA'),
        # Anyone can sign for these.
        map({ ("an Ed25519 key of a small order, $_" => { kty => 'OKP', crv => 'Ed25519', x => encode_base64url(pack 'H*', $_) }) }
            '00' x 32, '01' . '00' x 31, '01' . '00' x 30 . '80', 'ec' . 'ff' x 30 . '7f', 'ee' . 'ff' x 30 . '7f', 'ff' x 32,
            '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
            'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa'),
        'the point of another curve'    => { %{ Tokens::jwk($key{p384}) }, crv => 'P-256' },
    );
    is_refused("a JWK with $_", keep(wrong => set_of($good_rsa, $wrong{$_})), qr/wrong: (?!none of)/) for sort keys %wrong;
};

subtest 'a secret that others can read is a warning' => sub {
    my %files = (
        'a secret'                  => [1, keep(open => $SECRET, 0644)],
        'a JWK Set with a secret'   => [1, keep('open.json', set_of(Tokens::jwk($SECRET)), 0604)],
        'a secret for a group'      => [0, keep(group => $SECRET, 0640)],
        'a public key'              => [0, "$dir/rsa.pem"],
        'a JWK Set of public keys'  => [0, keep('public.json', set_of(Tokens::jwk($key{rsa})), 0644)],
    );
    for my $title (sort keys %files) {
        my ($count, $file) = @{ $files{$title} };
        $l = Longroom->start(settings => { 'auth.mode' => 'token', 'auth.keys' => $file });
        for (qw(history pushd)) {
            my $lines = () = $l->log($_) =~ /\Q$file\E: a secret key with mode 06\d4: /g;
            is $lines, $count, "$title: $_ says so " . ($count ? 'once' : 'not at all');
        }
        $l->stop;
    }
};

done_testing;
