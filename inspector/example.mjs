/**
 * Feeds a supervisor's tree to the unmodified `@statelyai/inspect`, so that its charts can be looked at:
 *
 *   node inspector/example.mjs                        starts Stately's bridge on port 8080 and prints its address
 *   node inspector/example.mjs ws://localhost:9000    sends to a receiver that runs already
 *
 * Any tree works the same way: pass `inspect: inspector.inspect` to spawnSupervisor or createDurableActor.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createWebSocketInspector } from '@statelyai/inspect';
import { createInspectorServer } from '@statelyai/inspect/server';
import { defineAction, spawnSupervisor } from '../dist/index.js';

const given = process.argv[2];
const bridge = given === undefined ? createInspectorServer({ port: 8080, autoOpen: false }) : undefined;
if (bridge !== undefined) console.error('Open http://localhost:8080 to watch the charts.');

const inspector = createWebSocketInspector({ url: given ?? 'ws://localhost:8080' });
const folder = mkdtempSync(join(tmpdir(), 'perdure-inspect-'));
let failed = false;
const supervisor = await spawnSupervisor({
  store: join(folder, 'work.db'),
  inspect: inspector.inspect,
  actions: {
    wait: defineAction({
      /** @param {{ ms: number }} input */
      run: async ({ ms }) => {
        await sleep(ms);
        return ms;
      },
    }),
    flaky: defineAction({
      run: () => {
        failed = !failed;
        if (failed) throw new Error('fails at first, to be retried');
        return 'second time lucky';
      },
      retry: { attempts: 3, delayMs: 500 },
    }),
  },
});

const ms = bridge === undefined ? 20 : 2_000;
const plan = await supervisor.plan({
  steps: [
    { id: 'a', action: 'wait', input: { ms } },
    { id: 'b', action: 'wait', input: { ms: 2 * ms } },
    { id: 'c', action: 'flaky', after: ['a', 'b'] },
  ],
});
console.error(`The plan ended: ${(await plan.outcome).kind}.`);

// What is sent last would be lost with the process.
await sleep(500);
inspector.stop();
bridge?.stop();
await supervisor.close();
rmSync(folder, { recursive: true });
process.exit(0);
