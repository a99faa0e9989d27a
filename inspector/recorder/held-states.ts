/** The states of late, by the record after which an actor had them: references, so their number is bounded. */
import type { AnyState, RecordedActor } from './recorded-actor.ts';

interface Held {
  readonly seq: number;
  readonly id: string;
  readonly actor: RecordedActor;
  readonly state: AnyState;
}

export class HeldStates {
  #held: (Held | undefined)[] = [];
  readonly #most: number;
  #next = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** The state that an actor has, before it is another. */
  hold(actor: RecordedActor): void {
    if (actor.isStateHeld || actor.state === undefined || this.#most === 0) return;
    actor.isStateHeld = true;
    this.#held[this.#next % this.#most] = { seq: actor.stateSeq, id: actor.id, actor, state: actor.state };
    this.#next += 1;
  }

  /** The state that the actor of this id had after a record; undefined when it is not held any more. */
  at(id: string, seq: number): Held | undefined {
    let best: Held | undefined;
    for (const held of this.#held) {
      if (held === undefined || held.id !== id || held.seq > seq) continue;
      if (best === undefined || held.seq >= best.seq) best = held;
    }
    return best;
  }

  clear(): void {
    this.#held = [];
    this.#next = 0;
  }
}
