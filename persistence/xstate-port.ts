/**
 * Everything that leans on the inside of XState 5, in one place: the hooks into transitions, the gate in front of
 * effects, the scheduler, an actor's own snapshot, and the building of a restored tree. But for `xstate-restart.ts`, which
 * makes one actor again, nothing else in the house may know more of XState than its documented API; xstate-self-test.ts
 * proves at the first tree that it is all still there.
 *
 * A logic is rewritten once ({@link durable}) and asks, on every call, for the hooks of the actor system it runs in; so
 * one rewritten machine serves any number of trees.
 *
 * P1  `touched` is called before every transition of every actor of the tree, so whoever changed is known.
 * P2  An effect (a logic with `start`) starts only when the tree's `release` runs it: after the commit.
 * P3  A child without a name in `setup({ actors })` or without an id of its own is refused before it starts.
 * P4  Of a tree that was dropped, no transition runs and no effect speaks.
 */
import {
  Actor,
  StateMachine,
  createActor,
  type AnyActorLogic,
  type AnyActorRef,
  type AnyActorScope,
  type AnyEventObject,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type InspectionEvent,
  type Observer,
  type Snapshot,
} from 'xstate';
import { PerdureError } from '../errors.ts';
import type { Rows } from './rows.ts';

export type AnyRef = AnyActorRef;
export type AnySnapshot = Snapshot<unknown>;
export type Logic = AnyActorLogic;
type AnyActorSystem = AnyActorRef['system'];
export type { AnyEventObject, AnyStateMachine };

/** What a tree is told, and what it is asked, by the actors that run in it. */
export interface TreeHooks {
  /** The tree was dropped: its actors must not move any more. */
  readonly dropped: boolean;
  /** The tree is being restored: XState repeats snapshots to parents that have seen them before the crash. */
  readonly starting: boolean;
  /** An actor is about to take an event. */
  touched(ref: AnyRef): void;
  /** An actor was created. */
  born(ref: AnyRef): void;
  /** The transition that just ran ended, and how. */
  stepped(threw: boolean): void;
  /** Something that cannot be made durable appeared: the turn must not be committed. */
  refused(error: PerdureError): void;
  /** The outcome of an effect arrived: the beginning of a turn. */
  resulted(ref: AnyRef, event: AnyEventObject): void;
  /** Run `start` when the turn that created `ref` is committed, and `stop` when the effect is to end. */
  effectCreated(ref: AnyRef, effect: Effect): void;
  /** An event was sent to the effect of `ref`; run `tell` when the turn that sent it is committed. */
  effectTold(ref: AnyRef, tell: () => void): void;
  /** The effect of `ref` is no longer wanted; it ends when the turn that said so is committed. */
  effectEnded(ref: AnyRef): void;
  /** The turn that runs wants something done after its commit. */
  enqueue(ref: AnyRef, kind: 'action' | 'event', name: string, payload: unknown): void;
  /** Rows written in the turn that runs. */
  readonly rows: Rows;
  /** The wall-clock time of the tree. */
  now(): number;
  /** The delayed events that `ref` waits to send. */
  delayedBy(ref: AnyRef): Delayed[];
  /** Delays an event until its due time. */
  delayUntil(delayed: Delayed): void;
  /** Notes what went wrong, with the next commit. */
  incident(kind: string, detail: string): void;
}

/** An event that waits to be sent. */
export interface Delayed {
  readonly source: AnyRef;
  readonly target: AnyRef;
  readonly key: string;
  readonly event: AnyEventObject;
  /** Wall-clock ms. */
  readonly due: number;
  readonly delay: number;
}

/** Work outside the tree: a promise, a callback, an observable. */
export interface Effect {
  /** What a restart of the process does to it. */
  readonly onRestart: RestartPolicy;
  /** What becomes of it in a state of before that its tree was taken back to. */
  readonly onRestore: RestorePolicy;
  start(): void;
  stop(): void;
}

/**
 * What becomes of an effect that was running when the process died: it runs again, it fails with EFFECT_INTERRUPTED, or it
 * waits until somebody decides.
 */
