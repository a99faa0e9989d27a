/**
 * The process that is killed: clients under load on a durable tree. It notes outside of the store what it was told is
 * durable, after it was told, and goes on where the notes end. Paths and numbers come in through the environment.
 */
import { existsSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { createDurableActor } from '../../persistence/create.ts';
import { type DurableActor } from '../../persistence/durable.ts';
import { Store } from '../../persistence/store.ts';
import { finalState, hubMachine, isQuiet, marksTable, type HubContext } from './hub.ts';
import { clientsOf, scriptOf, type Workload } from './workload.ts';

const env = process.env as Record<string, string>;
const number = (name: string): number => Number(env[name] ?? 0);
const workload: Workload = { seed: number('SEED'), clients: number('CLIENTS'), events: number('EVENTS') };
const folder = env['FOLDER'] as string;
const killAtCommit = number('KILL_AT_COMMIT');
/** Events of one client that are underway at once. */
const window = number('WINDOW') || 1;

const acknowledged = openSync(`${folder}/acknowledged`, 'a');
const traces = openSync(`${folder}/traces`, 'a');

let commits = 0;
const store = Store.open(`${folder}/work.db`, {
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
process.stdout.write('ready\n');

await Promise.all(clientsOf(workload).map((client) => run(client, durable)));
const { context } = await durable.waitFor((snapshot) => isQuiet(snapshot.context as HubContext));
writeFileSync(`${folder}/final`, JSON.stringify(finalState(context as HubContext)));
await durable.close();
store.close();
process.stdout.write(`commits ${commits}\n`);

function acknowledgedBefore(client: string): number {
  const path = `${folder}/acknowledged`;
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
  return lines.filter((line) => line.startsWith(`${client}:`)).length;
}

async function run(client: string, target: DurableActor<typeof machine>): Promise<void> {
  const underway: Promise<void>[] = [];
  for (const event of scriptOf(workload, client).slice(acknowledgedBefore(client))) {
    const id = `${client}:${event.n}`;
    underway.push(target.send(event, { id }).then(() => void writeSync(acknowledged, `${id}\n`)));
    if (underway.length >= window) await underway.shift();
    const pause = number('PAUSE_MS');
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * pause));
  }
  await Promise.all(underway);
}
