/** The host's side of a running supervisor: typed calls in, outcomes out. It decides nothing; it sends events and reads rows. */
import { PerdureError, isPerdureError, messageOf } from '../errors.ts';
import type { ComponentCommand } from '../machines/component.ts';
import type { DegradationContext } from '../machines/degradation.ts';
import type { Outcome } from '../machines/outcome.ts';
import type { Submission } from '../machines/executor.ts';
import type { Plan } from '../machines/tracks.ts';
import type { SupervisorCommand, SupervisorEmitted, supervisorMachine } from '../machines/supervisor.ts';
import type { DurableActor, Receipt, Resumption, SendOptions } from '../persistence/durable.ts';
import { decidableApproval, openApprovals, type Approval } from './approval-ledger.ts';
import { ENDING_GRACE_MS, type Attempts } from './attempt.ts';
import { versionOf, type ActionDefinition, type Actions, type PolicyOverrides, type Registry } from './actions.ts';
import { openDebts } from './debts.ts';
import { planOutcome, readAction, readOutcome, readPlan, readSteps, stepOfAction, type PlanOutcome } from './ledger.ts';
import type { DebtRow } from './queue-tables.ts';
import { checkedId, plannedOf, refuseChanges, type PlanOptions } from './plan-input.ts';
import { stepKey } from './plan-tables.ts';
import type { Progress } from './progress.ts';
import { sameText, sealed, toText } from './values.ts';

type InputOf<TAction> = TAction extends ActionDefinition<infer TInput, infer _> ? TInput : never;
type ValueOf<TAction> = TAction extends { run: (...args: never[]) => infer TValue } ? Awaited<TValue> : unknown;

/** Options of {@link Supervisor.submit}. */
export interface SubmitOptions extends PolicyOverrides {
  /** Makes the call repeatable: the same id joins the running action, or gets its outcome. Default: a new UUID v7. */
  readonly id?: string;
  /** Cancels the action when it is aborted. */
  readonly signal?: AbortSignal;
  /** Greater goes first. Default: 0. */
  readonly rank?: number;
  /** Whether it is left out while the error budget is spent. Default: false. */
  readonly optional?: boolean;
}

/** An action that was submitted. */
export interface ActionHandle<TValue> {
  readonly id: string;
  /** Resolves with the one outcome, also of a failure. Rejects only when the supervisor is closed or its store fails. */
  readonly outcome: Promise<Outcome<TValue>>;
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

/** How somebody answers an approval. */
export interface Answer {
  readonly by?: string;
  readonly note?: string | null;
}

/** What the supervisor is made of. */
export interface SupervisorParts {
  readonly durable: DurableActor<typeof supervisorMachine>;
  readonly registry: Registry;
  readonly newId: () => string;
  readonly progress: Progress;
  readonly attempts: Attempts;
  readonly closeStore: boolean;
}

/** A running supervisor. Made by `spawnSupervisor`. */
export class Supervisor<TActions extends Actions> implements AsyncDisposable {
  readonly #parts: SupervisorParts;
  readonly #settled = new Map<string, Set<() => void>>();
  #ended: PerdureError | undefined;
  readonly #onEnd = new Set<(error: PerdureError) => void>();

