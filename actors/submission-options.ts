/** What is wrong with what a host says when it submits: told before anything is stored. */
import { isObject, shown, unknownKey } from '../machines/option-keys.ts';
import type { PolicyOverrides } from './actions.ts';
import { checkObject, refuse, wrongInBoth, wrongShape, wrongTruth, type Wrong } from './action-options.ts';

/** The keys of {@link PolicyOverrides}. */
export const OVERRIDES: readonly string[] = Object.keys({
  retry: 1,
  timeoutMs: 1,
  deadlineMs: 1,
  fallback: 1,
  undo: 1,
  subject: 1,
  component: 1,
  whenOpen: 1,
  qualityFloor: 1,
  belowFloor: 1,
  impact: 1,
  reversible: 1,
  clarity: 1,
  confidence: 1,
  summary: 1,
  approval: 1,
} satisfies Record<keyof PolicyOverrides, 1>);

/** Throws OPTIONS_INVALID for options that are no object, or whose signal is none. */
export function checkCall(what: string, options: unknown): void {
  checkObject(`The options of ${what}`, options);
  const { signal } = options as { signal?: unknown };
  if (signal === undefined || signal instanceof AbortSignal) return;
  refuse(`The options of ${what}`, `signal must be an AbortSignal, got ${shown(signal)}`, {});
}

/**
 * Throws OPTIONS_INVALID for what the policy that is made of it would not show.
 *
 * @param more what may be said beside the overrides.
 */
export function checkOverrides(what: string, options: object, more: readonly string[]): void {
  refuse(what, wrongOverrides(options as Readonly<Record<string, unknown>>, more), {});
}

function wrongOverrides(options: Readonly<Record<string, unknown>>, more: readonly string[]): Wrong {
  const { fallback, undo, subject, summary, optional } = options;
  return (
    unknownKey(options, [...OVERRIDES, ...more]) ??
    // It would stand for the definition's, and not for none.
    wrongNull(options) ??
    wrongInBoth(options) ??
    (isObject(fallback) ? wrongTerms(fallback) : wrongTruth('fallback', fallback)) ??
    wrongTruth('undo', undo) ??
    wrongTruth('optional', optional) ??
    wrongText('subject', subject) ??
    wrongText('summary', summary)
  );
}

function wrongNull(options: Readonly<Record<string, unknown>>): Wrong {
  const found = Object.keys(options).find((key) => options[key] === null);
  return found && `${found} must not be null: leave it out`;
}

function wrongText(what: string, value: unknown): Wrong {
  return value === undefined || typeof value === 'string' ? undefined : `${what} must be a text, got ${shown(value)}`;
}

function wrongTerms(fallbacks: Readonly<Record<string, unknown>>): Wrong {
  for (const [name, terms] of Object.entries(fallbacks)) {
    const what = `the fallback "${name}"`;
    const wrong =
      terms === undefined
        ? `${what} must be an object, got undefined`
        : wrongShape(what, terms, ['qualityLoss', 'owes']);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}
