/**
 * What changed in a tree between two kept turns: which actors, which fields, and how many rows of each table of a subsystem.
 *
 * C1  Only what was written between the two turns is read, a page at a time, and nothing stays open between two pages.
 * C2  What was written and is the same is no difference: a tree that was taken back to a turn does not differ from it.
 * C3  What is shown is redacted as the history is, and cut.
 */
import { isPerdureError } from '../errors.ts';
import { bindingOf, type ActorRow } from './actor-rows.ts';
import { differences } from './json-difference.ts';
import type { Payloads } from './payloads.ts';
import type { Statements } from './rows.ts';
import { shownAt, shownState } from './shown-state.ts';
import { assertKept, storedTree } from './time-travel.ts';
import { columnsOf, keyOf, rolledBackTables } from './versioned-tables.ts';

/** What one actor is in one turn and not in the other. */
export interface ActorDifference {
  readonly kind: 'actor';
  readonly change: 'added' | 'removed' | 'changed';
  /** Its path in the tree. */
  readonly actor: string;
  /** Where its state changed, the first 100 places; empty for one that came or went. */
  readonly paths: readonly ChangedPath[];
  /** How many more places there are. */
  readonly more: number;
}

/** A place in the state of an actor: a JSON pointer such as `/context/items/0`. */
export interface ChangedPath {
  readonly path: string;
  /** Redacted; a long value is a text that is cut. Undefined for what was not there. */
  readonly before?: unknown;
  readonly after?: unknown;
}

/** How many rows of a subsystem's table differ. */
export interface TableDifference {
  readonly kind: 'table';
  readonly table: string;
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
  /** Of each the first 100 keys; one of several columns is a JSON array. */
  readonly keys: Readonly<Record<'added' | 'removed' | 'changed', readonly string[]>>;
}

export type TurnDifference = ActorDifference | TableDifference;

/** Where the two turns are read from: the commits of a store, or a reader beside its owner. */
export interface ComparisonSource {
  readonly statements: Statements;
  readonly payloads: Payloads;
}

/** Past every turn. */
const PRESENT = Number.MAX_SAFE_INTEGER;
const PATHS = 100;
const KEYS = 100;
/** Actors looked at in one go. */
const PAGE = 200;
/** Rows of a table looked at in one go. */
const ROWS = 20_000;
/** What stands for the state of a row that was damaged. */
const UNREADABLE = '[unreadable]';
/** Characters of JSON of one value that is shown. */
const SHOWN = 1_024;

/**
 * The differences between the kept turns `a` and `b` of the tree of this name, or between `a` and the present: first its actors,
 * then the tables that differ.
 * Throws TREE_NOT_FOUND, CHECKPOINT_UNKNOWN, and for a store that is encrypted KEY_UNKNOWN.
 */
export async function* compareTurns(
  source: ComparisonSource,
  tree: string,
  a: number,
  b = PRESENT,
): AsyncIterableIterator<TurnDifference> {
  const { statements } = source;
  const { tree: number } = storedTree(statements, tree);
  for (const turn of [a, b]) if (turn !== PRESENT) assertKept(statements, turn);
  const ids = writtenBetween(statements, number, Math.min(a, b), Math.max(a, b));
  const sides = [sideAt(statements, number, a), sideAt(statements, number, b)] as const;
  for (let start = 0; start < ids.length; start += PAGE) {
    for (const id of ids.slice(start, start + PAGE)) {
      const difference = compareActor(source, sides[0], sides[1], id);
      if (difference !== undefined) yield difference;
    }
    await new Promise((done) => setImmediate(done));
  }
  for (const table of rolledBackTables(statements)) {
    const written = await rowsWritten(statements, table, Math.min(a, b), Math.max(a, b));
    const difference = compareTable(statements, table, { a, b, written });
    if (difference !== undefined) yield difference;
    await new Promise((done) => setImmediate(done));
  }
}

/** The actors of which a version began or ended between two turns. */
function writtenBetween(statements: Statements, tree: number, low: number, high: number): number[] {
  const sql = `select id from actors where tree = :tree and from_turn > :low and from_turn <= :high union
    select id from actors_past where tree = :tree and to_turn > :low and (to_turn <= :high or from_turn > :low) order by 1`;
  return (statements.of(sql).all({ tree, low, high }) as { id: number }[]).map(({ id }) => id);
}

/** Finds the version of an actor that a turn saw. */
type Side = (id: number) => ActorRow | undefined;

/** Versions of the past are found by their end: it is what they are ordered by. */
function sideAt(statements: Statements, tree: number, turn: number): Side {
  const ends = new Map<number, number>();
  const past = statements
    .of('select id, to_turn from actors_past where tree = ? and from_turn <= ? and to_turn > ?')
    .all(tree, turn, turn) as { id: number; to_turn: number }[];
  for (const { id, to_turn } of past) ends.set(id, to_turn);
  return (id) => {
    const end = ends.get(id);
    const found =
      end === undefined
        ? statements.of('select * from actors where id = ? and tree = ? and from_turn <= ?').get(id, tree, turn)
        : statements.of('select * from actors_past where to_turn = ? and id = ?').get(end, id);
    return found as ActorRow | undefined;
  };
}

