/**
 * The work outside of one tree: promises, callbacks, observables.
 *
 * E1  An effect starts after the commit of the turn that created it, and ends after the commit of the turn that says so.
 * E2  Its attempt number is committed before it starts, also when it starts again after a restart.
 * E3  Its key is the same for every attempt and never given to another effect.
 * E4  What an actor sends to an effect reaches it after the commit, in order; a start and an end are part of that order.
 */
import { grantSecrets, type Secrets } from './secrets.ts';
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

/** One effect, from its creation until it is over. */
interface Work {
  readonly ref: AnyRef;
  readonly effect: Effect;
}

type IdentityOf = (ref: AnyRef) => EffectIdentity;
type Step = (identityOf: IdentityOf) => void;

export class Effects {
  readonly #secrets: Secrets;
  /** Effects that their actors want: created, and neither ended nor settled. */
  readonly #wanted = new Map<AnyRef, Work>();
  /** Effects that were started, and not stopped. */
  readonly #running = new Set<Work>();
  /** Created by the turn that is being built. */
  readonly #waiting = new Set<AnyRef>();
  /** What the turn that is being built wants done, in its order. */
  #steps: Step[] = [];
  /** The same of turns that are written; those before `#done` have been taken. */
  readonly #sealed: Step[] = [];
  #done = 0;

  constructor(secrets: Secrets) {
    this.#secrets = secrets;
  }

  /** Whether any effect is wanted. */
  get isIdle(): boolean {
    return this.#wanted.size === 0 && this.#running.size === 0;
  }

  /** Effects that start with the next commit. */
  get waiting(): Iterable<AnyRef> {
    return this.#waiting;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  isWaiting(ref: AnyRef): boolean {
    return this.#waiting.has(ref);
  }

  created(ref: AnyRef, effect: Effect): void {
    const work: Work = { ref, effect };
    this.#wanted.set(ref, work);
    this.#waiting.add(ref);
    this.#steps.push((identityOf) => this.#start(work, identityOf));
  }

  told(ref: AnyRef, tell: () => void): void {
    const work = this.#wanted.get(ref);
    if (work === undefined) return;
    this.#steps.push(() => {
      if (this.#running.has(work)) tell();
    });
  }

  ended(ref: AnyRef): void {
    const work = this.#wanted.get(ref);
    if (work === undefined) return;
    this.#wanted.delete(ref);
    this.#waiting.delete(ref);
    this.#steps.push(() => this.#stop(work));
  }

  /** The turn is written: what comes from now on waits for the next commit. */
  seal(): void {
    if (this.#steps.length === 0) return;
    for (const step of this.#steps) this.#sealed.push(step);
    this.#steps = [];
    this.#waiting.clear();
  }

  /** The commit is done: does what the written turns wanted. A step may cause the next commit, and so come back here. */
  release(identityOf: IdentityOf): void {
    while (this.#done < this.#sealed.length) this.#sealed[this.#done++]?.(identityOf);
    this.#sealed.length = 0;
    this.#done = 0;
  }

  /** Aborts everything that runs: the tree is dropped. */
  abort(): void {
    this.#steps = [];
    this.#sealed.length = 0;
    this.#waiting.clear();
    this.#wanted.clear();
    for (const work of this.#running) this.#stop(work);
  }

  /** An effect whose result has come runs no more. */
  settled(ref: AnyRef): void {
    const work = this.#wanted.get(ref);
    if (work === undefined) return;
    this.#wanted.delete(ref);
    this.#running.delete(work);
  }

  #start(work: Work, identityOf: IdentityOf): void {
    if (work.ref.getSnapshot().status !== 'active') return;
    identities.set(work.ref, identityOf(work.ref));
    grantSecrets(work.ref, this.#secrets);
    this.#running.add(work);
    work.effect.start();
  }

  #stop(work: Work): void {
    if (this.#running.delete(work)) work.effect.stop();
  }
}
