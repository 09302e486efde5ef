/**
 * Who is typing, as far as signals tell: for some seconds after each, and no longer than
 * to the message.
 */

const TYPING_MS = 6000;
const MOST_PEOPLE = 50;   // more at once are nobody's conversation

export class Typing {
  #people = new Map();    // a user's id -> {name, timer}
  #tell;

  /** @param {(people: {user_id: string, username: string}[]) => void} tell  on changes */
  constructor(tell) {
    this.#tell = tell;
  }

  /** A signal of this user says so. */
  begin({ user_id: id, username: name }) {
    const known = this.#people.get(id);
    if (!known && this.#people.size >= MOST_PEOPLE) return;
    clearTimeout(known?.timer);
    this.#people.set(id, { name, timer: setTimeout(() => this.end(id), TYPING_MS) });
    if (known?.name !== name) this.#change();
  }

  /** The user's message has come, or nothing any more. */
  end(id) {
    const known = this.#people.get(id);
    if (!known) return;
    clearTimeout(known.timer);
    this.#people.delete(id);
    this.#change();
  }

  /** Tells nothing any more. */
  stop() {
    for (const { timer } of this.#people.values()) clearTimeout(timer);
    this.#people.clear();
  }

  #change() {
    this.#tell([...this.#people].map(([id, { name }]) => ({ user_id: id, username: name })));
  }
}
