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
 * Entries of a type that is not known here are not handed over.
 *
 * A room is read once, then polled after the cursor of the last answer. The
 * cursor moves only when an answer was read whole, in the same breath in which
 * its messages are handed over: whatever dies in between is asked for again,
 * and nothing is handed over twice. Messages come in the order of the log, and
 * from the answers to polls only. Do not show what send() resolves to: it would
 * overtake others. It comes to onMessage too; its client_id tells which it is.
 *
 * What follows a room carries on over lost connections, restarts and a
 * sleeping computer, until leave() or until the server refuses (a 4xx): 401 and
 * 403 end it at once, and onState says so. A 429 is no refusal; the wait that it
 * asks for is kept. Where the network comes back, or the page is seen again after
 * a while, it asks at once whether all is well. It does not keep messages, and
 * knows nothing of how a site shows them.
 *
 * The tabs of a browser share polls where they ask with the same cookies: one of
 * them follows for all, and another does when that one ends (tabs.js). A token is its
 * tab's own. Over HTTP/1.1 at most three polls of a browser wait at once (turns.js).
 *
 * Who is asking is known by the site's cookies, if the server is on the page's
 * own origin; with `credentials: 'include'` on another, too; or by a token:
 *
 *   join(26, {
 *     base: 'https://chat.example.org/',
 *     token: () => fetch('/chat-token').then((answer) => answer.text()),
 *   });
 *
 * Needs fetch, AbortController and private class members; no library, but the
 * modules beside it.
 */

import { Follower } from './follower.js';
import { newId } from './ids.js';
import { LongroomError, Pass, address, pageOf } from './request.js';
import { Sequence } from './sequence.js';
import { tabsFor } from './tabs.js';
import { patience } from './waiting.js';

export { LongroomError, Sequence };

const HISTORY_MESSAGES = 50;
const HIDDEN_LONG_MS = 5000;     // time enough for a connection to die unseen
const SEND_LIMIT_MS = 10_000;    // longer than a database may be locked; then more
const SEND_LONGEST_MS = 20_000;

/**
 * A message, as in PROTOCOL section 3.
 * @typedef {{type: string, id: ?number, room_id: string, user_id: string,
 *            username: string, sender_type: string, content: string,
 *            timestamp: string, client_id?: string, saved?: false}} Message
 *
 * @typedef {'connecting'|'live'|'retrying'|'left'|'failed'} State
 *   connecting  the history was not read yet
 *   live        everything sent to the room arrives
 *   retrying    the connection is lost; tried again by itself
 *   left        leave() was called
 *   failed      the server refused; it is not tried again
 *
 * @typedef {object} Options
 * @property {string|URL} [base]  the address that has rooms/ below it; without
 *   it, the folder that this module is served from
 * @property {{id?: string, name?: string}} [user]  the sender, where the server
 *   takes the client's word for it (auth.mode = open)
 * @property {string|(() => ?string|Promise<?string>)} [token]  the token, for
 *   auth.mode = token. A function is asked for it before the first request, and
 *   again each time the server says that it has expired; then the request is
 *   repeated, a poll after the same cursor. It may give nothing: whoever is
 *   logged out has none, and where a cookie has the token, renewing that is
 *   enough. If it throws or takes too long it is asked again later (`no-token`).
 * @property {RequestCredentials} [credentials]  fetch's: 'include' sends cookies
 *   to another origin, whose auth.origins must list this one
 * @property {number} [limit]  how many messages of history to begin with
 *   (1 to 1000, default 50)
 * @property {number} [pollSeconds]  how long a poll waits for a message (1 to 55,
 *   default 25): less than the proxies on the way do. Where one answers 504 before
 *   twice, polls wait half as long from then on, but at least 5 s; so they stay.
 * @property {(page: {messages: Message[], older: boolean, ephemeral: boolean})
 *   => void} [onHistory]
 *   the room as it is: show this and nothing else. It comes first of all, and
 *   again if the server's log was replaced. `older`: room.older() has more.
 *   `ephemeral`: what is sent to this room is never stored.
 * @property {(message: Message) => void} [onMessage]  the next message
 * @property {(earliest: ?number) => void} [onGap]  messages after the last one
 *   were removed before they could be read; onMessage gives what is left
 * @property {(state: State, problem?: LongroomError) => void} [onState]
 */

