/**
 * What restarting an actor needs of XState's inside: the state before the event that killed it, its orphans, its
 * delayed events, and a new actor in its place. The logic of a supervised child, and of everything below it, is copied
 * with a layer that watches its transitions ({@link witnessed}).
 *
 * W1  The state before the event that killed an actor is known, with what is below it, until the actor is forgotten.
 * W2  An actor that threw leaves no child running, and nothing that its last transition began.
 * W3  `supervision` in a snapshot stays there over every transition, and is part of the persisted snapshot.
 */
import { createActor, type AnyActorScope } from 'xstate';
import { systemClock, type Clock } from './clock.ts';
import { pack, unpack, type Kept, type Path } from './kept.ts';
import {
  addLayer,
  childrenOf,
  copyMachine,
  isMachine,
  machineName,
  isRunning,
  logicOf,
  orReport,
  ownSnapshot,
  putValues,
  hooksFor,
  type AnyEventObject,
  type AnyRef,
  type AnySnapshot,
  type AnyStateMachine,
  type Delayed,
  type Logic,
} from './xstate-port.ts';

const STOP = 'xstate.stop';

/** The private parts of an actor that are used here. */
interface Inside {
  readonly logic: Logic;
  readonly systemId?: string;
  readonly _syncSnapshot?: boolean;
  readonly options: { readonly input?: unknown };
  readonly _processingStatus: number;
  readonly _snapshot: AnySnapshot | undefined;
  _stop(): void;
  _send(event: AnyEventObject): void;
}

function inside(ref: AnyRef): Inside {
  return ref as unknown as Inside;
}

// The field `supervision` of a snapshot.

type Supervised = { supervision?: unknown };

/** Makes a logic keep what is noted in its snapshots: XState knows nothing of it and drops it (W3). */
export function keepField(copy: Logic): void {
  const { transition, restoreSnapshot } = copy;
  copy.transition = (snapshot, event, scope) => carry(transition(snapshot, event, scope) as AnySnapshot, snapshot);
  if (restoreSnapshot === undefined) return;
  copy.restoreSnapshot = (snapshot, scope) => carry(restoreSnapshot(snapshot, scope) as AnySnapshot, snapshot);
}

function carry(next: AnySnapshot, before: unknown): AnySnapshot {
  const { supervision } = before as Supervised;
  if (next === before || supervision === undefined || (next as Supervised).supervision !== undefined) return next;
  return withField(next, supervision);
}

/** The snapshot with the field; XState has just made it, so a machine's is not copied. */
export function withField(snapshot: AnySnapshot, supervision: unknown): AnySnapshot {
  return 'machine' in snapshot
    ? Object.assign(snapshot, { supervision })
    : ({ ...snapshot, supervision } as unknown as AnySnapshot);
}

// Watching.

/** An actor and what is below it, as they were. */
export interface Captured {
  readonly ref: AnyRef;
  readonly snapshot: Record<string, unknown>;
  readonly delayed: readonly Delayed[];
  readonly children: readonly Captured[];
}

const witnesses = new WeakMap<Logic, Logic>();
const lastGood = new WeakMap<AnyRef, Captured>();
/** Actors that failed in the making. */
const unmade = new WeakSet<AnyRef>();
/** Callbacks that were disposed of when they threw. */
const disposed = new WeakSet<AnyRef>();
/** Actors made by the transition that runs. */
let births: AnyRef[] | undefined;

/** The same logic, watched, and all that it may invoke or spawn by name. */
export function witnessed(logic: Logic): Logic {
  const known = witnesses.get(logic);
  if (known !== undefined) return known;
  const copy = layered(logic, witnesses, witnessed, watch);
  witnesses.set(logic, copy);
  witnesses.set(copy, copy);
  return copy;
}

/** A copy of any logic with one more layer. */
export function layered(
  logic: Logic,
  known: WeakMap<Logic, Logic>,
  each: (logic: Logic, src: string) => Logic,
  layer: (copy: Logic) => void,
): Logic {
  if (!isMachine(logic)) {
    const copy = { ...logic };
    layer(copy);
    return copy;
  }
  const copy = copyMachine(logic, known, each);
  addLayer(copy, layer);
  return copy;
}

