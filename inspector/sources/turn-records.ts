/** Committed turns of a store's history as records. */
import { UNREADABLE } from '../../actors/unreadable.ts';
import type { TurnRecord } from '../../persistence/history.ts';
import type { Payloads } from '../../persistence/payloads.ts';
import type { InspectionRecord } from '../protocol.ts';
import { withoutSecretTexts } from '../../persistence/shown-texts.ts';

export type TurnInspection = Extract<InspectionRecord, { readonly kind: 'turn' }>;

/** The id of an actor by its tree and its path there: the root is its own path. */
export function actorId(tree: string, path: string): string {
  return path === tree ? tree : `${tree}/${path}`;
}

/** Stands for what cannot be read of a turn. */
const DAMAGED = { kind: UNREADABLE, tree: '', to: undefined, event: undefined, id: undefined };

/** A turn as a record. It is of the actor that it changed first, or of the tree that began it. */
export function turnRecord(
  payloads: Payloads,
  { turn, at, causes, changed, isUnreadable }: TurnRecord,
  seq: number,
): TurnInspection {
  const ids = changed.map(({ tree, actor }) => actorId(tree, actor));
  return {
    seq,
    at,
    actor: causes[0]?.tree ?? ids[0] ?? '',
    kind: 'turn',
    turn,
    causes: [...causes, ...(isUnreadable === true ? [DAMAGED] : [])].map(({ kind, tree, to, event, id }) => ({
      kind,
      to: to === undefined ? tree : actorId(tree, to),
      event: event === undefined ? null : (withoutSecretTexts(payloads, event) as typeof event),
      id: id ?? null,
    })),
    changed: ids,
  };
}
