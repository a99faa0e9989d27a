/** PERDURE_SEED and PERDURE_FLIPS repeat a run and make it longer. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import Database from 'better-sqlite3';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { assign, raise, setup } from 'xstate';
import { PerdureError } from '../../errors.ts';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { durableAction } from '../../persistence/durable-action.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { tempFolder, tempStore } from '../support/temp.ts';
import { Store } from '../../persistence/store.ts';
import { flipBits, type FlipReport, type Flips } from './bit-flip.ts';
import { live } from './life.ts';
import type { Workload } from './workload.ts';

const seed = Number(process.env['PERDURE_SEED'] ?? Date.now() % 1_000_000);
const flips = Number(process.env['PERDURE_FLIPS'] ?? 1_000);
const workload: Workload = { seed: 17, clients: 3, events: 60 };

const counter = setup({ types: {} as { context: { count: number }; events: { type: 'count' } } }).createMachine({
  id: 'counter',
  context: { count: 0 },
  on: { count: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
});

let killed: string;
let closed: string;

/** A store that was killed in its second life has a log; a closed one, which still has actors and timers, has none. */
beforeAll(async () => {
  killed = tempFolder();
  await live({ folder: killed, workload, killAtCommit: 40 });
  await live({ folder: killed, workload, killAtCommit: 25 });
  closed = tempFolder();
  await live({ folder: closed, workload, killAtCommit: 90 });
  Store.open(`${closed}/work.db`).close();
  expect(existsSync(`${killed}/work.db-wal`)).toBe(true);
  expect(existsSync(`${closed}/work.db-wal`)).toBe(false);
});

async function flip(folder: () => string, among: Flips['among'], share = 1): Promise<FlipReport> {
  const copies = tempFolder(existsSync('/dev/shm') ? '/dev/shm' : tmpdir());
  const count = Math.ceil(flips * share);
  const report = await flipBits({ store: `${folder()}/work.db`, folder: copies, seed, flips: count, among });
  console.log(`${among}: ${JSON.stringify(report.fates)}, other tables: ${JSON.stringify(report.others)}`);
  expect(report.wrong, `PERDURE_SEED=${seed}`).toEqual([]);
  expect(report.fates.refused + report.fates.incident + report.fates.earlier).toBeGreaterThan(count / 20);
  return report;
}

test(`a flipped bit in the rows of actors and timers is reported or harmless (PERDURE_SEED=${seed})`, async () =>
  void (await flip(() => closed, 'cells')));

test(`a flipped bit anywhere in a closed store is reported, or changes no actor and no timer (PERDURE_SEED=${seed})`, async () =>
  void (await flip(() => closed, 'all')));

test(`a flipped bit in what a killed process left is reported, or changes no actor and no timer (PERDURE_SEED=${seed})`, async () =>
  void (await flip(() => killed, 'all', 0.5)));

test(`a flipped bit in a log is reported, but for its newest transaction, whose end SQLite cannot know (PERDURE_SEED=${seed})`, async () => {
  const { fates } = await flip(() => killed, 'log', 0.5);
  expect(fates.earlier).toBeLessThan(flips * 0.5 * 0.1);
  expect(fates.incident).toBeGreaterThan(flips * 0.5 * 0.8);
});

// The tree is looked for in the index of the names only; one that is not found there is made anew.
test('a tree whose name a flipped bit took out of its index is not made anew in silence', async () => {
  const path = tempStore();
  const clock = new SimulatedClock(0);
  const open = () => createDurableActor(counter, { store: path, clock });
  const before = await open();
  await before.send({ type: 'count' });
  await before.close();
  const db = new Database(path);
  const sql = `select rootpage from sqlite_schema where name = 'sqlite_autoindex_trees_1'`;
  const start = ((db.prepare(sql).pluck().get() as number) - 1) * (db.pragma('page_size', { simple: true }) as number);
  db.close();
  const file = readFileSync(path);
  const CELLS = start + 4;
  expect(file[CELLS], 'the index has one entry').toBe(1);
  file[CELLS] = 0;
  writeFileSync(path, file);

  const after = await open().catch((error: PerdureError) => error);
  if (after instanceof PerdureError) return;
  onTestFinished(() => after.close());
  expect(after.getSnapshot().context.count).toBe(1);
});

const waiter = setup({
  types: {} as { events: { type: 'wait' } | { type: 'late' } },
  actions: { act: durableAction({ name: 'act', run: () => new Promise(() => {}) }) },
}).createMachine({
  id: 'waiter',
  on: { wait: { actions: ['act', raise({ type: 'late' }, { delay: 1_000 })] }, late: {} },
});

// SQLite may answer from the index alone; the next change of the row would then leave the index broken.
test.each([
  ['actors', 'tree'],
  ['timers', 'tree'],
  ['timers', 'due'],
  ['outbox', 'tree'],
])('a damaged row of %s is refused when the index of its %s is still right', async (table, column) => {
  const path = tempStore();
  const clock = new SimulatedClock(0);
  const open = () => createDurableActor(waiter, { store: path, clock });
  const before = await open();
  await before.send({ type: 'wait' });
  crash(before);
  const change = (sql: string, ...values: readonly unknown[]) => {
    const db = new Database(path).unsafeMode();
    db.pragma('writable_schema = on');
    const { changes } = db.prepare(sql).run(...values);
    db.close();
    expect(changes).toBe(1);
  };
  const index = `${table}_${column}`;
  const db = new Database(path, { readonly: true });
  const entry = db.prepare('select * from sqlite_schema where name = ?').get(index) as object;
  db.close();

  change('delete from sqlite_schema where name = ?', index);
  change(`update ${table} set ${column} = ${column} + 7`);
  change('insert into sqlite_schema values (?, ?, ?, ?, ?)', ...Object.values(entry));

  await expect(open()).rejects.toMatchObject({ code: 'ROW_CORRUPT' });
});
