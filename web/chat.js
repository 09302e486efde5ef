/**
 * The chat page: joining, leaving, sending, and showing the state of the connection.
 * longroom.js follows the room, transcript.js shows its messages.
 *
 * The room is in the address (#room_26), so that a link leads into it, and going back
 * leaves it. The tab remembers name and room first, so that two windows can be two
 * users.
 *
 * In the console: await testMessageHistory(26)
 */

import { newId } from './ids.js';
import { join, history as readHistory, roomName } from './longroom.js';
import { Outbox } from './outbox.js';
import { Transcript } from './transcript.js';
import { inWords } from './words.js';

const LONGEST_HISTORY = 1000;
const COPIED_MS = 2000;
const RELOADED_MS = 60_000;
const SURE_MS = 10 * 60_000;

const $ = (id) => document.getElementById(id);

let room = null;             // the joined room
let user = null;             // {id, name}
let hasOlder = false;
let readingOlder = false;
let olderFailed = false;     // then only the button tries again, not scrolling
let unseen = 0;              // messages that came while the page was hidden
let author = '';             // the name and browser by which the outbox knows us
const underWay = new Map();  // client_id -> the result of transcript.send()
const outbox = new Outbox();

const transcript = new Transcript({
  list: $('messages'),
  outbox: $('outbox'),
  scroller: $('scroller'),
  isOwn: (message) => message.user_id === user?.id,
  onMove: () => {
    showUnread();
    if (transcript.atTop && !olderFailed) readOlder();
  },
});

// ------------------------------------------------------------ joining

$('join').addEventListener('submit', (event) => {
  event.preventDefault();
  const name = cleanName($('name').value);
  const wanted = typedRoom($('room-name').value);
  if (!name) return refuse('Please enter a name, so that the others know who is writing.', $('name'));
  if (!wanted) return refuse('Please enter a room.', $('room-name'));
  remember('name', name);
  if (addressedRoom() === wanted) followAddress();
  else location.hash = wanted;
});

addEventListener('hashchange', followAddress);

/** Goes to the room in the address, or out of it. */
function followAddress() {
  const wanted = addressedRoom();
  if (room && room.name === wanted) return;
  leave();
  const name = cleanName(remembered('name'));
  if (wanted) $('room-name').value = typedAs(wanted);
  if (wanted && name) enter(wanted, name);
  else showLobby();
}

function enter(wanted, name) {
  user = { id: `${name}.${browserId()}`, name };
  author = user.id;
  remember('room', wanted);
  $('lobby').hidden = true;
  $('room').hidden = false;
  $('title').textContent = wanted;
  $('ephemeral').hidden = true;
  $('join-error').hidden = true;
  showState('connecting');
  olderFailed = false;
  showBeginning(false, false);
  edit(outbox.draft(wanted, author));
  let unsent = outbox.sends(wanted, author);
  const sure = isReloaded();
  const own = room = join(wanted, {
    user,
    onHistory: (page) => {
      show(page);
      takeUp(unsent, page.messages, sure);
      unsent = [];
    },
    onMessage: (message) => receive(message),
    onGap: () => transcript.remark('Some messages were removed before you could read them.'),
    onState: (state, problem) => {
      if (state === 'failed') closed(own, problem);
      else showState(state, problem);
    },
  });
}

/** The server refused: back to the lobby, where the name can be corrected. */
function closed(own, problem) {
  if (own !== room) return;
  leave();
  showLobby();
  refuse(inWords(problem), $('room-name'));
}

$('leave').addEventListener('click', () => {
  // A new entry, so that the button Back leads into the room again.
  window.history.pushState(null, '', location.pathname + location.search);
  followAddress();
});

function leave() {
  if (!room) return;
  room.leave();
  room = null;
  user = null;
  hasOlder = false;
  underWay.clear();
  transcript.clear();
  $('text').value = '';
}

function showLobby() {
  $('room').hidden = true;
  $('lobby').hidden = false;
  document.title = 'Longroom';
  $('name').value ||= remembered('name');
  $('room-name').value ||= typedAs(remembered('room'));
  ($('name').value ? $('room-name') : $('name')).focus();
}

function refuse(text, field) {
  $('join-error').textContent = text;
  $('join-error').hidden = false;
  field.focus();
  field.select();
}

// ------------------------------------------------------------ messages

