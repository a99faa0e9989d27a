import { createWebSocketInspector, createWebSocketReceiver } from '@statelyai/inspect';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { assign, createActor, createMachine, fromPromise, sendTo, setup, type AnyActorRef } from 'xstate';
import { configOfChart } from '../../../inspector/charts/chart-config.ts';
import { chartOf } from '../../../inspector/charts/chart-of.ts';
import { supervisorMachine } from '../../../machines/supervisor.ts';
import { serveInspector, type InspectorServer } from '../../../inspector/server/server.ts';
import { spawnSupervisor } from '../../../actors/spawn.ts';
import { defineAction } from '../../../actors/actions.ts';
import { StillSource } from '../../support/still-source.ts';
import { tempFolder } from '../../support/temp.ts';
import { ViewerClient } from '../../support/viewer-client.ts';

interface Frame {
  readonly type: string;
  readonly sessionId: string;
  readonly name?: string;
  readonly definition?: string;
  readonly parentId?: string;
  readonly rootId?: string;
  readonly createdAt: string;
  readonly event?: { readonly type: string };
  readonly snapshot?: { readonly status: string; readonly value?: unknown; readonly context?: Record<string, unknown> };
}

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function serve(target: Parameters<typeof serveInspector>[0]): Promise<InspectorServer> {
  const server = await serveInspector(target, { port: 0 });
  closing.push(() => server.close());
  return server;
}

function statelyUrl({ url }: InspectorServer): string {
  const { host, search } = new URL(url);
  return `ws://${host}/stately${search}`;
}

test('T3: a receiver that cannot be told of what there is loses its connection, and nobody else anything', async () => {
  const source = new StillSource();
  source.registry = () => {
    throw new SyntaxError('a damaged row');
  };
  const server = await serve(source);
  const receiver = new ViewerClient(statelyUrl(server));
  await receiver.until(() => receiver.closed !== undefined);
  expect(receiver.closed?.[0]).toBe(1011);
  await expect.poll(() => source.listeners.size).toBe(0);
});

/** Stately's own receiver, and all that it was told. It has no way to be closed, and ends with the server. */
function receive(server: InspectorServer): Frame[] {
  const frames: Frame[] = [];
  createWebSocketReceiver({ server: statelyUrl(server) }).subscribe(
    (frame) => void frames.push(frame as unknown as Frame),
  );
  return frames;
}

const counterMachine = setup({
  types: {} as { context: { n: number; password: string }; events: { type: 'counter.add' } | { type: 'counter.stop' } },
}).createMachine({
  id: 'counter',
  context: { n: 0, password: 'hunter2' },
  initial: 'counting',
  states: {
    counting: {
      description: 'It counts.',
      on: {
        'counter.add': { actions: assign({ n: ({ context }) => context.n + 1 }) },
        'counter.stop': 'stopped',
      },
    },
    stopped: { type: 'final' },
  },
});

const parentMachine = setup({
  types: {} as { events: { type: 'parent.add' } },
  actors: { counter: counterMachine, worker: fromPromise(() => new Promise(() => {})) },
}).createMachine({
  id: 'parent',
  invoke: [
    { src: 'counter', id: 'counter' },
    { src: 'worker', id: 'worker' },
  ],
  on: { 'parent.add': { actions: sendTo('counter', { type: 'counter.add' }) } },
});

function started(options?: Parameters<typeof createActor>[1]): AnyActorRef {
  const actor = createActor(parentMachine, options as never).start();
  closing.push(() => actor.stop());
  return actor;
}

const latest = (frames: readonly Frame[], name: string) => {
  const session = frames.find((frame) => frame.type === '@xstate.actor' && frame.name === name)?.sessionId;
  return frames.findLast((frame) => frame.sessionId === session && frame.snapshot !== undefined)?.snapshot;
};

