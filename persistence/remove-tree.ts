/** Removes a tree with every row that it holds. Versions that history keeps go as history goes. */
import type { Commits } from './commits.ts';

const OWNED = ['actors', 'timers', 'outbox', 'quarantine'];
/** The ids of its messages are found by looking at all of them, so many in one go. */
const PAGE = 10_000;

/** Removes the tree of this name, once `release` has closed it. Gives false when there is none. */
export async function removeTree(commits: Commits, name: string, release: () => void): Promise<boolean> {
  let tree: number | undefined;
  await commits.transact(() => {
    release();
    const row = commits.rows.get<{ tree: number }>('select tree from trees where name = ?', name);
    tree = row?.tree;
    if (tree === undefined) return;
    for (const table of OWNED) commits.rows.run(`delete from ${table} where tree = ?`, tree);
    commits.rows.run('delete from trees where tree = ?', tree);
  });
  if (tree === undefined) return false;
  await forgetIds(commits, 'accepted', 'id', tree);
  await forgetIds(commits, 'clients', 'client', tree);
  return true;
}

/**
 * A number is never given to a second tree, so what a crash leaves of this harms nobody, and is forgotten with age. Between
 * two pages other turns go on.
 */
async function forgetIds(commits: Commits, table: string, key: string, tree: number): Promise<void> {
  const end = commits.statements.of(
    `select ${key} as key from ${table} where ${key} > ? order by ${key} limit 1 offset ${PAGE}`,
  );
  for (let from: string | undefined = ''; from !== undefined && commits.isOpen;) {
    const after: string = from;
    const upTo = (end.get(after) as { key: string } | undefined)?.key;
    await commits.transact(() => {
      const range = `delete from ${table} where tree = ? and ${key} >= ?`;
      if (upTo === undefined) commits.rows.run(range, tree, after);
      else commits.rows.run(`${range} and ${key} <= ?`, tree, after, upTo);
    });
    from = upTo;
  }
}