export type RestartPolicy = 'rerun' | 'fail' | 'ask';

/**
 * What becomes of an effect that was running at the turn that a tree was taken back to, or from which a copy goes on: it waits
 * until somebody decides, it runs again under another key, or it fails with EFFECT_INTERRUPTED.
 */
export type RestorePolicy = 'ask' | 'run' | 'fail';

const hooksOf = new WeakMap<AnyActorSystem, TreeHooks>();
let opening: TreeHooks | undefined;

/** Undefined where nothing is durable: in `transition()`, which asks a machine what it would do. */
export function hooksFor(scope: Pick<AnyActorScope, 'system'>): TreeHooks | undefined {
  const hooks = hooksOf.get(scope.system) ?? opening;
  if (hooks !== undefined) hooksOf.set(scope.system, hooks);
  return hooks;
}

/** The tree in which an actor lives. Throws NOT_PROVIDED for an actor of no durable tree. */
export function treeOf(ref: AnyRef): TreeHooks {
  const hooks = hooksOf.get(ref.system) ?? opening;
  if (hooks !== undefined) return hooks;
  throw new PerdureError(
    'NOT_PROVIDED',
    `"${pathOf(ref)}" took an action that only a durable tree can carry out: start it with createDurableActor, or provide ` +
      'another implementation of the action.',
    { facts: { actor: pathOf(ref) } },
  );
}

const policies = new WeakMap<Logic, Policies>();

interface Policies {
  readonly onRestart?: RestartPolicy;
  readonly onRestore?: RestorePolicy;
}

/**
 * The same logic with another policy for restarts of the process than `rerun`. For logic that works outside: promises,
 * callbacks, observables. Throws OPTIONS_INVALID for a machine.
 *
 * @example
 * setup({ actors: { charge: onRestart('ask', fromPromise(charge)) } })
 */
export function onRestart<TLogic extends Logic>(policy: RestartPolicy, logic: TLogic): TLogic {
  return withPolicy('onRestart', policy, logic);
}

/**
 * The same logic with another policy than `ask` for the restore of a kept turn. For logic that works outside: promises,
 * callbacks, observables. Throws OPTIONS_INVALID for a machine.
 *
 * @example
 * setup({ actors: { watch: onRestore('run', fromCallback(watch)) } })
 */
export function onRestore<TLogic extends Logic>(policy: RestorePolicy, logic: TLogic): TLogic {
  return withPolicy('onRestore', policy, logic);
}

function withPolicy<TLogic extends Logic>(
  kind: keyof Policies,
  policy: RestartPolicy | RestorePolicy,
  logic: TLogic,
): TLogic {
  if (isMachine(logic)) {
    throw new PerdureError(
      'OPTIONS_INVALID',
      `${kind} is for logic that works outside (a promise, a callback, an observable); got the machine "${logic.id}", which ` +
        'goes on where it was: give the policy to the actors that it invokes.',
      { facts: { machine: logic.id } },
    );
  }
  const copy = { ...logic };
  policies.set(copy, { ...policies.get(logic), [kind]: policy });
  return copy;
}

/** What becomes of the effect of this actor when it was interrupted. */
export function policiesOf(ref: AnyRef): Required<Policies> {
  const { onRestart: restart = 'rerun', onRestore: restore = 'ask' } =
    policies.get((ref as unknown as { logic: Logic }).logic) ?? {};
  return { onRestart: restart, onRestore: restore };
}

const rewritten = new WeakMap<Logic, Logic>();

/** The same logic, every actor of which tells its tree what it does. */
export function durable<TLogic extends Logic>(logic: TLogic): TLogic {
  const known = rewritten.get(logic);
  if (known !== undefined) return known as TLogic;
  return (isMachine(logic) ? durableMachine(logic) : durableActorLogic(logic)) as TLogic;
}

export function isMachine(logic: unknown): logic is AnyStateMachine {
  return logic instanceof StateMachine;
}

