/** What runs in this process, while somebody looks and while nobody does. */
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test, vi } from 'vitest';
import { assign, createActor, setup } from 'xstate';
import { createDurableActor } from '../../../index.ts';
import { liveSource, type LiveTarget } from '../../../inspector/sources/live-source.ts';
import type { ActorDetail, ActorInfo, InspectionRecord } from '../../../inspector/protocol.ts';
import type { Source } from '../../../inspector/sources/source.ts';
import type { BudgetView } from '../../../inspector/views/measures.ts';
import type { Overview } from '../../../inspector/views/overview.ts';
import type { Work } from '../../../inspector/views/work.ts';
import { serveInspector } from '../../../inspector/server/server.ts';
import { storeSource } from '../../../inspector/sources/store-source.ts';
import { crash } from '../../../persistence/crash.ts';
import { Store } from '../../../persistence/store.ts';
import { openInspected, populate } from '../../support/inspected.ts';
import { quickStore } from '../../support/temp.ts';
import { until } from '../../support/turns.ts';
import { ViewerClient } from '../../support/viewer-client.ts';

function live(target: LiveTarget): Source {
  const source = liveSource(target);
  onTestFinished(() => source.close());
  return source;
}

function listen(source: Source, detail = false) {
  const told: InspectionRecord[] = [];
  const commits: { turn: number; at: number }[] = [];
  const { unsubscribe } = source.subscribe(
    { records: (records) => void told.push(...records), committed: (turn, at) => void commits.push({ turn, at }) },
    { detail },
  );
  return { told, commits, unsubscribe };
}

const counter = setup({
  types: {} as { context: { n: number; password: string }; events: { type: 'add'; token?: string } },
}).createMachine({
  id: 'counter',
  context: { n: 0, password: 'hunter22' },
  initial: 'counting',
  states: { counting: { on: { add: { actions: assign({ n: ({ context }) => context.n + 1 }) } } } },
});

const VIEWS: readonly [string, Record<string, string>][] = [
  ['overview', {}],
  ['work', {}],
  ['work', { state: 'running' }],
  ['work', { plan: 'build:1' }],
  ['action', { id: 'one' }],
  ['action', { id: 'asking' }],
  ['plans', {}],
  ['plan', { id: 'build:1' }],
  ['timeline', { to: '1900000000000' }],
  ['approvals', {}],
  ['checkpoints', {}],
  ['compare', { a: '3' }],
  ['past', { turn: '5' }],
  ['past-actor', { turn: '5', id: 'main/executor' }],
  ['resources', {}],
  ['budget', {}],
  ['dead-letters', {}],
  ['schedules', {}],
];

/** Without the time at which it was asked, and what only a living process knows. */
function comparable(name: string, view: unknown): unknown {
  const { at: _, ...rest } = view as Record<string, unknown>;
  const { queues, report, series, minutes } = rest as Partial<Work & BudgetView & Overview>;
  if (name === 'work') return { ...rest, queues: queues?.map((queue) => ({ ...queue, limit: null })) };
  if (name === 'budget')
    return { ...rest, report: { ...report, at: 0 }, series: series?.map(({ good, bad }) => [good, bad]) };
  if (name !== 'overview') return rest;
  const settled = minutes?.reduce((sum, minute) => sum + minute.settled, 0);
  return { ...rest, minutes: settled };
}

test('of a quiet store, what every view says live and from beside is the same', async () => {
  const path = quickStore();
  const supervisor = await openInspected(path);
  onTestFinished(() => supervisor.close());
  await populate(supervisor);
  const [here, there] = [live(supervisor), storeSource(path)];
  onTestFinished(() => there.close());
  expect(here.views).toEqual(there.views);
  for (const [name, query] of VIEWS) {
    const asked = () => new URLSearchParams(query);
    const [now, beside] = [await here.view(name, asked()), await there.view(name, asked())];
    expect(comparable(name, now), name).toEqual(comparable(name, beside));
    expect(JSON.stringify(now)).not.toMatch(/hunter22|tok-123456/);
  }
});

test('of a quiet store, the actors are the same live and from beside', async () => {
  const path = quickStore();
  const supervisor = await openInspected(path);
  onTestFinished(() => supervisor.close());
  await populate(supervisor);
  const [here, there] = [live(supervisor), storeSource(path)];
  onTestFinished(() => there.close());
  const byId = (actors: readonly ActorInfo[]) => actors.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map(plain);
  expect(byId(here.registry())).toEqual(byId(there.registry()));
  for (const { id } of here.registry()) {
    const [now, beside] = [here.actor(id), there.actor(id)] as [ActorDetail, ActorDetail];
    expect(plain(now)).toEqual(plain(beside));
    expect(now.timers, id).toEqual(beside.timers);
    expect(now.accepts.map(({ type }) => type).toSorted()).toEqual(beside.accepts.map(({ type }) => type).toSorted());
    if (!JSON.stringify(beside.context).includes('$perdure')) expect(now.context, id).toEqual(beside.context);
    if (now.chart !== null) expect(here.chart(now.chart)).toEqual(there.chart(now.chart));
  }
});

