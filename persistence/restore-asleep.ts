/** Takes a tree back to a kept turn that nobody runs: its machine is not needed, and nothing of it begins before it is opened. */
import { goBack, asDamage, storedTree } from './time-travel.ts';
import type { Store } from './store.ts';
import { rolledBackTables } from './versioned-tables.ts';

/**
 * Resolves, with the turn before, when that is durable; the turn before is named, so that it can be undone. `tables` are those
 * of subsystems that go back with it, of those that do. Throws TREE_NOT_FOUND, CHECKPOINT_UNKNOWN, CHECKPOINT_DAMAGED, KEY_UNKNOWN:
 * nothing was changed.
 */
export async function restoreAsleep(
  store: Store,
  name: string,
  turn: number,
  tables: (table: string) => boolean = () => true,
): Promise<number> {
  const { commits } = store;
  const { statements, payloads, versions, clock } = commits;
  const restored = await commits.transact(() => {
    const tree = storedTree(statements, name);
    commits.begin();
    // The batch may hold what others wrote: what is refused here is undone alone.
    statements.of('savepoint asleep').run();
    try {
      const now = { turn: commits.turn, at: clock.now() };
      versions.spare(turn);
      versions.name(now.turn - 1, [{ at: now.at, reason: 'restore', detail: JSON.stringify({ to: turn }) }], now.at);
      goBack(statements, payloads, { tree, turn, tables: rolledBackTables(statements).filter(tables) }, now);
    } catch (error) {
      versions.rollback();
      statements.of('rollback to asleep').run();
      throw asDamage(error, name, turn);
    } finally {
      statements.of('release asleep').run();
    }
  });
  return restored - 1;
}
