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
