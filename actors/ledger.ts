/** Reads what was queued, planned and settled, for the owner of a store and for whoever looks at it from beside. */
import type { ErrorRecord, Outcome, OutcomeKind } from '../machines/outcome.ts';
import { summaryOf, type MeasuredStep, type Summary } from '../machines/summary.ts';
import type { PlanKind } from '../machines/tracks.ts';
import type { Rows } from '../persistence/rows.ts';
import { policyOfText } from './earlier-versions.ts';
import { afterOf, type PlanRow, type StepRow } from './plan-tables.ts';
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
export interface PlanOutcome extends Pick<Summary, 'workMs' | 'makespanMs' | 'speedUp'> {
  readonly kind: PlanKind;
  readonly steps: Readonly<Record<string, StepOutcome>>;
  /** How much was done at once, and where the time went. */
  readonly summary: Summary;
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
function owesWork({ kind, via, policy }: OutcomeRow): boolean {
  if (kind !== 'degraded' || via === null || policy === null) return false;
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

/** What each step of a plan took, the groups and the items of fan-outs, which hold the graph together, among them. */
export function measuredSteps(
  rows: Pick<Rows, 'all'>,
  plan: string,
  actionOf: (action: string) => Pick<ActionRow, 'started_at' | 'settled_at' | 'work_ms' | 'attempts'> | undefined,
): MeasuredStep[] {
  const steps = rows.all<StepRow>('select * from steps where plan = ? order by rowid', plan);
  const items = new Map<string, string[]>();
  for (const { fan, step } of steps) {
    if (fan == null) continue;
    const others = items.get(fan);
    if (others === undefined) items.set(fan, [step]);
    else others.push(step);
  }
  return steps.map(({ step, after, action, saved_ms: savedMs }) => {
    const row = actionOf(action);
    return {
      id: step,
      after: [...(afterOf({ after }) ?? []), ...(items.get(step) ?? [])],
      startedAt: row?.started_at ?? null,
      settledAt: row?.settled_at ?? null,
      workMs: row?.work_ms ?? 0,
      attempts: row?.attempts ?? 0,
      savedMs,
    };
  });
}

/** The steps of a plan, the most urgent first: actions and fan-outs, with their items, and no groups, which do nothing. */
export function readSteps(rows: Reader, plan: string): StepRow[] {
  const steps = rows.all<StepRow>('select * from steps where plan = ? order by rank desc, rowid', plan);
  return steps.filter(({ role }) => role !== 'group').map((step) => unsealed(rows, step));
}

/** The groups that failed although nothing in them did: what they gathered could not be stored. */
function failedGroups(rows: Reader, plan: string): StepRow[] {
  return rows.all<StepRow>(
    `select * from steps g where plan = ? and role = 'group' and kind = 'failed' and not exists (
       select 1 from json_each(g.after) named join steps s on s.id = g.plan || '/' || named.value
       where s.kind in ('failed', 'denied', 'cancelled', 'skipped'))`,
    plan,
  );
}

export function planOutcome(rows: Reader, id: string): PlanOutcome | undefined {
  const plan = readPlan(rows, id);
  if (plan?.state !== 'settled') return undefined;
  const steps: Record<string, StepOutcome> = {};
  const actions = new Map<string, ActionRow | undefined>();
  for (const row of [...readSteps(rows, id), ...failedGroups(rows, id)]) {
    const { step, kind, reason } = row;
    const action = readAction(rows, row.action);
    const outcome = action === undefined ? undefined : outcomeOf(action);
    steps[step] = {
      kind: kind as OutcomeKind,
      ...(reason === null ? {} : { reason }),
      ...(outcome === undefined ? {} : { outcome }),
    };
    actions.set(row.action, action);
  }
  const summary = summaryOf(
    measuredSteps(rows, id, (action) => actions.get(action)),
    plan.slots ?? 0,
  );
  const { workMs, makespanMs, speedUp } = summary;
  return { kind: plan.kind as PlanKind, steps, workMs, makespanMs, speedUp, summary };
}
