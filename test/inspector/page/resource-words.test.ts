import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  freeText,
  admissionWords,
  calmText,
  isFarBelow,
  levelHelp,
  levelText,
  ordered,
  scaleEnd,
  seriesText,
  titleOf,
} from '../../../inspector/page/views/resources/resource-words.ts';
import type { ResourceSeries } from '../../../inspector/views/measures.ts';
import { RESOURCES, type ResourceName } from '../../../machines/resource-policy.ts';

const NOW = 10_000_000;

function series(more: Partial<ResourceSeries> = {}): ResourceSeries {
  const samples = [{ at: NOW - 600_000, value: 10 }];
  return { name: 'heap', unit: '', level: 'normal', value: 20, limit: 100, samples, forecast: null, ...more };
}

test('every resource that is watched has a title of its own', () => {
  const titles = Object.keys(RESOURCES).map(titleOf);
  expect(new Set(titles).size).toBe(titles.length);
  for (const name of Object.keys(RESOURCES)) expect(titleOf(name)).not.toBe(name);
  expect(titleOf('constructor')).toBe('constructor');
});

test('what does not count for the health says so, and only that', () => {
  const isTold = (name: string) => levelText(name, 'critical') === 'critical, told only';
  const names = Object.keys(RESOURCES) as ResourceName[];
  const doesNotCount = (name: ResourceName) => !RESOURCES[name].throttles && RESOURCES[name].rungs.length === 0;
  expect(names.filter(isTold)).toEqual(names.filter(doesNotCount));
  expect(names.filter((name) => levelHelp(name) !== undefined)).toEqual(names.filter(isTold));
  expect(levelText('hostCpu', 'normal')).toBe('normal');
});

test('what is worst comes first', () => {
  const forecast = { at: NOW + 1, earliest: null, latest: null };
  const all = [
    series({ name: 'a' }),
    series({ name: 'b', level: 'elevated' }),
    series({ name: 'c', forecast }),
    series({ name: 'd', level: 'critical' }),
    series({ name: 'e', level: 'elevated', forecast }),
  ];
  expect(ordered(all).map(({ name }) => name)).toEqual(['d', 'e', 'b', 'c', 'a']);
});

describe('the scale of a chart', () => {
  const values = fc.double({ min: 0, max: 1_000, noNaN: true });

  test('property: holds all that was measured, and the limit wherever it is not far away', () => {
    fc.assert(
      fc.property(values, values, fc.boolean(), (value, sample, toLimit) => {
        const one = series({ value, samples: [{ at: NOW, value: sample }] });
        const end = scaleEnd(one, toLimit);
        expect(end).toBeGreaterThan(0);
        expect(end).toBeGreaterThanOrEqual(Math.max(value, sample));
        if (toLimit || !isFarBelow(one)) expect(end).toBeGreaterThan(one.limit);
      }),
    );
  });
});

test('a chart says in words all that it shows', () => {
  const forecast = { at: NOW + 600_000, earliest: NOW + 300_000, latest: null };
  expect(seriesText(series({ level: 'elevated', forecast }), NOW)).toBe(
    'Heap: 20 of 100, 20\u202f%, elevated; from 10 to 10 in the last 10 min; full in 10 min (5 min – maybe never).',
  );
  expect(seriesText(series({ samples: [] }), NOW)).toBe('Heap: 20 of 100, 20\u202f%, normal.');
});

test('admission is told with what it means', () => {
  expect(admissionWords('shedding')).toMatchObject({ title: 'Shedding', tone: 'failed' });
});

test('what fills up is told not to, and of what comes and goes that nothing is forecast', () => {
  for (const name of Object.keys(RESOURCES) as ResourceName[]) {
    const text = calmText(series({ name, value: 90 }), false);
    expect(text, name).toBe(RESOURCES[name].isStock ? 'not running full' : 'comes and goes: there is no forecast');
  }
  expect(calmText(series({ value: 1 }), false)).toBe('far below its limit of 100');
  expect(calmText(series({ value: 1 }), true)).toBe('not running full');
});

test('of a disk it is said what is free, because only its end is watched', () => {
  const gigabyte = 2 ** 30;
  expect(freeText(0, 20 * gigabyte)).toBe('20 GB free, or more');
  expect(freeText(15 * gigabyte, 20 * gigabyte)).toBe('5 GB free');
});