function show({ messages, older, ephemeral }) {
  hasOlder = olderFailed = false;
  quietly(() => transcript.replace(messages));
  for (const { client_id } of messages) if (underWay.has(client_id)) arrived(client_id);
  $('ephemeral').hidden = !ephemeral;
  showBeginning(older, true);
}

function receive(message) {
  // If the server identifies the user, this is how the page learns the identity.
  if (underWay.has(message.client_id)) user.id = message.user_id;
  arrived(message.client_id);
  const dropped = transcript.append(message);
  showBeginning(hasOlder || dropped, true);
  if (document.hidden && message.user_id !== user.id) unseen++;
  showTitle();
}

async function readOlder() {
  if (!hasOlder || readingOlder) return;
  readingOlder = true;
  olderFailed = false;
  const from = room;
  try {
    const { messages, older } = await from.older(transcript.firstId);
    quietly(() => transcript.prepend(messages));
    showBeginning(older, true);
  } catch (problem) {
    if (from !== room || problem.type === 'left') return;
    olderFailed = true;
    showBeginning(hasOlder, true);
  } finally {
    readingOlder = false;
  }
}

$('older').addEventListener('click', readOlder);

function showBeginning(older, known) {
  hasOlder = older;
  $('older').hidden = !older;
  $('older').textContent = olderFailed
    ? 'Older messages could not be loaded. Try again' : 'Show older messages';
  $('beginning').hidden = older || !known;
  $('beginning').textContent = transcript.isEmpty
    ? 'There are no messages here yet.' : 'There are no older messages.';
}

/** Earlier messages can be read, but are not announced by screen readers. */
function quietly(change) {
  $('log').setAttribute('aria-live', 'off');
  change();
  setTimeout(() => $('log').setAttribute('aria-live', 'polite'));
}

function showUnread() {
  const { unread } = transcript;
  $('newest').hidden = unread === 0;
  $('newest').textContent = unread === 1 ? '1 new message' : `${unread} new messages`;
}

$('newest').addEventListener('click', () => {
  transcript.toNewest();
  $('text').focus();
});

// ------------------------------------------------------------ sending

$('compose').addEventListener('submit', (event) => {
  event.preventDefault();
  const content = $('text').value.trim();
  $('text').focus();
  if (!content) return;
  $('text').value = '';
  written();
  send(content);
});

$('text').addEventListener('keydown', (event) => {
  // 229: a key for the input method, when isComposing has ended already.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  $('compose').requestSubmit();
});

$('text').addEventListener('input', written);

function written() {
  fitText();
  if (room) outbox.setDraft(room.name, author, $('text').value);
}

function fitText() {
  const text = $('text');
  text.style.height = 'auto';
  text.style.height = `${text.scrollHeight + text.offsetHeight - text.clientHeight}px`;
}

async function send(content, clientId = newId()) {
  const from = room;
  const bubble = transcript.send(content);
  underWay.set(clientId, bubble);
  outbox.add(from.name, author, clientId, content);
  try {
    const message = await from.send(content, {
      clientId,
      onRetry: (problem) => bubble.say(tryingAgain(problem)),
    });
    outbox.drop(clientId);
    // An unsaved message may never come back from the server.
    if (message.saved === false) bubble.settle('Not saved');
    // Sent again, though the first attempt had arrived before the room was read.
    else if (message.id <= transcript.lastId) arrived(clientId);
    else bubble.say('Sent');
  } catch (problem) {
    if (problem.type === 'left') {
      outbox.drop(clientId);
      tellUnsent(content);
      return;
    }
    outbox.refuse(clientId);
    underWay.delete(clientId);
    bubble.fail(inWords(problem), choices(bubble, content, clientId));
  }
}

/** The choices for a message that was not sent. */
function choices(bubble, content, clientId) {
  const dismiss = () => {
    bubble.remove();
    underWay.delete(clientId);
    outbox.drop(clientId);
  };
  return { Edit: () => { dismiss(); edit(content); }, Discard: dismiss };
}

/**
 * Messages under way when the page was left: they are sent again after a reload. After
 * any other return, or later, another user may be in the tab, so the user is asked.
 */
function takeUp(unsent, messages, sure) {
  const shown = new Set(messages.map((message) => message.client_id));
  for (const { clientId, content, refused, atMs } of unsent) {
    if (shown.has(clientId)) outbox.drop(clientId);
    else if (sure && !refused && Date.now() - atMs < SURE_MS) send(content, clientId);
    else ask(content, clientId);
  }
}

