#!/usr/bin/perl

# longroom.js and streams of several rooms in headless Chromium, against a server in the
# page itself: so every byte may come when and how the test wants, as through the worst
# of proxies. t/rooms-page.t has the real one.

use strict;
use warnings;
use utf8;

use Browser;
use FindBin;
use lib "$FindBin::Bin/lib";
use Longroom;
use Test::More;

BEGIN {
    my $missing = Browser->missing;
    plan skip_all => "no browser: $missing" if $missing;
}

binmode $_, ':encoding(UTF-8)'
    for map { Test::More->builder->$_ } qw(output failure_output todo_output);

# Only serves the modules.
my $longroom = Longroom->start(without => [qw(history pushd)]);
my $browser = Browser->start;
my $window = $browser->window;

# A server in the page, and what a script has at hand:
#   say(room, content, more)  appends to the log; a message of another type with more
#   remove(room)          the messages of a room so far; waiters behind it get a gap
#   net                   what is on the way: see below
#   refusals              room -> what is answered in its place; see refusal()
#   asked                 the requests so far: {path, rooms, after, as, at}
#   events(line, ...)     sends these lines to all streams
#   watch(rooms, options) {rooms, logs, states}: what each room handed over
#   until(condition), pause(ms), fast(factor): timers of the module run so much faster
my $PRELUDE = <<'END';
const { join } = await import('/longroom.js');
const real = { fetch: window.fetch, setTimeout: window.setTimeout, now: performance.now.bind(performance) };
const pause = (ms) => new Promise((resolve) => real.setTimeout.call(window, resolve, ms));
const until = async (condition) => {
  for (const end = real.now() + 30_000; !condition(); await pause(3)) {
    if (real.now() > end) throw new Error(`never: ${condition}`);
  }
};
let factor = 1;
const zero = real.now();
const skipped = { ms: window.skippedMs ?? 0 };
performance.now = () => zero + (real.now() - zero) * factor + skipped.ms;
window.setTimeout = (call, ms, ...more) => real.setTimeout.call(window, call, ms / factor, ...more);
const fast = (n) => { factor = n; };
const skip = (ms) => { skipped.ms += ms; };

const log = [];
const gaps = [];          // {room, upTo}
const asked = [];
const waiters = new Set();
const refusals = new Map();
const net = {
  newline: '\n',
  pieces: null,           // (bytes) => pieces of them
  buffers: false,         // streams bring nothing before their end
  mute: 0,                // streams bring only so many bytes
  cutAfter: null,         // () => the bytes after which a stream is cut
  streams: null,          // () => the answer to a stream
  down: false,
  most: 100,
  open: 0, opened: 0, mostOpen: 0,
};
const cursorOf = (n) => `1.5f.${n}`;
const placeOf = (cursor) => Number(cursor.split('.')[2]);
const wake = () => { for (const waiter of [...waiters]) waiter(); };
const say = (room, content, more = {}) => {
  const id = log.length + 1;
  log.push({ type: 'chat_message', id, room_id: room, user_id: 'u', content, ...more });
  wake();
  return id;
};
const remove = (room) => {
  gaps.push({ room, upTo: log.length });
  for (const [n, entry] of log.entries()) if (entry?.room_id === room) log[n] = null;
};
const json = (body, status = 200, headers = {}) => new Response(JSON.stringify(body), { status, headers });
const problem = (type, status, headers) => json({ type, status, title: type }, status, headers);
const lost = () => { throw new TypeError('Failed to fetch'); };
const after = (place, rooms) => log.filter((entry) => entry && entry.id > place && rooms.includes(entry.room_id));
const gapsAfter = (place, rooms) => [...new Set(gaps.filter(({ room, upTo }) => upTo > place && rooms.includes(room))
  .map(({ room }) => room))];
const wait = (ms, signal) => new Promise((resolve, reject) => {
  const end = () => { waiters.delete(end); resolve(); };
  waiters.add(end);
  real.setTimeout.call(window, end, ms);
  signal?.addEventListener('abort', () => { waiters.delete(end); reject(new DOMException('', 'AbortError')); });
});

