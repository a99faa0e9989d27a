/** The public door. */
export { spawnSupervisor, type SupervisorOptions } from './actors/spawn.ts';
export {
  Supervisor,
  type ActionHandle,
  type PlanHandle,
  type PlanOptions,
  type StepOptions,
  type SubmitOptions,
} from './actors/supervisor.ts';
export { defineAction, type ActionContext, type ActionDefinition, type Actions } from './actors/actions.ts';
export type { PlanOutcome, StepOutcome } from './actors/ledger.ts';
export type { ErrorRecord, Outcome, OutcomeKind } from './machines/outcome.ts';
export type { RetryPolicy } from './machines/retry.ts';
export type { FailurePolicy } from './machines/tracks.ts';
export {
  createDurableActor,
  type DurableActor,
  type DurableOptions,
  type Receipt,
  type Resumption,
  type SendOptions,
} from './persistence/durable.ts';
export { supervise, type SupervisionEmitted } from './persistence/supervise.ts';
export type { ChildSpec, SrcOf, SupervisionOptions } from './persistence/supervision-options.ts';
export type { RestartType, Strategy } from './persistence/supervision.ts';
export { effectOf, type EffectIdentity } from './persistence/effects.ts';
export { Store, type CommitReport, type StoreOptions } from './persistence/store.ts';
export type { Clock } from './persistence/clock.ts';
export type { Migrate } from './persistence/restore.ts';
export { PerdureError, isPerdureError, type PerdureErrorCode } from './errors.ts';
