/**
 * Shares a connection between the tabs of a browser: one of them, the leader, follows the
 * rooms of all (leader.js). Only if all are certainly the same user: the same cookies, the
 * same server. Where that is not so, or where tabs cannot agree, a tab leads itself alone.
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
 * That is also how a room is taken in while others are followed: the leader's cursor
 * stays, or what the others got meanwhile would be lost.
 *
 * Who is here is in no log: the leader says what it heard last, and any later news.
 *
 * On the channel: follow, leave, hurry, nudge, ping to the leader; lead, down, here,
 * at, page, presence, trouble, refused from it. A change takes another VERSION: tabs with an old
 * longroom.js do not meet those with a new one.
 */

import { readPage } from './follower.js';
import { newId } from './ids.js';
import { Leader } from './leader.js';
import { LongroomError, Pass, folderOf } from './request.js';
import { Overlap } from './sequence.js';
import { hold, openChannel } from './turns.js';
import { Gate, patience } from './waiting.js';

const VERSION = 3;
const CHECK_MS = 5000;       // a leader that was silent for so long is pinged
const ANSWER_MS = 2000;      // and answers, or is frozen
const MOST_KEPT = 10_000;    // messages while a member asks the server; then it starts over
const MOST_ASKING = 4;       // members that ask it at once

const NOBODY = { postMessage() {}, close() {} };

const groups = new Map();
const gate = new Gate(MOST_ASKING);

/**
 * The tabs that follow rooms together with these options of join(). With a token that
 * is this tab alone, and the rooms of one join(). Where requests name their user, so that
 * the others see who is here, tabs of different users do not share.
 * @param {Pass} pass  join()'s
 */
export function tabsFor(options, pass) {
  // A token says who the user is. An address should not: it is in access logs.
  if (options.token !== undefined) return new Tabs(null, { ...options, user: undefined }, pass);
  const user = options.onPresence && options.user;
  const { href } = folderOf(options.base);
  const { credentials, pollSeconds = 0, transport = 'auto' } = options;
  const key = JSON.stringify([VERSION, href, credentials ?? '', pollSeconds, transport,
    user?.id ?? '', user?.name ?? '']);
  if (!groups.has(key)) {
    const shared = globalThis.navigator?.locks && globalThis.BroadcastChannel;
    groups.set(key, new Tabs(shared ? key : null, { ...options, user }, new Pass({ credentials })));
  }
  return groups.get(key);
}

/** One joined room. */
class Member {
  id = newId();
  place = null;     // the leader's, as far as it is known here
  pages = null;     // the leader's, while this member asks the server
  kept = 0;         // the number of messages in them, and of pages
  step = null;      // that request
  overlap = new Overlap();
  failures = 0;
  refusals = 0;     // of the leader's, although this tab has access

  constructor(room, cursor, sink) {
    this.room = room;
    this.cursor = cursor;
    this.sink = sink;
  }

  /** The leader's place is unknown: none of its pages can be accepted. */
  lose() {
    this.place = null;
    this.pages = null;
    this.kept = 0;
    this.step?.abort();
    this.step = null;
  }
}

class Tabs {
  #key;                // null: this tab leads itself alone
  #pass;
  #options;
  #id = null;          // the lock that this tab holds while it lives
  #members = new Map();
  #channel = null;     // null: closed
  #used = null;        // an AbortController while there are members
  #life = null;
  #ready = false;
  #candidacy = null;
  #office = null;      // a Leader, if this tab leads
  #leader = null;      // the id of the current leader
  #heardMs = 0;

  constructor(key, { base, pollSeconds, transport, user }, pass) {
    this.#key = key;
    this.#options = { base, pollSeconds, transport, user };
    this.#pass = pass;
  }

