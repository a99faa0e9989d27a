/** What is kept of anything thrown: enough to tell, to count and to act on, small enough for a context. */
import { messageOf } from '../errors.ts';
import { classify, ERROR_CLASSES, type Classifier, type ErrorClass } from '../machines/error-class.ts';
import { fingerprintOf } from '../machines/fingerprint.ts';
import { shown } from '../machines/option-keys.ts';
import type { ErrorRecord } from '../machines/outcome.ts';
import { retryAfterOf } from './retry-after.ts';

const MESSAGE_LIMIT = 500;
const NAME_LIMIT = 100;

/** Never throws, whatever `error` is. */
export function recordOf(error: unknown, now: number, extend?: Classifier): ErrorRecord {
  const facts = factsOf(error);
  const retryAfterMs = retryAfterOf(error, now);
  return {
    name: facts.name,
    code: facts.code,
    message: facts.message.slice(0, MESSAGE_LIMIT),
    class: classOf(error, extend),
    fingerprint: fingerprintOf(facts),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

function classOf(error: unknown, extend: Classifier | undefined): ErrorRecord['class'] {
  return classify(error, extend && ((thrown) => saidBy(extend, thrown)));
}

/** A classifier of the host that does not answer has said nothing; that is worth a warning, and not the action's outcome. */
function saidBy(extend: Classifier, error: unknown): ErrorClass | undefined {
  try {
    const said: unknown = extend(error);
    const found = ERROR_CLASSES.find((known) => known === said);
    if (said === undefined || found !== undefined) return found;
    // Nobody waits for it, and one that rejects would end the process.
    if (said instanceof Promise) said.catch(() => {});
    const got = said instanceof Promise ? 'a promise' : shown(said);
    warn(`expected one of ${ERROR_CLASSES.join(', ')}, or undefined, got ${got}`);
  } catch (thrown) {
    warn(messageOf(thrown), thrown);
  }
  return undefined;
}

function warn(why: string, thrown?: unknown): void {
  process.emitWarning(`classify did not say of what class an error is, which goes by its type: ${why}`, {
    type: 'PerdureWarning',
    code: 'CLASSIFY_FAILED',
    ...(thrown instanceof Error && typeof thrown.stack === 'string' ? { detail: thrown.stack } : {}),
  });
}

function factsOf(error: unknown): { name: string; code: string | null; message: string; stack?: string } {
  try {
    const { name, code, stack } = (error ?? {}) as { name?: unknown; code?: unknown; stack?: unknown };
    return {
      name: (error instanceof Error && typeof name === 'string' ? name : typeof error).slice(0, NAME_LIMIT),
      code: typeof code === 'string' || typeof code === 'number' ? String(code).slice(0, NAME_LIMIT) : null,
      message: messageOf(error),
      ...(typeof stack === 'string' ? { stack } : {}),
    };
  } catch {
    return { name: typeof error, code: null, message: messageOf(error) };
  }
}
