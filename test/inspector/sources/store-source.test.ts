/** A store that is looked at from beside: while it is in use, when its owner has crashed, and when it cannot be read. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { assign, setup, spawnChild, stopChild } from 'xstate';
import { createDurableActor } from '../../../index.ts';
import { deskBeside } from '../../../inspector/commands/commands.ts';
import { emptyIntake, registryAfter } from '../../../inspector/page/intake.ts';
import type { InspectionRecord } from '../../../inspector/protocol.ts';
import type { Source } from '../../../inspector/sources/source.ts';
import { storeSource, type StoreSourceOptions } from '../../../inspector/sources/store-source.ts';
import { encryption } from '../../../persistence/sealing.ts';
import { SCHEMA_VERSION } from '../../../persistence/schema.ts';
import { Store } from '../../../persistence/store.ts';
import { readStore } from '../../../persistence/store-reader.ts';
import { bundle } from '../../support/bundle.ts';
import { openInspected, populate } from '../../support/inspected.ts';
import { quickStore, tempFolder } from '../../support/temp.ts';
import { until } from '../../support/turns.ts';

const NOTHING = new URLSearchParams();

function beside(path: string, options: StoreSourceOptions = {}) {
  const source = storeSource(path, { pollMs: 10, ...options });
  onTestFinished(() => source.close());
  return source;
}

const counter = setup({
  types: {} as { context: { n: number; password: string }; events: { type: 'add' } | { type: 'end' } },
}).createMachine({
  id: 'counter',
  context: { n: 0, password: 'hunter22' },
  initial: 'counting',
  states: {
    counting: {
      tags: 'busy',
      on: { add: { actions: assign({ n: ({ context }) => context.n + 1 }) }, end: 'ended' },
      after: { 3_600_000: 'ended' },
    },
    ended: { type: 'final' },
  },
});

test('who subscribes hears of each turn that somebody else commits, and of who came, changed and went', async () => {
  const path = quickStore();
  const store = Store.open(path, { history: true });
  onTestFinished(() => store.close());
  const first = await createDurableActor(counter, { store, id: 'first' });
  const source = beside(path, { machines: [counter] });
  const [told, commits]: [InspectionRecord[], number[]] = [[], []];
  const heard = { records: (records: readonly InspectionRecord[]) => void told.push(...records) };
  const subscription = source.subscribe({ ...heard, committed: (turn) => void commits.push(turn) });
  const before = source.nextSeq;
  await first.send({ type: 'add' });
  await until(() => told.some(({ kind }) => kind === 'snapshot'));
  expect(told).toMatchObject([
    {
      seq: before,
      kind: 'turn',
      actor: 'first',
      causes: [{ kind: 'send', to: 'first', event: { type: 'add' } }],
      changed: ['first'],
    },
    { seq: before + 1, kind: 'snapshot', actor: 'first', status: 'active', value: 'counting', tags: ['busy'] },
  ]);
  expect(commits.length).toBe(1);
  await createDurableActor(counter, { store, id: 'second' });
  await until(() => told.some(({ kind, actor }) => kind === 'started' && actor === 'second'));
  await store.delete('second');
  await until(() => told.some(({ kind, actor }) => kind === 'stopped' && actor === 'second'));
  expect(told.map(({ seq }) => seq)).toEqual(told.map((_, i) => before + i));
  expect(source.recordsFrom(before).records).toEqual(told);
  subscription.unsubscribe();
  const { length } = told;
  await first.send({ type: 'add' });
  expect(source.actor('first')).toMatchObject({ context: { n: 2 } });
  expect(told.length).toBe(length);
});

test('an actor is shown as its row has it, redacted, and as it was after a record', async () => {
  const path = quickStore();
  await using durable = await createDurableActor(counter, { store: path, id: 'first', history: true });
  const source = beside(path, { machines: [counter] });
  source.subscribe({ records: () => {}, committed: () => {} });
  await durable.send({ type: 'add' });
  await durable.send({ type: 'add' });
  const [info] = source.registry();
  expect(info).toEqual({
    id: 'first',
    parent: null,
    name: 'first',
    systemId: null,
    src: 'counter',
    chart: expect.any(String),
    status: 'active',
    value: 'counting',
    tags: ['busy'],
    changedAt: expect.any(Number),
  });
  expect(source.chart(info?.chart ?? '')?.name).toBe('counter');
  expect(source.actor('first')).toEqual({
    ...info,
    context: { n: 2, password: '[redacted]' },
    output: null,
    error: null,
    timers: [{ event: 'xstate.after.3600000.counter.counting', due: expect.any(Number), delayMs: 3_600_000 }],
    accepts: [
      { type: 'add', schema: null },
      { type: 'end', schema: null },
    ],
  });
  const turns = source.recordsFrom(0).records.filter(({ kind }) => kind === 'turn');
  expect(turns.map(({ seq }) => source.actor('first', seq)?.context)).toMatchObject([{ n: 0 }, { n: 1 }, { n: 2 }]);
  expect(source.actor('nobody')).toBeUndefined();
});

/** What somebody is told: numbers of turns, ranges that were dropped, and who has changed. */
function listen(source: Source) {
  const told: InspectionRecord[] = [];
  const batches: number[] = [];
  const dropped: [number, number][] = [];
  const { unsubscribe } = source.subscribe({
    records(records) {
      told.push(...records);
      batches.push(records.length);
    },
    dropped: (from, to) => void dropped.push([from, to]),
    committed: () => {},
  });
  const turns = () => told.flatMap((record) => (record.kind === 'turn' ? [record.turn] : []));
  return { told, batches, dropped, turns, unsubscribe };
}

