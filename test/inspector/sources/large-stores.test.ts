/** What much costs whoever looks: views and registries of large stores are bounded, and say that there is more. */
import Database from 'better-sqlite3';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { defineAction, spawnSupervisor } from '../../../index.ts';
import { storeSource } from '../../../inspector/sources/store-source.ts';
import type { PastWork } from '../../../inspector/views/past-work.ts';
import type { Work } from '../../../inspector/views/work.ts';
import { quickStore } from '../../support/temp.ts';

const WAITING = 30_000;
const ACTORS = 25_000;

/** Copies of a row, with other ids. */
function multiply(path: string, table: string, from: string, n: number, cells: Readonly<Record<string, string>>): void {
  const db = new Database(path);
  const columns = (db.pragma(`table_info(${table})`) as { name: string }[]).map(({ name }) => name);
  const values = columns.map((name) => cells[name] ?? `r."${name}"`);
  db.exec(`with recursive i(n) as (select 1 union all select n + 1 from i where n < ${n})
    insert into ${table}(${columns.map((name) => `"${name}"`).join(', ')}) select ${values.join(', ')} from ${table} r join i where ${from}`);
  db.close();
}

let store: { path: string; turn: string };

beforeAll(async () => {
  const path = quickStore();
  const supervisor = await spawnSupervisor({
    store: path,
    resources: false,
    history: true,
    actions: { add: defineAction({ run: ({ n }: { n: number }) => n }) },
  });
  await supervisor.execute('add', { n: 1 }, { id: 'one' });
  await supervisor.queues.pause('default');
  await supervisor.submit('add', { n: 2 }, { id: 'paused' });
  const turn = await supervisor.checkpoints.create();
  await supervisor.close();
  const waiting = { seq: 'r.seq + i.n', id: `'w' || i.n`, plan: `iif(i.n % 1000 = 0, 'small', 'large')` };
  multiply(path, 'actions', `id = 'paused'`, WAITING, waiting);
  store = { path, turn };
});

function beside(path: string) {
  const source = storeSource(path);
  onTestFinished(() => source.close());
  return source;
}

test('of much that waits, that of a plan is found by the index of the plan, and of a large plan a page at a time', () => {
  const source = beside(store.path);
  const view = (query: Record<string, string>) => source.view('work', new URLSearchParams(query)) as Work;
  expect(view({ state: 'waiting', plan: 'small' })).toMatchObject({ more: false, items: { length: WAITING / 1_000 } });
  const seen = new Set<string>();
  for (let after: string | undefined; ;) {
    const { items, next } = view({
      state: 'waiting',
      plan: 'large',
      limit: '1000',
      ...(after === undefined ? {} : { after }),
    });
    for (const { id } of items) seen.add(id);
    if (next === null) break;
    after = String(next);
  }
  expect(seen.size).toBe(WAITING - WAITING / 1_000);
});

test('of much that waited in a turn only some is looked at, and it is said that there is more', () => {
  const { items, more } = beside(store.path).view('past-work', new URLSearchParams({ turn: store.turn })) as PastWork;
  expect(items.length).toBe(500);
  expect(items.every(({ state, keeps }) => state === 'waiting' && keeps === null)).toBe(true);
  expect(more).toBe(true);
});

test('a comparison looks at a large table a page at a time, and holds nobody up for long', async () => {
  const source = beside(store.path);
  let turns = 0;
  let isDone = false;
  const count = (): void => {
    turns += 1;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  const query = new URLSearchParams({ a: store.turn });
  const found = await source.view('compare', query);
  isDone = true;
  expect(found).toMatchObject({ differences: expect.any(Array) as unknown, more: false });
  expect(turns).toBeGreaterThan(2);
});

test('a registry has at most 20,000 actors and says how many more there are', async () => {
  const path = quickStore();
  const supervisor = await spawnSupervisor({ store: path, resources: false, actions: {} });
  await supervisor.close();
  const parent = '(select id from actors where parent is null)';
  const cells = { id: '1000 + i.n', key: `'k' || i.n`, system_id: 'null', parent };
  multiply(path, 'actors', `key = 'tracks'`, ACTORS, cells);
  const source = beside(path);
  const registry = source.registry();
  expect(registry.length).toBe(20_000);
  const db = new Database(path);
  onTestFinished(() => void db.close());
  const all = db.prepare('select count(*) from actors').pluck().get() as number;
  expect(source.moreActors).toBe(all - 20_000);
  const known = new Set(registry.map(({ id }) => id));
  expect(registry.every((info) => info.parent === null || known.has(info.parent))).toBe(true);
});
