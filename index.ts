/** The public door. */
export type { Answer } from './actors/answer.ts';
export { spawnSupervisor, type InspectedSupervisor, type SupervisorOptions } from './inspector/spawn.ts';
export type { InspectorLogger, SupervisedInspectorOptions } from './inspector/server/options.ts';
export { Supervisor, type ActionHandle, type PlanHandle, type SubmitOptions } from './actors/supervisor.ts';
export type {
  Checkpoint,
  CheckpointInfo,
  CheckpointPlanProgress,
  CheckpointQuery,
} from './actors/checkpoint-ledger.ts';
export type { CheckpointSettings } from './actors/checkpoint-options.ts';
export type { CheckpointPlan, CheckpointProgress, CheckpointTask } from './actors/checkpoint-progress.ts';
export type { CheckpointStats } from './actors/checkpoint-stats.ts';
export type { Variables } from './actors/checkpoint-tables.ts';
export type { CheckpointOptions, SupervisorCheckpoints } from './actors/checkpoints.ts';
export type { ForkOptions as CheckpointForkOptions } from './actors/forks.ts';
export type { Restored } from './actors/restorer.ts';
export type { DeadAction } from './actors/dead-letter-rows.ts';
export type { DeadLetterQuery, DeadLetters } from './actors/dead-letters.ts';
export type { RetentionOptions } from './actors/retention.ts';
export type { ScheduleOptions } from './actors/schedule-options.ts';
export type { PlanProfile, ProfileReport } from './actors/profile-report.ts';
export type { ProfileQuery, Span, SupervisorProfiler } from './actors/profiler.ts';
export type { ProfilerMode, Slowdown } from './machines/profiler.ts';
export type { ActionPhase, HotPath, OperationReport, Recommendation } from './machines/profile-report.ts';
export type { ChromeTrace, CpuProfile, Flame } from './machines/profile-exports.ts';
export type { Regression } from './machines/regressions.ts';
export type { ScheduleInfo, Schedules } from './actors/schedules.ts';
export type { UniqueOptions } from './actors/unique.ts';
export type { KeyOptions, LimitOptions, OnFull, QueueOptions, Queues, Rate } from './actors/queue-options.ts';
export type { QueueCounts, QueueInfo, SupervisorQueues } from './actors/queues.ts';
export type { Cleanup, OnPressure, Pressure, ShortResource } from './actors/relief.ts';
export type { Figure, Limits } from './actors/resource-figures.ts';
export type { ResourceOptions } from './actors/resource-options.ts';
export type { SamplingCost } from './actors/resource-sampler.ts';
export type {
  ResourceForecast,
  ResourceOptimization,
  ResourceReport,
  Resources,
  ResourceSample,
  ResourceScore,
} from './actors/resources.ts';
export type { ResourceName } from './machines/resource-policy.ts';
export type { QueueingOptions } from './actors/submissions.ts';
export type { Priority, UrgencyOptions } from './machines/urgency.ts';
export type { ActionStepOptions, ForEachOptions, GroupOptions, PlanOptions, StepOptions } from './actors/plan-input.ts';
export { type ActionContext, type Fallback, type FallbackTerms } from './actors/action-context.ts';
export {
  defineAction,
  type ActionDefinition,
  type ActionTerms,
  type Actions,
  type PolicyOverrides,
  type ThreadActionDefinition,
  type Undo,
} from './actors/actions.ts';
export type { PlanProgress, StepCounts } from './actors/plan-progress.ts';
export type { OnApproval } from './actors/approval-callback.ts';
export type { Approval } from './actors/approval-ledger.ts';
export type { Health, HealthIssue, HealthStatus, Subsystem, SubsystemHealth } from './machines/health.ts';
export type { ThreadOptions } from './actors/thread-options.ts';
export type { BackgroundStats } from './actors/thread-pool.ts';
export type { ThreadWork } from './actors/thread-work.ts';
export type { WaitOptions } from './actors/waiting.ts';
export type { Stall } from './actors/stall-monitor.ts';
export type { GateStats, QueueDepth, Stats } from './actors/stats.ts';
export type { Adjustment } from './actors/optimization.ts';
export type { ContinuousWorkOptions, WorkHandle, WorkItem, WorkProgress, WorkReport } from './actors/work-options.ts';
export type { Unfinished } from './actors/unfinished.ts';
export type { StopReason, UnfinishedCounts, UnfinishedKind } from './machines/stop-gate.ts';
export type { ComponentDefinition, Components } from './actors/components.ts';
export type { BudgetOptions } from './machines/budget-policy.ts';
export type { Classifier, ErrorClass } from './machines/error-class.ts';
export type { IntervalBounds } from './machines/checkpoint-state.ts';
export type { OnRestore } from './machines/executor.ts';
export { RETRY_PRESETS } from './machines/retry.ts';
export type { MemoOptions } from './actors/memos.ts';
export type { PlanOutcome, StepOutcome } from './actors/ledger.ts';
export type { Dominant, PathStep, Summary } from './machines/summary.ts';
export type { ErrorRecord, Outcome, OutcomeKind } from './machines/outcome.ts';
export type { RetryPolicy } from './machines/retry.ts';
export type { FailurePolicy } from './machines/tracks.ts';
export { createDurableActor, type DurableOptions } from './persistence/create.ts';
export {
  type DurableActor,
  type Receipt,
  type Restoration,
  type RestoreOptions,
  type Resumption,
  type SendOptions,
} from './persistence/durable.ts';
export { forkStore, type ForkOptions } from './persistence/fork.ts';
export { forkTree } from './persistence/fork-tree.ts';
export type { ActorDifference, ChangedPath, TableDifference, TurnDifference } from './persistence/compare-turns.ts';
export type { CheckpointLimits } from './persistence/checkpoints.ts';
export { encryption, type EncryptionOptions, type Sealing } from './persistence/sealing.ts';
export { commonSecrets, redaction, type RedactionRules, type ValuePath } from './persistence/redaction.ts';
export { reveal, secret, type ResolveSecret, type SecretRef } from './persistence/secrets.ts';
export type { PayloadOptions } from './persistence/payloads.ts';
export { supervise, type SupervisionEmitted } from './persistence/supervise.ts';
export type { ChildSpec, SrcOf, SupervisionOptions } from './persistence/supervision-options.ts';
export type { RestartType, Strategy } from './persistence/supervision.ts';
export { effectOf, type EffectIdentity } from './persistence/effects.ts';
export { Store, type DeadLetter, type StoreOptions, type StoreWithTreesOptions } from './persistence/store.ts';
export type { CommitReport } from './persistence/batch.ts';
export type { TreeInfo } from './persistence/trees.ts';
export type { HistoryQuery, RecordedCause, TurnRecord } from './persistence/history.ts';
export type { RetentionLimits } from './persistence/versions.ts';
export type { BackupOptions } from './persistence/backup.ts';
export {
  durableAction,
  sendToTree,
  transactional,
  type DurableActionContext,
  type DurableActionOptions,
  type TreeMessage,
} from './persistence/durable-action.ts';
export { onRestart, onRestore, type RestartPolicy, type RestorePolicy } from './persistence/xstate-port.ts';
export type { OutboxRetry } from './persistence/outbox.ts';
export type { Rows } from './persistence/rows.ts';
export type { Clock } from './persistence/clock.ts';
export type { MigrationStep, Migrations, StoredState } from './persistence/migrations.ts';
export { PerdureError, isPerdureError, type PerdureErrorCode } from './errors.ts';
