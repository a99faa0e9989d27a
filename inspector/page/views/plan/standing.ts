/** How what a step is doing looks: its colour, its word, and what is said of its time. */
import type { PlanInfo, PlanStep } from '../../../views/plan.ts';
import { countText, durationText, plural } from '../../format.ts';
import type { Tone } from '../../tone.ts';
import { standingOf, type Tally } from './shape.ts';

export type Standing = Exclude<keyof Tally, 'total'>;

/** In the order in which they stand in a bar: what is over first. */
export const STANDINGS: readonly Standing[] = [
  'ok',
  'degraded',
  'skipped',
  'denied',
  'failed',
  'asking',
  'retrying',
  'running',
  'waiting',
];

const TONES: Readonly<Record<Standing, Tone>> = {
  ok: 'ok',
  degraded: 'degraded',
  skipped: 'neutral',
  denied: 'failed',
  failed: 'failed',
  asking: 'asking',
  retrying: 'retrying',
  running: 'running',
  waiting: 'waiting',
};

export function toneOfStanding(standing: Standing): Tone {
  return TONES[standing];
}

/** What a box is as a whole: what somebody should know of first. */
export function standingOfTally(tally: Tally): Standing {
  const first = (['asking', 'retrying', 'running', 'failed', 'denied'] as const).find(
    (standing) => tally[standing] > 0,
  );
  if (first !== undefined) return first;
  if (tally.waiting > 0 || tally.total === 0) return 'waiting';
  if (tally.degraded > 0) return 'degraded';
  return tally.ok === 0 ? 'skipped' : 'ok';
}

/** What a step is called: the last part of its path. */
export function titleOf({ id }: Pick<PlanStep, 'id'>): string {
  return id.slice(id.lastIndexOf('/') + 1);
}

/** A step's state in a word: the outcome once there is one. */
export function wordOf(step: PlanStep): string {
  return step.kind ?? step.state;
}

/** The time of a step: what it took, has taken, or is thought to take. */
export function timeOf(step: PlanStep, now: number): string {
  const { startedAt, settledAt, estimateMs } = step;
  if (settledAt !== null && startedAt !== null) return durationText(settledAt - startedAt);
  if (startedAt !== null && standingOf(step) !== 'waiting') {
    const elapsed = durationText(Math.max(0, now - startedAt));
    return estimateMs > 0 ? `${elapsed} of ~${durationText(estimateMs)}` : elapsed;
  }
  return estimateMs > 0 && step.state !== 'settled' ? `~${durationText(estimateMs)}` : '';
}

/** How far a running step is by its estimate, from 0 to 1; null when nothing is known. */
export function shareOf(step: PlanStep, now: number): number | null {
  const { startedAt, settledAt, estimateMs } = step;
  if (startedAt === null || settledAt !== null || estimateMs <= 0) return null;
  return Math.min(1, Math.max(0, (now - startedAt) / estimateMs));
}

/** How many are what, in words: `12 ok, 3 running`. */
export function tallyText(tally: Tally): string {
  const parts = STANDINGS.filter((standing) => tally[standing] > 0).map((standing) => `${tally[standing]} ${standing}`);
  return parts.length === 0 ? 'no steps' : parts.join(', ');
}

type Counts = Pick<PlanInfo, 'steps' | 'done' | 'failed' | 'denied' | 'skipped'>;

/** A part of the bar of a run: steps that are alike, never none. */
export interface RunPart {
  readonly part: 'failed' | 'denied' | 'ok' | 'skipped' | 'to do';
  readonly tone: Tone;
  readonly count: number;
}

/** The steps of a run by how they ended, what went wrong first; only what went well is `ok`. */
export function runParts({ steps, done, failed, denied, skipped }: Counts): RunPart[] {
  const parts: readonly RunPart[] = [
    { part: 'failed', tone: 'failed', count: failed },
    { part: 'denied', tone: 'failed', count: denied },
    { part: 'ok', tone: 'ok', count: done - failed - denied - skipped },
    { part: 'skipped', tone: 'waiting', count: skipped },
    { part: 'to do', tone: 'neutral', count: steps - done },
  ];
  return parts.filter(({ count }) => count > 0);
}

/** `2 failed, 20 ok, 3 skipped, 5 to do, of 30 steps`. */
export function runText(counts: Counts): string {
  const parts = runParts(counts).map(({ part, count }) => `${countText(count)} ${part}`);
  return [...parts, `of ${plural(counts.steps, 'step')}`].join(', ');
}