/** Whether the value is a live XState actor. */
export function isActorRef(value: unknown): value is AnyRef {
  return value instanceof Actor;
}

function durableMachine(machine: AnyStateMachine): AnyStateMachine {
  const copy = copyMachine(machine, rewritten, durable);
  hookTransition(copy, (snapshot: AnyMachineSnapshot, next: AnyMachineSnapshot, scope) =>
    checkChildren(snapshot.children, next.children, scope.self),
  );
  return copy;
}

/** What a copy of a machine does beside what its config says, to be done by every further copy as well. */
type Layer = (copy: AnyStateMachine) => void;

const layers = new WeakMap<Logic, Layer>();

/** Adds to a copied machine what every copy of it will do too. */
export function addLayer(copy: AnyStateMachine, layer: Layer): void {
  const below = layers.get(copy);
  layers.set(copy, (next) => {
    below?.(next);
    layer(next);
  });
  layer(copy);
}

/** The same machine, whose actors are what `each` makes of them. `known` gets the copy first: a machine may contain itself. */
export function copyMachine(
  machine: AnyStateMachine,
  known: WeakMap<Logic, Logic>,
  each: (logic: Logic, src: string) => Logic,
): AnyStateMachine {
  const actors: Record<string, Logic> = {};
  const copy: AnyStateMachine = new StateMachine(
    copyInvokes(machine.config as StateConfig, each) as never,
    {
      ...(machine.implementations as object),
      actors,
    } as never,
  );
  known.set(machine, copy);
  for (const [src, logic] of Object.entries(machine.implementations.actors as Record<string, Logic>)) {
    actors[src] = each(logic, src);
  }
  const layer = layers.get(machine);
  if (layer !== undefined) addLayer(copy, layer);
  return copy;
}

interface StateConfig {
  readonly invoke?: unknown;
  readonly states?: Readonly<Record<string, StateConfig>> | undefined;
}

/** Invoked logic may be written inline: XState names it after its state, so it can be found again. */
function copyInvokes(config: StateConfig, each: (logic: Logic, src: string) => Logic): StateConfig {
  const invoke = (one: { src: unknown }) =>
    typeof one.src === 'string' ? one : { ...one, src: each(one.src as Logic, '') };
  return {
    ...config,
    ...(config.invoke === undefined ? {} : { invoke: [config.invoke].flat().map((one) => invoke(one as never)) }),
    ...(config.states === undefined
      ? {}
      : { states: Object.fromEntries(Object.entries(config.states).map(([key, s]) => [key, copyInvokes(s, each)])) }),
  };
}

function durableActorLogic(logic: Logic): Logic {
  const copy: Logic = { ...logic };
  rewritten.set(logic, copy);
  if (logic.start !== undefined) gateEffect(copy, logic);
  hookTransition(copy, () => {});
  return copy;
}

type Childed = { children?: unknown };
type Check = (snapshot: never, next: never, scope: AnyActorScope) => void;

function hookTransition(logic: Logic, check: Check): void {
  const { transition, getInitialSnapshot } = logic;
  logic.transition = (snapshot, event, scope) => {
    const hooks = hooksFor(scope);
    if (hooks === undefined) return transition(snapshot, event, scope);
    if (hooks.dropped || (hooks.starting && event.type.startsWith('xstate.snapshot.'))) return snapshot;
    hooks.touched(scope.self);
    let threw = true;
    try {
      const next = transition(snapshot, event, scope);
      if ((snapshot as Childed).children !== (next as Childed).children)
        guarded(hooks, () => check(snapshot as never, next as never, scope));
      threw = false;
      return next;
    } finally {
      hooks.stepped(threw);
    }
  };
  logic.getInitialSnapshot = (scope, input) => {
    const hooks = hooksFor(scope);
    if (hooks === undefined) return getInitialSnapshot(scope, input);
    hooks.born(scope.self);
    const snapshot = isMachine(logic)
      ? asOneStep(scope, hooks, (stepping) => getInitialSnapshot(stepping, input))
      : getInitialSnapshot(scope, input);
    guarded(hooks, () => check({ children: {} } as never, snapshot as never, scope));
    return snapshot;
  };
}