function plain({ id, parent, name, systemId, src, chart, status, value, tags }: ActorInfo): unknown {
  return { id, parent, name, systemId, src, chart, status, value, tags };
}

test('while nobody looks nothing is listened to; who comes first hears of the turns that nobody saw', async () => {
  const path = quickStore();
  const store = Store.open(path, { history: true });
  onTestFinished(() => store.close());
  const durable = await createDurableActor(counter, { store, id: 'first' });
  const source = live(durable);
  await durable.send({ type: 'add', token: 'tok-123456' });
  expect([store.commits.reports.size, source.nextSeq]).toEqual([0, 1]);
  const { told, commits, unsubscribe } = listen(source);
  expect(source.recordsFrom(0).records).toMatchObject([
    { seq: 1, kind: 'turn', causes: [{ kind: 'start' }] },
    { seq: 2, kind: 'turn', causes: [{ event: { type: 'add', token: '[redacted]' } }], changed: ['first'] },
  ]);
  expect(source.actor('first', 1)?.context).toEqual({ n: 0, password: '[redacted]' });
  await durable.send({ type: 'add', token: 'tok-123456' });
  await until(() => told.some(({ kind }) => kind === 'snapshot') && commits.length > 0);
  expect(told).toMatchObject([
    { seq: 3, kind: 'event', actor: 'first', event: { type: 'add', token: '[redacted]' } },
    { seq: 4, kind: 'snapshot', actor: 'first', contextChanged: true },
  ]);
  expect(commits.at(-1)?.turn).toBe(store.commits.turn - 1);
  unsubscribe();
  expect(store.commits.reports.size).toBe(0);
});

test('a past that cannot be read is told as gone, and the present is looked at', async () => {
  const path = quickStore();
  const store = Store.open(path, { history: true });
  const durable = await createDurableActor(counter, { store, id: 'first' });
  onTestFinished(() => crash(durable));
  await durable.send({ type: 'add' });
  const beside = new Database(path);
  beside.exec('drop table turns');
  beside.close();
  const server = await serveInspector(durable, { port: 0 });
  onTestFinished(() => server.close());
  const viewer = await ViewerClient.of(server.url);
  await viewer.until(() => viewer.of('dropped').length > 0);
  expect(viewer.of('dropped')).toEqual([{ type: 'dropped', from: 1, to: 2, reason: 'gone' }]);
  expect(viewer.of('registry')[0]?.actors).toMatchObject([{ id: 'first', status: 'active' }]);
  await viewer.close();
});

test('what was forgotten before it could be shown is told as dropped', async () => {
  const actor = createActor(counter, { id: 'loose' }).start();
  const source = live(actor);
  const dropped: [number, number][] = [];
  source.subscribe({ records: () => {}, dropped: (from, to) => dropped.push([from, to]), committed: () => {} });
  for (let n = 0; n < 10_100; n++) actor.send({ type: 'add' });
  await until(() => dropped.length > 0);
  expect(dropped).toEqual([[1, 201]]);
});

test('a viewer of a durable actor is told its past first, and when it comes back late what it missed, or that it did', async () => {
  const store = Store.open(quickStore(), { history: true });
  onTestFinished(() => store.close());
  const durable = await createDurableActor(counter, { store, id: 'first' });
  const turns = [(await durable.send({ type: 'add' })).turn, (await durable.send({ type: 'add' })).turn];
  const server = await serveInspector(durable, { port: 0 });
  onTestFinished(() => server.close());
  const first = await ViewerClient.of(server.url);
  await first.until(() => turnsOf(first).length >= 3);
  expect(turnsOf(first)).toEqual([(turns[0] as number) - 1, ...turns]);
  expect([first.of('hello')[0]?.seq, first.seqs]).toEqual([4, [1, 2, 3]]);
  await durable.send({ type: 'add' });
  await first.until(() => first.seqs.length === 5);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const wasLooking = store.commits.reports.size;
  await first.close();
  await until(() => store.commits.reports.size < wasLooking);
  vi.advanceTimersByTime(6_000);
  vi.useRealTimers();
  const between = (await durable.send({ type: 'add' })).turn;
  const back = await ViewerClient.of(server.url, { resume: { epoch: first.of('hello')[0]?.epoch, seq: 6 } });
  await back.until(() => turnsOf(back).length > 0);
  await durable.send({ type: 'add' });
  await back.until(() => back.seqs.length === 3);
  expect(back.of('hello')[0]).toMatchObject({ resumed: true, seq: 8 });
  expect(back.of('dropped')).toEqual([{ type: 'dropped', from: 6, to: 7, reason: 'gone' }]);
  expect([turnsOf(back), back.seqs]).toEqual([[between], [7, 8, 9]]);
  await back.close();
});

