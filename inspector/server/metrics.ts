/** What `/metrics` tells of a supervisor: figures that it has anyway, in seconds and bytes, and no text of anybody's work but names. */
import { statSync } from 'node:fs';
import type { Stats } from '../../actors/stats.ts';
import type { ResourceReport } from '../../actors/resources.ts';
import type { OperationReport } from '../../machines/profile-report.ts';
import type { CommitReport } from '../../persistence/batch.ts';
import type { Store } from '../../persistence/store.ts';
import type { AnySupervisor } from './target.ts';
import { prometheusText, type Labels, type Metric, type Sample } from './prometheus.ts';

/** Names of operations that are told; the others are in the profiler's report. */
const MOST_OPERATIONS = 200;

/** Counts the commits of a store from now on: a few additions each. */
export class CommitCounter {
  count = 0;
  rows = 0;
  bytes = 0;
  ms = 0;
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
    store.commits.reports.add(this.#add);
  }

  close(): void {
    this.#store.commits.reports.delete(this.#add);
  }

  readonly #add = ({ rows, bytes, ms }: CommitReport): void => {
    this.count += 1;
    this.rows += rows;
    this.bytes += bytes;
    this.ms += ms;
  };
}

/** The figures of a supervisor as Prometheus' text. Throws STORE_CLOSED and what the store failed of. */
export async function metricsText(supervisor: AnySupervisor, commits: CommitCounter, viewers: number): Promise<string> {
  const stats = supervisor.stats();
  const resources = await resourcesOf(supervisor);
  return prometheusText([
    ...workMetrics(stats),
    ...planMetrics(stats),
    ...budgetMetrics(stats),
    ...componentMetrics(stats),
    ...storeMetrics(supervisor.durable.store.path, commits),
    ...lifeMetrics(supervisor, stats),
    ...resourceMetrics(resources),
    ...timeMetrics(operationsOf(supervisor)),
    ...viewerMetrics(viewers),
  ]);
}

/** Where there is no supervisor. */
export function viewerMetrics(viewers: number): Metric[] {
  return [gauge('perdure_inspector_viewers', 'Connections to the inspector.', viewers)];
}

/** Where nothing is watched there are no figures. */
async function resourcesOf(supervisor: AnySupervisor): Promise<ResourceReport | undefined> {
  try {
    return await supervisor.resources.now();
  } catch {
    return undefined;
  }
}

/** Where nothing is measured there are no figures. */
function operationsOf(supervisor: AnySupervisor): readonly OperationReport[] {
  try {
    return supervisor.profiler.report().operations.slice(0, MOST_OPERATIONS);
  } catch {
    return [];
  }
}

function workMetrics({ outcomes, attempts, retries, queue, approvals, debts, autonomy }: Stats): Metric[] {
  return [
    { ...counter('perdure_actions_total', 'Settled actions by outcome.'), samples: by('outcome', outcomes) },
    counter('perdure_action_attempts_total', 'Attempts of settled actions.', attempts),
    counter('perdure_action_retries_total', 'Attempts of settled actions after the first of each.', retries),
    {
      ...gauge('perdure_queue_depth', 'Actions that are not settled, by state; those that back off are also running.'),
      samples: by('state', { ...queue }),
    },
    { ...gauge('perdure_approvals', 'Approvals by state.'), samples: by('state', approvals) },
    {
      ...gauge('perdure_debts', 'Work that is owed since a fallback stood in, by state.'),
      samples: by('state', debts),
    },
    gauge('perdure_autonomy_ratio', 'The part of settled actions that went without asking anybody.', autonomy),
  ];
}

function planMetrics({ plans: { open, ...settled } }: Stats): Metric[] {
  return [
    gauge('perdure_plans_open', 'Plans that are not settled.', open),
    { ...counter('perdure_plans_total', 'Settled plans by outcome.'), samples: by('outcome', settled) },
  ];
}

function budgetMetrics({ budget, tier }: Stats): Metric[] {
  return [
    gauge('perdure_budget_remaining_ratio', 'The part of the error budget that is left.', budget.remaining),
    gauge('perdure_budget_burn_rate', 'How fast the error budget burns; 1 uses it up in its period.', budget.burn),
    stateSet('perdure_budget_tier', 'The tier of the error budget.', 'tier', tier),
  ];
}

function componentMetrics({ components, level, quality, background }: Stats): Metric[] {
  return [
    {
      ...gauge('perdure_component_status', 'The breaker of each component: 1 for the status that it has.'),
      samples: Object.entries(components).map(([component, { status }]) => ({
        value: 1,
        labels: { component, status },
      })),
    },
    stateSet('perdure_degradation_level', 'How much the whole can still do.', 'level', level),
    gauge('perdure_quality_ratio', 'The quality of what the whole can do.', quality),
    gauge('perdure_pool_size', 'Threads that there may be.', background.size),
    gauge('perdure_pool_busy', 'Calls that have a thread.', background.busy),
    gauge('perdure_pool_queued', 'Calls that wait for a thread.', background.queued),
    counter('perdure_pool_completed_total', 'Calls that threads returned from, in this life.', background.completed),
    counter('perdure_pool_deaths_total', 'Threads that ended by themselves, in this life.', background.deaths),
  ];
}

