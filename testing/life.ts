/**
 * One checked tree on a store of its own, from one process to the next: opened, crashed, put to sleep, and watched.
 *
 * L1  All that the tree did in committed turns of the present step is in `heard`: the events that its actors took and
 *     the actions that they ran. What a crash undid is not.
 * L2  A tree that sleeps takes its timers when it wakes, those that are due in the order of their due times; so does one
 *     that was away. That is what makes the two comparable.
 */
import type { AnyStateMachine, InspectionEvent } from 'xstate';
import { PerdureError } from '../errors.ts';
import type { Clock } from '../persistence/clock.ts';
import { crash } from '../persistence/crash.ts';
import { createDurableActor } from '../persistence/create.ts';
import type { DurableActor, Receipt, SendOptions } from '../persistence/durable.ts';
import { Store } from '../persistence/store.ts';
import { isMachine, type AnyEventObject, type AnyRef, type Logic } from '../persistence/xstate-port.ts';
import type { Outside } from './outside.ts';
import { nameOf, ownView } from './tree-view.ts';

/** What a machine is made of anew for every life of its tree, as a program does when it starts. */
export type MachineOfLife<TMachine> = (life: { readonly store: Store }) => TMachine;

/** What a life needs. */
export interface LifeOptions {
  readonly path: string;
  readonly machine: MachineOfLife<AnyStateMachine>;
  readonly input: unknown;
  readonly clock: Clock;
  readonly outside: Outside;
}

/** What one actor did in a step. */
interface Doings {
  readonly events: AnyEventObject[];
  readonly actions: { readonly type: string; readonly params: unknown }[];
}

/** Timeouts of a life end with it, and wait while it sleeps. */
class LifeClock implements Clock {
  readonly #inner: Clock;
  readonly #run: (fn: () => void) => void;
  #held: (() => void)[] | undefined;
  dead = false;

  constructor(inner: Clock, run: (fn: () => void) => void) {
    this.#inner = inner;
    this.#run = run;
  }

  now(): number {
    return this.#inner.now();
  }

  setTimeout(fn: () => void, ms: number): unknown {
    const alarm = () => {
      if (this.dead) return;
      if (this.#held === undefined) this.#run(fn);
      else this.#held.push(alarm);
    };
    return this.#inner.setTimeout(alarm, ms);
  }

  clearTimeout(handle: unknown): void {
    this.#inner.clearTimeout(handle);
  }

  sleep(): void {
    this.#held = [];
  }

  wake(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const alarm of held) alarm();
  }
}

export class Life {
  readonly #options: LifeOptions;
  readonly #heard = new Map<string, Doings>();
  #clock: LifeClock;
  #durable: DurableActor<AnyStateMachine> | undefined;
  #store: Store | undefined;
  #moment = 'start';
  #incidents = 0;
  #opening = false;
  /** Commits so far. */
  commits = 0;

  constructor(options: LifeOptions) {
    this.#options = options;
    this.#clock = this.#newClock();
  }

  get durable(): DurableActor<AnyStateMachine> {
    if (this.#durable === undefined) throw new PerdureError('STORE_CLOSED', 'The checked tree is not open.');
    return this.#durable;
  }

  get root(): AnyRef {
    return this.durable.actor as AnyRef;
  }

  /** What the tree did in this step, by actor. */
  get heard(): Readonly<Record<string, Doings>> {
    return Object.fromEntries(this.#heard);
  }

  /** Begins a step: what happens from here on is new. Two trees in the same moment draw the same random values. */
  begin(moment: string): void {
    this.#moment = moment;
    this.#heard.clear();
  }

  /** Forgets what was heard: it was undone. */
  forget(): void {
    this.#heard.clear();
  }

  /** Starts the process: creates the tree or brings it back. */
  async open(): Promise<void> {
    this.#clock = this.#newClock();
    const { path, machine, input, outside } = this.#options;
    const clock = this.#clock;
    const store = Store.open(path, { clock, durability: 'process-crash', onCommit: () => void (this.commits += 1) });
    this.#store = store;
    const inspect = (event: InspectionEvent) => this.#inspect(event);
    this.#opening = true;
    const opened = outside.within(clock, `${this.#moment} open`, () =>
      createDurableActor(machine({ store }), { store, input: input as never, inspect, logger: () => {} }),
    );
    this.#opening = false;
    this.#durable = await opened;
  }

  send(event: AnyEventObject, options?: SendOptions): Promise<Receipt> {
    return this.#options.outside.within(this.#clock, this.#moment, () => this.durable.send(event as never, options));
  }

  /** Ends the process as kill -9 would. */
  crash(): void {
    this.#clock.dead = true;
    crash(this.durable);
    this.#durable = undefined;
  }

  sleep(): void {
    this.#clock.sleep();
  }

  wake(): void {
    this.#clock.wake();
  }

  /** What the store noted and told nobody: a refused timer, or the refused result of an effect. */
  newRefusals(): string[] {
    const rows = this.durable.store.rows.all<{ detail: string }>(
      `select detail from incidents where kind in ('turn.refused', 'rows.refused', 'effect.refused', 'timer.deadLettered')
       order by rowid`,
    );
    const fresh = rows.slice(this.#incidents);
    this.#incidents = rows.length;
    return fresh.map(({ detail }) => detail);
  }

  async close(): Promise<void> {
    this.#clock.dead = true;
    await this.#durable?.close();
    this.#store?.close();
  }

  #newClock(): LifeClock {
    const { clock, outside } = this.#options;
    const own: LifeClock = new LifeClock(clock, (fn) => outside.within(own, `${this.#moment} timer`, fn));
    return own;
  }

  #inspect(event: InspectionEvent): void {
    // Promises and their like run at least once: what they tell themselves may repeat, what others hear of it may not.
    const { logic } = event.actorRef as unknown as { logic: Logic };
    if (!isMachine(logic) && logic.start !== undefined) return;
    if (event.type === '@xstate.event') this.#hear(event.actorRef as AnyRef, event.event);
    else if (event.type === '@xstate.action') this.#act(event.actorRef as AnyRef, event.action);
  }

  #hear(ref: AnyRef, event: AnyEventObject): void {
    this.#options.outside.untilMicrotask(this.#clock, `${this.#moment} ${event.type}`);
    // Starting is told again after every restart.
    if (event.type === 'xstate.init' || (this.#opening && event.type.startsWith('xstate.snapshot.'))) return;
    this.#doingsOf(ref).events.push(comparable(event));
  }

  #act(ref: AnyRef, { type, params }: { readonly type: string; readonly params: unknown }): void {
    // The actor that is spawned is seen as a child; its logic is another object in every life.
    this.#doingsOf(ref).actions.push({ type, params: type === 'xstate.spawnChild' ? undefined : params });
  }

  #doingsOf(ref: AnyRef): Doings {
    const name = nameOf(ref);
    let doings = this.#heard.get(name);
    if (doings === undefined) this.#heard.set(name, (doings = { events: [], actions: [] }));
    return doings;
  }
}

/** An event without what differs from life to life, and with no machine in it. */
function comparable(event: AnyEventObject): AnyEventObject {
  if (event.type === 'runtime.resumed') return { type: event.type };
  return 'snapshot' in event ? { ...event, snapshot: ownView(event['snapshot']) } : event;
}
