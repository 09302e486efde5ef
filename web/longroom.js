/**
 * longroom.js follows the rooms of a Longroom server and sends to them.
 *
 *   import { join } from './longroom.js';
 *
 *   const room = join(26, {
 *     user: { id: '2', name: 'ann' },
 *     onHistory: ({ messages }) => list.replaceChildren(...messages.map(row)),
 *     onMessage: (message) => list.append(row(message)),
 *   });
 *   await room.send('Hello world');
 *   room.leave();
 *
 * Or several rooms, with the same functions:
 *
 *   const rooms = join([26, 'team_red'], {
 *     onMessage: (message, room) => console.log(room.name, message.content),
 *   });
 *   rooms.add(27);
 *   rooms.leave('team_red');
 *
 * Beside the messages of a room there are who is here, and signals, which are in no log:
 *
 *   const room = join(26, {
 *     onMessage: (message) => list.append(row(message)),
 *     onTyping: (people) => say(people.map(({ username }) => username)),
 *     onPresence: ({ count }) => show(count),
 *   });
 *   input.addEventListener('input', () => room.signal('typing'));
 *
 * Messages of types that the site does not name (`types`) are not delivered.
 *
 * A room is read once, then followed from the cursor of that page: by a stream, or by
 * polls where streams do not come through. The cursor moves only when a page was read
 * completely, in the same step in which its messages are delivered: whatever fails in
 * between is requested again, and nothing is delivered twice. Messages come in the order
 * of the log, and only from there. Do not show what send() resolves to: it would overtake
 * other messages. It comes to onMessage too; its client_id identifies it.
 *
 * Following continues across lost connections, restarts and a sleeping computer, until
 * leave() or until the server refuses (a 4xx): 401 and 403 end it at once, and onState
 * says so. A 429 is not a refusal; the module waits as long as it asks. When the
 * network comes back, or the page is visible again after a while, it checks the
 * connection at once. It does not keep messages, and does not know how a site shows
 * them.
 *
 * The tabs of a browser share one connection for all their rooms (up to 100; more take
 * more connections) if they use the same cookies: one of them follows for all, and
 * another takes over when that one ends (tabs.js). A token belongs to its tab; the rooms
 * of one join() share a connection. Over HTTP/1.1 at most three of a browser's
 * connections wait at once (turns.js).
 *
 * The user is identified by the site's cookies, if the server is on the page's own
 * origin, or on another one with `credentials: 'include'`; or by a token:
 *
 *   join(26, {
 *     base: 'https://chat.example.org/',
 *     token: () => fetch('/chat-token').then((answer) => answer.text()),
 *   });
 *
 * Needs fetch, AbortController and private class members; no library except the
 * modules beside it.
 */

import { newId } from './ids.js';
import { presenceOf, readPresence } from './presence.js';
import { LongroomError, Pass, address, pageOf } from './request.js';
import { Sequence } from './sequence.js';
import { Signals } from './signals.js';
import { tabsFor } from './tabs.js';
import { Typing } from './typing.js';
import { Gate, patience } from './waiting.js';

export { LongroomError, Sequence };

const HISTORY_MESSAGES = 50;
const HIDDEN_LONG_MS = 5000;     // long enough for a connection to die unnoticed
const SEND_LIMIT_MS = 10_000;    // longer than a database may be locked; grows with each failure
const SEND_LONGEST_MS = 20_000;
const SIGNAL_LIMIT_MS = 5000;
const MOST_READING = 4;          // rooms read at once: a server limits a user's reads

const gate = new Gate(MOST_READING);

