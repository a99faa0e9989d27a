/** What somebody sees first: how well it is, what runs, what fails, and what waits for somebody. `GET /v1/views/overview`. */
import { sumOutcomes } from '../../actors/action-history.ts';
import { countOpenApprovals } from '../../actors/approval-ledger.ts';
import { countBudget } from '../../actors/budget.ts';
import { policyOfText } from '../../actors/earlier-versions.ts';
import { storedHealth } from '../../actors/health.ts';
import type { PlanRow } from '../../actors/plan-tables.ts';
import type { ActionRow } from '../../actors/queue-tables.ts';
import { readSamples } from '../../actors/resource-tables.ts';
import { sampledResources } from '../../actors/sampled-resources.ts';
import type { StoredStanding } from '../../actors/stored-standing.ts';
import { UNREADABLE, readable } from '../../actors/unreadable.ts';
import { burnOf, spentOf } from '../../machines/burn.ts';
import type { BudgetTier } from '../../machines/budget-policy.ts';
import type { ComponentStanding } from '../../machines/degradation.ts';
import type { Health } from '../../machines/health.ts';
import type { OutcomeKind } from '../../machines/outcome.ts';
import type { PressureLevel } from '../../machines/pressure.ts';
import { shownMessage, standingIn, unreadableIn, type Reader, type ViewWorld } from '../sources/view-world.ts';
import { canRetryPlan } from './plan-round.ts';

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
  /**
   * Of the last hour, a minute each, the oldest first: settled actions, and those of them that did not go well, as the error
   * budget counts them: without those that were skipped, denied or cancelled, and a degraded one by the quality that it lost.
   */
  readonly minutes: readonly { readonly at: number; readonly settled: number; readonly failed: number }[];
  /** At most 50 of each. */
  readonly running: readonly ActionNow[];
  readonly retrying: readonly ActionNow[];
  readonly failed: readonly {
    readonly id: string;
    readonly name: string;
    /** The plan that it is a step of, and whether that may be given another round. */
    readonly plan: string | null;
    readonly canRetryPlan: boolean;
    readonly at: number;
    readonly error: string | null;
    readonly attempts: number;
  }[];
  /** Those that are open, the newest 50. Groups and fan-outs are steps, too. */
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
  /** The supervisor's own actors whose rows were damaged: what they would say is missing above. */
  readonly unreadable: readonly string[];
}

const LISTED = 50;
const NEXT = 20;
const NOTICES = 20;
const MINUTE_MS = 60_000;
const MINUTES = 60;

/** All that is counted has an index, or is counted already: what has settled costs nothing. */
export function overview(world: ViewWorld): Overview {
  const { rows, now } = world;
  const standing = standingIn(world);
  const running = actionsNow(world, standing);
  return {
    at: now,
    turn: lastTurn(rows),
    state: standing?.state ?? 'unknown',
    health: healthIn(world, standing),
    isOwned: world.isOwned,
    slots: standing?.executor.limit ?? 0,
    counts: countsIn(rows, running),
    outcomes: sumOutcomes(rows).outcomes,
    minutes: minutesOf(rows, now),
    running: running.filter(({ retryAt }) => retryAt === null).slice(0, LISTED),
    retrying: running
      .filter(({ retryAt }) => retryAt !== null)
      .toSorted((a, b) => (a.retryAt ?? 0) - (b.retryAt ?? 0))
      .slice(0, LISTED),
    failed: failedLately(world),
    plans: openPlans(rows),
    budget: budgetNow(rows, standing, now),
    components: standing?.degradation.components ?? {},
    resources: resourcesNow(rows, standing),
    approvals: countOpenApprovals(rows),
    next: nextDue(rows, running),
    notices: noticesIn(world),
    unreadable: unreadableIn(world),
  };
}

/** The last turn in which a tree changed, or that the history has. */
export function lastTurn(rows: Pick<Reader, 'get'>): number {
  const last = rows.get<{ changed: number | null; told: number | null }>(
    'select (select max(from_turn) from trees) as changed, (select max(turn) from turns) as told',
  );
  return Math.max(last?.changed ?? 0, last?.told ?? 0);
}

function healthIn({ live, rows, now, isOwned }: ViewWorld, standing: StoredStanding | undefined): Health | null {
  if (live !== undefined) return live.health();
  if (!isOwned || standing === undefined) return null;
  return storedHealth(rows, standing, standing.resources?.context.standings ?? {}, now);
}

function countOf(rows: Pick<Reader, 'get'>, from: string): number {
  return rows.get<{ n: number }>(`select count(*) as n from ${from}`)?.n ?? 0;
}

function countsIn(rows: Reader, running: readonly ActionNow[]): Overview['counts'] {
  return {
    waiting: countOf(rows, `actions where state = 'waiting'`),
    delayed: countOf(rows, `actions where state = 'delayed'`),
    held: countOf(rows, `actions where state = 'held'`),
    running: running.length,
    backingOff: running.filter(({ retryAt }) => retryAt !== null).length,
    asking: countOpenApprovals(rows),
    parked: countOf(rows, `actions where state = 'parked'`),
    deadLetters: countOf(rows, `actions where kind = 'failed' and discarded_at is null and pays is null`),
    plansOpen: countOf(rows, `plans where state <> 'settled'`),
  };
}

type RunningRow = Pick<
  ActionRow,
  'id' | 'name' | 'plan' | 'slot' | 'attempts' | 'started_at' | 'retry_at' | 'error' | 'policy'
>;

