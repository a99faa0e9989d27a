/** The scores from which an action runs at once, is watched, or runs because it can be undone; below them it asks. */
import { PerdureError } from '../errors.ts';

export interface Thresholds {
  readonly immediate: number;
  readonly monitored: number;
  readonly reversible: number;
}

/** How careful the error budget asks the gate to be; 3 when it is exhausted. */
export type Caution = 0 | 1 | 2 | 3;

export const DEFAULT_THRESHOLDS: Thresholds = { immediate: 0.9, monitored: 0.7, reversible: 0.5 };

/** The least and the greatest threshold, and the least distance of two. */
export const LEAST = 0.05;
export const GREATEST = 0.98;
export const LEAST_GAP = 0.05;

/** Added to every threshold by each level of caution. */
const CAUTION_STEP = 0.03;
/** No caution makes certainty unreachable. */
const UNREACHED = 0.99;
/** 0.75 - 0.7 is a little more than 0.05, and 0.1 - 0.05 could be a little less. */
const ROUNDING = 1e-9;

/** Thresholds of a user, completed from the defaults. Throws OPTIONS_INVALID unless they are in order and range. */
export function checkThresholds(some: Partial<Thresholds> = {}): Thresholds {
  const thresholds = { ...DEFAULT_THRESHOLDS, ...some };
  const { immediate, monitored, reversible } = thresholds;
  const isInOrder =
    immediate <= GREATEST &&
    immediate - monitored >= LEAST_GAP - ROUNDING &&
    monitored - reversible >= LEAST_GAP - ROUNDING &&
    reversible >= LEAST;
  if (isInOrder) return thresholds;
  throw new PerdureError(
    'OPTIONS_INVALID',
    `Thresholds must be immediate > monitored > reversible, ${LEAST_GAP} apart, from ${LEAST} to ${GREATEST}; ` +
      `got immediate ${immediate}, monitored ${monitored}, reversible ${reversible}.`,
    { facts: { ...thresholds } },
  );
}

/** The thresholds under caution. */
export function tightened({ immediate, monitored, reversible }: Thresholds, caution: Caution): Thresholds {
  const raised = (threshold: number) => Math.min(UNREACHED, threshold + caution * CAUTION_STEP);
  return { immediate: raised(immediate), monitored: raised(monitored), reversible: raised(reversible) };
}
