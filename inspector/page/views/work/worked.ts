/** How long an action worked. */
import type { ActionDetail } from '../../../views/work.ts';

/** ms. Of a single try that is over, all of it was work: what is shorter than what is measured is still no nothing. */
export function workedMs({
  workMs,
  attempts,
  startedAt,
  settledAt,
}: Pick<ActionDetail, 'workMs' | 'attempts' | 'startedAt' | 'settledAt'>): number {
  if (workMs > 0 || attempts > 1 || startedAt === null || settledAt === null) return workMs;
  return Math.max(0, settledAt - startedAt);
}
