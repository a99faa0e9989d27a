/**
 * What the samples of one resource say: its level, and whether it runs out. A pure fold: whoever samples keeps a
 * {@link Watch} for each resource, and tells the machine (resources.ts) only of what changed.
 *
 *   normal ──> elevated ──> critical      at once, by the median of the last five samples
 *      ^───────────┴───────────┘          `margin` below where it was entered, for `dwellMs`
 *   none ──> watch ──> imminent           when three forecasts in a row say so
 *      ^────────┴──────────┘              when none has said so for `dwellMs`
 *
 * P1  Whatever the samples: after a level or a forecast has changed for the worse it does not change for the better
 *     within `dwellMs`.
 * P2  A watch is bounded, however long it goes on.
 */
import { forecast, withSample, type Forecast, type Sample } from './forecast.ts';
import { median } from './monotone-trend.ts';
import type { PressurePolicy } from './resource-policy.ts';

/** How near a resource is to its limit. */
export type PressureLevel = 'normal' | 'elevated' | 'critical';

/** Whether it is forecast to reach it: `watch` within two horizons, `imminent` within one. */
export type Outlook = 'none' | 'watch' | 'imminent';

const LEVELS: readonly PressureLevel[] = ['normal', 'elevated', 'critical'];
const OUTLOOKS: readonly Outlook[] = ['none', 'watch', 'imminent'];

/** One sample of one resource. */
export interface Reading {
  /** ms, of a clock that only goes forward. */
  readonly at: number;
  /** May be below 0, where more is left than the limit: what comes is seen all the same. */
  readonly value: number;
  readonly limit: number;
}

/** A resource as the machine, and the world, hear of it. */
export interface ResourceStanding {
  readonly value: number;
  readonly limit: number;
  readonly level: PressureLevel;
  readonly forecast: Outlook;
  /** Until the limit is reached, ms; null when nothing is forecast. */
  readonly etaMs: number | null;
  readonly earliestMs: number | null;
  /** Null also when it may as well never be. */
  readonly latestMs: number | null;
}

/** Nothing is the matter. */
export const CALM = { level: 'normal', forecast: 'none', etaMs: null, earliestMs: null, latestMs: null } as const;

/** What is known of one resource. Plain data. */
export interface Watch {
  readonly samples: readonly Sample[];
  readonly limit: number;
  readonly level: PressureLevel;
  readonly outlook: Outlook;
  /** The last one, if what was last sampled bears one out. */
  readonly forecast: Forecast | null;
  /** Since when the level could be better, at what it then would be at best; null when it could not. */
  readonly easing: Easing<PressureLevel> | null;
  readonly clearing: Easing<Outlook> | null;
  /** What the last forecasts in a row said, the last one last; three at most. */
  readonly said: readonly Outlook[];
}

interface Easing<T> {
  readonly since: number;
  /** The worst that it has read since. */
  readonly to: T;
}

/** So many samples say what the level is, and fewer than so many nothing: one that is astray is none. */
const FOR_LEVEL = 5;
const LEAST_FOR_LEVEL = 3;
/** So many forecasts in a row are believed. */
const FOR_OUTLOOK = 3;
/** In horizons. What is older says nothing of what comes. */
const KEPT = 6;

/**
 * What is known after one more sample; the first when nothing was. Only of a stock there are forecasts. What is no number, or
 * has no limit, says nothing.
 */
export function watched(before: Watch | undefined, reading: Reading, policy: PressurePolicy, isStock: boolean): Watch {
  const { at, value, limit } = reading;
  const known = before ?? NOTHING;
  const isKnown = Number.isFinite(value) && limit > 0;
  if (!isKnown) return { ...known, limit: before?.limit ?? limit };
  const samples = withSample(known.samples, { at, value }, KEPT * policy.horizonMs);
  const found = isStock ? forecast(samples, limit, policy) : null;
  const said = [...known.said, readOutlook(found, policy)].slice(-FOR_OUTLOOK);
  const outlook = settled(OUTLOOKS, known.outlook, known.clearing, believed(said), { at, dwellMs: policy.dwellMs });
  const level = levelAfter(known, samples, reading, policy);
  return {
    samples,
    limit,
    level: level.now,
    easing: level.easing,
    outlook: outlook.now,
    clearing: outlook.easing,
    forecast: found,
    said,
  };
}

