/**
 * The state of an actor and of everything below it, as plain data, from which the same can begin again under new
 * references. A reference into this part of the tree is written as its path, any other stays what it is.
 *
 * K1  unpack(pack(v)) equals v, in which every reference to an actor of the part is its successor's.
 * K2  What holds no such reference is kept by identity, also what this file does not know how to walk.
 */
import { isActorRef, type AnyEventObject, type AnyRef } from './xstate-port.ts';

/** An actor that can begin again. */
export interface Kept {
  /** The name and version of the machine; null for other logic. */
  readonly machine: string | null;
  readonly snapshot: Readonly<Record<string, unknown>>;
  readonly delayed: readonly KeptEvent[];
  readonly children: readonly KeptChild[];
}

export interface KeptChild {
  readonly id: string;
  readonly src: unknown;
  readonly systemId?: string;
  readonly syncSnapshot?: boolean;
  readonly kept: Kept;
}

/** A delayed event, with its absolute due time. */
export interface KeptEvent {
  readonly key: string;
  readonly event: AnyEventObject;
  readonly due: number;
  readonly delay: number;
  readonly target: unknown;
}

/** Child ids from the actor that is kept downwards. */
export type Path = readonly string[];

const MARK = '$kept';

/** The value, in which references known to `pathOf` are paths. */
export function pack(value: unknown, pathOf: (ref: AnyRef) => Path | undefined): unknown {
  return walk(value, {
    ref(ref) {
      const path = pathOf(ref);
      return path === undefined ? ref : { [MARK]: path };
    },
    record: (record, mapped) => (Object.hasOwn(record, MARK) ? { [MARK]: { record: mapped() } } : mapped()),
  });
}

/** The value, in which paths are references again. */
export function unpack(value: unknown, refAt: (path: Path) => AnyRef | undefined): unknown {
  const { ref, record }: Visit = {
    ref: (one) => one,
    record(one, mapped) {
      const mark = Object.hasOwn(one, MARK) ? (one[MARK] as Path | { record: Record<string, unknown> }) : undefined;
      if (mark === undefined) return mapped();
      if (Array.isArray(mark)) return refAt(mark as Path);
      return mapRecord((mark as { record: Record<string, unknown> }).record, (item) => unpack(item, refAt));
    },
  };
  return walk(value, { ref, record });
}

type Plain = Record<string, unknown>;

interface Visit {
  ref(ref: AnyRef): unknown;
  record(record: Plain, mapped: () => Plain): unknown;
}

function walk(value: unknown, visit: Visit, ancestors: readonly object[] = []): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (isActorRef(value)) return visit.ref(value);
  if (ancestors.includes(value)) return value;
  const within = [...ancestors, value];
  const each = (item: unknown) => walk(item, visit, within);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Array.prototype) return mapArray(value as unknown[], each);
  if (prototype === Map.prototype) {
    const entries = [...(value as Map<unknown, unknown>)];
    const mapped = mapArray(entries, each) as [unknown, unknown][];
    return mapped === entries ? value : new Map(mapped);
  }
  if (prototype === Set.prototype) {
    const items = [...(value as Set<unknown>)];
    const mapped = mapArray(items, each);
    return mapped === items ? value : new Set(mapped);
  }
  if (prototype !== Object.prototype && prototype !== null) return value;
  return visit.record(value as Plain, () => mapRecord(value as Plain, each));
}

/** The array itself when nothing in it changed. */
function mapArray(items: unknown[], each: (item: unknown) => unknown): unknown[] {
  let mapped: unknown[] | undefined;
  items.forEach((item, index) => {
    const next = each(item);
    if (next !== item) (mapped ??= [...items])[index] = next;
  });
  return mapped ?? items;
}

function mapRecord(record: Plain, each: (item: unknown) => unknown): Plain {
  let mapped: Plain | undefined;
  for (const [key, item] of Object.entries(record)) {
    const next = each(item);
    if (next === item) continue;
    mapped ??= Object.defineProperties(
      Object.create(Object.getPrototypeOf(record)) as Plain,
      Object.getOwnPropertyDescriptors(record),
    );
    Object.defineProperty(mapped, key, { value: next, enumerable: true, configurable: true, writable: true });
  }
  return mapped ?? record;
}
