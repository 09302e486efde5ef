#!/usr/bin/perl

# The page and longroom.js behind proxies and networks as they are: a login that
# has expired, polls that are cut, connections that die without an end.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Browser;
use Longroom;
use Proxy;
use Test::More;

BEGIN {
    my $missing = Browser->missing;
    plan skip_all => "no browser: $missing" if $missing;
}

use constant SECONDS => 60;    # for what must happen anyway

my $longroom = Longroom->start;
# Before the browser, so that they do not inherit what it is ended by.
my ($proxy, $elsewhere) = map { Proxy->start($longroom->port) } 1 .. 2;
my $browser = Browser->start;
my $window = $browser->window;

sub enter {
    my ($room) = @_;
    $proxy->does('pass');
    $window->open('about:blank');
    $window->open($proxy->url . "/#$room");
    if (!$window->run('return sessionStorage["longroom.name"]')) {
        $window->type('#name', 'Ann');
        $window->click('#join button');
    }
    return comes_to('live');
}

sub comes_to {
    my ($state) = @_;
    return $window->eventually(SECONDS, 'return document.getElementById("state").dataset.state === arguments[0]', $state);
}

sub shows {
    my ($text) = @_;
    return $window->eventually(SECONDS,
        'return [...document.querySelectorAll("#messages .body")].some((b) => b.textContent === arguments[0])', $text);
}

# Ends the poll that waits, so that the next goes as the proxy now does it.
sub stir {
    $window->run('dispatchEvent(new Event("online"))');
    return;
}

# ---------------------------------------------------------------- an expired login

# $elsewhere is another origin, which allows nobody.
for my $how ('html', 'redirect /login', 'redirect ' . $elsewhere->url . '/login') {
    ok(enter('room_1'), "$how: the page is connected");
    $proxy->does($how);
    stir();
    ok($window->eventually(SECONDS, 'return /sign in again/.test(document.getElementById("state").textContent)'),
        '... and says to sign in again, once the proxy wants a login')
        or diag $window->text('#state');
    unlike($window->text('#state'), qr/Trying again/, '... which nobody else can do');
    $window->press('#text', "sent while signed out by $how" . Browser::ENTER);
    ok($window->eventually(SECONDS, 'return /sign in again/.test(document.getElementById("outbox").textContent)'),
        '... as does a message that can not be sent');
    is($window->run('return import("/longroom.js").then(({ history }) => history(1)).catch(({ type }) => type)'),
        'sign-in', '... and a site is given a type of its own');
    ok($window->run('return document.getElementById("sign-in")?.checkVisibility()'), '... with a button that leads there');
    $proxy->does('pass');
    stir();
    ok(comes_to('live'), '... and goes on after that');
    ok(shows("sent while signed out by $how"), '... with what was to be sent');
    ok($window->run('return document.getElementById("sign-in")?.hidden'), '... and without the button');
}

$browser->stop;
$_->stop for $proxy, $elsewhere, $longroom;
done_testing;
