/**
 * In which order waits what is queued: one number for each action, which no passing of time changes, so that an index holds the
 * order and nothing is ever sorted anew.
 *
 * An action has a latest start: its due time less the time that it still takes, or for one without, a due time far ahead.
 * Ahead of that, its class earns it a credit of time. Whoever waits ages by that alone: every later arrival has a later latest
 * start, so that a lower class waits at most `CLASS_MS` longer for each class above it, and nothing starves.
 *
 * U1 Of actions that arrive together: the class decides; in a class what has a due time goes before what has none; of those that
 *    can still be in time and are due within `HORIZON_MS`, the least laxity (least laxity first; Mok 1983), and with equal
 *    estimates that is the earliest due time (EDF; Liu and Layland 1973).
 * U2 Greater goes first. Of equals the earlier.
 */
import { PerdureError } from '../errors.ts';
import { shown } from './option-keys.ts';

/** The classes, the most urgent first. */
export const PRIORITIES = ['critical', 'high', 'normal', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** What a caller says of how urgent an action is. */
export interface Urgency {
  readonly priority: Priority;
  /** By when its outcome is wanted, ms since 1970: it orders the queue, and cuts nothing off. Null: by no time. */
  readonly dueAt: number | null;
  /** What an hour of delay costs, in any unit that is the same for all: what gains most for its time goes first. Null: unknown. */
  readonly costOfDelay: number | null;
  /** A person waits for it: it goes before every class. */
  readonly isAwaited: boolean;
}

export const NOT_URGENT: Urgency = { priority: 'normal', dueAt: null, costOfDelay: null, isAwaited: false };

const HOUR_MS = 3_600_000;
/** How far ahead of its arrival, or behind, a due time counts, ms. */
export const HORIZON_MS = 4 * HOUR_MS;
/** What a class is worth, ms: all of what the due time and the cost of delay can be worth, so that the class decides. */
export const CLASS_MS = 3 * HORIZON_MS;

/** What else the order depends on. */
export interface Waiting {
  /** When it was submitted; for a step, when its plan was. ms since 1970. */
  readonly at: number;
  /** How long it takes; for a step, its upward rank: from its start to the end of its plan. ms. */
  readonly estimateMs: number;
}

/** Where an action stands in the queue: greater goes first. */
export function rankOf(urgency: Urgency, waiting: Waiting): number {
  const { priority, isAwaited } = urgency;
  const classes = PRIORITIES.length - (isAwaited ? 0 : 1 + PRIORITIES.indexOf(priority));
  return classes * CLASS_MS - latestStart(urgency, waiting);
}

/** What comes before something more urgent is as urgent as that (priority inheritance; Sha, Rajkumar and Lehoczky 1990). */
export function inherit(own: number, dependants: readonly number[], estimateMs: number): number {
  return dependants.reduce((rank, dependant) => Math.max(rank, dependant + estimateMs), own);
}

/** From `at - HORIZON_MS` to `at + HORIZON_MS` with a due time, from there to `at + 2 * HORIZON_MS` without. */
function latestStart({ dueAt, costOfDelay }: Urgency, { at, estimateMs }: Waiting): number {
  const undated =
    at + 2 * HORIZON_MS - (costOfDelay === null ? between(0, estimateMs) : worth(costOfDelay, estimateMs));
  return dueAt === null ? undated : at + between(-HORIZON_MS, dueAt - estimateMs - at);
}

function between(least: number, value: number): number {
  return Math.min(HORIZON_MS, Math.max(least, value));
}

/** Twice the cost for the same time, or half the time for the same cost, is worth the same. */
const DOUBLINGS = 40;

/** Weighted shortest job first (the c-mu rule; Cox and Smith 1961), as a credit of time. */
function worth(costOfDelay: number, estimateMs: number): number {
  const perMs = costOfDelay / Math.max(1, estimateMs);
  return perMs === 0 ? 0 : between(0, ((Math.log2(perMs) + DOUBLINGS / 2) * HORIZON_MS) / DOUBLINGS);
}

/** Whether an action that waits still has time, ms: below 0 it will be late. */
export function laxity(dueAt: number, now: number, remainingMs: number): number {
  return dueAt - now - remainingMs;
}

/** What a caller may say of urgency. */
export interface UrgencyOptions {
  /** Default: `normal`. */
  readonly priority?: Priority;
  /** By when its outcome is wanted: a `Date`, or ms since 1970. Default: by no time. */
  readonly dueAt?: number | Date;
  /** What an hour of delay costs, 0 or more, in any unit that is the same for all. Default: unknown. */
  readonly costOfDelay?: number;
  /** A person waits for it: it goes before every class. Default: false. */
  readonly isAwaited?: boolean;
}

/** All that may be said. */
export const URGENCY_OPTIONS: readonly string[] = Object.keys({
  priority: 1,
  dueAt: 1,
  costOfDelay: 1,
  isAwaited: 1,
} satisfies Record<keyof UrgencyOptions, 1>);

/** The last time that a `Date` can be. */
const LAST_MS = 8.64e15;

/** With the defaults filled in. Throws OPTIONS_INVALID, also for a due time that has passed. */
export function urgencyOf(what: string, options: UrgencyOptions, now: number): Urgency {
  const { priority = 'normal', dueAt, costOfDelay, isAwaited = false } = options;
  const due = timeOf(dueAt);
  const refuse = (wrong: string) => new PerdureError('OPTIONS_INVALID', `${what}: ${wrong}.`);
  if (!PRIORITIES.includes(priority))
    throw refuse(`priority must be one of ${PRIORITIES.join(', ')}, got ${shown(priority)}`);
  if (due !== undefined && !(Number.isFinite(due) && due <= LAST_MS))
    throw refuse(`dueAt must be a Date, or ms since 1970, got ${shown(dueAt)}`);
  if (due !== undefined && due <= now)
    throw refuse(`dueAt has passed: it is ${now - due} ms ago, and whoever wants an outcome by then cannot have it`);
  if (costOfDelay !== undefined && !(Number.isFinite(costOfDelay) && costOfDelay >= 0))
    throw refuse(`costOfDelay must be 0 or more, got ${shown(costOfDelay)}`);
  if (typeof isAwaited !== 'boolean') throw refuse(`isAwaited must be true or false, got ${shown(isAwaited)}`);
  return { priority, dueAt: due ?? null, costOfDelay: costOfDelay ?? null, isAwaited };
}

/** What came may be anything: it is checked after. */
function timeOf(value: number | Date | null | undefined): number | undefined {
  return typeof value === 'object' && typeof value?.getTime === 'function'
    ? value.getTime()
    : (value as number | undefined);
}
