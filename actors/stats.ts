/** What a supervisor has done so far, in figures that add up. */
import type { BudgetTier } from '../machines/budget-policy.ts';
import { brierOf, calibrationErrorOf } from '../machines/calibration.ts';
import type { ComponentStanding } from '../machines/degradation.ts';
import type { ExecutorContext } from '../machines/executor.ts';
import type { DegradationLevel } from '../machines/quality.ts';
import type { Thresholds } from '../machines/thresholds.ts';
import type { PlanKind } from '../machines/tracks.ts';
import type { Rows } from '../persistence/rows.ts';
import { sumOutcomes, type Totals, type Tally } from './action-history.ts';
import { countOpenApprovals } from './approval-ledger.ts';
import type { ApprovalState } from './approval-tables.ts';
import { checkpointStats, type CheckpointStats } from './checkpoint-stats.ts';
import { budgetReport, type BudgetReport } from './budget-report.ts';
import type { DebtRow } from './queue-tables.ts';
import { standingOf, type Tree } from './standing.ts';
import type { BackgroundStats } from './thread-pool.ts';

/** How much waits, and where. */
export interface QueueDepth {
  readonly waiting: number;
  /** In a slot, those that back off included. */
  readonly running: number;
  readonly backingOff: number;
  readonly asking: number;
  readonly parked: number;
}

/** The figures of the gate. */
export interface GateStats {
  readonly thresholds: Thresholds;
  /** Actions that could do harm and whose outcomes were compared with their scores. Old ones count less and less. */
  readonly scored: number;
  /** The mean squared difference between score and outcome: 0 at best. Null without outcomes. */
  readonly brier: number | null;
  /** How far scores and outcomes differ on average: 0 at best. Null without outcomes. */
  readonly calibrationError: number | null;
}

/** What a supervisor has done since its store was created, and how it stands. */
export interface Stats {
  /** Wall-clock ms since 1970. */
  readonly at: number;
  /** Of this life of the process, ms. */
  readonly uptimeMs: number;
  /** Settled actions: the sum of `outcomes`. */
  readonly settled: number;
  readonly outcomes: Tally;
  /** Of settled actions; `retries` are those after the first of each. */
  readonly attempts: number;
  readonly retries: number;
  /** Which part of the settled actions went without asking anybody; skipped and cancelled ones count for nothing. Null without any. */
  readonly autonomy: number | null;
  readonly queue: QueueDepth;
  readonly plans: Readonly<Record<PlanKind | 'open', number>>;
  readonly approvals: Readonly<Record<ApprovalState, number>>;
  readonly components: Readonly<Record<string, ComponentStanding>>;
  /** How much the whole can still do. */
  readonly level: DegradationLevel;
  readonly quality: number;
  readonly tier: BudgetTier;
  readonly budget: BudgetReport;
  readonly gate: GateStats;
  readonly debts: Readonly<Record<DebtRow['state'], number>>;
  readonly checkpoints: CheckpointStats;
  /** The threads of this life; all 0 when no action runs in any. */
  readonly background: BackgroundStats;
}

type Reader = Pick<Rows, 'get' | 'all'>;

export const NO_THREADS: BackgroundStats = { size: 0, busy: 0, queued: 0, completed: 0, deaths: 0, utilisation: 0 };

export function statsOf(durable: Tree, began: number, background: BackgroundStats): Stats {
  const { rows, clock } = durable.store;
  const at = clock.now();
  const { executor, degradation, budget, tier } = standingOf(durable);
  const totals = sumOutcomes(rows);
  const { outcomes, attempts, retries } = totals;
  return {
    at,
    uptimeMs: Math.max(0, at - began),
    settled: Object.values(outcomes).reduce((sum, n) => sum + n, 0),
    outcomes,
    attempts,
    retries,
    autonomy: autonomyOf(totals),
    queue: queueDepth(rows),
    plans: { open: 0, ok: 0, failed: 0, cancelled: 0, ...grouped(rows, 'plans', `coalesce(kind, 'open')`) },
    approvals: { ...NO_APPROVALS, ...grouped(rows, 'approvals', 'state') },
    components: degradation.components,
    level: degradation.level,
    quality: degradation.quality,
    tier,
    budget: budgetReport(rows, budget.policy, at),
    gate: gateStats(executor),
    debts: { owed: 0, paying: 0, paid: 0, unpayable: 0, ...grouped(rows, 'debts', 'state') },
    checkpoints: checkpointStats(durable),
    background,
  };
}

const NO_APPROVALS = { open: 0, approved: 0, denied: 0, expired: 0, withdrawn: 0 } satisfies Stats['approvals'];

/** Which part of what was expected of the system needed nobody; null when nothing was. */
function autonomyOf({ outcomes, asked }: Totals): number | null {
  const { ok, recovered, degraded, failed, denied } = outcomes;
  const valid = ok + recovered + degraded + failed + denied;
  return valid === 0 ? null : (valid - asked) / valid;
}

export function gateStats({ thresholds, outcomes }: ExecutorContext): GateStats {
  return {
    thresholds,
    scored: outcomes.reduce((sum, { n }) => sum + n, 0),
    brier: brierOf(outcomes),
    calibrationError: calibrationErrorOf(outcomes),
  };
}

/** Each count has an index of its own: settled actions cost nothing. */
function queueDepth(rows: Reader): QueueDepth {
  const count = (where: string) => rows.get<{ n: number }>(`select count(*) as n from actions where ${where}`)?.n ?? 0;
  return {
    waiting: count(`state = 'waiting'`),
    running: count(`state = 'running'`),
    backingOff: count(`state = 'running' and retry_at is not null`),
    asking: countOpenApprovals(rows),
    parked: count(`state = 'parked'`),
  };
}

function grouped(rows: Reader, table: string, by: string): Record<string, number> {
  const groups = rows.all<{ key: string; n: number }>(`select ${by} as key, count(*) as n from ${table} group by 1`);
  return Object.fromEntries(groups.map(({ key, n }) => [key, n]));
}
