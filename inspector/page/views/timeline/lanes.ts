/**
 * Which row of the picture a bar is drawn in. Bars that overlap never share a row, and no more rows are used than overlap at once.
 */
import type { Timeline, TimelinePart, TimelineRow } from '../../../views/timeline.ts';
import type { Span } from './time-scale.ts';

export type LaneMode = 'slot' | 'plan' | 'action';

/** A bar: what is drawn of an action in one row, its parts in order. */
export interface Bar extends Span {
  readonly row: TimelineRow;
  readonly parts: readonly ClosedPart[];
}

/** A part whose end is known: what lasts ends now. */
export interface ClosedPart extends Span {
  readonly phase: TimelinePart['phase'];
  readonly isOpen: boolean;
}

/** A row of the picture. */
export interface Track {
  /** The lane that it belongs to. */
  readonly lane: string;
  /** Said only in the first row of a lane. */
  readonly label: string | null;
  readonly title: string;
  /** The action whose row it is, when it has but one. */
  readonly action: string | null;
  readonly bars: readonly Bar[];
}

export function closed(parts: readonly TimelinePart[], now: number): ClosedPart[] {
  return parts.map(({ phase, from, to }) => ({ phase, from, to: Math.max(from, to ?? now), isOpen: to === null }));
}

function barOf(row: TimelineRow, parts: readonly ClosedPart[]): Bar {
  return { row, parts, from: parts[0]!.from, to: Math.max(...parts.map(({ to }) => to)) };
}

/** Puts spans into as few rows as they overlap at once: each into the first that is free when it begins. */
export function packed<T extends Span>(spans: readonly T[]): T[][] {
  const rows: T[][] = [];
  const ends: number[] = [];
  for (const span of spans.toSorted((a, b) => a.from - b.from)) {
    const free = ends.findIndex((end) => end <= span.from);
    const index = free === -1 ? rows.length : free;
    (rows[index] ??= []).push(span);
    // What takes no time at all has its place too.
    ends[index] = Math.max(span.to, span.from + Number.EPSILON);
  }
  return rows;
}

function packedTracks(lane: string, title: string, bars: readonly Bar[]): Track[] {
  return packed(bars).map((row, index) => ({
    lane,
    label: index === 0 ? lane : null,
    title,
    action: null,
    bars: row,
  }));
}

function grouped<K, V>(entries: Iterable<readonly [K, V]>): Map<K, V[]> {
  const groups = new Map<K, V[]>();
  for (const [key, value] of entries) {
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}

const SLOT =
  'Where what runs now says so, this is its slot. Which slot an action had is not kept after it has settled: it lies where there was room';

/** What an action does without giving back its slot: it runs, and backs off between tries. */
function holds({ parts }: TimelineRow, now: number): ClosedPart[][] {
  const held: ClosedPart[][] = [];
  let isHeld = false;
  for (const part of closed(parts, now)) {
    const goesOn = part.phase === 'running' || part.phase === 'back-off';
    if (goesOn && isHeld) held.at(-1)?.push(part);
    else if (goesOn) held.push([part]);
    isHeld = goesOn;
  }
  return held;
}

function bySlot(rows: readonly TimelineRow[], now: number): Track[] {
  const lanes = packed(rows.flatMap((row) => holds(row, now).map((parts) => barOf(row, parts))));
  const slotOf = (bars: readonly Bar[]) =>
    bars.find(({ row, parts }) => row.slot !== null && parts.at(-1)?.isOpen === true)?.row.slot ?? undefined;
  const known = new Set(lanes.map(slotOf));
  let free = -1;
  const nextFree = (): number => {
    do free += 1;
    while (known.has(free));
    return free;
  };
  return lanes
    .map((bars) => ({ slot: slotOf(bars) ?? nextFree(), bars }))
    .toSorted((one, other) => one.slot - other.slot)
    .map(({ slot, bars }) => ({ lane: `slot ${slot}`, label: `slot ${slot}`, title: SLOT, action: null, bars }));
}

function byPlan(rows: readonly TimelineRow[], now: number): Track[] {
  const bars = rows.map((row) => [row.plan, barOf(row, closed(row.parts, now))] as const);
  return [...grouped(bars)]
    .toSorted(([a, aBars], [b, bBars]) => Number(a === null) - Number(b === null) || aBars[0]!.from - bBars[0]!.from)
    .flatMap(([plan, ofPlan]) =>
      plan === null
        ? packedTracks('no plan', 'Actions that belong to no plan', ofPlan)
        : packedTracks(plan, `Steps of the plan ${plan}`, ofPlan),
    );
}

/** What an action is called: of a plan the path of its step, else its name. */
export function labelOf({ id, name, plan }: Pick<TimelineRow, 'id' | 'name' | 'plan'>): string {
  const isStep = plan !== null && id.startsWith(`${plan}/`);
  return isStep ? id.slice(plan.length + 1) : name === '' ? id : name;
}

function byAction(rows: readonly TimelineRow[], now: number): Track[] {
  return rows.map((row) => ({
    lane: row.id,
    label: labelOf(row),
    title: row.id,
    action: row.id,
    bars: [barOf(row, closed(row.parts, now))],
  }));
}

/** The rows of the picture. */
export function tracksOf(timeline: Pick<Timeline, 'rows'>, mode: LaneMode, now: number): Track[] {
  const rows = timeline.rows.filter(({ parts }) => parts.length > 0);
  if (mode === 'slot') return bySlot(rows, now);
  return mode === 'plan' ? byPlan(rows, now) : byAction(rows, now);
}

/**
 * When something was under way: while attempts ran, and around each moment at which something else began or ended. That somebody is
 * waited for, or a delay, is no work: nothing happens then.
 */
export function busySpans(rows: readonly TimelineRow[], now: number): Span[] {
  const spans: Span[] = [];
  for (const row of rows) {
    for (const part of closed(row.parts, now)) {
      if (part.phase === 'running') spans.push(part);
      else spans.push({ from: part.from, to: part.from }, { from: part.to, to: part.to });
    }
  }
  if (spans.length === 0) return [];
  // A moment has no width: each span gets a little air, so that what happens at its ends is seen; all air together is less than what ran.
  const ranMs = spans.reduce((sum, { from, to }) => sum + to - from, 0);
  const first = Math.min(...spans.map(({ from }) => from));
  const last = Math.max(...spans.map(({ to }) => to));
  const air = Math.max(1, Math.min(1000, (last - first) / 2000, ranMs > 0 ? ranMs / (8 * spans.length) : Infinity));
  return spans.map(({ from, to }) => ({ from: from - air, to: to + air }));
}

/** How many are in a phase at once, as steps: from each moment on, until the next one. */
export interface Depth {
  readonly at: number;
  readonly running: number;
  readonly waiting: number;
}

/** How many ran and how many waited, over time. */
export function depthsOf(rows: readonly TimelineRow[], now: number): Depth[] {
  const changes: { at: number; running: number; waiting: number }[] = [];
  for (const row of rows) {
    for (const part of closed(row.parts, now)) {
      const running = part.phase === 'running' ? 1 : 0;
      changes.push({ at: part.from, running, waiting: 1 - running });
      changes.push({ at: part.to, running: -running, waiting: running - 1 });
    }
  }
  changes.sort((a, b) => a.at - b.at);
  const depths: { at: number; running: number; waiting: number }[] = [];
  let running = 0;
  let waiting = 0;
  for (const change of changes) {
    running += change.running;
    waiting += change.waiting;
    const last = depths.at(-1);
    if (last?.at === change.at) Object.assign(last, { running, waiting });
    else depths.push({ at: change.at, running, waiting });
  }
  return depths;
}
