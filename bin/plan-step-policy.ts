/** What a plan says of a step beside its work: how risky it is, what it leans on, what stands in for it and undoes it. */
import * as v from 'valibot';
import type { ShellFallback, StandIns } from '../actors/stand-ins.ts';
import type { ActionStepOptions } from '../actors/plan-input.ts';
import { componentName } from './plan-components.ts';
import { keyName, queueName } from './plan-queues.ts';
import {
  duration,
  expected,
  isId,
  isMapping,
  mapping,
  named,
  share,
  text,
  truth,
  withoutGaps,
  word,
  type Shape,
} from './plan-values.ts';

export const COMMAND = 'a shell command as text (in quotes, if YAML takes it for something else)';
const FALLBACKS = 'a shell command, or fallbacks by name, each a mapping with `run`';

const fallbackEntries = {
  run: text(COMMAND),
  'quality-loss': v.optional(share),
  owes: v.optional(truth('whether the real work is owed')),
};
const oneFallback = mapping('a fallback', 'a fallback, which is a mapping with `run`', fallbackEntries);
const fallbackText = text(COMMAND);
const fallbackMapping = named(FALLBACKS, oneFallback, (name) =>
  isId(name) ? undefined : 'expected the name of a fallback: 1 to 100 letters, digits, ".", "_" or "-"',
);
const fallback = v.lazy<typeof fallbackText | typeof fallbackMapping>((input) =>
  isMapping(input) || Array.isArray(input) ? fallbackMapping : fallbackText,
);

const approvalEntries = { silence: word(['wait', 'approve', 'deny']), after: v.optional(duration(1)) };
const approval = v.pipe(
  mapping('an approval', 'what silence means, such as { silence: deny, after: 1h }', approvalEntries),
  v.check(
    ({ silence, after }) => silence === 'wait' || after !== undefined,
    'an approval whose silence is an answer needs `after`: how long to wait for somebody',
  ),
  v.forward(
    v.check(
      ({ silence, after }) => silence !== 'wait' || after === undefined,
      'silence that means to wait waits for ever: leave `after` out, or say what silence means',
    ),
    ['after'],
  ),
);

const SUMMARY = 'text of at most 500 characters that says what the step will do';
const summary = v.pipe(
  text(SUMMARY),
  v.check((value) => value.length <= 500, expected(SUMMARY)),
);

/** The keys of a step that say it. */
export const stepPolicy = {
  deadline: v.optional(duration(1)),
  component: v.optional(componentName),
  'when-open': v.optional(word(['reject', 'wait'])),
  impact: v.optional(word(['low', 'medium', 'high', 'critical'])),
  reversible: v.optional(truth('whether what it does can be taken back')),
  summary: v.optional(summary),
  confidence: v.optional(share),
  approval: v.optional(approval),
  optional: v.optional(truth('whether it waits while the error budget burns fast or is spent')),
  queue: v.optional(queueName),
  key: v.optional(keyName),
  'quality-floor': v.optional(share),
  'below-floor': v.optional(word(['fail', 'ask'])),
  fallback: v.optional(fallback),
  undo: v.optional(text(COMMAND)),
};

export const STEP_POLICY_SHAPES: Readonly<Record<string, Shape>> = {
  approval: { keys: Object.keys(approvalEntries) },
  fallback: { each: { keys: Object.keys(fallbackEntries) } },
};

const policyObject = v.object(stepPolicy);
/** The keys above, checked. */
type CheckedPolicy = v.InferOutput<typeof policyObject>;

/** What the gate, the component and the queue must know of a step, as the supervisor takes it. */
export type StepPolicy = Pick<
  ActionStepOptions,
  | 'deadlineMs'
  | 'component'
  | 'whenOpen'
  | 'impact'
  | 'reversible'
  | 'summary'
  | 'confidence'
  | 'approval'
  | 'optional'
  | 'queue'
  | 'key'
  | 'qualityFloor'
  | 'belowFloor'
>;

export function stepPolicyOf(step: CheckedPolicy): StepPolicy {
  const { deadline, component, impact, reversible, summary, confidence, optional, queue, key } = step;
  const { 'when-open': whenOpen, 'quality-floor': qualityFloor, 'below-floor': belowFloor, approval: asked } = step;
  return withoutGaps({
    deadlineMs: deadline,
    component,
    whenOpen,
    impact,
    reversible,
    summary,
    confidence,
    optional,
    queue,
    key,
    qualityFloor,
    belowFloor,
    approval: asked && withoutGaps({ silence: asked.silence, afterMs: asked.after }),
  });
}

export function standInsOf({ fallback: standsIn, undo }: CheckedPolicy): StandIns {
  return withoutGaps({ fallback: typeof standsIn === 'object' ? fallbacksOf(standsIn) : standsIn, undo });
}

type CheckedFallbacks = Readonly<Record<string, v.InferOutput<typeof oneFallback>>>;

function fallbacksOf(fallbacks: CheckedFallbacks): Readonly<Record<string, ShellFallback>> {
  const entries = Object.entries(fallbacks).map(([name, { run, owes, 'quality-loss': qualityLoss }]) => {
    return [name, withoutGaps({ run, qualityLoss, owes })] as const;
  });
  return Object.fromEntries(entries) as Record<string, ShellFallback>;
}
