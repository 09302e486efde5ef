/**
 * Which streams and polls may wait at the same time.
 *
 * Over HTTP/1.1 a browser opens six connections to a server, for all its tabs together,
 * and a stream or a waiting poll takes one: with six, no page loads and nothing is sent.
 * So at most three of a browser's wait at once. HTTP/2 has no such limit, and then there
 * are no turns.
 *
 * Places are Web Locks: the browser releases those of a tab that closes or crashes. If
 * more want to wait than there are places, each polls for a second, then goes to the end
 * of the queue.
 *
 * On plain http (except localhost), and in old browsers, there are no Web Locks; and if a
 * site has no storage rights they are denied. Pages then tell each other how many lines
 * they follow. With more than three, or if they cannot tell, no poll waits: each asks,
 * and pauses for a second.
 *
 * A place is {seconds, restMs, give()}: how long the request may wait (a stream needs
 * Infinity), how long to rest after it, and what to call at its end.
 */

import { newId } from './ids.js';
import { LongroomError } from './request.js';

const PLACES = 3;
const TURN_SECONDS = 1;
const WISH_MS = 1000;            // how often a poll without a place says so
const CROWDED_MS = 5000;         // how long a wish is remembered
const PATIENCE_MS = 5000;        // a place is released by then, or its tab is frozen
const REST_MS = 1000;
const REST_A_LINE_MS = 100;      // a page with very many lines polls 10 times a second
const TELL_MS = 20_000;
const FORGET_MS = 90_000;        // timers of hidden pages run once a minute

const kept = new Map();

/** The turns of all requests to this server. Lines are those of line.js. */
export function turnsFor(origin) {
  if (!kept.has(origin)) kept.set(origin, newTurns(origin));
  return kept.get(origin);
}

function newTurns(origin) {
  if (isMultiplexed(origin)) return new FreeTurns();
  return globalThis.navigator?.locks ? new LockTurns(origin) : new CountedTurns(origin);
}

/** How a page of this origin was loaded shows the protocol; for others it is unknown. */
function isMultiplexed(origin) {
  if (origin !== globalThis.location?.origin) return false;
  const page = performance.getEntriesByType('navigation')[0];
  return /^h[23]/.test(page?.nextHopProtocol ?? '');
}

class FreeTurns {
  enter() {}

  exit() {}

  async take() {
    return { seconds: Infinity, restMs: 0, give() {} };
  }
}

class LockTurns {
  #origin;
  #denied = null;      // the turns to take when locks are denied
  #lines = new Set();
  #queue;
  #places;
  #channel;
  #long = new Set();   // lines that wait for longer than a turn
  #crowdedUntilMs = -Infinity;

  constructor(origin) {
    this.#origin = origin;
    this.#queue = `longroom queue ${origin}`;
    this.#places = Array.from({ length: PLACES }, (_, n) => `longroom place ${n} ${origin}`);
    this.#channel = openChannel(`longroom turns ${origin}`, () => this.#giveWay());
  }

  enter(line) {
    this.#lines.add(line);
    this.#denied?.enter(line);
  }

  exit(line) {
    this.#lines.delete(line);
    this.#denied?.exit(line);
  }

