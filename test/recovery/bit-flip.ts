/**
 * Flips single bits in the files of a store whose owner is gone, opens it, and says what became of it. The one outcome
 * that must not be: other actors or timers than were stored, and nobody is told.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { messageOf } from '../../errors.ts';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { Store } from '../../persistence/store.ts';
import { describeTree } from '../support/describe.ts';
import { hubMachine, marksTable } from './hub.ts';
import { randomOf } from './workload.ts';

/**
 * `unchanged`: actors and timers are as they were. `refused`: opening failed with a code. `incident`: the store opened, and
 * noted an incident. `earlier`: an earlier committed state, because the log ends at its first broken page. `other`: actors and
 * timers are right, and other rows are not. `silent`: actors or timers are wrong, and nothing was said. `nameless`: opening
 * failed without a code of ours.
 */
export type Fate = 'unchanged' | 'refused' | 'incident' | 'earlier' | 'other' | 'silent' | 'nameless';

export interface FlipReport {
  readonly fates: Readonly<Record<Fate, number>>;
  /** What must not be, in words. */
  readonly wrong: readonly string[];
  /** Where rows that are neither actors nor timers changed in silence. */
  readonly others: Readonly<Record<string, number>>;
}

export interface Flips {
  /** The store, closed or left behind by a killed process. */
  readonly store: string;
  /** An empty folder for the copies; fast, because they are many. */
  readonly folder: string;
  readonly seed: number;
  readonly flips: number;
  /** Where: anywhere, or among the cells of actors and timers of the database. */
  readonly among: 'all' | 'cells' | 'log';
}

const ENDS = ['', '-wal'] as const;
type Files = ReadonlyMap<string, Buffer>;

export async function flipBits({ store, folder, seed, flips, among }: Flips): Promise<FlipReport> {
  const random = randomOf(seed);
  const files: Files = new Map<string, Buffer>(
    ENDS.filter((end) => existsSync(`${store}${end}`)).map((end) => [end, readFileSync(`${store}${end}`)] as const),
  );
  const path = `${folder}/flipped.db`;
  const before = await open(path, files);
  if (typeof before === 'string') throw new Error(`The store cannot be opened as it is: ${before}`);
  const targets = among === 'cells' ? cellsOf(path, files) : bytesInUse(files, among);
  const fates: Record<Fate, number> = {
    unchanged: 0,
    refused: 0,
    incident: 0,
    earlier: 0,
    other: 0,
    silent: 0,
    nameless: 0,
  };
  const wrong: string[] = [];
  const others: Record<string, number> = {};
  for (let flip = 0; flip < flips; flip++) {
    const { end, offset, what } = targets[Math.floor(random() * targets.length)] as Target;
    const bit = 1 << Math.floor(random() * 8);
    const content = Buffer.from(files.get(end) as Buffer);
    content[offset] = (content[offset] as number) ^ bit;
    const after = await open(path, new Map<string, Buffer>([...files, [end, content]]));
    const fate = fateOf(before, after, end);
    fates[fate] += 1;
    const where = `bit ${bit} of byte ${offset} of work.db${end}${what === undefined ? '' : `, ${what}`}`;
    if (fate === 'silent') wrong.push(`${where}: ${differenceOf(before, after as Found)}`);
    if (fate === 'nameless') wrong.push(`${where}: ${after as string}`);
    if (fate === 'other') {
      for (const table of changedTables(before, after as Found)) others[table] = (others[table] ?? 0) + 1;
    }
  }
  return { fates, wrong, others };
}

/** What a store holds, once it was opened. */
interface Found {
  readonly tree: string;
  readonly actors: readonly string[];
  readonly timers: readonly string[];
  readonly tables: ReadonlyMap<string, string>;
  readonly incidents: number;
  /** How many events the root has seen. */
  readonly seen: number;
}

/** Gives what was found, or why it could not be opened: `STORE_NEWER: ...`, or `nameless: ...`. */
async function open(path: string, files: Files): Promise<Found | string> {
  for (const end of ['', '-wal', '-shm', '-journal', '-lock']) rmSync(`${path}${end}`, { force: true });
  for (const [end, content] of files) writeFileSync(`${path}${end}`, content);
  // At the beginning of time nothing is due.
  const clock = new SimulatedClock(0);
  let store: Store | undefined;
  try {
    store = Store.open(path, { clock, durability: 'process-crash' });
    store.declare([marksTable]);
    const world = { mark: () => {}, trace: () => {}, newId: () => 'none', now: () => 0 };
    const durable = await createDurableActor(hubMachine(world), { store });
    const found = look(store, describeTree(durable.actor as never), durable.getSnapshot().context.last);
    crash(durable);
    return found;
  } catch (error) {
    if (store?.isOpen === true) store.drop(error as never);
    const code = (error as { code?: unknown }).code;
    // Owned it can only be by an opening that failed and did not let go.
    return typeof code === 'string' && !/^(SQLITE_|ERR_|STORE_OWNED)/.test(code)
      ? `${code}: ${messageOf(error)}`
      : `nameless: ${messageOf(error)}`;
  }
}

/** Changed by every opening, or by the flip of nothing that was stored. */
const IGNORED_TABLES = new Set(['sqlite_sequence', 'sqlite_stat1', 'incidents', 'meta']);

