# The example server for TLS and HTTP/2, with a certificate made here.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Browser;
use JSON::PP ();
use Longroom;
use Test::More;

BEGIN {
    my @absent = grep { !Browser::in_path($_) } qw(curl openssl);
    plan skip_all => "not in PATH: @absent" if @absent;
}

my $l = Longroom->start(tls => 1);

# Returns the version of HTTP, the status and the content.
sub curl {
    my ($path, @arguments) = @_;
    my $told = Longroom::run(['curl', '-sN', '--cacert', $l->certificate, '-m', 60, '-w', '\n%{http_version} %{http_code}',
        @arguments, $l->tls_url . $path]);
    my ($content, $version, $status) = $told->{stdout} =~ /\A(.*)\n(\S+) (\d+)\z/s or return ('', 0, '');
    return ($version, $status, $content);
}

for (['2', '--http2'], ['1.1', '--http1.1']) {
    my ($version, $how) = @$_;
    subtest "HTTP/$version over TLS" => sub {
        my @got = curl('/', $how);
        is "@got[0, 1]", "$version 200", 'the page';
        like $got[2], qr/<title>/, '... is there';
        @got = curl('/rooms/room_1/messages', $how, '-d', "content=by $version");
        is "@got[0, 1]", "$version 201", 'a message is sent';
        my $id = JSON::PP::decode_json($got[2])->{id};
        @got = curl('/rooms/room_1/messages', $how);
        is "@got[0, 1]", "$version 200", 'history';
        like $got[2], qr/"content":"by $version"/, '... has it';
        @got = curl('/rooms/room_1/poll?after=' . ($id - 1), $how);
        is "@got[0, 1]", "$version 200", 'a poll';
        like $got[2], qr/"content":"by $version"/, '... gets it';
        # Until curl's time is up: the stream goes on.
        @got = curl('/rooms/room_1/events?after=' . ($id - 1), $how, '-m', 2);
        is "@got[0, 1]", "$version 200", 'a stream';
        like $got[2], qr/^data: \{.*"content":"by $version"/m, '... has it';
        @got = curl('/nothing', $how);
        is "@got[0, 1]", "$version 404", 'an error';
        like $got[2], qr/"type":"not-found"/, '... has its problem';
    };
}

subtest 'plain HTTP' => sub {
    my $port = $l->tls_url =~ s/.*://r;
    my $answer = Longroom::Connection->new({ port => $port })->ask(Longroom::get_bytes('/rooms/room_1/messages'));
    Longroom::is_problem($answer, 400, 'bad-request', 'to the port of TLS it is refused');
    my $c = Longroom::Connection->new({ path => $l->dir . '/port-80.sock' });
    $answer = $c->ask("POST /rooms/room_1/messages?a=b HTTP/1.1\r\nHost: chat.example.org\r\nContent-Length: 0\r\n\r\n");
    is "$answer->{status} $answer->{headers}{location}", '308 https://chat.example.org/rooms/room_1/messages?a=b',
        'on port 80 it is told where to go';
};

$l->stop;
done_testing;
