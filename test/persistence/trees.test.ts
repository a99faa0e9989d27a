/** Many trees in one store: opened on demand, closed when idle, and none of them harmed by another. */
import Database from 'better-sqlite3';
import { assign, createMachine, emit, fromPromise, setup, spawnChild } from 'xstate';
import { expect, test } from 'vitest';
import { PerdureError } from '../../errors.ts';
import { postCommand, readAnswer } from '../../persistence/commands.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { durableAction, transactional } from '../../persistence/durable-action.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { Store, type StoreWithTreesOptions } from '../../persistence/store.ts';
import type { Machines } from '../../persistence/trees.ts';
import { tempStore } from '../support/temp.ts';
import { settle, until } from '../support/turns.ts';

type OrderEvent =
  { type: 'add' } | { type: 'bad' } | { type: 'work' } | { type: 'book' } | { type: 'bookBad' } | { type: 'done' };

/** Starts of the effect, by tree. */
const starts: Record<string, number> = {};
const noting = new Map<string, () => void>();

const order = setup({
  types: {} as { context: { n: number; box?: unknown; name: string }; input: string; events: OrderEvent },
  actors: {
    work: fromPromise<string, string>(({ input }) => {
      starts[input] = (starts[input] ?? 0) + 1;
      return new Promise((resolve) => noting.set(input, () => resolve('done')));
    }),
  },
  actions: {
    book: transactional((rows, name: string) => void rows.run('insert into ledger(name) values (?)', name)),
  },
}).createMachine({
  id: 'order',
  context: ({ input }) => ({ n: 0, name: input }),
  initial: 'open',
  on: {
    add: { actions: [assign({ n: ({ context }) => context.n + 1 }), emit({ type: 'added' })] },
    bad: { actions: [assign({ box: () => () => 1 }), emit({ type: 'never' })] },
    book: { actions: { type: 'book', params: ({ context }) => context.name } },
    bookBad: {
      actions: [{ type: 'book', params: ({ context }) => `${context.name}!` }, assign({ box: () => () => 1 })],
    },
  },
  states: {
    open: { on: { work: 'working' }, after: { 60_000: 'late' } },
    working: { invoke: { id: 'work', src: 'work', input: ({ context }) => context.name, onDone: 'worked' } },
    worked: {},
    late: {},
  },
});

const cart = setup({}).createMachine({ id: 'cart', initial: 'empty', states: { empty: {} } });
const machines = { order, cart };

function openStore(path: string, options: StoreWithTreesOptions<typeof machines> = {}): Store<typeof machines> {
  const store = Store.open(path, { machines, ...options });
  store.rows.run('create table if not exists ledger(id integer primary key, name text not null) strict');
  store.flush();
  return store;
}

const crashStore = (store: Store) => store.drop(new PerdureError('STORE_CLOSED', 'crashed'));
const incidents = (store: Pick<Store, 'rows' | 'flush'>) => {
  store.flush();
  return store.rows.all<{ kind: string; detail: string }>('select kind, detail from incidents order by id');
};
const awake = (store: Store) => [...store.trees()].filter(({ isAwake }) => isAwake).map(({ id }) => id);
const ledger = (store: Store) =>
  store.rows.all<{ name: string }>('select name from ledger order by id').map(({ name }) => name);

test('opens a closed tree for who sends to it, and closes it again when nobody has for idleMs', async () => {
  const clock = new SimulatedClock();
  await using store = openStore(tempStore(), { clock, idleMs: 1_000 });
  const handle = await store.open('order', 'o1', { input: 'o1' });
  await handle.send({ type: 'add' });
  await clock.advance(5_000);
  expect(awake(store)).toEqual(['o1']);
  await handle.close();
  expect(awake(store)).toEqual([]);
  await expect(handle.send({ type: 'add' })).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  expect(await store.send('o1', { type: 'add' })).toMatchObject({ applied: true });
  expect(awake(store)).toEqual(['o1']);
  await clock.advance(2_100);
  expect(awake(store)).toEqual([]);
  const again = await store.open('order', 'o1');
  expect(again.getSnapshot().context).toMatchObject({ n: 2 });
  await expect(store.send('nobody', { type: 'add' })).rejects.toMatchObject({ code: 'TREE_NOT_FOUND' });
});

