#!/usr/bin/perl

# Signals in headless Chromium, in a site's own page and on the chat page: who is typing,
# and signals of the site's own. And what messages carry beside their text.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Browser;
use JSON::PP ();
use Longroom;
use Markup;
use Test::More;

BEGIN {
    my $missing = Browser->missing;
    plan skip_all => "no browser: $missing" if $missing;
}

use constant SECONDS => 60;    # for what must happen in any case

my $longroom = Longroom->start;
my $browser = Browser->start;
my ($ann, $bob) = map { $browser->window } 1 .. 2;

# A page whose log has what its room got. window.posts has the bodies of its POSTs;
# window.answer, if it is set, answers them in the server's place.
my $JOIN = <<'END';
const [room, options] = arguments;
return import('/longroom.js').then(({ join }) => {
  Object.assign(window, { log: [], posts: [], troubles: [], answer: null });
  addEventListener('unhandledrejection', ({ reason }) => troubles.push(String(reason)));
  const ask = window.fetch;
  window.fetch = (url, init = {}) => {
    if (init.method !== 'POST') return ask(url, init);
    posts.push(JSON.parse(init.body));
    return answer ? answer() : ask(url, init);
  };
  const text = ({ type, content, data, reply_to }) =>
    [type, content, data && JSON.stringify(data), reply_to && `to ${reply_to}`].filter(Boolean).join(' ');
  window.room = join(room, {
    ...options,
    onHistory: ({ messages }) => { log = ['history', ...messages.map(text)]; },
    onMessage: (message) => log.push(text(message)),
    onSignal: (signal) => {
      if (signal.type === 'knock') window.knocked = true;
      else log.push(`signal ${text(signal)} of ${signal.username}`);
    },
    onTyping: (people) => log.push(`typing: ${people.map(({ user_id, username }) => `${username} (${user_id})`).join()}`),
  });
});
END

sub signals {
    my ($room, $type, $id, $name) = @_;
    my $answer = $longroom->post($room, '', type => $type, store => JSON::PP::false, user_id => $id, username => $name);
    die "POST: $answer->{status}\n" if $answer->{status} != 202;
    return;
}

# Returns when the page gets signals: only those who wait do, and it has read the room
# before it waits.
sub enter {
    my ($window, $room, $user, %options) = @_;
    $window->open($longroom->url . '/icon.svg');
    $window->run($JOIN, $room, { user => { id => lc $user, name => $user }, %options });
    Longroom->eventually(SECONDS, sub {
        signals($room, 'knock', 'door', 'Door');
        $window->eventually(1, 'return window.knocked');
    }) or die "$user is not there\n";
    return;
}

