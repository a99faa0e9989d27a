/**
 * Where a moment lies on the axis of the timeline. Time in which nothing happens is drawn shorter than it was, so that a run of
 * yesterday and one of today lie beside each other.
 *
 * A span of work of `d` ms is `d / z` pixels wide, where `z` is the zoom, ms a pixel. A gap is too, up to `GAP` pixels; a longer one
 * comes near to twice that and never passes it. Where there are many gaps they are drawn shorter still, so that all of them together
 * are no wider than all work: a clock that ticks all night leaves the work its room. So nothing jumps while somebody zooms.
 *
 * S1  A later moment lies further right: strictly, so that what is drawn can be turned into a time again.
 * S2  `timeAt(x(t))` is `t`.
 * S3  A gap is never wider than `2 * GAP` pixels, nor wider than it would be without the compression.
 * S4  All gaps together are no wider than all work, but for the `2 * NARROWEST` pixels that each may have.
 */

/** How wide a gap is from which on it is drawn shorter, px. */
const GAP = 26;
/** The least that this may become where there are many gaps, px: one that is not seen would be a lie. */
const NARROWEST = 1.5;
/** A gap that is drawn this many times shorter than it was gets the mark of a break. */
const BROKEN_FROM = 1.6;

/** A span of time, ms. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

interface Piece extends Span {
  readonly isGap: boolean;
}

/** A gap that is drawn shorter than it was: from where to where on the axis, px, and how long it was, ms. */
export interface Break {
  readonly x: number;
  readonly width: number;
  readonly from: number;
  readonly lengthMs: number;
}

function widthOf(piece: Piece, msPerPx: number, gap: number): number {
  const linear = (piece.to - piece.from) / msPerPx;
  if (!piece.isGap || linear <= gap) return linear;
  return gap * (2 - gap / linear);
}

/** Of how many ms of each gap, at most, all of them together are as long as all work; Infinity when they are not longer anyway. */
function mostOfGap(pieces: readonly Piece[]): number {
  const lengths = pieces.filter(({ isGap }) => isGap).map(({ from, to }) => to - from);
  let left = pieces.reduce((sum, { from, to, isGap }) => (isGap ? sum : sum + to - from), 0);
  lengths.sort((a, b) => a - b);
  for (const [index, length] of lengths.entries()) {
    const each = left / (lengths.length - index);
    if (length > each) return each;
    left -= length;
  }
  return Infinity;
}

/** The spans joined where they meet or overlap, in order. */
export function joined(spans: readonly Span[]): Span[] {
  const sorted = spans.filter(({ from, to }) => to >= from).toSorted((a, b) => a.from - b.from);
  const result: { from: number; to: number }[] = [];
  for (const { from, to } of sorted) {
    const last = result.at(-1);
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
    else result.push({ from, to });
  }
  return result;
}

function piecesOf(busy: readonly Span[], whole: Span, isCompressed: boolean): Piece[] {
  if (!isCompressed) return [{ ...whole, isGap: false }];
  const pieces: Piece[] = [];
  let at = whole.from;
  for (const span of joined(busy)) {
    const from = Math.min(Math.max(span.from, at), whole.to);
    const to = Math.min(Math.max(span.to, at), whole.to);
    if (from > at) pieces.push({ from: at, to: from, isGap: true });
    if (to > from) pieces.push({ from, to, isGap: false });
    at = Math.max(at, to);
  }
  if (at < whole.to) pieces.push({ from: at, to: whole.to, isGap: pieces.length > 0 });
  return pieces;
}

