/**
 * Which turns are kept: `GET /v1/views/kept-turn?turn=`. Turns are numbers that are reserved by the block, and an idle turn leaves no
 * row, so between two that are kept there may be numbers that no turn has. Whoever names one of these gets the turn before.
 */
import { assertKept } from '../../persistence/time-travel.ts';
import type { Reader, ViewWorld } from '../sources/view-world.ts';

/** A turn that the history tells. */
export interface ToldTurn {
  readonly turn: number;
  /** Wall-clock ms. */
  readonly at: number;
  /** Its place among all that were ever told: one more than that of the one before. */
  readonly nth: number;
}

export interface KeptHistory {
  /** The first and the last turn. */
  readonly from: number;
  readonly to: number;
  /** How many there are. */
  readonly turns: number;
  /** At most 129 of them, by number about as far apart, with both ends: what a scale is drawn by. */
  readonly scale: readonly ToldTurn[];
}

/** Where somebody stands who asked for a turn. */
export interface KeptTurn {
  /** The last that is kept, up to the one that was asked for; the first of all when there is none. */
  readonly turn: number;
  readonly at: number;
  /** How many turns the history tells after it; null when the history begins later. */
  readonly since: number | null;
  /** The kept turns next to it. */
  readonly previous: number | null;
  readonly next: number | null;
}

const SCALE = 128;
const TOLD = 'select turn, at, nth from turns';

/** Null without history. What it costs does not depend on how many turns there are. */
export function keptHistory(rows: Pick<Reader, 'get' | 'all'>): KeptHistory | null {
  const first = rows.get<ToldTurn>(`${TOLD} order by turn limit 1`);
  const last = rows.get<ToldTurn>(`${TOLD} order by turn desc limit 1`);
  if (first === undefined || last === undefined) return null;
  const wanted = Array.from({ length: SCALE + 1 }, (_, i) =>
    Math.floor(first.turn + ((last.turn - first.turn) * i) / SCALE),
  );
  const scale = rows.all<ToldTurn>(
    `${TOLD} where turn in (
       select (select max(turn) from turns where turn <= wanted.value) from json_each(?) as wanted) order by turn`,
    JSON.stringify(wanted),
  );
  return { from: first.turn, to: last.turn, turns: last.nth - first.nth + 1, scale };
}

/** Throws CHECKPOINT_UNKNOWN when nothing is kept. */
export function keptTurn({ rows, statements }: Pick<ViewWorld, 'rows' | 'statements'>, asked: number): KeptTurn {
  const nearest = (end: 'min' | 'max', where: string, than: number) =>
    rows.get<{ turn: number | null }>(
      `select ${end}(turn) as turn from (
         select ${end}(turn) as turn from turns where turn ${where} ? union all
         select ${end}(turn) from checkpoints where turn ${where} ?)`,
      than,
      than,
    )?.turn ?? null;
  const turn = nearest('max', '<=', asked) ?? nearest('min', '>', asked) ?? asked;
  assertKept(statements, turn);
  const { at } = rows.get<{ at: number }>(
    'select at from turns where turn = ? union all select at from checkpoints where turn = ?',
    turn,
    turn,
  ) ?? { at: 0 };
  const told = rows.get<ToldTurn>(`${TOLD} where turn <= ? order by turn desc limit 1`, turn);
  const last = rows.get<ToldTurn>(`${TOLD} order by turn desc limit 1`);
  const since = told === undefined || last === undefined ? null : last.nth - told.nth;
  return { turn, at, since, previous: nearest('max', '<', turn), next: nearest('min', '>', turn) };
}
