/** Rows of a subsystem, written in the turn that causes them. */
import { assign, sendTo, setup, spawnChild } from 'xstate';
import { expect, test } from 'vitest';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { memoryRows, type Rows } from '../../persistence/rows.ts';
import type { TableSpec } from '../../persistence/schema.ts';
import { Store } from '../../persistence/store.ts';
import type { Db } from '../../persistence/sqlite.ts';
import { failStore, type StoreFault } from '../../testing/fail-store.ts';
import { tempStore } from '../support/temp.ts';
import { settle } from '../support/turns.ts';

const notes: TableSpec = { name: 'notes', columns: ['note text not null primary key'], key: 'note' };

/** Two actors that write rows, one from inside the transition of the other. */
function machineWith(rows: () => Rows) {
  const write = (note: string) => rows().run('insert into notes values (?, ?)', note, rows().turn);
  const inner = setup({ types: {} as { events: { type: 'write'; note: string } } }).createMachine({
    id: 'inner',
    on: { write: { actions: ({ event }) => void write(event.note) } },
  });
  return setup({
    types: {} as {
      context: { box?: unknown };
      events:
        | { type: 'write' | 'nested' | 'bad'; note: string }
        | { type: 'throws'; note: string }
        | { type: 'nestedThrows'; note: string };
    },
    actors: { inner },
  }).createMachine({
    id: 'outer',
    context: {},
    entry: [spawnChild('inner', { id: 'inner' }), spawnChild('inner', { id: 'other' })],
    on: {
      write: { actions: ({ event }) => void write(event.note) },
      bad: { actions: [({ event }) => void write(event.note), assign({ box: () => () => 1 })] },
      throws: {
        actions: [
          ({ event }) => void write(event.note),
          () => {
            throw new Error('after writing');
          },
        ],
      },
      nested: {
        actions: [
          ({ event }) => void write(`${event.note}.before`),
          ({ event, self }) =>
            self.getSnapshot().children['inner']?.send({ type: 'write', note: `${event.note}.inside` }),
          ({ event }) => void write(`${event.note}.after`),
          sendTo('other', ({ event }) => ({ type: 'write', note: `${event.note}.later` })),
        ],
      },
      nestedThrows: {
        actions: [
          ({ event }) => void write(`${event.note}.before`),
          ({ event, self }) =>
            self.getSnapshot().children['inner']?.send({ type: 'write', note: `${event.note}.inside` }),
          ({ event }) => void write(`${event.note}.after`),
          () => {
            throw new Error('after writing');
          },
        ],
      },
    },
  });
}

function notesOf(rows: Rows): string[] {
  return rows.all<{ note: string }>('select note from notes order by note').map(({ note }) => note);
}

async function opened(path: string) {
  const store = Store.open(path);
  store.declare([notes]);
  return createDurableActor(
    machineWith(() => store.rows),
    { store },
  );
}