/** The last index whose value is at most `wanted`; 0 when there is none. */
function lastAtMost(values: readonly number[], wanted: number): number {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (values[middle]! <= wanted) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The axis at one zoom. Its zero is at the beginning of the whole; outside of the whole it goes on evenly. */
export class TimeScale {
  readonly msPerPx: number;
  readonly whole: Span;
  /** How wide the whole is, px. */
  readonly width: number;
  readonly #pieces: readonly Piece[];
  readonly #froms: readonly number[];
  readonly #lefts: readonly number[];
  readonly #gap: number;

  constructor(pieces: readonly Piece[], msPerPx: number, mostOfGapMs: number) {
    this.#pieces = pieces;
    this.msPerPx = msPerPx;
    this.#gap = Math.min(GAP, Math.max(NARROWEST, mostOfGapMs / msPerPx / 2));
    this.whole = { from: pieces[0]!.from, to: pieces.at(-1)!.to };
    let x = 0;
    this.#lefts = pieces.map((piece) => {
      const left = x;
      x += this.#widthOf(piece);
      return left;
    });
    this.#froms = pieces.map(({ from }) => from);
    this.width = x;
  }

  #widthOf(piece: Piece): number {
    return widthOf(piece, this.msPerPx, this.#gap);
  }

  /** Where a moment lies, px. */
  x(time: number): number {
    if (time <= this.whole.from) return (time - this.whole.from) / this.msPerPx;
    if (time >= this.whole.to) return this.width + (time - this.whole.to) / this.msPerPx;
    const index = lastAtMost(this.#froms, time);
    const piece = this.#pieces[index]!;
    return this.#lefts[index]! + ((time - piece.from) / (piece.to - piece.from)) * this.#widthOf(piece);
  }

  /** Which moment lies there, ms since 1970. */
  timeAt(x: number): number {
    if (x <= 0) return this.whole.from + x * this.msPerPx;
    if (x >= this.width) return this.whole.to + (x - this.width) * this.msPerPx;
    const index = lastAtMost(this.#lefts, x);
    const piece = this.#pieces[index]!;
    const share = (x - this.#lefts[index]!) / this.#widthOf(piece);
    return piece.from + Math.min(1, share) * (piece.to - piece.from);
  }

  /** The gaps between two places that are drawn much shorter than they were. */
  breaks(fromX: number, toX: number): Break[] {
    const found: Break[] = [];
    for (let index = lastAtMost(this.#lefts, fromX); index < this.#pieces.length; index++) {
      const piece = this.#pieces[index]!;
      const x = this.#lefts[index]!;
      if (x > toX) break;
      if (!piece.isGap) continue;
      const width = this.#widthOf(piece);
      const lengthMs = piece.to - piece.from;
      if (lengthMs / this.msPerPx >= width * BROKEN_FROM) found.push({ x, width, from: piece.from, lengthMs });
    }
    return found;
  }
}

/** All axes of some work: one a zoom. */
export interface Axis {
  readonly whole: Span;
  /** The axis at a zoom, ms a pixel. */
  at(msPerPx: number): TimeScale;
  /** The axis at the zoom at which this span is as wide as that, px. */
  fitting(span: Span, width: number): TimeScale;
}

const FINEST = 0.002;
const COARSEST = 1e9;

/** An axis for work that was under way in these spans. Without `isCompressed`, time runs evenly. */
export function axisOf(busy: readonly Span[], whole: Span, isCompressed = true): Axis {
  const proper = whole.to > whole.from ? whole : { from: whole.from, to: whole.from + 1 };
  const pieces = piecesOf(busy, proper, isCompressed);
  const mostMs = mostOfGap(pieces);
  const at = (msPerPx: number): TimeScale =>
    new TimeScale(pieces, Math.min(COARSEST, Math.max(FINEST, msPerPx)), mostMs);
  return {
    whole: proper,
    at,
    fitting(span, width) {
      // What lies between two moments gets narrower the coarser the zoom: so the wanted one is found by halving.
      let fine = Math.log(FINEST);
      let coarse = Math.log(COARSEST);
      for (let step = 0; step < 60; step++) {
        const middle = (fine + coarse) / 2;
        const scale = at(Math.exp(middle));
        if (scale.x(span.to) - scale.x(span.from) > width) fine = middle;
        else coarse = middle;
      }
      return at(Math.exp(coarse));
    },
  };
}
