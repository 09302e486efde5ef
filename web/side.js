/**
 * The list of joined rooms at the side: where the user is, and what is unread elsewhere.
 * In the order of the names, so that it does not jump. On a narrow screen it opens over
 * the conversation.
 */

const MOST_COUNTED = 99;
const byName = new Intl.Collator(undefined, { numeric: true });

export class Side {
  #list;
  #frame;
  #toggle;
  #onChoose;
  #rows = new Map();   // a room's name -> {item, button, count}

  /**
   * @param {{list: Element, frame: Element, toggle: Element,
   *          onChoose: (name: string) => void}} parts  the list, what shows it when it has
   *   the class "listing", and the button for that
   */
  constructor({ list, frame, toggle, onChoose }) {
    this.#list = list;
    this.#frame = frame;
    this.#toggle = toggle;
    this.#onChoose = onChoose;
    list.addEventListener('keydown', (event) => this.#walk(event));
    toggle.addEventListener('click', () => this.open(!this.#isOpen));
    frame.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || !this.#isOpen) return;
      this.open(false);
      toggle.focus();
    });
  }

  get #isOpen() {
    return this.#frame.classList.contains('listing');
  }

  open(open) {
    this.#frame.classList.toggle('listing', open);
    this.#toggle.setAttribute('aria-expanded', String(open));
    if (open) this.#list.querySelector('[aria-current]')?.focus();
  }

  /** Shows these rooms. */
  set(names) {
    const sorted = [...names].sort(byName.compare);
    for (const name of this.#rows.keys()) if (!names.includes(name)) this.#rows.delete(name);
    this.#list.replaceChildren(...sorted.map((name) => this.#row(name).item));
  }

  /** The room behind (1) or before (-1) another. */
  beside(name, step) {
    const names = [...this.#list.children].map((item) => item.dataset.room);
    return names[(names.indexOf(name) + step + names.length) % names.length];
  }

  choose(name) {
    for (const [other, { button }] of this.#rows) {
      if (other === name) button.setAttribute('aria-current', 'true');
      else button.removeAttribute('aria-current');
    }
  }

  /** @param {string} name  @param {number} unread */
  count(name, unread) {
    const row = this.#rows.get(name);
    if (row) write(row.count, unread);
  }

  /** What is unread in all other rooms, on the button that opens the list. */
  countElsewhere(unread) {
    write(this.#toggle.querySelector('.count'), unread);
  }

  #row(name) {
    const known = this.#rows.get(name);
    if (known) return known;
    const item = document.createElement('li');
    const button = document.createElement('button');
    const label = document.createElement('span');
    const count = document.createElement('span');
    item.dataset.room = name;
    button.type = 'button';
    button.className = 'side-room';
    label.className = 'side-name';
    label.textContent = name;
    count.className = 'count';
    count.hidden = true;
    button.append(label, count);
    button.addEventListener('click', () => this.#onChoose(name));
    item.append(button);
    const row = { item, button, count };
    this.#rows.set(name, row);
    return row;
  }

  /** Up and down between the rooms. */
  #walk(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const item = event.target.closest('li');
    if (!step || !item || event.altKey) return;
    event.preventDefault();
    this.#rows.get(this.beside(item.dataset.room, step)).button.focus();
  }
}

function write(count, unread) {
  count.hidden = unread === 0;
  const number = unread > MOST_COUNTED ? `${MOST_COUNTED}+` : String(unread);
  const words = document.createElement('span');
  words.className = 'unseen';
  words.textContent = ' unread';
  count.replaceChildren(number, words);
}
