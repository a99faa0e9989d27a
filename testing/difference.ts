/** Where two values differ, by path, types included: what `toEqual` would forgive, a restore must not change. */
import { inspect } from 'node:util';
import { isActorRef, pathOf, type AnyRef } from '../persistence/xstate-port.ts';

/** One place at which two values differ, in words. */
export interface Difference {
  readonly path: string;
  readonly expected: string;
  readonly actual: string;
}

/** What is told of one comparison; more would not be read. */
const MOST = 8;
const LONGEST = 120;

interface Walk {
  readonly found: Difference[];
  /** What is being compared with what, so that cycles end. */
  readonly ancestors: (readonly [object, object])[];
}

/** The first places at which `actual` is not `expected`. */
export function differences(expected: unknown, actual: unknown, path = ''): Difference[] {
  const found: Difference[] = [];
  compare(expected, actual, path, { found, ancestors: [] });
  return found;
}

/** A value in a few words. */
export function show(value: unknown): string {
  if (isActorRef(value)) return `the actor ${address(value)}`;
  const text = inspect(value, { depth: 3, breakLength: Infinity, maxArrayLength: 10, maxStringLength: 60 });
  const line = (value instanceof Error ? `${value.name}: ${value.message}` : text).replaceAll(/\s+/g, ' ');
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}...` : line;
}

/** Where an actor lives in its tree; the same for an actor and for the one that came back in its place. */
function address(ref: AnyRef): string {
  if (!isLive(ref)) return '(one that has ended)';
  return ref._parent === undefined ? '(the root)' : `"${pathOf(ref)}"`;
}

/** Whether the actor is where its path says: a stopped one is not its parent's child any more. */
function isLive(ref: AnyRef): boolean {
  if (ref._parent === undefined) return !ref.id.startsWith('gone.');
  const children = (ref._parent.getSnapshot() as { children?: Record<string, unknown> }).children;
  return children?.[ref.id] === ref && isLive(ref._parent);
}

function compare(expected: unknown, actual: unknown, path: string, walk: Walk): void {
  if (Object.is(expected, actual) || walk.found.length >= MOST) return;
  // Every life has its own; those in a context are refused before anything is compared.
  if (typeof expected === 'function' && typeof actual === 'function') return;
  if (typeof expected !== 'object' || typeof actual !== 'object' || expected === null || actual === null) {
    return tell(expected, actual, path, walk);
  }
  if (isActorRef(expected) || isActorRef(actual)) {
    const same = isActorRef(expected) && isActorRef(actual) && address(expected) === address(actual);
    return same ? undefined : tell(expected, actual, path, walk);
  }
  if (walk.ancestors.some(([one, other]) => one === expected && other === actual)) return;
  walk.ancestors.push([expected, actual]);
  if (Object.getPrototypeOf(expected) === Object.getPrototypeOf(actual)) compareParts(expected, actual, path, walk);
  else walk.found.push({ path, expected: showKind(expected), actual: showKind(actual) });
  walk.ancestors.pop();
}

function tell(expected: unknown, actual: unknown, path: string, walk: Walk): void {
  walk.found.push({ path, expected: show(expected), actual: show(actual) });
}

/** A value of the wrong class may look the same otherwise. */
function showKind(value: object): string {
  const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null;
  return `${prototype?.constructor?.name ?? 'an object without a prototype'} ${show(value)}`;
}

function compareParts(expected: object, actual: object, path: string, walk: Walk): void {
  if (expected instanceof Date || ArrayBuffer.isView(expected) || expected instanceof ArrayBuffer) {
    return sameBytes(expected, actual) ? undefined : tell(expected, actual, path, walk);
  }
  if (expected instanceof Map) return compareMaps(expected, actual as Map<unknown, unknown>, path, walk);
  if (expected instanceof Set) return compare([...expected], [...(actual as Set<unknown>)], path, walk);
  if (Array.isArray(expected) && expected.length !== (actual as unknown[]).length) {
    return tell(expected, actual, path, walk);
  }
  // The stack of an error says how it came about, which is another way after a restart.
  if (expected instanceof Error) return compareRecords(errorParts(expected), errorParts(actual as Error), path, walk);
  compareRecords(expected as Record<string, unknown>, actual as Record<string, unknown>, path, walk);
}

function sameBytes(expected: object, actual: object): boolean {
  return inspect(expected, { maxArrayLength: null }) === inspect(actual, { maxArrayLength: null });
}

function errorParts(error: Error): Record<string, unknown> {
  const { name, message, cause } = error;
  return { ...Object.fromEntries(Object.entries(error)), name, message, cause };
}

function compareMaps(expected: Map<unknown, unknown>, actual: Map<unknown, unknown>, path: string, walk: Walk): void {
  const keys = [...expected.keys()];
  const found = walk.found.length;
  compare(keys, [...actual.keys()], join(path, 'keys()'), walk);
  if (walk.found.length > found) return;
  const items = [...actual.values()];
  for (const [index, key] of keys.entries()) {
    compare(expected.get(key), items[index], join(path, typeof key === 'string' ? key : show(key)), walk);
  }
}

type Parts = Record<string, unknown>;

function compareRecords(expected: Parts, actual: Parts, path: string, walk: Walk): void {
  for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
    const [here, there] = [Object.hasOwn(expected, key), Object.hasOwn(actual, key)];
    if (here && there) compare(expected[key], actual[key], join(path, key), walk);
    else {
      const absent = { path: join(path, key), expected: 'nothing', actual: 'nothing' };
      walk.found.push(here ? { ...absent, expected: show(expected[key]) } : { ...absent, actual: show(actual[key]) });
    }
  }
}

function join(path: string, step: string): string {
  return path === '' ? step : `${path}.${step}`;
}
