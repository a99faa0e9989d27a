/** The steps of a plan file as actions of a supervisor, and back: what a stored step was defined as. */
import { dirname } from 'node:path';
import { DEFAULT_LOSS, type FallbackTerms } from '../actors/action-context.ts';
import type { ComponentDefinition, Components } from '../actors/components.ts';
import { fallbacksOf } from '../actors/stand-ins.ts';
import type { MemoOptions } from '../actors/memos.ts';
import type { ActionStepOptions, StepOptions } from '../actors/plan-input.ts';
import type { StepRow } from '../actors/plan-tables.ts';
import { threadActionName, type ThreadTarget } from '../actors/thread-action.ts';
import { fromText } from '../actors/values.ts';
import { definitionOf, type PlanFile, type PlanStep } from './plan-file.ts';

/**
 * The steps as the supervisor takes them. The actions are named `command` and `module`, and each function that is called in
 * threads is one of its own.
 *
 * @param options `changed`: what is unchanged since an earlier run is left out. Otherwise all run, and what comes of them is remembered.
 */
export function stepOptions({ name, steps, file }: PlanFile, { changed = false } = {}): StepOptions[] {
  const folder = dirname(file);
  const top: StepOptions[] = [];
  const inner = new Map([['', top]]);
  for (const step of steps) {
    const parent = step.id.slice(0, Math.max(0, step.id.lastIndexOf('/')));
    const subject = `${name}/${step.id}`;
    const memo = memoOf(step, folder, subject);
    within(parent, inner).push({
      ...optionsOf(step, folder),
      subject,
      ...(memo === undefined ? {} : { memo: { ...memo, refresh: !changed } }),
    });
  }
  return top;
}

/** One step never stands in for another, though they run the same. What a module does is in its file, too. */
function memoOf(step: PlanStep, folder: string, version: string): MemoOptions | undefined {
  if (step.files === undefined) return undefined;
  const { inputs, outputs } = step.files;
  if (step.kind !== 'command') return { version, files: [step.module, ...inputs], outputs, folder };
  return { version, files: inputs, outputs, folder: step.cwd ?? folder };
}

/** What is in the group of this path, which is made where it is not there yet. */
function within(path: string, inner: Map<string, StepOptions[]>): StepOptions[] {
  const found = inner.get(path);
  if (found !== undefined) return found;
  const at = path.lastIndexOf('/');
  const steps: StepOptions[] = [];
  // What the group comes after is in the steps: they come after it, too.
  within(path.slice(0, Math.max(0, at)), inner).push({ id: path.slice(at + 1), steps });
  inner.set(path, steps);
  return steps;
}

function optionsOf(step: PlanStep, folder: string): ActionStepOptions {
  const { id, kind: _kind, after, estimateMs, timeoutMs, retry, policy, forEach, files: _, ...work } = step;
  return {
    summary: `${id}: ${firstLine(step.kind === 'command' ? step.run : `${step.module}#${step.export}`)}`,
    ...policy,
    id: id.slice(id.lastIndexOf('/') + 1),
    action: actionOf(step, folder),
    input: { ...work, folder },
    after: after.map((path) => `/${path}`),
    ...(forEach === undefined ? {} : { forEach: { ...forEach, from: `/${forEach.from}` } }),
    fallback: termsOf(step),
    undo: step.undo !== undefined,
    ...(estimateMs === undefined ? {} : { estimateMs }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(retry === undefined ? {} : { retry }),
  };
}

function actionOf(step: PlanStep, folder: string): string {
  return step.kind === 'thread' ? threadActionName({ ...step, folder }) : step.kind;
}

/** The functions that are called in threads, each once. */
export function threadTargets({ steps, file }: PlanFile): ThreadTarget[] {
  const folder = dirname(file);
  const targets = steps.flatMap((step) =>
    step.kind === 'thread' ? [{ module: step.module, export: step.export, folder }] : [],
  );
  return [...new Map(targets.map((target) => [threadActionName(target), target])).values()];
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] ?? '';
}

/** What the supervisor must know of the fallbacks; what they run is in the input. */
function termsOf(step: PlanStep): Record<string, FallbackTerms> {
  const entries = Object.entries(fallbacksOf(step)).map(([name, { run: _, ...terms }]) => [name, terms] as const);
  return Object.fromEntries(entries);
}

/** The components that the plan declares, and those that its steps name. */
export function componentsOf({ components = {}, steps }: PlanFile): Components {
  const all: Record<string, ComponentDefinition> = { ...components };
  for (const step of steps) {
    const { component } = step.policy ?? {};
    if (component === undefined) continue;
    const losses = Object.values(fallbacksOf(step)).map(({ qualityLoss = DEFAULT_LOSS }) => qualityLoss);
    const known = all[component];
    const fallbackLoss = Math.min(known?.fallbackLoss ?? Infinity, ...losses);
    all[component] = { ...known, ...(fallbackLoss === Infinity ? {} : { fallbackLoss }) };
  }
  return all;
}

/** The definition that a stored step was given by its plan file; comparable with `definitionOf`. */
export function storedDefinition({ step, name, input, after, source }: StepRow): string {
  const work = fromText(input) as PlanStep;
  return definitionOf({
    ...work,
    id: step,
    kind: name === 'command' || name === 'module' ? name : 'thread',
    after: JSON.parse(after) as string[],
    // A store of before there were fan-outs has no such column.
    ...((source ?? null) === null ? {} : { forEach: { from: source } }),
  } as PlanStep);
}
