/**
 * The file of a store, and who owns it: the lock, the connection, the numbers that are given out.
 *
 * F1  One owner: it holds the lock, and its epoch is checked in every commit, in case the lock was got round.
 * F2  Turn numbers and row ids are never given twice, not even after a crash: they are reserved in blocks, on disk. A copy
 *     of the store would give them again, so it begins a new generation (copies.ts).
 * F3  The database and its write-ahead log are the files that were opened: a commit into others would be lost. Their folder
 *     tells when to look: asked for its times before every commit, the log itself would have to write them down with each.
 */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { PerdureError } from '../errors.ts';
import type { CopyProgress } from './backup.ts';
import type { Clock } from './clock.ts';
import { erasePlainCommands } from './commands.ts';
import { CopyThreads } from './copy-thread.ts';
import { unmarkCopy } from './copies.ts';
import { acquireLock, realPath, type Lock } from './lock.ts';
import { inspectLog, type LogDamage } from './log-check.ts';
import { Statements } from './rows.ts';
import { createTable, type TableSpec } from './schema.ts';
import { BUSY_TIMEOUT_MS, openDatabase, sqliteError, type Db, type Durability } from './sqlite.ts';
import { renewTrees, verifyTrees } from './tree-rows.ts';
import { upgrade } from './upgrades.ts';
import { noteStaying } from './versioned-tables.ts';

const TURN_BLOCK = 1_024;
const ID_BLOCK = 65_536;
/** How long the last checkpoint waits for who reads from the log. */
const LAST_READERS_MS = 1_000;

export interface StoreFileOptions {
  readonly clock: Clock;
  readonly newId: () => string;
  readonly durability: Durability;
  /** Whether nothing is left in the files of what was deleted or replaced. */
  readonly erases: boolean;
}

export class StoreFile {
  readonly path: string;
  readonly statements: Statements;
  /** The store's own id: part of the keys of its effects. */
  readonly id: string;
  /** The generation of the trees that are made now: part of the keys of their effects. */
  readonly generation: number;
  /** What was wrong with the log that an earlier life left. */
  readonly damage: LogDamage | undefined;
  /** The turn that is being built. */
  turn: number;
  /** For tests of what follows when the file fails: told the connection before every transaction. */
  beforeTransaction: ((db: Db) => void) | undefined;
  readonly #options: StoreFileOptions;
  readonly #lock: Lock;
  readonly #epoch: number;
  #db: Db;
  readonly #realPath: string;
  /** The inodes of the database and of its log; undefined until they are known. */
  #inodes: string | undefined;
  /** When the folder of the files last changed, as far as that was looked at. */
  #folderChanged = 0;
  #turnLimit: number;
  #nextId: number;
  #idLimit: number;
  #limitsChanged = false;
  #hasGoodTrees = false;
  readonly #copies = new CopyThreads();

