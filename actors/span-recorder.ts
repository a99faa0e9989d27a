/**
 * Turns what happens into spans, and spans into profiles: one of all work, and one of each run of a plan that is under way. It
 * owns what has been measured and not been written yet, and decides what is measured at all; it neither listens nor writes.
 *
 * Invariants:
 * R1 What is kept is bounded: operations by profile.ts, runs by {@link MOST_RUNS}, single spans by {@link PAGE}.
 * R2 While it samples, of outermost spans as many a second are measured as cost little, each standing for those that were not
 *    (its weight); what lies in a span is measured as that is. While there are few, all are. Of a run of a plan the first
 *    {@link STEPS_OF_RUN} steps are measured whatever else goes on.
 * R3 What it costs is measured with it: of one call in {@link TIMED_EVERY} exactly.
 */
import { shortName, type Profile, type ProfileNode, type SpanKind } from '../machines/profile.ts';
import type { TracedSpan } from '../machines/profile-exports.ts';
import type { ProfilerMode } from '../machines/profiler.ts';
import { OpenSpan } from '../machines/spans.ts';
import type { Clock } from '../persistence/clock.ts';

/** Runs of plans that are measured at a time. */
export const MOST_RUNS = 64;
/** Steps that are measured of a run, each of them, before it is sampled as all else is. */
const STEPS_OF_RUN = 1_000;
/** Single spans that are kept until they are written. */
const PAGE = 250;
/** While it samples: outermost spans that are measured in a window, of each kind that is told apart, and its length in ms. */
const SAMPLES = 20;
const WINDOW_MS = 100;
/** No multiple of what comes in turns: as many begin as end. */
const TIMED_EVERY = 61;
/** A call that took longer was interrupted: it stands for itself alone. ms */
const INTERRUPTED_MS = 0.05;

/** A run of a plan that is measured. */
export interface MeasuredRun {
  readonly id: string;
  readonly plan: string;
  readonly profile: Profile;
  readonly beganAt: number;
  /** Its spans that are under way, and when one last ended, ms of the clock that never goes back. */
  open: number;
  usedAt: number;
  /** Steps that were begun, and are measured. */
  steps: number;
}

/** A span that is under way. */
export interface ActiveSpan {
  readonly name: string;
  readonly kind: SpanKind;
  /** How many it stands for; 0 for one that is not measured. */
  readonly weight: number;
  outer: ActiveSpan | undefined;
  readonly open: OpenSpan | undefined;
  readonly node: ProfileNode | undefined;
  readonly run: MeasuredRun | undefined;
  readonly runNode: ProfileNode | undefined;
  readonly id: number;
  isOver: boolean;
}

/** Where a span begins. */
export interface SpanPlace {
  readonly kind?: SpanKind;
  readonly within?: ActiveSpan | undefined;
  /** ms of the clock that never goes back; default: now. */
  readonly at?: number;
  /** An outermost span of a run of a plan, and what it is called there. */
  readonly run?: { readonly of: MeasuredRun; readonly name: string } | undefined;
}

/** Who shares a budget of samples. */
export type Sampled = 'actions' | 'spans';

export class SpanRecorder {
  readonly #clock: Clock;
  readonly #samplers: Readonly<Record<Sampled, Sampler>> = { actions: new Sampler(1), spans: new Sampler(7) };
  readonly #runs = new Map<string, MeasuredRun>();
  readonly #all: Profile;
  #traced: TracedSpan[] = [];
  #nextId: number;
  /** What the wall clock was ahead of the other one. Read once: read for each span, spans that lie in each other would not. */
  readonly #wallBase: number;
  #calls = 0;
  #ownMs = 0;
  #dropped = 0;
  mode: ProfilerMode = 'off';
  /** Told when there is something to write, the first time after {@link takeTraced}. */
  onChange: () => void = () => {};
  #isTold = false;

  constructor(clock: Clock, all: Profile) {
    this.#clock = clock;
    this.#all = all;
    // Those of an earlier life must not be taken for these.
    this.#nextId = clock.now() * 1_000;
    this.#wallBase = clock.now() - this.now();
  }

  /** What was measured of all work. */
  get all(): Profile {
    return this.#all;
  }

  get runs(): ReadonlyMap<string, MeasuredRun> {
    return this.#runs;
  }

  /** What measuring took since the process began, ms. */
  get ownMs(): number {
    return this.#ownMs;
  }

  /** Spans that were begun and never ended, as far as it is known. */
  get dropped(): number {
    return this.#dropped;
  }

  now(): number {
    return this.#clock.monotonic?.() ?? this.#clock.now();
  }

