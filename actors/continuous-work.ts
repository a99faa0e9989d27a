/**
 * A long run: takes work as there is room, and goes on until the stop gate (machines/stop-gate.ts) opens. What it takes is in
 * the queue at once; the run itself is a row that says when it began.
 *
 * W1  Of its items no more are waiting or running than may run at once. One that somebody must be asked about holds no place.
 * W2  When it ends, it takes nothing more, and its timer, its listeners and its iterator are gone. No action is cancelled.
 * W3  A store that fails and is opened again ends no run: what could not be submitted is submitted again, under the same id.
 */
import { PerdureError } from '../errors.ts';
import type { ApprovalsNotice } from '../machines/approvals.ts';
import { isSuccess, type Outcome } from '../machines/outcome.ts';
import { decideStop, isDone, payAgainMs, type StopReason, type UnfinishedCounts } from '../machines/stop-gate.ts';
import type { SupervisorCommand } from '../machines/supervisor.ts';
import { NO_TALLY, type Tally } from './action-history.ts';
import { isPayment, payableAt } from './debts.ts';
import { readAction } from './ledger.ts';
import { isPassing, outlasting } from './outage.ts';
import { checkedId } from './plan-input.ts';
import { noteRun, readRun } from './run-tables.ts';
import { roomOf, standingOf, type Tree } from './standing.ts';
import type { SubmissionOptions } from './submissions.ts';
import { LISTED, countUnfinished, listUnfinished, type Unfinished } from './unfinished.ts';
import { WorkGoal } from './work-goal.ts';
import {
  checkWork,
  type ContinuousWorkOptions,
  type WorkHandle,
  type WorkItem,
  type WorkProgress,
  type WorkReport,
} from './work-options.ts';
import { WorkSource } from './work-source.ts';

/** What a run needs of the supervisor. */
export interface WorkHost {
  readonly durable: Tree;
  readonly newId: () => string;
  readonly submit: (
    name: string,
    input: unknown,
    options: SubmissionOptions,
  ) => Promise<{ readonly outcome: Promise<Outcome> }>;
  /** Ids of the runs that are under way. */
  readonly runs: Set<string>;
}

const HOUR_MS = 3_600_000;
/** Between two looks at the time, which a suspended machine loses: ms. */
const LOOK_MS = 30_000;
/** A goal may depend on what no event tells of. */
const ASK_GOAL_MS = 1_000;
/** So many items may be set aside, waiting for somebody's word, before no more are taken. */
const MOST_ASIDE = 1_000;
/** After so many items others get their turn, also when all of them are settled already. */
const BREATH = 64;

/** What may change the verdict of the stop gate. */
const NEWS = ['action.settled', 'plan.settled', 'approval.settled', 'budget.changed', 'reopened'] as const;

/** Begins a run, or goes on with it. One that is done gives its report again. */
export async function startWork(host: WorkHost, options: ContinuousWorkOptions): Promise<WorkHandle> {
  checkWork(options);
  const { durable, runs } = host;
  const { store } = durable;
  const id = checkedId(options.id ?? host.newId(), 'run');
  options.signal?.throwIfAborted();
  store.assertOpen();
  if (runs.has(id)) {
    throw new PerdureError('ACTION_CONFLICT', `The run "${id}" is under way already: wait for its outcome.`, {
      facts: { id },
    });
  }
  const row = readRun(store.rows, id);
  if (row?.report != null) return endedRun(id, JSON.parse(row.report) as WorkReport);
  const startedAt = row?.started_at ?? store.clock.now();
  runs.add(id);
  const run = new ContinuousWork(host, options, id, startedAt);
  try {
    if (row === undefined) await run.note(null);
  } catch (error) {
    runs.delete(id);
    throw error;
  }
  run.start();
  return {
    id,
    outcome: run.outcome,
    progress: () => run.progress(),
    unfinished: () => run.unfinished(),
    stop: () => run.stop(),
  };
}

function endedRun(id: string, report: WorkReport): WorkHandle {
  return {
    id,
    outcome: Promise.resolve(report),
    progress: () => report,
    unfinished: () => report.unfinished,
    stop() {},
  };
}

/** An item that was taken and is not settled. */
interface Place {
  readonly id: string;
  readonly isOptional: boolean;
  /** It waits for somebody's word, or for a handler, and not for a slot. */
  isAside: boolean;
}

/** What it waits for is not a slot. */
const ASIDE: ReadonlySet<string> = new Set(['asking', 'parked', 'delayed', 'held']);

class ContinuousWork {
  readonly outcome: Promise<WorkReport>;
  readonly #host: WorkHost;
  readonly #options: ContinuousWorkOptions;
  readonly #id: string;
  readonly #startedAt: number;
  readonly #endsAt: number;
  readonly #source: WorkSource;
  readonly #goal: WorkGoal;
  readonly #places = new Set<Place>();
  readonly #leaving: (() => void)[] = [];
  /** Items that had failed before the run began; the first hundred are listed. */
  readonly #failedBefore: Unfinished[] = [];
  #failedBeforeCount = 0;
  #tally: Tally = NO_TALLY;
  #isTaking = false;
  #isPaying = false;
  #fruitless = 0;
  #payAt = 0;
  #dueAt = 0;
  #timer: unknown;
  #isTold = false;
  #isOver = false;
  #resolve!: (report: WorkReport) => void;
  #reject!: (error: unknown) => void;

