/**
 * The work outside of one tree: promises, callbacks, observables.
 *
 * E1  An effect starts after the commit of the turn that created it, and ends after the commit of the turn that says so.
 * E2  Its attempt number is committed before it starts, also when it starts again after a restart.
 * E3  Its key is the same for every attempt and never given to another effect.
 */
import type { AnyRef, Effect } from './xstate-port.ts';

/** What an effect may tell the other side, so that work done twice is applied once. */
export interface EffectIdentity {
  /** Stable over restarts, unique among all effects of all stores. */
  readonly key: string;
  /** 1 for the first start; one more for every start after a restart. */
  readonly attempt: number;
}

const identities = new WeakMap<AnyRef, EffectIdentity>();

/**
 * The key and the attempt of the running effect, for the logic that runs as `self`; undefined outside of a durable tree.
 *
 * @example
 * const charge = fromPromise(({ self, input, signal }) =>
 *   pay(input, { idempotencyKey: effectOf(self)?.key, signal }));
 */
export function effectOf(self: object): EffectIdentity | undefined {
  return identities.get(self as AnyRef);
}

export class Effects {
  readonly #waiting = new Map<AnyRef, Effect>();
  readonly #running = new Map<AnyRef, Effect>();
  readonly #ending: Effect[] = [];

  /** Effects that start with the next commit. */
  get waiting(): Iterable<AnyRef> {
    return this.#waiting.keys();
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  isWaiting(ref: AnyRef): boolean {
    return this.#waiting.has(ref);
  }

  created(ref: AnyRef, effect: Effect): void {
    this.#waiting.set(ref, effect);
  }

  ended(ref: AnyRef): void {
    const effect = this.#running.get(ref);
    if (effect !== undefined) this.#ending.push(effect);
    this.#running.delete(ref);
    this.#waiting.delete(ref);
  }

  /** The commit is done: ends what is to end, starts what waited. */
  release(identityOf: (ref: AnyRef) => EffectIdentity): void {
    for (const effect of this.#ending.splice(0)) effect.stop();
    const started = [...this.#waiting];
    this.#waiting.clear();
    for (const [ref, effect] of started) {
      if (ref.getSnapshot().status !== 'active') continue;
      identities.set(ref, identityOf(ref));
      this.#running.set(ref, effect);
      effect.start();
    }
  }

  /** Aborts everything that runs: the tree is dropped. */
  abort(): void {
    this.#waiting.clear();
    for (const effect of [...this.#ending.splice(0), ...this.#running.values()]) effect.stop();
    this.#running.clear();
  }

  /** An effect whose result has come runs no more. */
  settled(ref: AnyRef): void {
    this.#running.delete(ref);
  }
}