function watch(copy: Logic): void {
  const { transition, getInitialSnapshot } = copy;
  copy.transition = (snapshot, event, scope) => {
    if (event.type === STOP && disposed.has(scope.self)) return { ...snapshot, status: 'stopped' };
    const outer = births;
    const born: AnyRef[] = (births = []);
    try {
      const next = transition(snapshot, event, scope) as AnySnapshot;
      if (next.status === 'error') fell(scope.self, snapshot, event);
      return next;
    } catch (error) {
      fell(scope.self, snapshot, event);
      abandon(born);
      stopOrphans(snapshot);
      if (copy['start'] !== undefined && !isMachine(copy))
        dispose(() => transition(snapshot, { type: STOP }, scope), scope);
      throw error;
    } finally {
      births = outer;
    }
  };
  copy.getInitialSnapshot = (scope, input) => {
    const outer = births;
    const born: AnyRef[] = (births = []);
    let failed = true;
    try {
      const snapshot = getInitialSnapshot(scope, input) as AnySnapshot;
      failed = snapshot.status === 'error';
      return snapshot;
    } finally {
      births = outer;
      if (failed) {
        unmade.add(scope.self);
        abandon(born);
      } else outer?.push(scope.self, ...born);
    }
  };
}

/** W1: taken before XState cancels the timers and stops the children of an actor that failed. */
function fell(ref: AnyRef, before: AnySnapshot, event: AnyEventObject): void {
  if (before.status !== 'active') return;
  const killer = event.type.startsWith('xstate.error.actor.')
    ? childrenOf(before)?.[event['actorId'] as string]
    : undefined;
  const good = capture(ref, before, killer);
  if (good === undefined) lastGood.delete(ref);
  else lastGood.set(ref, mended(good));
}

type Mend = (captured: Captured) => Captured;

const mends = new WeakMap<Logic, Mend>();

/** Says what becomes of the state of a machine when it begins again from it. */
export function mendOnRestart(copy: Logic, mend: Mend): void {
  mends.set(copy, mend);
}

function mended(captured: Captured): Captured {
  return mends.get(inside(captured.ref).logic)?.(captured) ?? captured;
}

/** Undefined when the child whose failure is the reason never had a good state: then its parent's is not one either. */
function capture(ref: AnyRef, snapshot: AnySnapshot, killer?: AnyRef): Captured | undefined {
  const children: Captured[] = [];
  for (const child of Object.values(childrenOf(snapshot) ?? {})) {
    if (child === undefined) continue;
    const captured = child === killer ? goodState(child) : capture(child, child.getSnapshot() as AnySnapshot);
    if (captured === undefined) return undefined;
    children.push(captured);
  }
  return { ref, snapshot: ownSnapshot(ref, snapshot), delayed: delayedBy(ref), children };
}

function goodState(ref: AnyRef): Captured | undefined {
  const good = lastGood.get(ref);
  if (good !== undefined || isMachine(inside(ref).logic) || unmade.has(ref)) return good;
  // Other logic that failed in its start, and not over an event, is as it was.
  return capture(ref, { ...(ref.getSnapshot() as AnySnapshot), status: 'active', error: undefined } as AnySnapshot);
}

/** What a transition that threw began, it began in vain; its systemIds are free again (W2). */
function abandon(born: readonly AnyRef[]): void {
  for (const ref of born) if (inside(ref)._processingStatus === 0) forget(ref);
}

function forget(ref: AnyRef): void {
  inside(ref)._stop();
  registry(ref)._unregister(ref);
}

/** X21: the children of a machine that threw go on by themselves. */
export function stopOrphans(snapshot: AnySnapshot): void {
  for (const child of Object.values(childrenOf(snapshot) ?? {})) if (child !== undefined) inside(child)._stop();
}

/** XState does not tell a callback that threw to clean up. */
function dispose(stop: () => unknown, { self }: AnyActorScope): void {
  disposed.add(self);
  orReport(stop);
}

// Keeping and bringing back.

/** The state of a child as it is now, or, when it failed, as it was before the event that killed it. */
export function keepState(ref: AnyRef): Kept | undefined {
  const running = isRunning(ref) ? capture(ref, ref.getSnapshot() as AnySnapshot) : undefined;
  const captured = running === undefined ? goodState(ref) : mended(running);
  if (captured === undefined) return undefined;
  const paths = new Map<AnyRef, Path>();
  notePaths(captured, [], paths);
  return keep(captured, (value) => pack(value, (one) => paths.get(one)));
}