test("Stately's receiver, come after 10,000 events, is told of every actor's definition and latest state", async () => {
  const actor = started();
  const server = await serve(actor);
  const early = receive(server);
  await expect.poll(() => early.length).toBeGreaterThanOrEqual(3);
  for (let nth = 0; nth < 10_000; nth += 1) actor.send({ type: 'parent.add' });
  const late = receive(server);
  await expect.poll(() => late.filter(({ type }) => type === '@xstate.actor').length).toBe(3);
  const actors = late.filter(({ type }) => type === '@xstate.actor');
  expect(actors.map(({ name }) => name)).toEqual(['parent', 'counter', 'worker']);
  expect(latest(late, 'counter')).toMatchObject({ status: 'active', value: 'counting', context: { n: 10_000 } });
  const [root, counter, worker] = actors;
  expect([counter?.parentId, worker?.parentId]).toEqual([root?.sessionId, root?.sessionId]);
  expect(actors.map(({ rootId }) => rootId)).toEqual([root?.sessionId, root?.sessionId, root?.sessionId]);
  expect(actors.every(({ createdAt }) => /^\d{13}$/.test(createdAt))).toBe(true);
  // It is a machine that XState itself takes.
  const machine = createMachine(JSON.parse(counter?.definition ?? '') as never);
  expect(Object.keys(machine.states)).toEqual(['counting', 'stopped']);
  expect(JSON.parse(worker?.definition ?? '')).toEqual({ id: 'worker' });
  actor.send({ type: 'parent.add' });
  await expect.poll(() => latest(late, 'counter')?.context?.['n']).toBe(10_001);
  const events = late.filter(({ type }) => type === '@xstate.event').map(({ event }) => event?.type);
  expect(events).toEqual(expect.arrayContaining(['parent.add', 'counter.add']));
});

test('no secret is in a definition, an event or a state that is told', async () => {
  const server = await serve(started());
  const frames = receive(server);
  await expect.poll(() => latest(frames, 'counter')?.context).toEqual({ n: 0, password: '[redacted]' });
  expect(JSON.stringify(frames)).not.toContain('hunter2');
});

test("a client of Stately's is shown to viewers and to other receivers, with a chart of its definition", async () => {
  const source = new StillSource();
  const server = await serve(source);
  const viewer = await ViewerClient.of(server.url);
  const others = receive(server);
  await viewer.until(() => viewer.of('registry').length === 1);
  source.tell(3);
  const inspector = createWebSocketInspector({ url: statelyUrl(server) });
  closing.push(() => inspector.stop());
  const actor = started({ inspect: inspector.inspect } as never);
  const records = () => viewer.of('records').flatMap((message) => message.records);
  const startedOnes = () => records().flatMap((record) => (record.kind === 'started' ? [record.info] : []));
  await viewer.until(() => startedOnes().length >= 3);
  actor.send({ type: 'parent.add' });
  await viewer.until(() => records().some((record) => record.kind === 'snapshot' && record.event === 'counter.add'));
  const counter = startedOnes().find(({ name }) => name === 'counter');
  expect(counter).toMatchObject({ id: expect.stringMatching(/^client-1\/x:\d+$/), src: 'counter', value: 'counting' });
  expect(counter?.parent).toBe(startedOnes().find(({ name }) => name === 'parent')?.id);

  const ask = async (path: string) => {
    const { origin, searchParams } = new URL(server.url);
    const response = await fetch(`${origin}${path}`, {
      headers: { Authorization: `Bearer ${searchParams.get('token')}` },
    });
    return (await response.json()) as Record<string, unknown>;
  };
  const detail = await ask(`/v1/actors/${encodeURIComponent(counter?.id ?? '')}`);
  expect(detail['context']).toEqual({ n: 1, password: '[redacted]' });
  expect(await ask(`/v1/charts/${counter?.chart}`)).toMatchObject({ name: 'counter' });
  expect(await ask('/v1/actors')).toHaveLength(4);

  await expect.poll(() => latest(others, 'counter')?.context?.['n']).toBe(1);
  expect(JSON.stringify([...others, ...viewer.messages])).not.toContain('hunter2');
  const definition = others.find(({ name }) => name === 'counter')?.definition ?? '';
  expect(JSON.parse(definition)).toMatchObject({ id: 'counter', initial: 'counting' });

  // One row of numbers, whoever it was that something happened to.
  source.tell(2);
  await viewer.until(() => records().length >= 8 && records().at(-1)?.actor === 'door');
  const seqs = viewer.seqs;
  expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, at) => at + 1));
  const again = await ViewerClient.of(server.url, { resume: { epoch: source.epoch, seq: 1 } });
  await again.until(() => again.seqs.length === seqs.length);
  expect(again.seqs).toEqual(seqs);

  inspector.stop();
  await viewer.until(() => records().filter(({ kind }) => kind === 'stopped').length === 3);
  await viewer.close();
  await again.close();
});

