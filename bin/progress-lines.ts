/** What is said of a run while it goes on, as text: one line for each change, and a table of what is under way. */
import { isSuccess } from '../machines/outcome.ts';
import type { ActionPolicy } from '../machines/action-policy.ts';
import { VIA_MEMO } from '../actors/memos.ts';
import type { ActionRow } from '../actors/queue-tables.ts';
import type { ErrorRecord } from '../machines/outcome.ts';
import { shownDuration } from './duration.ts';
import type { Paint } from './terminal.ts';
import { textTable } from './text-table.ts';

/** The attempt and how many there may be, if there may be more than one. */
function attemptOf(attempt: number, row: Pick<ActionRow, 'policy'>): string {
  const { retry } = JSON.parse(row.policy) as ActionPolicy;
  return retry.attempts === 1 ? '' : `attempt ${attempt} of ${retry.attempts}`;
}

export function startedLine(step: string, attempt: number, row: ActionRow): string {
  const which = attemptOf(attempt, row);
  return `▸ ${step} started${which === '' ? '' : ` (${which})`}`;
}

export function retryLine(step: string, delayMs: number, error: ErrorRecord | null, paint: Paint): string {
  const what = error === null ? 'failed' : firstLine(error.message);
  return paint.warn(`↻ ${step} ${what}`) + `; next attempt in ${shownDuration(delayMs)}`;
}

export function settledLine(step: string, row: ActionRow, paint: Paint): string {
  const { kind, started_at: from, settled_at: to, attempts, via } = row;
  if (kind === 'ok' && via === VIA_MEMO) return paint.dim(`✔ ${step} unchanged`);
  const time = from === null || to === null ? '' : ` in ${shownDuration(to - from)}`;
  const times = attempts > 1 ? ` after ${attempts} attempts` : '';
  if (kind !== null && isSuccess(kind)) {
    return (kind === 'ok' ? paint.good : paint.warn)(`✔ ${step} ${kind}`) + `${times}${time}`;
  }
  const error = row.error === null ? '' : `: ${firstLine((JSON.parse(row.error) as ErrorRecord).message)}`;
  return paint.bad(`✖ ${step} ${kind ?? row.state}`) + `${times}${time}${error}`;
}

function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').replace(/\.$/, '');
}

/** How many steps of a run are where. */
export interface RunCounts {
  readonly total: number;
  readonly settled: number;
  readonly asking: number;
}

/** An action that is under way, as the table shows it. */
export type ActiveRow = Pick<ActionRow, 'id' | 'attempts' | 'started_at' | 'retry_at' | 'error' | 'policy'> & {
  readonly step: string;
};

/** The live table: the counts, and as many steps as fit. Lines are cut to the width, so that they can be drawn over. */
export function liveLines(
  run: string,
  counts: RunCounts,
  active: readonly ActiveRow[],
  now: number,
  size: { readonly columns: number; readonly rows: number },
): string[] {
  const room = Math.max(1, size.rows - 4);
  const [, ...rows] = textTable(active.slice(0, room), [
    { title: '', of: ({ retry_at: at }) => (at === null ? '  ▸' : '  ↻') },
    { title: '', of: ({ step }) => step },
    { title: '', of: ({ started_at: from }) => (from === null ? '' : shownDuration(now - from)), align: 'right' },
    { title: '', of: (row) => doing(row, now) },
  ]);
  const more = active.length > room ? [`  and ${active.length - room} more`] : [];
  const asking = counts.asking === 0 ? '' : `, ${counts.asking} waiting for an approval`;
  const head = `${run}: ${counts.settled} of ${counts.total} done, ${active.length} under way${asking}`;
  return [head, ...rows, ...more].map((line) => line.slice(0, Math.max(10, size.columns - 1)));
}

function doing(row: ActiveRow, now: number): string {
  const attempt = attemptOf(row.attempts, row);
  if (row.retry_at === null) return attempt;
  return `${attempt} failed, next in ${shownDuration(Math.max(0, row.retry_at - now))}`;
}
