# Browsers: which pages may use Longroom, and what a page of another site cannot make
# a visitor's browser do (PROTOCOL section 12).

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Test::More;
use Visitors;

my %VISITORS = (ann => { read => '*', write => '*' });
my $APP  = 'https://app.example.org';
my $EVIL = 'https://evil.example.net';

my ($l, $mode);

sub ask {
    my ($method, $path, %headers) = @_;
    my $body = $method eq 'POST' ? 'Hello' : undef;
    $headers{'Content-Type'} //= 'text/plain' if $body;
    return $l->request($method, $path, headers => \%headers, content => $body);
}

sub cors { return join ' ', map { $_[0]{headers}{"access-control-allow-$_"} // '-' } qw(origin credentials) }

my @PATHS = ('/rooms/room_1/messages', '/rooms/room_1/messages/1', '/rooms/room_1/poll?timeout=0');

sub way_in {
    return $mode eq 'open' ? () : $mode eq 'cookie' ? (Cookie => 'session=' . Visitors::token('ann'))
        : %{ Visitors::headers($mode, 'ann') };
}

for (qw(open nginx token cookie)) {
    $mode = $_;
    my %settings = ('auth.origins' => "$APP http://localhost:3000");
    $settings{'auth.cookie'} = 'session' if $mode eq 'cookie';
    $l = $mode eq 'open' ? Longroom->start(settings => \%settings)
        : Visitors::start($mode eq 'cookie' ? 'token' : $mode, \%VISITORS, settings => \%settings);
    is ask(POST => $PATHS[0], way_in())->{status}, 201, "$mode: there is a message";

    subtest "$mode: pages of a listed origin may send requests with credentials" => sub {
        for my $path (@PATHS) {
            for my $origin ($APP, 'http://localhost:3000', $APP) {
                my $answer = ask(GET => $path, way_in(), Origin => $origin);
                is $answer->{status}, 200, "$origin: $path";
                is cors($answer), "$origin true", '... and may read the answer';
                like $answer->{headers}{vary}, qr/\bOrigin\b/, '... the answer differs by origin';
                ok defined $answer->{json}{room_id}, '... and is whole';
            }
            for my $origin ($EVIL, 'null', "$APP:8443", "$APP.evil.example.net", uc $APP, '') {
                my $answer = ask(GET => $path, way_in(), Origin => $origin);
                is cors($answer), '- -', "'$origin': $path";
                like $answer->{headers}{vary}, qr/\bOrigin\b/, '... the answer differs by origin';
            }
            is cors(ask(GET => $path, way_in())), '- -', "no origin: $path";
        }
        my $sent = ask(POST => $PATHS[0], way_in(), Origin => $APP);
        is "$sent->{status} " . cors($sent), "201 $APP true", 'it may send';
        my $bad = ask(GET => '/rooms/room_1/messages?after=x', way_in(), Origin => $APP);
        is "$bad->{status} " . cors($bad), "400 $APP true", 'errors can be read';
        $bad = ask(GET => '/rooms/room_1/poll?after=x', way_in(), Origin => $APP);
        is "$bad->{status} " . cors($bad), "400 $APP true", '... those of polls too';
    };

    subtest "$mode: a preflight is answered for a listed origin" => sub {
        for my $path (@PATHS) {
            my %asks = ('Access-Control-Request-Method' => 'GET', 'Access-Control-Request-Headers' => 'authorization');
            my $answer = ask(OPTIONS => $path, %asks, Origin => $APP);
            is "$answer->{status} " . cors($answer), "204 $APP true", "$path";
            like $answer->{headers}{'access-control-allow-methods'}, qr/\bGET\b/, '... with the methods';
            like $answer->{headers}{'access-control-allow-headers'}, qr/\bAuthorization\b/, '... and headers';
            my $other = ask(OPTIONS => $path, %asks, Origin => $EVIL);
            is "$other->{status} " . cors($other), '405 - -', 'a preflight of another origin is refused';
        }
        like ask(OPTIONS => $PATHS[0], Origin => $APP)->{headers}{'access-control-allow-methods'}, qr/\bPOST\b/,
            'Allow-Methods of a room has POST';
    };

    subtest "$mode: polls from other origins get the message, each with its own headers" => sub {
        my @polls = map {
            my $c = $l->connect;
            my %headers = (way_in(), Origin => $_);
            $c->write("GET /rooms/room_2/poll?after=0&timeout=40 HTTP/1.1\r\nHost: localhost\r\n"
                    . join('', map {"$_: $headers{$_}\r\n"} keys %headers) . "\r\n");
            $c;
        } ($APP, 'http://localhost:3000', $EVIL, $APP);
        ask(POST => '/rooms/room_2/messages', way_in());
        my @answers = map { $_->answer } @polls;
        is_deeply [map { cors($_) } @answers],
            ["$APP true", 'http://localhost:3000 true', '- -', "$APP true"], 'each answer has its own headers';
        is $_->{json}{count}, 1, 'each has the message' for @answers;
    };

    # Users known by a cookie, or through nginx, which may use one.
    next if $mode eq 'open';
    subtest "$mode: a page of another site cannot send in a visitor's name" => sub {
        my $foreign = $mode eq 'token' ? 201 : 403;
        my %rows = (
            'another origin'                      => [$foreign, Origin => $EVIL],
            'an opaque origin'          => [$foreign, Origin => 'null'],
            'another site, by Sec-Fetch-Site'     => [$foreign, Origin => $EVIL, 'Sec-Fetch-Site' => 'cross-site'],
            'another site that hides its origin'  => [$foreign, 'Sec-Fetch-Site' => 'cross-site'],
            'a neighbour of the same site'        => [$foreign, 'Sec-Fetch-Site' => 'same-site'],
            'an origin that ends like the host'   => [$foreign, Origin => 'https://evil-localhost'],
            'the same origin'                     => [201, Origin => 'http://localhost'],
            'the same origin, its port in Host'   => [201, Origin => 'http://localhost', Host => 'localhost:80'],
            'the same, over TLS'                  => [201, Origin => 'https://localhost', Host => 'localhost:443'],
            'the port in Origin'                  => [201, Origin => 'https://localhost:443', Host => 'LOCALHOST'],
            'another port'                        => [$foreign, Origin => 'http://localhost', Host => 'localhost:8443'],
            'the same origin over TLS'            => [201, Origin => 'https://localhost'],
            'the same origin, by Sec-Fetch-Site'  => [201, Origin => 'http://localhost', 'Sec-Fetch-Site' => 'same-origin'],
            'a listed origin'                     => [201, Origin => $APP, 'Sec-Fetch-Site' => 'cross-site'],
            'the address bar'                     => [201, 'Sec-Fetch-Site' => 'none'],
            'no browser'                          => [201],
        );
        for my $title (sort keys %rows) {
            my ($status, %headers) = @{ $rows{$title} };
            is ask(POST => $PATHS[0], way_in(), %headers)->{status}, $status, "$title: $status";
        }
        is ask(GET => $PATHS[0], way_in(), 'Sec-Fetch-Site' => 'cross-site')->{status}, 200,
            'reading is not restricted so';
    };
}
continue { $l->stop }

subtest 'without auth.origins there are no CORS headers' => sub {
    $l = Longroom->start;
    my @answers = map { ask(GET => $_, Origin => $APP) } $PATHS[0], $PATHS[2];
    is cors($_), '- -', 'no CORS headers' for @answers;
    ok !exists $_->{headers}{vary}, 'no Vary' for @answers;
    is ask(OPTIONS => $PATHS[0], Origin => $APP)->{status}, 405, 'a preflight is refused';
    $l->stop;
};

done_testing;
