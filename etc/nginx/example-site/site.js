// The page of the example site: a room at a time, text nodes only.

import { join } from '/longroom/longroom.js';

const main = document.querySelector('main');
const at = (id) => document.getElementById(id);
// Who logs out in one tab is out in all of them.
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
    forbidden: 'This room is not for you.',
    left: 'You are not in a room.',
  };
  at('state').textContent = state === 'failed' ? words[problem?.type] ?? 'Something is wrong.' : state;
}

/** Ends the poll that waits; the server would not know before it is answered. */
function hangUp() {
  room.leave();
  tellState('failed', { type: 'unauthorized' });
}

function enter(name) {
  room?.leave();
  at('room').textContent = name;
  at('messages').replaceChildren();
  // Who we are is the server's to say: nothing about it is sent.
  room = join(name, {
    base: '/',
    onHistory: ({ messages }) => at('messages').replaceChildren(...messages.map(row)),
    onMessage: (message) => at('messages').append(row(message)),
    onState: tellState,
  });
}

if (main) {
  tabs.addEventListener('message', hangUp);
  // Before the server knows: when this page goes, another tab polls in its place.
  at('logout').form.addEventListener('submit', () => tabs.postMessage('somebody logs out'));
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
  tabs.postMessage('nobody is logged in');   // however that came
}
