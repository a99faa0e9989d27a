/** What the functions of an action are given. */

/** What an attempt is given beside its input. */
export interface ActionContext {
  /** The action's id: the same for all its attempts, in every copy of the store, and after a restore. */
  readonly id: string;
  /**
   * For the other side to tell a repeat: the same for all attempts and after crashes, and given to nothing else. It is another
   * in a fork or a copy, after a restore of a checkpoint, and for what undoes the action or stands in for it. ASCII, without blanks.
   */
  readonly key: string;
  /** 1 for the first attempt, counting retries and not restarts of the process. */
  readonly attempt: number;
  /** Aborted when the action is cancelled or timed out, or the supervisor closes. */
  readonly signal: AbortSignal;
  /** In a plan: what the steps that this one depends on returned, by their ids. */
  readonly results: Readonly<Record<string, unknown>>;
  /** What is known to have helped against the error of the attempt before. */
  readonly fix: string | null;
  /** The name of the fallback that is called; null for the work itself and for what undoes it. */
  readonly fallback: string | null;
  /** Tells whoever watches how far the work is. Telemetry: not stored. */
  progress(value: unknown): void;
  /**
   * Notes that `undo[name]` must be called with `data` when the action fails or is cancelled: call it before the effect, and
   * wait for it. Resolves once it is durable. What was noted last is undone first. Throws OPTIONS_INVALID without an
   * `undo[name]`.
   */
  willUndo(name: string, data?: unknown): Promise<void>;
}

/** What it costs when a fallback stands in. */
export interface FallbackTerms {
  /** From 0, as good as the real thing, to 1, nothing at all. Default: 0.5. */
  readonly qualityLoss?: number;
  /** Whether the real work is owed, and done when its component has recovered. Default: false. */
  readonly owes?: boolean;
}

/** What is done instead of the work when that has failed for good. */
export interface Fallback<TInput = never, TValue = unknown> extends FallbackTerms {
  run(input: TInput, context: ActionContext): Promise<TValue> | TValue;
}

/** What a fallback loses that does not say. */
export const DEFAULT_LOSS = 0.5;