  constructor(parts: SupervisorParts, signal?: AbortSignal) {
    this.#parts = parts;
    const { durable } = parts;
    durable.on('action.settled', ({ id }) => this.#wake(id as string));
    durable.on('plan.settled', ({ plan }) => this.#wake(`plan ${plan as string}`));
    // What a store that failed had committed all the same is in its rows.
    durable.on('reopened', () => [...this.#settled.keys()].forEach((key) => this.#wake(key)));
    void durable.ended.then((error) => this.#end(error));
    const stopped = (error: unknown) => this.#end(stoppedError(durable.id, error));
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
   * something else, CODEC_REFUSED for an input that is not plain data.
   */
  async submit<TName extends keyof TActions & string>(
    name: TName,
    input: InputOf<TActions[TName]>,
    options: SubmitOptions = {},
  ): Promise<ActionHandle<ValueOf<TActions[TName]>>> {
    options.signal?.throwIfAborted();
    const submission = this.#submission(name, input, options);
    if (!this.#isKnown(submission))
      await this.#send({ type: 'supervisor.submit', submissions: [this.#sealed(submission)] });
    const { id } = submission;
    const outcome = this.#settlement(id, () => readOutcome(this.#rows, id));
    const cancel = () => this.cancel(id);
    cancelOn(options.signal, cancel, outcome);
    return {
      id,
      outcome: outcome as Promise<Outcome<ValueOf<TActions[TName]>>>,
      progress: this.#parts.progress.stream(id, outcome),
      cancel,
    };
  }

  /** Runs a graph of actions. Throws PLAN_CYCLE, PLAN_STEP_UNKNOWN, PLAN_INVALID, PLAN_CHANGED, ACTION_UNKNOWN. */
  async plan(options: PlanOptions): Promise<PlanHandle> {
    options.signal?.throwIfAborted();
    const plan = this.preparePlan(options);
    if (readPlan(this.#rows, plan.id) === undefined) {
      this.#refuseTaken(plan);
      await this.#send({ type: 'supervisor.plan', plan: this.#sealedPlan(plan) });
    } else refuseChanges(plan, readSteps(this.#rows, plan.id));
    return this.joinPlan(plan.id, options.signal);
  }

  /** The handle of a plan that was submitted before. Throws ACTION_NOT_FOUND. */
  joinPlan(id: string, signal?: AbortSignal): PlanHandle {
    if (readPlan(this.#rows, id) === undefined) {
      throw new PerdureError('ACTION_NOT_FOUND', `There is no plan "${id}" in ${this.durable.store.path}.`, {
        facts: { id },
      });
    }
    const outcome = this.#settlement(`plan ${id}`, () => planOutcome(this.#rows, id));
    const cancel = async () => void (await this.#send({ type: 'supervisor.cancelPlan', plan: id, at: this.#now() }));
    cancelOn(signal, cancel, outcome);
    return { id, outcome, cancel };
  }

  /** Puts other definitions into a plan that goes on: new steps, changed ones that have no outcome yet, and removals. */
  async amendPlan(plan: Plan, removed: readonly string[]): Promise<void> {
    await this.#send({ type: 'supervisor.amendPlan', plan: this.#sealedPlan(plan), removed });
  }

  /** Gives the failed, skipped and cancelled steps of a plan another round. */
  async retryPlan(id: string): Promise<void> {
    await this.#send({ type: 'supervisor.retryPlan', plan: id, at: this.#now() });
  }

  /** A plan as it will be stored: checked, ranked, its actions known. */
  preparePlan(options: PlanOptions): Plan {
    const { registry, newId } = this.#parts;
    return plannedOf(options, registry, newId, this.#now());
  }

  /** Cancels an action: one that waits at once, one that runs as soon as its attempt has ended. Throws ACTION_NOT_FOUND. */
  async cancel(id: string): Promise<void> {
    if (readAction(this.#rows, id) === undefined) {
      throw new PerdureError('ACTION_NOT_FOUND', `There is no action "${id}" in ${this.durable.store.path}.`, {
        facts: { id },
      });
    }
    await this.#send({ type: 'supervisor.cancel', ids: [id], at: this.#now() });
  }

  /** What somebody must say a word about, the oldest first. */
  approvals(): Approval[] {
    return openApprovals(this.#rows);
  }

  /**
   * Lets an action run that asks, by its approval's id or its own. Throws APPROVAL_NOT_FOUND, APPROVAL_DECIDED.
   *
   * @param by who says so. Default: `host`.
   */
  async approve(id: string, { by = 'host', note = null }: Answer = {}): Promise<void> {
    await this.#decide(id, 'approve', by, note);
  }

  /** Does not let it run: its outcome is `denied`. See {@link approve}. */
  async deny(id: string, { by = 'host', note = null }: Answer = {}): Promise<void> {
    await this.#decide(id, 'deny', by, note);
  }

  async #decide(id: string, decision: 'approve' | 'deny', by: string, note: string | null): Promise<void> {
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

  /** Does the real work that is owed, as optional actions that come last; of one component, or of all. */
  async workOff(component: string | null = null): Promise<void> {
    await this.#send({ type: 'supervisor.workOff', component, at: this.#now() });
  }

  /** Admits nothing more; resolves when what was running has ended. */
  async pause(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#send({ type: 'supervisor.pause' });
    await this.durable.waitFor((snapshot) => !snapshot.matches('pausing'), options);
  }

  /** Admits again. */
  async resume(): Promise<void> {
    await this.#send({ type: 'supervisor.resume' });
  }

  /** Names the present turn. */
  async checkpoint(label?: string): Promise<void> {
    if (label !== undefined) checkedId(label, 'checkpoint label');
    await this.#send({ type: 'supervisor.checkpoint', reason: 'request', ...(label === undefined ? {} : { label }) });
  }

  /** Hears what the supervisor says of committed turns. */
  on<TType extends SupervisorEmitted['type']>(
    type: TType,
    listener: (event: Extract<SupervisorEmitted, { type: TType }>) => void,
  ): { unsubscribe(): void } {
    return this.durable.on(type, listener as never);
  }

  /**
   * Commits what is pending, aborts what runs, waits until it has ended (at most `graceMs`, default 10,000), and lets go
   * of the store. Everything goes on at the next start.
   */
  async close({ graceMs = ENDING_GRACE_MS }: { readonly graceMs?: number } = {}): Promise<void> {
    const { durable, attempts, closeStore } = this.#parts;
    await durable.close();
    await attempts.idle(graceMs);
    if (closeStore) durable.store.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** How much the whole can still do, and how its components stand. */
  get #standing(): DegradationContext {
    const { degradation } = this.durable.getSnapshot().children;
    return (degradation as { getSnapshot(): { context: DegradationContext } }).getSnapshot().context;
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

  #sealed<T extends { readonly input: string }>(work: T): T {
    return { ...work, input: sealed(this.#rows, work.input) };
  }

  #sealedPlan(plan: Plan): Plan {
    return { ...plan, steps: plan.steps.map((step) => this.#sealed(step)) };
  }

  #submission(name: string, input: unknown, options: SubmitOptions): Submission {
    const { registry, newId } = this.#parts;
    const id = checkedId(options.id ?? newId(), 'action');
    checkRank(options.rank);
    return {
      id,
      name,
      version: versionOf(registry.get(name)),
      input: toText(input, `the input of the action "${id}"`),
      policy: registry.policyOf(name, options, input),
      optional: options.optional ?? false,
      rank: options.rank ?? 0,
      plan: null,
      at: this.#now(),
    };
  }

  /** Whether the id is in the store already, for the same work. */
  #isKnown({ id, name, version, input }: Submission): boolean {
    const row = readAction(this.#rows, id);
    if (row === undefined) {
      const step = stepOfAction(this.#rows, id);
      if (step === undefined) return false;
      throw new PerdureError(
        'ACTION_CONFLICT',
        `The id "${id}" belongs to a step of the plan "${step.plan}": give another.`,
        {
          facts: { id, plan: step.plan },
        },
      );
    }
    if (row.name === name && row.version === version && sameText(row.input, input)) return true;
    const was =
      row.name === name ? (row.version === version ? 'other input' : `version ${row.version}`) : `"${row.name}"`;
    throw new PerdureError(
      'ACTION_CONFLICT',
      `The id "${id}" was used for ${was} before; now it came with "${name}", version ${version}: give this one another id.`,
      { facts: { id, name, version, was: { name: row.name, version: row.version } } },
    );
  }

  /** The actions of its steps get ids of their own, which nobody else may have. */
  #refuseTaken({ id, steps }: Plan): void {
    const taken = steps.map((step) => stepKey(id, step.id)).find((key) => readAction(this.#rows, key) !== undefined);
    if (taken === undefined) return;
    throw new PerdureError(
      'ACTION_CONFLICT',
      `The plan "${id}" would call the action of a step "${taken}", but there is an action of that id: give the plan another id.`,
      { facts: { id: taken } },
    );
  }

  /** What `read` gives, as soon as it gives something. */
  #settlement<T>(key: string, read: () => T | undefined): Promise<T> {
    const promise = new Promise<T>((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      const present = read();
      if (present !== undefined) return resolve(present);
      const done = () => {
        const value = read();
        if (value === undefined) return;
        this.#onEnd.delete(reject);
        this.#settled.get(key)?.delete(done);
        resolve(value);
      };
      let waiting = this.#settled.get(key);
      if (waiting === undefined) this.#settled.set(key, (waiting = new Set()));
      waiting.add(done);
      this.#onEnd.add(reject);
    });
    // Whoever asks hears of a rejection; whoever does not must not crash the process.
    promise.catch(() => {});
    return promise;
  }

  #wake(key: string): void {
    const waiting = this.#settled.get(key);
    if (waiting === undefined) return;
    for (const done of waiting) done();
    if (waiting.size === 0) this.#settled.delete(key);
  }

  #end(error: PerdureError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    for (const reject of this.#onEnd) reject(error);
    this.#onEnd.clear();
    this.#settled.clear();
  }
}

function checkRank(rank: number | undefined): void {
  if (rank === undefined || Number.isFinite(rank)) return;
  throw new PerdureError('OPTIONS_INVALID', `rank must be a finite number, got ${rank}.`);
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
