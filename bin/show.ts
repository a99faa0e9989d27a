/** `perdure show <id>`: a plan, a step of one (`run/step`), or an action. */
import { availableParallelism } from 'node:os';
import { openApprovals } from '../actors/approval-ledger.ts';
import { readAction } from '../actors/ledger.ts';
import { planProgress, type PlanProgress } from '../actors/plan-progress.ts';
import type { ActionRow } from '../actors/queue-tables.ts';
import { PerdureError } from '../errors.ts';
import { riskText, silenceText } from './approval-text.ts';
import { shownDuration } from './duration.ts';
import { actionReport, actionState, planReport, type PlanReport, type StepReport } from './plan-report.ts';
import { planSummary } from './plan-summary.ts';
import { progressTree } from './progress-tree.ts';
import { shownOutput } from './step-output.ts';
import { storeOf } from './named-store.ts';
import { hasSupervisor, readStore, type StoreReader } from '../persistence/store-reader.ts';
import { paintFor } from './terminal.ts';

export interface ShowOptions {
  readonly store?: string;
  readonly json?: boolean;
}

type Found =
  | { readonly type: 'plan'; readonly plan: PlanReport & { readonly progress: PlanProgress } }
  | { readonly type: 'step'; readonly plan: string; readonly step: StepReport }
  | { readonly type: 'action'; readonly action: ActionReport };

type ActionReport = StepReport & { readonly name: string; readonly version: string };

/** Prints what has this id. Throws ACTION_NOT_FOUND. */
export function show(id: string, { store: named, json }: ShowOptions): number {
  const store = storeOf(named);
  const found = readStore(store, (rows) => (hasSupervisor(rows) ? find(rows, store, id) : undefined));
  if (found === undefined) throw notFound(id, store);
  process.stdout.write(
    json === true ? `${JSON.stringify(documentOf(found), null, 2)}\n` : `${textOf(found).join('\n')}\n`,
  );
  return 0;
}

/** What is thrown for an id that is neither a plan's nor an action's. */
export function notFound(id: string, store: string): PerdureError {
  return new PerdureError(
    'ACTION_NOT_FOUND',
    `there is no plan, step or action "${id}" in ${store}: see \`perdure ls\``,
    {
      facts: { id },
    },
  );
}

function find(rows: StoreReader, store: string, id: string): Found | undefined {
  const plan = planReport(rows, store, id);
  if (plan !== undefined) {
    const progress = planProgress(rows, id, Math.max(2, availableParallelism()), Date.now()) as PlanProgress;
    return { type: 'plan', plan: { ...plan, progress } };
  }
  const step = findStep(rows, store, id);
  if (step !== undefined) return step;
  const row = readAction(rows, id);
  return row === undefined ? undefined : { type: 'action', action: reportOf(row, rows, store) };
}

function findStep(rows: StoreReader, store: string, id: string): Found | undefined {
  const key = rows.get<{ plan: string; step: string }>('select plan, step from steps where id = ?', id);
  const plan = key === undefined ? undefined : planReport(rows, store, key.plan);
  const step = plan?.steps.find((one) => one.id === key?.step);
  return plan === undefined || step === undefined ? undefined : { type: 'step', plan: plan.plan, step };
}

function reportOf(row: ActionRow, rows: StoreReader, store: string): ActionReport {
  const { id, name, version, kind, state } = row;
  const approval = state === 'asking' ? openApprovals(rows, -1).find(({ action }) => action === id) : undefined;
  return {
    id,
    name,
    version,
    state: actionState(row),
    ...(kind === null ? {} : { kind }),
    ...actionReport(row, store, approval),
  };
}

function documentOf(found: Found): unknown {
  if (found.type === 'plan') return found.plan;
  return found.type === 'step' ? { plan: found.plan, ...found.step } : found.action;
}

function textOf(found: Found): string[] {
  if (found.type === 'plan') {
    const paint = paintFor(process.stdout);
    const tree = progressTree(found.plan.progress, paint);
    return [...tree, ...(tree.length === 0 ? [] : ['']), ...planSummary(found.plan, paint)];
  }
  if (found.type === 'step') return [`step ${found.step.id} of ${found.plan}`, ...details(found.step)];
  const { id, name, version } = found.action;
  return [`action ${id}: ${name}, version ${version}`, ...details(found.action)];
}

function lateness({ isLate, atRiskAt, settledAt }: StepReport): string {
  if (isLate === true) return ', late';
  return atRiskAt === undefined || settledAt !== undefined ? '' : ', at risk';
}

function details(of: StepReport): string[] {
  const time = (at: number | undefined) => (at === undefined ? undefined : new Date(at).toISOString());
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['state', of.state === 'parked' ? 'parked: the owner of the store has no such action' : (of.kind ?? of.state)],
    ['asks', of.approval && `${of.approval.summary} (${riskText(of.approval)}; ${silenceText(of.approval)})`],
    ['band', of.band && `${of.band}${of.score === undefined ? '' : `, score ${of.score.toFixed(2)}`}`],
    ['attempts', String(of.attempts)],
    ['started', time(of.startedAt)],
    ['settled', time(of.settledAt)],
    ['took', of.ms === undefined ? undefined : shownDuration(of.ms)],
    ['expected', of.estimateMs === undefined ? undefined : shownDuration(of.estimateMs)],
    ['next try', time(of.retryAt)],
    ['due', time(of.dueAt) && `${time(of.dueAt)}${lateness(of)}`],
    ['ranked', of.ranked && `anew: ${of.ranked}`],
    ['reason', of.reason],
    [
      'error',
      of.error === undefined ? undefined : `${of.error.message}${of.error.code === null ? '' : ` [${of.error.code}]`}`,
    ],
    ['via', of.via && (of.kind === 'degraded' ? `the fallback ${of.via}` : 'an earlier run: nothing has changed')],
    ['quality', of.qualityLoss === undefined ? undefined : (1 - of.qualityLoss).toFixed(2)],
    ['undo', of.undo && (of.undo === 'done' ? 'what it did was undone' : `failed: ${of.undo.message}`)],
    ['value', of.value === undefined ? undefined : JSON.stringify(of.value)],
  ];
  const lines = facts.flatMap(([name, value]) => (value === undefined ? [] : [`  ${name.padEnd(8)}  ${value}`]));
  return of.outputFile === undefined ? lines : [...lines, '', ...shownOutput(of.outputFile)];
}
