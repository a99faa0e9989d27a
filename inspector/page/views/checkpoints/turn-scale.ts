/**
 * Where turns lie on the time slider, and at which of them it stops.
 *
 * T1  A turn that can be stood on is kept: it is a checkpoint, the history holds it, or it is the present.
 * T2  Wherever it is dragged to it stops at such a turn: at a checkpoint that is near, else at the turn itself, else at the nearest.
 * T3  However many checkpoints there are, there are only as many marks as can be told apart.
 */
import type { Checkpoints } from '../../../views/past.ts';

export type Kept = Pick<Checkpoints, 'checkpoints' | 'history' | 'turn'>;
type Checkpoint = Checkpoints['checkpoints'][number];

/** The turns that a slider shows. */
export interface TurnRange {
  readonly from: number;
  readonly to: number;
}

/** From the first turn that is kept to the present. */
export function rangeOf({ checkpoints, history, turn }: Kept): TurnRange {
  const from = Math.min(turn, history?.from ?? turn, ...checkpoints.map((one) => one.turn));
  return { from, to: Math.max(turn, from) };
}

/** Where a turn lies, from 0 to 1; the only one of a range lies at its end. */
export function placeOf(turn: number, { from, to }: TurnRange): number {
  return to === from ? 1 : Math.min(1, Math.max(0, (turn - from) / (to - from)));
}

/** The turn at a place. */
export function turnAt(place: number, { from, to }: TurnRange): number {
  return Math.round(from + Math.min(1, Math.max(0, place)) * (to - from));
}

/** T1. */
export function isKept(turn: number, { checkpoints, history, turn: present }: Kept): boolean {
  if (turn === present) return true;
  if (history !== null && turn >= history.from && turn <= history.to) return true;
  return checkpoints.some((one) => one.turn === turn);
}

/** T2. `near` is the part of the slider within which a checkpoint attracts. */
export function stopAt(place: number, kept: Kept, range: TurnRange, near = 0.008): number {
  const turn = turnAt(place, range);
  const stops = [...kept.checkpoints.map((one) => one.turn), kept.turn];
  const nearest = nearestOf(stops, turn);
  if (Math.abs(placeOf(nearest, range) - place) <= near || !isKept(turn, kept)) {
    const edges = kept.history === null ? [] : [kept.history.from, kept.history.to];
    return isKept(turn, kept) ? nearest : nearestOf([...stops, ...edges], turn);
  }
  return turn;
}

function nearestOf(stops: readonly number[], turn: number): number {
  return stops.reduce((best, stop) => (Math.abs(stop - turn) < Math.abs(best - turn) ? stop : best));
}

export type SliderMove =
  'next' | 'previous' | 'nextTurn' | 'previousTurn' | 'farNext' | 'farPrevious' | 'first' | 'last';

/** The keys of the slider: arrows go to checkpoints, with Shift to turns; pages go by ten. */
export function sliderMove(key: string, shift: boolean): SliderMove | undefined {
  const moves: Readonly<Record<string, readonly [SliderMove, SliderMove]>> = {
    ArrowRight: ['next', 'nextTurn'],
    ArrowUp: ['next', 'nextTurn'],
    ArrowLeft: ['previous', 'previousTurn'],
    ArrowDown: ['previous', 'previousTurn'],
    PageUp: ['farNext', 'farNext'],
    PageDown: ['farPrevious', 'farPrevious'],
    Home: ['first', 'first'],
    End: ['last', 'last'],
  };
  return Object.hasOwn(moves, key) ? moves[key]?.[shift ? 1 : 0] : undefined;
}

const FAR = 10;

/** Where a key goes to from a turn. */
export function movedTo(move: SliderMove, turn: number, kept: Kept): number {
  const range = rangeOf(kept);
  const stops = [...new Set([range.from, ...kept.checkpoints.map((one) => one.turn), kept.turn])]
    .filter((stop) => isKept(stop, kept))
    .sort((a, b) => a - b);
  const later = stops.filter((stop) => stop > turn);
  const earlier = stops.filter((stop) => stop < turn).reverse();
  const byTurn = (step: number, others: readonly number[]) => {
    const next = turn + step;
    return next >= range.from && next <= range.to && isKept(next, kept) ? next : (others[0] ?? turn);
  };
  switch (move) {
    case 'next':
      return later[0] ?? turn;
    case 'previous':
      return earlier[0] ?? turn;
    case 'nextTurn':
      return byTurn(1, later);
    case 'previousTurn':
      return byTurn(-1, earlier);
    case 'farNext':
      return later[FAR - 1] ?? later.at(-1) ?? turn;
    case 'farPrevious':
      return earlier[FAR - 1] ?? earlier.at(-1) ?? turn;
    case 'first':
      return stops[0] ?? turn;
    case 'last':
      return kept.turn;
  }
}

/** One or more checkpoints that cannot be told apart at this width. */
export interface Mark {
  readonly place: number;
  /** The one that the mark stands for: one that is pinned, one with a label, or else the newest. */
  readonly checkpoint: Checkpoint;
  readonly count: number;
  readonly isPinned: boolean;
}

/** T3. Marks that are at least `gap` apart, the oldest first. */
export function marksOf(checkpoints: readonly Checkpoint[], range: TurnRange, gap = 0.008): Mark[] {
  const marks: Mark[] = [];
  let group: Checkpoint[] = [];
  let start = -Infinity;
  const end = () => {
    if (group.length > 0) marks.push(markOf(group, range));
  };
  for (const one of [...checkpoints].sort((a, b) => a.turn - b.turn)) {
    const place = placeOf(one.turn, range);
    if (place - start < gap) group.push(one);
    else {
      end();
      [group, start] = [[one], place];
    }
  }
  end();
  return marks;
}

function markOf(group: readonly Checkpoint[], range: TurnRange): Mark {
  const newest = group.at(-1) as Checkpoint;
  const checkpoint = group.findLast((one) => one.isPinned) ?? group.findLast((one) => one.label !== null) ?? newest;
  return {
    place: placeOf(checkpoint.turn, range),
    checkpoint,
    count: group.length,
    isPinned: group.some((one) => one.isPinned),
  };
}

/** Round numbers of turns, at most `most`. */
export function turnTicks({ from, to }: TurnRange, most = 8): number[] {
  const span = to - from;
  if (span <= 0) return [to];
  const rough = span / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough) ?? 1);
  const ticks: number[] = [];
  for (let turn = Math.ceil(from / step) * step; turn <= to; turn += step) ticks.push(turn);
  return ticks;
}

/** When a turn was: known of a checkpoint, and between two of them about so. Undefined where nothing is known on one side. */
export function timeOf(
  turn: number,
  kept: Kept,
  now: number,
): { readonly at: number; readonly isExact: boolean } | undefined {
  const found = kept.checkpoints.find((one) => one.turn === turn);
  if (found !== undefined) return { at: found.at, isExact: true };
  if (turn >= kept.turn) return { at: now, isExact: true };
  const ordered = [...kept.checkpoints].sort((a, b) => a.turn - b.turn);
  const before = ordered.findLast((one) => one.turn < turn);
  const after = ordered.find((one) => one.turn > turn) ?? { turn: kept.turn, at: now };
  if (before === undefined) return undefined;
  const part = (turn - before.turn) / (after.turn - before.turn);
  return { at: before.at + part * (after.at - before.at), isExact: false };
}