  constructor(host: WorkHost, options: ContinuousWorkOptions, id: string, startedAt: number) {
    this.#host = host;
    this.#options = options;
    this.#id = id;
    this.#startedAt = startedAt;
    this.#endsAt = startedAt + (options.maxHours ?? 4) * HOUR_MS;
    this.#source = new WorkSource(id, options.work);
    this.#goal = new WorkGoal(id, options);
    this.outcome = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever asks hears of a rejection; whoever does not must not crash the process.
    this.outcome.catch(() => {});
  }

  start(): void {
    const { signal } = this.#options;
    const { durable } = this.#host;
    void durable.ended.then((error) => this.#fail(error));
    for (const type of NEWS) this.#listen(type, () => this.#moved());
    this.#listen('action.settled', (event) => this.#notePayment(event as { id: string; kind: Outcome['kind'] }));
    this.#listen('approval.requested', (event) => this.#setAside(event as Asked, true));
    this.#listen('approval.settled', (event) => this.#setAside(event as Asked, false));
    if (signal?.aborted === true) this.#isTold = true;
    else if (signal !== undefined) {
      const stop = () => this.stop();
      signal.addEventListener('abort', stop, { once: true });
      this.#leaving.push(() => signal.removeEventListener('abort', stop));
    }
    this.#moved();
  }

  stop(): void {
    this.#isTold = true;
    this.#consider();
  }

  progress(): WorkProgress {
    return {
      id: this.#id,
      startedAt: this.#startedAt,
      endsAt: this.#endsAt,
      at: this.#now(),
      taken: this.#source.taken,
      open: this.#places.size,
      tally: this.#tally,
    };
  }

  unfinished(): Unfinished[] {
    const own: Unfinished[] = [];
    if (this.#source.hasMore && this.#goal.isReached !== true)
      own.push({ kind: 'work', id: this.#id, why: 'there may be work that was not taken yet' });
    if (this.#goal.isReached === false) own.push({ kind: 'goal', id: this.#id, why: 'the goal is not reached' });
    return [...listUnfinished(this.#rows, this.#startedAt), ...this.#failedBefore, ...own];
  }

  /** Keeps when it began and, when it is done, its report. */
  async note(report: WorkReport | null): Promise<void> {
    const { commits } = this.#host.durable.store;
    const row = {
      id: this.#id,
      started_at: this.#startedAt,
      ended_at: report?.at ?? null,
      report: report === null ? null : JSON.stringify(report),
    };
    await outlasting(this.#host.durable, () => commits.transact(() => noteRun(commits.rows, row)));
  }

  get #rows() {
    return this.#host.durable.store.rows;
  }

  #now(): number {
    return this.#host.durable.store.clock.now();
  }

  #listen(type: string, listener: (event: object) => void): void {
    const subscription = this.#host.durable.on(type, listener);
    this.#leaving.push(() => subscription.unsubscribe());
  }

  /** Something happened: perhaps there is room, perhaps the goal is reached, perhaps it is all over. */
  #moved(): void {
    if (this.#isOver) return;
    try {
      this.#askGoal();
    } catch (error) {
      return this.#fail(error);
    }
    void this.#take();
    this.#consider();
  }

  /** Takes work while there is room. */
  async #take(): Promise<void> {
    if (this.#isTaking) return;
    this.#isTaking = true;
    try {
      while (this.#takes()) {
        const item = await this.#source.take();
        if (item === undefined || this.#isOver) break;
        this.#begin(item);
        if (this.#source.taken % BREATH === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isTaking = false;
    }
    this.#consider();
  }

  #takes(): boolean {
    return !this.#isOver && this.#source.hasMore && this.#goal.isReached !== true && this.#hasRoom();
  }

  /** W1. Optional work that is left out for now holds no place either. */
  #hasRoom(): boolean {
    const { executor } = standingOf(this.#host.durable);
    let held = 0;
    for (const { isAside, isOptional } of this.#places)
      if (!isAside && !(isOptional && executor.freezesOptional)) held += 1;
    return held < roomOf(executor) && this.#places.size - held < MOST_ASIDE;
  }

  #begin({ action, input, id = this.#host.newId(), ...options }: WorkItem): void {
    const place: Place = { id, isOptional: options.optional === true, isAside: false };
    this.#places.add(place);
    void this.#follow(place, action, input, options).catch((error) => this.#fail(error));
  }

  /** Has an item done. W3. */
  async #follow(place: Place, action: string, input: unknown, options: Omit<SubmissionOptions, 'id'>): Promise<void> {
    const { id } = place;
    const { outcome } = await outlasting(this.#host.durable, () =>
      this.#host.submit(action, input, { ...options, id }),
    );
    if (this.#isOver) return;
    const state = readAction(this.#rows, id)?.state;
    place.isAside = state !== undefined && ASIDE.has(state);
    this.#settle(place, await outcome);
  }

  #settle(place: Place, { kind, settledAt }: Outcome): void {
    if (this.#isOver) return;
    this.#places.delete(place);
    this.#tally = { ...this.#tally, [kind]: this.#tally[kind] + 1 };
    if (kind === 'failed' && settledAt < this.#startedAt) this.#noteFailedBefore(place.id);
    this.#tell();
    this.#moved();
  }

  #noteFailedBefore(id: string): void {
    this.#failedBeforeCount += 1;
    if (this.#failedBefore.length < LISTED)
      this.#failedBefore.push({ kind: 'failed', id, why: 'it failed before the run began' });
  }

  #tell(): void {
    try {
      this.#options.onProgress?.(this.progress());
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
  }

  #setAside({ action }: Asked, isAside: boolean): void {
    for (const place of this.#places) if (place.id === action) place.isAside = isAside;
    if (isAside) void this.#take();
  }

  /** A debt that was paid says that others may be, too. */
  #notePayment({ id, kind }: { readonly id: string; readonly kind: Outcome['kind'] }): void {
    if (this.#fruitless === 0 || !isSuccess(kind)) return;
    try {
      if (!isPayment(this.#rows, id)) return;
    } catch (error) {
      // The pause gets no shorter, and that is all.
      return isPassing(error) ? undefined : this.#fail(error);
    }
    this.#fruitless = 0;
    this.#payAt = this.#now();
  }

  /** A debt that was tried in vain has a time of its own. */
  #nextPayment(): number | null {
    const due = payableAt(this.#rows);
    if (due === null) return null;
    this.#dueAt = Math.max(this.#payAt, due);
    return this.#dueAt;
  }

  #askGoal(): void {
    this.#goal.ask(
      () => this.progress(),
      (error) => {
        if (this.#isOver) return;
        if (error === undefined) this.#consider();
        else this.#fail(error);
      },
    );
  }

  /** Asks the stop gate, and does as it says. */
  #consider(): void {
    if (this.#isOver) return;
    try {
      const verdict = decideStop({
        at: this.#now(),
        endsAt: this.#endsAt,
        isTold: this.#isTold,
        goal: this.#goal.isReached,
        hasWork: this.#source.hasMore,
        counts: () => this.#counts(1),
        payAt: () => this.#nextPayment(),
      });
      if (verdict.kind === 'end') return this.#end(verdict.reason);
      if (verdict.kind === 'workOff') void this.#workOff().catch((error) => this.#fail(error));
      this.#arm();
    } catch (error) {
      // A store that is being opened again says `reopened`.
      if (!isPassing(error)) this.#fail(error);
      else this.#arm();
    }
  }

  /** An item whose outcome was not heard yet is not finished. */
  #counts(most?: number): UnfinishedCounts {
    const counts = countUnfinished(this.#rows, this.#startedAt, most);
    const failed = counts.failed + this.#failedBeforeCount;
    return { ...counts, failed, running: Math.max(counts.running, this.#places.size > 0 ? 1 : 0) };
  }

  async #workOff(): Promise<void> {
    if (this.#isPaying) return;
    this.#isPaying = true;
    try {
      this.#payAt = this.#now() + payAgainMs(++this.#fruitless);
      const event: SupervisorCommand = { type: 'supervisor.workOff', component: null, at: this.#now() };
      await outlasting(this.#host.durable, () => this.#host.durable.send(event));
    } finally {
      this.#isPaying = false;
    }
    this.#consider();
  }

  #arm(): void {
    const { clock } = this.#host.durable.store;
    clock.clearTimeout(this.#timer);
    const now = this.#now();
    const waits = [LOOK_MS, this.#endsAt - now];
    if (this.#goal.isReached === false) waits.push(ASK_GOAL_MS);
    if (this.#dueAt > now) waits.push(this.#dueAt - now);
    this.#timer = clock.setTimeout(() => this.#moved(), Math.max(0, Math.min(...waits)));
  }

  #end(reason: StopReason): void {
    const counts = this.#counts();
    const facts = { goal: this.#goal.isReached, hasWork: this.#source.hasMore, counts: () => counts };
    const report = {
      ...this.progress(),
      reason,
      done: isDone(facts),
      unfinished: this.unfinished(),
      counts,
    };
    this.#leave();
    // A run that is not done goes on when it is started again.
    if (!report.done) return this.#resolve(report);
    this.note(report).then(
      () => this.#resolve(report),
      (error) => this.#reject(error),
    );
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#leave();
    this.#reject(error);
  }

  /** W2. */
  #leave(): void {
    this.#isOver = true;
    this.#host.durable.store.clock.clearTimeout(this.#timer);
    for (const leave of this.#leaving.splice(0)) leave();
    this.#host.runs.delete(this.#id);
    this.#source.close();
  }
}

type Asked = Pick<Extract<ApprovalsNotice, { type: 'approval.settled' }>, 'action'>;
