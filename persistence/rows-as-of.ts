/** The rows of a versioned table as a committed turn saw them: what is kept of the past (versions.ts), put together. */
import type { Statements } from './rows.ts';

/**
 * The rows of `table` as of `turn`, by their key, those of one tree where `tree` is given. They are whole if the turn is
 * kept: a turn of the history, or a checkpoint.
 */
export function rowsAsOf<TRow>(
  statements: Statements,
  { table, tree }: { readonly table: string; readonly tree?: number },
  turn: number,
): TRow[] {
  const columns = columnsOf(statements, table);
  const own = tree === undefined ? '' : 'and tree = :tree';
  return statements
    .of(
      `select ${columns} from ${table} where from_turn <= :turn ${own}
       union all
       select ${columns} from ${table}_past where from_turn <= :turn and to_turn > :turn ${own} order by 1`,
    )
    .all(tree === undefined ? { turn } : { turn, tree }) as TRow[];
}

function columnsOf(statements: Statements, table: string): string {
  const found = statements.of('select name from pragma_table_info(?)').all(table) as { name: string }[];
  return found.map(({ name }) => name).join(', ');
}
