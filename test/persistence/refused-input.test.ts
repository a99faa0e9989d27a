import Database from 'better-sqlite3';
import { assign, setup } from 'xstate';
import { expect, test } from 'vitest';
import { checksumOf, seedOf, type ActorRow } from '../../persistence/actor-rows.ts';
import { createDurableActor, type DurableOptions } from '../../persistence/create.ts';
import { tempStore } from '../support/temp.ts';

const counter = setup({ types: {} as { context: { n: number } } }).createMachine({
  id: 'counter',
  context: { n: 0 },
  initial: 'a',
  states: { a: { on: { next: 'b' } }, b: {} },
  on: { count: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
});

/** With which code opening was refused; the tree is closed again if it was not. */
async function refusal(options: DurableOptions<typeof counter>): Promise<unknown> {
  try {
    await (await createDurableActor(counter, options)).close();
    return 'opened';
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

function alter(path: string, change: (db: Database.Database) => void): void {
  const db = new Database(path);
  change(db);
  db.close();
}

function forge(path: string, snapshot: string): void {
  alter(path, (db) => {
    const row = db.prepare('select * from actors where parent is null').get() as ActorRow;
    const checksum = checksumOf(snapshot, seedOf(row), row.attempt, row.from_turn);
    db.prepare('update actors set snapshot = ?, checksum = ? where id = ?').run(snapshot, checksum, row.id);
  });
}

async function stored(): Promise<string> {
  const store = tempStore();
  await (await createDurableActor(counter, { store })).close();
  return store;
}

test('a tree whose name would not come back is refused when it is made', async () => {
  const store = tempStore();
  expect(await refusal({ store, id: 'half \ud800' })).toMatch(/^(CODEC_REFUSED|OPTIONS_INVALID)$/);
});

test.each([7, null, {}])('a message id that is no text is refused: %j', async (id) => {
  const durable = await createDurableActor(counter, { store: tempStore() });
  await expect(durable.send({ type: 'count' }, { id: id as never })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
  expect(durable.getSnapshot().context.n).toBe(0);
  await durable.close();
});

test.each(['toString', 'constructor', '__proto__', 'hasOwnProperty/x', '/', 'a//b'])(
  'the address %j is of nobody, and of no property that every object has',
  async (to) => {
    const durable = await createDurableActor(counter, { store: tempStore() });
    await expect(durable.send({ type: 'count' }, { to })).rejects.toMatchObject({ code: 'ACTOR_NOT_FOUND' });
    await durable.close();
  },
);

test.each(['xstate.stop', 'xstate.init', 'xstate.done.actor.x', 'xstate.error.actor.x'])(
  'an event of XState itself cannot be sent from outside: %s',
  async (type) => {
    const durable = await createDurableActor(counter, { store: tempStore() });
    await expect(durable.send({ type })).rejects.toMatchObject({ code: 'EVENT_INVALID' });
    expect(durable.getSnapshot().status).toBe('active');
    await durable.close();
  },
);

test.each(['"constructor"', '"toString"', '"__proto__"', '{"a":"constructor"}', '7', '[]'])(
  'a stored state that the machine does not have is refused, and is not the initial one: %s',
  async (value) => {
    const store = await stored();
    forge(store, `{"status":"active","value":${value},"historyValue":{},"context":{"n":1}}`);
    expect(await refusal({ store })).toMatch(/^(MACHINE_CHANGED|SNAPSHOT_INVALID|ROW_CORRUPT)$/);
  },
);

const levels = `${'['.repeat(100_000)}{"$perdure":"undefined","value":null}${']'.repeat(100_000)}`;

test.each<[string, string]>([
  ['no JSON', 'perdure'],
  ['100,000 levels', `{"status":"active","value":"a","historyValue":{},"context":${levels}}`],
])('a row that cannot be parsed, with the right checksum, is ROW_CORRUPT: %s', async (_, snapshot) => {
  const store = await stored();
  forge(store, snapshot);
  expect(await refusal({ store })).toBe('ROW_CORRUPT');
});

test.each([
  'drop table actors',
  'drop table actors; create table actors(x)',
  'drop table actors; create view actors as select 1 as id',
  'drop table trees; drop table timers; drop table actors',
])('a database that only says that it is ours is refused in our words: %s', async (sql) => {
  const store = await stored();
  alter(store, (db) => db.exec(sql));
  expect(await refusal({ store })).toMatch(/^STORE_/);
});

test('a turn that is refused when the tree cannot be read back rejects its send, and everything after it', async () => {
  const store = tempStore();
  const machine = setup({ types: {} as { context: { box: unknown } } }).createMachine({
    id: 'm',
    context: { box: 0 },
    on: { bad: { actions: assign({ box: () => () => 1 }) } },
  });
  const durable = await createDurableActor(machine, { store });
  alter(store, (db) => db.exec('update actors set checksum = checksum + 1'));
  const sends = [durable.send({ type: 'bad' }), durable.send({ type: 'other' })];
  for (const send of sends)
    await expect(send).rejects.toMatchObject({ code: expect.stringMatching(/^(ROW_CORRUPT|STORE_FAILED)$/) });
  await expect(durable.send({ type: 'other' })).rejects.toMatchObject({ code: expect.any(String) });
});
