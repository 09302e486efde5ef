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
 * asks for is kept. It does not keep messages, and knows nothing of how a site
 * shows them.
 *
 * Who is asking is known by the site's cookies, if the server is on the page's
 * own origin; with `credentials: 'include'` on another, too; or by a token:
 *
 *   join(26, {
 *     base: 'https://chat.example.org/',
 *     token: () => fetch('/chat-token').then((answer) => answer.text()),
 *   });
 *
 * Needs fetch, AbortController and private class members; no library.
 */

const POLL_SECONDS = 25;
const POLL_MARGIN_MS = 10_000;   // then the connection is dead, whatever it says
const ANSWER_LIMIT_MS = 20_000;  // the same for history and for sending
const BODY_LIMIT_MS = 60_000;    // from the answer's head to its end
const BACKOFF_FIRST_MS = 500;
const BACKOFF_LONGEST_MS = 30_000;
const RETRY_AFTER_LONGEST_MS = 3_600_000;
const RENEWAL_MS = 1000;         // a token that expires sooner never was good
const HISTORY_MESSAGES = 50;
const REMEMBERED_SENDS = 1000;

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
 * @property {(page: {messages: Message[], older: boolean}) => void} [onHistory]
 *   the room as it is: show this and nothing else. It comes first of all, and
 *   again if the server's log was replaced. `older`: room.older() has more.
 * @property {(message: Message) => void} [onMessage]  the next message
 * @property {(earliest: ?number) => void} [onGap]  messages after the last one
 *   were removed before they could be read; onMessage gives what is left
 * @property {(state: State, problem?: LongroomError) => void} [onState]
 */

/** What went wrong, in a form to switch on. */
export class LongroomError extends Error {
  /**
   * @param {string} type  a problem type of PROTOCOL section 8, or one of:
   *   no-token     the option `token`, a function, gives none: asked again later
 *   no-answer    no connection, no answer in time, or not Longroom's
   *   unavailable  a 5xx without a problem type: something before the server
   *   refused      the same for a 4xx
   *   left         the room was left meanwhile
   *   aborted      by the caller's signal
   */
  constructor(type, { detail = type, status = 0, retryAfterMs = 0, cause } = {}) {
    super(detail, { cause });
    this.name = 'LongroomError';
    this.type = type;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same request may succeed later. */
  get passing() {
    return ['no-token', 'no-answer', 'unavailable'].includes(this.type)
      || this.status >= 500 || [408, 425, 429].includes(this.status);
  }
}

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
  return readHistory(new Pass({ token, credentials }), base, room, query, signal);
}

async function readHistory(pass, base, room, query, signal) {
  const url = address(base, room, 'messages', query);
  return pageOf(await pass.ask(url, { signal, limitMs: ANSWER_LIMIT_MS }));
}

/** @param {number|string} room  @returns {string} the name: 26 is room_26 */
export function roomName(room) {
  return typeof room === 'number' ? `room_${room}` : String(room);
}

/** A joined room. Made by join(). */
export class Room {
  #options;
  #pass;
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
    turns.enter(this);
    this.#listen();
    this.#follow();
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
  send(content, { clientId = newClientId(), signal, onRetry } = {}) {
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
  }

