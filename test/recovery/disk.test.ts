/** The simulated disk does to a truncated file what a disk can do to it, and no more. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Disk, type DiskEvent, type Loss } from './disk.ts';
import { randomOf } from './workload.ts';

const SECTOR = 512;
const HEADER = 32;
const losses = fc.constantFrom<Loss[]>('everything', 'nothing', 'tail', 'sectors');

function write(offset: number, length: number, byte: string): DiskEvent {
  return { kind: 'write', file: 1, offset, data: Buffer.alloc(length, byte) };
}

const sync = (succeeded: boolean): DiskEvent => ({ kind: 'sync', file: 1, succeeded });
const truncate = (size: number): DiskEvent => ({ kind: 'truncate', file: 1, size });

/** The file after a power cut: a letter a sector, `.` for one that is empty. */
function left(events: readonly DiskEvent[], loss: Loss, seed: number): string {
  const disk = new Disk();
  disk.apply({ kind: 'create', name: 'log', file: 1 });
  disk.apply({ kind: 'syncFolder' });
  for (const event of events) disk.apply(event);
  const content = disk.after(loss, randomOf(seed), 4).get('log') as Buffer;
  const sectors = Array.from({ length: Math.ceil(content.length / SECTOR) }, (_, n) => content[n * SECTOR] as number);
  return sectors.map((byte) => (byte === 0 ? '.' : String.fromCharCode(byte))).join('');
}

test('property: a truncation that is not synced is there as a whole or not at all, and so is what it cut off', () => {
  fc.assert(
    fc.property(losses, fc.nat(), fc.integer({ min: 2, max: 20 }), fc.boolean(), (loss, seed, sectors, headed) => {
      const old = [write(0, sectors * SECTOR, 'a'), sync(true)];
      const begun = headed ? [write(0, HEADER, 'h')] : [];
      // The new header may lie in the first of the old blocks; those behind it are not touched.
      const kept = `[ah]a{${sectors - 1}}`;
      expect(left([...old, truncate(0), ...begun], loss, seed)).toMatch(new RegExp(`^(${kept}|[.h]?)$`));
    }),
    { numRuns: 500 },
  );
});

test('property: what was cut off does not come back when the file has surely grown again', () => {
  fc.assert(
    fc.property(losses, fc.nat(), fc.boolean(), (loss, seed, failed) => {
      const cut = [write(0, 8 * SECTOR, 'a'), sync(true), truncate(2 * SECTOR), ...(failed ? [sync(false)] : [])];
      const grown = [write(7 * SECTOR, SECTOR, 'b'), sync(true)];
      expect(left([...cut, ...grown], loss, seed)).toBe('aa.....b');
    }),
  );
});

test('sectors that are written and not synced are there or not, each by itself', () => {
  const events = [write(0, 2 * SECTOR, 'a'), sync(true), write(0, 2 * SECTOR, 'b')];
  const found = new Set(Array.from({ length: 100 }, (_, seed) => left(events, 'sectors', seed)));
  expect([...found].toSorted()).toEqual(['aa', 'ab', 'ba', 'bb']);
});

test('what a sync that failed should have written may be missing after one that succeeds', () => {
  const events = [write(0, SECTOR, 'a'), sync(true), write(0, SECTOR, 'b'), sync(false), sync(true)];
  const found = new Set(Array.from({ length: 100 }, (_, seed) => left(events, 'sectors', seed)));
  expect([...found].toSorted()).toEqual(['a', 'b']);
});
