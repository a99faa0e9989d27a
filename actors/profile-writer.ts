/**
 * Brings what was measured into rows: every {@link EVERY_MS} while there is something new, at checkpoints, when a run of a plan
 * ends, and when the supervisor is closed. A crash loses at most that. A write that fails is made up for by the next.
 *
 * Invariants:
 * W1 One write at a time, so that none brings back what a later one removed.
 * W2 A store that cannot be written costs telemetry and nothing else: what waits stays bounded as profile.ts is.
 */
import { MOST_OPERATIONS, type Profile, type ProfileNode } from '../machines/profile.ts';
import type { TracedSpan } from '../machines/profile-exports.ts';
import type { Rows } from '../persistence/rows.ts';
import type { Store } from '../persistence/store.ts';
import {
  ALL,
  forgetAll,
  forgetRuns,
  lastPage,
  readRun,
  removeOperation,
  writeOperation,
  writeRun,
  writeTrace,
  type ProfileRun,
} from './profile-tables.ts';
import type { MeasuredRun, SpanRecorder } from './span-recorder.ts';

/** How often what is new is written, ms. */
export const EVERY_MS = 5_000;
/** Checkpoints may come in no time: not with each of them. ms */
const LEAST_MS = 1_000;
/** Operations that are written in one go, so that no turn waits long; the others go with the next, at once. */
const AT_ONCE = 250;
/** So many goes write all that there may be. */
const MOST_GOES = (2 * MOST_OPERATIONS) / AT_ONCE;
/** A run in which nothing has ended for so long is read again when it goes on, ms. */
const IDLE_MS = 60_000;

/** What one write holds of a profile. */
interface ProfileChanges {
  readonly run: string;
  readonly profile: Profile;
  readonly changed: readonly ProfileNode[];
  readonly removed: readonly ProfileNode[];
}

/** What one write holds. */
interface Changes {
  readonly runs: readonly ProfileRun[];
  readonly profiles: readonly ProfileChanges[];
  readonly traced: readonly TracedSpan[];
}

export class ProfileWriter {
  readonly #store: Store;
  readonly #recorder: SpanRecorder;
  readonly #onWritten: () => void;
  #timer: unknown;
  #writtenAt = -Infinity;
  #page: number;
  /** All work, as it was when this life began. */
  #before: ProfileRun;
  readonly #beganAt: number;
  #isClosed = false;
  /** W1. */
  #last: Promise<void> = Promise.resolve();
  /** Set while a write of its own is on its way: its commit is no work. */
  isWriting = false;

  /** @param onWritten told after every write that was committed. */
  constructor(store: Store, recorder: SpanRecorder, onWritten: () => void) {
    this.#store = store;
    this.#recorder = recorder;
    this.#onWritten = onWritten;
    this.#page = lastPage(store.rows);
    this.#before = readRun(store.rows, ALL) ?? this.#nothing();
    this.#beganAt = recorder.now();
    recorder.onChange = () => this.#arm();
  }

  /** All work, up to now. */
  get all(): ProfileRun {
    const { watchedMs, ownMs, dropped } = this.#before;
    return {
      ...this.#before,
      updatedAt: this.#store.clock.now(),
      watchedMs: watchedMs + this.#recorder.now() - this.#beganAt,
      ownMs: ownMs + this.#recorder.ownMs,
      dropped: dropped + this.#recorder.dropped,
    };
  }

