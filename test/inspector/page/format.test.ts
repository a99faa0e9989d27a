import { assert, double, integer, property } from 'fast-check';
import { expect, test } from 'vitest';
import {
  agoText,
  bytesText,
  clockText,
  countText,
  durationText,
  percentText,
  shortId,
  tickText,
} from '../../../inspector/page/format.ts';

test('a length of time is told in the units that people use', () => {
  const told = [
    0, 0.4, 9.94, 9.96, 12.3, 999.4, 999.6, 1_234, 34_000, 59_600, 125_000, 3_600_000, 11_400_000, 353_000_000,
  ];
  expect(told.map(durationText)).toEqual([
    '0 ms',
    '0.4 ms',
    '9.9 ms',
    '10 ms',
    '12 ms',
    '999 ms',
    '1 s',
    '1.2 s',
    '34 s',
    '1 min',
    '2 min 5 s',
    '1 h',
    '3 h 10 min',
    '4 d 2 h',
  ]);
  expect(durationText(-1_234)).toBe('-1.2 s');
  expect(durationText(NaN)).toBe('–');
});

/** What a text of durationText says, ms. */
function read(text: string): number {
  const units: Record<string, number> = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 };
  return [...text.matchAll(/([\d.]+) (ms|s|min|h|d)/g)].reduce(
    (sum, [, n, unit]) => sum + Number(n) * units[unit!]!,
    0,
  );
}

test('what is told of a length of time is off by a twentieth at most, and never shorter for a longer one', () => {
  const lengths = double({ min: 0.1, max: 1e12, noNaN: true });
  assert(
    property(lengths, lengths, (a, b) => {
      expect(Math.abs(read(durationText(a)) - a) / a).toBeLessThanOrEqual(0.5);
      if (a > 1) expect(Math.abs(read(durationText(a)) - a) / a).toBeLessThanOrEqual(0.06);
      if (a <= b) expect(read(durationText(a))).toBeLessThanOrEqual(read(durationText(b)));
    }),
  );
});

test('no text of a length of time has a unit that is full', () => {
  assert(
    property(integer({ min: 0, max: 1e12 }), (ms) => {
      expect(durationText(ms)).not.toMatch(/\b60 (s|min)|\b24 h|\b1000 ms/);
    }),
  );
});

test('a ticking time stands still within a second', () => {
  expect([0, 999, 1_000, 1_999, 61_500].map(tickText)).toEqual(['0 s', '0 s', '1 s', '1 s', '1 min 1 s']);
});

test('the past is ago and the future is ahead', () => {
  expect(agoText(0, 500)).toBe('now');
  expect(agoText(0, 5_400)).toBe('5 s ago');
  expect(agoText(190_000, 0)).toBe('in 3 min');
  expect(agoText(0, 86_400_000 * 3)).toBe('3 d ago');
});

test('counts, shares, bytes and ids are short', () => {
  expect(countText(1_234_567)).toBe('1\u202f234\u202f567');
  expect([0, 0.004, 0.37, 1].map(percentText)).toEqual(['0\u202f%', '0.4\u202f%', '37\u202f%', '100\u202f%']);
  expect([0, 512, 1_536, 20 * 2 ** 20, 3.2 * 2 ** 30, 5_000 * 2 ** 30].map(bytesText)).toEqual([
    '0 B',
    '512 B',
    '1.5 KB',
    '20 MB',
    '3.2 GB',
    '5000 GB',
  ]);
  expect(shortId('01a20724-804b-72b8-8189-f349ad07c480')).toBe('…ad07c480');
  expect(shortId('01a20724-804b-72b8-8189-f349ad07c480/test')).toBe('…ad07c480/test');
  expect(shortId('nightly:1/test')).toBe('nightly:1/test');
});

test('a time that is none is a dash', () => {
  expect(clockText(NaN)).toBe('–');
  expect(clockText(0)).toMatch(/^\d\d:\d\d:00\.000$/);
});
