/**
 * A durable tree that crashes at any time, against a plain XState actor that never does: after every command both are in
 * the same state. PERDURE_RUNS raises the number of runs.
 */
import { createActor, type Actor } from 'xstate';
import fc from 'fast-check';
import { beforeAll, expect, test, vi } from 'vitest';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { type DurableActor } from '../../persistence/durable.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { describeTree } from '../support/describe.ts';
import { richEvents, richMachine, type RichEvent } from '../support/rich-machine.ts';
import { quickStore } from '../support/temp.ts';

const numRuns = Number(process.env['PERDURE_RUNS'] ?? 1_000);

/** The actor that never crashes, and its own clock. */
interface Model {
  readonly actor: Actor<typeof richMachine>;
  readonly clock: SimulatedClock;
}

interface Real {
  readonly clock: SimulatedClock;
  durable: DurableActor<typeof richMachine>;
  open(): Promise<DurableActor<typeof richMachine>>;
}

type Command = fc.AsyncCommand<Model, Real>;

/** Promises settle and are committed. */
async function settle(): Promise<void> {
  for (let round = 0; round < 3; round++) await new Promise((resolve) => setImmediate(resolve));
}

function command(name: string, run: (model: Model, real: Real) => Promise<void>): Command {
  return {
    check: () => true,
    toString: () => name,
    run: async (model, real) => {
      await run(model, real);
      await settle();
      expect(describeTree(real.durable.actor)).toEqual(describeTree(model.actor));
    },
  };
}

const send = (events: readonly RichEvent[]) =>
  command(`send(${JSON.stringify(events)})`, async (model, real) => {
    for (const event of events) model.actor.send(event);
    await Promise.all(events.map((event) => real.durable.send(event)));
  });

const advance = (ms: number) =>
  command(`advance(${ms})`, async (model, real) => {
    await model.clock.advance(ms);
    await real.clock.advance(ms);
  });

const crashAndOpen = () =>
  command('crash', async (_, real) => {
    crash(real.durable);
    real.durable = await real.open();
  });

/** The process is away for a while; what became due meanwhile happens at once. */
const crashFor = (ms: number) =>
  command(`crashFor(${ms})`, async (model, real) => {
    crash(real.durable);
    await real.clock.advance(ms);
    await model.clock.advance(ms);
    real.durable = await real.open();
    await real.clock.advance(0);
  });

/** Sends that no commit has reached: the crash takes them, and the client sends them again. */
// The development build says of every event to an actor that has ended that it was sent to one; walks do that all the time.
beforeAll(() => void vi.spyOn(console, 'warn').mockImplementation(() => {}));

let messages = 0;

const crashInSend = (events: readonly RichEvent[]) =>
  command(`crashInSend(${JSON.stringify(events)})`, async (model, real) => {
    const sends = events.map((event) => [event, { id: `message-${++messages}` }] as const);
    const lost = await crashed(
      real,
      sends.map((send) => real.durable.send(...send)),
    );
    expect(lost).toEqual(events.map(() => 'rejected'));
    const again = await Promise.all([...sends, ...sends].map((send) => real.durable.send(...send)));
    expect(again.map(({ applied }) => applied)).toEqual([...events.map(() => true), ...events.map(() => false)]);
    for (const event of events) model.actor.send(event);
  });

async function crashed(real: Real, sends: Promise<unknown>[]): Promise<string[]> {
  crash(real.durable);
  const results = await Promise.allSettled(sends);
  real.durable = await real.open();
  return results.map(({ status }) => status);
}

const event = fc.constantFrom(...richEvents);
const commands = [
  fc.array(event, { minLength: 1, maxLength: 4 }).map(send),
  fc.array(event, { minLength: 1, maxLength: 4 }).map(send),
  fc.integer({ min: 0, max: 40 }).map(advance),
  fc.constant(null).map(crashAndOpen),
  // Late timers fire when the process is back: what they cause with a delay of its own comes later than in the model.
  fc.integer({ min: 0, max: 15 }).map(crashFor),
  fc.array(event, { minLength: 1, maxLength: 2 }).map(crashInSend),
];

test('property: a tree that crashes is always where a tree that does not crash is', { timeout: 120_000 }, async () => {
  const store = quickStore();
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 10 }), async (walk) => {
      run += 1;
      const clock = new SimulatedClock(1_000_000);
      const open = () =>
        createDurableActor(richMachine, { store, id: `run-${run}`, clock, durability: 'process-crash' });
      const real: Real = { clock, open, durable: await open() };
      const modelClock = new SimulatedClock(1_000_000);
      const actor = createActor(richMachine, { clock: modelClock }).start();
      try {
        await fc.asyncModelRun(() => ({ model: { actor, clock: modelClock }, real }), walk);
      } finally {
        await real.durable.close();
        actor.stop();
      }
    }),
    { numRuns },
  );
});
