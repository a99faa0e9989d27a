/** What is kept of anything thrown: enough to tell, to count and to act on, small enough for a context. */
import { messageOf } from '../errors.ts';
import { classify, type Classifier } from '../machines/error-class.ts';
import { fingerprintOf } from '../machines/fingerprint.ts';
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

/** A classifier of the host that throws has said nothing; that it does is worth a warning, and not the action's outcome. */
function classOf(error: unknown, extend: Classifier | undefined): ErrorRecord['class'] {
  try {
    return classify(error, extend);
  } catch (thrown) {
    process.emitWarning(`classify threw, and its answer is not used: ${messageOf(thrown)}`, 'PerdureWarning');
    return classify(error);
  }
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
