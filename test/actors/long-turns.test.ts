/** What concerns thousands of actions at once takes several turns, and a crash between two of them loses nothing. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { defineAction, type Actions } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import type { Supervisor } from '../../actors/supervisor.ts';
import { crash } from '../../persistence/crash.ts';
import { tempFolder } from '../support/temp.ts';
import { until } from '../support/turns.ts';

const MANY = 5_500;
const A_TURN = 1_000;
/** Turns that come together share a commit, whose number rows have: at the start of a life these are three. */
const A_COMMIT = 3 * A_TURN;

/** A store in which so many actions wait, all as the one that is submitted, in a whole that is paused. */
async function waitingIn(actions: Actions): Promise<string> {
  const store = join(tempFolder(), 'long.db');
  const first = await inLife(store, actions);
  await first.pause();
  (await first.submit('job', null as never, { id: 'job' })).outcome.catch(() => {});
  crash(first.durable);
  const db = new Database(store);
  const columns = (db.pragma('table_info(actions)') as { name: string }[])
    .map(({ name }) => name)
    .filter((name) => name !== 'seq' && name !== 'id')
    .join(', ');
  db.exec(`with recursive n(i) as (select 2 union all select i + 1 from n where i < ${MANY})
    insert into actions(id, ${columns}) select id || ' ' || i, ${columns} from n, actions where id = 'job'`);
  db.close();
  return store;
}

/** How many are in this state, by the commits that put them there. */
function byCommit({ durable }: Supervisor<Actions>, state: string): number[] {
  return durable.store.rows
    .all<{ n: number }>(
      `select count(*) as n from actions where state = ? and id like 'job%' group by from_turn`,
      state,
    )
    .map(({ n }) => n);
}

function statesOf({ durable }: Supervisor<Actions>): Record<string, number> {
  const rows = durable.store.rows.all<{ state: string; n: number }>(
    'select state, count(*) as n from actions group by state',
  );
  return Object.fromEntries(rows.map(({ state, n }) => [state, n]));
}

const job = defineAction({ run: () => new Promise<void>(() => {}) });
const other = defineAction({ run: () => 'done' });
const inLife = (store: string, actions: Actions) =>
  spawnSupervisor({ store, actions, concurrency: 1, durability: 'process-crash' });

test('thousands without a handler are parked, and wait again when it is back, a thousand a turn, also after crashes', async () => {
  const store = await waitingIn({ job });
  const first = await inLife(store, { other });
  await first.resume();
  await until(() => byCommit(first, 'parked').length > 0);
  expect(Math.max(...byCommit(first, 'parked'))).toBeLessThanOrEqual(A_COMMIT);
  crash(first.durable);
  const second = await inLife(store, { other });
  expect(await second.execute('other', null as never)).toMatchObject({ kind: 'ok' });
  expect(statesOf(second)).toEqual({ parked: MANY, settled: 1 });
  expect(Math.max(...byCommit(second, 'parked'))).toBeLessThanOrEqual(A_COMMIT);
  crash(second.durable);

  const third = await inLife(store, { job });
  await until(() => byCommit(third, 'running').length > 0);
  expect(statesOf(third)['parked']).toBeGreaterThan(0);
  crash(third.durable);
  const fourth = await inLife(store, { job });
  await until(() => statesOf(fourth)['parked'] === undefined);
  expect(statesOf(fourth)).toEqual({ waiting: MANY - 1, running: 1, settled: 1 });
  expect(Math.max(...byCommit(fourth, 'waiting'))).toBeLessThanOrEqual(A_COMMIT);
  crash(fourth.durable);
});

test('a plan of thousands is cancelled a thousand a turn, also when a crash comes between, and nothing more of it begins', async () => {
  const began: string[] = [];
  const run = (_: unknown, { id, signal }: { readonly id: string; readonly signal: AbortSignal }) => {
    began.push(id);
    return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  };
  const actions: Actions = { job: defineAction({ run }) };
  const store = join(tempFolder(), 'plan.db');
  const first = await inLife(store, actions);
  const steps = Array.from({ length: MANY }, (_, n) => ({ id: `${n}`, action: 'job' as const, input: null as never }));
  const { cancel, outcome } = await first.plan({ id: 'job', steps });
  outcome.catch(() => {});
  expect(statesOf(first)).toEqual({ waiting: MANY - 1, running: 1 });
  await cancel();
  const { waiting = 0 } = statesOf(first);
  expect(waiting).toBeGreaterThan(MANY - A_COMMIT);
  crash(first.durable);
  const second = await inLife(store, actions);
  await until(() => statesOf(second)['settled'] === MANY);
  expect(await second.joinPlan('job').outcome).toMatchObject({ kind: 'cancelled' });
  expect(Math.max(...byCommit(second, 'settled'))).toBeLessThanOrEqual(A_COMMIT);
  expect(new Set(began)).toEqual(new Set(['job/0']));
  await second.close();
});
