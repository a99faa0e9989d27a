/** The host's side of a running supervisor: typed calls in, outcomes out. It decides nothing; it sends events and reads rows. */
import { PerdureError, isPerdureError, messageOf } from '../errors.ts';
import type { ComponentCommand } from '../machines/component.ts';
import type { DegradationContext } from '../machines/degradation.ts';
import type { Submission } from '../machines/executor.ts';
import type { Health } from '../machines/health.ts';
import { shown } from '../machines/option-keys.ts';
import type { Outcome } from '../machines/outcome.ts';
import type { UrgencyOptions } from '../machines/urgency.ts';
import type { Plan } from '../machines/tracks.ts';
import type { SupervisorCommand, SupervisorEmitted, supervisorMachine } from '../machines/supervisor.ts';
import type { DurableActor, Receipt, Resumption, SendOptions } from '../persistence/durable.ts';
import { BackPressure } from './back-pressure.ts';
import { SupervisorCheckpoints } from './checkpoints.ts';
import { checkId } from './action-options.ts';
import { checkedAnswer, type Answer } from './answer.ts';
import { decidableApproval, openApprovals, type Approval } from './approval-ledger.ts';
import { ENDING_GRACE_MS, type Attempts } from './attempt.ts';
import type { Actions, InputOf, PolicyOverrides, Registry, ValueOf } from './actions.ts';
import { resized, type Background } from './background.ts';
import { checkedConcurrency } from './concurrency.ts';
import { startWork, type WorkHost } from './continuous-work.ts';
import { DeadLetters } from './dead-letters.ts';
import { openDebts } from './debts.ts';
import { healthNow } from './health.ts';
import { backingOffId, delayedId } from './impatience.ts';
import { planOutcome, readAction, readOutcome, readPlan, readSteps, type PlanOutcome } from './ledger.ts';
import type { DebtRow } from './queue-tables.ts';
import { DEFAULT_QUEUE, checkedOnFull, type OnFull, type Queueing } from './queue-options.ts';
import { plannedOf, refuseChanges, type PlanOptions } from './plan-input.ts';
import { requestOf } from './reprioritise.ts';
import type { Restorer } from './restorer.ts';
import { optimize, type Adjustment } from './optimization.ts';
import { planProgress, type PlanProgress } from './plan-progress.ts';
import { SupervisorProfiler } from './profiler.ts';
import type { Profiling } from './profiling.ts';
import type { Progress } from './progress.ts';
import { Schedules } from './schedules.ts';
import { SupervisorQueues } from './queues.ts';
import { Resources } from './resources.ts';
import type { ResourceWatch } from './resource-watch.ts';
import { Settlements } from './settlements.ts';
import type { Stall, StallMonitor } from './stall-monitor.ts';
import { standingOf } from './standing.ts';
import { NO_THREADS, statsOf, type Stats } from './stats.ts';
import { isKnown, refuseOthers, refuseTaken, submissionOf, type QueueingOptions } from './submissions.ts';
import { checkCall } from './submission-options.ts';
import { joined, type UniqueOptions } from './unique.ts';
import { sealed, sealedPolicy } from './values.ts';
import { waited, type WaitOptions } from './waiting.ts';
import type { ContinuousWorkOptions, WorkHandle } from './work-options.ts';

/** Options of {@link Supervisor.submit}. */
export interface SubmitOptions extends PolicyOverrides, QueueingOptions {
  /** Makes the call repeatable: the same id joins the running action, or gets its outcome. Default: a new UUID v7. */
  readonly id?: string;
  /** Cancels the action when it is aborted, or the waiting for room in its queue. */
  readonly signal?: AbortSignal;
  /** Joins an action of the same key that there is, and gives the handle of that. Default: it is work of its own. */
  readonly unique?: UniqueOptions;
  /** What happens when its queue is full. Default: as the queue says. */
  readonly onFull?: OnFull;
}

/** An action that was submitted. */
export interface ActionHandle<TValue> {
  readonly id: string;
  /** Resolves with the one outcome, also of a failure. Rejects only when the supervisor is closed or its store fails. */
  readonly outcome: Promise<Outcome<TValue>>;
  /**
   * The outcome, or undefined when there is none after `timeoutMs`; 0 asks without waiting. Default: as long as it takes.
   * Throws OPTIONS_INVALID, and what `outcome` rejects with.
   */
  wait(options?: WaitOptions): Promise<Outcome<TValue> | undefined>;
  /** What the work tells while it runs: telemetry, from now on. */
  readonly progress: AsyncIterable<unknown>;
  /** Resolves once the request is durable; the outcome tells what came of it. */
  cancel(): Promise<void>;
}