function notePaths({ ref, children }: Captured, path: Path, paths: Map<AnyRef, Path>): void {
  paths.set(ref, path);
  for (const child of children) notePaths(child, [...path, child.ref.id], paths);
}

function keep({ ref, snapshot, delayed, children }: Captured, packed: (value: unknown) => unknown): Kept {
  return {
    machine: machineName(inside(ref).logic),
    snapshot: packed(snapshot) as Kept['snapshot'],
    delayed: delayed.map(({ key, event, due, delay, target }) => ({
      key,
      event: packed(event) as AnyEventObject,
      due,
      delay,
      target: packed(target),
    })),
    children: children.map((child) => ({ id: child.ref.id, ...metaOf(child.ref), kept: keep(child, packed) })),
  };
}

/** What its parent said of an actor when it made it, beside id and input. */
export function metaOf(ref: AnyRef): { src: unknown; systemId?: string; syncSnapshot?: boolean } {
  const { systemId, _syncSnapshot: syncSnapshot } = inside(ref);
  return {
    src: ref.src,
    ...(systemId === undefined ? {} : { systemId }),
    ...(syncSnapshot === undefined ? {} : { syncSnapshot }),
  };
}

/** The input that an actor was made with in this process. */
export function inputOf(ref: AnyRef): unknown {
  return inside(ref).options.input;
}

/** The snapshot of an actor; one that is just being made has none yet, and XState does not let it be asked. */
export function snapshotSoFar(ref: AnyRef): AnySnapshot | undefined {
  return inside(ref)._snapshot;
}

/** How a child is made again. */
export interface Rebirth {
  readonly id: string;
  readonly src: string;
  readonly systemId?: string;
  readonly syncSnapshot?: boolean;
  readonly input?: unknown;
  readonly kept?: Kept;
}

/** A new child of the actor of `scope`, not started yet. */
export function createChild(machine: AnyStateMachine, scope: AnyActorScope, rebirth: Rebirth): AnyRef {
  const { kept, input, ...meta } = rebirth;
  const logic = logicOf(machine, rebirth.src) as Logic;
  const begin = kept === undefined ? { input } : { snapshot: assembled(kept) };
  const ref = createActor(logic, { ...meta, ...begin, parent: scope.self } as never) as AnyRef;
  if (kept !== undefined) putBack(ref, kept, ref);
  return ref;
}

function assembled({ machine, snapshot, children }: Kept): Record<string, unknown> {
  if (machine === null) return { ...snapshot };
  const nested = children.map(({ id, src, systemId, syncSnapshot, kept }) => [
    id,
    { src, systemId, syncSnapshot, snapshot: assembled(kept) },
  ]);
  return { ...snapshot, context: {}, children: Object.fromEntries(nested) as unknown };
}

/** XState revives references in a context only of own children, so contexts are put in place when all actors exist. */
function putBack(ref: AnyRef, { machine, snapshot, children }: Kept, top: AnyRef): void {
  if ((ref.getSnapshot() as AnySnapshot).status === 'error' && snapshot['status'] !== 'error') return;
  const { context, output, error, supervision } = snapshot;
  const values =
    machine !== null ? { context, output, error, ...(supervision === undefined ? {} : { supervision }) } : snapshot;
  putValues(ref, unpack(values, (path) => refAt(top, path)) as Record<string, unknown>);
  for (const { id, kept } of children) {
    const child = refAt(ref, [id]);
    if (child !== undefined) putBack(child, kept, top);
  }
}

function refAt(top: AnyRef, path: Path): AnyRef | undefined {
  let ref: AnyRef | undefined = top;
  for (const id of path) ref = ref && childrenOf(ref.getSnapshot() as AnySnapshot)?.[id];
  return ref;
}

/** Starts a child; what it and those below it had delayed waits for what remains. */
export function startChild(ref: AnyRef, kept: Kept | undefined): void {
  ref.start();
  if (kept !== undefined) delayAgain(ref, kept, ref);
}

