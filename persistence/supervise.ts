/**
 * Supervision of the children of a machine, with OTP's meaning: `supervise(machine, options)` copies the machine with a
 * layer around its transition, which hears of a supervised child's end before the machine does.
 *
 *   a child ends ──> childEnded ──> admit ──> join ──> advance ──┬─> finish      the group starts again
 *                                     │                   ↑      │
 *                                     └─> escalate ───────┘      └─> wait        for a shutdown, or for another turn
 *                                                                      │
 *                                            a child shut down, or DUE ┘
 *
 * What has to be remembered is in the snapshots, under `supervision`: a child's input and its place in the order of
 * starts are part of its own row, the window and a restart that waits are part of the supervisor's.
 *
 * U1  A restart that waits for nobody happens in the turn in which the child ended; one that waits goes on after a crash.
 * U2  A restart costs what XState's own copying of `children` costs; ordinary events cost nothing for other children.
 * U3  A child that ended in its own start is started again in another turn, so a restart never loops within one.
 */
import type { AnyActorScope, AnyMachineSnapshot, StateMachine } from 'xstate';
import { PerdureError, messageOf } from '../errors.ts';
import type { Clock } from './clock.ts';
import {
  admit,
  affected,
  inOrder,
  isRestarted,
  type Allowance,
  type Placed,
  type RestartType,
  type Strategy,
  type Window,
} from './supervision.ts';
import {
  addLayer,
  copyMachine,
  isMachine,
  isRunning,
  pathOf,
  putValues,
  treeOf,
  type AnyEventObject,
  type AnyRef,
  type AnySnapshot,
  type AnyStateMachine,
  type Logic,
} from './xstate-port.ts';
import {
  childrenSoFar,
  createChild,
  inputOf,
  keepField,
  keepState,
  layered,
  metaOf,
  now,
  ownClock,
  sendFrom,
  startChild,
  stopOrphans,
  stopRunning,
  tellDeadLetters,
  withField,
  witnessed,
  type Rebirth,
} from './xstate-restart.ts';

/** How the children of one `src` are supervised. */
export interface ChildSpec {
  /** `permanent` (default): restarted always, also when it finished; `transient`: after an error only; `temporary`: never. */
  readonly restart?: RestartType;
  /**
   * From where it begins again: the state before the event that killed it (`committed`, the default), or its initial
   * state with the same input. A child that finished, or that never had a good state, begins from its initial one.
   */
  readonly from?: 'committed' | 'initial';
  /**
   * How it is stopped when others are restarted with it, or when the supervisor gives up: at once (`brutal_kill`, the
   * default), or asked by a `supervisor.shutdown` event and given so many ms to finish.
   */
  readonly shutdown?: 'brutal_kill' | number;
}

/** Options of {@link supervise}. */
export interface SupervisionOptions<TSrc extends string = string> {
  readonly strategy: Strategy;
  /** How many restarts are admitted within the period; the next one is an escalation. Default: 1. */
  readonly intensity?: number;
  /** Default: 5000 ms. */
  readonly periodMs?: number;
  /** Which children are supervised, by the names of their logic. Children of other names are left to XState. */
  readonly children: { readonly [K in TSrc]?: ChildSpec };
  /**
   * The time of a system in memory, from its outermost supervisor; a durable tree has a clock of its own. Default: the
   * clock given to `createActor`, if it has a `now`, or else the wall clock.
   */
  readonly clock?: Pick<Clock, 'now'>;
}

/** The names under which a machine knows its actors. */
export type SrcOf<TMachine> =
  TMachine extends StateMachine<
    infer _Context,
    infer _Event,
    infer _Children,
    infer TActor,
    infer _Action,
    infer _Guard,
    infer _Delay,
    infer _Value,
    infer _Tag,
    infer _Input,
    infer _Output,
    infer _Emitted,
    infer _Meta,
    infer _Schema,
    infer _TransitionMeta
  >
    ? TActor['src']
    : never;

/** What a supervising actor emits. `reason` is the child's error, or `'done'` when it had finished. */
export type SupervisionEmitted =
  /** `restarts`: how many the window holds, this one included. */
  | {
      readonly type: 'child.restarted';
      readonly child: string;
      readonly src: string;
      readonly reason: unknown;
      readonly restarts: number;
    }
  /** The supervisor gives up. */
  | { readonly type: 'child.exceeded'; readonly child: string; readonly src: string; readonly reason: unknown }
  /** A temporary child failed, and the machine does not listen for it. */
  | { readonly type: 'child.failed'; readonly child: string; readonly src: string; readonly reason: unknown }
  /** Something was sent to a reference of a child that was replaced. */
  | {
      readonly type: 'child.deadLettered';
      readonly child: string;
      readonly src: string;
      readonly event: AnyEventObject;
    };

