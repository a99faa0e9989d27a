/**
 * A store that goes on from a kept turn of another one, which does not change by a byte: a copy (backup.ts), in which every
 * row becomes what it was before the copy gets its name.
 *
 * F1  The fork holds the trees as of the turn, and the past up to it: checkpoints and history after it are not there.
 * F2  It is a copy, so it begins a new generation; the effects of the turn follow `onRestore`, as after a restore.
 * F3  What others want of the original (commands that wait) is not wanted of the fork.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { PerdureError, isPerdureError } from '../errors.ts';
import { backUpBeside } from './backup.ts';
import { systemClock } from './clock.ts';
import { BEGUN, rewriteCommands } from './commands.ts';
import { Statements } from './rows.ts';
import { TREES, TREE_TABLES, refuseOlder, refuseUnknown } from './schema.ts';
import { openBeside, sqliteError, type Db } from './sqlite.ts';
import { assertKept, assertWhole } from './time-travel.ts';
import { checksumOf, type TreeRow } from './tree-rows.ts';
import { columnsOf, rolledBackTables } from './versioned-tables.ts';

/** Options of {@link forkStore}. */
export interface ForkOptions {
  readonly signal?: AbortSignal;
}

/**
 * Makes the store `target` that goes on from the kept turn `turn` of the store at `path`, whoever owns that, or nobody. The
 * original is only read. Throws CHECKPOINT_UNKNOWN, CHECKPOINT_DAMAGED, FORK_EXISTS, BACKUP_FAILED, ABORTED, and what is wrong
 * with the store: there is no target then.
 */
export function forkStore(path: string, turn: number, target: string, options: ForkOptions = {}): Promise<void> {
  return forkWith(path, turn, target, options, () => {});
}

/** The same; `edit` changes the rows of the fork before it gets its name, so that there is none without that. */
export async function forkWith(
  path: string,
  turn: number,
  target: string,
  { signal }: ForkOptions,
  edit: (db: Db) => void,
): Promise<void> {
  refuseTaken(target);
  refuseUnkept(path, turn);
  let refusal: PerdureError | undefined;
  const change = async (db: Db) => {
    try {
      await becomeAsOf(db, turn, signal);
      edit(db);
    } catch (error) {
      if (isPerdureError(error)) refusal = error;
      throw error;
    }
  };
  try {
    await backUpBeside(path, target, signal === undefined ? {} : { signal }, systemClock.now(), change);
  } catch (error) {
    if (refusal !== undefined) throw refusal;
    if (isPerdureError(error) && (error.cause as { code?: string } | undefined)?.code === 'EEXIST') throw taken(target);
    throw error;
  }
}

/** The original is asked first: nothing is copied for a turn that is not there. */
function refuseUnkept(path: string, turn: number): void {
  const db = openBeside(path, true);
  try {
    refuseUnknown(db, path);
    refuseOlder(db, path);
    assertKept(new Statements(db), turn);
  } catch (error) {
    throw sqliteError(error, path);
  } finally {
    db.close();
  }
}

/** F1. The copy is nobody's, and its triggers keep nothing of what is changed here. */
async function becomeAsOf(db: Db, turn: number, signal: AbortSignal | undefined): Promise<void> {
  const statements = new Statements(db);
  db.function('perdure_turn', () => 0);
  // It may have been forgotten between the look and the copy.
  assertKept(statements, turn);
  const { kept } = statements.of('select turn as kept from kept').get() as { kept: number };
  db.exec('begin; update kept set turn = 0');
  const tables = [TREES.name, ...TREE_TABLES.map(({ name }) => name), ...rolledBackTables(statements)];
  for (const table of tables) {
    await betweenTables(signal);
    const columns = [...columnsOf(statements, table), 'from_turn'].join(', ');
    statements.of(`delete from ${table} where from_turn > ?`).run(turn);
    statements
      .of(
        `insert into ${table}(${columns}) select ${columns} from ${table}_past where from_turn <= :turn and to_turn > :turn`,
      )
      .run({ turn });
    statements.of(`delete from ${table}_past where to_turn > ?`).run(turn);
  }
  await betweenTables(signal);
  for (const table of ['checkpoints', 'turns']) statements.of(`delete from ${table} where turn > ?`).run(turn);
  // They are plain, also where all else is encrypted.
  db.pragma('secure_delete = ON');
  statements.of('delete from commands where answered_at is null or answer = ?').run(BEGUN);
  rewriteCommands((sql) => db.exec(sql));
  statements.of('delete from trees where tree not in (select tree from actors)').run();
  const sayRestored = statements.of('update trees set restored = ?, checksum = ? where tree = ?');
  for (const tree of statements.of('select * from trees').all() as TreeRow[]) {
    assertWhole(statements, tree, turn);
    sayRestored.run(turn, checksumOf({ ...tree, restored: turn }), tree.tree);
  }
  statements.of('update kept set turn = ?').run(kept);
  db.exec('commit');
}

/** Other work of the process goes on, and the signal is asked. */
async function betweenTables(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((done) => setImmediate(done));
  signal?.throwIfAborted();
}

function refuseTaken(target: string): void {
  if (['', '-wal', '-journal'].some((end) => existsSync(`${resolve(target)}${end}`))) throw taken(target);
}

function taken(target: string): PerdureError {
  return new PerdureError('FORK_EXISTS', `There is a file at ${resolve(target)} already: fork to another path.`, {
    facts: { target: resolve(target) },
  });
}
