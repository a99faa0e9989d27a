/**
 * The profiler at work: it listens to what the supervisor and its store tell, has it recorded, and has that written. What runs is
 * not wrapped for it, but for attempts while they are measured.
 */
import type { Profile } from '../machines/profile.ts';
import { regressionsTold } from '../machines/regressions.ts';
import type { OutcomeKind } from '../machines/outcome.ts';
import type { ProfilerCommand, ProfilerMode } from '../machines/profiler.ts';
import type { CommitReport } from '../persistence/batch.ts';
import type { Store } from '../persistence/store.ts';
import { ActionSpans } from './action-spans.ts';
import { ActorSpans } from './actor-spans.ts';
import { slowerIn, type Profiled } from './profile-report.ts';
import { ALL, readProfile, readRun } from './profile-tables.ts';
import { ProfileWriter } from './profile-writer.ts';
import { MOST_RUNS, SpanRecorder, type MeasuredRun } from './span-recorder.ts';
import type { Tree } from './standing.ts';

/** Runs that have ended and wait: with more, they are written at once. */
const MANY_ENDED = MOST_RUNS / 4;

export class Profiling {
  readonly recorder: SpanRecorder;
  readonly actions: ActionSpans;
  readonly #store: Store;
  readonly #writer: ProfileWriter;
  readonly #actors: ActorSpans;
  /** Runs that have ended, and are compared with those before them as soon as they are written. */
  readonly #ended = new Set<string>();
  #durable: Tree | undefined;

  constructor(store: Store) {
    this.#store = store;
    const read = (run: string) => this.#read(run);
    this.recorder = new SpanRecorder(store.clock, read(ALL));
    this.actions = new ActionSpans({ rows: store.rows, clock: store.clock, recorder: this.recorder, read });
    this.#actors = new ActorSpans(this.recorder);
    this.#writer = new ProfileWriter(store, this.recorder, () => void this.#compareEnded());
  }

  /** Listens to a supervisor. */
  begin(durable: Tree): void {
    this.#durable = durable;
    durable.on('profiler.changed', () => this.#follow());
    // Its actors are others now.
    durable.on('reopened', () => {
      this.actions.reopened();
      this.#follow();
    });
    durable.on('action.settled', ({ id, kind }) => this.actions.settled(id as string, kind as OutcomeKind));
    durable.on('plan.settled', ({ plan }) => this.#planSettled(plan as string));
    this.#store.commits.reports.add(this.#committed);
    this.#follow();
  }

  get mode(): ProfilerMode {
    return this.recorder.mode;
  }

  /** A turn was named, and is committed. */
  checkpointed(): void {
    this.#writer.soon();
  }

  /** All work, or a run of a plan that is being measured or was. */
  profiled(plan?: string): Profiled | undefined {
    if (plan === undefined) return { run: this.#writer.all, profile: this.recorder.all };
    const measured = this.recorder.runs.get(plan);
    if (measured !== undefined) return { run: this.#writer.asRow(measured), profile: measured.profile };
    const run = readRun(this.#store.rows, plan);
    return run && { run, profile: this.#read(plan) };
  }

  /** Writes what is new. */
  flush(): Promise<void> {
    return this.#writer.flush();
  }

  /** Forgets all that was measured. */
  async clear(): Promise<void> {
    this.recorder.clear();
    await this.#writer.clear();
  }

  /** Writes what is new, and listens no more. */
  async close(): Promise<void> {
    this.#store.commits.reports.delete(this.#committed);
    this.recorder.mode = 'off';
    this.#actors.detach();
    await this.#writer.close();
  }

  /** What cannot be read is left out: telemetry must keep nobody from starting. */
  #read(run: string): Profile {
    const { profile, damaged } = readProfile(this.#store.rows, run);
    if (damaged > 0) {
      const detail = `${damaged} rows of what was measured of ${run === ALL ? 'all work' : `"${run}"`} cannot be read, and are left out.`;
      this.#store.incident({ kind: 'profile.damaged', detail, once: true });
    }
    return profile;
  }

  /** The mode is the actor's. */
  #follow(): void {
    const durable = this.#durable as Tree;
    const mode = modeOf(durable);
    this.recorder.mode = mode;
    if (mode === 'full') this.#actors.attach(durable.actor);
    else this.#actors.detach();
  }

  readonly #committed = ({ rows, ms }: CommitReport): void => {
    if (this.recorder.mode === 'off') return;
    // A commit of nothing but telemetry is what observing costs.
    if (rows === 0) {
      if (this.#writer.isWriting) this.recorder.charge(ms);
      return;
    }
    this.recorder.note('store commit', 'runtime', ms);
  };

  #planSettled(plan: string): void {
    if (!this.recorder.runs.has(plan)) return;
    this.#ended.add(plan);
    // Short runs make room for the next: there are only so many at a time.
    if (this.#ended.size >= MANY_ENDED) void this.#writer.flush();
    else this.#writer.soon();
  }

  /** Of several runs of a plan that ended meanwhile the last stands for all: comparing takes a while. */
  async #compareEnded(): Promise<void> {
    const runs: MeasuredRun[] = [];
    for (const id of this.#ended) {
      const run = this.recorder.runs.get(id);
      // What ended while the others were written is written with the next.
      if (run?.profile.hasChanged === true) continue;
      this.#ended.delete(id);
      if (run !== undefined) runs.push(run);
    }
    const last = new Map<string, MeasuredRun>();
    for (const run of runs) last.set(run.plan, run);
    for (const run of runs) this.recorder.forgetRun(run.id);
    for (const run of last.values()) {
      await new Promise((resolve) => setImmediate(resolve));
      try {
        if (this.#store.isOpen) this.#compare(run);
      } catch {
        // The failure of the store is told by whoever waits for a turn; this run is compared with no other.
      }
    }
  }

  #compare(run: MeasuredRun): void {
    const began = performance.now();
    const slower = slowerIn(this.#store.rows, this.#writer.asRow(run), run.profile);
    this.recorder.charge(performance.now() - began);
    if (slower.length === 0) return;
    const event: ProfilerCommand = {
      type: 'profiler.found',
      plan: run.id,
      name: run.plan,
      operations: regressionsTold(slower),
      at: this.#store.clock.now(),
    };
    // That it could not be committed is told as any failure of the store is.
    this.#durable?.send({ type: 'supervisor.profiler', event }).catch(() => {});
  }
}

/** The mode of a supervisor's profiler. */
export function modeOf(durable: Tree): ProfilerMode {
  const { children } = durable.getSnapshot();
  const actor = (children as Readonly<Record<string, { getSnapshot(): unknown } | undefined>>)['profiler'];
  return (actor?.getSnapshot() as { readonly value: ProfilerMode } | undefined)?.value ?? 'off';
}
