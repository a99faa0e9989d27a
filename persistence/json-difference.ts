/** Where two JSON values differ, as JSON pointers (RFC 6901). */

/** A place at which they differ; what is not there is undefined. */
export interface Difference {
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** The places, the parents before their children; a value that is new or gone is one place. */
export function* differences(before: unknown, after: unknown, path = ''): IterableIterator<Difference> {
  if (Object.is(before, after)) return;
  if (!isBranch(before) || !isBranch(after) || Array.isArray(before) !== Array.isArray(after)) {
    yield { path, before, after };
    return;
  }
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  for (const key of keys) yield* differences(own(before, key), own(after, key), `${path}/${escaped(key)}`);
}

/** What is at a place; undefined where nothing is. */
export function at(value: unknown, path: string): unknown {
  let found = value;
  for (const step of steps(path)) found = isBranch(found) ? own(found, step) : undefined;
  return found;
}

/** The keys on the way to a place. */
export function steps(path: string): string[] {
  const parts = path.split('/').slice(1);
  return parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

type Branch = Readonly<Record<string, unknown>>;

export function isBranch(value: unknown): value is Branch {
  return typeof value === 'object' && value !== null;
}

function own(branch: Branch, key: string): unknown {
  return Object.hasOwn(branch, key) ? branch[key] : undefined;
}

function escaped(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
