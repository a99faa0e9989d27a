import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import { createMachine, setup } from 'xstate';
import { defineAction } from '../../../actors/actions.ts';
import { spawnSupervisor } from '../../../actors/spawn.ts';
import { inspectorHandler } from '../../../inspector/server/handler.ts';
import type { InspectorOptions } from '../../../inspector/server/options.ts';
import { fileSource } from '../../../inspector/sources/file-source.ts';
import { serveInspector } from '../../../inspector/server/server.ts';
import { storeSource } from '../../../inspector/sources/store-source.ts';
import { createDurableActor } from '../../../persistence/create.ts';
import { Store } from '../../../persistence/store.ts';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { request, sendRaw, upgrade } from '../../support/raw-http.ts';
import { StillSource } from '../../support/still-source.ts';
import { tempFolder, tempStore } from '../../support/temp.ts';
import { ViewerClient } from '../../support/viewer-client.ts';

const TOKEN = 'a-token-of-this-test-alone';
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function mounted(
  options: InspectorOptions,
  app?: (inspector: ReturnType<typeof inspectorHandler>) => RequestListener,
) {
  const source = new StillSource();
  const inspector = inspectorHandler(source, { token: TOKEN, ...options });
  const server = createServer(app?.(inspector) ?? ((incoming, response) => void inspector.handler(incoming, response)));
  server.on('upgrade', inspector.upgrade);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(
    () => server.close(),
    () => inspector.close(),
  );
  const { port } = server.address() as AddressInfo;
  const get = (path: string, headers: readonly (readonly [string, string])[] = []) =>
    request(port, 'GET', path, [['Host', `localhost:${port}`], ['Authorization', `Bearer ${TOKEN}`], ...headers]);
  return { source, inspector, server, port, get };
}

describe('under a base path', () => {
  test('answers what is asked there, and nothing else', async () => {
    const { get, inspector } = await mounted({ basePath: '/tools/inspector/' });
    expect(inspector.basePath).toBe('/tools/inspector');
    expect(inspector.url('https://app')).toBe(`https://app/tools/inspector/?token=${TOKEN}`);
    expect((await get('/tools/inspector/v1/hello')).status).toBe(200);
    for (const path of [
      '/v1/hello',
      '/tools/inspectorx/v1/hello',
      '/tools/v1/hello',
      '/tools/inspector/../inspector/v1/hello',
    ]) {
      expect([path, (await get(path)).status]).toEqual([path, 404]);
    }
  });

  test('leaves to the host what lies elsewhere, also where it begins alike', async () => {
    const { get, port } = await mounted(
      { basePath: '/inspector' },
      (inspector) => (incoming, response) => void inspector.handler(incoming, response, () => response.end('the app')),
    );
    for (const path of ['/', '/inspectors', '/inspector.html', '/Inspector/v1/hello']) {
      const { status, body } = await request(port, 'GET', path, [['Host', 'app.example.com']]);
      expect([path, status, body.includes('the app')]).toEqual([path, 200, true]);
    }
    expect((await get('/inspector?view=work')).status).toBe(303);
    expect((await get('/inspector/v1/hello')).status).toBe(200);
    expect((await request(port, 'GET', '/inspector/x', [['Host', 'app.example.com']])).status).toBe(403);
  });

  test('sends a browser to where relative addresses hold', async () => {
    const { get } = await mounted({ basePath: '/tools/inspector' });
    const { status, head } = await get('/tools/inspector?view=work');
    expect(status).toBe(303);
    expect(head).toMatch(/\r\nLocation: inspector\/\?view=work\r\n/);
    const withToken = await get(`/tools/inspector?token=${TOKEN}`);
    expect(withToken.head).toMatch(/\r\nLocation: inspector\/\r\n/);
    expect(withToken.head).toMatch(/\r\nSet-Cookie: .*Path=\/tools\/inspector\/;/);
  });

  test('is found also where a framework has cut the path', async () => {
    const cut =
      (inspector: ReturnType<typeof inspectorHandler>): RequestListener =>
      (incoming, response) => {
        const whole = incoming.url ?? '';
        Object.assign(incoming, { originalUrl: whole, url: whole.slice('/tools/inspector'.length) || '/' });
        void inspector.handler(incoming as IncomingMessage, response);
      };
    const { get } = await mounted({ basePath: '/tools/inspector' }, cut);
    expect((await get('/tools/inspector/v1/hello')).status).toBe(200);
    expect((await get('/tools/inspector')).status).toBe(303);
    const { get: ofRoot } = await mounted({}, cut);
    expect((await ofRoot('/tools/inspector/v1/hello')).status).toBe(200);
  });

  test('leaves upgrades of other paths to the host', async () => {
    const { server, port, inspector, source } = await mounted({ basePath: '/inspector' });
    const others = new WebSocketServer({ noServer: true });
    server.on('upgrade', (incoming, socket, head) => {
      if (incoming.url === '/live') others.handleUpgrade(incoming, socket, head, (own) => own.send('live'));
    });
    const { status, socket } = await upgrade(port, '/live', [['Host', 'whatever.example.com']]);
    socket.destroy();
    expect(status).toBe(101);
    const viewer = await ViewerClient.of(inspector.url(`http://localhost:${port}`));
    source.tell(1);
    await viewer.until(() => viewer.seqs.length === 1);
    await viewer.close();
  });
});

