/**
 * The shape of a plan as it is written: which keys there are and what each may hold. It sees plain data and says what
 * is wrong at which path, all of it at once; it resolves no path and looks at no graph. `${}` and the like mean nothing.
 */

import { isAbsolute, normalize, sep } from 'node:path';
import * as v from 'valibot';
import { MOST_ITEMS } from '../actors/plan-input.ts';
import { DEEPEST } from '../machines/nesting.ts';
import { isExportName, modulePathProblem, moduleReferenceProblem } from './module-reference.ts';
import type { Path } from './plan-document.ts';
import { BUDGET_SHAPE, budget, COMPONENTS_SHAPE, components, undeclared } from './plan-components.ts';
import { KEYS_SHAPE, keys, QUEUES_SHAPE, queues, undeclaredQueues } from './plan-queues.ts';
import { COMMAND, STEP_POLICY_SHAPES, stepPolicy } from './plan-step-policy.ts';
import {
  count,
  duration,
  expected,
  id,
  isMapping,
  mapping,
  strangers,
  text,
  withoutGaps,
  word,
  type Finding,
  type Mapping,
  type Shape,
} from './plan-values.ts';

const DEEPEST_INPUT = 200;
const DEFAULT_CAP_MS = 30_000;

const AFTER = 'the id of a step, or a list of ids';
const afterList = v.pipe(
  v.array(v.string(expected('the id of a step')), expected(AFTER)),
  v.transform((ids) => [...new Set(ids)]),
);
const afterOne = v.pipe(
  v.string(),
  v.transform((one) => [one]),
);
/** Whether there are such steps is for the graph to say. */
const after = v.lazy<typeof afterList | typeof afterOne>((input) => (typeof input === 'string' ? afterOne : afterList));

const attempts = count('the total number of attempts');
const retryObject = v.pipe(
  mapping('a retry', 'the total number of attempts, or a mapping', {
    attempts: v.optional(attempts, 1),
    delay: v.optional(duration(0), '1s'),
    cap: v.optional(duration(0)),
  }),
  v.forward(
    v.check(
      ({ delay, cap }) => cap === undefined || cap >= delay,
      'expected the cap to be no shorter than the delay, since it is the longest delay',
    ),
    ['cap'],
  ),
  // A first delay beyond the default cap is meant: nobody wrote the cap.
  v.transform(({ attempts, delay, cap }) => ({
    attempts,
    delayMs: delay,
    capMs: cap ?? Math.max(DEFAULT_CAP_MS, delay),
  })),
);
const retryCount = v.pipe(
  attempts,
  v.transform((attempts) => ({ attempts, delayMs: 1_000, capMs: DEFAULT_CAP_MS })),
);
const retry = v.lazy<typeof retryCount | typeof retryObject>((input) =>
  typeof input === 'number' ? retryCount : retryObject,
);

const ENV_NAME = /^[^=\0]+$/;
const ENV_VALUE = expected('text, a number or a boolean');

function envProblem(name: string, value: unknown): string | undefined {
  if (!ENV_NAME.test(name)) return 'expected a name without "=" and NUL characters';
  if (!['string', 'number', 'boolean'].includes(typeof value)) return ENV_VALUE({ input: value });
  return String(value).includes('\0') ? 'expected text without NUL characters' : undefined;
}

const env = v.pipe(
  v.custom<Record<string, string | number | boolean>>(isMapping, expected('a mapping of names to values')),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    for (const [key, value] of Object.entries<unknown>(dataset.value)) {
      const message = envProblem(key, value);
      const path: [v.ObjectPathItem] = [{ type: 'object', origin: 'value', input: dataset.value, key, value }];
      if (message !== undefined) addIssue({ message, path });
    }
  }),
);

const MODULE = 'the path of a module such as ./resize.mjs#resize';
const module = v.pipe(
  text(MODULE),
  v.rawCheck(({ dataset, addIssue }) => {
    const message = dataset.issues ? undefined : moduleReferenceProblem(dataset.value);
    if (message !== undefined) addIssue({ message });
  }),
);

const THREAD_MODULE = 'the path of a module such as ./hash.mjs';

/** Threads load nothing from outside the plan's folder. */
function threadModuleProblem(path: string): string | undefined {
  const way = normalize(path);
  const leaves = isAbsolute(path) || way === '..' || way.startsWith(`..${sep}`);
  const inside = `expected the path of a module in the folder of the plan, or in one below it, got ${JSON.stringify(path)}`;
  return modulePathProblem(path) ?? (leaves ? inside : undefined);
}

