/**
 * What waited in a kept turn, and what a fork of it may give another input: `GET /v1/views/past-work?turn=`.
 *
 * What is shown is redacted. A secret of an input is not known here, so whoever gives another input says it again.
 */
import type { Shown } from '../protocol.ts';

/** An action or a step that had not settled. */
export interface PastWorkItem {
  /** By which a fork knows it: the id of the action, or `plan/step`. */
  readonly id: string;
  readonly kind: 'action' | 'step';
  /** What is run. */
  readonly name: string;
  /** The plan that it is of; null for none. */
  readonly plan: string | null;
  /** The state of then, such as `waiting`, `running` or `asking`. */
  readonly state: string;
  readonly input: Shown;
  /** Parts of the input are not shown, because they are secrets. */
  readonly isRedacted: boolean;
  /** Why it keeps its input in a fork, in words; null when it may get another. */
  readonly keeps: string | null;
}

export interface PastWork {
  readonly turn: number;
  /** Those that may get another input first; at most 500. */
  readonly items: readonly PastWorkItem[];
  readonly more: boolean;
}
