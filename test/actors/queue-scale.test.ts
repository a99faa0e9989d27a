/** What a long queue costs: counted in statements and looked up in their plans, not timed. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test, vi } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { CLASS_MS } from '../../machines/urgency.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import type { Cell } from '../../persistence/rows.ts';
import { MINUTE, START, open } from '../support/pipeline.ts';
import { tempFolder } from '../support/temp.ts';
import { until } from '../support/turns.ts';

const actions = {
  work: defineAction({ run: () => 1 }),
  patient: defineAction({ run: () => 1, component: 'api', whenOpen: 'wait' }),
  endless: defineAction({ run: () => new Promise(() => {}) }),
  limited: defineAction({ run: () => new Promise(() => {}), component: 'db' }),
};

type Statement = [sql: string, ...cells: Cell[]];

/** A supervisor with `many` actions in each of five sorts of which none may run now. */
async function blocked(many: number) {
  const clock = new SimulatedClock(START);
  const store = join(tempFolder(), 'long.db');
  const options = {
    actions,
    store,
    concurrency: 8,
    queues: { paused: {}, slow: { rate: { limit: 1, perMs: 60 * MINUTE } } },
    components: { api: {}, db: { concurrency: 1 } },
  };
  const first = await open(clock, options);
  await first.queues.pause('paused');
  await first.component('api', 'bypass');
  await first.submit('limited', null, { id: 'limited that runs' });
  await first.submit('endless', null, { id: 'keyed that runs', key: 'k' });
  await first.execute('work', null, { id: 'slow that ran', queue: 'slow' });
  for (const [id, name, more] of [
    ['paused', 'work', { queue: 'paused' }],
    ['patient', 'patient', {}],
    ['limited', 'limited', {}],
    ['slow', 'work', { queue: 'slow' }],
    ['keyed', 'work', { key: 'k' }],
  ] as const)
    (await first.submit(name, null, { id, ...more })).outcome.catch(() => {});
  crash(first.durable);
  const db = new Database(store);
  const columns = db
    .prepare('select name from pragma_table_info(?)')
    .all('actions')
    .map((row) => (row as { name: string }).name)
    .filter((name) => name !== 'seq' && name !== 'id')
    .join(', ');
  db.exec(`with recursive n(i) as (select 2 union all select i + 1 from n where i < ${many})
    insert into actions(id, ${columns}) select id || ' ' || i, ${columns} from n, actions
    where id in ('paused', 'patient', 'limited', 'slow', 'keyed')`);
  db.close();
  return open(clock, options);
}

/** The statements with which `n` actions are submitted, claimed and settled, with their parameters. */
async function statementsOf(supervisor: Awaited<ReturnType<typeof blocked>>, n: number): Promise<Statement[]> {
  const { rows } = supervisor.durable.store;
  const spies = (['get', 'all', 'run'] as const).map((method) => vi.spyOn(rows, method));
  for (let i = 0; i < n; i++) expect(await supervisor.execute('work', null)).toMatchObject({ kind: 'ok' });
  const texts = spies.flatMap((spy) => spy.mock.calls as Statement[]);
  for (const spy of spies) spy.mockRestore();
  return texts;
}

/** What is looked through, and not looked up: what runs, the lanes, and plans that go on. There are few of them. */
const FEW =
  /^SCAN (CONSTANT ROW|l USING INDEX lanes_busy|plans USING INDEX plans_open|\w+ USING (COVERING )?INDEX actions_running)$/;

test('20,000 actions that may not run change neither how many statements a turn has, nor that they look rows up', async () => {
  const counts: number[] = [];
  for (const many of [2, 4_000]) {
    const supervisor = await blocked(many);
    expect(supervisor.queues.list()).toMatchObject([
      { name: 'default', waiting: 2 * many, held: many, running: 2 },
      { name: 'paused', waiting: many, held: 0, running: 0, isPaused: true },
      { name: 'slow', waiting: many, held: 0, running: 0 },
    ]);
    const statements = await statementsOf(supervisor, 10);
    counts.push(statements.length);
    const { rows } = supervisor.durable.store;
    const looks = [...new Map(statements.map(([sql, ...cells]) => [sql, cells]))].flatMap(([sql, cells]) =>
      rows.all<{ detail: string }>(`explain query plan ${sql}`, ...cells).map(({ detail }) => detail),
    );
    crash(supervisor.durable);
    expect(looks.filter((look) => look.startsWith('SEARCH actions')).length).toBeGreaterThan(3);
    expect(looks.filter((look) => look.startsWith('SCAN') && !FEW.test(look))).toEqual([]);
  }
  expect(counts[1]).toBe(counts[0]);
});

test('H12: what is less urgent runs within the worth of a class, however much that is more urgent comes', async () => {
  const still = new SimulatedClock(START);
  let passed = 0;
  const clock = {
    now: () => still.now() + passed,
    setTimeout: still.setTimeout.bind(still),
    clearTimeout: still.clearTimeout.bind(still),
  };
  const ran: string[] = [];
  let end = () => {};
  const run = (_: null, { id }: { readonly id: string }) => {
    ran.push(id);
    return new Promise<void>((resolve) => void (end = resolve));
  };
  await using supervisor = await open(clock as never, { actions: { long: defineAction({ run }) }, concurrency: 1 });
  const submit = (n: number) => supervisor.submit('long', null, { id: `normal ${n}` });
  for (let n = 0; n < 3; n++) await submit(n);
  await supervisor.submit('long', null, { id: 'low', priority: 'low' });
  // Each takes 20 minutes, and one that is more urgent comes for each that begins: two of them always wait.
  while (!ran.includes('low')) {
    const { length } = ran;
    expect(passed).toBeLessThanOrEqual(CLASS_MS + 3 * 20 * MINUTE);
    passed += 20 * MINUTE;
    end();
    await until(() => ran.length > length);
    await submit(length + 2);
  }
  expect(passed).toBeGreaterThanOrEqual(CLASS_MS);
  end();
});