/**
 * A message, as in PROTOCOL section 3.
 * @typedef {{type: string, id: ?number, room_id: string, user_id: string,
 *            username: string, sender_type: string, content: string,
 *            data?: object, reply_to?: number, timestamp: string,
 *            client_id?: string, saved?: false}} Message
 *
 * Who is here, as in PROTOCOL section 6: all of them, those without a name, and where the
 * server tells (push.presence = users) the first hundred others.
 * @typedef {{count: number, anonymous: number,
 *            users?: {user_id: string, username: string, sender_type: string}[]}} Presence
 *
 * @typedef {'connecting'|'live'|'retrying'|'left'|'failed'} State
 *   connecting  the history was not read yet
 *   live        everything sent to the room arrives
 *   retrying    the connection is lost; retried automatically
 *   left        leave() was called
 *   failed      the server refused; not retried
 *
 * @typedef {object} Options
 * @property {string|URL} [base]  the address that has rooms/ below it; without
 *   it, the folder that this module is served from
 * @property {{id?: string, name?: string}} [user]  the sender, where the server
 *   accepts it from the client (auth.mode = open). Leave it out elsewhere: see onPresence
 * @property {string|(() => ?string|Promise<?string>)} [token]  the token, for
 *   auth.mode = token. A function is called before the first request, and again each
 *   time the server says that the token has expired; then the request is repeated, a
 *   poll after the same cursor. It may return nothing: a user who is logged out has no
 *   token, and if a cookie has the token, renewing that is enough. If it throws or
 *   takes too long, it is called again later (`no-token`).
 * @property {RequestCredentials} [credentials]  fetch's: 'include' sends cookies
 *   to another origin, whose auth.origins must list this one
 * @property {number} [limit]  the number of messages of history to begin with
 *   (1 to 1000, default 50)
 * @property {number} [pollSeconds]  how long a poll waits for a message (1 to 55,
 *   default 25): less than the proxies on the way do. After a proxy has answered 504
 *   twice, polls wait half as long from then on, but at least 5 s; they do not grow.
 * @property {'auto'|'stream'|'poll'} [transport]  how to follow. 'auto', the default,
 *   is by a stream; by polls for some minutes where a proxy keeps streams back or cuts
 *   them. 'stream' and 'poll' never change: for tests, and where one is known to fail.
 * @property {string[]} [types]  the types of the messages that the functions below get,
 *   instead of ['chat_message']. Others are passed over
 * @property {(page: {messages: Message[], older: boolean, ephemeral: boolean},
 *   room: Room) => void} [onHistory]
 *   the room as it is: show this and nothing else. It comes first, and again if the
 *   server's log was replaced. `older`: room.older() has more. `ephemeral`: messages
 *   sent to this room are never stored.
 * @property {(message: Message, room: Room) => void} [onMessage]  the next message
 * @property {(earliest: ?number, room: Room) => void} [onGap]  messages after the last
 *   one were removed before they could be read; onMessage gets the remaining ones.
 *   `earliest`: the id of the room's oldest message, if known
 * @property {(signal: Message, room: Room) => void} [onSignal]  a message that is in no
 *   log and whose type is none of `types`, from others: what this tab has sent does not
 *   come back. It may be lost, and it may be late: after a pause of the connection
 * @property {(people: {user_id: string, username: string}[], room: Room) => void}
 *   [onTyping]  those who are typing now, each time that changes: they have sent the
 *   signal `typing` in the last six seconds, and no message since. Not this tab's user
 * @property {(presence: Presence, room: Room) => void} [onPresence]  who is here: soon
 *   after the room was joined, then when that has changed; never if the server does not
 *   tell (push.presence = off). With it, and without a token, `user` is named in the
 *   addresses of the requests that wait for messages, and so in access logs; with
 *   auth.mode = open the others see that user here. In tabs that follow more than ten
 *   rooms it comes later: every ten seconds, for ten of the rooms
 * @property {(state: State, problem: LongroomError|undefined, room: Room) => void}
 *   [onState]
 */

/**
 * Joins a room: a number (26 is room_26) or a name. Or several, in a list.
 * @param {number|string|(number|string)[]} room
 * @param {Options} [options]
 * @returns {Room|Rooms}  Rooms for a list
 */
export function join(room, options = {}) {
  const rooms = new Rooms(options);
  if (!Array.isArray(room)) return rooms.add(room);
  for (const one of room) rooms.add(one);
  return rooms;
}

/**
 * Reads a page of a room's history once (PROTOCOL section 5).
 * @param {number|string} room
 * @param {{limit?: number, before?: number|string, after?: number|string,
 *          base?: string|URL, signal?: AbortSignal, token?: Options['token'],
 *          credentials?: RequestCredentials}} [options]
 * @returns {Promise<{count: number, messages: Message[], cursor: string,
 *                    earliest: ?number, more: boolean}>}
 */
