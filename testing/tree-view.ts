/** A tree of actors as it is seen from outside, for comparing two trees. */
import {
  childrenOf,
  isMachine,
  pathOf,
  type AnyRef,
  type AnySnapshot,
  type Logic,
} from '../persistence/xstate-port.ts';

interface Seen extends AnyRecord {
  readonly value?: unknown;
  readonly historyValue?: Readonly<Record<string, readonly { readonly id: string }[]>>;
  readonly tags?: ReadonlySet<string>;
}

type AnyRecord = Readonly<Record<string, unknown>>;

/** Everything about an actor and its children that another actor, or a user, could notice. */
export function viewOf(ref: AnyRef): AnyRecord {
  const children = liveChildren(ref).map((child) => [child.id, viewOf(child)]);
  return { ...ownView(ref.getSnapshot()), children: Object.fromEntries(children) };
}

/** The same of a snapshot alone. */
export function ownView(snapshot: unknown): AnyRecord {
  const { value, status, context, output, error, input, historyValue, tags } = snapshot as Seen;
  const history = Object.entries(historyValue ?? {}).map(([key, nodes]) => [key, nodes.map(({ id }) => id)]);
  return {
    status,
    value,
    context,
    output,
    error,
    input,
    tags: [...(tags ?? [])].sort(),
    history: Object.fromEntries(history),
  };
}

/** The actor and all below it, parents first. */
export function actorsOf(ref: AnyRef): AnyRef[] {
  return [ref, ...liveChildren(ref).flatMap(actorsOf)];
}

/** The states that the tree is in: `<machine>.<state>`, as a user would name them. */
export function statesOf(root: AnyRef): string[] {
  return actorsOf(root).flatMap((ref) => {
    const { logic } = ref as unknown as { logic: Logic };
    if (!isMachine(logic)) return [];
    return leaves(ref.getSnapshot().value as StateValue).map((path) => [logic.id, ...path].join('.'));
  });
}

type StateValue = string | { readonly [key: string]: StateValue };

function leaves(value: StateValue): string[][] {
  if (typeof value === 'string') return [[value]];
  const entries = Object.entries(value);
  if (entries.length === 0) return [[]];
  return entries.flatMap(([key, below]) => leaves(below).map((path) => [key, ...path]));
}

/** The name of an actor in a report. */
export function nameOf(ref: AnyRef): string {
  return ref._parent === undefined ? 'the root' : `"${pathOf(ref)}"`;
}

function liveChildren(ref: AnyRef): AnyRef[] {
  return Object.values(childrenOf(ref.getSnapshot() as AnySnapshot) ?? {}).filter((child) => child !== undefined);
}
