/**
 * Counts starts, so that no more than `limit` are in any `perMs`: the start of so many before must be that long ago.
 *
 * Only the last `limit` starts of a gate are looked at, by their numbers: it costs the same whatever the limit is.
 */
import type { StartRow } from './lane-tables.ts';
import type { QueueStep } from './lanes.ts';
import type { Rate } from './queue-options.ts';

/** So many starts that count no more are forgotten with every new one: more than come. */
const FORGOTTEN_AT_ONCE = 4;

/** When the next may start, ms since 1970; null when it may now. */
export function nextStart({ rows, now }: QueueStep, gate: string, { limit, perMs }: Rate): number | null {
  const last = rows.get<{ n: number | null }>('select max(n) as n from starts where gate = ?', gate)?.n ?? null;
  if (last === null) return null;
  const before = rows.get<StartRow>('select until from starts where gate = ? and n = ?', gate, last - limit + 1);
  const at = now();
  // One that seems to come from the future was noted before the clock was set back.
  return before === undefined || before.until <= at || before.until > at + perMs ? null : before.until;
}

/** How many may start now, up to `most`. */
export function startsLeft(step: QueueStep, gate: string, { limit, perMs }: Rate, most: number): number {
  for (let n = 0; n < most; n++) if (nextStart(step, gate, { limit: limit - n, perMs }) !== null) return n;
  return Math.min(most, limit);
}

export function noteStart({ rows, now }: QueueStep, gate: string, { perMs }: Rate): void {
  rows.run(
    'insert into starts(gate, n, until, from_turn) values (?, coalesce((select max(n) from starts where gate = ?), 0) + 1, ?, ?)',
    gate,
    gate,
    now() + perMs,
    rows.turn,
  );
  rows.run(
    `delete from starts where id in (select id from starts where until <= ? order by until limit ${FORGOTTEN_AT_ONCE})`,
    now(),
  );
}