  async take(line, signal) {
    if (this.#denied) return this.#denied.take(line);
    const give = await this.#place(line, signal);
    if (!give) {
      this.#deny();
      return this.#denied.take(line);
    }
    if (performance.now() < this.#crowdedUntilMs) return { seconds: TURN_SECONDS, restMs: 0, give };
    this.#long.add(line);
    const giveLong = () => {
      this.#long.delete(line);
      give();
    };
    return { seconds: Infinity, restMs: 0, give: giveLong };
  }

  #deny() {
    if (this.#denied) return;
    this.#denied = new CountedTurns(this.#origin);
    for (const line of this.#lines) this.#denied.enter(line);
  }

  /** The first in the queue waits for a place, the others behind it; null if denied. */
  async #place(line, signal) {
    let leaveQueue;
    try {
      leaveQueue = await hold(this.#queue, { signal });
      for (const name of this.#places) {
        const give = await hold(name, { ifAvailable: true }, line);
        if (give) return give;
      }
      return await this.#next(line, signal);
    } catch (error) {
      if (signal.aborted) throw new LongroomError('aborted');
      if (error.name === 'SecurityError') return null;
      throw error;
    } finally {
      leaveQueue?.();
    }
  }

  async #next(line, signal) {
    const wish = () => {
      this.#giveWay();
      this.#channel?.postMessage(0);
    };
    const wishing = setInterval(wish, WISH_MS);
    const others = new AbortController();
    const stop = () => others.abort();
    signal.addEventListener('abort', stop);
    wish();
    try {
      return await firstOf(this.#places, others, line);
    } finally {
      signal.removeEventListener('abort', stop);
      clearInterval(wishing);
    }
  }

  #giveWay() {
    this.#crowdedUntilMs = performance.now() + CROWDED_MS;
    for (const line of this.#long) line.hurry();
  }
}

/** Waits for one of these locks, and then for none of the others. */
function firstOf(names, others, line) {
  return new Promise((resolve, reject) => {
    let taken = false;
    const take = (name, options) => {
      hold(name, options, line).then((give) => {
        if (taken) return give();
        taken = true;
        clearTimeout(robbery);
        others.abort();
        return resolve(give);
      }, (error) => !taken && reject(error));
    };
    const rob = () => take(names[Math.floor(Math.random() * names.length)], { steal: true });
    const robbery = setTimeout(rob, PATIENCE_MS);
    others.signal.addEventListener('abort', () => clearTimeout(robbery));
    for (const name of names) take(name, { signal: others.signal });
  });
}

/**
 * Holds a Web Lock.
 * @param {object} [line]  is hurried if the lock is stolen from it
 * @returns {Promise<?() => void>} releases it; null if it was not available
 */
export function hold(name, options, line) {
  return new Promise((resolve, reject) => {
    let held = false;
    navigator.locks.request(name, options, (lock) => {
      if (!lock) return resolve(null);
      held = true;
      return new Promise(resolve);
    }).catch((error) => (held ? line?.hurry() : reject(error)));
  });
}

class CountedTurns {
  #id = newId();
  #lines = new Set();
  #long = new Set();
  #others = new Map();   // a page's id -> how many lines it has ("rooms"), and when it said so
  #channel;

  constructor(origin) {
    this.#channel = openChannel(`longroom count ${origin}`, (told) => this.#hear(told));
    setInterval(() => this.#tell(), TELL_MS);
    addEventListener('pagehide', () => this.#tell(0));
    addEventListener('pageshow', (event) => event.persisted && this.#tell());
  }

  enter(line) {
    this.#lines.add(line);
    this.#tell(this.#lines.size, this.#lines.size === 1);
    this.#giveWay();
  }

  exit(line) {
    this.#lines.delete(line);
    this.#long.delete(line);
    this.#tell();
  }

  async take(line) {
    if (!this.#isCrowded()) {
      this.#long.add(line);
      return { seconds: Infinity, restMs: 0, give: () => this.#long.delete(line) };
    }
    const restMs = Math.max(REST_MS, this.#lines.size * REST_A_LINE_MS);
    return { seconds: 0, restMs: restMs * (0.75 + Math.random() / 2), give() {} };
  }

  #isCrowded() {
    if (!this.#channel) return true;
    const now = performance.now();
    let rooms = this.#lines.size;
    for (const other of this.#others.values()) {
      if (now - other.toldMs < FORGET_MS) rooms += other.rooms;
    }
    return rooms > PLACES;
  }

  #giveWay() {
    if (!this.#isCrowded()) return;
    for (const line of this.#long) line.hurry();
  }

  /** `asking`: the others shall report too. */
  #tell(rooms = this.#lines.size, asking = false) {
    this.#channel?.postMessage({ id: this.#id, rooms, asking });
  }

  #hear({ id, rooms, asking }) {
    if (rooms > 0) this.#others.set(id, { rooms, toldMs: performance.now() });
    else this.#others.delete(id);
    if (asking) this.#tell();
    this.#giveWay();
  }
}

/** Null if there is none, or none for us. */
export function openChannel(name, onMessage) {
  try {
    const channel = new BroadcastChannel(name);
    channel.onmessage = ({ data }) => onMessage(data);
    return channel;
  } catch {
    return null;
  }
}