async function history(room, query) {
  const before = Number(query.get('before') ?? Infinity);
  const all = log.filter((entry) => entry?.room_id === room);
  const messages = all.filter(({ id }) => id < before).slice(-Number(query.get('limit')));
  return json({ room_id: room, messages, cursor: cursorOf(log.length), earliest: all[0]?.id ?? null, more: false });
}

async function poll(rooms, forbidden, query, signal) {
  const place = placeOf(query.get('after'));
  const ends = real.now() + Number(query.get('timeout')) * 1000 / factor;
  while (!after(place, rooms).length && !gapsAfter(place, rooms).length && real.now() < ends) {
    await wait(ends - real.now(), signal);
  }
  const gap_rooms = gapsAfter(place, rooms);
  return json({ messages: after(place, rooms), cursor: cursorOf(log.length),
      more: false, ...(gap_rooms.length ? { gap: true, gap_rooms } : {}), ...(forbidden.length ? { forbidden } : {}) });
}

const writers = new Set();
const events = (...lines) => { for (const write of writers) write(lines.join('\n') + '\n'); };

function stream(rooms, forbidden, query, signal) {
  let place = placeOf(query.get('after'));
  let left = net.cutAfter ? net.cutAfter() : Infinity;
  const { mute } = net;
  let sent = 0;
  let kept = false;
  let ended = false;
  const body = new ReadableStream({
    async start(controller) {
      const stop = (error) => {
        if (ended) return;
        ended = true;
        net.open--;
        writers.delete(write);
        try { if (error) controller.error(error); else controller.close(); } catch { /* cancelled */ }
      };
      const write = (text) => {
        const all = new TextEncoder().encode(text.replaceAll('\n', net.newline));
        const bytes = all.subarray(0, Math.min(left, mute ? Math.max(0, mute - sent) : Infinity));
        sent += bytes.length;
        left -= all.length;
        kept ||= net.buffers;  // what follows is kept too
        for (const piece of net.pieces ? net.pieces(bytes) : [bytes]) {
          if (!ended && piece.length && !kept) controller.enqueue(piece);
        }
        if (left <= 0) stop(Math.random() < 0.5 ? new TypeError('cut') : null);
      };
      net.open++;
      net.mostOpen = Math.max(net.mostOpen, net.open);
      net.opened++;
      writers.add(write);
      signal.addEventListener('abort', () => stop(new DOMException('', 'AbortError')));
      const more = forbidden.length ? { forbidden } : {};
      write(`retry: 1500\nid: ${cursorOf(place)}\nevent: ready\ndata: ${JSON.stringify({ cursor: cursorOf(place), rooms, ...more })}\n\n`);
      while (!ended) {
        const lacking = gapsAfter(place, rooms);
        const next = after(place, rooms);
        place = log.length;
        if (lacking.length) write(`id: ${cursorOf(next[0] ? next[0].id - 1 : place)}\nevent: gap\ndata: ${JSON.stringify({ rooms: lacking })}\n\n`);
        for (const entry of next) write(`id: ${cursorOf(entry.id)}\ndata: ${JSON.stringify(entry)}\n\n`);
        await wait(60_000, signal).catch(() => 0);
      }
    },
  });
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
}

window.fetch = async (address, init = {}) => {
  const url = new URL(address);
  const [, names, kind] = /rooms\/(.*)\/(\w+)$/.exec(url.pathname);
  const all = names.split(',').map(decodeURIComponent);
  asked.push({ kind, rooms: all.join(), after: url.searchParams.get('after'), as: init.headers?.Authorization, at: real.now() });
  await pause(Math.random() * 3);
  if (init.signal?.aborted) throw new DOMException('', 'AbortError');
  if (net.down) lost();
  if (init.body) {
    const { content, client_id } = JSON.parse(init.body);
    const id = say(all[0], content, { client_id });
    return json(log[id - 1], 201);
  }
  if (all.length > net.most) return problem('bad-parameter', 400);
  const forbidden = all.filter((room) => refusals.has(room));
  const rooms = all.filter((room) => !refusals.has(room));
  if (kind === 'messages') return rooms.length ? history(rooms[0], url.searchParams) : problem('forbidden', 403);
  if (rooms.length === 0) return problem('forbidden', 403);
  if (kind === 'poll') return poll(rooms, forbidden, url.searchParams, init.signal);
  return net.streams ? net.streams(url, init) : stream(rooms, forbidden, url.searchParams, init.signal);
};

