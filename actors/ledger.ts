/** Reads what was queued, planned and settled, for the owner of a store and for whoever looks at it from beside. */
import type { ErrorRecord, Outcome, OutcomeKind } from '../machines/outcome.ts';
import type { PlanKind } from '../machines/tracks.ts';
import type { Rows } from '../persistence/rows.ts';
import { policyOfText } from './earlier-versions.ts';
import type { PlanRow, StepRow } from './plan-tables.ts';
import type { ActionRow } from './queue-tables.ts';
import { fromText, unsealed } from './values.ts';

type Reader = Pick<Rows, 'get' | 'all' | 'unseal'>;

/** How a step of a plan ended. */
export interface StepOutcome {
  readonly kind: OutcomeKind;
  /** Why it was skipped or cancelled without an attempt. */
  readonly reason?: string;
  /** Absent for a step that never became an action. */
  readonly outcome?: Outcome;
}

/** How a plan ended. */
export interface PlanOutcome {
  readonly kind: PlanKind;
  readonly steps: Readonly<Record<string, StepOutcome>>;
  /** The sum of the times that its steps took, ms: T1. */
  readonly workMs: number;
  /** From the first start to the last end, ms. */
  readonly makespanMs: number;
  /** Measured: work over makespan. */
  readonly speedUp: number;
}

export function readAction(rows: Reader, id: string): ActionRow | undefined {
  const row = rows.get<ActionRow>('select * from actions where id = ?', id);
  return row && unsealed(rows, row);
}

/** What is told of an outcome: the policy, which may be long, only where a fallback of it stood in. */
const OUTCOME =
  'state, kind, value, error, attempts, quality_loss, band, via, fix, undo, work_ms, submitted_at, started_at, settled_at, ' +
  'iif(via is null, null, policy) as policy';

type OutcomeRow = Pick<
  ActionRow,
  | ('state' | 'kind' | 'value' | 'error' | 'attempts' | 'quality_loss' | 'band' | 'via' | 'fix' | 'undo')
  | ('work_ms' | 'submitted_at' | 'started_at' | 'settled_at')
> & { readonly policy: string | null };

/** The outcome of an action, once it has one. */
export function readOutcome(rows: Reader, id: string): Outcome | undefined {
  const row = rows.get<OutcomeRow>(`select ${OUTCOME} from actions where id = ? and state = 'settled'`, id);
  return row && outcomeOf(unsealed(rows, row));
}

export function outcomeOf(row: OutcomeRow): Outcome | undefined {
  if (row.state !== 'settled') return undefined;
  return {
    kind: row.kind as OutcomeKind,
    ...(row.value === null ? {} : { value: fromText(row.value) }),
    ...(row.error === null ? {} : { error: JSON.parse(row.error) as ErrorRecord }),
    attempts: row.attempts,
    qualityLoss: row.quality_loss,
    ...(row.band === null ? {} : { band: row.band }),
    ...(row.via === null ? {} : { via: row.via }),
    ...(owesWork(row) ? { owes: true } : {}),
    ...(row.fix === null ? {} : { fix: row.fix }),
    ...(row.undo === null ? {} : { undo: row.undo === 'done' ? row.undo : (JSON.parse(row.undo) as ErrorRecord) }),
    workMs: row.work_ms,
    submittedAt: row.submitted_at,
    startedAt: row.started_at,
    settledAt: row.settled_at as number,
  };
}

/** Whether the fallback that stood in left a debt. */
function owesWork({ via, policy }: OutcomeRow): boolean {
  if (via === null || policy === null) return false;
  return policyOfText(policy).fallbacks.some(({ name, owes }) => name === via && owes);
}

export function readPlan(rows: Reader, id: string): PlanRow | undefined {
  return rows.get<PlanRow>('select * from plans where id = ?', id);
}

/** The step whose action has this id, dispatched or not. */
export function stepOfAction(rows: Reader, action: string): StepRow | undefined {
  const row = rows.get<StepRow>('select * from steps where action = ?', action);
  return row && unsealed(rows, row);
}

/** The action of a step's present round, by the step's id, `plan/step`. */
export function stepActionOf(rows: Pick<Rows, 'get'>, step: string): string | undefined {
  return rows.get<Pick<StepRow, 'action'>>('select action from steps where id = ?', step)?.action;
}

/** The newest run of a plan of this name. */
export function newestPlan(rows: Reader, name: string): PlanRow | undefined {
  return rows.get<PlanRow>('select * from plans where name = ? order by seq desc limit 1', name);
}

/** The steps of a plan, the most urgent first: actions and fan-outs, with their items, and no groups, which do nothing. */
export function readSteps(rows: Reader, plan: string): StepRow[] {
  const steps = rows.all<StepRow>('select * from steps where plan = ? order by rank desc, rowid', plan);
  return steps.filter(({ role }) => role !== 'group').map((step) => unsealed(rows, step));
}

export function planOutcome(rows: Reader, id: string): PlanOutcome | undefined {
  const plan = readPlan(rows, id);
  if (plan?.state !== 'settled') return undefined;
  const steps: Record<string, StepOutcome> = {};
  const spans: { from: number; to: number }[] = [];
  for (const { step, kind, reason, action } of readSteps(rows, id)) {
    const row = readAction(rows, action);
    const outcome = row === undefined ? undefined : outcomeOf(row);
    steps[step] = {
      kind: kind as OutcomeKind,
      ...(reason === null ? {} : { reason }),
      ...(outcome === undefined ? {} : { outcome }),
    };
    if (row?.started_at != null && row.settled_at !== null) spans.push({ from: row.started_at, to: row.settled_at });
  }
  return { kind: plan.kind as PlanKind, steps, ...measure(spans) };
}

function measure(
  spans: readonly { from: number; to: number }[],
): Pick<PlanOutcome, 'workMs' | 'makespanMs' | 'speedUp'> {
  const workMs = spans.reduce((sum, { from, to }) => sum + to - from, 0);
  const first = spans.reduce((least, { from }) => Math.min(least, from), Infinity);
  const last = spans.reduce((most, { to }) => Math.max(most, to), -Infinity);
  const makespanMs = spans.length === 0 ? 0 : last - first;
  return { workMs, makespanMs, speedUp: makespanMs === 0 ? 1 : workMs / makespanMs };
}
