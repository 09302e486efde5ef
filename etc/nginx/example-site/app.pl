#!/usr/bin/perl
# The application of the example site: a log-in form, sessions in cookies, and a
# private room for each team. It identifies the user for nginx (/longroom-access);
# Longroom does everything else about chat. It needs only Perl's own modules.
#
#     app.pl SOCKET       listens there for nginx, until SIGTERM
#
# It is an example: passwords are in the source, sessions end with the process, and
# it answers one request at a time. (nginx sends requests only when they are
# complete, so a slow client cannot block it.)

use strict;
use warnings;

use IO::Socket::UNIX ();

my %USERS = (
    ann   => { password => 'red apple',   name => 'Ann B.', team => 'team_red' },
    bob   => { password => 'blue bottle', name => 'Bob',    team => 'team_blue' },
    carol => { password => 'red car',     name => 'Carol',  team => 'team_red' },
);

use constant { SESSION_SECONDS => 12 * 3600, HEAD_MAX => 32 * 1024, BODY_MAX => 4096 };

my %sessions;    # by the cookie's value: {user, until}

# ---- Sessions ----

sub new_session {
    my ($user) = @_;
    open my $random, '<:raw', '/dev/urandom' or die "urandom: $!\n";
    read($random, my $bytes, 18) == 18 or die "urandom: $!\n";
    my $now = time;
    delete @sessions{ grep { $sessions{$_}{until} < $now } keys %sessions };
    my $id = unpack 'H*', $bytes;
    $sessions{$id} = { user => $user, until => $now + SESSION_SECONDS };
    return $id;
}