const joined = [];
function watch(names, options = {}) {
  const logs = {};
  const states = {};
  const rooms = join(names, {
    onHistory: ({ messages }, { name }) => { logs[name] = ['history', ...messages.map(({ content }) => content)]; },
    onMessage: ({ content }, { name }) => logs[name].push(content),
    onGap: (_, { name }) => logs[name].push('gap'),
    onState: (state, trouble, { name }) => { (states[name] ??= []).push(trouble ? `${state} ${trouble.type}` : state); },
    ...options,
  });
  joined.push(rooms);
  return { rooms, logs, states };
}
const live = ({ rooms }) => [...rooms].every(({ state }) => state === 'live');
const following = (names) => until(() => net.open === 1 && asked.at(-1).kind === 'events' && asked.at(-1).rooms === names);
const kinds = (from = 0) => asked.slice(from).map(({ kind }) => kind);
END

# Runs the script in a fresh page and returns its result.
sub scripted {
    my ($script) = @_;
    $window->open('about:blank');
    $window->open($longroom->url . '/icon.svg');
    return $window->run(<<"END");
return (async () => {
$PRELUDE
return (async () => { $script })();
})().catch((error) => String(error.stack));
END
}

is_deeply(scripted(<<'END'), [{ a => [qw(history a1 a2)], b => [qw(history b1)] }, 'a,b', 1, [('live') x 2]],
say('a', 'a1');
const seen = watch(['a', 'b']);
await following('a,b');
say('b', 'b1');
say('a', 'a2');
say('c', 'c1');
await until(() => seen.logs.b.includes('b1') && seen.logs.a.includes('a2'));
return [seen.logs, asked.at(-1).rooms, net.mostOpen, [...seen.rooms].map(({ state }) => state)];
END
    'several rooms are followed by one stream');

is_deeply(scripted(<<'END'), ['history a1 a2 a3', 'history b1 b2', 'history a1', 'b', [1, 1]],
const seen = watch(['a']);
await following('a');
say('a', 'a1');
await until(() => seen.logs.a.includes('a1'));
const { after } = asked.at(-1);
say('b', 'b1');                      // not followed yet
seen.rooms.add('b');
await following('a,b');
const taken = asked.at(-1).after;
say('a', 'a2');
say('b', 'b2');
await until(() => seen.logs.b.includes('b2'));
say('a', 'a3');
await until(() => seen.logs.a.includes('a3'));
const both = seen.logs.a.join(' ');
seen.rooms.leave('a');
await following('b');
say('a', 'a4');
say('b', 'b3');
await until(() => seen.logs.b.includes('b3'));
return [seen.logs.a.join(' '), seen.logs.b.slice(0, 3).join(' '), both.slice(0, 10), [...seen.rooms].map(({ name }) => name).join(),
        [Number(taken === '1.5f.1'), net.mostOpen]];
END
    'a room is taken in after the old cursor, and left, while others are followed');

is_deeply(scripted(<<'END'), [1, 1],
const one = watch(['a'], { onMessage: () => 0 });
const other = join('b');
const third = join('c');
joined.push(other, third);
await following('a,b,c');
third.leave();
await following('a,b');
one.rooms.leave();
await following('b');
other.leave();
await until(() => net.open === 0);
return [net.mostOpen, asked.filter(({ kind, rooms }) => kind === 'events' && rooms === 'b').length];
END
    'rooms that are joined one by one share a stream too, which ends with the last');

for my $newline ("\\n", "\\r\\n", "\\r") {
    my $script = <<'END' =~ s/NEWLINE/$newline/r;
net.newline = 'NEWLINE';
net.pieces = (bytes) => Array.from(bytes, (_, n) => bytes.subarray(n, n + 1));
const odd = ['äöü€😀', 'a\nb\r\nc\rd', 'data: x\n\nevent: end\ndata: {}', '\u2028\u2029', 'retry: 1', '\ufeff: x'];
const seen = watch(['a', 'b']);
await following('a,b');
for (const text of odd) say('a', text);
await until(() => seen.logs.a.length > odd.length);
return [JSON.stringify(seen.logs.a.slice(1)) === JSON.stringify(odd) ? 'same' : seen.logs.a, net.opened];
END
    is_deeply(scripted($script), ['same', 1], "every byte on its own, lines ended by $newline: every text as it was");
}

