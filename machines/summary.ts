/**
 * What the run of a plan came to, from the measured times of its steps. It owns no clock and no step, and says nothing of what
 * should have been: estimates are for `graph.ts`.
 *
 * A step holds a slot from its start to its end. Of that it works (`workMs`) while an attempt, or what stands in for one, is
 * under way; the rest is back-offs and interruptions, or where there was one attempt, what held it up. A step that was never started, such as one that was skipped or was found
 * unchanged, takes no time: what comes after it waited for what it waited for.
 *
 * Invariants:
 * S1 The speed-up is at most its bound, the smaller of the slots and of work over span.
 * S2 Along the critical path, what was waited, worked, backed off and held up adds up to the makespan.
 * S3 A dependency that ended after its dependant had begun, in a later round, held nobody up: it counts as none.
 * S4 Nothing recurses along the graph, and all of it is linear but for one sort.
 */

/** A step as it was measured. */
export interface MeasuredStep {
  readonly id: string;
  readonly after: readonly string[];
  /** Null for one that was never started, or has not ended. */
  readonly startedAt: number | null;
  readonly settledAt: number | null;
  /** What its attempts took in all, ms. */
  readonly workMs: number;
  readonly attempts: number;
  /** What an earlier run had worked for the outcome that stood in, ms; null or absent for a step without one. */
  readonly savedMs?: number | null;
}

/** A step of the measured critical path. The times of all of them add up to the makespan. */
export interface PathStep {
  readonly step: string;
  /** From the end of the step before it, or the start of the run: for a slot, or for somebody's word. ms */
  readonly waitedMs: number;
  readonly ranMs: number;
  /** The rest of the time that it held its slot, if it had several attempts: back-offs, and what an interruption took. ms */
  readonly backedOffMs: number;
  /** The rest, if it had one: beginning and ending it, and waiting for its component. ms */
  readonly heldUpMs: number;
}

/** What took most of the makespan. */
export interface Dominant {
  readonly step: string;
  readonly what: 'waited' | 'ran' | 'backedOff' | 'heldUp';
  readonly ms: number;
  /** Of the makespan, from 0 to 1. */
  readonly share: number;
}

/** What a run came to. */
export interface Summary {
  /** T1: what all attempts took, one after the other. */
  readonly workMs: number;
  /** T-infinity: the longest chain of attempts, which no number of slots can beat. */
  readonly spanMs: number;
  /** From the first start to the last end. */
  readonly makespanMs: number;
  /** Measured: work over makespan. */
  readonly speedUp: number;
  /** The most that the speed-up could be: the smaller of the slots and of work over span. */
  readonly bound: number;
  /** How many steps could run at once. */
  readonly slots: number;
  /** How many did. */
  readonly atOnce: number;
  /** Speed-up for each slot, from 0 to 1. */
  readonly efficiency: number;
  /** How much of the time of all slots was taken, back-offs included, from 0 to 1. */
  readonly utilisation: number;
  /** Back from the step that ended last, by the dependency that ended last. */
  readonly criticalPath: readonly PathStep[];
  readonly dominant: Dominant | null;
  /** Steps that were left out, because nothing that they are made of had changed. */
  readonly unchanged: readonly string[];
  /** What those had worked when they ran, ms. */
  readonly savedMs: number;
}

interface Timed {
  readonly position: number;
  readonly from: number;
  readonly to: number;
  readonly ranMs: number;
}

function timedOf({ startedAt: from, settledAt, workMs }: MeasuredStep, position: number): Timed | undefined {
  if (from === null || settledAt === null) return undefined;
  // The clock may have been put back meanwhile.
  const to = Math.max(from, settledAt);
  return { position, from, to, ranMs: Math.min(Math.max(0, workMs), to - from) };
}

/** The dependencies of each step by position; what is no step of the plan any more is none. */
function linksOf(steps: readonly MeasuredStep[]): number[][] {
  const positions = new Map(steps.map(({ id }, position) => [id, position]));
  return steps.map(({ after }) => after.map((id) => positions.get(id)).filter((position) => position !== undefined));
}

