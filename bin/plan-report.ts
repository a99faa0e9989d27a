/** What is known of a run of a plan: the document of `--json`, and what every text about a run is made from. */
import { shownError } from './shown-error.ts';
import { existsSync } from 'node:fs';
import { openApprovals, type Approval } from '../actors/approval-ledger.ts';
import type { RankedFor } from '../machines/executor.ts';
import type { Band } from '../machines/gate.ts';
import { isSuccess, type ErrorRecord, type OutcomeKind } from '../machines/outcome.ts';
import { summaryOf, type Summary } from '../machines/summary.ts';
import type { PlanKind } from '../machines/tracks.ts';
import { measuredSteps, readPlan, readSteps } from '../actors/ledger.ts';
import type { PlanRow, StepRow } from '../actors/plan-tables.ts';
import type { ActionRow } from '../actors/queue-tables.ts';
import {
  actionFolder,
  fallbackNamed,
  filesBeside,
  lastGeneration,
  outputFileOf,
  standInFolder,
} from '../actors/step-files.ts';
import { fromText, unsealed } from '../actors/values.ts';
import { standingOf, type Standing } from './standing.ts';
import { hasTable, type StoreReader } from '../persistence/store-reader.ts';

export type StepState =
  'waiting' | 'delayed' | 'held' | 'queued' | 'running' | 'retrying' | 'asking' | 'parked' | 'settled';

export interface StepReport {
  readonly id: string;
  readonly action: string;
  readonly state: StepState;
  readonly kind?: OutcomeKind;
  readonly attempts: number;
  /** Wall-clock ms since 1970. */
  readonly startedAt?: number;
  readonly settledAt?: number;
  /** From the first start to the end: waits between attempts, which hold the slot, and interruptions included. */
  readonly ms?: number;
  /** How long it was expected to take, as its plan says or as was learned, ms. Absent for an action of no plan. */
  readonly estimateMs?: number;
  readonly value?: unknown;
  /** Why it was skipped or cancelled without an attempt. */
  readonly reason?: string;
  readonly error?: ErrorRecord;
  /** How the gate let it pass, and what it gave for its going well; `ask` when somebody was asked. */
  readonly band?: Band;
  readonly score?: number;
  /** The fallback whose value it is, or `memo` for the value of an earlier run. */
  readonly via?: string;
  /** What a success lacks of the real thing, composed with what it depends on; absent for nothing. */
  readonly qualityLoss?: number;
  /** What its attempts had done was undone, or could not be. */
  readonly undo?: 'done' | ErrorRecord;
  /** While it asks. */
  readonly approval?: Approval;
  /** While it backs off: when the next attempt is due. */
  readonly retryAt?: number;
  /** By when its outcome is, or was, wanted. */
  readonly dueAt?: number;
  /** When it was told that it will be late. */
  readonly atRiskAt?: number;
  /** It settled after it was due, or has not settled and was told to be late. */
  readonly isLate?: true;
  /** Why it was ranked anew while it waited, the last time. */
  readonly ranked?: RankedFor;
  /** What the last attempt printed. */
  readonly outputFile?: string;
}

export interface PlanReport extends Pick<Summary, 'workMs' | 'makespanMs' | 'speedUp' | 'atOnce'> {
  readonly plan: string;
  readonly name: string;
  readonly state: PlanRow['state'];
  readonly kind?: PlanKind;
  readonly submittedAt: number;
  readonly settledAt?: number;
  readonly steps: readonly StepReport[];
  /** How much was done at once, and where the time went. */
  readonly summary: Summary;
  /** How the components and the budget of the whole store stand now. */
  readonly standing: Standing;
}

/** A run as it stands; undefined if the store has none of this id. */
export function planReport(rows: StoreReader, store: string, id: string): PlanReport | undefined {
  const plan = readPlan(rows, id);
  if (plan === undefined) return undefined;
  const actions = actionsOf(rows, id);
  const asking = approvalsByAction(rows);
  const rowsOfSteps = readSteps(rows, id);
  const steps = rowsOfSteps.map((step) => {
    return stepReport(step, actions.get(step.action), store, asking.get(step.action));
  });
  const measured = measuredSteps(rows, id, (action) => actions.get(action));
  // An older Perdure made the table without that column.
  const summary = summaryOf(measured, plan.slots ?? 0);
  const { workMs, makespanMs, speedUp, atOnce } = summary;
  return {
    plan: id,
    name: plan.name,
    state: plan.state,
    ...(plan.kind === null ? {} : { kind: plan.kind }),
    submittedAt: plan.submitted_at,
    ...(plan.settled_at === null ? {} : { settledAt: plan.settled_at }),
    steps: steps.toSorted((a, b) => (a.startedAt ?? Infinity) - (b.startedAt ?? Infinity) || 0),
    workMs,
    makespanMs,
    speedUp,
    atOnce,
    summary,
    standing: standingOf(rows),
  };
}

