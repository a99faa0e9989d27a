/**
 * The effects of a tree that was read back which were running when it was last written: a restart interrupted them, or they
 * belong to the turn that the tree was taken back to. Each runs again, fails, or waits until somebody decides, as its logic says.
 */
import { PerdureError } from '../errors.ts';
import type { Effects } from './effects.ts';
import {
  failEffect,
  pathOf,
  policiesOf,
  type AnyRef,
  type Effect,
  type RestartPolicy,
  type RestorePolicy,
} from './xstate-port.ts';

/** An effect that waits for a decision. */
interface Asked {
  readonly ref: AnyRef;
  readonly effect: Effect;
}

export class Interruptions {
  readonly #effects: Effects;
  /** Those that have not been counted as started again. */
  readonly #restarts = new Set<AnyRef>();
  /** Those that wait for a decision, by the path of their actor. */
  readonly #asked = new Map<string, Asked>();
  readonly #failing: AnyRef[] = [];
  /** Those that ran at the turn to which the tree was taken back, and not since. */
  readonly #restored = new Set<AnyRef>();

  constructor(effects: Effects) {
    this.#effects = effects;
  }

  /** How many effects were running and run again, and how many wait for a decision, once the tree starts. */
  get counts(): { readonly effects: number; readonly asked: number } {
    const policies = Array.from(this.#restarts, (ref) => this.#policyOf(ref, policiesOf(ref)));
    const runs = policies.filter((policy) => policy === 'rerun' || policy === 'run');
    return { effects: runs.length, asked: policies.filter((policy) => policy === 'ask').length };
  }

  /** The paths of the actors whose effects wait for a decision. */
  get asked(): readonly string[] {
    return [...this.#asked.keys()];
  }

  /** The effect of this actor was running, when the process ended, or at the turn to which the tree was taken back. */
  found(ref: AnyRef, isRestored: boolean): void {
    this.#restarts.add(ref);
    if (isRestored) this.#restored.add(ref);
  }

  /** Whether it ran at the turn to which the tree was taken back, and has not begun since. */
  isRestored(ref: AnyRef): boolean {
    return this.#restored.has(ref);
  }

  isUncounted(ref: AnyRef): boolean {
    return this.#restarts.has(ref);
  }

  /** Its next attempt is in its row. */
  counted(ref: AnyRef): void {
    this.#restarts.delete(ref);
    this.#restored.delete(ref);
  }

  /** Holds back an effect that is not to run again by itself, and says why; undefined when it may start. */
  hold(ref: AnyRef, effect: Effect): 'fail' | 'ask' | undefined {
    const policy = this.#policyOf(ref, effect);
    if (policy === 'rerun' || policy === 'run' || !this.#restarts.has(ref)) return undefined;
    if (policy === 'fail') this.#failing.push(ref);
    else this.#asked.set(pathOf(ref), { ref, effect });
    return policy;
  }

  #policyOf(
    ref: AnyRef,
    { onRestart, onRestore }: Pick<Effect, 'onRestart' | 'onRestore'>,
  ): RestartPolicy | RestorePolicy {
    return this.#restored.has(ref) ? onRestore : onRestart;
  }

  /** Decides about an effect that waits. In a turn. False when none waits there. */
  decide(path: string, decision: 'rerun' | 'fail'): boolean {
    const asked = this.#asked.get(path);
    if (asked === undefined) return false;
    this.#asked.delete(path);
    if (decision === 'rerun') this.#effects.created(asked.ref, asked.effect);
    else failEffect(asked.ref, interruptedError(asked.ref));
    return true;
  }

  /** Fails those that are to fail, once the tree has started. */
  fail(): void {
    for (const ref of this.#failing.splice(0)) {
      this.#restarts.delete(ref);
      failEffect(ref, interruptedError(ref));
    }
  }

  /** Nobody wants the effect any more. */
  ended(ref: AnyRef): void {
    if (this.#asked.size > 0) this.#asked.delete(pathOf(ref));
  }
}

function interruptedError(ref: AnyRef): PerdureError {
  const facts = { actor: pathOf(ref) };
  return new PerdureError(
    'EFFECT_INTERRUPTED',
    `The effect of "${facts.actor}" was interrupted when its process ended, or when its tree was read back from the file, ` +
      'and is not to run again by itself: find out what it did, and go on from there.',
    { facts },
  );
}
