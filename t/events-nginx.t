# Streams as nginx passes them on: each event at once, whatever the site does with its
# pages; and what nginx says in place of an error, so that EventSource comes back.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Longroom;
use Test::More;

# What delays the bytes of a site's pages, unless the whole site has worse already
# (t/hostile-nginx.t).
my %SITE = $ENV{LONGROOM_NGINX_HTTP} ? () : (http => <<'END');
    gzip on;
    gzip_types *;
    gzip_proxied any;
    gzip_min_length 1;
    gzip_comp_level 9;
    tcp_nodelay off;
    postpone_output 8192;
    output_buffers 4 128k;
    proxy_buffering on;
    proxy_read_timeout 1s;
END
my $PAGE = 'https://app.example.org';

my $l = Longroom->start(operator => 1, nginx => \%SITE);

# A stream, open. The version is HTTP's.
sub stream {
    my ($path, %options) = @_;
    my $c = ($options{on} // $l)->connect;
    my %headers = (Host => 'localhost', %{ $options{headers} || {} });
    $c->write(join '', 'GET ', $path, ' HTTP/', $options{version} // '1.1', "\r\n", map({"$_: $headers{$_}\r\n"} sort keys %headers), "\r\n");
    return $c;
}

sub ask {
    my ($path, %headers) = @_;
    return $l->request(GET => $path, headers => \%headers);
}

# Tests that the answer is a stream that ends at once and asks to come back.
sub is_come_back {
    my ($answer, $title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $got = join ' ', $answer->{status}, map { $_ // '-' } @{ $answer->{headers} }{qw(content-type cache-control content-encoding)};
    return is($got, '200 text/event-stream no-store -', $title)
        && like $answer->{content}, qr/\Aretry: [12][0-9]{3}\n\n\z/, '... which asks to come back in 1 to 3 s, and has no event';
}

subtest 'events come at once' => sub {
    my $c = stream('/rooms/room_1/events', headers => { 'Accept-Encoding' => 'gzip, br' });
    ok $c->awaits(qr/^event: ready$/m), 'a stream begins at once';
    my ($head) = $c->bytes =~ /\A(.*?)\r\n\r\n/s;
    like $head, qr/^$_\r?$/mi, "it has $_" for 'HTTP/1.1 200 OK', 'Content-Type: text/event-stream', 'Cache-Control: no-store';
    like $head, qr/^X-Accel-Buffering: no\r?$/mi, '... and asks further proxies not to hold it';
    unlike $head, qr/^Content-Encoding/mi, '... and is not compressed';
    for (1 .. 3) {
        is $l->post('room_1', "event $_")->{status}, 201, 'a message is sent';
        ok $c->awaits(qr/^data: \{.*"content":"event $_"/m), '... and is in the stream, before anything follows it';
    }
    $c = stream('/rooms/room_1/events', version => '1.0');
    $c->awaits(qr/^event: ready$/m);
    $l->post('room_1', 'x' x 16_000 . 'end') for 1 .. 3;
    ok $c->awaits(qr/(?:x{16000}end.*){3}/s), 'long ones arrive whole';
};

subtest 'another nginx in between passes events at once' => sub {
    local $ENV{LONGROOM_NGINX_HTTP};
    my $outer = Longroom->start(without => [qw(history pushd)], nginx => {
        server => 'location /inner/ { proxy_pass http://127.0.0.1:' . $l->port . '/; }' });
    my $c = stream('/inner/rooms/room_2/events', on => $outer);
    ok $c->awaits(qr/^event: ready$/m), 'the stream begins';
    $l->post('room_2', 'through two');
    ok $c->awaits(qr/^data: \{.*"content":"through two"/m), 'a message arrives';
    $outer->stop;
};

subtest 'a client of HTTP/1.0 gets a stream' => sub {
    my $c = stream('/rooms/room_3/events', version => '1.0');
    ok $c->awaits(qr/^event: ready$/m), 'it begins';
    $l->post('room_3', 'to the old');
    ok $c->awaits(qr/^data: \{.*"content":"to the old"/m), 'a message arrives';
    my ($head, $body) = split /\r\n\r\n/, $c->bytes, 2;
    unlike $head, qr/^Transfer-Encoding/mi, 'without chunks';
    like $body, qr/\A(?:[a-z]+: ?[^\n]*\n|:[^\n]*\n|\n)+\z/, '... and nothing but lines of events';
};

subtest 'HEAD gets the head of a stream' => sub {
    my $answer = $l->request(HEAD => '/rooms/room_3/events');
    is join(' ', $answer->{status}, $answer->{headers}{'content-type'}), '200 text/event-stream', 'it is the same';
    is ask('/rooms/room_3/messages')->{status}, 200, 'and the connection goes on';
};

subtest 'a stream continues after Last-Event-ID' => sub {
    my $id = $l->post('room_4', 'one')->{json}{id};
    $l->post('room_4', 'two');
    my $c = stream('/rooms/room_4/events?after=now', headers => { 'Last-Event-ID' => $id });
    ok $c->awaits(qr/^data: \{.*"content":"two"/m), 'what came since is in it';
    unlike $c->bytes, qr/"content":"one"/, '... and nothing else';
};

subtest 'when the client leaves, so does its stream' => sub {
    my @streams = map { stream('/rooms/room_5/events') } 1 .. 5;
    $_->awaits(qr/^event: ready$/m) for @streams;
    my $open = sub { $l->metrics('pushd')->{streams} };
    my $before = $open->();
    cmp_ok $before, '>=', 5, 'longroom-pushd has five streams';
    $_->close for @streams;
    ok $l->eventually(60, sub { $open->() <= $before - 5 }), 'it has five fewer after they have gone';
};

# ---------------------------------------------------------------- in place of errors

subtest 'while longroom-pushd is down, a stream asks to come back' => sub {
    $l->stop_program('pushd');
    my $answer = ask('/rooms/room_1/events');
    is_come_back($answer, 'it is answered by nginx');
    is_deeply [grep { /^access-control/ } keys %{ $answer->{headers} }], [], '... without CORS headers: there is no Origin';
    $answer = ask('/rooms/room_1/events', Origin => $PAGE);
    is_come_back($answer, 'it is the same for a page of another origin');
    is join(' ', map { $_ // '-' } @{ $answer->{headers} }{qw(access-control-allow-origin access-control-allow-credentials)}),
        "$PAGE true", '... which may read it';
    my $head = $l->request(HEAD => '/rooms/room_1/events');
    is join(' ', @{ $head->{headers} }{'content-type'}), 'text/event-stream', 'HEAD gets the head';
    is_come_back(stream('/rooms/room_1/events', version => '1.0')->answer, 'HTTP/1.0 gets it too');
    my %when = map { ask('/rooms/room_1/events')->{content} => 1 } 1 .. 20;
    cmp_ok scalar keys %when, '>', 10, 'each is asked to come back at another time';
    Longroom::is_problem(ask('/rooms/room_1/poll'), 502, 'unavailable', 'a poll still gets 502');
    $l->start_program('pushd');
    ok stream('/rooms/room_1/events')->awaits(qr/^event: ready$/m), 'it is served when longroom-pushd is back';
};

subtest 'when longroom-pushd does not answer, a stream asks to come back' => sub {
    my $file = $l->dir . '/longroom-locations.conf';
    my $text = Longroom::slurp($file);
    Longroom::spew($file, $text =~ s/proxy_read_timeout 75s/proxy_read_timeout 1s/r);
    $l->reload_nginx;
    $l->signal('pushd', 'STOP');
    is_come_back(ask('/rooms/room_1/events'), 'after the timeout nginx answers');
    $l->signal('pushd', 'CONT');
    Longroom::spew($file, $text);
    $l->reload_nginx;
};

$l->stop;

subtest 'lists of rooms reach longroom-pushd as they are' => sub {
    # It has a stand-in, which answers with the target of the request.
    local $ENV{LONGROOM_NGINX_HTTP};
    my $dir = Longroom::fresh_dir();
    $l = Longroom->start(dir => "$dir", without => [qw(history pushd)], nginx => {
        http => "server { listen unix:$dir/push.sock; return 200 \$request_uri; }" });
    my @names = map { sprintf 'room_%03d%s', $_, 'x' x 56 } 1 .. 100;
    my %lists = (
        'with commas'         => 'room_1,room_2',
        'with commas as %2C'  => 'room_1%2Croom_2',
        'of all rooms'        => '*',
        'of all, as %2A'      => '%2A',
        'of a hundred names'  => join(',', @names),
        'of a hundred, with %2C' => join('%2C', @names),
    );
    for my $title (sort keys %lists) {
        my @targets = map {"/rooms/$lists{$title}/$_?after=now"} qw(poll events);
        is ask($_)->{content}, $_, "a list $title" for @targets;
    }
    $l->stop;
};

subtest 'when there are too many requests, a stream asks to come back' => sub {
    $l = Longroom->start(without => [qw(history pushd)], nginx => {
        http   => "    limit_req_zone \$binary_remote_addr zone=few:1m rate=1r/m;\n    limit_req_status 429;",
        server => '        limit_req zone=few;' });
    ask('/rooms/room_1/poll');
    Longroom::is_problem(ask('/rooms/room_1/poll'), 429, 'rate-limited', 'a poll gets 429');
    is_come_back(ask('/rooms/room_1/events'), 'a stream gets 200');
    $l->stop;
};

subtest "the site's application: no is no, and no answer is not no" => sub {
    # It is not there for those whom it would let in.
    $l = Longroom->start(without => [qw(history pushd)], nginx => {
        files  => ['longroom-auth-request.conf'],
        server => <<'END' });
        location = /longroom-access {
            internal;
            error_page 502 = @down;
            if ($cookie_who = stranger) { return 401; }
            if ($cookie_who = enemy) { return 403; }
            proxy_pass http://unix:/nowhere/site.sock;
        }
        location @down { return 502; }
END
    Longroom::is_problem(ask('/rooms/room_1/events', Cookie => 'who=stranger'), 401, 'unauthorized', '401 is final');
    Longroom::is_problem(ask('/rooms/room_1/events', Cookie => 'who=enemy'), 403, 'forbidden', '403 is final');
    is_come_back(ask('/rooms/room_1/events', Cookie => 'who=ann', Origin => $PAGE), 'without an answer it asks to come back');
    Longroom::is_problem(ask('/rooms/room_1/poll', Cookie => 'who=ann'), 503, 'overloaded', '... where a poll gets 503');
    $l->stop;
};

done_testing;
