/** What is printed of a run, mostly when it has ended: each step with its place in time, what was retried, and the speed-up. */
import { VIA_MEMO } from '../actors/memos.ts';
import { isSuccess } from '../machines/outcome.ts';
import type { Summary } from '../machines/summary.ts';
import { silenceText } from './approval-text.ts';
import { shownDuration } from './duration.ts';
import type { PlanReport, StepReport } from './plan-report.ts';
import { pathLines, speedUpLine } from './speed-up.ts';
import { standingLines } from './standing.ts';
import { textTable, type Column } from './text-table.ts';
import type { Paint } from './terminal.ts';

const CHART_WIDTH = 32;

/** The summary, as lines. */
export function planSummary(report: PlanReport, paint: Paint, now = Date.now()): string[] {
  return [
    headline(report, paint),
    '',
    ...textTable(report.steps, stepColumns(report, paint)),
    '',
    ...unchanged(report.summary),
    ...retried(report),
    ...standingLines(report.standing),
    ...(report.kind === undefined ? soFar(report, now) : ended(report)),
  ];
}

function headline({ plan, kind, state, steps }: PlanReport, paint: Paint): string {
  const counts = countsOf(steps);
  if (kind === 'ok') return paint.good(`${plan} went well`) + `: ${counts}`;
  return paint.bad(`${plan} ${kind ?? `is ${state}`}`) + `: ${counts}`;
}

/** Such as `9 ok, 1 failed, 2 skipped`. */
export function countsOf(steps: readonly StepReport[]): string {
  const counts = new Map<string, number>();
  for (const { kind, state } of steps) counts.set(kind ?? state, (counts.get(kind ?? state) ?? 0) + 1);
  return [...counts].map(([what, count]) => `${count} ${what}`).join(', ');
}

/** The table of a run's steps. */
export function stepColumns(report: PlanReport, paint: Paint): Column<StepReport>[] {
  return [
    { title: 'step', of: ({ id }) => id },
    { title: 'outcome', of: ({ kind, state }) => kind ?? state, paint: (text, { kind }) => painted(text, kind, paint) },
    ...gateColumn(report),
    { title: 'attempts', of: ({ attempts }) => String(attempts), align: 'right' },
    { title: 'time', of: ({ ms }) => (ms === undefined ? '' : shownDuration(ms)), align: 'right' },
    ...estimateColumn(report),
    { title: 'when', of: (step) => bar(step, report), paint: (text) => paint.dim(text) },
    { title: '', of: why },
  ];
}

/** Only where the gate had something to say. */
function gateColumn({ steps }: PlanReport): Column<StepReport>[] {
  const isOpen = steps.every(({ band }) => band === undefined || band === 'immediate');
  return isOpen ? [] : [{ title: 'gate', of: ({ band }) => band ?? '' }];
}

/** How long each was expected to take. */
function estimateColumn({ steps }: PlanReport): Column<StepReport>[] {
  const of = ({ estimateMs }: StepReport) => (estimateMs === undefined ? '' : shownDuration(estimateMs));
  return steps.every(({ estimateMs }) => estimateMs === undefined) ? [] : [{ title: 'expected', of, align: 'right' }];
}

function painted(text: string, kind: StepReport['kind'], paint: Paint): string {
  if (kind === undefined) return text;
  if (!isSuccess(kind)) return kind === 'skipped' ? paint.dim(text) : paint.bad(text);
  return kind === 'ok' ? paint.good(text) : paint.warn(text);
}

/** Where in the run's time the step ran: steps that ran at the same time are one above the other. */
function bar({ startedAt, settledAt }: StepReport, { steps, makespanMs }: PlanReport): string {
  if (startedAt === undefined || settledAt === undefined || makespanMs === 0) return '';
  const first = steps.reduce((least, step) => Math.min(least, step.startedAt ?? Infinity), Infinity);
  const at = (moment: number) => Math.round(((moment - first) / makespanMs) * CHART_WIDTH);
  const from = Math.min(at(startedAt), CHART_WIDTH - 1);
  const to = Math.max(at(settledAt), from + 1);
  return '·'.repeat(from) + '█'.repeat(to - from) + '·'.repeat(CHART_WIDTH - to);
}

function why({ reason, error, kind, via, undo, approval }: StepReport): string {
  if (approval !== undefined) return `asks: ${silenceText(approval)}`;
  if (kind === 'ok' && via === VIA_MEMO) return 'unchanged';
  if (kind === 'ok' || kind === 'recovered') return '';
  const [line = ''] = (reason ?? error?.message ?? '').split('\n');
  if (kind === 'degraded')
    return `${via === undefined || via === 'fallback' ? 'fallback' : `fallback ${via}`} after: ${line}`;
  if (undo === undefined) return line;
  return `${line}; ${undo === 'done' ? 'undone' : `not undone: ${undo.message.split('\n', 1)[0]}`}`;
}

function unchanged({ unchanged: steps, savedMs }: Summary): string[] {
  return steps.length === 0 ? [] : [`unchanged: ${steps.join(', ')}, which saved ${shownDuration(savedMs)} of work`];
}

function retried({ steps }: PlanReport): string[] {
  const again = steps.filter(({ attempts }) => attempts > 1);
  if (again.length === 0) return [];
  const told = again.map(
    ({ id, attempts, error }) => `${id} (${attempts} attempts${error ? `; ${error.message}` : ''})`,
  );
  return [`retried: ${told.join(', ')}`];
}

function ended({ steps, summary }: PlanReport): string[] {
  return steps.some(hasRun) ? [speedUpLine(summary), ...pathLines(summary)] : ['nothing ran'];
}

/** Of a run that has not ended. */
function soFar(report: PlanReport, now: number): string[] {
  const running = report.steps.filter(({ state }) => state === 'running' || state === 'retrying');
  const told = running.map(({ id, startedAt = now }) => `${id} (for ${shownDuration(Math.max(0, now - startedAt))})`);
  const done = report.steps.some(hasRun) ? [`so far ${speedUpLine(report.summary)}`] : [];
  if (told.length > 0) return [...done, `under way: ${told.join(', ')}`];
  return done.length > 0 ? done : ['nothing has run yet'];
}

function hasRun({ startedAt, settledAt }: StepReport): boolean {
  return startedAt !== undefined && settledAt !== undefined;
}
