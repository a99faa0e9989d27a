/** What the profiler and the watch over resources cost those who run actions. */
import { v7 } from 'uuid';
import { inFreshProcess } from './fresh-process.mjs';
import { defineAction, spawnSupervisor } from './perdure.mjs';
import { compare, perSecond } from './rounds.mjs';
import { scratchFile } from './scratch.mjs';

const ROUNDS = 9;
const AT_ONCE = 64;
const TOGETHER = 3_200;
const SPANS = 1_000_000;

const noop = defineAction({ component: 'service', run: () => null });

export const observed = () => overhead({ profiler: 'sampling' });
export const observedInFull = () => overhead({ profiler: 'full' });
/** With the recorder of turns, too. */
export const observedWithHistory = () => overhead({ profiler: 'sampling', history: true });

/** @param {{ profiler: 'sampling' | 'full', history?: boolean }} watching */
async function overhead(watching) {
  const start = (/** @type {object} */ options) =>
    spawnSupervisor({ store: scratchFile('observed.db'), actions: { noop }, concurrency: AT_ONCE, ...options });
  const on = await start(watching);
  const off = await start({ profiler: 'off', resources: false });
  const { ours, ratio } = await compare(
    ROUNDS,
    () => perSecond(TOGETHER, () => runTogether(on)),
    () => perSecond(TOGETHER, () => runTogether(off)),
  );
  await on.close();
  await off.close();
  const against = 'the same with the profiler, the resources and the history off';
  return { value: ours, unit: 'actions/s', ratio, against };
}

/** @param {{ execute(name: 'noop', input: never, options: { id: string }): Promise<unknown> }} supervisor */
async function runTogether(supervisor) {
  let left = TOGETHER;
  const client = async () => {
    while (left-- > 0) await supervisor.execute('noop', /** @type {never} */ (null), { id: v7() });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
}

/** What the process holds after so many spans, against what it holds after a tenth of them. */
export async function profilerMillion() {
  const { few, many } = await inFreshProcess('spans', [scratchFile('spans.db'), SPANS / 10, SPANS]);
  return { value: many, unit: 'bytes', ratio: many / few, against: `the bytes after ${SPANS / 10} spans` };
}
