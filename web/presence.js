/**
 * Who is here. The requests that follow rooms ask for it (presence=1), and bring it among
 * the messages: it is taken out here, because it has no place in the log. A request for
 * more than ten rooms may not ask. Then ten of them at a time are asked about by
 * themselves, in turns, so that a page of many rooms does not cost more than one of few.
 *
 * The user is here once a request waits in the room. Whoever asks before is told of the
 * others only, so a room's first turn comes when a stream is ready, or a poll has been
 * answered.
 */

import { LongroomError, address } from './request.js';
import { sleep } from './waiting.js';

const MOST_ROOMS = 10;         // PROTOCOL section 6
const ASK_MS = 10_000;
const FIRST_MS = 1000;         // while there are rooms that were not asked about
const OFF_MS = 10 * 60_000;    // the server does not tell

/**
 * @param {number} seconds  how long the request waits: each of many short ones would bring
 *   the same again
 * @returns {object} what a request of the line adds to its address
 */
export function presenceQuery(line, user, seconds) {
  if (line.watched.size === 0) return {};
  const due = seconds * 1000 >= ASK_MS || performance.now() - line.toldMs >= ASK_MS;
  return {
    presence: due && line.size <= MOST_ROOMS ? 1 : undefined,
    user_id: user?.id, username: user?.name,
  };
}

/**
 * @returns {number} how many seconds a poll may wait: one that is in new rooms should
 *   soon be answered, so that these have their turn
 */
export function longestFirst(line) {
  return isLong(line) && !isSubset(line.watched, line.attended) ? FIRST_MS / 1000 : Infinity;
}

/** @returns {object[]} without what is not true: in rooms that are followed somebody is */
export function withUser(entries) {
  return entries.filter(({ count }) => count > 0);
}

/** @returns {{page: object, presence: object[]}} the page without what is no message */
export function withoutPresence(page) {
  const presence = page.messages.filter(isPresence);
  if (presence.length === 0) return { page, presence };
  return { page: { ...page, messages: page.messages.filter((one) => !isPresence(one)) }, presence };
}

function isPresence({ type, id }) {
  return type === 'presence' && typeof id !== 'number';
}

/** @returns {Promise<object[]>} an entry for each room that may be read */
export async function readPresence(pass, base, rooms, signal) {
  const { rooms: entries } = await pass.ask(address(base, rooms, 'presence'), { signal });
  if (Array.isArray(entries) && entries.every((entry) => typeof entry?.count === 'number')) return entries;
  throw new LongroomError('no-answer', { detail: 'the answer does not say who is here' });
}

/** @returns {{count: number, anonymous: number, users?: object[]}} as sites get it */
export function presenceOf({ count, anonymous, users }) {
  return { count, anonymous, ...(users && { users }) };
}

/** Asks about the rooms of lines that have too many. */
export class Rounds {
  #ask;
  #tell;
  #lines = new Set();

  /**
   * @param {(rooms: string[], signal: AbortSignal) => Promise<object[]>} ask
   * @param {(entries: object[]) => void} tell
   */
  constructor(ask, tell) {
    this.#ask = ask;
    this.#tell = tell;
  }

  /** Begins, if the line needs it; ends when it does not. */
  async attend(line) {
    if (this.#lines.has(line)) return;
    this.#lines.add(line);
    const turns = new Turns();
    while (isLong(line)) await sleep(await this.#turn(line, turns), line.life.signal);
    this.#lines.delete(line);
  }

  /** @returns {Promise<number>} how many milliseconds to wait before the next */
  async #turn({ watched, attended, life: { signal } }, turns) {
    const rooms = turns.next(watched, attended);
    if (rooms.length === 0) return FIRST_MS;
    try {
      const entries = await this.#ask(rooms, signal);
      if (!signal.aborted) this.#tell(entries);
      return turns.isComplete(watched) ? ASK_MS : FIRST_MS;
    } catch (problem) {
      return problem.passing ? Math.max(ASK_MS, problem.retryAfterMs) : OFF_MS;
    }
  }
}

/** Whose turn it is. */
class Turns {
  #asked = new Set();   // rooms, the longest ago first

  next(watched, attended) {
    const ready = new Set([...watched].filter((room) => attended.has(room)));
    for (const room of this.#asked) if (!ready.has(room)) this.#asked.delete(room);
    const fresh = [...ready].filter((room) => !this.#asked.has(room));
    const rooms = [...fresh, ...this.#asked].slice(0, MOST_ROOMS);
    for (const room of rooms) {
      this.#asked.delete(room);
      this.#asked.add(room);
    }
    return rooms;
  }

  /** Whether all had one. */
  isComplete(watched) {
    return isSubset(watched, this.#asked);
  }
}

function isSubset(some, all) {
  return [...some].every((one) => all.has(one));
}

function isLong(line) {
  return !line.ended && line.watched.size > 0 && line.size > MOST_ROOMS;
}
