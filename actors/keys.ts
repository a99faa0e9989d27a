/**
 * Of one key only so many actions run at once, and as often as its rate allows: while one more may, the best of the key waits in
 * each lane, so that a lane that is closed holds nothing back in another. All others are `held`, so that they cost a claim nothing
 * however many they are.
 *
 * K1 No more actions of a key run than may, nor do they start faster.
 * K2 Where actions of a key are held in a lane, one of them waits there, or as many of the key run as may, or the key is out of
 *    its rate and opens by itself, or its turn to be balanced by new limits comes by itself.
 * K3 None that is held goes before one of its key and lane that waits.
 */
import { KEY_GATE, type KeyLimitsRow, type KeyRow } from './lane-tables.ts';
import { countIn, type QueueStep } from './lanes.ts';
import { nextStart, noteStart } from './rates.ts';
import type { ActionRow, ActionState } from './queue-tables.ts';

/** What must be known of an action to let it wait for its turn. */
export type Placed = Pick<ActionRow, 'id' | 'lane' | 'key'>;

type Competing = Pick<ActionRow, 'id' | 'lane' | 'optional' | 'rank' | 'seq'>;

/** The lanes in which a key is held are looked up one after the other, and not the rows in between. */
const FIRST_HELD = `
  with recursive held(lane) as (
    select min(lane) from actions where key = ? and state = 'held'
    union all
    select (select min(lane) from actions where key = ? and state = 'held' and lane > held.lane)
    from held where held.lane is not null
  )
  select a.id, a.lane, a.optional, a.rank, a.seq from held join actions a on a.seq =
    (select seq from actions where key = ? and state = 'held' and lane = held.lane order by optional, rank desc, seq limit 1)`;

/** And so are the keys of which any is held. */
const HELD_KEYS = `
  with recursive keys(key) as (
    select min(key) from actions where state = 'held' and key > ?
    union all
    select (select min(key) from actions where state = 'held' and key > keys.key) from keys where keys.key is not null
  )
  select key from keys where key is not null limit ?`;

const gateOf = (key: string) => `${KEY_GATE}${key}`;

/** Makes an action wait for its turn that is in the rows already. */
export function admit(step: QueueStep, { id, lane, key }: Placed): void {
  const { rows } = step;
  rows.run(
    `update actions set state = ?, from_turn = ? where id = ?`,
    key === null ? 'waiting' : 'held',
    rows.turn,
    id,
  );
  if (key === null) countIn(rows, lane, 1);
  else balance(step, key);
}

/** Notes that an action has left its place in the queue, or its slot: the next of its key may come. */
export function leave(step: QueueStep, { lane, key }: Placed, from: ActionState): void {
  if (from === 'waiting') countIn(step.rows, lane, -1);
  if (key !== null) balance(step, key);
}

/** Lets the best of a key in each lane wait for a slot if one more may start, and holds the others. */
export function balance(step: QueueStep, key: string): void {
  const { rows } = step;
  const waiting = rows.all<Competing>(
    `select id, lane, optional, rank, seq from actions where key = ? and state = 'waiting'`,
    key,
  );
  const best = new Map<number | null, Competing>();
  if (mayStart(step, key)) {
    for (const one of [...waiting, ...rows.all<Competing>(FIRST_HELD, key, key, key)]) {
      const other = best.get(one.lane);
      if (other === undefined || inOrder(one, other) < 0) best.set(one.lane, one);
    }
  }
  for (const one of waiting) if (best.get(one.lane) !== one) move(step, one, 'held');
  for (const one of best.values()) if (!waiting.includes(one)) move(step, one, 'waiting');
  noteSpent(step, key);
}

function move({ rows }: QueueStep, { id, lane }: Competing, to: 'waiting' | 'held'): void {
  rows.run('update actions set state = ?, from_turn = ? where id = ?', to, rows.turn, id);
  countIn(rows, lane, to === 'waiting' ? 1 : -1);
}

