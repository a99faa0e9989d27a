/**
 * When a stock that runs full will be full: from its last samples, by their real times.
 *
 * A leak seldom begins when the samples do, so that the trend is looked for in windows that all end now, from an eighth of the
 * samples to all of them. A shorter one is believed only if it has left behind what was there before it: what rose as far
 * before and came back is no leak. It must rise in both of its halves: what has made a step is none either. Of those that are believed the longest counts that the shorter ones agree with (A.
 * Goldenshluger and A. Nemirovski, "On spatially adaptive estimation of nonparametric regression", 1997: the intersection of
 * confidence intervals).
 *
 * F1  Without a significant rise there is no forecast: windows that are looked at together share one allowance for chance.
 * F2  The work is bounded: of more than {@link MOST_SAMPLES} samples the older are thinned.
 * F3  What lies further away than twice the horizon is no forecast: nothing would be done about it, and a trend is not
 *     trusted for much longer than it was seen.
 */
import { median, monotoneTrend, score, type Sample } from './monotone-trend.ts';

export type { Sample };

export interface ForecastOptions {
  /** How far ahead one looks, ms. Default: 300,000. What lies beyond twice that is not told. */
  readonly horizonMs?: number;
  /** Of the interval. Default: 0.95. */
  readonly confidence?: number;
}

/** When the limit is reached, from the last sample on. */
export interface Forecast {
  /** ms; 0 when it is reached already, and it goes on rising. */
  readonly etaMs: number;
  /** The interval of `etaMs`. */
  readonly earliestMs: number;
  /** Null: it may as well never be. */
  readonly latestMs: number | null;
  readonly slopePerMs: number;
  /** How likely so clear a rise is by chance. */
  readonly p: number;
}

export const DEFAULT_HORIZON_MS = 300_000;
export const DEFAULT_CONFIDENCE = 0.95;
/** So many samples are looked at, and kept. */
export const MOST_SAMPLES = 120;
/** In horizons: what lies further away is not told. */
const FARTHEST = 2;
/** What part of all samples a window is: one by this. */
const WINDOWS = [8, 6, 4, 3, 2, 1.5, 1] as const;
/** Fewer samples than this, or in less than this part of the horizon, say nothing: what has just begun gets warm. */
const LEAST_SAMPLES = 20;
const LEAST_SPAN = 1 / 4;
/** Fewer than this, or in less than this part of the horizon, are no window. */
const LEAST_OF_WINDOW = 12;
const LEAST_SPAN_OF_WINDOW = 1 / 8;
/** Less than so many deviations are not looked at more closely: outliers hide no more than that. */
const WORTH_A_LOOK = 2;
/** How likely chance may be in all windows together; and in the whole, which nothing before it speaks for. */
const CHANCE = 1e-4;
const CHANCE_ALONE = 1e-9;
/** A rise by less of the limit than this, in its whole window, is no effect. */
const LEAST_RISE = 0.01;
/**
 * By so many times the range of what was seen before, a window must have left it behind, and the whole its own first half; and
 * what that range is.
 */
const LEFT_BEHIND = { before: 2, half: 0.5 } as const;
const RANGE = [0.15, 0.85] as const;
/** Each half of a window must rise by so much of what its line says. */
const GOES_ON = 0.25;
/** So many samples say where it is now. */
const OF_NOW = 7;
/** Deviations from the line, in units of their own median, beyond which a sample is an outlier: 3.5 sigma of a normal one. */
const OUTLYING = 3.5 * 1.4826;

interface Sought {
  readonly limit: number;
  readonly confidence: number;
  readonly withinMs: number;
  /** A window is as long as this. */
  readonly leastMs: number;
}

