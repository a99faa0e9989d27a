/** What is old enough goes, in small steps; what somebody may need stays. */
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { retentionActions, retentionPolicy } from '../../actors/retention.ts';
import { TABLES, spawnSupervisor } from '../../actors/spawn.ts';
import type { Supervisor } from '../../actors/supervisor.ts';
import { crash } from '../../persistence/crash.ts';
import { memoryRows, type Cell, type Rows } from '../../persistence/rows.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { DAY, HOUR, START, open } from '../support/pipeline.ts';
import { quickStore } from '../support/temp.ts';
import { settle, until } from '../support/turns.ts';

const work = defineAction({
  run: (kind: string) => {
    if (kind === 'fails') throw new Error('no');
    return kind;
  },
  retry: { attempts: 1 },
});
const owes = defineAction({
  run: (): string => {
    throw Object.assign(new Error('down'), { code: 'ECONNREFUSED' });
  },
  fallback: { cache: { run: () => 'cached', owes: true } },
  component: 'api',
});
const actions = { work, owes };

const ids = ({ durable }: Supervisor<never>, table = 'actions') =>
  durable.store.rows.all<{ id: string }>(`select id from ${table} order by id`).map(({ id }) => id);
const idsOf = (supervisor: unknown, table?: string) => ids(supervisor as Supervisor<never>, table);

async function pass(clock: SimulatedClock, ms: number): Promise<void> {
  await clock.advance(ms);
  await settle();
  await clock.advance(1);
  await settle();
}

test('what did not fail is kept for 30 days, and what failed for 90', async () => {
  const clock = new SimulatedClock(START);
  const supervisor = await open(clock, { actions });
  onTestFinished(() => supervisor.close());
  await supervisor.execute('work', 'ok', { id: 'ok' });
  await supervisor.execute('work', 'fails', { id: 'failed' });
  await pass(clock, 30 * DAY - HOUR);
  expect(idsOf(supervisor)).toEqual(['failed', 'ok']);
  await pass(clock, 2 * HOUR);
  expect(idsOf(supervisor)).toEqual(['failed']);
  await pass(clock, 60 * DAY);
  expect(idsOf(supervisor)).toEqual([]);
  expect(supervisor.stats().settled).toBe(2);
  // Nothing is known of it any more: the same id is new work.
  expect(await supervisor.execute('work', 'again', { id: 'ok' })).toMatchObject({ kind: 'ok', value: 'again' });
});

test('what became old while the process was dead goes at the start', async () => {
  const [clock, store] = [new SimulatedClock(START), quickStore()];
  const first = await open(clock, { store, actions });
  await first.execute('work', 'ok', { id: 'ok' });
  crash(first.durable);
  await clock.advance(40 * DAY);
  await using second = await open(clock, { store, actions });
  await until(() => idsOf(second).length === 0);
});

test('work that is owed, what waits, and plans that have not settled stay, however old they are', async () => {
  const clock = new SimulatedClock(START);
  const supervisor = await open(clock, { actions, concurrency: 2 });
  onTestFinished(() => supervisor.close({ graceMs: 0 }));
  await supervisor.execute('owes', undefined, { id: 'owing' });
  const asks = { action: 'work', input: 'ok', impact: 'critical', reversible: false } as const;
  await supervisor.plan({
    id: 'open',
    steps: [
      { id: 'a', action: 'work', input: 'ok' },
      { id: 'b', after: ['a'], ...asks },
    ],
  });
  const done = await supervisor.plan({ id: 'done', steps: [{ id: 'a', action: 'work', input: 'ok' }] });
  const debt = await supervisor.plan({ id: 'debt', steps: [{ id: 'a', action: 'owes', input: null }] });
  await Promise.all([done.outcome, debt.outcome]);
  await until(() => supervisor.approvals().length === 1);
  await pass(clock, 100 * DAY);
  expect(idsOf(supervisor).filter((id) => !id.includes('!owed'))).toEqual(['debt/a', 'open/a', 'open/b', 'owing']);
  expect([idsOf(supervisor, 'plans'), idsOf(supervisor, 'steps')]).toEqual([
    ['debt', 'open'],
    ['debt/a', 'open/a', 'open/b'],
  ]);
  expect(idsOf(supervisor, 'edges')).toHaveLength(1);
});

test('of more than `maxRows` the latest stay', async () => {
  const clock = new SimulatedClock(START);
  const supervisor = await open(clock, { actions, retention: { maxRows: 3 } });
  onTestFinished(() => supervisor.close());
  for (let n = 0; n < 8; n++) {
    await supervisor.execute('work', 'ok', { id: `w${n}` });
    const plan = await supervisor.plan({ id: `p${n}`, steps: [{ id: 's', action: 'work', input: 'ok' }] });
    await plan.outcome;
    await clock.advance(1);
  }
  await pass(clock, HOUR);
  expect(idsOf(supervisor)).toEqual(['p5/s', 'p6/s', 'p7/s', 'w5', 'w6', 'w7']);
});