test('a tree is shared, and closes when each of its handles was closed, however often', async () => {
  await using store = openStore(tempStore());
  const [one, two] = await Promise.all([
    store.open('order', 'o1', { input: 'o1' }),
    store.open('order', 'o1', { input: 'other' }),
  ]);
  expect(one.actor).toBe(two.actor);
  expect(one.getSnapshot().context.name).toBe('o1');
  await Promise.all([one.close(), one.close()]);
  await one.close();
  await one[Symbol.asyncDispose]();
  await two.send({ type: 'add' });
  expect(awake(store)).toEqual(['o1']);
  await two.close();
  expect(awake(store)).toEqual([]);
});

test('a handle of a tree that was given up while it was being closed takes no hold of the tree that came after it', async () => {
  await using store = openStore(tempStore());
  const old = await store.open('order', 'o1', { input: 'o1' });
  const live = store.commits.participant('o1');
  void old.send({ type: 'add' }).catch(() => {});
  const closing = old.close();
  live?.failed(new PerdureError('TURN_REFUSED', 'given up'));
  store.commits.leave(live as never, new PerdureError('TURN_REFUSED', 'given up'));
  await Promise.resolve();
  await Promise.all([store.open('order', 'o1'), closing]);
  await settle();
  expect(awake(store)).toEqual(['o1']);
});

test('refuses to open a tree as another machine, also before its first commit, and ids that cannot be kept', async () => {
  const path = tempStore();
  await using store = openStore(path);
  const [, mixed] = await Promise.allSettled([store.open('order', 'o1', { input: '' }), store.open('cart', 'o1')]);
  expect(mixed).toMatchObject({ status: 'rejected', reason: { code: 'MACHINE_CHANGED' } });
  await expect(store.open('cart', 'o1')).rejects.toMatchObject({ code: 'MACHINE_CHANGED' });
  for (const id of ['', 'half \ud800']) {
    await expect(store.open('cart', id)).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
  }
  const odd = [`'"; drop table trees; --`, 'nul \0 in it', 'x'.repeat(10_000), '__proto__', '😀'];
  for (const id of odd) await store.open('cart', id);
  expect([...store.trees()].map(({ id }) => id).toSorted()).toEqual([...odd, 'o1'].toSorted());
});

test('keeps no more trees awake than maxAwake, whoever holds the oldest', async () => {
  await using store = openStore(tempStore(), { maxAwake: 20 });
  const held = await Promise.all(Array.from({ length: 12 }, (_, n) => store.open('order', `held${n}`, { input: 'h' })));
  for (let n = 0; n < 60; n++) await (await store.open('order', `o${n}`, { input: 'o' })).close();
  for (let n = 0; n < 60; n++) await store.send(`o${n}`, { type: 'add' });
  expect(awake(store).length).toBeLessThanOrEqual(21);
  for (const handle of held) expect(await handle.send({ type: 'add' })).toMatchObject({ applied: true });
});

test('a due timer opens its closed tree, also when it became due while no process was there', async () => {
  const clock = new SimulatedClock();
  const path = tempStore();
  const store = openStore(path, { clock });
  await (await store.open('order', 'o1', { input: 'o1' })).close();
  await clock.advance(30_000);
  await (await store.open('order', 'o2', { input: 'o2' })).close();
  await clock.advance(29_000);
  expect(awake(store)).toEqual([]);
  await clock.advance(1_001);
  await settle();
  expect((await store.open('order', 'o1')).getSnapshot().value).toBe('late');
  expect((await store.open('order', 'o2')).getSnapshot().value).toBe('open');
  crashStore(store);
  await clock.advance(40_000);
  await using next = openStore(path, { clock });
  await clock.advance(0);
  await settle();
  expect(awake(next)).toEqual(['o2']);
  expect((await next.open('order', 'o2')).getSnapshot().value).toBe('late');
});

test('a running effect keeps its tree awake, and opens it after a crash', async () => {
  const clock = new SimulatedClock();
  const path = tempStore();
  const store = openStore(path, { clock, idleMs: 1_000 });
  await (await store.open('order', 'busy', { input: 'busy' })).close();
  await (await store.open('order', 'calm', { input: 'calm' })).close();
  await store.send('busy', { type: 'work' });
  await clock.advance(10_000);
  expect(awake(store)).toEqual(['busy']);
  crashStore(store);
  await using next = openStore(path, { clock, idleMs: 1_000 });
  await until(() => starts['busy'] === 2);
  expect(awake(next)).toEqual(['busy']);
  noting.get('busy')?.();
  await settle();
  await clock.advance(3_000);
  expect(awake(next)).toEqual([]);
  expect((await next.open('order', 'busy')).getSnapshot().value).toBe('worked');
});

