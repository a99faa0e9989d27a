/**
 * What can be said of a store from beside: whether it is sound, and what is in it. Reads through SQLite, in one read-only
 * transaction, so that an owner is not disturbed; for a process that does not own the store.
 */
import { existsSync, statSync } from 'node:fs';
import { messageOf } from '../errors.ts';
import { verify, type ActorRow } from './actor-rows.ts';
import { isCopy } from './copies.ts';
import { filesOpenToOthers } from './file-mode.ts';
import { isLocked } from './lock.ts';
import { isSoundRow, type StoredRow } from './outbox-rows.ts';
import { isSealed } from './sealing.ts';
import { SCHEMA_VERSION, refuseUnknown } from './schema.ts';
import { openBeside, sqliteError, type Db } from './sqlite.ts';
import { isSoundTimer, type TimerRow } from './timer-rows.ts';
import { checksumOf, type TreeRow } from './tree-rows.ts';

/** Something that is wrong, and what to do about it. */
export interface Finding {
  readonly code:
    | 'FILE_DAMAGED'
    | 'ROW_DAMAGED'
    | 'ROWS_MISSING'
    | 'TREE_EMPTY'
    | 'ORPHAN'
    | 'ID_BEYOND_LIMIT'
    | 'WAL_LARGE'
    | 'FILE_OPEN'
    | 'DEAD_LETTER';
  readonly detail: string;
  readonly remedy: string;
}

/** What {@link examine} found. Times are wall-clock ms. */
export interface Health {
  readonly store: string;
  readonly schema: number;
  readonly bytes: number;
  /** Of the write-ahead log; undefined where there is none. */
  readonly walBytes?: number;
  /** Who holds the lock now. */
  readonly owner?: { readonly pid: number; readonly since: number };
  /** A copy that nobody has opened yet. */
  readonly isCopy: boolean;
  readonly counts: Readonly<Record<'trees' | 'actors' | 'timers' | 'outbox' | 'deadLetters' | 'quarantined', number>>;
  /** Actors by the name and version of their machine; those of other logic are `(none)`. */
  readonly machines: Readonly<Record<string, number>>;
  /** The turns that the history tells. */
  readonly history: { readonly turns: number; readonly from?: number; readonly to?: number };
  readonly incidents: { readonly count: number; readonly last?: { readonly at: number; readonly detail: string } };
  readonly findings: readonly Finding[];
}

/** A log larger than this is not checkpointed any more, for somebody reads from its beginning. */
const LARGE_WAL = 256 * 2 ** 20;
/** Findings of one kind that are told one by one. */
const TOLD = 20;

const RESTORE = 'restore the store from a backup';
const REOPEN =
  'open the tree: the newest sound version that is kept takes its place, or it is refused; or run `perdure doctor --restore`, ' +
  'which takes the tree back to its newest whole checkpoint; then restore a backup';
const REPAIR = 'run `perdure doctor --repair`, which puts it into the quarantine';

/** Examines a store. Throws what is wrong with the file as a whole: STORE_UNOPENABLE, STORE_NOT_A_DATABASE, STORE_NEWER, STORE_FOREIGN. */
export function examine(path: string): Health {
  const db = openBeside(path, true);
  try {
    refuseUnknown(db, path);
    return db.transaction(() => new Examination(db, path).health())();
  } catch (error) {
    throw sqliteError(error, path);
  } finally {
    db.close();
  }
}

class Examination {
  readonly #db: Db;
  readonly #path: string;
  readonly #findings: Finding[] = [];
  readonly #told = new Map<string, number>();
  readonly #machines: Record<string, number> = {};
  /** By tree. */
  readonly #digests = new Map<number, number>();
  readonly #damagedTrees = new Set<number>();

  constructor(db: Db, path: string) {
    this.#db = db;
    this.#path = path;
  }

