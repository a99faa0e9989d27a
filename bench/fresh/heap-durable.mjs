import { treeMachine } from '../machines.mjs';
import { createDurableActor } from '../perdure.mjs';
import { liveBytes } from './heap.mjs';

const [store = '', branches, leaves] = process.argv.slice(2);
const before = liveBytes();
const durable = await createDurableActor(treeMachine, {
  store,
  input: { branches: Number(branches), leaves: Number(leaves) },
});
console.log(JSON.stringify({ bytes: liveBytes() - before }));
await durable.close();
