/**
 * How good the forecasts were. One that says when the limit is reached says also when half of the way to it is gone: there it
 * is judged, because nobody may be left to judge at the limit, and because what is done about it is meant to make it wrong.
 *
 * A forecast is hit when its mark is reached within twice the time that it gave; if not, it is averted when something was done
 * about it meanwhile, which says nothing of it, and false when nothing was. A resource that becomes critical was seen coming
 * if there had been a forecast since it last was normal.
 *
 * O1  A score is bounded: at most one forecast of each resource is open, all else is counted.
 */
import { presentValue, type Watch } from './pressure.ts';

/** A forecast that is not judged yet. */
export interface OpenForecast {
  readonly at: number;
  /** Half of the way from where it was to the limit. */
  readonly mark: number;
  /** When it should be reached. */
  readonly markAt: number;
  readonly acted: boolean;
}

/** What came of the forecasts of one resource. Plain data. */
export interface ForecastTally {
  readonly open: OpenForecast | null;
  /** There was one since the resource last was normal. */
  readonly warned: boolean;
  readonly hit: number;
  readonly false: number;
  readonly averted: number;
  /** How often it became critical with a forecast before, and without. */
  readonly seen: number;
  readonly missed: number;
  /** Over those that were hit: between the time that was said and the real one, ms, and as a part of the time that was left. */
  readonly errorMs: number;
  readonly error: number;
}

/** How good forecasts were; null of what there is nothing to judge by. */
export interface ForecastScore {
  /** Of those that were judged, the part that was hit. */
  readonly precision: number | null;
  /** Of the times that something became critical, the part that was seen coming. */
  readonly recall: number | null;
  /** The mean absolute error of the time that was said, ms. */
  readonly errorMs: number | null;
  /** The same, as a part of the time that was left. */
  readonly error: number | null;
  readonly averted: number;
  readonly judged: number;
}

export const NO_FORECASTS: ForecastTally = {
  open: null,
  warned: false,
  hit: 0,
  false: 0,
  averted: 0,
  seen: 0,
  missed: 0,
  errorMs: 0,
  error: 0,
};

/** In times of what was said: later than this it is not taken to have come. */
const GRACE = 2;

/** The tally after a resource was sampled. */
export function tallied(tally: ForecastTally, before: Watch | undefined, now: Watch): ForecastTally {
  const sample = now.samples.at(-1);
  if (sample === undefined) return tally;
  const judged = judge(tally, sample.at, presentValue(now));
  return opened(noteLevel(judged, before, now), before, now);
}

/** Something was done about the resource: if its forecast does not come true, that may be why. */
export function noteActed(tally: ForecastTally): ForecastTally {
  return tally.open === null ? tally : { ...tally, open: { ...tally.open, acted: true } };
}

/** The score of a resource, or of several. */
export function scoreOf(tallies: readonly ForecastTally[]): ForecastScore {
  const sum = (of: (tally: ForecastTally) => number) => tallies.reduce((all, tally) => all + of(tally), 0);
  const [hit, judged] = [sum((tally) => tally.hit), sum((tally) => tally.hit + tally.false)];
  const [seen, critical] = [sum((tally) => tally.seen), sum((tally) => tally.seen + tally.missed)];
  const part = (of: number, all: number) => (all === 0 ? null : of / all);
  return {
    precision: part(hit, judged),
    recall: part(seen, critical),
    errorMs: part(
      sum((tally) => tally.errorMs),
      hit,
    ),
    error: part(
      sum((tally) => tally.error),
      hit,
    ),
    averted: sum((tally) => tally.averted),
    judged,
  };
}

function judge(tally: ForecastTally, at: number, value: number): ForecastTally {
  const { open } = tally;
  if (open === null) return tally;
  const left = open.markAt - open.at;
  if (value >= open.mark) {
    const errorMs = Math.abs(at - open.markAt);
    return {
      ...tally,
      open: null,
      hit: tally.hit + 1,
      errorMs: tally.errorMs + errorMs,
      error: tally.error + errorMs / Math.max(1, left),
    };
  }
  if (at - open.at <= GRACE * left) return tally;
  return open.acted
    ? { ...tally, open: null, averted: tally.averted + 1 }
    : { ...tally, open: null, false: tally.false + 1 };
}

function noteLevel(tally: ForecastTally, before: Watch | undefined, now: Watch): ForecastTally {
  if (now.level === 'critical' && before?.level !== 'critical')
    return tally.warned ? { ...tally, seen: tally.seen + 1 } : { ...tally, missed: tally.missed + 1 };
  return now.level === 'normal' && now.outlook === 'none' ? { ...tally, warned: false } : tally;
}

/** One is open from when the limit is imminent: before that nobody is told of a time to rely on. */
function opened(tally: ForecastTally, before: Watch | undefined, now: Watch): ForecastTally {
  const sample = now.samples.at(-1);
  const begins = now.outlook === 'imminent' && before?.outlook !== 'imminent';
  if (!begins || now.forecast === null || sample === undefined) return tally;
  if (tally.open !== null) return { ...tally, warned: true };
  const { at } = sample;
  const value = presentValue(now);
  const mark = value + (now.limit - value) / 2;
  return { ...tally, warned: true, open: { at, mark, markAt: at + now.forecast.etaMs / 2, acted: false } };
}
