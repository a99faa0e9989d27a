import { treeMachine } from '../machines.mjs';
import { createDurableActor } from '../perdure.mjs';
import { liveBytes } from './heap.mjs';

const [store = ''] = process.argv.slice(2);
const before = liveBytes();
const began = performance.now();
const durable = await createDurableActor(treeMachine, { store });
const ms = performance.now() - began;
if (durable.resumed === undefined) throw new Error(`There was no tree in ${store}.`);
console.log(JSON.stringify({ ms, bytes: liveBytes() - before }));
await durable.close();
