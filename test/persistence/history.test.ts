/** What a store tells of its past. The law itself is in test/properties/history.test.ts. */
import Database from 'better-sqlite3';
import { afterEach, expect, test } from 'vitest';
import { assign, fromPromise, setup, stopChild } from 'xstate';
import { createDurableActor } from '../../persistence/create.ts';
import type { DurableActor } from '../../persistence/durable.ts';
import type { TurnRecord } from '../../persistence/history.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { Store, type StoreOptions } from '../../persistence/store.ts';
import { quickStore, tempStore } from '../support/temp.ts';

const counter = setup({
  types: {} as { context: { n: number }; events: { type: 'count'; [key: string]: unknown } | { type: 'later' } },
}).createMachine({
  id: 'counter',
  context: { n: 0 },
  initial: 'idle',
  on: { count: { actions: assign({ n: ({ context }) => context.n + 1 }) }, later: '.waiting' },
  states: { idle: {}, waiting: { after: { 50: 'idle' } } },
});

type Counter = DurableActor<typeof counter>;
const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function open(
  store: string,
  options: Omit<StoreOptions, 'clock'> & { clock?: SimulatedClock } = {},
): Promise<Counter> {
  const durable = await createDurableActor(counter, { store, history: true, ...options });
  opened.push(durable);
  return durable;
}

async function told(source: { history(): AsyncIterable<TurnRecord> }): Promise<TurnRecord[]> {
  const turns = [];
  for await (const turn of source.history()) turns.push(turn);
  return turns;
}

test('tells what began each turn, when, and whom it changed or ended, by their paths', async () => {
  const clock = new SimulatedClock(1_000);
  const machine = setup({
    types: {} as { events: { type: 'work' } | { type: 'stop' } },
    actors: { counter, work: fromPromise(async () => 'done') },
  }).createMachine({
    id: 'parent',
    context: ({ spawn }) => ({ child: spawn('counter', { id: 'child' }) }),
    initial: 'idle',
    on: { stop: { actions: stopChild('child') } },
    states: { idle: { on: { work: 'working' } }, working: { invoke: { id: 'work', src: 'work', onDone: 'idle' } } },
  });
  const durable = await createDurableActor(machine, { store: tempStore(), id: 'tree', history: true, clock });
  opened.push(durable);
  await durable.send({ type: 'later' } as never, { to: 'child', id: 'a' });
  await clock.advance(50);
  const idle = durable
    .waitFor((snapshot) => snapshot.matches('working'))
    .then(() => durable.waitFor((s) => s.matches('idle')));
  await durable.send({ type: 'work' });
  await idle;
  await durable.send({ type: 'stop' });
  const turns = await told(durable);
  expect(turns.map(({ at, causes, changed }) => [at, causes, changed.map(({ actor }) => actor)])).toEqual([
    [1_000, [{ kind: 'start', tree: 'tree' }], ['tree', 'child']],
    [1_000, [{ kind: 'send', tree: 'tree', to: 'child', id: 'a', event: { type: 'later' } }], ['child']],
    [
      1_050,
      [{ kind: 'timer', tree: 'tree', to: 'child', event: { type: 'xstate.after.50.counter.waiting' } }],
      ['child'],
    ],
    [1_050, [{ kind: 'send', tree: 'tree', event: { type: 'work' } }], ['tree', 'work']],
    [
      1_050,
      [{ kind: 'result', tree: 'tree', to: 'work', event: { type: 'xstate.promise.resolve', data: 'done' } }],
      expect.arrayContaining(['tree', 'work']),
    ],
    [1_050, [{ kind: 'send', tree: 'tree', event: { type: 'stop' } }], expect.arrayContaining(['tree', 'child'])],
  ]);
});

test('reading beside writing disturbs neither, and each turn is told once', async () => {
  const durable = await open(tempStore());
  for (let n = 0; n < 500; n++) await durable.send({ type: 'count' });
  const acknowledged: number[] = [];
  const writing = (async () => {
    for (let n = 0; n < 300; n++) acknowledged.push((await durable.send({ type: 'count' })).turn);
  })();
  const turns: number[] = [];
  for await (const { turn } of durable.history()) turns.push(turn);
  expect(turns.length).toBeGreaterThanOrEqual(501);
  await writing;
  expect(turns).toEqual(Array.from(turns, (_, index) => index + 1));
  expect((await told(durable)).map(({ turn }) => turn)).toEqual(
    [...Array(501).keys()].map((n) => n + 1).concat(acknowledged),
  );
});

test('tells the turns of one tree, from one turn on, until it is aborted or the store is closed', async () => {
  const store = Store.open(tempStore(), { machines: { counter }, history: true });
  opened.push(store);
  for (const id of ['a', 'b', 'b2']) await store.open('counter', id);
  for (let n = 0; n < 300; n++) await store.send(n % 2 === 0 ? 'a' : 'b', { type: 'count' });
  const of = async (query: Parameters<Store['history']>[0]) => {
    const turns = [];
    for await (const turn of store.history(query)) turns.push(turn);
    return turns;
  };
  const all = await of({});
  const b = await of({ tree: 'b' });
  expect(b).toHaveLength(151);
  expect(b).toEqual(all.filter(({ causes }) => causes[0]?.tree === 'b'));
  expect(await of({ from: all.at(-2)?.turn ?? 0 })).toEqual(all.slice(-2));
  const stop = new AbortController();
  const aborted = (async () => {
    for await (const { turn } of store.history({ signal: stop.signal })) if (turn === all[10]?.turn) stop.abort();
  })();
  await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
  const reading = store.history();
  await reading.next();
  store.close();
  const rest = async () => {
    for await (const _ of reading);
  };
  await expect(rest()).rejects.toMatchObject({ code: 'STORE_CLOSED' });
});

