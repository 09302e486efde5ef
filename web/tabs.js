/**
 * Shares polls between the tabs of a browser: one of them, the leader, follows the rooms
 * of all (leader.js). Only if all are certainly the same user: the same cookies, the same
 * server.
 *
 * The leader holds a Web Lock; if its tab closes or crashes, the browser gives the lock
 * to the next tab. A leader that is frozen while it holds it does not answer, and the
 * lock is stolen.
 *
 * The log is the truth and the channel is a hint. A member has a cursor of its own, and
 * the leader's messages carry cursors too: a page is accepted if it follows the place
 * that the leader named last. A member whose cursor is not the leader's place asks the
 * server itself for what it lacks, once it knows that place; the leader's messages
 * meanwhile are kept, and may overlap. So nothing is missed, whichever tab leads.
 *
 * On the channel: follow, leave, hurry, nudge, ping to the leader; lead, down, here,
 * at, page, trouble, refused from it. A change takes another VERSION: tabs with an old
 * longroom.js do not meet those with a new one.
 */

import { readPage } from './follower.js';
import { newId } from './ids.js';
import { Leader } from './leader.js';
import { LongroomError, Pass, folderOf } from './request.js';
import { Overlap } from './sequence.js';
import { hold, openChannel } from './turns.js';
import { patience } from './waiting.js';

const VERSION = 1;
const CHECK_MS = 5000;       // a leader that was silent for so long is pinged
const ANSWER_MS = 2000;      // and answers, or is frozen
const KEPT_PAGES = 100;      // while a member asks the server; then it starts over

const NOBODY = { postMessage() {}, close() {} };

const groups = new Map();

/**
 * The tabs that may poll for a room with these options of join(), or null if it needs
 * its own polls.
 */
export function tabsFor(options) {
  if (options.token !== undefined) return null;
  if (!globalThis.navigator?.locks || !globalThis.BroadcastChannel) return null;
  const { href } = folderOf(options.base);
  const key = JSON.stringify([VERSION, href, options.credentials ?? '', options.pollSeconds ?? 0]);
  if (!groups.has(key)) groups.set(key, new Tabs(key, options));
  return groups.get(key);
}

/** One joined room. */
class Member {
  id = newId();
  place = null;     // the leader's, as far as it is known here
  pages = null;     // the leader's, while this member asks the server
  step = null;      // that request
  overlap = new Overlap();
  failures = 0;

  constructor(room, cursor, sink) {
    this.room = room;
    this.cursor = cursor;
    this.sink = sink;
  }

  /** The leader's place is unknown: none of its pages can be accepted. */
  lose() {
    this.place = null;
    this.pages = null;
    this.step?.abort();
    this.step = null;
  }
}

class Tabs {
  #key;
  #pass;
  #options;
  #id;                 // the lock that this tab holds while it lives
  #members = new Map();
  #channel = null;     // null: closed
  #life = null;
  #ready = false;
  #candidacy = null;
  #office = null;      // a Leader, if this tab leads
  #leader = null;      // the id of the current leader
  #heardMs = 0;

  constructor(key, { base, credentials, pollSeconds }) {
    this.#key = key;
    this.#options = { base, pollSeconds };
    this.#pass = new Pass({ credentials });
    // A page that is cached, but does not run, must not lead.
    for (const gone of ['freeze', 'pagehide']) this.#on(gone, () => this.#close());
    for (const back of ['resume', 'pageshow']) this.#on(back, () => this.#open());
    this.#on('visibilitychange', () => document.hidden || this.#check(true));
  }

