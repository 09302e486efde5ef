/**
 * The signals of a room: messages that are never stored, such as "ann is typing". Sent at
 * most every few seconds, and never again: a signal that is late is worth nothing. Only
 * typing need not wait after a message.
 */

import { newId } from './ids.js';
import { Sequence } from './sequence.js';

const EVERY_MS = 3000;          // of a type
const REFUSED_MS = 60_000;      // the server does not take them; it may be another one soon

export class Signals {
  #post;
  #name = newId();              // by which this room of this tab knows its own
  #number = 0;
  #nextMs = new Map();          // a type -> when the next may be sent
  #quietUntilMs = -Infinity;
  #sequence = new Sequence();   // not that of the messages: it remembers so many only

  /** @param {(body: object) => Promise} post  sends it once */
  constructor(post) {
    this.#post = post;
  }

  /** @returns {Promise<boolean>} whether it was sent */
  async send(type, data) {
    const now = performance.now();
    if (now < this.#quietUntilMs || now < this.#nextMs.get(type)) return false;
    this.#nextMs.set(type, now + EVERY_MS);
    try {
      await this.#post({ type, data, store: false, client_id: `${this.#name}.${++this.#number}` });
      return true;
    } catch (problem) {
      this.#rest(problem.passing ? problem.retryAfterMs : REFUSED_MS);
      return false;
    }
  }

  /** A message was sent. For the others it ends the typing, which may go on at once. */
  sent() {
    this.#nextMs.delete('typing');
  }

  /** What went wrong when a message was sent: the server may ask to wait. */
  heed({ status, retryAfterMs }) {
    if (status === 429) this.#rest(retryAfterMs);
  }

  /** Whether it is of others, and did not come before. */
  isNew(signal) {
    return !signal.client_id?.startsWith(this.#name) && this.#sequence.isNext(signal);
  }

  #rest(ms) {
    this.#quietUntilMs = Math.max(this.#quietUntilMs, performance.now() + ms);
  }
}
