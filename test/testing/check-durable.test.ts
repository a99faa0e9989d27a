/** The check finds every planted bug and says what it is, and lets sound machines pass. */
import fc from 'fast-check';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { assign, emit, fromPromise, setup, type AnyStateMachine } from 'xstate';
import { PerdureError } from '../../errors.ts';
import { defineAction, Registry } from '../../actors/actions.ts';
import { PLAN_TABLES } from '../../actors/plan-tables.ts';
import { QUEUE_TABLES } from '../../actors/queue-tables.ts';
import { machineOf } from '../../actors/spawn.ts';
import { toText } from '../../actors/values.ts';
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
  if (process.env['SHOW'] !== undefined) console.log(report.message);
  expect(report.facts).toMatchObject({ law: bug.law, inWords: bug.steps });
  for (const words of bug.says) expect(report.message).toMatch(words);
  expect(report.message).toContain(bug.steps.join(', '));
});

describe('lets pass', () => {
  test('the machine with one of everything', async () => {
    const summary = await checkDurable(richMachine as AnyStateMachine, { events: richEvents, runs: 100 });
    console.log(summary);
  });
  test('the order of the golden databases', async () => {
    const summary = await checkDurable(orderMachine, {
      runs: 100,
      events: [
        { type: 'add', name: 'book', cents: 5, at: 7 },
        { type: 'add', name: 'lamp', cents: 5, at: 9 },
        { type: 'pick', name: 'book' },
        { type: 'pick', name: 'lamp' },
        { type: 'remindLater', delay: 500 },
        { type: 'pay' },
        { type: 'pack' },
        { type: 'leave' },
        { type: 'enter' },
      ],
      delays: [500, 3_600_000],
    });
    console.log(summary);
  });
});
