/** What a host says of its queues and keys, checked: how much of each may run, and how urgent what is in a queue is. */
import { PerdureError } from '../errors.ts';
import { nearest } from '../machines/nearest.ts';
import { isObject, shown, unknownKey } from '../machines/option-keys.ts';
import { PRIORITIES, type Priority } from '../machines/urgency.ts';

/** At most `limit` starts in any `perMs`. */
export interface Rate {
  /** From 1 to 100,000. */
  readonly limit: number;
  /** ms, up to a year. */
  readonly perMs: number;
}

/** How much may run. */
export interface LimitOptions {
  /** How many run at once, from 1 to 1,000. Default: as many as the supervisor allows. */
  readonly concurrency?: number;
  /** How many may start in a time. Default: any number. */
  readonly rate?: Rate;
}

/** A queue. */
export interface QueueOptions extends LimitOptions {
  /** Of what is submitted to it without one. Default: `normal`. */
  readonly priority?: Priority;
  /** How many may wait in it, those included that are delayed or held because of their key: from 1. Default: any number. */
  readonly maxWaiting?: number;
  /** What becomes of a submission when so many wait: it waits for room, or is refused with QUEUE_FULL. Default: `wait`. */
  readonly onFull?: OnFull;
}

/** What becomes of a submission to a queue that is full. */
export type OnFull = 'wait' | 'refuse';

/** How much of one key may run. `concurrency` is 1 by default. */
export type KeyOptions = LimitOptions;

/** Queues by name. */
export type Queues = Readonly<Record<string, QueueOptions>>;

/** What the executor must know of something that is limited. Null: it is not. */
export interface Limits {
  readonly concurrency: number | null;
  readonly rate: Rate | null;
}

export interface QueuePolicy extends Limits {
  readonly priority: Priority;
  readonly maxWaiting: number | null;
  readonly onFull: OnFull;
}

/** All that is limited, in this life of the process. */
export interface Queueing {
  readonly queues: ReadonlyMap<string, QueuePolicy>;
  readonly components: ReadonlyMap<string, Limits>;
  readonly keys: Limits & { readonly concurrency: number };
}

export const DEFAULT_QUEUE = 'default';
export const MAX_QUEUES = 100;
const MOST_WAITING = 10_000_000;
/** Of queues. */
export const QUEUE_NAME = /^[A-Za-z0-9][\w.:/-]{0,99}$/;
const MAX_MS = 365 * 86_400_000;

const LIMIT_OPTIONS = Object.keys({ concurrency: 1, rate: 1 } satisfies Record<keyof LimitOptions, 1>);
const QUEUE_OPTIONS = Object.keys({ concurrency: 1, rate: 1, priority: 1, maxWaiting: 1, onFull: 1 } satisfies Record<
  keyof QueueOptions,
  1
>);

const ANY: Limits = { concurrency: null, rate: null };

export const NO_LIMITS: Queueing = {
  queues: new Map([[DEFAULT_QUEUE, { ...ANY, priority: 'normal', maxWaiting: null, onFull: 'wait' }]]),
  components: new Map(),
  keys: { concurrency: 1, rate: null },
};

interface Limited {
  readonly queues?: Queues;
  readonly keys?: KeyOptions;
  readonly components?: Readonly<Record<string, LimitOptions>>;
}

/** What is limited, with the defaults filled in. Throws OPTIONS_INVALID. */
export function queueing({ queues = {}, keys = {}, components = {} }: Limited): Queueing {
  if (!isObject(queues)) throw invalid('queues', 'an object of queues by name', queues);
  const names = Object.keys(queues);
  if (names.length > MAX_QUEUES) throw invalid('queues', `at most ${MAX_QUEUES} queues`, names.length);
  const checked = names.map((name) => [name, queuePolicy(name, queues[name])] as const);
  const { concurrency, rate } = limitsOf('keys', keys, LIMIT_OPTIONS);
  return {
    queues: new Map([...NO_LIMITS.queues, ...checked]),
    components: new Map(
      Object.entries(components).map(([name, { concurrency: most, rate: pace }]) => [
        name,
        limitsOf(`components.${name}`, { ...defined('concurrency', most), ...defined('rate', pace) }, LIMIT_OPTIONS),
      ]),
    ),
    keys: { concurrency: concurrency ?? 1, rate },
  };
}