/**
 * The same machine, whose children are supervised: a child that fails does not fail its parent, it is restarted by its
 * spec. Works in a durable tree and with a plain `createActor`. Throws OPTIONS_INVALID.
 *
 * The machine's own `onError` does not hear of permanent and transient children: when the intensity is exceeded the
 * supervised children are stopped and the machine itself fails with SUPERVISION_EXCEEDED, which its parent hears.
 * `onDone` hears of transient and temporary children; `onError` of temporary ones. Restarted children are addressed by
 * `systemId` or by the parent's `sendTo(id)`: a reference to the old child is dead, and what it is sent is reported.
 *
 * @example
 * const shop = supervise(shopMachine, {
 *   strategy: 'rest_for_one',
 *   intensity: 3,
 *   periodMs: 60_000,
 *   children: { stock: { restart: 'permanent' }, orders: { restart: 'transient', shutdown: 2_000 } },
 * });
 */
export function supervise<TMachine extends AnyStateMachine>(
  machine: TMachine,
  options: SupervisionOptions<SrcOf<TMachine>>,
): TMachine {
  const policy = checked(machine, options as SupervisionOptions);
  const child = (logic: Logic, src: string) =>
    Object.hasOwn(policy.children, src) ? layered(witnessed(logic), new WeakMap(), (one) => one, rememberChild) : logic;
  const copy = copyMachine(machine, new WeakMap(), child);
  addLayer(copy, (next) => superviseChildren(next, policy));
  copy.provide = (implementations) => supervise(machine.provide(implementations), options as never);
  return copy as TMachine;
}

type Policy = Allowance &
  Pick<SupervisionOptions, 'strategy' | 'clock'> & {
    readonly children: Readonly<Record<string, Required<ChildSpec>>>;
  };

const STRATEGIES = new Set<unknown>(['one_for_one', 'one_for_all', 'rest_for_one'] satisfies Strategy[]);
const RESTARTS = new Set<unknown>(['permanent', 'transient', 'temporary'] satisfies RestartType[]);

function checked(machine: AnyStateMachine, options: SupervisionOptions): Policy {
  const { strategy, intensity = 1, periodMs = 5_000, clock } = options;
  demand(isMachine(machine), 'machine', 'an XState machine', machine);
  demand(STRATEGIES.has(strategy), 'strategy', 'one_for_one, one_for_all or rest_for_one', strategy);
  demand(Number.isSafeInteger(intensity) && intensity >= 0, 'intensity', 'a whole number, 0 or more', intensity);
  demand(Number.isFinite(periodMs) && periodMs > 0, 'periodMs', 'a number of ms greater than 0', periodMs);
  demand(typeof options.children === 'object' && options.children !== null, 'children', 'an object', options.children);
  const children = Object.entries(options.children).map(([src, spec]) => [src, checkedChild(machine, src, spec)]);
  const timed = clock === undefined ? {} : { clock };
  return { strategy, intensity, periodMs, ...timed, children: Object.fromEntries(children) as Policy['children'] };
}

function checkedChild(machine: AnyStateMachine, src: string, spec: ChildSpec | undefined): Required<ChildSpec> {
  const { restart = 'permanent', from = 'committed', shutdown = 'brutal_kill' } = spec ?? {};
  const known = Object.keys(machine.implementations.actors as object);
  demand(
    known.includes(src),
    `children.${src}`,
    `an actor that the machine implements (${known.join(', ') || 'none'})`,
    src,
  );
  demand(RESTARTS.has(restart), `children.${src}.restart`, 'permanent, transient or temporary', restart);
  demand(from === 'committed' || from === 'initial', `children.${src}.from`, 'committed or initial', from);
  const isTime = typeof shutdown === 'number' && Number.isFinite(shutdown) && shutdown >= 0;
  demand(shutdown === 'brutal_kill' || isTime, `children.${src}.shutdown`, 'brutal_kill or ms, 0 or more', shutdown);
  return { restart, from, shutdown };
}

function demand(holds: boolean, option: string, expected: string, got: unknown): void {
  if (holds) return;
  throw new PerdureError('OPTIONS_INVALID', `supervise: \`${option}\` must be ${expected}; got ${String(got)}.`, {
    facts: { option, got },
  });
}

