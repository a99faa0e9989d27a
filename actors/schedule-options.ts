/** A schedule as a host writes it, checked. */
import { messageOf } from '../errors.ts';
import { shown, unknownKey } from '../machines/option-keys.ts';
import type { Submission } from '../machines/executor.ts';
import type { CatchUp, Overlap, Schedule, Timing } from '../machines/schedules.ts';
import type { Actions, InputOf, PolicyOverrides } from './actions.ts';
import { refuse, wrongWord, type Wrong } from './action-options.ts';
import { checkedId } from './plan-input.ts';
import { timingOf } from './schedule-rows.ts';
import type { ScheduleRow } from './schedule-tables.ts';
import { timeAfter } from './schedule-times.ts';
import { OVERRIDES } from './submission-options.ts';
import type { QueueingOptions } from './submissions.ts';

/** A schedule, as a host writes it: exactly one of `cron`, `everyMs` and `at`. */
export interface ScheduleOptions<TActions extends Actions, TName extends keyof TActions & string>
  extends PolicyOverrides, Omit<QueueingOptions, 'dueAt' | 'delayMs' | 'notBefore'> {
  /** What it is called, 1 to 270 characters: putting the same again changes nothing, and other options replace it. */
  readonly id: string;
  readonly action: TName;
  readonly input: InputOf<TActions[TName]>;
  /** A pattern of 5 fields, or of 6 with seconds, such as `30 2 * * 1-5`. */
  readonly cron?: string;
  /** The time zone in which `cron` is read, such as `Europe/Berlin`. Default: `UTC`. */
  readonly timeZone?: string;
  /** Every so many ms since it was put, at least 1,000; the days on which clocks change make no difference. */
  readonly everyMs?: number;
  /** Once: a `Date`, or ms since 1970. */
  readonly at?: number | Date;
  /** No occurrence after it: a `Date`, or ms since 1970. Default: no end. */
  readonly until?: number | Date;
  /**
   * What becomes of an occurrence while one before, also one that was triggered, has not settled. Default: `skip`, and `queue`
   * where `catchUp` is `all`.
   */
  readonly overlap?: Overlap;
  /**
   * What becomes of occurrences that nobody was there for: `one` runs the last of them, `all` each of them, `none` only one that
   * is at most a minute late. Default: `one`.
   */
  readonly catchUp?: CatchUp;
}

/** What is the schedule's own, and what it says of its submissions beside the overrides. */
const OWN = ['id', 'action', 'input', 'cron', 'timeZone', 'everyMs', 'at', 'until', 'overlap', 'catchUp'];
const OF_SUBMISSIONS = ['queue', 'key', 'optional', 'priority', 'costOfDelay', 'isAwaited'];

const LONGEST_ID = 270;
const SHORTEST_PERIOD_MS = 1_000;
/** The last moment that a `Date` can tell, ms since 1970. */
const LATEST_MS = 8.64e15;

/** What it is made with. */
export interface ScheduleMaker {
  now(): number;
  /** Throws what is wrong with the action, its input or its options. */
  submission(name: string, input: unknown, options: { readonly id: string }): Submission;
}

export type Given = Readonly<Record<string, unknown>> & { readonly id: string; readonly action: string };

/** What a host wrote, checked but for the time that it is put. */
export function scheduleOf(given: Given, host: ScheduleMaker, known: ScheduleRow | undefined): Schedule {
  const { action, input, until, overlap, catchUp } = given;
  const id = checkedId(given.id, 'schedule');
  const what = `The schedule "${id}"`;
  refuse(what, wrongSchedule(given), { id });
  const overrides = Object.fromEntries(Object.entries(given).filter(([key]) => !OWN.includes(key)));
  const template = host.submission(action, input, { ...overrides, id });
  return {
    id,
    timing: timingFrom(given, known, host.now()),
    until: until === undefined ? null : msOf(until),
    overlap: (overlap as Overlap | undefined) ?? (catchUp === 'all' ? 'queue' : 'skip'),
    catchUp: (catchUp as CatchUp | undefined) ?? 'one',
    template,
    options: JSON.stringify(overrides),
  };
}

