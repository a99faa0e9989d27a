/** Message ids against a plain Set, and what they cost. */
import fc from 'fast-check';
import { assign, setup } from 'xstate';
import { expect, test } from 'vitest';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { Store } from '../../persistence/store.ts';
import { quickStore } from '../support/temp.ts';

const DAY = 86_400_000;

const counter = setup({ types: {} as { context: { n: number; box?: unknown } } }).createMachine({
  id: 'counter',
  context: { n: 0 },
  on: {
    add: { actions: assign({ n: ({ context }) => context.n + 1 }) },
    bad: { actions: assign({ box: () => () => 1 }) },
  },
});

const machines = { counter };
const count = (store: Store, table: string) =>
  store.rows.get<{ n: number }>(`select count(*) as n from ${table}`)?.n as number;

const id = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom('a', 'a:b', 'ü'), fc.nat(9)).map(([c, n]) => `${c}:${n}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('a', 'a:', ':1', 'a:01', 'a:1.0', 'a:-1', 'a:999999999999999', 'a:1e3', '😀:1', '~', ''),
  },
  { weight: 1, arbitrary: fc.string({ maxLength: 4 }) },
);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ tree: fc.constantFrom('x', 'y'), id, type: fc.constant('add') }) },
  { weight: 1, arbitrary: fc.record({ tree: fc.constantFrom('x', 'y'), id, type: fc.constant('bad') }) },
  { weight: 2, arbitrary: fc.constantFrom('commit' as const, 'crash' as const) },
);

test('property: an id is a repeat exactly if a plain set of the committed ids has it, whatever its form', async () => {
  const path = quickStore();
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      run += 1;
      const open = () => Store.open(path, { machines, durability: 'process-crash' });
      let store = open();
      try {
        await Promise.all(['x', 'y'].map((name) => store.open('counter', `${name}-${run}`)));
        const committed = new Set<string>();
        let pending: { key: string; type: string; sent: Promise<{ applied: boolean }> }[] = [];
        const settle = async () => {
          const results = await Promise.allSettled(pending.map(({ sent }) => sent));
          results.forEach((result, index) => {
            const { key, type } = pending[index] as (typeof pending)[number];
            if (type === 'bad' && !committed.has(key)) return expect(result.status).toBe('rejected');
            expect(result).toMatchObject({ status: 'fulfilled', value: { applied: !committed.has(key) } });
            committed.add(key);
          });
          pending = [];
        };
        for (const one of steps) {
          if (one === 'commit') await settle();
          else if (one === 'crash') {
            store.drop(new Error('crash') as never);
            await Promise.allSettled(pending.map(({ sent }) => sent));
            pending = [];
            store = open();
          } else {
            const { tree, type } = one;
            const sent = store.send(`${tree}-${run}`, { type } as never, { id: one.id });
            pending.push({ key: `${tree} ${one.id}`, type, sent });
          }
        }
        await settle();
      } finally {
        store.close();
      }
    }),
    { numRuns: 150 },
  );
}, 120_000);

test('a client that counts costs one row, and one more for a gap', async () => {
  const store = Store.open(quickStore(), { machines });
  const counting = await store.open('counter', 'c');
  for (let n = 1; n <= 50; n++) await counting.send({ type: 'add' } as never, { id: `web:${n}` });
  expect([count(store, 'clients'), count(store, 'accepted')]).toEqual([1, 0]);
  await Promise.all([52, 53, 54, 55].map((n) => counting.send({ type: 'add' } as never, { id: `web:${n}` })));
  expect([count(store, 'clients'), count(store, 'accepted')]).toEqual([2, 0]);
  const again = await Promise.all(
    [1, 50, 51, 52, 55].map((n) => counting.send({ type: 'add' } as never, { id: `web:${n}` })),
  );
  expect(again.map(({ applied }) => applied)).toEqual([false, false, true, false, false]);
  store.close();
});

test('ids of both kinds are forgotten after dedupeForMs, also where many trees have the same', async () => {
  const clock = new SimulatedClock(1_000);
  const store = Store.open(quickStore(), {
    machines,
    clock,
    dedupeForMs: DAY,
    durability: 'process-crash',
    maxAwake: 10,
  });
  const trees = Array.from({ length: 1_300 }, (_, index) => `t${index}`);
  await Promise.all(trees.map((tree) => store.open('counter', tree).then((handle) => handle.close())));
  const all = (id: string) => Promise.all(trees.map((tree) => store.send(tree, { type: 'add' } as never, { id })));
  await all('client:1');
  await all('same');
  expect([count(store, 'clients'), count(store, 'accepted')]).toEqual([1_300, 1_300]);
  await clock.advance(DAY - 1);
  expect((await store.send('t0', { type: 'add' } as never, { id: 'same' })).applied).toBe(false);
  await clock.advance(2 * DAY);
  // Forgetting goes with what comes in.
  for (let n = 0; n < 12; n++) {
    await Promise.all(
      Array.from({ length: 500 }, (_, i) => store.send('t0', { type: 'add' } as never, { id: `new-${n}-${i}` })),
    );
  }
  const old = (table: string, column: string, value: string) =>
    store.rows.get<{ n: number }>(`select count(*) as n from ${table} where ${column} = ?`, value)?.n;
  expect([old('clients', 'client', 'client'), old('accepted', 'id', 'same')]).toEqual([0, 0]);
  expect((await store.send('t0', { type: 'add' } as never, { id: 'same' })).applied).toBe(true);
  store.close();
}, 60_000);

test('a deleted tree leaves no ids behind, and those of the same name in other trees stay', async () => {
  const store = Store.open(quickStore(), { machines });
  for (const tree of ['a', 'b']) {
    const handle = await store.open('counter', tree);
    await Promise.all(['x', 'web:1', 'web:3'].map((message) => handle.send({ type: 'add' } as never, { id: message })));
  }
  expect([count(store, 'clients'), count(store, 'accepted')]).toEqual([4, 2]);
  await store.delete('a');
  expect([count(store, 'clients'), count(store, 'accepted')]).toEqual([2, 1]);
  const anew = await store.open('counter', 'a');
  expect((await anew.send({ type: 'add' } as never, { id: 'web:1' })).applied).toBe(true);
  expect((await store.send('b', { type: 'add' } as never, { id: 'web:1' })).applied).toBe(false);
  crash(anew);
});
