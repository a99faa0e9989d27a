/** `waiting.mjs <store>`: opens a queue in which much waits, and prints the memory that the process then holds. */
import { setTimeout as delay } from 'node:timers/promises';
import { defineAction, spawnSupervisor } from '../perdure.mjs';

const [store = ''] = process.argv.slice(2);
const waiting = await spawnSupervisor({ store, actions: { noop: defineAction({ run: () => null }) } });
await delay(500);
globalThis.gc?.();
console.log(JSON.stringify({ resident: process.memoryUsage().rss }));
await waiting.close();