  health(): Health {
    const schema = this.#db.pragma('user_version', { simple: true }) as number;
    this.#file();
    for (const { path, mode } of filesOpenToOthers(this.#path)) {
      this.#find('FILE_OPEN', `${path} may be used by others (mode ${mode.toString(8)})`, `run \`chmod 600 ${path}\``);
    }
    const isCurrent = schema === SCHEMA_VERSION;
    if (isCurrent) {
      this.#actors();
      this.#timers();
      this.#outbox();
      this.#trees();
      this.#limits();
    }
    const wal = `${this.#path}-wal`;
    const walBytes = existsSync(wal) ? statSync(wal).size : undefined;
    if (walBytes !== undefined && walBytes > LARGE_WAL) {
      this.#find(
        'WAL_LARGE',
        `the write-ahead log has ${walBytes} bytes`,
        'end what has been reading the store for so long',
      );
    }
    return {
      store: this.#path,
      schema,
      bytes: statSync(this.#path).size,
      ...(walBytes === undefined ? {} : { walBytes }),
      ...this.#owner(),
      isCopy: isCurrent && isCopy(this.#db),
      counts: {
        trees: this.#count('trees'),
        actors: this.#count('actors'),
        timers: this.#count('timers'),
        outbox: isCurrent ? this.#count('outbox where dead_at is null') : 0,
        deadLetters: isCurrent ? this.#count('outbox where dead_at is not null') : 0,
        quarantined: isCurrent ? this.#count('quarantine') : 0,
      },
      machines: this.#machines,
      history: isCurrent ? this.#history() : { turns: 0 },
      incidents: this.#incidents(),
      findings: this.#findings,
    };
  }

  #find(code: Finding['code'], detail: string, remedy: string): void {
    const told = (this.#told.get(code) ?? 0) + 1;
    this.#told.set(code, told);
    if (told <= TOLD) this.#findings.push({ code, detail, remedy });
    else if (told === TOLD + 1) this.#findings.push({ code, detail: `and more of ${code}`, remedy });
  }

  #file(): void {
    const told = this.#db.pragma(`integrity_check(${TOLD})`) as { integrity_check: string }[];
    for (const { integrity_check: detail } of told) {
      if (detail !== 'ok') {
        this.#find(
          'FILE_DAMAGED',
          `SQLite: ${detail}`,
          `run \`perdure doctor --repair\`, which mends indexes, or ${RESTORE}`,
        );
      }
    }
  }

