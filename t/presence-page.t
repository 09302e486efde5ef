#!/usr/bin/perl

# Who is here, in headless Chromium: in a site's own pages, whichever of its tabs leads, by
# streams and by polls, in many rooms; and on the chat page.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Browser;
use JSON::PP ();
use Longroom;
use Tabs qw(leader_of);
use Test::More;
use Visitors;

BEGIN {
    my $missing = Browser->missing;
    plan skip_all => "no browser: $missing" if $missing;
}

use constant SECONDS => 60;    # for what must happen in any case

my $browser = Browser->start;
my @windows = map { $browser->window } 1 .. 3;
my $longroom = server('users');

# Who has left is here for a second longer, not ten: that is enough to ask again.
sub server {
    my ($tells) = @_;
    return Longroom->start(settings => { 'push.presence' => $tells, 'push.presence_grace' => '1s' });
}

# A page that keeps who is in each of its rooms: "3: Ann, Bob" are two by name and one
# without; by name, because after a restart anybody may come first. window.asked has the addresses that it asked for, window.first what it was told
# first of each room. Requests that follow leave `late` milliseconds later.
my $JOIN = <<'END';
const [names, { wants, late, ...options }] = arguments;
return import('/longroom.js').then(({ join }) => {
  Object.assign(window, { here: {}, first: {}, told: 0, asked: [], troubles: [] });
  const ask = window.fetch;
  window.fetch = async (url, init) => {
    asked.push(decodeURIComponent(String(url)));
    if (late && /\/(events|poll)\?/.test(url)) await new Promise((resolve) => setTimeout(resolve, late));
    return ask(url, init);
  };
  window.text = ({ count, anonymous, users }) => `${count}: ${
    users ? [...users.map(({ username }) => username).sort(), ...Array(anonymous).fill('?')].join(', ') : anonymous}`;
  window.rooms = join(names, {
    ...options,
    onState: (state, problem) => { if (state === 'failed') troubles.push(problem.type); },
    ...(wants && { onPresence: (presence, { name }) => {
      told++;
      here[name] = text(presence);
      first[name] ??= here[name];
    } }),
  });
});
END

sub enter {
    my ($window, $rooms, %options) = @_;
    my $user = delete $options{as};
    $options{user} = { id => lc $user, name => $user } if $user;
    $window->open($longroom->url . '/icon.svg');
    $window->run($JOIN, $rooms, { wants => JSON::PP::true, %options });
    $window->eventually(SECONDS, 'return [...rooms].every(({ state }) => state === "live")') or die "a page is not there\n";
    return;
}

sub leave { $_->open('about:blank') for @_; return }

