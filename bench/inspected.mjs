/** What the inspector costs whoever runs actions: with nobody looking, and with one viewer in a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { v7 } from 'uuid';
import { defineAction, spawnSupervisor } from './perdure.mjs';
import { compare, perSecond } from './rounds.mjs';
import { scratchFile } from './scratch.mjs';

const ROUNDS = 9;
const AT_ONCE = 64;
const TOGETHER = 3_200;
const VIEWER = fileURLToPath(new URL('./fresh/viewer.mjs', import.meta.url));

const noop = defineAction({ run: () => null });

/** The inspector listens, and nobody looks. */
export const idle = () => overhead(() => Promise.resolve(() => {}));

/** One viewer gets everything that the page gets. */
export const viewer = () =>
  overhead(async (url) => {
    const child = spawn(process.execPath, [VIEWER, url], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    return () => void child.kill();
  });

/** @param {(url: string) => Promise<() => void>} look starts looking, and gives what ends it */
async function overhead(look) {
  const start = (/** @type {object} */ options) =>
    spawnSupervisor({ store: scratchFile('inspected.db'), actions: { noop }, concurrency: AT_ONCE, ...options });
  const on = await start({ inspector: { port: 0 } });
  const off = await start({});
  const away = await look(/** @type {{ url: string }} */ (on.inspector).url);
  const { ours, ratio } = await compare(
    ROUNDS,
    () => perSecond(TOGETHER, () => runTogether(on)),
    () => perSecond(TOGETHER, () => runTogether(off)),
  );
  away();
  await on.close();
  await off.close();
  return { value: ours, unit: 'actions/s', ratio, against: 'the same without an inspector' };
}

/** @param {{ execute(name: 'noop', input: never, options: { id: string }): Promise<unknown> }} supervisor */
async function runTogether(supervisor) {
  let left = TOGETHER;
  const client = async () => {
    while (left-- > 0) await supervisor.execute('noop', /** @type {never} */ (null), { id: v7() });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
}
