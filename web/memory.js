/**
 * What the page remembers: first of the tab, so that two windows can be two users, then
 * of the browser. Storage may be denied, and then throws; it remembers in memory then.
 */

import { newId } from './ids.js';

const memory = new Map();

export function remember(key, value) {
  memory.set(key, value);
  for (const kind of ['sessionStorage', 'localStorage']) {
    try { window[kind].setItem(`longroom.${key}`, value); } catch { /* denied, or full */ }
  }
}

export function remembered(key) {
  if (memory.has(key)) return memory.get(key);
  for (const kind of ['sessionStorage', 'localStorage']) {
    try {
      const value = window[kind].getItem(`longroom.${key}`);
      if (value !== null) return value;
    } catch { /* denied */ }
  }
  return '';
}

/** Distinguishes this browser's Ann from another's. */
export function browserId() {
  if (!remembered('browser')) remember('browser', newId().slice(0, 6));
  return remembered('browser');
}
