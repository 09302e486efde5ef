/**
 * One room on the page: its messages, those under way from here, how far back it was
 * read, how many came since the user last looked, and its people. The page shows one at a
 * time.
 */

import { newId } from './ids.js';
import { tryingAgain, inWords } from './words.js';

const SURE_MS = 10 * 60_000;

export class Conversation {
  state = 'connecting';
  problem = undefined;
  ephemeral = false;
  known = false;           // its history was read
  hasOlder = false;
  olderFailed = false;     // then only the button tries again, not scrolling
  unread = 0;
  presence = null;         // who is here, if the server tells
  typing = [];             // who is writing
  room = null;             // as joined
  #page;
  #outbox;
  #unsent;                 // what the tab had not sent when the page was left
  #readingOlder = false;
  #underWay = new Map();   // client_id -> the result of transcript.send()

  /**
   * @param {string} name  the room's
   * @param {import('./transcript.js').Transcript} transcript
   * @param {import('./outbox.js').Outbox} outbox
   * @param {object} page  has
   *   user           {id, name, author}: the author is the name and browser by which the
   *                  outbox knows the user, the id the server's
   *   sure           no other user can have come between
   *   isSeen(this)   whether the user sees what comes
   *   changed(this)  is called when anything but the messages has changed
   *   edit(content)  lets the user write it anew
   *   left(content)  the room was left before it was sent
   */
  constructor(name, transcript, outbox, page) {
    this.name = name;
    this.transcript = transcript;
    this.#outbox = outbox;
    this.#page = page;
    this.#unsent = outbox.sends(name, page.user.author);
  }

  /** The room as it is. */
  begin({ messages, older, ephemeral }) {
    this.ephemeral = ephemeral;
    this.known = true;
    this.olderFailed = false;
    this.hasOlder = older;
    this.transcript.replace(messages);
    for (const { client_id } of messages) if (this.#underWay.has(client_id)) this.#arrived(client_id);
    this.#page.changed(this);
    this.#takeUp(messages);
  }

  receive(message) {
    const { user } = this.#page;
    // If the server identifies the user, this is how the page learns the identity.
    if (this.#underWay.has(message.client_id)) user.id = message.user_id;
    this.#arrived(message.client_id);
    if (this.transcript.append(message)) this.hasOlder = true;
    if (!this.#page.isSeen(this) && message.user_id !== user.id) this.unread++;
    this.#page.changed(this);
  }

  enter(state, problem) {
    this.state = state;
    this.problem = problem;
    this.#page.changed(this);
  }

  async readOlder() {
    if (!this.hasOlder || this.#readingOlder) return;
    this.#readingOlder = true;
    this.olderFailed = false;
    try {
      const { messages, older } = await this.room.older(this.transcript.firstId);
      this.transcript.prepend(messages);
      this.hasOlder = older;
    } catch (problem) {
      if (problem.type === 'left') return;
      this.olderFailed = true;
    } finally {
      this.#readingOlder = false;
      this.#page.changed(this);
    }
  }

  close() {
    this.transcript.close();
    this.room.leave();
  }

  // ---------------------------------------------------------- sending

  async send(content, clientId = newId()) {
    const bubble = this.transcript.send(content);
    this.#underWay.set(clientId, bubble);
    this.#outbox.add(this.name, this.#page.user.author, clientId, content);
    try {
      const message = await this.room.send(content, {
        clientId,
        onRetry: (problem) => bubble.say(tryingAgain(problem)),
      });
      this.#outbox.drop(clientId);
      // An unsaved message may never come back from the server.
      if (message.saved === false) bubble.settle('Not saved');
      // Sent again, though the first attempt had arrived before the room was read.
      else if (message.id <= this.transcript.lastId) this.#arrived(clientId);
      else bubble.say('Sent');
    } catch (problem) {
      if (problem.type === 'left') {
        this.#outbox.drop(clientId);
        this.#page.left(content);
        return;
      }
      this.#outbox.refuse(clientId);
      this.#underWay.delete(clientId);
      bubble.fail(inWords(problem), this.#choices(bubble, content, clientId));
    }
  }

  /** The choices for a message that was not sent. */
  #choices(bubble, content, clientId) {
    const dismiss = () => {
      bubble.remove();
      this.#underWay.delete(clientId);
      this.#outbox.drop(clientId);
    };
    return { Edit: () => { dismiss(); this.#page.edit(content); }, Discard: dismiss };
  }

  /**
   * Messages under way when the page was left: they are sent again after a reload. After
   * any other return, or later, another user may be in the tab, so the user is asked.
   */
  #takeUp(messages) {
    const shown = new Set(messages.map((message) => message.client_id));
    for (const { clientId, content, refused, atMs } of this.#unsent.splice(0)) {
      if (shown.has(clientId)) this.#outbox.drop(clientId);
      else if (this.#page.sure && !refused && Date.now() - atMs < SURE_MS) this.send(content, clientId);
      else this.#ask(content, clientId);
    }
  }

  #ask(content, clientId) {
    const bubble = this.transcript.send(content);
    this.#underWay.set(clientId, bubble);
    const again = () => {
      bubble.remove();
      this.send(content, clientId);
    };
    bubble.fail('This had not been sent when you left.',
      { Send: again, ...this.#choices(bubble, content, clientId) });
  }

  /** A message that the server has delivered is no longer under way. */
  #arrived(clientId) {
    this.#underWay.get(clientId)?.remove();
    this.#underWay.delete(clientId);
    this.#outbox.drop(clientId);
  }
}
