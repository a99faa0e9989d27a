/**
 * The inspector as a guest in somebody's HTTP server: two functions to call, and no server of its own.
 *
 *   request ──secure headers──> door ──> route ──> answer
 *   upgrade ───────────────────> door ──> /v1/socket (native.ts) or /stately (stately.ts)
 *      └──to anything but a WebSocket──> as a request (other-upgrades.ts)
 *
 * H1  Nothing is answered before the door has let it in; also what is not there is refused first.
 * H2  Whatever somebody sends can cost them their answer or their connection, and nobody else anything.
 * H3  Whoever has a WebSocket is judged again at each command and with each ping, and loses it when they may ask no more.
 * H4  What is asked of another path is left to the host; an upgrade that nobody else would answer is answered.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { messageOf } from '../../errors.ts';
import { Assets } from './assets.ts';
import { ClientActors } from '../sources/client-actors.ts';
import { CommandGate, type Giver } from './command-gate.ts';
import { Door, askedOf, type Asked } from './door.ts';
import type { Admission } from './guard.ts';
import { JoinedSource } from '../sources/joined-source.ts';
import { serveNative } from './native.ts';
import { checkInspectorOptions, type InspectorOptions } from './options.ts';
import { handOver, isForWebSocket, isListener, isNobodys, take } from './other-upgrades.ts';
import { PROTOCOL_VERSION, type ServerHello } from '../protocol.ts';
import type { RefusalLog } from './refusal-log.ts';
import { ReplyFailure, failureOf, secure, securityHeaders, sendFailure, type Failure } from './reply.ts';
import type { RouteWorld } from './routes.ts';
import { StatelyHub } from './stately.ts';
import { inspectedOf, type InspectorTarget } from './target.ts';
import { PACKAGE_VERSION } from './version.ts';

/** Bytes of a frame that somebody sends. */
const LARGEST_FRAME = 1_000_000;
const MOST_CONNECTIONS = 64;
const PING_EVERY_MS = 30_000;
const GOING_AWAY = 1001;
const POLICY = 1008;
const CLOSING_MS = 1_000;

/** What is told where nobody else would answer. */
const NOT_THERE = { status: 404, code: 'NOT_FOUND', message: 'There is no WebSocket here.' };
const NOT_UPGRADED = {
  status: 501,
  code: 'UPGRADE_UNKNOWN',
  message: 'Nothing is upgraded to this here: send the request without an Upgrade header.',
};

/** An inspector to be mounted. Made by {@link inspectorHandler}. */
export interface InspectorHandler extends AsyncDisposable {
  /**
   * Answers a request under `basePath`. Whatever comes of it is told to whoever asked: it never throws or rejects. What is asked of
   * another path is left to `next`; without it, it is refused.
   */
  readonly handler: (request: IncomingMessage, response: ServerResponse, next?: () => void) => Promise<void>;
  /**
   * Takes an upgrade under `basePath`. Of another path it gives false and leaves it alone, if the server has other listeners for
   * upgrades; if this is the only one, it is answered: 404 for a WebSocket, and as an ordinary request for anything else.
   */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean;
  /** With a slash before and none behind; the empty text for the root. */
  readonly basePath: string;
  /** Connections that are open now. */
  readonly viewers: number;
  /** The address for a browser, with the token: hand it to nobody else. `origin` is such as `http://localhost:3000`. */
  url(origin: string): string;
  /** Ends all connections; resolves when that is done. What is looked at goes on. */
  close(): Promise<void>;
}

/**
 * Makes an inspector that is mounted in an HTTP server of the host, under `basePath`. Throws OPTIONS_INVALID.
 *
 * @example
 * const inspector = inspectorHandler(supervisor, { basePath: '/inspector' });
 * app.use(inspector.basePath, inspector.handler);
 * server.on('upgrade', inspector.upgrade);
 * console.log(inspector.url('http://localhost:3000'));
 */
export function inspectorHandler(target: InspectorTarget, options: InspectorOptions = {}): InspectorHandler {
  checkInspectorOptions(options);
  return new Mounted(target, options, new Door(options));
}

/** The same behind a door that is there already. The options are checked. */
export function inspectorBehind(door: Door, target: InspectorTarget, options: InspectorOptions): InspectorHandler {
  return new Mounted(target, options, door);
}

