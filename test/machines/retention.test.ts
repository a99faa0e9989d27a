import { expect, test } from 'vitest';
import { initialTransition, transition, type SnapshotFrom } from 'xstate';
import { LOOK_EVERY_MS, retentionMachine, type RetentionEvent } from '../../machines/retention.ts';

type Step = readonly [SnapshotFrom<typeof retentionMachine>, readonly { type: string; params?: unknown }[]];

const send = ([state]: Step, event: RetentionEvent | { type: `xstate.after.${string}` }) =>
  transition(retentionMachine, state, event as RetentionEvent) as unknown as Step;
const delays = ([, actions]: Step) =>
  actions.filter(({ type }) => type === 'xstate.raise').map(({ params }) => (params as { delay: number }).delay);

test('it looks once an hour, and when it is told to; it goes on as long as there is more', () => {
  const resting = initialTransition(retentionMachine) as unknown as Step;
  expect(delays(resting)).toEqual([LOOK_EVERY_MS]);
  const pruning = send(resting, { type: 'retention.look' });
  expect(pruning[1].find(({ type }) => type === 'prune')?.params).toEqual({ limit: 1_000 });
  const goingOn = send(pruning, { type: 'retention.pruned', more: true });
  expect(delays(goingOn)).toEqual([0]);
  const again = send(goingOn, { type: 'xstate.after.0.retention.goingOn' });
  expect(again[0].value).toBe('pruning');
  const done = send(again, { type: 'retention.pruned', more: false });
  expect([done[0].value, delays(done)]).toEqual(['resting', [LOOK_EVERY_MS]]);
});
