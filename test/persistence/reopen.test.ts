/** A store that failed opens itself again: S3. */
import { expect, test, vi } from 'vitest';
import { assign, fromPromise, setup, type AnyEventObject } from 'xstate';
import { createDurableActor } from '../../persistence/create.ts';
import type { DurableActor } from '../../persistence/durable.ts';
import { effectOf } from '../../persistence/effects.ts';
import { Store } from '../../persistence/store.ts';
import { supervise } from '../../persistence/supervise.ts';
import { failStore, type StoreFault } from '../../testing/fail-store.ts';
import { SimulatedClock } from '../../testing.ts';
import type { Db } from '../../persistence/sqlite.ts';
import { tempStore } from '../support/temp.ts';
import { unreadable } from '../support/unreadable.ts';
import { settle } from '../support/turns.ts';

const counter = setup({
  types: {} as { context: { count: number; x?: unknown }; events: { type: 'count' } | { type: 'bad' } },
}).createMachine({
  id: 'counter',
  context: { count: 0 },
  on: {
    bad: { actions: assign({ x: () => () => {} }) },
    count: { actions: assign({ count: ({ context }) => context.count + 1 }) },
  },
});
const COUNT = { type: 'count' } as const;

/** The next event of this type that the tree tells of itself. */
function told(durable: Pick<DurableActor<typeof counter>, 'on'>, type: string): Promise<AnyEventObject> {
  return new Promise((resolve) => durable.on(type, resolve));
}

test.each<[StoreFault, string]>([
  ['full', 'STORE_FAILED'],
  ['read-only', 'STORE_READ_ONLY'],
  ['busy', 'STORE_FAILED'],
])('a store that is %s says so, stays shut while it lasts, and goes on when it is over', async (fault, code) => {
  const durable = await createDurableActor(counter, { store: tempStore() });
  await durable.send(COUNT, { id: 'a' });
  const live = durable.actor;
  const failure = failStore(durable.store, fault);
  const suspended = told(durable, 'suspended');
  const reopened = told(durable, 'reopened');
  await expect(durable.send(COUNT, { id: 'b' })).rejects.toMatchObject({ code, retryable: true });
  expect((await suspended)['error']).toMatchObject({ code });
  await expect(durable.send(COUNT, { id: 'c' })).rejects.toMatchObject({ code, retryable: true });
  const cleared = performance.now();
  failure.clear();
  await reopened;
  expect(performance.now() - cleared).toBeLessThan(1_000);
  expect(durable.actor).not.toBe(live);
  expect(durable.getSnapshot().context.count).toBe(1);
  for (const id of ['a', 'b', 'c']) await durable.send(COUNT, { id });
  expect(durable.getSnapshot().context.count).toBe(3);
  await durable.close();
});

test('who waits for a state goes on waiting while the store is shut', async () => {
  const durable = await createDurableActor(counter, { store: tempStore() });
  const waiting = durable.waitFor(({ context }) => context.count === 2);
  const failure = failStore(durable.store, 'read-only', { times: 2 });
  await expect(durable.send(COUNT)).rejects.toMatchObject({ code: 'STORE_READ_ONLY' });
  await told(durable, 'reopened');
  failure.clear();
  await durable.send(COUNT);
  await durable.send(COUNT);
  expect((await waiting).context.count).toBe(2);
  await durable.close();
});

test('an effect that ran when the store failed is aborted, and runs again with its key and the next attempt', async () => {
  const runs: { key: string; attempt: number; aborted: boolean }[] = [];
  const machine = setup({
    actors: {
      work: fromPromise(({ self, signal }) => {
        const run = { ...(effectOf(self) as { key: string; attempt: number }), aborted: false };
        runs.push(run);
        signal.addEventListener('abort', () => (run.aborted = true));
        return new Promise(() => {});
      }),
    },
  }).createMachine({ id: 'm', invoke: { src: 'work', id: 'work' }, on: { poke: { actions: () => {} } } });
  const durable = await createDurableActor(machine, { store: tempStore() });
  await vi.waitFor(() => expect(runs).toHaveLength(1));
  const reopened = told(durable, 'reopened');
  failStore(durable.store, 'full', { times: 1 });
  await expect(durable.send({ type: 'poke' }, { id: 'x' })).rejects.toMatchObject({ code: 'STORE_FAILED' });
  await reopened;
  await vi.waitFor(() => expect(runs).toHaveLength(2));
  expect(runs[0]).toMatchObject({ attempt: 1, aborted: true });
  expect(runs[1]).toMatchObject({ key: runs[0]?.key, attempt: 2, aborted: false });
  await durable.close();
});

test('a timer that came due while the store was shut fires once it is open', async () => {
  const machine = setup({}).createMachine({ id: 'm', initial: 'a', states: { a: { after: { 100: 'b' } }, b: {} } });
  const clock = new SimulatedClock();
  const durable = await createDurableActor(machine, { store: tempStore(), clock });
  const failure = failStore(durable.store, 'read-only');
  await clock.advance(50);
  await expect(durable.send({ type: 'any' })).rejects.toMatchObject({ code: 'STORE_READ_ONLY' });
  await clock.advance(100);
  const reopened = told(durable, 'reopened');
  failure.clear();
  await reopened;
  await clock.advance(0);
  expect(durable.getSnapshot().value).toBe('b');
  await durable.close();
});