/** Dependencies before their dependants. */
function orderOf(links: readonly (readonly number[])[]): number[] {
  const waiting = links.map((dependencies) => dependencies.length);
  const dependants: number[][] = links.map(() => []);
  for (const [position, dependencies] of links.entries())
    for (const dependency of dependencies) dependants[dependency]!.push(position);
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

/** What is known of the way to the end of a step, or through one that took no time. */
interface Way {
  /** The last to end: the step itself, or what came before one that took no time. */
  readonly last: Timed | undefined;
  /** The last to end of what it waited for. */
  readonly before: Timed | undefined;
  /** The longest chain of work up to its end, ms. */
  readonly longestMs: number;
}

const NO_WAY: Way = { last: undefined, before: undefined, longestMs: 0 };

function wayTo(timed: Timed | undefined, dependencies: readonly Way[]): Way {
  let before: Timed | undefined;
  let longestMs = 0;
  for (const { last, longestMs: ms } of dependencies) {
    // S3.
    if (last === undefined || (timed !== undefined && last.to > timed.from)) continue;
    if (before === undefined || last.to > before.to) before = last;
    longestMs = Math.max(longestMs, ms);
  }
  return { last: timed ?? before, before, longestMs: longestMs + (timed?.ranMs ?? 0) };
}

function waysOf(steps: readonly MeasuredStep[], timed: readonly (Timed | undefined)[]): Way[] {
  const links = linksOf(steps);
  const ways: Way[] = steps.map(() => NO_WAY);
  for (const position of orderOf(links)) {
    const dependencies = links[position]!.map((dependency) => ways[dependency]!);
    ways[position] = wayTo(timed[position], dependencies);
  }
  return ways;
}

function pathFrom(last: Timed | undefined, beganAt: number, steps: readonly MeasuredStep[], ways: readonly Way[]) {
  const path: PathStep[] = [];
  for (let here = last; here !== undefined; here = ways[here.position]!.before) {
    const { position, from, to, ranMs } = here;
    const freeAt = ways[position]!.before?.to ?? beganAt;
    const { id: step, attempts } = steps[position]!;
    const restMs = to - from - ranMs;
    const rest = attempts > 1 ? { backedOffMs: restMs, heldUpMs: 0 } : { backedOffMs: 0, heldUpMs: restMs };
    path.push({ step, waitedMs: from - freeAt, ranMs, ...rest });
  }
  return path.reverse();
}

function mostAtOnce(spans: readonly Timed[]): number {
  const moments = spans.flatMap(({ from, to }) => [
    { at: from, by: 1 },
    { at: to, by: -1 },
  ]);
  let most = 0;
  let now = 0;
  for (const { by } of moments.sort((a, b) => a.at - b.at || a.by - b.by)) most = Math.max(most, (now += by));
  return most;
}

function dominantOf(path: readonly PathStep[], makespanMs: number): Dominant | null {
  let most: Dominant | null = null;
  for (const { step, waitedMs, ranMs, backedOffMs, heldUpMs } of path) {
    const parts = [
      ['ran', ranMs],
      ['waited', waitedMs],
      ['backedOff', backedOffMs],
      ['heldUp', heldUpMs],
    ] as const;
    for (const [what, ms] of parts) {
      if (ms > (most?.ms ?? 0)) most = { step, what, ms, share: ms / makespanMs };
    }
  }
  return most;
}

/**
 * What a run came to, so far if it has not ended.
 *
 * @param slots how many of its steps could run at once. If more did, because that was changed meanwhile, then so many.
 */
export function summaryOf(steps: readonly MeasuredStep[], slots: number): Summary {
  const timed = steps.map(timedOf);
  const spans = timed.filter((one) => one !== undefined);
  const ways = waysOf(steps, timed);
  const beganAt = spans.reduce((least, { from }) => Math.min(least, from), Infinity);
  const last = spans.reduce<Timed | undefined>((a, b) => (a === undefined || b.to > a.to ? b : a), undefined);
  const makespanMs = last === undefined ? 0 : last.to - beganAt;
  const workMs = spans.reduce((sum, { ranMs }) => sum + ranMs, 0);
  const heldMs = spans.reduce((sum, { from, to }) => sum + to - from, 0);
  const spanMs = ways.reduce((most, { longestMs }) => Math.max(most, longestMs), 0);
  const atOnce = mostAtOnce(spans);
  const unchanged = steps.filter(({ savedMs }) => savedMs != null);
  const room = Math.max(1, slots, atOnce);
  const speedUp = makespanMs === 0 ? 1 : workMs / makespanMs;
  const criticalPath = pathFrom(last, beganAt, steps, ways);
  return {
    workMs,
    spanMs,
    makespanMs,
    speedUp,
    bound: spanMs === 0 ? 1 : Math.min(room, workMs / spanMs),
    slots: room,
    atOnce,
    efficiency: speedUp / room,
    utilisation: makespanMs === 0 ? 0 : heldMs / (room * makespanMs),
    criticalPath,
    dominant: dominantOf(criticalPath, makespanMs),
    unchanged: unchanged.map(({ id }) => id),
    savedMs: unchanged.reduce((sum, { savedMs }) => sum + (savedMs ?? 0), 0),
  };
}
