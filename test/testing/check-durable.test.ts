/** The check finds every planted bug and says what it is, and lets sound machines pass. */
import fc from 'fast-check';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { assign, setup, type AnyStateMachine } from 'xstate';
import { PerdureError } from '../../errors.ts';
import { defineAction, Registry } from '../../actors/actions.ts';
import { machineOf, TABLES } from '../../actors/spawn.ts';
import { budgetPolicy } from '../../machines/budget-policy.ts';
import type { checkpointMachine } from '../../machines/checkpoint.ts';
import { toText } from '../../actors/values.ts';
import { sendToTree } from '../../persistence/durable-action.ts';
import { supervise } from '../../persistence/supervise.ts';
import { bossMachine } from '../support/supervised.ts';
import { checkDurable, loadFastCheck } from '../../testing/check-durable.ts';
import { orderMachine } from '../golden/machines.mjs';
import { richEvents, richMachine } from '../support/rich-machine.ts';
import { planted } from './planted-bugs.ts';

// The development build says of every event to an actor that has ended that it was sent to one; walks do that all the time.
beforeAll(() => void vi.spyOn(console, 'warn').mockImplementation(() => {}));

async function reportOf(checked: Promise<unknown>): Promise<PerdureError> {
  const error: unknown = await checked.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PerdureError);
  expect((error as PerdureError).code).toBe('NOT_DURABLE');
  return error as PerdureError;
}

function nameOf(machine: unknown): string {
  return typeof machine === 'function' ? machine.name : (machine as AnyStateMachine).id;
}

const cases = planted.map((one) => [nameOf(one.machine), one] as const);

test.each(cases)('finds the bug of %s, by the shortest steps, and says why', async (_, { machine, ...bug }) => {
  const report = await reportOf(checkDurable(machine, { seed: 1 }));
  expect(report.facts).toMatchObject({ law: bug.law, inWords: bug.steps });
  for (const words of bug.says) expect(report.message).toMatch(words);
  expect(report.message).toContain(bug.steps.join(', '));
});

describe('lets pass, having been everywhere,', { timeout: 60_000 }, () => {
  test('the machine with one of everything', async () => {
    const summary = await checkDurable(richMachine as AnyStateMachine, { events: richEvents, runs: 60, seed: 7 });
    expect(summary).toMatchObject({ withoutEffect: [], derived: [], seed: 7 });
    expect(summary.states).toEqual(expect.arrayContaining(['rich.left.in.three', 'leaf.old', 'leaf.over', 'nest']));
  });

  test('the order of the golden databases', async () => {
    const named = ['book', 'lamp'].flatMap((name) => [
      { type: 'add', name, cents: 5, at: 7 },
      { type: 'pick', name },
    ]);
    const rest = ['pay', 'pack', 'leave', 'enter', 'reminded'].map((type) => ({ type }));
    const events = [...named, ...rest, { type: 'remindLater', delay: 500 }];
    const summary = await checkDurable(orderMachine, { events, delays: [500, 3_600_000], runs: 60, seed: 7 });
    expect(summary.withoutEffect).toEqual([]);
    expect(summary.states).toEqual(expect.arrayContaining(['item.expired', 'item.picked', 'order.payment.paying']));
  });

  test('the supervisor with its rows, which another life finds again', async () => {
    const registry = new Registry({ double: defineAction({ run: (n: number) => n * 2 }) });
    const submission = (id: string) => ({
      id,
      name: 'double',
      version: '1',
      input: toText(21, ''),
      policy: registry.policyOf('double'),
      optional: false,
      rank: 0,
      plan: null,
      at: 0,
    });
    const submit = (id: string) => ({ type: 'supervisor.submit', submissions: [submission(id)] }) as const;
    const summary = await checkDurable(
      ({ store }) => {
        store.declare(TABLES);
        const { rows, clock } = store;
        const world = { rows, clock, registry, random: () => 0, budget: budgetPolicy(), onProgress: () => {} };
        const machine = machineOf(world);
        // It counts crashes, and tells the numbers of turns, which skip after one: by that, and by nothing else, can they be told.
        const { checkpoint } = machine.implementations.actors as { checkpoint: typeof checkpointMachine };
        return machine.provide({
          actors: { checkpoint: checkpoint.provide({ actions: { look: () => {}, nameTurn: () => {} } }) },
        });
      },
      {
        input: { concurrency: 1, checkpoint: { everyActions: 2, everyMs: 1_000 }, budget: budgetPolicy() },
        events: [
          submit('x'),
          submit('y'),
          submit('z'),
          { type: 'supervisor.pause' },
          { type: 'supervisor.resume' },
          { type: 'supervisor.configure', concurrency: 2 },
        ],
        runs: 30,
        seed: 7,
      },
    );
    expect(summary.states).toEqual(expect.arrayContaining(['supervisor.paused', 'executor.admitting']));
  });

  test('a supervised machine whose children fail, one after the other and all at once', async () => {
    const group = supervise(bossMachine({ a: 'worker', b: 'polite' }), {
      strategy: 'one_for_all',
      intensity: 3,
      periodMs: 1_000,
      children: { worker: {}, polite: { shutdown: 100 } },
    });
    const events = ['a', 'b'].flatMap((id) =>
      (['add', 'die', 'finish'] as const).map((type) => ({ type: 'to' as const, id, event: { type } })),
    );
    const summary = await checkDurable(group, { events, delays: [50, 1_000], runs: 60, seed: 7 });
    expect(summary.withoutEffect).not.toContain('to');
    expect(summary.states).toEqual(expect.arrayContaining(['worker.working', 'worker.leaving']));
  });

  test('a machine that sends to other trees, which are not there', async () => {
    const sender = setup({
      types: {} as { context: { n: number }; events: { type: 'mail' } },
      actions: { mail: sendToTree(({ self }) => ({ tree: 'other', event: { type: 'got', from: self.id } })) },
    }).createMachine({
      id: 'sender',
      context: { n: 0 },
      on: { mail: { actions: [assign({ n: ({ context }) => context.n + 1 }), 'mail'] } },
    });
    expect(await checkDurable(sender, { delays: [1_000], runs: 30 })).toMatchObject({ withoutEffect: [] });
  });

  test('a machine that keeps the time and random values in its context', async () => {
    const ticket = setup({
      types: {} as { context: { at: Date; id: string; luck: number }; events: { type: 'draw' } },
    }).createMachine({
      id: 'ticket',
      context: () => ({ at: new Date(), id: crypto.randomUUID(), luck: Math.random() }),
      on: { draw: { actions: assign({ at: () => new Date(), luck: () => Math.random() }) } },
    });
    expect(await checkDurable(ticket, { runs: 20 })).toMatchObject({ derived: ['draw'], withoutEffect: [] });
  });
});

