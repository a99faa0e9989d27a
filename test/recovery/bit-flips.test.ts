/** PERDURE_SEED and PERDURE_FLIPS repeat a run and make it longer. */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { beforeAll, expect, test } from 'vitest';
import { tempFolder } from '../support/temp.ts';
import { Store } from '../../persistence/store.ts';
import { flipBits, type FlipReport, type Flips } from './bit-flip.ts';
import { live } from './life.ts';
import type { Workload } from './workload.ts';

const seed = Number(process.env['PERDURE_SEED'] ?? Date.now() % 1_000_000);
const flips = Number(process.env['PERDURE_FLIPS'] ?? 1_000);
const workload: Workload = { seed: 17, clients: 3, events: 60 };

let killed: string;
let closed: string;

/** A store that was killed in its second life has a log; a closed one, which still has actors and timers, has none. */
beforeAll(async () => {
  killed = tempFolder();
  await live({ folder: killed, workload, killAtCommit: 40 });
  await live({ folder: killed, workload, killAtCommit: 25 });
  closed = tempFolder();
  await live({ folder: closed, workload, killAtCommit: 90 });
  Store.open(`${closed}/work.db`).close();
  expect(existsSync(`${killed}/work.db-wal`)).toBe(true);
  expect(existsSync(`${closed}/work.db-wal`)).toBe(false);
});

async function flip(folder: () => string, among: Flips['among'], share = 1): Promise<FlipReport> {
  const copies = tempFolder(existsSync('/dev/shm') ? '/dev/shm' : tmpdir());
  const count = Math.ceil(flips * share);
  const report = await flipBits({ store: `${folder()}/work.db`, folder: copies, seed, flips: count, among });
  console.log(`${among}: ${JSON.stringify(report.fates)}, other tables: ${JSON.stringify(report.others)}`);
  expect(report.wrong, `PERDURE_SEED=${seed}`).toEqual([]);
  expect(report.fates.refused + report.fates.incident + report.fates.earlier).toBeGreaterThan(count / 20);
  return report;
}

test(`a flipped bit in the rows of actors and timers is reported or harmless (PERDURE_SEED=${seed})`, async () =>
  void (await flip(() => closed, 'cells')));

test(`a flipped bit anywhere in a closed store is reported, or changes no actor and no timer (PERDURE_SEED=${seed})`, async () =>
  void (await flip(() => closed, 'all')));

test(`a flipped bit in what a killed process left is reported, or changes no actor and no timer (PERDURE_SEED=${seed})`, async () =>
  void (await flip(() => killed, 'all', 0.5)));

test(`a flipped bit in a log is reported, but for its newest transaction, whose end SQLite cannot know (PERDURE_SEED=${seed})`, async () => {
  const { fates } = await flip(() => killed, 'log', 0.5);
  expect(fates.earlier).toBeLessThan(flips * 0.5 * 0.1);
  expect(fates.incident).toBeGreaterThan(flips * 0.5 * 0.8);
});