test('a turn removes at most as many rows as it is told, of a large plan too, and the plan itself last', () => {
  const rows = memoryRows(TABLES);
  const policy = retentionPolicy();
  const insert = (id: string, plan: string | null) =>
    rows.run(
      `insert into actions(id, name, version, input, policy, rank, plan, state, submitted_at, settled_at, kind, attempts, quality_loss, from_turn)
       values (?, 'w', '1', '1', '{}', 0, ?, 'settled', 0, 0, 'ok', 1, 0, 1)`,
      id,
      plan,
    );
  for (let n = 0; n < 25; n++) insert(`w${n}`, null);
  rows.run(
    `insert into plans(id, name, policy, state, kind, submitted_at, settled_at, from_turn) values ('p', 'p', 'stop', 'settled', 'ok', 0, 0, 1)`,
  );
  for (let n = 0; n < 25; n++) {
    insert(`p/${n}`, 'p');
    rows.run(
      `insert into steps(id, plan, step, name, version, input, after, policy, rank, estimate_ms, missing, state, round, action, from_turn)
       values (?, 'p', ?, 'w', '1', '1', '[]', '{}', 0, 1, 0, 'settled', 1, ?, 1)`,
      `p/${n}`,
      String(n),
      `p/${n}`,
    );
  }
  const { prune } = retentionActions({ rows, clock: new SimulatedClock(START), retention: policy });
  const left = () =>
    rows.get<{ n: number; plans: number }>(
      `select (select count(*) from actions) + (select count(*) from steps) + (select count(*) from plans) as n,
         (select count(*) from plans) as plans`,
    ) as { n: number; plans: number };
  const told: boolean[] = [];
  for (let turn = 1, before = left(); turn <= 8; turn++) {
    prune({ self: { send: (event) => void ('more' in event && told.push(event.more)) } }, { limit: 10 });
    const after = left();
    expect(before.n - after.n).toBe(Math.min(10, before.n));
    if (after.n > 0) expect(after.plans).toBe(1);
    before = after;
  }
  expect([left(), told]).toEqual([{ n: 0, plans: 0 }, [true, true, true, true, true, true, true, false]]);
});

/** Settled actions and plans in rows, of which the latest stay. */
function settledRows(times: readonly number[], maxRows: number) {
  const rows = memoryRows(TABLES);
  for (const [n, time] of times.entries()) {
    rows.run(
      `insert into actions(id, name, version, input, policy, rank, state, submitted_at, settled_at, kind, attempts, quality_loss, from_turn)
       values (?, 'w', '1', '1', '{}', 0, 'settled', 0, ?, ?, 1, 0, 1)`,
      `a${n}`,
      time,
      n % 3 === 0 ? 'failed' : 'ok',
    );
    rows.run(
      `insert into plans(id, name, policy, state, kind, submitted_at, settled_at, from_turn)
       values (?, 'p', 'stop', 'settled', 'ok', 0, ?, 1)`,
      `p${n}`,
      time,
    );
  }
  const asked: string[] = [];
  const watched = {
    run: rows.run.bind(rows),
    get: (sql: string, ...cells: Cell[]) => {
      asked.push(sql);
      return rows.get(sql, ...cells);
    },
  } as Rows;
  const retention = retentionPolicy({ succeededMs: Infinity, failedMs: Infinity, maxRows });
  const { prune } = retentionActions({ rows: watched, clock: new SimulatedClock(START), retention });
  const turn = (limit: number) => {
    let isMore = false;
    prune({ self: { send: (event) => void (isMore = 'more' in event && event.more) } }, { limit });
    return isMore;
  };
  const left = (table: string) =>
    rows
      .all<{ settled_at: number }>(`select settled_at from ${table} order by settled_at`)
      .map((row) => row.settled_at);
  return { asked, turn, left };
}

test('whatever has settled when, also in one moment, exactly the latest `maxRows` stay', () => {
  const times = fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 30 });
  const number = fc.integer({ min: 1, max: 12 });
  fc.assert(
    fc.property(times, number, number, (all, maxRows, limit) => {
      const { turn, left } = settledRows(all, maxRows);
      while (turn(limit));
      const latest = all.toSorted((a, b) => a - b).slice(-maxRows);
      expect([left('actions'), left('plans')]).toEqual([latest, latest]);
    }),
    { numRuns: 60 },
  );
});

test('where the latest `maxRows` begin is looked for once, and not in each turn that removes', () => {
  const { asked, turn, left } = settledRows(
    Array.from({ length: 60 }, (_, n) => n),
    5,
  );
  let turns = 1;
  while (turn(10)) turns += 1;
  expect([turns, left('actions').length]).toEqual([12, 5]);
  expect(asked.filter((sql) => /offset|count/.test(sql))).toHaveLength(2);
});

test('finding where the latest begin reads an index, and sorts nothing', () => {
  const rows = memoryRows(TABLES);
  for (const [table, where] of [
    ['actions', 'settled_at is not null and plan is null'],
    ['plans', 'settled_at is not null'],
  ] as const) {
    const plan = rows.all<{ detail: string }>(
      `explain query plan select settled_at, kind, seq from ${table} where ${where}
       order by settled_at desc, kind desc, seq desc limit 1 offset 5`,
    );
    expect(plan.map(({ detail }) => detail)).toEqual([expect.stringContaining(`INDEX ${table}_settled`)]);
  }
});

test('looking for what is old reads an index', () => {
  const rows = memoryRows(TABLES);
  const plan = rows.all<{ detail: string }>(
    `explain query plan select id from actions where settled_at is not null and plan is null
     and settled_at <= 5 and (kind <> 'failed' or settled_at <= 3) order by settled_at limit 10`,
  );
  expect(plan.map(({ detail }) => detail).join()).toContain('USING INDEX actions_settled (settled_at');
});

test('what is no retention is refused', async () => {
  for (const [wrong, message] of [
    [{ succededMs: 1 }, 'did you mean "succeededMs"?'],
    [{ succeededMs: -1 }, 'retention.succeededMs must be ms, 0 or more'],
    [{ failedMs: '1 day' }, 'retention.failedMs must be ms'],
    [{ maxRows: 0 }, 'retention.maxRows must be a whole number from 1'],
    [[], 'must be an object'],
  ] as const)
    await expect(spawnSupervisor({ store: quickStore(), actions, retention: wrong as never })).rejects.toThrow(message);
});