interface Line extends Pick<Forecast, 'p'> {
  readonly samples: readonly Sample[];
  readonly slope: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Says when the limit is reached; null when nothing rises, or not clearly, or not soon. Samples are in the order of their
 * times; those that are no finite numbers are left out.
 *
 * @example
 * ```ts
 * const samples = Array.from({ length: 30 }, (_, i) => ({ at: i * 5_000, value: 0.5 + i * 0.01 }));
 * forecast(samples, 1)?.etaMs; // 105,000
 * ```
 */
export function forecast(
  samples: readonly Sample[],
  limit: number,
  { horizonMs = DEFAULT_HORIZON_MS, confidence = DEFAULT_CONFIDENCE }: ForecastOptions = {},
): Forecast | null {
  const clean = thinned(ordered(samples));
  if (clean.length < LEAST_SAMPLES || spanMs(clean) < LEAST_SPAN * horizonMs) return null;
  const [withinMs, leastMs] = [FARTHEST * horizonMs, LEAST_SPAN_OF_WINDOW * horizonMs];
  const line = chosen(lines(clean, { limit, confidence, withinMs, leastMs }));
  if (line === undefined) return null;
  const last = clean[clean.length - 1] as Sample;
  const reach = (slope: number) => Math.max(0, (limit - levelAt(line.samples, last.at, slope)) / slope);
  const etaMs = reach(line.slope);
  if (!(etaMs <= withinMs)) return null;
  return {
    etaMs,
    earliestMs: Math.min(etaMs, reach(line.high)),
    latestMs: line.low > 0 ? Math.max(etaMs, reach(line.low)) : null,
    slopePerMs: line.slope,
    p: line.p,
  };
}

/**
 * The samples with one more. What is older than `keptMs` goes, but not the last {@link MOST_SAMPLES} / 2: with a horizon of a
 * few samples there would be nothing to go by. The older ones are thinned.
 */
export function withSample(samples: readonly Sample[], sample: Sample, keptMs: number): readonly Sample[] {
  const recent = samples.length - MOST_SAMPLES / 2;
  const kept = samples.filter(({ at }, i) => at < sample.at && (i >= recent || at > sample.at - keptMs));
  return thinned([...kept, sample]);
}

/** F2. Of the older half those go that are nearest to their neighbours, so that it reaches far back. */
export function thinned(samples: readonly Sample[]): readonly Sample[] {
  const all = samples.slice(0, Math.max(0, samples.length - MOST_SAMPLES / 2));
  // Of very many most can go without a look.
  const stride = Math.ceil(all.length / (4 * MOST_SAMPLES));
  const old = stride > 1 ? all.filter((_, i) => i % stride === 0) : all;
  while (old.length > MOST_SAMPLES / 2) old.splice(crowded(old), 1);
  return samples.length > MOST_SAMPLES ? [...old, ...samples.slice(-MOST_SAMPLES / 2)] : samples;
}

/** The one with the least time between its neighbours. */
function crowded(samples: readonly Sample[]): number {
  const at = (i: number) => (samples[i] as Sample).at;
  let least = 1;
  for (let i = 2; i < samples.length - 1; i += 1) if (at(i + 1) - at(i - 1) < at(least + 1) - at(least - 1)) least = i;
  return least;
}

function ordered(samples: readonly Sample[]): readonly Sample[] {
  const clean = samples.filter(({ at, value }) => Number.isFinite(at) && Number.isFinite(value));
  return clean.filter(({ at }, i) => i === 0 || at > (clean[i - 1] as Sample).at);
}

/** The windows that are believed, the shortest first. */
function lines(samples: readonly Sample[], { limit, confidence, withinMs, leastMs }: Sought): Line[] {
  const isWindow = (size: number) => size >= LEAST_OF_WINDOW && spanMs(samples.slice(-size)) >= leastMs;
  const sizes = WINDOWS.map((part) => Math.ceil(samples.length / part)).filter(isWindow);
  return sizes.flatMap((size) => {
    // Most often nothing rises, and then nothing need be reckoned.
    if (!isNear(samples.slice(-size), limit, withinMs) || !leavesBehind(samples, size)) return [];
    const chance = size === samples.length ? CHANCE_ALONE : CHANCE / sizes.length;
    const line = lineOf(samples.slice(-size), confidence, chance);
    return line !== undefined && isEffect(line, limit) && goesOn(samples.slice(-size), line) ? [line] : [];
  });
}

/** F1. */
function lineOf(window: readonly Sample[], confidence: number, chance: number): Line | undefined {
  const n = window.length;
  if (score(window) < WORTH_A_LOOK * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18)) return undefined;
  const first = monotoneTrend(window, confidence);
  if (first.slope <= 0) return undefined;
  const samples = withoutOutliers(window, first.slope);
  if (samples.length < LEAST_OF_WINDOW * 0.75) return undefined;
  const { slope, low, high, p } = samples.length === window.length ? first : monotoneTrend(samples, confidence);
  return slope > 0 && p < chance ? { samples, slope, low, high, p } : undefined;
}

