/** What was thrown in a thread, as data: the copy between threads would drop names and codes. */
import { types } from 'node:util';

/** As far as causes are looked at. */
const CAUSES = 8;
/** What is asked of an error to learn what it is, also where it is inherited. */
const SPEAKING = ['code', 'status', 'statusCode', 'retryable', 'retryAfterMs', 'facts'];
const KEPT_FIELDS = 32;

/**
 * An error as data: its name, code, message, stack, causes, and what else it says of itself.
 * @param {unknown} error
 * @param {number} depth
 * @returns {object}
 */
export function described(error, depth = 0) {
  if (typeof error !== 'object' || error === null || !types.isNativeError(error)) return { value: copied(error) };
  const any = /** @type {any} */ (error);
  /** @type {Record<string, unknown>} */
  const own = {};
  for (const key of [...SPEAKING, ...Object.keys(error)].slice(0, KEPT_FIELDS)) {
    if (key === 'cause' || key === 'errors' || key === 'stack') continue;
    const value = attempted(() => (key === 'headers' || key === 'response' ? spoken(any[key]) : any[key]));
    const copy = value === undefined ? undefined : attempted(() => structuredClone(value));
    if (copy !== undefined) own[key] = copy;
  }
  const deeper = depth < CAUSES;
  const errors = attempted(() => (Array.isArray(any.errors) ? any.errors.slice(0, CAUSES) : undefined));
  return {
    name: String(attempted(() => any.name) ?? 'Error'),
    message: String(attempted(() => any.message) ?? ''),
    stack: attempted(() => (typeof any.stack === 'string' ? any.stack : undefined)),
    perdure: Symbol.for('perdure.error') in error,
    own,
    ...('cause' in error && deeper
      ? {
          cause: described(
            attempted(() => any.cause),
            depth + 1,
          ),
        }
      : {}),
    ...(errors !== undefined && deeper
      ? { errors: errors.map((/** @type {unknown} */ one) => described(one, depth + 1)) }
      : {}),
  };
}

/**
 * Headers, or a response that has some, as plain data.
 * @param {any} value
 * @returns {unknown}
 */
function spoken(value) {
  if (typeof value !== 'object' || value === null) return value;
  const { status, headers } = value;
  if (typeof value.entries === 'function') return Object.fromEntries(value.entries());
  if (headers !== undefined) return { status, headers: spoken(headers) };
  return value;
}

/**
 * What was thrown that is no error.
 * @param {unknown} thrown
 */
function copied(thrown) {
  return attempted(() => structuredClone(thrown)) ?? attempted(() => String(thrown));
}

/**
 * @template T
 * @param {() => T} read
 * @returns {T | undefined}
 */
function attempted(read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}
