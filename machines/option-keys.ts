/** What a host wrote as options, before anything in it is looked at: whether it is an object, and whether all of its keys are read. */
import { nearest } from './nearest.ts';

const SHOWN_TEXT = 60;

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What came, short enough for a message; never throws. */
export function shown(value: unknown): string {
  if (typeof value === 'string') {
    return value.length > SHOWN_TEXT ? `${JSON.stringify(value.slice(0, SHOWN_TEXT))}...` : JSON.stringify(value);
  }
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'function') return 'a function';
  return typeof value === 'object' && value !== null ? 'an object' : String(value as number);
}

/** What is wrong with the first key that nobody would read: a slip would else be taken for the default. */
export function unknownKey(options: object, known: readonly string[]): string | undefined {
  const stranger = Object.keys(options).find((key) => !known.includes(key));
  if (stranger === undefined) return undefined;
  const [meant] = nearest(stranger, known);
  const hint = meant === undefined ? `expected one of ${known.join(', ')}` : `did you mean "${meant}"?`;
  return `has no option ${shown(stranger)} (${hint})`;
}
