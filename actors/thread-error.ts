/** Errors that cross from a thread: what was thrown there, as it would be here, and how threads end, by name. */
import { messageOf, PerdureError, saysRetryable, type PerdureErrorCode } from '../errors.ts';
import { classify, field, isRetryable } from '../machines/error-class.ts';

/** What was thrown in a thread, as the thread describes it. */
export type ThrownData =
  | { readonly value: unknown }
  | {
      readonly name: string;
      readonly message: string;
      readonly stack?: string;
      /** Whether it was an error of Perdure's own. */
      readonly perdure: boolean;
      readonly isDomException: boolean;
      readonly own: Readonly<Record<string, unknown>>;
      readonly cause?: ThrownData;
      readonly errors?: readonly ThrownData[];
    };

const STANDARD: Readonly<Record<string, ErrorConstructor>> = {
  TypeError: TypeError,
  RangeError: RangeError,
  SyntaxError: SyntaxError,
  ReferenceError: ReferenceError,
  EvalError: EvalError,
  URIError: URIError,
};

/** What was thrown, with everything that says of what class it is. */
export function thrownIn(data: ThrownData): unknown {
  if ('value' in data) return data.value;
  const error = made(data);
  for (const [key, value] of Object.entries(data.own)) hide(error, key, value);
  hide(error, 'name', data.name);
  if (data.stack !== undefined) hide(error, 'stack', data.stack);
  if (data.errors !== undefined) hide(error, 'errors', data.errors.map(thrownIn));
  return error;
}

function made({ name, message, perdure, isDomException, own, cause }: Exclude<ThrownData, { value: unknown }>): Error {
  const options = cause === undefined ? {} : { cause: thrownIn(cause) };
  // Node takes options here; the declarations of browsers, with which the inspector's page reads this, know only a name.
  if (isDomException) return new DOMException(message, { name, ...options } as never);
  if (!perdure) return new (STANDARD[name] ?? Error)(message, options);
  const facts = (own['facts'] ?? {}) as Readonly<Record<string, unknown>>;
  return new PerdureError(own['code'] as PerdureErrorCode, message, {
    ...options,
    facts,
    retryable: own['retryable'] === true,
  });
}

function hide(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, {
    value,
    writable: true,
    configurable: true,
    enumerable: key !== 'name' && key !== 'stack',
  });
}

/** Which codes say that a thread ended by itself. */
export type DeathCode = 'THREAD_OUT_OF_MEMORY' | 'THREAD_EXITED' | 'THREAD_CRASHED';

export type DeathError = PerdureError & { readonly code: DeathCode };

/** How a thread ended that did not say how its call went. */
export function deathOf(error: unknown, where: string): DeathError {
  const exit = /^worker exited with code: (-?\d+)$/.exec(messageOf(error))?.[1];
  if (field(error, 'code') === 'ERR_WORKER_OUT_OF_MEMORY')
    return death(
      'THREAD_OUT_OF_MEMORY',
      `The thread of ${where} ran out of memory: give it more by threads.memoryMb, or less to do.`,
      true,
    );
  if (exit !== undefined)
    return death('THREAD_EXITED', `The thread of ${where} exited with code ${exit}, as by process.exit().`, true, {
      exitCode: Number(exit),
    });
  const again = isRetryable(classify(error), saysRetryable(error));
  return death('THREAD_CRASHED', `The thread of ${where} crashed: ${messageOf(error)}`, again, {}, error);
}

function death(code: DeathCode, message: string, retryable: boolean, facts: object = {}, cause?: unknown): DeathError {
  const error = new PerdureError(code, message, {
    retryable,
    facts: { ...facts },
    ...(cause === undefined ? {} : { cause }),
  });
  return error as DeathError;
}