/** XState keeps the entry actions of a first state until its actor starts: together they are a step, as a transition is. */
function asOneStep<T>(scope: AnyActorScope, hooks: TreeHooks, initial: (stepping: AnyActorScope) => T): T {
  const actionExecutor: typeof scope.actionExecutor = ({ exec, ...action }) =>
    scope.actionExecutor({
      ...action,
      exec:
        exec &&
        ((info, params) => {
          try {
            exec(info, params);
          } catch (error) {
            hooks.stepped(true);
            throw error;
          }
        }),
    });
  scope.defer(() => hooks.touched(scope.self));
  const snapshot = initial({ ...scope, actionExecutor });
  scope.defer(() => hooks.stepped(false));
  return snapshot;
}

function guarded(hooks: TreeHooks, check: () => void): void {
  try {
    check();
  } catch (error) {
    hooks.refused(error as PerdureError);
    throw error;
  }
}

type Children = Readonly<Record<string, AnyRef | undefined>>;

/** In older versions of XState a machine that failed in its start has no children at all. */
function checkChildren(before: Children, after: Children | undefined, parent: AnyRef): void {
  if (before === after || after === undefined) return;
  // As often as a child comes or goes: entries would be an array for each sibling.
  for (const key of Object.keys(after)) {
    const child = after[key];
    if (child === undefined || before[key] === child) continue;
    checkNamed(child, key, parent);
  }
}

function checkNamed(child: AnyRef, key: string, parent: AnyRef): void {
  const facts = { parent: pathOf(parent), child: key };
  if (typeof child.src !== 'string') {
    throw new PerdureError(
      'INLINE_ACTOR',
      `The actor "${key}" was spawned by "${facts.parent}" from inline logic, which cannot be found again after a restart: ` +
        'name the logic in setup({ actors }) and spawn it by that name.',
      { facts },
    );
  }
  const systemId = (child as { systemId?: string }).systemId ?? '';
  if (key === '__proto__' || !isStorable(key) || !isStorable(systemId)) {
    throw new PerdureError(
      'CODEC_REFUSED',
      `"${facts.parent}" spawned "${child.src}" under the id ${JSON.stringify(key)} and the systemId ${JSON.stringify(systemId)}: ` +
        'neither may be "__proto__" or hold half of a surrogate pair.',
      { facts },
    );
  }
  if (key === 'undefined' || child.id === child.sessionId) {
    throw new PerdureError(
      'CHILD_ID_MISSING',
      `"${facts.parent}" spawned "${child.src}" without an id; ids that XState makes up start anew in every process: ` +
        `pass { id } to spawn or spawnChild.`,
      { facts },
    );
  }
}

