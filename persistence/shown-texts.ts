/**
 * Redaction of what is in texts, too: inputs, values and errors of actions travel as texts of JSON in the events of a supervisor, and
 * the name of a property says nothing to who sees only the text around it.
 *
 * T1  A text that is JSON of an object or a list is shown as the JSON of what may be shown of it. One that is too long to be looked
 *     into is not shown.
 *     Words before it, as in messages of errors, stay.
 * T2  Nothing is changed in place, and the work is bounded.
 */
import type { Payloads } from './payloads.ts';
import { isSealed } from './sealing.ts';
import { shownState } from './shown-state.ts';

const LONGEST_TEXT = 262_144;
const MAX_DEPTH = 100;
/** Places where JSON may begin that are tried. */
const MOST_STARTS = 16;
/** Texts that begin so may be JSON of more than one value. */
const OPENS = /^\s*[[{]/;

/** What of a value may be shown, the texts of JSON in it included. */
export function shownWithTexts(payloads: Payloads, value: unknown): unknown {
  return withoutSecretTexts(payloads, payloads.shown(value));
}

/** The same of a value that is redacted already, but for the texts of JSON in it. */
export function withoutSecretTexts(payloads: Payloads, value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return shownText(payloads, value, depth);
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) return '[too deep]';
  const inside = (one: unknown) => withoutSecretTexts(payloads, one, depth + 1);
  if (Array.isArray(value)) return value.map(inside);
  if (value instanceof Map) return new Map([...value].map(([key, one]) => [key, inside(one)]));
  if (value instanceof Set) return new Set([...value].map(inside));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, inside(one)]));
}

/** What of the message of an error may be shown. */
export function shownMessageText(payloads: Payloads, text: string): string {
  return payloads.shownText(shownText(payloads, text, 0));
}

function shownText(payloads: Payloads, text: string, depth: number): string {
  if (isSealed(text)) return '[encrypted]';
  if (text.length > LONGEST_TEXT) return OPENS.test(text) ? `[${text.length} characters]` : text;
  let tried = 0;
  for (const { index } of text.matchAll(/[[{]/g)) {
    const json = text.slice(index);
    if (isJson(json)) return text.slice(0, index) + shownJson(payloads, json, depth);
    tried += 1;
    if (tried === MOST_STARTS) break;
  }
  return text;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function shownJson(payloads: Payloads, text: string, depth: number): string {
  try {
    // There may be others in it.
    return JSON.stringify(withoutSecretTexts(payloads, shownState(payloads, text), depth + 1));
  } catch {
    // It looks like what the codec writes, and is not.
    return '[redacted]';
  }
}
