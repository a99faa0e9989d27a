/**
 * The spans of turns, in full mode: of each event that an actor of the supervisor takes, the transition and what it leads to at
 * once, in whoever is told. It looks on by XState's inspection, which costs each event some µs, and only while it is wanted.
 *
 * An event is delivered, and then its actor has a new state; what happens in between lies in it. One that throws has no new state,
 * and ends with the one around it, or with the turn.
 */
import type { AnyActorRef, InspectionEvent } from 'xstate';
import type { ActiveSpan, SpanRecorder } from './span-recorder.ts';

/** The profiler does not observe itself. */
const OWN = 'profiler';

interface Taking {
  readonly actor: unknown;
  readonly span: ActiveSpan;
}

/** What looks on needs of the system of actors. */
interface Inspected {
  readonly system: { inspect(observer: (event: InspectionEvent) => void): { unsubscribe(): void } };
}

export class ActorSpans {
  readonly #recorder: SpanRecorder;
  #stack: Taking[] = [];
  #looking: { unsubscribe(): void } | undefined;

  constructor(recorder: SpanRecorder) {
    this.#recorder = recorder;
  }

  /** Looks at these actors from now on, and at no others. */
  attach(actor: Inspected): void {
    this.detach();
    this.#looking = actor.system.inspect((event) => this.#heard(event));
  }

  detach(): void {
    this.#looking?.unsubscribe();
    this.#looking = undefined;
    this.#endAbove(0);
  }

  #heard(event: InspectionEvent): void {
    if (event.type === '@xstate.event') this.#taken(event.actorRef);
    else if (event.type === '@xstate.snapshot') this.#settled(event.actorRef);
  }

  #taken(actor: InspectionEvent['actorRef']): void {
    const name = nameOf(actor);
    if (name === OWN) return;
    if (this.#stack.length === 0) {
      const turn = this.#recorder.begin('turn', 1, { kind: 'runtime' });
      this.#stack.push({ actor: undefined, span: turn });
      // A turn is synchronous: what is open when it is over has thrown.
      queueMicrotask(() => this.#endAbove(0));
    }
    const span = this.#recorder.begin(name, 1, { kind: 'runtime', within: this.#stack.at(-1)?.span });
    this.#stack.push({ actor, span });
  }

  #settled(actor: unknown): void {
    const at = this.#stack.findLastIndex((taking) => taking.actor === actor);
    if (at < 0) return;
    this.#endAbove(at);
    if (this.#stack.length === 1) this.#endAbove(0);
  }

  #endAbove(at: number): void {
    while (this.#stack.length > at) this.#recorder.end((this.#stack.pop() as Taking).span, false);
  }
}

/** Slots and components are many, and of one kind each. */
function nameOf(actor: InspectionEvent['actorRef']): string {
  const { logic, id } = actor as AnyActorRef & { readonly logic?: { readonly id?: unknown } };
  return typeof logic?.id === 'string' ? logic.id : id;
}
