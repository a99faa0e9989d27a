/**
 * What an error budget allows, as plain data. Two kinds: `slo`, burn rates over several windows as in The Site
 * Reliability Workbook (Google, 2018), chapter 5, "Alerting on SLOs", scaled to the length of a run; and `count`, so
 * many failures an hour.
 */
import { PerdureError } from '../errors.ts';
import { isObject, shown, unknownKey } from './option-keys.ts';

/** How fast the budget burns, the worst last. */
export const BUDGET_TIERS = ['healthy', 'slowBurn', 'fastBurn', 'exhausted'] as const;
export type BudgetTier = (typeof BUDGET_TIERS)[number];

/** A pair of windows: when `fraction` of the budget goes in the long one, and the short one says that it still goes on. */
export interface BurnWindow {
  readonly fraction: number;
  readonly longMs: number;
  readonly shortMs: number;
  /** What it means when both burn. */
  readonly tier: 'slowBurn' | 'fastBurn';
}

interface Hysteresis {
  /** A tier is left below this part of the value at which it is entered. Default: 0.8. */
  readonly exitRatio: number;
  /** And only when it stayed below for so long, ms. */
  readonly dwellMs: number;
  /** How finely time is counted, ms. */
  readonly bucketMs: number;
}

export interface SloBudget extends Hysteresis {
  readonly kind: 'slo';
  /** Which part of the valid actions is to be good. Default: 0.9. */
  readonly slo: number;
  /** The length of a run, over which the budget is reckoned, ms. Default: 8 hours. */
  readonly periodMs: number;
  /** Default: 10 % in 1/48 of the period, 25 % in 1/8 (fast), 50 % in 1/2 (slow); short windows are 1/12 of the long. */
  readonly windows: readonly BurnWindow[];
  /** A long window, or the period, with fewer valid actions says nothing. Default: 10. */
  readonly minEvents: number;
}

export interface CountBudget extends Hysteresis {
  readonly kind: 'count';
  /** Failures an hour; slow burn from 0.4 of it, fast from 0.8, exhausted from 1.5. Default: 10. */
  readonly perHour: number;
}

export type BudgetPolicy = SloBudget | CountBudget;

/** What may be asked of a budget; the rest has defaults. */
export type BudgetOptions =
  | (Partial<Omit<SloBudget, 'kind' | 'bucketMs'>> & { readonly kind?: 'slo' })
  | (Partial<Omit<CountBudget, 'kind' | 'bucketMs'>> & { readonly kind: 'count' });

/** From which part of the hourly count a tier begins. */
export const COUNT_RATIOS = { slowBurn: 0.4, fastBurn: 0.8, exhausted: 1.5 } as const;

/** All that may be said of each kind, and of a window. */
const OPTIONS: Readonly<Record<BudgetPolicy['kind'], readonly string[]>> = {
  slo: ['kind', 'slo', 'periodMs', 'windows', 'minEvents', 'exitRatio', 'dwellMs'],
  count: ['kind', 'perHour', 'exitRatio', 'dwellMs'],
};
const WINDOW = ['fraction', 'longMs', 'shortMs', 'tier'];

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * A whole policy of what was asked. Throws `OPTIONS_INVALID`.
 *
 * @example
 * budgetPolicy({ slo: 0.95, periodMs: 4 * 3_600_000 });
 * budgetPolicy({ kind: 'count', perHour: 10 });
 */
export function budgetPolicy(options: BudgetOptions = {}): BudgetPolicy {
  if (!isObject(options)) throw invalid('', 'an object, such as { slo: 0.9 }', options);
  const { kind = 'slo' } = options;
  if (kind !== 'slo' && kind !== 'count') throw invalid('kind', '"slo" or "count"', kind);
  refuseStrangers('', `of the kind "${kind}" `, options, OPTIONS[kind]);
  return options.kind === 'count' ? countPolicy(options) : sloPolicy(options);
}

function countPolicy(options: Extract<BudgetOptions, { kind: 'count' }>): CountBudget {
  const { perHour = 10, exitRatio = 0.8, dwellMs = MINUTE } = options;
  demandNumber('perHour', 'a number above 0', perHour, perHour > 0 && perHour < Infinity);
  return { kind: 'count', perHour, ...hysteresis(exitRatio, dwellMs), bucketMs: 10 * SECOND };
}