test('of many turns between two looks each is told, some at a time, and then who has changed', async () => {
  const path = quickStore();
  await using durable = await createDurableActor(counter, { store: path, id: 'first', history: true });
  const source = beside(path);
  listen(source).unsubscribe();
  const { nextSeq } = source;
  const { turn } = await durable.send({ type: 'add' });
  let last = turn;
  for (let n = 2; n <= 450; n += 1) last = (await durable.send({ type: 'add' })).turn;
  // The first look of whoever comes tells nobody; what it finds is held.
  const { told, batches, dropped, unsubscribe } = listen(source);
  expect(source.registry()).toHaveLength(1);
  await until(() => told.some(({ kind }) => kind === 'snapshot'));
  const all = source.recordsFrom(nextSeq);
  expect(all.records.map((record) => (record.kind === 'turn' ? record.turn : record.kind))).toEqual([
    ...Array.from({ length: last - turn + 1 }, (_, at) => turn + at),
    'snapshot',
  ]);
  expect(all.records.map(({ seq }) => seq)).toEqual(all.records.map((_, at) => nextSeq + at));
  expect([all.from, dropped]).toEqual([nextSeq, []]);
  expect(Math.max(...batches)).toBeLessThanOrEqual(201);
  expect(source.actor('first', all.records.at(-1)?.seq)?.context).toMatchObject({ n: 450 });
  unsubscribe();
  // Of whoever asks while nobody looks nothing is kept back.
  for (let n = 0; n < 250; n += 1) await durable.send({ type: n < 249 ? 'add' : 'end' });
  expect(source.registry()).toEqual(beside(path).registry());
});

test('of turns that the history has forgotten before they were told, the numbers are told as dropped', async () => {
  const path = quickStore();
  const history = { maxTurns: 20 };
  await using durable = await createDurableActor(counter, { store: path, id: 'first', history });
  const source = beside(path, { pollMs: 3_600_000 });
  const { told, dropped, turns } = listen(source);
  const [first, { turn: before }] = [source.nextSeq, await durable.send({ type: 'add' })];
  source.registry();
  for (let n = 0; n < 100; n += 1) await durable.send({ type: 'add' });
  source.registry();
  const [now, ...late] = turns();
  const lost = (late[0] ?? 0) - before - 1;
  expect(now).toBe(before);
  expect(lost).toBeGreaterThan(0);
  expect(dropped).toEqual([[first + 2, first + 2 + lost]]);
  expect(told.map(({ seq }) => seq)).toEqual([
    first,
    first + 1,
    ...late.map((_, at) => first + 2 + lost + at),
    source.nextSeq - 1,
  ]);
  // Whoever comes later is told that it has missed them.
  expect(source.recordsFrom(first).from).toBe(first + 2 + lost);
});