// What is remembered.

/** Of a supervised child, in its own snapshot. */
interface ChildField {
  readonly input?: unknown;
  readonly order: number;
}

/** Of a supervisor, in its snapshot; its own parent may have its {@link ChildField} there as well. */
interface SupervisorField {
  readonly window?: Window;
  readonly restarting?: Restarting;
}

/** A restart, or a giving up, that could not be done in one turn. */
interface Restarting {
  /** Who is still to be stopped, the next one first. */
  readonly left: readonly string[];
  /** Who was asked to shut down, and is waited for. */
  readonly asked: string | null;
  /** Who begins again when all are stopped. Until then their stopped actors keep their places in `children`. */
  readonly seeds: readonly Seed[];
  readonly causes: readonly Cause[];
  /** Why the supervisor gives up, instead of starting anybody. */
  readonly failure: PerdureError | null;
}

type Seed = Rebirth & Placed;

/** Why there is a restart. */
interface Cause {
  readonly child: string;
  readonly src: string;
  readonly reason: unknown;
  readonly restarts: number;
}

const NOTHING: Restarting = { left: [], asked: null, seeds: [], causes: [], failure: null };

function fieldOf<T>(snapshot: object): Partial<T> {
  return (snapshot as { supervision?: Partial<T> }).supervision ?? {};
}

/** The place of the next child of a parent in this process; children that came back have theirs. */
const nextOrder = new WeakMap<AnyRef, number>();

function takeOrder(parent: AnyRef | undefined): number {
  if (parent === undefined) return 0;
  const order = nextOrder.get(parent) ?? 1 + lastOrder(parent);
  nextOrder.set(parent, order + 1);
  return order;
}

function lastOrder(parent: AnyRef): number {
  return childrenSoFar(parent).reduce((last, child) => Math.max(last, orderOf(child) ?? -1), -1);
}

function orderOf(ref: AnyRef): number | undefined {
  return fieldOf<ChildField>(ref.getSnapshot() as AnySnapshot).order;
}

/** A child that could not even be made comes last. */
function placeOf(ref: AnyRef): Placed {
  return { id: ref.id, order: orderOf(ref) ?? Number.MAX_SAFE_INTEGER };
}

/** The input of a child and its place are part of its state: XState forgets the first, and `children` the second. */
function rememberChild(copy: Logic): void {
  const { getInitialSnapshot } = copy;
  copy.getInitialSnapshot = (scope, input) => {
    const order = takeOrder((scope.self as AnyRef)._parent);
    const snapshot = getInitialSnapshot(scope, input) as AnySnapshot;
    return withField(snapshot, { ...fieldOf(snapshot), ...(input === undefined ? {} : { input }), order });
  };
  keepField(copy);
}

// What a supervisor does.

const SHUTDOWN = 'supervisor.shutdown';
const DUE = 'perdure.supervision.due';
/** The id of the one delayed event that a supervisor needs. */
const TIMER = 'perdure.supervision';
/** Actors that ended before their start was over (U3). */
const stillborn = new WeakSet<AnyRef>();

function superviseChildren(copy: AnyStateMachine, policy: Policy): void {
  const { transition, getInitialSnapshot, restoreSnapshot } = copy;
  copy.getInitialSnapshot = (scope, input) => {
    ownClock(scope, policy.clock);
    return getInitialSnapshot(scope, input);
  };
  copy.restoreSnapshot = (snapshot, scope) => {
    ownClock(scope, policy.clock);
    return restoreSnapshot(snapshot, scope);
  };
  copy.transition = (snapshot, event, scope) => {
    if (snapshot.status !== 'active') return transition(snapshot, event, scope);
    const onward = () => transition(snapshot, event, scope) as AnyMachineSnapshot;
    if (event.type === DUE) return new Supervision(policy, snapshot, scope).due();
    return event.type.startsWith('xstate.')
      ? childEnded(new Supervision(policy, snapshot, scope), event, onward)
      : onward();
  };
  keepField(copy);
}

const DONE = 'xstate.done.actor.';
const ERROR = 'xstate.error.actor.';