# ---------------------------------------------------------------- what breaks streams

is_deeply(scripted(<<'END'), ['history a1 a2 a3 a4', 'live', [1, 1], 1, 'history a1 a2 a3 a4 a5'],
fast(10);
net.buffers = true;
const seen = watch(['a', 'b']);
await until(() => net.open === 1);
say('a', 'a1');
await until(() => seen.logs.a.includes('a1'));
say('a', 'a2');
await until(() => seen.logs.a.includes('a2'));
const begun = asked.length;
for (const text of ['a3', 'a4']) {
  say('a', text);
  await until(() => seen.logs.a.includes(text));
}
const polls = [Number(kinds(begun).every((kind) => kind === 'poll')), net.opened];
const told = seen.logs.a.join(' ');
net.buffers = false;
skip(6 * 60_000);
say('b', 'b1');                      // ends the poll
await until(() => net.open === 1);
await until(() => writers.size === 1);
say('a', 'a5');
await until(() => seen.logs.a.includes('a5'));
return [told, seen.states.a.join(), polls, Number(asked.at(-1).kind === 'events'), seen.logs.a.join(' ')];
END
    'behind a proxy that buffers, polls take over unnoticed; some minutes later streams are tried again');

for my $case (
    ['JSON in place of a stream', q{json({})}],
    ['a 404', q{problem('not-found', 404)}],
    ['a 405 of a proxy', q{new Response('no', { status: 405 })}],
    ['a 403 of a proxy', q{new Response('no', { status: 403 })}],
    ['an answer without a type', q{new Response(new Blob(['x']))}],
) {
    my ($title, $answer) = @$case;
    is_deeply(scripted(<<"END"), ['history a1 a2', 'live', 1], "after $title polls take over");
net.streams = () => $answer;
const seen = watch(['a', 'b']);
await until(() => kinds().includes('poll'));
say('a', 'a1');
await until(() => seen.logs.a.includes('a1'));
say('a', 'a2');
await until(() => seen.logs.a.includes('a2'));
return [seen.logs.a.join(' '), seen.states.a.join(), kinds().filter((kind) => kind === 'events').length];
END
}

is_deeply(scripted(<<'END'), ['history 1 2 3 4 5 6 7 8 9', 'poll', 3],
fast(20);
net.cutAfter = () => 260;            // within the second or the third event
const seen = watch(['a', 'b']);
await until(() => live(seen));
for (let n = 1; n < 10; n++) {
  say('a', String(n));
  await until(() => seen.logs.a.includes(String(n)));
}
return [seen.logs.a.join(' '), asked.at(-1).kind, net.opened];
END
    'streams that are cut within an event lose and double nothing; after three of them polls take over');

is_deeply(scripted(<<'END'), ['history 1 2', 'poll', 1],
fast(20);
net.mute = 150;                      // "ready", and then nothing
const seen = watch(['a', 'b']);
await until(() => live(seen) && net.open === 1);
say('a', '1');
await until(() => seen.logs.a.includes('1'));
say('a', '2');
await until(() => seen.logs.a.includes('2'));
return [seen.logs.a.join(' '), asked.at(-1).kind, net.opened];
END
    'a stream that falls silent is noticed, and polls bring what it has kept back');

is_deeply(scripted(<<'END'), ['history mine', 1],
net.mute = 150;
const seen = watch(['a', 'b']);
await until(() => live(seen) && net.open === 1);
const start = real.now();
await seen.rooms.get('a').send('mine');
await until(() => seen.logs.a.includes('mine'));
return [seen.logs.a.join(' '), Number(real.now() - start < 8000)];
END
    "a message of one's own that does not come back is missed at once");

is_deeply(scripted(<<'END'), [['history 1 2'], 1, 0],
const seen = watch(['a', 'b'], { transport: 'poll' });
await until(() => kinds().includes('poll'));
for (const text of ['1', '2']) {
  say('a', text);
  await until(() => seen.logs.a.includes(text));
}
return [[seen.logs.a.join(' ')], Number(asked.at(-1).rooms === 'a,b'), net.opened];
END
    'a site may wish for polls');