class Mounted implements InspectorHandler {
  readonly basePath: string;
  readonly #door: Door;
  readonly #log: RefusalLog;
  readonly #world: RouteWorld;
  readonly #source: JoinedSource;
  readonly #stately: StatelyHub;
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: LARGEST_FRAME, perMessageDeflate: false });
  /** Upgrades that are being judged. */
  readonly #waiting = new Set<Duplex>();
  readonly #alive = new WeakSet<WebSocket>();
  /** Judges again whoever has a connection. */
  readonly #judges = new WeakMap<WebSocket, () => Promise<unknown>>();
  readonly #pinging: NodeJS.Timeout;
  readonly #letGo: () => Promise<void>;
  #closing: Promise<void> | undefined;

  constructor(target: InspectorTarget, options: InspectorOptions, door: Door) {
    this.basePath = door.basePath;
    this.#log = door.log;
    this.#door = door;
    const inspected = inspectedOf(target, options);
    const clients = new ClientActors(inspected);
    const source = (this.#source = new JoinedSource(inspected.source, clients));
    const failed = (part: string, error: unknown): Failure => {
      this.#log.failed(part, messageOf(error));
      return failureOf(error);
    };
    this.#stately = new StatelyHub(source, clients, (error) => void failed('stately', error));
    const gate = new CommandGate(inspected.desk, options.commands === true, this.#log);
    const assets = new Assets();
    const hello = (giver: Giver, resumed: boolean): ServerHello => ({
      type: 'hello',
      version: PROTOCOL_VERSION,
      server: { name: 'perdure', version: PACKAGE_VERSION },
      epoch: source.epoch,
      seq: source.nextSeq,
      resumed,
      capabilities: { ...source.capabilities, commands: gate.takesFrom(giver) },
      store: source.store,
      badge: options.badge ?? null,
      startedAt: source.startedAt ?? 0,
      pid: source.pid,
    });
    const { profile } = inspected;
    this.#world = {
      source,
      gate,
      assets,
      hello,
      failed,
      metrics: () => inspected.metrics(this.viewers),
      ...(profile === undefined ? {} : { profile }),
    };
    this.#letGo = inspected.letGo;
    this.#sockets.on('wsClientError', ({ message }, socket) => {
      refuseUpgrade(socket, { status: 400, code: 'UPGRADE_INVALID', message: `This is no handshake: ${message}.` });
    });
    this.#pinging = setInterval(() => this.#ping(), PING_EVERY_MS).unref();
    isListener(this.upgrade);
  }

  get viewers(): number {
    return this.#sockets.clients.size;
  }

  url(origin: string): string {
    const { token } = this.#door.guard;
    return `${origin}${this.basePath}/${token === undefined ? '' : `?token=${encodeURIComponent(token)}`}`;
  }

  readonly handler = async (request: IncomingMessage, response: ServerResponse, next?: () => void): Promise<void> => {
    if (next !== undefined && askedOf(request, this.basePath) === undefined) return next();
    try {
      secure(response);
      await this.#serve(request, response);
    } catch (error) {
      this.#failed(response, error);
    }
  };

  readonly upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): boolean => {
    const asked = askedOf(request, this.basePath);
    if (asked === undefined && !isNobodys(request, this.upgrade)) return false;
    take(request);
    // For good: what is written may fail after everything else is done with the connection.
    socket.on('error', () => {});
    const isOther = !isForWebSocket(request);
    if (isOther && handOver(request)) return true;
    if (asked === undefined) refuseUpgrade(socket, isOther ? NOT_UPGRADED : NOT_THERE);
    else void this.#upgradeOrRefuse(request, socket, head, asked);
    return true;
  };

  async close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { path, query, route, params, methods, verdict } = await this.#door.letIn(request);
    if (this.#closing !== undefined) throw closed();
    if (route === undefined) throw notThere(response, methods);
    if (route.path === '/' && (path === '' || query.has('token'))) return this.#toPage(request, response, path, query);
    if (route.isFramed) secure(response, true);
    await route.serve({ request, response, params, query, giver: verdict }, this.#world);
  }

  /** The token is not to stay in the address, in the history of the browser, and in what is shared. */
  #toPage(request: IncomingMessage, response: ServerResponse, path: string, query: URLSearchParams): void {
    const isKnown = query.has('token');
    query.delete('token');
    const rest = query.size === 0 ? '' : `?${query.toString()}`;
    // Relative: what is before it may be known to a proxy only.
    const folder = path === '' ? `${this.basePath.slice(this.basePath.lastIndexOf('/') + 1)}/` : './';
    const cookie = isKnown ? this.#door.guard.cookieFor(request) : undefined;
    if (cookie !== undefined) response.setHeader('Set-Cookie', cookie);
    response.writeHead(303, { Location: `${folder}${rest}`, 'Content-Length': 0 }).end();
  }

  #failed(response: ServerResponse, error: unknown): void {
    const failure = this.#told(error);
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    if (failure.status === 413) response.setHeader('Connection', 'close');
    sendFailure(response, failure);
  }

  #told(error: unknown): Failure {
    const failure = failureOf(error);
    if (failure.status === 500) this.#log.failed('handler', messageOf(error));
    return failure;
  }

  async #upgradeOrRefuse(request: IncomingMessage, socket: Duplex, head: Buffer, asked: Asked): Promise<void> {
    this.#waiting.add(socket);
    try {
      await this.#upgrade(request, socket, head, asked);
    } catch (error) {
      // It may have been ended meanwhile.
      if (this.#waiting.has(socket)) refuseUpgrade(socket, this.#told(error));
    } finally {
      this.#waiting.delete(socket);
    }
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, asked: Asked): Promise<void> {
    const { route, verdict } = await this.#door.letUp(request, asked);
    if (route?.isUpgrade !== true) throw new ReplyFailure(NOT_THERE.status, NOT_THERE.code, NOT_THERE.message);
    if (this.#closing !== undefined) throw closed();
    if (this.viewers >= MOST_CONNECTIONS) {
      throw new ReplyFailure(503, 'TOO_MANY_VIEWERS', `At most ${MOST_CONNECTIONS} connections at once: close one.`);
    }
    this.#sockets.handleUpgrade(request, socket, head, (connection) => {
      const judge = this.#judgeOf(connection, request, asked);
      this.#judges.set(connection, judge);
      this.#alive.add(connection);
      connection.on('pong', () => this.#alive.add(connection));
      // It is closed with a reason by what found the error.
      connection.on('error', () => {});
      if (route.path === '/stately') this.#stately.connect(connection);
      else serveNative(connection, this.#world, giverOf(request, verdict), judge);
    });
  }

  /** Tells who has this connection now; undefined if they may ask no more, and it is closed. In turn, so that commands stay in order. */
  #judgeOf(connection: WebSocket, request: IncomingMessage, asked: Asked): () => Promise<Giver | undefined> {
    const ask = async (): Promise<Giver | undefined> => {
      if (this.#closing !== undefined || request.socket.destroyed) return undefined;
      try {
        return giverOf(request, (await this.#door.letUp(request, asked)).verdict);
      } catch (error) {
        connection.close(POLICY, this.#told(error).code);
        return undefined;
      }
    };
    let last: Promise<Giver | undefined> = Promise.resolve(undefined);
    return () => (last = last.then(ask));
  }

  /** Whoever does not answer has gone without a word. */
  #ping(): void {
    for (const connection of this.#sockets.clients) {
      if (!this.#alive.delete(connection)) connection.terminate();
      else {
        connection.ping();
        void this.#judges.get(connection)?.();
      }
    }
  }

  async #close(): Promise<void> {
    clearInterval(this.#pinging);
    for (const socket of this.#waiting) refuseUpgrade(socket, closed());
    this.#waiting.clear();
    const { clients } = this.#sockets;
    const gone = [...clients].map((connection) => new Promise((resolve) => connection.once('close', resolve)));
    for (const connection of clients) connection.close(GOING_AWAY, 'the inspector is closed');
    const impatience = setTimeout(() => {
      for (const connection of clients) connection.terminate();
    }, CLOSING_MS);
    await Promise.all(gone);
    clearTimeout(impatience);
    this.#source.detach();
    await this.#letGo();
  }
}

function notThere(response: ServerResponse, methods: readonly string[]): ReplyFailure {
  if (methods.length === 0) return new ReplyFailure(404, 'NOT_FOUND', 'There is nothing here.');
  response.setHeader('Allow', [...methods, ...(methods.includes('GET') ? ['HEAD'] : [])].join(', '));
  return new ReplyFailure(405, 'METHOD_NOT_ALLOWED', `This takes ${methods.join(' and ')}.`);
}

/** What changes something needs an Origin: a connection without one may look, and nothing else. */
function giverOf({ headers }: IncomingMessage, { by, commands }: Admission): Giver {
  return { by, commands: commands && headers.origin !== undefined };
}

function closed(): ReplyFailure {
  return new ReplyFailure(503, 'CLOSED', 'The inspector is closed.');
}

function refuseUpgrade(socket: Duplex, { status, code, message }: Failure): void {
  const body = JSON.stringify({ code, message });
  const head = [
    `HTTP/1.1 ${status} ${code}`,
    'Connection: close',
    'Content-Type: application/json; charset=utf-8',
    ...Object.entries(securityHeaders()).map(([name, text]) => `${name}: ${text}`),
    'Cache-Control: no-store',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  socket.once('finish', () => socket.destroy());
}
