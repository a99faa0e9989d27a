/**
 * What was done when: `GET /v1/views/timeline?from=&to=&plan=&limit=`. Where the store keeps its history, the back-offs between
 * attempts are known of all actions; else only those that last.
 */
import type { ActionRow } from '../../actors/queue-tables.ts';
import { storedByKey } from '../../actors/stored-standing.ts';
import type { ActionContext } from '../../machines/action-state.ts';
import type { OutcomeKind } from '../../machines/outcome.ts';
import type { Reader, ViewWorld } from '../sources/view-world.ts';

/** A part of an action's time. */
export interface TimelinePart {
  readonly phase: 'queued' | 'running' | 'back-off' | 'asking';
  readonly from: number;
  /** Null while it lasts. */
  readonly to: number | null;
}

export interface TimelineRow {
  readonly id: string;
  readonly name: string;
  readonly plan: string | null;
  readonly slot: number | null;
  readonly kind: OutcomeKind | null;
  readonly attempts: number;
  readonly parts: readonly TimelinePart[];
}

export interface Timeline {
  readonly from: number;
  readonly to: number;
  /** Of those that there are, the ones that were submitted last, in the order in which they began; at most 2,000. */
  readonly rows: readonly TimelineRow[];
  readonly more: boolean;
}

/** What is asked. Times are wall-clock ms since 1970. */
export interface TimelineQuery {
  /** Default: of a plan all of it, else the last 15 minutes. */
  readonly from?: number;
  /** Default: now. */
  readonly to?: number;
  readonly plan?: string;
  /** Default: 500, at most 2,000. */
  readonly limit?: number;
}

export const MOST_TIMELINE_ROWS = 2_000;
const DEFAULT_LIMIT = 500;
const DEFAULT_MS = 15 * 60_000;
/** Actions, and versions of actions, that are looked at. */
const LOOKED_AT = 10_000;

type Row = Pick<
  ActionRow,
  'seq' | 'id' | 'name' | 'plan' | 'slot' | 'kind' | 'attempts' | 'submitted_at' | 'not_before' | 'started_at'
> &
  Pick<ActionRow, 'settled_at' | 'retry_at' | 'state'>;

const CELLS =
  'seq, id, name, plan, slot, kind, attempts, submitted_at, not_before, started_at, settled_at, retry_at, state';

interface Span {
  readonly from: number;
  readonly to: number | null;
}

export function timeline(world: ViewWorld, query: TimelineQuery): Timeline {
  const { rows, now } = world;
  const { limit = DEFAULT_LIMIT, to = now } = query;
  const from = query.from ?? (query.plan === undefined ? to - DEFAULT_MS : 0);
  const { found, isCut } = rowsBetween(rows, from, to, { plan: query.plan, limit: limit + 1 });
  const taken = found.slice(0, limit);
  const asked = askedOf(rows, taken);
  const rested = restsOf(world, taken, from, to);
  const shown = taken
    .map((row) => ({ row, parts: partsOf(row, asked.get(row.id) ?? [], rested.get(row.id) ?? []) }))
    .toSorted((a, b) => (a.parts[0]?.from ?? 0) - (b.parts[0]?.from ?? 0))
    .map(({ row: { id, name, plan, slot, kind, attempts }, parts }) => ({
      id,
      name,
      plan,
      slot,
      kind,
      attempts,
      parts,
    }));
  return { from: query.from ?? shown[0]?.parts[0]?.from ?? from, to, rows: shown, more: isCut || found.length > limit };
}

/** Numbers grow with the time of submission, so that the newest are found without an index of times. */
function rowsBetween(
  rows: Reader,
  from: number,
  to: number,
  { plan, limit }: { plan: string | undefined; limit: number },
): { found: Row[]; isCut: boolean } {
  const isIn = `submitted_at <= ? and (settled_at is null or settled_at >= ?) and state not in ('delayed', 'held')`;
  if (plan !== undefined) {
    const found = rows.all<Row>(
      `select ${CELLS} from actions indexed by actions_plan where plan = ? and ${isIn} order by seq desc limit ?`,
      plan,
      to,
      from,
      limit,
    );
    return { found, isCut: false };
  }
  const highest = lastSubmittedBy(rows, to);
  const lowest = highest - LOOKED_AT + 1;
  const newest = rows.all<Row>(
    `select ${CELLS} from actions not indexed where seq between ? and ? and ${isIn} order by seq desc limit ?`,
    lowest,
    highest,
    to,
    from,
    limit,
  );
  const running = rows.all<Row>(
    `select ${CELLS} from actions indexed by actions_running where state = 'running' and +seq < ? order by +seq desc`,
    newest.at(-1)?.seq ?? lowest,
  );
  const before = rows.get<{ at: number }>(
    'select submitted_at as at from actions where seq < ? order by seq desc',
    lowest,
  );
  // What was submitted long before may have settled within.
  return { found: [...running, ...newest], isCut: before !== undefined && before.at >= from };
}