/** Whether SQLite gives the text back as it was: half of a surrogate pair would become another character. */
export function isStorable(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/** The keys from the root down to an actor, joined by `/`; the root itself is its own id. */
export function pathOf(ref: AnyRef): string {
  const keys: string[] = [];
  for (let actor: AnyRef = ref; actor._parent !== undefined; actor = actor._parent) keys.unshift(actor.id);
  return keys.length === 0 ? ref.id : keys.join('/');
}

/** What an effect would have sent, had it failed with `error` instead of giving this result. */
export function failureInsteadOf({ type }: AnyEventObject, error: PerdureError): AnyEventObject {
  return {
    type: type.startsWith('xstate.observable.') ? 'xstate.observable.error' : 'xstate.promise.reject',
    data: error,
  };
}

const RESULTS = /^xstate\.(promise|observable)\./;
const STOP = 'xstate.stop';
const FAILED = 'perdure.effect.failed';

function gateEffect(copy: Logic, logic: Logic): void {
  policies.set(copy, policies.get(logic) ?? {});
  copy.start = (snapshot, scope) => {
    const { self } = scope;
    const hooks = hooksFor(scope);
    if (hooks === undefined) return logic.start?.(snapshot, scope);
    hooks.effectCreated(self, {
      ...policiesOf(self),
      start: () => orFail(self, () => afterwards(self, () => logic.start?.(self.getSnapshot(), scope))),
      // Asked after the actor was stopped, and logic aborts only what it believes to be active.
      stop: () => orReport(() => logic.transition({ ...self.getSnapshot(), status: 'active' }, { type: STOP }, scope)),
    });
  };
  copy.transition = (snapshot, event, scope) => {
    const hooks = hooksFor(scope);
    if (hooks === undefined) return logic.transition(snapshot, event, scope);
    if (event.type === FAILED) throw event['error'];
    if (event.type === STOP) {
      hooks.effectEnded(scope.self);
      return { ...snapshot, status: 'stopped', input: undefined };
    }
    if (RESULTS.test(event.type)) hooks.resulted(scope.self, event);
    else if (keepsNoState(logic)) {
      hooks.effectTold(scope.self, () =>
        orFail(scope.self, () => logic.transition(scope.self.getSnapshot(), event, scope)),
      );
      return snapshot;
    }
    return logic.transition(snapshot, event, scope);
  };
}

/** XState's promises, callbacks and observables change with their own results only; what they are sent is for outside. */
function keepsNoState(logic: Logic): boolean {
  return typeof logic['config'] === 'function';
}

/** As when XState starts an actor: what it is sent meanwhile is taken when `step` is done. */
function afterwards(self: AnyRef, step: () => unknown): void {
  const { mailbox } = self as unknown as { mailbox: { _active: boolean; start(): void } };
  mailbox._active = false;
  try {
    step();
  } finally {
    mailbox.start();
  }
}

function orFail(self: AnyRef, step: () => unknown): void {
  try {
    step();
  } catch (error) {
    self.send({ type: FAILED, error });
  }
}

/** A cleanup of the host that throws has no actor left to fail: it is reported as an uncaught error, after our own work. */
export function orReport(step: () => unknown): void {
  try {
    step();
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
  }
}

/** Makes an effect fail, as if its work had thrown. */
export function failEffect(ref: AnyRef, error: PerdureError): void {
  ref.send({ type: FAILED, error });
}

/** Everything that a logic and the logic of its children say in their configuration and implementations of actions. */
export function actionsOf(logic: Logic): unknown[] {
  const found: unknown[] = [];
  const seen = new Set<unknown>();
  const visit = (value: unknown): void => {
    if (seen.has(value)) return;
    seen.add(value);
    if (isMachine(value)) {
      const { context: _, ...config } = value.config as Record<string, unknown>;
      visit(config);
      Object.values(value.implementations as object).forEach(visit);
    } else if (typeof value === 'function') found.push(value);
    else if (Array.isArray(value)) value.forEach(visit);
    else if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
      Object.values(value).forEach(visit);
    }
  };
  visit(logic);
  return found;
}

/** What XState calls when an actor delays an event to another or to itself. */
export interface Scheduler {
  schedule(source: AnyRef, target: AnyRef, event: AnyEventObject, delayMs: number, id: string | undefined): void;
  cancel(source: AnyRef, id: string): void;
  cancelAll(source: AnyRef): void;
}

/** How a tree is begun: its root, not started yet, with our hooks and our scheduler in it. */
export interface RootOptions {
  readonly id: string;
  readonly input?: unknown;
  readonly snapshot?: AnySnapshot;
  readonly inspect?: Observer<InspectionEvent> | ((event: InspectionEvent) => void);
  readonly logger?: (...args: unknown[]) => void;
}

export function createRoot(logic: Logic, options: RootOptions, hooks: TreeHooks, scheduler: Scheduler): AnyRef {
  opening = hooks;
  try {
    const root = createActor(logic, options as never) as AnyRef;
    hooksOf.set(root.system, hooks);
    ownScheduler(root.system, scheduler);
    // Without an observer of errors XState throws an unhandled error into the process.
    root.subscribe({ error: () => {} });
    return root;
  } finally {
    opening = undefined;
  }
}

