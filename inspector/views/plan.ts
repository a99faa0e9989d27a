/** A run of a plan as a graph: `GET /v1/views/plan?id=`; the runs that there are: `GET /v1/views/plans`. */
import { readPlan } from '../../actors/ledger.ts';
import { planProgress } from '../../actors/plan-progress.ts';
import { afterOf, type PlanRow, type StepRow } from '../../actors/plan-tables.ts';
import type { ActionRow } from '../../actors/queue-tables.ts';
import { criticalPath, type GraphNode } from '../../machines/graph.ts';
import type { OutcomeKind } from '../../machines/outcome.ts';
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
  readonly denied: number;
  /** Skipped or cancelled. */
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
  /** What its steps took from their beginning to their end, back-offs included; of those to come, what they are thought to take. */
  readonly criticalMs: number;
  /** How much was done at once, up to now, without the time in which only persons were waited for. Null where nothing was. */
  readonly speedUp: number | null;
  /** Steps that wait for a person: how long that takes nobody knows. */
  readonly asking: number;
  /** ms; null when it has settled, while it waits for a person, and while nobody runs it. */
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
  return { id, name, state, kind, submittedAt, settledAt, ...stepCounts(rows, plan), ...notRunOf(rows, id) };
}

function notRunOf(rows: ViewWorld['rows'], id: string): Pick<PlanInfo, 'denied' | 'skipped'> {
  const found = rows.get<{ denied: number; skipped: number }>(
    `select count(*) filter (where kind = 'denied') as denied, count(*) filter (where kind <> 'denied') as skipped
     from steps where plan = ? and state = 'settled' and kind in ('skipped', 'cancelled', 'denied')`,
    id,
  );
  return found ?? { denied: 0, skipped: 0 };
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
  const nodes = nodesOf(steps, now);
  const path = criticalPath(nodes);
  const critical = new Set(path);
  const took = new Map(nodes.map((node) => [node.id, node.estimateMs]));
  const slots = standingIn(world)?.executor.limit ?? plan.slots ?? 1;
  const info = infoOf(rows, plan);
  const asking = steps.filter((step) => stateOf(step) === 'asking').length;
  const isForeseen = plan.state !== 'settled' && asking === 0 && world.isOwned;
  return {
    ...info,
    steps: steps.length,
    policy: plan.policy,
    graph: steps.slice(0, MOST_STEPS).map((step) => stepOf(world, step, critical.has(step.step))),
    moreSteps: Math.max(0, steps.length - MOST_STEPS),
    criticalPath: path,
    criticalMs: path.reduce((sum, step) => sum + (took.get(step) ?? 0), 0),
    speedUp: speedUpOf(steps, asksOf(rows, id)),
    asking,
    etaMs: isForeseen ? (planProgress(rows, id, slots, now)?.etaMs ?? null) : null,
  };
}

/** By what each took, or is thought to take; a fan-out lasts until its items have ended. */
function nodesOf(steps: readonly Step[], now: number): GraphNode[] {
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
    estimateMs: tookMs(step, now),
  }));
}

function tookMs({ role, items, kind, estimate_ms, started_at, settled_at }: Step, now: number): number {
  if (role === 'group' || items !== null) return 0;
  const heldMs = started_at === null ? 0 : Math.max(0, (settled_at ?? now) - started_at);
  return kind === null ? Math.max(estimate_ms, heldMs) : heldMs;
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

interface Ask {
  readonly action: string;
  readonly asked_at: number;
  readonly decided_at: number | null;
}

function asksOf(rows: ViewWorld['rows'], plan: string): Ask[] {
  return rows.all<Ask>(
    `select action, asked_at, decided_at from approvals
     where action in (select action from steps where plan = ?)`,
    plan,
  );
}

/** Work over the time from the first beginning to the last end, of which what only persons took is left out. */
function speedUpOf(steps: readonly Step[], asks: readonly Ask[]): number | null {
  const spans = new Map<string, { from: number; to: number; workMs: number }>();
  for (const { action, started_at: from, settled_at: to, work_ms: workMs } of steps) {
    if (from !== null && to !== null) spans.set(action, { from, to: Math.max(from, to), workMs: workMs ?? 0 });
  }
  const beganAt = Math.min(...[...spans.values()].map(({ from }) => from));
  const endedAt = Math.max(...[...spans.values()].map(({ to }) => to));
  const within = (at: number) => Math.min(endedAt, Math.max(beganAt, at));
  /** From when on how many more are busy, and how many more are asked about. */
  const moments = [...spans.values()].flatMap(({ from, to }) => [
    { at: from, busy: 1, asked: 0 },
    { at: to, busy: -1, asked: 0 },
  ]);
  for (const { action, asked_at, decided_at } of asks) {
    const [from, to] = [within(asked_at), within(decided_at ?? endedAt)];
    const own = spans.get(action);
    moments.push({ at: from, busy: 0, asked: 1 }, { at: to, busy: 0, asked: -1 });
    // An action that had begun does nothing while it asks.
    if (own === undefined || to <= own.from || from >= own.to) continue;
    moments.push({ at: Math.max(own.from, from), busy: -1, asked: 0 }, { at: Math.min(own.to, to), busy: 1, asked: 0 });
  }
  let [busy, asked, mostBusy, elapsedMs, last] = [0, 0, 0, 0, beganAt];
  for (const moment of moments.toSorted((a, b) => a.at - b.at)) {
    if (moment.at > last) mostBusy = Math.max(mostBusy, busy);
    if (busy > 0 || asked === 0) elapsedMs += moment.at - last;
    [busy, asked, last] = [busy + moment.busy, asked + moment.asked, moment.at];
  }
  const workMs = [...spans.values()].reduce((sum, span) => sum + span.workMs, 0);
  return mostBusy < 2 || elapsedMs === 0 || workMs === 0 ? null : workMs / elapsedMs;
}
