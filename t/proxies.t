#!/usr/bin/perl

# The page and longroom.js behind real proxies and networks: a login that has
# expired, polls that are cut, connections that die silently.

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

use constant SECONDS => 60;    # for what must happen in any case

my $longroom = Longroom->start;
# Forked before the browser, so that they do not inherit its watchdog.
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

# Ends the waiting poll, so that the next one meets the proxy's new behaviour.
sub stir {
    $window->run('dispatchEvent(new Event("online"))');
    return;
}

# ---------------------------------------------------------------- an expired login

# $elsewhere is another origin, which allows no other pages.
for my $how ('html', 'redirect /login', 'redirect ' . $elsewhere->url . '/login') {
    ok(enter('room_1'), "$how: the page is connected");
    $proxy->does($how);
    stir();
    ok($window->eventually(SECONDS, 'return /sign in again/.test(document.getElementById("state").textContent)'),
        '... and says to sign in again, once the proxy requires a login')
        or diag $window->text('#state');
    unlike($window->text('#state'), qr/Trying again/, '... instead of trying again');
    $window->press('#text', "sent while signed out by $how" . Browser::ENTER);
    ok($window->eventually(SECONDS, 'return /sign in again/.test(document.getElementById("outbox").textContent)'),
        '... so does a message that cannot be sent');
    is($window->run('return import("/longroom.js").then(({ history }) => history(1)).catch(({ type }) => type)'),
        'sign-in', '... the module has a type for it');
    ok($window->run('return document.getElementById("sign-in")?.checkVisibility()'),
        '... a button leads to the login');
    $proxy->does('pass');
    stir();
    ok(comes_to('live'), '... the page continues after that');
    ok(shows("sent while signed out by $how"), '... the waiting message is sent');
    ok($window->run('return document.getElementById("sign-in")?.hidden'), '... the button is gone');
}

# ---------------------------------------------------------------- polls that are cut

sub lengths { return map { m{/poll\?.*timeout=(\d+)} ? $1 : () } $proxy->seen }

# In a test page, because the chat page polls as long as longroom.js does, and only if
# it must.
my $JOIN = <<'END';
const [name, options] = arguments;
return import('/longroom.js').then(({ join }) => {
  window.room?.leave();
  window.log = [];
  window.room = join(name, {
    transport: 'poll',
    ...options,
    onMessage: (message) => log.push(message.content),
    onState: (state, problem) => log.push([state, problem?.type].join(' ').trim()),
  });
});
END

$window->open('about:blank');
$window->open($proxy->url . '/icon.svg');
$proxy->does('cut 1.5');
$proxy->seen;
$window->run($JOIN, 'cut', { pollSeconds => 24 });
my @lengths;
ok($window->eventually(SECONDS, 'return log.filter((line) => line === "retrying unavailable").length >= 5'),
    'polls that a proxy cuts are tried again');
@lengths = grep { $_ > 0 } lengths();
is_deeply([@lengths[0 .. 4]], [24, 24, 12, 12, 6], '... their timeout is halved after two cuts');
ok($window->eventually(SECONDS, 'return log.filter((line) => line === "retrying unavailable").length >= 9'),
    '... again after two more');
@lengths = (@lengths, grep { $_ > 0 } lengths());
is_deeply([@lengths[5 .. 8]], [6, 5, 5, 5], '... but not below five seconds');
$longroom->post('cut', 'through the cuts');
ok($window->eventually(SECONDS, 'return log.includes("through the cuts")'), '... and nothing is lost');

$proxy->does('pass');
$window->run($JOIN, 'short', { pollSeconds => 2 });
$window->eventually(SECONDS, 'return room.state === "live"') or die "never live\n";
$proxy->seen;
$window->run('return new Promise((resolve) => { const began = performance.now();'
        . ' const timer = setInterval(() => { if (performance.getEntriesByType("resource")'
        . '.filter(({ name }) => /short\/poll/.test(name)).length >= 2) { clearInterval(timer); resolve(); } }, 20); })');
is_deeply([grep { $_ != 2 } lengths()], [], 'a site can set the timeout of polls');

# ---------------------------------------------------------------- streams that are broken

# Each message is sent when the one before has come. What the page has got at the end.
sub talk {
    my ($room, $count) = @_;
    for my $n (1 .. $count) {
        $longroom->post($room, "message $n");
        $window->eventually(SECONDS, 'return log.includes(arguments[0])', "message $n") or last;
    }
    return [grep {/message/} @{ $window->run('return log') }];
}

sub kinds { return map { m{/(events|poll)\?} ? $1 : () } $proxy->seen }

$window->open('about:blank');
$proxy->does('hold');
$window->open($proxy->url . '/icon.svg');
$proxy->seen;
$window->run($JOIN, 'held', { transport => 'auto' });
is_deeply(talk('held', 3), [map {"message $_"} 1 .. 3], 'behind a proxy that keeps streams back nothing is lost');
my @kinds = kinds();
is($kinds[0], 'events', '... a stream was tried');
is($kinds[-1], 'poll', '... and polls took its place');
is_deeply([grep {/retrying/} @{ $window->run('return log') }], [], '... unnoticed');

# The head takes some 400 bytes, a message some 250.
$window->open('about:blank');
$proxy->does('bite 1000');
$window->open($proxy->url . '/icon.svg');
$proxy->seen;
$window->run($JOIN, 'bitten', { transport => 'auto' });
is_deeply(talk('bitten', 20), [map {"message $_"} 1 .. 20],
    'behind a proxy that cuts streams within an event nothing is lost or doubled');
@kinds = kinds();
is(scalar(grep { $_ eq 'events' } @kinds), 3, '... three streams were tried');
is($kinds[-1], 'poll', '... before polls took their place');

# ---------------------------------------------------------------- dead connections

$window->run('room.leave()');
ok(enter('room_2'), 'the page is connected');
# More connections, which the browser keeps alive.
$window->run('return Promise.all([1, 2, 3].map((n) => fetch(`/rooms/room_2/poll?timeout=1&n=${n}`)))');
my $GIVEN_UP = <<'END';
const ask = window.fetch;
window.limits = [];
window.fetch = (url, init) => {
  const start = performance.now();
  init?.signal?.addEventListener('abort', () => limits.push([String(url), performance.now() - start]));
  return ask(url, init);
};
END
$window->run($GIVEN_UP);
$proxy->does('dark');
$longroom->post('room_2', 'sent in the dark');
stir();
ok(shows('sent in the dark'), 'what was sent while the connections were dead arrives');
my @given_up = grep { $_->[0] =~ /timeout=0/ } @{ $window->run('return limits') };
cmp_ok(scalar @given_up, '>', 0, '... after some of them were tried in vain');
cmp_ok($given_up[0] && $given_up[0][1], '<', 9000,
    '... none of which delays the others for as long as a poll may take');

# Hidden for a while: the clock is set forward, as after the computer slept.
my $SLEPT = <<'END';
const hidden = (value) => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
  document.dispatchEvent(new Event('visibilitychange'));
};
hidden(true);
const clock = performance.now.bind(performance);
performance.now = () => clock() + 60_000;
hidden(false);
delete document.hidden;
END
ok(comes_to('live'), 'connected again');
$proxy->does('dark');
$longroom->post('room_2', 'sent while asleep');
$window->run($SLEPT);
$window->run('window.began = Date.now()');
ok(shows('sent while asleep'), 'a page that becomes visible polls at once');
cmp_ok($window->run('return Date.now() - began'), '<', 24_000,
    '... and does not wait for its old poll to time out');

$browser->stop;
$_->stop for $proxy, $elsewhere, $longroom;
done_testing;