function actionsOf(rows: StoreReader, plan: string): Map<string, ActionRow> {
  const found = rows.all<ActionRow>(
    'select actions.* from steps join actions on actions.id = steps.action where steps.plan = ?',
    plan,
  );
  return new Map(found.map((row) => [row.id, unsealed(rows, row)]));
}

function approvalsByAction(rows: StoreReader): Map<string, Approval> {
  const open = hasTable(rows, 'approvals') ? openApprovals(rows) : [];
  return new Map(open.map((approval) => [approval.action, approval]));
}

function stepReport(
  step: StepRow,
  row: ActionRow | undefined,
  store: string,
  approval: Approval | undefined,
): StepReport {
  const { kind, reason } = step;
  const about = {
    id: step.step,
    state: stepState(step, row),
    ...(kind === null ? {} : { kind }),
    estimateMs: step.estimate_ms,
  };
  if (row === undefined) {
    return { ...about, action: step.action, attempts: 0, ...(reason === null ? {} : { reason }) };
  }
  return { ...about, ...actionReport(row, store, approval), ...(reason === null ? {} : { reason }) };
}

/** What a step is doing. */
export function stepState(step: StepRow, row: ActionRow | undefined): StepState {
  if (step.state === 'settled') return 'settled';
  if (row === undefined || step.state !== 'dispatched') return 'waiting';
  return actionState(row);
}

/** What an action is doing. */
export function actionState({ state, retry_at: retryAt }: ActionRow): StepState {
  if (state === 'running') return retryAt === null ? 'running' : 'retrying';
  return state === 'waiting' ? 'queued' : state;
}

/** An older Perdure made the table without these columns. */
type ReadRow = Omit<ActionRow, 'band' | 'score' | 'via' | 'undo' | keyof DueRow> & Partial<ActionRow>;
type DueRow = Pick<ActionRow, 'due_at' | 'at_risk_at' | 'review_at' | 'why'>;

/** What is known of an action, with or without a plan. */
export function actionReport(
  row: ReadRow,
  store: string,
  approval?: Approval,
): Omit<StepReport, 'id' | 'state' | 'kind' | 'reason' | 'estimateMs'> {
  const { started_at: startedAt, settled_at: settledAt, retry_at: retryAt, value, error } = row;
  const { band = null, score = null, via = null, quality_loss: qualityLoss, undo = null } = row;
  const outputFile = outputFileIn(store, row);
  return {
    action: row.id,
    attempts: row.attempts,
    ...(startedAt === null ? {} : { startedAt }),
    ...(settledAt === null ? {} : { settledAt }),
    ...(startedAt === null || settledAt === null ? {} : { ms: settledAt - startedAt }),
    ...(value === null ? {} : { value: fromText(value) }),
    ...(error === null ? {} : { error: shownError(JSON.parse(error) as ErrorRecord) }),
    ...(retryAt === null ? {} : { retryAt }),
    ...(band === null ? {} : { band }),
    ...(score === null ? {} : { score }),
    ...(via === null ? {} : { via }),
    ...(row.kind !== null && isSuccess(row.kind) && qualityLoss > 0 ? { qualityLoss } : {}),
    ...(undo === null ? {} : { undo: undo === 'done' ? undo : shownError(JSON.parse(undo) as ErrorRecord) }),
    ...(approval === undefined ? {} : { approval }),
    ...dueReport(row),
    ...(outputFile === undefined ? {} : { outputFile }),
  };
}

function dueReport(
  row: Partial<DueRow> & Pick<ActionRow, 'settled_at'>,
): Pick<StepReport, 'dueAt' | 'atRiskAt' | 'isLate' | 'ranked'> {
  const { due_at: dueAt = null, at_risk_at: atRiskAt = null, review_at: reviewAt = null, why = null, settled_at } = row;
  const isLate = dueAt !== null && (settled_at === null ? reviewAt === null : settled_at > dueAt);
  return {
    ...(dueAt === null ? {} : { dueAt }),
    ...(atRiskAt === null ? {} : { atRiskAt }),
    ...(isLate ? { isLate } : {}),
    ...(why === null ? {} : { ranked: why }),
  };
}

/** The output of the fallback whose value it is, or else of the last attempt that printed. */
function outputFileIn(
  store: string,
  row: Pick<ActionRow, 'id' | 'attempts' | 'settled_at'> & Partial<ActionRow>,
): string | undefined {
  const { id, attempts, settled_at: settledAt, via = null } = row;
  const files = filesBeside(store);
  const printed = (folder: string, attempt: number) =>
    outputFileOf(lastGeneration(folder, attempt, settledAt ?? Infinity), attempt);
  const own = actionFolder(files, id);
  const candidates = [printed(standInFolder(files, id, fallbackNamed(via ?? 'fallback')), attempts)];
  candidates.push(printed(own, attempts));
  if (attempts > 1) candidates.push(printed(own, attempts - 1));
  return candidates.find((file) => existsSync(file));
}
