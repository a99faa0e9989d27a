/** What is wrong with what a host says of its actions and components: told at the start, not when it is too late. */
import { PerdureError } from '../errors.ts';
import type { StoredPolicy } from '../machines/action-policy.ts';
import { COMPONENT_OPTIONS } from '../machines/component-policy.ts';
import { isObject, shown, unknownKey } from '../machines/option-keys.ts';
import { DEFAULT_RETRY } from '../machines/retry.ts';
import { isStorable } from '../persistence/xstate-port.ts';
import type { AnyAction } from './actions.ts';
import type { Components } from './components.ts';
import { wrongThread } from './thread-work.ts';

/** Node's timers fire at once beyond it. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;
const LONGEST_NAME = 300;

export type Wrong = string | undefined;

const DEFINITION: readonly string[] = Object.keys({
  run: 1,
  thread: 1,
  prepare: 1,
  verify: 1,
  fallback: 1,
  undo: 1,
  cleanUp: 1,
  retry: 1,
  timeoutMs: 1,
  deadlineMs: 1,
  version: 1,
  component: 1,
  whenOpen: 1,
  qualityFloor: 1,
  belowFloor: 1,
  impact: 1,
  reversible: 1,
  summary: 1,
  approval: 1,
  classify: 1,
  memo: 1,
  onRestore: 1,
} satisfies Record<keyof AnyAction, 1>);

/** Throws OPTIONS_INVALID unless it is an object; `what` names it. */
export function checkObject(what: string, value: unknown): void {
  if (!isObject(value)) refuse(what, `must be an object, got ${shown(value)}`, {});
}

/** Throws OPTIONS_INVALID unless it is a text; `what` says whose id it is. */
export function checkId(what: string, id: unknown): void {
  if (typeof id !== 'string') refuse(what, `is known by a text, got ${shown(id)}`, {});
}

/** Throws OPTIONS_INVALID. */
export function checkFunction(what: string, value: unknown): void {
  refuse('The options of the supervisor', wrongFunction(what, value), {});
}

