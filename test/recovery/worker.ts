/**
 * The process that is killed: clients under load on a durable tree. It notes outside of the store what it was told is
 * durable, after it was told, and goes on where the notes end. Paths and numbers come in through the environment.
 */
import { existsSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { isPerdureError } from '../../errors.ts';
import { createDurableActor } from '../../persistence/create.ts';
import type { DurableActor } from '../../persistence/durable.ts';
import type { Durability } from '../../persistence/sqlite.ts';
import { Store } from '../../persistence/store.ts';
import { finalState, hubMachine, isQuiet, marksTable, type HubContext } from './hub.ts';
import { clientsOf, scriptOf, type ClientEvent, type Workload } from './workload.ts';

const env = process.env as Record<string, string>;
const number = (name: string): number => Number(env[name] ?? 0);
const workload: Workload = { seed: number('SEED'), clients: number('CLIENTS'), events: number('EVENTS') };
const folder = env['FOLDER'] as string;
const path = env['STORE'] ?? `${folder}/work.db`;
const killAtCommit = number('KILL_AT_COMMIT');
/** Events of one client that are underway at once. */
const window = number('WINDOW') || 1;
/** For so long a client repeats a send that was rejected and may succeed later; 0: it gives up at once. */
const repeatForMs = number('REPEAT_FOR_MS');
/** After so many acknowledgements the process eats memory until it dies of it. */
const hungryAfter = number('HUNGRY_AFTER');
const REPEAT_EVERY_MS = 5;

const acknowledged = openSync(`${folder}/acknowledged`, 'a');
const traces = openSync(`${folder}/traces`, 'a');

let commits = 0;
let isFailing = false;
const food: string[][] = [];

const store = Store.open(path, {
  durability: (env['DURABILITY'] ?? 'power-loss') as Durability,
  onCommit: () => {
    commits += 1;
    if (commits === killAtCommit) process.kill(process.pid, 'SIGKILL');
  },
});
store.declare([marksTable]);
const machine = hubMachine({
  mark: (marker, work) => void store.rows.run('insert into marks values (?, ?, ?)', marker, work, store.rows.turn),
  trace: (line) => void writeSync(traces, `${line}\n`),
  newId: () => crypto.randomUUID(),
  now: () => Date.now(),
});
const durable = await createDurableActor(machine, { store });
durable.on('reopened', () => say('reopened'));
void durable.ended.then(({ code }) => say('ended', code));
say('ready');

await Promise.all(clientsOf(workload).map((client) => run(client, durable)));
const { context } = await durable.waitFor((snapshot) => isQuiet(snapshot.context as HubContext));
writeFileSync(`${folder}/final`, JSON.stringify(finalState(context as HubContext)));
await durable.close();
store.close();
say('commits', String(commits));

/** A line for whoever started this process: what happened, and when by the wall clock. Written at once, also if killed next. */
function say(...what: string[]): void {
  writeSync(1, `${what.join(' ')} at ${Date.now()}\n`);
}

function acknowledgedBefore(client: string): number {
  const notes = `${folder}/acknowledged`;
  const lines = existsSync(notes) ? readFileSync(notes, 'utf8').split('\n') : [];
  return lines.filter((line) => line.startsWith(`${client}:`)).length;
}

async function run(client: string, target: DurableActor<typeof machine>): Promise<void> {
  const underway: Promise<void>[] = [];
  for (const event of scriptOf(workload, client).slice(acknowledgedBefore(client))) {
    underway.push(sendUntilAcknowledged(target, event));
    if (underway.length >= window) await underway.shift();
    const pause = number('PAUSE_MS');
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * pause));
  }
  await Promise.all(underway);
}

async function sendUntilAcknowledged(target: DurableActor<typeof machine>, event: ClientEvent): Promise<void> {
  const id = `${event.client}:${event.n}`;
  const giveUpAt = performance.now() + repeatForMs;
  for (;;) {
    try {
      await target.send(event, { id });
      break;
    } catch (error) {
      if (!isPerdureError(error)) throw error;
      if (!isFailing) say('rejected', error.code, String(error.retryable));
      isFailing = true;
      if (!error.retryable || performance.now() >= giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, REPEAT_EVERY_MS));
    }
  }
  writeSync(acknowledged, `${id}\n`);
  if (isFailing) say('acknowledged', id);
  isFailing = false;
  if (hungryAfter > 0 && acknowledgedBefore(event.client) >= hungryAfter) eat();
}

/** Takes a bite at every turn of the loop: the end comes in the middle of whatever is done then. */
function eat(): void {
  if (food.length > 0) return;
  const bite = (): void => {
    food.push(Array.from({ length: 40_000 }, (_, index) => `${index}`));
    setImmediate(bite);
  };
  bite();
}
