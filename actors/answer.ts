/** How somebody answers an approval, checked: both texts are kept, and shown in tables. */
import { PerdureError } from '../errors.ts';
import { isObject, shown, unknownKey } from '../machines/option-keys.ts';
import { isStorable } from '../persistence/xstate-port.ts';

/** How somebody answers an approval. */
export interface Answer {
  /** Who says so, up to 100 characters. */
  readonly by?: string;
  /** Why, up to 2,000 characters. */
  readonly note?: string | null;
}

const LONGEST_BY = 100;
const LONGEST_NOTE = 2_000;

/** The answer with its defaults. Throws OPTIONS_INVALID. */
export function checkedAnswer(answer: Answer): { readonly by: string; readonly note: string | null } {
  if (!isObject(answer)) throw invalid(`must be an object such as { by, note }, got ${shown(answer)}`);
  const wrong = unknownKey(answer, ['by', 'note']);
  if (wrong !== undefined) throw invalid(wrong);
  const { by = 'host', note = null } = answer as Answer;
  if (!isText(by, LONGEST_BY) || by.trim() === '') {
    throw invalid(`needs a \`by\` of 1 to ${LONGEST_BY} characters, got ${got(by)}`);
  }
  if (note !== null && !isText(note, LONGEST_NOTE)) {
    throw invalid(`may have a \`note\` of up to ${LONGEST_NOTE} characters, got ${got(note)}`);
  }
  return { by, note };
}

function isText(value: unknown, most: number): value is string {
  return typeof value === 'string' && value.length <= most && isStorable(value);
}

function got(value: unknown): string {
  return typeof value === 'string' && value !== '' ? `${value.length} characters: ${shown(value)}` : shown(value);
}

function invalid(wrong: string): PerdureError {
  return new PerdureError('OPTIONS_INVALID', `The answer to an approval ${wrong}.`);
}