# A test: the page is told that these are in the room.
sub finds {
    my ($window, $room, $expected, $title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $window->eventually(SECONDS, 'return here[arguments[0]] === arguments[1]', $room, $expected);
    return is($window->run('return here[arguments[0]]', $room), $expected, $title);
}

sub asked { return grep {m{/rooms/}} @{ $_[0]->run('return asked') } }

# Requests that wait; a tab reads for itself what it lacks when it comes to others.
sub waits { return grep { m{/(?:events|poll)\?} && !/timeout=0/ } asked(@_) }

my $PRESENCE = 'return [...rooms][0].presence().then(text, ({ type }) => type)';

# ---------------------------------------------------------------- pages of a site

my ($ann, $bob, $carla) = @windows;
for my $transport (qw(stream poll)) {
    my $room = "here-$transport";
    enter($ann, [$room], transport => $transport, as => 'Ann');
    finds($ann, $room, '1: Ann', "by a $transport: who joins a room is here");
    enter($bob, [$room], transport => $transport, as => 'Bob');
    finds($_, $room, '2: Ann, Bob', '... so is the next, for both') for $ann, $bob;
    is($ann->run($PRESENCE), '2: Ann, Bob', '... as anybody is told who asks');
    my $told = $ann->run('return told');
    $longroom->restart('pushd');
    finds($_, $room, '2: Ann, Bob', '... and after a restart') for $ann, $bob;
    leave($bob);
    finds($ann, $room, '1: Ann', '... who leaves is here no more');
    enter($bob, [$room], transport => $transport, as => 'Ann');
    finds($bob, $room, '1: Ann', '... a user of two tabs is here once');
    leave($bob);
}
leave($ann);

# ---------------------------------------------------------------- tabs that share

enter($ann, ['shared'], wants => JSON::PP::false);
is_deeply([grep {/presence=/} asked($ann)], [], 'a page that does not want to know does not ask');
enter($bob, ['shared']);
is(leader_of(100, $ann, $bob), $ann, 'in a tab that follows another');
finds($bob, 'shared', '1: ?', '... a page that wants to know is told');
is_deeply([waits($bob)], [], '... though only the other one asks');
like((waits($ann))[-1], qr/[?&]presence=1\b/, '... which does it for that page');
enter($carla, ['shared']);
finds($carla, 'shared', '1: ?', 'a third one is told at once what the first has heard');
is_deeply([waits($carla)], [], '... without asking');
leave($ann);
leader_of(400, $bob, $carla);
my $poll = Longroom->background(sub { $longroom->poll('shared', timeout => 5, user_id => 'eve', username => 'Eve') });
ok($_->eventually(SECONDS, 'return /Eve/.test(here.shared)'), 'when the leading tab ends, the next one asks') for $bob, $carla;
$poll->result;
leave(@windows);

enter($ann, ['two-users'], as => 'Ann');
enter($bob, ['two-users'], as => 'Bob');
finds($_, 'two-users', '2: Ann, Bob', 'two users in the tabs of one browser are two') for $ann, $bob;
leave($ann, $bob);

# ---------------------------------------------------------------- many rooms

my @many = map {"many-$_"} 1 .. 23;
enter($ann, \@many, as => 'Ann');
ok($ann->eventually(SECONDS, 'return arguments[0].every((room) => here[room] === "1: Ann")', \@many),
    'a page of more rooms than a request may ask for is told about all of them') or diag explain $ann->run('return here');
is_deeply($ann->run('return troubles'), [], '... and nothing is refused');
my @too_many = grep { /presence=1/ && (m{/rooms/([^/]*)/} && ($1 =~ tr/,//) >= 10) } asked($ann);
is_deeply(\@too_many, [], '... nor asked for in vain');
is(scalar(grep { m{/rooms/([^/]*)/presence} && ($1 =~ tr/,//) >= 10 } asked($ann)), 0, '... it asks about ten at a time');
enter($bob, [$many[-1]], as => 'Bob');
ok($ann->eventually(SECONDS, 'return here[arguments[0]] === "2: Ann, Bob"', $many[-1]), '... and again, later');
$ann->run('for (const room of arguments[0]) rooms.leave(room)', [@many[0 .. 19]]);
ok($ann->eventually(SECONDS, 'return asked.some((url) => url.includes("/rooms/many-21,many-22,many-23/events") && url.includes("presence=1"))'),
    'with fewer rooms its stream tells it') or diag explain [asked($ann)];
leave(@windows);

# The question would be quicker than the request by which the page is here.
for my $transport (qw(stream poll)) {
    my @rooms = map {"late-$transport-$_"} 1 .. 15;
    enter($bob, [@rooms[0 .. 4]], as => 'Bob');
    finds($bob, $rooms[4], '1: Bob', "by a $transport: somebody is in some rooms");
    enter($ann, \@rooms, as => 'Ann', transport => $transport, late => 300);
    ok($ann->eventually(SECONDS, 'return arguments[0].every((room) => first[room])', \@rooms),
        '... a page that comes to these and many others is told about all');
    is_deeply($ann->run('return first'), { map { $rooms[$_] => $_ < 5 ? '2: Ann, Bob' : '1: Ann' } 0 .. 14 },
        '... and at no time that its own user is not here');
    leave($ann, $bob);
}

# ---------------------------------------------------------------- the chat page

sub arrive {
    my ($window, $name, $room) = @_;
    $window->open($longroom->url . '/');
    $window->type('#name', $name);
    $window->type('#room-name', $room);
    $window->click('#join button');
    $window->eventually(SECONDS, 'return document.getElementById("state").dataset.state === "live"') or die "$name is not there\n";
    return;
}

my $HERE = 'return document.getElementById("here").checkVisibility() ? document.getElementById("here").textContent : ""';
my $NAMES = 'return [...document.querySelectorAll("#people li")].filter((row) => row.checkVisibility()).map((row) => row.textContent)';

sub shows {
    my ($window, $expected, $title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $window->eventually(SECONDS, "return (() => { $HERE })() === arguments[0]", $expected);
    return is($window->run($HERE), $expected, $title);
}

sub lists {
    my ($window, $expected, $title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $window->eventually(SECONDS, "return JSON.stringify((() => { $NAMES })()) === JSON.stringify(arguments[0])", $expected);
    return is_deeply($window->run($NAMES), $expected, $title);
}

$browser->console;
arrive($ann, 'Ann', 'hall');
shows($ann, '1 here', 'the page shows how many are here');
arrive($bob, '<b>Bob</b>', 'hall');
shows($_, '2 here', '... to everyone') for $ann, $bob;
lists($ann, [], 'the list is closed at first');
$ann->run('document.getElementById("here").focus()');
$ann->press('#here', Browser::ENTER);
lists($ann, ['Ann (you)', '<b>Bob</b>'], '... and opens with a key; names are text');
is($ann->run('return document.getElementById("here").getAttribute("aria-expanded")'), 'true', '... and says so');
$bob->click('#leave');
lists($ann, ['Ann (you)'], 'a user who leaves goes from the open list');
shows($ann, '1 here', '... and from the number');
$ann->press('#here', "\x{E00C}");
lists($ann, [], 'Escape closes it');
is($ann->run('return document.activeElement.id'), 'here', '... and leads back to the button');

# Another room's people.
arrive($bob, 'Bob', 'garden');
$ann->click('#here');
$ann->type('#add-name', 'garden');
$ann->press('#add-name', Browser::ENTER);
lists($ann, ['Bob', 'Ann (you)'], 'a room that is shown next has its own people');
$ann->click('#rooms [data-room=hall] button');
lists($ann, ['Ann (you)'], '... so has the one before');
$ann->devtools('Emulation.setDeviceMetricsOverride', width => 320, height => 600, deviceScaleFactor => 1, mobile => JSON::PP::true);
$ann->eventually(SECONDS, 'return innerWidth === 320');
ok($ann->run('return document.documentElement.scrollWidth <= 320'), 'on a narrow phone nothing is wider than the screen');
shows($ann, '1 here', '... and the number is there');
$ann->devtools('Emulation.clearDeviceMetricsOverride');
is_deeply([map {"$_->{source} $_->{message}"} grep { $_->{level} eq 'SEVERE' } $browser->console], [],
    'the console has no complaints');

$longroom->stop_program('pushd');
shows($ann, '1 was here', 'while the connection is lost, the number is not said to be true');
is($ann->run('return document.getElementById("people").getAttribute("aria-label")'), 'People who were here', '... nor is the list');
lists($ann, ['Ann (you)'], '... which stays open');
$longroom->start_program('pushd');
shows($ann, '1 here', '... until the page is connected again');
is($ann->run('return document.getElementById("people").getAttribute("aria-label")'), 'People here', '... and the list is true again');
leave(@windows);
$longroom->stop;

# ---------------------------------------------------------------- servers that tell less

$longroom = server('counts');
enter($ann, ['counts'], as => 'Ann');
finds($ann, 'counts', '1: 0', 'a server may tell only how many are here');
arrive($bob, 'Bob', 'counts');
shows($bob, '2 here', '... the page shows that');
ok($bob->run('return document.getElementById("here").disabled'), '... and has no list to open');
leave(@windows);
$longroom->stop;

$longroom = server('off');
enter($ann, ['off'], as => 'Ann');
is($ann->run($PRESENCE), 'not-found', 'a server that does not tell says so');
arrive($bob, 'Bob', 'off');
$bob->press('#text', 'Nobody is counted here' . Browser::ENTER);
$bob->eventually(SECONDS, 'return document.querySelectorAll("#messages .body").length === 1');
shows($bob, '', '... the page shows nothing');
is($ann->run('return told'), 0, '... and no page is told anything');
enter($ann, \@many, as => 'Ann');
ok($ann->eventually(SECONDS, 'return asked.some((url) => url.includes("/presence"))'), 'a page of many rooms asks');
$longroom->post($many[0], 'once');
is(scalar(grep {m{/presence}} asked($ann)), 1, '... but once only');

leave(@windows);
$longroom->stop;

# ---------------------------------------------------------------- a token says who it is

$longroom = Visitors::start('token', { ann => { name => 'Ann', read => '*', write => '*' } },
    settings => { 'push.presence' => 'users' });
enter($ann, ['token'], as => 'Nobody', token => Visitors::token('ann'));
finds($ann, 'token', '1: Ann', 'with a token, the user is who the token says');
is_deeply([grep {/user(?:_id|name)=/} asked($ann)], [], '... and is named in no address');

$browser->stop;
$longroom->stop;
done_testing;
