package Bench::Tokens;

# The cost of authentication: Longroom with auth.mode = token, where every client is a
# different user with a token of their own, beside Longroom with auth.mode = open.

use strict;
use warnings;

use Bench::FanOut  ();
use Bench::Figures ();
use Bench::Saving  ();
use Digest::SHA    ();
use File::Temp     ();
use JSON::PP       ();
use MIME::Base64   ();

use constant {
    SECRET        => 'a secret of no less than 32 bytes!',
    OF_DELIVERIES => 0.95,
    OF_POSTS      => 0.90,
};
use constant PROGRAMS => qw(nginx pushd history);

my $JSON = JSON::PP->new->utf8->canonical;

# The stands beside the open one, with what signs their tokens.
my %SIGNERS = (HS256 => \&hmac, ES256 => \&ecdsa);

sub measure {
    my ($bench) = @_;
    my @algorithms = algorithms($bench);
    my $count = Bench::Figures::most($bench->{few}, Bench::Saving::CLIENTS());
    $bench->say("tokens: signing $count with each of @algorithms");
    my %visitors = map { $_ => visitors($_, $count) } @algorithms;
    deliveries($bench, \%visitors, @algorithms);
    posts($bench, \%visitors, @algorithms);
    return;
}

# ---------------------------------------------------------------- tokens

sub algorithms {
    my ($bench) = @_;
    return ('HS256', $bench->has_program('openssl', 'openssl') ? 'ES256' : ());
}

# {tokens, key}: files with $count tokens and with their key.
sub visitors {
    my ($algorithm, $count) = @_;
    my ($key, $tokens) = map { File::Temp->new } 1, 2;
    my $sign = $SIGNERS{$algorithm}->($key->filename);
    Longroom::spew($tokens->filename, join '', map { token($algorithm, $_, $sign) . "\n" } 1 .. $count);
    return { key => $key, tokens => $tokens };
}

# As a site may make them: 352 bytes with HS256, 395 with ES256.
sub token {
    my ($algorithm, $number, $sign) = @_;
    my $name = sprintf '%06d', $number;
    my $claims = {
        iss      => 'https://chat.example.org',
        sub      => "user-$name",
        name     => "Visitor $name",
        iat      => time,
        exp      => time + 3600,
        jti      => substr(Digest::SHA::sha256_hex($name), 0, 32),
        longroom => { read => ['room_*'], write => ['room_*'] },
    };
    my $text = join '.', map { MIME::Base64::encode_base64url($JSON->encode($_)) } { alg => $algorithm, typ => 'JWT' }, $claims;
    return "$text." . MIME::Base64::encode_base64url($sign->($text));
}

sub hmac {
    my ($file) = @_;
    Longroom::spew($file, SECRET);
    return sub { Digest::SHA::hmac_sha256($_[0], SECRET) };
}

# The secret key is deleted when all are signed; the file then has the public one.
sub ecdsa {
    my ($file) = @_;
    my $secret = File::Temp->new;
    openssl(qw(ecparam -name prime256v1 -genkey -noout -out), $secret->filename);
    openssl('ec', '-in', $secret->filename, '-pubout', '-out', $file);
    return sub { raw_signature(openssl([$_[0]], qw(dgst -sha256 -sign), $secret->filename)) };
}