const order = setup({
  types: {} as { context: { n: number }; events: { type: 'add'; n: number } | { type: 'never' } },
}).createMachine({
  id: 'order',
  context: { n: 0 },
  on: {
    add: { actions: assign({ n: ({ context, event }) => context.n + event.n }) },
    never: { guard: () => false, actions: assign({ n: 0 }) },
  },
});

test('takes arbitraries per type of event, and tells which events never had an effect', async () => {
  const events = { add: fc.record({ n: fc.integer({ min: 1 }) }), never: fc.constant({}) };
  const summary = await checkDurable(order, { events, runs: 10, commands: 5, seed: 3 });
  expect(summary).toMatchObject({ withoutEffect: ['never'], derived: [], states: ['order'] });
});

test('shows the same bug again, given the seed and the path of its report', async () => {
  const { machine } = planted.find(({ law }) => law === 'restore') as (typeof planted)[number];
  const first = await reportOf(checkDurable(machine));
  const { seed, path } = first.facts as { seed: number; path: string };
  expect((await reportOf(checkDurable(machine, { seed, path }))).message).toBe(first.message);
});

test('ends when it is told to', async () => {
  const events = [{ type: 'add', n: 1 }] as const;
  await expect(checkDurable(order, { events, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' });
  const { runs } = await checkDurable(order, { events, runs: 1_000_000, timeoutMs: 200 });
  expect(runs).toBeLessThan(1_000_000);
});

test.each([
  [{ runs: 0 }, /runs must be a whole number/],
  [{ commands: 1.5 }, /commands must be a whole number/],
  [{ delays: [] }, /delays must be positive/],
  [{ events: [] }, /no event to send to "order"/],
])('refuses the options %j', async (options, message) => {
  const refused = { code: 'OPTIONS_INVALID', message: expect.stringMatching(message) as string };
  await expect(checkDurable(order, options)).rejects.toMatchObject(refused);
});

test('says that fast-check is missing', async () => {
  const missing = 'a-package-that-nobody-installed';
  await expect(loadFastCheck(() => import(missing) as never)).rejects.toMatchObject({
    code: 'DEPENDENCY_MISSING',
    message: expect.stringContaining('npm install --save-dev fast-check') as string,
  });
});
