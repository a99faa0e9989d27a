/**
 * Ranks what waits anew: because somebody says that it is more or less urgent, or because actions of its name take another time
 * than was thought when it was ranked.
 *
 * R1 A rank is always that of the urgency, the time of submission and the estimate that the row has; that of a step moves by as
 *    much as the change of its urgency is worth.
 * R2 What has a due time, waits and is no step was ranked with an estimate that is at most `FACTOR` times off, or a turn is about
 *    to rank it.
 */
import { isDeepStrictEqual } from 'node:util';
import { PerdureError } from '../errors.ts';
import type { RankedFor, Reprioritisation } from '../machines/executor.ts';
import { shown, unknownKey } from '../machines/option-keys.ts';
import {
  NOT_URGENT,
  URGENCY_OPTIONS,
  rankOf,
  urgencyOf,
  type Urgency,
  type UrgencyOptions,
} from '../machines/urgency.ts';
import type { Rows } from '../persistence/rows.ts';
import { checkObject, refuse } from './action-options.ts';
import { UNKNOWN_MS, estimateOf } from './action-history.ts';
import { firstReview } from './due.ts';
import { policyOfText } from './earlier-versions.ts';
import { balance } from './keys.ts';
import type { QueueStep } from './lanes.ts';
import { stepActionOf } from './ledger.ts';
import { DATED, type ActionRow } from './queue-tables.ts';

/** An estimate that is so many times off is put right. */
const FACTOR = 2;

const COLUMNS = 'id, name, policy, plan, key, rank, urgency, due_at, estimate_ms, submitted_at, review_at, at_risk_at';
type Ranked = Pick<
  ActionRow,
  | ('id' | 'name' | 'policy' | 'plan' | 'key' | 'rank' | 'urgency' | 'due_at' | 'estimate_ms')
  | ('submitted_at' | 'review_at' | 'at_risk_at')
>;

/** What has a rank that counts: it waits, or will. */
const QUEUED = `state in ('delayed', 'held', 'waiting', 'asking', 'parked')`;

/** Does what somebody asks, if the action has not begun meanwhile. */
export function reprioritise(step: QueueStep, { id, urgency: asked }: Reprioritisation): void {
  const row = step.rows.get<Ranked>(`select ${COLUMNS} from actions where id = ? and ${QUEUED}`, id);
  if (row === undefined) return;
  rankAnew(step, row, { ...storedUrgency(row), ...asked }, 'request');
  if (row.key !== null) balance(step, row.key);
}

/** What the actions of a name take on average. */
const MEAN = `coalesce((select mean_ms from action_history where name = ?), ${UNKNOWN_MS})`;
/** In one look into an index, which most often finds nothing. */
const OFF = `select ${COLUMNS} from actions where estimate_of = ? and ${DATED} and estimate_ms`;

/** Ranks what is due and waits, of one name, with what is known by now; at most so many. Gives how many. R2. */
export function rankByEstimate(step: QueueStep, name: string, most: number): number {
  const found = step.rows.all<Ranked>(
    `${OFF} < ${MEAN} / ${FACTOR} union all ${OFF} > ${MEAN} * ${FACTOR} limit ?`,
    name,
    name,
    name,
    name,
    most,
  );
  for (const row of found) rankAnew(step, row, storedUrgency(row), 'estimate');
  for (const key of new Set(found.map((row) => row.key))) if (key !== null) balance(step, key);
  if (found.length === most) step.wakeBy(step.now());
  return found.length;
}

/** The same for all names, of which there are few: what one turn could not finish. */
export function rankByEstimates(step: QueueStep, most: number): void {
  const nextName = (after: string) =>
    step.rows.get<{ name: string | null }>(
      `select min(estimate_of) as name from actions where ${DATED} and estimate_of > ?`,
      after,
    )?.name ?? null;
  let left = most;
  for (let name = nextName(''); name !== null && left > 0; name = nextName(name))
    left -= rankByEstimate(step, name, left);
}

function storedUrgency({ urgency }: Ranked): Urgency {
  return urgency === null ? NOT_URGENT : (JSON.parse(urgency) as Urgency);
}

/** R1. */
function rankAnew(step: QueueStep, row: Ranked, urgency: Urgency, why: RankedFor): void {
  const { rows } = step;
  const { id, plan, rank: from, submitted_at: at } = row;
  const subject = policyOfText(row.policy).risk.subject ?? row.name;
  const learned = estimateOf(rows, subject);
  const estimateMs = plan === null ? learned : (row.estimate_ms ?? learned);
  const rank = (of: Urgency) => rankOf(of, { at, estimateMs });
  // That of a step holds the way to the end of its plan, too.
  const to = plan === null ? rank(urgency) : from + rank(urgency) - rank(storedUrgency(row));
  const { dueAt } = urgency;
  const isDue = dueAt !== null;
  // Of the same due time nothing is told twice.
  const isTold = dueAt === row.due_at && (row.at_risk_at !== null || row.review_at === null);
  rows.run(
    `update actions set rank = ?, urgency = ?, why = ?, due_at = ?, estimate_ms = ?, estimate_of = ?, review_at = ?,
       at_risk_at = ?, from_turn = ? where id = ?`,
    to,
    isDeepStrictEqual(urgency, NOT_URGENT) ? null : JSON.stringify(urgency),
    why,
    dueAt,
    isDue ? estimateMs : null,
    isDue && plan === null ? subject : null,
    isTold ? row.review_at : firstReview(step, urgency, { at: step.now(), estimateMs }),
    isTold ? row.at_risk_at : null,
    rows.turn,
    id,
  );
  step.tell({ type: 'action.reprioritised', id, from, to, why });
}

/** What a host asks for, checked: throws OPTIONS_INVALID, ACTION_NOT_FOUND, and ACTION_CONFLICT for what is not queued. */
export function requestOf(rows: Pick<Rows, 'get'>, id: string, options: UrgencyOptions, now: number): Reprioritisation {
  const what = `The new urgency of the action ${shown(id)}`;
  checkObject(what, options);
  const said = Object.keys(options).filter((key) => options[key as keyof UrgencyOptions] !== undefined);
  refuse(what, unknownKey(options, URGENCY_OPTIONS), {});
  refuse(what, said.length > 0 ? undefined : `expected at least one of ${URGENCY_OPTIONS.join(', ')}`, {});
  const urgency = urgencyOf(what, options, now);
  const asked = Object.fromEntries(Object.entries(urgency).filter(([key]) => said.includes(key))) as Partial<Urgency>;
  return { id: queuedId(rows, id), urgency: asked };
}

/** The id of the action, also for that of a step. */
function queuedId(rows: Pick<Rows, 'get'>, id: string): string {
  const action = stepActionOf(rows, id) ?? id;
  const row = rows.get<Pick<ActionRow, 'state' | 'kind'> & { readonly is_queued: number }>(
    `select state, kind, ${QUEUED} as is_queued from actions where id = ?`,
    action,
  );
  if (row?.is_queued === 1) return action;
  if (row === undefined && stepActionOf(rows, id) === undefined)
    throw new PerdureError('ACTION_NOT_FOUND', `There is no action ${shown(id)}.`, { facts: { id } });
  const why =
    row === undefined
      ? 'it is a step of a plan that has no action in the queue, and is ranked by its plan until it has'
      : row.state === 'running'
        ? 'it runs already'
        : `its outcome is ${row.kind}`;
  throw new PerdureError('ACTION_CONFLICT', `The action ${shown(id)} does not wait for its turn: ${why}.`, {
    facts: { id, state: row?.state ?? 'waiting' },
  });
}
