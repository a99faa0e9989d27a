/**
 * Whether a long run may stop. A milestone is no end: it goes on until its goal is reached and nothing is left unfinished, its
 * time is up, or somebody says so.
 *
 * G1  Nobody is kept waiting who said "stop", nor beyond the time limit.
 * G2  Otherwise it ends only when the goal is reached and nothing is pending. What is owed is worked off before.
 * G3  It is `done` only when, besides, nothing failed and nothing is owed.
 */

/** What keeps a run from being done. */
export type UnfinishedKind = 'waiting' | 'running' | 'asking' | 'parked' | 'plan' | 'debt' | 'failed' | 'work' | 'goal';

/** How many there are of what can be counted. */
export type UnfinishedCounts = Readonly<Record<Exclude<UnfinishedKind, 'work' | 'goal'>, number>>;

/** What the gate looks at. */
export interface StopFacts {
  readonly at: number;
  readonly endsAt: number;
  /** Somebody said "stop". */
  readonly isTold: boolean;
  /** What the goal function said; null without one. */
  readonly goal: boolean | null;
  /** There may be work that was not taken yet. */
  readonly hasWork: boolean;
  /** Asked only when it matters. */
  readonly counts: () => UnfinishedCounts;
  /** When debts are to be worked off next; null when no debt that is left can be paid. Asked only when it matters. */
  readonly payAt: () => number | null;
}

export type StopReason = 'goal' | 'time' | 'told';

export type StopVerdict =
  { readonly kind: 'goOn' } | { readonly kind: 'workOff' } | { readonly kind: 'end'; readonly reason: StopReason };

const GO_ON: StopVerdict = { kind: 'goOn' };

/** Whether the work that there is has come to its end. Without a goal function that is when nothing is left to take. */
function isGoalReached({ goal, hasWork }: Pick<StopFacts, 'goal' | 'hasWork'>): boolean {
  return goal ?? !hasWork;
}

/** What moves by itself, or when somebody answers. */
function isPending({ waiting, running, asking, parked, plan }: UnfinishedCounts): boolean {
  return waiting + running + asking + parked + plan > 0;
}

/** Opens the gate, or not: see G1 and G2. */
export function decideStop(facts: StopFacts): StopVerdict {
  if (facts.isTold) return { kind: 'end', reason: 'told' };
  if (facts.at >= facts.endsAt) return { kind: 'end', reason: 'time' };
  if (!isGoalReached(facts)) return GO_ON;
  const counts = facts.counts();
  if (isPending(counts)) return GO_ON;
  const payAt = counts.debt > 0 ? facts.payAt() : null;
  if (payAt !== null) return facts.at >= payAt ? { kind: 'workOff' } : GO_ON;
  return { kind: 'end', reason: 'goal' };
}

/** G3. */
export function isDone(facts: Pick<StopFacts, 'goal' | 'hasWork' | 'counts'>): boolean {
  const counts = facts.counts();
  return isGoalReached(facts) && !isPending(counts) && counts.debt === 0 && counts.failed === 0;
}

/** How long to wait until a debt, or all of them, is tried again, after so many tries in a row in vain, ms. */
export function payAgainMs(fruitless: number): number {
  return fruitless === 0 ? 0 : Math.min(600_000, 10_000 * 2 ** (fruitless - 1));
}
