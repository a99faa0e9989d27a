/** What a host submits, checked: a call that is repeated under its id is the same work, or it is refused. */
import { isDeepStrictEqual } from 'node:util';
import { PerdureError } from '../errors.ts';
import { shown } from '../machines/option-keys.ts';
import type { Submission } from '../machines/executor.ts';
import { NOT_URGENT, URGENCY_OPTIONS, rankOf, urgencyOf, type UrgencyOptions } from '../machines/urgency.ts';
import type { Plan } from '../machines/tracks.ts';
import type { Rows } from '../persistence/rows.ts';
import { estimateOf } from './action-history.ts';
import { versionOf, type PolicyOverrides, type Registry } from './actions.ts';
import { readAction, stepOfAction } from './ledger.ts';
import { checkedId } from './plan-input.ts';
import { checkedQueue, queueInRows, type Queueing } from './queue-options.ts';
import { roundOf, stepKey, type StepRow } from './plan-tables.ts';
import { checkOverrides } from './submission-options.ts';
import { uniqueOf, type UniqueOptions } from './unique.ts';
import { sameText, toText } from './values.ts';

/** When and in which order it runs. */
export interface QueueingOptions extends UrgencyOptions {
  /** One of the supervisor's `queues`. Default: `default`. */
  readonly queue?: string;
  /** Of one key so many run at once as the supervisor's `keys` say: one, by default. A text of 1 to 300 characters. */
  readonly key?: string;
  /** It begins at the earliest so many ms after it was submitted. Default: 0. */
  readonly delayMs?: number;
  /** Or not before this time: a `Date`, or ms since 1970. */
  readonly notBefore?: number | Date;
  /** Whether it waits for all that is needed, and does so while the error budget burns fast or is spent. Default: false. */
  readonly optional?: boolean;
}

const QUEUEING: readonly string[] = [
  ...URGENCY_OPTIONS,
  ...Object.keys({ queue: 1, key: 1, delayMs: 1, notBefore: 1, optional: 1 } satisfies Record<
    Exclude<keyof QueueingOptions, keyof UrgencyOptions>,
    1
  >),
];

/** What a submission says of itself, beside the action and its input. */
export interface SubmissionOptions extends PolicyOverrides, QueueingOptions {
  readonly id: string;
  readonly unique?: UniqueOptions;
}

/** What a submission is made with. */
export interface SubmissionWorld {
  readonly rows: Pick<Rows, 'get'>;
  readonly registry: Registry;
  readonly limits: Queueing;
}

/** An action as it will be queued. Throws ACTION_UNKNOWN, CODEC_REFUSED, OPTIONS_INVALID. */
export function submissionOf(
  { rows, registry, limits }: SubmissionWorld,
  name: string,
  input: unknown,
  options: SubmissionOptions,
  at: number,
): Submission {
  const id = checkedId(options.id, 'action');
  const what = `The options of the action "${id}"`;
  checkOverrides(what, options, ['id', 'signal', 'unique', 'onFull', ...QUEUEING]);
  const { queue, key, unique, optional = false } = options;
  const policyOfQueue = checkedQueue(limits, what, queue);
  // One that is given as undefined is not given.
  const urgency = urgencyOf(what, { ...options, priority: options.priority ?? policyOfQueue.priority }, at);
  const notBefore = startOf(what, options, at);
  const version = versionOf(registry.get(name));
  const text = toText(input, `the input of the action "${id}"`);
  const policy = registry.policyOf(name, options, input);
  const estimateMs = estimateOf(rows, policy.risk.subject ?? name);
  return {
    id,
    name,
    version,
    input: text,
    policy,
    optional,
    rank: rankOf(urgency, { at, estimateMs }),
    ...(isDeepStrictEqual(urgency, NOT_URGENT) ? {} : { urgency }),
    ...(urgency.dueAt === null ? {} : { estimateMs }),
    ...queueInRows(policyOfQueue, queue),
    ...(key === undefined ? {} : { key: checkedId(key, 'key') }),
    ...(notBefore > at ? { notBefore } : {}),
    ...(unique === undefined ? {} : { unique: uniqueOf(what, unique) }),
    plan: null,
    at,
  };
}