  #listen() {
    const { signal } = this.#life;
    const whenRetrying = () => {
      if (!document.hidden && this.#state === 'retrying') this.hurry();
    };
    const whenThawed = (event) => event.persisted && this.hurry();
    addEventListener('online', () => { this.hurry(); this.#sendWait.abort(); }, { signal });
    addEventListener('offline', () => this.hurry(), { signal });
    addEventListener('pageshow', whenThawed, { signal });
    globalThis.document?.addEventListener('visibilitychange', whenRetrying, { signal });
  }

  async #follow() {
    let failures = 0;
    let probe = false;
    while (!this.#ended) {
      const { signal } = this.#step = new AbortController();
      try {
        const page = await (this.#cursor === null
          ? this.#load(signal) : this.#poll(signal, probe));
        if (this.#ended) return;
        failures = 0;
        probe = false;
        this.#take(page);
        if (page.pauseMs > 0) await sleep(page.pauseMs, signal);
      } catch (problem) {
        if (this.#ended) return;
        probe = true;
        if (signal.aborted) continue;
        await this.#recover(problem, ++failures, signal);
      }
    }
  }

  async #load(signal) {
    return { ...await this.#history({}, signal), whole: true };
  }

  /** `probe`: when in doubt, ask without waiting, to know that all is well. */
  async #poll(signal, probe) {
    const { base } = this.#options;
    await turns.take(this, signal);
    try {
      const seconds = probe ? 0 : turns.seconds(this);
      const url = address(base, this.name, 'poll', { after: this.#cursor, timeout: seconds });
      const start = performance.now();
      const page = pageOf(await this.#pass.ask(url,
        { signal, limitMs: seconds * 1000 + POLL_MARGIN_MS }));
      const early = page.messages.length === 0 && !page.reset
        && performance.now() - start < seconds * 900;
      return { ...page, whole: page.reset, pauseMs: pauseMs(page, early) };
    } finally {
      turns.give(this);
    }
  }

  #take(page) {
    this.#cursor = page.cursor;
    if (page.whole) {
      this.#sequence = new Sequence();
      const entries = page.messages.filter((entry) => this.#sequence.isNext(entry));
      this.#call('onHistory',
        { messages: entries.filter(isMessage), older: hasOlder(entries, page.earliest) });
    } else {
      if (page.gap) this.#call('onGap', page.earliest);
      for (const entry of page.messages) {
        if (this.#ended) return;
        if (this.#sequence.isNext(entry) && isMessage(entry)) this.#call('onMessage', entry);
      }
    }
    if (!this.#ended) this.#enter('live');
  }

  async #recover(problem, failures, signal) {
    if (problem.type === 'bad-cursor') {
      this.#cursor = null;         // a server of another version: begin anew
    } else if (!problem.passing) {
      this.#end('failed', problem);
      return;
    }
    this.#enter('retrying', problem);
    await patience(problem, failures, [this.#life.signal], [signal]);
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
          body, signal, limitMs: ANSWER_LIMIT_MS,
        });
        if (this.#state === 'retrying') this.hurry();
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
    turns.exit(this);
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

/**
 * Says who is asking, in each request. A room has its own, for the next one that
 * is joined may be somebody else's.
 */
class Pass {
  #token;
  #credentials;
  #given = null;   // a promise of the token in use
  #renewedMs = -Infinity;

  constructor({ token, credentials }) {
    this.#token = token;
    this.#credentials = credentials;
  }

  /** One request; again with another token if its own had expired. */
  async ask(url, init) {
    for (;;) {
      if (init.signal?.aborted) throw new LongroomError('aborted');
      const given = this.#given ??= this.#get();
      try {
        return await request(url, { ...init, token: given, credentials: this.#credentials });
      } catch (problem) {
        if (problem.type === 'no-token') this.#drop(given);
        if (problem.type !== 'token-expired' || !this.#renew(given)) throw problem;
      }
    }
  }

  async #get() {
    return typeof this.#token === 'function' ? this.#token() : this.#token;
  }

  /** What was asked for meanwhile, by a poll or by a send, is not asked for twice. */
  #drop(given) {
    if (given === this.#given) this.#given = null;
  }

  /** False where it is in vain: the last was new, and expired all the same. */
  #renew(given) {
    if (typeof this.#token !== 'function') return false;
    if (given !== this.#given) return true;
    if (performance.now() - this.#renewedMs < RENEWAL_MS) return false;
    this.#given = this.#get();
    // The time that it takes to get one is not its life.
    const renewed = () => { this.#renewedMs = performance.now(); };
    this.#given.then(renewed, renewed);
    return true;
  }
}

/**
 * Tells which messages are to be shown, in the order of arrival. Ids only grow,
 * so what is not above the last one was shown. Messages without an id are known
 * again by sender and client_id: a repeated send may reach a room twice when
 * the server could not save it the first time, or the second.
 */
export class Sequence {
  #lastId = 0;
  #sends = new Map();   // sender and client_id -> whether it had an id

  /** @param {Message} message  @returns {boolean} */
  isNext(message) {
    const saved = typeof message.id === 'number';
    if (saved && message.id <= this.#lastId) return false;
    if (saved) this.#lastId = message.id;
    return !this.#isRepeated(message, saved);
  }

  #isRepeated({ user_id, client_id }, saved) {
    if (client_id === undefined) return false;
    const key = JSON.stringify([user_id, client_id]);
    const before = this.#sends.get(key);
    this.#sends.set(key, saved || before === true);
    if (this.#sends.size > REMEMBERED_SENDS) {
      this.#sends.delete(this.#sends.keys().next().value);
    }
    return before !== undefined && !(saved && before);
  }
}

/**
 * Over HTTP/1.1 a browser opens six connections to a site, for all its tabs
 * together, and a waiting poll fills one: a page with six rooms could not send.
 * So at most two of a page's polls wait at once; with more rooms than that they
 * take turns, a second each. HTTP/2 has no such limit, and there is no turn.
 */
const turns = {
  rooms: new Set(),
  free: 2,
  crowd: 2,
  queue: [],
  holders: new Set(),

  enter(room) {
    this.rooms.add(room);
    if (this.rooms.size === this.crowd + 1) {
      for (const holder of this.holders) holder.hurry();
    }
  },

  exit(room) {
    this.rooms.delete(room);
  },

  seconds(room) {
    return this.holders.has(room) && this.rooms.size > this.crowd ? 1 : POLL_SECONDS;
  },

  async take(room, signal) {
    if (multiplexed()) return;
    if (this.free > 0) this.free--;
    else await this.wait(signal);
    this.holders.add(room);
  },

  wait(signal) {
    return new Promise((resolve, reject) => {
      this.queue.push(resolve);
      signal.addEventListener('abort', () => {
        const place = this.queue.indexOf(resolve);
        if (place < 0) return;
        this.queue.splice(place, 1);
        reject(new LongroomError('aborted'));
      });
    });
  },

  give(room) {
    if (!this.holders.delete(room)) return;
    const next = this.queue.shift();
    if (next) next();
    else this.free++;
  },
};

function multiplexed() {
  const page = performance.getEntriesByType('navigation')[0];
  return /^h[23]/.test(page?.nextHopProtocol ?? '');
}

/** One request, to its end: the JSON of a 2xx, or else a LongroomError. */
async function request(url, { signal, limitMs, token, headers, ...init }) {
  const control = new AbortController();
  const stop = () => control.abort();
  signal?.addEventListener('abort', stop);
  let timer = setTimeout(stop, limitMs);
  let missing = 'no-token';
  let response;
  let text;
  try {
    const bearer = await orAborted(token, control.signal);
    missing = 'no-answer';
    const who = bearer ? { Authorization: `Bearer ${bearer}` } : {};
    // no-store also keeps two tabs from queueing for one entry of the cache.
    response = await fetch(url, {
      ...init, headers: { ...headers, ...who }, cache: 'no-store', signal: control.signal,
    });
    clearTimeout(timer);
    timer = setTimeout(stop, BODY_LIMIT_MS);
    text = await response.text();
  } catch (cause) {
    throw new LongroomError(signal?.aborted ? 'aborted' : missing, { cause });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
  return answerOf(response, text);
}

/** What a promise gives, or an error as soon as the signal aborts. */
function orAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    promise.then(resolve, reject);
    signal.addEventListener('abort', reject);
  });
}

function answerOf(response, text) {
  const body = parsed(text);
  if (response.ok && body) return body;
  if (response.ok) throw new LongroomError('no-answer', { detail: 'the answer is not JSON' });
  const { status } = response;
  throw new LongroomError(body?.type ?? (status < 500 ? 'refused' : 'unavailable'), {
    status,
    detail: body?.detail ?? body?.title,
    retryAfterMs: retryAfterMs(response.headers.get('Retry-After') ?? ''),
  });
}

/** Seconds, or a date. */
function retryAfterMs(text) {
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return ms > 0 ? Math.min(ms, RETRY_AFTER_LONGEST_MS) : 0;
}

function parsed(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

function pageOf(body) {
  if (Array.isArray(body.messages) && typeof body.cursor === 'string') return body;
  throw new LongroomError('no-answer', { detail: 'the answer is not a page of messages' });
}

/** A log has entries of other types too, and more in later versions. */
function isMessage({ type }) {
  return type === 'chat_message';
}

function hasOlder(messages, earliest) {
  const first = messages.find(({ id }) => typeof id === 'number');
  return typeof earliest === 'number' && (first === undefined || earliest < first.id);
}

/**
 * An empty answer before its time says that the server is ending. The wait it
 * asks for is as good as another; without one, all should not come back at once.
 */
function pauseMs({ retry_ms }, early) {
  if (typeof retry_ms === 'number') return Math.min(retry_ms, BACKOFF_LONGEST_MS);
  return early ? Math.random() * 1000 : 0;
}

/**
 * The wait before another try: what the server asks for, which only `ends` cut
 * short, and a time drawn at random, which any of the signals does.
 */
async function patience({ retryAfterMs }, failures, ends, wakers) {
  if (retryAfterMs > 0) await sleep(retryAfterMs, ...ends);
  const ceiling = Math.min(BACKOFF_FIRST_MS * 2 ** (failures - 1), BACKOFF_LONGEST_MS);
  await sleep(ceiling * (0.5 + Math.random() / 2), ...ends, ...wakers);
}

/** Waits, but no longer than until one of the signals aborts. */
function sleep(ms, ...signals) {
  const wakers = signals.filter(Boolean);
  return new Promise((resolve) => {
    const timer = setTimeout(wake, ms);
    function wake() {
      clearTimeout(timer);
      for (const waker of wakers) waker.removeEventListener('abort', wake);
      resolve();
    }
    for (const waker of wakers) {
      waker.addEventListener('abort', wake);
      if (waker.aborted) wake();
    }
  });
}

function address(base, room, path, query = {}) {
  const name = roomName(room);
  // No URL can carry these: a browser would ask for another path.
  if (/^\.{0,2}$/.test(name)) throw new LongroomError('bad-room-name', { status: 400 });
  const folder = new URL(base ?? '.', base ? globalThis.document?.baseURI : import.meta.url);
  if (!folder.pathname.endsWith('/')) folder.pathname += '/';
  const url = new URL(`rooms/${encodeURIComponent(name)}/${path}`, folder);
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null) url.searchParams.set(key, value);
  }
  return url;
}

/** randomUUID is there on https and localhost only. */
function newClientId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A mistake in a caller's function is reported, and does not end the room. */
function guarded(callback, ...values) {
  try {
    callback(...values);
  } catch (error) {
    queueMicrotask(() => { throw error; });
  }
}
