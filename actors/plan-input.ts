/** A plan as a host writes it, checked, and what of it may not differ from what is stored. */
import { PerdureError } from '../errors.ts';
import type { StoredPolicy } from '../machines/action-policy.ts';
import { checkGraph } from '../machines/graph.ts';
import { DEEPEST, flattened, type Flat } from '../machines/nesting.ts';
import { isObject, shown, unknownKey } from '../machines/option-keys.ts';
import { queueRanks, type UrgentNode } from '../machines/plan-urgency.ts';
import { DEFAULT_RETRY } from '../machines/retry.ts';
import type { FailurePolicy, FanOut, Plan, PlannedStep } from '../machines/tracks.ts';
import { NOT_URGENT, URGENCY_OPTIONS, urgencyOf, type UrgencyOptions } from '../machines/urgency.ts';
import type { Rows } from '../persistence/rows.ts';
import { isStorable } from '../persistence/xstate-port.ts';
import { versionOf, type PolicyOverrides, type Registry } from './actions.ts';
import { durationsOf } from './estimates.ts';
import { memoPolicyOf, type MemoOptions } from './memos.ts';
import type { StepRow } from './plan-tables.ts';
import { checkedQueue, queueInRows, type Queueing } from './queue-options.ts';
import { checkOverrides } from './submission-options.ts';
import { sameText, toText } from './values.ts';

/** A step of a plan, as a host writes it: one action, a fan-out of one, or a group of steps. */
export type StepOptions = ActionStepOptions | GroupOptions;

/** A step that is an action, or with `forEach` one action for each item of a list. */
export interface ActionStepOptions extends PolicyOverrides, UrgencyOptions {
  readonly id: string;
  /** The name of a registered action. */
  readonly action: string;
  readonly input?: unknown;
  /** Ids of the steps and groups that must succeed before: those beside it, or paths such as `phase/task`. */
  readonly after?: readonly string[];
  /** Expected duration, ms: decides what is critical. Default: as long as it took before, else 1,000. */
  readonly estimateMs?: number;
  /** Whether it waits while the error budget burns fast or is spent. Default: false. */
  readonly optional?: boolean;
  /** One of the supervisor's `queues`; its priority is that of a step for which nothing else is said. Default: `default`. */
  readonly queue?: string;
  /** Of one key so many run at once as the supervisor's `keys` say, items of a fan-out too. A text of 1 to 300 characters. */
  readonly key?: string;
  /** Whether it is left out when nothing that it is made of has changed. Default: what its action says. */
  readonly memo?: boolean | MemoOptions;
  /** Makes it a fan-out. Its input must then be an object or absent: each item gets `{ item, index, ...input }`. */
  readonly forEach?: ForEachOptions;
  readonly steps?: undefined;
}

/** What a fan-out goes over. */
export interface ForEachOptions {
  /** The step whose value is the list; the fan-out comes after it. */
  readonly from: string;
  /** The most items that it takes: with more it fails. Default, and at most: 10,000. */
  readonly limit?: number;
  /** How many items run at once. Default: as many as the plan allows. */
  readonly concurrency?: number;
}

/** Steps under one name: a phase, a task. Groups nest up to 8 deep. */
export interface GroupOptions {
  readonly id: string;
  readonly steps: readonly StepOptions[];
  /** What must succeed before anything in it. */
  readonly after?: readonly string[];
}

