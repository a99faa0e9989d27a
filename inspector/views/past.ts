/**
 * Checkpoints and turns of the past: `GET /v1/views/checkpoints`, `/v1/views/compare?a=&b=`, `/v1/views/past?turn=` (the actors of a
 * kept turn), `/v1/views/past-actor?turn=&id=` (an actor in it, as an {@link ActorDetail}).
 */
import type { CheckpointInfo } from '../../actors/checkpoint-ledger.ts';
import type { TurnDifference } from '../../persistence/compare-turns.ts';
import type { ActorInfo } from '../protocol.ts';

export interface Checkpoints {
  /** The newest first; at most 1,000. */
  readonly checkpoints: readonly CheckpointInfo[];
  /** The first and the last turn that the history keeps; null without history. */
  readonly history: { readonly from: number; readonly to: number } | null;
  readonly turn: number;
}

export interface Comparison {
  readonly a: number;
  /** Null: the present. */
  readonly b: number | null;
  /** At most 1,000. */
  readonly differences: readonly TurnDifference[];
  readonly more: boolean;
}

export interface Past {
  readonly turn: number;
  readonly actors: readonly ActorInfo[];
}
