/** A store whose states are encrypted. */
import Database from 'better-sqlite3';
import { randomBytes } from 'node:crypto';
import { assign, fromCallback, fromPromise, raise, setup, spawnChild } from 'xstate';
import { expect, test } from 'vitest';
import { PerdureError } from '../../errors.ts';
import { checksumOf, seedOf, type ActorRow } from '../../persistence/actor-rows.ts';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { durableAction } from '../../persistence/durable-action.ts';
import { examine } from '../../persistence/health.ts';
import { redaction } from '../../persistence/redaction.ts';
import { encryption, isSealed } from '../../persistence/sealing.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { Store } from '../../persistence/store.ts';
import { tempStore } from '../support/temp.ts';
import { settle, until } from '../support/turns.ts';

const keys: Record<string, Buffer> = { one: randomBytes(32), two: randomBytes(32) };
const under = (current: string, allowPlain = false) =>
  encryption({ key: (id) => keys[id] as Buffer, current, allowPlain });

const kid = setup({ types: {} as { context: { n: number } } }).createMachine({
  id: 'kid',
  context: { n: 0 },
  on: { count: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
});

const house = setup({
  types: {} as { context: { n: number } },
  actors: { kid, wait: fromPromise(() => new Promise(() => {})) },
}).createMachine({
  id: 'house',
  context: { n: 0 },
  entry: [spawnChild('kid', { id: 'bart' }), spawnChild('kid', { id: 'lisa' })],
  invoke: { id: 'wait', src: 'wait' },
  on: { count: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
});

function alter<T>(path: string, change: (db: Database.Database) => T): T {
  const db = new Database(path);
  try {
    return change(db);
  } finally {
    db.close();
  }
}

function rowsOf(path: string): ActorRow[] {
  return alter(path, (db) => db.prepare('select * from actors order by id').all() as ActorRow[]);
}

test('effects that start again in every life leave rows that can be read', async () => {
  const store = tempStore();
  for (let life = 0; life < 4; life++) {
    const durable = await createDurableActor(house, { store, sealing: under('one') });
    expect(durable.getSnapshot().context.n).toBe(life);
    await durable.send({ type: 'count' });
    crash(durable);
  }
  expect(rowsOf(store).every(({ snapshot }) => isSealed(snapshot))).toBe(true);
});

test('a delayed event is encrypted, and comes back', async () => {
  const machine = setup({ types: {} as { events: { type: 'ring'; pin: string } } }).createMachine({
    initial: 'waiting',
    states: {
      waiting: { entry: raise({ type: 'ring', pin: '4711' }, { delay: 1_000 }), on: { ring: 'rung' } },
      rung: {},
    },
  });
  const clock = new SimulatedClock();
  const store = tempStore();
  crash(await createDurableActor(machine, { store, clock, sealing: under('one') }));
  const [row] = alter(store, (db) => db.prepare('select event from timers').all() as { event: string }[]);
  expect(isSealed(row?.event as string)).toBe(true);
  const durable = await createDurableActor(machine, { store, clock, sealing: under('one') });
  await clock.advance(1_000);
  expect(durable.getSnapshot().value).toBe('rung');
  await durable.close();
});

test.each<[string, (bart: ActorRow, lisa: ActorRow) => ActorRow]>([
  ['of another actor', (bart, lisa) => ({ ...bart, snapshot: lisa.snapshot })],
  ['of another turn', (bart) => ({ ...bart, from_turn: bart.from_turn + 1 })],
  [
    'that was never encrypted',
    (bart) => ({ ...bart, snapshot: '{"status":"active","value":{},"historyValue":{},"context":{"n":9}}' }),
  ],
])('a state %s is refused, though its checksum is right', async (_, forge) => {
  const store = tempStore();
  const durable = await createDurableActor(house, { store, sealing: under('one') });
  await durable.send({ type: 'count' }, { to: 'lisa' });
  await durable.close();
  const rows = rowsOf(store);
  const [bart, lisa] = ['bart', 'lisa'].map((key) => rows.find((row) => row.key === key)) as [ActorRow, ActorRow];
  const forged = forge(bart, lisa);
  alter(store, (db) =>
    db
      .prepare('update actors set snapshot = ?, from_turn = ?, checksum = ? where id = ?')
      .run(
        forged.snapshot,
        forged.from_turn,
        checksumOf(forged.snapshot, seedOf(forged), forged.attempt, forged.from_turn),
        forged.id,
      ),
  );
  await expect(createDurableActor(house, { store, sealing: under('one') })).rejects.toMatchObject({
    code: 'ROW_CORRUPT',
  });
});

test('a store is encrypted later, and its key changed, row by row as they are written', async () => {
  const store = tempStore();
  await (await createDurableActor(house, { store })).close();
  await expect(createDurableActor(house, { store, sealing: under('one') })).rejects.toMatchObject({
    code: 'ROW_CORRUPT',
  });
  for (const [current, n] of [
    ['one', 1],
    ['two', 2],
  ] as const) {
    const durable = await createDurableActor(house, { store, sealing: under(current, true) });
    await durable.send({ type: 'count' });
    expect(durable.getSnapshot().context.n).toBe(n);
    await durable.close();
    expect(rowsOf(store)[0]?.snapshot).toMatch(`perdure:aes256gcm:${current}:`);
  }
  await expect(createDurableActor(house, { store })).rejects.toMatchObject({ code: 'KEY_UNKNOWN' });
});

const SECRET = 'sk_4eC39HqLyjWDarjt';

test('what an action threw is sealed on disk, and a dead letter tells it without secrets and not at any length', async () => {
  const failing = setup({
    actions: {
      pay: durableAction({
        name: 'pay',
        retry: { attempts: 1 },
        run: () => {
          throw new Error(`no account for ${SECRET}: ${'x'.repeat(10_000)}`);
        },
      }),
    },
  }).createMachine({ id: 'failing', entry: 'pay' });
  const path = tempStore();
  const redact = redaction({ patterns: [/sk_\w+/] });
  const store = Store.open(path, { machines: { failing }, sealing: under('one'), redact });
  await store.open('failing', 'f');
  await until(() => store.deadLetters().length === 1);
  const [letter] = store.deadLetters();
  expect(letter?.error).toMatch(/^no account for \[redacted\]: x+… \(\d+ characters\)$/);
  expect(letter?.error.indexOf('…')).toBe(4_096);
  store.close();
  const [{ error }] = alter(path, (db) => db.prepare('select error from outbox').all()) as [{ error: string }];
  expect(isSealed(error)).toBe(true);
  expect(examine(path).findings).toMatchObject([
    { code: 'DEAD_LETTER', detail: expect.stringContaining('[encrypted]') },
  ]);
  const next = Store.open(path, { machines: { failing }, sealing: under('one'), redact });
  expect(next.deadLetters()).toEqual([letter]);
  next.close();
});

test('a sealed store opens at its start the trees whose effects run, and not those whose effects have ended', async () => {
  const lines = new Map<string, () => void>();
  const worker = setup({
    types: {} as { input: string; context: { name: string } },
    actors: {
      work: fromPromise<void, string>(({ input }) => new Promise((resolve) => lines.set(input, resolve))),
      line: fromCallback(() => {}),
    },
  }).createMachine({
    id: 'worker',
    context: ({ input }) => ({ name: input }),
    initial: 'working',
    // Its promise has ended, and is a child all the same: a spawned one is never removed.
    entry: spawnChild('work', { id: 'work', input: ({ context }) => context.name }),
    states: { working: { on: { 'xstate.done.actor.work': 'done' } }, done: {} },
  });
  const path = tempStore();
  const options = { machines: { worker }, sealing: under('one') };
  const store = Store.open(path, options);
  const ended = await store.open('worker', 'ended', { input: 'ended' });
  await store.open('worker', 'runs', { input: 'runs' });
  await until(() => lines.size === 2);
  lines.get('ended')?.();
  await ended.waitFor((snapshot) => snapshot.matches('done'));
  expect(ended.getSnapshot().children['work']?.getSnapshot().status).toBe('done');
  store.flush();
  store.drop(new PerdureError('STORE_CLOSED', 'crashed'));
  const attempts = 'select name, key, attempt from actors join trees using (tree) order by actors.id';
  expect(alter(path, (db) => db.prepare(attempts).all())).toEqual([
    { name: 'ended', key: 'ended', attempt: 0 },
    { name: 'ended', key: 'work', attempt: 0 },
    { name: 'runs', key: 'runs', attempt: 0 },
    { name: 'runs', key: 'work', attempt: 1 },
  ]);
  // Only rows of running effects are looked at.
  const plan = 'explain query plan select tree from actors where attempt > 0';
  expect(alter(path, (db) => db.prepare(plan).all())).toMatchObject([
    { detail: 'SCAN actors USING INDEX actors_effects' },
  ]);
  await using next = Store.open(path, options);
  await settle();
  expect([...next.trees()].map(({ id, isAwake }) => [id, isAwake])).toEqual([
    ['ended', false],
    ['runs', true],
  ]);
});
