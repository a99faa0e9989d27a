/** The same machine twice: an actor that never dies, and a durable one that is restarted after every step. */
import { createActor, type AnyActorRef, type AnyStateMachine } from 'xstate';
import { expect } from 'vitest';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { type DurableActor } from '../../persistence/durable.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { describeTree } from './describe.ts';
import { quickStore } from './temp.ts';

/** How a process ends: nothing flushed, or everything. */
export const WAYS = ['crash', 'close'] as const;
export type Way = (typeof WAYS)[number];

/** An event to send, ms to wait, or something that happens outside. */
export type Step = { readonly type: string } | number | (() => void);

type Durable = DurableActor<AnyStateMachine>;

/** Ends a process in one of the ways. */
export async function end(durable: Pick<Durable, 'close' | 'discard' | 'store'>, way: Way): Promise<void> {
  if (way === 'crash') crash(durable);
  else await durable.close();
}

/** Promises settle and are committed. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 4; round++) await new Promise((resolve) => setImmediate(resolve));
}

/** Takes the steps in both lives; after each, and after two restarts that follow it, both are in the same state. */
export async function liveTwice(
  machine: AnyStateMachine,
  steps: readonly Step[],
  way: Way,
  input?: unknown,
): Promise<{ durable: Durable; plain: AnyActorRef }> {
  const [store, clock, plainClock] = [quickStore(), new SimulatedClock(1_000), new SimulatedClock(1_000)];
  const plain = createActor(machine, { id: 'main', clock: plainClock as never, input });
  plain.subscribe({ error: () => {} });
  plain.start();
  const open = () => createDurableActor(machine, { store, clock, input: input as never, durability: 'process-crash' });
  let durable = await open();
  const compare = async (when: string) => {
    await settle();
    expect(describeTree(durable.actor), when).toEqual(describeTree(plain));
  };
  await compare('at the beginning');
  for (const [index, step] of [() => {}, ...steps].entries()) {
    await take(step, plain, plainClock, durable, clock);
    await compare(`after step ${index}`);
    for (const time of ['once', 'twice']) {
      await end(durable, way);
      durable = await open();
      await compare(`restarted ${time} after step ${index}`);
    }
  }
  return { durable, plain };
}

async function take(
  step: Step,
  plain: AnyActorRef,
  plainClock: SimulatedClock,
  durable: Durable,
  clock: SimulatedClock,
): Promise<void> {
  if (typeof step === 'function') return step();
  if (typeof step === 'number') {
    await plainClock.advance(step);
    return clock.advance(step);
  }
  plain.send(step);
  await durable.send(step);
}
