/** `perdure checkpoint show`, `pin`, `unpin` and `remove`: with the owner of a store, beside it, or when nobody owns it. */
import { readCheckpoint } from '../actors/checkpoint-ledger.ts';
import type { CheckpointChange } from '../machines/checkpoint-state.ts';
import { refuseOld } from './checkpoint-store.ts';
import { EXIT } from './failure.ts';
import { give, type RemoteOptions } from './remote.ts';
import { storeOf } from './named-store.ts';
import { readStore } from '../persistence/store-reader.ts';

export interface CheckpointChangeOptions extends RemoteOptions {
  readonly force?: boolean;
}

/** Prints all that is known of a checkpoint, as JSON. Throws CHECKPOINT_UNKNOWN. */
export function showCheckpoint(id: string, { store: named }: RemoteOptions): number {
  const path = storeOf(named);
  const found = readStore(path, (rows) => {
    refuseOld(rows, path);
    return readCheckpoint(rows, id);
  });
  process.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
  return EXIT.ok;
}

/** Pins a checkpoint, lets it go, or forgets it. Throws CHECKPOINT_UNKNOWN, CHECKPOINT_KEPT. */
export function changeCheckpoint(
  change: CheckpointChange['command'],
  id: string,
  { force = false, ...options }: CheckpointChangeOptions,
): Promise<number> {
  if (change !== 'remove') return give(options, { command: change, params: { id } });
  return give(options, { command: 'remove-checkpoint', params: { id, force } });
}
