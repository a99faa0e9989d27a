/**
 * What counts of good and bad actions say of a budget. Burn rate, multi-window rule and names are those of The Site
 * Reliability Workbook (Google, 2018), chapter 5.
 *
 * B1  A tier is reached when a value is at or above its threshold; the machine and the report ask the same function.
 * B2  Time alone never makes a tier worse. Shares may rise when the good leave a window before the bad; only a charge,
 *     or another policy, is news.
 * B3  A tier is left only below `exitRatio` of where it is entered, and only when that has lasted for `dwellMs`.
 */
import { BUDGET_TIERS, COUNT_RATIOS, type BudgetPolicy, type BudgetTier, type BurnWindow } from './budget-policy.ts';

/** Valid actions; one that is half good counts on both sides. */
export interface Tally {
  readonly good: number;
  readonly bad: number;
}

/** What was counted of a budget's rows at a time. */
export interface BudgetCounts {
  readonly at: number;
  /** In the order of the policy's windows; none for a count. */
  readonly windows: readonly { readonly long: Tally; readonly short: Tally }[];
  /** The whole period (of a count: the last hour), and how long it is from the first action in it to the last, ms. */
  readonly period: Tally & { readonly spanMs: number };
}

/** A kind of fault within the period. */
export interface FaultShare {
  readonly fingerprint: string;
  readonly n: number;
  /** Not seen before lately. */
  readonly isNew: boolean;
}

/** Where a budget stands. */
export interface Standing {
  readonly tier: BudgetTier;
  /** Since when it looks better than its tier; null when it does not. */
  readonly improvingSince: number | null;
}

/** What others do about a tier. */
export interface BudgetMeasures {
  /** By how many steps the gate is tightened. */
  readonly caution: 0 | 1 | 2 | 3;
  /** Which part of the concurrency is used. */
  readonly share: number;
  readonly freezeOptional: boolean;
}

const MEASURES: Readonly<Record<BudgetTier, BudgetMeasures>> = {
  healthy: { caution: 0, share: 1, freezeOptional: false },
  slowBurn: { caution: 1, share: 1, freezeOptional: false },
  fastBurn: { caution: 2, share: 0.5, freezeOptional: true },
  exhausted: { caution: 3, share: 0.25, freezeOptional: true },
};

/** What a tier asks of the others. A function of the tier alone, so nothing accumulates. */
export function measuresOf(tier: BudgetTier): BudgetMeasures {
  return MEASURES[tier];
}

/** How bad a tier is: 0 for healthy. */
export function severityOf(tier: BudgetTier): number {
  return BUDGET_TIERS.indexOf(tier);
}

/** The share of bad ones as a multiple of what the objective allows; 0 for a window without actions. */
export function burnRate({ good, bad }: Tally, slo: number): number {
  return good + bad === 0 ? 0 : bad / (good + bad) / (1 - slo);
}

/** At which rate `fraction` of the budget goes in the long window; at most what failing always burns. */
export function thresholdOf({ fraction, longMs }: BurnWindow, slo: number, periodMs: number): number {
  return Math.min((fraction * periodMs) / longMs, 1 / (1 - slo));
}

/** The burn of each pair of windows, as both confirm it: the lesser; of a long one with too few actions, 0. */
export function burnsOf(policy: BudgetPolicy, { windows }: BudgetCounts): number[] {
  if (policy.kind === 'count') return [];
  return windows.map(({ long, short }) =>
    long.good + long.bad < policy.minEvents ? 0 : Math.min(burnRate(long, policy.slo), burnRate(short, policy.slo)),
  );
}

/** The greatest burn of all; of a count, failures of the last hour as a multiple of those allowed. */
export function burnOf(policy: BudgetPolicy, counts: BudgetCounts): number {
  return policy.kind === 'count' ? counts.period.bad / policy.perHour : Math.max(0, ...burnsOf(policy, counts));
}

/**
 * Which part of the period's budget is gone; above 1 when more than all. A run that has lasted for less than the period
 * is taken to go on as it did between its first action and its last, as the windows' fractions do.
 */
export function spentOf(policy: BudgetPolicy, { period }: BudgetCounts): number {
  if (policy.kind === 'count') return period.bad / policy.perHour;
  if (period.good + period.bad < policy.minEvents) return 0;
  return burnRate(period, policy.slo) * Math.min(1, period.spanMs / policy.periodMs);
}

/** The tier of what was counted, with thresholds at `ratio` of theirs. */
export function tierOf(policy: BudgetPolicy, counts: BudgetCounts, ratio = 1): BudgetTier {
  if (policy.kind === 'count') return tierOfCount(burnOf(policy, counts), ratio);
  if (reaches(spentOf(policy, counts), ratio)) return 'exhausted';
  const burns = burnsOf(policy, counts);
  const burning = policy.windows.filter((window, i) =>
    reaches(burns[i] ?? 0, thresholdOf(window, policy.slo, policy.periodMs) * ratio),
  );
  if (burning.some(({ tier }) => tier === 'fastBurn')) return 'fastBurn';
  return burning.length > 0 ? 'slowBurn' : 'healthy';
}

function tierOfCount(used: number, ratio: number): BudgetTier {
  if (reaches(used, COUNT_RATIOS.exhausted * ratio)) return 'exhausted';
  if (reaches(used, COUNT_RATIOS.fastBurn * ratio)) return 'fastBurn';
  return reaches(used, COUNT_RATIOS.slowBurn * ratio) ? 'slowBurn' : 'healthy';
}

/** B1. The tolerance is for quotients like 0.05 / (1 - 0.95), which are a little below what they mean. */
function reaches(value: number, threshold: number): boolean {
  return value >= threshold * (1 - 1e-9);
}

/** Where a budget stands after a count: see B2 and B3. `news`: something was charged since, or the policy is another. */
export function judge(
  policy: BudgetPolicy,
  { tier, improvingSince }: Standing,
  counts: BudgetCounts,
  news: boolean,
): Standing {
  const entered = tierOf(policy, counts);
  if (news && severityOf(entered) > severityOf(tier)) return { tier: entered, improvingSince: null };
  const kept = tierOf(policy, counts, policy.exitRatio);
  if (severityOf(kept) >= severityOf(tier)) return { tier, improvingSince: null };
  // A clock that was put back must not hold a tier for longer.
  const since = Math.min(improvingSince ?? counts.at, counts.at);
  if (counts.at - since < policy.dwellMs) return { tier, improvingSince: since };
  return { tier: kept, improvingSince: null };
}

/**
 * The Herfindahl index of faults: 1 when all are one and the same, near 0 when each is another; 0 without any.
 * Whoever reads it knows whether one thing is broken or everything is.
 */
export function concentrationOf(faults: readonly { readonly n: number }[]): number {
  const total = faults.reduce((sum, { n }) => sum + n, 0);
  return total === 0 ? 0 : faults.reduce((sum, { n }) => sum + (n / total) ** 2, 0);
}