is_deeply(scripted(<<'END'), ['connecting', 'live,retrying no-stream,live', 'history 1'],
let refuses = true;
const seen = watch(['a', 'b'], { transport: 'stream' });
const { state } = seen.rooms.get('a');
net.streams = () => { net.streams = null; return json({}); };
await until(() => net.open === 1);
say('a', '1');
await until(() => seen.logs.a.includes('1'));
return [state, seen.states.a.join(), seen.logs.a.join(' ')];
END
    'or for streams, and is told when they do not work');

is_deeply(scripted(<<'END'), ['history 1 2', 1, 'events', 'live,retrying no-answer'],
fast(5);
const seen = watch(['a', 'b']);
await following('a,b');
say('a', '1');
await until(() => seen.logs.a.includes('1'));
net.down = true;
dispatchEvent(new Event('online'));
await until(() => seen.states.a.includes('retrying no-answer'));
await until(() => asked.filter(({ kind }) => kind === 'poll').length > 3);
say('a', '2');
net.down = false;
await until(() => seen.logs.a.includes('2'));
await until(() => net.open === 1);
return [seen.logs.a.join(' '), net.mostOpen, asked.at(-1).kind, seen.states.a.slice(0, 2).join()];
END
    'a server that is down proves nothing against streams');

# ---------------------------------------------------------------- what a stream says

is_deeply(scripted(<<'END'), ['history 1 2', 'live', 2, 1],
const seen = watch(['a', 'b']);
await following('a,b');
say('a', '1');
await until(() => seen.logs.a.includes('1'));
const start = real.now();
events(`retry: 100`, `id: ${cursorOf(log.length)}`, 'event: end', 'data: {"reason":"life"}', '');
await until(() => net.opened === 2);
const took = real.now() - start;
say('a', '2');
await until(() => seen.logs.a.includes('2'));
return [seen.logs.a.join(' '), seen.states.a.join(), net.opened, Number(took >= 95 && took < 1000)];
END
    'after a stream has lived its life the next one follows');

is_deeply(scripted(<<'END'), ['history 1', 'live', 1],
const seen = watch(['a', 'b']);
await following('a,b');
const start = real.now();
events(`retry: 700`, `id: ${cursorOf(log.length)}`, 'event: end', 'data: {"reason":"shutdown"}', '');
say('a', '1');
await until(() => seen.logs.a.includes('1'));
return [seen.logs.a.join(' '), seen.states.a.join(), Number(real.now() - start >= 690)];
END
    'after the server has shut down the next one waits as long as it asked');

is_deeply(scripted(<<'END'), ['history 1 2', 'live', ['Bearer 1', 'Bearer 2'], ['1.5f.0', '1.5f.1']],
let n = 0;
const seen = watch(['a', 'b'], { token: async () => String(++n) });
await following('a,b');
say('a', '1');
await until(() => seen.logs.a.includes('1'));
events(`id: ${cursorOf(log.length)}`, 'event: end', 'data: {"reason":"token-expired"}', '');
await until(() => net.opened === 2);
say('a', '2');
await until(() => seen.logs.a.includes('2'));
const streams = asked.filter(({ kind }) => kind === 'events');
return [seen.logs.a.join(' '), seen.states.a.join(), streams.map(({ as }) => as), streams.map(({ after }) => after)];
END
    'a stream whose token has expired goes on with the next, after the last message');

is_deeply(scripted(<<'END'), ['failed token-expired', 'failed token-expired'],
const seen = watch(['a', 'b'], { token: 'old' });
await following('a,b');
events(`id: ${cursorOf(log.length)}`, 'event: end', 'data: {"reason":"token-expired"}', '');
await until(() => seen.states.a.length === 2 && seen.states.b.length === 2);
return [seen.states.a.at(-1), seen.states.b.at(-1)];
END
    'without a next token that is the end');

is_deeply(scripted(<<'END'), ['live,retrying rate-limited,live', 'history 1', 1],
const seen = watch(['a', 'b']);
await following('a,b');
const start = real.now();
events('retry: 900', 'event: problem', 'data: {"type":"rate-limited","status":429,"title":"Too many"}', '');
say('a', '1');
await until(() => seen.logs.a.includes('1'));
return [seen.states.a.join(), seen.logs.a.join(' '), Number(real.now() - start >= 890)];
END
    'a problem is told as that of a poll, and waited for');

