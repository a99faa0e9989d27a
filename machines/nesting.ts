/**
 * A plan's groups (phases, tasks) as a flat graph. A group is a node of its own that comes after everything in it, so what
 * comes after the group names one node, however much is in it; and everything in a group comes after what the group comes after.
 * Both keep the edges as few as they were written.
 *
 * A name in `after` is looked for beside the step, then beside its group, and so on outwards; one that begins with a slash, from
 * the plan itself. A name may be a path, `task/step`.
 */
import { PerdureError } from '../errors.ts';

/** A step or a group, as a plan has it. */
export interface Nested<TStep> {
  readonly id: string;
  readonly after?: readonly string[];
  /** Only of a group. */
  readonly steps?: readonly TStep[] | undefined;
  /** Only of a fan-out. */
  readonly forEach?: { readonly from: string } | undefined;
}

/** A node of the flat graph. */
export interface Flat<TStep> {
  /** The path, `phase/task/step`. */
  readonly id: string;
  /** Paths, each once; a name that nothing has stays as it was written. */
  readonly after: readonly string[];
  readonly isGroup: boolean;
  /** The path of the step that a fan-out goes over. */
  readonly source: string | null;
  readonly step: TStep;
}

export const DEEPEST = 8;

interface Found<TStep> {
  readonly path: string;
  readonly scope: string;
  readonly outer: readonly string[];
  readonly step: TStep;
}

/** Every step and every group, what is in a group before the group. Throws PLAN_INVALID for what is nested too deep. */
export function flattened<TStep extends Nested<TStep>>(steps: readonly TStep[]): Flat<TStep>[] {
  const paths = new Set<string>();
  collect(steps, '', 1, paths);
  const flat: Flat<TStep>[] = [];
  const visit = ({ path, scope, outer, step }: Found<TStep>): void => {
    const named = (name: string) => resolved(name, scope, paths);
    const source = step.forEach === undefined ? null : named(step.forEach.from);
    const own = (step.after ?? []).map(named);
    const after = [...new Set([...own, ...(source === null ? [] : [source]), ...outer])];
    const inner = step.steps ?? [];
    for (const one of inner) visit({ path: `${path}/${one.id}`, scope: path, outer: after, step: one });
    const isGroup = step.steps !== undefined;
    flat.push({ id: path, after: isGroup ? inner.map(({ id }) => `${path}/${id}`) : after, isGroup, source, step });
  };
  for (const step of steps) visit({ path: step.id, scope: '', outer: [], step });
  return flat;
}

function collect<TStep extends Nested<TStep>>(
  steps: readonly TStep[],
  scope: string,
  depth: number,
  paths: Set<string>,
): void {
  for (const { id, steps: inner } of steps) {
    const path = scope === '' ? id : `${scope}/${id}`;
    if (depth > DEEPEST) {
      const message = `expected steps nested at most ${DEEPEST} deep, got "${path}"`;
      throw new PerdureError('PLAN_INVALID', message, { facts: { step: path } });
    }
    paths.add(path);
    if (inner !== undefined) collect(inner, path, depth + 1, paths);
  }
}

function resolved(name: string, scope: string, paths: ReadonlySet<string>): string {
  if (name.startsWith('/')) return name.slice(1);
  for (let around = scope; around !== ''; around = around.slice(0, Math.max(0, around.lastIndexOf('/')))) {
    const path = `${around}/${name}`;
    if (paths.has(path)) return path;
  }
  return name;
}
