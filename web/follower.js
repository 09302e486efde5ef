/**
 * Follows rooms from a cursor, page by page, across lost connections and restarts, until
 * they are removed or the server refuses.
 *
 * All rooms share a connection and a cursor, up to as many as one request may name (more
 * take further ones, each with its cursor). It is a stream, or a poll that is repeated
 * (transport.js). The cursor moves in the same step in which a page is delivered:
 * whatever fails in between is requested again, and no page is delivered twice. What is
 * done with a page is up to the owner.
 *
 * After a failure the first request is a poll that does not wait. So is the one that
 * tells whether a stream broke because the server is down, or because of what stands
 * between.
 */

import { Line } from './line.js';
import { Rounds, longestFirst, presenceQuery, readPresence, withUser, withoutPresence } from './presence.js';
import { LongroomError, address, folderOf, pageOf } from './request.js';
import { readStream } from './stream.js';
import { transportFor } from './transport.js';
import { turnsFor } from './turns.js';
import { BACKOFF_LONGEST_MS, patience, sleep } from './waiting.js';

const POLL_MARGIN_MS = 10_000;   // after that the connection counts as dead
const POLL_SECONDS = 25;
const LONGEST_POLL_SECONDS = 55; // PROTOCOL section 6
const SHORTEST_POLL_SECONDS = 5; // unless the site asks for less
const CUT_STATUSES = [504, 524];
const CUTS_TO_BELIEVE = 2;
const MOST_ROOMS = 100;          // in one request, unless the server allows fewer
const TOO_MANY_STATUSES = [400, 414, 431];
const NO_STREAM_STATUSES = [404, 405, 406, 501];
const ECHO_MS = 3000;            // what was sent has come back by then

/** One poll: the page after the cursor, waiting this long for it. */
export async function readPage(pass, base, rooms, cursor, { seconds = 0, limitMs, signal, query }) {
  const url = address(base, rooms, 'poll', { after: cursor, timeout: seconds, ...query });
  return pageOf(await pass.ask(url, { signal, limitMs }));
}

export class Follower {
  #pass;
  #base;
  #user;
  #owner;
  #length;
  #turns;
  #transport;
  #lines = new Map();   // a room's name -> its Line
  #rounds;
  #mostRooms = MOST_ROOMS;

