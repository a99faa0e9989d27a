/** `spans.mjs <store> <few> <many>`: the bytes that a profiler holds after so many spans, of a hundred names, in pairs. */
import { spawnSupervisor } from '../perdure.mjs';
import { liveBytes } from './heap.mjs';

const [store = '', few = '0', many = '0'] = process.argv.slice(2);
const NAMES = 100;
/** The loop must go on now and then, as that of a host does. */
const AT_ONCE = 1_000;

const before = liveBytes();
const supervisor = await spawnSupervisor({ store, actions: {}, profiler: 'full', resources: false });
let made = 0;

/** @param {number} upTo */
async function spans(upTo) {
  while (made < upTo) {
    for (let n = 0; n < AT_ONCE; n += 2) {
      const outer = supervisor.profiler.span(`outer ${n % NAMES}`);
      supervisor.profiler.span(`inner ${n % NAMES}`).end();
      outer.end();
    }
    made += AT_ONCE;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return liveBytes() - before;
}

console.log(JSON.stringify({ few: await spans(Number(few)), many: await spans(Number(many)) }));
await supervisor.close();