describe('an upgrade that nobody but an inspector would answer', () => {
  const asked = (port: number, method: string, path: string, more: readonly string[] = [], body = '') =>
    sendRaw(
      port,
      [
        `${method} ${path} HTTP/1.1`,
        `Host: localhost:${port}`,
        'Connection: Upgrade, HTTP2-Settings',
        'Upgrade: h2c',
        ...more,
        `\r\n${body}`,
      ].join('\r\n'),
    );
  const LARGE = 'x'.repeat(5_000_000);
  const app =
    (inspector: ReturnType<typeof inspectorHandler>): RequestListener =>
    (incoming, response) => {
      if (incoming.url?.startsWith('/inspector/')) return void inspector.handler(incoming, response);
      // What it is sent ends, and it waits until what it has written is taken.
      void pipeline(
        incoming,
        async function* (body) {
          for await (const chunk of body) yield chunk as Buffer;
          for (let at = 0; at < LARGE.length; at += 100_000) yield Buffer.from(LARGE.slice(at, at + 100_000));
        },
        response,
      );
    };

  test('of a WebSocket elsewhere is refused, and the connection ends', async () => {
    const { port, server } = await mounted({ basePath: '/inspector' });
    const { status, socket } = await upgrade(port, '/chat', [['Host', 'whatever.example.com']]);
    expect(status).toBe(404);
    await once(socket.resume(), 'close');
    await new Promise((resolve) => server.close(resolve));
  });

  test('to something else is handed to the host as a request, all of it, and the connection ends', async () => {
    const { port, server } = await mounted({ basePath: '/inspector' }, app);
    const { status, head, body } = await asked(port, 'GET', '/');
    expect(status).toBe(200);
    expect(head).toMatch(/\r\nConnection: close\r\n/);
    expect(body.replaceAll(/\r\n[0-9a-f]+\r\n/g, '')).toContain(LARGE.slice(0, 1_000_000));
    expect(body.length).toBeGreaterThan(LARGE.length);
    expect(await asked(port, 'HEAD', '/')).toMatchObject({ status: 200, body: '' });
    await new Promise((resolve) => server.close(resolve));
  });

  test('to something else under its path is answered as a request, by its own server too', async () => {
    const { port } = await mounted({ basePath: '/inspector' }, app);
    await using own = await serveInspector(new StillSource(), { port: 0, token: TOKEN });
    for (const [at, path] of [
      [port, '/inspector/v1/hello'],
      [own.port, '/v1/hello'],
    ] as const) {
      expect((await asked(at, 'GET', path)).status).toBe(401);
      expect((await asked(at, 'GET', path, [`Authorization: Bearer ${TOKEN}`])).status).toBe(200);
    }
  });

  test('with a body is told that nothing is upgraded', async () => {
    const { port } = await mounted({ basePath: '/inspector' }, app);
    for (const [method, more, body] of [
      ['POST', ['Content-Length: 2'], '{}'],
      ['GET', ['Content-Length: 2'], '{}'],
      ['GET', ['Transfer-Encoding: chunked'], '0\r\n\r\n'],
    ] as const) {
      const answer = await asked(port, method, '/', more, body);
      expect([answer.status, JSON.parse(answer.body)]).toMatchObject([501, { code: 'UPGRADE_UNKNOWN' }]);
    }
  });

  test('while an earlier request is still being answered ends the connection, and no other', async () => {
    const { port } = await mounted({ basePath: '/inspector' }, () => (incoming, response) => {
      if (incoming.url === '/') response.end('the app');
    });
    const waiting = `GET /waits HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    const both = await sendRaw(
      port,
      `${waiting}GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n`,
    );
    expect(both.status).toBe(0);
    expect((await asked(port, 'GET', '/')).status).toBe(200);
  });

  test('is answered once where several are mounted, and each serves its own', async () => {
    const { port, server, inspector } = await mounted({ basePath: '/one' });
    const two = inspectorHandler(new StillSource(), { basePath: '/two', token: TOKEN });
    closing.push(() => two.close());
    server.on('upgrade', two.upgrade);
    for (const one of [inspector, two]) {
      const viewer = await ViewerClient.of(one.url(`http://localhost:${port}`));
      await viewer.until(() => viewer.of('registry').length === 1);
      await viewer.close();
    }
    const { status, socket } = await upgrade(port, '/three', [['Host', 'localhost']]);
    socket.destroy();
    expect(status).toBe(404);
  });
});

