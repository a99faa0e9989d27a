/**
 * What a profile says: the operations by the time of their own, the few that make up most of it, the ways there, and what a cure
 * of each would be worth.
 *
 * Shares are of the work of all operations, so that nested ones are not counted twice; waits, and Perdure's own time, are told
 * but make up no share. What is worth most is bounded by Amdahl's law: if an operation that is the part f of all work took no time
 * at all, everything would be 1 / (1 - f) times as fast. Rates, errors and durations are those of the RED method.
 */
import type { Profile, ProfileNode, SpanKind } from './profile.ts';
import { Sketch } from './sketch.ts';
import type { Summary } from './summary.ts';

const PHASES: ReadonlySet<string> = new Set<ActionPhase>([
  'queued',
  'approval',
  'attempt',
  'undo',
  'fallback',
  'back-off',
  'commit',
]);
/** The part of all work whose operations are the bottlenecks. */
const MOST_OF_IT = 0.8;
/** A way is hot when it ends in so much of all work. */
const HOT = 0.1;
const SHOWN_PATHS = 20;
const SHOWN_CURES = 5;
/** Of which it is worth saying what is wrong with it. */
const OFTEN = 100;
const FAILING = 0.2;
const FEW = 10;
const LONG_TAIL = 10;

/** A part of an action's time. */
export type ActionPhase = 'queued' | 'approval' | 'attempt' | 'undo' | 'fallback' | 'back-off' | 'commit';

