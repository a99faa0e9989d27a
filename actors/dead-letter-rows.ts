/**
 * Actions that have failed for good, as rows: found in the order in which they were submitted, queued again for another round, or
 * put away. A payment of a debt is none: the debt says what becomes of it.
 */
import { PerdureError } from '../errors.ts';
import { isObject } from '../machines/option-keys.ts';
import type { ErrorRecord } from '../machines/outcome.ts';
import type { Rows } from '../persistence/rows.ts';
import type { Registry } from './actions.ts';
import type { ActionRow } from './queue-tables.ts';
import { holderOf } from './unique.ts';
import { UNREADABLE, readable } from './unreadable.ts';
import { unsealedText } from './values.ts';

/** An action that has failed for good. */
export interface DeadAction {
  readonly id: string;
  /** The action's name. */
  readonly name: string;
  readonly version: string;
  /** The plan it is a step of: `retryPlan` gives that another round. Null for none. */
  readonly plan: string | null;
  readonly error: ErrorRecord | null;
  /** Of the last round. */
  readonly attempts: number;
  /** 1, and one more for each time that it was queued again. */
  readonly round: number;
  /** ms since 1970. */
  readonly submittedAt: number;
  readonly failedAt: number;
}

/** As `actions_dead` has them. */
const IS_DEAD = `kind = 'failed' and discarded_at is null and pays is null`;

type Reader = Pick<Rows, 'get' | 'all' | 'unseal'>;

/**
 * What has failed for good, in the order in which it was submitted, after the action of the id `after`, dead or not. Throws
 * ACTION_NOT_FOUND.
 */
export function deadActions(rows: Reader, limit: number, after?: string): DeadAction[] {
  const found = rows.all<ActionRow>(
    `select * from actions where ${IS_DEAD} and seq > ? order by seq limit ?`,
    after === undefined ? 0 : placeOf(rows, after),
    limit,
  );
  return found.map((row) => deadAction(rows, row));
}

function placeOf(rows: Pick<Rows, 'get'>, id: string): number {
  const row = rows.get<Pick<ActionRow, 'seq'>>('select seq from actions where id = ?', id);
  if (row !== undefined) return row.seq;
  throw new PerdureError('ACTION_NOT_FOUND', `There is no action "${id}" to list dead letters after.`, {
    facts: { id },
  });
}

function deadAction(rows: Pick<Rows, 'unseal'>, row: ActionRow): DeadAction {
  const { id, name, version, plan, error, attempts, round } = row;
  return {
    id,
    name,
    version,
    plan,
    error: error === null ? null : errorOf(rows, error),
    attempts,
    round,
    submittedAt: row.submitted_at,
    failedAt: row.settled_at as number,
  };
}

const DAMAGED: ErrorRecord = {
  name: 'Unreadable',
  code: 'ROW_CORRUPT',
  message: UNREADABLE,
  class: 'permanent',
  fingerprint: UNREADABLE,
};

function errorOf(rows: Pick<Rows, 'unseal'>, text: string): ErrorRecord {
  const error = readable(() => JSON.parse(unsealedText(rows, text)) as unknown, undefined);
  return isObject(error) ? (error as unknown as ErrorRecord) : DAMAGED;
}

/** What must be known of an action to give it another round. */
export type DeadRow = Pick<ActionRow, 'id' | 'name' | 'version' | 'plan' | 'unique_key'>;

export function readDead(rows: Pick<Rows, 'get'>, id: string): DeadRow | undefined {
  return rows.get<DeadRow>(`select id, name, version, plan, unique_key from actions where id = ? and ${IS_DEAD}`, id);
}

/** The unsettled action that has the unique key which this one would need again. */
export function rivalOf(rows: Pick<Rows, 'get'>, { unique_key: key }: Pick<DeadRow, 'unique_key'>): string | undefined {
  return key === null ? undefined : holderOf(rows, { key, withinMs: null }, 0)?.id;
}

/**
 * Begins another round of an action: nothing is left of the last but its number. Whoever had said that it may run is asked again.
 * A version of it that is not registered any more is replaced by the present one: mended code is what it was queued again for.
 * Gives whether there was one to begin; its state is `parked` then, until it has a place in the queue.
 */
export function beginRound(rows: Rows, registry: Registry, id: string): boolean {
  const row = readDead(rows, id);
  if (row === undefined || row.plan !== null || rivalOf(rows, row) !== undefined) return false;
  rows.run(
    `update actions set state = 'parked', version = ?, round = round + 1, attempts = 0, kind = null, value = null, error = null,
       started_at = null, settled_at = null, retry_at = null, quality_loss = 0, work_ms = 0, approved = 0, shortfall = null,
       band = null, score = null, via = null, fix = null, undo = null, forgiven = null, from_turn = ? where id = ?`,
    versionFor(registry, row),
    rows.turn,
    id,
  );
  return true;
}

function versionFor(registry: Registry, { name, version }: DeadRow): string {
  if (registry.find(name, version) !== undefined) return version;
  return registry.names.find(([known]) => known === name)?.[1] ?? version;
}

/** Takes an action off the list of those that have failed: its outcome stays. Gives whether it was on it. */
export function discard(rows: Rows, id: string, at: number): boolean {
  return (
    rows.run(`update actions set discarded_at = ?, from_turn = ? where id = ? and ${IS_DEAD}`, at, rows.turn, id) > 0
  );
}
