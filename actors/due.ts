/**
 * Tells of actions that will not be settled by their due time, and of those that were not. A row with a due time says when it is
 * to be looked at (`review_at`): soon after it was queued, when its laxity runs out, and when its due time has passed. One
 * alarm of the executor is set for the earliest of them, so that what is due costs nothing until then.
 *
 * D1 What has not settled by its due time is told to be late, by the time it settles; nothing else is.
 * D2 What has not begun when its laxity runs out is told to be at risk then, before it is late.
 * D3 Each of these is told once, and once more for another due time or another round.
 */
import { Heap } from '../machines/heap.ts';
import { laxity, type Urgency, type Waiting } from '../machines/urgency.ts';
import { estimateOf } from './action-history.ts';
import { PLAIN_LANE, type QueueStep } from './lanes.ts';
import { DEFAULT_QUEUE } from './queue-options.ts';
import type { ActionRow } from './queue-tables.ts';

/** What is queued with a due time is looked at so soon, ms, together with all that came meanwhile. */
const SOON_MS = 200;
/** How many a turn looks at; and behind so many in the queue nothing is foreseen. */
const AT_ONCE = 1_000;
/** What settles in the very ms is in time. */
const PAST_MS = 1;

const COLUMNS = 'id, state, due_at, estimate_ms, at_risk_at, started_at, retry_at, not_before';
type Row = Pick<
  ActionRow,
  'id' | 'state' | 'due_at' | 'estimate_ms' | 'at_risk_at' | 'started_at' | 'retry_at' | 'not_before'
>;
type Due = Row & { readonly due_at: number; readonly estimate_ms: number };

/** An action that waits, and when it is expected to have settled, ms since 1970. */
type Foreseen = Pick<Due, 'id' | 'due_at' | 'at_risk_at'> & { readonly expectedAt: number };

/** When something that is queued at `at` is to be looked at; null for what has no due time. */
export function firstReview(
  { wakeBy }: Pick<QueueStep, 'wakeBy'>,
  { dueAt }: Pick<Urgency, 'dueAt'>,
  { at, estimateMs }: Waiting,
): number | null {
  if (dueAt === null) return null;
  const reviewAt = Math.min(at + SOON_MS, dueAt - estimateMs);
  wakeBy(reviewAt);
  return reviewAt;
}

/** What was told of an action counts no more: it has another round. D3. */
export function reviewAgain({ rows, now, wakeBy }: QueueStep, id: string): void {
  const isDue = rows.run(
    `update actions set review_at = ?, at_risk_at = null, from_turn = ? where id = ? and due_at is not null`,
    now(),
    rows.turn,
    id,
  );
  if (isDue > 0) wakeBy(now());
}

/** An action settles: if that is after its due time, and nobody was told, it is told now. D1. */
export function tellIfLate(
  { tell }: Pick<QueueStep, 'tell'>,
  { id, due_at: dueAt, review_at: reviewAt }: Pick<ActionRow, 'id' | 'due_at' | 'review_at'>,
  at: number,
): void {
  if (dueAt !== null && reviewAt !== null && at > dueAt) tell({ type: 'action.late', id, dueAt });
}

/** Looks at what it is time to look at, and sets the alarm for the next. `limit`: how many run at once. */
export function review(step: QueueStep, limit: number): void {
  const { rows } = step;
  const now = step.now();
  const next = () =>
    rows.get<{ at: number | null }>('select min(review_at) as at from actions where review_at is not null')?.at ?? null;
  const first = next();
  if (first === null) return;
  if (first > now) return step.wakeBy(first);
  const found = rows.all<Due>(
    `select ${COLUMNS} from actions where review_at <= ? order by review_at limit ${AT_ONCE}`,
    now,
  );
  const foreseen = found.some(({ due_at: dueAt }) => now <= dueAt) ? foresee(step, limit) : [];
  const forecast = new Map(foreseen.map((one) => [one.id, one.expectedAt]));
  for (const row of found) {
    look(step, row, forecast.get(row.id));
    forecast.delete(row.id);
  }
  // What has come since they were looked at may keep others from being in time.
  for (const one of foreseen)
    if (forecast.has(one.id) && one.at_risk_at === null && one.expectedAt > one.due_at) tellRisk(step, one);
  const second = next();
  if (second !== null) step.wakeBy(second);
}

