/** What the commands that take checkpoints and go back to them share. */
import { isPerdureError, PerdureError } from '../errors.ts';
import { Store } from '../persistence/store.ts';
import { EXIT } from './failure.ts';
import { hasSupervisor, refuseOlderTable, type StoreReader } from '../persistence/store-reader.ts';

/** Commands go to this tree. */
export const TREE = 'main';

/** Does it as the owner, when nobody is, and keeps what the last one kept; undefined when somebody owns the store, who is to be asked. */
export async function whenFree<T>(path: string, act: (store: Store) => Promise<T>): Promise<T | undefined> {
  let store: Store;
  try {
    store = Store.openAsBefore(path);
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

/** Says what was done, as text or as JSON; gives the exit code. */
export function said(data: object, text: string, json: boolean | undefined): number {
  process.stdout.write(json === true ? `${JSON.stringify(data)}\n` : `${text}\n`);
  return EXIT.ok;
}

/** Throws OPTIONS_INVALID for a store whose checkpoints cannot be read: no supervisor ever used it, or none of this version. */
export function refuseOld(rows: StoreReader, store: string): void {
  if (!hasSupervisor(rows))
    throw new PerdureError('OPTIONS_INVALID', `No supervisor ever used the store ${store}, so it has no checkpoints.`, {
      facts: { store },
    });
  refuseOlderTable(rows, store, 'checkpoints', 'pinned');
  refuseOlderTable(rows, store, 'checkpoint_variables', 'text');
}
