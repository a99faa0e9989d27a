/** A run of a plan as a graph: `GET /v1/views/plan?id=`; the runs that there are: `GET /v1/views/plans`. */
import { measuredSteps, readPlan } from '../../actors/ledger.ts';
import { planProgress } from '../../actors/plan-progress.ts';
import { afterOf, type PlanRow, type StepRow } from '../../actors/plan-tables.ts';
import type { ActionRow } from '../../actors/queue-tables.ts';
import { criticalPath, type GraphNode } from '../../machines/graph.ts';
import type { OutcomeKind } from '../../machines/outcome.ts';
import { summaryOf } from '../../machines/summary.ts';
import { shownMessage, standingIn, type ViewWorld } from '../sources/view-world.ts';
import { stepCounts } from './overview.ts';

export interface PlanInfo {
  readonly id: string;
  readonly name: string;
  readonly state: 'running' | 'stopping' | 'settled';
  readonly kind: string | null;
  readonly submittedAt: number;
  readonly settledAt: number | null;
  readonly steps: number;
  /** How many have an outcome; those that failed, and those that were not run, are among them. */
  readonly done: number;
  readonly failed: number;
  /** Skipped, cancelled or denied. */
  readonly skipped: number;
}

export interface PlanStep {
  /** The id of the step in the plan: its path. */
  readonly id: string;
  readonly action: string | null;
  readonly name: string;
  /** The group or fan-out that it lies in. */
  readonly parent: string | null;
  readonly role: 'step' | 'group' | 'fan-out';
  readonly after: readonly string[];
  readonly state: 'waiting' | 'ready' | 'queued' | 'running' | 'retrying' | 'asking' | 'settled';
  readonly kind: OutcomeKind | null;
  readonly reason: string | null;
  readonly attempts: number;
  readonly estimateMs: number;
  readonly startedAt: number | null;
  readonly settledAt: number | null;
  readonly workMs: number | null;
  readonly error: string | null;
  /** On the longest way through the plan, by what steps took, or by their estimates. */
  readonly isCritical: boolean;
  /** What it comes after cannot be read: its row was damaged. */
  readonly isUnreadable?: true;
}

export interface PlanGraph extends PlanInfo {
  readonly policy: string;
  /** In the plan's order; at most 5,000. */
  readonly graph: readonly PlanStep[];
  /** How many steps it has beside these. */
  readonly moreSteps: number;
  readonly criticalPath: readonly string[];
  readonly criticalMs: number;
  /** How much was done at once, up to now. Null before anything has ended. */
  readonly speedUp: number | null;
  /** ms; null when it has settled. */
  readonly etaMs: number | null;
}

export interface Plans {
  /** The newest first. */
  readonly plans: readonly PlanInfo[];
  /** Where to go on, as `after`; null when there are no more. */
  readonly next: number | null;
}

const MOST_STEPS = 5_000;
const PAGE = 100;

/** The runs that there are, a page at a time. */
export function plans({ rows }: ViewWorld, after: number = Number.MAX_SAFE_INTEGER, name?: string): Plans {
  type Row = PlanRow & { readonly seq: number };
  const found =
    name === undefined
      ? rows.all<Row>('select * from plans where seq < ? order by seq desc limit ?', after, PAGE + 1)
      : rows.all<Row>(
          'select * from plans where name = ? and seq < ? order by seq desc limit ?',
          name,
          after,
          PAGE + 1,
        );
  const page = found.slice(0, PAGE);
  return {
    plans: page.map((plan) => infoOf(rows, plan)),
    next: found.length > PAGE ? (page.at(-1)?.seq ?? null) : null,
  };
}

function infoOf(rows: ViewWorld['rows'], plan: PlanRow): PlanInfo {
  const { id, name, state, kind, submitted_at: submittedAt, settled_at: settledAt } = plan;
  const skipped = skippedOf(rows, plan);
  return { id, name, state, kind, submittedAt, settledAt, ...stepCounts(rows, plan), skipped };
}

function skippedOf(rows: ViewWorld['rows'], { id }: PlanRow): number {
  const found = rows.get<{ n: number }>(
    `select count(*) as n from steps where plan = ? and state = 'settled' and kind in ('skipped', 'cancelled', 'denied')`,
    id,
  );
  return found?.n ?? 0;
}

