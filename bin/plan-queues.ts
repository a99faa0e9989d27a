/** What a plan says of the queues that its steps wait in, and of how much of a key may run. */
import * as v from 'valibot';
import { DEFAULT_QUEUE, MAX_QUEUES, QUEUE_NAME, type KeyOptions, type QueueOptions } from '../actors/queue-options.ts';
import { nearest } from '../machines/nearest.ts';
import { PRIORITIES } from '../machines/urgency.ts';
import { isStorable } from '../persistence/xstate-port.ts';
import type { Path } from './plan-document.ts';
import {
  count,
  duration,
  expected,
  isMapping,
  mapping,
  named,
  shown,
  withoutGaps,
  word,
  type Finding,
  type Mapping,
  type Shape,
} from './plan-values.ts';

const NAME = 'the name of a queue: 1 to 100 letters, digits and _ . : / -, a letter or digit first';

/** Whether the plan has it is for {@link undeclaredQueues} to say. */
export const queueName = v.pipe(v.string(expected(NAME)), v.regex(QUEUE_NAME, expected(NAME)));

const KEY = 'a key as text, of 1 to 300 characters';
export const keyName = v.pipe(
  v.string(expected(KEY)),
  v.check((value) => value.length >= 1 && value.length <= 300 && isStorable(value), expected(KEY)),
);

function countTo(what: string, most: number) {
  return v.pipe(
    count(what),
    v.check((value) => value <= most, expected(`${what}, at most ${most}`)),
  );
}

const rateEntries = { limit: countTo('how many may start', 100_000), per: duration(1) };
const rate = v.pipe(
  mapping('a rate', 'a rate, such as { limit: 10, per: 1m }', rateEntries),
  v.transform(({ limit, per: perMs }) => ({ limit, perMs })),
);

const limitEntries = {
  concurrency: v.optional(countTo('how many may run at a time', 1_000)),
  rate: v.optional(rate),
};
const queueEntries = { ...limitEntries, priority: v.optional(word(PRIORITIES)) };
const queue = v.pipe(
  v.nullable(mapping('a queue', 'a queue, which is a mapping', queueEntries), {}),
  v.transform((found): QueueOptions => withoutGaps({ ...found })),
);

/** The queues of a plan, by name. */
export const queues = v.pipe(
  named('a mapping of queues', queue, (name) => (QUEUE_NAME.test(name) ? undefined : expected(NAME)({ input: name }))),
  v.check((value) => Object.keys(value).length <= MAX_QUEUES, `expected at most ${MAX_QUEUES} queues`),
);

/** The limits of each key. */
export const keys = v.pipe(
  mapping('the limits of keys', 'the limits of each key, such as { concurrency: 2 }', limitEntries),
  v.transform((found): KeyOptions => withoutGaps(found)),
);

const RATE_SHAPE: Shape = { keys: Object.keys(rateEntries) };
export const QUEUES_SHAPE: Shape = { each: { keys: Object.keys(queueEntries), inside: { rate: RATE_SHAPE } } };
export const KEYS_SHAPE: Shape = { keys: Object.keys(limitEntries), inside: { rate: RATE_SHAPE } };

/** Steps that name a queue which the plan does not have. */
export function undeclaredQueues(
  plan: Mapping,
  steps: readonly { readonly value: Mapping; readonly path: Path }[],
): Finding[] {
  const { queues: declared } = plan;
  const known = [...new Set([DEFAULT_QUEUE, ...(isMapping(declared) ? Object.keys(declared) : [])])];
  return steps.flatMap(({ value, path }) => {
    const { queue: name } = value;
    if (typeof name !== 'string' || !QUEUE_NAME.test(name) || known.includes(name)) return [];
    const [meant] = nearest(name, known);
    const hint = meant === undefined ? `expected one of ${known.join(', ')}` : `did you mean "${meant}"?`;
    return [
      {
        path: [...path, 'queue'],
        message: `there is no queue ${shown(name)} (${hint}): declare it in \`queues\` of the plan`,
      },
    ];
  });
}
