/**
 * What a plan's dependency graph says before anything runs: whether it is one, which steps matter most, how long it
 * must take, and how long it takes on so many slots. Times are estimates, in milliseconds. Owns no clock and no step.
 *
 * Invariants:
 * G1 Every function accepts exactly the graphs that `checkGraph` accepts, and throws its error for the others.
 * G2 Every answer depends on the nodes and their order alone; ties go to the step that comes first in the plan.
 * G3 Nothing recurses along the graph, so a chain of 100,000 steps is as safe as one of ten.
 * G4 Checking and ranking are linear in steps and dependencies; the simulation adds a logarithm for its heaps.
 */

import { PerdureError } from '../errors.ts';
import { Heap } from './heap.ts';
import { nearest } from './nearest.ts';

/** A step as the graph sees it: what it waits for, and how long it is expected to take. */
export interface GraphNode {
  readonly id: string;
  /** The ids of the steps that must be done first. Naming one twice means no more than naming it once. */
  readonly after: readonly string[];
  /** Milliseconds; finite, 0 or more. */
  readonly estimateMs: number;
}

/** An `after` that names no step; `facts.unknown` of `PLAN_STEP_UNKNOWN` lists them. */
export interface UnknownDependency {
  readonly step: string;
  readonly dependency: string;
  /** Up to three existing ids that are a slip of the hand away, the nearest first; sought for the first 20 only. */
  readonly closest: readonly string[];
  readonly message: string;
}

/** The checked graph, by position in the plan: ids are looked up once, then everything is an array. */
interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly dependencies: readonly (readonly number[])[];
  readonly dependants: readonly (readonly number[])[];
  /** Every position once, dependencies before their dependants. */
  readonly order: readonly number[];
}

/** Comparing a wrong name with every id costs time, and nobody reads more suggestions than this. */
const EXPLAINED = 20;
const LISTED_IDS = 8;
const LISTED_CYCLE = 24;

function positionsOf(nodes: readonly GraphNode[]): Map<string, number> {
  const positions = new Map<string, number>();
  for (const [position, { id, estimateMs }] of nodes.entries()) {
    const first = positions.get(id);
    if (first !== undefined) {
      const message = `expected every step to have its own id, got "${id}" twice: as step ${first} and as step ${position} (counted from 0)`;
      throw new PerdureError('PLAN_INVALID', message, { facts: { step: id, positions: [first, position] } });
    }
    if (!Number.isFinite(estimateMs) || estimateMs < 0) {
      const message = `expected the estimate of step "${id}" to be 0 or more milliseconds, got ${estimateMs}`;
      throw new PerdureError('PLAN_INVALID', message, { facts: { step: id, estimateMs } });
    }
    positions.set(id, position);
  }
  return positions;
}

function listed(ids: readonly string[]): string {
  const shown = ids.slice(0, LISTED_IDS).map((id) => `"${id}"`);
  return ids.length > LISTED_IDS ? `${shown.join(', ')} and ${ids.length - LISTED_IDS} more` : shown.join(', ');
}

type Missing = Pick<UnknownDependency, 'step' | 'dependency'>;

function explained({ step, dependency }: Missing, ids: readonly string[]): UnknownDependency {
  const closest = nearest(dependency, ids);
  const quoted = closest.map((id) => `"${id}"`).join(' or ');
  const hint = closest.length > 0 ? `did you mean ${quoted}?` : `the plan has ${listed(ids)}`;
  return { step, dependency, closest, message: `${stated({ step, dependency })}; ${hint}` };
}

function stated({ step, dependency }: Missing): string {
  return `step "${step}" comes after "${dependency}", which is not a step of the plan`;
}

function unknownDependencies(nodes: readonly GraphNode[], positions: ReadonlyMap<string, number>): PerdureError {
  const ids = [...positions.keys()];
  const missing = nodes.flatMap(({ id: step, after }) =>
    [...new Set(after)].filter((dependency) => !positions.has(dependency)).map((dependency) => ({ step, dependency })),
  );
  const unknown = missing.map((one, index) =>
    index < EXPLAINED ? explained(one, ids) : { ...one, closest: [], message: stated(one) },
  );
  const lines = unknown.slice(0, EXPLAINED).map(({ message }) => message);
  if (unknown.length > lines.length) lines.push(`and ${unknown.length - lines.length} more unknown dependencies`);
  return new PerdureError('PLAN_STEP_UNKNOWN', lines.join('\n'), { facts: { unknown } });
}

/** Each node's dependencies as positions, each once; throws for names that are no step. */
function linksOf(nodes: readonly GraphNode[], positions: ReadonlyMap<string, number>): number[][] {
  return nodes.map(({ after }) =>
    [...new Set(after)].map((dependency) => {
      const position = positions.get(dependency);
      if (position === undefined) throw unknownDependencies(nodes, positions);
      return position;
    }),
  );
}

function reversed(links: readonly (readonly number[])[]): number[][] {
  const back: number[][] = links.map(() => []);
  for (const [from, targets] of links.entries()) {
    for (const target of targets) back[target]!.push(from);
  }
  return back;
}

