package Tokens;

# Makes tokens (JWT, RFC 7519) and keys for tests, with Digest::SHA and the command
# openssl: no code that verifies them is involved. A header and claims may be text,
# which is then used as it is.
#
#     my $key = Tokens::pair('rsa');
#     my $token = Tokens::token('RS256', $key, {alg => 'RS256'}, {sub => 'ann'});
#     Tokens::jwk($key, kid => '1');       # the public half, as a hash

use strict;
use warnings;

use Digest::SHA  ();
use File::Temp   ();
use JSON::PP     ();
use Longroom;
use MIME::Base64 qw(encode_base64url);

my $JSON = JSON::PP->new->utf8->canonical;

my %OPTIONS = (
    rsa     => [RSA => 'rsa_keygen_bits:2048'],
    small   => [RSA => 'rsa_keygen_bits:1984'],
    p256    => [EC  => 'ec_paramgen_curve:P-256'],
    p384    => [EC  => 'ec_paramgen_curve:P-384'],
    p521    => [EC  => 'ec_paramgen_curve:P-521'],
    k256    => [EC  => 'ec_paramgen_curve:secp256k1'],
    ed25519 => ['ED25519'],
    ed448   => ['ED448'],
    x25519  => ['X25519'],
);
my %SIZE = (p256 => 32, p384 => 48, p521 => 66);    # of a coordinate

# openssl's output.
sub openssl {
    my ($input, @arguments) = @_;
    my $run = Longroom::run(['openssl', @arguments], stdin => $input);
    $run->{status} == 0 or die "openssl @arguments: $run->{stderr}";
    return $run->{stdout};
}

# A new pair of keys: {kind, private, public}, both in PEM.
sub pair {
    my ($kind) = @_;
    my ($algorithm, @options) = @{ $OPTIONS{$kind} };
    my $private = openssl('', 'genpkey', '-algorithm', $algorithm, map { ('-pkeyopt', $_) } @options);
    return { kind => $kind, private => $private, public => openssl($private, 'pkey', '-pubout') };
}

# A certificate of a pair's public key.
sub certificate {
    my ($key) = @_;
    return openssl($key->{private}, qw(req -x509 -new -key /dev/stdin -days 1 -subj /CN=issuer));
}

sub der {
    my ($key) = @_;
    return openssl($key->{public}, 'pkey', '-pubin', '-pubout', '-outform', 'DER');
}

sub jwk {
    my ($key, %more) = @_;
    return { kty => 'oct', k => encode_base64url($key), %more } if !ref $key;
    return { kty => 'RSA', n => encode_base64url(modulus($key)), e => 'AQAB', %more } if $key->{kind} eq 'rsa';
    return { kty => 'OKP', crv => 'Ed25519', x => encode_base64url(substr der($key), -32), %more } if $key->{kind} eq 'ed25519';
    my $size = $SIZE{ $key->{kind} };
    # The point is the last item in the DER.
    my ($x, $y) = map { encode_base64url($_) } unpack "a$size a$size", substr der($key), -2 * $size;
    return { kty => 'EC', crv => uc($key->{kind}) =~ s/P/P-/r, x => $x, y => $y, %more };
}

sub modulus {
    my ($key) = @_;
    my ($hex) = openssl($key->{public}, 'rsa', '-pubin', '-noout', '-modulus') =~ /Modulus=(\w+)/;
    return pack 'H*', $hex;
}

# The JSON of JWK Sets and tokens.
sub json { return $JSON->encode($_[0]) }

# The base64url of a header or claims.
sub part {
    my ($content) = @_;
    return encode_base64url(ref $content ? json($content) : $content);
}

sub token {
    my ($algorithm, $key, $header, $claims) = @_;
    return signed($algorithm, $key, part($header) . '.' . part($claims));
}

# Signs the text before the second dot, whatever it is.
sub signed {
    my ($algorithm, $key, $text) = @_;
    return "$text." . encode_base64url(signature($algorithm, $key, $text));
}

# The algorithm is the one that is used, whatever a header says; the key is a secret,
# or a pair.
sub signature {
    my ($algorithm, $key, $text) = @_;
    return eddsa($key, $text) if $algorithm eq 'EdDSA';
    my ($way, $bits) = $algorithm =~ /\A([A-Z]S)(256|384|512)\z/ or die "unknown: $algorithm\n";
    if ($way eq 'HS') {
        no strict 'refs';
        return &{"Digest::SHA::hmac_sha$bits"}($text, $key);
    }
    my @more = $way eq 'PS' ? ('-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:digest') : ();
    my $signature = openssl($text, 'dgst', "-sha$bits", @more, '-sign', key_file($key));
    return $way eq 'ES' ? joined($signature, $SIZE{ $key->{kind} }) : $signature;
}

# The two numbers of an ECDSA signature, in DER (SEQUENCE of two INTEGERs), side
# by side (RFC 7518 section 3.4).
sub joined {
    my ($der, $size) = @_;
    my $rest = substr $der, ord(substr $der, 1, 1) & 0x80 ? 3 : 2;
    my @numbers;
    while (length $rest) {
        my $length = ord substr $rest, 1, 1;
        my $number = substr($rest, 2, $length) =~ s/\A\0+//r;
        push @numbers, "\0" x ($size - length $number) . $number;
        $rest = substr $rest, 2 + $length;
    }
    return join '', @numbers;
}

# RFC 8037 section 3.1. openssl must know the size of its input.
sub eddsa {
    my ($key, $text) = @_;
    my $file = File::Temp->new;
    Longroom::spew($file->filename, $text);
    return openssl('', 'pkeyutl', '-sign', '-rawin', '-inkey', key_file($key), '-in', $file->filename);
}

# The private key's file, removed at the end of the test.
sub key_file {
    my ($key) = @_;
    $key->{file} ||= do {
        my $file = File::Temp->new;
        Longroom::spew($file->filename, $key->{private});
        $file;
    };
    return $key->{file}->filename;
}

1;