export async function history(room, { base, signal, token, credentials, ...query } = {}) {
  return readHistory(new Pass({ token, credentials }), base, roomName(room), query, signal);
}

async function readHistory(pass, base, room, query, signal) {
  const url = address(base, [room], 'messages', query);
  return pageOf(await pass.ask(url, { signal }));
}

/** @param {number|string} room  @returns {string} the name: 26 is room_26 */
export function roomName(room) {
  return typeof room === 'number' ? `room_${room}` : String(room);
}

/** Rooms that share handlers, a token and a connection. Made by join() of a list. */
export class Rooms {
  #options;
  #pass;
  #tabs;
  #rooms = new Map();

  constructor(options) {
    this.#options = options;
    this.#pass = new Pass(options);
    this.#tabs = tabsFor(options, this.#pass);
  }

  /** Joins one more. @returns {Room} the one that is joined already, if it is */
  add(room) {
    const name = roomName(room);
    const before = this.get(name);
    if (before) return before;
    const added = new Room(name, this.#options, this.#pass, this.#tabs);
    this.#rooms.set(name, added);
    return added;
  }

  /** @returns {Room|undefined} undefined if it is not joined, or no longer */
  get(room) {
    const found = this.#rooms.get(roomName(room));
    return found?.ended ? undefined : found;
  }

  /** Leaves this room; without one, all of them. */
  leave(room) {
    const left = room === undefined ? [...this] : [this.get(room)];
    for (const one of left) {
      one?.leave();
      this.#rooms.delete(one?.name);
    }
  }

  /** The joined rooms, in the order in which they were added. */
  * [Symbol.iterator]() {
    for (const room of [...this.#rooms.values()]) if (!room.ended) yield room;
  }
}

/** A joined room. Made by join(). */
export class Room {
  #options;
  #pass;
  #tabs;
  #followed = null;    // controls what follows it: leave(), hurry(), nudge()
  #state = 'connecting';
  #cursor = null;
  #sequence = new Sequence();
  #signals = new Signals((signal) =>
    this.#postOnce(this.#bodyOf(signal), { limitMs: SIGNAL_LIMIT_MS }));
  #typing = new Typing((people) => this.#call('onTyping', people));
  #here = '';          // the presence that onPresence got last, as text
  #life = new AbortController();
  #step = new AbortController();   // the current request or wait
  #lastSend = Promise.resolve();
  #sendWait = new AbortController();

  constructor(name, options, pass, tabs) {
    /** The room's name. */
    this.name = name;
    this.#options = options;
    this.#pass = pass;
    this.#tabs = tabs;
    this.#listen();
    this.#begin();
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /** Nothing is delivered after this, except onState('left'), at once. */
  leave() {
    if (!this.ended) this.#end('left');
  }

  /**
   * Sends a message. Sends go out one after the other, in the order of the calls. If
   * the answer is lost or is a 5xx, the same message is sent again (the server saves a
   * client_id once) until it is answered, the signal aborts, or the room is left.
   * @param {string} content  may be '' with data, or with a type of the site's own
   * @param {{type?: string, data?: object, replyTo?: number, clientId?: string,
   *          signal?: AbortSignal, onRetry?: (problem: LongroomError) => void}} [options]
   *   data: what the site attaches (4 KiB of JSON); replyTo: the id of the message that
   *   this one answers
   * @returns {Promise<Message>} as the server saved it; saved: false means that it
   *   is in no history. Rejects with a LongroomError.
   */
  send(content, { type, data, replyTo, clientId = newId(), signal, onRetry } = {}) {
    const body = this.#bodyOf({ content, type, data, reply_to: replyTo, client_id: clientId });
    const answer = this.#lastSend.then(() => this.#post(body, signal, onRetry));
    this.#lastSend = answer.catch(() => {});
    return answer;
  }

  /**
   * Tells the others something that is worth nothing later, such as that the user is
   * typing: call it for each key. It is sent at most every three seconds for each type;
   * calls in between are dropped (but after a message, `typing` is sent again at once). So
   * are those while the connection is lost, and while the server asks to wait. It is sent
   * once, and never queued.
   * @param {string} [type]  as of messages, but none of `types`
   * @param {object} [data]
   * @returns {Promise<boolean>} whether it was sent; it is no error if it was not
   */
  async signal(type = 'typing', data) {
    if (this.ended || this.#state === 'retrying') return false;
    return this.#signals.send(type, data);
  }

  /**
   * Asks once who is here. Rejects with type `not-found` if the server does not tell.
   * @returns {Promise<Presence>}
   */
  async presence() {
    const [here] = await readPresence(this.#pass, this.#options.base, [this.name], this.#life.signal)
      .catch((problem) => { throw this.ended ? new LongroomError('left') : problem; });
    if (!here) throw new LongroomError('no-answer', { detail: 'the answer is about other rooms' });
    return presenceOf(here);
  }

  /**
   * Reads the messages before the one with the id `before`, the oldest that is shown.
   * Rejects with type `left` if the room was left, or shown afresh by onHistory, before
   * the answer came.
   * @param {number} [before]  without it, the newest
   * @returns {Promise<{messages: Message[], older: boolean}>} oldest first
   */
  async older(before = this.#cursor) {
    const sequence = this.#sequence;
    for (;;) {
      const page = await this.#history({ before }, this.#life.signal)
        .catch((problem) => { throw this.ended ? new LongroomError('left') : problem; });
      if (this.ended || sequence !== this.#sequence || page.reset) throw new LongroomError('left');
      const messages = page.messages.filter((entry) => this.#isMessage(entry));
      if (messages.length > 0 || !page.more) return { messages, older: page.more };
      before = page.messages[0].id;
    }
  }

  /** Whether it was left, or has failed. */
  get ended() {
    return this.#state === 'left' || this.#state === 'failed';
  }

  #history(query, signal) {
    const { base, limit = HISTORY_MESSAGES } = this.#options;
    return readHistory(this.#pass, base, this.name, { limit, ...query }, signal);
  }

  /** Ends the current wait or request, and polls again to check the connection. */
  hurry() {
    this.#step.abort();
    this.#followed?.hurry();
  }

  #listen() {
    const { signal } = this.#life;
    let hiddenMs = 0;
    const whenSeen = () => {
      if (document.hidden) {
        hiddenMs = performance.now();
        return;
      }
      const long = performance.now() - hiddenMs > HIDDEN_LONG_MS;
      if (long || this.#state === 'retrying') this.#returned();
    };
    addEventListener('online', () => this.#returned(), { signal });
    addEventListener('offline', () => this.hurry(), { signal });
    addEventListener('pageshow', (event) => event.persisted && this.#returned(), { signal });
    globalThis.document?.addEventListener('visibilitychange', whenSeen, { signal });
  }

  /** The network may be back, or another one, or the computer may have slept. */
  #returned() {
    this.hurry();
    this.#sendWait.abort();
  }

  /** Reads the room, then follows it from there. */
  async #begin() {
    for (let failures = 1; !this.ended; ) {
      const { signal } = this.#step = new AbortController();
      try {
        const page = await gate.pass(() => this.#history({}, signal));
        if (this.ended) return;
        this.#take({ ...page, reset: true });
        if (!this.ended) this.#follow();
        return;
      } catch (problem) {
        if (this.ended) return;
        if (signal.aborted) continue;
        if (!problem.passing) return this.#end('failed', problem);
        this.#enter('retrying', problem);
        await patience(problem, failures++, [this.#life.signal], [signal]);
      }
    }
  }

  #follow() {
    this.#followed = this.#tabs.follow(this.name, this.#cursor, {
      page: (page) => this.#take(page),
      presence: this.#options.onPresence && ((presence) => this.#meet(presence)),
      trouble: (problem) => this.#enter('retrying', problem),
      refused: (problem) => this.#refused(problem),
      reset: () => this.#beginAgain(),
    });
  }

  #take(page) {
    this.#cursor = page.cursor;
    if (page.reset) {
      this.#sequence = new Sequence();
      const entries = page.messages.filter((entry) => this.#sequence.isNext(entry));
      this.#call('onHistory',
        { messages: entries.filter((entry) => this.#isMessage(entry)),
          older: hasOlder(entries, page.earliest), ephemeral: page.ephemeral === true });
    } else {
      if (page.gap) this.#call('onGap', page.earliest ?? null);
      for (const entry of page.messages) {
        if (this.ended) return;
        this.#deliver(entry);
      }
    }
    if (!this.ended) this.#enter('live');
  }

  /** A log has entries of other types too, and more in later versions. */
  #isMessage({ type }) {
    const { types = ['chat_message'] } = this.#options;
    return types.includes(type);
  }

  #deliver(entry) {
    if (!this.#isMessage(entry) && entry.saved === false) return this.#hear(entry);
    if (!this.#sequence.isNext(entry) || !this.#isMessage(entry)) return;
    this.#typing.end(entry.user_id);
    this.#call('onMessage', entry);
  }

  #hear(signal) {
    if (!this.#signals.isNew(signal)) return;
    if (signal.type === 'typing' && this.#options.onTyping) this.#typing.begin(signal);
    this.#call('onSignal', signal);
  }

  /** It comes again with each connection. */
  #meet(entry) {
    const presence = presenceOf(entry);
    const text = JSON.stringify(presence);
    if (this.ended || text === this.#here) return;
    this.#here = text;
    this.#call('onPresence', presence);
  }

  /** A server of another version refuses the cursor: the room begins afresh. */
  #refused(problem) {
    if (problem.type !== 'bad-cursor') return this.#end('failed', problem);
    this.#enter('retrying', problem);
    this.#beginAgain(problem);
  }

  /** All clients may be told to at once, so each waits for a moment. */
  async #beginAgain(problem = {}) {
    const { signal } = this.#step = new AbortController();
    await patience(problem, 1, [this.#life.signal], [signal]);
    this.#begin();
  }

  /** As it is when it is sent: what the site does to it later would be a conflict. */
  #bodyOf(message) {
    const { user } = this.#options;
    return JSON.stringify({ ...message, user_id: user?.id, username: user?.name });
  }

  /** Not aborted by leave(): a message already sent should arrive. */
  #postOnce(body, init) {
    return this.#pass.ask(address(this.#options.base, [this.name], 'messages'), {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body, ...init,
    });
  }

  async #post(body, signal, onRetry) {
    for (let failures = 1; ; failures++) {
      if (signal?.aborted) throw new LongroomError('aborted');
      if (this.ended) throw new LongroomError('left');
      try {
        const limitMs = Math.min(SEND_LIMIT_MS * 1.5 ** (failures - 1), SEND_LONGEST_MS);
        const saved = await this.#postOnce(body, { signal, limitMs });
        this.#signals.sent();
        if (this.#state === 'retrying') this.hurry();
        else this.#followed?.nudge(saved.id);
        return saved;
      } catch (problem) {
        this.#signals.heed(problem);
        if (!problem.passing) throw problem;
        if (onRetry) guarded(onRetry, problem);
        if (problem.type === 'no-answer' && this.#state === 'live') this.hurry();
        this.#sendWait = new AbortController();
        await patience(problem, failures, [this.#life.signal, signal], [this.#sendWait.signal]);
      }
    }
  }

  #end(state, problem) {
    this.#enter(state, problem);
    this.#life.abort();
    this.#step.abort();
    this.#followed?.leave();
    this.#typing.stop();
  }

  #enter(state, problem) {
    if (state === this.#state && state !== 'retrying') return;
    this.#state = state;
    if (state === 'live') this.#sendWait.abort();   // a good moment to try again
    this.#call('onState', state, problem);
  }

  #call(name, ...values) {
    if (this.#options[name]) guarded(this.#options[name], ...values, this);
  }
}

function hasOlder(messages, earliest) {
  const first = messages.find(({ id }) => typeof id === 'number');
  return typeof earliest === 'number' && (first === undefined || earliest < first.id);
}

/** An exception in a site's callback is reported, and does not end the room. */
function guarded(callback, ...values) {
  try {
    callback(...values);
  } catch (error) {
    queueMicrotask(() => { throw error; });
  }
}
