# The example site, as its README says to run it, in headless Chromium: log in, the
# team's room, another team's, log out.

use strict;
use warnings;

use FindBin ();
use lib "$FindBin::Bin/lib";
use Browser;
use Fcntl            qw(F_SETFD);
use HTTP::Tiny       ();
use IO::Socket::INET ();
use Longroom;
use Socket           qw(SOMAXCONN);
use Test::More;

use constant {
    SECONDS     => 60,    # for what must happen anyway
    POLL_BOUND  => 60,    # PROTOCOL section 12: so long a poll may go on
};

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
    # nginx takes the listening socket by this variable: the port is ours already.
    $ENV{NGINX} = fileno($listener) . ';';
    $ENV{LONGROOM_BUILD} = Longroom::build_dir();
    exec Longroom::source_dir() . '/etc/nginx/example-site/run', '--port', $listener->sockport, '--dir', "$dir/run";
    POSIX::_exit(127);
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
    'the site is there, and lets nobody in' or diag Longroom::slurp("$dir/site.log");

# Somebody without a browser, who is logged in.
sub logged_in {
    my ($user, $password) = @_;
    my $answer = $http->post_form("$url/login", { user => $user, password => $password });
    my ($cookie) = ($answer->{headers}{'set-cookie'} // '') =~ /^(session=[0-9a-f]+)/;
    return $cookie;
}

sub say_in {
    my ($cookie, $room, $text) = @_;
    return $http->post("$url/rooms/$room/messages",
        { headers => { Cookie => $cookie, 'Content-Type' => 'text/plain' }, content => $text });
}

my $bob = logged_in('bob', 'blue bottle');
ok $bob, 'bob logs in';
ok !logged_in('bob', 'red apple'), 'but not with another password';
is say_in($bob, 'team_blue', 'blue secret')->{status}, 201, 'he writes to his team';

my $browser = Browser->start;
my ($ann, $tab) = map { $browser->window } 1 .. 2;

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

subtest 'log in' => sub {
    $ann->open("$url/");
    $ann->type('input[name=user]', 'ann');
    $ann->type('input[name=password]', 'wrong');
    $ann->click('form button');
    ok $ann->eventually(SECONDS, 'return /not right/.test(document.body.textContent)'), 'not with a wrong password';
    $ann->type('input[name=user]', 'ann');
    $ann->type('input[name=password]', 'red apple');
    $ann->click('form button');
    ok $ann->eventually(SECONDS, 'return document.querySelector("h1")?.textContent === "Hello, Ann B."'), 'with the right one';
};

my @XSS = ('<script>document.title="xss"</script>', '<img src=x onerror=document.title="xss">', '"><svg onload=alert(1)>',
    'javascript:alert(1)', '</li><iframe srcdoc="<script>top.document.title=1</script>">', '{{7*7}}${7*7}');

subtest 'the team\'s room' => sub {
    ok state_is($ann, 'live'), 'is there';
    my $carol = logged_in('carol', 'red car');
    say_in($carol, 'team_red', 'Hello, red ones');
    ok sees($ann, 'Carol: Hello, red ones'), 'what another of the team writes comes';
    $ann->press('#text', 'Hello, Carol' . Browser::ENTER);
    ok sees($ann, 'Ann B.: Hello, Carol'), 'and what she writes, under the name that the site has for her';
    say_in($carol, 'team_red', $_) for @XSS;
    ok sees($ann, "Carol: $_"), "text stays text: $_" for @XSS;
    is $ann->run('return document.title'), 'Teams', 'and does nothing';
    is $ann->run('return document.querySelectorAll("#messages li > *").length'), 0, 'nor makes an element';
};

subtest 'another team\'s room' => sub {
    $ann->click('button[value=team_blue]');
    ok state_is($ann, 'This room is not for you.'), 'is refused';
    is_deeply shown($ann), [], 'and nothing of it is seen';
    $ann->press('#text', 'let me in' . Browser::ENTER);
    my $page = $http->get("$url/rooms/team_blue/messages", { headers => { Cookie => $bob } });
    unlike $page->{content}, qr/let me in/, 'nor can she write there';
    is $http->get("$url/rooms/team_red/messages", { headers => { Cookie => $bob } })->{status}, 403, 'and he not in hers';
    $ann->click('button[value=lobby]');
    ok state_is($ann, 'live'), 'the lobby is for all';
    say_in($bob, 'lobby', 'Hello, all');
    ok sees($ann, 'Bob: Hello, all'), 'and they meet there';
};

subtest 'log out' => sub {
    $tab->open("$url/");
    ok state_is($tab, 'live'), 'her other tab follows her team\'s room';
    $ann->click('#logout');
    ok $ann->eventually(SECONDS, 'return document.querySelector("h1")?.textContent === "Log in"'), 'she is out';
    my $began = time;
    ok $tab->eventually(POLL_BOUND, 'return document.getElementById("state")?.textContent === "You are logged out."'),
        'within the time of a poll the other tab is, too';
    cmp_ok time - $began, '<=', POLL_BOUND, '... that is the bound';
    my $before = scalar @{ shown($tab) };
    say_in(logged_in('carol', 'red car'), 'team_red', 'Ann is away');
    is scalar @{ shown($tab) }, $before, 'and hears no more';
    $tab->reload;
    ok $tab->eventually(SECONDS, 'return document.querySelector("h1")?.textContent === "Log in"'), 'it shows the log-in';
};

subtest 'what is not for browsers' => sub {
    is $http->get("$url$_", { headers => { Cookie => $bob } })->{status}, 404, $_
        for qw(/longroom-access /healthz /metrics /history/metrics /pushd/metrics /site/app.pl /app.pl);
};

ok end_site(), 'the site ends when it is told to';
unlike Longroom::slurp("$dir/site.log"), qr{(?:Sanitizer|\[(?:emerg|alert|crit)\]).*}, 'and had nothing to complain about';

done_testing;