function compareActor(source: ComparisonSource, before: Side, after: Side, id: number): ActorDifference | undefined {
  const [old, now] = [before(id), after(id)];
  const row = now ?? old;
  if (row === undefined) return undefined;
  const actor = pathOf(row, now === undefined ? before : after);
  if (old === undefined || now === undefined) {
    return { kind: 'actor', change: old === undefined ? 'added' : 'removed', actor, paths: [], more: 0 };
  }
  if (old.from_turn === now.from_turn) return undefined;
  const { payloads } = source;
  const [was, is] = [stateOf(payloads, old), stateOf(payloads, now)];
  if (was === undefined || is === undefined) {
    const paths = [
      { path: '', before: was === undefined ? UNREADABLE : '', after: is === undefined ? UNREADABLE : '' },
    ];
    return { kind: 'actor', change: 'changed', actor, paths, more: 0 };
  }
  const paths: ChangedPath[] = [];
  let count = 0;
  for (const { path } of differences(was.state, is.state)) {
    if ((count += 1) > PATHS) continue;
    const shown = payloads.shownText(path);
    const [before, after] = [shownAt(was.state, was.shown, path), shownAt(is.state, is.shown, path)];
    paths.push({ path: shown, before: cut(before), after: cut(after) });
  }
  if (count === 0) return undefined;
  return { kind: 'actor', change: 'changed', actor, paths, more: Math.max(0, count - PATHS) };
}

/** Undefined of a row that was damaged: it must not hide the others. Throws KEY_UNKNOWN. */
function stateOf(payloads: Payloads, row: ActorRow): { state: unknown; shown: unknown } | undefined {
  try {
    const text = textOf(payloads, row);
    return { state: JSON.parse(text) as unknown, shown: shownState(payloads, text) };
  } catch (error) {
    if (error instanceof SyntaxError || isPerdureError(error, 'ROW_CORRUPT')) return undefined;
    throw error;
  }
}

function textOf(payloads: Payloads, row: ActorRow): string {
  return payloads.unseal(row.snapshot, () => bindingOf(row, row.attempt, row.from_turn));
}

function cut(value: unknown): unknown {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined || text.length <= SHOWN) return value;
  return `${text.slice(0, SHOWN)}… (${text.length} characters)`;
}

/** As {@link pathOf} of the port says it: the root itself is its own id. */
function pathOf(row: ActorRow, side: Side): string {
  const keys: string[] = [];
  // A damaged row may be its own ancestor.
  const seen = new Set<number>();
  for (let one: ActorRow | undefined = row; one?.parent != null && !seen.has(one.id); one = side(one.parent)) {
    keys.unshift(one.key);
    seen.add(one.id);
  }
  return keys.length === 0 ? row.key : keys.join('/');
}

/** The rows of now that were written between two turns: no index has them, so all are looked at, a page at a time. */
async function rowsWritten(statements: Statements, table: string, low: number, high: number): Promise<number[]> {
  const end = statements.of(
    `select max(row) as row from (select rowid as row from ${table} where rowid > ? order by rowid limit ${ROWS})`,
  );
  const written = statements
    .of(`select rowid from ${table} where rowid > ? and rowid <= ? and from_turn > ? and from_turn <= ?`)
    .pluck();
  const found: number[] = [];
  for (let last = Number.MIN_SAFE_INTEGER; ;) {
    const { row } = end.get(last) as { row: number | null };
    if (row === null) return found;
    for (const one of written.all(last, row, low, high) as number[]) found.push(one);
    last = row;
    await new Promise((done) => setImmediate(done));
  }
}

/** Two turns, and the rows of now that were written between them. */
interface Between {
  readonly a: number;
  readonly b: number;
  readonly written: readonly number[];
}

/** C1, in SQLite: only keys come out of it. What both turns saw is not looked at. */
function compareTable(statements: Statements, table: string, { a, b, written }: Between): TableDifference | undefined {
  const key = keyOf(statements, table);
  const columns = columnsOf(statements, table);
  const cells = [...columns, 'from_turn'].join(', ');
  const seenByLow = `select ${cells} from ${table}_past where from_turn <= :low and to_turn > :low and to_turn <= :high`;
  const seenByHigh = `select ${cells} from ${table}
      where rowid in (select value from json_each(:written)) and from_turn > :low and from_turn <= :high union all
    select ${cells} from ${table}_past where from_turn > :low and from_turn <= :high and to_turn > :high`;
  const [old, now] = a < b ? [seenByLow, seenByHigh] : [seenByHigh, seenByLow];
  const same = key.map((column) => `old.${column} = now.${column}`).join(' and ');
  const differs = columns.map((column) => `old.${column} is not now.${column}`).join(' or ');
  const name = (side: string) =>
    key.length === 1 ? `cast(${side}.${key[0]} as text)` : `json_array(${key.map((k) => `${side}.${k}`).join(', ')})`;
  const range = { low: Math.min(a, b), high: Math.max(a, b), written: JSON.stringify(written) };
  const find = (from: string) => {
    const sql = `with old as materialized (${old}), now as materialized (${now})
      select ${from} order by 1 limit ${KEYS}`;
    const rows = statements.of(sql).all(range) as { name: string; n: number }[];
    return { count: rows[0]?.n ?? 0, names: rows.map((row) => row.name) };
  };
  const added = find(
    `${name('now')} as name, count(*) over () as n from now left join old on ${same} where old.from_turn is null`,
  );
  const removed = find(
    `${name('old')} as name, count(*) over () as n from old left join now on ${same} where now.from_turn is null`,
  );
  const changed = find(`${name('old')} as name, count(*) over () as n from old join now on ${same} where ${differs}`);
  if (added.count + removed.count + changed.count === 0) return undefined;
  return {
    kind: 'table',
    table,
    added: added.count,
    removed: removed.count,
    changed: changed.count,
    keys: { added: added.names, removed: removed.names, changed: changed.names },
  };
}
