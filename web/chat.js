/**
 * The chat page: joining, leaving and switching rooms, writing, and showing the state of
 * the connection. longroom.js follows the rooms; conversation.js has what belongs to one.
 *
 * The rooms are in the address (#team_red,room_26, the shown one first), so that a link
 * leads into them, and going back leads to the room before. The tab remembers name and
 * room first, so that two windows can be two users.
 *
 * In the console: await testMessageHistory(26)
 */

import { Conversation } from './conversation.js';
import { join, history as readHistory, roomName } from './longroom.js';
import { browserId, remember, remembered } from './memory.js';
import { addressedRooms, cleanName, isRoom, typedAs, typedRoom, typedRooms } from './names.js';
import { Outbox } from './outbox.js';
import { People } from './people.js';
import { Side } from './side.js';
import { Transcript } from './transcript.js';
import { inWords, tryingAgain } from './words.js';

const LONGEST_HISTORY = 1000;
const COPIED_MS = 2000;
const RELOADED_MS = 60_000;

const $ = (id) => document.getElementById(id);

let rooms = null;            // joined, by longroom.js
let user = null;             // {id, name, author}
let shown = null;            // the Conversation on the screen
const conversations = new Map();   // a room's name -> its Conversation
const outbox = new Outbox();

const side = new Side({
  list: $('rooms'), frame: $('room'), toggle: $('show-rooms'), onChoose: (name) => {
    side.open(false);
    go(name);
    $('text').focus();
  },
});

const people = new People({
  button: $('here'), panel: $('people'), list: $('people-list'), typing: $('typing'), frame: $('room'),
  isOwn: ({ user_id }) => user_id === user?.id,
});

// ------------------------------------------------------------ joining

$('join').addEventListener('submit', (event) => {
  event.preventDefault();
  const name = cleanName($('name').value);
  const wanted = typedRooms($('room-name').value);
  if (!name) return refuse('Please enter a name, so that the others know who is writing.', $('name'));
  if (wanted.length === 0) return refuse('Please enter a room.', $('room-name'));
  remember('name', name);
  if (addressedRooms().join() === wanted.join()) followAddress();
  else location.hash = wanted.join();
});

$('add').addEventListener('submit', (event) => {
  event.preventDefault();
  const [first, ...others] = typedRooms($('add-name').value);
  if (!first) return $('add-name').focus();
  if (!isRoom(first)) {
    sayBeside(inWords({ type: 'bad-room-name' }));
    return $('add-name').select();
  }
  $('add-name').value = '';
  sayBeside('');
  for (const name of others) enter(name);
  side.open(false);
  go(first);
  $('text').focus();
});

addEventListener('hashchange', followAddress);

/** The address of the rooms, with this one shown. */
function addressOf(name) {
  return [name, ...[...conversations.keys()].filter((other) => other !== name)].join();
}

/** Shows a room, joined or not, as a step that the button Back undoes. */
function go(name) {
  const address = addressOf(name);
  if (location.hash.slice(1) !== address) location.hash = address;
}

/** Goes to the rooms in the address, or out of all. */
function followAddress() {
  const wanted = addressedRooms();
  const name = cleanName(remembered('name'));
  for (const joined of [...conversations.keys()]) if (!wanted.includes(joined)) leave(joined);
  if (wanted.length > 0) $('room-name').value = wanted.map(typedAs).join();
  if (wanted.length === 0 || !name) return showLobby();
  begin(name);
  for (const room of wanted) enter(room);
  show(conversations.get(wanted[0]));
}

function begin(name) {
  if (rooms) return;
  const author = `${name}.${browserId()}`;
  user = { id: author, name, author };
  rooms = join([], {
    user: { id: author, name },
    onHistory: (page, { name: room }) => conversations.get(room)?.begin(page),
    onMessage: (message, { name: room }) => conversations.get(room)?.receive(message),
    onGap: (_, { name: room }) => conversations.get(room)?.transcript
      .remark('Some messages were removed before you could read them.'),
    onTyping: (typing, { name: room }) => meet(room, { typing }),
    onPresence: (presence, { name: room }) => meet(room, { presence }),
    onState: (state, problem, { name: room }) => {
      if (state === 'failed') closed(room, problem);
      else conversations.get(room)?.enter(state, problem);
    },
  });
}

function meet(room, news) {
  const conversation = conversations.get(room);
  if (conversation) changed(Object.assign(conversation, news));
}

function enter(name) {
  if (conversations.has(name)) return;
  const transcript = new Transcript({
    list: $('messages').cloneNode(false),
    outbox: $('outbox').cloneNode(false),
    scroller: $('scroller'),
    isOwn: (message) => message.user_id === user.id,
    quietly,
    onMove: () => {
      if (shown?.transcript !== transcript) return;
      showUnread();
      if (transcript.atTop && !shown.olderFailed) shown.readOlder();
    },
  });
  const conversation = new Conversation(name, transcript, outbox, {
    user, sure: isReloaded(), isSeen, changed, edit, left: tellUnsent,
  });
  conversations.set(name, conversation);
  conversation.room = rooms.add(name);
  side.set([...conversations.keys()]);
}

function show(conversation) {
  if (shown === conversation) return;
  const first = shown === null;
  shown?.transcript.hide();
  shown = conversation;
  const { name } = conversation;
  remember('room', name);
  $('lobby').hidden = true;
  $('room').hidden = false;
  $('join-error').hidden = true;
  $('title').textContent = name;
  side.choose(name);
  // First what stands above the messages: they have a scroll position.
  changed(conversation);
  conversation.transcript.show();
  look();
  $('text').value = outbox.draft(name, user.author);
  fitText();
  if (first) $('text').focus();
}

