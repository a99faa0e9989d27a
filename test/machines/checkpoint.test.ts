import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createActor, initialTransition, transition, type AnyEventObject, type SnapshotFrom } from 'xstate';
import { checkpointMachine } from '../../machines/checkpoint.ts';
import { intervalMs, type CheckpointEvent, type CheckpointInput } from '../../machines/checkpoint-state.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';

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

const request = { type: 'checkpoint.restore', turn: 7, force: false, request: 'r' };
const toldOf = ([, actions]: Step) => actions.filter(({ type }) => type === 'announce').map(({ params }) => params);

test('goes back to one checkpoint at a time, and says why it could not', () => {
  const asked = send(begin(), request);
  expect(asked[0].value).toBe('restoring');
  expect(toldOf(send(asked, { ...request, request: 's' }))).toMatchObject([
    { notice: { type: 'checkpoint.refused', request: 's', code: 'CHECKPOINT_BUSY' } },
  ]);
  const output = { code: 'CHECKPOINT_DAMAGED', message: 'the row of an actor' };
  const failed = send(asked, { type: 'xstate.done.actor.restorer', output });
  expect(failed[0]).toMatchObject({ value: 'counting', context: { asked: null } });
  expect(toldOf(failed)).toMatchObject([{ notice: { type: 'checkpoint.refused', request: 'r', ...output } }]);
});

test('a tree that was restored goes back no further, one that comes back after a crash goes on with it', () => {
  const asked = send(begin(), request);
  expect(send(asked, { type: 'checkpoint.resumed', isRestored: true })[0].value).toBe('counting');
  expect(send(asked, { type: 'checkpoint.resumed', isRestored: false })[0].value).toBe('restoring');
});

test('what is asked for while it goes back is named all the same', () => {
  expect(named(send(send(begin(), request), { type: 'checkpoint.request', reason: 'risk' }))).toMatchObject({
    reason: 'risk',
  });
});

const DAY = 86_400_000;
const life = (crashes: number, upMs: number, costMs: number | null = 2) => {
  const everyMs = { min: 1_000, max: 3_600_000 };
  return intervalMs({ ...begin()[0].context, everyMs, costMs, crashes, upMs });
};

test('the interval is the square root of twice the cost times the time between crashes, within bounds', () => {
  expect(life(0, 0)).toBe(Math.round(Math.sqrt(2 * 2 * DAY)));
  expect(life(9, 9 * DAY)).toBe(Math.round(Math.sqrt(2 * 2 * DAY)));
  expect(life(1_000_000, 0)).toBe(1_000);
  expect(life(0, 1e15)).toBe(3_600_000);
});

test('what dies without being closed has crashed; what was closed, or read back in the same life, has not', () => {
  const found = (isFirst: boolean) => ({ type: 'checkpoint.found', at: 5, isFirst });
  const begun = send(begin(), found(true));
  expect(begun[0].context.crashes).toBe(0);
  const crashed = send(begun, found(true));
  expect(crashed[0].context.crashes).toBe(1);
  expect(send(crashed, found(false))[0].context.crashes).toBe(1);
  const written = { type: 'checkpoint.written', turn: 1, reason: 'shutdown', label: null, at: 9, costMs: null };
  const closed = send(crashed, written);
  expect(closed[0].context).toMatchObject({ isDown: true, upMs: 4 });
  expect(send(closed, found(true))[0].context.crashes).toBe(1);
});

/** What happens: actions settle, something else changes, a host asks, time passes. */
type Happening = readonly [kind: 'settle' | 'change' | 'ask' | 'wait', n: number];

const happening = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant('settle' as const), fc.integer({ min: 1, max: 5 })) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('change' as const), fc.constant(0)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('ask' as const), fc.constant(0)) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('wait' as const), fc.integer({ min: 1, max: 800 })) },
);

/** Lets it all happen; after each, how much no checkpoint holds. */
async function exposures(input: CheckpointInput, happenings: readonly Happening[]) {
  const clock = new SimulatedClock();
  let settled = 0;
  let since: number | undefined;
  const seen: { settled: number; ms: number }[] = [];
  const machine = checkpointMachine.provide({
    actions: {
      nameTurn: ({ self }, { reason }) => {
        settled = 0;
        since = undefined;
        self.send({ type: 'checkpoint.written', turn: 1, reason, label: null, at: clock.now(), costMs: 1 });
      },
      look: ({ self }) => self.send({ type: 'checkpoint.found', at: clock.now(), isFirst: true }),
      announce: () => {},
    },
  });
  const actor = createActor(machine, { input, clock: clock as never }).start();
  const tell = (event: CheckpointEvent) => actor.send(event);
  for (const [kind, n] of happenings) {
    if (kind === 'settle' || kind === 'change') {
      since ??= clock.now();
      if (kind === 'settle') settled += n;
      tell(kind === 'settle' ? { type: 'checkpoint.count', settled: n } : { type: 'checkpoint.note' });
    }
    if (kind === 'ask') tell({ type: 'checkpoint.request', reason: 'request' });
    if (kind === 'wait') await clock.advance(n);
    seen.push({ settled, ms: since === undefined ? 0 : clock.now() - since });
  }
  actor.stop();
  return seen;
}

test('H33, K1: whatever happens in whatever order, never N settled actions nor T after a change are without a checkpoint', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 2_000 }),
      fc.array(happening, { maxLength: 40 }),
      async (everyActions, everyMs, happenings) => {
        for (const { settled: left, ms } of await exposures({ everyActions, everyMs }, happenings)) {
          expect(left).toBeLessThan(everyActions);
          expect(ms).toBeLessThan(everyMs);
        }
      },
    ),
    { numRuns: 300 },
  );
});
