/**
 * When a schedule is due. A cron pattern is read in its time zone. Where its clocks are put forward or back, a pattern that
 * names its hours and minutes (`30 2 * * *`) is due once a day all the same: at the first moment after an hour that is left out,
 * and in the first of two equal hours. One with a wildcard or a step in them (`0,30 * * * *`) follows the time that passes.
 */
import { Cron } from 'croner';
import type { Timing } from '../machines/schedules.ts';

const SECOND_MS = 1_000;
/** Patterns that were read; bounded, because there may be as many as schedules. */
const PATTERNS_KEPT = 1_000;
const patterns = new Map<string, Cron>();

/** The first time after `after`; null for none. Throws what is wrong with a pattern or its time zone. */
export function timeAfter(timing: Timing, after: number): number | null {
  if ('at' in timing) return timing.at > after ? timing.at : null;
  if ('everyMs' in timing) {
    const { everyMs, from } = timing;
    return from + Math.max(1, Math.floor((after - from) / everyMs) + 1) * everyMs;
  }
  return patternOf(timing).nextRun(new Date(after))?.getTime() ?? null;
}

/** The last time that is not after `now`, knowing one that is not: `first`. */
export function timeUpTo(timing: Timing, first: number, now: number): number {
  if ('at' in timing) return timing.at;
  if ('everyMs' in timing)
    return Math.max(first, timing.from + Math.floor((now - timing.from) / timing.everyMs) * timing.everyMs);
  // A pattern knows whole seconds, and looks back from before a moment.
  const found = patternOf(timing).previousRuns(1, new Date(Math.floor(now / SECOND_MS) * SECOND_MS + SECOND_MS))[0];
  return Math.max(first, found?.getTime() ?? first);
}

function patternOf({ cron, timeZone }: Extract<Timing, { cron: string }>): Cron {
  const key = `${timeZone} ${cron}`;
  const known = patterns.get(key);
  if (known !== undefined) return known;
  const pattern = new Cron(cron, { timezone: timeZone, fixedTimeRule: 'no-wildcard', paused: true });
  if (patterns.size >= PATTERNS_KEPT) patterns.clear();
  patterns.set(key, pattern);
  return pattern;
}
