/** What a plan says of the dependencies that its steps lean on, and of the failures that it can bear. */
import * as v from 'valibot';
import { messageOf } from '../errors.ts';
import { budgetPolicy, type BudgetOptions } from '../machines/budget-policy.ts';
import { componentPolicyOf, MAX_COMPONENTS, type ComponentOptions } from '../machines/component-policy.ts';
import { nearest } from '../machines/nearest.ts';
import type { Path } from './plan-document.ts';
import {
  count,
  duration,
  expected,
  isMapping,
  mapping,
  named,
  numberIn,
  share,
  shown,
  withoutGaps,
  word,
  type Finding,
  type Mapping,
  type Shape,
} from './plan-values.ts';

const NAME = 'the name of a component: 1 to 40 letters, digits and _ . : / -, a letter or digit first';
const NAMED = /^[A-Za-z0-9][\w.:/-]{0,39}$/;

export const componentName = v.pipe(v.string(expected(NAME)), v.regex(NAMED, expected(NAME)));

const rate = numberIn('a number above 0 and up to 1', (value) => value > 0 && value <= 1);

/** A mapping, or false for none. */
function orNone<const S extends v.GenericSchema>(schema: S) {
  const none = v.pipe(
    v.literal(false),
    v.transform(() => null),
  );
  return v.lazy<typeof none | S>((input) => (input === false ? none : schema));
}

const breakerEntries = {
  window: v.optional(count('how many of the last calls are looked at')),
  'min-calls': v.optional(count('how many calls say something')),
  'failure-rate': v.optional(rate),
  'slow-call': v.optional(duration(1)),
  'slow-call-rate': v.optional(rate),
  open: v.optional(duration(1)),
  'max-open': v.optional(duration(1)),
  'open-factor': v.optional(numberIn('a number from 1 to 1000', (value) => value >= 1 && value <= 1_000)),
  probes: v.optional(count('how many calls at once try whether it is back')),
  successes: v.optional(count('how many of them must succeed')),
};
const breaker = v.pipe(
  mapping('a breaker', 'a mapping, or false for no breaker', breakerEntries),
  v.transform((found) => ({
    window: found.window,
    minCalls: found['min-calls'],
    failureRate: found['failure-rate'],
    slowCallMs: found['slow-call'],
    slowCallRate: found['slow-call-rate'],
    openMs: found.open,
    maxOpenMs: found['max-open'],
    openFactor: found['open-factor'],
    probes: found.probes,
    successes: found.successes,
  })),
);

const retryBudgetEntries = {
  ratio: v.optional(numberIn('retries per first attempt, from 0 to 1', (value) => value >= 0 && value <= 1)),
  burst: v.optional(numberIn('a number from 0', (value) => value >= 0 && value <= 1_000_000)),
};
const retryBudget = mapping('a retry budget', 'a mapping, or false for no limit', retryBudgetEntries);

const componentEntries = {
  breaker: v.optional(orNone(breaker)),
  'retry-budget': v.optional(orNone(retryBudget)),
  criticality: v.optional(word(['critical-plus', 'critical', 'sheddable-plus', 'sheddable'])),
  weight: v.optional(share),
};
const component = v.pipe(
  v.nullable(mapping('a component', 'a component, which is a mapping', componentEntries), {}),
  v.transform((found): ComponentOptions => {
    const { breaker: breaks, 'retry-budget': retries, criticality, weight } = found ?? {};
    return withoutGaps({
      breaker: breaks && withoutGaps(breaks),
      retryBudget: retries && withoutGaps(retries),
      criticality,
      weight,
    });
  }),
  refusedBy((options) => componentPolicyOf('x', options), 'components.x'),
);

/** The components of a plan, by name. */
export const components = v.pipe(
  named('a mapping of components', component, (name) =>
    NAMED.test(name) ? undefined : expected(NAME)({ input: name }),
  ),
  v.check((value) => Object.keys(value).length <= MAX_COMPONENTS, `expected at most ${MAX_COMPONENTS} components`),
);

