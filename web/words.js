/**
 * What went wrong, in words for the people in the room. The types are those of
 * PROTOCOL section 8 and of LongroomError.
 */

const WORDS = {
  'bad-room-name': 'This can’t be a room’s name. A name has up to 64 letters from A to Z, '
    + 'digits, and . _ ~ - (numbers have no leading zeros).',
  'empty-content': 'There is nothing in this message.',
  'content-too-large': 'This message is too long.',
  'bad-parameter': 'The server does not accept this name or message.',
  unauthorized: 'You have to sign in first.',
  'token-expired': 'You have to sign in again.',
  'sign-in': 'Your sign-in has ended. Please sign in again.',
  forbidden: 'You are not allowed to do this here.',
  'rate-limited': 'This is too much at once.',
  conflict: 'Another message was sent in place of this one.',
  overloaded: 'The server has too many visitors just now.',
  storage: 'The server can’t reach its messages just now.',
  unavailable: 'The server is away just now.',
  'no-answer': 'The server does not answer.',
};

/** @param {import('./longroom.js').LongroomError} problem  @returns {string} */
export function inWords(problem) {
  return WORDS[problem.type] ?? `The server refused: ${problem.message}`;
}
