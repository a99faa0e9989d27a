/**
 * Holds back the work of a store until it is decided what the run shall do, and knows what is still under way.
 *
 * A restored supervisor goes on at once; the gate keeps that from starting what the next command line abandons or changes.
 */
import type { ActionContext, ActionDefinition } from '../actors/actions.ts';

export class WorkGate {
  readonly #opened: Promise<void>;
  #open = (): void => {};
  readonly #underway = new Set<Promise<unknown>>();

  constructor() {
    this.#opened = new Promise((resolve) => (this.#open = resolve));
  }

  /** Lets everything through, from now on. */
  open(): void {
    this.#open();
  }

  /** Resolves when nothing that came through is running any more. */
  async idle(): Promise<void> {
    while (this.#underway.size > 0) await Promise.allSettled(this.#underway);
  }

  /** The same action, behind this gate. */
  guard<TInput, TValue>(definition: ActionDefinition<TInput, TValue>): ActionDefinition<TInput, TValue> {
    const { run, fallback } = definition;
    const guarded = { ...definition, run: this.#behind(definition, run) };
    return fallback === undefined ? guarded : { ...guarded, fallback: this.#behind(definition, fallback) };
  }

  #behind<TInput, TValue>(
    { cleanUp }: ActionDefinition<TInput, TValue>,
    work: (input: TInput, context: ActionContext) => Promise<TValue> | TValue,
  ): (input: TInput, context: ActionContext) => Promise<TValue> {
    const pass = async (input: TInput, context: ActionContext): Promise<TValue> => {
      try {
        await Promise.race([this.#opened, abortOf(context.signal)]);
        return await work(input, context);
      } finally {
        // An attempt that was aborted before it looked may have left-overs of an earlier life.
        if (context.signal.aborted) await cleanUp?.(context.id);
      }
    };
    return (input, context) => this.#noted(pass(input, context));
  }

  #noted<T>(work: Promise<T>): Promise<T> {
    this.#underway.add(work);
    const forget = () => void this.#underway.delete(work);
    work.then(forget, forget);
    return work;
  }
}

/** Rejects when the signal is aborted. */
function abortOf(signal: AbortSignal): Promise<never> {
  signal.throwIfAborted();
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
