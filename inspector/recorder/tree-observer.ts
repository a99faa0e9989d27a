/**
 * Looks at one tree of actors by XState's inspection, and tells what happens in it.
 *
 * XState says when an actor is made, takes an event, makes a step, and has a new state. It does not say everything, so:
 *   an actor is there when it starts, not when it is made: its transition may still throw;
 *   what a transition throws brings no state: an actor that took an event is asked, at the end of the turn, how it is;
 *   a child that ends tells its parent before its own last state is told: that state is told first;
 *   an actor that is stopped has one last state, of the event `xstate.stop`, whatever its logic makes of it.
 */
import type { InspectionEvent } from 'xstate';
import type { AnyRef } from '../../persistence/xstate-port.ts';
import type { ActorRegistry } from './actor-registry.ts';
import { stateOf, type AnyState, type EndStatus, type RecordedActor } from './recorded-actor.ts';

/** What is told. Nothing is looked into here: that is done later, and only for whoever looks. */
export interface TreeSink {
  readonly registry: ActorRegistry;
  /** Whether steps and actions are wanted. */
  readonly wantsDetail: boolean;
  /** The number of the newest record. */
  readonly lastSeq: number;
  now(): number;
  started(actor: RecordedActor): void;
  event(actor: RecordedActor, event: { readonly type: string }, from: RecordedActor | undefined): void;
  microstep(actor: RecordedActor, event: string, transitions: readonly unknown[], state: AnyState): void;
  action(actor: RecordedActor, action: string, params: unknown): void;
  /** Takes the state as the actor's own. */
  state(actor: RecordedActor, event: string, state: AnyState): void;
  /** Notes how it ended. */
  stopped(actor: RecordedActor, status: EndStatus): void;
  /** What looking at it threw. It must keep nobody's actor from going on. */
  failed(error: unknown): void;
}

export class TreeObserver {
  readonly #sink: TreeSink;
  readonly #name: string;
  #looking: { readonly root: AnyRef; unsubscribe(): void } | undefined;
  /** Actors that took an event in this turn. */
  #taking: RecordedActor[] = [];

  constructor(sink: TreeSink, name: string) {
    this.#sink = sink;
    this.#name = name;
  }

  /** Takes the actors that are there, and looks at them from now on. */
  attach(root: AnyRef): void {
    this.detach();
    const { registry, lastSeq } = this.#sink;
    registry.walk(root, this.#name, lastSeq, this.#sink.now());
    const { unsubscribe } = root.system.inspect((event) => {
      try {
        this.#heard(event);
      } catch (error) {
        this.#sink.failed(error);
      }
    });
    this.#looking = { root, unsubscribe };
  }

  detach(): void {
    this.#looking?.unsubscribe();
    this.#looking = undefined;
    this.#taking = [];
  }

  #heard(event: InspectionEvent): void {
    switch (event.type) {
      case '@xstate.event':
        return this.#took(event.actorRef as AnyRef, event.event, event.sourceRef as AnyRef | undefined);
      case '@xstate.snapshot':
        return this.#came(event.actorRef as AnyRef, event.event.type, event.snapshot as AnyState);
      case '@xstate.microstep':
        return this.#stepped(event);
      case '@xstate.action':
        if (this.#sink.wantsDetail) this.#acted(event);
        return;
      default:
        // What else newer versions tell is told by those above, too.
        return;
    }
  }

  #took(ref: AnyRef, event: { readonly type: string }, from: AnyRef | undefined): void {
    const { registry } = this.#sink;
    const sender = from === undefined ? undefined : registry.of(from);
    if (sender !== undefined && sender.ended === undefined && event.type.startsWith('xstate.')) this.#settle(sender);
    const actor = this.#known(ref);
    if (actor === undefined) return;
    if (actor.ended === undefined) {
      actor.event = event.type;
      actor.pending += 1;
      if (this.#taking.push(actor) === 1) queueMicrotask(() => this.#settleAll());
    }
    this.#sink.event(actor, event, sender);
  }

  /** An actor that is not known yet begins now, in its first state. Those that are around the root are of no concern. */
  #known(ref: AnyRef): RecordedActor | undefined {
    const { registry } = this.#sink;
    const known = registry.of(ref);
    if (known !== undefined || registry.isFull || this.#looking === undefined) return known;
    const actor = registry.add(ref, this.#looking.root, this.#name, this.#sink.lastSeq);
    if (actor !== undefined) this.#sink.started(actor);
    return actor;
  }

  #came(ref: AnyRef, event: string, told: AnyState): void {
    const actor = this.#known(ref);
    if (actor === undefined) return;
    if (actor.pending > 0) actor.pending -= 1;
    if (actor.ended !== undefined) return;
    // Where an action of the first state throws, XState tells the state of before.
    const state = told.status === 'active' ? (stateOf(ref) ?? told) : told;
    this.#settled(actor, event, state, event === 'xstate.stop');
  }

  /** The state of an actor that told how it ended, or that may have thrown. */
  #settle(actor: RecordedActor): void {
    const state = stateOf(actor.ref);
    if (state !== undefined && state.status !== 'active') this.#settled(actor, actor.event, state, false);
  }

  #settled(actor: RecordedActor, event: string, state: AnyState, isStopped: boolean): void {
    // A transition that leads back to where it began, and changes nothing, is told as well.
    if (state !== actor.state || actor.hasMoved) this.#sink.state(actor, event, state);
    actor.hasMoved = false;
    if (state.status !== 'active') this.#sink.stopped(actor, state.status);
    else if (isStopped) this.#sink.stopped(actor, 'stopped');
  }

  #settleAll(): void {
    const taking = this.#taking;
    this.#taking = [];
    for (const actor of taking) {
      if (actor.pending > 0 && actor.ended === undefined) this.#settle(actor);
      actor.pending = 0;
    }
  }

  #stepped(event: Extract<InspectionEvent, { type: '@xstate.microstep' }>): void {
    // The steps into a first state come before its actor is there.
    const actor = this.#sink.registry.of(event.actorRef as AnyRef);
    if (actor === undefined) return;
    const { _transitions: transitions = [] } = event as unknown as { _transitions?: readonly unknown[] };
    if (transitions.length > 0) actor.hasMoved = true;
    if (this.#sink.wantsDetail) {
      this.#sink.microstep(actor, event.event.type, transitions, event.snapshot as AnyState);
    }
  }

  #acted(event: Extract<InspectionEvent, { type: '@xstate.action' }>): void {
    const actor = this.#sink.registry.of(event.actorRef as AnyRef);
    if (actor !== undefined) this.#sink.action(actor, event.action.type, event.action.params);
  }
}
