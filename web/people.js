/**
 * The people of the shown room: how many are here, a list of them that opens below the
 * room's name, and who is typing. While the connection is lost, it says who was here.
 *
 * A screen reader is told who is typing, but not each time that they pause and go on.
 */

const SAID_MS = 30_000;   // what was said is not said again so soon
const MOST_NAMES = 2;     // of those who are typing

export class People {
  #button;
  #panel;
  #list;
  #typing;
  #isOwn;
  #open = false;          // the user wants the list, if the room has one
  #here = '';             // what the list shows, as text
  #said = { names: '', atMs: -Infinity };

  /**
   * @param {{button: Element, panel: Element, list: Element, typing: Element, frame: Element,
   *          isOwn: (person) => boolean}} parts  the button opens the panel with the list;
   *   Escape in the frame closes it
   */
  constructor({ button, panel, list, typing, frame, isOwn }) {
    this.#button = button;
    this.#panel = panel;
    this.#list = list;
    this.#typing = typing;
    this.#isOwn = isOwn;
    button.addEventListener('click', () => this.#setOpen(!this.#open));
    frame.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || panel.hidden) return;
      this.#setOpen(false);
      button.focus();
    });
  }

  /**
   * @param {?import('./longroom.js').Presence} presence  null: it is not known
   * @param {boolean} live  it is still true, as far as the page can tell
   */
  showHere(presence, live) {
    this.#button.hidden = presence === null;
    // Without names there is nothing to open.
    this.#button.disabled = !presence?.users;
    this.#setOpen(this.#open);
    const text = JSON.stringify([presence, live]);
    if (text === this.#here) return;
    this.#here = text;
    this.#button.textContent = presence ? hereWords(presence, live) : '';
    this.#panel.setAttribute('aria-label', live ? 'People here' : 'People who were here');
    for (const part of [this.#button, this.#panel]) part.classList.toggle('past', !live);
    this.#list.replaceChildren(...(presence?.users ? this.#rows(presence) : []));
  }

  /** @param {{user_id: string, username: string}[]} people */
  showTyping(people) {
    const others = people.filter((person) => !this.#isOwn(person));
    const names = JSON.stringify(others.map(({ username }) => username));
    if (names === this.#typing.dataset.names) return;
    this.#typing.dataset.names = names;
    if (others.length > 0) this.#announce(names);
    this.#typing.replaceChildren(...typingWords(others));
  }

  #announce(names) {
    const now = performance.now();
    const repeated = names === this.#said.names && now - this.#said.atMs < SAID_MS;
    this.#typing.setAttribute('aria-live', repeated ? 'off' : 'polite');
    if (!repeated) this.#said = { names, atMs: now };
  }

  #setOpen(open) {
    this.#open = open;
    this.#panel.hidden = !open || this.#button.disabled;
    this.#button.setAttribute('aria-expanded', String(!this.#panel.hidden));
  }

  #rows({ count, anonymous, users }) {
    const rows = users.map((person) => {
      const row = element('li', '');
      row.append(element('bdi', person.username), this.#isOwn(person) ? ' (you)' : '');
      return row;
    });
    const more = count - anonymous - users.length;
    if (more > 0) rows.push(element('li', `and ${more} more`));
    if (anonymous > 0) rows.push(element('li', `${anonymous} without a name`));
    return rows;
  }
}

function hereWords({ count }, live) {
  if (live) return `${count} here`;
  return count === 1 ? '1 was here' : `${count} were here`;
}

/** Names may be in any script, so each is isolated from the words around it. */
function typingWords(people) {
  if (people.length === 0) return [];
  const names = people.slice(0, MOST_NAMES).map(({ username }) => element('bdi', username));
  const more = people.length - names.length;
  const verb = people.length === 1 ? ' is typing…' : ' are typing…';
  if (more > 0) return [names[0], ', ', names[1], ` and ${more} more${verb}`];
  return names.length === 1 ? [names[0], verb] : [names[0], ' and ', names[1], verb];
}

function element(tag, text) {
  const node = document.createElement(tag);
  node.textContent = text;
  return node;
}
