/** What is wrong with what a host says of its actions and components: told at the start, not when it is too late. */
import { PerdureError } from '../errors.ts';
import type { StoredPolicy } from '../machines/action.ts';
import type { AnyAction } from './actions.ts';
import type { Components } from './components.ts';

/** Node's timers fire at once beyond it. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;
/** Names become parts of ids and texts. */
const COMPONENT_NAME = /^[\w.:/-]{1,100}$/;

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
      (component === undefined ? undefined : wrongWithName(component)),
    { name },
  );
}

/** Throws OPTIONS_INVALID. */
export function checkPolicy(name: string, policy: StoredPolicy): void {
  const { retry, timeoutMs, deadlineMs, qualityFloor, risk, component } = policy;
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
      (risk.silence !== 'wait' && risk.silenceMs === null ? '`approval` needs afterMs, when silence is an answer' : undefined) ??
      (component === null ? undefined : wrongWithName(component)),
    { name },
  );
}

/** Throws OPTIONS_INVALID. */
export function checkComponents(components: Components): void {
  for (const [name, { breaker, retryBudget, weight, criticality, fallbacks }] of Object.entries(components)) {
    refuse(
      `The component "${name}"`,
      wrongWithName(name) ??
        wrongWithBreaker(breaker === false ? undefined : breaker) ??
        wrongWithBudget(retryBudget === false ? undefined : retryBudget) ??
        wrongShare('weight', weight ?? null) ??
        wrongWord('criticality', criticality ?? 'critical', ['critical-plus', 'critical', 'sheddable-plus', 'sheddable']) ??
        wrongWithFallbacks(fallbacks),
      { name },
    );
  }
}

function refuse(what: string, wrong: Wrong, facts: Readonly<Record<string, unknown>>): void {
  if (wrong !== undefined) throw new PerdureError('OPTIONS_INVALID', `${what}: ${wrong}.`, { facts });
}

function wrongWithName(component: unknown): Wrong {
  if (typeof component === 'string' && COMPONENT_NAME.test(component)) return undefined;
  return `a component is named by 1 to 100 letters, digits, "_", ".", ":", "/" or "-", got ${JSON.stringify(component)}`;
}

function wrongWithRetry({ attempts, delayMs, capMs }: StoredPolicy['retry']): Wrong {
  if (!Number.isInteger(attempts) || attempts < 1) return `retry.attempts must be a whole number from 1, got ${attempts}`;
  if (!(delayMs >= 0) || !(capMs >= 0))
    return `retry.delayMs and retry.capMs must be milliseconds from 0, got ${delayMs} and ${capMs}`;
  return undefined;
}

function wrongDuration(what: string, ms: number | null): Wrong {
  if (ms === null || (ms > 0 && ms <= LONGEST_TIMEOUT_MS)) return undefined;
  return `${what} must be milliseconds above 0 and up to ${LONGEST_TIMEOUT_MS}, got ${ms}`;
}

function wrongShare(what: string, share: number | null): Wrong {
  return share === null || (share >= 0 && share <= 1) ? undefined : `${what} must be a number from 0 to 1, got ${share}`;
}

function wrongCount(what: string, count: number | undefined): Wrong {
  if (count === undefined || (Number.isInteger(count) && count >= 1)) return undefined;
  return `${what} must be a whole number from 1, got ${count}`;
}

function wrongWord(what: string, word: unknown, words: readonly string[]): Wrong {
  return words.includes(word as string) ? undefined : `${what} must be one of ${words.join(', ')}, got ${JSON.stringify(word)}`;
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

type Partially<T> = { readonly [K in keyof T]?: T[K] | undefined };
type Breaker = Partially<{
  window: number;
  minCalls: number;
  failureRate: number;
  slowCallRate: number;
  slowCallMs: number | null;
  openMs: number;
  maxOpenMs: number;
  openFactor: number;
  probes: number;
  successes: number;
}>;

function wrongWithBreaker(breaker: Breaker = {}): Wrong {
  const { window = 20, minCalls = 5, openMs = 60_000, maxOpenMs = 600_000, openFactor = 2 } = breaker;
  return (
    wrongCount('breaker.window', window) ??
    wrongCount('breaker.minCalls', minCalls) ??
    (minCalls > window ? `breaker.minCalls (${minCalls}) must not exceed breaker.window (${window})` : undefined) ??
    wrongShare('breaker.failureRate', breaker.failureRate ?? null) ??
    wrongShare('breaker.slowCallRate', breaker.slowCallRate ?? null) ??
    wrongDuration('breaker.slowCallMs', breaker.slowCallMs ?? null) ??
    wrongDuration('breaker.openMs', openMs) ??
    wrongDuration('breaker.maxOpenMs', maxOpenMs) ??
    (openMs > maxOpenMs ? `breaker.openMs (${openMs}) must not exceed breaker.maxOpenMs (${maxOpenMs})` : undefined) ??
    (openFactor >= 1 ? undefined : `breaker.openFactor must be a number from 1, got ${openFactor}`) ??
    wrongCount('breaker.probes', breaker.probes) ??
    wrongCount('breaker.successes', breaker.successes)
  );
}

function wrongWithBudget(budget: Partially<{ ratio: number; burst: number }> = {}): Wrong {
  const { ratio = 0, burst = 0 } = budget;
  if (!(ratio >= 0 && Number.isFinite(ratio))) return `retryBudget.ratio must be a number from 0, got ${ratio}`;
  return burst >= 0 && Number.isFinite(burst) ? undefined : `retryBudget.burst must be a number from 0, got ${burst}`;
}