/** Kahn's algorithm; what lies on a cycle, or behind one, is left out. */
function orderOf(dependencies: Graph['dependencies'], dependants: Graph['dependants']): number[] {
  const waiting = dependencies.map((list) => list.length);
  const order = [...waiting.keys()].filter((position) => waiting[position] === 0);
  // The loop reads what it appends: `order` is its own queue.
  for (const done of order) {
    for (const dependant of dependants[done]!) {
      waiting[dependant]! -= 1;
      if (waiting[dependant] === 0) order.push(dependant);
    }
  }
  return order;
}

/**
 * A cycle among the positions that `orderOf` left out. Each of them waits for another of them, or it would have been
 * ordered; so a walk from one to a dependency that was left out never ends, and must meet itself.
 */
function cycleIn(dependencies: Graph['dependencies'], order: readonly number[]): number[] {
  const ordered = new Set(order);
  const stuck = (position: number): boolean => !ordered.has(position);
  const steps = new Map<number, number>();
  const walk: number[] = [];
  let here = [...dependencies.keys()].find(stuck)!;
  while (!steps.has(here)) {
    steps.set(here, walk.length);
    walk.push(here);
    here = dependencies[here]!.find(stuck)!;
  }
  const cycle = walk.slice(steps.get(here)!);
  const first = cycle.indexOf(cycle.reduce((least, position) => Math.min(least, position)));
  return [...cycle.slice(first), ...cycle.slice(0, first)];
}

function cycleError(cycle: readonly string[]): PerdureError {
  const ring = [...cycle, cycle[0]!];
  const left = ring.length - LISTED_CYCLE;
  const shown = left > 0 ? [...ring.slice(0, LISTED_CYCLE - 2), `(${left + 1} more)`, ring.at(-1)!] : ring;
  const message = `the plan has a cycle, in which each step waits for the next: ${shown.join(' -> ')}; drop one of these from an \`after\``;
  return new PerdureError('PLAN_CYCLE', message, { facts: { cycle } });
}

function graphOf(nodes: readonly GraphNode[]): Graph {
  const dependencies = linksOf(nodes, positionsOf(nodes));
  const dependants = reversed(dependencies);
  const order = orderOf(dependencies, dependants);
  if (order.length < nodes.length) {
    throw cycleError(cycleIn(dependencies, order).map((position) => nodes[position]!.id));
  }
  return { nodes, dependencies, dependants, order };
}

/**
 * Throws unless the nodes are a graph that can run to its end.
 *
 * - `PLAN_INVALID`: an id is used twice, or an estimate is negative or not finite.
 * - `PLAN_STEP_UNKNOWN`: an `after` names no step; `facts.unknown` is an {@link UnknownDependency} for each.
 * - `PLAN_CYCLE`: steps wait for one another; `facts.cycle` has each id of one cycle once, and each waits for the next,
 *   the last for the first. It begins with the one that comes first in the plan.
 */
export function checkGraph(nodes: readonly GraphNode[]): void {
  graphOf(nodes);
}

/** Every id once, each after all that it waits for. */
export function inOrder(nodes: readonly GraphNode[]): readonly string[] {
  return graphOf(nodes).order.map((position) => nodes[position]!.id);
}

function ranksOf({ nodes, dependants, order }: Graph): number[] {
  const ranking = nodes.map(() => 0);
  for (const position of order.toReversed()) {
    let behind = 0;
    for (const dependant of dependants[position]!) behind = Math.max(behind, ranking[dependant]!);
    ranking[position] = nodes[position]!.estimateMs + behind;
  }
  return ranking;
}

/**
 * The upward rank of each step in milliseconds: its own estimate and the greatest rank among its dependants, that is,
 * the time from its start to the end of the plan with slots to spare. Starting ready steps by descending rank is the
 * rule "highest level first with estimated times" (HLFET; Adam, Chandy and Dickson 1974); the name is from HEFT
 * (Topcuoglu, Hariri and Wu 2002), here without costs of communication.
 */
export function ranks(nodes: readonly GraphNode[]): Map<string, number> {
  const ranking = ranksOf(graphOf(nodes));
  return new Map(nodes.map(({ id }, position) => [id, ranking[position]!]));
}

/** The first of `positions` with the greatest rank. */
function highest(positions: readonly number[], ranking: readonly number[]): number | undefined {
  let best: number | undefined;
  for (const position of positions) {
    if (best === undefined || ranking[position]! > ranking[best]!) best = position;
  }
  return best;
}

/**
 * The ids along the path from a step that waits for none to one that none waits for, whose estimates add up to the most:
 * the steps that must get faster before the plan can. Empty for an empty plan.
 */
export function criticalPath(nodes: readonly GraphNode[]): readonly string[] {
  const graph = graphOf(nodes);
  const ranking = ranksOf(graph);
  const sources = graph.order.filter((position) => graph.dependencies[position]!.length === 0);
  const path: string[] = [];
  let here = highest(sources, ranking);
  while (here !== undefined) {
    path.push(nodes[here]!.id);
    here = highest(graph.dependants[here]!, ranking);
  }
  return path;
}