/**
 * Joins a room: a number (26 is room_26) or a name.
 * @param {number|string} room
 * @param {Options} [options]
 * @returns {Room}
 */
export function join(room, options = {}) {
  return new Room(room, options);
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
  const url = address(base, room, 'messages', query);
  return pageOf(await pass.ask(url, { signal }));
}

/** @param {number|string} room  @returns {string} the name: 26 is room_26 */
export function roomName(room) {
  return typeof room === 'number' ? `room_${room}` : String(room);
}

/** A joined room. Made by join(). */
export class Room {
  #options;
  #pass;
  #followed = null;    // what tells the one that polls: leave(), hurry(), nudge()
  #state = 'connecting';
  #cursor = null;
  #sequence = new Sequence();
  #life = new AbortController();
  #step = new AbortController();   // the request or wait under way
  #lastSend = Promise.resolve();
  #sendWait = new AbortController();

  constructor(room, options) {
    /** The room's name. */
    this.name = roomName(room);
    this.#options = options;
    this.#pass = new Pass(options);
    this.#listen();
    this.#begin();
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /** Nothing is handed over after this, except onState('left'), at once. */
  leave() {
    if (!this.#ended) this.#end('left');
  }

  /**
   * Sends a message. Sends go out one after the other, in the order of the
   * calls. Where the answer is lost or is a 5xx, the same message is sent again
   * (the server takes a client_id once) until it is answered, the signal
   * aborts, or the room is left.
   * @param {string} content
   * @param {{clientId?: string, signal?: AbortSignal,
   *          onRetry?: (problem: LongroomError) => void}} [options]
   * @returns {Promise<Message>} as the server took it; saved: false says that it
   *   is in no history. Rejects with a LongroomError.
   */
  send(content, { clientId = newId(), signal, onRetry } = {}) {
    const answer = this.#lastSend.then(() =>
      this.#post(content, clientId, signal, onRetry));
    this.#lastSend = answer.catch(() => {});
    return answer;
  }

  /**
   * Reads what came before the message with the id `before`, the oldest that is
   * shown. Rejects with type `left` if the room was left, or shown anew by
   * onHistory, before the answer came.
   * @param {number} [before]  without it, the newest
   * @returns {Promise<{messages: Message[], older: boolean}>} oldest first
   */
  async older(before = this.#cursor) {
    const sequence = this.#sequence;
    for (;;) {
      const page = await this.#history({ before }, this.#life.signal)
        .catch((problem) => { throw this.#ended ? new LongroomError('left') : problem; });
      if (this.#ended || sequence !== this.#sequence || page.reset) throw new LongroomError('left');
      const messages = page.messages.filter(isMessage);
      if (messages.length > 0 || !page.more) return { messages, older: page.more };
      before = page.messages[0].id;
    }
  }

  get #ended() {
    return this.#state === 'left' || this.#state === 'failed';
  }

  #history(query, signal) {
    const { base, limit = HISTORY_MESSAGES } = this.#options;
    return readHistory(this.#pass, base, this.name, { limit, ...query }, signal);
  }

  /** Ends the wait or request under way, and asks again to see how it is. */
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

  /** Reads the room as it is, then follows it from there. */
  async #begin() {
    for (let failures = 1; !this.#ended; ) {
      const { signal } = this.#step = new AbortController();
      try {
        const page = await this.#history({}, signal);
        if (this.#ended) return;
        this.#take({ ...page, reset: true });
        if (!this.#ended) this.#follow();
        return;
      } catch (problem) {
        if (this.#ended) return;
        if (signal.aborted) continue;
        if (!problem.passing) return this.#end('failed', problem);
        this.#enter('retrying', problem);
        await patience(problem, failures++, [this.#life.signal], [signal]);
      }
    }
  }

  #follow() {
    const polls = tabsFor(this.#options) ?? new Alone(this.#pass, this.#options);
    this.#followed = polls.follow(this.name, this.#cursor, {
      page: (page) => this.#take(page),
      trouble: (problem) => this.#enter('retrying', problem),
      refused: (problem) => this.#refused(problem),
    });
  }

  #take(page) {
    this.#cursor = page.cursor;
    if (page.reset) {
      this.#sequence = new Sequence();
      const entries = page.messages.filter((entry) => this.#sequence.isNext(entry));
      this.#call('onHistory',
        { messages: entries.filter(isMessage), older: hasOlder(entries, page.earliest),
          ephemeral: page.ephemeral === true });
    } else {
      if (page.gap) this.#call('onGap', page.earliest);
      for (const entry of page.messages) {
        if (this.#ended) return;
        if (this.#sequence.isNext(entry) && isMessage(entry)) this.#call('onMessage', entry);
      }
    }
    if (!this.#ended) this.#enter('live');
  }

  /** A cursor is refused by a server of another version: the room begins anew. */
  async #refused(problem) {
    if (problem.type !== 'bad-cursor') return this.#end('failed', problem);
    const { signal } = this.#step = new AbortController();
    this.#enter('retrying', problem);
    await patience(problem, 1, [this.#life.signal], [signal]);
    this.#begin();
  }

  async #post(content, clientId, signal, onRetry) {
    const { base, user } = this.#options;
    const body = JSON.stringify({
      content, client_id: clientId, user_id: user?.id, username: user?.name,
    });
    for (let failures = 1; ; failures++) {
      if (signal?.aborted) throw new LongroomError('aborted');
      if (this.#ended) throw new LongroomError('left');
      try {
        // Not stopped by leave(): what was sent should arrive.
        const message = await this.#pass.ask(address(base, this.name, 'messages'), {
          method: 'POST', headers: { 'Content-Type': 'application/json' },
          body, signal,
          limitMs: Math.min(SEND_LIMIT_MS * 1.5 ** (failures - 1), SEND_LONGEST_MS),
        });
        if (this.#state === 'retrying') this.hurry();
        else this.#followed?.nudge();
        return message;
      } catch (problem) {
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
  }

  #enter(state, problem) {
    if (state === this.#state && state !== 'retrying') return;
    this.#state = state;
    if (state === 'live') this.#sendWait.abort();   // a good moment to try again
    this.#call('onState', state, problem);
  }

  #call(name, ...values) {
    if (this.#options[name]) guarded(this.#options[name], ...values);
  }
}

/** A log has entries of other types too, and more in later versions. */
function isMessage({ type }) {
  return type === 'chat_message';
}

/** Polls for one room, where that is not shared with others; see Tabs.follow(). */
class Alone {
  #pass;
  #options;

  constructor(pass, options) {
    this.#pass = pass;
    this.#options = options;
  }

  follow(room, cursor, { page, trouble, refused }) {
    const follower = new Follower(this.#pass, this.#options, {
      onPage: (_, next) => page(next),
      onTrouble: (_, problem) => trouble(problem),
      onRefused: (_, problem) => refused(problem),
    });
    follower.add(room, cursor);
    return {
      leave: () => follower.remove(room),
      hurry: () => follower.hurry(room),
      nudge: () => follower.nudge(room),
    };
  }
}

function hasOlder(messages, earliest) {
  const first = messages.find(({ id }) => typeof id === 'number');
  return typeof earliest === 'number' && (first === undefined || earliest < first.id);
}

/** A mistake in a caller's function is reported, and does not end the room. */
function guarded(callback, ...values) {
  try {
    callback(...values);
  } catch (error) {
    queueMicrotask(() => { throw error; });
  }
}
