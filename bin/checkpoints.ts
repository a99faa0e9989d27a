/** `perdure checkpoints`, `checkpoint`, `compare`, `restore` and `fork`: with the owner of a store, beside it, or when nobody owns it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { v7 as uuidv7 } from 'uuid';
import { checkpointTurn, listCheckpoints, type CheckpointInfo } from '../actors/checkpoint-ledger.ts';
import { progressNow } from '../actors/checkpoint-progress.ts';
import { forkCheckpoint } from '../actors/forks.ts';
import { firstWhole, restorableTurns } from '../actors/restorable.ts';
import { busyError, REFUSED } from '../actors/restorer.ts';
import { countUnderWay } from '../actors/restored.ts';
import { TABLES } from '../actors/spawn.ts';
import { isPerdureError, PerdureError } from '../errors.ts';
import { compareTurns, type TurnDifference } from '../persistence/compare-turns.ts';
import { Payloads } from '../persistence/payloads.ts';
import { restoreAsleep } from '../persistence/restore-asleep.ts';
import { Statements } from '../persistence/rows.ts';
import { openBeside } from '../persistence/sqlite.ts';
import { Store } from '../persistence/store.ts';
import { EXIT } from './failure.ts';
import { reportAnswer, request, type RemoteOptions } from './remote.ts';
import { hasSupervisor, readStore, refuseOlderTable, storeOf, type StoreReader } from './store-reader.ts';
import { textTable } from './text-table.ts';

export interface CheckpointListOptions {
  readonly json?: boolean;
  readonly limit?: number;
}

/** Commands go to this one. */
const TREE = 'main';
/** How long the owner may take for a restore that it has begun. */
const RESTORED_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 50;

/** Prints the checkpoints, the newest first. */
export function listStoreCheckpoints(named: string | undefined, { json, limit = 100 }: CheckpointListOptions): number {
  const store = storeOf(named);
  const found = readStore(store, (rows) => {
    refuseOld(rows, store);
    return listCheckpoints(rows, { limit });
  });
  const text = json === true ? JSON.stringify(found, null, 2) : textOf(found, store).join('\n');
  process.stdout.write(`${text}\n`);
  return EXIT.ok;
}

function textOf(checkpoints: readonly CheckpointInfo[], store: string): string[] {
  if (checkpoints.length === 0) return [`no checkpoints in ${store}`];
  return textTable(checkpoints, [
    { title: 'id', of: ({ id }) => id, align: 'right' },
    { title: 'at', of: ({ at }) => new Date(at).toISOString() },
    { title: 'reason', of: ({ reason }) => reason },
    { title: 'label', of: ({ label }) => label ?? '' },
    { title: 'kept', of: ({ isPinned }) => (isPinned ? 'pinned' : '') },
    { title: 'running', of: ({ tasks }) => tasks.map(({ id }) => id).join(', ') },
    {
      title: 'plans',
      of: ({ plans }) =>
        plans.map(({ id, unsettled }) => `${id}${unsettled === null ? '' : `, ${unsettled} to do`}`).join('; '),
    },
  ]);
}

export interface CheckpointTakeOptions extends RemoteOptions {
  readonly label?: string;
  readonly pin?: boolean;
  readonly json?: boolean;
}

/** Names the present turn. */
export async function takeCheckpoint({
  store: named,
  label,
  pin = false,
  json,
}: CheckpointTakeOptions): Promise<number> {
  const path = storeOf(named);
  readStore(path, (rows) => refuseOld(rows, path));
  const name = { reason: 'request', ...(label === undefined ? {} : { label }) };
  const here = await whenFree(path, async (store) => {
    const detail = JSON.stringify(progressNow(store.rows));
    return store.commits.transact(() => store.rows.nameTurn({ ...name, at: store.clock.now(), detail, pinned: pin }));
  });
  if (here !== undefined) return said({ id: String(here) }, `checkpoint ${here}`, json);
  const answer = await request(path, { type: 'supervisor.checkpoint', ...name, pin });
  const turn = /^applied in turn (\d+)/.exec(answer ?? '')?.[1];
  return turn === undefined ? reportAnswer(path, 'checkpoint', answer) : said({ id: turn }, `checkpoint ${turn}`, json);
}

