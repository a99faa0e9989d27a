/** What changed between two values of JSON. Pure. */

export interface JsonChange {
  readonly path: readonly string[];
  readonly kind: 'added' | 'removed' | 'changed';
  readonly before: unknown;
  readonly after: unknown;
}

/** How many changes are told; a value that is another altogether has too many to be read. */
export const MAX_CHANGES = 500;

/** The changes, in the order of the values, at most {@link MAX_CHANGES} of them. Empty if and only if the two are equal. */
export function changesOf(before: unknown, after: unknown): JsonChange[] {
  const changes: JsonChange[] = [];
  compare(before, after, [], changes);
  return changes;
}

function compare(before: unknown, after: unknown, path: readonly string[], changes: JsonChange[]): void {
  if (changes.length >= MAX_CHANGES || Object.is(before, after)) return;
  if (!isBranch(before) || !isBranch(after) || Array.isArray(before) !== Array.isArray(after)) {
    changes.push({ path, kind: 'changed', before, after });
    return;
  }
  for (const key of Object.keys(before)) {
    if (Object.hasOwn(after, key)) compare(before[key], after[key], [...path, key], changes);
    else add(changes, { path: [...path, key], kind: 'removed', before: before[key], after: undefined });
  }
  for (const key of Object.keys(after)) {
    if (!Object.hasOwn(before, key)) {
      add(changes, { path: [...path, key], kind: 'added', before: undefined, after: after[key] });
    }
  }
}

function add(changes: JsonChange[], change: JsonChange): void {
  if (changes.length < MAX_CHANGES) changes.push(change);
}

function isBranch(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
