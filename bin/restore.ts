/** `perdure restore`: with the owner of a store, or as its owner when nobody is. */
import { setTimeout as sleep } from 'node:timers/promises';
import { v7 as uuidv7 } from 'uuid';
import { firstWhole, restorableTurns } from '../actors/restorable.ts';
import { countUnderWay } from '../actors/restored.ts';
import { busyError, epochOf, REFUSED, refuseShared } from '../actors/restorer.ts';
import { TABLES } from '../actors/spawn.ts';
import { isPerdureError, messageOf, PerdureError } from '../errors.ts';
import type { RestoreRequest } from '../machines/checkpoint-state.ts';
import { withdrawCommand } from '../persistence/commands.ts';
import { restoreAsleep } from '../persistence/restore-asleep.ts';
import type { Store } from '../persistence/store.ts';
import { refuseOld, said, TREE, whenFree } from './checkpoint-store.ts';
import { EXIT } from './failure.ts';
import { isOwned, reportAnswer, request, type RemoteOptions } from './remote.ts';
import { storeOf } from './named-store.ts';
import { readStore, type StoreReader } from '../persistence/store-reader.ts';

/** How long the owner may take for a restore that it has begun. */
const RESTORED_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 50;

export interface RestoreCommandOptions extends RemoteOptions {
  readonly force?: boolean;
  readonly json?: boolean;
}

/** Goes back to a checkpoint. Throws CHECKPOINT_UNKNOWN, CHECKPOINT_BUSY, CHECKPOINT_DAMAGED, KEY_UNKNOWN. */
export async function restoreCheckpoint(
  id: string,
  { store: named, force = false, json }: RestoreCommandOptions,
): Promise<number> {
  const path = storeOf(named);
  const turns = readStore(path, (rows) => {
    refuseOld(rows, path);
    refuseShared(rows);
    return restorableTurns(rows, id);
  });
  const restore = async (turn: number) => {
    const request = uuidv7();
    const before = await restoreFree(path, turn, request);
    return before === undefined
      ? askForRestore(path, { turn, force, request }, json)
      : restoredText(turn, before, json);
  };
  return firstWhole(turns, restore, (error) => {
    process.stderr.write(`perdure: ${messageOf(error)} The one before it is tried.\n`);
  });
}

/** Restores it as the owner, when nobody is; undefined when somebody owns the store. What was asked for is not done again. */
function restoreFree(path: string, turn: number, request: string): Promise<number | undefined> {
  return whenFree(path, async (store) => {
    withdrawCommand(store.rows, request, store.clock.now());
    try {
      return await restoreAsleep(store, TREE, turn, goesBack(store));
    } catch (error) {
      if (isPerdureError(error, 'KEY_UNKNOWN')) throw withoutKeys(error);
      if (isPerdureError(error, 'CHECKPOINT_DAMAGED')) noteRefused(store, request, error);
      throw error;
    }
  });
}

/** Who owns the store would note it, too. */
function noteRefused(store: Store, request: string, error: PerdureError): void {
  const { tree } = store.rows.get<{ tree: number }>('select tree from trees where name = ?', TREE) ?? {};
  const detail = `${error.message} [${error.code}]`;
  store.incident({ kind: REFUSED, detail, actor: request, ...(tree === undefined ? {} : { tree }) });
}

function withoutKeys(cause: PerdureError): PerdureError {
  const message = 'The store is encrypted, and nobody who has its keys runs: start its program, and ask again.';
  return new PerdureError('KEY_UNKNOWN', message, { cause });
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

async function askForRestore(
  path: string,
  { turn, force, request: id }: RestoreRequest,
  json: boolean | undefined,
): Promise<number> {
  const since = readStore(path, (rows) => {
    const running = countUnderWay(rows);
    if (!force && running > 0) throw busyError(turn, running);
    return standing(rows);
  });
  const event = { type: 'supervisor.restore', turn, force, request: id, epoch: since.epoch } as const;
  const answer = await request(path, event, id);
  if (answer?.startsWith('refused') === true) return reportAnswer(path, `restore ${turn}`, answer);
  const until = performance.now() + RESTORED_WITHIN_MS;
  while (performance.now() < until) {
    const now = readStore(path, (rows) => ({ ...standing(rows), refused: refusalOf(rows, id) }));
    if (now.refused !== undefined) throw refusedError(now.refused, turn);
    if (now.generation !== since.generation) return restoredText(turn, (now.restored ?? 1) - 1, json);
    if (now.epoch !== since.epoch || !isOwned(path)) return restoreUnasked(path, turn, id, json);
    await sleep(LOOK_EVERY_MS);
  }
  process.stdout.write(
    `restore ${turn}: the owner of ${path} is busy, and is not done yet: it restores unless it ends before\n`,
  );
  return EXIT.ok;
}

/** The owner that was asked is gone; another one refuses what that was asked. */
async function restoreUnasked(path: string, turn: number, request: string, json: boolean | undefined): Promise<number> {
  const before = await restoreFree(path, turn, request);
  if (before !== undefined) return restoredText(turn, before, json);
  throw new PerdureError(
    'RESTORE_WITHDRAWN',
    `Turn ${turn} was not restored: the owner of ${path} that was asked has ended, and there is another. Ask again.`,
    { facts: { turn, path } },
  );
}

interface Standing {
  readonly generation: number;
  readonly restored: number | null;
  readonly epoch: number;
}

function standing(rows: StoreReader): Standing {
  const row = rows.get<Omit<Standing, 'epoch'>>('select generation, restored from trees where name = ?', TREE);
  return { ...(row ?? { generation: 0, restored: null }), epoch: epochOf(rows) };
}

function refusalOf(rows: StoreReader, id: string): string | undefined {
  return rows.get<{ detail: string }>('select detail from incidents where kind = ? and actor = ?', REFUSED, id)?.detail;
}

/** What the owner noted ends with the code. */
function refusedError(detail: string, turn: number): PerdureError {
  const [, message = detail, code = ''] = /^(.*) \[(\w+)\]$/s.exec(detail) ?? [];
  const known = (['CHECKPOINT_UNKNOWN', 'CHECKPOINT_BUSY', 'RESTORE_WITHDRAWN', 'OPTIONS_INVALID'] as const).find(
    (one) => one === code,
  );
  return new PerdureError(known ?? 'CHECKPOINT_DAMAGED', message, { facts: { turn } });
}
