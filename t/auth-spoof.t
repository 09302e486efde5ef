# What a client claims about itself under the names that nginx uses towards the
# programs has no effect, in any spelling.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Test::More;
use Visitors;

my %VISITORS = (
    ann => { read => 'team_red', write => 'team_red' },
    eve => { read => 'lobby', write => 'lobby' },
);

# As a client might spell them: the name as sent, for each name that is meant.
my @VALUES = (['User-Id', 'ann'], ['Username', 'Ann'], ['Sender-Type', 'admin'], ['Read', '*'], ['Write', '*']);
my %SPELLINGS = (
    'as nginx does'             => sub { "Longroom-$_[0]" },
    'in capitals'               => sub { uc "Longroom-$_[0]" },
    'in small letters'          => sub { lc "Longroom-$_[0]" },
    'with underscores'          => sub { "Longroom_$_[0]" =~ tr/-/_/r },
    'with both'                 => sub { "Longroom_$_[0]" },
    'with both, the other way'  => sub { "Longroom-$_[0]" =~ s/-(?=[^-]*\z)/_/r },
    'as FastCGI does'           => sub { 'LONGROOM_' . uc($_[0]) =~ tr/-/_/r },
    'as FastCGI does, dashed'   => sub { 'LONGROOM-' . uc $_[0] },
    'as FastCGI has headers'    => sub { 'HTTP_LONGROOM_' . uc($_[0]) =~ tr/-/_/r },
    'as if it were a variable'  => sub { '$longroom_' . lc($_[0]) =~ tr/-/_/r },
);

my ($l, $mode);

# Sends these lines beside a visitor's headers; returns the answer.
sub ask {
    my ($who, $request, $lines, $body) = @_;
    my $headers = Visitors::headers($mode, $who);
    my $length = defined $body ? 'Content-Length: ' . length($body) . "\r\nContent-Type: text/plain\r\n" : '';
    my $head = join '', map {"$_: $headers->{$_}\r\n"} keys %$headers;
    return $l->connect->ask("$request HTTP/1.1\r\nHost: localhost\r\n$head" . join('', map {"$_\r\n"} @$lines)
            . "$length\r\n" . ($body // ''));
}

sub has_no_effect {
    my ($title, $lines) = @_;
    for my $who (undef, 'eve') {
        my $refused = $who ? 403 : 401;
        my @got = map { $_ ? $_->{status} : 'none' } (
            ask($who, 'GET /rooms/team_red/messages', $lines),
            ask($who, 'GET /rooms/team_red/poll?timeout=0', $lines),
            ask($who, 'POST /rooms/team_red/messages', $lines, 'Hello'),
        );
        # nginx itself refuses what it does not accept as a request.
        is_deeply [map { $_ eq '400' ? $refused : $_ } @got], [($refused) x 3],
            "$mode: " . ($who // 'nobody') . " claims it $title, and is refused";
    }
    my $sent = ask('eve', 'POST /rooms/lobby/messages', $lines, 'Hello');
    is $sent->{json} ? join(' ', @{ $sent->{json} }{qw(user_id username sender_type)}) : $sent->{status},
        $sent->{status} == 400 ? 400 : 'eve eve user', "$mode: ... and keeps their own identity";
    return;
}

for my $careless (0, 1) {
    for (qw(nginx token)) {
        $mode = $_;
        # A site may have enabled what nginx disables by default.
        $l = Visitors::start($mode, \%VISITORS,
            nginx => { http => $careless ? "underscores_in_headers on;\nignore_invalid_headers off;\n" : '' });
        for my $title (sort keys %SPELLINGS) {
            my @lines = map { $SPELLINGS{$title}->($_->[0]) . ": $_->[1]" } @VALUES;
            has_no_effect($title . ($careless ? ', and nginx accepts odd names' : ''), \@lines);
            has_no_effect("$title, twice", [@lines, @lines]) if !$careless;
        }
        has_no_effect('in all spellings at once', [map { my $s = $_; map { $s->($_->[0]) . ": $_->[1]" } @VALUES }
            @SPELLINGS{ sort keys %SPELLINGS }]);
        has_no_effect('listed in Connection as hop-by-hop',
            [map({"Longroom-$_->[0]: $_->[1]"} @VALUES), 'Connection: Longroom-User-Id, Longroom-Read, Cookie']);
        is ask('eve', 'GET /rooms/team_red/messages?user_id=ann&longroom_user_id=ann&longroom_read=*', [])->{status},
            403, "$mode: in the query it has no effect";
        $l->stop;
    }
}

subtest 'access is denied where nginx sets no identity' => sub {
    $mode = 'nginx';
    $l = Longroom->start(settings => { 'auth.mode' => 'nginx' });
    has_no_effect_for_nobody();
    $l->stop;
};

sub has_no_effect_for_nobody {
    my @lines = map {"Longroom-$_->[0]: $_->[1]"} @VALUES;
    for my $request ('GET /rooms/team_red/messages', 'GET /rooms/team_red/poll?timeout=0') {
        Longroom::is_problem(ask(undef, $request, \@lines), 401, 'unauthorized', $request);
    }
    Longroom::is_problem(ask(undef, 'POST /rooms/team_red/messages', \@lines, 'Hello'), 401, 'unauthorized', 'POST');
    return;
}

subtest 'a malformed identity is denied access' => sub {
    $mode = 'nginx';
    my %odd = (
        long    => { id => 'x' x 129, read => '*', write => '*' },
        control => { id => "a\nb", read => '*', write => '*' },
        latin   => { id => "\xe4", read => '*', write => '*' },
        path    => { id => 'p', read => 'team_red/../x *', write => '*' },
        name    => { id => 'n', name => "a\x00b", read => '*', write => '*' },
        stars   => { id => 's', read => '* *a*b*c*d*e*f*g*h*', write => '*' },
        many    => { id => 'm', read => join(' ', ('x') x 256, '*'), write => '*' },
        wide    => { id => 'w', read => '* ' . 'x' x 65, write => '*' },
    );
    my %why = (
        path => qr/invalid room pattern/, wide => qr/invalid room pattern/,
        stars => qr/more than 8 stars/, many => qr/more than 256 room patterns/,
    );
    $l = Visitors::start($mode, \%odd);
    for my $who (sort keys %odd) {
        is ask($who, 'GET /rooms/team_red/messages', [])->{status}, 403, "history: $who";
        is ask($who, 'GET /rooms/team_red/poll?timeout=0', [])->{status}, 403, "poll: $who";
        like ask($who, "GET /rooms/team_red/$_", [])->{json}{detail}, $why{$who} // qr/invalid Longroom-User-Id/,
            "... and $_ says what is wrong with it"
            for 'messages', 'poll?timeout=0';
        is ask($who, 'POST /rooms/team_red/messages', [], 'Hello')->{status}, 403, "send: $who";
    }
    $l->stop;
};

done_testing;
