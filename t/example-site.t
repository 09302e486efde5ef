# The example site, run as its README says, in headless Chromium: log in, the team's
# room, another team's room, log out; and what a site with sessions must refuse.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Browser;
use Fcntl            qw(F_SETFD);
use HTTP::Tiny       ();
use IO::Socket::INET ();
use Longroom;
use Markup;
use Socket           qw(SOMAXCONN);
use Test::More;

use constant SECONDS => 60;    # for what must happen in any case

BEGIN {
    my $missing = Browser->missing;
    plan skip_all => "no browser: $missing" if $missing;
}

my $dir = Longroom::fresh_dir();
my $site;
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => SOMAXCONN, ReuseAddr => 1)
    or die "can't listen: $@\n";
my $url = 'http://127.0.0.1:' . $listener->sockport;

sub start_site {
    $site = fork // die "fork: $!\n";
    return if $site;
    setpgrp 0, 0;
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
    open STDERR, '>>', "$dir/site.log" or POSIX::_exit(126);
    open STDOUT, '>&', \*STDERR or POSIX::_exit(126);
    $listener->blocking(0);
    fcntl $listener, F_SETFD, 0;
    # nginx takes the listening socket from this variable, because we hold the port already.
    $ENV{NGINX} = fileno($listener) . ';';
    $ENV{LONGROOM_BUILD} = Longroom::build_dir();
    { no warnings 'exec'; exec run_command("$dir/run") }
    POSIX::_exit(127);
}

sub run_command {
    my ($folder) = @_;
    return (Longroom::source_dir() . '/etc/nginx/example-site/run', '--port', $listener->sockport, '--dir', $folder);
}

sub end_site {
    return if !$site || !defined $dir;
    local $?;
    kill TERM => $site;
    my $ended = Longroom::eventually(undef, 30, sub { waitpid($site, POSIX::WNOHANG()) != 0 });
    kill KILL => -$site;
    undef $site;
    return $ended;
}

END { end_site() if $site }

start_site();
my $http = HTTP::Tiny->new(max_redirect => 0, timeout => 70);
ok Longroom::eventually(undef, SECONDS, sub { $http->get("$url/rooms/lobby/poll?timeout=0")->{status} == 401 }),
    'the site is up, and requires a log-in' or diag Longroom::slurp("$dir/site.log");

