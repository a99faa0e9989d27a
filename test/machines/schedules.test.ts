import fc from 'fast-check';
import { expect, test } from 'vitest';
import { initialTransition, transition, type SnapshotFrom } from 'xstate';
import {
  ON_TIME_MS,
  schedulesMachine,
  toRun,
  type SchedulesEvent,
  type SchedulesNotice,
} from '../../machines/schedules.ts';

type Action = { readonly type: string; readonly params?: unknown };
type Step = readonly [SnapshotFrom<typeof schedulesMachine>, readonly Action[]];

const begin = () => initialTransition(schedulesMachine) as unknown as Step;
const send = ([state]: Step, event: SchedulesEvent | { type: 'xstate.after.ring.schedules.waiting' }) =>
  transition(schedulesMachine, state, event as SchedulesEvent) as unknown as Step;
const named = ([, actions]: Step, name: string) => actions.filter(({ type }) => type === name);
const timers = ([, actions]: Step) => actions.filter(({ type }) => type === 'xstate.raise' || type === 'xstate.cancel');
const due = (dueAt: number | null, waitMs = 0): SchedulesEvent => ({ type: 'schedules.due', dueAt, waitMs });
const rings = { type: 'xstate.after.ring.schedules.waiting' } as const;

test('one timer, for the earliest: another schedule costs no other, an earlier one replaces it, none takes it away', () => {
  const armed = send(begin(), due(1_000, 400));
  expect([armed[0].value, timers(armed).length]).toEqual(['waiting', 1]);
  expect(timers(send(armed, due(1_000, 300)))).toEqual([]);
  const earlier = send(armed, due(500, 100));
  expect(timers(earlier).map(({ type }) => type)).toEqual(['xstate.cancel', 'xstate.raise']);
  expect(send(armed, due(null))[0].value).toBe('idle');
});

test('when the timer rings, at most 1,000 fire; the next ring is of its own', () => {
  const rung = send(send(begin(), due(1_000, 400)), rings);
  expect(named(rung, 'fire')[0]?.params).toEqual({ limit: 1_000 });
  expect(timers(send(rung, due(1_000, 50)))).toHaveLength(1);
});

test('what was fired is submitted at once, and then told', () => {
  const submissions = [{ id: 'nightly@1' }] as never;
  const notices = [{ type: 'schedule.fired' as const, id: 'nightly', at: 1, action: 'nightly@1' }];
  const announced = named(send(begin(), { type: 'schedules.fired', submissions, notices }), 'announce');
  expect(announced.map(({ params }) => (params as { notice: SchedulesNotice }).notice.type)).toEqual([
    'executor.submit',
    'schedule.fired',
  ]);
});

test('more than a turn can look at is looked at in the next', () => {
  const asked = send(begin(), { type: 'schedules.review', after: '' });
  expect(named(asked, 'review')[0]?.params).toEqual({ after: '', limit: 1_000 });
  expect(timers(send(begin(), { type: 'schedules.reviewed', after: 'x' }))[0]?.params).toMatchObject({ delay: 0 });
});

test('`all` runs the first, and goes on from there; `one` and `none` leave out what is between; `none` what is late', () => {
  const times = fc.tuple(fc.nat(1e9), fc.nat(1e9), fc.nat(1e9)).map(([first, more, late]) => ({
    first,
    last: first + more,
    now: first + more + late,
  }));
  fc.assert(
    fc.property(times, ({ first, last, now }) => {
      expect(toRun('all', { first, last, now })).toEqual({ at: first, goesOnAfter: first });
      expect(toRun('one', { first, last, now })).toEqual({ at: last, goesOnAfter: last });
      const isLate = now - last > ON_TIME_MS;
      expect(toRun('none', { first, last, now })).toEqual({ at: isLate ? null : last, goesOnAfter: last });
    }),
  );
});
