/**
 * A forecast as it is drawn and told: a line from now to the limit, in a band between the earliest and the latest.
 *
 *   limit ─────────────●──────●─────────────●──
 *                    ╱  ╱ ╱ ╱     ╱ earliest, at, latest
 *   now ●──────────────────────
 */
import type { ResourceSeries } from '../../../views/measures.ts';
import { durationText } from '../../format.ts';

export interface Point {
  readonly at: number;
  readonly value: number;
}

export interface ForecastBand {
  /** From now to the limit, or to where the chart ends. */
  readonly line: readonly [Point, Point];
  /** The corners of the band, in their order around it; it begins at now. */
  readonly band: readonly Point[];
}

type Series = Pick<ResourceSeries, 'value' | 'limit' | 'samples' | 'forecast'>;

/** Where the chart of a series ends: far enough for a forecast to be seen, as long as what was measured has half of it. */
export function chartEnd({ samples, forecast }: Series, now: number): number {
  if (forecast === null) return now;
  const past = now - (samples[0]?.at ?? now);
  const wanted = (forecast.latest ?? forecast.at) - now;
  return now + Math.max(0, Math.min(Math.max(wanted, forecast.at - now) * 1.05, past));
}

/** What is drawn of a forecast up to `end`; undefined without one. What is past its time is at its limit now. */
export function forecastBand(
  { value, limit, samples, forecast }: Series,
  now: number,
  end: number,
): ForecastBand | undefined {
  if (forecast === null) return undefined;
  const from: Point = { at: now, value: samples.at(-1)?.value ?? value };
  const toward = (reached: number): Point => {
    const at = Math.max(now, reached);
    if (at <= end) return { at, value: limit };
    return { at: end, value: from.value + ((limit - from.value) * (end - now)) / (at - now) };
  };
  const early = toward(forecast.earliest ?? forecast.at);
  // A latest that may as well be never leaves the band open below.
  const late = forecast.latest === null ? { at: end, value: from.value } : toward(forecast.latest);
  const corner = late.at < end || early.at >= end ? [] : [{ at: late.at, value: Math.max(late.value, limit) }];
  return { line: [from, toward(forecast.at)], band: [from, early, ...corner, late] };
}

/** `full in 3 h 10 min (2 h – 6 h)`; undefined without a forecast. */
export function forecastText(forecast: ResourceSeries['forecast'], now: number): string | undefined {
  if (forecast === null) return undefined;
  const { at, earliest, latest } = forecast;
  if (at <= now) return 'full now';
  const between = (from: string, to: string) => (from === to ? '' : ` (${from} – ${to})`);
  const from = earliest === null ? 'any time' : earliest <= now ? 'now' : roughly(earliest - now);
  return `full in ${roughly(at - now)}${between(from, latest === null ? 'maybe never' : roughly(latest - now))}`;
}

/** What is guessed is told in few digits. */
function roughly(ms: number): string {
  const steps = [1_000, 5_000, 60_000, 300_000, 3_600_000];
  const step = steps.findLast((one) => ms >= 10 * one) ?? 1_000;
  return durationText(Math.max(step, Math.round(ms / step) * step));
}