function defined<K extends string, T>(key: K, value: T | undefined): Partial<Record<K, T>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, T>);
}

function queuePolicy(name: string, options: unknown): QueuePolicy {
  if (!QUEUE_NAME.test(name))
    throw invalid('queues', 'a name of 1 to 100 letters, digits and _ . : / -, a letter or digit first', name);
  const limits = limitsOf(`queues.${name}`, options, QUEUE_OPTIONS);
  const { priority = 'normal', maxWaiting, onFull = 'wait' } = options as QueueOptions;
  if (!PRIORITIES.includes(priority))
    throw invalid(`queues.${name}.priority`, `one of ${PRIORITIES.join(', ')}`, priority);
  if (maxWaiting !== undefined) checkCount(`queues.${name}.maxWaiting`, maxWaiting, MOST_WAITING);
  return {
    ...limits,
    priority,
    maxWaiting: maxWaiting ?? null,
    onFull: checkedOnFull(onFull, `queues.${name}.onFull`),
  };
}

/** Throws OPTIONS_INVALID. */
export function checkedOnFull<T extends OnFull | undefined>(onFull: T, option = 'onFull'): T {
  if (onFull === undefined || onFull === 'wait' || onFull === 'refuse') return onFull;
  throw invalid(option, "'wait' or 'refuse'", onFull);
}

function limitsOf(path: string, options: unknown, known: readonly string[]): Limits {
  checkKeys(path, options, known);
  const { concurrency, rate } = options as LimitOptions;
  if (concurrency !== undefined) checkCount(`${path}.concurrency`, concurrency, 1_000);
  if (rate !== undefined) checkRate(`${path}.rate`, rate);
  return { concurrency: concurrency ?? null, rate: rate ?? null };
}

function checkRate(path: string, rate: Rate): void {
  checkKeys(path, rate, ['limit', 'perMs']);
  checkCount(`${path}.limit`, rate.limit, 100_000);
  checkCount(`${path}.perMs`, rate.perMs, MAX_MS);
}

function checkKeys(path: string, options: unknown, known: readonly string[]): void {
  if (!isObject(options)) throw invalid(path, 'an object', options);
  const wrong = unknownKey(options, known);
  if (wrong !== undefined) throw new PerdureError('OPTIONS_INVALID', `${path} ${wrong}.`, { facts: { option: path } });
}

function checkCount(path: string, value: unknown, most: number): void {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most) return;
  throw invalid(path, `a whole number from 1 to ${most}`, value);
}

function invalid(option: string, expected: string, got: unknown): PerdureError {
  return new PerdureError('OPTIONS_INVALID', `${option} must be ${expected}, got ${shown(got)}.`, {
    facts: { option, expected, got },
  });
}

/** A queue as a row names it: nothing stands for `default`, but what is bounded is counted by its name. */
export function queueInRows({ maxWaiting }: QueuePolicy, name: string = DEFAULT_QUEUE): { readonly queue?: string } {
  return maxWaiting === null && name === DEFAULT_QUEUE ? {} : { queue: name };
}

/** The queue of this name: a slip must not make another, without limits. Throws OPTIONS_INVALID. */
export function checkedQueue({ queues }: Queueing, what: string, name: string = DEFAULT_QUEUE): QueuePolicy {
  const policy = queues.get(name);
  if (policy !== undefined) return policy;
  const known = [...queues.keys()];
  const [meant] = nearest(String(name), known);
  const hint = meant === undefined ? `expected one of ${known.join(', ')}` : `did you mean "${meant}"?`;
  throw new PerdureError(
    'OPTIONS_INVALID',
    `${what}: there is no queue ${shown(name)} (${hint}): declare it in \`queues\` of the supervisor.`,
    { facts: { queue: name, known } },
  );
}
