/**
 * One SQLite file and its one owner: collects the turns of its trees into batches and commits them.
 *
 *   turn ──> #batch ──(setImmediate)──> flush ──> #write ──> #release
 *                                          │         │
 *                                          │         └─ a refusal: #isolate (each turn again, alone)
 *                                          └─────────── an SQLite error: #failStop
 *
 * S1  Nothing is acknowledged, started or announced before the transaction that holds its turn is committed.
 * S2  A turn that cannot be made durable fails alone: the other turns of its batch are committed.
 * S3  After an SQLite error the outcome of the commit is unknown: everything pending is rejected, nothing is accepted,
 *     and only what is read back from the file counts.
 * S4  Turn numbers and row ids are never given twice, not even after a crash: they are reserved in blocks, on disk.
 * S5  A commit of an owner whose store was taken over fails.
 */
import { PerdureError, isPerdureError, messageOf } from '../errors.ts';
import { AcceptedIds } from './accepted-ids.ts';
import { nameTurn } from './checkpoints.ts';
import { systemClock, type Clock } from './clock.ts';
import { acquireLock, type Lock } from './lock.ts';
import { describeDamage, inspectLog } from './log-check.ts';
import { Statements, TurnRows, type Batching, type TurnName } from './rows.ts';
import { createTable, migrate, type TableSpec } from './schema.ts';
import { isStoreFailure, openDatabase, sqliteError, type Db, type Durability } from './sqlite.ts';

const TURN_BLOCK = 1_024;
const ID_BLOCK = 65_536;
/** Turns in one commit; a larger batch is committed at once, so that its age and its size stay bounded. */
const BATCH_LIMIT = 2_048;

/** What every commit tells. */
export interface CommitReport {
  readonly turn: number;
  readonly rows: number;
  readonly bytes: number;
  readonly ms: number;
}

export interface StoreOptions {
  readonly clock?: Clock;
  /** Ids of what the store makes. Default: random UUIDs. */
  readonly newId?: () => string;
  readonly durability?: Durability;
  readonly onCommit?: (report: CommitReport) => void;
  /** How long the id of an accepted message is kept. Default: 7 days, in ms. */
  readonly dedupeForMs?: number;
}

/** A tree, as the store sees it. */
export interface Participant {
  /** The name of the tree. */
  readonly id: string;
  /** Something that cannot be stored appeared in it: nothing of the open batch will be committed as it is. */
  readonly condemned: boolean;
  /** Writes what changed. Throws what cannot be made durable. */
  write(turn: number): void;
  /** The turn is on disk. */
  committed(turn: number): void;
  /** Its turns were rolled back: go back to what is on disk. */
  reload(): void;
  /** The store failed. */
  failed(error: PerdureError): void;
}

/** What begins a turn. */
export interface Stimulus {
  readonly participant: Participant;
  deliver(): void;
  resolve(turn: number): void;
  reject(error: PerdureError): void;
}

class Batch {
  readonly stimuli: Stimulus[] = [];
  readonly participants = new Set<Participant>();
  readonly afterCommit: (() => void)[] = [];
  readonly names: TurnName[] = [];
  report: CommitReport | undefined;
}

type Status =
  { readonly kind: 'open' } | { readonly kind: 'failed'; readonly error: PerdureError } | { readonly kind: 'closed' };

export class Store implements Batching {
  readonly path: string;
  readonly clock: Clock;
  readonly id: string;
  readonly statements: Statements;
  readonly rows: TurnRows;
  readonly #db: Db;
  readonly #lock: Lock;
  readonly #options: StoreOptions;
  readonly #epoch: number;
  readonly #participants = new Set<Participant>();
  readonly #ids: AcceptedIds;
  #status: Status = { kind: 'open' };
  #batch = new Batch();
  /** What is sent while turns are run again alone; it comes after them. */
  #postponed: Stimulus[] | undefined;
  #scheduled: NodeJS.Immediate | undefined;
  #begun = false;
  #turn: number;
  #turnLimit: number;
  #nextId: number;
  #idLimit: number;
  #limitsChanged = false;
  #written = { rows: 0, bytes: 0 };
  /** Why the open batch must not be committed, though XState made an error of some actor of it. */
  #condemned: PerdureError | undefined;

