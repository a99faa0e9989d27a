/** What checkpoints cost, and how often they are taken, in figures. */
import { intervalMs, meanLifeMs } from '../machines/checkpoint-state.ts';
import { checkpointOf, type Tree } from './standing.ts';

/** What checkpoints cost, and how often they are taken. */
export interface CheckpointStats {
  readonly kept: number;
  readonly pinned: number;
  /** What one costs, smoothed, with the commit that it is part of, ms; null before the first was measured. */
  readonly costMs: number | null;
  /** From a change to the checkpoint that holds it, ms, unless enough settles before. */
  readonly intervalMs: number;
  /** Crashes that were seen, and how long it lives between two of them, as far as is known, ms. */
  readonly crashes: number;
  readonly meanLifeMs: number;
}

export function checkpointStats(durable: Tree): CheckpointStats {
  const { kept = 0, pinned = 0 } =
    durable.store.rows.get<Pick<CheckpointStats, 'kept' | 'pinned'>>(
      'select count(*) as kept, coalesce(sum(pinned), 0) as pinned from checkpoints',
    ) ?? {};
  const context = checkpointOf(durable);
  const { costMs, crashes } = context;
  return { kept, pinned, costMs, crashes, intervalMs: intervalMs(context), meanLifeMs: meanLifeMs(context) };
}
