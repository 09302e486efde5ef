/**
 * One request to a Longroom server, from its address to what its answer brings, or to a
 * LongroomError that says what went wrong. Repeating it is up to the caller.
 */

const ANSWER_LIMIT_MS = 20_000;  // for requests that are answered at once
const TOKEN_LIMIT_MS = 20_000;   // for the site's function
const BODY_LIMIT_MS = 60_000;    // from the answer's head to its end
const RETRY_AFTER_LONGEST_MS = 3_600_000;
const RENEWAL_MS = 1000;         // a token that expires sooner was never valid

/** What went wrong, in a form to switch on. */
export class LongroomError extends Error {
  /**
   * @param {string} type  a problem type of PROTOCOL section 8, or one of:
   *   no-token     the option `token`, a function, returned none: called again later
   *   no-answer    no connection, no answer in time, or not Longroom's answer
   *   unavailable  a 5xx without a problem type: from something before the server
   *   refused      the same for a 4xx
   *   no-stream    the answer is no stream of events (only with transport: 'stream')
   *   sign-in      a redirect, a page of HTML or a 401 that is not Longroom's, as from a
   *                proxy when the log-in has expired. It is retried, and succeeds once
   *                the user has signed in again. (Or `base` is wrong: redirects are not
   *                followed.)
   *   left         the room was left meanwhile
   *   aborted      by the caller's signal
   */
  constructor(type, { detail = type, status = 0, retryAfterMs = 0, late = false, cause } = {}) {
    super(detail, { cause });
    this.name = 'LongroomError';
    this.type = type;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.late = late;    // given up, rather than failed
  }

  /** Converts an error for a channel between tabs, and back. */
  get plain() {
    const { type, message: detail, status, retryAfterMs } = this;
    return { type, detail, status, retryAfterMs };
  }

  static of({ type, ...more }) {
    return new LongroomError(type, more);
  }

  /** Whether the same request may succeed later. */
  get passing() {
    return ['no-token', 'no-answer', 'no-stream', 'unavailable', 'sign-in'].includes(this.type)
      || this.status >= 500 || [408, 425, 429].includes(this.status);
  }
}

/**
 * Authenticates each request. Each join() has its own, because the next room may be
 * joined as another user.
 */
export class Pass {
  #token;
  #credentials;
  #given = null;   // a promise of the token in use
  #renewedMs = -Infinity;

  constructor({ token, credentials }) {
    this.#token = token;
    this.#credentials = credentials;
  }

  /** One request, to the JSON of its answer. */
  async ask(url, init) {
    return this.read(() => url, init, readJson);
  }