test('of more turns than are held only the last are told, and the others as dropped', async () => {
  const path = quickStore();
  const durable = await createDurableActor(counter, { store: path, id: 'first', history: true });
  const source = beside(path, { pollMs: 3_600_000 });
  const { dropped, turns } = listen(source);
  const { turn } = await durable.send({ type: 'add' });
  source.registry();
  await durable.close();
  const db = new Database(path);
  db.exec(`with recursive more (turn) as (select ${turn + 1} union all select turn + 1 from more where turn < ${turn + 6_000})
    insert into turns select turn, 1, turn, 1, '[]', '[]' from more`);
  db.close();
  source.registry();
  expect(dropped.map(([from, to]) => to - from)).toEqual([5_800]);
  expect(source.actor('first', 1)).toBeUndefined();
  expect(turns().slice(-200)).toEqual(Array.from({ length: 200 }, (_, at) => turn + 5_801 + at));
});

const kid = setup({}).createMachine({ id: 'kid', initial: 'waits', states: { waits: {} } });
const parent = setup({
  types: {} as { events: { type: 'again' } },
  actors: { kid },
}).createMachine({
  id: 'parent',
  entry: spawnChild('kid', { id: 'kid' }),
  on: { again: { actions: [stopChild('kid'), spawnChild('kid', { id: 'kid' })] } },
});

test('a child that is begun again under its id is told as one that went and one that came, and is there', async () => {
  const path = quickStore();
  await using durable = await createDurableActor(parent, { store: path, id: 'shop', history: true });
  const source = beside(path);
  const told: InspectionRecord[] = [];
  source.subscribe({ records: (records) => void told.push(...records), committed: () => {} });
  const before = registryAfter(new Map(), {
    ...emptyIntake(),
    registry: { actors: source.registry(), from: 0, more: 0 },
  });
  // It was not there before the first turn.
  expect(source.actor('shop/kid', 0)).toBeUndefined();
  await durable.send({ type: 'again' });
  await until(() => told.some(({ kind }) => kind === 'stopped'));
  expect(told.filter(({ actor }) => actor === 'shop/kid')).toMatchObject([
    { kind: 'stopped', status: 'stopped' },
    { kind: 'started', info: { status: 'active', value: 'waits' } },
  ]);
  const after = registryAfter(before, { ...emptyIntake(), records: told });
  expect(after.get('shop/kid')?.status).toBe('active');
});

test('a machine that is not known is shown without its chart', async () => {
  const path = quickStore();
  await using _ = await createDurableActor(counter, { store: path, id: 'first' });
  expect(beside(path).registry()).toMatchObject([
    { id: 'first', src: 'counter', chart: null, value: 'counting', tags: [] },
  ]);
});

