/**
 * One row per live actor: what it is, whose child it is, and its own state as text, under a checksum, because SQLite
 * has none. A parent's row does not list its children; ids grow, so the order of rows is the order of children.
 */
import { crc32 } from 'node:zlib';
import type { AnyRef, AnySnapshot } from './xstate-port.ts';
import type { Statements } from './rows.ts';

/** A row as it is read. */
export interface ActorRow {
  readonly id: number;
  readonly tree: number;
  readonly parent: number | null;
  readonly key: string;
  readonly src: string | null;
  readonly system_id: string | null;
  readonly synced: number | null;
  readonly machine: string | null;
  /**
   * Of an effect that runs: how often it began. 0 for an effect that has ended, and for other actors. Below 0 for one of a turn
   * to which the tree was taken back, which has not begun since, and whose row was written since all the same.
   */
  readonly attempt: number;
  readonly snapshot: string;
  readonly checksum: number;
  readonly from_turn: number;
}

/** What is remembered of the row of a live actor. */
export interface ActorRecord {
  readonly id: number;
  readonly parent: number | null;
  /** Checksum of the cells that never change: the snapshot's goes on from it. */
  readonly seed: number;
  attempt: number;
  /** Whether there is a row. */
  isStored: boolean;
  /** Whether the row is of another version of the machine, or was damaged: it is written whole. */
  isStale: boolean;
  /** The snapshot that the row holds; undefined before the first write. */
  snapshot: AnySnapshot | undefined;
  children: Readonly<Record<string, AnyRef | undefined>> | undefined;
}

/** The cells of a row that never change. */
export type ActorIdentity = Pick<
  ActorRow,
  'id' | 'tree' | 'parent' | 'key' | 'src' | 'system_id' | 'synced' | 'machine'
>;

export function seedOf(row: ActorIdentity): number {
  const { id, tree, parent, key, src, system_id, synced, machine } = row;
  return crc32(`${id}|${tree}|${parent}|${synced}|${JSON.stringify([key, src, system_id, machine])}`);
}

/** What a sealed state is bound to: all of its row. */
export function bindingOf(row: ActorIdentity, attempt: number, turn: number): string {
  const { id, tree, parent, key, src, system_id, synced, machine } = row;
  return JSON.stringify(['actor', id, tree, parent, key, src, system_id, synced, machine, attempt, turn]);
}

/** Goes on from the seed with what changes. Odd factors, so that no flipped bit of a number is lost. */
export function checksumOf(text: string, seed: number, attempt: number, turn: number): number {
  const high = Math.floor(turn / 2 ** 32);
  return crc32(text, (seed ^ Math.imul(attempt, 0x9e3779b1) ^ Math.imul(turn, 0x85ebca6b) ^ high) >>> 0);
}

/** The seed of the row's checksum if the row is as it was written; undefined if it was damaged. */
export function verify(row: ActorRow): number | undefined {
  // A flipped bit may make bytes of a text, or nothing of a number: such cells have no checksum, or the same one.
  const { snapshot, attempt, from_turn } = row as Readonly<Record<keyof ActorRow, unknown>>;
  if (typeof snapshot !== 'string' || typeof attempt !== 'number' || typeof from_turn !== 'number') return undefined;
  const seed = seedOf(row);
  return checksumOf(row.snapshot, seed, row.attempt, row.from_turn) === row.checksum ? seed : undefined;
}

export function insertActor(
  statements: Statements,
  identity: ActorIdentity,
  record: ActorRecord,
  text: string,
  turn: number,
): void {
  const { id, tree, parent, key, src, system_id, synced, machine } = identity;
  statements
    .of('insert into actors values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
    .run(
      id,
      tree,
      parent,
      key,
      src,
      system_id,
      synced,
      machine,
      record.attempt,
      text,
      checksumOf(text, record.seed, record.attempt, turn),
      turn,
    );
}

export function updateActor(statements: Statements, record: ActorRecord, text: string, turn: number): void {
  statements
    .of('update actors set attempt = ?, snapshot = ?, checksum = ?, from_turn = ? where id = ?')
    .run(record.attempt, text, checksumOf(text, record.seed, record.attempt, turn), turn, record.id);
}

/** Replaces a row that holds something else than the actor. */
export function rewriteActor(
  statements: Statements,
  { parent, key, src, system_id, synced, machine }: ActorIdentity,
  record: ActorRecord,
  text: string,
  turn: number,
): void {
  statements
    .of(
      `update actors set parent = ?, key = ?, src = ?, system_id = ?, synced = ?, machine = ?, attempt = ?, snapshot = ?,
         checksum = ?, from_turn = ? where id = ?`,
    )
    .run(
      parent,
      key,
      src,
      system_id,
      synced,
      machine,
      record.attempt,
      text,
      checksumOf(text, record.seed, record.attempt, turn),
      turn,
      record.id,
    );
}

export function deleteActor(statements: Statements, id: number): void {
  statements.of('delete from actors where id = ?').run(id);
}

/** Rows read in one go: few enough to be young garbage, enough to make the call's own cost vanish. */
const READ_AT_ONCE = 1_000;
/** The columns in the order of the table. */
type Cells = [
  number,
  number,
  number | null,
  string,
  string | null,
  string | null,
  number | null,
  string | null,
  number,
  string,
  number,
  number,
];

/** The rows of a tree by id. SQLite gives arrays, not objects: less garbage in a large tree. */
export function* readActors(statements: Statements, tree: number): IterableIterator<ActorRow> {
  // From itself, or SQLite would take `tree` from the index, where a row that was damaged is still right.
  const read = statements
    .of(
      `select a.id, a.tree, a.parent, a.key, a.src, a.system_id, a.synced, a.machine, a.attempt, a.snapshot, a.checksum, a.from_turn
       from actors as found cross join actors as a on a.id = found.id
       where found.tree = ? and found.id > ? order by found.id limit ${READ_AT_ONCE}`,
    )
    .raw();
  for (let last = 0, more = true; more;) {
    const rows = read.all(tree, last) as Cells[];
    for (const row of rows) yield rowOf(row);
    last = rows.at(-1)?.[0] ?? last;
    more = rows.length === READ_AT_ONCE;
  }
}

function rowOf(cells: Cells): ActorRow {
  const [id, tree, parent, key, src, system_id, synced, machine, attempt, snapshot, checksum, from_turn] = cells;
  return { id, tree, parent, key, src, system_id, synced, machine, attempt, snapshot, checksum, from_turn };
}
