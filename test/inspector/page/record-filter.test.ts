import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  FilteredList,
  firstFrom,
  recordMatcher,
  summaryOf,
} from '../../../inspector/page/views/events/record-filter.ts';
import type { InspectionRecord } from '../../../inspector/protocol.ts';

const event = (seq: number, actor: string, type: string, rest: object = {}): InspectionRecord => ({
  seq,
  at: seq,
  actor,
  kind: 'event',
  event: { type, ...rest },
  from: null,
});

test('the list holds exactly what matches, whatever came and went (R1)', () => {
  const step = fc.record({ come: fc.array(fc.boolean(), { maxLength: 6 }), go: fc.nat({ max: 5 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const list = new FilteredList<{ seq: number; wanted: boolean }>(({ wanted }) => wanted);
      let source: { seq: number; wanted: boolean }[] = [];
      let seq = 0;
      for (const { come, go } of steps) {
        source = [...source, ...come.map((wanted) => ({ seq: (seq += 1), wanted }))].slice(go);
        expect(list.follow(source)).toEqual(source.filter(({ wanted }) => wanted));
      }
    }),
  );
});

test('a number is found where it is, or where it would be', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat({ max: 60 })), fc.nat({ max: 60 }), (numbers, seq) => {
      const items = numbers.toSorted((a, b) => a - b).map((number) => ({ seq: number }));
      const expected = items.findIndex((item) => item.seq >= seq);
      expect(firstFrom(items, seq)).toBe(expected < 0 ? items.length : expected);
    }),
  );
});

test('an actor stands for all below it, and not for one whose name only begins alike', () => {
  const matches = recordMatcher({ actor: 'perdure/jobs' });
  expect(matches(event(1, 'perdure/jobs', 'a'))).toBe(true);
  expect(matches(event(1, 'perdure/jobs/1', 'a'))).toBe(true);
  expect(matches(event(1, 'perdure/jobs2', 'a'))).toBe(false);
});

test('every word is searched, in payloads too', () => {
  const matches = recordMatcher({ text: 'PAID alice' });
  expect(matches(event(1, 'shop', 'order.paid', { by: 'Alice' }))).toBe(true);
  expect(matches(event(1, 'shop', 'order.paid', { by: 'Bob' }))).toBe(false);
});

test('kinds that are chosen are listed, of none chosen all', () => {
  expect(recordMatcher({ kinds: new Set(['action']) })(event(1, 'a', 'b'))).toBe(false);
  expect(recordMatcher({ kinds: new Set() })(event(1, 'a', 'b'))).toBe(true);
});

test('a record says in a line what happened', () => {
  const base = { seq: 1, at: 1, actor: 'a' };
  expect(summaryOf({ ...base, kind: 'turn', turn: 7, causes: [], changed: [] })).toBe('turn 7: no cause');
  expect(
    summaryOf({
      ...base,
      kind: 'microstep',
      event: 'go',
      transitions: [{ source: 'm.a', targets: ['m.b'], guard: 'fits' }],
      value: 'b',
    }),
  ).toBe('m.a → m.b [fits]');
  expect(
    summaryOf({
      ...base,
      kind: 'snapshot',
      event: 'go',
      status: 'active',
      value: { run: 'busy' },
      tags: [],
      contextChanged: false,
    }),
  ).toBe('run.busy');
});
