#!/usr/bin/perl

# Messages written on the page and not yet answered: they survive a reload, are saved
# once, and are sent in no other user's name.

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

my $longroom = Longroom->start(settings => { 'rooms.ephemeral' => 'fleeting' });
# Forked before the browser, so that it does not inherit the browser's watchdog.
my $proxy = Proxy->start($longroom->port);
my $browser = Browser->start;
my $window = $browser->window;

my $SHOWN = 'return [...document.querySelectorAll("#messages .body")].map((body) => body.textContent)';
my $LIVE = 'return document.getElementById("state").dataset.state === "live"';
my $SETTLED = 'return document.getElementById("state").dataset.state === "live" && !document.querySelector("#outbox .message")'
    . ' && document.querySelectorAll("#messages .body").length >= arguments[0]';
my $UNSENT = 'return [...document.querySelectorAll("#outbox .failed .body")].map((body) => body.textContent)';

sub enter {
    my ($at, $room, $name) = @_;
    $at->open('about:blank');
    $at->open($proxy->url . '/icon.svg');
    $at->run('sessionStorage["longroom.name"] = arguments[0]', $name);
    $at->open($proxy->url . "/#$room");
    return;
}

sub kept { return Longroom::message_contents($longroom->history($_[0], limit => 100)) }

sub shows_once {
    my ($at, $room, $expected, $title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $at->eventually(SECONDS, $SETTLED, scalar @$expected);
    is_deeply($at->run($SHOWN), $expected, $title);
    is_deeply(kept($room), $expected, '... and it is saved once');
    return;
}

sub say_unheard {
    my ($at, $text) = @_;
    $longroom->signal('history', 'KILL');
    $at->press('#text', $text . Browser::ENTER);
    $at->eventually(SECONDS,
        'return /Trying again/.test(document.getElementById("outbox").textContent)') or die "it was answered\n";
    return;
}

# ---------------------------------------------------------------- a reload

enter($window, 'room_1', 'Ann');
$window->eventually(SECONDS, $LIVE) or die "never live\n";
say_unheard($window, 'before the reload');
$window->press('#text', 'half a tho');
$window->reload;
$longroom->start_program('history');
shows_once($window, 'room_1', ['before the reload'], 'an unanswered message is sent after a reload');
is($window->run('return document.getElementById("text").value'), 'half a tho', 'a draft is restored');
$window->press('#text', 'ught' . Browser::ENTER);
shows_once($window, 'room_1', ['before the reload', 'half a thought'], '... and can be sent');
$window->reload;
$window->eventually(SECONDS, $LIVE) or die "never live\n";
is($window->run('return document.getElementById("text").value'), '', '... it is no longer a draft');
is_deeply(kept('room_1'), ['before the reload', 'half a thought'], '... nothing is sent again');

$proxy->does('swallow');
$window->press('#text', 'its answer is lost' . Browser::ENTER);
ok($longroom->eventually(SECONDS, sub { @{ kept('room_1') } == 3 }), 'a message arrives, its answer does not');
$window->run('document.getElementById("text").focus()');
$window->reload;
$proxy->does('pass');
shows_once($window, 'room_1', ['before the reload', 'half a thought', 'its answer is lost'], 'after a reload it is shown once');

# Older than the messages shown, when it is sent again.
enter($window, 'room_2', 'Ann');
$window->eventually(SECONDS, $LIVE) or die "never live\n";
$window->run(<<'END');
const sent = { room: 'room_2', user: `Ann.${localStorage['longroom.browser']}`, clientId: 'long-ago', content: 'long ago',
    refused: false, atMs: Date.now() };
sessionStorage['longroom.outbox'] = JSON.stringify({ sends: [sent], drafts: [] });
END
my $user = $window->run('return `Ann.${localStorage["longroom.browser"]}`');
$longroom->post('room_2', 'long ago', client_id => 'long-ago', user_id => $user, username => 'Ann');
$longroom->post('room_2', "line $_") for 1 .. 60;
$window->reload;
ok($window->eventually(SECONDS, $SETTLED, 50),
    'a message that is no longer on the first page of history is settled');
is(scalar @{ kept('room_2') }, 61, '... and not saved again');

# ---------------------------------------------------------------- another tab

enter($window, 'room_3', 'Ann');
$window->eventually(SECONDS, $LIVE) or die "never live\n";
say_unheard($window, 'in two tabs');
$window->run('window.open(location.href)');
my ($handle) = grep { $_ ne $window->{handle} } @{ $browser->_session(GET => '/window/handles') };
my $second = bless { browser => $browser, handle => $handle }, 'Browser::Window';
$longroom->start_program('history');
shows_once($_, 'room_3', ['in two tabs'], 'a duplicated tab does not double a message') for $window, $second;

# ---------------------------------------------------------------- other ways to open the page

say_unheard($second, 'left behind');
$second->open('about:blank');
$second->open($proxy->url . '/#room_3');
$longroom->start_program('history');
ok($second->eventually(SECONDS, 'return document.querySelector("#outbox .failed")'),
    'after any other way than a reload the user is asked before anything is sent');
is_deeply($second->run($UNSENT), ['left behind'], '... with the text');
is_deeply(kept('room_3'), ['in two tabs'], '... nothing is sent until then');
$second->click('#outbox .failed button');
shows_once($second, 'room_3', ['in two tabs', 'left behind'], '... and can send it');

say_unheard($second, 'of the one before');
$second->press('#text', 'a draft of the one before');
enter($second, 'room_3', 'Bob');
$longroom->start_program('history');
$second->eventually(SECONDS, $LIVE) or die "never live\n";
$second->eventually(SECONDS, $SETTLED, 2);
is_deeply($second->run($UNSENT), [],
    "another user in the same tab does not see the previous user's messages");
is($second->run('return document.getElementById("text").value'), '', '... nor the draft');
$second->press('#text', 'by Bob' . Browser::ENTER);
shows_once($second, 'room_3', ['in two tabs', 'left behind', 'by Bob'], '... and sends only their own');

# ---------------------------------------------------------------- limits

my $WOULD_ASK = 'return !dispatchEvent(new Event("beforeunload", { cancelable: true }))';
is($second->run($WOULD_ASK), JSON::PP::false, 'a page with everything saved may be closed');
$second->run(<<'END');
const text = document.getElementById('text');
text.value = 'long '.repeat(80_000);
text.dispatchEvent(new Event('input'));
END
is($second->run($WOULD_ASK), JSON::PP::true, 'a page with more than it can keep asks before it is closed');
$second->run(<<'END');
const text = document.getElementById('text');
text.value = '';
text.dispatchEvent(new Event('input'));
END
is($second->run($WOULD_ASK), JSON::PP::false, '... only as long as that is so');

$browser->stop;
$_->stop for $proxy, $longroom;
done_testing;
