/** Requests as somebody writes them who keeps to no rule: `fetch` and `ws` would put right what is meant to be wrong. */
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Sends this text and gives what comes back until the other side closes, or says no more for a while. */
export function sendRaw(port: number, text: string, host = '127.0.0.1'): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host);
    const chunks: Buffer[] = [];
    const done = () => {
      const all = Buffer.concat(chunks).toString();
      const [head = '', ...rest] = all.split('\r\n\r\n');
      const [, status = '0'] = /^HTTP\/1\.1 (\d{3})/.exec(head) ?? [];
      socket.destroy();
      resolve({ status: Number(status), head, body: rest.join('\r\n\r\n') });
    };
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.once('close', done);
    socket.once('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? done() : reject(error)));
    socket.setTimeout(20_000, done);
    socket.write(text);
  });
}

/** A request of one method with exactly these headers; the connection ends after the answer. */
export function request(
  port: number,
  method: string,
  path: string,
  headers: readonly (readonly [string, string])[],
  body = '',
): Promise<RawAnswer> {
  const lines = [
    ...headers,
    ['Connection', 'close'] as const,
    ...(body === '' ? [] : [['Content-Length', String(Buffer.byteLength(body))] as const]),
  ];
  const head = lines.map(([name, value]) => `${name}: ${value}`).join('\r\n');
  return sendRaw(port, `${method} ${path} HTTP/1.1\r\n${head}\r\n\r\n${body}`);
}

/** An upgrade of a WebSocket with exactly these headers. The socket stays open when it is accepted. */
export function upgrade(
  port: number,
  path: string,
  headers: readonly (readonly [string, string])[],
): Promise<RawAnswer & { readonly socket: Socket }> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const all: readonly (readonly [string, string])[] = [
      ...headers,
      ['Connection', 'Upgrade'],
      ['Upgrade', 'websocket'],
      ['Sec-WebSocket-Version', '13'],
      ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
    ];
    let text = '';
    const look = (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const [head = '', body = ''] = text.split('\r\n\r\n');
      if (!text.includes('\r\n\r\n')) return;
      socket.off('data', look);
      const [, status = '0'] = /^HTTP\/1\.1 (\d{3})/.exec(head) ?? [];
      resolve({ status: Number(status), head, body, socket });
    };
    socket.on('data', look);
    socket.once('error', reject);
    socket.once('close', () => resolve({ status: 0, head: '', body: '', socket }));
    socket.write(`GET ${path} HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}`).join('\r\n')}\r\n\r\n`);
  });
}

/** A frame of a client, masked with zeros. */
export function frame(opcode: number, payload: Buffer, length = payload.length): Buffer {
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  if (length < 126) head[1] = 0x80 | length;
  else if (length < 65_536) {
    head[1] = 0x80 | 126;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = 0x80 | 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}