  #nothing(): ProfileRun {
    const at = this.#store.clock.now();
    return { id: ALL, plan: ALL, beganAt: at, updatedAt: at, watchedMs: 0, ownMs: 0, dropped: 0 };
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = this.#store.clock.setTimeout(() => {
      this.#timer = undefined;
      void this.flush();
    }, EVERY_MS);
    // What was measured must not keep a process.
    (this.#timer as { unref?: () => void }).unref?.();
  }

  /** There is a reason to write what is new before its time. */
  soon(): void {
    if (this.#timer !== undefined && this.#recorder.now() - this.#writtenAt >= LEAST_MS) void this.flush();
  }

  /** Writes what is new; resolves when that is committed, or lost. Never rejects. */
  flush(): Promise<void> {
    this.#last = this.#last.then(() => this.#flush());
    return this.#last;
  }

  async #flush(): Promise<void> {
    let traced = this.#recorder.takeTraced();
    if (traced.length === 0 && !this.#hasNew) return;
    for (let goes = 0; goes < MOST_GOES; goes += 1) {
      if (this.#isClosed || !this.#store.isOpen || !(await this.#write(traced))) break;
      if (!this.#recorder.all.hasChanged) return;
      traced = [];
    }
    this.#arm();
  }

  get #hasNew(): boolean {
    const { all, runs } = this.#recorder;
    return all.hasChanged || [...runs.values()].some(({ profile }) => profile.hasChanged);
  }

  /** Whether it was committed. */
  async #write(traced: readonly TracedSpan[]): Promise<boolean> {
    const began = performance.now();
    const changes = this.#take(traced);
    this.#writtenAt = this.#recorder.now();
    this.isWriting = true;
    try {
      const written = this.#store.telemetry((rows) => write(rows, changes, this.#page, this.#store.clock.now()));
      this.#recorder.charge(performance.now() - began);
      await written;
    } catch {
      // The failure of the store is told by whoever waits for a turn; here nothing is lost but time.
      for (const { profile, changed, removed } of changes.profiles) profile.notKept(changed, removed);
      return false;
    } finally {
      this.isWriting = false;
    }
    for (const { profile, changed } of changes.profiles) profile.kept(changed);
    if (traced.length > 0) this.#page += 1;
    this.#forgetIdle();
    this.#onWritten();
    return true;
  }

  /** Writes all that is new, and no more afterwards. */
  async close(): Promise<void> {
    if (this.#timer !== undefined) this.#store.clock.clearTimeout(this.#timer);
    await this.flush();
    this.#isClosed = true;
    if (this.#timer !== undefined) this.#store.clock.clearTimeout(this.#timer);
  }

  /** Forgets all that was measured. */
  async clear(): Promise<void> {
    await this.#store.telemetry(forgetAll);
    // It is watched from now on, and not since this life began.
    this.#before = { ...this.#nothing(), watchedMs: this.#beganAt - this.#recorder.now() };
  }

  #take(traced: readonly TracedSpan[]): Changes {
    const { all, runs } = this.#recorder;
    const taken = (run: string, profile: Profile, most?: number): ProfileChanges => ({
      run,
      profile,
      changed: profile.takeChanged(most),
      removed: profile.takeRemoved(),
    });
    // All of a run are written together: it is forgotten when it ends.
    const ofRuns = [...runs.values()].map((run) => ({ run, changes: taken(run.id, run.profile) }));
    const changed = ofRuns.filter(({ changes }) => changes.changed.length > 0);
    return {
      runs: [...changed.map(({ run }) => this.asRow(run)), this.all],
      profiles: [...ofRuns.map(({ changes }) => changes), taken(ALL, all, AT_ONCE)],
      traced,
    };
  }

  /** A run of a plan, up to now. */
  asRow({ id, plan, beganAt }: MeasuredRun): ProfileRun {
    const now = this.#store.clock.now();
    return { id, plan, beganAt, updatedAt: now, watchedMs: Math.max(0, now - beganAt), ownMs: 0, dropped: 0 };
  }

  #forgetIdle(): void {
    const now = this.#recorder.now();
    for (const { id, open, usedAt, profile } of this.#recorder.runs.values())
      if (open === 0 && !profile.hasChanged && now - usedAt >= IDLE_MS) this.#recorder.forgetRun(id);
  }
}

function write(rows: Rows, { runs, profiles, traced }: Changes, page: number, at: number): void {
  for (const run of runs) {
    writeRun(rows, run);
    if (run.id !== ALL) forgetRuns(rows, run.plan);
  }
  for (const { run, changed, removed } of profiles) {
    for (const node of removed) removeOperation(rows, run, node);
    for (const node of changed) if (node.gone === undefined) writeOperation(rows, run, node);
  }
  if (traced.length > 0) writeTrace(rows, page + 1, at, traced);
}