/** A plan, as a host writes it. Its urgency is that of each step that says nothing else. */
export interface PlanOptions extends UrgencyOptions {
  /** Makes the call repeatable. Default: a new UUID v7. */
  readonly id?: string;
  /** What runs of the same plan have in common. Default: the id. */
  readonly name?: string;
  readonly steps: readonly StepOptions[];
  /** What a failure means. Default: `stop`. */
  readonly policy?: FailurePolicy;
  /** How many of its steps run at once. Default: as many as the supervisor allows. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
}

const STEP_ID = /^[\w.-]{1,100}$/;
const POLICIES: readonly unknown[] = ['stop', 'continue', 'skip-dependants'] satisfies FailurePolicy[];

/** The most items of a fan-out. */
export const MOST_ITEMS = 10_000;

/** What a step may say beside its input and the overrides. */
const OF_STEP = Object.keys({
  id: 1,
  action: 1,
  after: 1,
  estimateMs: 1,
  optional: 1,
  queue: 1,
  key: 1,
  memo: 1,
  forEach: 1,
  steps: 1,
} satisfies Record<Exclude<keyof ActionStepOptions, keyof (PolicyOverrides & UrgencyOptions) | 'input'>, 1>).concat(
  URGENCY_OPTIONS,
);

/** A group does nothing that a policy could be of. */
const NO_POLICY: StoredPolicy = {
  retry: DEFAULT_RETRY,
  timeoutMs: null,
  deadlineMs: null,
  component: null,
  whenOpen: 'reject',
  fallbacks: [],
  qualityFloor: 0,
  belowFloor: 'fail',
  hasUndo: false,
  risk: {
    impact: 'low',
    reversible: null,
    clarity: null,
    confidence: null,
    summary: '',
    silence: 'wait',
    silenceMs: null,
  },
};

/** What a plan is made with. */
export interface Planning {
  readonly rows: Pick<Rows, 'get' | 'all'>;
  readonly registry: Registry;
  readonly limits: Queueing;
  readonly newId: () => string;
  readonly at: number;
  /** When it was submitted first: what is repeated has the ranks that it had. */
  readonly since: number;
}

/** A plan as it will be stored: flat, checked, ranked, its actions known. */
export function plannedOf(options: PlanOptions, { rows, registry, limits, newId, at, since }: Planning): Plan {
  checkPlan(options);
  const own = urgencyOptions(options);
  urgencyOf('The plan', own, since);
  const id = checkedId(options.id ?? newId(), 'plan');
  const name = checkedId(options.name ?? id, 'plan name');
  const durationOf = durationsOf(rows, name);
  const nodes = flattened<StepOptions>(options.steps).map((flat) => nodeOf(flat, own, { limits, since, durationOf }));
  checkGraph(nodes);
  const rank = queueRanks(nodes, since);
  return {
    id,
    name,
    policy: options.policy ?? 'stop',
    concurrency: options.concurrency ?? null,
    steps: nodes.map((node) => plannedStep(node, { registry, limits }, rank.get(node.id) ?? 0)),
    at,
  };
}

type Node = UrgentNode & { readonly flat: Flat<StepOptions> };
type Reckoning = Pick<Planning, 'limits' | 'since'> & { readonly durationOf: ReturnType<typeof durationsOf> };

function nodeOf(flat: Flat<StepOptions>, ofPlan: UrgencyOptions, { limits, since, durationOf }: Reckoning): Node {
  const { id, after, step } = flat;
  if (isGroup(step)) return { id, after, estimateMs: 0, urgency: NOT_URGENT, flat };
  const what = `The step "${id}"`;
  const { priority } = checkedQueue(limits, what, step.queue);
  const said = { ...(priority === 'normal' ? {} : { priority }), ...ofPlan, ...urgencyOptions(step) };
  const urgency = Object.keys(said).length === 0 ? NOT_URGENT : urgencyOf(what, said, since);
  return { id, after, estimateMs: step.estimateMs ?? durationOf({ ...step, id }), urgency, flat };
}

function urgencyOptions({ priority, dueAt, costOfDelay, isAwaited }: UrgencyOptions): UrgencyOptions {
  return {
    ...(priority === undefined ? {} : { priority }),
    ...(dueAt === undefined ? {} : { dueAt }),
    ...(costOfDelay === undefined ? {} : { costOfDelay }),
    ...(isAwaited === undefined ? {} : { isAwaited }),
  };
}

function isGroup(step: StepOptions): step is GroupOptions {
  return step.steps !== undefined;
}

function plannedStep(
  { flat, urgency, after, estimateMs }: Node,
  { registry, limits }: Pick<Planning, 'registry' | 'limits'>,
  rank: number,
): PlannedStep {
  const { id, step, source } = flat;
  const place = { id, after, rank, estimateMs };
  if (isGroup(step)) return { ...place, name: '', version: '', input: 'null', policy: NO_POLICY, role: 'group' };
  const { input, ...options } = step;
  const what = `The step "${id}"`;
  checkOverrides(what, options, OF_STEP);
  const { id: _, action, after: __, estimateMs: ___, optional = false, memo: asked, forEach, ...others } = options;
  const { queue, key, ...overrides } = others;
  const memo = memoPolicyOf(what, asked ?? registry.get(action).memo);
  // What an item is, its summary cannot be asked before there are items.
  const summary = source === null ? {} : { summary: `${id}: for each of ${source}` };
  return {
    ...place,
    name: action,
    version: versionOf(registry.get(action)),
    input: toText(input, `the input of the step "${id}"`),
    policy: {
      ...registry.policyOf(action, { ...summary, ...overrides }, input),
      ...(optional ? { optional } : {}),
      ...(memo === undefined ? {} : { memo }),
      ...queueInRows(checkedQueue(limits, what, queue), queue),
      ...(key === undefined ? {} : { key: checkedId(key, 'key') }),
    },
    ...(urgency === NOT_URGENT ? {} : { urgency }),
    ...(forEach === undefined || source === null ? {} : { role: 'each', forEach: fanOutOf(forEach, source) }),
  };
}

function fanOutOf({ limit = MOST_ITEMS, concurrency }: ForEachOptions, from: string): FanOut {
  return { from, limit, concurrency: concurrency ?? null };
}

/** Throws PLAN_CHANGED unless the stored steps are these. */
export function refuseChanges(plan: Plan, rows: readonly StepRow[]): void {
  const stored = new Map(rows.filter(({ fan }) => fan === null).map((row) => [row.step, row]));
  const steps = plan.steps.filter(({ role }) => role !== 'group');
  const changed = steps.filter(({ id, name, version, input, after, forEach }) => {
    const row = stored.get(id);
    return (
      row === undefined ||
      row.name !== name ||
      row.version !== version ||
      row.source !== (forEach?.from ?? null) ||
      !sameText(row.input, input) ||
      row.after !== JSON.stringify(after)
    );
  });
  const planned = new Set(steps.map(({ id }) => id));
  const removed = [...stored.keys()].filter((step) => !planned.has(step));
  const differences = [...changed.map(({ id }) => id), ...removed];
  if (differences.length === 0) return;
  throw new PerdureError(
    'PLAN_CHANGED',
    `The plan "${plan.id}" is in the store with other steps (${differences.join(', ')}): give the changed plan another id.`,
    { facts: { plan: plan.id, steps: differences } },
  );
}

function checkPlan(options: PlanOptions): void {
  const wrong = wrongWith(options);
  if (wrong === undefined) return;
  throw new PerdureError('PLAN_INVALID', `The plan${options.id === undefined ? '' : ` "${options.id}"`}: ${wrong}.`);
}

function wrongWith({ steps, concurrency, policy }: PlanOptions): string | undefined {
  if (!Array.isArray(steps) || steps.length === 0) return 'it has no steps';
  if (policy !== undefined && !POLICIES.includes(policy))
    return `policy must be one of ${POLICIES.join(', ')}, got "${policy}"`;
  return wrongCount('concurrency', concurrency) ?? firstWrong(steps, 1);
}

function wrongCount(what: string, value: unknown, most = Infinity): string | undefined {
  if (value === undefined || (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most)) return;
  return `${what} must be a whole number from 1${most === Infinity ? '' : ` to ${most}`}, got ${shown(value)}`;
}

function firstWrong(steps: readonly StepOptions[], depth: number): string | undefined {
  for (const step of steps) {
    const wrong = wrongStep(step, depth);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function wrongStep(step: StepOptions, depth: number): string | undefined {
  if (!isObject(step)) return `a step must be an object, got ${shown(step)}`;
  const { id, after } = step;
  if (typeof id !== 'string' || !STEP_ID.test(id))
    return `the step id ${JSON.stringify(id)} must be 1 to 100 letters, digits, ".", "_" or "-"`;
  if (after !== undefined && !(Array.isArray(after) && after.every((one) => typeof one === 'string')))
    return `"after" of the step "${id}" must be a list of step ids`;
  return isGroup(step) ? wrongGroup(step, depth) : wrongFanOut(id, step);
}

function wrongGroup(group: GroupOptions, depth: number): string | undefined {
  const { id, steps } = group;
  const stranger = unknownKey(group, ['id', 'after', 'steps']);
  if (stranger !== undefined) return `the group "${id}" ${stranger}`;
  if (!Array.isArray(steps) || steps.length === 0) return `the group "${id}" has no steps`;
  if (depth >= DEEPEST) return `the group "${id}" is nested too deep: steps nest at most ${DEEPEST} deep`;
  return firstWrong(steps, depth + 1);
}

function wrongFanOut(id: string, { forEach, input }: ActionStepOptions): string | undefined {
  if (forEach === undefined) return undefined;
  const what = `"forEach" of the step "${id}"`;
  if (!isObject(forEach) || typeof forEach['from'] !== 'string')
    return `${what} must be an object with \`from\`, a step id`;
  const stranger = unknownKey(forEach, ['from', 'limit', 'concurrency']);
  if (stranger !== undefined) return `${what} ${stranger}`;
  if (input !== undefined && !isObject(input))
    return `the input of the step "${id}" must be an object, to which item and index are added, got ${shown(input)}`;
  const { limit, concurrency } = forEach as unknown as ForEachOptions;
  return wrongCount(`the limit of ${what}`, limit, MOST_ITEMS) ?? wrongCount(`the concurrency of ${what}`, concurrency);
}

/** Ids and names are columns and parts of contexts: text that SQLite gives back as it was, and not too long. */
export function checkedId(id: unknown, what: string): string {
  if (typeof id === 'string' && id.length >= 1 && id.length <= 300 && isStorable(id)) return id;
  const got = typeof id === 'string' ? `${id.length} characters, or half of a surrogate pair` : `${typeof id}`;
  throw new PerdureError('OPTIONS_INVALID', `The id of a ${what} is a text of 1 to 300 whole characters; got ${got}.`);
}
