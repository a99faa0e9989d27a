/** Moves what may be moved to where the outcomes say, and tells what that was. */
import type { SupervisorCommand } from '../machines/supervisor.ts';
import { adaptThresholds } from '../machines/calibration.ts';
import type { Thresholds } from '../machines/thresholds.ts';
import { standingOf, type Tree } from './standing.ts';

/** A control parameter that was moved. */
export interface Adjustment {
  readonly parameter: `gate.${keyof Thresholds}`;
  readonly from: number;
  readonly to: number;
}

/**
 * A threshold is a function of the outcomes, within bounds: where those say nothing new, nothing is sent and nothing moves,
 * however often it is asked.
 */
export async function optimize(durable: Tree): Promise<readonly Adjustment[]> {
  const { thresholds: from, outcomes } = standingOf(durable).executor;
  if (adjustments(from, adaptThresholds(from, outcomes)).length === 0) return [];
  const event: SupervisorCommand = { type: 'supervisor.optimize' };
  await durable.send(event);
  return adjustments(from, standingOf(durable).executor.thresholds);
}

function adjustments(from: Thresholds, to: Thresholds): Adjustment[] {
  return (['immediate', 'monitored', 'reversible'] as const)
    .filter((name) => from[name] !== to[name])
    .map((name) => ({ parameter: `gate.${name}`, from: from[name], to: to[name] }));
}
