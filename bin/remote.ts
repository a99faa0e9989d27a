/** `perdure pause`, `resume` and `cancel`: asks the owner of a store, or leaves the request for the next one. */
import { setTimeout as sleep } from 'node:timers/promises';
import { v7 as uuidv7 } from 'uuid';
import { readAction, readPlan } from '../actors/ledger.ts';
import type { StepRow } from '../actors/plan-tables.ts';
import type { SupervisorCommand } from '../machines/supervisor.ts';
import { postCommand, readAnswer } from '../persistence/commands.ts';
import { EXIT } from './failure.ts';
import { notFound } from './show.ts';
import { hasSupervisor, readStore, storeOf, type StoreReader } from './store-reader.ts';

export interface RemoteOptions {
  readonly store?: string;
}

/** The owner looks every 200 ms. */
const ANSWERED_WITHIN_MS = 2_000;
const LOOK_EVERY_MS = 50;

/** Admits nothing more; what runs may end. */
export function pause({ store }: RemoteOptions): Promise<number> {
  return ask(storeOf(store), { type: 'supervisor.pause' });
}

/** Admits again. */
export function resume({ store }: RemoteOptions): Promise<number> {
  return ask(storeOf(store), { type: 'supervisor.resume' });
}

/** Cancels a run, a step or an action. Throws ACTION_NOT_FOUND. */
export function cancel(id: string, { store: named }: RemoteOptions): Promise<number> {
  const store = storeOf(named);
  const command = readStore(store, (rows) => (hasSupervisor(rows) ? cancelCommand(rows, id, Date.now()) : undefined));
  if (command === undefined) throw notFound(id, store);
  return ask(store, command);
}

function cancelCommand(rows: StoreReader, id: string, at: number): SupervisorCommand | undefined {
  if (readPlan(rows, id) !== undefined) return { type: 'supervisor.cancelPlan', plan: id, at };
  const step = rows.get<StepRow>('select * from steps where id = ?', id);
  const action = readAction(rows, step?.action ?? id);
  return action === undefined ? undefined : { type: 'supervisor.cancel', ids: [action.id], at };
}

async function ask(store: string, event: SupervisorCommand): Promise<number> {
  const id = uuidv7();
  readStore(store, () => undefined);
  postCommand(store, { id, actor: '', event }, Date.now());
  const answer = await answerTo(store, id);
  const refused = answer?.startsWith('refused') === true;
  process.stdout.write(
    answer === undefined
      ? `nobody owns ${store} now: the request waits for the next one that does\n`
      : `${event.type.replace('supervisor.', '')}: ${answer}\n`,
  );
  return refused ? EXIT.failed : EXIT.ok;
}

async function answerTo(store: string, id: string): Promise<string | undefined> {
  const until = performance.now() + ANSWERED_WITHIN_MS;
  for (;;) {
    const answer = readAnswer(store, id);
    if (answer !== undefined || performance.now() > until) return answer;
    await sleep(LOOK_EVERY_MS);
  }
}
