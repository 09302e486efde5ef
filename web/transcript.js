/**
 * A room's messages on the screen: rows, days, and the reader's scroll position. It shows
 * messages in the order in which it gets them; longroom.js decides which they are, and
 * conversation.js sends them. Rooms take turns on the screen; those that are not shown
 * keep their rows.
 *
 * Everything that users wrote becomes a text node, never markup.
 */

const NEAR_BOTTOM_PX = 80;
const TOGETHER_MS = 5 * 60_000;   // one sender's messages share a name until then
const MOST_ROWS = 1500;           // a room left open for weeks must stay fast
const ROWS_TO_DROP = 500;
const TONES = 8;
const EXCERPT = 80;               // characters of a message that is answered
const NO_TEXT = '(data without text)';

const clock = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'full' });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'long', timeStyle: 'medium' });

export class Transcript {
  #list;
  #outbox;
  #scroller;
  #isOwn;
  #quietly;
  #onMove;
  #shown = false;
  #top = 0;          // the reader's place while it is not shown
  #above = null;     // a row that was there before older ones were put above it
  #follows = true;   // the reader is at the newest message
  #unread = 0;
  #size = '';        // of the scroller and its contents, when last checked
  #life = new AbortController();

  /**
   * @param {{list: Element, outbox: Element, scroller: Element, isOwn: (message) => boolean,
   *          quietly: (change) => void, onMove: () => void}} parts
   *   list and outbox are not on the page yet: show() puts them in the place of those
   *   with the same ids. Changes that should not be announced go through quietly().
   *   onMove is called when the reader or a message may have changed `unread`, or
   *   brought the beginning into view.
   */
  constructor({ list, outbox, scroller, isOwn, quietly, onMove }) {
    this.#list = list;
    this.#outbox = outbox;
    this.#scroller = scroller;
    this.#isOwn = isOwn;
    this.#quietly = quietly;
    this.#onMove = onMove;
    const { signal } = this.#life;
    scroller.addEventListener('scroll', () => this.#moved(), { passive: true, signal });
    // The keyboard of a phone, a turned screen, a longer note.
    const resized = new ResizeObserver(() => this.#shown && this.#follows && this.toNewest());
    resized.observe(scroller);
    resized.observe(scroller.firstElementChild);
    signal.addEventListener('abort', () => resized.disconnect());
  }

  show() {
    this.#shown = true;
    this.#quietly(() => {
      for (const part of [this.#list, this.#outbox]) document.getElementById(part.id).replaceWith(part);
    });
    if (this.#follows) this.toNewest();
    else this.#scroller.scrollTop = this.#above ? this.#above.offsetTop : this.#top;
    this.#above = null;
    this.#onMove();
  }

  hide() {
    this.#top = this.#scroller.scrollTop;
    this.#shown = false;
  }

  close() {
    this.hide();
    this.#life.abort();
    this.#outbox.replaceChildren();
    this.#list.replaceChildren();
  }

  /** The number of messages below the visible part. */
  get unread() {
    return this.#unread;
  }

  get atTop() {
    return this.#shown && this.#scroller.scrollTop < NEAR_BOTTOM_PX;
  }

  /** The id of the oldest message shown, if any has one. */
  get firstId() {
    for (const { message } of this.#list.children) {
      if (typeof message?.id === 'number') return message.id;
    }
    return undefined;
  }

  /** The id of the newest. */
  get lastId() {
    for (let row = this.#list.lastElementChild; row; row = row.previousElementSibling) {
      if (typeof row.message?.id === 'number') return row.message.id;
    }
    return undefined;
  }

  get isEmpty() {
    return this.#list.childElementCount === 0;
  }

  /** Shows these messages and no others. */
  replace(messages) {
    this.#quietly(() => {
      this.#list.replaceChildren(...messages.map((message) => this.#row(message)));
      this.#arrangeFrom(this.#list.firstElementChild);
      this.toNewest();
    });
  }

  /** @returns {boolean} whether old rows were dropped to make room */
  append(message) {
    const own = this.#isOwn(message);
    const row = this.#row(message);
    this.#list.append(row);
    this.#arrange(row);
    if (own || this.#follows) this.toNewest();
    else this.#unread++;
    this.#onMove();
    return this.#dropOldest();
  }

  /** Older messages, oldest first; the visible part stays in place. */
  prepend(messages) {
    const before = this.#scroller.scrollHeight - this.#scroller.scrollTop;
    const next = this.#list.firstElementChild;
    this.#quietly(() => {
      this.#list.prepend(...messages.map((message) => this.#row(message)));
      this.#arrangeFrom(this.#list.firstElementChild, next);
      for (const line of this.#list.querySelectorAll('.reply.far')) this.#refer(line.closest('li'));
    });
    if (this.#shown) this.#scroller.scrollTop = this.#scroller.scrollHeight - before;
    else this.#above ??= next;
  }

  /** A line between messages that is not a message. */
  remark(text) {
    this.#list.append(element('li', 'remark', text));
    if (this.#follows) this.toNewest();
  }

  /**
   * A message under way, below all others until it arrives.
   * @returns {{say(text), settle(text), fail(text, actions), remove()}} settle keeps it
   *   in place for good, between the messages; `actions` maps the words on a button to
   *   what it does
   */
  send(content) {
    const row = element('li', 'message own pending');
    const note = element('p', 'note', 'Sending…');
    row.append(bubble('You', true, content, new Date().toISOString()), note);
    const last = (this.#outbox.lastElementChild ?? this.#list.lastElementChild)?.classList;
    row.classList.toggle('continued', Boolean(last?.contains('own')));
    this.#outbox.append(row);
    this.toNewest();
    return {
      say: (text) => { note.textContent = text; },
      settle: (text) => {
        if (!row.isConnected) return;
        row.classList.replace('pending', 'unsaved');
        note.textContent = text;
        this.#list.append(row);
      },
      fail: (text, actions) => {
        row.classList.add('failed');
        note.setAttribute('role', 'alert');
        note.replaceChildren(`${text} `, ...Object.entries(actions).map(button));
        this.toNewest();
      },
      remove: () => row.remove(),
    };
  }

  toNewest() {
    this.#follows = true;
    this.#unread = 0;
    if (!this.#shown) return;
    const { scrollHeight, clientHeight } = this.#scroller;
    this.#scroller.scrollTop = scrollHeight;
    this.#size = `${scrollHeight}/${clientHeight}`;
    this.#onMove();
  }

  /** The reader has scrolled; or the browser has, because the size changed. */
  #moved() {
    if (!this.#shown) return;
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    const size = `${scrollHeight}/${clientHeight}`;
    if (this.#follows && size !== this.#size) return this.toNewest();
    this.#size = size;
    this.#follows = scrollHeight - scrollTop - clientHeight < NEAR_BOTTOM_PX;
    if (this.#follows) this.#unread = 0;
    this.#onMove();
  }

  #dropOldest() {
    if (!this.#follows || this.#list.childElementCount <= MOST_ROWS) return false;
    for (let i = 0; i < ROWS_TO_DROP; i++) this.#list.firstElementChild.remove();
    this.#arrange(this.#list.firstElementChild);
    this.toNewest();
    return true;
  }

  #row(message) {
    const own = this.#isOwn(message);
    const row = element('li', own ? 'message own' : 'message');
    row.message = message;
    if (typeof message.id === 'number') row.dataset.id = message.id;
    if (!own) row.append(avatar(message));
    row.append(bubble(own ? 'You' : message.username, own, message.content, message.timestamp));
    if (typeof message.reply_to === 'number') row.querySelector('.body').before(element('p', 'reply'));
    if (message.saved === false) {
      row.classList.add('unsaved');
      row.append(element('p', 'note', 'Not saved'));
    }
    return row;
  }

  #arrangeFrom(row, last = null) {
    for (; row; row = row.nextElementSibling) {
      this.#arrange(row);
      if (row === last) return;
    }
  }

  /** What a row shows beside its message depends on the row above. */
  #arrange(row) {
    const { message } = row;
    if (!message) return;
    const above = row.previousElementSibling?.message;
    const sameDay = above && dayOf(above) === dayOf(message);
    row.classList.toggle('continued', Boolean(sameDay && together(above, message)));
    row.querySelector('.day')?.remove();
    if (!sameDay) row.prepend(element('p', 'day', dayName(message)));
    this.#refer(row);
  }

  /** What a message answers, with a way there if it is in the list. */
  #refer(row) {
    const line = row.querySelector('.reply');
    if (!line) return;
    const answered = this.#list.querySelector(`[data-id="${row.message.reply_to}"]`);
    line.classList.toggle('far', !answered);
    if (!answered) {
      line.textContent = 'In reply to an earlier message';
      return;
    }
    const { username, content } = answered.message;
    const whom = this.#isOwn(answered.message) ? 'you' : username;
    const words = `In reply to ${whom}: ${[...content || NO_TEXT].slice(0, EXCERPT).join('')}`;
    line.replaceChildren(button([words, () => this.#goTo(answered)]));
  }

  #goTo(row) {
    row.tabIndex = -1;
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: 'center' });
  }
}

function together(above, message) {
  return above.user_id === message.user_id && above.username === message.username
    && Math.abs(Date.parse(message.timestamp) - Date.parse(above.timestamp)) < TOGETHER_MS;
}

function dayOf(message) {
  return new Date(message.timestamp).toDateString();
}

function dayName(message) {
  const now = new Date();
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
  const day = dayOf(message);
  if (day === now.toDateString()) return 'Today';
  if (day === yesterday.toDateString()) return 'Yesterday';
  return calendar.format(new Date(message.timestamp));
}

function time(timestamp) {
  const date = new Date(timestamp);
  const node = element('time', 'time', clock.format(date));
  node.dateTime = timestamp;
  node.title = moment.format(date);
  return node;
}

function avatar({ user_id, username }) {
  let sum = 0;
  for (const letter of user_id) sum = (sum * 31 + letter.codePointAt(0)) >>> 0;
  const [initial = '?'] = username.trim();
  const node = element('span', `avatar tone-${sum % TONES}`, initial.toUpperCase());
  node.setAttribute('aria-hidden', 'true');
  return node;
}

function bubble(sender, own, content, timestamp) {
  const node = element('div', 'bubble');
  node.append(element('span', own ? 'unseen' : 'sender', sender), body(content), time(timestamp));
  return node;
}

/** The text, with its web addresses as links. What data means only its site knows. */
function body(content) {
  if (content === '') return element('span', 'body no-text', NO_TEXT);
  const node = element('span', 'body');
  node.dir = 'auto';
  let end = 0;
  for (const match of content.matchAll(/\bhttps?:\/\/[^\s<>"]+[^\s<>".,:;!?'()[\]{}]/g)) {
    const link = element('a', '', match[0]);
    link.href = match[0];
    link.target = '_blank';
    link.rel = 'noopener noreferrer nofollow';
    node.append(content.slice(end, match.index), link);
    end = match.index + match[0].length;
  }
  node.append(content.slice(end));
  return node;
}

function button([label, action]) {
  const node = element('button', 'link', label);
  node.type = 'button';
  node.addEventListener('click', action);
  return node;
}

function element(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}