/** What others hear of it. */
export function standingOf({ samples, limit, level, outlook, forecast: found }: Watch): ResourceStanding {
  return {
    value: Math.max(0, samples.at(-1)?.value ?? 0),
    limit,
    level,
    forecast: outlook,
    etaMs: found === null ? null : Math.round(found.etaMs),
    earliestMs: found === null ? null : Math.round(found.earliestMs),
    latestMs: found?.latestMs == null ? null : Math.round(found.latestMs),
  };
}

/** Where it is, whatever one sample says that is astray: the median of the last five. */
export function presentValue({ samples }: Pick<Watch, 'samples'>): number {
  return median(samples.slice(-FOR_LEVEL).map(({ value }) => value));
}

/** Whether the machine is to hear of it. */
export function hasChanged(before: Watch | undefined, now: Watch): boolean {
  return before === undefined
    ? now.level !== 'normal' || now.outlook !== 'none'
    : before.level !== now.level || before.outlook !== now.outlook;
}

const NOTHING: Omit<Watch, 'limit'> = {
  samples: [],
  level: 'normal',
  outlook: 'none',
  forecast: null,
  easing: null,
  clearing: null,
  said: [],
};

function levelAfter(known: Omit<Watch, 'limit'>, samples: readonly Sample[], reading: Reading, policy: PressurePolicy) {
  const part = samples.length < LEAST_FOR_LEVEL ? 0 : presentValue({ samples }) / reading.limit;
  const entered = levelOf(part, policy, 0);
  const isWorse = LEVELS.indexOf(entered) > LEVELS.indexOf(known.level);
  // Better is what it is even by the lines that are to be left.
  const read = isWorse ? entered : levelOf(part, policy, policy.margin);
  const worst = LEVELS.indexOf(read) > LEVELS.indexOf(known.level) ? known.level : read;
  return settled(LEVELS, known.level, known.easing, isWorse ? entered : worst, { at: reading.at, ...policy });
}

function levelOf(part: number, { elevated, critical }: PressurePolicy, margin: number): PressureLevel {
  if (part >= critical - margin) return 'critical';
  return part >= elevated - margin ? 'elevated' : 'normal';
}

function readOutlook(found: Forecast | null, { horizonMs }: PressurePolicy): Outlook {
  if (found === null) return 'none';
  return found.etaMs <= horizonMs ? 'imminent' : 'watch';
}

/** The least that the last ones in a row agree on. */
function believed(said: readonly Outlook[]): Outlook {
  if (said.length < FOR_OUTLOOK) return 'none';
  return OUTLOOKS[Math.min(...said.map((one) => OUTLOOKS.indexOf(one)))] as Outlook;
}

/** P1. Worse at once; better once it has been for a while, and then as bad as it was at worst meanwhile. */
function settled<T>(
  order: readonly T[],
  now: T,
  easing: Easing<T> | null,
  read: T,
  { at, dwellMs }: { readonly at: number; readonly dwellMs: number },
): { readonly now: T; readonly easing: Easing<T> | null } {
  const rank = (one: T) => order.indexOf(one);
  if (rank(read) >= rank(now)) return { now: read, easing: null };
  // A clock that was put back must not hold it for longer.
  const since = Math.min(easing?.since ?? at, at);
  const to = easing === null || rank(read) > rank(easing.to) ? read : easing.to;
  return at - since >= dwellMs ? { now: to, easing: null } : { now, easing: { since, to } };
}
