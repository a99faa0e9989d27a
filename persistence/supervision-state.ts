/**
 * What supervision remembers, under `supervision` in the snapshots: a child's input and its place in the order of starts
 * are part of its own row; the window, and a restart that waits, are part of the supervisor's.
 */
import type { PerdureError } from '../errors.ts';
import type { Placed, Window } from './supervision.ts';
import { childrenOf, type AnyRef, type AnySnapshot, type Logic } from './xstate-port.ts';
import { keepField, snapshotSoFar, withField, type Rebirth } from './xstate-restart.ts';

/** Of a supervised child, in its own snapshot. */
export interface ChildField {
  readonly input?: unknown;
  readonly order: number;
}

/** Of a supervisor, in its snapshot; its own parent may have its {@link ChildField} there as well. */
export interface SupervisorField {
  readonly window?: Window;
  readonly restarting?: Restarting;
}

/** A restart, or a giving up, that could not be done in one turn. */
export interface Restarting {
  /** Who is still to be stopped, the next one first. */
  readonly left: readonly string[];
  /** Who was asked to shut down, and is waited for. */
  readonly asked: Placed | null;
  /** Who begins again when all are stopped. Until then their stopped actors keep their places in `children`. */
  readonly seeds: readonly Seed[];
  readonly causes: readonly Cause[];
  /** Why the supervisor gives up, instead of starting anybody. */
  readonly failure: PerdureError | null;
}

export type Seed = Rebirth & Placed;

/** Why there is a restart. */
export interface Cause {
  readonly child: string;
  readonly src: string;
  readonly reason: unknown;
  readonly restarts: number;
}

export const NOTHING: Restarting = { left: [], asked: null, seeds: [], causes: [], failure: null };

export function fieldOf<T>(snapshot: object): Partial<T> {
  return (snapshot as { supervision?: Partial<T> }).supervision ?? {};
}

/** The place of the next child of a parent in this process; children that came back have theirs. */
const nextOrder = new WeakMap<AnyRef, number>();

function takeOrder(parent: AnyRef | undefined): number {
  if (parent === undefined) return 0;
  const order = nextOrder.get(parent) ?? 1 + lastOrder(parent);
  nextOrder.set(parent, order + 1);
  return order;
}

/** Of those who are there, and of those who wait to begin again: their places are taken too. */
function lastOrder(parent: AnyRef): number {
  const snapshot = snapshotSoFar(parent);
  if (snapshot === undefined) return -1;
  const { seeds = [] } = fieldOf<SupervisorField>(snapshot).restarting ?? {};
  const children = Object.values(childrenOf(snapshot) ?? {}).filter((child) => child !== undefined);
  return [...seeds, ...children.map(placeOf)].reduce((last, { order }) => Math.max(last, order), -1);
}

/** A child that was there before its machine was supervised comes first. */
export function placeOf(ref: AnyRef): Placed {
  return { id: ref.id, order: fieldOf<ChildField>(ref.getSnapshot() as AnySnapshot).order ?? -1 };
}

/** The input of a child and its place are part of its state: XState forgets the first, and `children` the second. */
export function rememberChild(copy: Logic): void {
  const { getInitialSnapshot } = copy;
  copy.getInitialSnapshot = (scope, input) => {
    const order = takeOrder((scope.self as AnyRef)._parent);
    const snapshot = orError(() => getInitialSnapshot(scope, input) as AnySnapshot);
    return withField(snapshot, { ...fieldOf(snapshot), ...(input === undefined ? {} : { input }), order });
  };
  keepField(copy);
}

/** As XState does with logic that throws when it is asked for its first snapshot. */
function orError(first: () => AnySnapshot): AnySnapshot {
  try {
    return first();
  } catch (error) {
    return { status: 'error', output: undefined, error } as AnySnapshot;
  }
}
