/** From what a child, and a supervisor itself, begins again. */
import { isRestarted, type Placed } from './supervision.ts';
import type { CheckedSpec, Policy } from './supervision-options.ts';
import {
  NOTHING,
  fieldOf,
  placeOf,
  type ChildField,
  type Restarting,
  type Seed,
  type SupervisorField,
} from './supervision-state.ts';
import type { AnyRef, AnySnapshot, Delayed } from './xstate-port.ts';
import { inputOf, keepState, metaOf, type Captured } from './xstate-restart.ts';

/** The event that a supervisor delays for itself: the time of a shutdown is over, or the turn has come to start somebody. */
export const DUE = 'perdure.supervision.due';
/** The id of that event: there is never more than one. */
export const TIMER = 'perdure.supervision';

/** The spec of a child, if it is supervised. */
export function specIn({ children }: Policy, { src }: AnyRef): CheckedSpec | undefined {
  return typeof src === 'string' && Object.hasOwn(children, src) ? children[src] : undefined;
}

/** Whether a child begins again with its group: one that has finished does so only if it is permanent. */
export function comesBack(policy: Policy, child: AnyRef): boolean {
  const ending = (child.getSnapshot() as AnySnapshot).status === 'done' ? 'done' : 'error';
  return isRestarted(specIn(policy, child)?.restart ?? 'temporary', ending);
}

/** All that is needed to make a child again. */
export function seedOf(policy: Policy, child: AnyRef): Seed {
  const snapshot = child.getSnapshot() as AnySnapshot;
  const { input = inputOf(child) } = fieldOf<ChildField>(snapshot);
  const isCommitted = specIn(policy, child)?.from === 'committed' && snapshot.status !== 'done';
  const kept = isCommitted ? keepState(child) : undefined;
  return {
    ...placeOf(child),
    ...(metaOf(child) as Pick<Seed, 'src'>),
    ...(input === undefined ? {} : { input }),
    ...(kept === undefined ? {} : { kept }),
  };
}

/** Whether this is the child of that id and that place, and not another one that took the id. */
export function isAt(place: Placed | null | undefined, child: AnyRef): boolean {
  return place?.id === child.id && place.order === placeOf(child).order;
}

/**
 * A supervisor that is restarted itself begins with a fresh window. Those whom it had stopped before it failed, because it
 * gave up or to restart them, begin again with it, and so does whoever had ended and was not restarted any more.
 */
export function beginAgain(captured: Captured, policy: Policy): Captured {
  const { ref, snapshot, delayed, children } = captured;
  const { window: _fresh, restarting: before, ...field } = fieldOf<SupervisorField & ChildField>(snapshot);
  const { seeds, causes, failure } = before ?? NOTHING;
  const hasEnded = (one: Captured) => one.snapshot['status'] !== 'active' && specIn(policy, one.ref) !== undefined;
  const ended = children
    .filter((one) => hasEnded(one) && comesBack(policy, one.ref) && !seeds.some((seed) => isAt(seed, one.ref)))
    .map((one) => seedOf(policy, one.ref));
  const isTrace = (one: Captured) => hasEnded(one) && specIn(policy, one.ref)?.restart === 'temporary';
  const whole = { ...captured, children: children.filter((one) => !isTrace(one)) };
  if (before === undefined && ended.length === 0) return { ...whole, snapshot: { ...snapshot, supervision: field } };
  const gaveUp = failure !== null;
  const restarting: Restarting = {
    ...(before ?? NOTHING),
    failure: null,
    causes: gaveUp ? [] : causes,
    seeds: [...seeds, ...ended],
  };
  const kept = delayed.filter(({ key }) => key !== TIMER || !gaveUp);
  const due: Delayed = { source: ref, target: ref, key: TIMER, event: { type: DUE }, due: 0, delay: 0 };
  return {
    ...whole,
    delayed: kept.some(({ key }) => key === TIMER) ? kept : [...kept, due],
    snapshot: { ...snapshot, supervision: { ...field, restarting } },
  };
}
