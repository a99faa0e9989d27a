/**
 * Holds back the work of a store until it is decided what the run shall do.
 *
 * A restored supervisor goes on at once; the gate keeps that from starting what the next command line abandons or changes.
 */
import type { ActionContext } from '../actors/action-context.ts';
import { workKey } from '../actors/action-key.ts';
import type { ActionDefinition, ActionTerms, ThreadActionDefinition } from '../actors/actions.ts';

type Work<TInput, TValue> = (input: TInput, context: ActionContext) => Promise<TValue> | TValue;

export class WorkGate {
  readonly #opened: Promise<void>;
  #open = (): void => {};

  constructor() {
    this.#opened = new Promise((resolve) => (this.#open = resolve));
  }

  /** Lets everything through, from now on. */
  open(): void {
    this.#open();
  }

  /** The same action, behind this gate. */
  guard<TInput, TValue>(definition: ActionDefinition<TInput, TValue>): ActionDefinition<TInput, TValue> {
    const { run } = definition;
    return { ...definition, ...this.#standIns(definition), run: this.#behind(definition, run) as typeof run };
  }

  /** The same action of a thread: it is not asked to begin before the gate is open. */
  guardThread<TInput, TValue>(
    definition: ThreadActionDefinition<TInput, TValue>,
  ): ThreadActionDefinition<TInput, TValue> {
    const { prepare = (input: TInput) => input } = definition;
    return { ...definition, ...this.#standIns(definition), prepare: this.#behind(definition, prepare) };
  }

  #standIns<TInput, TValue>(definition: ActionTerms<TInput, TValue>): ActionTerms<TInput, TValue> {
    const { fallback, undo } = definition;
    const behind = (work: Work<TInput, unknown>) => this.#behind(definition, work);
    return {
      ...(typeof fallback === 'function' ? { fallback: behind(fallback) as typeof fallback } : {}),
      ...(typeof undo === 'function' ? { undo: behind(undo) } : {}),
    };
  }

  #behind<TInput>(
    { cleanUp }: Pick<ActionDefinition<TInput, unknown>, 'cleanUp'>,
    work: Work<TInput, unknown>,
  ): (input: TInput, context: ActionContext) => Promise<unknown> {
    return async (input, context) => {
      try {
        await Promise.race([this.#opened, abortOf(context.signal)]);
        return await work(input, context);
      } finally {
        // An attempt that was aborted before it looked may have left-overs of an earlier life.
        if (context.signal.aborted) await cleanUp?.(context.id, input, workKey(context.key));
      }
    };
  }
}

/** Rejects when the signal is aborted. */
function abortOf(signal: AbortSignal): Promise<never> {
  signal.throwIfAborted();
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
