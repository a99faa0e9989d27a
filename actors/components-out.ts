/**
 * Which components are out of use. What waits for one of them (`whenOpen: 'wait'`) rests in its lane: nothing of it until the open
 * time is over, then one action at a time, which is the probe, and all when the component is back.
 */
import { RECHECK_MS } from '../machines/action-rules.ts';
import type { ComponentState } from '../machines/executor.ts';
import type { Rows } from '../persistence/rows.ts';

/** The next is let through when the probe has ended, or after so long, ms: a probe may hang. */
const PROBED_AGAIN_MS = RECHECK_MS;

/** A component has said how it is, at that time. */
export function noteComponent(rows: Rows, { component, isOut, until }: ComponentState, at: number): void {
  if (!isOut) rows.run('delete from components_out where component = ?', component);
  else
    rows.run(
      `insert into components_out(component, until, is_told, noted_at, from_turn) values (?, ?, 1, ?, ?)
       on conflict(component) do update set until = excluded.until, is_told = 1, probe = null, noted_at = excluded.noted_at,
         from_turn = excluded.from_turn`,
      component,
      until,
      at,
      rows.turn,
    );
}

/** One that was let through was refused: nothing more is before `until`. It may work, and only be spared. */
export function noteRefused(rows: Rows, component: string, until: number, at: number): void {
  rows.run(
    `insert into components_out(component, until, is_told, noted_at, from_turn) values (?, ?, 0, ?, ?)
     on conflict(component) do update set until = excluded.until, probe = null, noted_at = excluded.noted_at,
       from_turn = excluded.from_turn`,
    component,
    until,
    at,
    rows.turn,
  );
}

/** One was let through to probe it. Gives when the next is, ms since 1970, if that has not ended before. */
export function noteProbe(rows: Rows, component: string, id: string, at: number): number {
  const until = at + PROBED_AGAIN_MS;
  rows.run(
    'update components_out set until = ?, probe = ?, noted_at = ?, from_turn = ? where component = ?',
    until,
    id,
    at,
    rows.turn,
    component,
  );
  return until;
}
