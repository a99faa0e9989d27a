/** Whether the guards of an actor answer from its state and the event alone. */
import type { AnyMachineSnapshot } from 'xstate';
import { messageOf } from '../errors.ts';
import type { Clock } from '../persistence/clock.ts';
import type { AnyEventObject, AnyRef } from '../persistence/xstate-port.ts';
import { Outside, type Use } from './outside.ts';

const YEAR_MS = 365 * 86_400_000;
/** How far time is moved between two answers: hardly, and beyond every deadline. */
const AHEAD_MS = [0, 1, 10 * YEAR_MS, 0, 0];

/** What the guards for this event read that is not in the state, when that changes their answer; undefined if nothing does. */
export function waveringGuard(ref: AnyRef, event: AnyEventObject, clock: Clock): readonly Use[] | undefined {
  const snapshot = ref.getSnapshot() as AnyMachineSnapshot;
  const outside = new Outside();
  const answers = AHEAD_MS.map((ms, index) => {
    const then: Clock = {
      now: () => clock.now() + ms,
      setTimeout: (fn, delay) => clock.setTimeout(fn, delay),
      clearTimeout: (handle) => clock.clearTimeout(handle),
    };
    return outside.within(then, `guard ${index}`, () => taken(snapshot, event));
  });
  const [first = []] = answers;
  const agree = answers.every((answer) => answer.length === first.length && answer.every((one, i) => one === first[i]));
  return agree ? undefined : [...outside.used];
}

/** The transitions that the event would take, without taking them; what a guard throws is its answer too. */
function taken(snapshot: AnyMachineSnapshot, event: AnyEventObject): readonly unknown[] {
  if (snapshot.status !== 'active') return [];
  try {
    return snapshot.machine.getTransitionData(snapshot, event);
  } catch (error) {
    return [messageOf(error)];
  }
}
