/**
 * Brings what was measured into rows: every {@link EVERY_MS} while there is something new, at checkpoints, when a run of a plan
 * ends, and when the supervisor is closed. A crash loses at most that. A write that fails is made up for by the next.
 */
import { MOST_OPERATIONS, type ProfileNode } from '../machines/profile.ts';
import type { TracedSpan } from '../machines/profile-exports.ts';
import type { Rows } from '../persistence/rows.ts';
import type { Store } from '../persistence/store.ts';
import {
  ALL,
  forgetAll,
  forgetRuns,
  lastPage,
  readRun,
  removeOperations,
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
/** Operations that are written in one go, so that no turn waits long; the others go with the next. */
const AT_ONCE = 250;
/** A run in which nothing has ended for so long is read again when it goes on, ms. */
const IDLE_MS = 60_000;

/** What one write holds. */
interface Changes {
  readonly runs: readonly ProfileRun[];
  readonly operations: readonly { readonly run: string; readonly node: ProfileNode }[];
  readonly removed: readonly { readonly run: string; readonly paths: readonly (readonly string[])[] }[];
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

  /** Writes what is new; resolves when that is committed, or lost. */
  async flush(): Promise<void> {
    if (this.#isClosed || !this.#store.isOpen) return;
    const began = performance.now();
    const changes = this.#take();
    this.#writtenAt = this.#recorder.now();
    this.isWriting = true;
    const written = this.#store.telemetry((rows) => write(rows, changes, this.#page, this.#store.clock.now()));
    this.#recorder.charge(performance.now() - began);
    try {
      await written;
      this.#page += 1;
      this.#forgetIdle();
      this.#onWritten();
    } catch {
      // The failure of the store is told by whoever waits for a turn; here nothing is lost but time.
      this.#undone(changes);
    }
    this.isWriting = false;
  }

  /** Writes all that is new, and no more afterwards. */
  async close(): Promise<void> {
    if (this.#timer !== undefined) this.#store.clock.clearTimeout(this.#timer);
    // A store that fails must not keep its supervisor from closing.
    for (let writes = 0; writes < MOST_OPERATIONS / AT_ONCE + 5 && this.#hasNew(); writes += 1) await this.flush();
    this.#isClosed = true;
  }

  /** Forgets all that was measured. */
  async clear(): Promise<void> {
    await this.#store.telemetry(forgetAll);
    // It is watched from now on, and not since this life began.
    this.#before = { ...this.#nothing(), watchedMs: this.#beganAt - this.#recorder.now() };
  }

  #hasNew(): boolean {
    if (this.#isClosed || !this.#store.isOpen) return false;
    for (const { isDirty } of this.#recorder.all.nodes()) if (isDirty) return true;
    return false;
  }

  #take(): Changes {
    const recorder = this.#recorder;
    const runs = [...recorder.runs.values()];
    const profiles = [...runs.map(({ id, profile }) => ({ id, profile })), { id: ALL, profile: recorder.all }];
    const operations: { run: string; node: ProfileNode }[] = [];
    const removed: { run: string; paths: string[][] }[] = [];
    for (const { id, profile } of profiles) {
      const paths = profile.takeRemoved();
      if (paths.length > 0) removed.push({ run: id, paths });
      for (const node of profile.nodes()) {
        // All of a run are written together: it is forgotten when it ends.
        if (!node.isDirty || (id === ALL && operations.length >= AT_ONCE)) continue;
        node.isDirty = false;
        operations.push({ run: id, node });
      }
    }
    const traced = recorder.takeTraced();
    const dirty = new Set(operations.map(({ run }) => run));
    const changed = runs.filter(({ id }) => dirty.has(id)).map((run) => this.asRow(run));
    if (operations.length >= AT_ONCE) this.#arm();
    return { runs: [...changed, this.all], operations, removed, traced };
  }

  /** A run of a plan, up to now. */
  asRow({ id, plan, beganAt }: MeasuredRun): ProfileRun {
    const now = this.#store.clock.now();
    return { id, plan, beganAt, updatedAt: now, watchedMs: Math.max(0, now - beganAt), ownMs: 0, dropped: 0 };
  }

  #undone({ operations, removed }: Changes): void {
    for (const { node } of operations) node.isDirty = true;
    for (const { run, paths } of removed) this.#profileOf(run)?.putRemoved(paths);
    this.#arm();
  }

  #profileOf(run: string) {
    return run === ALL ? this.#recorder.all : this.#recorder.runs.get(run)?.profile;
  }

  #forgetIdle(): void {
    const now = this.#recorder.now();
    for (const { id, open, usedAt } of this.#recorder.runs.values())
      if (open === 0 && now - usedAt >= IDLE_MS) this.#recorder.forgetRun(id);
  }
}

function write(rows: Rows, { runs, operations, removed, traced }: Changes, page: number, at: number): void {
  for (const run of runs) {
    writeRun(rows, run);
    if (run.id !== ALL) forgetRuns(rows, run.plan);
  }
  for (const { run, paths } of removed) removeOperations(rows, run, paths);
  for (const { run, node } of operations) if (node.gone === undefined) writeOperation(rows, run, node);
  if (traced.length > 0) writeTrace(rows, page + 1, at, traced);
}
