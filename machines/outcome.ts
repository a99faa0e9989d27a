import type { ErrorClass } from './error-class.ts';
import type { Band } from './gate.ts';

/** How an action ended. Exactly one outcome per action; counts always add up. */
export type OutcomeKind = 'ok' | 'recovered' | 'degraded' | 'skipped' | 'failed' | 'denied' | 'cancelled';

/** What is kept of an error: enough to tell, to count and to act on, small enough for a context. */
export interface ErrorRecord {
  readonly name: string;
  readonly code: string | null;
  readonly message: string;
  readonly class: ErrorClass;
  /** The same for the same fault: 16 hexadecimal digits. */
  readonly fingerprint: string;
  /** How long the other side asked to be left alone, ms. */
  readonly retryAfterMs?: number;
}

/** The one typed outcome of an action. */
export interface Outcome<TValue = unknown> {
  /** `recovered`: ok, but not at the first attempt. `degraded`: the fallback's value. */
  readonly kind: OutcomeKind;
  /** What the work, or its fallback, returned. */
  readonly value?: TValue;
  /** Why it is not ok; for `recovered` and `degraded`, the last error before. */
  readonly error?: ErrorRecord;
  readonly attempts: number;
  /** 0 for the real thing, 1 for nothing at all. */
  readonly qualityLoss: number;
  /** How the gate let it pass, or that it asked. */
  readonly band?: Band;
  /** The fallback whose value it is; `memo`, of one that is ok, for the value of an earlier run: nothing was done. */
  readonly via?: string;
  /** The real work is owed: see `debts()`. */
  readonly owes?: boolean;
  /** What was known to help, and was tried. */
  readonly fix?: string;
  /** What its attempts had done was undone, or could not be. */
  readonly undo?: 'done' | ErrorRecord;
  /** What its attempts took in all, ms. */
  readonly workMs: number;
  /** Wall-clock ms since 1970. */
  readonly submittedAt: number;
  readonly startedAt: number | null;
  readonly settledAt: number;
}

/** Whether what depends on an action of this outcome may go on. */
export function isSuccess(kind: OutcomeKind): boolean {
  return kind === 'ok' || kind === 'recovered' || kind === 'degraded';
}
