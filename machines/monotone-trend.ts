/**
 * Whether values rise or fall with time, and how fast, without a word about how they scatter. Mann-Kendall says whether
 * (H. B. Mann, "Nonparametric tests against trend", Econometrica 13, 1945), with ties, and with the variance of K. H. Hamed
 * and A. R. Rao (Journal of Hydrology 204, 1998) where neighbours resemble each other; Theil-Sen says how fast: the median of
 * the slopes of all pairs over their real times, with an interval (P. K. Sen, JASA 63, 1968).
 */

/** A value at a time. The clock must be one that only goes forward. */
export interface Sample {
  /** ms. */
  readonly at: number;
  readonly value: number;
}

export interface MonotoneTrend {
  /** Value per ms. */
  readonly slope: number;
  /** The interval of the slope. */
  readonly low: number;
  readonly high: number;
  /** How likely it is by chance that they rise, or fall, so clearly. Both ways. */
  readonly p: number;
}

/** Less says nothing of neighbours. */
const LEAST_FOR_LAGS = 12;

/** The trend of samples in order of their times, none at the same time as another. Needs two at least. */
export function monotoneTrend(samples: readonly Sample[], confidence: number): MonotoneTrend {
  const slopes = slopesOf(samples);
  const slope = middle(slopes);
  const s = score(samples);
  const variance = tiedVariance(samples) * likeness(withoutTrend(samples, Math.sign(s)));
  const z = variance === 0 ? 0 : Math.sign(s) * (Math.max(0, Math.abs(s) - 1) / Math.sqrt(variance));
  const spread = quantile(0.5 + confidence / 2) * Math.sqrt(variance);
  const at = (rank: number) => nth(slopes, Math.min(slopes.length - 1, Math.max(0, Math.round(rank))));
  return {
    slope,
    low: at((slopes.length - spread) / 2 - 1),
    high: at((slopes.length + spread) / 2),
    p: erfc(Math.abs(z) / Math.SQRT2),
  };
}

/** Kendall's S: how many pairs rise, less those that fall. */
export function score(samples: readonly Sample[]): number {
  let s = 0;
  for (let i = 1; i < samples.length; i += 1) {
    const { value } = samples[i] as Sample;
    for (let j = 0; j < i; j += 1) s += Math.sign(value - (samples[j] as Sample).value);
  }
  return s;
}

/** In no order. */
function slopesOf(samples: readonly Sample[]): Float64Array {
  const slopes = new Float64Array((samples.length * (samples.length - 1)) / 2);
  let n = 0;
  for (let i = 1; i < samples.length; i += 1) {
    const { at, value } = samples[i] as Sample;
    for (let j = 0; j < i; j += 1) {
      const before = samples[j] as Sample;
      slopes[n] = (value - before.value) / (at - before.at);
      n += 1;
    }
  }
  return slopes;
}

/** The median, in whatever order they come. */
export function median(values: readonly number[]): number {
  return middle(Float64Array.from(values));
}

function middle(values: Float64Array): number {
  const half = values.length >> 1;
  const upper = nth(values, half);
  return values.length % 2 === 1 ? upper : (nth(values, half - 1) + upper) / 2;
}

/**
 * What would be at that place if they were in order; it moves them. Thousands of slopes need not be sorted for three of them.
 * C. A. R. Hoare, "Algorithm 65: find", 1961.
 */
function nth(values: Float64Array, place: number): number {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const pivot = values[(low + high) >> 1] as number;
    let [i, j] = [low, high];
    while (i <= j) {
      while ((values[i] as number) < pivot) i += 1;
      while ((values[j] as number) > pivot) j -= 1;
      if (i > j) break;
      const value = values[i] as number;
      values[i] = values[j] as number;
      values[j] = value;
      i += 1;
      j -= 1;
    }
    if (place <= j) high = j;
    else if (place >= i) low = i;
    else break;
  }
  return values[place] as number;
}

function tiedVariance(samples: readonly Sample[]): number {
  const of = (n: number) => n * (n - 1) * (2 * n + 5);
  const ties = new Map<number, number>();
  for (const { value } of samples) ties.set(value, (ties.get(value) ?? 0) + 1);
  let sum = of(samples.length);
  for (const n of ties.values()) sum -= of(n);
  return sum / 18;
}

/**
 * What is left when the best that only rises, or only falls, is taken off (pool adjacent violators): a line would leave the bend
 * of every rise that is none, whose neighbours resemble each other without any noise.
 */
function withoutTrend(samples: readonly Sample[], direction: number): number[] {
  const pools: { sum: number; n: number }[] = [];
  const mean = ({ sum, n }: { sum: number; n: number }) => sum / n;
  for (const { value } of samples) {
    let pool = { sum: direction * value, n: 1 };
    for (let before = pools.at(-1); before !== undefined && mean(before) > mean(pool); before = pools.at(-1)) {
      pool = { sum: before.sum + pool.sum, n: before.n + pool.n };
      pools.pop();
    }
    pools.push(pool);
  }
  const fitted = pools.flatMap((pool) => Array.from({ length: pool.n }, () => mean(pool)));
  return samples.map(({ value }, i) => direction * value - (fitted[i] as number));
}

/**
 * By how much the variance of S is greater because neighbours resemble each other, in what is left without the trend. Never
 * below 1: likeness that would make chance look smaller is not believed.
 */
function likeness(rests: readonly number[]): number {
  const n = rests.length;
  if (n < LEAST_FOR_LAGS) return 1;
  const ranks = ranksOf(rests);
  const mean = (n - 1) / 2;
  const about = (i: number) => (ranks[i] as number) - mean;
  let all = 0;
  for (let i = 0; i < n; i += 1) all += about(i) ** 2;
  if (all === 0) return 1;
  let sum = 0;
  for (let lag = 1; lag < n - 2; lag += 1) {
    let together = 0;
    for (let i = lag; i < n; i += 1) together += about(i) * about(i - lag);
    const likeness = together / all;
    // Beyond the first that could be chance there is only chance.
    if (likeness < 1.96 / Math.sqrt(n)) break;
    sum += (n - lag) * (n - lag - 1) * (n - lag - 2) * likeness;
  }
  return 1 + (2 * sum) / (n * (n - 1) * (n - 2));
}

/** From 0, those that are equal the mean of theirs. */
function ranksOf(values: readonly number[]): Float64Array {
  const order = values.map((_, i) => i).sort((a, b) => (values[a] as number) - (values[b] as number));
  const ranks = new Float64Array(values.length);
  for (let from = 0, to = 0; from < order.length; from = to) {
    const value = values[order[from] as number];
    while (to < order.length && values[order[to] as number] === value) to += 1;
    for (let i = from; i < to; i += 1) ranks[order[i] as number] = (from + to - 1) / 2;
  }
  return ranks;
}

/** The complementary error function, to seven digits also far out (Numerical Recipes, 6.2.2). */
function erfc(x: number): number {
  const t = 2 / (2 + x);
  const COEFFICIENTS = [
    0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368,
    -1.26551223,
  ];
  return t * Math.exp(-x * x + COEFFICIENTS.reduce((sum, c) => sum * t + c, 0));
}

/** Where a normal variable stays below with that probability, from 0.5 to 1. */
function quantile(probability: number): number {
  let [low, high] = [0, 10];
  for (let i = 0; i < 50; i += 1) {
    const z = (low + high) / 2;
    if (1 - erfc(z / Math.SQRT2) / 2 < probability) low = z;
    else high = z;
  }
  return low;
}
