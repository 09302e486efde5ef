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
const PROBE_LIMIT_MS = 3000;     // of the first one; each that fails makes it longer
const PROBE_LONGEST_MS = 20_000;

export class Follower {
  #pass;
  #base;
  #owner;
  #lines = new Map();   // a room's name -> Line

  /**
   * @param {import('./request.js').Pass} pass
   * @param {string|URL} [base]
   * @param {object} owner  is told
   *   onPage(room, page)         the next page
   *   onTrouble(room, problem)   a poll failed; it is tried again
   *   onRefused(room, problem)   the server refused; the room is no longer followed
   */
  constructor(pass, base, owner) {
    this.#pass = pass;
    this.#base = base;
    this.#owner = owner;
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
      const seconds = line.probe ? 0 : turns.seconds(line, POLL_SECONDS);
      const url = address(this.#base, line.room, 'poll', { after: line.cursor, timeout: seconds });
      const start = performance.now();
      const limitMs = line.probe ? line.probeLimitMs : seconds * 1000 + POLL_MARGIN_MS;
      const page = pageOf(await this.#pass.ask(url, { signal, limitMs }));
      const early = page.messages.length === 0 && !page.reset
        && performance.now() - start < seconds * 900;
      return { ...page, pauseMs: pauseMs(page, early) };
    } finally {
      turns.give(line);
    }
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
