/** The steps of a plan file as actions of a supervisor, and back: what a stored step was defined as. */
import { dirname } from 'node:path';
import type { StepOptions } from '../actors/plan-input.ts';
import type { StepRow } from '../actors/plan-tables.ts';
import { fromText } from '../actors/values.ts';
import { definitionOf, type PlanFile, type PlanStep } from './plan-file.ts';

/** The steps as the supervisor takes them: `command` and `module` are the names of the actions. */
export function stepOptions({ steps, file }: PlanFile): StepOptions[] {
  const folder = dirname(file);
  return steps.map((step) => optionsOf(step, folder));
}

function optionsOf(step: PlanStep, folder: string): StepOptions {
  const { id, kind, after, estimateMs, timeoutMs, retry, ...work } = step;
  return {
    id,
    action: kind,
    input: { ...work, folder },
    after,
    estimateMs,
    fallback: step.fallback !== undefined,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(retry === undefined ? {} : { retry }),
  };
}

/** The definition that a stored step was given by its plan file; comparable with `definitionOf`. */
export function storedDefinition({ step, name, input, after }: StepRow): string {
  const work = fromText(input) as PlanStep;
  return definitionOf({
    ...work,
    id: step,
    kind: name,
    after: JSON.parse(after) as string[],
    estimateMs: 0,
  } as PlanStep);
}
