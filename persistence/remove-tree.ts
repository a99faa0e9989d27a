/** Removes a tree that is not live, with every row that it holds. Versions that history keeps go as history goes. */
import type { Commits } from './commits.ts';
import { PerdureError } from '../errors.ts';

const OWNED = ['actors', 'timers', 'outbox', 'accepted', 'clients', 'quarantine'];

export async function removeTree(commits: Commits, name: string): Promise<boolean> {
  if (commits.participant(name) !== undefined) {
    throw new PerdureError('STORE_OWNED', `The tree "${name}" is live: close it first.`, { facts: { tree: name } });
  }
  const row = commits.statements.of('select tree from trees where name = ?').get(name) as { tree: number } | undefined;
  if (row === undefined) return false;
  await commits.transact(() => {
    for (const table of OWNED) commits.rows.run(`delete from ${table} where tree = ?`, row.tree);
    commits.rows.run('delete from trees where tree = ?', row.tree);
  });
  return true;
}