# openssl([$stdin], @arguments): what it writes to stdout.
sub openssl {
    my ($stdin, @arguments) = ref $_[0] ? (@{ $_[0] }, @_[1 .. $#_]) : ('', @_);
    my $result = Longroom::run(['openssl', @arguments], stdin => $stdin);
    die "openssl $arguments[0]: $result->{stderr}\n" if $result->{status} // 1;
    return $result->{stdout};
}

# RFC 7518 section 3.4 has two numbers of 32 bytes; openssl writes them as DER.
sub raw_signature {
    my ($der) = @_;
    my ($r, $s) = unpack 'x2 x C/a x C/a', $der;
    return join '', map { substr "\0" x 32 . $_, -32 } $r, $s;
}

# ---------------------------------------------------------------- figures

# All are up at the same time, and take turns. The limits are far above the load, so
# that they do not affect the figures; but they are counted.
sub compare {
    my ($bench, $visitors, $names, $measure, %options) = @_;
    my %stands = map { $_ => start($bench, $_, $visitors->{$_}, $options{workers}) } @$names;
    $stands{$_}->pin(@{ $options{pin} }) for $options{pin} ? @$names : ();
    my $series = $bench->alternate(map { my $name = $_; ($name => sub { $measure->($stands{$name}) }) } @$names);
    $_->end for values %stands;
    $bench->remove_database("tokens-$_") for @$names;
    return $series;
}

sub start {
    my ($bench, $name, $visitors, $workers) = @_;
    my %settings = map { ("limits.$_" => 1_000_000) } qw(user_sends user_burst room_sends room_burst user_polls);
    %settings = (%settings, 'auth.mode' => 'token', 'auth.keys' => $visitors->{key}->filename) if $visitors;
    return Bench::Longroom->start(
        nginx_workers => $workers, settings => \%settings, database => $bench->database("tokens-$name"),
        tokens => $visitors && $visitors->{tokens}->filename,
    );
}

sub deliveries {
    my ($bench, $visitors, @algorithms) = @_;
    my $group = "$bench->{few} waiters in a room, each with a token of their own, through nginx";
    $bench->say("tokens: $group");
    my %shape = (waiters => $bench->{few}, to => 'nginx');
    # A few per cent matter.
    local @{$bench}{qw(runs seconds)} = @{$bench}{qw(token_runs token_seconds)};
    my %messages;
    my $series = compare($bench, $visitors, ['open', @algorithms], sub {
        my ($stand) = @_;
        $messages{$stand} ||= Bench::FanOut::enough($bench, $stand, %shape);
        my $found = Bench::FanOut::closed($stand, $messages{$stand}, %shape);
        return { cpu => Bench::Load::us_per_delivery($found, PROGRAMS) };
    }, workers => 1, pin => [qw(nginx pushd)]);
    my %row = (group => $group, unit => 'us');
    $bench->row(%row, id => "token-cpu-$_", what => "CPU a delivery, $_", longroom => $series->{$_}{cpu},
        note => 'of nginx and both programs') for 'open', @algorithms;
    $bench->row(%row, of_open($series, $_, 'cpu'), id => "token-deliveries-$_",
        what => "deliveries a CPU second with $_, of those when open",
        goals => [{ of => 'longroom', least => OF_DELIVERIES }]) for @algorithms;
    return;
}

sub posts {
    my ($bench, $visitors, @algorithms) = @_;
    my $group = Bench::Saving::CLIENTS() . ' clients that POST, each with a token of their own, through nginx';
    $bench->say("tokens: $group");
    # No short runs: the disk is now fast, now slow, for a second or so.
    local @{$bench}{qw(runs seconds)} = @{$bench}{qw(post_runs post_seconds)};
    my %messages;
    my $series = compare($bench, $visitors, ['open', @algorithms], sub {
        my ($stand) = @_;
        my $found = Bench::Saving::posts($bench, $stand, \%messages);
        my $cpu = 0;
        $cpu += $found->{processes}{$_}{us_per_post} for PROGRAMS;
        return { seconds => 1 / $found->{posts}{per_second}, rate => $found->{posts}{per_second}, cpu => $cpu };
    }, workers => Bench::Stand::cores());
    my %row = (group => $group);
    for my $name ('open', @algorithms) {
        $bench->row(%row, id => "token-posts-$name", what => "POSTs, $name", unit => 'per_second', longroom => $series->{$name}{rate});
        $bench->row(%row, id => "token-post-cpu-$name", what => "CPU a POST, $name", unit => 'us', longroom => $series->{$name}{cpu},
            note => 'of nginx and both programs');
    }
    for my $algorithm (@algorithms) {
        my %goal = (goals => [{ of => 'longroom', least => OF_POSTS }]);
        $bench->row(%row, of_open($series, $algorithm, 'seconds'), id => "token-post-rate-$algorithm", %goal,
            what => "POSTs with $algorithm, of those when open");
        $bench->row(%row, of_open($series, $algorithm, 'cpu'), id => "token-post-per-cpu-$algorithm", %goal,
            what => "POSTs a CPU second with $algorithm, of those when open");
    }
    return;
}

# From costs a piece: how many pieces for the same cost, in pairs.
sub of_open {
    my ($series, $name, $cost) = @_;
    return (unit => 'times', longroom => [Bench::Figures::ratios($series->{open}{$cost}, $series->{$name}{$cost})]);
}

1;
