/** A profile in the forms of other tools: flame graphs, V8's .cpuprofile, and the trace events of Chrome and Perfetto. */
import type { Profile, ProfileNode, SpanKind } from './profile.ts';

/** A flame graph: the width of a box is its own time and that of all boxes above it. ms */
export interface Flame {
  readonly name: string;
  readonly kind: SpanKind;
  readonly value: number;
  readonly self: number;
  /** Calls that have ended, and those that failed. */
  readonly count: number;
  readonly failures: number;
  readonly children: readonly Flame[];
}

/** The profile as a flame graph. */
export function flameOf(profile: Profile): Flame {
  const values = profile.values();
  const of = (node: ProfileNode): Flame => ({
    name: node === profile.root ? 'all' : node.name,
    kind: node.kind,
    value: values.get(node) ?? 0,
    self: node.selfMs,
    count: node.count,
    failures: node.failures,
    children: [...node.children.values()].map(of).sort((a, b) => b.value - a.value),
  });
  return of(profile.root);
}

/** V8's format of CPU profiles, in µs. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly scriptId: string;
      readonly url: string;
      readonly lineNumber: number;
      readonly columnNumber: number;
    };
    readonly hitCount: number;
    readonly children: readonly number[];
  }[];
  readonly startTime: number;
  readonly endTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** The work of a profile as a `.cpuprofile`, without waits: whatever was done when, it is laid out one after the other, the heaviest first. */
export function cpuProfileOf(profile: Profile): CpuProfile {
  const nodes: CpuProfile['nodes'][number][] = [];
  const samples: number[] = [];
  // A sample lasts until the next one.
  const timeDeltas: number[] = [0];
  let endTime = 0;
  const add = ({ name, kind, self, children }: Flame): number => {
    const id = nodes.length + 1;
    const below: number[] = [];
    nodes.push({
      id,
      callFrame: {
        functionName: id === 1 ? '(root)' : name,
        scriptId: '0',
        url: kind === 'work' ? '' : `perdure:${kind}`,
        lineNumber: -1,
        columnNumber: -1,
      },
      hitCount: self > 0 ? 1 : 0,
      children: below,
    });
    const us = Math.round(self * 1_000);
    if (us > 0) {
      samples.push(id);
      timeDeltas.push(us);
      endTime += us;
    }
    for (const child of children) if (child.kind !== 'wait') below.push(add(child));
    return id;
  };
  add(flameOf(profile));
  samples.push(1);
  return { nodes, startTime: 0, endTime, samples, timeDeltas };
}

/** One span as it was. */
export interface TracedSpan {
  readonly id: number;
  /** The span in which it began. */
  readonly parent: number | null;
  readonly name: string;
  readonly kind: SpanKind;
  /** Wall-clock ms since 1970, with parts. */
  readonly at: number;
  readonly ms: number;
  readonly failed: boolean;
}

/** A complete event of Chrome's trace format, in µs. */
export interface TraceEvent {
  readonly name: string;
  readonly cat: SpanKind;
  readonly ph: 'X';
  readonly ts: number;
  readonly dur: number;
  readonly pid: number;
  readonly tid: number;
  readonly args: { readonly failed: boolean };
}

/** Chrome's trace format. */
export interface ChromeTrace {
  readonly traceEvents: readonly TraceEvent[];
  readonly displayTimeUnit: 'ms';
}

/** Spans as Chrome's trace, for chrome://tracing, Perfetto and speedscope. */
export function chromeTraceOf(spans: readonly TracedSpan[]): ChromeTrace {
  const ordered = [...spans].sort((a, b) => a.at - b.at || b.ms - a.ms);
  const lanes = new Lanes();
  const traceEvents = ordered.map((span) => ({
    name: span.name,
    cat: span.kind,
    ph: 'X' as const,
    ts: Math.round(span.at * 1_000),
    dur: Math.round(span.ms * 1_000),
    pid: 1,
    tid: lanes.of(span) + 1,
    args: { failed: span.failed },
  }));
  return { traceEvents, displayTimeUnit: 'ms' };
}

/** Events of one lane must lie in each other or apart: what overlaps gets a lane of its own, what lies within its parent its lane. */
class Lanes {
  /** Ends of what is open in each lane, the innermost last. */
  readonly #open: { readonly id: number; readonly to: number }[][] = [];
  readonly #laneOf = new Map<number, number>();

  of({ id, parent, at, ms }: TracedSpan): number {
    const to = at + ms;
    const home = parent === null ? undefined : this.#laneOf.get(parent);
    const fits = (lane: number, within: number | null) => {
      const open = this.#open[lane] ?? [];
      while (open.length > 0 && (open.at(-1) as { to: number }).to <= at) open.pop();
      const top = open.at(-1);
      return top === undefined || (top.id === within && top.to >= to);
    };
    const free = () => {
      for (let lane = 0; lane < this.#open.length; lane += 1) if (fits(lane, null)) return lane;
      return this.#open.length;
    };
    const lane = home !== undefined && fits(home, parent) ? home : free();
    (this.#open[lane] ??= []).push({ id, to });
    this.#laneOf.set(id, lane);
    return lane;
  }
}
