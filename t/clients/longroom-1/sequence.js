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
 * Messages without an id and without a client_id, when pages overlap: those shown before
 * are left out of what comes again. Only then: two such messages may be alike.
 */
export class Overlap {
  #shown = new Map();   // a message's fields -> how often it was shown, the latest last
  #due = new Map();     // how often each may come again

  /** From here on, what was shown may come again. */
  begin() {
    this.#due = new Map(this.#shown);
  }

  /** What is to come follows what was shown. */
  end() {
    this.#due.clear();
  }

  /** @param {Message[]} messages  of a page that overlaps with none before */
  show(messages) {
    for (const message of messages.filter(isNameless)) {
      const key = keyOf(message);
      for (const counts of [this.#shown, this.#due]) count(counts, key);
    }
  }

  /** @param {Message[]} messages  of the next page  @returns {Message[]} the new ones */
  without(messages) {
    const fresh = messages.filter((message) => !isNameless(message) || !this.#take(keyOf(message)));
    for (const message of fresh.filter(isNameless)) count(this.#shown, keyOf(message));
    return fresh;
  }

  #take(key) {
    const times = this.#due.get(key);
    if (!times) return false;
    this.#due.set(key, times - 1);
    return true;
  }
}

function count(counts, key) {
  const times = counts.get(key) ?? 0;
  counts.delete(key);
  counts.set(key, times + 1);
  if (counts.size > REMEMBERED_SENDS) counts.delete(counts.keys().next().value);
}

function isNameless({ id, client_id }) {
  return typeof id !== 'number' && client_id === undefined;
}

function keyOf({ user_id, timestamp, content }) {
  return JSON.stringify([user_id, timestamp, content]);
}