is_deeply(scripted(<<'END'), ['live,retrying unavailable', 1],
net.streams = () => new Response('retry: 2000\n\n', { headers: { 'Content-Type': 'text/event-stream' } });
const seen = watch(['a', 'b']);
await until(() => seen.states.a?.length === 2);
const start = real.now();
await until(() => kinds().includes('poll'));
return [seen.states.a.slice(0, 2).join(), Number(real.now() - start >= 1900)];
END
    'so is what nginx answers while the server is down');

is_deeply(scripted(<<'END'), ['failed forbidden', 'history a1 a2', 'history c1', 'a,c', 'left'],
say('a', 'a1');
const seen = watch(['a', 'b', 'c']);
await following('a,b,c');
refusals.set('b', 1);
const b = seen.rooms.get('b');
dispatchEvent(new Event('online'));
await until(() => seen.states.b.at(-1) === 'failed forbidden');
say('a', 'a2');
say('b', 'b1');
say('c', 'c1');
await until(() => seen.logs.c.includes('c1'));
return [seen.states.b.at(-1), seen.logs.a.join(' '), seen.logs.c.join(' '), [...seen.rooms].map(({ name }) => name).join(),
        await b.send('x').catch(({ type }) => type)];
END
    'a room that is forbidden fails, and the others go on');

is_deeply(scripted(<<'END'), ['failed forbidden', 'failed forbidden', 0],
const seen = watch(['a', 'b']);
await following('a,b');
for (const room of ['a', 'b']) refusals.set(room, 1);
dispatchEvent(new Event('online'));
await until(() => seen.states.b.at(-1) === 'failed forbidden' && seen.states.a.at(-1) === 'failed forbidden');
const count = asked.length;
await pause(100);
return [seen.states.a.at(-1), seen.states.b.at(-1), asked.length - count];
END
    'if all are, nothing is asked any more');

is_deeply(scripted(<<'END'), ['history a1 gap a3', 'history b1 b2'],
const seen = watch(['a', 'b']);
await following('a,b');
say('a', 'a1');
say('b', 'b1');
await until(() => seen.logs.b.includes('b1'));
net.down = true;
dispatchEvent(new Event('online'));
await until(() => seen.states.a.at(-1) === 'retrying no-answer');
say('a', 'a2');
remove('a');
say('a', 'a3');
say('b', 'b2');
net.down = false;
dispatchEvent(new Event('online'));
await until(() => seen.logs.a.includes('a3') && seen.logs.b.includes('b2'));
return [seen.logs.a.join(' '), seen.logs.b.join(' ')];
END
    'a gap that a poll tells is the gap of its room');

is_deeply(scripted(<<'END'), ['history gap a1', 'history b1'],
const seen = watch(['a', 'b']);
await following('a,b');
events(`id: ${cursorOf(0)}`, 'event: gap', 'data: {"rooms":["a"]}', '');
say('a', 'a1');
say('b', 'b1');
await until(() => seen.logs.a.includes('a1') && seen.logs.b.includes('b1'));
return [seen.logs.a.join(' '), seen.logs.b.join(' ')];
END
    'so is one in a stream');

is_deeply(scripted(<<'END'), ['history a2', 'history b2', 'live', 2],
const seen = watch(['a', 'b']);
await following('a,b');
say('a', 'a1');
await until(() => seen.logs.a.includes('a1'));
log.splice(0);
events('id: 1.5f.0', 'event: reset', 'data: {"reset":true,"cursor":"1.5f.0"}', '');
say('a', 'a2');
say('b', 'b2');
await until(() => seen.logs.a.includes('a2') && seen.logs.b.includes('b2') && net.open === 1);
return [seen.logs.a.join(' '), seen.logs.b.join(' '), seen.rooms.get('a').state,
        asked.filter(({ kind, rooms }) => kind === 'messages' && rooms === 'a').length];
END
    'after a reset each room is read anew, and followed');

is_deeply(scripted(<<'END'), ['history a1 a3', ['1.5f.3']],
const seen = watch(['a', 'b']);
await following('a,b');
say('a', 'a1');
say('a', '', { type: 'message_edited' });
events(`id: ${cursorOf(2)}`, 'event: presence', 'data: {"room_id":"a"}', '');
say('a', 'a3');
await until(() => seen.logs.a.includes('a3'));
dispatchEvent(new Event('online'));
await until(() => net.opened === 2);
return [seen.logs.a.join(' '), [asked.at(-1).after]];
END
    'entries and events of unknown types are passed over, their ids are not');