test('both inspectors look at one actor, and neither disturbs the other', async () => {
  const theirs = new WebSocketServer({ port: 0 });
  closing.push(() => theirs.close());
  const frames: Frame[] = [];
  theirs.on('connection', (socket) =>
    socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as Frame)),
  );
  await once(theirs, 'listening');
  const inspector = createWebSocketInspector({ url: `ws://localhost:${(theirs.address() as AddressInfo).port}` });
  closing.push(() => inspector.stop());
  const actor = started({ inspect: inspector.inspect } as never);
  const server = await serve(actor);
  const ours = receive(server);
  const viewer = await ViewerClient.of(server.url);
  await viewer.until(() => viewer.of('registry').length === 1);
  await expect.poll(() => ours.length).toBeGreaterThanOrEqual(3);
  for (let nth = 0; nth < 10; nth += 1) actor.send({ type: 'parent.add' });
  await expect.poll(() => latest(ours, 'counter')?.context?.['n']).toBe(10);
  await expect.poll(() => latest(frames, 'counter')?.context?.['n']).toBe(10);
  await viewer.close();
});

test('what a client sends that is no frame ends its own connection only', async () => {
  const source = new StillSource();
  const server = await serve(source);
  const frames = receive(server);
  await expect.poll(() => frames.length).toBe(1);
  const cases: [string | Buffer, number][] = [
    ['{', 1002],
    ['[]', 1002],
    ['{"type":"@xstate.actor"}', 1002],
    [JSON.stringify({ type: '@xstate.actor', sessionId: 'x'.repeat(2_000) }), 1002],
    [JSON.stringify({ type: 'other', sessionId: 'x' }), 1002],
    [Buffer.from([0, 1]), 1003],
    ['x'.repeat(1_000_001), 1009],
  ];
  for (const [text, expected] of cases) {
    const socket = new WebSocket(statelyUrl(server));
    socket.on('error', () => {});
    await once(socket, 'open');
    socket.send(text);
    const [code] = (await once(socket, 'close')) as [number];
    expect(code).toBe(expected);
  }
  source.tell(1);
  await expect.poll(() => frames.some(({ type }) => type === '@xstate.event')).toBe(true);
});

test('hostile names and definitions are data', async () => {
  const server = await serve(new StillSource());
  const frames = receive(server);
  const socket = new WebSocket(statelyUrl(server));
  await once(socket, 'open');
  const definitions = [
    '{"id":"__proto__","initial":"__proto__","states":{"__proto__":{"on":{"constructor":"__proto__"}}}}',
    '{"id":"deep","states":'.repeat(5_000),
    '{"initial":"nowhere","states":{"a":{}}}',
    '{"states":{"a":7}}',
    'null',
    '<script>alert(1)</script>',
  ];
  for (const [nth, definition] of definitions.entries()) {
    socket.send(
      JSON.stringify({
        type: '@xstate.actor',
        sessionId: `<img src=x onerror=alert(1)>${nth}`,
        name: '__proto__',
        definition,
        snapshot: { status: 'active', value: { constructor: 'x' } },
      }),
    );
  }
  await expect.poll(() => frames.filter(({ name }) => name === '__proto__').length).toBe(definitions.length);
  expect(({} as Record<string, unknown>)['on']).toBeUndefined();
  socket.close();
});

