/**
 * Whether scores mean what they say: of the actions that were given 0.8, did four in five go well? Outcomes are counted in
 * ten bins, and from them come a map from scores to probabilities, two figures of how far off they are, and thresholds.
 *
 * C1  Below MIN_SAMPLES the map is the identity, and a threshold does not move.
 * C2  The map never turns the order of two scores round.
 * C3  A threshold is a function of the bins and its base, not of what it was: without new outcomes, adapting again changes
 *     nothing, however often.
 * C4  A threshold strays from its base by MAX_SHIFT at most, and never so far that two of them come closer than LEAST_GAP.
 *
 * Only what ran has an outcome, so nothing is known of scores that always ask.
 */
import { GREATEST, LEAST, LEAST_GAP, DEFAULT_THRESHOLDS, type Thresholds } from './thresholds.ts';

/** The outcomes of one tenth of the scores. */
export interface Bin {
  readonly n: number;
  readonly ok: number;
  /** Of the scores. */
  readonly sum: number;
  /** Of the squared differences between score and outcome. */
  readonly squares: number;
}

/** Ten of them. */
export type Bins = readonly Bin[];

const COUNT = 10;
/** Fewer outcomes than this prove nothing. */
export const MIN_SAMPLES = 50;
/** A bin that is this full is halved: what is old counts less and less. */
const FULL = 1_000;
/** So many outcomes weigh as much as the score itself. */
const SHRINKAGE = 10;
/** A threshold strays from its base by at most this. */
export const MAX_SHIFT = 0.05;
/** A threshold that would move less stays. */
const LEAST_MOVE = 0.01;
/** 0.7 times 10 is not always 7. */
const ROUNDING = 1e-9;
/** Standard errors by which scores and outcomes must differ. */
const Z = 1.64;

export const NO_OUTCOMES: Bins = Array.from({ length: COUNT }, () => ({ n: 0, ok: 0, sum: 0, squares: 0 }));

/** Counts the outcome of an action that ran with this score. */
export function observe(bins: Bins, score: number, isOk: boolean): Bins {
  const index = binOf(score);
  return bins.map((bin, at) => (at === index ? counted(bin.n < FULL ? bin : halved(bin), score, isOk) : bin));
}

function binOf(score: number): number {
  return Math.min(COUNT - 1, Math.max(0, Math.floor(score * COUNT)));
}

function counted({ n, ok, sum, squares }: Bin, score: number, isOk: boolean): Bin {
  const outcome = isOk ? 1 : 0;
  return { n: n + 1, ok: ok + outcome, sum: short(sum + score), squares: short(squares + (score - outcome) ** 2) };
}

function halved({ n, ok, sum, squares }: Bin): Bin {
  return { n: n / 2, ok: ok / 2, sum: short(sum / 2), squares: short(squares / 2) };
}