# ---------------------------------------------------------------- many rooms

is_deeply(scripted(<<'END'), [2, '100 30', 'x0 x129', 130],
const names = Array.from({ length: 130 }, (_, n) => `room-${n}`);
const seen = watch(names);
await until(() => net.open === 2 && live(seen));
await until(() => new Set(asked.filter(({ kind }) => kind === 'events').slice(-2).flatMap(({ rooms }) => rooms.split(','))).size === 130);
const last = asked.filter(({ kind }) => kind === 'events').slice(-2);
for (const [n, name] of names.entries()) say(name, `x${n}`);
await until(() => names.every((name, n) => seen.logs[name].includes(`x${n}`)));
return [net.open, last.map(({ rooms }) => rooms.split(',').length).sort((x, y) => y - x).join(' '),
        `${seen.logs['room-0'].at(-1)} ${seen.logs['room-129'].at(-1)}`, Object.values(seen.logs).filter((log) => log.length === 2).length];
END
    'more than a hundred rooms take another stream');

is_deeply(scripted(<<'END'), [1, 10],
net.most = 3;
const names = Array.from({ length: 10 }, (_, n) => `room-${n}`);
const seen = watch(names, { transport: 'poll' });
await until(() => live(seen));
for (const [n, name] of names.entries()) say(name, `x${n}`);
await until(() => names.every((name, n) => seen.logs[name].includes(`x${n}`)));
await pause(100);
return [Number(asked.at(-1).rooms.split(',').length <= 3), Object.values(seen.logs).filter((log) => log.length === 2).length];
END
    'a server that allows fewer is asked for fewer');

# ---------------------------------------------------------------- all of it

my $seed = $ENV{LONGROOM_SEED} // time;
note "LONGROOM_SEED=$seed";
is_deeply(scripted(<<'END' =~ s/SEED/$seed/r), ['right', 1],
let seed = SEED % 2147483647 || 1;
const random = (n) => (seed = seed * 48271 % 2147483647) % n;
fast(20);
const names = ['a', 'b', 'c', 'd', 'e'];
net.cutAfter = () => (random(3) ? 200 + random(1500) : Infinity);
net.pieces = (bytes) => {
  const pieces = [];
  for (let at = 0; at < bytes.length;) {
    const size = 1 + random(90);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
};
const seen = watch(names);
await until(() => live(seen));
for (let step = 0; step < 400; step++) {
  say(names[random(5)], `m${step} ä€😀`);
  if (random(12) === 0) {
    const name = names[random(5)];
    if (seen.rooms.get(name)) seen.rooms.leave(name);
    else seen.rooms.add(name);
  }
  if (random(20) === 0) net.buffers = !net.buffers;
  if (random(25) === 0) net.down = !net.down;
  if (random(30) === 0) skip(6 * 60_000);
  if (random(15) === 0) dispatchEvent(new Event('online'));
  if (random(3) === 0) await pause(random(25));
}
net.down = net.buffers = false;
net.cutAfter = null;
for (const name of names) seen.rooms.add(name);
await until(() => live(seen) && names.every((name) => seen.logs[name]));
for (const name of names) say(name, 'the end');
await until(() => names.every((name) => seen.logs[name].at(-1) === 'the end'));
const wrong = names.filter((name) => {
  const all = log.filter(({ room_id }) => room_id === name).map(({ content }) => content);
  const shown = seen.logs[name].slice(1);
  return JSON.stringify(all.slice(-shown.length)) !== JSON.stringify(shown) || (all.length > 50 && shown.length < 50);
});
return [wrong.length ? wrong.map((name) => [name, seen.logs[name]]) : 'right', net.mostOpen];
END
    'rooms that come and go while streams are cut, kept back and lost: everything once, in order');

is_deeply([map { $_->{message} } grep { $_->{level} eq 'SEVERE' && $_->{source} ne 'network' } $browser->console], [],
    'the console has no complaints');

$browser->stop;
$longroom->stop;
done_testing;
