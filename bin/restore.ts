/** `perdure restore`: with the owner of a store, or as its owner when nobody is. */
import { setTimeout as sleep } from 'node:timers/promises';
import { v7 as uuidv7 } from 'uuid';
import { firstWhole, restorableTurns } from '../actors/restorable.ts';
import { countUnderWay } from '../actors/restored.ts';
import { busyError, REFUSED } from '../actors/restorer.ts';
import { TABLES } from '../actors/spawn.ts';
import { isPerdureError, PerdureError } from '../errors.ts';
import { restoreAsleep } from '../persistence/restore-asleep.ts';
import type { Store } from '../persistence/store.ts';
import { refuseOld, said, TREE, whenFree } from './checkpoint-store.ts';
import { EXIT } from './failure.ts';
import { reportAnswer, request, type RemoteOptions } from './remote.ts';
import { readStore, storeOf, type StoreReader } from './store-reader.ts';

/** How long the owner may take for a restore that it has begun. */
const RESTORED_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 50;

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
    const before = await whenFree(path, (store) => restoreAsleep(store, TREE, turn, goesBack(store))).catch(
      withoutKeys,
    );
    return before === undefined ? askForRestore(path, turn, force, json) : restoredText(turn, before, json);
  });
}

/** Who has the keys of an encrypted store does it at the next start. */
function withoutKeys(error: unknown): undefined {
  if (!isPerdureError(error, 'KEY_UNKNOWN')) throw error;
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