/** All that holds a slot: of these there are at most as many as may run at once. */
function actionsNow(world: ViewWorld, standing: StoredStanding | undefined): ActionNow[] {
  const { rows } = world;
  const waiting = new Set(standing?.executor.waiting);
  return rows
    .all<RunningRow>(
      `select id, name, plan, slot, attempts, started_at, retry_at, error, policy from actions
       where state = 'running' order by slot`,
    )
    .map((row) => {
      const waits = row.retry_at === null && row.slot !== null && waiting.has(row.slot);
      return {
        id: row.id,
        name: row.name,
        plan: row.plan,
        slot: row.slot,
        attempt: row.attempts,
        startedAt: row.started_at,
        retryAt: row.retry_at,
        error: shownMessage(world, row.error),
        waitsFor: waits ? readable(() => policyOfText(row.policy).component, UNREADABLE) : null,
      };
    });
}

/** The buckets of the error budget are of a minute at most. */
function minutesOf(rows: Reader, now: number): Overview['minutes'] {
  const last = Math.floor(now / MINUTE_MS) * MINUTE_MS;
  const first = last - (MINUTES - 1) * MINUTE_MS;
  const found = rows.all<{ minute: number; good: number; bad: number }>(
    `select bucket / ${MINUTE_MS} as minute, total(good) as good, total(bad) as bad from budget_buckets
     where bucket >= ? and bucket <= ? group by 1`,
    first,
    now,
  );
  const counted = new Map(found.map((one) => [one.minute * MINUTE_MS, one]));
  return Array.from({ length: MINUTES }, (_, i) => {
    const at = first + i * MINUTE_MS;
    const { good = 0, bad = 0 } = counted.get(at) ?? {};
    return { at, settled: Math.round(good + bad), failed: bad };
  });
}

type FailedRow = Pick<ActionRow, 'id' | 'name' | 'plan' | 'settled_at' | 'error' | 'attempts'>;

function failedLately(world: ViewWorld): Overview['failed'] {
  return world.rows
    .all<FailedRow>(
      `select id, name, plan, settled_at, error, attempts from actions where kind = 'failed' order by settled_at desc limit ${LISTED}`,
    )
    .map((row) => ({
      id: row.id,
      name: row.name,
      plan: row.plan,
      canRetryPlan: canRetryPlan(world.rows, row.plan),
      at: row.settled_at ?? 0,
      error: shownMessage(world, row.error),
      attempts: row.attempts,
    }));
}

function openPlans(rows: Reader): Overview['plans'] {
  const plans = rows.all<PlanRow>(`select * from plans where state <> 'settled' order by seq desc limit ${LISTED}`);
  return plans.map((plan) => {
    const { id, name, state, submitted_at: submittedAt } = plan;
    return { id, name, state, submittedAt, ...stepCounts(rows, plan) };
  });
}

/** How many steps there are, have an outcome, and have failed. */
export function stepCounts(
  rows: Pick<Reader, 'get'>,
  { id, unsettled, submitted_at: from, settled_at: to }: PlanRow,
): { steps: number; done: number; failed: number } {
  const count = (from: string, ...cells: (string | number)[]) =>
    rows.get<{ n: number }>(`select count(*) as n from ${from}`, ...cells)?.n ?? 0;
  const steps = count(`steps where plan = ?`, id);
  const open = unsettled ?? count(`steps where plan = ? and state <> 'settled'`, id);
  // What failed meanwhile is less than what the plan holds.
  const failed = count(
    `actions indexed by actions_failed where kind = 'failed' and settled_at between ? and ? and plan = ?`,
    from,
    to ?? Number.MAX_SAFE_INTEGER,
    id,
  );
  return { steps, done: steps - open, failed };
}

function budgetNow(rows: Reader, standing: StoredStanding | undefined, now: number): Overview['budget'] {
  if (standing === undefined) return null;
  const { policy } = standing.budget;
  const counted = countBudget(rows, policy, now);
  return {
    tier: standing.tier,
    remaining: Math.max(0, 1 - spentOf(policy, counted)),
    burn: burnOf(policy, counted),
  };
}

function resourcesNow(rows: Reader, standing: StoredStanding | undefined): Overview['resources'] {
  const last = readSamples(rows, 1).at(-1);
  if (last === undefined) return [];
  return sampledResources(last, standing?.resources).map(({ name, value, limit, level, etaMs }) => ({
    name,
    used: value,
    limit,
    level,
    etaMs,
  }));
}

function nextDue(rows: Reader, running: readonly ActionNow[]): Overview['next'] {
  const delayed = rows.all<{ id: string; name: string; at: number }>(
    `select id, name, not_before as at from actions where state = 'delayed' order by not_before limit ${NEXT}`,
  );
  const schedules = rows.all<{ id: string; at: number }>(
    `select id, next_at as at from schedules where state = 'active' order by next_at, id limit ${NEXT}`,
  );
  return [
    ...running.flatMap(({ id, name, retryAt }) =>
      retryAt === null ? [] : [{ at: retryAt, what: name, id, kind: 'retry' as const }],
    ),
    ...schedules.map(({ id, at }) => ({ at, what: id, id, kind: 'schedule' as const })),
    ...delayed.map(({ id, name, at }) => ({ at, what: name, id, kind: 'delay' as const })),
  ]
    .toSorted((a, b) => a.at - b.at)
    .slice(0, NEXT);
}

function noticesIn({ rows, payloads }: ViewWorld): Overview['notices'] {
  return rows
    .all<Overview['notices'][number]>(`select id, at, kind, detail from incidents order by id desc limit ${NOTICES}`)
    .map((notice) => ({ ...notice, detail: payloads.shownText(notice.detail) }));
}
