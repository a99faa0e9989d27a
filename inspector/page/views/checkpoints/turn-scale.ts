/**
 * Where turns lie on the time slider, and at which of them it stops.
 *
 * T1  A turn that can be stood on is kept: it is a checkpoint, the history holds it, or it is the present.
 * T2  Every kept turn takes the same room, and numbers that no turn has take none, as exactly as the scale of the history tells.
 * T3  Wherever it is dragged to it stops at a checkpoint that is near, else within the history, else at the nearest. Within the history
 *     the server says which turn that is: numbers may be left out.
 * T4  However many checkpoints there are, there are only as many marks as can be told apart.
 */
import type { KeptTurn } from '../../../views/kept-turns.ts';
import type { Checkpoints } from '../../../views/past.ts';

export type Kept = Pick<Checkpoints, 'checkpoints' | 'history' | 'turn'>;
type Checkpoint = Checkpoints['checkpoints'][number];

/** The turns that a slider shows, and where some of them lie: from 0 to 1, in order. */
export interface TurnScale {
  readonly from: number;
  readonly to: number;
  readonly knots: readonly { readonly turn: number; readonly place: number }[];
}

/** From the first turn that is kept to the present (T2). The only one of a scale lies at its end. */
export function scaleOf({ checkpoints, history, turn }: Kept): TurnScale {
  const stops = [...new Set([...checkpoints.map((one) => one.turn), turn])].sort((a, b) => a - b);
  const ranks: { turn: number; rank: number }[] = [];
  const put = (stop: number): void => {
    ranks.push({ turn: stop, rank: (ranks.at(-1)?.rank ?? -1) + 1 });
  };
  for (const stop of stops) if (history === null || stop < history.from) put(stop);
  if (history !== null) {
    const before = ranks.length - (history.scale[0]?.nth ?? 0);
    for (const told of history.scale) ranks.push({ turn: told.turn, rank: before + told.nth });
    for (const stop of stops) if (stop > history.to) put(stop);
  }
  const last = ranks.at(-1) ?? { turn, rank: 0 };
  return {
    from: ranks[0]?.turn ?? turn,
    to: last.turn,
    knots: ranks.map((one) => ({ turn: one.turn, place: last.rank === 0 ? 1 : one.rank / last.rank })),
  };
}

/** Where a turn lies, from 0 to 1. */
export function placeOf(turn: number, { knots }: TurnScale): number {
  return between(knots, 'turn', 'place', turn);
}

/** The turn at a place. */
export function turnAt(place: number, { knots }: TurnScale): number {
  return Math.round(between(knots, 'place', 'turn', place));
}

function between<K extends string>(
  knots: readonly Readonly<Record<K, number>>[],
  by: K,
  what: K,
  value: number,
): number {
  const i = knots.findIndex((one) => one[by] >= value);
  const [a, b] = [knots[i - 1], knots[i] ?? knots.at(-1)];
  if (a === undefined || b === undefined || b[by] <= value) return b?.[what] ?? 0;
  return a[what] + ((value - a[by]) / (b[by] - a[by])) * (b[what] - a[what]);
}

/** T1, as far as it is known here: the history may leave numbers out. */
export function mayBeKept(turn: number, { checkpoints, history, turn: present }: Kept): boolean {
  if (turn === present) return true;
  if (history !== null && turn >= history.from && turn <= history.to) return true;
  return checkpoints.some((one) => one.turn === turn);
}

/** T3. `near` is the part of the slider within which a checkpoint attracts. */
export function stopAt(place: number, kept: Kept, scale: TurnScale, near = 0.008): number {
  const turn = turnAt(place, scale);
  const stops = [...kept.checkpoints.map((one) => one.turn), kept.turn];
  const nearest = nearestOf(stops, turn);
  if (Math.abs(placeOf(nearest, scale) - place) <= near || !mayBeKept(turn, kept)) {
    const edges = kept.history === null ? [] : [kept.history.from, kept.history.to];
    return mayBeKept(turn, kept) ? nearest : nearestOf([...stops, ...edges], turn);
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

/** Where a key goes to from a turn; which turns are next to it the server says. */
export function movedTo(
  move: SliderMove,
  turn: number,
  kept: Kept,
  beside: Partial<Pick<KeptTurn, 'previous' | 'next'>> = {},
): number {
  const stops = [...new Set([scaleOf(kept).from, ...kept.checkpoints.map((one) => one.turn), kept.turn])].sort(
    (a, b) => a - b,
  );
  const later = stops.filter((stop) => stop > turn);
  const earlier = stops.filter((stop) => stop < turn).reverse();
  switch (move) {
    case 'next':
      return later[0] ?? turn;
    case 'previous':
      return earlier[0] ?? turn;
    case 'nextTurn':
      return beside.next ?? turn;
    case 'previousTurn':
      return beside.previous ?? turn;
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

/** T4. Marks that are at least `gap` apart, the oldest first. */
export function marksOf(checkpoints: readonly Checkpoint[], scale: TurnScale, gap = 0.008): Mark[] {
  const marks: Mark[] = [];
  let group: Checkpoint[] = [];
  let start = -Infinity;
  const end = () => {
    if (group.length > 0) marks.push(markOf(group, scale));
  };
  for (const one of [...checkpoints].sort((a, b) => a.turn - b.turn)) {
    const place = placeOf(one.turn, scale);
    if (place - start < gap) group.push(one);
    else {
      end();
      [group, start] = [[one], place];
    }
  }
  end();
  return marks;
}

function markOf(group: readonly Checkpoint[], scale: TurnScale): Mark {
  const newest = group.at(-1) as Checkpoint;
  const checkpoint = group.findLast((one) => one.isPinned) ?? group.findLast((one) => one.label !== null) ?? newest;
  return {
    place: placeOf(checkpoint.turn, scale),
    checkpoint,
    count: group.length,
    isPinned: group.some((one) => one.isPinned),
  };
}

/** Turns that lie about as far from each other, at most `most`. */
export function turnTicks(scale: TurnScale, most = 8): number[] {
  return [...new Set(Array.from({ length: most }, (_, i) => turnAt((i + 0.5) / most, scale)))];
}

/** When a turn was: known of some, and between two of them about so. Undefined where nothing is known on one side. */
export function timeOf(
  turn: number,
  kept: Kept,
  now: number,
): { readonly at: number; readonly isExact: boolean } | undefined {
  const found = kept.checkpoints.find((one) => one.turn === turn);
  if (found !== undefined) return { at: found.at, isExact: true };
  if (turn >= kept.turn) return { at: now, isExact: true };
  const known = [...(kept.history?.scale ?? []), ...kept.checkpoints].sort((a, b) => a.turn - b.turn);
  const before = known.findLast((one) => one.turn <= turn);
  if (before === undefined) return undefined;
  if (before.turn === turn) return { at: before.at, isExact: true };
  const after = known.find((one) => one.turn > turn) ?? { turn: kept.turn, at: now };
  const part = (turn - before.turn) / (after.turn - before.turn);
  return { at: before.at + part * (after.at - before.at), isExact: false };
}
