/** What waits, runs and has ended: the list of actions. */
import type { ActionState } from '../../actors/queue-tables.ts';
import type { OutcomeKind } from '../../machines/outcome.ts';

/** What is asked; all that is given must hold. In the query of `GET /v1/views/work`. */
export interface WorkQuery {
  readonly state?: ActionState | 'retrying' | 'failed';
  /** A part of the id or the name. */
  readonly search?: string;
  readonly name?: string;
  readonly queue?: string;
  readonly plan?: string;
  readonly kind?: OutcomeKind;
  /** The `seq` of the last one that was seen. */
  readonly after?: number;
  /** Default: 100, at most 1,000. */
  readonly limit?: number;
}

export interface WorkItem {
  readonly seq: number;
  readonly id: string;
  readonly name: string;
  readonly plan: string | null;
  readonly queue: string;
  readonly key: string | null;
  readonly state: ActionState;
  readonly kind: OutcomeKind | null;
  readonly attempts: number;
  readonly rank: number;
  readonly submittedAt: number;
  readonly startedAt: number | null;
  readonly settledAt: number | null;
  readonly notBefore: number | null;
  readonly dueAt: number | null;
  readonly retryAt: number | null;
  readonly error: string | null;
}

export interface Work {
  readonly items: readonly WorkItem[];
  /** Whether there are more after the last. */
  readonly more: boolean;
  readonly queues: readonly {
    readonly name: string;
    readonly isPaused: boolean;
    readonly waiting: number;
    readonly running: number;
    readonly limit: number | null;
  }[];
  /** The names of actions that there are, for filters. */
  readonly names: readonly string[];
}

/** One action with all that is known of it: `GET /v1/views/action?id=`. Values are redacted, and cut at 64 KB. */
export interface ActionDetail extends WorkItem {
  readonly input: unknown;
  readonly value: unknown;
  readonly errorRecord: unknown;
  readonly policy: unknown;
  readonly score: number | null;
  readonly band: string | null;
  readonly qualityLoss: number;
  readonly via: string | null;
  readonly workMs: number;
  readonly slot: number | null;
  /** The id of the actor that carries it out; null when none does. */
  readonly actor: string | null;
  /** The commands that make sense for it now. */
  readonly commands: readonly string[];
}
