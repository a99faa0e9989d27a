/** A supervisor on a clock that is moved by hand, whose actions do as a test says, and what came of it. */
import type { Actions } from '../../actors/actions.ts';
import { spawnSupervisor, type SupervisorOptions } from '../../actors/spawn.ts';
import type { Supervisor } from '../../actors/supervisor.ts';
import type { SupervisorEmitted } from '../../machines/supervisor.ts';
import type { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { quickStore } from './temp.ts';
import { settle } from './turns.ts';

export const START = 1_700_000_000_000;
export const [SECOND, MINUTE, HOUR, DAY] = [1_000, 60_000, 3_600_000, 86_400_000] as const;

type Options<TActions extends Actions> = Partial<SupervisorOptions<TActions>> & { readonly actions: TActions };

/** Starts one; a second with the same store and clock is its next life. */
export function open<TActions extends Actions>(
  clock: SimulatedClock,
  options: Options<TActions>,
): Promise<Supervisor<TActions>> {
  return spawnSupervisor<TActions>({
    store: quickStore(),
    clock: clock as never,
    durability: 'process-crash',
    random: () => 0.5,
    ...options,
  });
}

/** Moves the clock until it is there; the test's own time limit is its end. */
export async function inTime<T>(clock: SimulatedClock, awaited: Promise<T>, stepMs: number = SECOND): Promise<T> {
  let isThere = false;
  const mark = () => void (isThere = true);
  awaited.then(mark, mark);
  await settle();
  while (!isThere) {
    await clock.advance(stepMs);
    await settle();
  }
  return awaited;
}

/** What is told, in order. */
export function heard<TActions extends Actions>(supervisor: Supervisor<TActions>): SupervisorEmitted[] {
  const told: SupervisorEmitted[] = [];
  supervisor.durable.on('*', (event) => void told.push(event as unknown as SupervisorEmitted));
  return told;
}

/** An error with fields, as they come from other libraries. */
export function failure(message: string, fields: object = {}): Error {
  return Object.assign(new Error(message), fields);
}

/** What the budget's rows hold. */
export function charged<TActions extends Actions>({ durable }: Supervisor<TActions>): { good: number; bad: number } {
  return durable.store.rows.get('select total(good) as good, total(bad) as bad from budget_buckets') as {
    good: number;
    bad: number;
  };
}
