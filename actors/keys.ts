/**
 * Of one key only so many actions run at once, and as often as its rate allows: the best of them are `waiting`, as many as may
 * run, and all others are `held`, so that they cost a claim nothing however many they are.
 *
 * K1 No more actions of a key run than may, nor do they start faster.
 * K2 Where actions of a key are held, as many as may run are waiting or running, or the key is out of its rate and opens by
 *    itself.
 * K3 None that is held goes before one of its key that waits.
 */
import type { KeyRow } from './lane-tables.ts';
import { countIn, type QueueStep } from './lanes.ts';
import { nextStart, noteStart, startsLeft } from './rates.ts';
import type { ActionRow, ActionState } from './queue-tables.ts';

/** What must be known of an action to let it wait for its turn. */
export type Placed = Pick<ActionRow, 'id' | 'lane' | 'key'>;

type Competing = Pick<ActionRow, 'id' | 'lane' | 'optional' | 'rank' | 'seq'>;

const gateOf = (key: string) => `key ${key}`;

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

/** Lets as many of a key wait for a slot as may run, the best ones, and holds the others. */
export function balance(step: QueueStep, key: string): void {
  const { rows } = step;
  const room = roomOf(step, key);
  const waiting = competing(step, key, 'waiting', -1);
  const held = competing(step, key, 'held', room);
  const best = new Set([...waiting, ...held].sort(inOrder).slice(0, room));
  const move = (ones: readonly Competing[], to: 'waiting' | 'held', by: 1 | -1) => {
    for (const { id, lane } of ones) {
      rows.run('update actions set state = ?, from_turn = ? where id = ?', to, rows.turn, id);
      countIn(rows, lane, by);
    }
  };
  move(
    waiting.filter((one) => !best.has(one)),
    'held',
    -1,
  );
  move(
    held.filter((one) => best.has(one)),
    'waiting',
    1,
  );
  noteSpent(step, key);
}

/** Whether one more of the key may start, as one that has waited is about to. */
export function mayStart(step: QueueStep, key: string): boolean {
  return roomOf(step, key) > 0;
}

/** Counts the start of one of the key, if starts are counted. */
export function noteKeyStart(step: QueueStep, key: string): void {
  const { rate } = step.limits.keys;
  if (rate === null) return;
  noteStart(step, gateOf(key), rate);
  balance(step, key);
}

/** Opens the keys whose time has come, at most `most`. Gives how many there were. */
export function openKeys(step: QueueStep, most: number): number {
  const due = step.rows.all<KeyRow>(
    'select key, open_at from spent_keys where open_at <= ? order by open_at limit ?',
    step.now(),
    most,
  );
  for (const { key } of due) {
    step.rows.run('delete from spent_keys where key = ?', key);
    balance(step, key);
  }
  return due.length;
}

/** How many of the key may be waiting for a slot. */
function roomOf(step: QueueStep, key: string): number {
  const { concurrency, rate } = step.limits.keys;
  const running = step.rows.get<{ n: number }>(
    `select count(*) as n from actions where key = ? and state = 'running'`,
    key,
  );
  const room = Math.max(0, concurrency - (running?.n ?? 0));
  return rate === null || room === 0 ? room : startsLeft(step, gateOf(key), rate, room);
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

function competing({ rows }: QueueStep, key: string, state: 'waiting' | 'held', most: number): Competing[] {
  return rows.all<Competing>(
    `select id, lane, optional, rank, seq from actions where key = ? and state = '${state}'
     order by optional, rank desc, seq limit ?`,
    key,
    most,
  );
}

/** What is needed first, then what is urgent, then what came first. */
export function inOrder(
  a: Pick<ActionRow, 'optional' | 'rank' | 'seq'>,
  b: Pick<ActionRow, 'optional' | 'rank' | 'seq'>,
): number {
  return a.optional - b.optional || b.rank - a.rank || a.seq - b.seq;
}
