/** `perdure checkpoint show`, `pin`, `unpin` and `remove`: with the owner of a store, beside it, or when nobody owns it. */
import { checkpointTurn, readCheckpoint, refuseKept } from '../actors/checkpoint-ledger.ts';
import type { CheckpointChange } from '../machines/checkpoint-state.ts';
import { refuseOld, said, whenFree } from './checkpoint-store.ts';
import { EXIT } from './failure.ts';
import { reportAnswer, request, type RemoteOptions } from './remote.ts';
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
export async function changeCheckpoint(
  command: CheckpointChange['command'],
  id: string,
  { store: named, force = false }: CheckpointChangeOptions,
): Promise<number> {
  const path = storeOf(named);
  const turn = readStore(path, (rows) => {
    refuseOld(rows, path);
    if (command === 'remove' && !force) refuseKept(rows, id);
    readCheckpoint(rows, id);
    return checkpointTurn(rows, id);
  });
  const asked = `${command} ${turn}`;
  const here = await whenFree(path, (store) =>
    store.commits.transact(() => {
      if (command === 'remove') store.rows.unnameTurn(turn);
      else store.rows.pinTurn(turn, command === 'pin');
      return turn;
    }),
  );
  if (here !== undefined) return said({ id: String(turn) }, `${asked}: done`, false);
  return reportAnswer(path, asked, await request(path, { type: 'supervisor.changeCheckpoint', turn, command }));
}
