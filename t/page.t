#!/usr/bin/perl

# The chat page in headless Chromium, two windows through nginx; and longroom.js
# against scripted answers, for what no server does on purpose.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Browser;
use Longroom;
use Markup;
use Test::More;
use Visitors;

BEGIN {
    my $missing = Browser->missing;
    plan skip_all => "no browser: $missing" if $missing;
}

binmode $_, ':encoding(UTF-8)'
    for map { Test::More->builder->$_ } qw(output failure_output todo_output);

use constant SECONDS => 30;    # for what must happen in any case

my $longroom = Longroom->start(settings => { 'rooms.ephemeral' => 'general' });
my $browser = Browser->start;
my ($ann, $bob) = map { $browser->window } 1 .. 2;

# ---------------------------------------------------------------- the page

my $SHOWN = <<'END';
return [...document.querySelectorAll('#messages .message')]
    .map((row) => row.querySelector('.body').textContent);
END

sub shown {
    my ($window) = @_;
    return $window->run($SHOWN);
}

# Opens the page and joins as a user would.
sub arrive {
    my ($window, $name, $room) = @_;
    $window->open($longroom->url . '/');
    join_room($window, $name, $room);
    return;
}

sub join_room {
    my ($window, $name, $room) = @_;
    $window->type('#name', $name);
    $window->type('#room-name', $room);
    $window->click('#join button');
    wait_for_state($window, 'live');
    return;
}

sub wait_for_state {
    my ($window, $state) = @_;
    $window->eventually(SECONDS, <<'END', $state) or die "the page is never $state\n";
return !document.getElementById('room').hidden
    && document.getElementById('state').dataset.state === arguments[0];
END
    return;
}

sub leave {
    my ($window) = @_;
    $window->click('#leave');
    return;
}

sub say {
    my ($window, $text) = @_;
    $window->press('#text', $text . Browser::ENTER);
    return;
}

