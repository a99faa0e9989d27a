/**
 * The second law: what goes into the store comes back as it was, types included, and nothing that was stored is changed
 * in place afterwards.
 */
import { decode, encode, type Refs } from '../persistence/codec.ts';
import { ownSnapshot, type AnyEventObject, type AnyRef, type AnySnapshot } from '../persistence/xstate-port.ts';
import { differences, type Difference } from './difference.ts';
import { actorsOf, nameOf } from './tree-view.ts';

/** Something that does not survive its storing, and where. */
export interface Spoiled {
  readonly actor: string;
  readonly differences: readonly Difference[];
  readonly kind: 'round-trip' | 'in-place';
}

/** Every reference is known, and comes back as itself. */
function knowing(): Refs {
  const refs: AnyRef[] = [];
  return {
    idOf: (ref) => {
      if (!refs.includes(ref)) refs.push(ref);
      return refs.indexOf(ref);
    },
    refOf: (id) => refs[id] as AnyRef,
  };
}

function copyOf(value: unknown, where: string): unknown {
  const refs = knowing();
  return decode(encode(value, refs, where), refs);
}

/** What an event loses on its way through the codec. Throws CODEC_REFUSED. */
export function spoiledEvent(event: AnyEventObject): Spoiled | undefined {
  const lost = differences(event, copyOf(event, `the event "${event.type}"`));
  return lost.length === 0 ? undefined : { actor: `the event "${event.type}"`, differences: lost, kind: 'round-trip' };
}

/** What the actors' contexts were when they were last looked at. */
export class StoredWhole {
  #copies = new Map<AnyRef, { readonly context: unknown; readonly copy: unknown }>();

  /** The first actor whose state is not what would be read back, or whose former context was changed in place. */
  check(root: AnyRef): Spoiled | undefined {
    const copies = this.#copies;
    this.#copies = new Map();
    let spoiled: Spoiled | undefined;
    for (const [ref, { context, copy }] of copies) {
      spoiled ??= named(ref, 'in-place', differences(copy, context, 'context'));
    }
    for (const ref of actorsOf(root)) {
      const own = ownSnapshot(ref);
      const back = copyOf(own, `the actor ${nameOf(ref)}`) as Record<string, unknown>;
      // An error's class is lost by design; what a machine keeps in its context it wants back whole.
      const lost = differences({ ...own, error: undefined }, { ...back, error: undefined });
      spoiled ??= named(ref, 'round-trip', lost);
      const { context } = ref.getSnapshot() as AnySnapshot & { context?: unknown };
      this.#copies.set(ref, { context, copy: back['context'] });
    }
    return spoiled;
  }
}

function named(ref: AnyRef, kind: Spoiled['kind'], found: Difference[]): Spoiled | undefined {
  return found.length === 0 ? undefined : { actor: nameOf(ref), kind, differences: found };
}
