/** PERDURE_SEED and PERDURE_IMAGES repeat a run and make it longer. */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { tempFolder } from '../support/temp.ts';
import { LOST, recordAndCut, type RecordedCuts } from './power-cut.ts';
import type { Durability } from '../../persistence/sqlite.ts';
import { canTrace, without } from './tools.ts';

const seed = Number(process.env['PERDURE_SEED'] ?? Date.now() % 1_000_000);
const images = Number(process.env['PERDURE_IMAGES'] ?? 300);
const label = `(PERDURE_SEED=${seed})${without('strace', canTrace)}`;

function record(durability: Durability, faults: readonly string[] = [], isRead = false): Promise<RecordedCuts> {
  return recordAndCut({ durability, faults, isRead, folder: tempFolder(), images, seed, imagesFolder: quickFolder() });
}

function quickFolder(): string {
  return tempFolder(existsSync('/dev/shm') ? '/dev/shm' : tmpdir());
}

test.skipIf(!canTrace)(
  `whatever a power cut leaves of unsynced writes, all that was acknowledged is there ${label}`,
  async () => {
    const { wrong, lossy } = await record('power-loss');
    expect(wrong).toEqual([]);
    expect(lossy, 'power cuts that lost something').toBeGreaterThan(images / 4);
  },
);

test.skipIf(!canTrace)(
  `in the mode "process-crash" a power cut takes acknowledged turns, and never leaves a wrong state ${label}`,
  async () => {
    const { wrong } = await record('process-crash');
    const lost = wrong.filter((problem) => LOST.test(problem));
    expect(lost.length).toBeGreaterThan(images / 20);
    expect(wrong.filter((problem) => !LOST.test(problem))).toEqual([]);
  },
);

test.skipIf(!canTrace)(
  `what was acknowledged after a sync that failed survives a power cut, too ${label}`,
  async () => {
    const { wrong, failedSyncs } = await record('power-loss', ['-e', 'inject=fsync,fdatasync:error=EIO:when=12']);
    expect(failedSyncs).toBe(1);
    expect(wrong).toEqual([]);
  },
);

test.skipIf(!canTrace)(
  `what was acknowledged on top of a log that was never synced, and that somebody reads, survives a power cut, too ${label}`,
  async () => {
    const diesOfIt = ['-e', 'inject=fsync,fdatasync:error=EIO:signal=KILL:when=12'];
    const { wrong, failedSyncs } = await record('power-loss', diesOfIt, true);
    expect(failedSyncs).toBe(1);
    expect(wrong).toEqual([]);
  },
);
