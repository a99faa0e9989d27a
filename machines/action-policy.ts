/** What is asked of an action beforehand: how often, how long, leaning on what, and what stands in. */
import type { RetryPolicy } from './retry.ts';
import type { Risk } from './risk.ts';

/** What stands in when the work has failed for good. */
export interface FallbackSpec {
  readonly name: string;
  /** 0 for as good as the real thing, 1 for nothing at all. */
  readonly loss: number;
  /** Whether the real work is owed, and done when its component has recovered. */
  readonly owes: boolean;
}

/** What happens to the action while the breaker of its component is open. */
export type WhenOpen = 'reject' | 'wait';

/** What the action machine must know of an action. Plain data, stored with it. */
export interface ActionPolicy {
  readonly retry: RetryPolicy;
  /** Longest duration of one attempt, of the undoing, and of a fallback, ms; null for no limit. */
  readonly timeoutMs: number | null;
  /** From its first start to the end of its last attempt, ms; null for no limit. */
  readonly deadlineMs: number | null;
  /** The dependency that it leans on. */
  readonly component: string | null;
  readonly whenOpen: WhenOpen;
  /** The best first. */
  readonly fallbacks: readonly FallbackSpec[];
  /** The least quality, composed with what it depends on, from 0 to 1. */
  readonly qualityFloor: number;
  /** What happens when only less can be had. */
  readonly belowFloor: 'fail' | 'ask';
  readonly hasUndo: boolean;
}

/** The policy as it is stored: with what the gate must know. */
export interface StoredPolicy extends ActionPolicy {
  readonly risk: Risk;
  /** Of a plan's step: whether it waits while the error budget is spent. */
  readonly optional?: boolean;
  /** Of a plan's step: what it returned may stand in when nothing has changed. */
  readonly memo?: MemoPolicy;
  /** Of a plan's step: where it waits, and of which key it is; absent: in `default`, and of none. */
  readonly queue?: string;
  readonly key?: string;
}

/** When what a step returned before may stand in for running it. Plain data, stored with it. */
export interface MemoPolicy {
  readonly version: string;
  /** Patterns of the files that it reads, and of those that it writes, relative to the folder. */
  readonly files: readonly string[];
  readonly outputs: readonly string[];
  readonly folder: string;
  /** It runs in any case, and what comes of it is remembered. */
  readonly refresh: boolean;
}