function delayAgain(ref: AnyRef, { delayed, children }: Kept, top: AnyRef): void {
  if (!isRunning(ref)) return;
  for (const { target, event, ...rest } of delayed) {
    const swapped = unpack({ target, event }, (path) => refAt(top, path)) as Pick<Delayed, 'target' | 'event'>;
    delayUntil({ ...rest, ...swapped, source: ref });
  }
  for (const { id, kept } of children) {
    const child = refAt(ref, [id]);
    if (child !== undefined) delayAgain(child, kept, top);
  }
}

// Stopping.

interface Registry {
  _unregister(ref: AnyRef): void;
  _relay(source: AnyRef | undefined, target: AnyRef, event: AnyEventObject): void;
  readonly _snapshot: { readonly _scheduledEvents: Record<string, Scheduled> };
  readonly _clock: Partial<Clock>;
}

function registry({ system }: Pick<AnyActorScope, 'system'>): Registry {
  return system as unknown as Registry;
}

/** Stops a child as XState does: its systemIds are free at once, the actor stops when the transition is done. */
export function stopRunning(ref: AnyRef, scope: AnyActorScope): void {
  unregister(ref);
  if (!isRunning(ref)) return scope.stopChild(ref);
  scope.defer(() => scope.stopChild(ref));
}

function unregister(ref: AnyRef): void {
  for (const child of Object.values(childrenOf(ref.getSnapshot() as AnySnapshot) ?? {})) {
    if (child !== undefined) unregister(child);
  }
  registry(ref)._unregister(ref);
}

export function sendFrom(scope: AnyActorScope, target: AnyRef, event: AnyEventObject): void {
  registry(scope)._relay(scope.self, target, event);
}

/** X31: what is sent to an actor that was replaced vanishes in XState; here it is told. */
export function tellDeadLetters(ref: AnyRef, tell: (event: AnyEventObject) => void): void {
  inside(ref)._send = (event) => {
    if (!event.type.startsWith('xstate.')) tell(event);
  };
}

// Time.

const clocks = new WeakMap<object, Pick<Clock, 'now'>>();

interface Scheduled {
  readonly source: AnyRef;
  readonly target: AnyRef;
  readonly event: AnyEventObject;
  readonly id: string;
  readonly delay: number;
  startedAt: number;
}

/**
 * Gives a system in memory its clock: that of the first supervisor in it, or the one that the root was created with, if
 * that knows the time. XState notes the beginning of delays by the machine's clock; here they are noted by this one.
 */
export function ownClock(scope: AnyActorScope, given: Pick<Clock, 'now'> | undefined): void {
  const { system } = scope;
  if (hooksFor(scope) !== undefined || clocks.has(system)) return;
  const own = registry(scope)._clock;
  const clock = given ?? (own.now === undefined ? systemClock : (own as Clock));
  clocks.set(system, clock);
  const { scheduler } = system;
  const schedule = scheduler.schedule.bind(scheduler);
  scheduler.schedule = (source, target, event, delay, id = crypto.randomUUID()) => {
    schedule(source, target, event, delay, id);
    const scheduled = registry(scope)._snapshot._scheduledEvents[`${source.sessionId}.${id}`];
    if (scheduled !== undefined) scheduled.startedAt = clock.now();
  };
}

/** Wall-clock time as the tree, or the system in memory, has it. */
export function now(scope: AnyActorScope): number {
  return hooksFor(scope)?.now() ?? (clocks.get(scope.system) ?? systemClock).now();
}

function scopeOf({ system }: AnyRef): AnyActorScope {
  return { system } as AnyActorScope;
}

function delayedBy(ref: AnyRef): Delayed[] {
  const tree = hooksFor(scopeOf(ref));
  if (tree !== undefined) return tree.delayedBy(ref);
  return Object.values(registry(ref)._snapshot._scheduledEvents)
    .filter(({ source }) => source === ref)
    .map(({ source, target, event, id, delay, startedAt }) => ({
      source,
      target,
      event,
      key: id,
      due: startedAt + delay,
      delay,
    }));
}

function delayUntil(delayed: Delayed): void {
  const { source, target, event, due, key } = delayed;
  const scope = scopeOf(source);
  const tree = hooksFor(scope);
  if (tree !== undefined) return tree.delayUntil(delayed);
  source.system.scheduler.schedule(source, target, event, Math.max(0, due - now(scope)), key);
}
