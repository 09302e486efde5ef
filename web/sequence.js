/**
 * Order, and nothing twice: which of the arriving messages are shown.
 */

const REMEMBERED_SENDS = 1000;

/**
 * Decides which messages are shown, in the order of arrival. Ids only grow, so an id
 * that is not above the last one was shown. Messages without an id are recognised by
 * sender and client_id: a repeated send may reach a room twice if the server could not
 * save it the first time, or the second.
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

/**
 * Messages without an id and without a client_id, in two answers that overlap: those
 * shown from the first are left out of the second.
 */
export class Overlap {
  #shown = new Map();   // a message's fields -> how often it was shown

  /** @param {Message[]} messages  of the first */
  show(messages) {
    for (const message of messages.filter(isNameless)) {
      const key = keyOf(message);
      this.#shown.set(key, (this.#shown.get(key) ?? 0) + 1);
      if (this.#shown.size > REMEMBERED_SENDS) this.#shown.delete(this.#shown.keys().next().value);
    }
  }

  /** @param {Message[]} messages  of the second  @returns {Message[]} the new ones */
  without(messages) {
    if (this.#shown.size === 0) return messages;
    return messages.filter((message) => !isNameless(message) || !this.#take(keyOf(message)));
  }

  #take(key) {
    const times = this.#shown.get(key);
    if (!times) return false;
    if (times === 1) this.#shown.delete(key);
    else this.#shown.set(key, times - 1);
    return true;
  }
}

function isNameless({ id, client_id }) {
  return typeof id !== 'number' && client_id === undefined;
}

function keyOf({ user_id, timestamp, content }) {
  return JSON.stringify([user_id, timestamp, content]);
}
