/** What an error budget says, in words and in the parts of a chart. */
import type { WindowReport } from '../../../../actors/budget-report.ts';
import type { BudgetTier } from '../../../../machines/budget-policy.ts';
import type { Trend } from '../../../../machines/trend.ts';
import type { BudgetView } from '../../../views/measures.ts';
import { agoText, clockText, countText, durationText, percentText } from '../../format.ts';
import { rounded } from '../resources/amounts.ts';
import { tickLabel } from '../timeline/ticks.ts';

export interface TierWords {
  readonly name: string;
  /** What the tier changes now, in one sentence. */
  readonly effect: string;
}

const WORDS: Readonly<Record<BudgetTier, TierWords>> = {
  healthy: { name: 'Healthy', effect: 'Nothing is held back: failures are within what is allowed.' },
  slowBurn: {
    name: 'Slow burn',
    effect: 'The gate asks a little more often, because failures would use up the budget before the period ends.',
  },
  fastBurn: {
    name: 'Fast burn',
    effect:
      'Half as many actions run at once, optional ones wait, and the gate asks more often, until failures become fewer.',
  },
  exhausted: {
    name: 'Exhausted',
    effect:
      'A quarter as many actions run at once, optional ones wait, and whatever has medium impact or more asks first, until the budget recovers.',
  },
};

export function tierWords(tier: BudgetTier): TierWords {
  return WORDS[tier];
}

/** What is said when the tier of the machine is worse than what the counts say: it eases only after a while. */
export function heldText(tier: BudgetTier, counted: BudgetTier): string | undefined {
  if (tier === counted) return undefined;
  return `Counted alone it would be ${WORDS[counted].name.toLowerCase()} by now: it eases after it has been better for a while.`;
}

/** What is left of the budget, as a gauge shows it: never less than nothing of it. */
export function gaugeOf(spent: number): { readonly remaining: number; readonly text: string } {
  const left = Number.isFinite(spent) ? Math.min(1, Math.max(0, 1 - spent)) : 0;
  const over =
    spent > 1 ? `${rounded(spent)} times the budget is spent` : `${percentText(left)} of the error budget is left`;
  return { remaining: left, text: over };
}

/** Failures, of which one may be counted in part: `3 failures`, `0.2 failures`. */
export function failuresText(weight: number): string {
  const text = weightText(weight);
  return `${text} ${text === '1' ? 'failure' : 'failures'}`;
}

/** What is counted in parts: whole where it is whole, and never nothing where it is something. */
export function weightText(weight: number): string {
  const tenths = Math.round(weight * 10) / 10;
  if (Math.abs(weight - tenths) < 1e-6 || weight >= 1)
    return Number.isInteger(tenths) ? countText(tenths) : rounded(tenths);
  return rounded(weight);
}

/** When faults of a kind were: exactly where their newest failure is there, else as well as their counts tell, which are of spans of time. */
export function faultTimes(
  { firstAt, lastAt }: { readonly firstAt: number; readonly lastAt: number },
  newestAt: number | undefined,
  now: number,
): string {
  const within = (at: number) =>
    `within the last ${durationText(Math.max(1_000, Math.ceil((now - at) / 1_000) * 1_000))}`;
  if (newestAt !== undefined && newestAt >= lastAt) return `last ${agoText(newestAt, now)}, all ${within(firstAt)}`;
  return firstAt === lastAt ? `all ${within(firstAt)}` : `newest ${within(lastAt)}, all ${within(firstAt)}`;
}

const DAY = 86_400_000;

/** What is written under a time axis, as far apart as there are different things to write: at most five, both ends with them. */
export function axisTimes(from: number, to: number): string[] {
  const counts = [5, 3, 2].map((count) => {
    const step = (to - from) / (count - 1);
    return Array.from({ length: count }, (_, i) => axisTime(from + i * step, to - from, step));
  });
  return counts.find((labels) => new Set(labels).size === labels.length) ?? [axisTime(to, to - from, to - from)];
}

