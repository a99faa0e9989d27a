/** What a host says of the dependencies that its actions lean on. */
import type { BreakerPolicy } from '../machines/breaker.ts';
import type { ComponentPolicy, Criticality } from '../machines/component.ts';
import type { RetryBudgetPolicy } from '../machines/retry-budget.ts';
import { DEFAULT_LOSS, type Fallback } from './actions.ts';

/** A dependency: with a circuit breaker, a retry budget, and what stands in for it. */
export interface ComponentDefinition {
  /** What differs from the defaults; false for none. */
  readonly breaker?: Partial<BreakerPolicy> | false;
  /** What differs from the defaults; false for none. */
  readonly retryBudget?: Partial<RetryBudgetPolicy> | false;
  /** What it means to the whole when it is down. Default: `critical`. */
  readonly criticality?: Criticality;
  /** How much of the whole it is, from 0 to 1. Default: by its criticality. */
  readonly weight?: number;
  /** What its actions do when it does not work, by name. */
  readonly fallbacks?: Readonly<Record<string, Fallback<never, unknown>>>;
}

/** Components by name. */
export type Components = Readonly<Record<string, ComponentDefinition>>;
