/** What the examples beside this one look at: a supervisor that works off a small plan. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineAction, spawnSupervisor } from 'perdure';

export async function startSupervisor() {
  const supervisor = await spawnSupervisor({
    store: join(mkdtempSync(join(tmpdir(), 'perdure-inspector-')), 'work.db'),
    history: true,
    actions: {
      wait: defineAction({
        /** @param {{ ms: number }} input */
        run: async ({ ms }, { signal }) => {
          await sleep(ms, undefined, { signal });
          return ms;
        },
      }),
    },
  });
  await supervisor.plan({
    id: 'morning',
    steps: [
      { id: 'a', action: 'wait', input: { ms: 200 } },
      { id: 'b', action: 'wait', input: { ms: 400 }, after: ['a'] },
    ],
  });
  return supervisor;
}

/** @param {Pick<import('node:net').Server, 'address'>} server */
export function originOf(server) {
  return `http://localhost:${Object(server.address()).port}`;
}
