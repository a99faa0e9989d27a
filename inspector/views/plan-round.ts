/** Whether the plan of an action may be given another round: one that went well is not. */
import type { Reader } from '../sources/view-world.ts';

export function canRetryPlan(rows: Pick<Reader, 'get'>, plan: string | null): boolean {
  if (plan === null) return false;
  const row = rows.get<{ kind: string | null }>('select kind from plans where id = ?', plan);
  return row !== undefined && row.kind !== 'ok';
}