/** Prints what changed from one checkpoint to another. Throws CHECKPOINT_UNKNOWN. */
export async function compareCheckpoints(
  a: string,
  b: string,
  { store: named, json }: RemoteOptions & { readonly json?: boolean },
): Promise<number> {
  const store = storeOf(named);
  const [from, to] = readStore(store, (rows) => {
    refuseOld(rows, store);
    return [checkpointTurn(rows, a), checkpointTurn(rows, b)] as const;
  });
  const db = openBeside(store, true);
  try {
    const source = { statements: new Statements(db), payloads: new Payloads({}) };
    let count = 0;
    for await (const difference of compareTurns(source, TREE, from, to)) {
      count += 1;
      const text = json === true ? JSON.stringify(difference) : differenceText(difference).join('\n');
      await new Promise<void>((done) => process.stdout.write(`${text}\n`, () => done()));
    }
    if (count === 0 && json !== true) process.stdout.write(`${from} and ${to} are the same\n`);
    return EXIT.ok;
  } finally {
    db.close();
  }
}

function differenceText(difference: TurnDifference): string[] {
  if (difference.kind === 'table') {
    const { table, added, removed, changed, keys } = difference;
    const counts = { added, removed, changed };
    const parts = (['added', 'removed', 'changed'] as const).filter((change) => counts[change] > 0);
    return parts.map((change) => {
      const shown = keys[change].slice(0, 10).join(', ');
      return `table ${table}: ${counts[change]} ${change}: ${shown}${counts[change] > 10 ? ', …' : ''}`;
    });
  }
  const { actor, change, paths, more } = difference;
  const value = (one: unknown) => (one === undefined ? 'nothing' : JSON.stringify(one));
  return [
    `actor ${actor}: ${change}`,
    ...paths.map(({ path, before, after }) => `  ${path}: ${value(before)} -> ${value(after)}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

export interface RestoreCommandOptions extends RemoteOptions {
  readonly force?: boolean;
  readonly json?: boolean;
}

/** Goes back to a checkpoint. Throws CHECKPOINT_UNKNOWN, CHECKPOINT_BUSY, CHECKPOINT_DAMAGED. */
export async function restoreCheckpoint(
  id: string,
  { store: named, force = false, json }: RestoreCommandOptions,
): Promise<number> {
  const path = storeOf(named);
  const turns = readStore(path, (rows) => {
    refuseOld(rows, path);
    return restorableTurns(rows, id);
  });
  return firstWhole(turns, async (turn) => {
    const before = await whenFree(path, (store) => restoreAsleep(store, TREE, turn, goesBack(store)));
    return before === undefined ? askForRestore(path, turn, force, json) : restoredText(turn, before, json);
  });
}

/** In a store of its own everything goes back with the supervisor. */
function goesBack(store: Store): (table: string) => boolean {
  const { n } = store.rows.get<{ n: number }>('select count(*) as n from trees') ?? { n: 0 };
  const own = new Set<string>(TABLES.map(({ name }) => name));
  return (table) => n < 2 || own.has(table);
}

function restoredText(turn: number, before: number, json: boolean | undefined): number {
  return said(
    { turn, before: String(before) },
    `restored: everything is as it was in turn ${turn}; \`perdure restore ${before}\` undoes this`,
    json,
  );
}

async function askForRestore(path: string, turn: number, force: boolean, json: boolean | undefined): Promise<number> {
  const since = readStore(path, (rows) => {
    const running = countUnderWay(rows);
    if (!force && running > 0) throw busyError(turn, running);
    return standing(rows);
  });
  const id = uuidv7();
  const answer = await request(path, { type: 'supervisor.restore', turn, force, request: id });
  if (answer?.startsWith('applied') !== true) return reportAnswer(path, `restore ${turn}`, answer);
  const until = performance.now() + RESTORED_WITHIN_MS;
  while (performance.now() < until) {
    const now = readStore(path, (rows) => ({ ...standing(rows), refused: refusalOf(rows, id) }));
    if (now.refused !== undefined) throw refusedError(now.refused, turn);
    if (now.generation !== since.generation) return restoredText(turn, (now.restored ?? 1) - 1, json);
    await sleep(LOOK_EVERY_MS);
  }
  process.stdout.write(`restore ${turn}: the owner of ${path} has begun, and is not done yet\n`);
  return EXIT.ok;
}

interface Standing {
  readonly generation: number;
  readonly restored: number | null;
}

function standing(rows: StoreReader): Standing {
  const row = rows.get<Standing>('select generation, restored from trees where name = ?', TREE);
  return row ?? { generation: 0, restored: null };
}

function refusalOf(rows: StoreReader, id: string): string | undefined {
  return rows.get<{ detail: string }>('select detail from incidents where kind = ? and actor = ?', REFUSED, id)?.detail;
}

/** What the owner noted ends with the code. */
function refusedError(detail: string, turn: number): PerdureError {
  const [, message = detail, code = ''] = /^(.*) \[(\w+)\]$/s.exec(detail) ?? [];
  const known = (['CHECKPOINT_UNKNOWN', 'CHECKPOINT_BUSY'] as const).find((one) => one === code);
  return new PerdureError(known ?? 'CHECKPOINT_DAMAGED', message, { facts: { turn } });
}

export interface ForkCommandOptions extends RemoteOptions {
  readonly to: string;
  /** `id=JSON`. */
  readonly input?: readonly string[];
  readonly json?: boolean;
}

/** Makes a new store of a checkpoint. Throws CHECKPOINT_UNKNOWN, CHECKPOINT_DAMAGED, FORK_EXISTS, OPTIONS_INVALID. */
export async function forkFromStore(
  id: string,
  { store: named, to, input = [], json }: ForkCommandOptions,
): Promise<number> {
  const path = storeOf(named);
  const inputs = Object.fromEntries(input.map(inputOf));
  const db = openBeside(path, true);
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    const turn = readStore(path, (rows) => {
      refuseOld(rows, path);
      return checkpointTurn(rows, id);
    });
    const get = <T>(sql: string, ...cells: (string | number)[]) => db.prepare(sql).get(...cells) as T | undefined;
    const rows = { get: get as StoreReader['get'], seal: (text: string) => text };
    await forkCheckpoint({ path, rows }, turn, { to, input: inputs, signal: stop.signal });
    return said({ turn, to }, `${to} goes on from turn ${turn} of ${path}`, json);
  } finally {
    db.close();
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

function inputOf(text: string): readonly [string, unknown] {
  const at = text.indexOf('=');
  try {
    if (at > 0) return [text.slice(0, at), JSON.parse(text.slice(at + 1))];
  } catch {
    // Told below, as what has no `=` is.
  }
  throw new PerdureError('OPTIONS_INVALID', `--input is the id of an action or a step, =, and JSON; got ${text}.`);
}

/** Does it as the owner, when nobody is; undefined when somebody owns the store, who is to be asked. */
async function whenFree<T>(path: string, act: (store: Store) => Promise<T>): Promise<T | undefined> {
  let store: Store;
  try {
    store = Store.open(path);
  } catch (error) {
    if (isPerdureError(error, 'STORE_OWNED')) return undefined;
    throw error;
  }
  try {
    return await act(store);
  } finally {
    store.close();
  }
}

function said(data: object, text: string, json: boolean | undefined): number {
  process.stdout.write(json === true ? `${JSON.stringify(data)}\n` : `${text}\n`);
  return EXIT.ok;
}

/** Throws OPTIONS_INVALID for a store whose checkpoints cannot be read: no supervisor ever used it, or none of this version. */
function refuseOld(rows: StoreReader, store: string): void {
  if (!hasSupervisor(rows))
    throw new PerdureError('OPTIONS_INVALID', `No supervisor ever used the store ${store}, so it has no checkpoints.`, {
      facts: { store },
    });
  refuseOlderTable(rows, store, 'checkpoints', 'pinned');
  refuseOlderTable(rows, store, 'checkpoint_variables', 'text');
}
