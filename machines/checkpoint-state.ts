/** What a checkpoint is told, what it keeps, and what it tells; and how often it is worth one. */

/** ms from a change to the checkpoint that holds it. */
export interface IntervalBounds {
  readonly min: number;
  readonly max: number;
}

export interface CheckpointInput {
  /** Settled actions between two checkpoints. Default of the supervisor: 10. */
  readonly everyActions: number;
  /** The same interval always, ms, or the bounds of the one that is reckoned. Default of the supervisor: 10,000 to 300,000. */
  readonly everyMs: number | IntervalBounds;
}

/** What survives a restart. */
export interface CheckpointContext extends CheckpointInput {
  readonly settledSince: number;
  /** What a checkpoint costs, ms, smoothed; null before the first was measured. */
  readonly costMs: number | null;
  /** How long it has lived in all, up to the last time that it was told; crashes that it came back from. */
  readonly upMs: number;
  readonly crashes: number;
  /** The last time that it was told, wall-clock ms; null before the first. */
  readonly lastAt: number | null;
  /** It was closed in order; null when an earlier version stored it, which did not say. */
  readonly isDown: boolean | null;
  /** What is being gone back to. */
  readonly asked: RestoreRequest | null;
}

/** Asks for the tree as it was in a turn that is kept. */
export interface RestoreRequest {
  readonly turn: number;
  /** Also while actions run: they are interrupted. */
  readonly force: boolean;
  /** Whoever asked finds the answer by it. */
  readonly request: string;
  /** Which owner of the store was asked, by somebody beside it; absent when the host itself asks. */
  readonly epoch?: number;
}

/** Why it could not be done. */
export interface RestoreFailure {
  readonly code: string;
  readonly message: string;
}

/** What is done to a checkpoint that there is. */
export interface CheckpointChange {
  readonly turn: number;
  readonly command: 'pin' | 'unpin' | 'remove';
}

/** Names the present turn. */
export interface CheckpointRequest {
  readonly reason: string;
  readonly label?: string;
  /** Kept until it is let go. Default: false. */
  readonly pin?: boolean;
}

/** A turn was named. */
export interface Named {
  readonly turn: number;
  readonly reason: string;
  readonly label: string | null;
  readonly at: number;
}

/** What is known when a tree starts. */
export interface Found {
  readonly at: number;
  /** Nothing of this tree ran before in this process, and it is where the process before it ended. */
  readonly isFirst: boolean;
}

export type CheckpointEvent =
  | { readonly type: 'checkpoint.count'; readonly settled: number }
  /** Something has changed, and nothing has settled. */
  | { readonly type: 'checkpoint.note' }
  | ({ readonly type: 'checkpoint.request' } & CheckpointRequest)
  | ({ readonly type: 'checkpoint.change' } & CheckpointChange)
  /** What the host wants to find again in each: JSON. */
  | { readonly type: 'checkpoint.set'; readonly variables: string }
  | ({ readonly type: 'checkpoint.configure' } & CheckpointInput)
  | ({ readonly type: 'checkpoint.restore' } & RestoreRequest)
  /** The tree is back; `isRestored` as it was in a turn of the past. */
  | { readonly type: 'checkpoint.resumed'; readonly isRestored: boolean }
  | ({ readonly type: 'checkpoint.found' } & Found)
  | ({ readonly type: 'checkpoint.written' } & Named & { readonly costMs: number | null });

/** What the checkpoint tells its parent. */
export type CheckpointNotice =
  | ({ readonly type: 'checkpoint.named' } & Named)
  | ({ readonly type: 'checkpoint.refused' } & RestoreRequest & RestoreFailure);

export type Args = { readonly context: CheckpointContext };

/** Before there was a crash it counts as one that crashes once a day. */
const EXPECTED_LIFE_MS = 86_400_000;
/** Of a checkpoint that was never measured. */
const EXPECTED_COST_MS = 1;

/** How long it lives between two crashes, as far as it is known, ms. */
export function meanLifeMs({ upMs, crashes }: Pick<CheckpointContext, 'upMs' | 'crashes'>): number {
  return (upMs + EXPECTED_LIFE_MS) / (crashes + 1);
}

/** K2. */
export function intervalMs({ everyMs, costMs, ...life }: CheckpointContext): number {
  if (typeof everyMs === 'number') return everyMs;
  const best = Math.sqrt(2 * (costMs ?? EXPECTED_COST_MS) * meanLifeMs(life));
  return Math.round(Math.min(everyMs.max, Math.max(everyMs.min, best)));
}

function lived({ upMs, lastAt }: CheckpointContext, at: number): Pick<CheckpointContext, 'upMs' | 'lastAt'> {
  // A clock that was set back has not made it younger.
  return { upMs: upMs + Math.max(0, at - (lastAt ?? at)), lastAt: at };
}

export function noteStart({ context }: Args, { at, isFirst }: Found): Partial<CheckpointContext> {
  const hasCrashed = isFirst && context.isDown === false && context.lastAt !== null;
  return { crashes: context.crashes + (hasCrashed ? 1 : 0), lastAt: at, isDown: false };
}

export function noteName(
  { context }: Args,
  { at, reason, costMs }: Named & { costMs: number | null },
): Partial<CheckpointContext> {
  return { ...lived(context, at), costMs: costMs ?? context.costMs, isDown: reason === 'shutdown' };
}