/** Whether one more of the key may start. */
export function mayStart(step: QueueStep, key: string): boolean {
  const { concurrency, rate } = step.limits.keys;
  const running = step.rows.get<{ n: number }>(
    `select count(*) as n from actions where key = ? and state = 'running'`,
    key,
  );
  if ((running?.n ?? 0) >= concurrency) return false;
  return rate === null || nextStart(step, gateOf(key), rate) === null;
}

/** One of the key has got a slot: the next may wait for one, or none may. */
export function noteKeyStart(step: QueueStep, key: string): void {
  const { rate } = step.limits.keys;
  if (rate !== null) noteStart(step, gateOf(key), rate);
  balance(step, key);
}

/** Opens the keys whose time has come, at most `most`, and asks to be woken for the others. */
export function openKeys(step: QueueStep, most: number): void {
  const { rows, limits } = step;
  const at = step.now();
  const dueOf = (when: string, time: number) =>
    rows.all<Pick<KeyRow, 'key'>>(
      `select key from spent_keys where open_at ${when} ? order by open_at limit ?`,
      time,
      most,
    );
  // What is further away than the rate says was noted before the clock was set back, or by another rate.
  const due = [...dueOf('<=', at), ...dueOf('>', at + (limits.keys.rate?.perMs ?? 0))].slice(0, most);
  for (const { key } of due) {
    rows.run('delete from spent_keys where key = ?', key);
    balance(step, key);
  }
  const next = due.length === most ? at : firstOpening(step);
  if (next !== null) step.wakeBy(next);
}

function firstOpening({ rows }: QueueStep): number | null {
  return rows.get<{ at: number | null }>('select min(open_at) as at from spent_keys')?.at ?? null;
}

/** At the start: whether keys have other limits than at the start before, so that what is held must be balanced anew. */
export function noteKeyLimits({ rows, limits: { keys } }: Pick<QueueStep, 'rows' | 'limits'>): void {
  const limits = JSON.stringify([keys.concurrency, keys.rate?.limit, keys.rate?.perMs]);
  rows.run(
    `insert into key_limits(id, limits, balanced_to, from_turn) values (1, ?, '', ?)
     on conflict(id) do update set limits = excluded.limits, balanced_to = '', from_turn = excluded.from_turn
     where limits <> excluded.limits`,
    limits,
    rows.turn,
  );
}

/** Balances what is held by limits that are new, at most `most` keys, and asks to be woken for the others. K2. */
export function balanceAnew(step: QueueStep, most: number): void {
  const { rows } = step;
  const from = rows.get<KeyLimitsRow>('select balanced_to from key_limits')?.balanced_to;
  if (from == null) return;
  const keys = rows.all<{ key: string }>(HELD_KEYS, from, most);
  for (const { key } of keys) {
    rows.run('delete from spent_keys where key = ?', key);
    balance(step, key);
  }
  const isDone = keys.length < most;
  rows.run('update key_limits set balanced_to = ?, from_turn = ?', isDone ? null : keys.at(-1)!.key, rows.turn);
  if (!isDone) step.wakeBy(step.now());
}

/** K2. */
function noteSpent(step: QueueStep, key: string): void {
  const { rows, limits } = step;
  if (limits.keys.rate === null) return;
  const openAt = nextStart(step, gateOf(key), limits.keys.rate);
  if (openAt === null || rows.get(`select 1 from actions where key = ? and state = 'held' limit 1`, key) === undefined)
    return;
  rows.run(
    `insert into spent_keys(key, open_at, from_turn) values (?, ?, ?)
     on conflict(key) do update set open_at = excluded.open_at, from_turn = excluded.from_turn`,
    key,
    openAt,
    rows.turn,
  );
  step.wakeBy(openAt);
}

/** What is needed first, then what is urgent, then what came first. */
export function inOrder(
  a: Pick<ActionRow, 'optional' | 'rank' | 'seq'>,
  b: Pick<ActionRow, 'optional' | 'rank' | 'seq'>,
): number {
  return a.optional - b.optional || b.rank - a.rank || a.seq - b.seq;
}