test('one commit serves all trees of a batch', async () => {
  let commits = 0;
  await using store = openStore(tempStore(), { onCommit: () => (commits += 1) });
  commits = 0;
  const names = Array.from({ length: 50 }, (_, n) => `o${n}`);
  await Promise.all(names.map((name) => store.open('order', name, { input: name })));
  expect(commits).toBe(1);
  await Promise.all(names.map((name) => store.send(name, { type: 'add' })));
  expect(commits).toBe(2);
});

test('closing a handle commits what was sent through it, with the batch of all others', async () => {
  let commits = 0;
  await using store = openStore(tempStore(), { onCommit: () => (commits += 1) });
  const names = Array.from({ length: 20 }, (_, n) => `o${n}`);
  const handles = await Promise.all(names.map((name) => store.open('order', name, { input: name })));
  commits = 0;
  const sent = handles.map((handle) => handle.send({ type: 'add' }));
  await Promise.all(handles.map((handle) => handle.close()));
  expect([commits, awake(store)]).toEqual([1, []]);
  expect(await Promise.all(sent)).toHaveLength(20);
});

test.each([
  ['bad', 'a state that cannot be stored'],
  ['bookBad', 'rows of its own beside it'],
] as const)('a turn refused for %s (%s) touches no other tree of its batch', async (type, _) => {
  const path = tempStore();
  const store = openStore(path);
  const names = Array.from({ length: 30 }, (_, n) => `${type}${n}`);
  const handles = await Promise.all(names.map((name) => store.open('order', name, { input: name })));
  await Promise.all(handles.map((handle) => handle.send({ type: 'work' })));
  const live = handles.map((handle) => handle.actor);
  const heard: string[] = [];
  handles.forEach((handle, n) => handle.on('*', (event) => heard.push(`${n} ${event.type}`)));
  const waited = handles.map((handle) => handle.waitFor(({ context }) => context.n === 2));
  void Promise.allSettled(waited);
  const culprit = 17;
  const sends = handles.flatMap((handle, n) => [
    handle.send({ type: 'add' }, { id: 'first' }),
    ...(n === culprit ? [handle.send({ type }, { id: 'refused' })] : []),
    handle.send({ type: 'add' }, { id: 'c:1' }),
  ]);
  const results = await Promise.allSettled(sends);
  expect(results.filter(({ status }) => status === 'rejected')).toMatchObject([{ reason: { code: 'CODEC_REFUSED' } }]);
  await Promise.all(waited);
  await settle();
  handles.forEach((handle, n) => {
    expect(handle.getSnapshot().context).toMatchObject({ n: 2 });
    if (n !== culprit) expect(starts[names[n] as string]).toBe(1);
    expect(handle.actor === live[n]).toBe(n !== culprit);
  });
  expect(heard.filter((line) => line.endsWith(' added')).toSorted()).toEqual(
    handles.flatMap((_, n) => [`${n} added`, `${n} added`]).toSorted(),
  );
  expect(new Set(heard.filter((line) => !line.endsWith(' added')))).toEqual(new Set([`${culprit} reopened`]));
  // What was accepted is a repeat; what was refused is not.
  expect((await handles[3]?.send({ type: 'add' }, { id: 'first' }))?.applied).toBe(false);
  expect((await handles[culprit]?.send({ type: 'add' }, { id: 'c:1' }))?.applied).toBe(false);
  expect((await handles[culprit]?.send({ type: 'add' }, { id: 'refused' }))?.applied).toBe(true);
  expect(ledger(store)).toEqual([]);
  crashStore(store);
  await using next = openStore(path);
  expect((await next.open('order', names[3] as string)).getSnapshot().context.n).toBe(2);
});

