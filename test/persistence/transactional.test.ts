/** Rows of the host's own, in the commit of the turn that wrote them: exactly once. */
import { assign, fromPromise, setup, spawnChild } from 'xstate';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PerdureError } from '../../errors.ts';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { transactional } from '../../persistence/durable-action.ts';
import { Store } from '../../persistence/store.ts';
import { failStore, type Failure } from '../../testing/fail-store.ts';
import { quickStore } from '../support/temp.ts';

const book = transactional((rows, what: string) => {
  rows.run('insert into ledger(what) values (?)', what);
  if (what.endsWith('!')) throw new Error('not this one');
});

const kid = setup({ actions: { book } }).createMachine({
  id: 'kid',
  entry: [
    { type: 'book', params: 'kid' },
    { type: 'book', params: 'kid!' },
  ],
});
const calm = setup({ actions: { book } }).createMachine({ id: 'calm', entry: { type: 'book', params: 'calm' } });

const bookkeeper = setup({
  types: {} as { context: { n: number; box?: unknown }; events: { type: string; what: string } },
  actions: { book },
  actors: { kid, calm },
}).createMachine({
  id: 'bookkeeper',
  context: { n: 0 },
  on: {
    book: {
      actions: [{ type: 'book', params: ({ event }) => event.what }, assign({ n: ({ context }) => context.n + 1 })],
    },
    bookBad: { actions: [{ type: 'book', params: 'bad' }, assign({ box: () => () => 1 })] },
    kid: { actions: spawnChild('kid', { id: 'kid' }) },
    calm: { actions: spawnChild('calm', { id: 'calm' }) },
    'xstate.error.actor.kid': {},
  },
});

const machines = { bookkeeper };

function openStore(path: string): Store<typeof machines> {
  const store = Store.open(path, { machines, durability: 'process-crash' });
  store.rows.run('create table if not exists ledger(id integer primary key, what text not null) strict');
  store.flush();
  return store;
}

const ledger = (store: Pick<Store, 'rows'>) =>
  store.rows.all<{ what: string }>('select what from ledger order by id').map(({ what }) => what);

test('rows are there exactly if their turn is: not of one that was refused, threw, or met a crash', async () => {
  const path = quickStore();
  let store = openStore(path);
  let a = await store.open('bookkeeper', 'a');
  await a.send({ type: 'book', what: 'one' });
  await expect(a.send({ type: 'bookBad', what: '' })).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
  expect(ledger(store)).toEqual(['one']);
  const lost = a.send({ type: 'book', what: 'lost' });
  store.drop(new PerdureError('STORE_CLOSED', 'crashed'));
  await expect(lost).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  store = openStore(path);
  a = await store.open('bookkeeper', 'a');
  expect([ledger(store), a.getSnapshot().context.n]).toEqual([['one'], 1]);
  await a.send({ type: 'book', what: 'two!' });
  expect([ledger(store), a.getSnapshot().status]).toEqual([['one'], 'error']);
  store.close();
});

test('what the entry of a child wrote before it threw is undone, and that of another child of the turn stays', async () => {
  const store = openStore(quickStore());
  const a = await store.open('bookkeeper', 'a');
  await Promise.all([a.send({ type: 'calm', what: '' }), a.send({ type: 'kid', what: '' })]);
  expect(a.getSnapshot().children['kid']?.getSnapshot().status ?? 'gone').not.toBe('active');
  expect(ledger(store)).toEqual(['calm']);
  store.close();
});

test('the entry of a root is a step of its own', async () => {
  const path = quickStore();
  const store = openStore(path);
  const root = setup({ actions: { book } }).createMachine({
    id: 'root',
    entry: [
      { type: 'book', params: 'root' },
      { type: 'book', params: 'root!' },
    ],
  });
  const a = await createDurableActor(root, { store, id: 'root' });
  expect([a.getSnapshot().status, ledger(store)]).toEqual(['error', []]);
  const fine = setup({ actions: { book } }).createMachine({ id: 'fine', entry: { type: 'book', params: 'fine' } });
  crash(await createDurableActor(fine, { store, id: 'fine' }));
  const next = openStore(path);
  await createDurableActor(fine, { store: next, id: 'fine' });
  expect(ledger(next)).toEqual(['fine']);
  next.close();
});

test('the result of an effect may write rows, and a refusal of it undoes them', async () => {
  const worker = setup({
    types: {} as { context: { box?: unknown } },
    actions: { book },
    actors: { work: fromPromise(async () => 'done') },
  }).createMachine({
    id: 'worker',
    context: {},
    initial: 'on',
    states: {
      on: {
        invoke: {
          src: 'work',
          id: 'work',
          onDone: { target: 'off', actions: [{ type: 'book', params: 'result' }, assign({ box: () => () => 1 })] },
          onError: { target: 'off', actions: { type: 'book', params: 'error' } },
        },
      },
      off: {},
    },
  });
  const store = openStore(quickStore());
  const a = await createDurableActor(worker, { store, id: 'w' });
  await a.waitFor(({ value }) => value === 'off');
  expect(ledger(store)).toEqual(['error']);
  store.close();
});