function look({ rows }: Store, tree: unknown, last: Readonly<Record<string, number>>): Found {
  const all = (sql: string): string[] => {
    try {
      return rows.all<object>(sql).map((row) => JSON.stringify(Object.values(row)));
    } catch (error) {
      return [`unreadable: ${messageOf(error)}`];
    }
  };
  const names = rows
    .all<{ name: string }>(`select name from sqlite_schema where type = 'table' order by name`)
    .map(({ name }) => name);
  const tables = names.filter((name) => !IGNORED_TABLES.has(name));
  return {
    tree: JSON.stringify(tree),
    // Found by its tree and read by its id: an index may be right when the row is not.
    actors: all(rowsOf('actors')),
    timers: all(rowsOf('timers')),
    tables: new Map(tables.map((name) => [name, all(`select * from "${name}"`).join('\n')])),
    incidents: all('select id from incidents').length,
    seen: Object.values(last).reduce((sum, n) => sum + n, 0),
  };
}

const rowsOf = (table: string) =>
  `select r.* from ${table} as found cross join ${table} as r on r.id = found.id where found.tree = 1 order by r.id`;

function fateOf(before: Found, after: Found | string, end: string): Fate {
  if (typeof after === 'string') return after.startsWith('nameless') ? 'nameless' : 'refused';
  if (after.incidents > before.incidents) return 'incident';
  const same =
    after.tree === before.tree &&
    after.actors.join('\n') === before.actors.join('\n') &&
    after.timers.join('\n') === before.timers.join('\n');
  if (same) return changedTables(before, after).length === 0 ? 'unchanged' : 'other';
  return end === '-wal' && after.seen <= before.seen ? 'earlier' : 'silent';
}

function changedTables(before: Found, after: Found): string[] {
  return [...before.tables.keys()].filter((name) => after.tables.get(name) !== before.tables.get(name));
}

function differenceOf(before: Found, after: Found): string {
  const parts = (['actors', 'timers'] as const).flatMap((what) => {
    const lost = before[what].filter((row) => !after[what].includes(row));
    const found = after[what].filter((row) => !before[what].includes(row));
    return [...lost.map((row) => `${what} - ${row}`), ...found.map((row) => `${what} + ${row}`)];
  });
  return parts.length === 0 ? 'the tree differs, the rows do not' : parts.slice(0, 4).join('\n    ').slice(0, 600);
}

interface Target {
  readonly end: string;
  readonly offset: number;
  readonly what?: string;
}

/** Bytes that are not zero: free space is not worth a flip. */
function bytesInUse(files: Files, among: 'all' | 'log'): Target[] {
  return [...files].flatMap(([end, content]) =>
    among === 'log' && end !== '-wal'
      ? []
      : [...content.keys()].filter((offset) => content[offset] !== 0).map((offset) => ({ end, offset })),
  );
}

/** The bytes of the rows of actors and timers, and of the pages that lead to them. The database must have no log any more. */
function cellsOf(path: string, files: Files): Target[] {
  const file = files.get('') as Buffer;
  const copy = `${path}-cells`;
  writeFileSync(copy, file);
  const db = new Database(copy);
  const roots = db
    .prepare(`select name, rootpage as page from sqlite_schema where type = 'table' and name in ('actors', 'timers')`)
    .all() as { name: string; page: number }[];
  const size = db.pragma('page_size', { simple: true }) as number;
  db.close();
  rmSync(copy, { force: true });
  return roots.flatMap(({ name, page }) =>
    spansOf(file, size, page).flatMap(([from, to]) =>
      Array.from({ length: to - from }, (_, index) => ({ end: '', offset: from + index, what: name })),
    ),
  );
}

type Span = readonly [from: number, to: number];
const INNER_PAGE = 5;

/** What a table's tree is made of: headers, cell pointers and cells (the file format's section 1.6). */
function spansOf(file: Buffer, size: number, page: number): Span[] {
  const start = (page - 1) * size;
  const isInner = file[start] === INNER_PAGE;
  const headerEnd = start + (isInner ? 12 : 8);
  const cells = file.readUInt16BE(start + 3);
  const starts = Array.from({ length: cells }, (_, cell) => start + file.readUInt16BE(headerEnd + 2 * cell));
  const own: Span = [start, headerEnd + 2 * cells];
  if (!isInner) return [own, ...starts.flatMap((cell) => leafCell(file, size, cell))];
  const children = [file.readUInt32BE(start + 8), ...starts.map((cell) => file.readUInt32BE(cell))];
  return [
    own,
    ...starts.map((cell): Span => [cell, cell + 5]),
    ...children.flatMap((child) => spansOf(file, size, child)),
  ];
}

/** A row: its length, its id, its record, and the pages that hold what did not fit. */
function leafCell(file: Buffer, size: number, cell: number): Span[] {
  const [payload, afterLength] = varint(file, cell);
  const [, record] = varint(file, afterLength);
  const longest = size - 35;
  if (payload <= longest) return [[cell, record + payload]];
  const shortest = Math.floor(((size - 12) * 32) / 255) - 23;
  const fitting = shortest + ((payload - shortest) % (size - 4));
  const local = fitting <= longest ? fitting : shortest;
  const spans: Span[] = [[cell, record + local + 4]];
  let left = payload - local;
  for (let page = file.readUInt32BE(record + local); page !== 0; page = file.readUInt32BE((page - 1) * size)) {
    const start = (page - 1) * size;
    spans.push([start, start + 4 + Math.min(left, size - 4)]);
    left -= size - 4;
  }
  return spans;
}

function varint(file: Buffer, at: number): readonly [value: number, end: number] {
  let value = 0;
  for (let end = at; ; end++) {
    const byte = file[end] as number;
    value = value * 128 + (byte & 127);
    if (byte < 128) return [value, end + 1];
  }
}