test('trees that wrote rows of their own in the batch of a refused one keep their rows, once', async () => {
  const path = tempStore();
  const store = openStore(path);
  const names = Array.from({ length: 12 }, (_, n) => `row${String(n).padStart(2, '0')}`);
  const handles = await Promise.all(names.map((name) => store.open('order', name, { input: name })));
  await handles[0]?.send({ type: 'work' });
  const results = await Promise.allSettled(
    handles.flatMap((handle, n) => {
      if (n === 0) return [handle.send({ type: 'add' }, { id: 'calm' }), handle.send({ type: 'add' })];
      if (n % 4 === 3) return [handle.send({ type: 'bookBad' }, { id: 'x' }), handle.send({ type: 'book' })];
      return [handle.send({ type: 'book' }, { id: 'x' })];
    }),
  );
  expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(3);
  expect(starts['row00']).toBe(1);
  expect(ledger(store).toSorted()).toEqual(names.slice(1));
  expect((await handles[1]?.send({ type: 'book' }, { id: 'x' }))?.applied).toBe(false);
  expect((await handles[0]?.send({ type: 'add' }, { id: 'calm' }))?.applied).toBe(false);
  expect(handles[0]?.getSnapshot().context.n).toBe(2);
  crashStore(store);
  await using next = openStore(path);
  expect(ledger(next).toSorted()).toEqual(names.slice(1));
});

test('rows that the host writes outside of any turn survive a refused turn in their batch', async () => {
  await using store = openStore(tempStore());
  const handle = await store.open('order', 'o1', { input: 'o1' });
  const refused = handle.send({ type: 'bookBad' });
  store.rows.run('insert into ledger(name) values (?)', 'host');
  store.incident({ kind: 'host.said', detail: 'so' });
  await expect(refused).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
  await settle();
  expect(ledger(store)).toEqual(['host']);
  expect(incidents(store).map(({ kind }) => kind)).toContain('host.said');
});

test('rows of the host that lean on those of a refused turn are left out with them, which is told', async () => {
  const maker = setup({
    types: {} as { context: { box?: unknown } },
    actions: { make: transactional((rows) => void rows.run('create table made(n integer) strict')) },
  }).createMachine({ context: {}, on: { makeBad: { actions: ['make', assign({ box: () => () => 1 })] } } });
  await using store = Store.open(tempStore(), { machines: { maker } });
  await store.open('maker', 'm');
  const refused = store.send('m', { type: 'makeBad' } as never);
  store.rows.run('insert into made values (1)');
  await expect(refused).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
  expect(incidents(store)).toMatchObject([{ kind: 'rows.refused', detail: expect.stringContaining('made') }]);
});

test.each<[string, (store: Store<typeof machines>) => void]>([
  ['a checkpoint at no time', (store) => store.rows.nameTurn({ at: Number.NaN, reason: 'x' })],
  ['a checkpoint between two ms', (store) => store.rows.nameTurn({ at: 0.5, reason: 'x' })],
  ['a checkpoint without a reason', (store) => store.rows.nameTurn({ at: 1, reason: undefined as never })],
  ['a label that is no text', (store) => store.rows.nameTurn({ at: 1, reason: 'x', label: {} as never })],
  ['an incident without a detail', (store) => store.incident({ kind: 'x', detail: undefined as never })],
  ['an incident of a tree that is no number', (store) => store.incident({ kind: 'x', detail: 'y', tree: {} as never })],
])('%s is refused at once, because the store would be shut by it', async (_, say) => {
  await using store = openStore(tempStore());
  expect(() => say(store)).toThrow(expect.objectContaining({ code: 'OPTIONS_INVALID' }));
  const handle = await store.open('order', 'o1', { input: 'o1' });
  expect(await handle.send({ type: 'add' })).toMatchObject({ applied: true });
});

