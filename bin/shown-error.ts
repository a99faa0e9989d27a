/** What of a stored error may be printed. */
import type { ErrorRecord } from '../machines/outcome.ts';
import { Payloads } from '../persistence/payloads.ts';
import { shownMessageText } from '../persistence/shown-texts.ts';

const payloads = new Payloads({});

/** The error without the usual secrets: what else the host hides, only its process knows. */
export function shownError(error: ErrorRecord): ErrorRecord {
  return { ...error, message: shownMessageText(payloads, String(error.message)) };
}
