import fc from 'fast-check';
import { expect, test } from 'vitest';
import { timeAfter, timeUpTo } from '../../actors/schedule-times.ts';
import type { Timing } from '../../machines/schedules.ts';

const berlin = (cron: string): Timing => ({ cron, timeZone: 'Europe/Berlin' });

function times(timing: Timing, after: string, count: number): string[] {
  const found: string[] = [];
  let time = Date.parse(after);
  while (found.length < count) found.push(new Date((time = timeAfter(timing, time) ?? NaN)).toISOString());
  return found;
}

test('a time that the clocks leave out is due once, at the first moment after', () => {
  const daily = ['2026-03-28T01:30:00.000Z', '2026-03-29T01:00:00.000Z', '2026-03-30T00:30:00.000Z'];
  expect(times(berlin('30 2 * * *'), '2026-03-28T00:00:00Z', 3)).toEqual(daily);
  expect(times(berlin('30 2,14 * * *'), '2026-03-28T20:00:00Z', 2)).toEqual([
    '2026-03-29T01:00:00.000Z',
    '2026-03-29T12:30:00.000Z',
  ]);
});

test('a time that the clocks repeat is due once, the first time', () => {
  const daily = ['2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z'];
  expect(times(berlin('30 2 * * *'), '2026-10-24T20:00:00Z', 2)).toEqual(daily);
});

test('a pattern that says every half hour means the time that passes', () => {
  expect(times(berlin('*/30 * * * *'), '2026-03-29T00:29:00Z', 3)).toEqual([
    '2026-03-29T00:30:00.000Z',
    '2026-03-29T01:00:00.000Z',
    '2026-03-29T01:30:00.000Z',
  ]);
  expect(times(berlin('*/30 * * * *'), '2026-10-25T00:29:00Z', 4)).toEqual([
    '2026-10-25T00:30:00.000Z',
    '2026-10-25T01:00:00.000Z',
    '2026-10-25T01:30:00.000Z',
    '2026-10-25T02:00:00.000Z',
  ]);
});

test('the next time is after, the last one is not, and none is between them', () => {
  const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe');
  const crons = fc.constantFrom(
    '30 2 * * *',
    '*/7 * * * *',
    '0 0 1 * *',
    '15 2,3 * * 0',
    '0 9-17 * * 1-5',
    '5 1 2 3 * *',
  );
  const timing: fc.Arbitrary<Timing> = fc.oneof(
    fc.record({ cron: crons, timeZone: zones }),
    fc.record({ everyMs: fc.integer({ min: 1_000, max: 1e10 }), from: fc.integer({ min: 0, max: 1.7e12 }) }),
  );
  const anyTime = fc.integer({ min: Date.UTC(2024, 0), max: Date.UTC(2028, 0) });
  const clocksChange = fc
    .tuple(
      fc.constantFrom('2026-03-29T01:00Z', '2026-10-25T01:00Z', '2026-03-08T07:00Z'),
      fc.integer({ min: -2e7, max: 2e7 }),
    )
    .map(([day, off]) => Date.parse(day) + off);
  const now = fc.oneof(anyTime, clocksChange);
  fc.assert(
    fc.property(timing, now, fc.oneof(fc.nat(1e10), fc.nat(1e7)), (one, before, more) => {
      const first = timeAfter(one, before) as number;
      expect(first).toBeGreaterThan(before);
      const last = timeUpTo(one, first, first + more);
      expect(last).toBeGreaterThanOrEqual(first);
      expect(last).toBeLessThanOrEqual(first + more);
      expect(timeAfter(one, last)).toBeGreaterThan(first + more);
    }),
    { numRuns: 500 },
  );
});
