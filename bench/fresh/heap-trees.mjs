import { counterMachine } from '../machines.mjs';
import { Store } from '../perdure.mjs';
import { liveBytes } from './heap.mjs';

const [path = '', trees, awake] = process.argv.slice(2);
const AT_ONCE = 1_000;
const before = liveBytes();
const store = Store.open(path, { machines: { counter: counterMachine } });
/** @type {unknown[]} */
const held = [];
for (let first = 0; first < Number(trees); first += AT_ONCE) {
  const handles = await Promise.all(
    Array.from({ length: AT_ONCE }, (_, n) => store.open('counter', `tree-${first + n}`)),
  );
  if (first + AT_ONCE > Number(trees) - Number(awake)) held.push(...handles);
  else for (const handle of handles) await handle.close();
}
// What the last commit held is let go with the turn of the loop.
for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
console.log(JSON.stringify({ bytes: liveBytes() - before, held: held.length }));
store.close();
