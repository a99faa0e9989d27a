/** A host's hold of a tree that others may hold too: the same tree, which this one lets go of once. */
import type { DurableActor } from './durable.ts';
import type { Logic } from './xstate-port.ts';

/** The tree itself, but that closing it calls `letGo`, and closing it again does nothing more. */
export function handleOf<TLogic extends Logic>(
  durable: DurableActor<TLogic>,
  letGo: () => Promise<void>,
): DurableActor<TLogic> {
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= letGo());
  return new Proxy(durable, {
    get(tree, name) {
      if (name === 'close' || name === Symbol.asyncDispose) return close;
      // Its private fields are the tree's own, so its methods are called on it.
      const value: unknown = Reflect.get(tree, name, tree);
      return typeof value === 'function' ? (value.bind(tree) as unknown) : value;
    },
  });
}
