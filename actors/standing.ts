/** How the subsystems of a running supervisor stand: the contexts of its standing actors. */
import type { CheckpointContext } from '../machines/checkpoint-state.ts';
import type { BudgetContext } from '../machines/budget.ts';
import type { BudgetTier } from '../machines/budget-policy.ts';
import type { DegradationContext } from '../machines/degradation.ts';
import type { ExecutorContext } from '../machines/executor.ts';
import type { supervisorMachine } from '../machines/supervisor.ts';
import type { DurableActor } from '../persistence/durable.ts';

/** The tree of a supervisor. */
export type Tree = DurableActor<typeof supervisorMachine>;

export interface Standing {
  readonly executor: ExecutorContext;
  readonly degradation: DegradationContext;
  readonly budget: BudgetContext;
  readonly tier: BudgetTier;
  /** Whether the executor takes actions from the queue. */
  readonly isAdmitting: boolean;
}

/** What may run at once now, as the error budget and the resources let it. */
export function roomOf({ limit, share, admission }: Pick<ExecutorContext, 'limit' | 'share' | 'admission'>): number {
  return Math.max(1, Math.min(Math.floor(limit * share), admission?.limit ?? Infinity));
}

export function standingOf(durable: Tree): Standing {
  const { children, value } = durable.getSnapshot();
  const snapshotOf = (id: string) => (children as Children)[id]?.getSnapshot();
  const budget = snapshotOf('budget') as { context: BudgetContext; value: { tier: BudgetTier } };
  return {
    executor: (snapshotOf('executor') as { context: ExecutorContext }).context,
    degradation: (snapshotOf('degradation') as { context: DegradationContext }).context,
    budget: budget.context,
    tier: budget.value.tier,
    isAdmitting: value === 'running',
  };
}

type Children = Readonly<Record<string, { getSnapshot(): unknown } | undefined>>;

/** What the checkpoint of a tree knows. */
export function checkpointOf(durable: Tree): CheckpointContext {
  const { children } = durable.getSnapshot();
  return (children.checkpoint as { getSnapshot(): { context: CheckpointContext } }).getSnapshot().context;
}