const threadEntries = {
  module: v.pipe(
    text(THREAD_MODULE),
    v.rawCheck(({ dataset, addIssue }) => {
      const message = dataset.issues ? undefined : threadModuleProblem(dataset.value);
      if (message !== undefined) addIssue({ message });
    }),
  ),
  export: v.optional(
    v.pipe(v.string(expected('the name of an export')), v.check(isExportName, expected('the name of an export'))),
    'default',
  ),
};
const thread = mapping('a thread', 'a mapping with `module`, such as ./hash.mjs, and `export`', threadEntries);

/** Why `value` is not JSON, if it is not: YAML knows numbers that JSON does not. */
function jsonProblem(value: unknown, depth = 0): string | undefined {
  if (typeof value === 'number' && !Number.isFinite(value)) return `expected JSON data, got the number ${value}`;
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth === DEEPEST_INPUT) return `expected JSON data nested no deeper than ${DEEPEST_INPUT}`;
  for (const member of Object.values(value)) {
    const problem = jsonProblem(member, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

const input = v.pipe(
  v.unknown(),
  v.rawCheck(({ dataset, addIssue }) => {
    const message = jsonProblem(dataset.value);
    if (message !== undefined) addIssue({ message });
  }),
);

const PATTERNS = 'a list of patterns of files such as src/**/*.ts';
const patterns = v.array(text('a pattern of files such as src/**/*.ts'), expected(PATTERNS));

const common = {
  id,
  after: v.optional(after, []),
  estimate: v.optional(duration(0)),
  timeout: v.optional(duration(1)),
  retry: v.optional(retry),
  inputs: v.optional(patterns),
  outputs: v.optional(patterns),
  ...stepPolicy,
};
const command = { run: v.optional(text(COMMAND)), cwd: v.optional(text('the path of a folder')), env: v.optional(env) };
const call = { module: v.optional(module), thread: v.optional(thread), input: v.optional(input) };

const forEachEntries = {
  from: v.string(expected('the id of a step whose result is a list')),
  limit: v.optional(
    v.pipe(
      count('the most items'),
      v.check((value) => value <= MOST_ITEMS, expected(`at most ${MOST_ITEMS} items`)),
    ),
  ),
  'at-once': v.optional(count('how many items run at once')),
};
const forEachMapping = v.pipe(
  mapping('for-each', 'the id of a step whose result is a list, or a mapping with `from`', forEachEntries),
  v.transform(({ from, limit, 'at-once': concurrency }) => withoutGaps({ from, limit, concurrency })),
);
const forEachText = v.pipe(
  v.string(),
  v.transform((from) => withoutGaps({ from, limit: undefined, concurrency: undefined })),
);
const forEach = v.lazy<typeof forEachText | typeof forEachMapping>((input) =>
  typeof input === 'string' ? forEachText : forEachMapping,
);

const leaf = mapping('a step', 'a step, which is a mapping', {
  ...common,
  ...command,
  ...call,
  'for-each': v.optional(forEach),
});
/** A step that is one action, or with `for-each` one for each item. */
export type CheckedStep = v.InferOutput<typeof leaf>;

/** Steps under one name. */
export interface CheckedGroup {
  readonly id: string;
  readonly after: string[];
  readonly steps: (CheckedStep | CheckedGroup)[];
}

const step: v.GenericSchema<unknown, CheckedStep | CheckedGroup> = v.lazy((input) =>
  isMapping(input) && Object.hasOwn(input, 'steps') ? group : leaf,
);
const steps = v.pipe(v.array(step, expected('a list of steps')), v.minLength(1, expected('at least one step')));
const group = mapping('a group', 'a group of steps, which is a mapping', { id, after: v.optional(after, []), steps });

const NAME = 'a name of 1 to 100 characters on one line';
const name = v.pipe(
  v.string(expected(NAME)),
  v.regex(/^[^\p{Cc}]{1,100}$/u, expected(NAME)),
  v.check((value) => value.trim() !== '', expected(NAME)),
);

const policy = word(['stop', 'continue', 'skip-dependants']);

const planEntries = {
  name,
  policy: v.optional(policy, 'stop'),
  concurrency: v.optional(count('the number of steps that may run at a time')),
  components: v.optional(components),
  budget: v.optional(budget),
  queues: v.optional(queues),
  keys: v.optional(keys),
  steps,
};
const plan = mapping('a plan', 'a plan, which is a mapping with `name` and `steps`', planEntries);

/** A plan with its defaults filled in; paths are as written. */
export type CheckedPlan = v.InferOutput<typeof plan>;

/** What a step may be, and the keys that only such a step has. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  run: ['cwd', 'env'],
  module: ['input'],
  thread: ['input'],
};
const NO_KIND =
  'a step needs one of `run`, a shell command, `module`, a function to call, and `thread`, a function to call in a thread';

/** A step is of one kind, and has no key of another. */
function kindFindings({ value, path }: WrittenStep): Finding[] {
  if (Object.hasOwn(value, 'steps')) {
    const misplaced = Object.keys(value).filter((key) => STEP.keys.includes(key) && !GROUP_KEYS.has(key));
    return misplaced.map((key) => ({
      path: [...path, key],
      message: `a step with \`steps\` is a group, and has no \`${key}\``,
    }));
  }
  const [kind, another] = Object.keys(KINDS).filter((key) => Object.hasOwn(value, key));
  if (kind === undefined) return [{ path, message: NO_KIND }];
  if (another !== undefined) {
    return [{ path: [...path, another], message: `a step has either \`${kind}\` or \`${another}\`, not both` }];
  }
  const unfounded = Object.hasOwn(value, 'outputs') && !Object.hasOwn(value, 'inputs');
  const needs = 'a step with `outputs` needs `inputs`, the files that it reads: an empty list, if there are none';
  const founding = unfounded ? [{ path: [...path, 'outputs'], message: needs }] : [];
  const misplaced = Object.keys(value).filter((key) => ownersOf(key).length > 0 && !KINDS[kind]?.includes(key));
  return [
    ...founding,
    ...misplaced.map((key) => ({
      path: [...path, key],
      message: `only a step with ${ownersOf(key).join(' or ')} has \`${key}\``,
    })),
  ];
}

/** The kinds of step that have the key, if not all of them do. */
function ownersOf(key: string): string[] {
  return Object.entries(KINDS).flatMap(([kind, keys]) => (keys.includes(key) ? [`\`${kind}\``] : []));
}

const GROUP_KEYS = new Set(['id', 'after', 'steps']);
const STEP = {
  keys: [...Object.keys({ ...common, ...command, ...call }), 'for-each', 'steps'],
  inside: {
    retry: { keys: ['attempts', 'delay', 'cap'] },
    thread: { keys: Object.keys(threadEntries) },
    'for-each': { keys: Object.keys(forEachEntries) },
    ...STEP_POLICY_SHAPES,
    get steps(): Shape {
      return { each: STEP };
    },
  },
};

/** A step or a group as it stands in the file. */
export interface WrittenStep {
  readonly value: Mapping;
  readonly path: Path;
}

/** Every step and every group in the value, a group before what is in it. */
export function writtenSteps(value: Mapping, path: Path = []): WrittenStep[] {
  const { steps: list } = value;
  if (!Array.isArray(list)) return [];
  return (list as unknown[]).flatMap((item, index) => {
    const here = [...path, 'steps', index];
    return isMapping(item) ? [{ value: item, path: here }, ...writtenSteps(item, here)] : [];
  });
}
const PLAN = {
  keys: Object.keys(planEntries),
  inside: {
    steps: { each: STEP },
    components: COMPONENTS_SHAPE,
    budget: BUDGET_SHAPE,
    queues: QUEUES_SHAPE,
    keys: KEYS_SHAPE,
  },
};

/** What is wrong beside the values: keys that have no business where they are, and names that nothing has. */
function structureFindings(value: unknown): Finding[] {
  if (!isMapping(value)) return [];
  const written = writtenSteps(value);
  const tooDeep = written.filter(({ path }) => path.length > 2 * DEEPEST);
  return [
    ...strangers(value, PLAN),
    ...tooDeep.map(({ path }) => ({ path, message: `expected steps nested at most ${DEEPEST} deep` })),
    ...written.flatMap(kindFindings),
    ...undeclared(value, written),
    ...undeclaredQueues(value, written),
  ];
}

function findingOf(issue: v.BaseIssue<unknown>): Finding {
  return { path: (issue.path ?? []).map(({ key }) => key as string | number), message: issue.message };
}

/** The plan in `value`, if nothing is wrong with its shape, and everything that is. */
export function checkShape(value: unknown): { readonly plan?: CheckedPlan; readonly findings: readonly Finding[] } {
  // Of several checks on one value, the first that fails says enough.
  const result = v.safeParse(plan, value, { abortPipeEarly: true });
  const findings = [...structureFindings(value), ...(result.issues ?? []).map(findingOf)];
  return result.success && findings.length === 0 ? { plan: result.output, findings } : { findings };
}
