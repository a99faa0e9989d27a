import { spawnSupervisor } from '../perdure.mjs';

const [store = ''] = process.argv.slice(2);
const began = performance.now();
const supervisor = await spawnSupervisor({ store, actions: {} });
console.log(performance.now() - began);
await supervisor.close();
