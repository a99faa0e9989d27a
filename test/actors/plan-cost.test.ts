/** What a step of a plan costs in statements, whatever the size of the plan. */
import { expect, test } from 'vitest';
import type { Settled } from '../../machines/executor.ts';
import type { PlannedStep, TracksEvent } from '../../machines/tracks.ts';
import { APPROVAL_TABLES } from '../../actors/approval-tables.ts';
import { ESTIMATE_TABLES } from '../../actors/estimates.ts';
import { PLAN_TABLES } from '../../actors/plan-tables.ts';
import { planActions } from '../../actors/plans.ts';
import { QUEUE_TABLES } from '../../actors/queue-tables.ts';
import { memoryRows, type Cell, type Rows } from '../../persistence/rows.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';

/** Rows that remember what was asked. */
function watchedRows() {
  const rows = memoryRows([...QUEUE_TABLES, ...PLAN_TABLES, ...APPROVAL_TABLES, ...ESTIMATE_TABLES]);
  const asked: string[] = [];
  const watched: Rows = {
    get turn() {
      return rows.turn;
    },
    get: <T>(sql: string, ...cells: Cell[]) => (asked.push(sql), rows.get<T>(sql, ...cells)),
    all: <T>(sql: string, ...cells: Cell[]) => (asked.push(sql), rows.all<T>(sql, ...cells)),
    run: (sql: string, ...cells: Cell[]) => (asked.push(sql), rows.run(sql, ...cells)),
    seal: (text) => text,
    unseal: (text) => text,
    afterCommit: (fn) => rows.afterCommit(fn),
    nameTurn: (name) => rows.nameTurn(name),
    unnameTurn: (turn) => rows.unnameTurn(turn),
    pinTurn: (turn, isPinned) => rows.pinTurn(turn, isPinned),
  };
  return { rows: watched, asked };
}

const POLICY = { risk: {}, retry: {} } as never;

function planOf(
  steps: readonly (Pick<PlannedStep, 'id' | 'after'> & Partial<PlannedStep>)[],
  concurrency: number | null,
) {
  return {
    id: 'p',
    name: 'p',
    policy: 'stop' as const,
    concurrency,
    at: 1,
    steps: steps.map((step) => ({
      name: 'a',
      version: '1',
      input: 'null',
      policy: POLICY,
      rank: 0,
      estimateMs: 1,
      ...step,
    })),
  };
}

/** Submits a plan, settles its first steps one by one, and gives what the last of them asked for. */
function lastSettled(steps: Parameters<typeof planOf>[0], concurrency: number | null): string[] {
  const { rows, asked } = watchedRows();
  const actions = planActions({ rows, clock: new SimulatedClock(1) });
  const queue: string[] = [];
  const self = {
    send: (event: TracksEvent) => {
      if (event.type === 'tracks.dispatched') queue.push(...event.submissions.map(({ id }) => id));
    },
  };
  actions.putPlan({ self }, { plan: planOf(steps, concurrency), removed: [] });
  for (let n = 0; n < 20; n++) {
    asked.length = 0;
    const settled: Settled[] = [{ id: queue.shift()!, kind: 'ok', plan: 'p', chargedAt: null, scores: null }];
    actions.noteSettled({ self }, { settled });
  }
  return asked.slice();
}

/** Every plan of the statements that reads a table from one end to the other, or sorts. */
function scans(statements: readonly string[]): string[] {
  const rows = memoryRows([...QUEUE_TABLES, ...PLAN_TABLES, ...APPROVAL_TABLES, ...ESTIMATE_TABLES]);
  return statements.flatMap((sql) => {
    const cells = Array.from({ length: sql.split('?').length - 1 }, () => 1);
    const steps = rows.all<{ detail: string }>(`explain query plan ${sql}`, ...cells);
    return steps.map(({ detail }) => detail).filter((detail) => /^SCAN (?!CONSTANT)|TEMP B-TREE/.test(detail));
  });
}

const wide = (n: number) => Array.from({ length: n }, (_, at) => ({ id: `s${at}`, after: [] }));
const chain = (n: number) =>
  Array.from({ length: n }, (_, at) => ({ id: `s${at}`, after: at === 0 ? [] : [`s${at - 1}`] }));
const grouped = (n: number) => [
  ...wide(n).map(({ id }) => ({ id: `g/${id}`, after: [] })),
  { id: 'g', after: wide(n).map(({ id }) => `g/${id}`), role: 'group' as const },
];

test.each([
  ['independent steps, all at once', wide, null],
  ['independent steps, four at once', wide, 4],
  ['a chain', chain, null],
  ['a group', grouped, 4],
])(
  '%s: a settled step costs as many statements in a plan of 3,000 as in one of 30, and each finds its rows by an index',
  (_, steps, concurrency) => {
    const small = lastSettled(steps(30), concurrency);
    const large = lastSettled(steps(3_000), concurrency);
    expect(large).toEqual(small);
    expect(large.length).toBeLessThanOrEqual(9);
    expect(large.filter((sql) => /count\(|total\(/.test(sql))).toEqual([]);
    expect(scans(large)).toEqual([]);
  },
);
