/** Names of committed turns. Row versions that no kept turn sees any more are deleted, a bounded number at a time. */
import type { Statements, TurnName } from './rows.ts';

/** Checkpoints kept; older ones are forgotten. */
const KEPT = 10;
const PRUNED_AT_ONCE = 1_000;

/** Names the turn that is being committed. Its rows must all be written: what changes later is kept for it. */
export function nameTurn(statements: Statements, turn: number, names: readonly TurnName[]): void {
  if (names.length === 0) return;
  const put = statements.of('insert into checkpoints values (?, ?, ?, ?, ?) on conflict(turn) do nothing');
  for (const { at, reason, label, detail } of names) put.run(turn, at, reason, label ?? null, detail ?? null);
  forgetOld(statements);
}

function forgetOld(statements: Statements): void {
  const oldest = statements.of('select turn from checkpoints order by turn desc limit 1 offset ?').get(KEPT - 1) as
    { turn: number } | undefined;
  if (oldest === undefined) return;
  statements.of('delete from checkpoints where turn < ?').run(oldest.turn);
  for (const table of versionedTables(statements)) {
    statements
      .of(`delete from ${table}_past where rowid in (select rowid from ${table}_past where to_turn <= ? limit ?)`)
      .run(oldest.turn, PRUNED_AT_ONCE);
  }
}

function versionedTables(statements: Statements): string[] {
  const tables = statements.of(
    `select name from sqlite_schema where type = 'table' and name like '%\\_past' escape '\\'`,
  );
  return (tables.all() as { name: string }[]).map(({ name }) => name.slice(0, -'_past'.length));
}
