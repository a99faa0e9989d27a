/** What the error budget's rows say, for whoever reads and decides nothing. */
import { horizonOf, type BudgetPolicy, type BudgetTier, type BurnWindow } from '../machines/budget-policy.ts';
import { burnOf, burnRate, concentrationOf, spentOf, thresholdOf, tierOf, type Tally } from '../machines/burn.ts';
import { trendOf, type Exposed, type Trend } from '../machines/trend.ts';
import type { Rows } from '../persistence/rows.ts';
import { countBudget, latelyMsOf, tallyOf, type CountedFault } from './budget.ts';

/** A pair of windows, and what was in it. */
export interface WindowReport extends BurnWindow {
  readonly long: Tally & { readonly burn: number };
  readonly short: Tally & { readonly burn: number };
  /** The burn from which the pair counts, when both reach it. */
  readonly threshold: number;
}

export interface BudgetReport {
  readonly at: number;
  /** What the counts alone say. The machine's tier may still be worse: it improves only after a while. */
  readonly tier: BudgetTier;
  /** The greatest burn that both windows of a pair confirm; of an hourly count, the part of it that is used. */
  readonly burn: number;
  /** Which part of the period's budget is gone; above 1 when more than all. */
  readonly spent: number;
  /** Which part is left, from 0 to 1. */
  readonly remaining: number;
  /** Valid actions of the period (of a count: of the last hour). */
  readonly good: number;
  readonly bad: number;
  readonly periodMs: number;
  /** None for an hourly count. */
  readonly windows: readonly WindowReport[];
  /** The five most frequent kinds of faults. */
  readonly faults: readonly (CountedFault & { readonly share: number })[];
  /** The Herfindahl index of faults: 1 when all are the same, 0 without any. */
  readonly concentration: number;
  /** Fingerprints that were not seen before lately. */
  readonly fresh: readonly string[];
  /** Lately (1/48 of the period, of a count 10 minutes) against five times as long before it. */
  readonly trend: Trend;
}

type Reader = Pick<Rows, 'get' | 'all'>;

/** What the rows say of a budget at `now`, wall-clock ms. Reads only. */
export function budgetReport(rows: Reader, policy: BudgetPolicy, now: number): BudgetReport {
  const counted = countBudget(rows, policy, now);
  const { faults, period } = counted;
  const spent = spentOf(policy, counted);
  const total = faults.reduce((sum, { n }) => sum + n, 0);
  return {
    at: now,
    tier: tierOf(policy, counted),
    burn: burnOf(policy, counted),
    spent,
    remaining: Math.max(0, 1 - spent),
    good: period.good,
    bad: period.bad,
    periodMs: horizonOf(policy),
    windows: windowsOf(policy, counted.windows),
    faults: faults.slice(0, 5).map((fault) => ({ ...fault, share: fault.n / total })),
    concentration: concentrationOf(faults),
    fresh: faults.flatMap(({ fingerprint, isNew }) => (isNew ? [fingerprint] : [])),
    trend: trend(rows, policy, now),
  };
}

function windowsOf(policy: BudgetPolicy, counted: readonly { long: Tally; short: Tally }[]): WindowReport[] {
  if (policy.kind === 'count') return [];
  const { slo, periodMs } = policy;
  const burning = (tally: Tally) => ({ ...tally, burn: burnRate(tally, slo) });
  return policy.windows.flatMap((window, i) => {
    const one = counted[i];
    if (one === undefined) return [];
    const threshold = thresholdOf(window, slo, periodMs);
    return [{ ...window, long: burning(one.long), short: burning(one.short), threshold }];
  });
}

function trend(rows: Reader, policy: BudgetPolicy, now: number): Trend {
  const latelyMs = latelyMsOf(policy);
  const recent = tallyOf(rows, policy, now, latelyMs);
  // A bucket is counted on one side only.
  const until = now - latelyMs - policy.bucketMs;
  const before = tallyOf(rows, policy, until, 5 * latelyMs - policy.bucketMs);
  const exposed = ({ good, bad }: Tally, ms: number): Exposed => {
    return { bad, exposure: policy.kind === 'slo' ? good + bad : ms };
  };
  return trendOf(exposed(recent, latelyMs), exposed(before, 5 * latelyMs));
}