function timingFrom(
  { cron, timeZone = 'UTC', everyMs, at }: Given,
  known: ScheduleRow | undefined,
  now: number,
): Timing {
  if (typeof cron === 'string') return { cron, timeZone: String(timeZone) };
  if (at !== undefined) return { at: msOf(at) };
  // What is put again keeps its beat.
  const before = known === undefined ? undefined : timingOf(known);
  const from = before !== undefined && 'everyMs' in before && before.everyMs === everyMs ? before.from : now;
  return { everyMs: everyMs as number, from };
}

function msOf(time: unknown): number {
  return time instanceof Date ? time.getTime() : (time as number);
}

function wrongSchedule(given: Given): Wrong {
  const { id, cron, timeZone, everyMs, at, until, overlap, catchUp } = given;
  const timings = [cron, everyMs, at].filter((one) => one !== undefined);
  const unknown = unknownKey(given, [...OWN, ...OF_SUBMISSIONS, ...OVERRIDES]);
  if (unknown !== undefined) return unknown;
  if (id.length > LONGEST_ID) return `its id must have at most ${LONGEST_ID} characters, got ${id.length}`;
  if (timings.length !== 1) return `expected exactly one of cron, everyMs and at, got ${timings.length}`;
  if (timeZone !== undefined && cron === undefined) return 'timeZone needs cron: it is where its pattern is read';
  if (everyMs !== undefined && !(Number.isSafeInteger(everyMs) && (everyMs as number) >= SHORTEST_PERIOD_MS))
    return `everyMs must be whole ms, at least ${SHORTEST_PERIOD_MS}, got ${shown(everyMs)}`;
  if (catchUp === 'all' && overlap === 'skip')
    return "catchUp 'all' wants every occurrence, and overlap 'skip' leaves some out: give overlap 'queue'";
  return (
    wrongWhen('at', at) ??
    wrongWhen('until', until) ??
    wrongWord('overlap', overlap ?? 'skip', ['skip', 'queue']) ??
    wrongWord('catchUp', catchUp ?? 'one', ['one', 'all', 'none']) ??
    wrongPattern(cron, timeZone)
  );
}

function wrongWhen(name: string, time: unknown): Wrong {
  if (time === undefined || (Number.isSafeInteger(msOf(time)) && Math.abs(msOf(time)) <= LATEST_MS)) return undefined;
  return `${name} must be a Date, or whole ms since 1970 of at most ${LATEST_MS}, got ${time instanceof Date ? 'an invalid Date' : shown(time)}`;
}

function wrongPattern(cron: unknown, timeZone: unknown): Wrong {
  if (cron === undefined) return undefined;
  if (typeof cron !== 'string' || !/^\s*(\S+\s+){4,5}\S+\s*$/.test(cron))
    return `cron must be a pattern of 5 fields, or 6 with seconds, got ${shown(cron)}`;
  if (timeZone !== undefined && !isTimeZone(timeZone))
    return `timeZone must be the name of one, such as Europe/Berlin, got ${shown(timeZone)}`;
  try {
    timeAfter({ cron, timeZone: (timeZone as string | undefined) ?? 'UTC' }, 0);
    return undefined;
  } catch (error) {
    return `cron ${shown(cron)} is no pattern: ${messageOf(error)}`;
  }
}

function isTimeZone(name: unknown): boolean {
  try {
    return typeof name === 'string' && new Intl.DateTimeFormat('en', { timeZone: name }).format(0) !== '';
  } catch {
    return false;
  }
}

/** One that would never be due is a slip. */
export function wrongTime({ timing, until }: Schedule, now: number): Wrong {
  const next = timeAfter(timing, now);
  if (next === null) return 'at' in timing ? `at has passed: it is ${now - timing.at} ms ago` : 'cron is never due';
  if (next > LATEST_MS) return `everyMs must be at most ${LATEST_MS - now}, so that a Date can tell when it is due`;
  if (until === null || next <= until) return undefined;
  return `until comes before the first time that it is due, ${new Date(next).toISOString()}`;
}