/** Throws OPTIONS_INVALID. */
export function checkDefinition(name: string, definition: unknown): void {
  refuse(`The action ${shown(name)}`, wrongName(name) ?? wrongDefinition(definition), { name });
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
  checkObject('components', components);
  for (const [name, definition] of Object.entries(components)) {
    const wrong = isObject(definition)
      ? (unknownKey(definition, [...COMPONENT_OPTIONS, 'fallbacks']) ?? wrongWithFallbacks(definition['fallbacks']))
      : `must be an object, got ${shown(definition)}`;
    refuse(`The component ${shown(name)}`, wrong, { name });
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

export function refuse(what: string, wrong: Wrong, facts: Readonly<Record<string, unknown>>): void {
  if (wrong !== undefined) throw new PerdureError('OPTIONS_INVALID', `${what}: ${wrong}.`, { facts });
}

/** The name is a column, and part of contexts. */
function wrongName(name: string): Wrong {
  if (name.length >= 1 && name.length <= LONGEST_NAME && isStorable(name)) return undefined;
  return `the name of an action is a text of 1 to ${LONGEST_NAME} whole characters, got ${name.length}`;
}

function wrongDefinition(definition: unknown): Wrong {
  const isThread = isObject(definition) && definition['thread'] !== undefined;
  if (isThread && definition['run'] !== undefined)
    return 'has both `run` and `thread`: its work is done here, or in a thread';
  if (!isObject(definition) || (!isThread && typeof definition['run'] !== 'function')) {
    const got = isObject(definition) ? definition['run'] : definition;
    return `needs a function \`run\`: use defineAction({ run }), got ${shown(got)}`;
  }
  if (!isThread && definition['prepare'] !== undefined) return 'has `prepare`, which only a `thread` needs';
  const { fallback, undo, version } = definition;
  return (
    // What is made by a class may have fields of its own.
    (isPlain(definition) ? unknownKey(definition, DEFINITION) : undefined) ??
    wrongThread(definition['thread']) ??
    wrongFunction('verify', definition['verify']) ??
    wrongFunction('prepare', definition['prepare']) ??
    wrongFunction('cleanUp', definition['cleanUp']) ??
    wrongFunction('summary', definition['summary']) ??
    wrongFunction('classify', definition['classify']) ??
    wrongWord('onRestore', definition['onRestore'] ?? 'ask', ['run', 'ask', 'fail']) ??
    wrongWithFallbacks(fallback) ??
    wrongWithUndo(undo) ??
    (version === undefined || (typeof version === 'string' && version !== '')
      ? undefined
      : `version must be a text, got ${shown(version)}`) ??
    wrongInBoth(definition)
  );
}

/** What a definition and a submission say alike, as far as the policy that is made of them would not show it. */
export function wrongInBoth({ retry, approval, component, reversible }: Readonly<Record<string, unknown>>): Wrong {
  return (
    wrongShape('retry', retry, Object.keys(DEFAULT_RETRY)) ??
    wrongShape('approval', approval, ['silence', 'afterMs']) ??
    (approval !== undefined && (approval as { silence?: unknown }).silence === undefined
      ? 'approval.silence must be one of wait, approve, deny, got undefined'
      : undefined) ??
    (component === undefined || typeof component === 'string'
      ? undefined
      : `component must be the name of one, got ${shown(component)}`) ??
    wrongTruth('reversible', reversible)
  );
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

export function wrongShape(what: string, value: unknown, known: readonly string[]): Wrong {
  if (value === undefined) return undefined;
  if (!isObject(value)) return `${what} must be an object with ${known.join(', ')}, got ${shown(value)}`;
  const wrong = unknownKey(value, known);
  return wrong && `${what} ${wrong}`;
}

export function wrongFunction(what: string, value: unknown): Wrong {
  return value === undefined || typeof value === 'function'
    ? undefined
    : `${what} must be a function, got ${shown(value)}`;
}

export function wrongTruth(what: string, value: unknown): Wrong {
  return value === undefined || typeof value === 'boolean'
    ? undefined
    : `${what} must be true or false, got ${shown(value)}`;
}

function wrongWithRetry({ attempts, delayMs, capMs }: StoredPolicy['retry']): Wrong {
  if (!Number.isInteger(attempts) || attempts < 1)
    return `retry.attempts must be a whole number from 1, got ${shown(attempts)}`;
  const wrong = Object.entries({ delayMs, capMs }).find(
    ([, ms]) => !(typeof ms === 'number' && ms >= 0 && ms <= LONGEST_TIMEOUT_MS),
  );
  return wrong && `retry.${wrong[0]} must be milliseconds from 0 to ${LONGEST_TIMEOUT_MS}, got ${shown(wrong[1])}`;
}

function wrongDuration(what: string, ms: number | null): Wrong {
  if (ms === null || (typeof ms === 'number' && ms > 0 && ms <= LONGEST_TIMEOUT_MS)) return undefined;
  return `${what} must be milliseconds above 0 and up to ${LONGEST_TIMEOUT_MS}, got ${shown(ms)}`;
}

function wrongShare(what: string, share: number | null): Wrong {
  return share === null || (typeof share === 'number' && share >= 0 && share <= 1)
    ? undefined
    : `${what} must be a number from 0 to 1, got ${shown(share)}`;
}

export function wrongWord(what: string, word: unknown, words: readonly string[]): Wrong {
  return words.includes(word as string) ? undefined : `${what} must be one of ${words.join(', ')}, got ${shown(word)}`;
}

function wrongWithFallbacks(fallbacks: unknown): Wrong {
  if (fallbacks === undefined || typeof fallbacks === 'function') return undefined;
  if (!isObject(fallbacks)) return `fallbacks are functions, by name, got ${shown(fallbacks)}`;
  for (const [name, fallback] of Object.entries(fallbacks)) {
    if (!isObject(fallback) || typeof fallback['run'] !== 'function')
      return `the fallback "${name}" needs a function \`run\`, got ${shown(fallback)}`;
    const { qualityLoss, owes } = fallback;
    const wrong =
      (isPlain(fallback) ? unknownKey(fallback, ['run', 'qualityLoss', 'owes']) : undefined) ??
      wrongShare('qualityLoss', (qualityLoss ?? null) as number | null) ??
      wrongTruth('owes', owes);
    if (wrong !== undefined) return `the fallback "${name}": ${wrong}`;
  }
  return undefined;
}

function wrongWithUndo(undo: unknown): Wrong {
  if (undo === undefined || typeof undo === 'function') return undefined;
  if (!isObject(undo)) return `\`undo\` is a function, or functions by name, got ${shown(undo)}`;
  const bad = Object.entries(undo).find(([, run]) => typeof run !== 'function');
  return bad === undefined ? undefined : `undo.${bad[0]} must be a function, got ${shown(bad[1])}`;
}