/** An operation, wherever it was called from; a phase of an action as `mail: attempt`. */
export interface OperationReport {
  readonly name: string;
  readonly kind: SpanKind;
  /** Calls that have ended. */
  readonly count: number;
  readonly failures: number;
  /** Calls under way: neither gone well nor failed. */
  readonly inFlight: number;
  /** Of those that have ended, from 0 to 1. */
  readonly errorRate: number;
  /** Calls a second, while it was watched. */
  readonly rate: number;
  /** With what it called; an operation within itself counts once. ms */
  readonly totalMs: number;
  /** Without what it called, ms. */
  readonly selfMs: number;
  /** Its own time as a part of that of all operations of its kind, from 0 to 1. */
  readonly share: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A way from an outermost operation to one in which much of the time goes. */
export interface HotPath {
  readonly path: readonly string[];
  readonly selfMs: number;
  /** Of all work, from 0 to 1. */
  readonly share: number;
}

/** What a cure would be worth. */
export interface Recommendation {
  readonly operation: string;
  /** Of what `share` is a part: of all work, or of the time that the plan took. */
  readonly of: 'work' | 'makespan';
  readonly share: number;
  /** How many times as fast everything would be, if it took no time at all; null when nothing else takes any. */
  readonly mostSpeedUp: number | null;
  readonly reason: string;
}

/** What a profile says. */
export interface Findings {
  /** Calls that have ended, of work and waits. */
  readonly spans: number;
  /** The work of all, each moment counted once for everybody who worked in it, ms. */
  readonly workMs: number;
  /** What was worked and waited for, by the time of its own. */
  readonly operations: readonly OperationReport[];
  /** What Perdure itself did: commits, and in full mode turns and the actors in them. */
  readonly runtime: readonly OperationReport[];
  /** The fewest operations that make up 80 % of all work. */
  readonly bottlenecks: readonly string[];
  readonly hotPaths: readonly HotPath[];
  /** What to look at first. */
  readonly recommendations: readonly Recommendation[];
}

/**
 * What a profile says.
 *
 * @param watchedMs how long it was made.
 * @param summary what the run of the plan came to that it is of.
 */
export function findingsOf(profile: Profile, watchedMs: number, summary?: Summary): Findings {
  const nodes = [...profile.nodes()];
  const all = operationsOf(nodes, watchedMs);
  const operations = all.filter(({ kind }) => kind !== 'runtime');
  const work = operations.filter(({ kind }) => kind === 'work');
  const workMs = work.reduce((sum, { selfMs }) => sum + selfMs, 0);
  const bottlenecks = bottlenecksOf(work, workMs);
  return {
    spans: operations.reduce((sum, { count }) => sum + count, 0),
    workMs,
    operations,
    runtime: all.filter(({ kind }) => kind === 'runtime'),
    bottlenecks: bottlenecks.map(({ name }) => name),
    hotPaths: hotPathsOf(nodes, workMs),
    recommendations: [
      ...(summary === undefined ? ofWork(bottlenecks) : ofPlan(summary)),
      ...ofFailures(work),
      ...ofWaits(operations, workMs),
    ],
  };
}

function operationsOf(nodes: readonly ProfileNode[], watchedMs: number): OperationReport[] {
  const groups = new Map<string, ProfileNode[]>();
  const sums = new Map<SpanKind, number>();
  for (const node of nodes) {
    const { kind, selfMs } = node;
    sums.set(kind, (sums.get(kind) ?? 0) + selfMs);
    const key = `${kind} ${operationName(node)}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [node]);
    else group.push(node);
  }
  return [...groups.values()]
    .map((group) => operationOf(group, sums, watchedMs))
    .sort((a, b) => b.selfMs - a.selfMs || b.totalMs - a.totalMs || b.count - a.count);
}

/** What all actions have in common, their phases, says something only with the action. */
function operationName({ name, parent }: ProfileNode): string {
  const isPhase = PHASES.has(name) && parent?.parent !== undefined && parent.parent.parent === undefined;
  return isPhase ? `${parent.name}: ${name}` : name;
}

function operationOf(
  group: readonly ProfileNode[],
  sums: ReadonlyMap<SpanKind, number>,
  watchedMs: number,
): OperationReport {
  const { kind } = group[0] as ProfileNode;
  const sum = (of: (node: ProfileNode) => number) => group.reduce((total, node) => total + of(node), 0);
  const [count, failures, selfMs] = [sum((n) => n.count), sum((n) => n.failures), sum((n) => n.selfMs)];
  const sketch = new Sketch();
  for (const node of group) sketch.merge(node.sketch);
  return {
    name: operationName(group[0] as ProfileNode),
    kind,
    count,
    failures,
    inFlight: sum((n) => n.inFlight),
    errorRate: part(failures, count),
    rate: part(count * 1_000, watchedMs),
    totalMs: sum((n) => n.totalMs),
    selfMs,
    share: part(selfMs, sums.get(kind) ?? 0),
    meanMs: sketch.mean,
    p50Ms: sketch.quantile(0.5),
    p95Ms: sketch.quantile(0.95),
    p99Ms: sketch.quantile(0.99),
    maxMs: sketch.max,
  };
}

function part(of: number, all: number): number {
  return all > 0 ? of / all : 0;
}

function bottlenecksOf(work: readonly OperationReport[], workMs: number): OperationReport[] {
  const found: OperationReport[] = [];
  let sum = 0;
  for (const operation of work) {
    if (sum >= MOST_OF_IT * workMs) break;
    found.push(operation);
    sum += operation.selfMs;
  }
  return found;
}

function hotPathsOf(nodes: readonly ProfileNode[], workMs: number): HotPath[] {
  return nodes
    .filter(({ kind, selfMs }) => kind === 'work' && selfMs > 0 && selfMs >= HOT * workMs)
    .sort((a, b) => b.selfMs - a.selfMs)
    .slice(0, SHOWN_PATHS)
    .map((node) => ({ path: node.path, selfMs: node.selfMs, share: part(node.selfMs, workMs) }));
}

/** Amdahl's law. */
export function mostSpeedUp(share: number): number | null {
  return share < 1 ? 1 / (1 - share) : null;
}

const percent = (share: number) => `${Math.round(share * 100)} %`;
const ms = (value: number) => `${value >= 10 ? Math.round(value) : Number(value.toPrecision(2))} ms`;

/** Only what lies on the critical path makes a plan faster. */
function ofPlan(summary: Summary): Recommendation[] {
  if (summary.makespanMs === 0) return [];
  return summary.criticalPath
    .map(({ step, ranMs }) => ({ step, ranMs, share: ranMs / summary.makespanMs }))
    .filter(({ share }) => share >= HOT)
    .sort((a, b) => b.share - a.share)
    .slice(0, SHOWN_CURES)
    .map(({ step, ranMs, share }) => ({
      operation: step,
      of: 'makespan' as const,
      share,
      mostSpeedUp: mostSpeedUp(share),
      reason: `on the critical path: ${ms(ranMs)}, which is ${percent(share)} of the time that the plan took`,
    }));
}

function ofWork(bottlenecks: readonly OperationReport[]): Recommendation[] {
  return bottlenecks.slice(0, SHOWN_CURES).map((operation) => ({
    operation: operation.name,
    of: 'work' as const,
    share: operation.share,
    mostSpeedUp: mostSpeedUp(operation.share),
    reason: `${percent(operation.share)} of all work; ${whatIsWrong(operation)}`,
  }));
}

function whatIsWrong({ count, selfMs, p50Ms, p99Ms }: OperationReport): string {
  const calls = Math.round(count);
  if (p50Ms > 0 && p99Ms >= LONG_TAIL * p50Ms)
    return `its slowest calls (p99 ${ms(p99Ms)}) take ${Math.round(p99Ms / p50Ms)} times as long as usual: look at those`;
  if (calls >= OFTEN) return `${calls} calls of ${ms(selfMs / count)}: fewer of them, or several in one`;
  return `${calls} ${calls === 1 ? 'call' : 'calls'} of ${ms(selfMs / Math.max(1, count))}: each must become shorter`;
}

function ofFailures(work: readonly OperationReport[]): Recommendation[] {
  return work
    .filter(({ count, errorRate, share }) => count > FEW && errorRate > FAILING && share > 0)
    .sort((a, b) => b.share * b.errorRate - a.share * a.errorRate)
    .slice(0, SHOWN_CURES)
    .map(({ name, share, errorRate }) => ({
      operation: name,
      of: 'work' as const,
      share: share * errorRate,
      mostSpeedUp: mostSpeedUp(share * errorRate),
      reason: `${percent(errorRate)} of its calls fail, and each was work for nothing`,
    }));
}

function ofWaits(operations: readonly OperationReport[], workMs: number): Recommendation[] {
  const queued = operations.filter(({ name, kind }) => kind === 'wait' && name.endsWith(': queued'));
  const queuedMs = queued.reduce((sum, { selfMs }) => sum + selfMs, 0);
  const [longest] = queued;
  if (longest === undefined || queuedMs <= workMs) return [];
  const share = part(queuedMs, queuedMs + workMs);
  return [
    {
      operation: longest.name,
      of: 'work',
      share,
      mostSpeedUp: mostSpeedUp(share),
      // What an action waited for is not known: nothing may be promised of more slots.
      reason:
        `actions wait longer to begin (${ms(longest.meanMs)} each of these) than they work: for a slot, for a limit or rate of ` +
        'their queue, or while that is paused; if it is for slots, more at once helps',
    },
  ];
}