test('a turn that is refused names no checkpoint; what the host named in its batch stays named', async () => {
  const name = transactional((rows) => rows.nameTurn({ at: 1, reason: 'refused' }));
  const machine = setup({ types: {} as { context: { box?: unknown } }, actions: { name } }).createMachine({
    context: {},
    on: { bad: { actions: ['name', assign({ box: () => () => 1 })] } },
  });
  const durable = await createDurableActor(machine, { store: quickStore() });
  const bad = durable.send({ type: 'bad' });
  durable.store.rows.nameTurn({ at: 1, reason: 'host' });
  await expect(bad).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
  durable.store.flush();
  expect(durable.store.rows.all('select reason from checkpoints')).toEqual([{ reason: 'host' }]);
  await durable.close();
});

test('a row that cannot be written refuses its turn, and is no error of its actor', async () => {
  const store = openStore(quickStore());
  const a = await store.open('bookkeeper', 'a');
  const b = await store.open('bookkeeper', 'b');
  const sent = [
    a.send({ type: 'book', what: null as never }).then(
      () => 'ok',
      ({ code }: PerdureError) => code,
    ),
    b.send({ type: 'book', what: 'one' }).then(() => 'ok'),
  ];
  expect(await Promise.all(sent)).toEqual(['TURN_REFUSED', 'ok']);
  expect([a.getSnapshot().status, ledger(store)]).toEqual(['active', ['one']]);
  store.close();
});

test('a failure of the disk in an action is the failure of the turn, also where the action caught it', async () => {
  let failure: Failure | undefined;
  const careless = transactional((rows, what: string) => {
    try {
      rows.run('insert into ledger(what) values (?)', what);
    } catch {
      failure?.clear();
    }
  });
  const machine = setup({ actions: { careless } }).createMachine({
    initial: 'poor',
    states: { poor: { on: { book: { target: 'rich', actions: { type: 'careless', params: 'all' } } } }, rich: {} },
  });
  const store = openStore(quickStore());
  const durable = await createDurableActor(machine, { store, id: 'm' });
  failure = failStore(store, 'read-only');
  const reopened = new Promise((resolve) => durable.on('reopened', resolve));
  await expect(durable.send({ type: 'book' })).rejects.toMatchObject({ code: 'STORE_READ_ONLY' });
  await reopened;
  expect([durable.getSnapshot().value, ledger(store)]).toEqual(['poor', []]);
  await durable.send({ type: 'book' });
  expect([durable.getSnapshot().value, ledger(store)]).toEqual(['rich', ['all']]);
  store.close();
});

const tree = fc.constantFrom('a', 'b', 'c');
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ tree, type: fc.constant('book') }) },
  { weight: 1, arbitrary: fc.record({ tree, type: fc.constant('bookBad') }) },
  { weight: 1, arbitrary: fc.record({ tree, type: fc.constant('calm') }) },
  { weight: 2, arbitrary: fc.constantFrom('commit' as const, 'crash' as const, 'flush' as const) },
);

test('property: the ledger is what the acknowledged turns wrote, and agrees with the state of every tree', async () => {
  const path = quickStore();
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      run += 1;
      let store = openStore(path);
      const sent: { what: string; result: Promise<unknown> }[] = [];
      const open = () => Promise.all(['a', 'b', 'c'].map((name) => store.open('bookkeeper', `${name}${run}`)));
      try {
        await open();
        for (const [index, one] of steps.entries()) {
          if (one === 'commit') await Promise.allSettled(sent.map(({ result }) => result));
          else if (one === 'flush') store.flush();
          else if (one === 'crash') {
            store.drop(new PerdureError('STORE_CLOSED', 'crashed'));
            store = openStore(path);
          } else {
            const what = `${one.tree}${run}.${index}`;
            const result = store.send(`${one.tree}${run}`, { type: one.type, what });
            if (one.type === 'book') sent.push({ what, result });
            void result.catch(() => {});
          }
        }
        const results = await Promise.allSettled(sent.map(({ result }) => result));
        const acknowledged = sent.filter((_, index) => results[index]?.status === 'fulfilled').map(({ what }) => what);
        const written = ledger(store).filter((what) => what.includes(`${run}.`));
        expect(written.toSorted()).toEqual(acknowledged.toSorted());
        for (const handle of await open()) {
          expect(handle.getSnapshot().context.n).toBe(written.filter((what) => what.startsWith(handle.id)).length);
        }
      } finally {
        store.rows.run('delete from ledger');
        store.close();
      }
    }),
    { numRuns: 150 },
  );
}, 120_000);
