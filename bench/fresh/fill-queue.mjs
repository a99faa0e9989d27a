/** `fill-queue.mjs <store> <count>`: leaves so many actions waiting in a queue that is paused. */
import { defineAction, spawnSupervisor } from '../perdure.mjs';

const [store = '', count = '0'] = process.argv.slice(2);
const AT_ONCE = 2_000;
const nothing = /** @type {never} */ (null);

const queue = await spawnSupervisor({ store, actions: { noop: defineAction({ run: () => null }) } });
await queue.pause();
for (let first = 0; first < Number(count); first += AT_ONCE)
  await Promise.all(Array.from({ length: AT_ONCE }, () => queue.submit('noop', nothing)));
await queue.close();