const throwing = setup({
  types: {} as { input: { bad: boolean }; context: { bad: boolean; n: number } },
  actions: { mail: durableAction({ name: 'mail', run: () => {} }) },
}).createMachine({
  id: 'throwing',
  context: ({ input }) => ({ bad: input.bad, n: 0 }),
  entry: { type: 'mail', params: ({ context }) => (context.bad ? () => 1 : 1) as never },
  on: { add: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
});

test('a tree whose first turn is refused rejects who sends to it at once, leaves nothing, and can be opened with other input', async () => {
  await using store = Store.open(tempStore(), { machines: { throwing } });
  const opening = store.open('throwing', 't', { input: { bad: true } });
  await settle(0);
  const [opened, sent] = await Promise.allSettled([
    opening,
    store.open('throwing', 't').then((handle) => handle.send({ type: 'add' } as never)),
  ]);
  expect(opened).toMatchObject({ status: 'rejected', reason: { code: 'CODEC_REFUSED' } });
  expect(sent).toMatchObject({ status: 'rejected' });
  expect([...store.trees()]).toEqual([]);
  const handle = await store.open('throwing', 't', { input: { bad: false } });
  await handle.send({ type: 'add' });
  expect(handle.getSnapshot().context.n).toBe(1);
});

test('a send that shares its batch with a first turn that is refused is rejected, not acknowledged', async () => {
  await using store = Store.open(tempStore(), { machines: { throwing } });
  const other = await store.open('throwing', 'other', { input: { bad: false } });
  void store.open('throwing', 't', { input: { bad: true } }).catch(() => {});
  const live = store.commits.participant('t') as typeof other;
  await expect(live.send({ type: 'add' })).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
  expect([...store.trees()].map(({ id }) => id)).toEqual(['other']);
});

test.each<[string, (path: string) => Machines, string]>([
  ['its machine is unknown', () => ({ cart }), 'MACHINE_UNKNOWN'],
  ['its row is damaged', damaged, 'ROW_CORRUPT'],
  ['its machine has changed', () => ({ order: newer, cart }), 'MACHINE_CHANGED'],
])(
  'a tree that cannot be opened because %s rejects its senders, is an incident, and harms no other',
  async (...args) => {
    const [, breakIt, code] = args;
    const path = tempStore();
    const clock = new SimulatedClock();
    const store = openStore(path, { clock });
    await (await store.open('order', 'broken', { input: 'broken' })).close();
    await store.open('cart', 'whole');
    store.close();
    const left = breakIt(path);
    await clock.advance(100_000);
    await using next = Store.open(path, { machines: left, clock });
    await settle();
    const told = incidents(next);
    expect(told).toMatchObject([{ kind: 'tree.unopenable', detail: expect.stringContaining('"broken"') }]);
    for (let n = 0; n < 3; n++) {
      await expect(next.send('broken', { type: 'add' } as never)).rejects.toMatchObject({ code });
    }
    expect(await next.send('whole', { type: 'add' } as never)).toMatchObject({ applied: true });
    await clock.advance(100_000);
    expect(incidents(next)).toHaveLength(1);
    // Nor is it told again by the next process.
    next.close();
    await using last = Store.open(path, { machines: left, clock });
    await settle();
    expect(incidents(last)).toHaveLength(1);
  },
);

const newer = createMachine({ id: 'order', version: '2' });

function damaged(path: string): Machines {
  const db = new Database(path);
  db.function('perdure_turn', () => 0);
  db.exec(`update actors set snapshot = replace(snapshot, '"n":0', '"n":7')
           where tree = (select tree from trees where name = 'broken')`);
  db.close();
  return machines;
}

test('a damaged row of a tree in which something was under way does not keep the store from opening', async () => {
  const path = tempStore();
  const store = openStore(path);
  for (const name of ['torn', 'fine']) {
    await store.open('order', name, { input: name });
    await store.send(name, { type: 'work' });
  }
  crashStore(store);
  const db = new Database(path);
  db.function('perdure_turn', () => 0);
  db.exec(
    `update actors set snapshot = '{' where key = 'work' and tree = (select tree from trees where name = 'torn')`,
  );
  db.close();
  await using next = openStore(path);
  await until(() => starts['fine'] === 2);
  expect(incidents(next)).toMatchObject([{ kind: 'tree.unopenable', detail: expect.stringContaining('"torn"') }]);
  await expect(next.send('torn', { type: 'add' })).rejects.toMatchObject({ code: 'ROW_CORRUPT' });
});

test('a tree that was given up rejects what its handle sends, and is opened anew for the next one', async () => {
  await using store = openStore(tempStore());
  const handle = await store.open('order', 'o1', { input: 'o1' });
  const live = store.commits.participant('o1');
  live?.failed(new PerdureError('TURN_REFUSED', 'given up'));
  store.commits.leave(live as never, new PerdureError('TURN_REFUSED', 'given up'));
  await expect(handle.send({ type: 'add' })).rejects.toMatchObject({ code: 'TURN_REFUSED' });
  await settle();
  await store.send('o1', { type: 'add' });
  expect((await store.open('order', 'o1')).getSnapshot().context.n).toBe(1);
});

test('a deleted tree leaves nothing, live or closed, and the next of its id begins anew', async () => {
  const clock = new SimulatedClock();
  const keys: string[] = [];
  const never = new Promise<void>(() => {});
  const sender = setup({
    actions: {
      act: durableAction({ name: 'act', run: (_: undefined, { key }) => (keys.push(key), never) }),
    },
  }).createMachine({ id: 'sender', entry: 'act', after: { 1_000: {} } });
  const path = tempStore();
  await using store = Store.open(path, { machines: { sender }, clock });
  expect(await store.delete('nobody')).toBe(false);
  const handle = await store.open('sender', 's');
  const lost = handle.send({ type: 'x' } as never, { id: 'm1' });
  await until(() => keys.length === 1);
  await lost;
  expect(await store.delete('s')).toBe(true);
  await expect(handle.send({ type: 'x' } as never)).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  await expect(store.send('s', { type: 'x' } as never)).rejects.toMatchObject({ code: 'TREE_NOT_FOUND' });
  for (const table of ['trees', 'actors', 'timers', 'outbox', 'accepted', 'clients']) {
    expect(store.rows.get(`select count(*) as n from ${table}`), table).toEqual({ n: 0 });
  }
  const anew = await store.open('sender', 's');
  expect(anew.resumed).toBeUndefined();
  expect((await anew.send({ type: 'x' } as never, { id: 'm1' })).applied).toBe(true);
  await until(() => keys.length === 2);
  expect(keys[0]).not.toBe(keys[1]);
  const [gone, , reopened] = await Promise.all([store.delete('s'), settle(0), store.open('sender', 's')]);
  expect(gone).toBe(true);
  expect(reopened.resumed).toBeUndefined();
  expect([...store.trees()].map(({ id }) => id)).toEqual(['s']);
});

test('a command for a closed tree wakes it, one for an unknown tree waits, and both are answered once', async () => {
  const path = tempStore();
  await using store = openStore(path);
  await (await store.open('order', 'o1', { input: 'o1' })).close();
  postCommand(path, { id: 'c1', tree: 'o1', actor: '', event: { type: 'add' } }, 1);
  postCommand(path, { id: 'c2', tree: 'o2', actor: '', event: { type: 'add' } }, 2);
  while (readAnswer(path, 'c1') === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(readAnswer(path, 'c1')).toMatch(/^applied in turn/);
  expect(readAnswer(path, 'c2')).toBeUndefined();
  await store.open('order', 'o2', { input: 'o2' });
  while (readAnswer(path, 'c2') === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
  for (const name of ['o1', 'o2']) expect((await store.open('order', name)).getSnapshot().context.n).toBe(1);
});

test('a tree of createDurableActor in the same store is reached while it is live, and let go with the store', async () => {
  const path = tempStore();
  const store = openStore(path);
  const single = await createDurableActor(order, { store, id: 'single', input: 'single' });
  await store.send('single', { type: 'add' });
  expect(single.getSnapshot().context.n).toBe(1);
  await single.close();
  await expect(store.send('single', { type: 'add' })).rejects.toMatchObject({ code: 'MACHINE_UNKNOWN' });
  const again = await createDurableActor(order, { store, id: 'single' });
  store.close();
  await expect(store.open('order', 'o1', { input: 'o1' })).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  expect(() => store.deadLetters()).toThrow(expect.objectContaining({ code: 'STORE_CLOSED' }));
  await expect(again.send({ type: 'add' })).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  expect((await again.ended).code).toBe('STORE_CLOSED');
});

test('an actor that took an event before its parent was stored is stored with it', async () => {
  const grandchild = setup({}).createMachine({ id: 'grandchild', entry: () => {} });
  const child = setup({ actors: { grandchild } }).createMachine({
    id: 'child',
    entry: [() => {}, spawnChild('grandchild', { id: 'grandchild' })],
  });
  const parent = setup({ actors: { child } }).createMachine({
    id: 'parent',
    on: { go: { actions: spawnChild('child', { id: 'child' }) } },
  });
  await using store = Store.open(tempStore(), { machines: { parent } });
  await (await store.open('parent', 'p')).send({ type: 'go' } as never);
  expect(store.rows.all('select key from actors order by id')).toEqual(
    ['p', 'child', 'grandchild'].map((key) => ({ key })),
  );
});
