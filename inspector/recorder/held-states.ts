/** The states of late, by the record after which an actor had them: references, so they are bounded in number and, about, in size. */
import { estimatedBytes } from './estimate.ts';
import type { AnyState, RecordedActor } from './recorded-actor.ts';

interface Held {
  readonly seq: number;
  readonly id: string;
  readonly actor: RecordedActor;
  readonly state: AnyState;
  readonly bytes: number;
}

export class HeldStates {
  #held: (Held | undefined)[] = [];
  readonly #most: number;
  readonly #mostBytes: number;
  #first = 0;
  #next = 0;
  #bytes = 0;

  constructor(most: number, mostBytes: number) {
    this.#most = most;
    this.#mostBytes = mostBytes;
  }

  /** The state that an actor has, before it is another. What does not fit beside it is let go, the oldest first. */
  hold(actor: RecordedActor): void {
    const { state } = actor;
    if (actor.isStateHeld || state === undefined || this.#most === 0) return;
    actor.isStateHeld = true;
    if (this.#next - this.#first >= this.#most) this.#letGo();
    const bytes = estimatedBytes(state.context) + estimatedBytes(state.output);
    this.#held[this.#next % this.#most] = { seq: actor.stateSeq, id: actor.id, actor, state, bytes };
    this.#next += 1;
    this.#bytes += bytes;
    while (this.#bytes > this.#mostBytes && this.#first < this.#next - 1) this.#letGo();
  }

  #letGo(): void {
    const place = this.#first % this.#most;
    this.#bytes -= this.#held[place]?.bytes ?? 0;
    this.#held[place] = undefined;
    this.#first += 1;
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
    this.#first = this.#next = this.#bytes = 0;
  }
}