  /** Opens the file, or creates it, and owns it. Throws STORE_OWNED, STORE_NOT_A_DATABASE, STORE_NEWER and their like. */
  static open(path: string, options: StoreOptions = {}): Store {
    const lock = acquireLock(path);
    let db: Db | undefined;
    try {
      const damage = inspectLog(path);
      db = openDatabase(path, options.durability ?? 'power-loss');
      migrate(db);
      const store = new Store(path, db, lock, options);
      if (damage !== undefined) store.incident('log.damaged', describeDamage(damage));
      return store;
    } catch (error) {
      db?.close();
      lock.release();
      throw sqliteError(error, path);
    }
  }

  private constructor(path: string, db: Db, lock: Lock, options: StoreOptions) {
    this.path = path;
    this.clock = options.clock ?? systemClock;
    this.#db = db;
    this.#lock = lock;
    this.#options = options;
    this.statements = new Statements(db);
    this.rows = new TurnRows(this.statements, this);
    this.#ids = new AcceptedIds(this.statements, this, options.dedupeForMs);
    const { id, epoch, turnLimit, idLimit } = this.#takeOver();
    this.id = id;
    this.#epoch = epoch;
    this.#turn = this.#turnLimit = turnLimit;
    this.#nextId = this.#idLimit = idLimit;
  }

  /** The turn that is being built. */
  get turn(): number {
    return this.#turn;
  }

  get isOpen(): boolean {
    return this.#status.kind === 'open';
  }

  /** Creates the tables of a subsystem where they do not exist yet. */
  declare(tables: readonly TableSpec[]): void {
    try {
      this.#db.transaction(() => tables.forEach((table) => createTable(this.#db, table))).immediate();
    } catch (error) {
      throw sqliteError(error, this.path);
    }
  }

  /** Makes the tree this participant's. Throws STORE_OWNED while another has it: two live copies would undo each other. */
  join(participant: Participant): void {
    for (const { id } of this.#participants) {
      if (id !== participant.id) continue;
      throw new PerdureError(
        'STORE_OWNED',
        `The tree "${id}" of the store ${this.path} is live already: close it first.`,
        {
          facts: { path: this.path, tree: id },
          retryable: true,
        },
      );
    }
    this.#participants.add(participant);
  }

  leave(participant: Participant): void {
    this.#participants.delete(participant);
  }

  nextId(): number {
    if (this.#nextId >= this.#idLimit) {
      this.#idLimit = this.#nextId + ID_BLOCK;
      this.#limitsChanged = true;
    }
    return this.#nextId++;
  }