# A test: the page has got exactly this, since the last call.
sub got {
    my ($window, $expected, $title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $window->eventually(SECONDS, 'return log.length >= arguments[0]', scalar @$expected);
    return is_deeply($window->run('return log.splice(0)'), $expected, $title);
}

# What the site's code gets from a call: [the value], or the type of the error.
sub result {
    my ($window, $call, @arguments) = @_;
    return $window->run("const call = $call; return call(...arguments).then((value) => [value], ({ type }) => type)",
        @arguments);
}

# So many signals of all kinds in one step; returns what each resolved to.
my $SIGNALS = 'return Promise.all(arguments[0].map((one) => room.signal(...one)))';

# ---------------------------------------------------------------- data, types, replies

for my $transport (qw(stream poll)) {
    my $room = "carries-$transport";
    enter($ann, $room, 'Ann', types => [qw(chat_message vote)]);
    enter($bob, $room, 'Bob', transport => $transport);
    got($_, ['history'], "by a $transport: a page joins") for $ann, $bob;
    my $id = $ann->run('return room.send("Lunch?").then(({ id }) => id)');
    $ann->run('return room.send("", { data: { file: "menu.pdf", pages: [1, 2] } })');
    $ann->run('return room.send("soup", { type: "vote", replyTo: arguments[0] })', $id);
    $ann->run('return room.send("At noon", { replyTo: arguments[0], data: {} })', $id);
    my @messages = ('chat_message Lunch?', 'chat_message {"file":"menu.pdf","pages":[1,2]}',
        "vote soup to $id", "chat_message At noon {} to $id");
    my @usual = @messages[0, 1, 3];
    got($ann, \@messages, '... messages come with their data, type and reply');
    got($bob, \@usual, '... of those types that a page names');
    enter($bob, $room, 'Bob', transport => $transport, types => ['vote']);
    got($bob, ['history', $messages[2]], '... in history too');
    is_deeply(result($bob, '(...rest) => room.older(...rest).then(({ messages }) => messages.length)'), [1],
        '... and in what is older');
}
is(result($ann, '() => room.send("x", { type: "No type" })'), 'bad-parameter', 'what the server refuses rejects');

# ---------------------------------------------------------------- signals

for my $transport (qw(stream poll)) {
    my $room = "signals-$transport";
    enter($ann, $room, 'Ann');
    enter($bob, $room, 'Bob', transport => $transport);
    $_->run('log.length = 0') for $ann, $bob;
    is_deeply($ann->run($SIGNALS, [([]) x 20]), [map { $_ ? JSON::PP::false : JSON::PP::true } 0 .. 19],
        "by a $transport: of many signals that one is typing, the first is sent");
    is($ann->run('return posts.length'), 1, '... as one request');
    got($bob, ['typing: Ann (ann)', 'signal typing of Ann'], '... and the others are told');
    is_deeply($ann->run($SIGNALS, [['cursor', { x => 3 }], ['cursor', { x => 4 }]]), [JSON::PP::true, JSON::PP::false],
        '... signals of another type wait for themselves only');
    got($bob, ['signal cursor {"x":3} of Ann'], '... and come with their data');
    $ann->run('return room.send("done")');
    got($bob, ['typing: ', 'chat_message done'], '... whose message comes does not type any more');
    got($ann, ['chat_message done'], '... one\'s own signals do not come back');

    is_deeply($ann->run($SIGNALS, [([]) x 2, ['cursor']]), [JSON::PP::true, JSON::PP::false, JSON::PP::false],
        '... who goes on typing after it says so at once');
    got($bob, ['typing: Ann (ann)', 'signal typing of Ann'], '... and the others see it');
    ok($ann->eventually(SECONDS, 'return room.signal()'), '... after a while the next one is sent');
    got($bob, ['signal typing of Ann', 'typing: '], '... and is forgotten if nothing follows');
    enter($bob, $room, 'Bob', transport => $transport);
    got($bob, ['history', 'chat_message done'], '... no signal is in history');
}

# Several people, and one who goes on typing: the list changes only if they do.
enter($bob, 'crowd', 'Bob');
$bob->run('log.length = 0');
signals('crowd', 'typing', @$_) for ['1', 'Ann'], ['2', 'Ann'], ['1', 'Ann'], ['1', 'Anna'];
$longroom->post('crowd', 'so', user_id => '2', username => 'Ann');
got($bob, [
    'typing: Ann (1)', 'signal typing of Ann', 'typing: Ann (1),Ann (2)', 'signal typing of Ann',
    'signal typing of Ann', 'typing: Anna (1),Ann (2)', 'signal typing of Anna',
    'typing: Anna (1)', 'chat_message so'
], 'people are told apart by their ids, and told again only when that changes something');

# ---------------------------------------------------------------- signals that fail

my $TOO_MANY = <<'END';
answer = () => Promise.resolve(new Response(JSON.stringify({ type: 'rate-limited', status: 429 }),
  { status: 429, headers: { 'Content-Type': 'application/problem+json', 'Retry-After': '3600' } }));
END

enter($ann, 'fails', 'Ann');
$ann->run('answer = () => Promise.reject(new TypeError("no network"))');
is_deeply($ann->run($SIGNALS, [['one']]), [JSON::PP::false], 'a signal that cannot be sent is no error');
$ann->run($TOO_MANY);
is_deeply($ann->run($SIGNALS, [['two']]), [JSON::PP::false], '... nor one that comes too soon');
is($ann->run('return posts.length'), 2, '... neither is sent again');
is_deeply($ann->run($SIGNALS, [['three']]), [JSON::PP::false], 'while the server asks to wait');
is($ann->run('return posts.length'), 2, '... none is sent');
is_deeply($ann->run('return troubles'), [], '... and nothing else goes wrong');
$ann->run('room.leave(); answer = null');
is_deeply($ann->run($SIGNALS, [['four']]), [JSON::PP::false], 'nor is one in a room that was left');

enter($ann, 'waits', 'Ann');
$ann->run($TOO_MANY);
$ann->run('return new Promise((onRetry) => { room.send("too soon", { onRetry }).catch(() => {}); })');
$ann->run('answer = null');
is_deeply($ann->run($SIGNALS, [['five']]), [JSON::PP::false], 'a message that has to wait keeps signals back too');

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

my $TYPING = 'return document.getElementById("typing").textContent';

sub says {
    my ($window, $expected, $title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $window->eventually(SECONDS, "return (() => { $TYPING })() === arguments[0]", $expected);
    return is($window->run($TYPING), $expected, $title);
}

arrive($ann, 'Ann', 'hall');
arrive($bob, 'Bob', 'hall');
$browser->console;
says($bob, '', 'while nobody types, the page says nothing');
# Until the other page waits, signals do not reach it.
Longroom->eventually(SECONDS, sub { $ann->press('#text', 'l'); $bob->run($TYPING) });
says($bob, "Ann is typing\x{2026}", 'when a user begins to type, the others see it');
is($bob->run('return document.getElementById("typing").getAttribute("aria-live")'), 'polite', '... and hear it');
says($ann, '', '... but not the user');
$ann->type('#text', 'Hello');
$ann->press('#text', Browser::ENTER);
says($bob, '', '... until the message comes');
$bob->eventually(SECONDS, 'return document.querySelectorAll("#messages .body").length === 1');

my $markup = $Markup::TEXTS[3];
signals('hall', 'typing', 'ann', 'Ann');
says($bob, "Ann is typing\x{2026}", 'a user types again');
is($bob->run('return document.getElementById("typing").getAttribute("aria-live")'), 'off', '... which is not said again so soon');
signals('hall', 'typing', 'carla', $markup);
says($bob, "Ann and $markup are typing\x{2026}", 'two type; a name is text, whatever is in it');
signals('hall', 'typing', $_, $_) for qw(dan eve);
says($bob, "Ann, $markup and 2 more are typing\x{2026}", 'if many type, some are named');
says($bob, '', 'it goes when they stop');

# What a message carries.
my $first = $longroom->post('hall', 'Which <b>gate</b>?', user_id => 'carla', username => 'Carla')->{json}{id};
$longroom->post('hall', '', user_id => 'carla', username => 'Carla', data => { file => 'map.pdf' });
$longroom->post('hall', 'vote', user_id => 'carla', username => 'Carla', type => 'vote');
$longroom->post('hall', 'The second', user_id => 'dan', username => 'Dan', reply_to => $first);
$longroom->post('hall', 'To what?', user_id => 'dan', username => 'Dan', reply_to => 9_000_000_000_000_000);
my @rows = ('Hello', 'Which <b>gate</b>?', '(data without text)', 'The second', 'To what?');
$bob->eventually(SECONDS, 'return document.querySelectorAll("#messages .body").length === arguments[0]', scalar @rows);
is_deeply($bob->run('return [...document.querySelectorAll("#messages .body")].map((body) => body.textContent)'), \@rows,
    'the page shows chat messages, and says so where one has no text');
is_deeply($bob->run('return [...document.querySelectorAll("#messages .reply")].map((line) => line.textContent)'),
    ['In reply to Carla: Which <b>gate</b>?', 'In reply to an earlier message'], 'an answer says to what');
$bob->click('#messages .reply button');
is($bob->run('return document.activeElement.dataset.id'), $first, '... and leads there');

# The answered message may be older than what the page has read.
$longroom->post('long', "line $_") for 1 .. 60;
my $id = $longroom->history('long', limit => 60)->{json}{messages}[0]{id};
$longroom->post('long', 'an answer', reply_to => $id);
arrive($bob, 'Bob', 'long');
my $REPLY = 'return document.querySelector("#messages .reply")?.textContent';
is($bob->eventually(SECONDS, $REPLY), 'In reply to an earlier message', 'what was answered may not be there');
$bob->run('document.getElementById("scroller").scrollTop = 0');
ok($bob->eventually(SECONDS, "return (() => { $REPLY })() === 'In reply to anonymous: line 1'"), '... until it is read')
    or diag $bob->run($REPLY);

is_deeply([map {"$_->{level} $_->{source} $_->{message}"} grep { $_->{level} eq 'SEVERE' } $browser->console], [],
    'the console has no complaints');

$browser->stop;
$longroom->stop;
done_testing;
