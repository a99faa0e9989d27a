/**
 * Counts starts, so that no more than `limit` are in any `perMs`: the start of so many before must be that long ago. A rate is
 * that of the present start of the process, also for starts of before.
 *
 * Only the last `limit` starts of a gate are looked at, by their numbers: it costs the same whatever the limit is. They are kept
 * however old they are, so that a rate that counts for longer after the next start of the process finds them; of keys, of which
 * there may be very many, only while they count.
 */
import { KEY_GATE, OF_KEYS, type StartRow } from './lane-tables.ts';
import type { QueueStep } from './lanes.ts';
import type { Rate } from './queue-options.ts';

/** So many starts are forgotten with every new one, of each sort that may be: more than come. */
const FORGOTTEN_AT_ONCE = 4;

/** When the next may start, ms since 1970; null when it may now. */
export function nextStart({ rows, now }: QueueStep, gate: string, { limit, perMs }: Rate): number | null {
  const last = lastOf(rows, gate);
  if (last === null) return null;
  const before = rows.get<StartRow>('select at from gate_starts where gate = ? and n = ?', gate, last - limit + 1);
  const at = now();
  // One that seems to come from the future was noted before the clock was set back.
  return before === undefined || before.at + perMs <= at || before.at > at ? null : before.at + perMs;
}

export function noteStart({ rows, now }: QueueStep, gate: string, { limit, perMs }: Rate): void {
  const n = (lastOf(rows, gate) ?? 0) + 1;
  const at = now();
  rows.run('insert into gate_starts(gate, n, at, from_turn) values (?, ?, ?, ?)', gate, n, at, rows.turn);
  rows.run(
    `delete from gate_starts where id in
       (select id from gate_starts where gate = ? and n <= ? order by n limit ${FORGOTTEN_AT_ONCE})`,
    gate,
    n - limit,
  );
  if (!gate.startsWith(KEY_GATE)) return;
  rows.run(
    `delete from gate_starts where id in
       (select id from gate_starts where ${OF_KEYS} and at <= ? order by at limit ${FORGOTTEN_AT_ONCE})`,
    at - perMs,
  );
}

function lastOf(rows: QueueStep['rows'], gate: string): number | null {
  return rows.get<{ n: number | null }>('select max(n) as n from gate_starts where gate = ?', gate)?.n ?? null;
}
