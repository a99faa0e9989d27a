/** A viewer of the native protocol, for tests. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { ServerMessage } from '../../inspector/protocol.ts';

export class ViewerClient {
  readonly socket: WebSocket;
  readonly messages: ServerMessage[] = [];
  /** The code and the reason that it was closed with. */
  closed: readonly [number, string] | undefined;
  #wake: () => void = () => {};

  constructor(url: string, headers: Record<string, string> = {}) {
    this.socket = new WebSocket(url, { headers });
    this.socket.on('message', (data: Buffer) => {
      this.messages.push(JSON.parse(data.toString()) as ServerMessage);
      this.#wake();
    });
    this.socket.on('close', (code, reason) => {
      this.closed = [code, reason.toString()];
      this.#wake();
    });
    this.socket.on('error', () => {});
  }

  /** A viewer of a server, by the address with the token that it gives. */
  static async of(url: string, hello: object = {}, headers: Record<string, string> = {}): Promise<ViewerClient> {
    const address = new URL(url);
    const token = address.searchParams.get('token') ?? '';
    const path = address.pathname.replace(/\/$/, '');
    const client = new ViewerClient(`ws://${address.host}${path}/v1/socket`, {
      Authorization: `Bearer ${token}`,
      Origin: address.origin,
      ...headers,
    });
    await once(client.socket, 'open');
    client.say({ type: 'hello', version: 1, ...hello });
    return client;
  }

  say(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  of<TType extends ServerMessage['type']>(type: TType): Extract<ServerMessage, { type: TType }>[] {
    return this.messages.filter((message) => message.type === type) as Extract<ServerMessage, { type: TType }>[];
  }

  /** The numbers of all records that it was told. */
  get seqs(): number[] {
    return this.of('records').flatMap(({ records }) => records.map(({ seq }) => seq));
  }

  /** Resolves once this holds; it is looked at whenever a message comes. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  async close(): Promise<void> {
    if (this.closed !== undefined) return;
    this.socket.close();
    await this.until(() => this.closed !== undefined);
  }
}
