/**
 * What a tab has written and the server has not yet answered: messages under way, and
 * drafts. It is kept in the tab's sessionStorage, so it survives a reload, a crash of
 * the tab, and a log-in in between, but not the tab.
 *
 * A message is sent again with its first client_id, so it is saved once, even if its
 * first answer was lost, or if two tabs have it because one was duplicated from the
 * other. The page decides whether it may be sent without asking: another user may be
 * logged in by now.
 */

const KEY = 'longroom.outbox';
const MOST_SENDS = 50;
const MOST_DRAFTS = 10;
const MOST_CHARACTERS = 300_000;   // in total; a browser allows a site some millions
const KEPT_MS = 24 * 3_600_000;

export class Outbox {
  #sends = [];    // {room, user, clientId, content, refused, atMs}, oldest first
  #drafts = [];   // {room, user, content, atMs}
  #stored = true;

  constructor() {
    let kept = null;
    try {
      kept = JSON.parse(sessionStorage.getItem(KEY));
    } catch { /* denied, or another's */ }
    this.#sends = young(kept?.sends);
    this.#drafts = young(kept?.drafts);
  }

  /** Whether closing the page would lose something: it did not fit, or is denied. */
  get atRisk() {
    return !this.#stored && this.#sends.length + this.#drafts.length > 0;
  }

  /** This user's messages under way to this room. */
  sends(room, user) {
    return this.#sends.filter((send) => send.room === room && send.user === user);
  }

  add(room, user, clientId, content) {
    this.#remove(clientId);
    this.#sends.push({ room, user, clientId, content, refused: false, atMs: Date.now() });
    this.#store();
  }

  /** It was answered, or is abandoned. */
  drop(clientId) {
    if (this.#remove(clientId)) this.#store();
  }

  /** The server refused it: it is kept until the user decides. */
  refuse(clientId) {
    const send = this.#sends.find((one) => one.clientId === clientId);
    if (!send) return;
    send.refused = true;
    this.#store();
  }

  draft(room, user) {
    return this.#drafts.find((draft) => draft.room === room && draft.user === user)?.content ?? '';
  }

  setDraft(room, user, content) {
    this.#drafts = this.#drafts.filter((draft) => draft.room !== room || draft.user !== user);
    if (content) this.#drafts.push({ room, user, content, atMs: Date.now() });
    this.#drafts = this.#drafts.slice(-MOST_DRAFTS);
    this.#store();
  }

  #remove(clientId) {
    const before = this.#sends.length;
    this.#sends = this.#sends.filter((send) => send.clientId !== clientId);
    return this.#sends.length < before;
  }

  /** All or nothing: the previous state stays if the new one does not fit. */
  #store() {
    const text = JSON.stringify({ sends: this.#sends, drafts: this.#drafts });
    this.#stored = this.#sends.length <= MOST_SENDS && text.length <= MOST_CHARACTERS;
    if (!this.#stored) return;
    try {
      sessionStorage.setItem(KEY, text);
    } catch {
      this.#stored = false;   // denied, or full
    }
  }
}

function young(entries) {
  if (!Array.isArray(entries)) return [];
  return entries.filter((entry) => typeof entry?.content === 'string'
    && typeof entry.room === 'string' && Date.now() - entry.atMs < KEPT_MS);
}