function storeMetrics(path: string, { count, rows, bytes, ms }: CommitCounter): Metric[] {
  return [
    counter('perdure_commits_total', 'Commits since the inspector began.', count),
    counter('perdure_commit_rows_total', 'Rows that were written by commits since the inspector began.', rows),
    counter('perdure_commit_bytes_total', 'Bytes that were written by commits since the inspector began.', bytes),
    counter('perdure_commit_seconds_total', 'Time that commits took since the inspector began.', ms / 1_000),
    gauge('perdure_database_bytes', 'The size of the file of the store.', sizeOf(path)),
    gauge('perdure_wal_bytes', 'The size of the write-ahead log.', sizeOf(`${path}-wal`) ?? 0),
  ];
}

function lifeMetrics({ durable, resumed }: AnySupervisor, { uptimeMs, checkpoints }: Stats): Metric[] {
  return [
    gauge('perdure_uptime_seconds', 'How long this life lasts.', uptimeMs / 1_000),
    counter('perdure_restarts_total', 'Crashes that were seen when the supervisor came back.', checkpoints.crashes),
    gauge(
      'perdure_recovery_seconds',
      'How long it took to come back, in this life.',
      resumed === undefined ? null : resumed.ms / 1_000,
    ),
    counter('perdure_turns_total', 'Turns of the store.', durable.store.commits.turn),
    gauge('perdure_checkpoints', 'Checkpoints that are kept.', checkpoints.kept),
  ];
}

function resourceMetrics(report: ResourceReport | undefined): Metric[] {
  if (report === undefined) return [];
  const { resources, admission } = report;
  const { loopDelay, loopUtilization, memory, heap, disk, cpu, handles } = resources;
  const bytes = { memory, heap, disk };
  const of = (key: 'value' | 'limit') =>
    Object.entries(bytes).flatMap(([resource, found]) =>
      found === undefined ? [] : [{ value: found[key], labels: { resource } }],
    );
  const delay = loopDelay === undefined ? null : loopDelay.value / 1_000;
  return [
    { ...gauge('perdure_resource_used_bytes', 'What is used of what is counted in bytes.'), samples: of('value') },
    {
      ...gauge('perdure_resource_limit_bytes', 'The most that there is of what is counted in bytes.'),
      samples: of('limit'),
    },
    gauge('perdure_event_loop_delay_seconds', 'How late the event loop is.', delay),
    gauge(
      'perdure_event_loop_utilization_ratio',
      'The part of its time that the event loop is busy.',
      loopUtilization?.value,
    ),
    gauge('perdure_cpu_used', 'Processors that the process keeps busy.', cpu?.value),
    gauge('perdure_handles', 'Open files, sockets and the like.', handles?.value),
    stateSet('perdure_admission', 'Whether less runs than may, for want of resources.', 'admission', admission),
  ];
}

const PHASES = {
  attempt: 'perdure_action_duration_seconds',
  queued: 'perdure_queue_latency_seconds',
} as const;

/** An attempt is `mail: attempt`, what it waited before is `mail: queued`; the rest are operations. */
function timeMetrics(operations: readonly OperationReport[]): Metric[] {
  const phaseOf = (name: string) => /^(.*): (attempt|queued)$/s.exec(name) ?? [];
  const of = (phase: keyof typeof PHASES) =>
    operations.flatMap((operation) => {
      const [, action = '', found] = phaseOf(operation.name);
      return found === phase ? quantiles(operation, { action }) : [];
    });
  const others = operations.filter(({ name }) => phaseOf(name).length === 0);
  return [
    { ...summary(PHASES.attempt, 'How long attempts took, by action.'), samples: of('attempt') },
    { ...summary(PHASES.queued, 'How long actions waited for their turn, by action.'), samples: of('queued') },
    {
      ...summary('perdure_operation_duration_seconds', 'How long what the profiler measured took.'),
      samples: others.flatMap((operation) => quantiles(operation, { operation: operation.name, kind: operation.kind })),
    },
  ];
}

function quantiles({ p50Ms, p95Ms, p99Ms, totalMs, count }: OperationReport, labels: Labels): Sample[] {
  const at = (quantile: string, ms: number) => ({ value: ms / 1_000, labels: { ...labels, quantile } });
  return [
    at('0.5', p50Ms),
    at('0.95', p95Ms),
    at('0.99', p99Ms),
    { value: totalMs / 1_000, labels, suffix: '_sum' },
    { value: Math.round(count), labels, suffix: '_count' },
  ];
}

function counter(name: string, help: string, value?: number): Metric {
  return { name, help, type: 'counter', samples: value === undefined ? [] : [{ value }] };
}

function gauge(name: string, help: string, value?: number | null): Metric {
  return { name, help, type: 'gauge', samples: value === undefined || value === null ? [] : [{ value }] };
}

function summary(name: string, help: string): Metric {
  return { name, help, type: 'summary', samples: [] };
}

/** One of a few words: 1 for the word that holds. */
function stateSet(name: string, help: string, label: string, word: string): Metric {
  return { ...gauge(name, help), samples: [{ value: 1, labels: { [label]: word } }] };
}

function by(label: string, figures: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(figures).map(([word, value]) => ({ value, labels: { [label]: word } }));
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
