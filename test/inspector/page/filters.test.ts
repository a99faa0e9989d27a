import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  FILTER_NAMES,
  filterOf,
  isSameFilter,
  paramsOf,
  savedFrom,
  savedTab,
  savedText,
  switched,
  tabOf,
  tabs,
  type Filter,
} from '../../../inspector/page/views/work/filters.ts';

const word = fc.string({ minLength: 1, maxLength: 12 }).filter((text) => text.trim() === text);
const filter = fc.record(Object.fromEntries(FILTER_NAMES.map((name) => [name, word])), {
  requiredKeys: [],
}) as fc.Arbitrary<Filter>;

describe('a filter of the work', () => {
  test('is the same after it was written in an address and read from there', () => {
    fc.assert(
      fc.property(filter, (wanted) => {
        const address = new URLSearchParams(paramsOf(wanted)).toString();
        expect(filterOf(Object.fromEntries(new URLSearchParams(address)))).toEqual(wanted);
      }),
    );
  });

  test('is the same after the browser kept it', () => {
    fc.assert(
      fc.property(word, filter, (label, wanted) => {
        expect(savedFrom(savedText([savedTab(label, wanted)]))).toEqual([savedTab(label, wanted)]);
      }),
    );
  });

  test('takes from the browser whatever it holds, and nothing that is no filter', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.constant(null)), (text) => {
        for (const tab of savedFrom(text)) expect(filterOf(paramsOf(tab.filter))).toEqual(tab.filter);
      }),
    );
  });

  test('keeps what was searched for when another tab is chosen, and is in that tab then', () => {
    fc.assert(
      fc.property(filter, fc.constantFrom(...tabs), (from, tab) => {
        const to = switched(from, tab);
        expect(tabOf(to)).toBe(tab);
        expect([to.search, to.name, to.queue, to.plan]).toEqual([from.search, from.name, from.queue, from.plan]);
      }),
    );
  });

  test('has a tab of its own when somebody saved it', () => {
    const slow = savedTab('slow builds', { name: 'build', state: 'running' });
    expect(tabOf({ name: 'build', state: 'running' }, [slow])).toBe(slow);
    expect(tabOf({ name: 'build' }, [slow]).id).toBe('all');
    expect(isSameFilter(switched({ search: 'x' }, slow), slow.filter)).toBe(true);
  });
});
