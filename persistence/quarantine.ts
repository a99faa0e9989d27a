/**
 * Rows that were found damaged. The newest kept version that is sound takes their place, the damaged row is put aside as
 * it was found, and an incident tells. Where no version was kept, the tree is refused instead.
 */
import { PerdureError } from '../errors.ts';
import { verify, type ActorRow } from './actor-rows.ts';
import type { Commits } from './commits.ts';
import { unchangedSince } from './rows-as-of.ts';
import type { Statements } from './rows.ts';

/** A damaged row, and the turn of the version that took its place. */
export interface DamagedRow {
  readonly row: ActorRow;
  readonly replacedBy: number;
}

/** The newest kept version of the row that is as it was written. Throws ROW_CORRUPT when there is none. */
export function lastSoundVersion(statements: Statements, damaged: ActorRow): ActorRow {
  const versions = statements.of('select * from actors_past where id = ? order by to_turn desc').all(damaged.id);
  const sound = (versions as ActorRow[]).find((version) => verify(version) !== undefined);
  if (sound !== undefined) return sound;
  throw damagedRow(damaged, ', and no earlier version was kept');
}

export function damagedRow({ key, id }: ActorRow, and = ''): PerdureError {
  return new PerdureError(
    'ROW_CORRUPT',
    `The row of the actor "${key}" (id ${id}) does not match its checksum: the file was damaged${and}. Nothing was changed; ` +
      'run `perdure doctor`, or restore the store from a backup.',
    { facts: { actor: key, id } },
  );
}

/** Puts the damaged actors of a tree aside, before another state takes their place. In a transaction of the caller's. */
export function putAsideDamaged(statements: Statements, tree: number, at: number): void {
  const keep = statements.of('insert into quarantine(at, tree, actor, reason, cells) values (?, ?, ?, ?, ?)');
  for (const row of unchangedSince<ActorRow>(statements, 'actors', { tree, turn: Number.MAX_SAFE_INTEGER })) {
    if (verify(row) === undefined) keep.run(at, tree, row.key, 'checksum', JSON.stringify(row));
  }
}

/** Puts damaged rows aside, in the turn that runs. */
export function quarantine(
  commits: Commits,
  { tree, name }: { readonly tree: number; readonly name: string },
  damaged: DamagedRow[],
): void {
  for (const { row, replacedBy } of damaged.splice(0)) {
    commits.begin();
    commits.statements
      .of('insert into quarantine(at, tree, actor, reason, cells) values (?, ?, ?, ?, ?)')
      .run(commits.clock.now(), tree, row.key, 'checksum', JSON.stringify(row));
    const detail =
      `The row of the actor "${row.key}" (id ${row.id}) of the tree "${name}" was damaged; it went on from its version of ` +
      `turn ${replacedBy}. The damaged row is kept in the table quarantine.`;
    commits.incident({ kind: 'row.quarantined', detail, tree, actor: row.key });
  }
}
