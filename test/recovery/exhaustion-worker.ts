/**
 * A process whose work leaves something behind with each action, in memory or on the disk of its store, until there is no room
 * left. It can let go of all that, and does when it is asked. What it hears of its resources it says at once, with the time since
 * it began. Paths and numbers come in through the environment.
 */
import { mkdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineAction } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';

const env = process.env as Record<string, string>;
const scratch = `${env['FOLDER']}/scratch`;
const [actions, bytes, horizonMs] = ['ACTIONS', 'BYTES', 'HORIZON_MS'].map((name) => Number(env[name])) as [
  number,
  number,
  number,
];
const begun = performance.now();
/** Straight to the file: a process that runs out of memory says nothing any more. */
const say = (...words: unknown[]) => void writeSync(1, `${Math.round(performance.now() - begun)} ${words.join(' ')}\n`);

const kept: unknown[] = [];
mkdirSync(scratch, { recursive: true });

function leave(n: number): void {
  // Objects, and not one buffer, because those live outside of the heap.
  if (env['KIND'] === 'heap') kept.push(Array.from({ length: bytes / 64 }, (_, i) => ({ n: n + i / 7, i: [i] })));
  else writeFileSync(`${scratch}/${n}`, Buffer.alloc(bytes, 1));
}

function letGo(): void {
  kept.length = 0;
  rmSync(scratch, { recursive: true });
  mkdirSync(scratch);
}

const supervisor = await spawnSupervisor({
  store: `${env['FOLDER']}/work.db`,
  durability: 'process-crash',
  concurrency: 4,
  actions: {
    work: defineAction({
      run: async (n: number) => {
        await sleep(100);
        leave(n);
      },
      retry: { attempts: 1 },
    }),
  },
  resources:
    env['WATCH'] === 'no'
      ? false
      : {
          // All times of the defaults, by the same factor.
          sampleMs: horizonMs / 60,
          horizonMs,
          dwellMs: horizonMs / 10,
          intervalMs: horizonMs / 30,
          coolDownMs: horizonMs / 10,
          restMs: horizonMs,
          cleanups: { letGo },
        },
});
supervisor.on('pressure.forecast', ({ resource, forecast, etaMs }) => say('forecast', resource, forecast, etaMs));
supervisor.on('pressure.changed', ({ resource, level }) => say('level', resource, level));
supervisor.on('pressure.acted', ({ action, limit, error }) => say('acted', action, limit, error));

const handles = await Promise.all(Array.from({ length: actions }, (_, n) => supervisor.submit('work', n)));
for (const { id, outcome } of handles) {
  const { kind, error } = await outcome;
  if (kind !== 'ok') throw new Error(`${id} is ${kind}: ${error?.message}`);
}
say('score', JSON.stringify(env['WATCH'] === 'no' ? null : supervisor.resources.score()));
await supervisor.close();
say('finished');
