/** What the commands that look at checkpoints share. */
import { PerdureError } from '../errors.ts';
import { hasSupervisor, refuseOlderTable, type StoreReader } from '../persistence/store-reader.ts';

/** Commands go to this tree. */
export const TREE = 'main';

/** Throws OPTIONS_INVALID for a store whose checkpoints cannot be read: no supervisor ever used it, or none of this version. */
export function refuseOld(rows: StoreReader, store: string): void {
  if (!hasSupervisor(rows))
    throw new PerdureError('OPTIONS_INVALID', `No supervisor ever used the store ${store}, so it has no checkpoints.`, {
      facts: { store },
    });
  refuseOlderTable(rows, store, 'checkpoints', 'pinned');
  refuseOlderTable(rows, store, 'checkpoint_variables', 'text');
}