  /** Runs a turn now; its stimulus is settled when it is committed. */
  run(stimulus: Stimulus): void {
    this.assertOpen();
    if (this.#postponed !== undefined) return void this.#postponed.push(stimulus);
    this.#deliver(stimulus);
    if (this.#batch.stimuli.length >= BATCH_LIMIT) this.flush();
  }

  #deliver(stimulus: Stimulus): void {
    this.touch(stimulus.participant);
    try {
      // After a refusal every turn of the batch runs again, alone: what the condemned tree says now does not count.
      if (!stimulus.participant.condemned && this.#condemned === undefined) stimulus.deliver();
    } catch (error) {
      this.statementThrew(error);
      throw this.#verdictOn(error);
    }
    this.#batch.stimuli.push(stimulus);
  }

  /** Notes a stimulus that has been delivered already. */
  note(stimulus: Stimulus): void {
    this.#batch.stimuli.push(stimulus);
    this.touch(stimulus.participant);
  }

  /** The tree has something to write. */
  touch(participant: Participant): void {
    this.#batch.participants.add(participant);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled === undefined && this.isOpen) this.#scheduled = setImmediate(() => this.flush());
  }

  begin(): void {
    if (this.#begun && this.#db.inTransaction) return;
    if (this.#begun) {
      throw (
        this.#condemned ??
        new PerdureError('STORE_FAILED', `The store ${this.path}: SQLite undid the open transaction after an error.`)
      );
    }
    this.assertOpen();
    this.statements.of('begin immediate').run();
    this.#begun = true;
    // Whoever writes, also outside of a turn: an open transaction keeps other processes from leaving commands.
    this.#schedule();
  }

  afterCommit(fn: () => void): void {
    this.#batch.afterCommit.push(fn);
  }

  nameTurn(name: TurnName): void {
    this.#batch.names.push(name);
  }

  /** Counts what is written, for {@link CommitReport}. */
  wrote(rows: number, bytes: number): void {
    this.#written.rows += rows;
    this.#written.bytes += bytes;
  }

  /** Commits what is pending, now. */
  flush(): void {
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    const batch = this.#batch;
    if (!this.isOpen || (batch.participants.size === 0 && !this.#begun)) return;
    this.#batch = new Batch();
    try {
      this.#write(batch);
    } catch (error) {
      const verdict = this.#verdictOn(error);
      this.#rollback();
      if (isRefusal(verdict)) this.#isolate(batch, verdict);
      else this.#failStop(batch, verdict);
      return;
    }
    this.#release(batch);
  }

  statementThrew(error: unknown): void {
    if (isStoreFailure(error)) this.condemn(error);
  }

  condemn(error: unknown): void {
    this.#condemned ??= this.#verdictOn(error);
  }

  /** A failure of the store is the end of it; everything else condemns the one turn that it came from. */
  #verdictOn(error: unknown): PerdureError {
    if (isPerdureError(error)) return error;
    if (isStoreFailure(error)) return sqliteError(error, this.path);
    return new PerdureError('TURN_REFUSED', `The turn could not be stored: ${messageOf(error)}`, { cause: error });
  }

  /** Commits what is pending, and lets go of the file. */
  close(): void {
    if (this.#status.kind === 'closed') return;
    this.flush();
    try {
      if (this.isOpen) this.#giveBack();
    } catch (error) {
      this.drop(sqliteError(error, this.path));
      throw sqliteError(error, this.path);
    }
    this.drop(new PerdureError('STORE_CLOSED', `The store ${this.path} was closed.`));
  }

  /** Lets go of the file as a killed process would: nothing pending is committed. */
  drop(error: PerdureError): void {
    if (this.#status.kind === 'closed') return;
    this.#rollback();
    this.#status = { kind: 'closed' };
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled);
    const batch = this.#batch;
    this.#batch = new Batch();
    for (const stimulus of batch.stimuli) stimulus.reject(error);
    this.#db.close();
    this.#lock.release();
  }

  /** Throws unless turns are accepted. */
  assertOpen(): void {
    if (this.#status.kind !== 'open') throw this.#closedError();
  }

  #closedError(): PerdureError {
    if (this.#status.kind === 'failed') return this.#status.error;
    return new PerdureError('STORE_CLOSED', `The store ${this.path} is closed: open it again.`);
  }

  /** Takes a message id for a tree; false if it was taken before. Ids are kept for `dedupeForMs`. */
  accept(id: string, tree: number): boolean {
    const fresh = this.#ids.accept(id, tree);
    if (fresh) this.wrote(1, id.length);
    return fresh;
  }

  /** Whether a tree took this message id before. */
  hasAccepted(id: string, tree: number): boolean {
    return this.#ids.has(id, tree);
  }

  #takeOver(): { id: string; epoch: number; turnLimit: number; idLimit: number } {
    const put = this.statements.of(
      'insert into meta values (?, ?) on conflict(key) do update set value = excluded.value',
    );
    const get = this.statements.of('select value from meta where key = ?');
    const read = (key: string): unknown => (get.get(key) as { value: unknown } | undefined)?.value;
    return this.#db
      .transaction(() => {
        if (read('id') === undefined) put.run('id', this.#options.newId?.() ?? crypto.randomUUID());
        const epoch = ((read('epoch') as number | undefined) ?? 0) + 1;
        put.run('epoch', epoch);
        put.run('owner', JSON.stringify({ pid: process.pid, since: this.clock.now() }));
        return {
          id: read('id') as string,
          epoch,
          turnLimit: (read('turn_limit') as number | undefined) ?? 1,
          idLimit: (read('id_limit') as number | undefined) ?? 1,
        };
      })
      .immediate();
  }

  #write(batch: Batch): void {
    const started = this.clock.monotonic?.() ?? this.clock.now();
    if (this.#condemned !== undefined) throw this.#condemned;
    this.begin();
    for (const participant of batch.participants) participant.write(this.#turn);
    this.#ids.write();
    nameTurn(this.statements, this.#turn, batch.names);
    if (this.#turn >= this.#turnLimit) {
      this.#turnLimit = this.#turn + TURN_BLOCK;
      this.#limitsChanged = true;
    }
    if (this.#limitsChanged) this.#saveLimits(this.#turnLimit, this.#idLimit);
    this.#assertOwner();
    this.statements.of('commit').run();
    this.#begun = false;
    this.#limitsChanged = false;
    const ms = (this.clock.monotonic?.() ?? this.clock.now()) - started;
    batch.report = { turn: this.#turn, ...this.#written, ms };
    this.#written = { rows: 0, bytes: 0 };
    this.#turn += 1;
  }

  /** The turns and ids that were reserved and not used: they are given back, unless the store is somebody else's by now. */
  #giveBack(): void {
    this.begin();
    this.#assertOwner();
    this.#saveLimits(this.#turn, this.#nextId);
    this.statements.of('commit').run();
    this.#begun = false;
  }

  #saveLimits(turnLimit: number, idLimit: number): void {
    const put = this.statements.of(
      'insert into meta values (?, ?) on conflict(key) do update set value = excluded.value',
    );
    put.run('turn_limit', turnLimit);
    put.run('id_limit', idLimit);
  }

  #assertOwner(): void {
    const { value } = this.statements.of(`select value from meta where key = 'epoch'`).get() as { value: number };
    if (value === this.#epoch) return;
    throw new PerdureError(
      'STORE_STOLEN',
      `The store ${this.path} was taken over by another runtime (epoch ${value}, ours is ${this.#epoch}): nothing was committed.`,
    );
  }

  #release(batch: Batch): void {
    const turn = this.#turn - 1;
    if (batch.report !== undefined) tell(this.#options.onCommit, batch.report);
    for (const stimulus of batch.stimuli) stimulus.resolve(turn);
    for (const fn of batch.afterCommit) fn();
    for (const participant of batch.participants) participant.committed(turn);
  }

  /** S2: nobody has heard of these turns yet, so each may be run again, alone, on what is on disk. */
  #isolate(batch: Batch, refusal: PerdureError): void {
    const outer = this.#postponed;
    this.#postponed ??= [];
    for (const participant of batch.participants) participant.reload();
    let refused = 0;
    for (const stimulus of batch.stimuli) if (!this.#runAlone(stimulus)) refused += 1;
    // An event that came past `send` (a callback's, or one sent to the live actor) has nobody to be rejected to.
    if (refused === 0) this.incident('turn.refused', refusal.message);
    if (outer === undefined) this.#runPostponed();
  }

  #runAlone(stimulus: Stimulus): boolean {
    // What the release of the turn before began is a batch of its own. What a reload began is not: it is undone with the turn.
    if (this.#begun || this.#batch.stimuli.length > 0) this.flush();
    const batch = this.#batch;
    try {
      this.assertOpen();
      this.#deliver(stimulus);
      this.#batch = new Batch();
      this.#write(batch);
    } catch (error) {
      const verdict = this.#verdictOn(error);
      this.#rollback();
      this.#batch = new Batch();
      if (isRefusal(verdict)) {
        this.#postponed?.push(...batch.stimuli.filter((other) => other !== stimulus));
        stimulus.participant.reload();
      } else if (this.isOpen) this.#failStop(batch, verdict);
      stimulus.reject(verdict);
      return false;
    }
    this.#release(batch);
    return true;
  }

  #runPostponed(): void {
    const postponed = this.#postponed ?? [];
    this.#postponed = undefined;
    for (const stimulus of postponed) {
      try {
        this.run(stimulus);
      } catch (error) {
        stimulus.reject(error as PerdureError);
      }
    }
  }

  /** Notes what went wrong and was not told to anybody, with the next commit. */
  incident(kind: string, detail: string): void {
    this.begin();
    this.statements.of('insert into incidents(at, kind, detail) values (?, ?, ?)').run(this.clock.now(), kind, detail);
    this.#schedule();
  }

  #rollback(): void {
    this.#condemned = undefined;
    this.#ids.rollback();
    if (this.#begun && this.#db.inTransaction) this.statements.of('rollback').run();
    this.#begun = false;
    this.#written = { rows: 0, bytes: 0 };
  }

  #failStop(batch: Batch, error: PerdureError): void {
    this.#status = { kind: 'failed', error };
    for (const stimulus of [...batch.stimuli, ...this.#batch.stimuli]) stimulus.reject(error);
    for (const participant of this.#participants) participant.failed(error);
    this.#batch = new Batch();
  }
}

/** Whether the error condemns one turn and not the store. */
function isRefusal({ code }: PerdureError): boolean {
  return !code.startsWith('STORE_');
}

/** A listener of the host that throws is the host's problem: it is reported as an uncaught error, after our own work. */
function tell<T>(listener: ((value: T) => void) | undefined, value: T): void {
  try {
    listener?.(value);
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
  }
}
