/** Which store a command means. */
import { readdirSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { isPerdureError, PerdureError } from '../errors.ts';
import { readStore } from '../persistence/store-reader.ts';

/** What `--store` means, in help. */
export const STORE = 'the store; default: the only one in this folder';

/** The store that was named, or the only one in the folder; absolute. Throws OPTIONS_INVALID. */
export function storeOf(named: string | undefined, folder = '.'): string {
  if (named !== undefined) return isFolder(named) ? storeOf(undefined, named) : resolve(named);
  const files = readdirSync(folder).filter((name) => name.endsWith('.db'));
  const looks = files.toSorted().map((name) => ({ name, kind: fileKind(resolve(folder, name)) }));
  const stores = looks.filter(({ kind }) => kind === 'store');
  const found = (stores.length > 0 ? stores : looks.filter(({ kind }) => kind === 'unreadable')).map(
    ({ name }) => name,
  );
  const [only] = found;
  if (only !== undefined && found.length === 1) return resolve(folder, only);
  const what = found.length === 0 ? 'there is none in this folder' : `there are several (${found.join(', ')})`;
  throw new PerdureError('OPTIONS_INVALID', `expected to know which store is meant, but ${what}: name its file`, {
    facts: { found },
  });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** A file that cannot be read may well be the store that is meant: reading it then says what is wrong. */
function fileKind(path: string): 'store' | 'unreadable' | 'foreign' {
  try {
    return readStore(path, () => 'store' as const);
  } catch (error) {
    if (!isPerdureError(error)) throw error;
    if (error.code === 'STORE_NEWER') return 'store';
    const isDamaged = String(error.facts['sqlite']).startsWith('SQLITE_CORRUPT');
    if (error.code === 'STORE_FOREIGN') return 'foreign';
    return error.code === 'STORE_NOT_A_DATABASE' && !isDamaged ? 'foreign' : 'unreadable';
  }
}
