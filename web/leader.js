/**
 * The tab that follows for all tabs: one connection for all the rooms that any tab has
 * joined, and reports on the channel.
 *
 * It may be deposed at any moment, and there may be two for a moment: so it keeps
 * nothing that others need. Each member has its own cursor, and knows by the place
 * sent with each page whether the page follows what it has (tabs.js).
 */

import { Follower } from './follower.js';
import { newId } from './ids.js';
import { hold } from './turns.js';

export class Leader {
  /** New for each leader: messages in the name of an earlier one are ignored. */
  id = newId();
  #say;
  #follower;
  #rooms = new Map();    // a room's name -> {problem, presence, members: its id -> {tab, watches}}
  #tabs = new Set();     // those whose end this tab waits for
  #life = new AbortController();

  /** @param {(kind: string, more: object) => void} say  to all, this tab too */
  constructor(pass, options, say) {
    this.#say = (kind, more) => say(kind, { leader: this.id, ...more });
    this.#follower = new Follower(pass, options, {
      onPage: (rooms, page, after) => this.#turnPage(rooms, page, after),
      onTrouble: (rooms, problem) => this.#fail(rooms, problem),
      onRefused: (room, problem) => {
        this.#rooms.delete(room);
        this.#say('refused', { rooms: [room], problem: problem.plain });
      },
      onPresence: (entries) => entries.forEach((entry) => this.#tellPresence(entry)),
    });
  }

  begin() {
    this.#say('lead');
  }

  end() {
    this.#life.abort();
    this.#follower.close();
    this.#say('down');
  }

  hear(message) {
    const { kind, member, room, id } = message;
    if (kind === 'follow') this.#add(message);
    else if (kind === 'leave') this.#remove(member, room);
    else if (kind === 'hurry') this.#follower.hurry(room);
    else if (kind === 'nudge') this.#follower.nudge(room, id);
    else if (kind === 'ping') this.#say('here');
  }

  #add({ tab, member, room, cursor, watches }) {
    if (!this.#rooms.has(room)) {
      this.#rooms.set(room, { problem: null, presence: null, members: new Map() });
      this.#follower.add(room, cursor);
    }
    const { problem, members } = this.#rooms.get(room);
    members.set(member, { tab, watches });
    this.#attend(room);
    const { presence } = this.#rooms.get(room);
    this.#say('at', { member, place: this.#follower.place(room), problem, presence });
    this.#outlive(tab);
  }

  #remove(member, room) {
    const members = this.#rooms.get(room)?.members;
    if (!members?.delete(member)) return;
    if (members.size > 0) return this.#attend(room);
    this.#rooms.delete(room);
    this.#follower.remove(room);
  }

  /** Who is here is asked for while a member wants it, whichever tab that is in. */
  #attend(room) {
    const known = this.#rooms.get(room);
    const watched = [...known.members.values()].some(({ watches }) => watches);
    if (!watched) known.presence = null;
    this.#follower.watch(room, watched);
  }

  #tellPresence(entry) {
    const known = this.#rooms.get(entry.room_id);
    if (!known) return;
    known.presence = entry;
    this.#say('presence', { rooms: [entry.room_id], presence: entry });
  }

  /** A tab holds a lock while it lives, because a crash sends no message. */
  async #outlive(tab) {
    if (!tab || this.#tabs.has(tab)) return;
    this.#tabs.add(tab);
    const release = await hold(tab, { signal: this.#life.signal }).catch(() => null);
    if (!release) return;
    release();
    this.#tabs.delete(tab);
    for (const [room, { members }] of [...this.#rooms]) {
      for (const [member, its] of [...members]) if (its.tab === tab) this.#remove(member, room);
    }
  }

  #turnPage(rooms, page, after) {
    this.#note(rooms, null);
    this.#say('page', { rooms, page, after });
  }

  #fail(rooms, problem) {
    this.#note(rooms, problem.plain);
    this.#say('trouble', { rooms, problem: problem.plain });
  }

  #note(rooms, problem) {
    for (const room of rooms) {
      const known = this.#rooms.get(room);
      if (known) known.problem = problem;
    }
  }
}