  /** A page that is cached, but does not run, must not lead. */
  #listen() {
    if (this.#used) return;
    const { signal } = this.#used = new AbortController();
    const on = (event, listener) => (event.startsWith('page') ? globalThis : document)
      .addEventListener(event, listener, { signal });
    for (const gone of ['freeze', 'pagehide']) on(gone, () => this.#close());
    for (const back of ['resume', 'pageshow']) on(back, () => this.#open());
    on('visibilitychange', () => document.hidden || this.#check(true));
  }

  /**
   * Follows a room from the cursor.
   * @param {{page, trouble, refused, reset, presence?}} sink  functions that get the next
   *   page, or a problem. After refused() the room is no longer followed, nor after
   *   reset(): its history must be read afresh. presence() gets who is here; without it
   *   nobody asks
   * @returns {{leave(), hurry(), nudge(id)}}  as a Follower's remove, hurry and nudge
   */
  follow(room, cursor, sink) {
    const member = new Member(room, cursor, sink);
    this.#members.set(member.id, member);
    this.#listen();
    this.#open();
    this.#ask(member);
    return {
      leave: () => this.#remove(member),
      hurry: () => {
        this.#say('hurry', { room });
        this.#check(true);
      },
      nudge: (id) => this.#say('nudge', { room, id }),
    };
  }

  #remove(member) {
    if (!this.#members.delete(member.id)) return;
    member.lose();
    this.#say('leave', { member: member.id, room: member.room });
    if (this.#members.size > 0) return;
    this.#close();
    this.#used.abort();
    this.#used = null;
  }

  // ---------------------------------------------------------- meeting

  #open() {
    if (this.#channel || this.#members.size === 0) return;
    this.#life = new AbortController();
    if (this.#key) this.#meet(this.#life.signal);
    else this.#leadAlone();
  }

  async #meet(signal) {
    this.#channel = openChannel(`longroom ${this.#key}`, (data) => this.#hear(data)) ?? NOBODY;
    this.#id = `longroom tab ${newId()}`;
    this.#heardMs = performance.now();
    const checking = setInterval(() => this.#check(), CHECK_MS);
    signal.addEventListener('abort', () => clearInterval(checking));
    const release = await hold(this.#id, { signal }).catch(() => () => {});
    if (signal.aborted) return release();
    signal.addEventListener('abort', release);
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

  /** Without locks, or if they are denied, tabs cannot agree on a leader. */
  #leadAlone() {
    this.#channel?.close();
    this.#channel = NOBODY;
    this.#ready = true;
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

  #follow({ kind, rooms, page, after, problem, presence }) {
    if (kind === 'down') {
      this.#leader = null;
      this.#askForAll();
      return;
    }
    for (const member of [...this.#members.values()]) {
      if (!rooms.includes(member.room)) continue;
      if (kind === 'page') this.#take(member, page, after);
      else if (kind === 'presence') member.sink.presence?.(presence);
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
      watches: Boolean(member.sink.presence),
    });
  }

  /** The leader has named its place. */
  #settle({ leader, member: id, place, problem, presence }) {
    const member = this.#members.get(id);
    if (!member || member.place !== null) return;
    this.#leader ??= leader;
    if (leader !== this.#leader) return;
    member.place = place;
    if (problem) member.sink.trouble(LongroomError.of(problem));
    if (presence) member.sink.presence?.(presence);
    if (place === member.cursor) member.overlap.end();
    else this.#catchUp(member);
  }

  #take(member, page, after) {
    if (member.place === null) return;
    if (member.place !== after || member.kept > MOST_KEPT) {
      this.#ask(member);
      return;
    }
    member.place = page.cursor;
    if (!member.pages) return this.#hand(member, page);
    member.pages.push(page);
    member.kept += 1 + page.messages.length;
  }

  #hand(member, page) {
    member.cursor = page.cursor;
    if (page.reset && page.several) {
      this.#remove(member);
      member.sink.reset();
      return;
    }
    const own = page.several
      ? page.messages.filter(({ room_id }) => room_id === member.room) : page.messages;
    const gap = page.gap && (!page.gap_rooms || page.gap_rooms.includes(member.room));
    member.sink.page({ ...page, gap, messages: member.overlap.without(own) });
  }

  /**
   * Asks the server for what the member lacks, and takes the leader's pages since.
   * @returns {Promise<boolean>} whether that is done, and nothing else has begun
   */
  async #catchUp(member) {
    member.step = new AbortController();
    const { signal } = member.step;
    member.pages = [];
    member.kept = 0;
    member.overlap.begin();
    try {
      for (let more = true; more;) {
        const page = await gate.pass(() => readPage(this.#pass, this.#options.base,
          [member.room], member.cursor, { signal }));
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
    // Each attempt interrupts the other rooms.
    await patience({}, ++member.refusals, [this.#life.signal], []);
    this.#ask(member);
  }
}
