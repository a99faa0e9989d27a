/** A tree whose rows are damaged, and the checkpoints that it can go back to. */
import Database from 'better-sqlite3';
import { assign, fromPromise, setup, spawnChild } from 'xstate';
import { beforeEach, describe, expect, test } from 'vitest';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { examine } from '../../persistence/health.ts';
import { restoreDamaged } from '../../persistence/repair.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { Store } from '../../persistence/store.ts';
import { tempStore } from '../support/temp.ts';
import { settle } from '../support/turns.ts';

let begun = 0;

const counter = setup({
  types: {} as { context: { n: number } },
  actors: {
    kid: setup({}).createMachine({ id: 'kid' }),
    work: fromPromise(() => {
      begun += 1;
      return new Promise(() => {});
    }),
  },
}).createMachine({
  id: 'counter',
  context: { n: 0 },
  entry: spawnChild('kid', { id: 'kid' }),
  invoke: { src: 'work', id: 'work' },
  initial: 'idle',
  states: { idle: { after: { 86_400_000: 'over' } }, over: {} },
  on: { add: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
});

const clock = new SimulatedClock(1_000_000);
let path = '';
/** The turns of the checkpoints, in which `n` was 1, 2 and 3. */
let turns: number[] = [];

beforeEach(async () => {
  path = tempStore();
  begun = 0;
  turns = [];
  const durable = await createDurableActor(counter, { store: path, clock });
  for (let n = 0; n < 3; n++) {
    durable.store.rows.nameTurn({ at: clock.now(), reason: 'test' });
    turns.push((await durable.send({ type: 'add' })).turn);
  }
  await durable.send({ type: 'add' });
  await durable.send({ type: 'add' });
  crash(durable);
});

/** Changes rows as a broken disk does: unseen by triggers. */
function damage(...statements: string[]): void {
  const db = new Database(path);
  const triggers = db.prepare(`select name, sql from sqlite_schema where type = 'trigger'`).all() as {
    name: string;
    sql: string;
  }[];
  for (const { name } of triggers) db.exec(`drop trigger ${name}`);
  for (const sql of statements) expect(db.prepare(sql).run().changes).toBe(1);
  for (const { sql } of triggers) db.exec(sql);
  db.close();
}

const open = (options = {}) => createDurableActor(counter, { store: path, clock, onDamage: 'checkpoint', ...options });
const ROOT = `update actors set snapshot = replace(snapshot, '"n":5', '"n":7') where key = 'main'`;
/** The version that the newest checkpoint saw. */
const past = (turn: number) =>
  `update actors_past set snapshot = snapshot || ' ' where parent is null and from_turn = ${turn}`;

test('H34: a tree whose rows are damaged goes back to its newest whole checkpoint, and says so', async () => {
  damage(ROOT);
  await using durable = await open();
  expect(durable.getSnapshot().context.n).toBe(3);
  expect(durable.resumed).toMatchObject({ actors: 3, effects: 0, asked: 1, fellBackTo: turns[2] });
  await durable.send({ type: 'add' });
  const { rows } = durable.store;
  expect(rows.all('select kind, detail from incidents where kind = ?', 'checkpoint.restored')).toEqual([
    {
      kind: 'checkpoint.restored',
      detail: expect.stringMatching(`went back to its checkpoint of turn ${turns[2]} .*: at most`) as string,
    },
  ]);
  expect(rows.all('select actor, reason from quarantine')).toEqual([{ actor: 'main', reason: 'checksum' }]);
  // What was under way then is asked, as after any restore.
  await settle();
  expect(begun).toBe(1);
  expect(durable.interrupted).toEqual(['work']);
});

test('H34: when the newest checkpoint is damaged too, the one before takes its place', async () => {
  damage(ROOT, past(turns[2] as number));
  await using durable = await open();
  expect(durable.getSnapshot().context.n).toBe(2);
  const { rows } = durable.store;
  durable.store.flush();
  expect(rows.get<{ detail: string }>('select detail from incidents')?.detail).toContain(`turn ${turns[1]} `);
});

test('where other trees share the tables of the store, the row alone is replaced', async () => {
  const store = Store.open(path, { clock, onDamage: 'checkpoint' });
  store.declare([{ name: 'notes', key: 'page', columns: ['page text primary key'] }]);
  await createDurableActor(counter, { store, id: 'other' });
  store.close();
  damage(ROOT);
  await using durable = await open();
  expect(durable.resumed).not.toHaveProperty('fellBackTo');
  expect(durable.getSnapshot().context.n).toBe(3);
});

describe.each([
  ['a row that is gone', `delete from actors where key = 'kid'`],
  ['a row of another tree', `update actors set tree = 77 where parent is null`],
  ['a timer', `update timers set due = due + 1`],
])('%s', (what, sql) => {
  test('is mended where a checkpoint has it whole, and refused where none has', async () => {
    damage(sql);
    if (what === 'a row of another tree') {
      await using durable = await open();
      expect(durable.getSnapshot().context.n).toBe(3);
    } else {
      // It has not changed since any checkpoint, so there is no other version of it.
      await expect(open()).rejects.toMatchObject({ code: 'ROW_CORRUPT' });
    }
  });
});

test('where no checkpoint is whole, the newest version of the row takes its place, as without the option', async () => {
  damage(ROOT, ...turns.map(past));
  await expect(open()).rejects.toMatchObject({ code: 'ROW_CORRUPT' });
  damage(`update actors_past set snapshot = substr(snapshot, 1, length(snapshot) - 1) where from_turn = ${turns[1]}`);
  await using durable = await open();
  // That version makes a whole checkpoint again.
  expect(durable.getSnapshot().context.n).toBe(2);
});

test('without the option the newest version of the row takes its place, and the others stay', async () => {
  damage(ROOT);
  await using durable = await open({ onDamage: 'row' });
  expect(durable.getSnapshot().context.n).toBe(3);
  expect(begun).toBe(2);
});

test('an option that is none is refused', () => {
  expect(() => Store.open(path, { onDamage: 'none' as never })).toThrow(
    expect.objectContaining({ code: 'OPTIONS_INVALID' }) as Error,
  );
});

test('`doctor --restore` does the same for a store that nobody owns, once', async () => {
  damage(ROOT, past(turns[2] as number));
  expect(examine(path).findings).toMatchObject([{ code: 'ROW_DAMAGED' }]);
  expect(restoreDamaged(path, clock)).toMatchObject([{ tree: 'main', turn: turns[1] }]);
  expect(examine(path).findings).toEqual([]);
  expect(restoreDamaged(path, clock)).toEqual([]);
  await using durable = await createDurableActor(counter, { store: path, clock });
  expect(durable.getSnapshot().context.n).toBe(2);
  await settle();
  expect(durable.interrupted).toEqual(['work']);
});

test('`doctor --restore` says what it cannot restore, and leaves it', () => {
  damage(ROOT, ...turns.map(past));
  expect(restoreDamaged(path, clock)).toMatchObject([{ tree: 'main', turn: null }]);
  expect(examine(path).findings).toMatchObject([{ code: 'ROW_DAMAGED' }]);
});