/** By halving. */
function lastSubmittedBy(rows: Reader, at: number): number {
  const ends = rows.get<{ low: number | null; high: number | null }>(
    'select (select min(seq) from actions) as low, (select max(seq) from actions) as high',
  );
  let [low, high] = [(ends?.low ?? 1) - 1, ends?.high ?? 0];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const row = rows.get<{ seq: number; at: number }>(
      'select seq, submitted_at as at from actions where seq <= ? order by seq desc limit 1',
      middle,
    );
    if (row === undefined || row.at <= at) low = middle;
    else high = Math.max(low, row.seq - 1);
  }
  return low;
}

/** When somebody was asked about each. */
function askedOf(rows: Reader, taken: readonly Row[]): Map<string, Span[]> {
  const found = rows.all<{ action: string; from: number; to: number | null }>(
    `select action, asked_at as "from", decided_at as "to" from approvals
     where action in (select value from json_each(?)) order by seq`,
    JSON.stringify(taken.map(({ id }) => id)),
  );
  return groupedBy(found, ({ action }) => action);
}

/** When each waited for its next attempt. */
function restsOf(world: ViewWorld, taken: readonly Row[], from: number, to: number): Map<string, Span[]> {
  const { rows, tree } = world;
  const ids = new Set(taken.filter(({ attempts }) => attempts > 1).map(({ id }) => id));
  const past = ids.size === 0 ? [] : restsInHistory(rows, from, to).filter(({ id }) => ids.has(id));
  const resting = taken.filter(({ retry_at }) => retry_at !== null);
  const actors = storedByKey(
    rows,
    resting.map(({ slot }) => `slot.${slot}`),
    tree,
  );
  const now = resting.flatMap(({ id, slot, retry_at }) => {
    const { backOffMs = 0 } = (actors.get(`slot.${slot}`)?.context ?? {}) as Partial<ActionContext>;
    return [{ id, from: (retry_at ?? 0) - backOffMs, to: null }];
  });
  return groupedBy([...past, ...now], ({ id }) => id);
}

/** A version of the row that ended with the back-off was kept. */
function restsInHistory(rows: Reader, from: number, to: number): (Span & { readonly id: string })[] {
  const { low, high } = rows.get<{ low: number | null; high: number | null }>(
    'select min(turn) as low, max(turn) as high from turns',
  ) ?? { low: null, high: null };
  if (low === null || high === null) return [];
  return rows.all(
    `select past.id as id, began.at as "from", ended.at as "to" from actions_past past
     join turns began on began.turn = past.from_turn join turns ended on ended.turn = past.to_turn
     where past.to_turn between ? and ? and past.retry_at is not null and began.at <= ? and ended.at >= ?
     order by past.to_turn limit ${LOOKED_AT}`,
    Math.max(low, high - LOOKED_AT),
    high,
    to,
    from,
  );
}

function groupedBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

/** First in the queue, then in a slot; while it asks or backs off it is in neither. That it did not wait is not shown. */
function partsOf(row: Row, asked: readonly Span[], rested: readonly Span[]): TimelinePart[] {
  const queuedAt = Math.min(Math.max(row.submitted_at, row.not_before ?? 0), row.started_at ?? Infinity);
  const base: TimelinePart[] = [{ phase: 'queued', from: queuedAt, to: row.started_at ?? row.settled_at }];
  if (row.started_at !== null) base.push({ phase: 'running', from: row.started_at, to: row.settled_at });
  const gaps: TimelinePart[] = [
    ...asked.map(({ from, to }) => ({ phase: 'asking' as const, from, to: to ?? row.settled_at })),
    ...rested.map(({ from, to }) => ({ phase: 'back-off' as const, from, to: to ?? row.settled_at })),
  ];
  const parts = gaps.reduce((left, gap) => left.flatMap((part) => without(part, gap)), base);
  return [...parts, ...gaps]
    .filter(({ phase, from, to }, _, all) => phase !== 'queued' || from !== to || all.length === 1)
    .toSorted((a, b) => a.from - b.from || endOf(a) - endOf(b));
}

function endOf({ to }: Span): number {
  return to ?? Infinity;
}

/** A part without the time of another; nothing of no time is left, unless it had none before. */
function without(part: TimelinePart, gap: Span): TimelinePart[] {
  if (endOf(gap) <= part.from || gap.from >= endOf(part)) return [part];
  return [
    { ...part, to: Math.max(part.from, gap.from) },
    { ...part, from: endOf(gap) },
  ].filter(({ from, to }) => from < (to ?? Infinity));
}