function look(step: QueueStep, row: Due, foreseen: number | undefined): void {
  const { id, due_at: dueAt, estimate_ms: estimateMs, state } = row;
  const now = step.now();
  if (now > dueAt) {
    step.tell({ type: 'action.late', id, dueAt });
    return noteReview(step, id, null);
  }
  if (row.at_risk_at !== null) return noteReview(step, id, dueAt + PAST_MS);
  const left = laxity(dueAt, now, estimateMs);
  const expectedAt = foreseen ?? expected(row, now);
  // What has not begun begins later than now.
  const isAtRisk = expectedAt > dueAt || (state !== 'running' && left <= 0);
  if (isAtRisk) tellRisk(step, { ...row, expectedAt });
  else noteReview(step, id, left > 0 ? now + left : dueAt + PAST_MS);
}

function tellRisk(
  { rows, now, tell }: QueueStep,
  { id, due_at: dueAt, expectedAt }: Omit<Foreseen, 'at_risk_at'>,
): void {
  tell({ type: 'action.atRisk', id, dueAt, expectedAt });
  rows.run(
    'update actions set at_risk_at = ?, review_at = ?, from_turn = ? where id = ?',
    now(),
    dueAt + PAST_MS,
    rows.turn,
    id,
  );
}

function noteReview({ rows }: QueueStep, id: string, at: number | null): void {
  rows.run('update actions set review_at = ?, from_turn = ? where id = ?', at, rows.turn, id);
}

/** At the earliest, if nothing is ahead of it. One that runs may take as long as it did before. */
function expected(row: Due, now: number): number {
  const { state, started_at: startedAt, retry_at: retryAt, not_before: notBefore, estimate_ms: estimateMs } = row;
  if (state !== 'running') return Math.max(now, notBefore ?? 0) + estimateMs;
  return Math.max(now, (retryAt ?? startedAt ?? now) + estimateMs);
}

interface Queued {
  readonly id: string;
  readonly name: string;
  readonly due_at: number | null;
  readonly estimate_ms: number | null;
  readonly at_risk_at: number | null;
}

/**
 * When what waits will have settled, if each takes as long as those of its name do and the slots take them in order; of what has a
 * due time, among the first in the queue.
 */
function foresee(step: QueueStep, limit: number): Foreseen[] {
  const { rows } = step;
  const now = step.now();
  const means = new Map<string, number>();
  const meanOf = (name: string) => {
    const mean = means.get(name) ?? estimateOf(rows, name);
    means.set(name, mean);
    return mean;
  };
  const freeAt = new Heap<number>((a, b) => a - b);
  const running = rows.all<Row & { readonly name: string }>(
    `select ${COLUMNS}, name from actions where state = 'running'`,
  );
  for (const row of running)
    freeAt.push(expected({ ...row, due_at: 0, estimate_ms: row.estimate_ms ?? meanOf(row.name) }, now));
  while (freeAt.size < limit) freeAt.push(now);
  return firstWaiting(step).flatMap(({ id, name, due_at, estimate_ms: estimateMs, at_risk_at }) => {
    const expectedAt = (freeAt.pop() as number) + (estimateMs ?? meanOf(name));
    freeAt.push(expectedAt);
    return due_at === null ? [] : [{ id, due_at, at_risk_at, expectedAt }];
  });
}

/** The lanes that may run: of what waits for something else nobody knows how long that takes. */
const OPEN_LANES = `
  select ${PLAIN_LANE} as id where not exists (select 1 from paused_queues where queue = '${DEFAULT_QUEUE}')
  union all
  select l.id from lanes l
  where l.waiting > 0 and not exists (select 1 from paused_queues p where p.queue = l.queue)
    and not (l.waits = 1 and exists (select 1 from components_out o where o.component = l.component))`;
const LANES_AT_MOST = 100;

/** In the order in which they are claimed. Each lane is read by its index, and no further than is needed. */
function firstWaiting({ rows }: QueueStep): Queued[] {
  const lanes = rows.all<{ id: number }>(`${OPEN_LANES} limit ${LANES_AT_MOST}`).map(({ id }) => id);
  if (lanes.length === 0) return [];
  const ofLane = `select id, name, due_at, estimate_ms, at_risk_at, optional, rank, seq from actions where state = 'waiting' and lane = ?`;
  return rows.all<Queued>(
    `${lanes.map(() => ofLane).join(' union all ')} order by optional, rank desc, seq limit ${AT_ONCE}`,
    ...lanes,
  );
}