/** T-infinity in milliseconds: the sum along the critical path, which no number of slots can beat. */
export function span(nodes: readonly GraphNode[]): number {
  return ranksOf(graphOf(nodes)).reduce((longest, rank) => Math.max(longest, rank), 0);
}

/** T1 in milliseconds: the sum of all estimates, which is what one slot takes. */
export function work(nodes: readonly GraphNode[]): number {
  return graphOf(nodes).nodes.reduce((sum, { estimateMs }) => sum + estimateMs, 0);
}

interface Running {
  readonly position: number;
  readonly lane: number;
  readonly endMs: number;
}

/** A run of the plan in which every step takes its estimate. */
interface Simulation {
  readonly graph: Graph;
  readonly slots: number;
  nowMs: number;
  /** What each lane has been given, in order; a lane exists once something ran in it. */
  readonly lanes: number[][];
  readonly idleLanes: Heap<number>;
  /** How many dependencies of each position are not done. */
  readonly waiting: number[];
  readonly ready: Heap<number>;
  readonly running: Heap<Running>;
  /** When each position ended. */
  readonly ends: number[];
}

function simulationOf(graph: Graph, slots: number): Simulation {
  const ranking = ranksOf(graph);
  const ready = new Heap<number>((a, b) => ranking[b]! - ranking[a]! || a - b);
  const waiting = graph.dependencies.map((list) => list.length);
  for (const [position, count] of waiting.entries()) if (count === 0) ready.push(position);
  return {
    graph,
    slots,
    nowMs: 0,
    lanes: [],
    idleLanes: new Heap((a, b) => a - b),
    waiting,
    ready,
    running: new Heap((a, b) => a.endMs - b.endMs),
    ends: [],
  };
}

function takeLane({ idleLanes, lanes, slots }: Simulation): number | undefined {
  const idle = idleLanes.pop();
  if (idle !== undefined) return idle;
  return lanes.length < slots ? lanes.push([]) - 1 : undefined;
}

/** Gives every free slot the ready step of the highest rank: no slot idles while a step is ready. */
function startReady(simulation: Simulation): void {
  const { graph, lanes, nowMs, ready, running } = simulation;
  while (ready.size > 0) {
    const lane = takeLane(simulation);
    if (lane === undefined) return;
    const position = ready.pop()!;
    lanes[lane]!.push(position);
    running.push({ position, lane, endMs: nowMs + graph.nodes[position]!.estimateMs });
  }
}

/** Moves to the next moment at which a step ends, and ends all that end then, so that the best of what they free starts. */
function endNext(simulation: Simulation): void {
  const { graph, idleLanes, ready, running, waiting } = simulation;
  simulation.nowMs = running.peek()!.endMs;
  while (running.peek()?.endMs === simulation.nowMs) {
    const { position, lane } = running.pop()!;
    simulation.ends[position] = simulation.nowMs;
    idleLanes.push(lane);
    for (const dependant of graph.dependants[position]!) {
      waiting[dependant]! -= 1;
      if (waiting[dependant] === 0) ready.push(dependant);
    }
  }
}

function simulate(nodes: readonly GraphNode[], slots: number): Simulation {
  if (slots !== Infinity && !(Number.isSafeInteger(slots) && slots >= 1)) {
    const message = `expected slots to be a whole number from 1, or Infinity, got ${slots}`;
    throw new PerdureError('OPTIONS_INVALID', message, { facts: { slots } });
  }
  const simulation = simulationOf(graphOf(nodes), slots);
  startReady(simulation);
  while (simulation.running.size > 0) {
    endNext(simulation);
    startReady(simulation);
  }
  return simulation;
}

/**
 * How long the plan takes on `slots` slots, in milliseconds, if every step takes its estimate and whenever a slot is
 * free the ready step of the highest rank starts in it. Such list scheduling takes at most `(2 - 1/slots)` times as long
 * as the best schedule there is (Graham 1966); finding the best is NP-hard.
 */
export function makespan(nodes: readonly GraphNode[], slots: number): number {
  return simulate(nodes, slots).nowMs;
}

/**
 * The run of {@link makespan} as lanes: the ids that each slot would run, in order. A step goes to the lowest lane that
 * is free; slots that get nothing have no lane. Starting each step when the one before it in its lane and all that it
 * waits for are done gives the run back.
 */
export function tracks(nodes: readonly GraphNode[], slots: number): readonly (readonly string[])[] {
  return simulate(nodes, slots).lanes.map((lane) => lane.map((position) => nodes[position]!.id));
}

/** When each step ends in the run of {@link makespan}, in milliseconds after its beginning. */
export function endings(nodes: readonly GraphNode[], slots: number): Map<string, number> {
  const simulation = simulate(nodes, slots);
  return new Map(nodes.map(({ id }, position) => [id, simulation.ends[position] ?? 0]));
}

/** The ids of the steps that wait for each step itself, in the plan's order; empty for a step that none waits for. */
export function dependantsOf(nodes: readonly GraphNode[]): Map<string, readonly string[]> {
  const { dependants } = graphOf(nodes);
  return new Map(nodes.map(({ id }, position) => [id, dependants[position]!.map((dependant) => nodes[dependant]!.id)]));
}
