/**
 * What a supervisor does: one layer around its transition, which hears of a supervised child's end before the machine does.
 *
 *   a child ends ──> childEnded ──> ended ──> #join ──> #advance ──┬─> #finish   the group starts again
 *                                     │                   ↑        │
 *                                     └──> #escalate ─────┘        ├─> #fail     the supervisor gives up
 *                                                                  └─> waits     for a shutdown, or for another turn
 *                                                                        │
 *                                       shutDown, or due: a DUE event <──┘
 *
 * U1  A restart that waits for nobody happens in the turn in which the child ended; one that waits goes on after a crash.
 * U2  A restart costs what XState's own copying of `children` costs; ordinary events cost nothing for other children.
 * U3  A child that ended in its own start is started again in another turn, so a restart never loops within one.
 */
import type { AnyActorScope, AnyMachineSnapshot } from 'xstate';
import { PerdureError, messageOf } from '../errors.ts';
import { admit, affected, inOrder, isRestarted, type Placed, type Window } from './supervision.ts';
import { DUE, TIMER, beginAgain, comesBack, isAt, seedOf, specIn } from './supervision-seed.ts';
import type { CheckedSpec, Policy } from './supervision-options.ts';
import {
  NOTHING,
  fieldOf,
  placeOf,
  type Cause,
  type ChildField,
  type Restarting,
  type Seed,
  type SupervisorField,
} from './supervision-state.ts';
import {
  isRunning,
  pathOf,
  putValues,
  hooksFor,
  type AnyEventObject,
  type AnyRef,
  type AnySnapshot,
  type AnyStateMachine,
} from './xstate-port.ts';
import {
  createChild,
  keepField,
  mendOnRestart,
  now,
  ownClock,
  sendFrom,
  startChild,
  stopOrphans,
  stopRunning,
  tellDeadLetters,
} from './xstate-restart.ts';

const SHUTDOWN = 'supervisor.shutdown';
/** Actors that ended before their start was over (U3). */
const stillborn = new WeakSet<AnyRef>();

/** The layer of a supervising machine. */
export function superviseChildren(copy: AnyStateMachine, policy: Policy): void {
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
  mendOnRestart(copy, (captured) => beginAgain(captured, policy));
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
  if (supervision.awaits(child)) return supervision.shutDown(child);
  if (supervision.isPending(child)) return supervision.before;
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

  specOf(child: AnyRef): CheckedSpec | undefined {
    return specIn(this.#policy, child);
  }

  /** Whether this child was asked to shut down. */
  awaits(child: AnyRef): boolean {
    return isAt(this.#restarting?.asked, child);
  }

  /** Whether this child begins again anyhow. */
  isPending(child: AnyRef): boolean {
    return this.#restarting?.seeds.some((seed) => isAt(seed, child)) === true;
  }

  /** A temporary child ended: the machine may hear of it, then it is gone without a trace. */
  buried(child: AnyRef, event: AnyEventObject, onward: () => AnyMachineSnapshot): AnyMachineSnapshot {
    this.#bury(child);
    const isHeard = event.type.startsWith(DONE) || this.before.machine.getTransitionData(this.before, event).length > 0;
    const next = isHeard ? onward() : this.before;
    if (!isHeard) this.#announce('child.failed', { child: child.id, src: child.src as string, reason: event['error'] });
    if (next.children[child.id] !== child) return next;
    const { [child.id]: _gone, ...children } = next.children;
    return { ...next, children };
  }

  /** A child ended that is to be restarted. */
  ended(child: AnyRef, reason: unknown): AnyMachineSnapshot {
    this.#bury(child);
    const restarting = this.#restarting ?? NOTHING;
    if (restarting.failure !== null) return this.before;
    // It was to be stopped, and has done so by itself.
    if (restarting.left.includes(child.id))
      return this.#after({ restarting: joined(restarting, [seedOf(this.#policy, child)]) });
    const cause = { child: child.id, src: child.src as string, reason };
    const window = admit(fieldOf<SupervisorField>(this.before).window ?? [], now(this.#scope), this.#policy);
    if (window === undefined) return this.#escalate(cause, restarting);
    const counted = { ...cause, restarts: window.length };
    if (this.#policy.strategy === 'one_for_one' && !stillborn.has(child)) {
      this.#start(seedOf(this.#policy, child), [counted]);
      return this.#after({ window, ...(this.#restarting === undefined ? {} : { restarting }) });
    }
    return this.#advance(this.#join(child, counted, restarting), window, stillborn.has(child));
  }

  /** The child that was asked to shut down has ended. */
  shutDown(child: AnyRef): AnyMachineSnapshot {
    this.#bury(child);
    if (this.specOf(child)?.restart === 'temporary') delete this.#mutable[child.id];
    this.#cancelDelay();
    return this.#advance({ ...(this.#restarting as Restarting), asked: null }, this.#window);
  }

  /** The time of a shutdown is over, or the turn has come for those who ended in their start. */
  due(): AnyMachineSnapshot {
    const restarting = this.#restarting;
    if (restarting === undefined) return this.before;
    const asked = restarting.asked === null ? undefined : this.child(restarting.asked.id);
    if (asked !== undefined && isAt(restarting.asked, asked) && isRunning(asked)) this.#stop(asked);
    return this.#advance({ ...restarting, asked: null }, this.#window);
  }

  /** The group of a child that ended: those who are not part of it yet are to be stopped too. */
  #join(child: AnyRef, cause: Cause, restarting: Restarting): Restarting {
    const { strategy } = this.#policy;
    const joining = { ...joined(restarting, [seedOf(this.#policy, child)]), causes: [...restarting.causes, cause] };
    if (strategy === 'one_for_one') return joining;
    const group = affected(strategy, placeOf(child), this.#supervised().map(placeOf));
    const isIn = ({ id }: Placed) => restarting.asked?.id === id || joining.seeds.some((seed) => seed.id === id);
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
      // Also when the supervisor gives up: it may be restarted itself.
      if (!seeds.some((seed) => seed.id === child.id) && comesBack(this.#policy, child))
        seeds.push(seedOf(this.#policy, child));
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
    const left = namesOf(all).filter((id) => id !== restarting.asked?.id);
    return this.#advance({ ...restarting, left, failure }, this.#window);
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

  #ask(child: AnyRef, ms: number): Placed {
    this.#scope.defer(() => sendFrom(this.#scope, child, { type: SHUTDOWN }));
    this.#delay(ms);
    return placeOf(child);
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

  #start(seed: Seed, causes: readonly Cause[]): void {
    const old = this.child(seed.id);
    // The machine stopped it meanwhile, or has another one by that id.
    if (old === undefined || !isAt(seed, old)) return;
    const { order, ...rebirth } = seed;
    const child = createChild(this.before.machine, this.#scope, rebirth);
    putValues(child, { supervision: { ...fieldOf(child.getSnapshot() as AnySnapshot), order } });
    this.#mutable[seed.id] = child;
    this.#scope.defer(() => {
      startChild(child, seed.kept);
      if (!isRunning(child)) stillborn.add(child);
    });
    for (const cause of causes) this.#announce('child.restarted', cause);
  }

  /** Of a child that ended nothing goes on, and what it is sent from now on is reported. */
  #bury(old: AnyRef): void {
    stopOrphans(old.getSnapshot() as AnySnapshot);
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
    hooksFor(this.#scope)?.incident(kind, `${who} "${pathOf(this.#scope.self)}": ${what}`);
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