  #actors(): void {
    const ids = new Map<number, number>();
    for (const row of this.#all<ActorRow>('select * from actors order by id')) {
      const seed = this.#readable(() => verify(row));
      const what = `the actor "${row.key}" (id ${row.id})`;
      if (seed === undefined) this.#damaged(what, row.tree, REOPEN);
      else this.#digest(row.tree, seed);
      if (row.parent !== null && ids.get(row.parent) !== row.tree) {
        this.#find('ORPHAN', `${what} has no parent: the row ${row.parent} is missing`, REPAIR);
      }
      ids.set(row.id, row.tree);
      const machine = row.machine ?? '(none)';
      this.#machines[machine] = (this.#machines[machine] ?? 0) + 1;
    }
    const lost = `select id, key from actors where tree not in (select tree from trees)`;
    for (const { id, key } of this.#all<ActorRow>(lost)) {
      this.#find('ORPHAN', `the actor "${key}" (id ${id}) belongs to no tree`, REPAIR);
    }
  }

  #timers(): void {
    for (const row of this.#all<TimerRow & { tree: number }>('select * from timers')) {
      if (this.#readable(() => isSoundTimer(row)) === true) this.#digest(row.tree, row.checksum);
      else this.#damaged(`the timer ${row.id}`, row.tree, RESTORE);
    }
    const lost = 'select id, key from timers where source not in (select id from actors)';
    for (const { id, key } of this.#all<TimerRow>(lost)) {
      this.#find('ORPHAN', `the timer "${key}" (id ${id}) was set by an actor that is missing`, REPAIR);
    }
  }

  #outbox(): void {
    for (const row of this.#all<StoredRow & { tree: number }>('select * from outbox')) {
      const what = `${row.kind === 'action' ? 'the durable action' : 'the event for the tree'} "${row.name}" (id ${row.id})`;
      if (this.#readable(() => isSoundRow(row)) !== true) this.#damaged(what, row.tree, RESTORE);
      if (row.dead_at === null) continue;
      this.#find(
        'DEAD_LETTER',
        `${what} was given up: ${isSealed(row.error ?? '') ? '[encrypted]' : (row.error ?? '')}`,
        'mend the cause, then call store.retry(id)',
      );
    }
  }

  #trees(): void {
    for (const row of this.#all<TreeRow>('select * from trees')) {
      const { tree, name, digest } = row;
      if (checksumOf(row) !== row.checksum) this.#damaged(`the row of the tree "${name}"`, tree, RESTORE);
      const found = this.#digests.get(tree);
      if (found === undefined && !this.#damagedTrees.has(tree)) {
        this.#find('TREE_EMPTY', `the tree "${name}" has no actor`, RESTORE);
      } else if (digest !== null && digest !== (found ?? 0) && !this.#damagedTrees.has(tree)) {
        const remedy = `${RESTORE}, or, where what is there is right, run \`perdure doctor --repair\``;
        this.#find('ROWS_MISSING', `the rows of the tree "${name}" do not add up: some are missing or strange`, remedy);
      }
    }
  }

  #limits(): void {
    for (const [table, column, limit] of [
      ['actors', 'id', 'id_limit'],
      ['timers', 'id', 'id_limit'],
      ['outbox', 'id', 'id_limit'],
      ['actors', 'from_turn', 'turn_limit'],
    ]) {
      const most = this.#db.prepare(`select max(${column}) from ${table}`).pluck().get() as number | null;
      const end = (this.#meta(limit as string) as number | undefined) ?? 0;
      if (most === null || most < end) continue;
      const detail = `${table} has the ${column} ${most}, which was not reserved: the limit is ${end}`;
      this.#find('ID_BEYOND_LIMIT', detail, `${RESTORE}: this one was put together from several`);
    }
  }

  #damaged(what: string, tree: number, remedy: string): void {
    this.#damagedTrees.add(tree);
    this.#find('ROW_DAMAGED', `the row of ${what} does not match its checksum`, remedy);
  }

  /** A damaged cell may not even be what a checksum can be made of. */
  #readable<T>(check: () => T): T | undefined {
    try {
      return check();
    } catch (error) {
      if (error instanceof TypeError || error instanceof RangeError) return undefined;
      throw error;
    }
  }

  #digest(tree: number, seed: number): void {
    this.#digests.set(tree, (this.#digests.get(tree) ?? 0) ^ seed);
  }

  #owner(): Pick<Health, 'owner'> {
    if (!isLocked(this.#path)) return {};
    const said = this.#meta('owner');
    try {
      const { pid, since } = JSON.parse(String(said)) as { pid: number; since: number };
      return { owner: { pid, since } };
    } catch (error) {
      this.#find('FILE_DAMAGED', `who owns the store cannot be read (${messageOf(error)})`, RESTORE);
      return {};
    }
  }

  #history(): Health['history'] {
    const ends = 'select min(turn) as "from", max(turn) as "to" from turns';
    const { from, to } = this.#db.prepare(ends).get() as { from: number | null; to: number | null };
    return { turns: this.#count('turns'), ...(from === null || to === null ? {} : { from, to }) };
  }

  #incidents(): Health['incidents'] {
    const last = this.#db.prepare('select at, detail from incidents order by id desc limit 1').get();
    const count = this.#count('incidents');
    return { count, ...(last === undefined ? {} : { last: last as { at: number; detail: string } }) };
  }

  #count(what: string): number {
    return this.#db.prepare(`select count(*) from ${what}`).pluck().get() as number;
  }

  #meta(key: string): unknown {
    return this.#db.prepare('select value from meta where key = ?').pluck().get(key);
  }

  #all<TRow>(sql: string): IterableIterator<TRow> {
    return this.#db.prepare(sql).iterate() as IterableIterator<TRow>;
  }
}
