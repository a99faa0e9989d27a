/** CPU work in threads, beside piscina alone with the same module. */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { defineAction, spawnSupervisor } from './perdure.mjs';
import { compare, median, perSecond } from './rounds.mjs';
import { scratchFile } from './scratch.mjs';

const ROUNDS = 7;
const THREADS = availableParallelism();
const AT_ONCE = 4 * THREADS;
const TASKS = 200;
/** How long a task keeps a core busy, ms. */
const TASK_MS = 5;
const ALONE = 300;

const MODULE = new URL('./threads/spin.mjs', import.meta.url);

const spin = defineAction({ thread: { module: './spin.mjs', export: 'spin' } });

function start() {
  return spawnSupervisor({
    store: scratchFile('pool.db'),
    actions: { spin },
    concurrency: AT_ONCE,
    threads: { size: THREADS, root: fileURLToPath(new URL('.', MODULE)) },
  });
}

const alone = () => new Piscina({ filename: MODULE.href, name: 'spin', minThreads: THREADS, maxThreads: THREADS });

/** Tasks of 5 ms, more of them on their way than there are threads. */
export async function cpuThroughput() {
  const supervisor = await start();
  const pool = alone();
  const { ours, ratio } = await compare(
    ROUNDS,
    () => perSecond(TASKS, () => together(() => supervisor.execute('spin', TASK_MS))),
    () => perSecond(TASKS, () => together(() => pool.run(TASK_MS))),
  );
  await supervisor.close();
  await pool.destroy();
  return { value: ours, unit: 'tasks/s', ratio, against: 'piscina alone' };
}

/** An empty task, one at a time. */
export async function roundtrip() {
  const supervisor = await start();
  const pool = alone();
  const { ours, ratio } = await compare(
    ROUNDS,
    () => oneByOne(() => supervisor.execute('spin', 0)),
    () => oneByOne(() => pool.run(0)),
  );
  await supervisor.close();
  await pool.destroy();
  return { value: ours, unit: 'ms', ratio, against: 'piscina alone, which makes nothing durable' };
}

/** @param {() => Promise<unknown>} task */
async function together(task) {
  let left = TASKS;
  const client = async () => {
    while (left-- > 0) await task();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
}

/** @param {() => Promise<unknown>} task */
async function oneByOne(task) {
  /** @type {number[]} */
  const took = [];
  for (let n = 0; n < ALONE; n++) {
    const began = performance.now();
    await task();
    took.push(performance.now() - began);
  }
  return median(took);
}
