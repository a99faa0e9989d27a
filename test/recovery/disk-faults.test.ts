/** Disks that fail and come back under a working process. PERDURE_SEED and PERDURE_DISK_FAULTS (rounds) may be set. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { tempFolder } from '../support/temp.ts';
import {
  callFaults,
  diskFull,
  failingCalls,
  fileSizeLimit,
  heldLock,
  mountSmall,
  suffer,
  type Fault,
} from './disk-fault.ts';
import { finalOf, live } from './life.ts';
import { canLimit, canMount, canTrace, without } from './tools.ts';
import { randomOf, type Workload } from './workload.ts';

const seed = Number(process.env['PERDURE_SEED'] ?? Date.now() % 1_000_000);
const rounds = Number(process.env['PERDURE_DISK_FAULTS'] ?? 1);
const workload: Workload = { seed: 23, clients: 3, events: 60 };
/** The bar: this long after the disk is well again, sends are acknowledged. */
const RECOVERED_WITHIN_MS = 1_000;

let calm: Promise<unknown> | undefined;
async function calmEnd(): Promise<unknown> {
  const folder = tempFolder();
  await live({ folder, workload });
  return finalOf(folder);
}

interface Case {
  readonly lastsMs?: number;
  /** A shorter fault is not noticed. */
  readonly leastMs?: number;
  readonly store?: string;
  readonly kill?: boolean;
  readonly mayDieOf?: 'SIGBUS';
}

async function survives(
  fault: Fault,
  { lastsMs = 700, leastMs = 0, store, kill = false, mayDieOf }: Case = {},
): Promise<void> {
  const random = randomOf(seed);
  for (let round = 1; round <= rounds; round++) {
    const folder = tempFolder();
    const { wrong, rejected, recoveredMs } = await suffer({
      fault,
      workload,
      folder,
      store: store ?? `${folder}/work.db`,
      calm: await (calm ??= calmEnd()),
      afterMs: random() * 150,
      lastsMs: Math.max(leastMs, lastsMs * (0.6 + 0.8 * random())),
      kill,
      mayDieOf,
    });
    expect(wrong, `${fault.name}, PERDURE_SEED=${seed}, round ${round}`).toEqual([]);
    if (kill || mayDieOf !== undefined) continue;
    expect(rejected, `${fault.name} was not noticed`).not.toEqual([]);
    console.log(`${fault.name}: ${rejected.join(', ')}; acknowledged again after ${recoveredMs} ms`);
    expect(recoveredMs).toBeLessThanOrEqual(RECOVERED_WITHIN_MS);
  }
}

const label = (tool: string, isThere: boolean) => ` (PERDURE_SEED=${seed})${without(tool, isThere)}`;

test.skipIf(!canTrace).each(callFaults.map((fault) => [fault.name, fault] as const))(
  `after %s it goes on to the same end within a second${label('strace', canTrace)}`,
  (_, fault) => survives(fault),
);

test.skipIf(!canTrace).each([failingCalls('pwrite64', 'ENOSPC'), failingCalls('fsync,fdatasync', 'EIO')])(
  `killed during $name it goes on to the same end${label('strace', canTrace)}`,
  (fault) => survives(fault, { kill: true }),
);

test.skipIf(!canLimit)(`a file that may not grow stops it only while that is so${label('prlimit', canLimit)}`, () =>
  survives(fileSizeLimit),
);

test(`a lock that another program holds beyond the time limit stops it only while that is so (PERDURE_SEED=${seed})`, () =>
  survives(heldLock, { lastsMs: 6_500, leastMs: 6_000 }));

test.skipIf(!canMount).each(['tmpfs', 'ext4'] as const)(
  `a full %s stops it only while it is full${label('mount', canMount)}`,
  (kind) => onSmallDisk(kind, (disk) => survives(diskFull, { store: `${disk}/work.db` })),
);

// SQLite shares the index of its log by mapping a file, of which it allocates the last byte of each 4 KB.
test.skipIf(!canMount)(
  `a full disk with blocks below 4 KB may kill it, and takes nothing${label('mount', canMount)}`,
  () => onSmallDisk('ext4', (disk) => survives(diskFull, { store: `${disk}/work.db`, mayDieOf: 'SIGBUS' }), 1_024),
);

test.skipIf(!canMount)(
  `a store on a read-only disk is refused with a code, and opens when it can be written${label('mount', canMount)}`,
  () =>
    onSmallDisk('tmpfs', async (disk) => {
      const folder = tempFolder();
      const options = { folder, workload, store: `${disk}/work.db` };
      await live({ ...options, killAtCommit: 12 });
      execFileSync('mount', ['-o', 'remount,ro', disk]);
      const refused = await live({ ...options, mayFail: true });
      execFileSync('mount', ['-o', 'remount,rw', disk]);
      expect(refused.ended).toBe('failed');
      expect(refused.stderr).toMatch(/code: 'STORE_(READ_ONLY|UNOPENABLE)'/);
      expect(refused.said).toEqual([]);
      await live(options);
      expect(finalOf(folder)).toEqual(await (calm ??= calmEnd()));
    }),
);

async function onSmallDisk(
  kind: 'tmpfs' | 'ext4',
  use: (folder: string) => Promise<void>,
  blockSize = 4_096,
): Promise<void> {
  const folder = tempFolder();
  const disk = `${folder}/disk`;
  mkdirSync(disk);
  const unmount = mountSmall(kind, disk, blockSize);
  onTestFinished(unmount);
  await use(disk);
}