test('all trees of a store come back together', async () => {
  const store = Store.open(tempStore());
  const trees = await Promise.all(['a', 'b', 'c'].map((id) => createDurableActor(counter, { store, id })));
  await Promise.all(trees.map((tree) => tree.send(COUNT)));
  const reopened = Promise.all(trees.map((tree) => told(tree, 'reopened')));
  failStore(store, 'full', { times: 1 });
  const sends = await Promise.allSettled(trees.map((tree) => tree.send(COUNT)));
  expect(sends.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  await reopened;
  await Promise.all(trees.map((tree) => tree.send(COUNT)));
  expect(trees.map((tree) => tree.getSnapshot().context.count)).toEqual([2, 2, 2]);
  store.close();
});

test('a store that fails while turns are run again keeps those that it told of, and applies no other', async () => {
  const durable = await createDurableActor(counter, { store: tempStore() });
  // What is refused counts, too: the batch, its first half, the first turn, the bad one, the last.
  failStore(durable.store, 'full', { commit: 5, times: 1 });
  const sent = [COUNT, { type: 'bad' } as const, COUNT].map((event) => durable.send(event));
  const [first, bad, last] = await Promise.allSettled(sent);
  expect(first).toMatchObject({ status: 'fulfilled' });
  expect(bad).toMatchObject({ status: 'rejected' });
  expect(last).toMatchObject({ reason: { code: 'STORE_FAILED' } });
  await told(durable, 'reopened');
  await durable.send(COUNT);
  expect(durable.getSnapshot().context.count).toBe(2);
  await durable.close();
});

test('what a host noted before the store failed is noted after, and what happened in a turn that is undone is not', async () => {
  const boom = () => {
    throw new Error('boom');
  };
  const kid = setup({}).createMachine({ on: { boom: { actions: boom } } });
  const parent = setup({ actors: { kid } }).createMachine({ invoke: { src: 'kid', id: 'kid' } });
  const machine = supervise(parent, { strategy: 'one_for_one', intensity: 5, children: { kid: {} } });
  const durable = await createDurableActor(machine, { store: tempStore() });
  const kinds = () => durable.store.rows.all<{ kind: string }>('select kind from incidents').map(({ kind }) => kind);
  const reopened = told(durable, 'reopened');
  failStore(durable.store, 'full', { times: 1 });
  const lost = durable.send({ type: 'boom' }, { to: 'kid' });
  durable.store.incident({ kind: 'host.said', detail: 'so' });
  await expect(lost).rejects.toMatchObject({ code: 'STORE_FAILED' });
  await reopened;
  durable.store.flush();
  expect(kinds()).toEqual(['host.said']);
  await durable.send({ type: 'boom' }, { to: 'kid' });
  expect(kinds()).toEqual(['host.said', 'child.restarted']);
  await durable.close();
});

test('a store that is closed while it is shut is closed, and frees its lock', async () => {
  const path = tempStore();
  const durable = await createDurableActor(counter, { store: path });
  failStore(durable.store, 'full');
  await expect(durable.send(COUNT)).rejects.toMatchObject({ code: 'STORE_FAILED' });
  await durable.close();
  const again = await createDurableActor(counter, { store: path });
  await again.send(COUNT);
  expect(again.getSnapshot().context.count).toBe(1);
  await again.close();
});

const ringing = setup({}).createMachine({
  id: 'ringing',
  initial: 'a',
  states: { a: { after: { 1_000: 'b' } }, b: {} },
});

test.each(['timers', 'trees', 'actors', 'outbox'])(
  'a closed tree whose timer is due while %s cannot be read is opened for it when they can',
  async (table) => {
    const clock = new SimulatedClock();
    await using store = Store.open(tempStore(), { machines: { ringing }, clock });
    let db: Db | undefined;
    store.commits.file.beforeTransaction = (connection) => (db = connection);
    await (await store.open('ringing', 'r')).close();
    const show = unreadable(db as Db, table);
    // Whatever the alarm throws comes out of the clock.
    await clock.advance(5_000);
    show();
    expect([...store.trees()]).toMatchObject([{ isAwake: false }]);
    await clock.advance(1_000);
    await settle();
    expect([...store.trees()]).toMatchObject([{ isAwake: true }]);
    expect((await store.open('ringing', 'r')).getSnapshot().value).toBe('b');
  },
);

const working = setup({ actors: { work: fromPromise(() => new Promise(() => {})) } }).createMachine({
  id: 'working',
  invoke: { src: 'work', id: 'work' },
});

/** Once the tree is back, the next reads fail, until the store says so. */
function failReads(tree: Pick<DurableActor<typeof working>, 'on'>, connection: () => Db): void {
  let show: (() => void) | undefined;
  const reopened = tree.on('reopened', () => {
    reopened.unsubscribe();
    show = unreadable(connection(), 'trees');
  });
  tree.on('suspended', () => show?.());
}

test('a store that can be opened again and not be read is opened again once more, with what was under way in it', async () => {
  const thrown: unknown[] = [];
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => thrown.push(error));
  try {
    const store = Store.open(tempStore(), { machines: { working, ringing } });
    const awake = await store.open('working', 'w');
    await (await store.open('ringing', 'r')).close();
    let db: Db | undefined;
    store.commits.file.beforeTransaction = (connection) => (db = connection);
    failReads(awake, () => db as Db);
    const suspended: unknown[] = [];
    awake.on('suspended', ({ error }) => suspended.push(error));
    const twice = new Promise<void>((resolve) => {
      let times = 0;
      awake.on('reopened', () => (times += 1) === 2 && resolve());
    });
    await awake.send({ type: 'any' } as never);
    (db as Db | undefined)?.pragma('query_only = on');
    await expect(awake.send({ type: 'any' } as never)).rejects.toMatchObject({ code: 'STORE_READ_ONLY' });
    await twice;
    expect(suspended).toMatchObject([{ code: 'STORE_READ_ONLY' }, { code: 'STORE_FAILED' }]);
    expect(await awake.send({ type: 'any' } as never)).toMatchObject({ applied: true });
    store.close();
    expect(thrown).toEqual([]);
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener as never);
  }
});