/** XState's scheduler forgets its timers with the process, so ours takes its place, before anything has started. */
function ownScheduler(system: AnyActorSystem, scheduler: Scheduler): void {
  Object.assign(system.scheduler, {
    schedule: scheduler.schedule.bind(scheduler),
    cancel: scheduler.cancel.bind(scheduler),
    cancelAll: scheduler.cancelAll.bind(scheduler),
  });
}

const OPTIONAL = ['output', 'error', 'input', 'context'];

/** An actor's own state, without its children: what a row holds. O(1) in the number of children. */
export function ownSnapshot(ref: AnyRef, snapshot = ref.getSnapshot() as AnySnapshot): Record<string, unknown> {
  const { logic } = ref as unknown as { logic: Logic };
  const persisted = isMachineSnapshot(snapshot)
    ? persistedMachineSnapshot(snapshot)
    : { ...(logic.getPersistedSnapshot(snapshot) as unknown as Record<string, unknown>) };
  for (const key of OPTIONAL) if (key in persisted && persisted[key] === undefined) delete persisted[key];
  return persisted;
}

function isMachineSnapshot(snapshot: AnySnapshot): snapshot is AnyMachineSnapshot {
  return 'machine' in snapshot;
}

const NOTHING = Object.freeze({});

function persistedMachineSnapshot(snapshot: AnyMachineSnapshot): Record<string, unknown> {
  const persisted = snapshot.machine.getPersistedSnapshot({
    ...snapshot,
    children: NOTHING,
    context: NOTHING,
  } as never) as unknown as Record<string, unknown>;
  delete persisted['children'];
  persisted['context'] = snapshot.context;
  return persisted;
}

/** The live children of an actor; undefined for an actor that cannot have any. */
export function childrenOf(snapshot: AnySnapshot): Children | undefined {
  return (snapshot as { children?: Children }).children;
}

/** Whether the parent is told every snapshot of this actor (`onSnapshot`): 1, 0, or null where XState was not told. */
export function isSynced(ref: AnyRef): number | null {
  const { syncSnapshot } = (ref as unknown as { options: { syncSnapshot?: boolean } }).options;
  return syncSnapshot === undefined ? null : Number(syncSnapshot);
}

/** The name and version under which a machine's rows are stored; null for other logic. */
export function machineName(logic: Logic): string | null {
  if (!isMachine(logic)) return null;
  return logic.version === undefined ? logic.id : `${logic.id}@${logic.version}`;
}

/** The logic that a machine knows by `src`, invoked inline ones included. */
export function logicOf(parent: Logic, src: string): Logic | undefined {
  if (!isMachine(parent)) return undefined;
  const named = (parent.implementations.actors as Record<string, Logic>)[src];
  if (named !== undefined) return named;
  const inline = /^xstate\.invoke\.(\d+)\.(.*)$/s.exec(src);
  if (inline === null) return undefined;
  const node = parent.root.machine.getStateNodeById(inline[2] as string);
  const logic: unknown = [node.config.invoke].flat()[Number(inline[1])]?.src;
  return typeof logic === 'object' ? (logic as Logic) : undefined;
}

/** Gives a restored actor values that could not be there when it was created. Before it is started only. */
export function putValues(ref: AnyRef, values: Readonly<Record<string, unknown>>): void {
  Object.assign(ref.getSnapshot() as object, values);
}

/** XState keeps, for ever, the stored snapshot that an actor was restored from. */
export function forgetStored(ref: AnyRef): void {
  (ref as unknown as { options: { snapshot?: unknown } }).options.snapshot = undefined;
}

/** Whether the actor was started and has not stopped, finished or failed. */
export function isRunning(ref: AnyRef): boolean {
  return (ref as unknown as { _processingStatus: number })._processingStatus === 1;
}

/** Whether the machine says anywhere that it wants this event. */
export function listensTo(logic: Logic, type: string): boolean {
  return isMachine(logic) && (logic.events as readonly string[]).includes(type);
}
