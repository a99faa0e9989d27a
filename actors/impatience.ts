/**
 * Lets begin now what would begin later: the next attempt of an action that backs off, and an action that was submitted for later.
 * Pauses, limits and open breakers count as ever.
 */
import { PerdureError } from '../errors.ts';
import { shown } from '../machines/option-keys.ts';
import type { Rows } from '../persistence/rows.ts';
import { admit, type Placed } from './keys.ts';
import type { QueueStep } from './lanes.ts';
import { stepActionOf } from './ledger.ts';
import type { ActionRow } from './queue-tables.ts';

/** The next attempt is due now. Gives the slot, and the attempt that it comes after; undefined when nothing waits there. */
export function endWait({ rows, now }: QueueStep, id: string): { slot: number; attempt: number } | undefined {
  const row = rows.get<Pick<ActionRow, 'slot' | 'attempts'>>(
    `select slot, attempts from actions where id = ? and state = 'running' and slot is not null and retry_at is not null`,
    id,
  );
  if (row === undefined) return undefined;
  rows.run('update actions set retry_at = min(retry_at, ?), from_turn = ? where id = ?', now(), rows.turn, id);
  return { slot: row.slot as number, attempt: row.attempts };
}

/** It waits for its turn, as what was submitted without a time does. */
export function endDelay(step: QueueStep, id: string): void {
  const { rows } = step;
  const row = rows.get<Placed>(`select id, lane, key from actions where id = ? and state = 'delayed'`, id);
  if (row === undefined) return;
  rows.run('update actions set not_before = null, from_turn = ? where id = ?', rows.turn, id);
  admit(step, row);
}

type Found = Pick<ActionRow, 'id' | 'state' | 'kind' | 'retry_at' | 'attempts' | 'plan'>;

/** The id of the action whose next attempt is to come now, also for that of a step. Throws ACTION_NOT_FOUND, ACTION_CONFLICT. */
export function backingOffId(rows: Pick<Rows, 'get'>, id: string): string {
  const row = foundIn(rows, id);
  if (row.state === 'running' && row.retry_at !== null) return row.id;
  throw conflict(row, 'does not wait for its next attempt');
}

/** The id of the action that is to be queued now, also for that of a step. Throws ACTION_NOT_FOUND, ACTION_CONFLICT. */
export function delayedId(rows: Pick<Rows, 'get'>, id: string): string {
  const row = foundIn(rows, id);
  if (row.state === 'delayed') return row.id;
  throw conflict(row, 'does not wait for its time');
}

function foundIn(rows: Pick<Rows, 'get'>, id: string): Found {
  const action = stepActionOf(rows, id);
  const columns = 'id, state, kind, retry_at, attempts, plan';
  const row = rows.get<Found>(`select ${columns} from actions where id = ?`, action ?? id);
  if (row !== undefined) return row;
  if (action === undefined)
    throw new PerdureError('ACTION_NOT_FOUND', `There is no action ${shown(id)}.`, { facts: { id } });
  throw new PerdureError(
    'ACTION_CONFLICT',
    `The step ${shown(id)} has no action yet: it waits for the steps that it comes after.`,
    { facts: { id } },
  );
}

/** What it does instead, and what would help. */
function conflict(row: Found, not: string): PerdureError {
  const { id, state, kind } = row;
  return new PerdureError('ACTION_CONFLICT', `The action ${shown(id)} ${not}: ${standing(row)}.`, {
    facts: { id, state, kind },
  });
}

function standing({ state, kind, retry_at: retryAt, attempts, plan }: Found): string {
  if (state === 'settled' && kind === 'failed')
    return plan === null
      ? 'it has failed for good; requeue it to give it another round'
      : `it has failed for good; give the plan ${shown(plan)} another round`;
  if (state === 'settled') return `its outcome is ${kind}`;
  if (state === 'running')
    return retryAt === null ? `attempt ${attempts} is under way` : 'it has begun, and waits for its next attempt';
  return REASONS[state];
}

const REASONS = {
  delayed: 'it was submitted for later, and can be run now',
  held: 'others of its key come first',
  waiting: 'it is in the queue, and begins when there is room, or its component is back',
  asking: 'it waits for an approval',
  parked: 'no handler of its name and version is registered',
} as const;
