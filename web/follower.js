/**
 * Follows rooms by polls: each from a cursor, page by page, across lost connections and
 * restarts, until it is removed or the server refuses.
 *
 * A room's cursor moves when an answer was read completely, in the same step in which
 * the page is delivered: whatever fails in between is requested again, and no page is
 * delivered twice. What is done with a page is up to the owner.
 *
 * It takes a set of rooms and has a poll for each. If the server later answers for
 * several rooms in one poll, this is the place for it.
 */

import { address, folderOf, pageOf } from './request.js';
import { turnsFor } from './turns.js';
import { BACKOFF_LONGEST_MS, patience, sleep } from './waiting.js';

const POLL_MARGIN_MS = 10_000;   // after that the connection counts as dead
const POLL_SECONDS = 25;
const LONGEST_POLL_SECONDS = 55; // PROTOCOL section 6
const SHORTEST_POLL_SECONDS = 5; // unless the site asks for less
const PROBE_LIMIT_MS = 3000;     // of the first probe; each failure makes it longer
const PROBE_LONGEST_MS = 20_000;
const HURRY_MS = 1000;
const CUT_STATUSES = [504, 524];
const CUTS_TO_BELIEVE = 2;

/** One poll: the page after the cursor, waiting this long for it. */
export async function readPage(pass, base, room, cursor, { seconds = 0, limitMs, signal }) {
  const url = address(base, room, 'poll', { after: cursor, timeout: seconds });
  return pageOf(await pass.ask(url, { signal, limitMs }));
}

export class Follower {
  #pass;
  #base;
  #owner;
  #length;
  #turns;
  #lines = new Map();   // a room's name -> Line

  /**
   * @param {import('./request.js').Pass} pass
   * @param {{base?: string|URL, pollSeconds?: number}} options  join()'s
   * @param {object} owner  is told
   *   onPage(room, page, after)  the next page, which follows that cursor
   *   onTrouble(room, problem)   a poll failed; it is tried again
   *   onRefused(room, problem)   the server refused; the room is no longer followed
   */
  constructor(pass, { base, pollSeconds }, owner) {
    this.#pass = pass;
    this.#base = base;
    this.#owner = owner;
    this.#length = new PollLength(pollSeconds);
    this.#turns = turnsFor(folderOf(base).origin);
  }

  add(room, cursor) {
    const line = new Line(room, cursor);
    this.#lines.set(room, line);
    this.#turns.enter(line);
    this.#run(line);
  }

  remove(room) {
    const line = this.#lines.get(room);
    if (!line) return;
    this.#lines.delete(room);
    this.#turns.exit(line);
    line.end();
  }

  /** Ends the current wait or request, and polls again to check the connection. */
  hurry(room) {
    this.#lines.get(room)?.hurry();
  }

  /** A room that waits for its turn polls now. */
  nudge(room) {
    const line = this.#lines.get(room);
    if (line?.resting) line.hurry();
  }

  /** Stops following all rooms. */
  close() {
    for (const room of [...this.#lines.keys()]) this.remove(room);
  }

  async #run(line) {
    const { room } = line;
    while (!line.ended) {
      const { signal } = line.step = new AbortController();
      try {
        const { page, pauseMs, restMs } = await this.#poll(line, signal);
        if (line.ended) return;
        const after = line.cursor;
        line.failures = 0;
        line.probe = false;
        line.cursor = page.cursor;
        this.#owner.onPage(room, page, after);
        if (pauseMs > 0) await sleep(pauseMs, signal);
        if (restMs > 0 && !page.more) await line.rest(sleep(restMs, signal));
      } catch (problem) {
        if (line.ended) return;
        line.probe = true;
        if (signal.aborted) continue;
        if (!problem.passing) {
          this.remove(room);
          this.#owner.onRefused(room, problem);
          return;
        }
        this.#owner.onTrouble(room, problem);
        await patience(problem, ++line.failures, [line.life.signal], [signal]);
      }
    }
  }

  async #poll(line, signal) {
    if (line.probe) return this.#ask(line, 0, signal);
    const place = await line.rest(this.#turns.take(line, signal));
    try {
      const seconds = Math.min(this.#length.seconds, place.seconds);
      return { ...await this.#ask(line, seconds, signal), restMs: place.restMs };
    } finally {
      place.give();
    }
  }

  async #ask(line, seconds, signal) {
    const limitMs = line.probe ? line.probeLimitMs : seconds * 1000 + POLL_MARGIN_MS;
    const start = performance.now();
    const waitedMs = () => performance.now() - start;
    try {
      const page = await readPage(this.#pass, this.#base, line.room, line.cursor,
        { seconds, limitMs, signal });
      const early = page.messages.length === 0 && !page.reset && waitedMs() < seconds * 900;
      return { page, pauseMs: pauseMs(page, early), restMs: 0 };
    } catch (problem) {
      this.#length.note(problem, seconds, waitedMs());
      throw problem;
    }
  }
}

/**
 * How long a poll waits. A proxy on the way may not wait that long, and answers 504 in
 * the server's place: after two of these, polls wait half as long. They do not grow
 * again: short polls cost some requests, but each attempt at a longer one would cost
 * as much as a lost connection.
 */
class PollLength {
  #cuts = 0;

  constructor(seconds = POLL_SECONDS) {
    this.seconds = Math.min(Math.max(Math.round(seconds), 1), LONGEST_POLL_SECONDS);
  }

  note({ status }, seconds, waitedMs) {
    // A 504 at once means that the server is down.
    const cut = CUT_STATUSES.includes(status) && waitedMs > 1000 && waitedMs < seconds * 1000;
    if (!cut || ++this.#cuts < CUTS_TO_BELIEVE) return;
    this.#cuts = 0;
    const half = Math.max(Math.ceil(seconds / 2), SHORTEST_POLL_SECONDS);
    this.seconds = Math.min(this.seconds, half);
  }
}

/** A room that is followed, and its position. */
class Line {
  probe = false;                // when in doubt, poll without waiting
  failures = 0;                 // in a row
  hurriedMs = -Infinity;
  resting = false;              // until it is its turn
  step = new AbortController(); // the current request or wait
  life = new AbortController();

  constructor(room, cursor) {
    this.room = room;
    this.cursor = cursor;
  }

  get ended() {
    return this.life.signal.aborted;
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

  /** Several tabs may report it at once. */
  hurry() {
    const now = performance.now();
    if (this.probe && now - this.hurriedMs < HURRY_MS) return;
    this.hurriedMs = now;
    this.probe = true;
    this.step.abort();
  }

  end() {
    this.life.abort();
    this.step.abort();
  }
}

/**
 * An empty answer before its time means that the server is shutting down. The wait
 * that it asks for is as good as any; without one, a random wait spreads the clients.
 */
function pauseMs({ retry_ms }, early) {
  if (typeof retry_ms === 'number') return Math.min(retry_ms, BACKOFF_LONGEST_MS);
  return early ? Math.random() * 1000 : 0;
}