test('hides secrets unless it is told what to show, and cuts what is too long', async () => {
  const path = tempStore();
  const durable = await open(path);
  const card = { holder: 'Ann', apiKey: 'k', nested: [{ access_token: 't', tokens: 3 }], secretary: 'Bob' };
  await durable.send({ type: 'count', password: 'p', card });
  await durable.send({ type: 'count', long: 'x'.repeat(10_000) });
  const events = (await told(durable)).slice(1).map(({ causes }) => causes[0]?.event);
  expect(events).toEqual([
    {
      type: 'count',
      password: '[redacted]',
      card: {
        holder: 'Ann',
        apiKey: '[redacted]',
        nested: [{ access_token: '[redacted]', tokens: 3 }],
        secretary: 'Bob',
      },
    },
    { type: 'count', cut: expect.any(Number) as number },
  ]);
  expect(card.apiKey).toBe('k');
  await durable.close();
  const other = await open(path, { redact: (value) => ({ ...(value as { type: string }), by: 'me' }) });
  await other.send({ type: 'count', password: 'p' });
  expect((await told(other)).at(-1)?.causes[0]?.event).toEqual({ type: 'count', password: 'p', by: 'me' });
});

test('many events of one commit are kept up to a bound', async () => {
  const durable = await open(tempStore());
  await Promise.all(Array.from({ length: 1_000 }, () => durable.send({ type: 'count', text: 'x'.repeat(1_000) })));
  const causes = (await told(durable)).flatMap((turn) => turn.causes.filter(({ kind }) => kind === 'send'));
  expect(causes).toHaveLength(1_000);
  expect(causes.filter(({ event }) => event?.['text'] !== undefined).length).toBeGreaterThan(30);
  expect(JSON.stringify(causes).length).toBeLessThan(250_000);
});

test('switched off it is forgotten at once, and switched on again it tells nothing of before', async () => {
  const path = quickStore();
  const past = () => {
    const db = new Database(path, { readonly: true });
    const rows = db.prepare('select count(*) from actors_past').pluck().get();
    db.close();
    return rows;
  };
  const durable = await open(path);
  for (let n = 0; n < 200; n++) await durable.send({ type: 'count' });
  expect(past()).toBe(200);
  await durable.close();
  const off = await open(path, { history: false });
  expect(await told(off)).toEqual([]);
  for (let n = 0; n < 40; n++) await off.send({ type: 'count' });
  expect(past()).toBe(0);
  await off.close();
  const on = await open(path);
  await on.send({ type: 'count' });
  expect((await told(on)).map(({ causes }) => causes[0]?.kind)).toEqual(['resume', 'send']);
});

test('a commit that fails forgets nothing and counts nothing: the limits hold when the store is open again', async () => {
  const durable = await open(tempStore(), { history: { maxTurns: 3 } });
  for (let n = 0; n < 5; n++) await durable.send({ type: 'count' });
  const before = await told(durable);
  const { file } = durable.store.commits;
  const commit = file.commit.bind(file);
  file.commit = () => {
    file.commit = commit;
    throw new Database.SqliteError('disk I/O error', 'SQLITE_IOERR_WRITE');
  };
  const reopened = new Promise((resolve) => durable.on('reopened', resolve));
  await expect(durable.send({ type: 'count' })).rejects.toMatchObject({ code: 'STORE_FAILED' });
  await reopened;
  const after = await told(durable);
  expect(after).toEqual(before);
  for (let n = 0; n < 40; n++) await durable.send({ type: 'count' });
  expect(await told(durable)).toHaveLength(3);
  const past = durable.store.rows.all<{ n: number }>('select count(*) as n from actors_past');
  expect(past[0]?.n).toBeLessThanOrEqual(3 + 16);
});

test('refuses limits that are none', () => {
  for (const history of [{ maxTurns: -1 }, { maxAgeMs: Number.NaN }, { maxBytes: '1' as never }]) {
    const path = tempStore();
    expect(() => Store.open(path, { history })).toThrow(expect.objectContaining({ code: 'OPTIONS_INVALID' }));
    Store.open(path).close();
  }
});

test('a secret in a text of JSON, as the input of an action is, is not in the history', async () => {
  const store = tempStore();
  const durable = await open(store);
  await durable.send({ type: 'count', input: '{"user":"ann","password":"hunter2"}' });
  const [, turn] = await told(durable.store);
  expect(turn?.causes[0]?.event).toEqual({ type: 'count', input: '{"user":"ann","password":"[redacted]"}' });
});

test('tells an event with the error of an aborted fetch as it tells others', async () => {
  const durable = await open(quickStore());
  await durable.send({ type: 'count', error: new DOMException('too slow', 'TimeoutError') });
  const error = { $perdure: 'error', value: { name: 'TimeoutError', message: 'too slow' } };
  expect((await told(durable)).at(-1)?.causes).toMatchObject([{ kind: 'send', event: { type: 'count', error } }]);
});
