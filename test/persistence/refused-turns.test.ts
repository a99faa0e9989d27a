/** What a refused turn must not do to anybody else, or to its own tree: S2. */
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { assign, fromCallback, setup, spawnChild } from 'xstate';
import { createDurableActor } from '../../persistence/create.ts';
import { transactional } from '../../persistence/durable-action.ts';
import { Store } from '../../persistence/store.ts';
import { supervise } from '../../persistence/supervise.ts';
import { failStore } from '../../testing/fail-store.ts';
import { quickStore, tempStore } from '../support/temp.ts';
import { settle } from '../support/turns.ts';

const counter = setup({ types: {} as { context: { n: number; x?: unknown } } }).createMachine({
  id: 'counter',
  context: { n: 0 },
  on: {
    add: { actions: assign({ n: ({ context }) => context.n + 1 }) },
    fn: { actions: assign({ x: () => () => {} }) },
  },
});

test.each(['@xstate.event', '@xstate.snapshot'])(
  'an inspector that throws at %s neither loses a message nor doubles it',
  async (type) => {
    let throwing = false;
    const inspect = (event: { type: string }) => {
      if (!throwing || event.type !== type) return;
      throwing = false;
      throw new Error('inspector');
    };
    const store = tempStore();
    const durable = await createDurableActor(counter, { store, inspect });
    throwing = true;
    const first = await durable.send({ type: 'add' }, { id: 'pay-1' }).then(
      ({ applied }) => applied,
      () => false,
    );
    const second = await durable.send({ type: 'add' }, { id: 'pay-1' });
    expect([first, second.applied].filter(Boolean)).toHaveLength(1);
    expect(durable.getSnapshot().context.n).toBe(1);
    await durable.close();
    const again = await createDurableActor(counter, { store });
    expect(again.getSnapshot().context.n).toBe(1);
    await again.close();
  },
);

test('a tree to which somebody sends what cannot be stored, time after time, goes on', async () => {
  const durable = await createDurableActor(counter, { store: tempStore() });
  const waiting = durable.waitFor(({ context }) => context.n === 1);
  for (let time = 0; time < 5; time++) {
    await expect(durable.send({ type: 'fn' })).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
  }
  await durable.send({ type: 'add' });
  expect((await waiting).context.n).toBe(1);
  await durable.close();
});

const kinds = (store: Store) =>
  store.rows.all<{ kind: string }>('select kind from incidents order by id').map(({ kind }) => kind);

test('events past `send` that cannot be stored are incidents, and the tree goes on', async () => {
  const durable = await createDurableActor(counter, { store: tempStore() });
  for (let time = 0; time < 5; time++) {
    durable.actor.send({ type: 'fn' });
    await settle();
  }
  expect(kinds(durable.store)).toEqual(Array(5).fill('turn.refused'));
  await durable.send({ type: 'add' });
  expect(durable.getSnapshot().context.n).toBe(1);
  await durable.close();
});

test('a tree that cannot be stored even after it was read back, three times, is given up, and no other with it', async () => {
  let resumed = 0;
  const machine = setup({ types: {} as { context: { x?: unknown } } }).createMachine({
    context: {},
    on: {
      fn: { actions: assign({ x: () => () => {} }) },
      'runtime.resumed': { actions: [() => void (resumed += 1), assign({ x: () => () => {} })] },
    },
  });
  const store = Store.open(tempStore());
  const durable = await createDurableActor(machine, { store, id: 'x' });
  const other = await createDurableActor(counter, { store, id: 'y' });
  durable.actor.send({ type: 'fn' });
  expect(await durable.ended).toMatchObject({ code: 'CODEC_REFUSED' });
  expect(resumed).toBe(2);
  await expect(durable.send({ type: 'any' })).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
  await other.send({ type: 'add' });
  expect(other.getSnapshot().context.n).toBe(1);
  const told = store.rows.all(
    `select detail, t.name as tree from incidents join trees t using (tree) where kind = 'tree.failed'`,
  );
  expect(told).toEqual([{ detail: expect.stringContaining('"x" was given up'), tree: 'x' }]);
  // It is live no more, and may be tried anew.
  await expect(createDurableActor(machine, { store, id: 'x' })).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
  store.close();
});

const ledger = { name: 'ledger', key: 'id', columns: ['id integer primary key', 'amount integer not null'] };
const payer = setup({
  types: {} as { context: { x?: unknown }; events: { type: 'pay' } | { type: 'payBad' } },
  actions: {
    book: transactional((rows) => void rows.run('insert into ledger(amount, from_turn) values (1, ?)', rows.turn)),
  },
}).createMachine({
  context: {},
  on: { pay: { actions: 'book' }, payBad: { actions: ['book', assign({ x: () => () => {} })] } },
});