sub session_id {
    my ($request) = @_;
    my ($id) = ($request->{headers}{cookie} // '') =~ /(?:^|;\s*)session=([0-9a-f]{36})(?:;|$)/;
    return $id;
}

# The id of the user who is logged in, or undef.
sub user_of {
    my ($request) = @_;
    my $session = $sessions{ session_id($request) // '' };
    return $session && $session->{until} > time ? $session->{user} : undef;
}

# Whether a page of another site made the browser send the request: it could log the
# user out, or in as another user.
sub is_from_elsewhere {
    my ($request) = @_;
    my ($host, $origin, $site) = @{ $request->{headers} }{qw(host origin sec-fetch-site)};
    return $site !~ /\A(?:same-origin|none)\z/ if defined $site;
    return defined $origin && (!defined $host || $origin !~ m{\Ahttps?://\Q$host\E\z}i);
}

sub cookie {
    my ($value, $seconds) = @_;
    # A site that is on https adds "; Secure".
    return "Set-Cookie: session=$value; Path=/; HttpOnly; SameSite=Lax; Max-Age=$seconds\r\n";
}

# ---- Answers ----

# nginx asks this before each request for a room. Without a log-in the answer is
# empty: Longroom then answers 401, or serves the rooms that everyone may read.
sub tell_access {
    my ($request) = @_;
    my $user = user_of($request) // return answer('204 No Content');
    my $escape = sub { $_[0] =~ s/([^A-Za-z0-9._~ -])/sprintf '%%%02X', ord $1/ger };
    return answer('204 No Content',
              'Longroom-User-Id: ' . $escape->($user) . "\r\n"
            . 'Longroom-Username: ' . $escape->($USERS{$user}{name}) . "\r\n"
            . "Longroom-Read: $USERS{$user}{team} lobby\r\n"
            . "Longroom-Write: $USERS{$user}{team} lobby\r\n");
}

sub show_page {
    my ($request) = @_;
    my $user = user_of($request);
    return answer('200 OK', "Cache-Control: no-store\r\n", $user ? chat_page($user) : login_page(''));
}

sub log_in {
    my ($request) = @_;
    my %form = form($request->{body});
    my $user = $USERS{ $form{user} // '' };
    return answer('403 Forbidden', '', login_page('Wrong user name or password. Try again.'))
        if !$user || ($form{password} // '') ne $user->{password};
    delete $sessions{ session_id($request) // '' };
    return see_other(cookie(new_session($form{user}), SESSION_SECONDS));
}

sub log_out {
    my ($request) = @_;
    delete $sessions{ session_id($request) // '' };
    return see_other(cookie('', 0));
}

my %ANSWERS = (
    'GET /longroom-access' => \&tell_access,
    'GET /'                => \&show_page,
    'POST /login'          => \&log_in,
    'POST /logout'         => \&log_out,
);

sub answer {
    my ($status, $headers, $body) = @_;
    $headers //= '';
    $headers .= "Content-Type: text/html; charset=utf-8\r\n" if defined $body;
    $body //= '';
    return "HTTP/1.0 $status\r\n${headers}Content-Length: " . length($body) . "\r\n\r\n$body";
}

sub see_other { return answer('303 See Other', "Location: /\r\n$_[0]") }

sub html {
    my %as = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;', '"' => '&quot;');
    return $_[0] =~ s/([&<>"])/$as{$1}/gr;
}

sub page {
    my ($content) = @_;
    return <<"END";
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Teams</title>
<script type="module" src="/site/site.js"></script>
$content
END
}

sub login_page {
    my ($problem) = @_;
    return page(<<"END");
<h1>Log in</h1>
<p id="problem">$problem</p>
<form method="post" action="/login">
<label>User <input name="user" autocomplete="username" required></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button>Log in</button>
</form>
END
}

sub chat_page {
    my ($user) = @_;
    my ($name, $team) = map { html($USERS{$user}{$_}) } qw(name team);
    return page(<<"END");
<h1>Hello, $name</h1>
<form method="post" action="/logout"><button id="logout">Log out</button></form>
<nav>
<button class="room" value="$team">My team</button>
<button class="room" value="lobby">Lobby</button>
<button class="room" value="team_red">Red team</button>
<button class="room" value="team_blue">Blue team</button>
</nav>
<main data-room="$team">
<h2 id="room"></h2>
<p id="state" role="status"></p>
<ol id="messages"></ol>
<form id="send"><input id="text" aria-label="Message" autocomplete="off"><button>Send</button></form>
</main>
END
}

# ---- Requests ----

sub form {
    my ($body) = @_;
    my %form;
    for my $pair (split /&/, $body) {
        my ($name, $value) = map { tr/+/ /r =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ger } split(/=/, $pair, 2), '', '';
        $form{$name} = $value;
    }
    return %form;
}

# nginx sends the request complete and without delay.
sub read_request {
    my ($client) = @_;
    my $bytes = '';
    local $SIG{ALRM} = sub { die "too slow\n" };
    alarm 5;
    my $more = sub { sysread($client, $bytes, 16_384, length $bytes) or die "hung up\n" };
    $more->() while $bytes !~ /\r\n\r\n/ && length $bytes < HEAD_MAX;
    my ($head, $body) = split /\r\n\r\n/, $bytes, 2;
    my ($first, @lines) = split /\r\n/, $head;
    my ($method, $path) = $first =~ m{\A(\S+) ([^?\s]+)} or die "no request\n";
    my %headers = map { /\A([^:]+):\s*(.*)/ ? (lc $1 => $2) : () } @lines;
    my $length = $headers{'content-length'} || 0;
    die "too long\n" if $length !~ /\A[0-9]+\z/ || $length > BODY_MAX;
    while (length $body < $length) {
        sysread($client, $body, $length - length $body, length $body) or die "hung up\n";
    }
    alarm 0;
    return { method => $method, path => $path, headers => \%headers, body => $body };
}

sub answer_to {
    my ($request) = @_;
    my $answer = $request && $ANSWERS{"$request->{method} $request->{path}"};
    return answer('404 Not Found', '', page('<h1>Not found</h1>')) if !$answer;
    return answer('403 Forbidden', '', page('<h1>This form was sent by another site</h1>'))
        if $request->{method} eq 'POST' && is_from_elsewhere($request);
    return $answer->($request);
}

sub serve {
    my ($client) = @_;
    my $request = eval { read_request($client) };
    alarm 0;
    syswrite $client, answer_to($request);
    close $client;
    return;
}

my ($socket) = @ARGV;
die "usage: app.pl SOCKET\n" if @ARGV != 1;
$SIG{PIPE} = 'IGNORE';
unlink $socket;
umask 0007;    # for nginx only
my $listener = IO::Socket::UNIX->new(Local => $socket, Listen => 128) or die "can't listen at $socket: $!\n";
while (1) {
    my $client = $listener->accept or next;
    serve($client);
}