  /**
   * @param {import('./request.js').Pass} pass
   * @param {{base?: string|URL, pollSeconds?: number, transport?: string,
   *          user?: object}} options  join()'s; the user is named only with watch()
   * @param {object} owner  is told
   *   onPage(rooms, page, after)   the next page of these rooms, which follows that
   *                                cursor
   *   onTrouble(rooms, problem)    a request failed; it is tried again
   *   onRefused(room, problem)     the server refused; the room is no longer followed
   *   onPresence(entries)          who is here, in watched rooms and maybe in others
   */
  constructor(pass, { base, pollSeconds, transport, user }, owner) {
    const { origin } = folderOf(base);
    this.#pass = pass;
    this.#base = base;
    this.#user = user;
    this.#owner = owner;
    this.#length = new PollLength(pollSeconds);
    this.#turns = turnsFor(origin);
    this.#transport = transportFor(origin, transport);
    this.#rounds = new Rounds((rooms, signal) => readPresence(pass, base, rooms, signal),
      (entries) => owner.onPresence(withUser(entries)));
  }

  /** Follows a room, from the cursor if it is the first; else see place(). */
  add(room, cursor) {
    if (this.#lines.has(room)) return;
    const lines = new Set(this.#lines.values());
    const spare = [...lines].find(({ size }) => size < this.#mostRooms);
    if (spare) this.#enlist(room, spare);
    else this.#begin([room], cursor);
  }

  /** Whether to tell who is in the room; if it was not watched, anew. */
  watch(room, wanted) {
    const line = this.#lines.get(room);
    line?.watch(room, wanted);
    if (line) this.#rounds.attend(line);
  }

  /** The cursor behind which everything of the room will be delivered. */
  place(room) {
    return this.#lines.get(room)?.cursor;
  }

  remove(room) {
    const line = this.#lines.get(room);
    if (!line) return;
    this.#lines.delete(room);
    line.remove(room);
    if (line.size === 0) this.#end(line);
  }

  /** Ends the current wait or request, and polls to check the connection. */
  hurry(room) {
    this.#lines.get(room)?.hurry();
  }

  /**
   * A message was sent: it should come back. A room that waits for its turn polls now.
   * @param {?number} id  the message's
   */
  nudge(room, id) {
    const line = this.#lines.get(room);
    if (line?.resting) line.hurry();
    else if (line?.streams && id > line.newestId) this.#awaitEcho(line);
  }

  /** Stops following all rooms. */
  close() {
    for (const room of [...this.#lines.keys()]) this.remove(room);
  }

  // ---------------------------------------------------------- lines

  #begin(rooms, cursor) {
    const line = new Line(cursor);
    for (const room of rooms) this.#enlist(room, line);
    this.#turns.enter(line);
    this.#run(line);
  }

  #enlist(room, line) {
    this.#lines.set(room, line);
    line.add(room);
  }

  #end(line) {
    this.#turns.exit(line);
    line.end();
  }

  async #run(line) {
    while (!line.ended) {
      const signal = await line.next();
      if (line.ended) return;
      try {
        const { pauseMs, restMs } = await this.#round(line, signal);
        if (pauseMs > 0) {
          line.attended.clear();   // a server that shuts down forgets who is here
          await sleep(pauseMs, signal);
        }
        if (restMs > 0) await line.rest(sleep(restMs, signal));
      } catch (problem) {
        if (line.ended) return;
        if (!signal.aborted) await this.#fail(line, problem, signal);
      }
    }
  }

  async #fail(line, problem, signal) {
    line.probe = true;
    line.attended.clear();
    if (!problem.passing) {
      if (!this.#split(line, problem)) this.#refuse(line, problem);
      return;
    }
    this.#owner.onTrouble(line.rooms, problem);
    await patience(problem, ++line.failures, [line.life.signal], [signal]);
  }

  #refuse(line, problem) {
    for (const room of line.rooms) {
      this.remove(room);
      this.#owner.onRefused(room, problem);
    }
  }

  /** A server, or a proxy, may not allow as many rooms in one request. */
  #split(line, { type, status }) {
    if (line.size === 1 || type === 'bad-cursor' || !TOO_MANY_STATUSES.includes(status)) return false;
    this.#mostRooms = Math.ceil(line.size / 2);
    const others = line.rooms.slice(this.#mostRooms);
    const watched = others.filter((room) => line.watched.has(room));
    for (const room of others) line.remove(room);
    this.#begin(others, line.cursor);
    for (const room of watched) this.watch(room, true);
    return true;
  }

  // ---------------------------------------------------------- requests

  /** @returns {Promise<{pauseMs: number, restMs: number}>} how long to wait after it */
  async #round(line, signal) {
    if (line.probe) return this.#poll(line, 0, signal);
    const place = await line.rest(this.#turns.take(line, signal));
    try {
      if (place.seconds === Infinity && this.#transport.streams) {
        return await this.#stream(line, signal);
      }
      const seconds = Math.min(this.#length.seconds, place.seconds, longestFirst(line));
      const { pauseMs, more } = await this.#poll(line, seconds, signal);
      return { pauseMs, restMs: more ? 0 : place.restMs };
    } finally {
      place.give();
    }
  }

  async #poll(line, seconds, signal) {
    const limitMs = line.probe ? line.probeLimitMs : seconds * 1000 + POLL_MARGIN_MS;
    const start = performance.now();
    const { rooms, probe } = line;
    const query = presenceQuery(line, this.#user, seconds);
    let all;
    try {
      all = await readPage(this.#pass, this.#base, rooms, line.cursor, { seconds, limitMs, signal, query });
    } catch (problem) {
      line.doubt = null;
      this.#length.note(problem, seconds, performance.now() - start);
      throw problem;
    }
    const early = isEmpty(all) && performance.now() - start < seconds * 900;
    if (signal.aborted) return {};
    if (!probe) line.attend(rooms);
    const page = this.#deliver(line, rooms, all);
    this.#decide(line, page);
    return { pauseMs: pauseMs(page, early), restMs: 0, more: page.more };
  }

  async #stream(line, signal) {
    const start = performance.now();
    const { rooms } = line;
    let ready = false;
    line.streams = true;
    try {
      const query = presenceQuery(line, this.#user, Infinity);
      const from = { rooms, query, get cursor() { return line.cursor; } };
      const endMs = await readStream(this.#pass, this.#base, from, {
        signal,
        onBytes: () => { line.heardMs = performance.now(); },
        onPage: (page) => {
          if (signal.aborted) return;
          ready = true;
          line.attend(rooms);
          this.#deliver(line, rooms, page);
        },
      });
      this.#transport.ended();
      return { pauseMs: endMs, restMs: 0 };
    } catch (problem) {
      if (signal.aborted || !this.#isBroken(line, problem, ready, performance.now() - start)) throw problem;
      return {};
    } finally {
      line.streams = false;
    }
  }

  /** @returns {object} the page without what tells who is here */
  #deliver(line, rooms, all) {
    const { page, presence } = withoutPresence(all);
    const after = line.cursor;
    line.failures = 0;
    line.probe = false;
    line.cursor = page.cursor;
    for (const { id } of page.messages) if (id > line.newestId) line.newestId = id;
    for (const room of page.forbidden ?? []) this.#forbid(line, room);
    this.#owner.onPage(rooms, { ...page, several: rooms.length > 1 }, after);
    if (presence.length > 0) line.toldMs = performance.now();
    this.#owner.onPresence(withUser(presence));
    return page;
  }

  #forbid(line, room) {
    if (this.#lines.get(room) !== line) return;
    this.#lines.delete(room);
    line.drop(room);
    if (line.size === 0) this.#end(line);
    this.#owner.onRefused(room, new LongroomError('forbidden', { status: 403 }));
  }

  // ---------------------------------------------------------- broken streams

  /** @returns {boolean} whether to go on without telling anybody */
  #isBroken(line, problem, ready, afterMs) {
    if (this.#transport.firm) return false;
    const { type, status, late } = problem;
    if (['no-stream', 'refused'].includes(type) || NO_STREAM_STATUSES.includes(status)) {
      this.#transport.giveUp();
      return true;
    }
    if (type !== 'no-answer') return false;
    line.doubt = { afterMs, silent: late, sure: late && !ready };
    line.probe = true;
    return line.doubt.sure;
  }

  /** A poll works where a stream did not. */
  #decide(line, page) {
    const { doubt } = line;
    line.doubt = null;
    if (!doubt) return;
    if (doubt.sure || (doubt.silent && page.messages.length > 0)) this.#transport.giveUp();
    else this.#transport.lost(doubt.afterMs);
  }

  /** A stream that does not bring what was sent may be held back on the way. */
  #awaitEcho(line) {
    const { signal } = line.step;
    const askedMs = performance.now();
    setTimeout(() => {
      if (signal.aborted || line.heardMs >= askedMs) return;
      if (!this.#transport.firm) line.doubt = { afterMs: 0, silent: true, sure: false };
      line.hurry();
    }, ECHO_MS);
  }
}

function isEmpty({ messages, reset, more, forbidden }) {
  return messages.length === 0 && !reset && !more && !forbidden;
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

/**
 * An empty answer before its time means that the server is shutting down. The wait
 * that it asks for is as good as any; without one, a random wait spreads the clients.
 */
function pauseMs({ retry_ms }, early) {
  if (typeof retry_ms === 'number') return Math.min(retry_ms, BACKOFF_LONGEST_MS);
  return early ? Math.random() * 1000 : 0;
}
