/**
 * What can be mended of a store that nobody owns. Nothing is deleted: what has lost its place goes into the quarantine, as
 * it was found. Rows that are damaged are left to the opening of their tree, which knows what may take their place.
 */
import { verify, type ActorRow } from './actor-rows.ts';
import type { Clock } from './clock.ts';
import { markCopy } from './copies.ts';
import { fallBack } from './fallback.ts';
import { acquireLock } from './lock.ts';
import { Payloads } from './payloads.ts';
import { Statements } from './rows.ts';
import { refuseOlder } from './schema.ts';
import { openDatabase, sqliteError, type Db } from './sqlite.ts';
import { damageOf } from './time-travel.ts';
import { isSoundTimer, type TimerRow } from './timer-rows.ts';
import type { TreeRow } from './tree-rows.ts';
import { areShared, rolledBackTables } from './versioned-tables.ts';

/** What {@link repair} did. */
export interface Repairs {
  /** Rows of actors and timers that were put into the quarantine. */
  readonly quarantined: number;
  /** Trees whose rows add up again. */
  readonly digests: number;
}

/** Mends indexes, orphans and digests. Throws STORE_OWNED, and what is wrong with the file. */
export function repair(path: string, clock: Clock): Repairs {
  return owning(path, (db) => {
    db.exec('reindex');
    return db
      .transaction(() => {
        const turn = nextTurn(db);
        db.function('perdure_turn', () => turn);
        const quarantined = quarantineOrphans(db, clock.now());
        return { quarantined, digests: recount(db) };
      })
      .immediate();
  });
}

/** A damaged tree, and the turn of the checkpoint that it went back to; null where no checkpoint is whole. */
export interface RestoredTree {
  readonly tree: string;
  readonly turn: number | null;
  /** What happened, or what was wrong. */
  readonly detail: string;
}

/**
 * Takes every tree whose rows are damaged back to its newest checkpoint that is whole. Throws STORE_OWNED, KEY_UNKNOWN for a
 * store that is encrypted (open it with `onDamage: 'checkpoint'`), and what is wrong with the file.
 */
export function restoreDamaged(path: string, clock: Clock): RestoredTree[] {
  return owning(path, (db) =>
    db
      .transaction(() => {
        const statements = new Statements(db);
        const rows = statements.of('select * from trees order by tree').all() as TreeRow[];
        return rows.flatMap((tree) => restoreIfDamaged(db, tree, clock.now()) ?? []);
      })
      .immediate(),
  );
}

function restoreIfDamaged(db: Db, tree: TreeRow, at: number): RestoredTree | undefined {
  const statements = new Statements(db);
  const damage = damageOf(statements, tree);
  if (damage === undefined) return undefined;
  const tables = rolledBackTables(statements);
  if (areShared(statements, tables)) {
    const detail = `${damage}; the store has other trees, and tables that may be theirs: restore it from its host`;
    return { tree: tree.name, turn: null, detail };
  }
  const turn = nextTurn(db);
  db.function('perdure_turn', () => turn);
  const [payloads, now, check] = [new Payloads({}), { turn, at }, () => undefined];
  const fallen = fallBack({ statements, payloads, tree, tables, now, reason: damage, check });
  if (fallen === undefined) return { tree: tree.name, turn: null, detail: damage };
  const { kind, detail } = fallen.incident;
  const note = 'insert into incidents(at, tree, actor, kind, detail) values (?, ?, null, ?, ?)';
  statements.of(note).run(at, tree.tree, kind, detail);
  return { tree: tree.name, turn: fallen.turn, detail };
}

/** Lets an older copy of a store take its place: its next owner begins a new generation. Throws STORE_OWNED. */
export function acceptOlder(path: string, clock: Clock): void {
  owning(path, (db) => markCopy(db, clock.now()));
}

function owning<T>(path: string, work: (db: Db) => T): T {
  const lock = acquireLock(path);
  let db: Db | undefined;
  try {
    db = openDatabase(path, 'power-loss', true);
    refuseOlder(db, path);
    return work(db);
  } catch (error) {
    throw sqliteError(error, path);
  } finally {
    db?.close();
    lock.release();
  }
}

/** Takes the next turn for itself: rows that end with it must not seem to end with another. */
function nextTurn(db: Db): number {
  const turn = db.prepare(`select value from meta where key = 'turn_limit'`).pluck().get() as number;
  db.prepare(`update meta set value = value + 1 where key = 'turn_limit'`).run();
  return turn;
}

const ORPHANS = [
  // A child of an orphan is one itself, so this is asked until there is none.
  `select * from actors as a where tree not in (select tree from trees)
     or (parent is not null and not exists (select 1 from actors as p where p.id = a.parent and p.tree = a.tree))`,
  'select * from timers where source not in (select id from actors)',
] as const;

function quarantineOrphans(db: Db, now: number): number {
  const keep = db.prepare('insert into quarantine(at, tree, actor, reason, cells) values (?, ?, ?, ?, ?)');
  let moved = 0;
  for (const [table, sql] of [
    ['actors', ORPHANS[0]],
    ['timers', ORPHANS[1]],
  ] as const) {
    const remove = db.prepare(`delete from ${table} where id = ?`);
    for (let found = db.prepare(sql).all(); found.length > 0; found = db.prepare(sql).all()) {
      for (const row of found as { id: number; tree: number; key: string }[]) {
        keep.run(now, row.tree, row.key, `orphan of ${table}`, JSON.stringify(row));
        remove.run(row.id);
        moved += 1;
      }
    }
  }
  return moved;
}

/** The digests of the trees whose rows are all sound. One that has no actor is not made whole by this. */
function recount(db: Db): number {
  const trees = db.prepare('select tree, digest from trees').all() as { tree: number; digest: number | null }[];
  const actors = db.prepare('select * from actors where tree = ?');
  const timers = db.prepare('select * from timers where tree = ?');
  let changed = 0;
  for (const { tree, digest } of trees) {
    const seeds = (actors.all(tree) as ActorRow[]).map(verify);
    const checksums = (timers.all(tree) as TimerRow[]).map((row) => (isSoundTimer(row) ? row.checksum : undefined));
    const parts = [...seeds, ...checksums];
    if (seeds.length === 0 || parts.includes(undefined)) continue;
    const found = (parts as number[]).reduce((sum, part) => sum ^ part, 0);
    if (found === digest) continue;
    db.prepare('update trees set digest = ? where tree = ?').run(found, tree);
    changed += 1;
  }
  return changed;
}