/** A plan that was submitted. */
export interface PlanHandle {
  readonly id: string;
  readonly outcome: Promise<PlanOutcome>;
  cancel(): Promise<void>;
}

/** What the supervisor is made of. */
export interface SupervisorParts {
  readonly durable: DurableActor<typeof supervisorMachine>;
  readonly registry: Registry;
  readonly limits: Queueing;
  readonly newId: () => string;
  readonly progress: Progress;
  readonly attempts: Attempts;
  readonly stalls: StallMonitor;
  readonly restorer: Restorer;
  /** What this life was told, which a restore does not take back. */
  readonly life: { concurrency: number };
  readonly profiling: Profiling;
  /** There when actions run in threads. */
  readonly background?: Background;
  /** There when resources are watched. */
  readonly watch?: ResourceWatch;
  readonly closeStore: boolean;
}

/** After these there may be room in a queue. */
const ROOM_MAKERS = ['action.attempting', 'action.settled', 'approval.requested', 'reopened'];

/** A running supervisor. Made by `spawnSupervisor`. */
export class Supervisor<TActions extends Actions> implements AsyncDisposable {
  /** Actions that are submitted at certain times. */
  readonly schedules: Schedules<TActions>;
  /** What waits in which queue; pauses queues. */
  readonly queues: SupervisorQueues;
  /** Actions that have failed for good. */
  readonly deadLetters: DeadLetters;
  /** Names of committed turns that the whole can go back to. */
  readonly checkpoints: SupervisorCheckpoints;
  /** What the process runs on, and what is done when it runs short. */
  readonly resources: Resources;
  /** Where time goes. */
  readonly profiler: SupervisorProfiler;
  readonly #parts: SupervisorParts;
  readonly #settlements = new Settlements();
  readonly #backPressure = new BackPressure(() => this.#rows);
  readonly #began: number;
  readonly #runs = new Set<string>();