/** They are part of a context: no more digits than they are worth. */
function short(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

function total(bins: Bins, of: (bin: Bin) => number): number {
  return bins.reduce((sum, bin) => sum + of(bin), 0);
}

/** The Brier score: the mean squared difference between score and outcome, 0 at best. Null without outcomes. */
export function brierOf(bins: Bins): number | null {
  const n = total(bins, (bin) => bin.n);
  return n === 0 ? null : total(bins, (bin) => bin.squares) / n;
}

/** The expected calibration error: how far scores and outcomes differ, bin by bin, on average. Null without outcomes. */
export function calibrationErrorOf(bins: Bins): number | null {
  const n = total(bins, (bin) => bin.n);
  return n === 0 ? null : total(bins, ({ ok, sum }) => Math.abs(ok - sum)) / n;
}

interface Point {
  readonly x: number;
  readonly y: number;
  readonly weight: number;
}

/**
 * The map from computed scores to probabilities: isotonic regression over the bins, each shrunk towards its own mean score,
 * with straight lines between them. C1, C2.
 */
export function calibrator(bins: Bins): (score: number) => number {
  if (total(bins, ({ n }) => n) < MIN_SAMPLES) return (score) => score;
  const points = isotonic(bins.map(pointOf));
  return (score) => Math.min(1, Math.max(0, interpolated(points, score)));
}

function pointOf({ n, ok, sum }: Bin, index: number): Point {
  const [from, to] = [index / COUNT, (index + 1) / COUNT];
  const x = n === 0 ? (from + to) / 2 : Math.min(to, Math.max(from, sum / n));
  return { x, y: (ok + SHRINKAGE * x) / (n + SHRINKAGE), weight: n + SHRINKAGE };
}

/** Pools adjacent violators until the values rise. */
function isotonic(points: readonly Point[]): readonly Point[] {
  const pools: { y: number; weight: number; xs: number[] }[] = [];
  for (const { x, y, weight } of points) {
    let pool = { y, weight, xs: [x] };
    for (let last = pools.at(-1); last !== undefined && last.y > pool.y; last = pools.at(-1)) {
      pools.pop();
      const both = last.weight + pool.weight;
      pool = {
        y: (last.y * last.weight + pool.y * pool.weight) / both,
        weight: both,
        xs: [...last.xs, ...pool.xs],
      };
    }
    pools.push(pool);
  }
  return pools.flatMap(({ y, weight, xs }) => xs.map((x) => ({ x, y, weight })));
}

/** Beyond the first and the last point it goes on as the scores do. */
function interpolated(points: readonly Point[], score: number): number {
  const above = points.findIndex(({ x }) => score <= x);
  const [low, high] = [points[above < 0 ? points.length - 1 : above - 1], points[above]];
  if (high === undefined) return (low as Point).y + score - (low as Point).x;
  if (low === undefined) return high.y + score - high.x;
  return low.y + ((score - low.x) / (high.x - low.x)) * (high.y - low.y);
}

/**
 * Thresholds that make up for scores which promised too much, or too little: see C1, C3, C4. `bins` hold the scores as they
 * were decided by; `base` is what the user set, and `current` what came of it so far.
 */
export function adaptThresholds(current: Thresholds, bins: Bins, base: Thresholds = DEFAULT_THRESHOLDS): Thresholds {
  const { immediate, monitored, reversible } = base;
  const [high, low] = [roomBetween(monitored, immediate), roomBetween(reversible, monitored)];
  return {
    immediate: adapt(current.immediate, excessOf(bins, immediate, 1), {
      base: immediate,
      down: high,
      up: shiftWithin(GREATEST - immediate),
    }),
    monitored: adapt(current.monitored, excessOf(bins, monitored, immediate), { base: monitored, down: low, up: high }),
    reversible: adapt(current.reversible, excessOf(bins, reversible, monitored), {
      base: reversible,
      down: shiftWithin(reversible - LEAST),
      up: low,
    }),
  };
}

/** How far each of two neighbours may come towards the other. C4. */
function roomBetween(lower: number, upper: number): number {
  return shiftWithin((upper - lower - LEAST_GAP) / 2);
}

function shiftWithin(room: number): number {
  return Math.min(MAX_SHIFT, Math.max(0, room));
}

/** By how much the scores from `from` to `to` exceed the outcomes, beyond chance; undefined when too few are known. */
function excessOf(bins: Bins, from: number, to: number): number | undefined {
  const first = binOf(from + ROUNDING);
  const within = bins.slice(first, Math.max(first + 1, Math.ceil(to * COUNT - ROUNDING)));
  const n = total(within, (bin) => bin.n);
  if (n < MIN_SAMPLES) return undefined;
  const rate = total(within, (bin) => bin.ok) / n;
  const excess = total(within, (bin) => bin.sum) / n - rate;
  const chance = Z * Math.sqrt(Math.max(rate * (1 - rate), 1 / n) / n);
  return Math.sign(excess) * Math.max(0, Math.abs(excess) - chance);
}

interface Range {
  readonly base: number;
  readonly down: number;
  readonly up: number;
}

function adapt(current: number, excess: number | undefined, { base, down, up }: Range): number {
  if (excess === undefined) return current;
  const aim = Math.round((base + Math.max(-down, Math.min(up, excess))) * 1e4) / 1e4;
  return Math.abs(aim - current) < LEAST_MOVE ? current : aim;
}
