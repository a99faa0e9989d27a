/**
 * How long the steps of plans take, learned from how long they took: one row for each step of a name, one statement for each
 * step that went well. A plan that has no name of its own will never be met again, and teaches nothing.
 */
import type { Rows } from '../persistence/rows.ts';
import type { TableSpec } from '../persistence/schema.ts';
import { DEVIATION_GAIN, MEAN_GAIN } from './action-history.ts';

/** What is expected of a step that nothing is known of, ms. */
export const UNKNOWN_MS = 1_000;

/** What is known of a step of the plans of a name. */
export interface Estimate {
  /** Smoothed, ms. */
  readonly meanMs: number;
  readonly deviationMs: number;
  /** How often it went well. */
  readonly runs: number;
}

export const ESTIMATE_TABLES: readonly TableSpec[] = [
  {
    name: 'estimates',
    rolledBack: false,
    key: 'id',
    columns: [
      'id text primary key',
      'plan text not null',
      'step text not null',
      'mean_ms real not null',
      'deviation_ms real not null',
      'runs integer not null',
    ],
    indexes: ['create index if not exists estimates_plan on estimates(plan)'],
  },
];

/** One that ended without an attempt, or by what stood in for it, says nothing. */
const LEARN = `insert into estimates(id, plan, step, mean_ms, deviation_ms, runs, from_turn)
  select plans.name || '/' || ?, plans.name, ?, actions.work_ms, actions.work_ms / 2, 1, ?
  from actions join plans on plans.id = actions.plan
  where actions.id = ? and actions.kind in ('ok', 'recovered') and actions.attempts > 0 and plans.name <> plans.id
  on conflict(id) do update set
    deviation_ms = deviation_ms + ${DEVIATION_GAIN} * (abs(excluded.mean_ms - mean_ms) - deviation_ms),
    mean_ms = mean_ms + ${MEAN_GAIN} * (excluded.mean_ms - mean_ms),
    runs = runs + 1,
    from_turn = excluded.from_turn`;

/** Learns from the outcome of a step's action. */
export function learnFrom(rows: Rows, step: string, action: string): void {
  const kind = kindOf(step);
  rows.run(LEARN, kind, kind, rows.turn, action);
}

/** The members of a fan-out are of one kind, and last alike. */
export function kindOf(step: string): string {
  return step.replaceAll(/\[\d+\]/g, '[]');
}

/** What is known of each step of the plans of a name, by the step's id. */
export function estimatesOf(rows: Pick<Rows, 'all'>, plan: string): (step: string) => Estimate | undefined {
  const known = new Map(
    rows
      .all<{ step: string; mean_ms: number; deviation_ms: number; runs: number }>(
        'select step, mean_ms, deviation_ms, runs from estimates where plan = ?',
        plan,
      )
      .map((row) => [row.step, { meanMs: row.mean_ms, deviationMs: row.deviation_ms, runs: row.runs }]),
  );
  return (step) => known.get(kindOf(step));
}

/** A step as far as its duration is asked for. */
type Asked = { readonly id: string; readonly action: string; readonly subject?: string };

/**
 * How long each step will take, ms: as it took in plans of this name, else as actions of its subject took, else
 * {@link UNKNOWN_MS}.
 */
export function durationsOf(rows: Pick<Rows, 'all' | 'get'>, plan: string): (step: Asked) => number {
  const known = estimatesOf(rows, plan);
  const ofSubjects = new Map<string, number>();
  return ({ id, action, subject = action }) => {
    const own = known(id)?.meanMs;
    if (own !== undefined) return own;
    const found = ofSubjects.get(subject) ?? meanOf(rows, subject) ?? UNKNOWN_MS;
    ofSubjects.set(subject, found);
    return found;
  };
}

function meanOf(rows: Pick<Rows, 'get'>, subject: string): number | null | undefined {
  return rows.get<{ mean_ms: number | null }>('select mean_ms from action_history where name = ?', subject)?.mean_ms;
}
