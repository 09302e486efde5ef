/**
 * Waits that can be cut short, the wait before a retry, and a queue.
 */

const BACKOFF_FIRST_MS = 500;
export const BACKOFF_LONGEST_MS = 30_000;

/**
 * The wait before a retry: first as long as the server asks, which only `ends` cuts
 * short, then a random time, which any of the signals cuts short.
 */
export async function patience({ retryAfterMs }, failures, ends, wakers) {
  if (retryAfterMs > 0) await sleep(retryAfterMs, ...ends);
  const ceiling = Math.min(BACKOFF_FIRST_MS * 2 ** (failures - 1), BACKOFF_LONGEST_MS);
  await sleep(ceiling * (0.5 + Math.random() / 2), ...ends, ...wakers);
}

/** Waits, but no longer than until one of the signals aborts. */
export function sleep(ms, ...signals) {
  const wakers = signals.filter(Boolean);
  return new Promise((resolve) => {
    const timer = setTimeout(wake, ms);
    function wake() {
      clearTimeout(timer);
      for (const waker of wakers) waker.removeEventListener('abort', wake);
      resolve();
    }
    for (const waker of wakers) {
      waker.addEventListener('abort', wake);
      if (waker.aborted) wake();
    }
  });
}

/** Lets so many through at a time, the others in their order. */
export class Gate {
  #free;
  #queue = [];

  constructor(places) {
    this.#free = places;
  }

  /** @param {() => Promise} work  is called when it is its turn */
  async pass(work) {
    if (this.#free > 0) this.#free--;
    else await new Promise((resolve) => { this.#queue.push(resolve); });
    try {
      return await work();
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
