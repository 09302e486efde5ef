/**
 * Rooms that are followed together: by one request at a time, from one cursor. Its
 * state; follower.js runs it.
 *
 * When rooms come or go, the request under way is given up, and the next one, with the
 * new list, asks after the same cursor. So whatever is delivered holds for all rooms
 * that the line had since the cursor before.
 */

import { sleep } from './waiting.js';

const TOGETHER_MS = 20;          // rooms that come or go within it cost one request
const PROBE_LIMIT_MS = 3000;     // of the first probe; each failure makes it longer
const PROBE_LONGEST_MS = 20_000;
const HURRY_MS = 1000;

export class Line {
  probe = false;                // when in doubt, poll without waiting
  doubt = null;                 // why a stream was given up, until a poll tells more
  failures = 0;                 // in a row
  resting = false;              // until it is its turn
  streams = false;              // a stream is open
  newestId = 0;                 // of the messages so far
  heardMs = -Infinity;          // when the stream last brought anything
  watched = new Set();          // rooms of which somebody wants to know who is here
  toldMs = -Infinity;           // when a request last told that
  attended = new Set();         // rooms in which a request has waited: the user is here
  step = new AbortController(); // the current request or wait
  life = new AbortController();
  #rooms = new Set();
  #changed = true;
  #hurriedMs = -Infinity;

  constructor(cursor) {
    this.cursor = cursor;
  }

  get ended() {
    return this.life.signal.aborted;
  }

  get size() {
    return this.#rooms.size;
  }

  /** In one order, whichever came first: so equal sets are equal requests. */
  get rooms() {
    return [...this.#rooms].sort();
  }

  add(room) {
    this.#rooms.add(room);
    this.#change();
  }

  remove(room) {
    this.drop(room);
    this.#change();
  }

  /** The server leaves a room out of its answers, this one included. */
  drop(room) {
    this.#rooms.delete(room);
    this.watched.delete(room);
    this.attended.delete(room);
  }

  /** A request with these rooms waits, or has waited. */
  attend(rooms) {
    for (const room of rooms) if (this.#rooms.has(room)) this.attended.add(room);
  }

  /** The request under way does not ask who is here; nor need one that asks be ended. */
  watch(room, wanted) {
    if (wanted === this.watched.has(room)) return;
    if (!wanted) {
      this.watched.delete(room);
      return;
    }
    this.watched.add(room);
    this.toldMs = -Infinity;
    this.#change();
  }

  #change() {
    this.#changed = true;
    this.step.abort();
  }

  /** Begins the next step, with the rooms as they are then. */
  async next() {
    if (this.#changed) await sleep(TOGETHER_MS, this.life.signal);
    this.#changed = false;
    this.step = new AbortController();
    return this.step.signal;
  }

  /** Waits for its turn. */
  async rest(turn) {
    this.resting = true;
    try {
      return await turn;
    } finally {
      this.resting = false;
    }
  }

  /**
   * A connection that died silently costs its whole limit, and the browser may have more
   * of the kind; on a slow network 3 s may be too short.
   */
  get probeLimitMs() {
    return Math.min(PROBE_LIMIT_MS * 1.5 ** Math.max(0, this.failures - 1), PROBE_LONGEST_MS);
  }

  /** Several tabs and rooms may report it at once. */
  hurry() {
    const now = performance.now();
    if (this.probe && now - this.#hurriedMs < HURRY_MS) return;
    this.#hurriedMs = now;
    this.probe = true;
    this.step.abort();
  }

  end() {
    this.life.abort();
    this.step.abort();
  }
}
