/** A plan as a host writes it, checked, and what of it may not differ from what is stored. */
import { PerdureError } from '../errors.ts';
import { isObject, shown } from '../machines/option-keys.ts';
import { checkGraph, ranks } from '../machines/graph.ts';
import type { FailurePolicy, Plan, PlannedStep } from '../machines/tracks.ts';
import type { Rows } from '../persistence/rows.ts';
import { isStorable } from '../persistence/xstate-port.ts';
import { versionOf, type PolicyOverrides, type Registry } from './actions.ts';
import { durationsOf } from './estimates.ts';
import { memoPolicyOf, type MemoOptions } from './memos.ts';
import type { StepRow } from './plan-tables.ts';
import { checkOverrides } from './submission-options.ts';
import { sameText, toText } from './values.ts';

/** A step of a plan, as a host writes it. */
export interface StepOptions extends PolicyOverrides {
  readonly id: string;
  /** The name of a registered action. */
  readonly action: string;
  readonly input?: unknown;
  /** Ids of the steps that must succeed before. */
  readonly after?: readonly string[];
  /** Expected duration, ms: decides what is critical. Default: as long as it took before, else 1,000. */
  readonly estimateMs?: number;
  /** Whether it waits while the error budget burns fast or is spent. Default: false. */
  readonly optional?: boolean;
  /** Whether it is left out when nothing that it is made of has changed. Default: what its action says. */
  readonly memo?: boolean | MemoOptions;
}

/** A plan, as a host writes it. */
export interface PlanOptions {
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

/** What a step may say beside its input and the overrides. */
const OF_STEP = ['id', 'action', 'after', 'estimateMs', 'optional', 'memo'];

/** What a plan is made with. */
export interface Planning {
  readonly rows: Pick<Rows, 'get' | 'all'>;
  readonly registry: Registry;
  readonly newId: () => string;
  readonly at: number;
}

/** A plan as it will be stored: checked, ranked, its actions known. */
export function plannedOf(options: PlanOptions, { rows, registry, newId, at }: Planning): Plan {
  checkPlan(options);
  const id = checkedId(options.id ?? newId(), 'plan');
  const name = checkedId(options.name ?? id, 'plan name');
  const durationOf = durationsOf(rows, name);
  const steps = options.steps.map((step) => ({ ...step, estimateMs: step.estimateMs ?? durationOf(step) }));
  const nodes = steps.map(({ id: step, after = [], estimateMs }) => ({
    id: step,
    after: [...new Set(after)],
    estimateMs,
  }));
  checkGraph(nodes);
  const rank = ranks(nodes);
  return {
    id,
    name,
    policy: options.policy ?? 'stop',
    concurrency: options.concurrency ?? null,
    steps: steps.map((step) => plannedStep(step, registry, rank.get(step.id) ?? 0)),
    at,
  };
}

type Estimated = StepOptions & { readonly estimateMs: number };

function plannedStep({ input, ...options }: Estimated, registry: Registry, rank: number): PlannedStep {
  const { id, action, after = [], estimateMs, optional = false, memo: asked, ...overrides } = options;
  checkOverrides(`The step "${id}"`, options, OF_STEP);
  const memo = memoPolicyOf(`The step "${id}"`, asked ?? registry.get(action).memo);
  return {
    id,
    name: action,
    version: versionOf(registry.get(action)),
    input: toText(input, `the input of the step "${id}"`),
    after: [...new Set(after)],
    policy: {
      ...registry.policyOf(action, overrides, input),
      ...(optional ? { optional } : {}),
      ...(memo === undefined ? {} : { memo }),
    },
    rank,
    estimateMs,
  };
}

/** Throws PLAN_CHANGED unless the stored steps are these. */
export function refuseChanges(plan: Plan, rows: readonly StepRow[]): void {
  const stored = new Map(rows.map((row) => [row.step, row]));
  const changed = plan.steps.filter(({ id, name, version, input, after }) => {
    const row = stored.get(id);
    return (
      row === undefined ||
      row.name !== name ||
      row.version !== version ||
      !sameText(row.input, input) ||
      row.after !== JSON.stringify(after)
    );
  });
  const removed = [...stored.keys()].filter((step) => !plan.steps.some(({ id }) => id === step));
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
  if (concurrency !== undefined && !(Number.isInteger(concurrency) && concurrency >= 1)) {
    return `concurrency must be a whole number from 1, got ${concurrency}`;
  }
  for (const step of steps) {
    if (!isObject(step)) return `a step must be an object, got ${shown(step)}`;
    const { id, after } = step;
    if (typeof id !== 'string' || !STEP_ID.test(id))
      return `the step id ${JSON.stringify(id)} must be 1 to 100 letters, digits, ".", "_" or "-"`;
    if (after !== undefined && !Array.isArray(after)) return `"after" of the step "${id}" must be a list of step ids`;
  }
  return undefined;
}

/** Ids and names are columns and parts of contexts: text that SQLite gives back as it was, and not too long. */
export function checkedId(id: unknown, what: string): string {
  if (typeof id === 'string' && id.length >= 1 && id.length <= 300 && isStorable(id)) return id;
  const got = typeof id === 'string' ? `${id.length} characters, or half of a surrogate pair` : `${typeof id}`;
  throw new PerdureError('OPTIONS_INVALID', `The id of a ${what} is a text of 1 to 300 whole characters; got ${got}.`);
}