function axisTime(at: number, span: number, step: number): string {
  const day = tickLabel(at, DAY);
  if (step >= DAY) return day;
  const time = clockText(at).slice(0, step >= 60_000 ? 5 : 8);
  return span >= DAY ? `${day} ${time}` : time;
}

/** The points of an arc of a gauge that is open below, as the path of an SVG. `part` from 0 to 1. */
export function arcPath(part: number, radius: number, centre: number, sweep = 250): string {
  const from = 180 + (sweep - 180) / 2;
  const at = (share: number) => {
    const angle = ((from - share * sweep) * Math.PI) / 180;
    return `${round(centre + radius * Math.cos(angle))} ${round(centre - radius * Math.sin(angle))}`;
  };
  const clipped = Math.min(1, Math.max(0, part));
  if (clipped === 0) return '';
  return `M ${at(0)} A ${radius} ${radius} 0 ${clipped * sweep > 180 ? 1 : 0} 1 ${at(clipped)}`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** What is left at a time. */
export interface BurnPoint {
  readonly at: number;
  /** From 0 to 1. */
  readonly left: number;
}

/** The budget that is left over the period, the oldest first. */
export function burnDown(series: BudgetView['series']): BurnPoint[] {
  return series.map(({ at, spent }) => ({ at, left: Math.min(1, Math.max(0, 1 - spent)) }));
}

/**
 * When the budget is gone if it burns on as it does: ms from now, undefined when it does not burn faster than it may. A burn of
 * 1 uses the whole budget in one period.
 */
export function goneInMs(burn: number, spent: number, periodMs: number): number | undefined {
  if (!(burn > 1) || spent >= 1) return undefined;
  return ((1 - spent) * periodMs) / burn;
}

/** How a pair of windows is told. */
export interface WindowWords {
  readonly title: string;
  /** Both burn at least as fast as the threshold. */
  readonly isBurning: boolean;
  readonly text: string;
}

export function windowWords({ long, short, longMs, shortMs, threshold, fraction, tier }: WindowReport): WindowWords {
  const burn = Math.min(long.burn, short.burn);
  const isBurning = burn >= threshold * (1 - 1e-9);
  const name = WORDS[tier].name.toLowerCase();
  const rule = `${percentText(fraction)} of the budget in ${durationText(longMs)}`;
  const state = isBurning
    ? `both windows burn: ${name}`
    : long.burn >= threshold
      ? `it has burned, and does not any more`
      : `below ${rounded(threshold)}×`;
  return { title: `${durationText(longMs)} and ${durationText(shortMs)}`, isBurning, text: `${rule}; ${state}` };
}

/** Where a burn lies on a scale on which the threshold is at two thirds, from 0 to 1. */
export function burnPlace(burn: number, threshold: number): number {
  if (!(burn > 0) || !(threshold > 0)) return 0;
  return Math.min(1, (burn / threshold) * (2 / 3));
}

/** `Failures are becoming more: 2.1 times as frequent as before (hardly chance)`. */
export function trendText({ direction, ratio, p }: Trend): string {
  if (direction === 'steady') return 'Failures are as frequent as before.';
  const times = ratio === null ? 'there were none before' : `${rounded(ratio)} times as frequent as before`;
  const chance = p < 0.001 ? 'hardly chance' : `by chance in ${rounded(p * 100)} of 100 cases`;
  return `Failures are becoming ${direction === 'rising' ? 'more' : 'fewer'}: ${times} (${chance})`;
}

/** Whether one thing is broken, or everything is. The most frequent kinds come first. */
export function concentrationText(faults: readonly { readonly share: number }[]): string {
  const [first] = faults;
  if (first === undefined) return '';
  if (faults.length === 1) return 'All failures are of one kind: one thing is broken.';
  if (first.share > 0.5) return 'Most failures are of one kind: one thing is broken.';
  if (faults.length <= 3) return `The failures are of ${faults.length} kinds.`;
  const ofThree = faults.slice(0, 3).reduce((sum, { share }) => sum + share, 0);
  return ofThree > 0.5 ? 'A few kinds make up most failures.' : 'The failures are of many kinds.';
}