/** The furthest that something can be put off, ms: a year. */
const LONGEST_DELAY_MS = 365 * 86_400_000;

/** When it may begin. Throws OPTIONS_INVALID. */
function startOf(what: string, { delayMs, notBefore }: QueueingOptions, at: number): number {
  const refuse = (wrong: string) => new PerdureError('OPTIONS_INVALID', `${what}: ${wrong}.`);
  if (delayMs !== undefined && notBefore !== undefined) throw refuse('give delayMs or notBefore, not both');
  if (delayMs !== undefined && !(Number.isFinite(delayMs) && delayMs >= 0 && delayMs <= LONGEST_DELAY_MS))
    throw refuse(`delayMs must be a number from 0 to ${LONGEST_DELAY_MS} (a year), got ${shown(delayMs)}`);
  const start = notBefore instanceof Date ? notBefore.getTime() : (notBefore ?? at + (delayMs ?? 0));
  if (!(Number.isFinite(start) && start <= at + LONGEST_DELAY_MS))
    throw refuse(`notBefore must be a Date, or ms since 1970, of the next year, got ${shown(notBefore)}`);
  return start;
}

/** Whether the id is in the store already, for the same work. Throws ACTION_CONFLICT when it is for other work. */
export function isKnown(rows: Rows, { id, name, version, input }: Submission): boolean {
  const row = readAction(rows, id);
  if (row === undefined) {
    const step = stepOfAction(rows, id) ?? stepOfRound(rows, id);
    if (step === undefined) return false;
    throw new PerdureError(
      'ACTION_CONFLICT',
      `The id "${id}" belongs to a step of the plan "${step.plan}": give another.`,
      { facts: { id, plan: step.plan } },
    );
  }
  if (row.name === name && row.version === version && sameText(row.input, input)) return true;
  const was =
    row.name === name ? (row.version === version ? 'other input' : `version ${row.version}`) : `"${row.name}"`;
  throw new PerdureError(
    'ACTION_CONFLICT',
    `The id "${id}" was used for ${was} before; now it came with "${name}", version ${version}: give this one another id.`,
    { facts: { id, name, version, was: { name: row.name, version: row.version } } },
  );
}

/** The step whose action in another round, now or later, has this id. */
function stepOfRound(rows: Pick<Rows, 'get'>, action: string): Pick<StepRow, 'plan'> | undefined {
  if (roundOf(action) === 1) return undefined;
  return rows.get<StepRow>('select plan from steps where id = ?', action.slice(0, action.lastIndexOf('#')));
}

/** The actions of its steps get ids of their own, which nobody else may have. Throws ACTION_CONFLICT. */
export function refuseTaken(rows: Rows, plan: Plan): void {
  refuseOthers(rows, plan);
  const { id, steps } = plan;
  const taken = steps
    .map((step) => stepKey(id, step.id))
    .find((key) => rows.get('select 1 from actions where id = ?', key) !== undefined);
  if (taken === undefined) return;
  throw new PerdureError(
    'ACTION_CONFLICT',
    `The plan "${id}" would call the action of a step "${taken}", but there is an action of that id: give the plan another id.`,
    { facts: { id: taken } },
  );
}

/** `b/c` of the plan `a` and `c` of the plan `a/b` would be one row. Throws ACTION_CONFLICT. */
export function refuseOthers(rows: Rows, { id, steps }: Plan): void {
  for (const step of steps) {
    const key = stepKey(id, step.id);
    const found = rows.get<{ plan: string }>('select plan from steps where id = ? and plan <> ?', key, id);
    if (found === undefined) continue;
    throw new PerdureError(
      'ACTION_CONFLICT',
      `The step "${step.id}" of the plan "${id}" would be "${key}", which is a step of the plan "${found.plan}": give the plan another id.`,
      { facts: { id: key, plan: found.plan } },
    );
  }
}
