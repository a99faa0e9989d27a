/**
 * Every failure that a caller can act on carries a stable `code`. A message says what was expected, what came, where,
 * and what to do; `facts` holds the same as data; `retryable` says whether doing it again, unchanged, can help.
 */

/** The stable codes of {@link PerdureError}. They are public: renaming one is a breaking change. */
export type PerdureErrorCode =
  // the store
  | 'STORE_OWNED'
  | 'STORE_UNOPENABLE'
  | 'STORE_NOT_A_DATABASE'
  | 'STORE_FOREIGN'
  | 'STORE_NEWER'
  | 'STORE_OLDER'
  | 'STORE_READ_ONLY'
  | 'STORE_FAILED'
  | 'STORE_CLOSED'
  | 'STORE_STOLEN'
  | 'STORE_REPLACED'
  | 'SQLITE_TOO_OLD'
  | 'ROW_CORRUPT'
  | 'BACKUP_FAILED'
  | 'CHECKPOINT_UNKNOWN'
  | 'CHECKPOINT_DAMAGED'
  | 'CHECKPOINT_BUSY'
  | 'RESTORE_WITHDRAWN'
  | 'CHECKPOINT_KEPT'
  | 'FORK_EXISTS'
  | 'KEY_UNKNOWN'
  // what cannot be made durable
  | 'CODEC_REFUSED'
  | 'INLINE_ACTOR'
  | 'CHILD_ID_MISSING'
  | 'CHILD_ID_DUPLICATE'
  | 'TURN_REFUSED'
  | 'XSTATE_UNSUPPORTED'
  | 'EFFECT_INTERRUPTED'
  // restoring
  | 'LOGIC_MISSING'
  | 'MACHINE_CHANGED'
  | 'MIGRATION_FAILED'
  | 'SNAPSHOT_INVALID'
  | 'TREE_NOT_FOUND'
  | 'MACHINE_UNKNOWN'
  | 'DEAD_LETTER_NOT_FOUND'
  // sending
  | 'ACTOR_NOT_FOUND'
  | 'ACTOR_STOPPED'
  | 'EVENT_INVALID'
  | 'WAIT_FAILED'
  | 'ABORTED'
  // commands
  | 'COMMAND_UNKNOWN'
  | 'COMMAND_CONFLICT'
  | 'EVENT_INTERNAL'
  // secrets
  | 'SECRET_UNKNOWN'
  // supervision
  | 'SUPERVISION_EXCEEDED'
  // the supervisor
  | 'NOT_PROVIDED'
  | 'OPTIONS_INVALID'
  | 'ACTION_UNKNOWN'
  | 'ACTION_CONFLICT'
  | 'ACTION_NOT_FOUND'
  | 'SCHEDULE_NOT_FOUND'
  | 'QUEUE_FULL'
  | 'QUEUE_NOT_FOUND'
  | 'ATTEMPT_TIMED_OUT'
  | 'ATTEMPT_INTERRUPTED'
  | 'DEADLINE_EXCEEDED'
  | 'VERIFY_FAILED'
  | 'UNDO_FAILED'
  | 'CIRCUIT_OPEN'
  | 'LOAD_SHED'
  | 'QUALITY_BELOW_FLOOR'
  | 'COMPONENT_NOT_FOUND'
  | 'APPROVAL_NOT_FOUND'
  | 'APPROVAL_DECIDED'
  | 'APPROVAL_DENIED'
  | 'PLAN_INVALID'
  | 'PLAN_CYCLE'
  | 'PLAN_STEP_UNKNOWN'
  | 'PLAN_CHANGED'
  | 'GOAL_FAILED'
  | 'WORK_FAILED'
  | 'COMMAND_FAILED'
  | 'MODULE_UNLOADABLE'
  | 'MACHINE_NOT_FOUND'
  | 'CHART_TOO_LARGE'
  // threads
  | 'THREAD_MODULE_OUTSIDE'
  | 'THREAD_MODULE_NOT_FOUND'
  | 'THREAD_MODULE_UNLOADABLE'
  | 'THREAD_MODULE_EXPORT'
  | 'THREAD_OUT_OF_MEMORY'
  | 'THREAD_EXITED'
  | 'THREAD_CRASHED'
  | 'THREAD_UNAVAILABLE'
  | 'THREAD_QUARANTINED'
  | 'HEARTBEAT_MISSED'
  // the inspector
  | 'VIEW_UNKNOWN'
  | 'EXPORT_INVALID'
  | 'INSPECTOR_PORT_TAKEN'
  // the test kit
  | 'NOT_DURABLE'
  | 'DEPENDENCY_MISSING';

const BRAND = Symbol.for('perdure.error');

/** What a {@link PerdureError} may carry beside its message. */
export interface PerdureErrorOptions {
  /** The error behind this one. */
  readonly cause?: unknown;
  /** The facts of the message as data, for programs. */
  readonly facts?: Readonly<Record<string, unknown>>;
  /** Whether the same call may succeed later. Default: false. */
  readonly retryable?: boolean;
}

/** The one error class of Perdure: read its `code`, not its message. */
export class PerdureError extends Error {
  override readonly name = 'PerdureError';
  readonly code: PerdureErrorCode;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly retryable: boolean;
  readonly [BRAND] = true;

  constructor(code: PerdureErrorCode, message: string, options: PerdureErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.facts = options.facts ?? {};
    this.retryable = options.retryable ?? false;
  }
}

/** Whether `error` is Perdure's (also one of another copy of the package), and of this `code` if one is given. */
export function isPerdureError(error: unknown, code?: PerdureErrorCode): error is PerdureError {
  try {
    return (
      typeof error === 'object' &&
      error !== null &&
      BRAND in error &&
      (code === undefined || (error as PerdureError).code === code)
    );
  } catch {
    // A proxy, or a getter, that throws.
    return false;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message) : String(error);
  } catch {
    return 'something was thrown that has no text';
  }
}

/** What a thrown value says of another try; undefined when it says nothing. */
export function saysRetryable(error: unknown): boolean | undefined {
  try {
    const { retryable } = (error ?? {}) as { retryable?: unknown };
    return typeof retryable === 'boolean' ? retryable : undefined;
  } catch {
    return undefined;
  }
}