/** Decides who takes the end of a child: supervision, or `onward`, the machine itself. */
function childEnded(
  supervision: Supervision,
  event: AnyEventObject,
  onward: () => AnyMachineSnapshot,
): AnyMachineSnapshot {
  const ending = event.type.startsWith(ERROR) ? 'error' : event.type.startsWith(DONE) ? 'done' : undefined;
  const child = ending && supervision.child(event['actorId'] as string);
  const spec = child && supervision.specOf(child);
  if (child === undefined || spec === undefined || ending === undefined) return onward();
  if (!isAbout(event, child)) return supervision.before;
  if (supervision.awaits(child.id)) return supervision.shutDown();
  if (supervision.isPending(child.id)) return supervision.before;
  if (spec.restart === 'temporary') return supervision.buried(child, event, onward);
  if (!isRestarted(spec.restart, ending)) return onward();
  return supervision.ended(child, ending === 'error' ? event['error'] : 'done');
}

/** Whether the event is of this actor, and not of one that had its id before. */
function isAbout({ type, error, output }: AnyEventObject, child: AnyRef): boolean {
  const snapshot = child.getSnapshot() as AnySnapshot;
  return type.startsWith(ERROR)
    ? snapshot.status === 'error' && Object.is(snapshot.error, error)
    : snapshot.status === 'done' && Object.is(snapshot.output, output);
}

/** One step of a supervisor: from the snapshot before to the one after it. */
class Supervision {
  readonly before: AnyMachineSnapshot;
  readonly #policy: Policy;
  readonly #scope: AnyActorScope;
  readonly #stopping = new Set<AnyRef>();
  #copied: Record<string, AnyRef | undefined> | undefined;

  constructor(policy: Policy, before: AnyMachineSnapshot, scope: AnyActorScope) {
    this.before = before;
    this.#policy = policy;
    this.#scope = scope;
  }

  child(id: string): AnyRef | undefined {
    return this.#children[id];
  }

  specOf({ src }: AnyRef): Required<ChildSpec> | undefined {
    const { children } = this.#policy;
    return typeof src === 'string' && Object.hasOwn(children, src) ? children[src] : undefined;
  }

  /** Whether this child was asked to shut down. */
  awaits(id: string): boolean {
    return this.#restarting?.asked === id;
  }

  /** Whether this child begins again anyhow. */
  isPending(id: string): boolean {
    return this.#restarting?.seeds.some((seed) => seed.id === id) === true;
  }

  /** A temporary child ended: the machine may hear of it, then it is gone without a trace. */
  buried(child: AnyRef, event: AnyEventObject, onward: () => AnyMachineSnapshot): AnyMachineSnapshot {
    stopOrphans(child.getSnapshot() as AnySnapshot);
    const isHeard = event.type.startsWith(DONE) || this.before.machine.getTransitionData(this.before, event).length > 0;
    const next = isHeard ? onward() : this.before;
    if (!isHeard) this.#announce('child.failed', { child: child.id, src: child.src as string, reason: event['error'] });
    if (next.children[child.id] !== child) return next;
    const { [child.id]: _gone, ...children } = next.children;
    return { ...next, children };
  }