  /**
   * One request; repeated with another token if its own had expired.
   * @param {() => URL} address  is called for each attempt
   * @param {(response: Response, clock: {limit(ms)}) => Promise} take  reads the
   *   answer; limit() ends the request, unless it is called again before the time is up
   */
  async read(address, init, take) {
    for (;;) {
      if (init.signal?.aborted) throw new LongroomError('aborted');
      const given = this.#given ??= this.#get();
      try {
        return await request(address(),
          { ...init, token: given, credentials: this.#credentials }, take);
      } catch (problem) {
        if (problem.type === 'no-token') this.#drop(given);
        if (problem.type !== 'token-expired' || !this.#renew(given)) throw problem;
      }
    }
  }

  async #get() {
    return typeof this.#token === 'function' ? this.#token() : this.#token;
  }

  /** A token that a poll or a send has requested meanwhile is not requested twice. */
  #drop(given) {
    if (given === this.#given) this.#given = null;
  }

  /** False if it is in vain: the last token was new, and had expired all the same. */
  #renew(given) {
    if (typeof this.#token !== 'function') return false;
    if (given !== this.#given) return true;
    if (performance.now() - this.#renewedMs < RENEWAL_MS) return false;
    this.#given = this.#get();
    // The time that it takes to get a token does not count.
    const renewed = () => { this.#renewedMs = performance.now(); };
    this.#given.then(renewed, renewed);
    return true;
  }
}

/** One request, to what `take` makes of its answer, or else a LongroomError. */
async function request(url, { signal, limitMs = ANSWER_LIMIT_MS, token, headers, ...init }, take) {
  const control = new AbortController();
  const stop = () => control.abort();
  signal?.addEventListener('abort', stop);
  let timer;
  const limit = (ms) => {
    clearTimeout(timer);
    timer = setTimeout(stop, ms);
  };
  let missing = 'no-token';
  try {
    limit(TOKEN_LIMIT_MS);
    const bearer = await orAborted(token, control.signal);
    missing = 'no-answer';
    limit(limitMs);
    const who = bearer ? { Authorization: `Bearer ${bearer}` } : {};
    // no-store also keeps two tabs from queueing for one cache entry. A redirect to
    // another site, if followed, fails without a reason; a proxy that is asked for
    // JSON may answer 401 instead of a page.
    const response = await fetch(url, {
      ...init, headers: { Accept: 'application/json', ...headers, ...who },
      cache: 'no-store', redirect: 'manual', signal: control.signal,
    });
    return await take(response, { limit });
  } catch (cause) {
    if (signal?.aborted) throw new LongroomError('aborted', { cause });
    if (cause instanceof LongroomError) throw cause;
    throw new LongroomError(missing, { cause, late: control.signal.aborted });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

/** An answer to its end: the JSON of a 2xx, or else a LongroomError. */
async function readJson(response, { limit }) {
  limit(BODY_LIMIT_MS);
  return answerOf(response, await response.text());
}

/** The value of a promise, or an error as soon as the signal aborts. */
function orAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    promise.then(resolve, reject);
    signal.addEventListener('abort', reject);
  });
}

/** The JSON of a 2xx, or else the LongroomError that the answer is. */
export function answerOf(response, text) {
  const body = parsed(text);
  if (response.ok && body) return body;
  if (wantsSignIn(response, body)) {
    throw new LongroomError('sign-in', {
      status: response.status, detail: 'the answer is a redirect or a page, as of a login',
    });
  }
  if (response.ok) throw new LongroomError('no-answer', { detail: 'the answer is not JSON' });
  const { status } = response;
  throw new LongroomError(body?.type ?? (status < 500 ? 'refused' : 'unavailable'), {
    status,
    detail: body?.detail ?? body?.title,
    retryAfterMs: retryAfterMs(response.headers.get('Retry-After') ?? ''),
  });
}

function wantsSignIn(response, body) {
  const html = /^text\/html\b/i.test(response.headers.get('Content-Type') ?? '');
  return response.type === 'opaqueredirect' || (response.ok && html)
    || (response.status === 401 && !body?.type);
}

/** Seconds, or a date. */
function retryAfterMs(text) {
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return ms > 0 ? Math.min(ms, RETRY_AFTER_LONGEST_MS) : 0;
}

function parsed(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

/** A page with nothing but "reset" has no messages. */
export function pageOf(body) {
  if (body.reset && !body.messages) body.messages = [];
  if (Array.isArray(body.messages) && typeof body.cursor === 'string') return body;
  throw new LongroomError('no-answer', { detail: 'the answer is not a page of messages' });
}

/** The parent of rooms/: the option `base`, or this module's folder. */
export function folderOf(base) {
  const folder = new URL(base ?? '.', base ? globalThis.document?.baseURI : import.meta.url);
  if (!folder.pathname.endsWith('/')) folder.pathname += '/';
  return folder;
}

/** @param {string[]} rooms  one room's name, or several */
export function address(base, rooms, path, query = {}) {
  // No URL can carry these: a browser would ask for another path.
  if (rooms.some((room) => /^\.{0,2}$/.test(room))) {
    throw new LongroomError('bad-room-name', { status: 400 });
  }
  const names = rooms.map(encodeURIComponent).join(',');
  const url = new URL(`rooms/${names}/${path}`, folderOf(base));
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null) url.searchParams.set(key, value);
  }
  return url;
}
