/** The charts, for whoever runs, draws or tests them alone. */
export { supervisorMachine } from './supervisor.ts';
export { executorMachine } from './executor.ts';
export { actionMachine } from './action.ts';
export { approvalsMachine } from './approvals.ts';
export { backgroundMachine } from './background.ts';
export { budgetMachine } from './budget.ts';
export { componentMachine } from './component.ts';
export { degradationMachine } from './degradation.ts';
export { resourcesMachine } from './resources.ts';
export { profilerMachine } from './profiler.ts';
export { retentionMachine } from './retention.ts';
export { schedulesMachine } from './schedules.ts';
export { tracksMachine } from './tracks.ts';
export { checkpointMachine } from './checkpoint.ts';
export { forecast, type Forecast, type ForecastOptions, type Sample } from './forecast.ts';
export { DEFAULT_RETRY, backOffMs, type RetryPolicy } from './retry.ts';
export type { Outcome, OutcomeKind, ErrorRecord } from './outcome.ts';