  constructor(parts: SupervisorParts, signal?: AbortSignal) {
    this.#parts = parts;
    this.#began = this.#now();
    const { durable } = parts;
    const host = {
      rows: () => this.#rows,
      now: () => this.#now(),
      send: (event: SupervisorCommand) => this.#send(event),
    };
    this.queues = new SupervisorQueues({ ...host, limits: parts.limits });
    this.deadLetters = new DeadLetters(host);
    this.checkpoints = new SupervisorCheckpoints({ ...host, ...parts, tree: () => this.durable });
    this.resources = new Resources(durable, parts.watch);
    this.profiler = new SupervisorProfiler({ ...host, profiling: parts.profiling, path: durable.store.path });
    this.schedules = new Schedules({
      ...host,
      submission: (name, input, options) =>
        submissionOf({ ...parts, rows: this.#rows }, name, input, options, this.#now()),
      handleOf: (id) => this.#handleOf(id),
    });
    const settlements = this.#settlements;
    durable.on('action.settled', ({ id }) => settlements.wake(id as string));
    durable.on('plan.settled', ({ plan }) => settlements.wake(`plan ${plan as string}`));
    // What a store that failed had committed all the same is in its rows.
    durable.on('reopened', () => settlements.wakeAll());
    durable.on('checkpoint.restored', () => settlements.lookAgain((key) => this.#isThere(key)));
    for (const type of ROOM_MAKERS) durable.on(type, () => this.#backPressure.look());
    const end = (error: PerdureError) => {
      settlements.end(error);
      this.#backPressure.end(error);
    };
    void durable.ended.then(end);
    const stopped = (error: unknown) => end(stoppedError(durable.id, error));
    durable.output.then(stopped, stopped);
    if (signal === undefined) return;
    const close = () => void this.close();
    if (signal.aborted) close();
    else signal.addEventListener('abort', close, { once: true });
    void durable.ended.then(() => signal.removeEventListener('abort', close));
  }

  /** The durable tree behind it. */
  get durable(): DurableActor<typeof supervisorMachine> {
    return this.#parts.durable;
  }

  /** What came back from an earlier life; undefined on the first run. */
  get resumed(): Resumption | undefined {
    return this.durable.resumed;
  }

  /** Runs an action and waits for its outcome. See {@link submit}. */
  async execute<TName extends keyof TActions & string>(
    name: TName,
    input: InputOf<TActions[TName]>,
    options: SubmitOptions = {},
  ): Promise<Outcome<ValueOf<TActions[TName]>>> {
    return (await this.submit(name, input, options)).outcome;
  }

  /**
   * Queues an action; resolves once that is durable. Throws ACTION_UNKNOWN, ACTION_CONFLICT when the id was used for
   * something else, QUEUE_FULL, CODEC_REFUSED for an input that is not plain data, OPTIONS_INVALID.
   */
  async submit<TName extends keyof TActions & string>(
    name: TName,
    input: InputOf<TActions[TName]>,
    options: SubmitOptions = {},
  ): Promise<ActionHandle<ValueOf<TActions[TName]>>> {
    checkCall(`an action ${shown(name)}`, options);
    options.signal?.throwIfAborted();
    const { registry, limits, newId } = this.#parts;
    const world = { rows: this.#rows, registry, limits };
    const submission = submissionOf(world, name, input, { ...options, id: options.id ?? newId() }, this.#now());
    const id = isKnown(this.#rows, submission) ? submission.id : await this.#enqueue(submission, options);
    return this.#handleOf(id, options.signal) as ActionHandle<ValueOf<TActions[TName]>>;
  }

  /** Queues it, or finds the action that it joins; gives that one's id. Throws QUEUE_FULL, ACTION_CONFLICT. */
  async #enqueue(made: Submission, { onFull, unique, signal }: SubmitOptions): Promise<string> {
    const { id, queue = DEFAULT_QUEUE } = made;
    const policy = this.#parts.limits.queues.get(queue);
    const most = policy?.maxWaiting ?? undefined;
    const submission = most === undefined ? made : { ...made, most };
    const send = () => this.#send({ type: 'supervisor.submit', submissions: [this.#sealed(submission)] });
    if (unique === undefined && most === undefined) {
      await send();
      return id;
    }
    const holder = () => joined(this.#rows, submission, unique?.onConflict);
    const found = () => (isKnown(this.#rows, submission) ? id : holder());
    const enter = async () => {
      // While it waited its id may have come, or another of its key; and the turn decides: another may have been faster.
      const there = found();
      if (there === undefined) await send();
      return there ?? found();
    };
    const full = checkedOnFull(onFull) ?? policy?.onFull ?? 'wait';
    return holder() ?? this.#backPressure.enter(submission, full, enter, signal);
  }

  #handleOf(id: string, signal?: AbortSignal): ActionHandle<unknown> {
    const outcome = this.#settlements.of(id, () => readOutcome(this.#rows, id));
    const cancel = () => this.cancel(id);
    cancelOn(signal, cancel, outcome);
    return {
      id,
      outcome,
      wait: (asked) => this.#wait(id, outcome, asked),
      progress: this.#parts.progress.stream(id, outcome),
      cancel,
    };
  }

  #wait(id: string, outcome: Promise<Outcome>, options: WaitOptions = {}): Promise<Outcome | undefined> {
    const { clock } = this.durable.store;
    return waited(outcome, () => readOutcome(this.#rows, id), clock, options);
  }

  /** Runs a graph of actions. Throws PLAN_CYCLE, PLAN_STEP_UNKNOWN, PLAN_INVALID, PLAN_CHANGED, ACTION_UNKNOWN. */
  async plan(options: PlanOptions): Promise<PlanHandle> {
    checkCall('a plan', options);
    options.signal?.throwIfAborted();
    const plan = this.preparePlan(options);
    if (readPlan(this.#rows, plan.id) === undefined) {
      refuseTaken(this.#rows, plan);
      await this.#send({ type: 'supervisor.plan', plan: this.#sealedPlan(plan) });
    } else refuseChanges(plan, readSteps(this.#rows, plan.id));
    return this.joinPlan(plan.id, options.signal);
  }

  /** The handle of a plan that was submitted before. Throws ACTION_NOT_FOUND. */
  joinPlan(id: string, signal?: AbortSignal): PlanHandle {
    checkId('A plan', id);
    if (readPlan(this.#rows, id) === undefined) throw this.#noPlan(id);
    const outcome = this.#settlements.of(`plan ${id}`, () => planOutcome(this.#rows, id));
    const cancel = async () => void (await this.#send({ type: 'supervisor.cancelPlan', plan: id, at: this.#now() }));
    cancelOn(signal, cancel, outcome);
    return { id, outcome, cancel };
  }

  /**
   * How far a plan has come: a tree of its groups, fan-outs and steps, each with the part of its estimated work that is done and
   * how long it will still take. Throws ACTION_NOT_FOUND.
   *
   * @example
   * const { done, etaMs, children } = supervisor.progress('nightly:3');
   */
  progress(plan: string): PlanProgress {
    checkId('A plan', plan);
    const slots = this.durable.getSnapshot().context.concurrency;
    const progress = planProgress(this.#rows, plan, slots, this.#now());
    if (progress === undefined) throw this.#noPlan(plan);
    return progress;
  }

  /** Puts other definitions into a plan that goes on: new steps, changed ones that have no outcome yet, and removals. */
  async amendPlan(plan: Plan, removed: readonly string[]): Promise<void> {
    refuseOthers(this.#rows, plan);
    await this.#send({ type: 'supervisor.amendPlan', plan: this.#sealedPlan(plan), removed });
  }

  /** Gives the failed, skipped and cancelled steps of a plan another round. Throws ACTION_NOT_FOUND. */
  async retryPlan(id: string): Promise<void> {
    checkId('A plan', id);
    if (readPlan(this.#rows, id) === undefined) throw this.#noPlan(id);
    await this.#send({ type: 'supervisor.retryPlan', plan: id, at: this.#now() });
  }

  /** A plan as it will be stored: checked, ranked, its actions known. */
  preparePlan(options: PlanOptions): Plan {
    const { registry, limits, newId } = this.#parts;
    if (options.id !== undefined) checkId('A plan', options.id);
    const known = options.id === undefined ? undefined : readPlan(this.#rows, options.id);
    const at = this.#now();
    const plan = plannedOf(options, {
      rows: this.#rows,
      registry,
      limits,
      newId,
      at,
      since: known?.submitted_at ?? at,
    });
    const { concurrency } = this.durable.getSnapshot().context;
    return { ...plan, slots: Math.min(concurrency, plan.concurrency ?? concurrency) };
  }

  /** Cancels an action: one that waits at once, one that runs as soon as its attempt has ended. Throws ACTION_NOT_FOUND. */
  async cancel(id: string): Promise<void> {
    checkId('An action', id);
    if (readAction(this.#rows, id) === undefined) {
      throw new PerdureError('ACTION_NOT_FOUND', `There is no action "${id}" in ${this.durable.store.path}.`, {
        facts: { id },
      });
    }
    await this.#send({ type: 'supervisor.cancel', ids: [id], at: this.#now() });
  }

  /**
   * Makes an action that waits more or less urgent; what is not said stays. The id of a step stands for its action, once that is
   * queued. Resolves when it is durable; one that begins meanwhile just runs. Throws OPTIONS_INVALID, ACTION_NOT_FOUND, and
   * ACTION_CONFLICT for one that does not wait.
   *
   * @example
   * await supervisor.reprioritise('invoice:7', { isAwaited: true, dueAt: Date.now() + 60_000 });
   */
  async reprioritise(id: string, options: UrgencyOptions): Promise<void> {
    checkId('An action', id);
    await this.#send({ type: 'supervisor.reprioritise', ...requestOf(this.#rows, id, options, this.#now()) });
  }

  /**
   * Begins the next attempt of an action that backs off, or waits for its component, now; of a pause and an open breaker it is kept
   * as ever, and the delays after it are those that they would have been. The id of a step stands for its action. Resolves when it
   * is durable. Throws ACTION_NOT_FOUND, and ACTION_CONFLICT for one that does not wait so.
   *
   * @example
   * await supervisor.retryNow('invoice:7');
   */
  async retryNow(id: string): Promise<void> {
    checkId('An action', id);
    await this.#send({ type: 'supervisor.retryNow', id: backingOffId(this.#rows, id) });
  }

  /**
   * Queues an action now that was submitted for later (`notBefore`, `delayMs`): it begins when there is room. Resolves when it is
   * durable. Throws ACTION_NOT_FOUND, and ACTION_CONFLICT for one that is not delayed.
   *
   * @example
   * await supervisor.runNow('reminder:7');
   */
  async runNow(id: string): Promise<void> {
    checkId('An action', id);
    await this.#send({ type: 'supervisor.runNow', id: delayedId(this.#rows, id) });
  }

  /** What somebody must say a word about, the oldest first. */
  approvals(): Approval[] {
    return openApprovals(this.#rows);
  }

  /**
   * Lets an action run that asks, by its approval's id or its own. Throws APPROVAL_NOT_FOUND, APPROVAL_DECIDED,
   * OPTIONS_INVALID.
   *
   * @param answer who says so (default: `host`), and why.
   */
  async approve(id: string, answer: Answer = {}): Promise<void> {
    await this.#decide(id, 'approve', answer);
  }

  /** Does not let it run: its outcome is `denied`. See {@link approve}. */
  async deny(id: string, answer: Answer = {}): Promise<void> {
    await this.#decide(id, 'deny', answer);
  }

  async #decide(id: string, decision: 'approve' | 'deny', answer: Answer): Promise<void> {
    checkId('An approval', id);
    const { by, note } = checkedAnswer(answer);
    const approval = decidableApproval(this.#rows, id);
    await this.#send({ type: 'supervisor.decide', id: approval.id, decision, by, note, at: this.#now() });
  }

  /**
   * Tells a component what to do: `bypass` lets nobody call it, `restore` takes that back, `reset` also forgets what went
   * wrong. Throws COMPONENT_NOT_FOUND.
   */
  async component(name: string, command: ComponentCommand): Promise<void> {
    const known = Object.keys(this.#standing.components);
    if (!known.includes(name)) {
      throw new PerdureError(
        'COMPONENT_NOT_FOUND',
        `There is no component "${name}"; there are: ${known.join(', ') || 'none'}.`,
        {
          facts: { name, known },
        },
      );
    }
    await this.#send({ type: 'supervisor.component', component: name, command, at: this.#now() });
  }

  /** What is owed since a fallback stood in for the real work, the oldest first. */
  debts(): DebtRow[] {
    return openDebts(this.#rows);
  }

  /**
   * Does the real work that is owed, as optional actions that come last; of one component, or of all. Also what failed for
   * good when it was tried, or is not due yet.
   */
  async workOff(component: string | null = null): Promise<void> {
    if (component !== null) checkId('A component', component);
    await this.#send({ type: 'supervisor.workOff', component, at: this.#now(), asked: true });
  }

  /** How well it is. Answers also when the store does not, and when it is closed. */
  health(): Health {
    return healthNow(this.durable, this.#settlements.ended);
  }

  /** What was done since the store was created, and how everything stands. */
  stats(): Stats {
    this.durable.store.assertOpen();
    return statsOf(this.durable, this.#began, this.#parts.background?.stats ?? NO_THREADS);
  }

  /**
   * Moves the thresholds of the gate to where outcomes say that they belong, within bounds, and tells what was moved: nothing
   * unless new outcomes say so.
   */
  optimize(): Promise<readonly Adjustment[]> {
    return optimize(this.durable);
  }

  /**
   * Forgets what the error budget was charged and what the gate has learned, and closes every breaker. What was done stays done,
   * and what an operator bypasses stays bypassed.
   */
  async reset(): Promise<void> {
    const components = Object.entries(this.#standing.components)
      .filter(([, { status }]) => status !== 'bypassed')
      .map(([name]) => name);
    await this.#send({ type: 'supervisor.reset', components, at: this.#now() });
  }

  /**
   * Lets another number of actions run at once, from 1 to 1,000, and another number of threads, from 1 to 64; what runs already
   * may end. Until the next start. Throws OPTIONS_INVALID, also for threads where no action runs in any.
   */
  async configure(options: { readonly concurrency?: number; readonly threads?: number }): Promise<void> {
    const { concurrency, threads } = options;
    if (concurrency !== undefined || threads === undefined) checkedConcurrency(concurrency as number);
    if (threads !== undefined) resized(this.#parts.background, threads);
    if (concurrency === undefined) return;
    this.#parts.life.concurrency = concurrency;
    await this.#send({ type: 'supervisor.configure', concurrency });
  }

  /**
   * Works until the goal is reached and nothing is left unfinished, until the time is up, or until it is told to stop. Throws
   * OPTIONS_INVALID, and ACTION_CONFLICT while a run of the same id is under way.
   *
   * @example
   * const run = await supervisor.workContinuously({ id: 'night:1', maxHours: 8, work: items() });
   * const { reason, done, unfinished } = await run.outcome;
   */
  workContinuously(options: ContinuousWorkOptions<TActions> = {}): Promise<WorkHandle> {
    const { durable, newId } = this.#parts;
    const submit: WorkHost['submit'] = (name, input, more) => this.submit(name, input as never, more);
    return startWork({ durable, newId, submit, runs: this.#runs }, options as unknown as ContinuousWorkOptions);
  }

  /**
   * Admits nothing more; resolves when no attempt is under way. An action that waits for its next attempt, or for its component,
   * does not begin one before {@link resume}.
   */
  async pause(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#send({ type: 'supervisor.pause' });
    await this.durable.waitFor((snapshot) => !snapshot.matches('pausing'), options);
  }

  /** Admits again. */
  async resume(): Promise<void> {
    await this.#send({ type: 'supervisor.resume' });
  }

  /** Names the present turn; gives the id of the checkpoint. See {@link checkpoints}. */
  checkpoint(label?: string): Promise<string> {
    return this.checkpoints.create(label === undefined ? {} : { label });
  }

  /** Hears what the supervisor says of committed turns; and of stalls of the event loop, which are no turns. */
  on<TType extends (SupervisorEmitted | Stall)['type']>(
    type: TType,
    listener: (event: Extract<SupervisorEmitted | Stall, { type: TType }>) => void,
  ): { unsubscribe(): void } {
    if (type === 'runtime.stalled')
      return { unsubscribe: this.#parts.stalls.listen(listener as (stall: Stall) => void) };
    return this.durable.on(type, listener as never);
  }

  /**
   * Begins nothing more, waits for what runs in threads (at most `graceMs`, default 10,000), commits what is pending, aborts
   * what else runs, waits until that has ended (again at most `graceMs`), and lets go of the threads and of the store. What was
   * cut, or had not begun, goes on at the next start.
   */
  async close({ graceMs = ENDING_GRACE_MS }: { readonly graceMs?: number } = {}): Promise<void> {
    const { durable, attempts, background, watch, profiling, restorer, closeStore } = this.#parts;
    attempts.hold();
    await restorer.close();
    await background?.drain(graceMs);
    await watch?.close();
    await profiling.close();
    if (durable.store.isOpen) {
      attempts.closing();
      // What cannot be named is told to nobody: the commit of what matters more fails too, and says so.
      this.#send({ type: 'supervisor.checkpoint', reason: 'shutdown' }).catch(() => {});
    }
    await durable.close();
    await attempts.idle(graceMs);
    await background?.close();
    if (closeStore) durable.store.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Whether what somebody waits for exists: what was submitted after a checkpoint does not when that was restored. */
  #isThere(key: string): boolean {
    const plan = key.startsWith('plan ') ? readPlan(this.#rows, key.slice('plan '.length)) : undefined;
    return plan !== undefined || readAction(this.#rows, key) !== undefined;
  }

  #noPlan(id: string): PerdureError {
    return new PerdureError('ACTION_NOT_FOUND', `There is no plan "${id}" in ${this.durable.store.path}.`, {
      facts: { id },
    });
  }

  get #standing(): DegradationContext {
    return standingOf(this.durable).degradation;
  }

  get #rows() {
    this.durable.store.assertOpen();
    return this.durable.store.rows;
  }

  #now(): number {
    return this.durable.store.clock.now();
  }

  #send(event: SupervisorCommand, options?: SendOptions): Promise<Receipt> {
    return this.durable.send(event, options);
  }

  #sealed<T extends Pick<Submission, 'name' | 'input' | 'policy'>>(work: T): T {
    const { name, input, policy } = work;
    return { ...work, input: sealed(this.#rows, input), policy: sealedPolicy(this.#rows, policy, name) };
  }

  #sealedPlan(plan: Plan): Plan {
    return { ...plan, steps: plan.steps.map((step) => this.#sealed(step)) };
  }
}

function stoppedError(id: string, cause: unknown): PerdureError {
  if (isPerdureError(cause)) return cause;
  return new PerdureError('ACTOR_STOPPED', `The supervisor "${id}" stopped: ${messageOf(cause)}`, { cause });
}

function cancelOn(signal: AbortSignal | undefined, cancel: () => Promise<void>, ended: Promise<unknown>): void {
  if (signal === undefined) return;
  // A cancel that cannot be sent finds a closed supervisor, and then the outcome rejects with the reason.
  const abort = () => void cancel().catch(() => {});
  if (signal.aborted) return abort();
  signal.addEventListener('abort', abort, { once: true });
  const forget = () => signal.removeEventListener('abort', abort);
  ended.then(forget, forget);
}
