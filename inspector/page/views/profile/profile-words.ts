/** What the profile says, in the units and words that fit it. Pure. */
import type { Recommendation } from '../../../../machines/profile-report.ts';
import type { Summary } from '../../../../machines/summary.ts';
import { durationText, percentText } from '../../format.ts';

/** A length of time, also of what is shorter than a ms: `340 µs`. */
export function spanText(ms: number): string {
  return ms > 0 && ms < 0.95 ? `${Math.max(1, Math.round(ms * 1_000))} µs` : durationText(ms);
}

/** What a cure is worth at most: `up to 2.5× as fast`. */
export function worthText({ mostSpeedUp, share, of }: Pick<Recommendation, 'mostSpeedUp' | 'share' | 'of'>): string {
  const whole = of === 'makespan' ? 'the time that the plan took' : 'all work';
  const part = `${percentText(share)} of ${whole}`;
  if (mostSpeedUp === null) return `${part}: nothing else takes any time`;
  return `${part}: up to ${factorText(mostSpeedUp)} as fast`;
}

export function factorText(factor: number): string {
  return `${factor >= 100 ? '100+' : factor >= 10 ? Math.round(factor) : factor.toFixed(1)}×`;
}

/** Of what a part of the critical path was spent. */
export type PathPart = 'waited' | 'ran' | 'backedOff' | 'heldUp';

export const PART_WORDS: Readonly<Record<PathPart, string>> = {
  waited: 'waited',
  ran: 'worked',
  backedOff: 'backed off',
  heldUp: 'held up',
};

/** A piece of the critical path, in parts of the makespan from 0 to 1. */
export interface PathPiece {
  readonly step: string;
  readonly part: PathPart;
  readonly ms: number;
  readonly left: number;
  readonly width: number;
}

/** The critical path as pieces side by side; together they are the makespan. What took no time has none. */
export function pathPieces({ criticalPath, makespanMs }: Pick<Summary, 'criticalPath' | 'makespanMs'>): PathPiece[] {
  if (!(makespanMs > 0)) return [];
  const pieces: PathPiece[] = [];
  let at = 0;
  for (const { step, waitedMs, ranMs, backedOffMs, heldUpMs } of criticalPath) {
    const parts = { waited: waitedMs, ran: ranMs, backedOff: backedOffMs, heldUp: heldUpMs };
    for (const part of ['waited', 'ran', 'backedOff', 'heldUp'] as const) {
      const ms = parts[part];
      if (!(ms > 0)) continue;
      pieces.push({ step, part, ms, left: at / makespanMs, width: ms / makespanMs });
      at += ms;
    }
  }
  return pieces;
}

/** What the run came to, in one sentence. */
export function summaryText({ makespanMs, speedUp, bound, slots, atOnce }: Summary): string {
  const most = `at most ${factorText(bound)} with ${slots} ${slots === 1 ? 'slot' : 'slots'}`;
  return `${durationText(makespanMs)} from the first start to the last end, ${factorText(speedUp)} as fast as one after the other (${most}; ${atOnce} at once).`;
}
