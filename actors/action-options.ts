/** What is wrong with what a host says of its actions and components: told at the start, not when it is too late. */
import { PerdureError } from '../errors.ts';
import type { StoredPolicy } from '../machines/action-policy.ts';
import type { AnyAction } from './actions.ts';
import type { Components } from './components.ts';

/** Node's timers fire at once beyond it. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

type Wrong = string | undefined;

/** Throws OPTIONS_INVALID. */
export function checkDefinition(name: string, definition: AnyAction): void {
  const { run, verify, fallback, undo, component } = (definition ?? {}) as Partial<AnyAction>;
  refuse(
    `The action "${name}"`,
    (typeof run !== 'function' ? 'needs a function `run`: use defineAction({ run })' : undefined) ??
      (verify !== undefined && typeof verify !== 'function' ? '`verify` must be a function' : undefined) ??
      wrongWithFallbacks(fallback) ??
      wrongWithUndo(undo) ??
      (component === undefined || typeof component === 'string' ? undefined : '`component` must be the name of one'),
    { name },
  );
}

/** Throws OPTIONS_INVALID. */
export function checkPolicy(name: string, policy: StoredPolicy): void {
  const { retry, timeoutMs, deadlineMs, qualityFloor, risk } = policy;
  refuse(
    `The action "${name}"`,
    wrongWithRetry(retry) ??
      wrongDuration('timeoutMs', timeoutMs) ??
      wrongDuration('deadlineMs', deadlineMs) ??
      wrongShare('qualityFloor', qualityFloor) ??
      wrongShare('clarity', risk.clarity) ??
      wrongShare('confidence', risk.confidence) ??
      wrongWord('impact', risk.impact, ['low', 'medium', 'high', 'critical']) ??
      wrongWord('whenOpen', policy.whenOpen, ['reject', 'wait']) ??
      wrongWord('belowFloor', policy.belowFloor, ['fail', 'ask']) ??
      wrongWord('approval.silence', risk.silence, ['wait', 'approve', 'deny']) ??
      wrongDuration('approval.afterMs', risk.silenceMs) ??
      (risk.silence !== 'wait' && risk.silenceMs === null
        ? '`approval` needs afterMs, when silence is an answer'
        : undefined),
    { name },
  );
}

/** Throws OPTIONS_INVALID for what is wrong beside the policies, which check themselves. */
export function checkComponents(components: Components): void {
  for (const [name, { fallbacks }] of Object.entries(components)) {
    refuse(`The component "${name}"`, wrongWithFallbacks(fallbacks), { name });
  }
}

/** Throws OPTIONS_INVALID for the fallbacks of a submission that nobody could carry out. */
export function checkStandIns(
  fallbacks: Readonly<Record<string, { readonly qualityLoss?: number }>>,
  isKnown: (name: string) => boolean,
): void {
  for (const [name, { qualityLoss = null }] of Object.entries(fallbacks)) {
    const unknown = isKnown(name) ? undefined : 'neither the action nor its component has it';
    refuse(`The fallback "${name}"`, unknown ?? wrongShare('qualityLoss', qualityLoss), { name });
  }
}

function refuse(what: string, wrong: Wrong, facts: Readonly<Record<string, unknown>>): void {
  if (wrong !== undefined) throw new PerdureError('OPTIONS_INVALID', `${what}: ${wrong}.`, { facts });
}

function wrongWithRetry({ attempts, delayMs, capMs }: StoredPolicy['retry']): Wrong {
  if (!Number.isInteger(attempts) || attempts < 1)
    return `retry.attempts must be a whole number from 1, got ${attempts}`;
  if (!(delayMs >= 0) || !(capMs >= 0))
    return `retry.delayMs and retry.capMs must be milliseconds from 0, got ${delayMs} and ${capMs}`;
  return undefined;
}

function wrongDuration(what: string, ms: number | null): Wrong {
  if (ms === null || (ms > 0 && ms <= LONGEST_TIMEOUT_MS)) return undefined;
  return `${what} must be milliseconds above 0 and up to ${LONGEST_TIMEOUT_MS}, got ${ms}`;
}

function wrongShare(what: string, share: number | null): Wrong {
  return share === null || (share >= 0 && share <= 1)
    ? undefined
    : `${what} must be a number from 0 to 1, got ${share}`;
}

function wrongWord(what: string, word: unknown, words: readonly string[]): Wrong {
  return words.includes(word as string)
    ? undefined
    : `${what} must be one of ${words.join(', ')}, got ${JSON.stringify(word)}`;
}

function wrongWithFallbacks(fallbacks: unknown): Wrong {
  if (fallbacks === undefined || typeof fallbacks === 'function') return undefined;
  if (typeof fallbacks !== 'object' || fallbacks === null) return 'fallbacks are functions, by name';
  for (const [name, fallback] of Object.entries(fallbacks as Record<string, { run?: unknown; qualityLoss?: number }>)) {
    if (typeof fallback?.run !== 'function') return `the fallback "${name}" needs a function \`run\``;
    const wrong = wrongShare(`qualityLoss of the fallback "${name}"`, fallback.qualityLoss ?? null);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function wrongWithUndo(undo: unknown): Wrong {
  if (undo === undefined || typeof undo === 'function') return undefined;
  if (typeof undo !== 'object' || undo === null) return '`undo` is a function, or functions by name';
  const bad = Object.entries(undo).find(([, run]) => typeof run !== 'function');
  return bad === undefined ? undefined : `undo.${bad[0]} must be a function`;
}
