# longroom-history without a FastCGI server: as plain CGI, one process for one
# request, which does not publish; and with its listening socket passed to it on
# descriptor 0, as spawn-fcgi and systemd do.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use IO::Socket::UNIX ();
use JSON::PP         ();
use Longroom;
use Socket           qw(SOCK_STREAM SOMAXCONN);
use Test::More;
use Time::HiRes      qw(time);

# A server that runs longroom-history as CGI sets the environment of RFC 3875;
# most servers add REQUEST_URI.
sub cgi {
    my ($l, $method, $path, %options) = @_;
    my ($script, $query) = split /\?/, $path, 2;
    my %env = (
        GATEWAY_INTERFACE => 'CGI/1.1',
        SERVER_PROTOCOL   => 'HTTP/1.1',
        SERVER_SOFTWARE   => 'test',
        SERVER_NAME       => 'localhost',
        SERVER_PORT       => '80',
        REMOTE_ADDR       => '127.0.0.1',
        REQUEST_METHOD    => $method,
        QUERY_STRING      => $query // '',
        REQUEST_URI       => $path,
        SCRIPT_NAME       => '/chat',
        PATH_INFO         => $script,
        %{ $options{env} || {} },
    );
    if (defined $options{body}) {
        $env{CONTENT_TYPE}   = $options{type} || 'text/plain';
        $env{CONTENT_LENGTH} = length $options{body};
    }
    my $run = Longroom::run([Longroom::program('longroom-history'), '-c', $l->dir . '/longroom.conf',
        @{ $options{arguments} || [] }], env => \%env, clean_env => 1, stdin => $options{body});
    my ($head, $content) = split /\r?\n\r?\n/, $run->{stdout}, 2;
    my %headers = map { /^([^:]+):\s*(.*?)\s*$/ ? (lc $1 => $2) : () } split /\r?\n/, $head // '';
    my ($status) = ($headers{status} || '200') =~ /^([0-9]{3})/;
    is $run->{status}, 0, "$method $path: the process ends with status 0"
        or diag $run->{stderr};
    unlike $run->{stderr}, qr/Sanitizer|runtime error/, '... without a complaint from sanitizers';
    return Longroom::with_json({
        status  => $status,
        headers => \%headers,
        content => $content // '',
        log     => $run->{stderr},
    });
}

subtest 'longroom-history serves as plain CGI' => sub {
    my $l = Longroom->start(without => ['history']);
    my $sent = cgi($l, POST => '/rooms/room_26/messages', body => 'by CGI');
    is $sent->{status}, 201, 'a message is answered with 201';
    is_deeply [@{ $sent->{json} }{qw(room_id content user_id)}], ['room_26', 'by CGI', 'anonymous'],
        'the answer has the message as it was saved';
    like $sent->{headers}{location}, qr{/rooms/room_26/messages/$sent->{json}{id}$}, 'Location names it';
    like $sent->{log}, qr/Saved message to database: room_id=26, user_id=anonymous, msg_id=$sent->{json}{id}\b/,
        'the log says that it was saved';
    is_deeply [$l->sql('SELECT room_id, content FROM messages;')], ['26|by CGI'], 'and it is in the database';

    my $page = cgi($l, GET => '/rooms/room_26/messages?limit=5');
    is $page->{status}, 200, 'history is answered';
    is_deeply $page->{json}{messages}, [$sent->{json}], 'history has the message';
    is_deeply cgi($l, GET => "/rooms/room_26/messages/$sent->{json}{id}")->{json}, $sent->{json},
        'a single message is answered';
    is cgi($l, GET => '/rooms/room_26/messages',
        env => { HTTP_IF_NONE_MATCH => cgi($l, GET => '/rooms/room_26/messages')->{headers}{etag} })->{status},
        304, 'a current validator is answered with 304';
    my $head = cgi($l, HEAD => '/rooms/room_26/messages');
    is_deeply [@$head{qw(status content)}], [200, ''], 'HEAD has no body';

    my $without_uri = cgi($l, GET => '/rooms/room_26/messages', env => { REQUEST_URI => undef });
    is $without_uri->{json}{count}, 1, 'the path is found in SCRIPT_NAME and PATH_INFO too';

    Longroom::is_problem(cgi($l, POST => '/rooms/general/messages', body => 'x'), 503, 'storage',
        'an ephemeral message is refused: no waiter would get it');
    Longroom::is_problem(cgi($l, POST => '/rooms/room_026/messages', body => 'x'), 400, 'bad-room-name',
        'errors are the same as with FastCGI');
    Longroom::is_problem(cgi($l, POST => '/rooms/room_26/messages', body => '{}', type => 'text/html'), 415,
        'unsupported-media-type', 'so are errors about the body');

    ok $l->eventually(20, sub { $l->poll('room_26', timeout => 0)->{status} == 200 }),
        'longroom-pushd finds the database that was not there when it started';
    my $waiter = $l->connect;
    $waiter->write(Longroom::get_bytes("/rooms/room_26/poll?timeout=30&after=$page->{json}{cursor}"));
    is $waiter->answer(0.1), undef, 'a poll waits in the room';
    my $begin = time;
    my $second = cgi($l, POST => '/rooms/room_26/messages', body => '{"content":"to the waiter","client_id":"1"}',
        type => 'application/json');
    is_deeply $waiter->answer(20)->{json}{messages}, [$second->{json}], 'it gets the next message';
    cmp_ok time - $begin, '<', 5, 'in about a second';
    is cgi($l, POST => '/rooms/room_26/messages', body => '{"content":"to the waiter","client_id":"1"}',
        type => 'application/json')->{status}, 200, 'a client_id is known across processes';
    $l->stop;
};

