/** A store whose states are encrypted. */
import Database from 'better-sqlite3';
import { randomBytes } from 'node:crypto';
import { assign, fromPromise, raise, setup, spawnChild } from 'xstate';
import { expect, test } from 'vitest';
import { checksumOf, seedOf, type ActorRow } from '../../persistence/actor-rows.ts';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { encryption, isSealed } from '../../persistence/sealing.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { tempStore } from '../support/temp.ts';

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
