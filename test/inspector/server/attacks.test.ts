/** What somebody does who wants it to fail: each is refused, changes nothing, and disturbs nobody else. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Socket, connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { Connections } from '../../../inspector/server/connections.ts';
import { Assets } from '../../../inspector/server/assets.ts';
import type { CommandDesk } from '../../../inspector/commands/commands.ts';
import { failureOf, sendFailure } from '../../../inspector/server/reply.ts';
import { ROUTES } from '../../../inspector/server/routes.ts';
import { inspectorHandler } from '../../../inspector/server/handler.ts';
import { Listening, serveInspector, type InspectorServer } from '../../../inspector/server/server.ts';
import { frame, request, sendRaw, upgrade } from '../../support/raw-http.ts';
import { StillSource } from '../../support/still-source.ts';
import { tempFolder } from '../../support/temp.ts';
import { ViewerClient } from '../../support/viewer-client.ts';

const TOKEN = 'a-token-of-this-test-alone';
const given: unknown[] = [];
const desk: CommandDesk = {
  give(command) {
    given.push(command);
    return Promise.resolve({ type: 'answer', id: command.id, state: 'applied', message: 'done' });
  },
  audit: () => [],
  close: () => {},
};

let source: StillSource;
let server: InspectorServer;
beforeAll(async () => {
  source = new StillSource();
  server = await serveInspector(source, { port: 0, token: TOKEN, commands: true, desk });
});
afterAll(() => server.close());

type Headers = readonly (readonly [string, string])[];
const known = (): Headers => [
  ['Host', `127.0.0.1:${server.port}`],
  ['Authorization', `Bearer ${TOKEN}`],
];
const changing = (): Headers => [
  ...known(),
  ['Origin', `http://127.0.0.1:${server.port}`],
  ['Content-Type', 'application/json'],
];
const get = (path: string, more: Headers = []) => request(server.port, 'GET', path, [...known(), ...more]);
const post = (body: string, headers = changing()) => request(server.port, 'POST', '/v1/commands', headers, body);

describe('every answer of every route', () => {
  const HEADERS: Record<string, RegExp> = {
    'content-security-policy': /^default-src 'none'; script-src 'self'; style-src 'self';/,
    'x-content-type-options': /^nosniff$/,
    'referrer-policy': /^no-referrer$/,
    'cross-origin-opener-policy': /^same-origin$/,
    'cross-origin-resource-policy': /^same-origin$/,
    'x-frame-options': /^DENY$/,
  };
  const FRAMED: Record<string, RegExp> = {
    ...HEADERS,
    'content-security-policy': /connect-src 'none'.*frame-ancestors \*$/,
    'cross-origin-opener-policy': /^unsafe-none$/,
    'cross-origin-resource-policy': /^cross-origin$/,
  };
  delete FRAMED['x-frame-options'];

  const headersOf = (head: string) =>
    Object.fromEntries(
      head
        .split('\r\n')
        .slice(1)
        .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
    );

  test.each(ROUTES.map((route) => [`${route.method} ${route.path}`, route] as const))('%s', async (_, route) => {
    const path = route.path.replaceAll(/:[a-z]+/g, 'x');
    for (const headers of [known(), changing(), [['Host', 'evil.com']] as Headers]) {
      const isIn = headers.length > 1;
      const { head } = await request(server.port, route.method, path, headers);
      const found = headersOf(head);
      for (const [name, pattern] of Object.entries(
        isIn && route.isFramed && route.method === 'GET' ? FRAMED : HEADERS,
      )) {
        expect(found[name], `${name} of ${path}`).toMatch(pattern);
      }
      expect(found['access-control-allow-origin']).toBeUndefined();
      if (isIn && route.isFramed) expect(found['x-frame-options']).toBeUndefined();
      if (!isIn || route.isFramed !== true) expect(found['content-security-policy']).toMatch(/frame-ancestors 'none'$/);
      expect(found['content-security-policy']).not.toMatch(/unsafe-inline|unsafe-eval|\*\./);
    }
  });

  test('says no to a browser that asks whether it may', async () => {
    for (const { path } of ROUTES) {
      const { status, head } = await request(server.port, 'OPTIONS', path.replaceAll(/:[a-z]+/g, 'x'), [
        ['Host', `127.0.0.1:${server.port}`],
        ['Origin', 'http://evil.com'],
        ['Access-Control-Request-Method', 'POST'],
      ]);
      expect(status).toBe(403);
      expect(head).not.toMatch(/access-control-allow/i);
    }
  });
});

describe('a body', () => {
  const command = JSON.stringify({ id: '1', command: 'pause', params: {} });

  test('of another type than JSON, which a form could send, is refused', async () => {
    given.length = 0;
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      'application/jsonp',
      '',
    ]) {
      const headers = [...changing().slice(0, 3), ['Content-Type', type] as const];
      expect((await post(command, headers)).status).toBe(400);
    }
    expect(given).toEqual([]);
    expect((await post(command)).status).toBe(200);
    expect(given).toHaveLength(1);
  });

  test('that is too large is refused, whether it says so or not', async () => {
    const large = await post(`"${'x'.repeat(1_100_000)}"`);
    expect([large.status, JSON.parse(large.body).code]).toEqual([413, 'BODY_TOO_LARGE']);
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
    const lines = changing().map(([name, value]) => `${name}: ${value}`);
    const chunked = await sendRaw(
      server.port,
      `POST /v1/commands HTTP/1.1\r\n${lines.join('\r\n')}\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(20)}`,
    );
    expect(chunked.status).toBe(413);
  });

  test('that is no JSON, or no command, is refused', async () => {
    given.length = 0;
    for (const body of ['{', '[]', 'null', '7', '"x"', '{}', '{"id":1}', '{"id":"1","command":"pause","params":[]}']) {
      expect((await post(body)).status).toBe(400);
    }
    expect(given).toEqual([]);
  });

  test('with two lengths, or a length and chunks, never reaches a route', async () => {
    given.length = 0;
    const lines = changing()
      .map(([name, value]) => `${name}: ${value}`)
      .join('\r\n');
    const head = `POST /v1/commands HTTP/1.1\r\n${lines}\r\n`;
    for (const more of [
      'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!',
      `Content-Length: ${command.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      'Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n',
    ]) {
      const { status } = await sendRaw(server.port, `${head}Connection: close\r\n${more}`);
      expect(status).toBe(400);
    }
    expect(given).toEqual([]);
  });
});

describe('a path', () => {
  test('that leads out of the folder of the page finds nothing', async () => {
    const folder = tempFolder();
    const page = join(folder, 'page');
    mkdirSync(join(page, 'assets'), { recursive: true });
    writeFileSync(join(folder, 'secret.json'), '{"secret":true}');
    writeFileSync(join(page, 'index.html'), '<!doctype html>');
    writeFileSync(join(page, 'assets', 'main-0123abcd.js'), 'export {};');
    symlinkSync(join(folder, 'secret.json'), join(page, 'link.json'));
    const assets = new Assets(page);
    const own = createServer((incoming, response) => {
      assets
        .send(incoming, response, decodeURIComponent((incoming.url ?? '').slice(1)))
        .catch((error: unknown) => sendFailure(response, failureOf(error)));
    });
    await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', resolve));
    const { port } = own.address() as AddressInfo;
    const of = (path: string, more: Headers = []) => request(port, 'GET', path, [['Host', 'localhost'], ...more]);
    for (const path of [
      '/../secret.json',
      '/..%2fsecret.json',
      '/%2e%2e/secret.json',
      '/assets/../../secret.json',
      '/assets/..%5c..%5csecret.json',
      '/..\\secret.json',
      '/link.json',
      '/assets',
      '/assets/',
      '/__proto__',
      '/constructor',
      '/index.html%00.js',
      '//etc/passwd',
      '/%2Fetc%2Fpasswd',
    ]) {
      const { status, body } = await of(path);
      expect([path, status, body.includes('secret":')]).toEqual([path, 404, false]);
    }
    const plain = await of('/assets/main-0123abcd.js');
    expect(plain.head).toMatch(/Cache-Control: public, max-age=31536000, immutable/);
    expect(plain.head).toMatch(/Content-Type: text\/javascript; charset=utf-8/);
    expect(plain.body).toBe('export {};');
    expect((await of('/index.html')).head).toMatch(/Cache-Control: no-cache/);
    own.close();
  });

  test('of a page that is not built says what to do', async () => {
    const assets = new Assets(join(tempFolder(), 'nothing'));
    await expect(assets.send({ headers: {} } as never, {} as never, 'index.html')).rejects.toThrow(/npm run build/);
  });

  test('that is not what it seems is not there, and ends nothing', async () => {
    for (const path of [
      '/v1/actors/%ff',
      '/v1/actors/%',
      '/v1/actors/__proto__',
      '/v1/actors/constructor',
      '/v1/charts/__proto__',
      '/v1/charts/x.svg',
      '/v1/charts/x.mmd',
      '/v1/views/__proto__',
      '/v1/views/constructor',
      '/v1/hello/',
      '//v1/hello',
      '/V1/hello',
      '/v1/hello%2f..',
      '/v1/%2e%2e/metrics',
      `/v1/actors/${'x'.repeat(10_000)}`,
      `/v1/actors/${encodeURIComponent("'; drop table actors; --\0\u2028")}`,
    ]) {
      const { status, body } = await get(path);
      expect([path.slice(0, 40), status === 404 || status === 400, Object.keys(JSON.parse(body))]).toEqual([
        path.slice(0, 40),
        true,
        ['code', 'message'],
      ]);
    }
    expect((await get('/v1/hello')).status).toBe(200);
  });

  test('with numbers that are none is refused', async () => {
    for (const text of ['-1', '1.5', '1e9', 'NaN', '0x1', '9'.repeat(30), '']) {
      expect((await get(`/v1/records?from=${text}`)).status).toBe(400);
      expect((await get(`/v1/actors/door?seq=${text}`)).status).toBe(400);
    }
  });

  test('of another method is refused', async () => {
    for (const method of ['PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND']) {
      const { status } = await request(server.port, method, '/v1/hello', changing());
      expect([method, status]).toEqual([method, 405]);
    }
  });
});

describe('what fails inside', () => {
  test('says nothing of itself', async () => {
    const { status, body } = await get('/v1/views/broken');
    expect(status).toBe(500);
    expect(body).not.toContain('hunter2');
    expect(JSON.parse(body)).toEqual({ code: 'INTERNAL', message: expect.any(String) });
  });
});

describe('hostile text', () => {
  test('of ids and events is JSON, and nothing that a browser runs', async () => {
    const hostile = '</script><script>alert(1)</script>';
    source.add(hostile, { [hostile]: hostile });
    const { head, body } = await get(`/v1/actors/${encodeURIComponent(hostile)}`);
    expect(head).toMatch(/Content-Type: application\/json; charset=utf-8/);
    expect(JSON.parse(body)).toMatchObject({ id: hostile, context: { [hostile]: hostile } });
  });
});

describe('a connection', () => {
  test('with a header that is too large is refused', async () => {
    const { status } = await get('/v1/hello', [['X-Large', 'x'.repeat(20_000)]]);
    expect(status).toBe(431);
  });

  test('that expects something, or wants a tunnel, gets neither', async () => {
    const expecting = await get('/v1/hello', [['Expect', 'tea']]);
    expect(expecting.status).toBe(417);
    const tunnel = await sendRaw(server.port, `CONNECT evil.com:80 HTTP/1.1\r\nHost: evil.com:80\r\n\r\n`);
    expect(tunnel.status).toBe(0);
  });

  test('that is upgraded to something else, or elsewhere, is refused', async () => {
    for (const path of ['/v1/hello', '/', '/v1/nothing', '/metrics']) {
      const { status, socket } = await upgrade(server.port, path, known());
      socket.destroy();
      expect([path, status]).toEqual([path, 404]);
    }
    const lines = known()
      .map(([name, value]) => `${name}: ${value}`)
      .join('\r\n');
    const other = await sendRaw(
      server.port,
      `GET /v1/socket HTTP/1.1\r\n${lines}\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`,
    );
    expect(other.status).toBe(426);
  });

  test.each([
    ['an unmasked frame', Buffer.from([0x81, 0x01, 0x78])],
    ['a reserved opcode', frame(3, Buffer.from('x'))],
    ['a reserved bit', Buffer.concat([Buffer.from([0xf1]), frame(1, Buffer.from('x')).subarray(1)])],
    ['a frame that says it has 16 MB', frame(1, Buffer.from('x'), 16_000_000)],
    ['a frame that says it has 2^53 bytes', frame(1, Buffer.from('x'), Number.MAX_SAFE_INTEGER)],
    ['text that is no UTF-8', frame(1, Buffer.from([0xff, 0xfe]))],
    ['a control frame that is too long', frame(9, Buffer.alloc(200))],
    ['a continuation of nothing', frame(0, Buffer.from('x'))],
    ['no frame at all', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ])('that sends %s is ended, and no other', async (_, bytes) => {
    const viewer = await ViewerClient.of(server.url);
    await viewer.until(() => viewer.of('registry').length === 1);
    for (const path of ['/v1/socket', '/stately']) {
      const { socket, status } = await upgrade(server.port, path, known());
      expect(status).toBe(101);
      const ended = new Promise((resolve) => socket.once('close', resolve));
      socket.on('error', () => {});
      socket.resume();
      socket.write(bytes);
      await ended;
    }
    const before = viewer.seqs.length;
    source.tell(1);
    await viewer.until(() => viewer.seqs.length > before);
    await viewer.close();
  });

  test('of more viewers than there may be is refused, and there is room again when one has gone', async () => {
    await using own = await serveInspector(new StillSource(), { port: 0, token: TOKEN });
    const headers: Headers = [
      ['Host', `127.0.0.1:${own.port}`],
      ['Authorization', `Bearer ${TOKEN}`],
    ];
    const all = await Promise.all(Array.from({ length: 64 }, () => upgrade(own.port, '/v1/socket', headers)));
    expect(all.every(({ status }) => status === 101)).toBe(true);
    const more = await upgrade(own.port, '/v1/socket', headers);
    more.socket.destroy();
    expect([more.status, JSON.parse(more.body).code]).toEqual([503, 'TOO_MANY_VIEWERS']);
    all[0]?.socket.destroy();
    await expect.poll(() => own.viewers).toBe(63);
    const again = await upgrade(own.port, '/v1/socket', headers);
    expect(again.status).toBe(101);
    for (const { socket } of [...all, again]) socket.destroy();
  });

  test('that goes away in the middle of anything is forgotten', async () => {
    const lines = changing()
      .map(([name, value]) => `${name}: ${value}`)
      .join('\r\n');
    for (const text of [
      'GET',
      `POST /v1/commands HTTP/1.1\r\n${lines}\r\nContent-Length: 100\r\n\r\n{`,
      `GET /v1/export HTTP/1.1\r\n${lines}\r\n\r\n`,
      `GET /v1/socket HTTP/1.1\r\n${lines}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    ]) {
      const socket = connect(server.port, '127.0.0.1');
      await new Promise((resolve) => socket.write(text, resolve));
      socket.destroy();
    }
    expect((await get('/v1/hello')).status).toBe(200);
    await expect.poll(() => server.viewers).toBe(0);
  });

  test('that asks for an upgrade and resets before it is refused ends nothing, here and in the server of a host', async () => {
    const inspector = inspectorHandler(new StillSource(), { token: TOKEN });
    const host = createServer().on('upgrade', inspector.upgrade);
    await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
    for (const port of [server.port, (host.address() as AddressInfo).port]) {
      const text = `GET /v1/socket HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
      for (let n = 0; n < 300; n += 1) {
        const socket = connect(port, '127.0.0.1').on('error', () => {});
        const closed = new Promise((resolve) => socket.once('close', resolve));
        socket.write(text, () => socket.resetAndDestroy());
        await closed;
      }
      const { status, socket } = await upgrade(port, '/v1/socket', [['Host', `localhost:${port}`]]);
      socket.destroy();
      expect(status).toBe(401);
    }
    await inspector.close();
    host.close();
  });

  test('of nobody who is known makes way for one of somebody who is', async () => {
    const idle = Array.from({ length: 300 }, () => connect(server.port, '127.0.0.1').on('error', () => {}));
    await Promise.all(idle.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    expect((await get('/v1/hello')).status).toBe(200);
    const viewer = await ViewerClient.of(server.url);
    await viewer.until(() => viewer.of('registry').length === 1);
    for (const socket of idle) socket.destroy();
    await viewer.close();
  });

  test('is closed when nothing is asked there, and stays when somebody is known by it', () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const connections = new Connections();
    const [silent, asking, known] = [new Socket(), new Socket(), new Socket()];
    for (const socket of [silent, asking, known]) connections.add(socket);
    connections.asked(asking);
    connections.asked(known);
    connections.know(known);
    vi.advanceTimersByTime(5_000);
    expect([silent, asking, known].map(({ destroyed }) => destroyed)).toEqual([true, false, false]);
    vi.advanceTimersByTime(30_000);
    expect([asking, known].map(({ destroyed }) => destroyed)).toEqual([true, false]);
  });
});

describe('before the guard', () => {
  const BAD: Headers = [['Host', 'evil.com']];
  const codeOf = ({ body }: { readonly body: string }) => (JSON.parse(body) as { readonly code: string }).code;

  test('nothing is answered: no path is decoded, nothing is expected, and nobody is told that it starts', async () => {
    const told: unknown[] = [];
    const logger = { info: () => {}, warn: (facts: object) => told.push(facts) };
    const listening = await Listening.open({ port: 0, token: TOKEN, logger });
    onTestFinished(() => listening.close());
    const inspector = await serveInspector(new StillSource(), { port: 0, token: TOKEN, logger });
    onTestFinished(() => inspector.close());
    const starting = listening.port;
    const answers = [
      await request(inspector.port, 'GET', '/assets/%ff', BAD),
      await request(inspector.port, 'GET', '/v1/actors/%ff', BAD),
      await request(inspector.port, 'GET', '/v1/hello', [...BAD, ['Expect', 'tea']]),
      await request(starting, 'GET', '/v1/hello', BAD),
      await upgrade(inspector.port, '/v1/actors/%ff', BAD),
    ];
    for (const { status, head, body } of answers) {
      expect([status, codeOf({ body })]).toEqual([403, 'HOST_REFUSED']);
      expect(head).toMatch(/content-security-policy: default-src 'none'/i);
      expect(head).toMatch(/x-frame-options: DENY/i);
    }
    expect(told).toHaveLength(answers.length);
    const mine: Headers = [['Host', `localhost:${starting}`]];
    expect(codeOf(await request(starting, 'GET', '/v1/hello', mine))).toBe('TOKEN_REQUIRED');
    const asked = await request(starting, 'GET', '/v1/hello', [...mine, ['Authorization', `Bearer ${TOKEN}`]]);
    expect(codeOf(asked)).toBe('STARTING');
    expect(codeOf(await get('/v1/actors/%ff'))).toBe('PATH_INVALID');
  });
});