  /** A child ended that is to be restarted. */
  ended(child: AnyRef, reason: unknown): AnyMachineSnapshot {
    stopOrphans(child.getSnapshot() as AnySnapshot);
    const restarting = this.#restarting ?? NOTHING;
    if (restarting.failure !== null) return this.before;
    // It was to be stopped, and has done so by itself.
    if (restarting.left.includes(child.id)) return this.#after({ restarting: joined(restarting, [this.#seed(child)]) });
    const cause = { child: child.id, src: child.src as string, reason };
    const window = admit(fieldOf<SupervisorField>(this.before).window ?? [], now(this.#scope), this.#policy);
    if (window === undefined) return this.#escalate(cause, restarting);
    const counted = { ...cause, restarts: window.length };
    if (this.#policy.strategy === 'one_for_one' && !stillborn.has(child)) {
      this.#start(this.#seed(child), [counted]);
      return this.#after({ window, ...(this.#restarting === undefined ? {} : { restarting }) });
    }
    return this.#advance(this.#join(child, counted, restarting), window, stillborn.has(child));
  }

  /** The child that was asked to shut down has ended. */
  shutDown(): AnyMachineSnapshot {
    const restarting = this.#restarting as Restarting;
    const child = this.child(restarting.asked as string) as AnyRef;
    stopOrphans(child.getSnapshot() as AnySnapshot);
    if (this.specOf(child)?.restart === 'temporary') delete this.#mutable[child.id];
    this.#cancelDelay();
    return this.#advance({ ...restarting, asked: null }, this.#window);
  }

  /** The time of a shutdown is over, or the turn has come for those who ended in their start. */
  due(): AnyMachineSnapshot {
    const restarting = this.#restarting;
    if (restarting === undefined) return this.before;
    const asked = restarting.asked === null ? undefined : this.child(restarting.asked);
    if (asked !== undefined && isRunning(asked)) this.#stop(asked);
    return this.#advance({ ...restarting, asked: null }, this.#window);
  }

  /** The group of a child that ended: those who are not part of it yet are to be stopped too. */
  #join(child: AnyRef, cause: Cause, restarting: Restarting): Restarting {
    const { strategy } = this.#policy;
    const joining = { ...joined(restarting, [this.#seed(child)]), causes: [...restarting.causes, cause] };
    if (strategy === 'one_for_one') return joining;
    const group = affected(strategy, placeOf(child), this.#supervised().map(placeOf));
    const isIn = ({ id }: Placed) => restarting.asked === id || joining.seeds.some((seed) => seed.id === id);
    return { ...joining, left: namesOf(group.filter((one) => !isIn(one)).reverse()) };
  }

  /** Stops whom it can; then starts the group, or waits. */
  #advance(restarting: Restarting, window: Window, inAnotherTurn = false): AnyMachineSnapshot {
    const left = [...restarting.left];
    const seeds = [...restarting.seeds];
    let { asked } = restarting;
    while (asked === null && left.length > 0) {
      const child = this.child(left.shift() as string);
      const spec = child && this.specOf(child);
      if (child === undefined || spec === undefined) continue;
      const isKept = restarting.failure === null && this.#comesBack(child, spec);
      if (isKept) seeds.push(this.#seed(child));
      if (!isRunning(child)) continue;
      if (spec.shutdown === 'brutal_kill') this.#stop(child);
      else asked = this.#ask(child, spec.shutdown);
    }
    const next = { ...restarting, left, seeds, asked };
    if (asked === null && restarting.failure !== null) return this.#fail(restarting.failure);
    if (asked === null && !inAnotherTurn) return this.#finish(next, window);
    if (asked === null) this.#delay(0);
    return this.#after({ window, restarting: next });
  }

  /** A child that has finished is not restarted with others, unless it is permanent. */
  #comesBack(child: AnyRef, { restart }: Required<ChildSpec>): boolean {
    const ending = (child.getSnapshot() as AnySnapshot).status === 'done' ? 'done' : 'error';
    return isRestarted(restart, ending);
  }

  #finish({ seeds, causes }: Restarting, window: Window): AnyMachineSnapshot {
    if (this.#restarting !== undefined) this.#cancelDelay();
    for (const seed of inOrder(seeds)) {
      this.#start(
        seed,
        causes.filter(({ child }) => child === seed.id),
      );
    }
    return this.#after({ window });
  }

  #escalate(cause: Omit<Cause, 'restarts'>, restarting: Restarting): AnyMachineSnapshot {
    const { child, reason } = cause;
    const { intensity, periodMs } = this.#policy;
    const failure = new PerdureError(
      'SUPERVISION_EXCEEDED',
      `"${pathOf(this.#scope.self)}" gives up its child "${child}": more than ${intensity} restarts in ${periodMs} ms` +
        `${reason === 'done' ? '; it had finished' : `, the last one for: ${messageOf(reason)}`}.`,
      { facts: { child, intensity, period: periodMs }, ...(reason === 'done' ? {} : { cause: reason }) },
    );
    this.#announce('child.exceeded', cause);
    const all = inOrder(this.#supervised().map(placeOf)).reverse();
    const left = namesOf(all).filter((id) => id !== restarting.asked);
    return this.#advance({ ...restarting, left, seeds: [], failure }, this.#window);
  }

  #fail(error: PerdureError): AnyMachineSnapshot {
    for (const child of Object.values(this.#children)) {
      if (child !== undefined && !this.#stopping.has(child)) stopRunning(child, this.#scope);
    }
    this.#copied = {};
    return { ...this.#after({}), status: 'error', error } as unknown as AnyMachineSnapshot;
  }

  // One child.

  #stop(child: AnyRef): void {
    stopRunning(child, this.#scope);
    this.#stopping.add(child);
    if (this.specOf(child)?.restart === 'temporary') delete this.#mutable[child.id];
    this.#scope.defer(() => this.#bury(child));
  }

  #ask(child: AnyRef, ms: number): string {
    this.#scope.defer(() => sendFrom(this.#scope, child, { type: SHUTDOWN }));
    this.#delay(ms);
    return child.id;
  }

  #delay(ms: number): void {
    const { self, system } = this.#scope;
    this.#cancelDelay();
    this.#scope.defer(() => system.scheduler.schedule(self, self, { type: DUE }, ms, TIMER));
  }

  /** XState does not do so by itself when a delayed event gets the id of another. */
  #cancelDelay(): void {
    this.#scope.defer(() => this.#scope.system.scheduler.cancel(this.#scope.self, TIMER));
  }

  /** All that is needed to make this child again. */
  #seed(child: AnyRef): Seed {
    const snapshot = child.getSnapshot() as AnySnapshot;
    const { input = inputOf(child) } = fieldOf<ChildField>(snapshot);
    const place = placeOf(child);
    const field: ChildField = { order: place.order, ...(input === undefined ? {} : { input }) };
    const kept = this.specOf(child)?.from === 'committed' && snapshot.status !== 'done' ? keepState(child) : undefined;
    return {
      ...place,
      ...(metaOf(child) as Pick<Seed, 'src'>),
      ...field,
      // A supervisor that is restarted itself begins with a fresh window.
      ...(kept === undefined ? {} : { kept: { ...kept, snapshot: { ...kept.snapshot, supervision: field } } }),
    };
  }

  #start(seed: Seed, causes: readonly Cause[]): void {
    const old = this.child(seed.id);
    // The machine stopped it meanwhile, or has another one by that id.
    if (old === undefined || (isRunning(old) && !this.#stopping.has(old))) return;
    const { order, ...rebirth } = seed;
    const child = createChild(this.before.machine, this.#scope, rebirth);
    putValues(child, { supervision: { ...fieldOf(child.getSnapshot() as AnySnapshot), order } });
    this.#mutable[seed.id] = child;
    this.#scope.defer(() => {
      this.#bury(old);
      startChild(child, seed.kept);
      if (!isRunning(child)) stillborn.add(child);
    });
    for (const cause of causes) this.#announce('child.restarted', cause);
  }

  #bury(old: AnyRef): void {
    const about = { child: old.id, src: old.src as string };
    tellDeadLetters(old, (event) => {
      this.#scope.emit({ type: 'child.deadLettered', ...about, event } as never);
      this.#note('child.deadLettered', `"${event.type}" was sent to the child "${old.id}" of`, 'that actor is gone');
    });
  }

