// The page of the example site: a room at a time, text nodes only.

import { join } from '/longroom/longroom.js';

const main = document.querySelector('main');
const at = (id) => document.getElementById(id);
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
  };
  at('state').textContent = state === 'failed' ? words[problem?.type] ?? 'Something is wrong.' : state;
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
}
