/** How much a run did at once, how much it could have, and where its time went, as lines. */
import type { PathStep, Summary } from '../machines/summary.ts';
import { shownDuration } from './duration.ts';

/** Steps of the critical path that took a smaller part of the makespan are only counted. */
const LEAST_SHARE = 0.02;

/** The time, the work and the measured speed-up. */
export function speedUpLine({ workMs, makespanMs, speedUp, atOnce }: Summary): string {
  if (makespanMs === 0) return 'all in less than 1ms';
  return (
    `${shownDuration(makespanMs)} for ${shownDuration(workMs)} of work, up to ${atOnce} at once: ` +
    `${speedUp.toFixed(2)} times as fast as one after the other`
  );
}

/** What bounds the speed-up, and the way that took longest. */
export function pathLines(summary: Summary): string[] {
  const { makespanMs, spanMs, bound, slots, utilisation, criticalPath, dominant } = summary;
  if (makespanMs === 0) return [];
  const told = criticalPath.filter((step) => tookMs(step) >= LEAST_SHARE * makespanMs).map(pathText);
  const quick = criticalPath.length - told.length;
  const rest = quick === 0 ? [] : [`${quick} quick ${quick === 1 ? 'step' : 'steps'}`];
  return [
    `at most ${bound.toFixed(2)} times with ${slots} ${slots === 1 ? 'slot' : 'slots'} and a longest chain of ` +
      `${shownDuration(spanMs)}; the slots were in use for ${percent(utilisation)} of the time`,
    `critical path: ${[told.join(' -> '), ...rest].join(', and ')}`,
    ...(dominant === null || (dominant.what === 'heldUp' && dominant.ms < LEAST_HELD_UP_MS)
      ? []
      : [`most of it: ${dominant.step} ${VERBS[dominant.what]} for ${percent(dominant.share)} of the time`]),
  ];
}

const VERBS = { waited: 'waited', ran: 'ran', backedOff: 'backed off', heldUp: 'was held up' } as const;

function tookMs({ waitedMs, ranMs, backedOffMs, heldUpMs }: PathStep): number {
  return waitedMs + ranMs + backedOffMs + heldUpMs;
}

/** Every start and every end takes a moment: shorter waits are not told. */
const LEAST_WAIT_MS = 100;
const LEAST_HELD_UP_MS = 50;
const LEAST_HELD_UP_SHARE = 0.05;

function pathText(of: PathStep): string {
  const least = Math.max(LEAST_WAIT_MS, LEAST_SHARE * tookMs(of));
  const leastHeldUp = Math.max(LEAST_HELD_UP_MS, LEAST_HELD_UP_SHARE * tookMs(of));
  const parts = [
    ...(of.waitedMs > least ? [`waited ${shownDuration(of.waitedMs)}`] : []),
    `ran ${shownDuration(of.ranMs)}`,
    ...(of.backedOffMs > least ? [`backed off ${shownDuration(of.backedOffMs)}`] : []),
    ...(of.heldUpMs >= leastHeldUp ? [`held up ${shownDuration(of.heldUpMs)}`] : []),
  ];
  return `${of.step} (${parts.join(', ')})`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
