/** How far a plan has come: a tree of its groups, fan-outs and steps, from its rows as they are. Looking changes nothing. */
import { endings } from '../machines/graph.ts';
import { isSuccess, type OutcomeKind } from '../machines/outcome.ts';
import type { Rows } from '../persistence/rows.ts';
import { afterOf, type PlanRow, type StepRow } from './plan-tables.ts';

/** How many steps of a part of a plan there are in each state; an expanded fan-out counts as its items. */
export interface StepCounts {
  readonly waiting: number;
  readonly running: number;
  readonly succeeded: number;
  /** Failed, skipped, denied and cancelled. */
  readonly unsuccessful: number;
}

/** A plan, a group, a fan-out or a step, and how far it has come. */
export interface PlanProgress {
  /** The path in the plan; for the plan itself, its id. */
  readonly id: string;
  /** `running` from the first step that was queued; then how it ended. */
  readonly state: 'waiting' | 'running' | OutcomeKind;
  /** The part of its work, by its estimates, that has an outcome: from 0 to 1. */
  readonly done: number;
  readonly steps: StepCounts;
  /** How long until its end, by its estimates and the slots that there are, ms; 0 once it has ended. */
  readonly etaMs: number;
  /** The parts of a plan or a group, in the plan's order. The items of a fan-out are only counted. */
  readonly children: readonly PlanProgress[];
}

type Row = Pick<StepRow, 'step' | 'after' | 'state' | 'kind' | 'estimate_ms' | 'role' | 'fan' | 'items'> & {
  readonly started_at: number | null;
};

type Reader = Pick<Rows, 'get' | 'all'>;

interface Part {
  readonly row: Row | undefined;
  readonly counts: { -readonly [K in keyof StepCounts]: number };
  readonly children: string[];
  work: number;
  settledWork: number;
  etaMs: number;
  hasBegun: boolean;
}

/** The plan as it stands; undefined if there is none of this id. `slots`: how many actions run at once. */
export function planProgress(rows: Reader, id: string, slots: number, now: number): PlanProgress | undefined {
  const plan = rows.get<PlanRow>('select * from plans where id = ?', id);
  if (plan === undefined) return undefined;
  const steps = rows.all<Row>(
    `select steps.*, actions.started_at as started_at
     from steps left join actions on actions.id = steps.action where steps.plan = ? order by steps.rowid`,
    id,
  );
  const ends = endsOf(steps, Math.max(1, Math.min(slots, plan.concurrency ?? Infinity)), now);
  const parts = partsOf(steps);
  for (const row of steps) if (countsItself(row)) count(parts, row, ends.get(row.step) ?? 0);
  return shownPart(parts, '', { id, kind: plan.kind });
}

/** A group is its steps, and an expanded fan-out its items. */
function countsItself({ role, items }: Row): boolean {
  return role !== 'group' && (items ?? null) === null;
}

function partsOf(steps: readonly Row[]): Map<string, Part> {
  const parts = new Map<string, Part>();
  const put = (step: string, row: Row | undefined) =>
    parts.set(step, {
      row,
      counts: { waiting: 0, running: 0, succeeded: 0, unsuccessful: 0 },
      children: [],
      work: 0,
      settledWork: 0,
      etaMs: 0,
      hasBegun: false,
    });
  put('', undefined);
  for (const row of steps) put(row.step, row);
  for (const { step, fan } of steps) if ((fan ?? null) === null) parts.get(parentOf(step))?.children.push(step);
  return parts;
}

function parentOf(step: string): string {
  return step.slice(0, Math.max(0, step.lastIndexOf('/')));
}

/** Adds a step to itself, or to its fan-out, and to every group around it. */
function count(parts: Map<string, Part>, row: Row, end: number): void {
  const state = stateOf(row);
  for (let at = row.fan ?? row.step; ; at = parentOf(at)) {
    const part = parts.get(at);
    if (part !== undefined) {
      part.counts[state] += 1;
      part.work += row.estimate_ms;
      if (row.state === 'settled') part.settledWork += row.estimate_ms;
      else part.etaMs = Math.max(part.etaMs, end);
      part.hasBegun ||= row.state === 'dispatched' || (row.state === 'settled' && row.started_at !== null);
    }
    if (at === '') return;
  }
}

function stateOf({ state, kind }: Row): keyof StepCounts {
  if (state === 'settled') return isSuccess(kind as OutcomeKind) ? 'succeeded' : 'unsuccessful';
  return state === 'dispatched' ? 'running' : 'waiting';
}

function shownPart(
  parts: ReadonlyMap<string, Part>,
  at: string,
  { id, kind }: { readonly id: string; readonly kind: OutcomeKind | null },
): PlanProgress {
  const { counts, children, work, settledWork, etaMs, hasBegun } = parts.get(at) as Part;
  const all = counts.waiting + counts.running + counts.succeeded + counts.unsuccessful;
  const settled = counts.succeeded + counts.unsuccessful;
  // Without estimates every step weighs the same; a fan-out without items has nothing left to do.
  const done = work > 0 ? settledWork / work : all > 0 ? settled / all : kind === null ? 0 : 1;
  return {
    id,
    state: kind ?? (hasBegun ? 'running' : 'waiting'),
    done: all > 0 && settled === all ? 1 : done,
    steps: counts,
    etaMs,
    children: children.map((child) =>
      shownPart(parts, child, { id: child, kind: parts.get(child)?.row?.kind ?? null }),
    ),
  };
}

/** When each step that has no outcome ends, ms from now: the plan as it goes on, by estimates. */
function endsOf(steps: readonly Row[], slots: number, now: number): Map<string, number> {
  const open = steps.filter(({ state }) => state !== 'settled');
  const ids = new Set(open.map(({ step }) => step));
  const items = new Map<string, string[]>();
  for (const { step, fan } of open) {
    if ((fan ?? null) === null) continue;
    const others = items.get(fan as string);
    if (others === undefined) items.set(fan as string, [step]);
    else others.push(step);
  }
  const nodes = open.map((row) => ({
    id: row.step,
    after: [...(afterOf(row) ?? []), ...(items.get(row.step) ?? [])].filter((one) => ids.has(one)),
    estimateMs: remaining(row, now),
  }));
  return endings(nodes, slots);
}

function remaining(row: Row, now: number): number {
  if (!countsItself(row)) return 0;
  const gone = row.state === 'dispatched' && row.started_at !== null ? Math.max(0, now - row.started_at) : 0;
  return Math.max(0, row.estimate_ms - gone);
}
