/**
 * Follows rooms by polls: each from a cursor, page by page, over lost connections
 * and restarts, until it is removed or the server refuses.
 *
 * A room's cursor moves when an answer was read whole, in the same breath in which
 * the page is handed over: whatever dies in between is asked for again, and no
 * page is handed over twice. What is made of a page is the owner's business.
 *
 * It takes a set of rooms and has a poll for each. Once the server answers for
 * several rooms in one poll, this is the place for that.
 */

import { address, pageOf } from './request.js';
import { turns } from './turns.js';
import { BACKOFF_LONGEST_MS, patience, sleep } from './waiting.js';

const POLL_MARGIN_MS = 10_000;   // then the connection is dead, whatever it says
const POLL_SECONDS = 25;
const LONGEST_POLL_SECONDS = 55; // PROTOCOL section 6
const SHORTEST_POLL_SECONDS = 5; // unless the site asks for less
const PROBE_LIMIT_MS = 3000;     // of the first one; each that fails makes it longer
const PROBE_LONGEST_MS = 20_000;
const CUT_STATUSES = [504, 524];
const CUTS_TO_BELIEVE = 2;

export class Follower {
  #pass;
  #base;
  #owner;
  #length;
  #lines = new Map();   // a room's name -> Line

  /**
   * @param {import('./request.js').Pass} pass
   * @param {{base?: string|URL, pollSeconds?: number}} options  join()'s
   * @param {object} owner  is told
   *   onPage(room, page)         the next page
   *   onTrouble(room, problem)   a poll failed; it is tried again
   *   onRefused(room, problem)   the server refused; the room is no longer followed
   */
  constructor(pass, { base, pollSeconds }, owner) {
    this.#pass = pass;
    this.#base = base;
    this.#owner = owner;
    this.#length = new PollLength(pollSeconds);
  }

  add(room, cursor) {
    const line = new Line(room, cursor);
    this.#lines.set(room, line);
    turns.enter(line);
    this.#run(line);
  }

  remove(room) {
    const line = this.#lines.get(room);
    if (!line) return;
    this.#lines.delete(room);
    turns.exit(line);
    line.end();
  }

  /** Ends the wait or request under way, and asks again to see how it is. */
  hurry(room) {
    this.#lines.get(room)?.hurry();
  }

  async #run(line) {
    const { room } = line;
    while (!line.ended) {
      const { signal } = line.step = new AbortController();
      try {
        const page = await this.#poll(line, signal);
        if (line.ended) return;
        line.failures = 0;
        line.probe = false;
        line.cursor = page.cursor;
        this.#owner.onPage(room, page);
        if (page.pauseMs > 0) await sleep(page.pauseMs, signal);
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
    await turns.take(line, signal);
    try {
      const seconds = line.probe ? 0 : turns.seconds(line, this.#length.seconds);
      return await this.#ask(line, seconds, signal);
    } finally {
      turns.give(line);
    }
  }

  async #ask(line, seconds, signal) {
    const url = address(this.#base, line.room, 'poll', { after: line.cursor, timeout: seconds });
    const limitMs = line.probe ? line.probeLimitMs : seconds * 1000 + POLL_MARGIN_MS;
    const start = performance.now();
    const waitedMs = () => performance.now() - start;
    try {
      const page = pageOf(await this.#pass.ask(url, { signal, limitMs }));
      const early = page.messages.length === 0 && !page.reset && waitedMs() < seconds * 900;
      return { ...page, pauseMs: pauseMs(page, early) };
    } catch (problem) {
      this.#length.note(problem, seconds, waitedMs());
      throw problem;
    }
  }
}

/**
 * How long a poll waits. A proxy on the way may not wait so long, and answers 504
 * in the server's place: where that happens twice, polls wait half as long. They
 * do not grow again: short ones cost some requests, a try would cost each time
 * what a lost connection costs.
 */
class PollLength {
  #cuts = 0;

  constructor(seconds = POLL_SECONDS) {
    this.seconds = Math.min(Math.max(Math.round(seconds), 1), LONGEST_POLL_SECONDS);
  }

  note({ status }, seconds, waitedMs) {
    // A 504 at once tells of a server that is away.
    const cut = CUT_STATUSES.includes(status) && waitedMs > 1000 && waitedMs < seconds * 1000;
    if (!cut || ++this.#cuts < CUTS_TO_BELIEVE) return;
    this.#cuts = 0;
    const half = Math.max(Math.ceil(seconds / 2), SHORTEST_POLL_SECONDS);
    this.seconds = Math.min(this.seconds, half);
  }
}

/** A room that is followed, and how far. */
class Line {
  probe = false;                // when in doubt, ask without waiting
  failures = 0;                 // in a row
  step = new AbortController(); // the request or wait under way
  life = new AbortController();

  constructor(room, cursor) {
    this.room = room;
    this.cursor = cursor;
  }

  get ended() {
    return this.life.signal.aborted;
  }

  /**
   * A connection that has died in silence costs its whole limit, and the browser
   * may have some more of the kind; on a slow network 3 s may be too little.
   */
  get probeLimitMs() {
    return Math.min(PROBE_LIMIT_MS * 1.5 ** Math.max(0, this.failures - 1), PROBE_LONGEST_MS);
  }

  hurry() {
    this.probe = true;
    this.step.abort();
  }

  end() {
    this.life.abort();
    this.step.abort();
  }
}

/**
 * An empty answer before its time says that the server is ending. The wait it
 * asks for is as good as another; without one, all should not come back at once.
 */
function pauseMs({ retry_ms }, early) {
  if (typeof retry_ms === 'number') return Math.min(retry_ms, BACKOFF_LONGEST_MS);
  return early ? Math.random() * 1000 : 0;
}