test('what only the owner can read is shown as encrypted, and the rest as it is', async () => {
  const path = quickStore();
  const key = Buffer.alloc(32, 7);
  const supervisor = await openInspected(path, { sealing: encryption({ key: () => key, current: 'k' }) });
  onTestFinished(() => supervisor.close());
  await populate(supervisor);
  const source = beside(path);
  const everything: unknown[] = [source.registry(), source.recordsFrom(0).records, source.actor('main/executor')];
  for (const name of ['overview', 'work', 'approvals', 'timeline', 'plans', 'budget', 'resources', 'checkpoints'])
    everything.push(source.view(name, NOTHING));
  everything.push(source.view('action', new URLSearchParams({ id: 'one' })));
  expect(source.actor('main/executor')).toMatchObject({ value: '[encrypted]', context: '[encrypted]', accepts: [] });
  expect(source.view('overview', NOTHING)).toMatchObject({ state: 'unknown', health: null, counts: { running: 2 } });
  expect(source.view('approvals', NOTHING)).toMatchObject({ open: [{ summary: '[encrypted]', input: '[encrypted]' }] });
  expect(source.recordsFrom(0).records.some((record) => record.kind === 'turn' && record.changed.length > 0)).toBe(
    true,
  );
  for await (const record of source.history()) everything.push(record);
  const text = JSON.stringify(everything);
  for (const secret of ['hunter22', 'everybody', 'tok-123456', 'perdure:aes256gcm']) expect(text).not.toContain(secret);
  await expect(source.view('compare', new URLSearchParams({ a: '3' }))).rejects.toMatchObject({ code: 'KEY_UNKNOWN' });
});

test('a store of a newer Perdure, of an older one, and a file that is none are told apart', () => {
  const [newer, older, foreign] = [quickStore(), quickStore(), quickStore()];
  for (const [path, version] of [
    [newer, SCHEMA_VERSION + 1],
    [older, SCHEMA_VERSION - 1],
  ] as const) {
    Store.open(path).close();
    const db = new Database(path);
    db.pragma(`user_version = ${version}`);
    db.close();
  }
  writeFileSync(foreign, 'x'.repeat(4_096));
  expect(() => storeSource(newer)).toThrow(expect.objectContaining({ code: 'STORE_NEWER' }));
  expect(() => storeSource(older)).toThrow(/open it once with this version of Perdure/);
  expect(() => storeSource(foreign)).toThrow(expect.objectContaining({ code: 'STORE_NOT_A_DATABASE' }));
  expect(() => storeSource(join(tempFolder(), 'none.db'))).toThrow(
    expect.objectContaining({ code: 'STORE_UNOPENABLE' }),
  );
});

test('a view that there is not, and a parameter that is wrong, are named', async () => {
  const path = quickStore();
  const supervisor = await openInspected(path);
  onTestFinished(() => supervisor.close());
  const source = beside(path);
  const asked = (name: string, query: Record<string, string>) => () => source.view(name, new URLSearchParams(query));
  expect(asked('overviw', {})).toThrow(
    /There is no view "overviw" \(did you mean "overview"\?\); there are: overview, work/,
  );
  expect(asked('work', { state: 'lost' })).toThrow(
    /parameter "state" of the view "work": expected one of delayed, .*got "lost"/,
  );
  expect(asked('work', { limit: '0' })).toThrow(/"limit".*expected a number from 1 to 1000, got "0"/);
  expect(asked('work', { stat: 'running' })).toThrow(/"stat".*did you mean "state"/);
  expect(asked('overview', { x: '1' })).toThrow(expect.objectContaining({ code: 'OPTIONS_INVALID' }));
  expect(asked('past', {})).toThrow(/"turn".*expected a value, got none/);
  expect(asked('past', { turn: '999999' })).toThrow(expect.objectContaining({ code: 'CHECKPOINT_UNKNOWN' }));
  expect(asked('action', { id: 'nobody' })).toThrow(expect.objectContaining({ code: 'ACTION_NOT_FOUND' }));
});

