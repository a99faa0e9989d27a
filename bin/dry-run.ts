/** What a plan would do, by its estimates alone: nothing is started, and nothing is written. */
import { criticalPath, makespan, span, tracks, work } from '../machines/graph.ts';
import { UNKNOWN_MS } from '../actors/estimates.ts';
import { shownDuration } from './duration.ts';
import type { PlanFile } from './plan-file.ts';

/** The forecast of a plan; times are estimates in ms. */
export interface Forecast {
  readonly plan: string;
  readonly slots: number;
  /** What each slot would run, in order. */
  readonly tracks: readonly (readonly string[])[];
  readonly criticalPath: readonly string[];
  /** T1: one after the other. */
  readonly workMs: number;
  /** T-infinity: however many at once. */
  readonly spanMs: number;
  readonly makespanMs: number;
  readonly speedUp: number;
}

/** @param learned how long a step took before, ms, if that is known. */
export function forecast(
  { name, steps: own, groups }: PlanFile,
  slots: number,
  learned: (step: string) => number | undefined = () => undefined,
): Forecast {
  const estimated = own.map(({ id, after, estimateMs }) => ({
    id,
    after,
    estimateMs: estimateMs ?? learned(id) ?? UNKNOWN_MS,
  }));
  const steps = [...estimated, ...groups.map((group) => ({ ...group, estimateMs: 0 }))];
  const isGroup = new Set(groups.map(({ id }) => id));
  const withoutGroups = (ids: readonly string[]) => ids.filter((id) => !isGroup.has(id));
  const [workMs, makespanMs] = [work(steps), makespan(steps, slots)];
  return {
    plan: name,
    slots,
    tracks: tracks(steps, slots)
      .map(withoutGroups)
      .filter((track) => track.length > 0),
    criticalPath: withoutGroups(criticalPath(steps)),
    workMs,
    spanMs: span(steps),
    makespanMs,
    speedUp: makespanMs === 0 ? 1 : workMs / makespanMs,
  };
}

/** The forecast for people. */
export function forecastText(of: Forecast): string[] {
  const lanes = of.tracks.map((steps, lane) => `  ${lane + 1}  ${steps.join(', ')}`);
  return [
    `${of.plan}: ${of.tracks.flat().length} steps, at most ${of.slots} at once (nothing was run)`,
    `tracks:`,
    ...lanes,
    `critical path: ${of.criticalPath.join(' -> ')}`,
    `one after the other (T1): ${shownDuration(of.workMs)}`,
    `however many at once (T-infinity): ${shownDuration(of.spanMs)}`,
    `estimated: ${shownDuration(of.makespanMs)}, ${of.speedUp.toFixed(2)} times as fast`,
  ];
}
