/** `perdure fork`: a new store of a checkpoint, also while the store is in use. */
import { checkpointTurn } from '../actors/checkpoint-ledger.ts';
import { forkCheckpoint } from '../actors/forks.ts';
import { PerdureError } from '../errors.ts';
import { openBeside } from '../persistence/sqlite.ts';
import { refuseOld, said } from './checkpoint-store.ts';
import type { RemoteOptions } from './remote.ts';
import { storeOf } from './named-store.ts';
import { readStore, type StoreReader } from '../persistence/store-reader.ts';

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
    const rows = { get: get as StoreReader['get'], seal: (text: string) => text, unseal: (text: string) => text };
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