test('a receiver that does not read holds up nobody, and then gets the latest state of all', async () => {
  const source = new StillSource();
  const server = await serve(source);
  const socket = new WebSocket(statelyUrl(server));
  const frames: Frame[] = [];
  socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as Frame));
  await once(socket, 'open');
  await expect.poll(() => frames.length).toBe(1);
  socket.pause();
  const payload = 'x'.repeat(5_000);
  const quick = receive(server);
  await expect.poll(() => quick.length).toBe(1);
  for (let round = 1; round <= 20; round += 1) {
    source.tell(1_000, payload);
    await expect.poll(() => quick.filter(({ type }) => type === '@xstate.event').length).toBe(round * 1_000);
  }
  // Nobody was told that it began: only who is told of all actors anew hears of it.
  source.add('late', { n: 1 });
  source.tell(6_000);
  socket.resume();
  await expect.poll(() => frames.some(({ name }) => name === 'late'), { timeout: 10_000 }).toBe(true);
  socket.close();
});

test("a supervisor's tree is told of, with ids that are the same after a restart", async () => {
  const store = `${tempFolder()}/work.db`;
  const actions = { note: defineAction({ run: (text: string) => text }) };
  const sessions: string[][] = [];
  for (let life = 0; life < 2; life += 1) {
    const supervisor = await spawnSupervisor({ store, actions });
    const server = await serveInspector(supervisor, { port: 0 });
    const frames = receive(server);
    await expect.poll(() => frames.some(({ name }) => name === 'executor')).toBe(true);
    await supervisor.execute('note', 'x');
    await expect
      .poll(() => frames.some(({ event }) => event?.type === 'action.settled' || event?.type === 'supervisor.submit'))
      .toBe(true);
    sessions.push(
      frames
        .filter(({ name }) => ['main', 'executor', 'tracks', 'checkpoint'].includes(name ?? ''))
        .map(({ sessionId }) => sessionId),
    );
    await server.close();
    await supervisor.close();
  }
  expect(new Set(sessions[0])).toEqual(new Set(['main', 'main/executor', 'main/tracks', 'main/checkpoint']));
  expect(new Set(sessions[1])).toEqual(new Set(sessions[0]));
});

test('the config of a chart has the chart that it was made of', () => {
  for (const machine of [supervisorMachine, counterMachine, parentMachine]) {
    const chart = chartOf(machine);
    const again = chartOf(createMachine(JSON.parse(JSON.stringify(configOfChart(chart))) as never));
    expect(again).toEqual(chart);
  }
});

test('the unmodified @statelyai/inspect is told of every actor, event and snapshot of a supervisor', async () => {
  const server = new WebSocketServer({ port: 0 });
  const frames: { type: string; name?: string; event?: { type: string } }[] = [];
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as (typeof frames)[number]));
  });
  await once(server, 'listening');
  const url = `ws://localhost:${(server.address() as AddressInfo).port}`;
  const example = spawn(process.execPath, ['inspector/example.mjs', url], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = (await once(example, 'exit')) as [number];
  server.close();
  expect(code).toBe(0);
  const actors = frames.filter(({ type }) => type === '@xstate.actor').map(({ name }) => name);
  expect(actors).toEqual(expect.arrayContaining(['executor', 'tracks', 'checkpoint']));
  const events = frames.filter(({ type }) => type === '@xstate.event').map(({ event }) => event?.type);
  expect(events).toEqual(expect.arrayContaining(['supervisor.plan', 'executor.claimed', 'action.backingOff']));
  expect(frames.some(({ type }) => type === '@xstate.snapshot')).toBe(true);
});
