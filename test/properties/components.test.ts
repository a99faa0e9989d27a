/** Components that are restarted after every step are as those that never were: permits, budgets, open times, levels. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assign, sendParent, sendTo, setup, type AnyActorRef } from 'xstate';
import { componentMachine, type ComponentAnswer, type ComponentNotice } from '../../machines/component.ts';
import { componentPolicies } from '../../machines/component-policy.ts';
import { componentId, degradationMachine, type DegradationNotice } from '../../machines/degradation.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { end, liveTwice, WAYS, type Step } from '../support/two-lives.ts';
import { quickStore } from '../support/temp.ts';

type Permit = Extract<ComponentAnswer, { type: 'action.permitted' }>;

type HostEvent =
  | { readonly type: 'host.lean'; readonly retry: boolean; readonly at: number }
  | { readonly type: 'host.end'; readonly index: number; readonly failed: boolean; readonly at: number }
  | { readonly type: 'host.bypass' | 'host.restore' | 'host.reset' | 'host.configure'; readonly at: number }
  | ComponentAnswer
  | DegradationNotice;

interface HostContext {
  readonly out: readonly Permit[];
  readonly refused: readonly string[];
  readonly told: readonly string[];
}

const POLICIES = componentPolicies(
  {
    api: {
      breaker: { window: 4, minCalls: 2, openMs: 100, maxOpenMs: 400, probes: 2 },
      retryBudget: { ratio: 0.5, burst: 1 },
    },
  },
  { api: [0.4] },
);

const degradation = degradationMachine.provide({
  actors: {
    component: componentMachine.provide({
      actions: { announce: sendParent((_, { notice }: { notice: ComponentNotice }) => notice) },
    }),
  },
  actions: { announce: sendParent((_, { notice }: { notice: DegradationNotice }) => notice) },
});

function resultOf({ context, event }: { context: HostContext; event: HostEvent }) {
  if (event.type !== 'host.end') throw new Error('a result is of an end');
  const { probe, generation } = context.out[event.index % context.out.length] as Permit;
  const call = { probe, generation, durationMs: 1, at: event.at };
  if (event.failed) return { ...call, type: 'component.failed' as const, class: 'transient' };
  return { ...call, type: 'component.succeeded' as const };
}

/** Stands for all the actions that lean on the component, and for the supervisor above the degradation actor. */
const host = setup({
  types: {} as { context: HostContext; events: HostEvent },
  actors: { degradation },
  actions: {
    lean: sendTo(
      ({ system }) => system.get(componentId('api')) as AnyActorRef,
      ({ self }, { retry, at }: { retry: boolean; at: number }) => ({ type: 'component.ask', asker: self, retry, at }),
    ),
    end: sendTo(({ system }) => system.get(componentId('api')) as AnyActorRef, resultOf),
    forget: assign({
      out: ({ context: { out } }, { index }: { index: number }) => out.filter((_, at) => at !== index % out.length),
    }),
    command: sendTo('degradation', (_, { type, at }: { type: string; at: number }) => ({
      type: 'degradation.command' as const,
      component: 'api',
      command: type.slice('host.'.length) as 'bypass' | 'restore' | 'reset',
      at,
    })),
    configure: sendTo('degradation', (_, { at }: { at: number }) => ({
      type: 'degradation.configure' as const,
      components: POLICIES,
      at,
    })),
  },
}).createMachine({
  context: { out: [], refused: [], told: [] },
  invoke: { src: 'degradation', id: 'degradation', systemId: 'degradation', input: { dwellMs: 150 } },
  entry: { type: 'configure', params: { at: 0 } },
  on: {
    'host.lean': { actions: { type: 'lean', params: ({ event }) => event } },
    'host.end': {
      guard: ({ context }) => context.out.length > 0,
      actions: ['end', { type: 'forget', params: ({ event }) => event }],
    },
    'host.bypass': { actions: { type: 'command', params: ({ event }) => event } },
    'host.restore': { actions: { type: 'command', params: ({ event }) => event } },
    'host.reset': { actions: { type: 'command', params: ({ event }) => event } },
    'host.configure': { actions: { type: 'configure', params: ({ event }) => event } },
    'action.permitted': { actions: assign({ out: ({ context, event }) => [...context.out, event] }) },
    'action.refused': { actions: assign({ refused: ({ context, event }) => [...context.refused, event.reason] }) },
    'component.changed': { actions: assign({ told: ({ context, event }) => [...context.told, event.status] }) },
    'degradation.changed': { actions: assign({ told: ({ context, event }) => [...context.told, event.level] }) },
  },
});

