/** A live tree of actors as plain data, so that two trees can be compared. */
import type { AnyActorRef } from 'xstate';
import { isActorRef } from '../../persistence/xstate-port.ts';

/** The keys from the root down; the same for an actor and for the one that came back in its place. */
function pathOf(ref: AnyActorRef): string {
  const keys: string[] = [];
  for (let actor = ref; actor._parent !== undefined; actor = actor._parent) keys.unshift(actor.id);
  return `/${keys.join('/')}`;
}

/** Plain data, in which a reference is the path of its actor, or `gone` when it has ended. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (isActorRef(value)) return { ref: isLive(value) ? pathOf(value) : 'gone' };
  if (value instanceof Map) return { map: [...value].map(([key, item]) => [plain(key), plain(item)]) };
  if (value instanceof Set) return { set: [...value].map(plain) };
  if (value instanceof Error) return { error: value.message };
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

/** Whether the actor is where its path says: a stopped one is not its parent's child any more. */
function isLive(ref: AnyActorRef): boolean {
  if (ref._parent === undefined) return !ref.id.startsWith('gone.');
  return ref._parent.getSnapshot().children[ref.id] === ref && isLive(ref._parent);
}

/** Everything about an actor and its children that may be seen from outside. */
export function describeTree(ref: AnyActorRef): unknown {
  const { value, status, context, output, error, children, historyValue, tags } = ref.getSnapshot();
  const history = Object.entries((historyValue ?? {}) as Record<string, { id: string }[]>);
  return {
    src: typeof ref.src === 'string' ? ref.src : 'inline',
    systemId: (ref as { systemId?: string }).systemId,
    value,
    status,
    tags: [...((tags ?? []) as Iterable<string>)],
    context: plain(context),
    output: plain(output),
    error: plain(error),
    history: Object.fromEntries(history.map(([key, nodes]) => [key, nodes.map(({ id }) => id)])),
    children: Object.fromEntries(
      Object.entries((children ?? {}) as Record<string, AnyActorRef | undefined>).flatMap(([key, child]) =>
        child === undefined ? [] : [[key, describeTree(child)]],
      ),
    ),
  };
}