type Step = StepRow & {
  readonly action_state: ActionRow['state'] | null;
  readonly attempts: number | null;
  readonly retry_at: number | null;
  readonly started_at: number | null;
  readonly settled_at: number | null;
  readonly work_ms: number | null;
  readonly error: string | null;
};

/** A run as a graph; undefined when there is none of this id. */
export function planGraph(world: ViewWorld, id: string): PlanGraph | undefined {
  const { rows, now } = world;
  const plan = readPlan(rows, id);
  if (plan === undefined) return undefined;
  const steps = rows.all<Step>(
    `select steps.*, a.state as action_state, a.attempts, a.retry_at, a.started_at, a.settled_at, a.work_ms, a.error
     from steps left join actions a on a.id = steps.action where steps.plan = ? order by steps.rowid`,
    id,
  );
  const nodes = nodesOf(steps);
  const path = criticalPath(nodes);
  const critical = new Set(path);
  const took = new Map(nodes.map((node) => [node.id, node.estimateMs]));
  const slots = standingIn(world)?.executor.limit ?? plan.slots ?? 1;
  const info = infoOf(rows, plan);
  const byAction = new Map(steps.map((step) => [step.action, step]));
  return {
    ...info,
    steps: steps.length,
    policy: plan.policy,
    graph: steps.slice(0, MOST_STEPS).map((step) => stepOf(world, step, critical.has(step.step))),
    moreSteps: Math.max(0, steps.length - MOST_STEPS),
    criticalPath: path,
    criticalMs: path.reduce((sum, step) => sum + (took.get(step) ?? 0), 0),
    speedUp: info.done === 0 ? null : speedUpOf(world, plan, byAction),
    etaMs: plan.state === 'settled' ? null : (planProgress(rows, id, slots, now)?.etaMs ?? null),
  };
}

/** By what each took, or is thought to take; a fan-out lasts until its items have ended. */
function nodesOf(steps: readonly Step[]): GraphNode[] {
  const ids = new Set(steps.map(({ step }) => step));
  const items = new Map<string, string[]>();
  for (const { fan, step } of steps) {
    if (fan === null) continue;
    const others = items.get(fan);
    if (others === undefined) items.set(fan, [step]);
    else others.push(step);
  }
  return steps.map((step) => ({
    id: step.step,
    after: [...(afterOf(step) ?? []), ...(items.get(step.step) ?? [])].filter((one) => ids.has(one)),
    estimateMs: tookMs(step),
  }));
}

function tookMs({ role, items, kind, work_ms, estimate_ms }: Step): number {
  if (role === 'group' || items !== null) return 0;
  return kind === null ? Math.max(estimate_ms, work_ms ?? 0) : (work_ms ?? 0);
}

function stepOf(world: ViewWorld, step: Step, isCritical: boolean): PlanStep {
  const after = afterOf(step);
  return {
    id: step.step,
    action: step.action_state === null ? null : step.action,
    name: step.name,
    parent: step.fan ?? parentOf(step.step),
    role: step.role === 'each' ? 'fan-out' : (step.role ?? 'step'),
    after: after ?? [],
    ...(after === undefined ? { isUnreadable: true } : {}),
    state: stateOf(step),
    kind: step.kind,
    reason: step.reason,
    attempts: step.attempts ?? 0,
    estimateMs: step.estimate_ms,
    startedAt: step.started_at,
    settledAt: step.settled_at,
    workMs: step.work_ms,
    error: shownMessage(world, step.error),
    isCritical,
  };
}

function parentOf(step: string): string | null {
  const end = step.lastIndexOf('/');
  return end < 0 ? null : step.slice(0, end);
}

function stateOf({ state, action_state: action, retry_at }: Step): PlanStep['state'] {
  if (state !== 'dispatched') return state;
  if (action === 'running') return retry_at === null ? 'running' : 'retrying';
  return action === 'asking' ? 'asking' : 'queued';
}

function speedUpOf({ rows }: ViewWorld, plan: PlanRow, byAction: ReadonlyMap<string, Step>): number {
  const rowOf = (action: string) => {
    const step = byAction.get(action);
    if (step?.action_state == null) return undefined;
    const { started_at, settled_at, work_ms, attempts } = step;
    return { started_at, settled_at, work_ms: work_ms ?? 0, attempts: attempts ?? 0 };
  };
  return summaryOf(measuredSteps(rows, plan.id, rowOf), plan.slots ?? 0).speedUp;
}
