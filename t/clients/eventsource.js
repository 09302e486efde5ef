// The package eventsource in Node.js: prints the id of each message.
//
//     node eventsource.js FOLDER URL      FOLDER has node_modules

import { createRequire } from 'node:module';

const [folder, url] = process.argv.slice(2);
const { EventSource } = createRequire(`${folder}/`)('eventsource');

const source = new EventSource(url);
source.onmessage = ({ data }) => process.stdout.write(`${JSON.parse(data).id}\n`);
source.onerror = () => {
  if (source.readyState === EventSource.CLOSED) process.stdout.write('dead\n');
};
