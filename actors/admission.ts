/** Whether a submission is queued at all: decided in the turn that would queue it, so that it holds for all that come together. */
import type { Submission } from '../machines/executor.ts';
import type { Rows } from '../persistence/rows.ts';
import { isFull } from './back-pressure.ts';
import { holderOf } from './unique.ts';

/** Nothing stands against it: no action of its unique key, and no queue that is full. */
export function mayEnter(rows: Pick<Rows, 'get'>, submission: Submission): boolean {
  const { unique, at } = submission;
  if (unique !== undefined && holderOf(rows, unique, at) !== undefined) return false;
  return !isFull(rows, submission);
}

/** Whoever comes with the same key finds it. */
export function noteUnique(rows: Pick<Rows, 'run' | 'turn'>, { id, unique }: Submission): void {
  if (unique === undefined) return;
  rows.run('update actions set unique_key = ?, from_turn = ? where id = ?', unique.key, rows.turn, id);
}