  #on(event, listener) {
    (event.startsWith('page') ? globalThis : document).addEventListener(event, listener);
  }

  /**
   * Follows a room from the cursor.
   * @param {{page, trouble, refused}} sink  functions that get the next page, or a
   *   problem; after refused() the room is no longer followed
   * @returns {{leave(), hurry(), nudge()}}  as a Follower's remove, hurry and nudge
   */
  follow(room, cursor, sink) {
    const member = new Member(room, cursor, sink);
    this.#members.set(member.id, member);
    this.#open();
    this.#ask(member);
    return {
      leave: () => this.#remove(member),
      hurry: () => {
        this.#say('hurry', { room });
        this.#check(true);
      },
      nudge: () => this.#say('nudge', { room }),
    };
  }

  #remove(member) {
    if (!this.#members.delete(member.id)) return;
    member.lose();
    this.#say('leave', { member: member.id, room: member.room });
    if (this.#members.size === 0) this.#close();
  }

  // ---------------------------------------------------------- presence

  async #open() {
    if (this.#channel || this.#members.size === 0) return;
    const life = this.#life = new AbortController();
    this.#channel = openChannel(`longroom ${this.#key}`, (data) => this.#hear(data)) ?? NOBODY;
    this.#id = `longroom tab ${newId()}`;
    this.#heardMs = performance.now();
    const checking = setInterval(() => this.#check(), CHECK_MS);
    life.signal.addEventListener('abort', () => clearInterval(checking));
    const release = await hold(this.#id, { signal: life.signal }).catch(() => () => {});
    if (life.signal.aborted) return release();
    life.signal.addEventListener('abort', release);
    this.#ready = true;
    this.#askForAll();
    this.#stand();
  }

  #close() {
    if (!this.#channel) return;
    this.#ready = false;
    this.#candidacy?.abort();
    this.#resign();
    this.#life.abort();
    this.#channel.close();
    this.#channel = null;
    this.#leader = null;
    for (const member of this.#members.values()) member.lose();
  }

  // ---------------------------------------------------------- leading

  /** Leads as soon as no other tab does, or at once with `rob`. */
  #stand(rob = false) {
    this.#candidacy?.abort();
    const { signal } = this.#candidacy = new AbortController();
    const ends = new Promise((resolve) => signal.addEventListener('abort', resolve));
    const options = rob ? { steal: true } : { signal };
    navigator.locks.request(`longroom lead ${this.#key}`, options, () => {
      if (signal.aborted) return undefined;
      this.#lead();
      return ends;
    }).catch((error) => {
      if (signal.aborted) return;
      if (error.name === 'SecurityError') this.#leadAlone();
      else this.#depose();
    });
  }

  #lead() {
    this.#office = new Leader(this.#pass, this.#options, (kind, more) => this.#say(kind, more));
    this.#office.begin();
  }

  /** If locks are denied, tabs cannot agree on a leader: each leads itself alone. */
  #leadAlone() {
    this.#channel.close();
    this.#channel = NOBODY;
    this.#lead();
  }

  #resign() {
    const office = this.#office;
    this.#office = null;
    office?.end();
  }

  /** Another tab leads: it has taken the lock, or says so. */
  #depose() {
    this.#resign();
    this.#stand();
  }

  /** Pings a leader that has been silent for long. */
  #check(now = false) {
    const silentMs = performance.now() - this.#heardMs;
    if (!this.#ready || this.#office || !(now || silentMs > CHECK_MS)) return;
    const { signal } = this.#life;
    const askedMs = performance.now();
    this.#say('ping');
    setTimeout(() => {
      if (signal.aborted || this.#office || this.#heardMs >= askedMs) return;
      this.#stand(true);
    }, ANSWER_MS * (1 + Math.random() / 2));
  }

  // ---------------------------------------------------------- the channel

  /** To all tabs, and to this one at once. */
  #say(kind, more) {
    if (!this.#channel) return;
    const message = { kind, ...more };
    this.#channel.postMessage(message);
    this.#hear(message);
  }

  #hear(message) {
    if (!this.#channel) return;
    const { kind, leader } = message;
    if (leader === undefined) this.#office?.hear(message);
    else if (kind === 'lead' || kind === 'here') this.#heed(leader);
    else if (kind === 'at') this.#settle(message);
    else if (leader === this.#leader) this.#follow(message);
    if (leader !== undefined && leader === this.#leader) this.#heardMs = performance.now();
  }

  #heed(leader) {
    if (leader === this.#leader) return;
    this.#leader = leader;
    if (this.#office && this.#office.id !== leader) this.#depose();
    this.#askForAll();
  }

  #follow({ kind, room, page, after, problem }) {
    if (kind === 'down') {
      this.#leader = null;
      this.#askForAll();
      return;
    }
    for (const member of [...this.#members.values()]) {
      if (member.room !== room) continue;
      if (kind === 'page') this.#take(member, page, after);
      else if (kind === 'trouble') member.sink.trouble(LongroomError.of(problem));
      else if (kind === 'refused') this.#refuse(member, problem);
    }
  }

  // ---------------------------------------------------------- members

  #askForAll() {
    for (const member of this.#members.values()) this.#ask(member);
  }

  #ask(member) {
    member.lose();
    if (!this.#ready || !this.#members.has(member.id)) return;
    this.#say('follow', {
      tab: this.#id, member: member.id, room: member.room, cursor: member.cursor,
    });
  }

  /** The leader has named its place. */
  #settle({ leader, member: id, place, problem }) {
    const member = this.#members.get(id);
    if (!member || member.place !== null) return;
    this.#leader ??= leader;
    if (leader !== this.#leader) return;
    member.place = place;
    if (problem) member.sink.trouble(LongroomError.of(problem));
    if (place !== member.cursor) this.#catchUp(member);
  }

  #take(member, page, after) {
    if (member.place === null) return;
    if (member.place !== after || member.pages?.length >= KEPT_PAGES) {
      this.#ask(member);
      return;
    }
    member.place = page.cursor;
    if (member.pages) member.pages.push(page);
    else this.#hand(member, page);
  }

  #hand(member, page) {
    member.cursor = page.cursor;
    member.sink.page({ ...page, messages: member.overlap.without(page.messages) });
  }

  /**
   * Asks the server for what the member lacks, and takes the leader's pages since.
   * @returns {Promise<boolean>} whether that is done, and nothing else has begun
   */
  async #catchUp(member) {
    member.step = new AbortController();
    const { signal } = member.step;
    member.pages = [];
    try {
      for (let more = true; more;) {
        const page = await readPage(this.#pass, this.#options.base, member.room,
          member.cursor, { signal });
        if (signal.aborted) return false;
        member.overlap.show(page.messages);
        member.cursor = page.cursor;
        member.failures = 0;
        member.sink.page(page);
        if (signal.aborted) return false;
        more = page.more;
      }
      const pages = member.pages;
      member.pages = null;
      for (const page of pages) if (!signal.aborted) this.#hand(member, page);
      return !signal.aborted;
    } catch (problem) {
      if (!signal.aborted) await this.#recover(member, problem, signal);
      return false;
    }
  }

  async #recover(member, problem, signal) {
    if (!problem.passing) {
      this.#remove(member);
      member.sink.refused(problem);
      return;
    }
    member.sink.trouble(problem);
    await patience(problem, ++member.failures, [signal], [signal]);
    if (!signal.aborted) this.#ask(member);
  }

  /** The leader was refused; another tab tries itself, because it may have access. */
  async #refuse(member, problem) {
    if (this.#office?.id === this.#leader) {
      await this.#recover(member, LongroomError.of(problem), this.#life.signal);
      return;
    }
    if (!await this.#catchUp(member)) return;
    await patience({}, ++member.failures, [this.#life.signal], []);
    this.#ask(member);
  }
}