function ask(content, clientId) {
  const bubble = transcript.send(content);
  underWay.set(clientId, bubble);
  const again = () => {
    bubble.remove();
    send(content, clientId);
  };
  bubble.fail('This had not been sent when you left.',
    { Send: again, ...choices(bubble, content, clientId) });
}

/** Whether the page was just reloaded, so that no other user can have come between. */
function isReloaded() {
  const [page] = performance.getEntriesByType('navigation');
  return page?.type === 'reload' && performance.now() < RELOADED_MS;
}

addEventListener('beforeunload', (event) => {
  if (outbox.atRisk) event.preventDefault();
});

function tellUnsent(content) {
  const words = `You left before this was sent: “${content}”`;
  if (room) transcript.remark(words);
  else refuse(words, $('room-name'));
}

/** A message that the server has delivered is no longer under way. */
function arrived(clientId) {
  underWay.get(clientId)?.remove();
  underWay.delete(clientId);
  outbox.drop(clientId);
}

function edit(content) {
  $('text').value = content;
  written();
  $('text').focus();
}

// ------------------------------------------------------------ the state

const STATES = {
  connecting: 'Connecting…',
  live: 'Connected',
  retrying: 'Trying again…',
};

function showState(state, problem) {
  $('state').dataset.state = state;
  const words = problem ? tryingAgain(problem) : STATES[state];
  $('sign-in').hidden = problem?.type !== 'sign-in';
  if ($('state').textContent !== words) $('state').textContent = words;
  showTitle();
}

function tryingAgain(problem) {
  // Then the user must act, whatever is tried.
  return problem.type === 'sign-in' ? inWords(problem) : `${inWords(problem)} ${STATES.retrying}`;
}

function showTitle() {
  if (!room) return;
  document.title = `${unseen > 0 ? `(${unseen}) ` : ''}${room.name} – Longroom`;
}

document.addEventListener('visibilitychange', () => {
  unseen = 0;
  showTitle();
});

// A proxy before the server asks for the log-in, as it did at the first load.
$('sign-in').addEventListener('click', () => location.reload());

$('copy-link').hidden = !navigator.clipboard;
$('copy-link').addEventListener('click', async () => {
  const copied = await navigator.clipboard.writeText(location.href).then(() => true, () => false);
  $('copy-link').textContent = copied ? 'Copied' : 'Not copied';
  setTimeout(() => { $('copy-link').textContent = 'Copy link'; }, COPIED_MS);
});

// ------------------------------------------------------------ names

/** A number is a numbered room: 26 is room_26. */
function typedRoom(text) {
  const typed = text.trim();
  return /^[1-9][0-9]*$/.test(typed) ? `room_${typed}` : typed;
}

function typedAs(name) {
  return name.replace(/^room_(?=[1-9][0-9]*$)/, '');
}

function addressedRoom() {
  const text = location.hash.slice(1);
  try {
    return typedRoom(decodeURIComponent(text));
  } catch {
    return text;
  }
}

function cleanName(text) {
  return text.replace(/\p{Cc}/gu, ' ').trim();
}

/** Distinguishes this browser's Ann from another's. */
function browserId() {
  if (!remembered('browser')) remember('browser', newId().slice(0, 6));
  return remembered('browser');
}

// Storage may be denied, and then throws; the page remembers in memory.
const memory = new Map();

function remember(key, value) {
  memory.set(key, value);
  for (const kind of ['sessionStorage', 'localStorage']) {
    try { window[kind].setItem(`longroom.${key}`, value); } catch { /* denied, or full */ }
  }
}

function remembered(key) {
  if (memory.has(key)) return memory.get(key);
  for (const kind of ['sessionStorage', 'localStorage']) {
    try {
      const value = window[kind].getItem(`longroom.${key}`);
      if (value !== null) return value;
    } catch { /* denied */ }
  }
  return '';
}

// ------------------------------------------------------------ the console

/**
 * Loads the messages of a room, and prints them.
 * @param {number|string} wanted  26 or 'room_26', or another room's name
 * @returns {Promise<{count: number, messages: object[]}>}
 */
window.testMessageHistory = async (wanted) => {
  const name = typedRoom(roomName(wanted));
  const { count, messages } = await readHistory(name, { limit: LONGEST_HISTORY });
  const loaded = { count, messages };
  console.log('[TRACE] Loaded message history:', loaded);
  return loaded;
};

followAddress();
