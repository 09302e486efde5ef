/**
 * One stream of the messages of rooms (PROTOCOL, Server-Sent Events), read by fetch():
 * EventSource can neither send a token nor tell a 403 from a lost connection. It is
 * handed on as the pages that polls would bring, each with the cursor of its end, so
 * whoever follows rooms need not know which of both it was.
 *
 * A stream may be broken by what stands between: a proxy that keeps everything until
 * the end, or that cuts it after a time. That shows as a LongroomError; it is `late` if
 * nothing came. Whether to go on with polls is for transport.js to say.
 */

import { EventParser } from './events.js';
import { LongroomError, address, answerOf } from './request.js';

const READY_MS = 4000;     // to the event "ready", which the server sends at once
const SILENCE_MS = 40_000; // the server sends at least a comment every 25 s

/**
 * Reads a stream to its end.
 * @param {import('./request.js').Pass} pass
 * @param {string|URL} [base]
 * @param {{rooms: string[], cursor: string, query: object}} line  what to follow, from
 *   where; the cursor is read again if the stream goes on with another token
 * @param {{signal: AbortSignal, onPage: (page) => void, onBytes: () => void}} owner
 * @returns {Promise<number>} the server has ended it: how many milliseconds to wait
 *   before the next. Rejects with a LongroomError if something else has.
 */
export async function readStream(pass, base, line, { signal, onPage, onBytes }) {
  const from = () => address(base, line.rooms, 'events', { after: line.cursor, ...line.query });
  const init = { signal, limitMs: READY_MS, headers: { Accept: 'text/event-stream' } };
  return pass.read(from, init, async (response, { limit }) => {
    await mustBeStream(response);
    return new Stream(onPage).read(response.body.getReader(), (ready) => {
      if (ready) limit(SILENCE_MS);
      onBytes();
    });
  });
}

async function mustBeStream(response) {
  const type = response.headers.get('Content-Type') ?? '';
  if (response.ok && /^text\/event-stream\b/i.test(type) && response.body) return;
  if (!response.ok || /^text\/html\b/i.test(type)) answerOf(response, await response.text());
  response.body?.cancel().catch(() => {});
  throw new LongroomError('no-stream', { status: response.status });
}

class Stream {
  #onPage;
  #parser = new EventParser();
  #ready = false;
  #page = null;      // of the events since the last page was handed on
  #endMs = null;     // the server has ended it

  constructor(onPage) {
    this.#onPage = onPage;
  }

  /** @param {(ready: boolean) => void} heard  is called after each piece */
  async read(reader, heard) {
    const decoder = new TextDecoder();
    try {
      while (this.#endMs === null) {
        const { done, value } = await reader.read();
        if (done) throw this.#lost();
        for (const event of this.#parsed(decoder.decode(value, { stream: true }))) {
          this.#take(event);
        }
        this.#handOn();
        heard(this.#ready);
      }
      return this.#endMs;
    } finally {
      reader.cancel().catch(() => {});
    }
  }

  #parsed(text) {
    try {
      return this.#parser.push(text);
    } catch (cause) {
      throw new LongroomError('no-answer', { detail: cause.message, cause });
    }
  }

  /** nginx answers so while the server is down: it asks to wait, and no more. */
  #lost() {
    const { retryMs } = this.#parser;
    return !this.#ready && retryMs !== null
      ? new LongroomError('unavailable', { status: 503, retryAfterMs: retryMs })
      : new LongroomError('no-answer', { detail: 'the stream has ended' });
  }

  #take({ type, data, id }) {
    const body = objectOf(data);
    if (type === 'problem') throw this.#problem(body);
    if (type === 'reset') this.#begin(id, { ...body, reset: true });
    else if (type === 'gap') this.#begin(id, { gap_rooms: body.rooms });
    else if (type === 'ready') this.#begin(id, body);
    else if (type === 'message') this.#pageTo(id).messages.push(body);
    else this.#pageTo(id);
    if (type === 'ready') this.#ready = true;
    if (type === 'end') this.#end(body);
  }

  #end({ reason }) {
    this.#handOn();
    // The same problem as that of a poll that ends so: another token, and on.
    if (reason === 'token-expired') throw new LongroomError(reason, { status: 401 });
    this.#endMs = this.#parser.retryMs ?? 0;
  }

  #problem({ type = 'unavailable', status = 503, detail, title }) {
    this.#handOn();
    const retryAfterMs = this.#parser.retryMs ?? 0;
    return new LongroomError(type, { status, detail: detail ?? title, retryAfterMs });
  }

  /** A page that tells more than messages comes after those before it. */
  #begin(id, more) {
    this.#handOn();
    const { gap_rooms, forbidden, reset, messages = [] } = more;
    this.#page = { ...(reset ? more : {}), messages, cursor: id };
    if (gap_rooms) Object.assign(this.#page, { gap: true, gap_rooms });
    if (forbidden) this.#page.forbidden = forbidden;
  }

  /** The page of an event that only goes on. */
  #pageTo(id) {
    this.#page ??= { messages: [], cursor: id };
    this.#page.cursor = id;
    return this.#page;
  }

  #handOn() {
    const page = this.#page;
    this.#page = null;
    if (page?.cursor) this.#onPage(page);
  }
}

function objectOf(data) {
  try {
    const value = JSON.parse(data);
    if (value && typeof value === 'object') return value;
  } catch { /* below */ }
  throw new LongroomError('no-answer', { detail: 'an event is not a JSON object' });
}