test('rows come and go with their turn: kept when it is acknowledged, gone when it is refused or lost', async () => {
  const path = tempStore();
  const a = await opened(path);
  const results = await Promise.allSettled([
    a.send({ type: 'write', note: 'a' }),
    a.send({ type: 'bad', note: 'b' }),
    a.send({ type: 'write', note: 'c' }),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(notesOf(a.store.rows)).toEqual(['a', 'c']);
  const lost = a.send({ type: 'write', note: 'd' });
  expect(notesOf(a.store.rows)).toEqual(['a', 'c', 'd']);
  crash(a);
  await expect(lost).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  const b = await opened(path);
  expect(notesOf(b.store.rows)).toEqual(['a', 'c']);
  b.store.close();
});

test('a transition that throws undoes its rows, and those of the turn before stay', async () => {
  const a = await opened(tempStore());
  await Promise.allSettled([a.send({ type: 'write', note: 'a' }), a.send({ type: 'throws', note: 'b' })]);
  expect(notesOf(a.store.rows)).toEqual(['a']);
  expect(a.getSnapshot().status).toBe('error');
  a.store.close();
});

test('rows are whole when an actor writes inside the transition of another', async () => {
  const a = await opened(tempStore());
  await a.send({ type: 'nested', note: 'a' });
  expect(notesOf(a.store.rows)).toEqual(['a.after', 'a.before', 'a.inside', 'a.later']);
  await a.send({ type: 'nestedThrows', note: 'b' });
  expect(notesOf(a.store.rows).filter((note) => note === 'b.before' || note === 'b.after')).toEqual([]);
  expect(a.getSnapshot().status).toBe('error');
  a.store.close();
});

test('rows in memory take the same statements', () => {
  const rows = memoryRows([notes]);
  expect(rows.run('insert into notes values (?, ?)', 'a', rows.turn)).toBe(1);
  expect(notesOf(rows)).toEqual(['a']);
});

test('an entry action that throws in a first state undoes the rows of the entry, and those of the parent stay', async () => {
  const path = tempStore();
  let rows: Rows;
  const write = (note: string) => () => void rows.run('insert into notes values (?, ?)', note, rows.turn);
  const fail = () => {
    throw new Error('after writing');
  };
  const kidWith = (last: () => void) =>
    setup({}).createMachine({
      entry: [write('entry'), last],
      initial: 'on',
      states: { on: { entry: write('entry.on') } },
    });
  const machine = setup({
    types: {} as { events: { type: 'good' | 'bad' } },
    actors: { good: kidWith(() => {}), bad: kidWith(fail) },
  }).createMachine({
    entry: write('root'),
    on: {
      bad: { actions: [write('before'), spawnChild('bad', { id: 'bad' }), write('after')] },
      good: { actions: spawnChild('good', { id: 'good' }) },
      'xstate.error.actor.bad': { actions: write('told') },
    } as never,
  });
  const open = () => {
    const store = Store.open(path);
    store.declare([notes]);
    rows = store.rows;
    return createDurableActor(machine, { store });
  };
  const a = await open();
  await a.send({ type: 'bad' });
  expect(notesOf(a.store.rows)).toEqual(['after', 'before', 'root', 'told']);
  crash(a);
  const b = await open();
  expect(notesOf(b.store.rows)).toEqual(['after', 'before', 'root', 'told']);
  await b.send({ type: 'good' });
  expect(notesOf(b.store.rows)).toEqual(['after', 'before', 'entry', 'entry.on', 'root', 'told']);
  await b.close();
  b.store.close();
});

const INSERT = 'insert into notes values (?, 0)';
const incidentsOf = ({ store }: { store: Store }) =>
  store.rows.all<{ kind: string; detail: string }>('select kind, detail from incidents order by id');
test.each<[StoreFault, string]>([
  ['full', 'STORE_FAILED'],
  ['read-only', 'STORE_READ_ONLY'],
  ['busy', 'STORE_FAILED'],
])(
  'rows written outside of any turn to a store that is %s throw its code, and it opens again by itself',
  async (...args) => {
    const [fault, code] = args;
    const durable = await opened(tempStore());
    const { store } = durable;
    const reopened = new Promise((resolve) => durable.on('reopened', resolve));
    // Nothing else is under way that would commit.
    await settle();
    const failure = failStore(store, fault);
    const threw = expect.objectContaining({ name: 'PerdureError', code, retryable: true }) as Error;
    expect(() => store.rows.run(INSERT, 'lost')).toThrow(threw);
    failure.clear();
    await reopened;
    expect(store.rows.run(INSERT, 'kept')).toBe(1);
    store.flush();
    expect(notesOf(store.rows)).toEqual(['kept']);
    // Who wrote what is lost was told.
    expect(incidentsOf(durable)).toEqual([]);
    await durable.close();
  },
);

/** A store in which a row was written outside of any turn, and which can take nothing more. */
async function failing() {
  const durable = await opened(tempStore());
  let db: Db | undefined;
  durable.store.commits.file.beforeTransaction = (connection) => (db = connection);
  durable.store.rows.run(INSERT, 'host');
  durable.store.incident({ kind: 'host.said', detail: 'so' });
  (db as Db | undefined)?.pragma('query_only = on');
  return durable;
}

test('rows that were written outside of any turn, and whose commit fails, are an incident', async () => {
  const durable = await failing();
  const reopened = new Promise((resolve) => durable.on('reopened', resolve));
  await reopened;
  durable.store.flush();
  expect(notesOf(durable.store.rows)).toEqual([]);
  expect(incidentsOf(durable)).toMatchObject([
    { kind: 'host.said' },
    { kind: 'rows.lost', detail: expect.stringContaining(INSERT) as string },
  ]);
  await durable.close();
});

test('a close that loses rows written outside of any turn throws', async () => {
  const durable = await failing();
  const message = expect.stringContaining(INSERT) as string;
  expect(() => durable.store.close()).toThrow(expect.objectContaining({ code: 'STORE_FAILED', message }) as Error);
  const again = await opened(durable.store.path);
  expect(notesOf(again.store.rows)).toEqual([]);
  await again.close();
});

test('of rows written outside of any turn, a refused turn takes those that need its own, and tells; the others stay', async () => {
  const durable = await opened(tempStore());
  const { rows } = durable.store;
  const refused = durable.send({ type: 'bad', note: 'bad' });
  const copy = `insert into notes values ((select note || ' copied' from notes where note = 'bad'), 0)`;
  rows.run(copy);
  // It was told that this is not written, so it is not, though it could be when the turn is gone.
  expect(() => rows.run(INSERT, 'bad')).toThrow('UNIQUE');
  rows.run(INSERT, 'host');
  await expect(refused).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
  await settle();
  expect(notesOf(rows)).toEqual(['host']);
  expect(incidentsOf(durable)).toMatchObject([
    { kind: 'rows.refused', detail: expect.stringContaining(copy) as string },
  ]);
  await durable.close();
});
