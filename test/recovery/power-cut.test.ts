/** PERDURE_SEED and PERDURE_IMAGES repeat a run and make it longer. */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { tempFolder } from '../support/temp.ts';
import { Recorder } from './disk-recording.ts';
import { cutPower, type PowerCutReport } from './power-cut.ts';
import type { Durability } from '../../persistence/sqlite.ts';
import { canTrace, without } from './tools.ts';
import type { Workload } from './workload.ts';

const seed = Number(process.env['PERDURE_SEED'] ?? Date.now() % 1_000_000);
const images = Number(process.env['PERDURE_IMAGES'] ?? 300);
/** What a lost turn looks like to the judge; nothing else may be wrong. */
const LOST =
  /lost: (c\d+:\d+ was acknowledged and is lost; the store ends at \d+|\S+ ran for a turn that was never committed|\d+ acknowledgements or effects, and no store|; )+$/;
const workload: Workload = { seed: 5, clients: 3, events: 120 };
const label = `(PERDURE_SEED=${seed})${without('strace', canTrace)}`;

interface Record {
  readonly durability: Durability;
  /** Further arguments of strace in the second life. */
  readonly faults?: readonly string[];
}

/** Four lives: three are killed, or fail, the last one ends well. Then the power is cut, at any moment of them. */
async function record({ durability, faults = [] }: Record): Promise<PowerCutReport & { readonly failedSyncs: number }> {
  const folder = tempFolder();
  const recorder = new Recorder();
  const options = { folder, workload, durability };
  await recorder.live({ ...options, killAtCommit: 20 });
  await recorder.live({ ...options, killAtCommit: 25, mayFail: true, repeatForMs: 3_000 }, faults);
  await recorder.live({ ...options, killAtCommit: 12 });
  await recorder.live({ ...options, window: 3 });
  const { events } = recorder;
  const failedSyncs = events.filter((event) => event.kind === 'sync' && !event.succeeded).length;
  const at = tempFolder(existsSync('/dev/shm') ? '/dev/shm' : tmpdir());
  return { ...(await cutPower({ events, workload, images, seed, folder: at })), failedSyncs };
}

test.skipIf(!canTrace)(
  `whatever a power cut leaves of unsynced writes, all that was acknowledged is there ${label}`,
  async () => {
    const { wrong, lossy } = await record({ durability: 'power-loss' });
    expect(wrong).toEqual([]);
    expect(lossy, 'power cuts that lost something').toBeGreaterThan(images / 4);
  },
);

test.skipIf(!canTrace)(
  `in the mode "process-crash" a power cut takes acknowledged turns, and never leaves a wrong state ${label}`,
  async () => {
    const { wrong } = await record({ durability: 'process-crash' });
    const lost = wrong.filter((problem) => LOST.test(problem));
    expect(lost.length).toBeGreaterThan(images / 20);
    expect(wrong.filter((problem) => !LOST.test(problem))).toEqual([]);
  },
);

test.skipIf(!canTrace)(
  `what was acknowledged after a sync that failed survives a power cut, too ${label}`,
  async () => {
    const { wrong, failedSyncs } = await record({
      durability: 'power-loss',
      faults: ['-e', 'inject=fsync,fdatasync:error=EIO:when=12'],
    });
    expect(failedSyncs).toBe(1);
    expect(wrong).toEqual([]);
  },
);