/** The server refused: on to another room, or back to the lobby to correct the name. */
function closed(name, problem) {
  if (!conversations.has(name)) return;
  leave(name);
  if (conversations.size === 0) {
    showLobby();
    refuse(inWords(problem), $('room-name'));
    return;
  }
  const next = shown?.name ?? conversations.keys().next().value;
  window.history.replaceState(null, '', `#${addressOf(next)}`);
  show(conversations.get(next));
  sayBeside(`${name}: ${inWords(problem)}`);
}

$('leave').addEventListener('click', () => {
  const next = side.beside(shown.name, 1);
  leave(shown.name);
  if (conversations.size > 0) {
    location.hash = addressOf(next);
    $('text').focus();
    return;
  }
  // A new entry, so that the button Back leads into the room again.
  window.history.pushState(null, '', location.pathname + location.search);
  followAddress();
});

function leave(name) {
  const conversation = conversations.get(name);
  conversations.delete(name);
  if (shown === conversation) {
    shown = null;
    $('text').value = '';
  }
  conversation.close();
  side.set([...conversations.keys()]);
  if (conversations.size > 0) return;
  rooms = null;
  user = null;
}

function showLobby() {
  $('room').hidden = true;
  $('lobby').hidden = false;
  sayBeside('');
  side.open(false);
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

/** About another room than the shown one. */
function sayBeside(text) {
  $('add-error').textContent = text;
  $('add-error').hidden = text === '';
}

// ------------------------------------------------------------ the shown room

/** What of a conversation is not in its transcript. */
function changed(conversation) {
  side.count(conversation.name, conversation.unread);
  showTitle();
  if (conversation !== shown) return;
  $('ephemeral').hidden = !conversation.ephemeral;
  showState(conversation);
  showBeginning(conversation);
  people.showHere(conversation.presence, conversation.state === 'live');
  people.showTyping(conversation.typing);
}

function showState({ state, problem }) {
  $('state').dataset.state = state;
  const words = problem ? tryingAgain(problem) : STATES[state];
  $('sign-in').hidden = problem?.type !== 'sign-in';
  if ($('state').textContent !== words) $('state').textContent = words;
}

const STATES = {
  connecting: 'Connecting…',
  live: 'Connected',
  retrying: 'Trying again…',
};

function showBeginning({ hasOlder, olderFailed, known, transcript }) {
  $('older').hidden = !hasOlder;
  $('older').textContent = olderFailed
    ? 'Older messages could not be loaded. Try again' : 'Show older messages';
  $('beginning').hidden = hasOlder || !known;
  $('beginning').textContent = transcript.isEmpty
    ? 'There are no messages here yet.' : 'There are no older messages.';
}

$('older').addEventListener('click', () => shown.readOlder());

/** Earlier messages can be read, but are not announced by screen readers. */
function quietly(change) {
  $('log').setAttribute('aria-live', 'off');
  change();
  setTimeout(() => $('log').setAttribute('aria-live', 'polite'));
}

function showUnread() {
  const { unread } = shown.transcript;
  $('newest').hidden = unread === 0;
  $('newest').textContent = unread === 1 ? '1 new message' : `${unread} new messages`;
}

$('newest').addEventListener('click', () => {
  shown.transcript.toNewest();
  $('text').focus();
});

function isSeen(conversation) {
  return conversation === shown && !document.hidden;
}

/** The user looks at the shown room. */
function look() {
  if (!shown || document.hidden) return;
  shown.unread = 0;
  changed(shown);
}

document.addEventListener('visibilitychange', look);

function showTitle() {
  if (!shown) return;
  let unread = 0;
  for (const conversation of conversations.values()) unread += conversation.unread;
  document.title = `${unread > 0 ? `(${unread}) ` : ''}${shown.name} – Longroom`;
  side.countElsewhere(unread - shown.unread);
}

// From anywhere in the room, also while writing.
$('room').addEventListener('keydown', (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!shown || !step || !event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(side.beside(shown.name, step));
});

// A proxy before the server asks for the log-in, as it did at the first load.
$('sign-in').addEventListener('click', () => location.reload());

$('copy-link').hidden = !navigator.clipboard;
$('copy-link').addEventListener('click', async () => {
  const copied = await navigator.clipboard.writeText(location.href).then(() => true, () => false);
  $('copy-link').textContent = copied ? 'Copied' : 'Not copied';
  setTimeout(() => { $('copy-link').textContent = 'Copy link'; }, COPIED_MS);
});

// ------------------------------------------------------------ writing

$('compose').addEventListener('submit', (event) => {
  event.preventDefault();
  const content = $('text').value.trim();
  $('text').focus();
  if (!content || !shown) return;
  $('text').value = '';
  written();
  shown.send(content);
});

$('text').addEventListener('keydown', (event) => {
  // 229: a key for the input method, when isComposing has ended already.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  $('compose').requestSubmit();
});

$('text').addEventListener('input', () => {
  written();
  if ($('text').value.trim()) shown?.room.signal('typing');
});

function written() {
  fitText();
  if (shown) outbox.setDraft(shown.name, user.author, $('text').value);
}

function fitText() {
  const text = $('text');
  text.style.height = 'auto';
  text.style.height = `${text.scrollHeight + text.offsetHeight - text.clientHeight}px`;
}

function edit(content) {
  $('text').value = content;
  written();
  $('text').focus();
}

function tellUnsent(content) {
  const words = `You left before this was sent: “${content}”`;
  if (shown) shown.transcript.remark(words);
  else refuse(words, $('room-name'));
}

/** Whether the page was just reloaded, so that no other user can have come between. */
function isReloaded() {
  const [page] = performance.getEntriesByType('navigation');
  return page?.type === 'reload' && performance.now() < RELOADED_MS;
}

addEventListener('beforeunload', (event) => {
  if (outbox.atRisk) event.preventDefault();
});

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