subtest 'a query that the web server passes as arguments is not taken for options' => sub {
    my $l = Longroom->start(without => [qw(history pushd)]);
    my $path = '/rooms/room_26/messages';
    is cgi($l, POST => "$path?newest", body => 'first')->{status}, 201,
        'a wrapper that passes no arguments on keeps its -c';
    my $count = sub {
        my ($query, @arguments) = @_;
        return cgi($l, GET => "$path?$query", arguments => [@arguments])->{json}{count};
    };
    is $count->('newest', 'newest'), 1, 'a wrapper that passes them on keeps its -c too';
    is $count->('a+b%20c+', 'a', 'b c', ''), 1, '... of several words, decoded';
    is $count->('a%3Bb', 'a\\;b'), 1, '... with shell metacharacters escaped';
    is $count->('%3B', '%3B'), 1, '... or as sent';
    is $count->('-o+store.url%3Dsqlite:/nonexistent/x', '-o', 'store.url=sqlite:/nonexistent/x'), 1,
        'none of them is an option';
    is $count->('-c+/nonexistent', '-c', '/nonexistent'), 1, '... nor another settings file';
    is $count->('-V', '-V'), 1, '... nor another action of the program';
    my $off = "-o+store.url%3Dsqlite:$l->{dir}/other.db";
    my @own = ('-o', "store.url=sqlite:$l->{dir}/other.db", '--');
    for (['--+-V', '--', '-V'], ["$off+--", @own], ["$off+%2D-", @own]) {
        my ($query, @arguments) = @$_;
        Longroom::is_problem(cgi($l, GET => "$path?$query", arguments => \@arguments), 400, 'bad-parameter',
            "a -- that may come from the query or from a wrapper is refused: $query");
    }
    is $count->('x', '--', 'x'), 1, 'a wrapper may end its own options with --';
    is $count->('x%20-V', '--', 'something', '-V'), 1, '... and then every further argument is ignored';
    $l->stop;
};

subtest 'longroom-history serves FastCGI on descriptor 0' => sub {
    my $l = Longroom->start(without => ['history']);
    my $socket = IO::Socket::UNIX->new(
        Type   => SOCK_STREAM,
        Local  => $l->socket_path('history'),
        Listen => SOMAXCONN,
    ) or die "can't listen: $!";
    $l->start_program('history', stdin => $socket);
    my $sent = $l->post('room_26', 'by descriptor 0');
    is $sent->{status}, 201, 'it serves on that socket';
    is_deeply $l->history('room_26')->{json}{messages}, [$sent->{json}], 'requests of both kinds';
    $l->stop;
    ok -S $l->socket_path('history'), 'it leaves the socket file to the program that made it';
};

done_testing;
