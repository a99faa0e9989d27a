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

/** Rows read in one go. */
const PAGE = 500;

/** A row of a tree, and where it is. */
export type TreeTable = 'actors' | 'timers' | 'outbox';

/** Those rows of a tree as of a turn that have not changed since, a page at a time. */
export function* unchangedSince<TRow extends { readonly id: number }>(
  statements: Statements,
  table: TreeTable,
  { tree, turn }: { readonly tree: number; readonly turn: number },
): IterableIterator<TRow> {
  // From itself, or SQLite would take `tree` from the index, where a row that was damaged is still right.
  const read = statements.of(
    `select r.* from ${table} as found cross join ${table} as r on r.id = found.id
     where found.tree = ? and found.id > ? and r.from_turn <= ? order by found.id limit ${PAGE}`,
  );
  for (let last = Number.MIN_SAFE_INTEGER, more = true; more;) {
    const rows = read.all(tree, last, turn) as TRow[];
    yield* rows;
    last = rows.at(-1)?.id ?? last;
    more = rows.length === PAGE;
  }
}

/** Those that have changed or gone since, as they were, a page at a time. */
export function* changedSince<TRow extends { readonly id: number }>(
  statements: Statements,
  table: TreeTable,
  { tree, turn }: { readonly tree: number; readonly turn: number },
): IterableIterator<TRow> {
  const read = statements.of(
    `select * from ${table}_past where (to_turn, id) > (?, ?) and tree = ? and from_turn <= ?
     order by to_turn, id limit ${PAGE}`,
  );
  let last = { to_turn: turn, id: Number.MAX_SAFE_INTEGER };
  for (let more = true; more;) {
    const rows = read.all(last.to_turn, last.id, tree, turn) as (TRow & { readonly to_turn: number })[];
    yield* rows;
    last = rows.at(-1) ?? last;
    more = rows.length === PAGE;
  }
}

/** All of them, in no order. */
export function* rowsOf<TRow extends { readonly id: number }>(
  statements: Statements,
  table: TreeTable,
  place: { readonly tree: number; readonly turn: number },
): IterableIterator<TRow> {
  yield* unchangedSince<TRow>(statements, table, place);
  yield* changedSince<TRow>(statements, table, place);
}

function columnsOf(statements: Statements, table: string): string {
  const found = statements.of('select name from pragma_table_info(?)').all(table) as { name: string }[];
  return found.map(({ name }) => name).join(', ');
}
