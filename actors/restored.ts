/** What was under way in the turn that was restored: it may have been done since, and whoever wrote the action says what then. */
import type { Pending } from '../machines/executor.ts';
import type { Rows } from '../persistence/rows.ts';
import type { Registry } from './actions.ts';
import type { ActionRow } from './queue-tables.ts';

/** Of those that wait for their next attempt nothing is under way. */
const UNDER_WAY = `select slot, name, version from actions where state = 'running' and retry_at is null`;

/** The actions that are not to go on by themselves. */
export function pendingOf(rows: Pick<Rows, 'all'>, registry: Registry): Pending[] {
  return rows.all<Pick<ActionRow, 'slot' | 'name' | 'version'>>(UNDER_WAY).flatMap(({ slot, name, version }) => {
    const policy = registry.find(name, version)?.onRestore ?? 'ask';
    return policy === 'run' || slot === null ? [] : [{ slot, policy }];
  });
}

/** How many attempts are under way. */
export function countUnderWay(rows: Pick<Rows, 'get'>): number {
  return (
    rows.get<{ n: number }>(`select count(*) as n from actions where state = 'running' and retry_at is null`)?.n ?? 0
  );
}