  // Telling.

  #announce(type: 'child.restarted' | 'child.exceeded' | 'child.failed', cause: Omit<Cause, 'restarts'>): void {
    const { child, src, reason } = cause;
    const { restarts } = cause as Cause;
    const count = restarts === undefined ? '' : `, restart ${restarts} in ${this.#policy.periodMs} ms`;
    this.#scope.defer(() => {
      this.#scope.emit({ type, ...cause } as never);
      this.#note(type, `the child "${child}" (${src}) of`, `${reason === 'done' ? 'done' : messageOf(reason)}${count}`);
    });
  }

  #note(kind: string, who: string, what: string): void {
    treeOf(this.#scope)?.incident(kind, `${who} "${pathOf(this.#scope.self)}": ${what}`);
  }

  // The snapshot.

  get #restarting(): Restarting | undefined {
    return fieldOf<SupervisorField>(this.before).restarting;
  }

  get #window(): Window {
    return fieldOf<SupervisorField>(this.before).window ?? [];
  }

  get #children(): Readonly<Record<string, AnyRef | undefined>> {
    return this.#copied ?? (this.before.children as Record<string, AnyRef | undefined>);
  }

  get #mutable(): Record<string, AnyRef | undefined> {
    return (this.#copied ??= { ...this.#children });
  }

  #supervised(): AnyRef[] {
    return Object.values(this.#children).filter(
      (child): child is AnyRef => child !== undefined && this.specOf(child) !== undefined,
    );
  }

  #after(field: SupervisorField): AnyMachineSnapshot {
    const { restarting: _ended, ...rest } = fieldOf<SupervisorField & ChildField>(this.before);
    const next = { ...this.before, children: this.#children, supervision: { ...rest, ...field } };
    return next as unknown as AnyMachineSnapshot;
  }
}

function joined(restarting: Restarting, seeds: readonly Seed[]): Restarting {
  const left = restarting.left.filter((id) => !seeds.some((seed) => seed.id === id));
  return { ...restarting, left, seeds: [...restarting.seeds, ...seeds] };
}

function namesOf(children: readonly Placed[]): string[] {
  return children.map(({ id }) => id);
}
