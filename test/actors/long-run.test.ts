/**
 * A night of work in some seconds. Every simulated hour begins with actions of 100 ms, one after the other, and one long
 * action takes its rest; PERDURE_BURST=36000 makes all of it actions of 100 ms.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { quickStore } from '../support/temp.ts';

const HOUR_MS = 3_600_000;
const BURST = Number(process.env['PERDURE_BURST'] ?? 250);
const HEAP_GROWTH = 12 * 1024 * 1024;
const CONTEXT_LIMIT = 4_096;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function usedHeap(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** Sleeps that begin when time is moved. */
class Sleeps {
  #wake: ((sleep: { ms: number; end: () => void }) => void) | undefined;
  #next: { ms: number; end: () => void } | undefined;

  sleep(ms: number): Promise<void> {
    return new Promise((end) => {
      if (this.#wake === undefined) this.#next = { ms, end };
      else this.#wake({ ms, end });
      this.#wake = undefined;
    });
  }

  next(): Promise<{ ms: number; end: () => void }> {
    const present = this.#next;
    this.#next = undefined;
    return present === undefined ? new Promise((resolve) => (this.#wake = resolve)) : Promise.resolve(present);
  }
}

function* nightOf(burst: number) {
  for (let n = 0; ; n++) {
    const isLong = burst < 36_000 && n % (burst + 1) === burst;
    yield { action: 'sleep', input: isLong ? HOUR_MS - burst * 100 : 100, id: `n${n}` } as const;
  }
}

test(
  'S16: eight hours of looping at 100 ms: it ends at its limit, everything adds up, and memory stays bounded',
  { timeout: 3_600_000 },
  async () => {
    const clock = new SimulatedClock(1_700_000_000_000);
    const sleeps = new Sleeps();
    let calls = 0;
    const sleep = defineAction({
      run: async (ms: number) => {
        await sleeps.sleep(ms);
        if (++calls % 50 === 0) throw new TypeError('now and then');
      },
    });
    await using supervisor = await spawnSupervisor({
      store: quickStore(),
      durability: 'process-crash',
      clock,
      actions: { sleep },
      concurrency: 1,
    });
    const run = await supervisor.workContinuously({ maxHours: 8, work: nightOf(BURST) });
    const began = clock.now();
    let isOver = false;
    const over = run.outcome.then(() => void (isOver = true));
    let heap: number | undefined;
    while (!isOver) {
      const one = await Promise.race([sleeps.next(), over]);
      if (one === undefined) break;
      await clock.advance(one.ms);
      if (clock.now() - began >= 2 * HOUR_MS) heap ??= usedHeap();
      one.end();
    }
    const grown = usedHeap() - (heap as number);
    const report = await run.outcome;
    const stats = supervisor.stats();
    expect(report).toMatchObject({ reason: 'time', at: began + 8 * HOUR_MS });
    expect(report.taken).toBeGreaterThanOrEqual(8 * (BURST + (BURST < 36_000 ? 1 : 0)));
    expect(report.tally.ok + report.tally.failed + report.open).toBe(report.taken);
    expect(stats.settled).toBe(Object.values(stats.outcomes).reduce((sum, n) => sum + n, 0));
    expect(stats.attempts).toBe(stats.settled);
    expect(stats.outcomes.failed).toBe(Math.floor(calls / 50));
    expect(grown).toBeLessThan(HEAP_GROWTH);
    for (const child of Object.values(supervisor.durable.getSnapshot().children)) {
      const context = (child?.getSnapshot() as { context: object } | undefined)?.context;
      expect(JSON.stringify(context as object).length).toBeLessThan(CONTEXT_LIMIT);
    }
  },
);
