/**
 * Whether a run of a plan was slower than earlier runs of it, operation by operation. The medians of runs are compared and not
 * single calls: calls of one run are alike because of what the machine did meanwhile, however many there are. Where would the
 * median of another run lie, if nothing had changed? The prediction interval of Student's t says, of logarithms, because
 * durations differ by factors; Holm's step-down keeps the chance of one false report among all operations below
 * {@link SIGNIFICANT}.
 */
import type { Profile } from './profile.ts';
import { upperTail } from './student.ts';

/** Earlier runs without which nothing is said. */
export const FEWEST_RUNS = 3;
const SIGNIFICANT = 0.01;
/** Less than this many times as slow is nothing to report, however sure. */
const LEAST_RATIO = 1.1;
/** What a sketch cannot tell apart, and what nobody would call a change. */
const LEAST_DEVIATION = 0.02;
/** Medians below it are noise of clocks, ms. */
const LEAST_MS = 0.05;
const TOLD = 10;

/** An operation that has become slower. */
export interface Regression {
  readonly path: readonly string[];
  /** The median of this run, and the usual one of earlier runs, ms. */
  readonly medianMs: number;
  readonly beforeMs: number;
  /** How many times as slow. */
  readonly ratio: number;
  /** How likely that is by chance, given how many operations were looked at. */
  readonly p: number;
  /** Earlier runs that it was compared with. */
  readonly runs: number;
}

/** The operations of a run that have become slower than they were in earlier runs, the slowest first. */
export function regressionsOf(run: Profile, earlier: readonly Profile[]): Regression[] {
  if (earlier.length < FEWEST_RUNS) return [];
  const before = earlier.map(mediansOf);
  const candidates = [...mediansOf(run).values()].flatMap(({ path, key, medianMs }) => {
    const medians = before.flatMap((medians) => medians.get(key)?.medianMs ?? []);
    return medians.length < FEWEST_RUNS ? [] : [compared(path, medianMs, medians)];
  });
  return holm(candidates)
    .filter(({ p, ratio, medianMs }) => p < SIGNIFICANT && ratio >= LEAST_RATIO && medianMs >= LEAST_MS)
    .sort((a, b) => b.ratio - a.ratio);
}

/** The worst of them, for whoever is told. */
export function regressionsTold(found: readonly Regression[]): Pick<Regression, 'path' | 'ratio'>[] {
  return found.slice(0, TOLD).map(({ path, ratio }) => ({ path, ratio }));
}

interface Median {
  readonly path: readonly string[];
  readonly key: string;
  readonly medianMs: number;
}

/** Of what was done: a wait is longer because there is more, or because others are slower. */
function mediansOf(profile: Profile): Map<string, Median> {
  const medians = new Map<string, Median>();
  for (const { kind, count, path, sketch } of profile.nodes()) {
    if (kind !== 'work' || count === 0) continue;
    const key = JSON.stringify(path);
    medians.set(key, { path, key, medianMs: sketch.quantile(0.5) });
  }
  return medians;
}

function compared(path: readonly string[], medianMs: number, before: readonly number[]): Regression {
  const logs = before.map((ms) => Math.log(Math.max(ms, LEAST_MS)));
  const runs = logs.length;
  const mean = logs.reduce((sum, log) => sum + log, 0) / runs;
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (runs - 1);
  const deviation = Math.max(LEAST_DEVIATION, Math.sqrt(variance));
  const distance = Math.log(Math.max(medianMs, LEAST_MS)) - mean;
  const p = upperTail(distance / (deviation * Math.sqrt(1 + 1 / runs)), runs - 1);
  return { path, medianMs, beforeMs: Math.exp(mean), ratio: Math.exp(distance), p, runs };
}

/** S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statistics 6, 1979. */
function holm(tested: readonly Regression[]): Regression[] {
  let least = 0;
  return [...tested]
    .sort((a, b) => a.p - b.p)
    .map((one, at) => {
      least = Math.max(least, Math.min(1, one.p * (tested.length - at)));
      return { ...one, p: least };
    });
}
