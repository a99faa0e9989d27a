/**
 * Whether faults become more frequent. The conditional test of two Poisson rates: given how many there were in all, how
 * many of them are recent is binomial. Source: J. Przyborowski and H. Wilenski, "Homogeneity of results in testing
 * samples from Poisson series", Biometrika 31, 1940.
 */

/** Faults, and what they are counted against: valid actions, or ms. */
export interface Exposed {
  readonly bad: number;
  readonly exposure: number;
}

export interface Trend {
  readonly direction: 'rising' | 'steady' | 'falling';
  /** How many times as frequent as before; null when there were none before. */
  readonly ratio: number | null;
  /** How likely a difference at least as great is by chance, both ways. */
  readonly p: number;
}

const SIGNIFICANT = 0.05;

/** Compares the rate of faults lately with the rate before. */
export function trendOf(recent: Exposed, before: Exposed): Trend {
  const ratio = ratioOf(recent, before);
  if (recent.exposure <= 0 || before.exposure <= 0) return { direction: 'steady', ratio, p: 1 };
  const [k, n] = [Math.round(recent.bad), Math.round(recent.bad) + Math.round(before.bad)];
  const share = recent.exposure / (recent.exposure + before.exposure);
  const more = atLeast(k, n, share);
  const fewer = 1 - atLeast(k + 1, n, share);
  const p = Math.min(1, 2 * Math.min(more, fewer));
  if (p >= SIGNIFICANT) return { direction: 'steady', ratio, p };
  return { direction: more < fewer ? 'rising' : 'falling', ratio, p };
}

function ratioOf(recent: Exposed, before: Exposed): number | null {
  if (recent.exposure <= 0 || before.exposure <= 0 || before.bad <= 0) return null;
  return recent.bad / recent.exposure / (before.bad / before.exposure);
}

/** P(X >= k) of a binomial. The tail away from the mean is summed, whose terms fall. */
export function atLeast(k: number, n: number, p: number): number {
  if (k <= 0) return 1;
  if (k > n) return 0;
  return k > n * p ? tail(k, n, p) : 1 - tail(n - k + 1, n, 1 - p);
}

function tail(k: number, n: number, p: number): number {
  let term = Math.exp(logTerm(k, n, p));
  let sum = 0;
  for (let j = k; j <= n && term > sum * 1e-17; j += 1) {
    sum += term;
    term *= ((n - j) / (j + 1)) * (p / (1 - p));
  }
  return Math.min(1, sum);
}

function logTerm(k: number, n: number, p: number): number {
  let log = k * Math.log(p) + (n - k) * Math.log1p(-p);
  const least = Math.min(k, n - k);
  for (let i = 1; i <= least; i += 1) log += Math.log((n - least + i) / i);
  return log;
}
