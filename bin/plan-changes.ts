/** What a plan file says otherwise than the run of it that is in a store. */
import { isSuccess } from '../machines/outcome.ts';
import type { StepRow } from '../actors/plan-tables.ts';
import { PerdureError } from '../errors.ts';
import { definitionOf, type PlanFile } from './plan-file.ts';
import { storedDefinition } from './plan-steps.ts';

/** A step that is defined otherwise now. */
export interface Change {
  readonly step: string;
  /** The keys of the step that differ, such as `run`. */
  readonly keys: readonly string[];
}

export interface PlanChanges {
  /** Steps that have succeeded: what they returned came of another definition. */
  readonly finished: readonly Change[];
  /** Steps without a success: they will run as they are defined now. */
  readonly unfinished: readonly Change[];
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** Compares the plan with the steps of a stored run. */
export function planChanges(plan: PlanFile, rows: readonly StepRow[]): PlanChanges {
  // The items of a fan-out are in no file.
  const stored = rows.filter(({ fan }) => (fan ?? null) === null);
  const now = new Map(plan.steps.map((step) => [step.id, definitionOf(step)]));
  const before = new Set(stored.map(({ step }) => step));
  const changed = stored.flatMap((row) => {
    const definition = now.get(row.step);
    const keys = definition === undefined ? [] : differingKeys(storedDefinition(row), definition);
    const isFinished = row.kind !== null && isSuccess(row.kind);
    return keys.length === 0 ? [] : [{ change: { step: row.step, keys }, isFinished }];
  });
  return {
    finished: changed.filter(({ isFinished }) => isFinished).map(({ change }) => change),
    unfinished: changed.filter(({ isFinished }) => !isFinished).map(({ change }) => change),
    added: [...now.keys()].filter((id) => !before.has(id)),
    removed: [...before].filter((id) => !now.has(id)),
  };
}

function differingKeys(a: string, b: string): string[] {
  if (a === b) return [];
  const [was, is] = [a, b].map((text) => JSON.parse(text) as Record<string, unknown>) as [never, never];
  const keys = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  return keys.filter((key) => JSON.stringify(was[key]) !== JSON.stringify(is[key])).toSorted();
}

/** Throws PLAN_CHANGED if a finished step has changed: it would not run again, and its dependants would not know. */
export function refuseFinished(run: string, { finished }: PlanChanges): void {
  if (finished.length === 0) return;
  const lines = finished.map(({ step, keys }) => `  ${step}: ${keys.map((key) => `\`${key}\``).join(', ')} changed`);
  const message =
    `${finished.length === 1 ? 'a step' : `${finished.length} steps`} of ${run} that finished ${finished.length === 1 ? 'is' : 'are'} ` +
    `defined otherwise now, and would not run again:\n${lines.join('\n')}\n` +
    'give --accept-changes to keep the old results and go on, or --fresh to start over';
  throw new PerdureError('PLAN_CHANGED', message, { facts: { run, changed: finished } });
}