export const COMPONENTS_SHAPE: Shape = {
  each: {
    keys: Object.keys(componentEntries),
    inside: {
      breaker: { keys: Object.keys(breakerEntries) },
      'retry-budget': { keys: Object.keys(retryBudgetEntries) },
    },
  },
};

const windowEntries = {
  fraction: rate,
  long: duration(1),
  short: duration(1),
  tier: word(['slowBurn', 'fastBurn']),
};
const window = v.pipe(
  mapping('a window', 'a pair of windows, which is a mapping', windowEntries),
  v.transform(({ fraction, long: longMs, short: shortMs, tier }) => ({ fraction, longMs, shortMs, tier })),
);

const OF_SLO = ['slo', 'period', 'min-events', 'windows'] as const;
const budgetEntries = {
  slo: v.optional(numberIn('a number above 0 and below 1', (value) => value > 0 && value < 1)),
  period: v.optional(duration(1)),
  'min-events': v.optional(count('how many actions say something')),
  windows: v.optional(v.array(window, expected('a list of pairs of windows'))),
  'per-hour': v.optional(numberIn('a number of failures above 0', (value) => value > 0)),
  dwell: v.optional(duration(0)),
  'exit-ratio': v.optional(rate),
};
/** How many failures are too many. */
export const budget = v.pipe(
  mapping('a budget', 'a budget, such as { slo: 0.9 } or { per-hour: 10 }', budgetEntries),
  v.check(
    (found) => found['per-hour'] === undefined || OF_SLO.every((key) => found[key] === undefined),
    'expected either `per-hour`, or `slo` with `period`, `min-events` and `windows`, not both',
  ),
  v.transform((found): BudgetOptions => {
    const { dwell: dwellMs, 'exit-ratio': exitRatio, 'per-hour': perHour, 'min-events': minEvents } = found;
    if (perHour !== undefined) return { kind: 'count', ...withoutGaps({ perHour, dwellMs, exitRatio }) };
    const { slo, period: periodMs, windows } = found;
    return { kind: 'slo', ...withoutGaps({ slo, periodMs, minEvents, windows, dwellMs, exitRatio }) };
  }),
  refusedBy<BudgetOptions>((options) => budgetPolicy(options), 'budget'),
);

export const BUDGET_SHAPE: Shape = {
  keys: Object.keys(budgetEntries),
  inside: { windows: { each: { keys: Object.keys(windowEntries) } } },
};

/** What only the whole can tell is refused by whoever must work with it; `prefix` is what he calls it. */
function refusedBy<T>(check: (value: T) => unknown, prefix: string) {
  return v.rawCheck<T>(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    try {
      check(dataset.value);
    } catch (error) {
      addIssue({ message: spelled(messageOf(error).replace(`${prefix}.`, '')) });
    }
  });
}

/** A message in the plan's spelling: the machine's names are camelled, and say their unit. */
function spelled(message: string): string {
  return message.replaceAll(/\b[a-z]+(?:[A-Z][a-z]+)+\b/g, (name) =>
    name === 'slowBurn' || name === 'fastBurn'
      ? name
      : name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replace(/-ms$/, ' (ms)'),
  );
}

/** Steps that name a component which the plan does not have, although it has some: a slip would get a breaker of its own. */
export function undeclared(
  plan: Mapping,
  steps: readonly { readonly value: Mapping; readonly path: Path }[],
): Finding[] {
  const declared = plan['components'];
  if (!isMapping(declared)) return [];
  const known = Object.keys(declared);
  return steps.flatMap(({ value, path }) => {
    const name = value['component'];
    if (typeof name !== 'string' || known.includes(name)) return [];
    const [meant] = nearest(name, known);
    const hint = meant === undefined ? `expected one of ${known.join(', ')}` : `did you mean "${meant}"?`;
    return [{ path: [...path, 'component'], message: `unknown component ${shown(name)}; ${hint}` }];
  });
}
