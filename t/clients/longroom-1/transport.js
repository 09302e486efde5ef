/**
 * Streams or polls: which of both to follow rooms by.
 *
 * Streams, unless the browser cannot read them or something on the way breaks them: a
 * proxy that answers itself, that keeps everything until the end, or that cuts
 * connections again and again. Then polls, for some minutes, and streams are tried
 * again; each time that fails, the next attempt is put off for longer, because it may
 * cost seconds in which nothing arrives. A server that is down proves nothing, so a
 * stream is given up only if a poll works in its place (follower.js).
 */

const AGAIN_MS = 5 * 60_000;
const AGAIN_LONGEST_MS = 60 * 60_000;
const STRIKES = 3;               // streams in a row that were lost early
const LONG_MS = 60_000;          // not early

const kept = new Map();

/**
 * @param {string} origin  the server's: what is learned of the way there holds for all
 * @param {'auto'|'stream'|'poll'} [wish]  the site's
 */
export function transportFor(origin, wish = 'auto') {
  if (wish === 'poll') return new Always(false);
  if (wish === 'stream') return new Always(true);
  if (!kept.has(origin)) kept.set(origin, canRead() ? new Either() : new Always(false));
  return kept.get(origin);
}

function canRead() {
  return typeof ReadableStream === 'function' && 'body' in Response.prototype;
}

class Always {
  firm = true;

  constructor(streams) {
    this.streams = streams;
  }

  ended() {}
}

class Either {
  firm = false;
  #strikes = 0;
  #pollsUntilMs = -Infinity;
  #nextMs = AGAIN_MS;

  get streams() {
    return performance.now() >= this.#pollsUntilMs;
  }

  /** The server has ended a stream itself, so it came through. */
  ended() {
    this.#strikes = 0;
    this.#nextMs = AGAIN_MS;
  }

  /** A stream was lost after so long, and a poll works. */
  lost(afterMs) {
    if (afterMs >= LONG_MS) this.#strikes = 0;
    else if (++this.#strikes >= STRIKES) this.giveUp();
  }

  /** Polls take over. */
  giveUp() {
    this.#strikes = 0;
    this.#pollsUntilMs = performance.now() + this.#nextMs;
    this.#nextMs = Math.min(this.#nextMs * 2, AGAIN_LONGEST_MS);
  }
}
