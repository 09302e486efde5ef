// The page of the example site: a room at a time, text nodes only.

import { join } from '/longroom/longroom.js';

const main = document.querySelector('main');
const at = (id) => document.getElementById(id);
// A log-out in one tab logs out all tabs.
const tabs = new BroadcastChannel('teams');
let room = null;

function row({ username, content }) {
  const item = document.createElement('li');
  item.textContent = `${username}: ${content}`;
  return item;
}

function tellState(state, problem) {
  const words = {
    unauthorized: 'You are logged out.',
    forbidden: 'You have no access to this room.',
    left: 'You are not in a room.',
  };
  at('state').textContent = state === 'failed' ? words[problem?.type] ?? 'Something went wrong.' : state;
}

/** Stops receiving; the server would not end a waiting request yet. */
function hangUp() {
  room.leave();
  tellState('failed', { type: 'unauthorized' });
}

function enter(name) {
  room?.leave();
  at('room').textContent = name;
  at('messages').replaceChildren();
  // The server identifies the user: the page sends nothing about that.
  room = join(name, {
    base: '/',
    onHistory: ({ messages }) => at('messages').replaceChildren(...messages.map(row)),
    onMessage: (message) => at('messages').append(row(message)),
    onState: tellState,
  });
}

if (main) {
  tabs.addEventListener('message', hangUp);
  // Before the server knows, because another tab receives in place of this page when
  // it goes.
  at('logout').form.addEventListener('submit', () => tabs.postMessage('log-out'));
  for (const button of document.querySelectorAll('.room')) {
    button.addEventListener('click', () => enter(button.value));
  }
  at('send').addEventListener('submit', async (event) => {
    event.preventDefault();
    const text = at('text').value;
    at('text').value = '';
    try {
      await room.send(text);
    } catch (problem) {
      tellState('failed', problem);
    }
  });
  enter(main.dataset.room);
} else if (location.pathname === '/') {
  tabs.postMessage('not logged in');   // for whatever reason
}
