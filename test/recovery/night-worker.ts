/**
 * The process that is killed: a long run of twelve items, of which one fails at first and two are stood in for, so that their
 * real work is owed. It notes outside of the store what begins and what it was told is settled.
 */
import { openSync, writeFileSync, writeSync } from 'node:fs';
import { defineAction } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { Store } from '../../persistence/store.ts';

const env = process.env as Record<string, string>;
const folder = env['FOLDER'] as string;
const killAtCommit = Number(env['KILL_AT_COMMIT'] ?? 0);
const notes = openSync(`${folder}/notes`, 'a');
const note = (...words: string[]) => void writeSync(notes, `${words.join(' ')}\n`);

let commits = 0;
const store = Store.open(`${folder}/night.db`, {
  onCommit: () => {
    commits += 1;
    if (commits === killAtCommit) process.kill(process.pid, 'SIGKILL');
  },
});
const step = defineAction({
  run: (n: number, { id, attempt }) => {
    note('began', id);
    if (n === 3 && attempt === 1) throw new Error('not yet');
    return n;
  },
  retry: { attempts: 2, delayMs: 1, capMs: 1 },
});
const check = defineAction({
  run: (n: number, { id }) => {
    note('began', id);
    if (id.includes('!owed')) return n;
    throw new TypeError('not today');
  },
  fallback: { skip: { run: () => -1, owes: true } },
});

function* work() {
  for (let n = 0; n < 12; n++) yield { action: n % 6 === 5 ? 'check' : 'step', input: n, id: `item${n}` } as const;
}

const supervisor = await spawnSupervisor({ store, actions: { step, check }, concurrency: 2 });
supervisor.on('action.settled', ({ id }) => note('settled', id));
const run = await supervisor.workContinuously({ id: 'night', maxHours: 1, work: work() });
note('run', String(run.progress().startedAt));
const report = await run.outcome;
const { outcomes, debts } = supervisor.stats();
writeFileSync(`${folder}/final`, JSON.stringify({ report, outcomes, debts, commits }));
await supervisor.close();
store.close();
