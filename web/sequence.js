/**
 * Order, and nothing twice: which messages of those that arrive are to be shown.
 */

const REMEMBERED_SENDS = 1000;

/**
 * Tells which messages are to be shown, in the order of arrival. Ids only grow,
 * so what is not above the last one was shown. Messages without an id are known
 * again by sender and client_id: a repeated send may reach a room twice when
 * the server could not save it the first time, or the second.
 */
export class Sequence {
  #lastId = 0;
  #sends = new Map();   // sender and client_id -> whether it had an id

  /** @param {Message} message  @returns {boolean} */
  isNext(message) {
    const saved = typeof message.id === 'number';
    if (saved && message.id <= this.#lastId) return false;
    if (saved) this.#lastId = message.id;
    return !this.#isRepeated(message, saved);
  }

  #isRepeated({ user_id, client_id }, saved) {
    if (client_id === undefined) return false;
    const key = JSON.stringify([user_id, client_id]);
    const before = this.#sends.get(key);
    this.#sends.set(key, saved || before === true);
    if (this.#sends.size > REMEMBERED_SENDS) {
      this.#sends.delete(this.#sends.keys().next().value);
    }
    return before !== undefined && !(saved && before);
  }
}
