/**
 * Which polls may wait at the same time.
 */

import { LongroomError } from './request.js';

/**
 * Over HTTP/1.1 a browser opens six connections to a site, for all its tabs
 * together, and a waiting poll fills one: a page with six rooms could not send.
 * So at most two of a page's polls wait at once; with more rooms than that they
 * take turns, a second each. HTTP/2 has no such limit, and there is no turn.
 */
export const turns = {
  rooms: new Set(),
  free: 2,
  crowd: 2,
  queue: [],
  holders: new Set(),

  enter(room) {
    this.rooms.add(room);
    if (this.rooms.size === this.crowd + 1) {
      for (const holder of this.holders) holder.hurry();
    }
  },

  exit(room) {
    this.rooms.delete(room);
  },

  seconds(room, longest) {
    return this.holders.has(room) && this.rooms.size > this.crowd ? 1 : longest;
  },

  async take(room, signal) {
    if (multiplexed()) return;
    if (this.free > 0) this.free--;
    else await this.wait(signal);
    this.holders.add(room);
  },

  wait(signal) {
    return new Promise((resolve, reject) => {
      this.queue.push(resolve);
      signal.addEventListener('abort', () => {
        const place = this.queue.indexOf(resolve);
        if (place < 0) return;
        this.queue.splice(place, 1);
        reject(new LongroomError('aborted'));
      });
    });
  },

  give(room) {
    if (!this.holders.delete(room)) return;
    const next = this.queue.shift();
    if (next) next();
    else this.free++;
  },
};

function multiplexed() {
  const page = performance.getEntriesByType('navigation')[0];
  return /^h[23]/.test(page?.nextHopProtocol ?? '');
}