test('takes a body that a parser of the host has read already', async () => {
  const { port } = await mounted({ commands: true }, (inspector) => async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
    Object.assign(incoming, { body: JSON.parse(Buffer.concat(chunks).toString()) });
    await inspector.handler(incoming, response);
  });
  const body = JSON.stringify({ id: '1', command: 'pause', params: {} });
  const answer = await request(
    port,
    'POST',
    '/v1/commands',
    [
      ['Host', `localhost:${port}`],
      ['Origin', `http://localhost:${port}`],
      ['Authorization', `Bearer ${TOKEN}`],
      ['Content-Type', 'application/json'],
    ],
    body,
  );
  expect([answer.status, JSON.parse(answer.body)]).toMatchObject([403, { id: '1', code: 'COMMANDS_OFF' }]);
});

test('answers nothing, and lets nobody in, once it is closed', async () => {
  const { inspector, get, port, source } = await mounted({});
  const viewer = await ViewerClient.of(inspector.url(`http://localhost:${port}`));
  await viewer.until(() => viewer.of('registry').length === 1);
  await Promise.all([inspector.close(), inspector.close()]);
  await viewer.until(() => viewer.closed !== undefined);
  expect(viewer.closed).toEqual([1001, 'the inspector is closed']);
  expect((await get('/v1/hello')).status).toBe(503);
  expect(source.listeners.size).toBe(0);
  // Whoever opened it closes it.
  expect(source.isClosed).toBe(false);
});

test('ends upgrades that still wait to be let in when it is closed, and the server of the host can close', async () => {
  let letIn: (() => void) | undefined;
  const { inspector, server, port } = await mounted({
    authorize: async () => {
      await new Promise<void>((resolve) => (letIn = resolve));
      return { by: 'ann', commands: true };
    },
  });
  const waiting = upgrade(port, '/v1/socket', [['Host', `localhost:${port}`]]);
  await expect.poll(() => letIn).toBeDefined();
  await inspector.close();
  const { status, body, socket } = await waiting;
  expect([status, JSON.parse(body)]).toMatchObject([503, { code: 'CLOSED' }]);
  await once(socket.resume(), 'close');
  letIn?.();
  await new Promise((resolve) => server.close(resolve));
});

test('says the same again only when it is another: weak tags, and HEAD as GET', async () => {
  const { get, port, source } = await mounted({});
  const first = await get('/v1/views/echo?a=1');
  const [, tag = ''] = /\r\nETag: (W\/"[\w-]+")\r\n/.exec(first.head) ?? [];
  expect((await get('/v1/views/echo?a=1', [['If-None-Match', tag]])).status).toBe(304);
  expect((await get('/v1/views/echo?a=2', [['If-None-Match', tag]])).status).toBe(200);
  source.tell(1);
  for (const path of ['/v1/hello', '/v1/records', '/v1/history', '/v1/export', '/metrics', '/v1/actors/door']) {
    const { status, body } = await request(port, 'HEAD', path, [
      ['Host', `localhost:${port}`],
      ['Authorization', `Bearer ${TOKEN}`],
    ]);
    expect([path, status, body]).toEqual([path, 200, '']);
  }
});

test('whoever asks for records looks for a while, and not for ever', async () => {
  const { get, source, inspector } = await mounted({});
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  await get('/v1/hello');
  expect(source.listeners.size).toBe(0);
  await get('/v1/records');
  vi.advanceTimersByTime(9_000);
  await get('/v1/records');
  vi.advanceTimersByTime(9_000);
  expect(source.listeners.size).toBe(1);
  vi.advanceTimersByTime(1_000);
  expect(source.listeners.size).toBe(0);
  await get('/v1/records');
  vi.useRealTimers();
  await inspector.close();
  expect(source.listeners.size).toBe(0);
});

