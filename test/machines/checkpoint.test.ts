import { expect, test } from 'vitest';
import { initialTransition, transition, type AnyEventObject, type SnapshotFrom } from 'xstate';
import { checkpointMachine } from '../../machines/checkpoint.ts';

type Step = readonly [SnapshotFrom<typeof checkpointMachine>, readonly { type: string; params?: unknown }[]];

const begin = () => initialTransition(checkpointMachine, { everyActions: 3, everyMs: 1_000 }) as unknown as Step;
const send = ([state]: Step, event: AnyEventObject) =>
  transition(checkpointMachine, state, event as never) as unknown as Step;
const named = ([, actions]: Step) => actions.find(({ type }) => type === 'nameTurn')?.params;
const count = { type: 'checkpoint.count', settled: 1 };

test('names a turn at every third settled action', () => {
  let step = begin();
  const names = Array.from({ length: 7 }, () => named((step = send(step, count))));
  expect(names.map((name) => name !== undefined)).toEqual([false, false, true, false, false, true, false]);
});

test('counting another action does not put the interval off', () => {
  const step = send(begin(), count);
  expect(step[1].some(({ type }) => type === 'xstate.raise')).toBe(true);
  expect(send(step, count)[1].some(({ type }) => type === 'xstate.raise' || type === 'xstate.cancel')).toBe(false);
});

test('names a turn after the interval only if something has settled since', () => {
  const due = { type: 'xstate.after.everyMs.checkpoint.counting' };
  expect(named(send(begin(), due))).toBeUndefined();
  expect(named(send(send(begin(), count), due))).toMatchObject({ reason: 'interval' });
});

test('names a turn on request, with its label', () => {
  expect(named(send(begin(), { type: 'checkpoint.request', reason: 'request', label: 'x' }))).toMatchObject({
    reason: 'request',
    label: 'x',
  });
});