test('the effects of a tree that wrote no rows go on when a tree that did is refused in its batch', async () => {
  let calls = 0;
  const ticker = setup({
    types: {} as { context: { ticks: number }; events: { type: 'go' } | { type: 'tick' } },
    actors: {
      callback: fromCallback(({ sendBack }) => {
        calls += 1;
        sendBack({ type: 'tick' });
      }),
    },
  }).createMachine({
    context: { ticks: 0 },
    initial: 'off',
    on: { tick: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) } },
    states: { off: { on: { go: 'on' } }, on: { invoke: { src: 'callback', id: 'callback' } } },
  });
  const store = Store.open(tempStore(), { machines: { payer, ticker } });
  store.declare([ledger]);
  const x = await store.open('ticker', 'x');
  await store.open('payer', 'y');
  const sent = await Promise.allSettled([store.send('y', { type: 'payBad' }), store.send('x', { type: 'go' })]);
  expect(sent.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  await vi.waitFor(() => expect(x.getSnapshot().context.ticks).toBe(1));
  expect(calls).toBe(1);
  store.close();
});

test('what a host throws after a commit keeps no effect of another tree from starting', async () => {
  const thrown: unknown[] = [];
  const uncaught = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => thrown.push(error));
  try {
    let started = false;
    const worker = setup({ actors: { work: fromCallback(() => void (started = true)) } }).createMachine({
      initial: 'a',
      states: { a: { on: { go: 'b' } }, b: { invoke: { src: 'work', id: 'work' } } },
    });
    const thrower = setup({
      actions: {
        fail: transactional((rows) => {
          rows.afterCommit(() => {
            throw new Error('of the host');
          });
        }),
      },
    }).createMachine({ on: { fail: { actions: 'fail' } } });
    const store = Store.open(tempStore(), { machines: { thrower, worker } });
    await store.open('thrower', 't');
    await store.open('worker', 'x');
    await Promise.all([store.send('t', { type: 'fail' }), store.send('x', { type: 'go' })]);
    await vi.waitFor(() => expect(started).toBe(true));
    await vi.waitFor(() => expect(thrown).toMatchObject([{ message: 'of the host' }]));
    store.close();
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of uncaught) process.on('uncaughtException', listener as never);
  }
});

/** It restarts its child at `boom`, also in the turn of `boomBad`, which cannot be stored. */
function restarting() {
  const kid = setup({}).createMachine({
    on: {
      boom: {
        actions: () => {
          throw new Error('boom');
        },
      },
    },
  });
  const parent = setup({ types: {} as { context: { x?: unknown } }, actors: { kid } }).createMachine({
    context: {},
    invoke: { src: 'kid', id: 'kid', systemId: 'kid' },
    on: {
      boomBad: {
        actions: [({ system }) => system.get('kid').send({ type: 'boom' }), assign({ x: () => () => {} })],
      },
    },
  });
  return supervise(parent, { strategy: 'one_for_one', intensity: 5, children: { kid: {} } });
}

const restarts = ({ store }: { store: Store }) => {
  store.flush();
  return store.rows.all(`select 1 from incidents where kind = 'child.restarted'`);
};

test('a restart in a turn that is undone is no incident', async () => {
  const durable = await createDurableActor(restarting(), { store: tempStore() });
  await expect(durable.send({ type: 'boomBad' })).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
  await durable.send({ type: 'boom' }, { to: 'kid' });
  expect(restarts(durable)).toHaveLength(1);
  await durable.close();
});

test('a restart in a turn that is lost because the store failed is no incident; what else was noted is', async () => {
  const durable = await createDurableActor(restarting(), { store: tempStore() });
  const reopened = new Promise((resolve) => durable.on('reopened', resolve));
  failStore(durable.store, 'read-only', { times: 1 });
  const lost = durable.send({ type: 'boom' }, { to: 'kid' });
  durable.store.incident({ kind: 'host.said', detail: 'so' });
  await expect(lost).rejects.toMatchObject({ code: 'STORE_READ_ONLY' });
  await reopened;
  expect(restarts(durable)).toEqual([]);
  expect(durable.store.rows.all(`select kind from incidents`)).toEqual([{ kind: 'host.said' }]);
  await durable.send({ type: 'boom' }, { to: 'kid' });
  expect(restarts(durable)).toHaveLength(1);
  await durable.close();
});

test('a turn that needs an actor of a refused one is refused by name, and the turns around it are applied once', async () => {
  const kid = setup({}).createMachine({ id: 'kid' });
  const machine = setup({
    types: {} as { context: { n: number; x?: unknown }; events: { type: 'add' | 'spawnBad' } },
    actors: { kid },
  }).createMachine({
    context: { n: 0 },
    on: {
      add: { actions: assign({ n: ({ context }) => context.n + 1 }) },
      spawnBad: { actions: [spawnChild('kid', { id: 'kid' }), assign({ x: () => () => {} })] },
    },
  });
  const durable = await createDurableActor(machine, { store: tempStore() });
  const add = () => durable.send({ type: 'add' });
  const results = await Promise.allSettled([
    add(),
    durable.send({ type: 'spawnBad' }),
    add(),
    add(),
    durable.send({ type: 'add' }, { to: 'kid' }),
    add(),
  ]);
  const codes = results.map((result) =>
    result.status === 'rejected' ? (result.reason as { code: string }).code : 'ok',
  );
  expect(codes).toEqual(['ok', 'CODEC_REFUSED', 'ok', 'ok', 'ACTOR_NOT_FOUND', 'ok']);
  expect(durable.getSnapshot().context.n).toBe(4);
  await durable.close();
});

