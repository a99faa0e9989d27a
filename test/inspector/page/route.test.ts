import { assert, property, record, string, dictionary } from 'fast-check';
import { expect, test } from 'vitest';
import { formatRoute, HOME, parseRoute } from '../../../inspector/page/route.ts';

const wellFormed = string({ unit: 'grapheme' });
const filled = wellFormed.filter((text) => text !== '');
/** A view’s name begins with no slash: those at the beginning are the address’s own. */
const routes = record({
  view: filled.filter((view) => !view.startsWith('/')),
  params: dictionary(wellFormed, filled),
});

test('a place that is written to the address is read back as it was', () => {
  assert(
    property(routes, (route) => {
      const { view, params } = parseRoute(formatRoute(route));
      expect(view).toBe(route.view);
      expect({ ...params }).toEqual({ ...route.params });
    }),
  );
});

test('whatever stands in the address, some place is read, and what is written of it is read as the same', () => {
  assert(
    property(string({ unit: 'binary' }), (text) => {
      const route = parseRoute(text);
      expect(route.view).not.toBe('');
      expect(formatRoute(parseRoute(formatRoute(route)))).toBe(formatRoute(route));
    }),
  );
});

test('nothing in the address leads to the overview, and the order of parameters does not matter', () => {
  expect(parseRoute('')).toEqual({ view: HOME, params: {} });
  expect(formatRoute({ view: 'work', params: { b: '2', a: '1', none: '' } })).toBe('#/work?a=1&b=2');
});

test('a parameter called __proto__ is a parameter like any other', () => {
  const { params } = parseRoute('#/work?__proto__=x');
  expect(params['__proto__']).toBe('x');
  expect(({} as Record<string, unknown>)['x']).toBeUndefined();
});