function sloPolicy(options: Exclude<BudgetOptions, { kind: 'count' }>): SloBudget {
  const { slo = 0.9, periodMs = 8 * HOUR, minEvents = 10, exitRatio = 0.8 } = options;
  demandNumber('slo', 'a number above 0 and below 1', slo, slo > 0 && slo < 1);
  demandNumber('periodMs', 'from a minute to 30 days in ms', periodMs, periodMs >= MINUTE && periodMs <= 30 * DAY);
  demandNumber('minEvents', 'a whole number from 1', minEvents, Number.isInteger(minEvents) && minEvents >= 1);
  const windows = options.windows ?? defaultWindows(periodMs);
  checkWindows(windows, periodMs);
  const shortest = Math.min(...windows.map(({ shortMs }) => shortMs));
  return {
    kind: 'slo',
    slo,
    periodMs,
    windows,
    minEvents,
    ...hysteresis(exitRatio, options.dwellMs ?? Math.max(SECOND, periodMs / 480)),
    bucketMs: Math.round(Math.min(MINUTE, Math.max(SECOND, shortest / 5))),
  };
}

function defaultWindows(periodMs: number): BurnWindow[] {
  const pair = (fraction: number, share: number, tier: BurnWindow['tier']) => {
    return { fraction, longMs: periodMs * share, shortMs: (periodMs * share) / 12, tier };
  };
  return [pair(0.1, 1 / 48, 'fastBurn'), pair(0.25, 1 / 8, 'fastBurn'), pair(0.5, 1 / 2, 'slowBurn')];
}

function checkWindows(windows: readonly BurnWindow[], periodMs: number): void {
  demand('windows', 'an array of 1 to 8 pairs of windows', windows, Array.isArray(windows));
  demand('windows', '1 to 8 pairs of windows', windows.length, windows.length >= 1 && windows.length <= 8);
  for (const [i, window] of windows.entries()) {
    const at = `windows[${i}]`;
    demand(at, `an object with ${WINDOW.join(', ')}`, window, isObject(window));
    refuseStrangers(at, '', window, WINDOW);
    const { fraction, longMs, shortMs, tier } = window;
    demandNumber(`${at}.fraction`, 'above 0 and at most 1', fraction, fraction > 0 && fraction <= 1);
    demandNumber(`${at}.longMs`, 'above 0 and at most periodMs', longMs, longMs > 0 && longMs <= periodMs);
    demandNumber(`${at}.shortMs`, 'above 0 and below longMs', shortMs, shortMs > 0 && shortMs < longMs);
    demand(`${at}.tier`, '"slowBurn" or "fastBurn"', tier, tier === 'slowBurn' || tier === 'fastBurn');
  }
}

function hysteresis(exitRatio: number, dwellMs: number): Omit<Hysteresis, 'bucketMs'> {
  demandNumber('exitRatio', 'above 0 and at most 1', exitRatio, exitRatio > 0 && exitRatio <= 1);
  demandNumber('dwellMs', 'from 0 to a day in ms', dwellMs, dwellMs >= 0 && dwellMs <= DAY);
  return { exitRatio, dwellMs };
}

function demandNumber(option: string, expected: string, got: unknown, holds: boolean): void {
  demand(option, expected, got, typeof got === 'number' && holds);
}

function demand(option: string, expected: string, got: unknown, holds: boolean): void {
  if (!holds) throw invalid(option, expected, got);
}

function refuseStrangers(option: string, kind: string, value: object, known: readonly string[]): void {
  const wrong = unknownKey(value, known);
  if (wrong === undefined) return;
  throw new PerdureError('OPTIONS_INVALID', `${pathOf(option)} ${kind}${wrong}.`, {
    facts: { option: pathOf(option) },
  });
}

function invalid(option: string, expected: string, got: unknown): PerdureError {
  return new PerdureError('OPTIONS_INVALID', `${pathOf(option)} must be ${expected}, got ${shown(got)}.`, {
    facts: { option: pathOf(option), got },
  });
}

/** The whole of it has no option of its own. */
function pathOf(option: string): string {
  return option === '' ? 'budget' : `budget.${option}`;
}

/** How far back a budget looks, ms. */
export function horizonOf(policy: BudgetPolicy): number {
  return policy.kind === 'slo' ? policy.periodMs : HOUR;
}