function turnsOf(viewer: ViewerClient): number[] {
  const records = viewer.of('records').flatMap((message) => message.records);
  return records.flatMap((record) => (record.kind === 'turn' ? [record.turn] : []));
}

test('the last events before a crash are there after it', async () => {
  const path = quickStore();
  const store = Store.open(path, { history: true });
  const first = await createDurableActor(counter, { store, id: 'first' });
  for (let n = 0; n < 3; n++) await first.send({ type: 'add' });
  crash(first);
  const again = Store.open(path, { history: true });
  onTestFinished(() => again.close());
  const source = live(await createDurableActor(counter, { store: again, id: 'first' }));
  listen(source);
  const { records } = source.recordsFrom(0);
  expect(records.map((record) => (record.kind === 'turn' ? record.causes[0]?.kind : record.kind))).toEqual([
    'start',
    'send',
    'send',
    'send',
    'resume',
  ]);
  const past: InspectionRecord[] = [];
  for await (const record of source.history({ from: 3 })) past.push(record);
  expect(past).toEqual([3, 4, expect.any(Number)].map((turn) => expect.objectContaining({ kind: 'turn', turn })));
});

test('commits are told at most four times a second, and the last of them always', async () => {
  const store = Store.open(quickStore());
  onTestFinished(() => store.close());
  const durable = await createDurableActor(counter, { store, id: 'first' });
  const source = live(durable);
  const { commits } = listen(source);
  const began = performance.now();
  let last = 0;
  while (performance.now() - began < 600) {
    last = (await durable.send({ type: 'add' })).turn;
    await sleep(5);
  }
  await until(() => commits.at(-1)?.turn === last);
  expect(commits.length).toBeLessThanOrEqual(1 + Math.ceil((performance.now() - began) / 250));
});

test('an actor that is not durable is shown too, without views and without a past', async () => {
  const actor = createActor(counter, { id: 'loose' }).start();
  const source = live(actor);
  const { told } = listen(source);
  actor.send({ type: 'add' });
  await until(() => told.length >= 2);
  expect(source.capabilities).toEqual({ history: false, live: true, supervisor: false });
  expect([source.store, source.views]).toEqual([null, []]);
  expect(source.registry()).toMatchObject([{ id: 'loose', value: 'counting', chart: expect.any(String) }]);
  expect(source.actor('loose')?.context).toEqual({ n: 1, password: '[redacted]' });
  expect(() => source.view('overview', new URLSearchParams())).toThrow(
    expect.objectContaining({ code: 'VIEW_UNKNOWN' }),
  );
  for await (const record of source.history()) expect.unreachable(JSON.stringify(record));
});

test('a tree of a store that falls asleep is told as stopped, and stays so for whoever looks, also when it is awake again', async () => {
  const store = Store.open(quickStore(), { machines: { counter } });
  onTestFinished(() => store.close());
  const handle = await store.open('counter', 'one');
  const source = live(handle);
  const { told, unsubscribe } = listen(source);
  await handle.send({ type: 'add' });
  await handle.close();
  await until(() => told.at(-1)?.kind === 'stopped');
  expect(told.at(-1)).toMatchObject({ actor: 'one', status: 'stopped' });
  await store.send('one', { type: 'add' });
  const stopped = { id: 'one', status: 'stopped' };
  expect(source.registry()).toMatchObject([stopped]);
  expect(source.actor('one')).toMatchObject({ ...stopped, context: { n: 1 }, accepts: [] });
  unsubscribe();
  await source.close();
  const late = live(handle);
  await handle.ended;
  expect(late.registry()).toMatchObject([stopped]);
  expect(late.actor('one')).toMatchObject({ ...stopped, accepts: [] });
  listen(late);
  expect(late.registry()).toMatchObject([stopped]);
});

test('of a durable actor that was closed its actors are told as stopped', async () => {
  const durable = await createDurableActor(counter, { store: quickStore(), id: 'own' });
  const source = live(durable);
  const { told } = listen(source);
  await durable.close();
  await until(() => told.at(-1)?.kind === 'stopped');
  expect(source.registry()).toMatchObject([{ id: 'own', status: 'stopped' }]);
});
