/**
 * What went wrong, in words for the users of the page. The types are those of
 * PROTOCOL section 8 and of LongroomError.
 */

const WORDS = {
  'bad-room-name': 'This is not a valid room name. A name has up to 64 letters from A to Z, '
    + 'digits, and . _ ~ - (numbers have no leading zeros).',
  'empty-content': 'This message is empty.',
  'content-too-large': 'This message is too long.',
  'bad-parameter': 'The server does not accept this name or message.',
  unauthorized: 'You have to sign in first.',
  'token-expired': 'You have to sign in again.',
  'sign-in': 'Your sign-in has ended. Please sign in again.',
  forbidden: 'You are not allowed to do this here.',
  'rate-limited': 'Too many requests. Please wait a moment.',
  conflict: 'Another message was sent in place of this one.',
  overloaded: 'The server is too busy right now.',
  storage: 'The server can’t access its messages right now.',
  unavailable: 'The server is unavailable right now.',
  'no-answer': 'The server does not answer.',
};

/** @param {import('./longroom.js').LongroomError} problem  @returns {string} */
export function inWords(problem) {
  return WORDS[problem.type] ?? `The server refused: ${problem.message}`;
}

/** The same while it is tried again. */
export function tryingAgain(problem) {
  // Then the user must act, whatever is tried.
  return problem.type === 'sign-in' ? inWords(problem) : `${inWords(problem)} Trying again…`;
}
