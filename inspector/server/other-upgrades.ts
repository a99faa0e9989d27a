/**
 * Upgrades that are for no WebSocket of an inspector. A server with one listener for upgrades is given all of them by Node, which then
 * answers none itself: whoever adds the only listener stands in for Node.
 */
import { ServerResponse, type IncomingMessage, type Server } from 'node:http';

/** The `upgrade` of each inspector: where several are mounted in one server, the last of them answers what is for none. */
const inspectors = new WeakSet<object>();
const taken = new WeakSet<IncomingMessage>();

export function isListener(upgrade: object): void {
  inspectors.add(upgrade);
}

export function take(request: IncomingMessage): void {
  taken.add(request);
}

/** Whether nobody but this listener will answer it. */
export function isNobodys(request: IncomingMessage, upgrade: object): boolean {
  const listeners = serverOf(request)?.listeners('upgrade') ?? [];
  return listeners.at(-1) === upgrade && listeners.every((one) => inspectors.has(one)) && !taken.has(request);
}

export function isForWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/**
 * Gives a request to the server's ordinary listeners, and its connection ends with the answer: whoever asks for h2c goes on without.
 * False where that cannot be done soundly, because Node has let go of the parser: with a body, and without a `Host`.
 */
export function handOver(request: IncomingMessage): boolean {
  const { method, headers, socket } = request;
  const server = serverOf(request);
  const hasBody = headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
  const isPlain = (method === 'GET' || method === 'HEAD') && !hasBody && headers.expect === undefined;
  if (server === undefined || !isPlain || headers.host === undefined) return false;
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  try {
    response.assignSocket(socket);
  } catch {
    // The answer to an earlier request is still being written there.
    socket.destroy();
    return true;
  }
  // What Node does for connections, but not for one that it gave away.
  socket.on('drain', () => response.emit('drain'));
  socket.on('timeout', () => void (response.emit('timeout', socket) || socket.destroy()));
  // So that it is noticed when the other side goes.
  socket.resume();
  response.once('finish', () => socket.destroySoon());
  server.emit('request', Object.assign(request, { upgrade: false }), response);
  return true;
}

function serverOf({ socket }: IncomingMessage): Server | undefined {
  return (socket as typeof socket & { readonly server?: Server }).server;
}
