import { expect, test } from 'vitest';
import { pairOf, stepFrom, stepsOf } from '../../../inspector/page/views/actors/steps.ts';
import type { InspectionRecord } from '../../../inspector/protocol.ts';

const records: InspectionRecord[] = [
  { seq: 1, at: 1, actor: 'a', kind: 'event', event: { type: 'go' }, from: 'boss' },
  { seq: 2, at: 2, actor: 'b', kind: 'event', event: { type: 'other' }, from: null },
  snapshot(3, 'a', 'go'),
  snapshot(4, 'b', 'other'),
  { seq: 5, at: 5, actor: 'a', kind: 'event', event: { type: 'stop' }, from: null },
  snapshot(6, 'a', 'stop'),
  snapshot(8, 'a', 'xstate.after.1'),
];

function snapshot(seq: number, actor: string, event: string): InspectionRecord {
  return { seq, at: seq, actor, kind: 'snapshot', event, status: 'active', value: 's', tags: [], contextChanged: true };
}

const steps = stepsOf(records, 'a');

test('the steps of an actor are its states, with who sent the event', () => {
  expect(steps.map(({ seq, event, from }) => [seq, event, from])).toEqual([
    [3, 'go', 'boss'],
    [6, 'stop', null],
    [8, 'xstate.after.1', null],
  ]);
});

test('a turn of the history names its cause for this actor', () => {
  const turn: InspectionRecord = {
    seq: 1,
    at: 1,
    actor: 'a',
    kind: 'turn',
    turn: 1,
    causes: [
      { kind: 'event', to: 'b', event: { type: 'no' }, id: null },
      { kind: 'event', to: 'a', event: { type: 'yes' }, id: null },
    ],
    changed: ['a', 'b'],
  };
  expect(stepsOf([turn], 'a')[0]?.event).toBe('yes');
});

test('a step is compared with the one before it, or with now', () => {
  expect(pairOf(steps, 6, 'before')).toEqual({ then: 6, other: 3 });
  expect(pairOf(steps, 3, 'before')).toEqual({ then: 3, other: null });
  expect(pairOf(steps, null, 'before')).toEqual({ then: null, other: 6 });
  expect(pairOf(steps, 6, 'now')).toEqual({ then: 6, other: 'latest' });
  expect(pairOf([], null, 'before')).toEqual({ then: null, other: null });
});

test('steps back and forth end at the first and at the latest', () => {
  expect(stepFrom(steps, null, -1)).toBe(6);
  expect(stepFrom(steps, 6, -1)).toBe(3);
  expect(stepFrom(steps, 3, -1)).toBe(3);
  expect(stepFrom(steps, 3, 1)).toBe(6);
  expect(stepFrom(steps, 6, 1)).toBeNull();
  expect(stepFrom(steps, null, 1)).toBeNull();
  // One that is not held any more lies before the first that is.
  expect(stepFrom(steps, 2, 1)).toBe(6);
  expect(stepFrom([], null, -1)).toBeNull();
});