  /** Opens the file, or creates it, and owns it. */
  constructor(path: string, options: StoreFileOptions) {
    this.path = path;
    this.#options = options;
    this.#lock = acquireLock(path);
    this.#realPath = realPath(path);
    let db: Db | undefined;
    try {
      this.damage = inspectLog(this.#realPath);
      this.#db = db = this.#connect();
      upgrade(db);
      this.statements = new Statements(db);
      const { id, epoch, generation } = this.#takeOver();
      this.id = id;
      this.#epoch = epoch;
      this.generation = generation;
      const { turn, nextId } = this.#limits();
      this.turn = this.#turnLimit = turn;
      this.#nextId = this.#idLimit = nextId;
      this.#inodes = this.#inodesNow();
    } catch (error) {
      db?.close();
      this.#lock.release();
      throw sqliteError(error, path);
    }
  }

  /**
   * Opens the file anew, after an error that left the connection in doubt. Throws STORE_STOLEN when another runtime has
   * taken it over, and STORE_FAILED while it still cannot be written.
   */
  reconnect(): void {
    this.#disconnect();
    this.#inodes = undefined;
    try {
      this.#db = this.#connect();
      this.statements.use(this.#db);
      this.beforeTransaction?.(this.#db);
      // A write, because a full disk can still be read.
      this.#db.transaction(() => (this.assertOwner(), this.#sayOwner())).immediate();
      // What was given out may or may not be on disk; what lies beyond the reserved blocks is not.
      const { turn, nextId } = this.#limits();
      this.turn = this.#turnLimit = Math.max(turn, this.#turnLimit);
      this.#nextId = this.#idLimit = Math.max(nextId, this.#idLimit);
      this.#inodes = this.#inodesNow();
    } catch (error) {
      throw sqliteError(error, this.path);
    }
  }

  get inTransaction(): boolean {
    return this.#db.inTransaction;
  }

  /** Creates the tables of a subsystem where they do not exist yet. */
  declare(tables: readonly TableSpec[]): void {
    try {
      this.#db
        .transaction(() => {
          this.assertOwner();
          tables.forEach((table) => createTable(this.#db, table));
          noteStaying(this.#db, tables);
        })
        .immediate();
    } catch (error) {
      throw sqliteError(error, this.path);
    }
  }

  /** Copies the file while turns go on. */
  backup(target: string, pages: number, progress: (report: CopyProgress) => void): Promise<void> {
    return this.#copies.copy(this.#realPath, target, pages, progress);
  }

  nextId(): number {
    if (this.#nextId >= this.#idLimit) {
      this.#idLimit = this.#nextId + ID_BLOCK;
      this.#limitsChanged = true;
    }
    return this.#nextId++;
  }

  begin(): void {
    this.beforeTransaction?.(this.#db);
    this.statements.of('begin immediate').run();
  }

  rollback(): void {
    if (this.#db.inTransaction) this.statements.of('rollback').run();
  }

  /** Commits the turn, if the file is still ours. */
  commit(): void {
    if (this.turn >= this.#turnLimit) {
      this.#turnLimit = this.turn + TURN_BLOCK;
      this.#limitsChanged = true;
    }
    if (this.#limitsChanged) this.#saveLimits(this.#turnLimit, this.#idLimit);
    this.assertOwner();
    this.statements.of('commit').run();
    this.#limitsChanged = false;
    this.turn += 1;
  }

  /**
   * Moves the log into the database. Gives by how many bytes the log's file became shorter. No transaction may be open.
   * While somebody reads from it for longer than `waitMs`, some of it stays.
   */
  truncateLog(waitMs = 0): number {
    const size = () => statSync(`${this.#realPath}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    const before = size();
    try {
      this.#db.pragma(`busy_timeout = ${waitMs}`);
      this.#db.pragma('wal_checkpoint(TRUNCATE)');
      return Math.max(0, before - size());
    } catch (error) {
      throw sqliteError(error, this.path);
    } finally {
      this.#db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
    }
  }

  /** The last commit: gives back the turns and ids that were reserved and not used, and erases what is to be. */
  leave(): void {
    const { erases } = this.#options;
    // What is moved is not to be on the disk elsewhere.
    if (erases) this.#db.pragma('temp_store = MEMORY');
    this.begin();
    this.#saveLimits(this.turn, this.#nextId);
    if (erases) erasePlainCommands(this.statements);
    this.assertOwner();
    this.statements.of('commit').run();
    if (erases) this.#eraseLog();
  }

  close(): void {
    this.#disconnect();
    this.#lock.release();
  }

  assertOwner(): void {
    const { value } = this.statements.of(`select value from meta where key = 'epoch'`).get() as { value: number };
    if (value !== this.#epoch) {
      throw new PerdureError(
        'STORE_STOLEN',
        `The store ${this.path} was taken over by another runtime (epoch ${value}, ours is ${this.#epoch}): nothing was committed.`,
        { facts: { path: this.path, epoch: value, ours: this.#epoch } },
      );
    }
    this.#assertFiles();
  }

  #connect(): Db {
    const db = openDatabase(this.path, this.#options.durability, this.#options.erases);
    db.function('perdure_turn', () => this.turn);
    return db;
  }

  #disconnect(): void {
    this.#cancelCopies();
    this.#db.close();
  }

  /** The log holds what was erased in the database, and stays when somebody else has the store open. */
  #eraseLog(): void {
    this.#cancelCopies();
    this.truncateLog(LAST_READERS_MS);
  }

  #cancelCopies(): void {
    this.#copies.cancel(new PerdureError('STORE_CLOSED', `The store ${this.path} was closed while it was copied.`));
  }

  /** F3. */
  #assertFiles(): void {
    if (this.#inodes === undefined) return;
    const { mtimeMs } = statSync(dirname(this.#realPath));
    if (mtimeMs === this.#folderChanged) return;
    this.#folderChanged = mtimeMs;
    if (this.#inodesNow() !== this.#inodes) throw filesLost(this.path);
  }

  #inodesNow(): string {
    const inodes = ['', '-wal'].map((end) => statSync(this.#realPath + end, { throwIfNoEntry: false })?.ino ?? 0);
    return inodes.join(' ');
  }

  #takeOver(): { id: string; epoch: number; generation: number } {
    // What the lock's file remembers must not outlive what it says, also where an owner's commits may be lost.
    this.#db.pragma('synchronous = FULL');
    const taken = this.#db
      .transaction(() => {
        if (this.#read('id') === undefined) this.#put('id', this.#options.newId());
        const id = this.#read('id') as string;
        const isCopy = unmarkCopy(this.#db);
        const [last, newest] = [(this.#read('epoch') as number | undefined) ?? 0, this.#lock.epochOf(id)];
        if (last < newest && !isCopy) throw older(this.path, last, newest);
        const epoch = Math.max(last, newest) + 1;
        this.#put('epoch', epoch);
        this.#sayOwner();
        return { id, epoch, generation: this.#generation(isCopy) };
      })
      .immediate();
    if (this.#options.durability === 'process-crash') this.#db.pragma('synchronous = NORMAL');
    this.#lock.remember(taken.id, taken.epoch);
    return taken;
  }

  /** A copy begins one that no other copy of the same store has. */
  #generation(isCopy: boolean): number {
    const last = (this.#read('generation') as number | undefined) ?? 1;
    if (!isCopy) return last;
    const next = Math.max(last + 1, Math.floor(this.#options.clock.now()));
    this.#put('generation', next);
    renewTrees(this.statements, next);
    return next;
  }

  #sayOwner(): void {
    this.#put('owner', JSON.stringify({ pid: process.pid, since: this.#options.clock.now() }));
  }

  /** Looks once whether every tree is found by its name: before a name that is not found makes a new tree. */
  verifyTrees(): void {
    if (this.#hasGoodTrees) return;
    verifyTrees(this.statements);
    this.#hasGoodTrees = true;
  }

  #limits(): { turn: number; nextId: number } {
    return {
      turn: (this.#read('turn_limit') as number | undefined) ?? 1,
      nextId: (this.#read('id_limit') as number | undefined) ?? 1,
    };
  }

  #saveLimits(turnLimit: number, idLimit: number): void {
    this.#put('turn_limit', turnLimit);
    this.#put('id_limit', idLimit);
  }

  #read(key: string): unknown {
    return (this.statements.of('select value from meta where key = ?').get(key) as { value: unknown } | undefined)
      ?.value;
  }

  #put(key: string, value: number | string): void {
    this.statements
      .of('insert into meta values (?, ?) on conflict(key) do update set value = excluded.value')
      .run(key, value);
  }
}

function older(path: string, found: number, newest: number): PerdureError {
  return new PerdureError(
    'STORE_OLDER',
    `The store ${path} is an older copy of the one that was here (owner ${found} of ${newest}): what it gives out was given ` +
      'out before. Nothing was changed. Put the newer file back, or run `perdure doctor --accept-older`, which begins anew from it.',
    { facts: { path, epoch: found, newest } },
  );
}

function filesLost(path: string): PerdureError {
  return new PerdureError(
    'STORE_REPLACED',
    `The database ${path}, or its write-ahead log, was removed or replaced while the store was open: nothing more is committed. ` +
      'Stop whatever touches the files of an open store, and copy stores with backup() only.',
    { facts: { path } },
  );
}
