/** The inspector as a server of its own, which only this machine reaches unless the host says otherwise. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { PerdureError } from '../../errors.ts';
import { Connections } from './connections.ts';
import { Door } from './door.ts';
import { inspectorBehind, type InspectorHandler } from './handler.ts';
import { checkServeOptions, isLoopback, type ServeOptions } from './options.ts';
import { failureOf, secure, sendFailure, type Failure } from './reply.ts';
import type { InspectorTarget } from './target.ts';

export const DEFAULT_PORT = 7337;
/** Ports from the default one on that are tried before any is taken. */
const TRIED_PORTS = 20;
const LOOPBACK = '127.0.0.1';

/** Bounds of what somebody may send before, and beside, what handler.ts bounds. */
const LIMITS = {
  maxHeaderSize: 16_384,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 5_000,
} as const;

/** An inspector that listens. Made by {@link serveInspector}. */
export interface InspectorServer extends AsyncDisposable {
  /** The address for a browser, with the token in it: hand it to nobody else. */
  readonly url: string;
  readonly port: number;
  /** WebSockets that are open now. */
  readonly viewers: number;
  /** Lets the process end although it listens. */
  unref(): void;
  /** Ends all connections and stops listening. What is looked at goes on. */
  close(): Promise<void>;
}

/**
 * Serves an inspector of a supervisor, a durable actor, or any actor of XState. Throws OPTIONS_INVALID, and INSPECTOR_PORT_TAKEN for a
 * port that was given and is not free.
 *
 * @example
 * await using inspector = await serveInspector(supervisor, { commands: true });
 * console.log(inspector.url);
 */
export async function serveInspector(target: InspectorTarget, options: ServeOptions = {}): Promise<InspectorServer> {
  const listening = await Listening.open(options);
  try {
    return listening.serve(target);
  } catch (error) {
    await listening.close();
    throw error;
  }
}

/** A server that has its port, and answers nothing before it is told what of. */
export class Listening {
  readonly #server: Server;
  readonly #options: ServeOptions;
  readonly #connections = new Connections();
  readonly #door: Door;
  #inspector: InspectorHandler | undefined;
  #closing: Promise<void> | undefined;

  /** Throws OPTIONS_INVALID, INSPECTOR_PORT_TAKEN. */
  static async open(options: ServeOptions): Promise<Listening> {
    checkServeOptions(options);
    const server = createServer(LIMITS);
    await listen(server, options.host ?? LOOPBACK, options.port);
    return new Listening(server, options);
  }

  private constructor(server: Server, options: ServeOptions) {
    this.#server = server;
    this.#options = options;
    this.#door = new Door(options, ({ socket }) => this.#connections.know(socket));
    server.on('connection', (socket: Socket) => this.#connections.add(socket));
    server.on('request', (request, response) => {
      this.#connections.asked(request.socket);
      if (this.#inspector === undefined) void this.#refuse(request, response, STARTING);
      else void this.#inspector.handler(request, response);
    });
    server.on('upgrade', (request, socket, head) => {
      this.#connections.asked(request.socket);
      if (this.#inspector?.upgrade(request, socket, head) !== true) socket.destroy();
    });
    // It is no proxy.
    server.on('connect', (_, socket) => socket.destroy());
    server.on('checkExpectation', (request, response) => {
      this.#connections.asked(request.socket);
      void this.#refuse(request, response, EXPECTATION);
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Answers of this from now on. Throws OPTIONS_INVALID. */
  serve(target: InspectorTarget): InspectorServer {
    const { port: _, host = LOOPBACK, ...rest } = this.#options;
    const inspector = (this.#inspector = inspectorBehind(this.#door, target, rest));
    const { port } = this;
    const name = nameOf(host, rest.hosts);
    const close = () => this.close();
    return {
      url: inspector.url(`http://${/[^\]]:\d+$/.test(name) ? name : `${name}:${port}`}`),
      port,
      get viewers() {
        return inspector.viewers;
      },
      unref: () => this.#unref(),
      close,
      [Symbol.asyncDispose]: close,
    };
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  /** Tells why there is no answer, and only whoever may ask. */
  async #refuse(request: IncomingMessage, response: ServerResponse, why: Failure): Promise<void> {
    secure(response);
    const told = await this.#door.letIn(request).then(() => why, failureOf);
    sendFailure(response, told);
  }

  #unref(): void {
    this.#server.unref();
    this.#connections.keep(false);
  }

  async #close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    // What is being closed is waited for.
    this.#connections.keep(true);
    await this.#inspector?.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

const STARTING = { status: 503, code: 'STARTING', message: 'What is inspected is being started.' };
const EXPECTATION = { status: 417, code: 'EXPECTATION_FAILED', message: 'Nothing can be expected of this.' };

/** Listens at a port that was given, or at the first of a few that is free. */
async function listen(server: Server, host: string, port: number | undefined): Promise<void> {
  const candidates = port === undefined ? Array.from({ length: TRIED_PORTS }, (_, at) => DEFAULT_PORT + at) : [port];
  if (port === undefined) candidates.push(0);
  for (const [at, candidate] of candidates.entries()) {
    const error = await tryListen(server, host, candidate);
    if (error === undefined) return;
    const isTaken = error.code === 'EADDRINUSE';
    if (isTaken && at < candidates.length - 1) continue;
    throw notListening(error, host, candidate, isTaken);
  }
}

function tryListen(server: Server, host: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException) => {
      server.off('listening', listening);
      resolve(error);
    };
    const listening = () => {
      server.off('error', failed);
      resolve(undefined);
    };
    server.once('error', failed).once('listening', listening).listen(port, host);
  });
}

function notListening(error: NodeJS.ErrnoException, host: string, port: number, isTaken: boolean): PerdureError {
  const facts = { host, port };
  if (!isTaken) {
    const message = `The inspector cannot listen at ${host}:${port}: ${error.message}`;
    return new PerdureError('OPTIONS_INVALID', message, { cause: error, facts });
  }
  const message =
    `The port ${port} of ${host}, which was asked for the inspector, is taken by another process: give another one, 0 for any, ` +
    `or none for the first that is free from ${DEFAULT_PORT} on.`;
  return new PerdureError('INSPECTOR_PORT_TAKEN', message, { cause: error, facts, retryable: true });
}

/** The name of a host as it stands in the address. */
function nameOf(host: string, hosts: readonly string[] = []): string {
  if (!isLoopback(host)) return hosts[0] ?? host;
  return host.includes(':') ? `[${host}]` : host;
}