function withoutOutliers(window: readonly Sample[], slope: number): readonly Sample[] {
  const { at: end } = window[window.length - 1] as Sample;
  const rests = window.map(({ at, value }) => value - slope * (at - end));
  const level = median(rests);
  const far = OUTLYING * median(rests.map((rest) => Math.abs(rest - level)));
  return window.filter((_, i) => Math.abs((rests[i] as number) - level) <= far + 1e-9 * Math.abs(level));
}

/** Where the line is at a time: the median, so that no outlier moves it. */
function levelAt(samples: readonly Sample[], at: number, slope: number): number {
  return median(samples.map((sample) => sample.value + slope * (at - sample.at)));
}

function spanMs(samples: readonly Sample[]): number {
  return (samples[samples.length - 1] as Sample).at - (samples[0] as Sample).at;
}

/** Of the time, not of the samples: the older are thinned. */
function earlierHalf(samples: readonly Sample[]): readonly Sample[] {
  const [first, last] = [samples[0] as Sample, samples[samples.length - 1] as Sample];
  return samples.filter(({ at }) => at <= (first.at + last.at) / 2);
}

function isEffect({ samples, slope }: Line, limit: number): boolean {
  return slope * spanMs(samples) >= LEAST_RISE * limit;
}

/** Whether a window could reach the limit so soon: by its first third and its last, and doubled, because that is a guess. */
function isNear(window: readonly Sample[], limit: number, withinMs: number): boolean {
  const third = Math.ceil(window.length / 3);
  const [first, last] = [middleOf(window.slice(0, third)), middleOf(window.slice(-third))];
  const slope = (last.value - first.value) / (last.at - first.at);
  const { at: end } = window[window.length - 1] as Sample;
  return limit - last.value <= 2 * slope * (withinMs + end - last.at);
}

/** Whether it rises in both halves: what has made a step, and stays there, is not on its way. */
function goesOn(window: readonly Sample[], { slope }: Line): boolean {
  const quarter = Math.floor(window.length / 4);
  return [0, window.length - 2 * quarter].every((from) => {
    const first = middleOf(window.slice(from, from + quarter));
    const second = middleOf(window.slice(from + quarter, from + 2 * quarter));
    return second.value - first.value >= GOES_ON * slope * (second.at - first.at);
  });
}

function middleOf(samples: readonly Sample[]): Sample {
  return { at: median(samples.map(({ at }) => at)), value: median(samples.map(({ value }) => value)) };
}

/** Whether a window, the last so many, ends above all that was seen before it, clearly. */
function leavesBehind(samples: readonly Sample[], size: number): boolean {
  const isWhole = size === samples.length;
  const before = isWhole ? earlierHalf(samples) : samples.slice(0, -size);
  const values = Float64Array.from(before, ({ value }) => value).sort();
  // Outliers of before do not count.
  const [low, high] = RANGE.map((part) => values[Math.floor(part * (values.length - 1))] as number) as [number, number];
  const now = median(samples.slice(-OF_NOW).map(({ value }) => value));
  return now > high + (isWhole ? LEFT_BEHIND.half : LEFT_BEHIND.before) * (high - low);
}

/** The longest that all shorter ones agree with. */
function chosen(all: readonly Line[]): Line | undefined {
  let best: Line | undefined;
  let [low, high] = [-Infinity, Infinity];
  for (const line of all) {
    low = Math.max(low, line.low);
    high = Math.min(high, line.high);
    if (low > high) return best;
    best = line;
  }
  return best;
}
