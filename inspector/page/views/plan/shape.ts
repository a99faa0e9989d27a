/**
 * What of a plan is drawn: its steps, its groups as boxes, and its fan-outs as stacks of cards, each of which somebody may open or
 * close. What is in a closed one is drawn as that one, and so are the ways to and from it.
 */
import type { PlanStep } from '../../../views/plan.ts';
import { reduced } from './reduce.ts';

/** How many of the steps of a closed box are in which state. */
export interface Tally {
  readonly total: number;
  readonly waiting: number;
  readonly running: number;
  readonly retrying: number;
  readonly asking: number;
  readonly ok: number;
  readonly degraded: number;
  readonly failed: number;
  readonly denied: number;
  readonly skipped: number;
}

export interface ShapeNode {
  readonly step: PlanStep;
  readonly id: string;
  /** The open box that it is drawn in; null at the top. */
  readonly parent: string | null;
  /** `box` is open and has nodes in it, `stack` is a closed fan-out, `closed` a closed group. */
  readonly kind: 'step' | 'box' | 'stack' | 'closed';
  /** Of all steps inside; of a step, of itself. */
  readonly tally: Tally;
  readonly isCritical: boolean;
}

export interface ShapeEdge {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly isCritical: boolean;
}

export interface Shape {
  /** Parents before their children. */
  readonly nodes: readonly ShapeNode[];
  readonly edges: readonly ShapeEdge[];
}

type Counted = Exclude<keyof Tally, 'total'>;

/** What a step counts as. */
export function standingOf({ state, kind }: Pick<PlanStep, 'state' | 'kind'>): Counted {
  if (state === 'running' || state === 'retrying' || state === 'asking') return state;
  if (state !== 'settled') return 'waiting';
  if (kind === 'failed' || kind === 'denied') return kind;
  if (kind === 'skipped' || kind === 'cancelled') return 'skipped';
  return kind === 'degraded' ? 'degraded' : 'ok';
}

const nothing: Tally = {
  total: 0,
  waiting: 0,
  running: 0,
  retrying: 0,
  asking: 0,
  ok: 0,
  degraded: 0,
  failed: 0,
  denied: 0,
  skipped: 0,
};

export function tallyOf(steps: readonly Pick<PlanStep, 'state' | 'kind'>[]): Tally {
  const tally: Record<keyof Tally, number> = { ...nothing, total: steps.length };
  for (const step of steps) tally[standingOf(step)]++;
  return tally;
}

/** What somebody opened and closed, over what is so without them. */
export type Opened = ReadonlyMap<string, boolean>;

/** From how many steps on the groups of a plan are closed at first. */
const CLOSED_FROM = 120;

/** What is open at first: the groups of a small plan. A fan-out is a stack until somebody opens it. */
export function isOpen(step: PlanStep, all: number, opened: Opened): boolean {
  return opened.get(step.id) ?? (step.role === 'group' && all < CLOSED_FROM);
}

function childrenOf(steps: readonly PlanStep[]): Map<string | null, PlanStep[]> {
  const known = new Set(steps.map(({ id }) => id));
  const children = new Map<string | null, PlanStep[]>();
  for (const step of steps) {
    const parent = step.parent !== null && known.has(step.parent) ? step.parent : null;
    const list = children.get(parent);
    if (list === undefined) children.set(parent, [step]);
    else list.push(step);
  }
  return children;
}

/** What is drawn of a plan. */
export function shapeOf(steps: readonly PlanStep[], criticalPath: readonly string[], opened: Opened): Shape {
  const children = childrenOf(steps);
  const nodes: ShapeNode[] = [];
  /** What each step is drawn as. */
  const drawnAs = new Map<string, string>();
  const ancestors = new Map<string, readonly string[]>();

  const leavesOf = (step: PlanStep, as: string): PlanStep[] => {
    drawnAs.set(step.id, as);
    const inside = children.get(step.id) ?? [];
    const leaves = inside.flatMap((child) => leavesOf(child, as));
    return inside.length === 0 && step.role === 'step' ? [step] : leaves;
  };
  const draw = (step: PlanStep, parent: string | null, above: readonly string[]): void => {
    const leaves = leavesOf(step, step.id);
    const inside = children.get(step.id) ?? [];
    const isBox = inside.length > 0 && isOpen(step, steps.length, opened);
    const closedAs = step.role === 'fan-out' ? 'stack' : step.role === 'group' || inside.length > 0 ? 'closed' : 'step';
    const tally = tallyOf(leaves);
    const isCritical = step.isCritical || leaves.some((leaf) => leaf.isCritical);
    nodes.push({ step, id: step.id, parent, kind: isBox ? 'box' : closedAs, tally, isCritical });
    ancestors.set(step.id, above);
    if (!isBox) return;
    for (const child of inside) draw(child, step.id, [...above, step.id]);
  };
  for (const step of children.get(null) ?? []) draw(step, null, []);
  return { nodes, edges: edgesOf(steps, criticalPath, drawnAs, ancestors) };
}

function edgesOf(
  steps: readonly PlanStep[],
  criticalPath: readonly string[],
  drawnAs: ReadonlyMap<string, string>,
  ancestors: ReadonlyMap<string, readonly string[]>,
): ShapeEdge[] {
  const critical = new Set(criticalPath.slice(1).map((id, index) => `${criticalPath[index]}\n${id}`));
  const edges = new Map<string, ShapeEdge>();
  const holds = (box: string, id: string): boolean => ancestors.get(id)?.includes(box) === true;
  for (const step of steps) {
    for (const before of step.after) {
      const from = drawnAs.get(before);
      const to = drawnAs.get(step.id);
      if (from === undefined || to === undefined || from === to || holds(from, to) || holds(to, from)) continue;
      const id = `${from}\n${to}`;
      const isCritical = critical.has(`${before}\n${step.id}`) || edges.get(id)?.isCritical === true;
      edges.set(id, { id, from, to, isCritical });
    }
  }
  // The path goes from step to step, though a step may be after the group that another one lies in: the innermost line counts.
  const around = (id: string | undefined): string[] => {
    const as = id === undefined ? undefined : drawnAs.get(id);
    return as === undefined ? [] : [as, ...(ancestors.get(as) ?? []).toReversed()];
  };
  for (const pair of critical) {
    const [before, after] = pair.split('\n');
    const lines = around(before).flatMap((from) => around(after).map((to) => edges.get(`${from}\n${to}`)));
    const edge = lines.find((line) => line !== undefined);
    if (edge !== undefined) edges.set(edge.id, { ...edge, isCritical: true });
  }
  const kept = new Set(reduced([...edges.values()]).map(({ id }) => id));
  return [...edges.values()].filter(({ id, isCritical }) => isCritical || kept.has(id));
}