# A test: the window shows exactly these, in this order, within some time; and
# nothing is left in the outbox.
sub shows {
    my ($window, $expected, $title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $settled = <<'END';
return document.querySelectorAll('#messages .message').length >= arguments[0]
    && !document.querySelector('#outbox .message');
END
    $window->eventually(SECONDS, $settled, scalar @$expected);
    is_deeply(shown($window), $expected, $title);
    return;
}

sub post {
    my ($room, $name, $text) = @_;
    my $answer = $longroom->post($room, $text, user_id => $name, username => $name);
    die "POST: $answer->{status}\n" if $answer->{status} >= 300;
    return $text;
}

sub complaints {
    my (@allowed) = @_;
    my %allowed = map { $_ => 1 } @allowed;
    return [
        map {"$_->{level} $_->{source}: $_->{message}"}
        grep { $_->{level} =~ /SEVERE|WARNING/ && !$allowed{ $_->{source} } } $browser->console
    ];
}

my @said = map { post('room_26', 'carla', "before anybody came, $_") } 1 .. 3;

arrive($ann, 'Ann', '26');
shows($ann, \@said, 'a user who joins sees the earlier messages');
is($ann->text('#title'), 'room_26', 'a number typed as a room is the numbered room');
like($ann->run('return location.hash'), qr/\A#room_26\z/, 'the address names the room');

arrive($bob, 'Bob', 'room_26');
say($ann, 'Good morning');
push @said, 'Good morning';
shows($_, \@said, "a message of one window is shown in both") for $ann, $bob;
say($bob, 'And to you');
push @said, 'And to you';
shows($_, \@said, 'so is the answer') for $ann, $bob;

my $OWN = <<'END';
return [...document.querySelectorAll('#messages .own .body')].map((body) => body.textContent);
END
is_deeply($ann->run($OWN), ['Good morning'], 'only her own message is marked as hers');
is_deeply($bob->run($OWN), ['And to you'],
    'so is the other one, though both windows share localStorage');

# ---------------------------------------------------------------- coming back

leave($bob);
ok($bob->run('return !document.getElementById("lobby").hidden'), 'leaving leads to the lobby');
for my $n (1 .. 5) {
    say($ann, "while Bob is away, $n");
    push @said, "while Bob is away, $n";
    shows($ann, \@said, "Ann's message is shown before Carla's next");
    push @said, post('room_26', 'carla', "Carla, $n");
}
is_deeply($bob->run($SHOWN), [], 'a user who has left is shown nothing');
join_room($bob, 'Bob', '26');
shows($bob, \@said, 'a user who comes back sees everything, in order, once');
shows($ann, \@said, 'a user who stayed sees the same');

$bob->reload;
shows($bob, \@said, 'a reload leads back into the room, with all messages');
is($bob->run('return document.getElementById("name").value || sessionStorage["longroom.name"]'),
    'Bob', 'under the name of this window');

say($bob, "two of\x{E008}" . Browser::ENTER . "\x{E000}one");
push @said, "two of\none";
shows($ann, \@said, 'Shift and Enter start a new line');

# ---------------------------------------------------------------- restarts

is_deeply(complaints(), [], 'the console has no complaints so far');

$longroom->restart(qw(nginx history pushd));
push @said, post('room_26', 'carla', 'after the restart');
say($bob, 'Bob is still here');
push @said, 'Bob is still here';
shows($_, \@said, 'a restart of all programs goes unnoticed: nothing lost, nothing twice')
    for $ann, $bob;
wait_for_state($_, 'live') for $ann, $bob;
is($ann->text('#state'), 'Connected', 'the page says that it is connected again');

$longroom->signal('pushd', 'KILL');
wait_for_state($ann, 'retrying');
like($ann->text('#state'), qr/Trying again/, 'while the server is down, the page says so');
push @said, post('room_26', 'carla', 'while the server was down');
$longroom->start_program('pushd');
shows($_, \@said, 'the messages sent meanwhile are shown when it is back') for $ann, $bob;

$longroom->signal('history', 'KILL');
say($ann, 'sent into the void');
ok($ann->eventually(SECONDS,
        'return /Trying again/.test(document.getElementById("outbox").textContent)'),
    'a message that cannot be sent says that it is tried again');
$longroom->start_program('history');
push @said, 'sent into the void';
shows($_, \@said, 'it is sent, once, when the server is back') for $ann, $bob;

complaints();    # network errors of the restarts

# ---------------------------------------------------------------- older

$longroom->post('room_27', "line $_") for 1 .. 130;
leave($ann);
join_room($ann, 'Ann', '27');
ok($ann->run('const s = document.getElementById("scroller");
              return s.scrollHeight - s.scrollTop - s.clientHeight < 2'),
    'a long history is shown from its end');
is_deeply(shown($ann), [map {"line $_"} 81 .. 130], 'the newest 50 messages');
my $UP = 'document.getElementById("scroller").scrollTop = 0';
for my $count (100, 130) {
    $ann->run($UP);
    $ann->eventually(SECONDS,
        'return document.querySelectorAll("#messages .message").length >= arguments[0]', $count);
}
is_deeply(shown($ann), [map {"line $_"} 1 .. 130],
    'scrolling up brings the older messages, in order, once');
is($ann->text('#beginning'), 'There are no older messages.', 'up to the first');
$ann->run($UP);
post('room_27', 'carla', 'line 131');
ok($ann->eventually(SECONDS, 'return !document.getElementById("newest").hidden'),
    'a user who has scrolled up is told of a new message');
cmp_ok($ann->run('return document.getElementById("scroller").scrollTop'), '<', 5,
    'the page does not move');
is($ann->text('#newest'), '1 new message', 'a button says so');
$ann->click('#newest');
ok($ann->run('return document.getElementById("newest").hidden'), 'the button leads to it');

# More than the page keeps while it is open.
$longroom->send_all('room_27', [map {"line $_"} 132 .. 1700], clients => 1);
ok($ann->eventually(SECONDS, <<'END'), 'a room that stays open for long does not grow without limit');
const rows = document.querySelectorAll('#messages .message');
return rows.length <= 1500 && rows[rows.length - 1].querySelector('.body').textContent === 'line 1700';
END
my $first = 1701 - @{ shown($ann) };
is_deeply(shown($ann), [map {"line $_"} $first .. 1700], 'the page keeps the newest');
$ann->run($UP);
$ann->eventually(SECONDS,
    'return document.querySelectorAll("#messages .message").length > arguments[0]', 1701 - $first);
is_deeply(shown($ann), [map {"line $_"} $first - 50 .. 1700], 'scrolling up loads the older ones again');

# ---------------------------------------------------------------- the console

$browser->console;
my $loaded = $ann->run('return testMessageHistory(26)');
is($loaded->{count}, scalar @said, 'testMessageHistory(26) counts the messages of room 26');
is_deeply([map { $_->{content} } @{ $loaded->{messages} }], \@said, 'and returns them');
is_deeply([sort keys %$loaded], [qw(count messages)], 'it returns nothing else');
my @trace = map { $_->{message} } $browser->console;
is(scalar @trace, 1, 'it prints one line');
like($trace[0], qr/"\[TRACE\] Loaded message history:" Object\z/, 'the [TRACE] line');
is($ann->run('return testMessageHistory("room_27").then((h) => h.count)'), 1000,
    'it accepts a name too, and reads at most the newest 1000');
like($ann->run('return testMessageHistory("..").catch((e) => e.type)'), qr/\Abad-room-name\z/,
    'it refuses an invalid name');

# ---------------------------------------------------------------- hostile text

leave($_) for $ann, $bob;
my @untrap = map { Markup::trap($_) } $ann, $bob;
arrive($ann, '<img src=x onerror=evil()>', '28');
my @EVIL = @Markup::TEXTS;
post('room_28', $_, $_) for @EVIL;
shows($ann, \@EVIL, 'markup in a received message is shown as text');
say($ann, $_) for @EVIL[0 .. 4];
shows($ann, [@EVIL, @EVIL[0 .. 4]], 'so is markup in a sent message');
arrive($bob, 'Bob', '28');
shows($bob, [@EVIL, @EVIL[0 .. 4]], 'and markup in the history');
my $SENDERS = 'return [...document.querySelectorAll(".sender")].map((name) => name.textContent)';
for my $window ($ann, $bob) {
    is_deeply([@{ $window->run($SENDERS) }[0 .. $#EVIL]], \@EVIL, 'markup in a name is text too');
    ok(Markup::is_set($window), 'markup that ran would be noticed');
    Markup::nothing_ran($window, '#messages, #outbox, #title', 'none of it runs');
}
is($bob->run($SENDERS)->[@EVIL], '<img src=x onerror=evil()>',
    'markup in a name that is typed in is text too');
leave($bob);

my $REFUSED = <<'END';
return !document.getElementById('join-error').hidden && document.getElementById('room-name').value === arguments[0];
END
for my $room (@EVIL) {
    $bob->open('about:blank');
    $bob->open($longroom->url . '/#' . Longroom::escaped($room));
    ok($bob->eventually(SECONDS, $REFUSED, $room), "a link to an invalid room is refused: $room");
    Markup::nothing_ran($bob, '#join-error, #messages', '... and runs nothing');
}
$bob->open('about:blank');
for my $room (@EVIL) {
    $bob->open($longroom->url . "/#$room");
    ok($bob->eventually(SECONDS, 'return !document.getElementById("lobby").hidden'),
        "the lobby opens for the link: $room");
    Markup::nothing_ran($bob, '#join-error, #messages', '... it runs nothing');
    $bob->type('#room-name', $room);
    $bob->click('#join button');
    ok($bob->eventually(SECONDS, $REFUSED, $room), '... the name is refused when it is typed in');
    Markup::nothing_ran($bob, '#join-error, #messages', '... and runs nothing there');
}

for my $path ('/', '/index.html', '/chat.js', '/nothing', '/rooms/room_28/messages', '/rooms/room_28/poll?timeout=0') {
    my $headers = $longroom->request(GET => $path)->{headers};
    is($headers->{'x-content-type-options'}, 'nosniff', "$path has nosniff");
    next if $path !~ m{\A/(?:index\.html|chat\.js)?\z};
    my $policy = $headers->{'content-security-policy'} // '';
    like($policy, qr/default-src 'self'(?:;|\z)/, '... its policy allows its own scripts only');
    unlike($policy, qr/unsafe|\*|data:|https?:|script-src/, '... without exceptions');
}
complaints();

Markup::policy_holds($bob, 'a script injected into the page does not run: the policy is in force');
is_deeply(complaints(qw(security network)), [], 'the console complains of nothing else');
$_->() for @untrap;
arrive($_, 'Ann', '28') for $ann, $bob;

# ---------------------------------------------------------------- not saved

leave($_) for $ann, $bob;
join_room($ann, 'Ann', 'general');
join_room($bob, 'Bob', 'general');
like($ann->text('#ephemeral'), qr/not saved/, 'the page says from the start that this room saves nothing');
say($ann, 'not for history');
say($ann, 'this neither');
shows($_, ['not for history', 'this neither'], 'unsaved messages are shown once')
    for $ann, $bob;
is($bob->run('return document.querySelectorAll("#messages .unsaved").length'), 2, 'both are marked');
$bob->reload;
wait_for_state($bob, 'live');
is_deeply(shown($bob), [], 'a reload shows that they are gone');

# ---------------------------------------------------------------- refusals

leave($ann);
is_deeply(complaints(), [], 'the console has no further complaints so far');
$ann->type('#room-name', 'room_026');
$ann->click('#join button');
ok($ann->eventually(SECONDS, 'return !document.getElementById("join-error").hidden'),
    'an invalid room name leads back to the lobby');
like($ann->text('#join-error'), qr/not a valid room name/, 'with the reason in plain words');
join_room($ann, 'Ann', '29');
$ann->run('document.getElementById("text").value = "long ".repeat(20000)');
say($ann, '!');
ok($ann->eventually(SECONDS, 'return document.querySelector("#outbox .failed")'),
    'a message that the server refuses stays, and is marked');
like($ann->text('#outbox .note'), qr/too long/, 'with the reason in plain words');
$ann->click('#outbox .link');
like($ann->run('return document.getElementById("text").value'), qr/\A(?:long ){20000}!\z/,
    'it can be edited');
leave($ann);

$ann->open('about:blank');
$ann->open($longroom->url . '/#room_26');
shows($ann, \@said, 'a link leads into its room, under the name used last');
leave($ann);
complaints();    # network errors of the refusals

my $denied = $bob->devtools('Page.addScriptToEvaluateOnNewDocument', source => <<'END');
for (const name of ['localStorage', 'sessionStorage']) {
  Object.defineProperty(window, name, { get() { throw new DOMException('', 'SecurityError'); } });
}
END
arrive($bob, 'Bob', '26');
shows($bob, \@said, 'the page works without storage');
leave($bob);
is($bob->run('return document.getElementById("name").value'), 'Bob',
    'it remembers the name while it is open');
$bob->devtools('Page.removeScriptToEvaluateOnNewDocument', %$denied);

# ---------------------------------------------------------------- longroom.js

# Scripts run in the page with these at hand:
#   join, Sequence, longroom   the module's exports
#   server(answer, ...)        answers the next reads in turn, each by a function
#                              (url, init), and leaves later ones waiting
#   sends = [answer, ...]      the same for sends
#   asked                      the requests so far: {url, body, as, credentials, at}
#   message(id), unsaved(n, client_id), page(messages, more), problem(type, status)
#   watch(options)             {room, log}: a joined room and what it handed over
#   until(condition)
my $PRELUDE = <<'END';
const longroom = await import('/longroom.js');
const { join, Sequence } = longroom;
const asked = [];
window.realFetch ??= window.fetch;
let reads = [];
let sends = [];
function server(...answers) {
  reads = answers;
  window.fetch = async (url, init = {}) => {
    asked.push({ url: String(url), body: init.body && JSON.parse(init.body),
        as: init.headers?.Authorization, credentials: init.credentials, at: performance.now() });
    const answer = (init.body ? sends : reads).shift();
    if (answer) return answer(url, init);
    return new Promise((_, reject) => init.signal.addEventListener('abort',
        () => reject(new DOMException('', 'AbortError'))));
  };
}
const json = (body, status = 200, headers = {}) => () => new Response(JSON.stringify(body), { status, headers });
const lost = () => { throw new TypeError('Failed to fetch'); };
const message = (id) => ({ type: 'chat_message', id, user_id: 'u', content: `m${id}` });
const unsaved = (n, client_id) => ({ type: 'chat_message', id: null, user_id: 'u', content: `u${n}`, saved: false, client_id });
const page = (messages, more = {}) => json(
    { count: messages.length, messages, cursor: 'c', earliest: 1, more: false, ...more });
const problem = (type, status, headers) => json({ type, status, title: type, detail: type }, status, headers);
const expired = problem('token-expired', 401);
function watch(options = {}) {
  const log = [];
  const room = join(26, {
    transport: 'poll',
    onHistory: ({ messages }) => log.push(['history', ...messages.map((m) => m.content)].join(' ')),
    onMessage: (m) => log.push(m.content),
    onGap: (earliest) => log.push(`gap ${earliest}`),
    onState: (state, problem) => log.push(problem ? `${state} ${problem.type}` : state),
    ...options,
  });
  return { room, log };
}
const until = async (condition) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
};
END

# Runs the script in the page and returns its result.
sub scripted {
    my ($script) = @_;
    return $ann->run(<<"END");
return (async () => {
$PRELUDE
try { return await (async () => { $script })(); } finally { window.fetch = window.realFetch; }
})();
END
}

is_deeply(scripted(<<'END'), [qw(1 2 5 u1 7 u2 u2)], 'repeated and late messages are shown once');
const sequence = new Sequence();
const arriving = [message(1), message(2), message(2), message(5), message(4), unsaved(1, 'a'),
    unsaved(1, 'a'), message(7), message(1), unsaved(2), unsaved(2)];
return arriving.filter((m) => sequence.isNext(m)).map((m) => m.id === null ? m.content : String(m.id));
END

is_deeply(scripted(<<'END'), [1, 0, 1, 0],
const sequence = new Sequence();
const first = { ...message(3), client_id: 'a' };
return [sequence.isNext(first), sequence.isNext(unsaved(1, 'a')),
        sequence.isNext(unsaved(2, 'b')), sequence.isNext({ ...message(4), client_id: 'b' })].map(Number);
END
    'a repeated send that was saved only once is shown once');

is_deeply(scripted(<<'END'), ['u1 u1', 'u1 u2', 'u1'],
const { Overlap } = await import('/sequence.js');
const overlap = new Overlap();
const shown = (...messages) => overlap.without(messages).map(({ content }) => content).join(' ');
const logs = [shown(unsaved(1), unsaved(1))];
overlap.begin();                     // another leader begins before them
logs.push(shown(unsaved(1), unsaved(1), unsaved(1), unsaved(2)));
overlap.end();
return [...logs, shown(unsaved(1))];
END
    'messages without any id that come again are shown as often as they were sent');

is_deeply(scripted(<<'END'), ['history m1 m2', 'live', 'm3', 'u1', 'm4', 'gap 8', 'm8', 'left'],
server(page([message(1), message(2)]), page([message(2), message(3), unsaved(1)]),
       page([message(3), message(4)]), page([message(8)], { gap: true, earliest: 8 }));
const { room, log } = watch();
await until(() => log.includes('m8'));
room.leave();
return log;
END
    'overlapping answers are shown once, and a gap is reported where it is');

is_deeply(scripted(<<'END'), [['history m1', 'live', 'm4', 'left'], ['none', 'one', 'two', 'three']],
const other = (id) => ({ type: 'poll_opened', id, data: {} });
server(page([message(1), other(2)], { cursor: 'one' }), page([other(3)], { cursor: 'two' }),
       page([message(2), message(3), message(4), other(5)], { cursor: 'three' }));
const { room, log } = watch();
await until(() => asked.length === 4);
room.leave();
return [log, asked.map(({ url }) => new URL(url).searchParams.get('after') ?? 'none')];
END
    'entries of unknown types are not delivered, but their ids and cursors count');

is_deeply(scripted(<<'END'), ['m2 m3', 0, '5 4'],
const other = (id) => ({ type: 'poll_opened', id, data: {} });
server(page([message(5)]));
const { room } = watch();
await until(() => asked.length === 2);
reads = [page([other(4)], { more: true }), page([message(2), message(3)])];
const older = await room.older(5);
room.leave();
return [older.messages.map(({ content }) => content).join(' '), Number(older.older),
        asked.slice(2, 4).map(({ url }) => new URL(url).searchParams.get('before')).join(' ')];
END
    'the search for older messages passes over a page that has none');

is_deeply(scripted(<<'END'), ['history m5 m9', 'live', 'history m1 m2', 'm3', 'left'],
server(page([message(5), message(9)]), page([message(1), message(2)], { reset: true, cursor: 'd' }),
       page([message(2), message(3)]));
const { room, log } = watch();
await until(() => log.includes('m3'));
room.leave();
return log;
END
    'after a reset the room is shown afresh, and older() starts from there');

is_deeply(scripted(<<'END'), [['history m1', 'live', 'left'], ['history m1', 'live', 'm2', 'left']],
let answer;
server(page([message(1)]), () => new Promise((resolve) => { answer = resolve; }));
const { room, log } = watch();
await until(() => answer);
room.leave();
answer(page([message(2)])());
await new Promise((resolve) => setTimeout(resolve, 50));
server(page([message(1)]), page([message(2), message(3)]));
const second = watch({ onMessage: (m) => { second.log.push(m.content); second.room.leave(); } });
await until(() => second.room.state === 'left');
await new Promise((resolve) => setTimeout(resolve, 50));
return [log, second.log];
END
    'nothing is delivered after leave(), not even the rest of a page');

is_deeply(scripted(<<'END'), ['history m1', 'live', 'retrying no-answer', 'retrying unavailable', 'live', 'm2', 'left'],
server(page([message(1)], { cursor: 'one' }), lost, () => new Response('<html>', { status: 502 }),
       page([], { cursor: 'two' }), page([message(2)]));
const { room, log } = watch();
await until(() => log.includes('m2'));
room.leave();
const polls = asked.slice(1).map(({ url }) => new URL(url).search);
if (polls.slice(0, 4).join() !== '?after=one&timeout=25,?after=one&timeout=0,?after=one&timeout=0,?after=two&timeout=25') {
  return polls;
}
return log;
END
    'after an error the same cursor is polled again, the first time without waiting');

is_deeply(scripted(<<'END'), ['history m1', 'live', 'retrying bad-cursor', 'history m1 m2', 'live', 'left'],
server(page([message(1)]), problem('bad-cursor', 400), page([message(1), message(2)]));
const { room, log } = watch();
await until(() => log.at(-1) === 'live' && log.length > 2);
room.leave();
return log;
END
    'a cursor that the server no longer accepts restarts the room, instead of failing');

is_deeply(scripted(<<'END'), [['failed forbidden'], 1],
server(problem('forbidden', 403));
const { room, log } = watch();
await until(() => room.state === 'failed');
await new Promise((resolve) => setTimeout(resolve, 50));
return [log, asked.length];
END
    'a refused room is not requested again');

is_deeply(scripted(<<'END'), [3, 1, 'a', 'sent'],
server(page([]));
const { room } = watch();
await until(() => asked.length === 2);
const ids = [];
sends = [lost, problem('storage', 503), json({ content: 'sent' }, 201)];
const answer = await room.send('x', { clientId: 'a' });
room.leave();
const posts = asked.filter(({ body }) => body);
return [posts.length, new Set(posts.map(({ body }) => body.client_id)).size,
        posts[0].body.client_id, answer.content];
END
    'a send whose answer is lost, or a 5xx, is repeated with its client_id');

is_deeply(scripted(<<'END'), ['content-too-large', 413, 1, 'next'],
server(page([]));
const { room } = watch();
await until(() => asked.length === 2);
sends = [problem('content-too-large', 413), json({ content: 'next' }, 201)];
const refused = room.send('x').catch((problem) => problem);
const next = await room.send('y');
room.leave();
const { type, status } = await refused;
return [type, status, asked.filter(({ body }) => body?.content === 'x').length, next.content];
END
    'a refused send is reported by its type, not repeated, and delays no other');

is_deeply(scripted(<<'END'), ['one', 'one', 'two', 'three'],
server(page([]));
const { room } = watch();
await until(() => asked.length === 2);
sends = [lost, json({}, 201), json({}, 201), json({}, 201)];
await Promise.all(['one', 'two', 'three'].map((text) => room.send(text)));
room.leave();
return asked.filter(({ body }) => body).map(({ body }) => body.content);
END
    'sends go out in the order of the calls, even when some are repeated');

is_deeply(scripted(<<'END'), [2, 'left', 'aborted'],
server(page([]));
const { room } = watch();
await until(() => asked.length === 2);
sends = [lost, lost];
const control = new AbortController();
const given = room.send('x', { signal: control.signal, onRetry: () => control.abort() });
const left = room.send('y', { onRetry: () => room.leave() });
const [a, b] = (await Promise.allSettled([given, left])).map(({ reason }) => reason.type);
return [asked.filter(({ body }) => body).length, b, a];
END
    'a send ends with its AbortSignal, or when the room is left');

is_deeply(scripted(<<'END'), [1, 1],
server(page([]), lost, page([message(1)]));
const { room, log } = watch();
await until(() => room.state === 'retrying');
const start = performance.now();
dispatchEvent(new Event('online'));
await until(() => log.includes('m1'));
const waited = performance.now() - start;
room.leave();
return [Number(waited < 200), Number(asked.length >= 3)];
END
    'the event "online" ends a wait at once');

is_deeply(scripted(<<'END'), ['history', 'live', 'retrying no-answer', 'left'],
server(page([]));
const { room, log } = watch();
await until(() => asked.length === 2);
sends = [lost];
reads = [lost];
room.send('x').catch(() => 0);
await until(() => room.state === 'retrying');
room.leave();
return log;
END
    'an unanswered send makes the module check a waiting poll too');

is_deeply(scripted(<<'END'), [1, 1],
server(page([]), page([message(1)], { retry_ms: 400 }), page([message(2)]));
const { room, log } = watch();
await until(() => log.includes('m1'));
const start = performance.now();
await until(() => log.includes('m2'));
room.leave();
const waited = performance.now() - start;
return [Number(waited >= 390), Number(waited < 5000)];
END
    'the module waits as long as the server asks');

is_deeply(scripted(<<'END'), ['history', 'live', 'm1', 'm2', 'left', 'uncaught'],
server(page([]), page([message(1), message(2)]));
const errors = [];
addEventListener('error', (event) => { event.preventDefault(); errors.push(event.message); });
const log = [];
const { room } = watch({
  onHistory: () => log.push('history'), onState: (state) => log.push(state),
  onMessage: (m) => { log.push(m.content); if (m.id === 1) throw new Error('mistake'); },
});
await until(() => log.includes('m2'));
room.leave();
await until(() => errors.length === 1);
return [...log, 'uncaught'];
END
    "an exception in a site's own callback is reported, and the room continues");

is_deeply(scripted(<<'END'), ['/chat/rooms/room_26/messages', '/rooms/room_26/messages', '/rooms/a%2Fb/messages'],
server(lost, lost, lost);
await longroom.history(26, { base: '/chat' }).catch(() => 0);
await longroom.history(26).catch(() => 0);
await longroom.history('a/b').catch(() => 0);
return asked.map(({ url }) => new URL(url).pathname);
END
    "the server is found beside the module, or at the site's base");

# ---------------------------------------------------------------- authentication

is_deeply(scripted(<<'END'), [('Bearer one include') x 4, 1],
server(page([message(1)]), page([message(2)]));
sends = [json({}, 201)];
let calls = 0;
const { room, log } = watch({ token: () => { calls++; return 'one'; }, credentials: 'include' });
await until(() => log.includes('m2'));
await room.send('x');
await until(() => asked.length >= 4);
room.leave();
return [...asked.slice(0, 4).map(({ as, credentials }) => `${as} ${credentials}`), calls];
END
    'the token function is called once; its token, and cookies if the site says so, go with every request');

is_deeply(scripted(<<'END'), ['undefined undefined', 'Bearer two undefined', 'undefined include'],
server(lost, lost, lost);
await longroom.history(26, { token: () => null }).catch(() => 0);
await longroom.history(26, { token: 'two' }).catch(() => 0);
await longroom.history(26, { credentials: 'include' }).catch(() => 0);
return asked.map(({ as, credentials }) => `${as} ${credentials}`);
END
    'history() sends them too, and a token is optional');

is_deeply(scripted(<<'END'), [['history m1', 'live', 'm2', 'm3', 'left'],
const lasting = (ms, answer) => () => new Promise((resolve) => setTimeout(() => resolve(answer()), ms));
server(page([message(1)], { cursor: 'one' }), expired, page([message(2)], { cursor: 'two' }),
       lasting(1100, expired), page([message(3)]));
let n = 0;
const { room, log } = watch({ token: async () => String(++n) });
await until(() => log.includes('m3'));
room.leave();
return [log, asked.slice(0, 5).map(({ url, as }) => `${new URL(url).searchParams.get('after')} ${as}`)];
END
    ['null Bearer 1', 'one Bearer 1', 'one Bearer 2', 'two Bearer 2', 'two Bearer 3']],
    'a poll that ends with its token continues after the same cursor, with the next token');

is_deeply(scripted(<<'END'), [['failed token-expired'], 2, 2],
server(expired, expired, expired, expired);
let calls = 0;
const { room, log } = watch({ token: () => { calls++; return 'old'; } });
await until(() => room.state === 'failed');
await new Promise((resolve) => setTimeout(resolve, 50));
return [log, calls, asked.length];
END
    'a site that returns only expired tokens is not asked for ever');

is_deeply(scripted(<<'END'), [['failed token-expired'], 1],
server(expired, expired);
const { room, log } = watch({ token: 'old' });
await until(() => room.state === 'failed');
return [log, asked.length];
END
    'nor is the server, with a constant token');

is_deeply(scripted(<<'END'), [2, 'new', 1],
server(page([]));
let calls = 0;
const { room } = watch({ token: () => String(++calls) });
await until(() => asked.length === 2);
sends = [expired, json({ content: 'new' }, 201)];
reads = [expired];
const { content } = await room.send('x');
const posts = asked.filter(({ body }) => body);
room.leave();
return [posts.length, content, new Set(posts.map(({ body }) => body.client_id)).size];
END
    'a send whose token has expired is repeated with the next token');

is_deeply(scripted(<<'END'), ['retrying no-token', 'retrying no-token', 'history m1', 'live', 'left'],
server(page([message(1)]));
let calls = 0;
const { room, log } = watch({ token: () => {
  if (++calls === 1) throw new Error('mistake');
  return calls === 2 ? Promise.reject(new Error('offline')) : 'good';
} });
await until(() => room.state === 'live');
room.leave();
return log;
END
    'a token function that fails is called again');

is_deeply(scripted(<<'END'), ['aborted', 0],
server();
const { room } = watch({ token: () => new Promise(() => 0) });
const control = new AbortController();
const sent = room.send('x', { signal: control.signal }).catch(({ type }) => type);
setTimeout(() => control.abort(), 20);
const type = await sent;
room.leave();
return [type, asked.length];
END
    'leave() and a signal end the wait for a token that never comes');

for my $type (qw(unauthorized forbidden)) {
    my $script = <<'END' =~ s/TYPE/$type/r;
server(page([message(1)]), problem('TYPE', 401));
const { room, log } = watch({ token: () => 'one' });
await until(() => room.state === 'failed');
const refused = await room.send('x').catch(({ type }) => type);
await new Promise((resolve) => setTimeout(resolve, 50));
return [log, asked.length, refused];
END
    is_deeply(scripted($script), [['history m1', 'live', "failed $type"], 2, 'left'],
        "a poll that gets $type ends the room, which says so and sends no more requests");
}

is_deeply(scripted(<<'END'), [['history', 'live', 'retrying rate-limited', 'live', 'm1', 'left'], 1, 1],
server(page([]), problem('rate-limited', 429, { 'Retry-After': '2' }), page([]), page([message(1)]));
const { room, log } = watch();
await until(() => room.state === 'retrying');
for (const name of ['online', 'offline', 'online']) dispatchEvent(new Event(name));
await until(() => log.includes('m1'));
sends = [problem('rate-limited', 429, { 'Retry-After': '1' }), json({}, 201)];
await room.send('x', { onRetry: () => dispatchEvent(new Event('online')) });
room.leave();
const [first, again] = asked.filter(({ body }) => body);
return [log, Number(asked[2].at - asked[1].at >= 1990), Number(again.at - first.at >= 990)];
END
    'the module waits as long as a 429 asks, whatever happens meanwhile');

my $waited = scripted(<<'END');
const seen = new Map();
const joined = Array.from({ length: 9 }, (_, n) => join(`many-${n}`, {
  onMessage: (m) => seen.set(m.room_id, m.content),
}));
await until(() => joined.every(({ state }) => state === 'live'));
const start = performance.now();
for (const room of joined) room.send(`to ${room.name}`);
await until(() => joined.every((room) => seen.get(room.name) === `to ${room.name}`));
for (const room of joined) room.leave();
return performance.now() - start;
END
cmp_ok($waited, '<', 20_000,
    'a page with more rooms than the browser has connections sends and receives in all of them');

is_deeply(complaints(), [], 'the console has no complaints');

# ---------------------------------------------------------------- private rooms

# In mode nginx, the page is the same.
my $private = Visitors::start('nginx', { ann => { name => 'Ann B.', read => 'team_red', write => 'team_red' } });
$ann->open($private->url . '/');
$ann->type('#name', 'Somebody');
$ann->type('#room-name', 'team_red');
$ann->click('#join button');
my $ERROR = 'return !document.getElementById("join-error").hidden && document.getElementById("join-error").textContent';
like($ann->eventually(SECONDS, $ERROR), qr/You have to sign in first/,
    'a user who is not logged in is told so');
complaints();
$ann->run('document.cookie = "who=ann"');
join_room($ann, 'Somebody', 'team_red');
say($ann, 'one');
say($ann, 'two');
shows($ann, ['one', 'two'], 'a user who is logged in sends');
is_deeply($ann->run($OWN), ['one', 'two'],
    'the page knows their own messages, whatever their name on the site');
is_deeply([map { $_->{username} } @{ $private->history('team_red', limit => 9)->{json}{messages} // [] }], [],
    'other users see nothing');
is_deeply(complaints(), [], 'the console has no complaints here either');
leave($ann);
$ann->type('#room-name', 'team_blue');
$ann->click('#join button');
like($ann->eventually(SECONDS, $ERROR), qr/You are not allowed to do this here/,
    'a forbidden room is refused');
$private->stop;

$browser->stop;
$longroom->stop;
done_testing;
