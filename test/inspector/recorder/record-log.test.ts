import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecordLog, type Unnumbered } from '../../../inspector/recorder/record-log.ts';

const stopped = (actor: string): Unnumbered => ({ kind: 'stopped', actor, at: 1, status: 'done' });

test('whatever is added, numbers count up by one, the last ones are held, and where they begin is said', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.array(fc.nat(12)), fc.nat(200), (most, batches, from) => {
      const log = new RecordLog(most);
      const told = batches.flatMap((n) => log.add(Array.from({ length: n }, (_, i) => stopped(String(i)))));
      expect(told.map(({ seq }) => seq)).toEqual(told.map((_, i) => i + 1));
      expect(log.next).toBe(told.length + 1);
      const held = log.from(from);
      expect(held.from).toBe(Math.min(Math.max(from, told.length + 1 - Math.min(most, told.length)), told.length + 1));
      expect(held.records).toEqual(told.filter(({ seq }) => seq >= held.from));
    }),
  );
});

test('numbers that are left out are given to no record, and what was before them is gone', () => {
  const log = new RecordLog();
  log.add([stopped('a'), stopped('b')]);
  expect(log.skip(3)).toEqual({ from: 3, to: 6 });
  expect([log.next, log.from(0)]).toEqual([6, { from: 6, records: [] }]);
  const later = log.add([stopped('c')]);
  expect(later.map(({ seq }) => seq)).toEqual([6]);
  expect(log.from(1)).toEqual({ from: 6, records: later });
});
