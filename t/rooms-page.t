#!/usr/bin/perl

# The chat page with several rooms in headless Chromium: the list at the side, what is
# unread, the address, the keyboard, a phone's width.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Browser;
use JSON::PP ();
use Longroom;
use Test::More;

BEGIN {
    my $missing = Browser->missing;
    plan skip_all => "no browser: $missing" if $missing;
}

use constant SECONDS => 30;    # for what must happen in any case

my $longroom = Longroom->start;
my $browser = Browser->start;
my $ann = $browser->window;
$browser->_session(POST => '/window/rect', { width => 1100, height => 800 });

# What the list shows: a room, * if it is shown, the number of unread messages.
my $LIST = <<'END';
return [...document.querySelectorAll('#rooms button')].map((row) => {
  const count = row.querySelector('.count');
  return row.querySelector('.side-name').textContent + (row.hasAttribute('aria-current') ? '*' : '')
      + (count.checkVisibility() ? ` ${parseInt(count.textContent)}` : '');
}).join(', ');
END

sub lists {
    my ($expected, $title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $found;
    $ann->eventually(SECONDS, "const found = (() => { $LIST })(); return found === arguments[0]", $expected);
    return is($ann->run($LIST), $expected, $title);
}

# A test: the room is shown with these messages.
sub shows {
    my ($room, $expected, $title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $ann->eventually(SECONDS, <<'END', $room, scalar @$expected);
return document.getElementById('title').textContent === arguments[0]
    && document.getElementById('state').dataset.state === 'live'
    && document.querySelectorAll('#messages .message').length >= arguments[1]
    && !document.querySelector('#outbox .message');
END
    my $found = $ann->run(<<'END');
return [document.getElementById('title').textContent,
    ...[...document.querySelectorAll('#messages .body')].map((body) => body.textContent)];
END
    return is_deeply($found, [$room, @$expected], $title);
}

sub address { return $ann->run('return location.hash') }

sub focus { return $ann->run('return document.activeElement.id || document.activeElement.textContent') }

sub post {
    my ($room, $text) = @_;
    my $answer = $longroom->post($room, $text, user_id => 'carla', username => 'Carla');
    die "POST: $answer->{status}\n" if $answer->{status} >= 300;
    return;
}

sub choose {
    my ($room) = @_;
    $ann->click("#rooms [data-room='$room'] button");
    return;
}

sub keys_to {
    my ($css, $keys) = @_;
    $ann->press($css, $keys);
    return;
}
my ($ALT, $UP, $DOWN, $ESCAPE) = ("\x{E00A}", "\x{E013}", "\x{E015}", "\x{E00C}");

# ---------------------------------------------------------------- rooms come

post('room_26', 'first of 26');
post('team_red', "red $_") for 1 .. 2;
$ann->open($longroom->url . '/');
$ann->type('#name', 'Ann');
$ann->type('#room-name', '26');
$ann->click('#join button');
shows('room_26', ['first of 26'], 'one room is joined as ever');
lists('room_26*', 'the list has it');
is(address(), '#room_26', 'and so has the address');

$ann->type('#add-name', 'team_red');
$ann->press('#add-name', Browser::ENTER);
shows('team_red', ['red 1', 'red 2'], 'a room is added, and shown');
lists('room_26, team_red*', 'in the order of the names');
is(address(), '#team_red,room_26', 'the address has both, the shown one first');
is(focus(), 'text', 'the message is written next');

# ---------------------------------------------------------------- unread, and switching

post('room_26', "second of 26");
post('room_26', "third of 26");
lists('room_26 2, team_red*', 'what comes in another room is counted');
ok($ann->eventually(SECONDS, 'return document.title === "(2) team_red – Longroom"'), 'also in the title')
    or diag $ann->run('return document.title');
$ann->press('#text', 'half a sentence');
choose('room_26');
shows('room_26', ['first of 26', 'second of 26', 'third of 26'], 'a click shows it');
lists('room_26*, team_red', 'then it is read');
is($ann->run('return document.title'), "room_26 \x{2013} Longroom", '... and the title says so');
is(focus(), 'text', 'the message is written next');
is($ann->run('return document.getElementById("text").value'), '', 'what is being written belongs to its room');
keys_to('#text', "my own" . Browser::ENTER);
shows('room_26', ['first of 26', 'second of 26', 'third of 26', 'my own'], 'a message is sent to the shown room');
keys_to('#text', "$ALT$DOWN");
shows('team_red', ['red 1', 'red 2'], 'Alt and an arrow lead to the next room');
is($ann->run('return document.getElementById("text").value'), 'half a sentence', '... with what was being written there');
lists('room_26, team_red*', "one's own message is not unread");
keys_to('#text', "$ALT$DOWN");
shows('room_26', ['first of 26', 'second of 26', 'third of 26', 'my own'], 'behind the last is the first');
keys_to('#text', "$ALT$UP");
shows('team_red', ['red 1', 'red 2'], 'the other arrow leads back');
$ann->run('document.querySelector("[aria-current]").focus()');
keys_to('[aria-current]', $UP);
like(focus(), qr/\Aroom_26/, 'in the list, arrows lead from room to room');
keys_to('[data-room=room_26] button', Browser::ENTER);
shows('room_26', ['first of 26', 'second of 26', 'third of 26', 'my own'], '... and Enter shows it');

$ann->run('history.back()');
shows('team_red', ['red 1', 'red 2'], 'Back leads to the room before');
$ann->reload;
shows('team_red', ['red 1', 'red 2'], 'a reload leads into the same room');
lists('room_26, team_red*', '... with the same list');
is($ann->run('return document.getElementById("text").value'), 'half a sentence', '... and the draft');

# Rows that are not shown grow, and keep the reader's place.
post('long', "line $_") for 1 .. 60;
$ann->type('#add-name', 'long');
$ann->click('#add button');
shows('long', [map {"line $_"} 11 .. 60], 'a longer room');
$ann->run('document.getElementById("scroller").scrollTop = 400');
$ann->eventually(SECONDS, 'return document.getElementById("scroller").scrollTop === 400');
choose('team_red');
shows('team_red', ['red 1', 'red 2'], 'is left for another');
post('long', 'line 61');
lists('long 1, room_26, team_red*', 'something comes there');
choose('long');
$ann->eventually(SECONDS, 'return document.getElementById("title").textContent === "long"');
is($ann->run('return document.getElementById("scroller").scrollTop'), 400, 'its reader comes back to the same place');
is($ann->text('#newest'), '1 new message', '... and is told of the new message below');

# ---------------------------------------------------------------- refusals, and leaving

$ann->type('#add-name', 'not a room');
$ann->click('#add button');
like($ann->eventually(SECONDS, 'return document.getElementById("add-error").textContent'), qr/not a valid room name/,
    'a bad name is refused');
lists('long*, room_26, team_red', '... and changes nothing');
$ann->type('#add-name', 'room_026');
$ann->click('#add button');
ok($ann->eventually(SECONDS, 'return /^room_026: .*not a valid/.test(document.getElementById("add-error").textContent)'),
    'a room that the server refuses is named');
is($ann->run('return document.querySelectorAll("#rooms li").length'), 3, '... and not joined');
unlike(address(), qr/room_026/, '... nor in the address');
ok($ann->run('return document.getElementById("lobby").hidden'), '... the others stay');

choose('long');
$ann->eventually(SECONDS, 'return document.getElementById("title").textContent === "long"');
$ann->click('#leave');
shows('room_26', ['first of 26', 'second of 26', 'third of 26', 'my own'], 'after leaving a room the next is shown');
lists('room_26*, team_red', '... without the one that was left');
unlike(address(), qr/long/, '... in the address too');
post('long', 'nobody listens');
post('team_red', 'red 3');
lists('room_26*, team_red 1', 'what comes in a room that was left is not counted');
$ann->click('#leave');
shows('team_red', ['red 1', 'red 2', 'red 3'], 'the last room');
$ann->click('#leave');
ok($ann->eventually(SECONDS, 'return !document.getElementById("lobby").hidden'), 'leaving that leads to the lobby');
is(address(), '', '... without a room in the address');

# ---------------------------------------------------------------- links, phones

$ann->open('about:blank');
$ann->open($longroom->url . '/#team_red,26,team_red');
shows('team_red', ['red 1', 'red 2', 'red 3'], 'a link leads into several rooms');
lists('room_26, team_red*', '... each once');

$ann->devtools('Emulation.setDeviceMetricsOverride', width => 360, height => 640, deviceScaleFactor => 1, mobile => JSON::PP::true);
my $VISIBLE = 'return document.getElementById(arguments[0]).checkVisibility({ visibilityProperty: true })';
$ann->eventually(SECONDS, 'return innerWidth === 360');
ok(!$ann->run($VISIBLE, 'side'), "on a phone the list is hidden");
ok($ann->run('return document.documentElement.scrollWidth <= 360'), '... and nothing is wider than the screen');
post('room_26', 'to the phone');
ok($ann->eventually(SECONDS, 'return parseInt(document.querySelector("#show-rooms .count").textContent) === 1'),
    '... a button counts what is unread elsewhere');
$ann->click('#show-rooms');
ok($ann->run($VISIBLE, 'side'), '... and opens the list');
ok(!$ann->run($VISIBLE, 'text'), '... in place of the conversation');
like(focus(), qr/\Ateam_red/, '... with the shown room in focus');
is($ann->run('return document.getElementById("show-rooms").getAttribute("aria-expanded")'), 'true', '... and says so');
keys_to('[aria-current]', $ESCAPE);
ok($ann->run($VISIBLE, 'text'), '... Escape closes it');
is(focus(), 'show-rooms', '... and leads back to the button');
$ann->click('#show-rooms');
choose('room_26');
shows('room_26', ['first of 26', 'second of 26', 'third of 26', 'my own', 'to the phone'], '... a room is chosen there');
ok(!$ann->run($VISIBLE, 'side'), '... which closes it');

is_deeply([map { $_->{message} } grep { $_->{level} eq 'SEVERE' && $_->{source} ne 'network' } $browser->console], [],
    'the console has no complaints');

$browser->stop;
$longroom->stop;
done_testing;
