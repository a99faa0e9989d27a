/** `perdure dead`: what has failed for good, queueing it again, and putting it away. */
import { deadActions, type DeadAction } from '../actors/dead-letter-rows.ts';
import { EXIT } from './failure.ts';
import { give, type RemoteOptions } from './remote.ts';
import { shownError } from './shown-error.ts';
import { storeOf } from './named-store.ts';
import { hasSupervisor, readStore, refuseOlderTable, type StoreReader } from '../persistence/store-reader.ts';
import { textTable } from './text-table.ts';

export interface DeadListOptions extends RemoteOptions {
  readonly json?: boolean;
  readonly limit?: number;
  readonly after?: string;
}

const LISTED = 100;

/** Prints what has failed for good, in the order in which it was submitted. */
export function listDead({ store: named, json, limit = LISTED, after }: DeadListOptions): number {
  const store = storeOf(named);
  const found = readStore(store, (rows) => (isReady(rows, store) ? deadActions(rows, limit, after) : [])).map(
    (dead) => ({ ...dead, error: dead.error && shownError(dead.error) }),
  );
  process.stdout.write(
    json === true ? `${JSON.stringify(found, null, 2)}\n` : `${text(found, store, limit).join('\n')}\n`,
  );
  return EXIT.ok;
}

/** Gives actions another round. Throws DEAD_LETTER_NOT_FOUND, ACTION_CONFLICT. */
export function requeueDead(ids: readonly string[], options: RemoteOptions): Promise<number> {
  return give(options, { command: 'requeue', params: { ids } });
}

/** Takes actions off the list. Throws DEAD_LETTER_NOT_FOUND. */
export function discardDead(ids: readonly string[], options: RemoteOptions): Promise<number> {
  return give(options, { command: 'discard', params: { ids } });
}

function isReady(rows: StoreReader, store: string): boolean {
  if (!hasSupervisor(rows)) return false;
  refuseOlderTable(rows, store, 'actions', 'discarded_at');
  return true;
}

function text(dead: readonly DeadAction[], store: string, limit: number): string[] {
  if (dead.length === 0) return [`no dead letters in ${store}`];
  const table = textTable(dead, [
    { title: 'id', of: ({ id }) => id },
    { title: 'action', of: ({ name }) => name },
    { title: 'attempts', of: ({ attempts }) => String(attempts), align: 'right' },
    { title: 'round', of: ({ round }) => String(round), align: 'right' },
    { title: 'failed', of: ({ failedAt }) => new Date(failedAt).toISOString() },
    { title: 'error', of: ({ error }) => (error?.message ?? '').split('\n', 1)[0] ?? '' },
  ]);
  const last = dead.at(-1) as DeadAction;
  return dead.length < limit ? table : [...table, `more: perdure dead ls --after '${last.id}'`];
}
