/**
 * Many actions through the pool, some of which kill their threads: every one is settled once, and nothing grows. `PERDURE_SOAK`
 * says how many; the long run has 200,000.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { inThread, withThreads } from '../support/threaded.ts';
import { tempStore } from '../support/temp.ts';

const COUNT = Number(process.env['PERDURE_SOAK'] ?? 6_000);
/** One in so many kills its thread. */
const MORTAL = 100;
const ROUNDS = 6;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** What could grow. */
function usage(store: string) {
  collect();
  const bytes = readdirSync(dirname(store)).map((file) => statSync(`${dirname(store)}/${file}`).size);
  return {
    heapMb: process.memoryUsage().heapUsed / 2 ** 20,
    handles: process.getActiveResourcesInfo().length,
    descriptors: existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0,
    fileMb: bytes.reduce((sum, n) => sum + n, 0) / 2 ** 20,
  };
}

test(`${COUNT} actions through the pool, one in ${MORTAL} of which kills its thread: each is settled once, and nothing grows`, async () => {
  const store = tempStore();
  const actions = {
    double: inThread<{ n: number }>('double'),
    mortal: inThread<{ times: number }>('mortal', { retry: { attempts: 2, delayMs: 1, capMs: 2 } }),
  };
  await using supervisor = await withThreads(actions, {
    store,
    concurrency: 8,
    durability: 'process-crash',
    threads: { intensity: false },
  });
  const seen = [];
  let settled = 0;
  supervisor.on('action.settled', () => (settled += 1));
  const round = Math.floor(COUNT / ROUNDS / MORTAL) * MORTAL;
  for (let n = 0; n < ROUNDS; n += 1) {
    for (let from = 0; from < round; from += MORTAL) {
      const outcomes = await Promise.all(
        Array.from({ length: MORTAL }, (_, i) =>
          i === 0 ? supervisor.execute('mortal', { times: 1 }) : supervisor.execute('double', { n: from + i }),
        ),
      );
      expect(outcomes.map(({ value }) => value)).toEqual(
        Array.from({ length: MORTAL }, (_, i) => (i === 0 ? 2 : (from + i) * 2)),
      );
    }
    seen.push(usage(store));
  }
  expect(settled).toBe(round * ROUNDS);
  const { background, outcomes } = supervisor.stats();
  expect(outcomes).toMatchObject({
    ok: (round - round / MORTAL) * ROUNDS,
    recovered: (round / MORTAL) * ROUNDS,
    failed: 0,
  });
  expect(background).toMatchObject({ busy: 0, queued: 0, deaths: (round / MORTAL) * ROUNDS });
  const [, warm, ...later] = seen as [unknown, ReturnType<typeof usage>, ...ReturnType<typeof usage>[]];
  const last = later.at(-1)!;
  expect(last.heapMb).toBeLessThan(warm.heapMb + 8);
  expect(last.handles).toBeLessThanOrEqual(warm.handles + 4);
  expect(last.descriptors).toBeLessThanOrEqual(warm.descriptors + 12);
  // Outcomes stay, so the file grows by them, and by nothing else: about half a KB each.
  expect(last.fileMb - warm.fileMb).toBeLessThan((round * (ROUNDS - 2) * 2_048) / 2 ** 20 + 4);
});