# The lines of doc/private-rooms.md, as pasted.
SKIP: {
    skip 'curl is not installed', 1 if system('command -v curl >/dev/null') != 0;
    my ($lines) = Longroom::slurp(Longroom::source_dir() . '/doc/private-rooms.md')
        =~ /Without a browser, in another terminal[^\n]*:\n\n(.*?)\n\n(?! )/s;
    $lines =~ s{http://127\.0\.0\.1:8080}{$url}g;
    $lines =~ s{run/jar}{$dir/jar}g;
    my $told = Longroom::run([ 'sh', '-e', '-c', $lines ], seconds => SECONDS)->{stdout};
    like $told, qr/\AHTTP\/1\.1\ 401.*?"unauthorized".*?"room_id":"team_red","count":0,.*?
        "type":"chat_message".*?"username":"Ann\ B\.".*?"content":"Hello".*?"type":"forbidden"/msx,
        'the page\'s curl lines log in, send, and get 403 in the other team\'s room';
}

# A logged-in user without a browser.
sub logged_in {
    my ($user, $password) = @_;
    my $answer = $http->post_form("$url/login", { user => $user, password => $password });
    return session_in($answer);
}

sub session_in {
    my ($answer) = @_;
    my ($cookie) = ($answer->{headers}{'set-cookie'} // '') =~ /^(session=[0-9a-f]+)/;
    return $cookie;
}

sub say_in {
    my ($cookie, $room, $text) = @_;
    return $http->post("$url/rooms/$room/messages",
        { headers => { Cookie => $cookie, 'Content-Type' => 'text/plain' }, content => $text });
}

# The number of polls that longroom-pushd holds.
sub polls_that_wait {
    my $answer = Longroom::Connection->new({ path => "$dir/run/push.sock" })->ask(Longroom::get_bytes('/metrics'));
    my ($count) = $answer->{content} =~ /^longroom_pushd_connections\{state="waiting"\} ([0-9]+)$/m;
    return $count;
}

# Two browsers for two people, because the windows of one share their cookies.
my ($browser, $bobs) = map { Browser->start } 1 .. 2;
my ($ann, $tab, $bob) = map { $_->window } $browser, $browser, $bobs;
my $untrap = Markup::trap($ann);

sub enters {
    my ($window, $user, $password, $heading) = @_;
    $window->type('input[name=user]', $user);
    $window->type('input[name=password]', $password);
    $window->click('form button');
    return $window->eventually(SECONDS, 'return document.querySelector("h1")?.textContent === arguments[0]', $heading);
}

sub is_logged_out {
    my ($window) = @_;
    return $window->eventually(SECONDS, 'return document.querySelector("h1")?.textContent === "Log in"');
}

sub state_is {
    my ($window, $words) = @_;
    return $window->eventually(SECONDS, 'return document.getElementById("state")?.textContent === arguments[0]', $words);
}

sub shown { return $_[0]->run('return [...document.querySelectorAll("#messages li")].map((row) => row.textContent)') }

sub sees {
    my ($window, $text) = @_;
    return $window->eventually(SECONDS,
        'return [...document.querySelectorAll("#messages li")].some((row) => row.textContent === arguments[0])', $text);
}

subtest 'users log in with their own passwords' => sub {
    $ann->open("$url/");
    ok is_logged_out($ann), 'the site shows the log-in form';
    $ann->type('input[name=user]', 'ann');
    $ann->type('input[name=password]', 'wrong');
    $ann->click('form button');
    ok $ann->eventually(SECONDS, 'return /Wrong user name/.test(document.body.textContent)'),
        'a wrong password is refused';
    ok enters($ann, 'ann', 'red apple', 'Hello, Ann B.'), 'the right one is accepted';
    is $ann->run('return document.cookie'), '', 'scripts cannot read the session cookie';
    ok !logged_in('bob', 'red apple'), 'another user\'s password is refused';
    my $header = $http->post_form("$url/login", { user => 'bob', password => 'blue bottle' })->{headers}{'set-cookie'};
    like $header, qr/; $_(?:;|\z)/, "its cookie has $_" for qw(HttpOnly SameSite=Lax Path=/);
    $bob->open("$url/");
    ok enters($bob, 'bob', 'blue bottle', 'Hello, Bob'), 'bob logs in with another browser';
};

subtest 'a team uses its room' => sub {
    ok state_is($ann, 'live'), 'the page is connected';
    my $carol = logged_in('carol', 'red car');
    say_in($carol, 'team_red', 'Hello, red ones');
    ok sees($ann, 'Carol: Hello, red ones'), 'a message of a team mate arrives';
    $ann->press('#text', 'Hello, Carol' . Browser::ENTER);
    ok sees($ann, 'Ann B.: Hello, Carol'), 'so does her own, under the name that the site has for her';
    say_in($carol, 'team_red', $_) for @Markup::TEXTS;
    ok sees($ann, "Carol: $_"), "text stays text: $_" for @Markup::TEXTS;
    ok Markup::is_set($ann), 'markup that ran would be noticed';
    Markup::nothing_ran($ann, '#messages', 'none of it runs');
    Markup::policy_holds($ann, 'the policy would stop it even inside the page');
};

# What a page gets of a room in every way: history, a message, a poll, a stream, a POST.
my $TRY = <<'END';
const ask = (path, init) => fetch(`/rooms/${arguments[0]}/${path}`, init)
    .then(async (answer) => `${answer.status} ${(await answer.json()).type}`);
return Promise.all([ask('messages'), ask('messages/1'), ask('poll?timeout=0'), ask('events'),
    ask('messages', { method: 'POST', body: 'let me in', headers: { 'Content-Type': 'text/plain' } })]);
END

subtest 'another team\'s room is closed' => sub {
    ok state_is($bob, 'live'), 'its own team is connected';
    $bob->press('#text', 'blue secret' . Browser::ENTER);
    ok sees($bob, 'Bob: blue secret'), 'it has a message';
    $ann->click('button[value=team_blue]');
    ok state_is($ann, 'You have no access to this room.'), 'the page of another user is refused';
    is_deeply shown($ann), [], 'it shows no message';
    $ann->press('#text', 'let me in' . Browser::ENTER);
    is_deeply $ann->run($TRY, $_), [('403 forbidden') x 5],
        "a script gets 403: $_" for qw(team_blue team_green);
    is_deeply $bob->run($TRY, 'team_red'), [('403 forbidden') x 5], 'the other way round too';
    is_deeply shown($bob), ['Bob: blue secret'], 'no message was added to the room';
};

subtest "long messages have Longroom's limit, not the site's" => sub {
    my $carol = logged_in('carol', 'red car');
    my $status = sub { say_in($carol, 'team_red', 'x' x $_[0])->{status} };
    is $status->(16_384), 201, 'the longest message is sent, whatever limit the site has for its own forms';
    is $status->($_), 413, "$_ bytes are refused as too long" for 16_385, 2_000_000, 9_000_000;
};

subtest 'all users share the lobby' => sub {
    $_->click('button[value=lobby]') for $ann, $bob;
    ok state_is($_, 'live'), 'the page is connected' for $ann, $bob;
    $ann->press('#text', 'Hello, Bob' . Browser::ENTER);
    ok sees($_, 'Ann B.: Hello, Bob'), 'a message of one user reaches both' for $ann, $bob;
    $bob->press('#text', 'Hello, Ann' . Browser::ENTER);
    ok sees($_, 'Bob: Hello, Ann'), 'and so does the answer' for $ann, $bob;
};

subtest 'a log-out reaches all tabs' => sub {
    $tab->open("$url/");
    ok state_is($tab, 'live'), 'her other tab is connected to her team\'s room';
    ok Longroom::eventually(undef, SECONDS, sub { polls_that_wait() == 2 }), 'her tabs share a stream, and he has one';
    $browser->console;
    $ann->click('#logout');
    ok is_logged_out($ann), 'the tab is logged out';
    ok state_is($tab, 'You are logged out.'), 'so is the other tab';
    ok Longroom::eventually(undef, SECONDS, sub { polls_that_wait() <= 1 }), 'her stream ends';
    is_deeply [grep { $_->{message} =~ / 401 / } $browser->console], [],
        'they hang up before they are refused';
    my $before = scalar @{ shown($tab) };
    say_in(logged_in('carol', 'red car'), 'team_red', 'Ann is away');
    is_deeply $tab->run($TRY, 'team_red'), [('401 unauthorized') x 5], 'scripts in the other tab get 401';
    is scalar @{ shown($tab) }, $before, 'it gets no more messages';
    $tab->reload;
    ok is_logged_out($tab), 'it shows the log-in form';
};

subtest 'the page notices when its session ends elsewhere' => sub {
    my ($session) = grep { $_->{name} eq 'session' } @{ $bob->devtools('Network.getCookies')->{cookies} };
    my $carol = logged_in('carol', 'red car');
    my @before = @{ shown($bob) };
    is $http->post("$url/logout", { headers => { Cookie => "session=$session->{value}" } })->{status}, 303,
        'the session is ended';
    say_in($carol, 'lobby', 'one');
    ok state_is($bob, 'You are logged out.'), 'the page learns it with the answer after the current one';
    say_in($carol, 'lobby', 'two');
    my @heard = splice @{ shown($bob) }, scalar @before;
    cmp_ok scalar @heard, '<=', 1, 'it gets no more than that one';
    ok Longroom::eventually(undef, SECONDS, sub { polls_that_wait() == 0 }), 'no poll waits';
    is_deeply $bob->run($TRY, 'team_blue'), [('401 unauthorized') x 5], 'scripts in the page get 401';
};

subtest 'forms of other sites are refused' => sub {
    my %from = (
        'another site'             => [403, 'Sec-Fetch-Site' => 'cross-site', Origin => 'https://evil.example.net'],
        'a neighbour'              => [403, 'Sec-Fetch-Site' => 'same-site'],
        'another site, by Origin'  => [403, Origin => 'https://evil.example.net'],
        'nowhere, by Origin'       => [403, Origin => 'null'],
        'a host with the same ending' => [403, Origin => 'http://evil-' . $url =~ s{http://}{}r],
        'the site'                 => [303, 'Sec-Fetch-Site' => 'same-origin', Origin => $url],
        'the site, by Origin'      => [303, Origin => $url],
        'the address bar'          => [303, 'Sec-Fetch-Site' => 'none'],
    );
    for my $title (sort keys %from) {
        my ($status, %headers) = @{ $from{$title} };
        my $answer = $http->post_form("$url/login", { user => 'bob', password => 'blue bottle' }, { headers => \%headers });
        is "$answer->{status} " . (session_in($answer) ? 'in' : 'out'), $status == 303 ? '303 in' : '403 out', "log-in from $title";
        my $cookie = logged_in('bob', 'blue bottle');
        $http->post("$url/logout", { headers => { %headers, Cookie => $cookie } });
        is $http->get("$url/rooms/team_blue/messages", { headers => { Cookie => $cookie } })->{status},
            $status == 303 ? 401 : 200, "log-out from $title";
    }
    $tab->open("data:text/html,<form method=post action='$url/login'><input name=user value=bob>"
        . '<input name=password value="blue bottle"></form><script>document.forms[0].submit()</script>');
    ok $tab->eventually(SECONDS, 'return document.querySelector("h1")?.textContent === "This form was sent by another site"'),
        'the page of another site cannot log a browser in';
    $tab->open("$url/");
    ok is_logged_out($tab), '... and the browser stays logged out';
};

subtest 'internal paths are closed to browsers' => sub {
    my $cookie = logged_in('bob', 'blue bottle');
    is $http->get("$url$_", { headers => { Cookie => $cookie } })->{status}, 404, $_
        for qw(/longroom-access /healthz /metrics /history/metrics /pushd/metrics /site/app.pl /app.pl);
};

subtest 'connections and requests from one address are limited' => sub {
    my $connect = sub { Longroom::Connection->new({ port => $listener->sockport }) };
    my $page = sub { my $c = $connect->(); $c->ask(Longroom::get_bytes('/site/site.js')) // { status => 0 } };
    my (@held, $refused);
    while (@held < 400 && !$refused) {
        push @held, $connect->();
        $held[-1]->write("POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n");
        $refused = $held[-1]->answer(0.02);    # no more than 50 a second
    }
    Longroom::is_problem($refused // {}, 429, 'rate-limited', 'slow connections have a limit');
    ok $refused->{headers}{'retry-after'}, '... with Retry-After';
    like Longroom::slurp("$dir/site.log"), qr/limiting connections by zone "connections"/,
        '... by the zone for connections';
    @held = ();
    ok Longroom::eventually(undef, SECONDS, sub { $page->()->{status} == 200 }),
        'when they are closed, requests are served again';

    my $c = $connect->();
    my $sent = 0;
    do { $refused = $c->ask(Longroom::get_bytes('/site/site.js')) } while $refused->{status} == 200 && $sent++ < 20_000;
    Longroom::is_problem($refused, 429, 'rate-limited', 'rapid requests have a limit');
    like Longroom::slurp("$dir/site.log"), qr/limiting requests, excess/, '... by the zone for requests';
    ok Longroom::eventually(undef, SECONDS, sub { $page->()->{status} == 200 }),
        'a moment later requests are served again';
};

subtest 'a site that cannot start says why, and exits' => sub {
    my $run = sub { Longroom::run([run_command("$dir/second")], seconds => SECONDS, env => {@_}) };
    my $result = $run->(LONGROOM_BUILD => Longroom::build_dir());
    is $result->{status}, 1, 'the port is in use';
    like $result->{stderr}, qr/nginx does not start/, '... and it says so';
    $result = $run->(LONGROOM_BUILD => "$dir/nothing");
    is $result->{status}, 1, 'nothing is built';
    like $result->{stderr}, qr/quickstart build comes first/, '... and it says so';
};

$untrap->();
$_->stop for $browser, $bobs;
ok end_site(), 'the site exits on SIGTERM';
unlike Longroom::slurp("$dir/site.log"), qr{(?:Sanitizer|\[(?:emerg|alert|crit)\]).*},
    'it logged nothing serious';

done_testing;