  /** R3. */
  #timed(ms: number): void {
    this.#ownMs += ms < INTERRUPTED_MS ? ms * TIMED_EVERY : ms;
  }

  /** Counts time that was spent on measuring, ms. */
  charge(ms: number): void {
    this.#ownMs += ms;
  }

  /** Nobody will hear how it ended. */
  abandon(span: ActiveSpan): void {
    if (span.isOver) return;
    span.isOver = true;
    const { open, node, run, runNode } = span;
    if (open === undefined || node === undefined) return;
    open.end(this.now());
    this.#all.abandon(node);
    if (run !== undefined && runNode !== undefined) {
      run.profile.abandon(runNode);
      run.open -= 1;
    }
    this.#dropped += 1;
  }

  /** Whether an outermost span is to be measured, and for how many it stands; 0 for no. */
  weightOf(sampled: Sampled, run?: MeasuredRun): number {
    if (this.mode === 'off') return 0;
    if (run !== undefined && run.steps++ < STEPS_OF_RUN) return 1;
    return this.mode === 'full' ? 1 : this.#samplers[sampled].weight(this.now());
  }

  /** A run of a plan that is measured; undefined when there are too many at a time. */
  runOf(id: string, open: () => Pick<MeasuredRun, 'plan' | 'profile' | 'beganAt'>): MeasuredRun | undefined {
    const known = this.#runs.get(id);
    if (known !== undefined || this.#runs.size >= MOST_RUNS) return known;
    const run = { id, ...open(), open: 0, usedAt: this.now(), steps: 0 };
    this.#runs.set(id, run);
    return run;
  }

  forgetRun(id: string): void {
    this.#runs.delete(id);
  }

  /** Forgets all that was measured. */
  clear(): void {
    this.#all.clear();
    for (const { profile } of this.#runs.values()) profile.clear();
    this.#runs.clear();
    this.#traced = [];
    this.#ownMs = this.#dropped = 0;
  }

  begin(name: string, weight: number, { kind = 'work', within, at, run: place }: SpanPlace = {}): ActiveSpan {
    const began = this.#calls++ % TIMED_EVERY === 0 ? performance.now() : undefined;
    const span = this.#span(name, weight, kind, within, at, place);
    if (began !== undefined) this.#timed(performance.now() - began);
    return span;
  }

  #span(
    name: string,
    asked: number,
    kind: SpanKind,
    within: ActiveSpan | undefined,
    at: number | undefined,
    place: SpanPlace['run'],
  ): ActiveSpan {
    const outer = openOf(within);
    const weight = outer?.weight ?? asked;
    if (weight === 0) return unmeasured(name, kind, outer);
    const node = this.#all.at(outer?.node, name, kind);
    this.#all.begin(node);
    const run = outer === undefined ? place?.of : outer.run;
    const runNode = run?.profile.at(outer?.runNode, outer === undefined ? (place?.name ?? name) : name, kind);
    if (run !== undefined && runNode !== undefined) {
      run.profile.begin(runNode);
      run.open += 1;
    }
    const open = new OpenSpan(at ?? this.now(), outer?.open);
    return { name: shortName(name), kind, weight, outer, open, node, run, runNode, id: this.#nextId++, isOver: false };
  }

  /** Ends it; ended again, nothing happens. */
  end(span: ActiveSpan, failed: boolean, at?: number): void {
    if (span.isOver) return;
    span.isOver = true;
    if (span.open === undefined) return;
    const began = this.#calls++ % TIMED_EVERY === 0 ? performance.now() : undefined;
    this.#record(span, failed, at ?? this.now());
    // As open spans do: a chain of those that hand over must not keep all that ended.
    span.outer = openOf(span.outer);
    if (began !== undefined) this.#timed(performance.now() - began);
  }

  #record({ open, node, run, runNode, weight, outer, id, name, kind }: ActiveSpan, failed: boolean, at: number): void {
    const ended = (open as OpenSpan).end(at);
    if (ended === undefined || node === undefined) return;
    this.#all.end(node, ended, failed, weight, outer?.node);
    if (run !== undefined && runNode !== undefined) {
      run.profile.end(runNode, ended, failed, weight, outer?.runNode);
      run.open -= 1;
      run.usedAt = at;
    }
    if (this.#traced.length < PAGE) {
      const wall = this.#wallBase + (open as OpenSpan).startedAt;
      this.#traced.push({ id, parent: outer?.id ?? null, name, kind, at: wall, ms: ended.inclusiveMs, failed });
    }
    this.#tell();
  }

  /** Something that is over already, and in which nothing else lay. */
  note(name: string, kind: SpanKind, ms: number): void {
    const node = this.#all.at(undefined, name, kind);
    this.#all.begin(node);
    this.#all.end(node, { inclusiveMs: ms, selfMs: ms }, false, 1);
    this.#tell();
  }

  #tell(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.onChange();
  }

  /** The single spans since this was asked last: the first of each time, up to {@link PAGE}. */
  takeTraced(): TracedSpan[] {
    const traced = this.#traced;
    this.#traced = [];
    this.#isTold = false;
    return traced;
  }
}

/** What was left open in an operation that ended belongs to the nearest around it. */
export function openOf(span: ActiveSpan | undefined): ActiveSpan | undefined {
  let found = span;
  while (found?.isOver === true) found = found.outer;
  return found;
}

function unmeasured(name: string, kind: SpanKind, outer: ActiveSpan | undefined): ActiveSpan {
  const nowhere = { open: undefined, node: undefined, run: undefined, runNode: undefined };
  return { ...nowhere, name, kind, weight: 0, outer, id: 0, isOver: false };
}

/** R2. Chance, and no fixed step, so that what comes in turns is not missed in turns. */
class Sampler {
  #state: number;
  #windowAt = -Infinity;
  #seen = 0;
  #every = 1;

  /** @param seed a number from 1. */
  constructor(seed: number) {
    this.#state = seed;
  }

  weight(now: number): number {
    if (now - this.#windowAt >= WINDOW_MS) {
      const windows = (now - this.#windowAt) / WINDOW_MS;
      this.#every = Math.max(1, Math.ceil(this.#seen / windows / SAMPLES));
      this.#windowAt = now;
      this.#seen = 0;
    }
    this.#seen += 1;
    // A burst after silence is not measured whole.
    if (this.#seen >= SAMPLES * this.#every * 4) this.#every *= 2;
    if (this.#every === 1) return 1;
    this.#state = (this.#state * 48_271) % 2_147_483_647;
    return this.#state / 2_147_483_647 < 1 / this.#every ? this.#every : 0;
  }
}
