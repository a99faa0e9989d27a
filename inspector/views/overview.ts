/** What somebody sees first: how well it is, what runs, what fails, and what waits for somebody. */
import type { BudgetTier } from '../../machines/budget-policy.ts';
import type { ComponentStanding } from '../../machines/degradation.ts';
import type { Health } from '../../machines/health.ts';
import type { OutcomeKind } from '../../machines/outcome.ts';
import type { PressureLevel } from '../../machines/pressure.ts';

/** An action that is under way, or is going to be tried again. */
export interface ActionNow {
  readonly id: string;
  readonly name: string;
  readonly plan: string | null;
  readonly slot: number | null;
  readonly attempt: number;
  readonly startedAt: number | null;
  /** While it backs off: when it is tried again, and what the last attempt failed of. */
  readonly retryAt: number | null;
  readonly error: string | null;
  /** What it waits for, when it waits for a component. */
  readonly waitsFor: string | null;
}

export interface Overview {
  readonly at: number;
  readonly turn: number;
  /** `running`, `pausing`, `paused`, and so on: the supervisor's own state. */
  readonly state: string;
  /** Null when it is read from beside its owner, and there is none. */
  readonly health: Health | null;
  /** Whether a process owns the store now. */
  readonly isOwned: boolean;
  readonly slots: number;
  readonly counts: {
    readonly waiting: number;
    readonly delayed: number;
    readonly held: number;
    readonly running: number;
    readonly backingOff: number;
    readonly asking: number;
    readonly parked: number;
    readonly deadLetters: number;
    readonly plansOpen: number;
  };
  readonly outcomes: Readonly<Record<OutcomeKind, number>>;
  /** Of the last hour, a minute each, the oldest first: settled actions, and those of them that did not go well. */
  readonly minutes: readonly { readonly at: number; readonly settled: number; readonly failed: number }[];
  /** At most 50 of each. */
  readonly running: readonly ActionNow[];
  readonly retrying: readonly ActionNow[];
  readonly failed: readonly {
    readonly id: string;
    readonly name: string;
    readonly at: number;
    readonly error: string | null;
    readonly attempts: number;
  }[];
  readonly plans: readonly {
    readonly id: string;
    readonly name: string;
    readonly state: string;
    readonly done: number;
    readonly steps: number;
    readonly failed: number;
    readonly submittedAt: number;
  }[];
  readonly budget: { readonly tier: BudgetTier; readonly remaining: number; readonly burn: number } | null;
  readonly components: Readonly<Record<string, ComponentStanding>>;
  readonly resources: readonly {
    readonly name: string;
    readonly used: number;
    readonly limit: number;
    readonly level: PressureLevel;
    /** ms until it is exhausted, as forecast; null when it is not. */
    readonly etaMs: number | null;
  }[];
  readonly approvals: number;
  /** What is due by time: retries, schedules, delays; the next 20. */
  readonly next: readonly {
    readonly at: number;
    readonly what: string;
    readonly id: string;
    readonly kind: 'retry' | 'schedule' | 'delay';
  }[];
  /** The newest 20 of the store's incidents. */
  readonly notices: readonly {
    readonly id: number;
    readonly at: number;
    readonly kind: string;
    readonly detail: string;
  }[];
}
