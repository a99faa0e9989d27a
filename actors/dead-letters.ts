/** The host's side of what has failed for good: `supervisor.deadLetters`. It sends events and reads rows. */
import { PerdureError } from '../errors.ts';
import { shown, unknownKey } from '../machines/option-keys.ts';
import type { SupervisorCommand } from '../machines/supervisor.ts';
import type { Rows } from '../persistence/rows.ts';
import { checkId, checkObject, refuse } from './action-options.ts';
import { deadActions, rivalOf, readDead, type DeadAction } from './dead-letter-rows.ts';

/** Which dead letters to list. */
export interface DeadLetterQuery {
  /** At most so many, from 1 to 10,000. Default: 100. */
  readonly limit?: number;
  /** Those that were submitted after the one of this id. Default: from the first. */
  readonly after?: string;
}

/** How many ids one turn takes. */
export const AT_ONCE = 1_000;
const LONGEST_LIST = 10_000;

/** What dead letters need of the supervisor. */
export interface DeadLetterHost {
  rows(): Pick<Rows, 'get' | 'all' | 'unseal'>;
  now(): number;
  send(event: SupervisorCommand): Promise<unknown>;
}

/** Actions that have failed for good: they stay until somebody queues them again, or puts them away. */
export class DeadLetters {
  readonly #host: DeadLetterHost;

  constructor(host: DeadLetterHost) {
    this.#host = host;
  }

  /** What has failed, steps of plans included, in the order in which it was submitted. Throws OPTIONS_INVALID, ACTION_NOT_FOUND. */
  list(query: DeadLetterQuery = {}): DeadAction[] {
    const what = 'The query of dead letters';
    checkObject(what, query);
    const { limit = 100, after } = query;
    refuse(what, unknownKey(query, ['limit', 'after']) ?? wrongLimit(limit), {});
    if (after !== undefined) checkId('The dead letter to go on after', after);
    return deadActions(this.#host.rows(), limit, after);
  }

  /**
   * Queues them again, under the same ids: attempts count from 0, `round` is one more, and the outcome is that of the new round.
   * Resolves once that is durable. Throws DEAD_LETTER_NOT_FOUND, and ACTION_CONFLICT for a step of a plan, which `retryPlan`
   * gives another round, and for one whose unique key another has now; then none is queued.
   *
   * @example
   * await supervisor.deadLetters.requeue(supervisor.deadLetters.list().map(({ id }) => id));
   */
  async requeue(ids: string | readonly string[]): Promise<void> {
    const all = listed(ids);
    for (const id of all) refuseRound(this.#host.rows(), id);
    for (const some of chunks(all)) await this.#host.send({ type: 'supervisor.requeue', ids: some });
  }

  /** Takes them off the list; their outcomes stay. Resolves once that is durable. Throws DEAD_LETTER_NOT_FOUND. */
  async discard(ids: string | readonly string[]): Promise<void> {
    const all = listed(ids);
    for (const id of all) refuseNone(this.#host.rows(), id);
    const at = this.#host.now();
    for (const some of chunks(all)) await this.#host.send({ type: 'supervisor.discard', ids: some, at });
  }
}

/** Throws DEAD_LETTER_NOT_FOUND. */
export function refuseNone(rows: Pick<Rows, 'get'>, id: string): void {
  const row = readDead(rows, id);
  if (row !== undefined) return;
  const there = rows.get<{ state: string; kind: string | null }>('select state, kind from actions where id = ?', id);
  const why =
    there === undefined
      ? 'there is no such action'
      : there.kind === 'failed'
        ? 'it was discarded, or pays a debt'
        : `the action is ${there.kind ?? there.state}`;
  throw new PerdureError('DEAD_LETTER_NOT_FOUND', `There is no dead letter ${shown(id)}: ${why}.`, { facts: { id } });
}

/** Throws DEAD_LETTER_NOT_FOUND, ACTION_CONFLICT. */
export function refuseRound(rows: Pick<Rows, 'get'>, id: string): void {
  refuseNone(rows, id);
  const row = readDead(rows, id);
  if (row?.plan != null) {
    throw new PerdureError(
      'ACTION_CONFLICT',
      `The dead letter "${id}" is a step of the plan "${row.plan}": give the plan another round with \`perdure retry ${row.plan}\`, or retryPlan("${row.plan}").`,
      { facts: { id, plan: row.plan } },
    );
  }
  const rival = row && rivalOf(rows, row);
  if (rival === undefined) return;
  throw new PerdureError(
    'ACTION_CONFLICT',
    `The dead letter "${id}" has the unique key ${shown(row?.unique_key)}, and so has the action "${rival}", which has not ` +
      'settled: wait for that, or discard this one.',
    { facts: { id, rival } },
  );
}

function listed(ids: string | readonly string[]): readonly string[] {
  const all = typeof ids === 'string' ? [ids] : ids;
  const isList = Array.isArray(all) && all.every((id) => typeof id === 'string');
  refuse('The dead letters', isList ? undefined : `expected an id, or a list of ids, got ${shown(ids)}`, {});
  return [...new Set(all)];
}

function chunks(ids: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(ids.length / AT_ONCE) }, (_, n) => ids.slice(n * AT_ONCE, (n + 1) * AT_ONCE));
}

function wrongLimit(limit: number): string | undefined {
  if (Number.isInteger(limit) && limit >= 1 && limit <= LONGEST_LIST) return undefined;
  return `limit must be a whole number from 1 to ${LONGEST_LIST}, got ${shown(limit)}`;
}