type Note = { readonly type: 'note' | 'noteBad' | 'book' | 'bookBad'; readonly n: number };

/** Notes in its context, and in rows, what it was sent; what it was sent as bad can never be stored. */
const notebook = setup({
  types: {} as { context: { notes: readonly number[]; x?: unknown }; events: Note },
  actions: {
    note: assign({ notes: ({ context, event }) => [...context.notes, event.n] }),
    spoil: assign({ x: () => () => {} }),
    book: transactional(
      (rows, n: number) => void rows.run('insert into ledger(amount, from_turn) values (?, ?)', n, rows.turn),
    ),
  },
}).createMachine({
  context: { notes: [] },
  on: {
    note: { actions: 'note' },
    noteBad: { actions: ['note', 'spoil'] },
    book: { actions: ['note', { type: 'book', params: ({ event }) => event.n }] },
    bookBad: { actions: ['note', { type: 'book', params: ({ event }) => event.n }, 'spoil'] },
  },
});

/** Sends all of these in one batch, each to its tree. */
async function sendAtOnce(sends: readonly (readonly [tree: string, type: Note['type']])[]) {
  let commits = 0;
  const store = Store.open(quickStore(), { machines: { notebook }, onCommit: () => (commits += 1) });
  store.declare([ledger]);
  const trees = new Map<string, Awaited<ReturnType<typeof store.open<'notebook'>>>>();
  for (const [tree] of sends) if (!trees.has(tree)) trees.set(tree, await store.open('notebook', tree));
  commits = 0;
  const results = await Promise.allSettled(
    sends.map(([tree, type], n) => store.send(tree, { type, n }, { id: `${n}` })),
  );
  const stored = results.flatMap(({ status }, n) => (status === 'fulfilled' ? [n] : []));
  const notes = Object.fromEntries([...trees].map(([id, tree]) => [id, tree.getSnapshot().context.notes]));
  const booked = store.rows
    .all<{ amount: number }>('select amount from ledger order by id')
    .map(({ amount }) => amount);
  store.close();
  return { commits, stored, notes, booked };
}

test.each(['noteBad', 'bookBad'] as const)(
  'a turn that is refused (%s) costs a batch of 1,024 not many commits more',
  async (bad) => {
    for (const place of [0, 411, 1_023]) {
      const sends = Array.from({ length: 1_024 }, (_, n) => ['a', n === place ? bad : 'book'] as const);
      const { commits, stored, notes, booked } = await sendAtOnce(sends);
      const good = sends.flatMap((_, n) => (n === place ? [] : [n]));
      expect({ stored, notes, booked }).toEqual({ stored: good, notes: { a: good }, booked: good });
      // One for each halving, and one for the tree that was read back.
      expect(commits).toBeLessThanOrEqual(11);
    }
  },
);

test('property: of any batch exactly what can be stored is stored, once and in order, whoever is refused', async () => {
  const type = fc.constantFrom<Note['type'][]>('note', 'note', 'book', 'book', 'noteBad', 'bookBad');
  const sends = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), type), { minLength: 1, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(sends, async (all) => {
      const { commits, stored, notes, booked } = await sendAtOnce(all);
      const isGood = (n: number) => !all[n]?.[1].endsWith('Bad');
      const good = all.flatMap((_, n) => (isGood(n) ? [n] : []));
      expect(stored).toEqual(good);
      for (const [tree, found] of Object.entries(notes))
        expect(found).toEqual(good.filter((n) => all[n]?.[0] === tree));
      expect(booked.toSorted((a, b) => a - b)).toEqual(good.filter((n) => all[n]?.[1] === 'book'));
      const refused = all.length - good.length;
      expect(commits).toBeLessThanOrEqual(2 + 2 * refused * (1 + Math.ceil(Math.log2(all.length))));
    }),
    { numRuns: 60 },
  );
});

test('what is noted of other trees in the batch of a refused one is noted once, and so is what the host says of it', async () => {
  const store = Store.open(tempStore(), { machines: { payer, supervised: restarting() } });
  store.declare([ledger]);
  const x = await store.open('supervised', 'x');
  const y = await store.open('payer', 'y');
  const sent = Promise.allSettled([y.send({ type: 'payBad' }), x.send({ type: 'boom' } as never, { to: 'kid' })]);
  store.incident({ kind: 'host.said', detail: 'so', tree: y.number });
  expect((await sent).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  store.flush();
  expect(kinds(store).toSorted()).toEqual(['child.restarted', 'host.said']);
  store.close();
});
