/** How good what is done can still be, from what its parts have lost. */

/** How much depends on something, in the words of the SRE book: what may be shed goes first. */
export type Criticality = 'critical-plus' | 'critical' | 'sheddable-plus' | 'sheddable';

/** How much the whole can still do, best first: nothing lost, 90 % left, 70 %, 50 %, less. */
export const LEVELS = ['full', 'minor', 'moderate', 'severe', 'minimal'] as const;
export type DegradationLevel = (typeof LEVELS)[number];

/** The least quality of a level. */
const FLOORS: Readonly<Record<DegradationLevel, number>> = {
  full: 1,
  minor: 0.9,
  moderate: 0.7,
  severe: 0.5,
  minimal: 0,
};

/** What each level sheds; what is critical is never left out. */
const SHED: Readonly<Record<DegradationLevel, readonly Criticality[]>> = {
  full: [],
  minor: [],
  moderate: ['sheddable'],
  severe: ['sheddable', 'sheddable-plus'],
  minimal: ['sheddable', 'sheddable-plus'],
};

/** Millionths: a boundary is not missed by what a product of fractions leaves over. */
function rounded(quality: number): number {
  return Math.round(quality * 1e6) / 1e6;
}

/**
 * What is left when each part loses so much, 0 to 1: the product of what each leaves.
 *
 * @example composeQuality([0.3, 0.5]) // 0.35
 */
export function composeQuality(losses: readonly number[]): number {
  return rounded(losses.reduce((quality, loss) => quality * (1 - Math.min(1, Math.max(0, loss))), 1));
}

/** Whether a result of this quality may not be given for the real thing. */
export function isBelow(quality: number, floor: number): boolean {
  return rounded(quality) < floor;
}

/** The fallbacks in the order in which they are tried: the least loss first, equal ones as they were written. */
export function fallbackOrder<T extends { readonly loss: number }>(fallbacks: readonly T[]): readonly T[] {
  return fallbacks.toSorted((a, b) => a.loss - b.loss);
}

/** The level that a quality reads as. */
export function levelOf(quality: number): DegradationLevel {
  return LEVELS.find((level) => quality >= FLOORS[level]) ?? 'minimal';
}

/** Whether `a` is a worse level than `b`. */
export function isWorse(a: DegradationLevel, b: DegradationLevel): boolean {
  return LEVELS.indexOf(a) > LEVELS.indexOf(b);
}

/** Brownout: whether work of this criticality is better left out while the whole is at this level. */
export function isShed(level: DegradationLevel, criticality: Criticality): boolean {
  return SHED[level].includes(criticality);
}