describe('what can be asked', () => {
  test('for the records, again and again over HTTP alone: live and from beside they go on', async () => {
    const bell = setup({}).createMachine({ id: 'bell', on: { ring: {} } });
    const durable = await createDurableActor(bell, { store: tempStore(), history: true });
    closing.push(() => durable.close());
    const beside = storeSource(durable.store.path);
    closing.push(() => beside.close());
    for (const target of [durable, beside]) {
      const server = await serveInspector(target, { port: 0, token: TOKEN });
      closing.push(() => server.close());
      const get = async <T>(path: string) => {
        const headers = { Authorization: `Bearer ${TOKEN}` };
        return (await (await fetch(`http://localhost:${server.port}${path}`, { headers })).json()) as T;
      };
      const records = (from: number) => get<{ records: unknown[] }>(`/v1/records?from=${from}`);
      await records(0);
      const { seq } = await get<{ seq: number }>('/v1/hello');
      await durable.send({ type: 'ring' });
      await expect.poll(async () => (await records(seq)).records).not.toEqual([]);
      expect((await get<{ seq: number }>('/v1/hello')).seq).toBeGreaterThan(seq);
    }
  });

  test('of a supervisor: actors, charts, views, records, history, profile, an export that opens elsewhere', async () => {
    const actions = { note: defineAction({ run: (text: string) => text }) };
    const supervisor = await spawnSupervisor({ store: tempStore(), actions, history: true, profiler: 'full' });
    closing.push(() => supervisor.close());
    await supervisor.execute('note', 'x');
    const server = await serveInspector(supervisor, { port: 0, token: TOKEN });
    closing.push(() => server.close());
    const get = async (path: string) => {
      const response = await fetch(`http://localhost:${server.port}${path}`, {
        headers: { Authorization: `Bearer ${TOKEN}` },
      });
      return { status: response.status, type: response.headers.get('content-type') ?? '', text: await response.text() };
    };
    const actors = JSON.parse((await get('/v1/actors')).text) as { id: string; chart: string | null }[];
    const executor = actors.find(({ id }) => id === 'main/executor');
    expect(JSON.parse((await get(`/v1/actors/${encodeURIComponent('main/executor')}`)).text)).toMatchObject({
      id: 'main/executor',
    });
    expect(JSON.parse((await get(`/v1/charts/${executor?.chart}`)).text)).toMatchObject({ name: 'executor' });
    expect((await get(`/v1/charts/${executor?.chart}.mmd`)).text).toMatch(/^stateDiagram-v2/m);
    expect((await get(`/v1/charts/${executor?.chart}.svg`)).text).toMatch(/^<svg[\s>]/);
    const turns = (await get('/v1/history')).text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string });
    expect(turns.length).toBeGreaterThan(1);
    expect(turns.every(({ kind }) => kind === 'turn')).toBe(true);
    expect(JSON.parse((await get('/v1/profile.cpuprofile')).text)).toHaveProperty('nodes');
    expect(JSON.parse((await get('/v1/profile.trace.json')).text)).toHaveProperty('traceEvents');
    expect((await get('/v1/profile.cpuprofile?plan=none')).status).toBe(404);
    expect((await get('/v1/views/none')).status).toBe(404);
    expect(JSON.parse((await get('/v1/views/work')).text)).toMatchObject({ items: [{ name: 'note', kind: 'ok' }] });

    const exported = join(tempFolder(), 'export.ndjson');
    writeFileSync(exported, (await get('/v1/export')).text);
    const source = await fileSource(exported);
    closing.push(() => source.close());
    await using elsewhere = await serveInspector(source, { port: 0, token: TOKEN });
    const again = await fetch(`http://localhost:${elsewhere.port}/v1/actors`, {
      headers: { Authorization: `Bearer ${TOKEN}` },
    });
    expect(((await again.json()) as { id: string }[]).map(({ id }) => id)).toEqual(actors.map(({ id }) => id));
  });

  test('of a durable actor, of a store from beside, and not of anything else', async () => {
    const machine = setup({ types: {} as { events: { type: 'door.open' } } }).createMachine({
      id: 'door',
      initial: 'shut',
      states: { shut: { on: { 'door.open': 'open' } }, open: {} },
    });
    const store = tempStore();
    const durable = await createDurableActor(machine, { store, id: 'front' });
    closing.push(() => durable.close());
    const server = await serveInspector(durable, { port: 0 });
    closing.push(() => server.close());
    const viewer = await ViewerClient.of(server.url);
    await viewer.until(() => viewer.of('registry').length === 1);
    await durable.send({ type: 'door.open' });
    const records = () => viewer.of('records').flatMap((message) => message.records);
    await viewer.until(() => records().some((record) => record.kind === 'snapshot' && record.value === 'open'));
    await viewer.close();

    const beside = storeSource(store, { machines: [machine] });
    closing.push(() => beside.close());
    const besideServer = await serveInspector(beside, { port: 0 });
    closing.push(() => besideServer.close());
    const second = await ViewerClient.of(besideServer.url);
    await second.until(() => second.of('registry').length === 1);
    expect(second.of('hello')[0]?.capabilities).toMatchObject({ live: false, commands: false });
    expect(second.of('registry')[0]?.actors).toMatchObject([{ id: 'front', value: 'open' }]);
    await second.close();

    const many = Store.open(tempStore());
    closing.push(() => many.close());
    await expect(serveInspector(many as never, { port: 0 })).rejects.toMatchObject({
      code: 'OPTIONS_INVALID',
      message: expect.stringContaining('storeSource(path)') as string,
    });
    for (const target of [undefined, null, {}, 7, machine, createMachine({}), () => {}]) {
      await expect(serveInspector(target as never, { port: 0 })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
    }
  });
});
