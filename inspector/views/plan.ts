/** A run of a plan as a graph: `GET /v1/views/plan?id=`; the runs that there are: `GET /v1/views/plans`. */
import type { OutcomeKind } from '../../machines/outcome.ts';

export interface PlanInfo {
  readonly id: string;
  readonly name: string;
  readonly state: 'running' | 'stopping' | 'settled';
  readonly kind: string | null;
  readonly submittedAt: number;
  readonly settledAt: number | null;
  readonly steps: number;
  readonly done: number;
  readonly failed: number;
}

export interface PlanStep {
  /** The id of the step in the plan: its path. */
  readonly id: string;
  readonly action: string | null;
  readonly name: string;
  /** The group or fan-out that it lies in. */
  readonly parent: string | null;
  readonly role: 'step' | 'group' | 'fan-out';
  readonly after: readonly string[];
  readonly state: 'waiting' | 'ready' | 'queued' | 'running' | 'retrying' | 'asking' | 'settled';
  readonly kind: OutcomeKind | null;
  readonly reason: string | null;
  readonly attempts: number;
  readonly estimateMs: number;
  readonly startedAt: number | null;
  readonly settledAt: number | null;
  readonly workMs: number | null;
  readonly error: string | null;
  /** On the longest way through the plan, by what steps took, or by their estimates. */
  readonly isCritical: boolean;
}

export interface PlanGraph extends PlanInfo {
  readonly policy: string;
  readonly graph: readonly PlanStep[];
  readonly criticalPath: readonly string[];
  readonly criticalMs: number;
  /** Null while it runs. */
  readonly speedUp: number | null;
  readonly etaMs: number | null;
}