type Sketch = (at: number) => Step;

const sketch: fc.Arbitrary<Sketch> = fc.oneof(
  { weight: 5, arbitrary: fc.boolean().map((retry): Sketch => (at) => ({ type: 'host.lean', retry, at })) },
  {
    weight: 5,
    arbitrary: fc
      .record({ index: fc.nat(5), failed: fc.boolean() })
      .map((given): Sketch => (at) => ({ type: 'host.end', ...given, at })),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(40, 100, 450).map(
      (ms): Sketch =>
        () =>
          ms,
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('bypass', 'restore', 'reset', 'configure')
      .map((command): Sketch => (at) => ({ type: `host.${command}`, at })),
  },
);

/** The steps, each with the time at which it comes. */
function timed(sketches: readonly Sketch[]): Step[] {
  let now = 1_000;
  return sketches.map((one) => {
    const step = one(now);
    if (typeof step === 'number') now += step;
    return step;
  });
}

const lean: Sketch = (at) => ({ type: 'host.lean', retry: false, at });
const fail: Sketch = (at) => ({ type: 'host.end', index: 0, failed: true, at });
const OPENED = [lean, fail, lean, fail];

test('I9, I10: a restart after any step changes nothing', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(sketch, { minLength: 6, maxLength: 14 }),
      fc.boolean(),
      fc.constantFrom(...WAYS),
      async (sketches, isOpen, way) => {
        const { durable } = await liveTwice(host, timed([...(isOpen ? OPENED : []), ...sketches]), way);
        await durable.close();
      },
    ),
    { numRuns: 25 },
  );
});

test('an open time that passes while the process is down is over when it is up again', async () => {
  const [store, clock] = [quickStore(), new SimulatedClock(1_000)];
  const open = () => createDurableActor(host, { store, clock, durability: 'process-crash' });
  let durable = await open();
  for (const step of timed([...OPENED, lean])) await durable.send(step as HostEvent);
  expect(durable.getSnapshot().context).toMatchObject({ refused: ['open'], told: ['degraded', 'moderate'] });
  await end(durable, 'crash');
  await clock.advance(101);
  durable = await open();
  // What came due meanwhile fires as soon as the clock gets its turn.
  await clock.advance(0);
  for (let call = 0; call < 3; call++) await durable.send({ type: 'host.lean', retry: false, at: clock.now() });
  const { out, refused, told } = durable.getSnapshot().context;
  expect(out.map(({ probe }) => probe)).toEqual([true, true]);
  expect(refused).toEqual(['open', 'probing']);
  // Nothing counts as lost any more, and the level is held for a while.
  expect(told).toEqual(['degraded', 'moderate', 'probing', 'moderate']);
  await durable.close();
});

test('components that made room for others can be named again after a restart, and are as new', async () => {
  const [store, clock] = [quickStore(), new SimulatedClock(1_000)];
  const machine = degradation.provide({ actions: { announce: () => {} } });
  const open = () => createDurableActor(machine, { store, clock, durability: 'process-crash' });
  const batch = (from: number) =>
    componentPolicies(Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`c${from + n}`, {}])));
  let durable = await open();
  for (const from of [0, 30, 0]) {
    const components = batch(from);
    await durable.send({ type: 'degradation.configure', components, at: clock.now() });
    const standing = durable.getSnapshot().context.components[`c${from}`];
    expect(standing).toEqual({ status: 'operational', loss: 0, weight: 0.5 });
    await durable.send({ type: 'component.bypass', at: clock.now() } as never, { to: componentId(`c${from}`) });
    const before = Object.keys(durable.getSnapshot().children);
    await end(durable, 'crash');
    durable = await open();
    expect(Object.keys(durable.getSnapshot().children).toSorted()).toEqual(before.toSorted());
    expect(durable.getSnapshot().children).toHaveProperty([componentId(`c${from}`)]);
  }
  expect(Object.keys(durable.getSnapshot().context.components)).toHaveLength(40);
  await durable.close();
});
