/** Looks at an inspector as its page does: `node viewer.mjs <url with its token>`. Says one line when it is told of the actors. */
import WebSocket from 'ws';

const url = new URL(/** @type {string} */ (process.argv[2]));
url.protocol = 'ws:';
url.pathname += 'v1/socket';
const socket = new WebSocket(url);
socket.on('open', () => socket.send(JSON.stringify({ type: 'hello', version: 1 })));
socket.on('message', (data) => {
  const { type } = JSON.parse(/** @type {Buffer} */ (data).toString());
  if (type === 'registry') console.log('it looks');
});
socket.on('error', (error) => {
  console.error(error);
  process.exit(1);
});