test('when another file takes the place of the store nothing is shown or asked of either, until it is put back', async () => {
  const path = join(tempFolder(), 'work.db');
  const backup = `${path}-backup`;
  const first = await createDurableActor(counter, { store: path, history: true });
  await first.send({ type: 'add' });
  await first.store.backup(backup);
  await first.close();
  const source = beside(path, { machines: [counter] });
  const desk = deskBeside(path);
  const give = (id: string) => desk.give({ id, command: 'send', params: { event: 'add' }, by: 'page' });
  expect(await give('before')).toMatchObject({ state: 'waiting' });
  const commits: number[] = [];
  source.subscribe({ records: () => {}, committed: (turn) => void commits.push(turn) });
  const move = (from: string, to: string) => {
    for (const end of ['', '-wal', '-shm']) if (existsSync(from + end)) renameSync(from + end, to + end);
  };
  move(path, `${path}-old`);
  renameSync(backup, path);
  await until(() => commits.length > 0);
  const replaced = expect.objectContaining({ code: 'STORE_REPLACED' });
  expect(() => source.registry()).toThrow(replaced);
  expect(() => source.recordsFrom(0)).toThrow(replaced);
  expect(() => source.subscribe({ records: () => {}, committed: () => {} })).toThrow(replaced);
  expect(() => source.actor('main')).toThrow(replaced);
  expect(() => source.view('past', new URLSearchParams({ turn: '1' }))).toThrow(replaced);
  await expect(source.history()[Symbol.asyncIterator]().next()).rejects.toThrow(replaced);
  await expect(give('after')).rejects.toThrow(replaced);
  expect(() => desk.audit(1)).toThrow(replaced);
  expect(readStore(path, (rows) => rows.all('select id from commands'))).toEqual([]);
  move(`${path}-old`, path);
  expect(source.registry().map(({ id }) => id)).toEqual(['main']);
  expect(await give('again')).toMatchObject({ state: 'waiting' });
});

test('of another store that is written into the same file no command is taken', async () => {
  const [path, other] = [join(tempFolder(), 'work.db'), join(tempFolder(), 'other.db')];
  for (const store of [path, other]) await (await createDurableActor(counter, { store })).close();
  const desk = deskBeside(path);
  copyFileSync(other, path);
  await expect(desk.give({ id: 'c', command: 'send', params: { event: 'add' }, by: 'page' })).rejects.toMatchObject({
    code: 'STORE_REPLACED',
  });
});

const OWNER = (entry: string, store: string) => `
import { defineAction, spawnSupervisor } from ${JSON.stringify(entry)};
const actions = {
  add: defineAction({ run: (n) => n + 1 }),
  wait: defineAction({ run: () => new Promise(() => setInterval(() => {}, 1000)) }),
};
const supervisor = await spawnSupervisor({ store: ${JSON.stringify(store)}, actions, history: true, resources: false });
await supervisor.execute('add', 1, { id: 'one' });
await supervisor.submit('wait', null, { id: 'runs' });
while (supervisor.stats().queue.running === 0) await new Promise(setImmediate);
console.log('ready');
`;

test('of an owner that was killed everything is there, its last turns too, and that nobody owns the store', async () => {
  const folder = tempFolder();
  const store = join(folder, 'work.db');
  const script = join(folder, 'owner.mjs');
  writeFileSync(script, OWNER(join(bundle(), 'index.js'), store));
  const owner = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(owner.stdout, 'data');
  const source = beside(store);
  expect(source.view('overview', NOTHING)).toMatchObject({ isOwned: true, health: { overall: 'healthy' } });
  const commits: number[] = [];
  source.subscribe({ records: () => {}, committed: (turn) => void commits.push(turn) });
  owner.kill('SIGKILL');
  await once(owner, 'exit');
  // That it has gone is told, although nothing was committed.
  await until(() => commits.length > 0);
  expect(source.view('overview', NOTHING)).toMatchObject({
    isOwned: false,
    health: null,
    state: 'running',
    counts: { running: 1 },
    running: [{ id: 'runs', slot: expect.any(Number) }],
  });
  expect(source.registry().map(({ id }) => id)).toEqual(
    expect.arrayContaining(['main', 'main/executor', 'main/executor/slot.0']),
  );
  const last = source.recordsFrom(0).records.at(-1);
  expect(last).toMatchObject({ kind: 'turn', changed: expect.arrayContaining(['main/executor']) });
  expect(source.view('action', new URLSearchParams({ id: 'runs' }))).toMatchObject({
    state: 'running',
    commands: ['cancel'],
  });
}, 60_000);
