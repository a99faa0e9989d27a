/** `perdure pause`, `resume` and `cancel`: asks the owner of a store, or leaves the request for the next one. */
import { setTimeout as sleep } from 'node:timers/promises';
import { v7 as uuidv7 } from 'uuid';
import { readAction, readPlan } from '../actors/ledger.ts';
import type { StepRow } from '../actors/plan-tables.ts';
import type { SupervisorCommand } from '../machines/supervisor.ts';
import { isPerdureError } from '../errors.ts';
import { postCommand, readAnswer } from '../persistence/commands.ts';
import { acquireLock } from '../persistence/lock.ts';
import { sqliteError } from '../persistence/sqlite.ts';
import { EXIT } from './failure.ts';
import { notFound } from './show.ts';
import { storeOf } from './named-store.ts';
import { hasSupervisor, readStore, type StoreReader } from '../persistence/store-reader.ts';

export interface RemoteOptions {
  readonly store?: string;
}

/** The owner looks every 200 ms, unless it is busy. */
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

/** Cancels a run, an action, or a step that has become one. Throws ACTION_NOT_FOUND. */
export async function cancel(id: string, { store: named }: RemoteOptions): Promise<number> {
  const store = storeOf(named);
  const found = readStore(store, (rows) => (hasSupervisor(rows) ? cancellation(rows, id, Date.now()) : undefined));
  if (found === undefined) throw notFound(id, store);
  if (typeof found !== 'string') return ask(store, found);
  process.stderr.write(`perdure: ${found}\n`);
  return EXIT.failed;
}

/** What to ask for, or why nothing can be asked for. */
function cancellation(rows: StoreReader, id: string, at: number): SupervisorCommand | string | undefined {
  if (readPlan(rows, id) !== undefined) return { type: 'supervisor.cancelPlan', plan: id, at };
  const step = rows.get<StepRow>('select * from steps where id = ?', id);
  const action = readAction(rows, step?.action ?? id);
  if (action !== undefined) return { type: 'supervisor.cancel', ids: [action.id], at };
  return step === undefined ? undefined : withoutAction(step);
}

function withoutAction({ step, plan, kind }: StepRow): string {
  if (kind !== null) return `step ${step} of ${plan} has ended already, without a start: ${kind}`;
  return `step ${step} of ${plan} waits and has no action yet: cancel the run, or wait until it starts`;
}

async function ask(store: string, event: SupervisorCommand): Promise<number> {
  return reportAnswer(store, event.type.replace('supervisor.', ''), await request(store, event));
}

/** Leaves a request with the owner of a store, or for the next one; gives its answer, if it comes soon. */
export async function request(
  store: string,
  event: SupervisorCommand,
  id: string = uuidv7(),
): Promise<string | undefined> {
  readStore(store, () => undefined);
  post(store, id, event);
  return answerTo(store, id);
}

/** Says what came of a request; gives the exit code. */
export function reportAnswer(store: string, asked: string, answer: string | undefined): number {
  process.stdout.write(`${answer === undefined ? unanswered(store) : `${asked}: ${answer}`}\n`);
  return answer?.startsWith('refused') === true ? EXIT.failed : EXIT.ok;
}

function post(store: string, id: string, event: SupervisorCommand): void {
  try {
    postCommand(store, { id, actor: '', event }, Date.now());
  } catch (error) {
    throw sqliteError(error, store);
  }
}

function unanswered(store: string): string {
  return isOwned(store)
    ? `the owner of ${store} is busy and has not answered yet: it obeys as soon as it can`
    : `nobody owns ${store} now: the request waits for the next start`;
}

/** Whoever owns a store holds its lock; one that is free is taken and given back. */
export function isOwned(store: string): boolean {
  try {
    acquireLock(store).release();
    return false;
  } catch (error) {
    if (isPerdureError(error, 'STORE_OWNED')) return true;
    throw error;
  }
}

async function answerTo(store: string, id: string): Promise<string | undefined> {
  const until = performance.now() + ANSWERED_WITHIN_MS;
  for (;;) {
    const answer = readAnswer(store, id);
    if (answer !== undefined || performance.now() > until) return answer;
    // An owner that goes away may have answered last.
    if (!isOwned(store)) return readAnswer(store, id);
    await sleep(LOOK_EVERY_MS);
  }
}
