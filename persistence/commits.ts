/**
 * Collects the turns of the trees of one store into batches, and commits them.
 *
 *   turn ──> #batch ──(setImmediate)──> flush ──> #write ──> #release
 *                                          │         │
 *                                          │         └─ a refusal: the turns of that tree again, in halves (isolation.ts)
 *                                          └─────────── an SQLite error: #failStop, and the file again (reopening.ts)
 *
 * What a commit gathers is in batch.ts, and how it is written in transaction.ts.
 *
 * S1  Nothing is acknowledged, started or announced before the transaction that holds its turn is committed.
 * S3  After an SQLite error the outcome of the commit is unknown: everything pending is rejected, nothing is accepted,
 *     and only what is read back from the file counts. The file is opened again until it can be written.
 */
import { PerdureError } from '../errors.ts';
import { Batch, NOBODY, type CommitReport, type Incident, type Participant, type Stimulus } from './batch.ts';
import type { Clock } from './clock.ts';
import type { History } from './history.ts';
import { Isolation } from './isolation.ts';
import type { Payloads } from './payloads.ts';
import { Reopening } from './reopening.ts';
import { TurnRows, type Batching, type Cell, type Statements, type TurnName } from './rows.ts';
import { isStoreFailure, sqliteError } from './sqlite.ts';
import type { StoreFile } from './store-file.ts';
import { Transaction, type TransactionOptions } from './transaction.ts';
import { isRefusal, verdictOn } from './verdict.ts';
import type { Versions } from './versions.ts';

/** Turns in one commit; a larger batch is committed at once, so that its age and its size stay bounded. */
const BATCH_LIMIT = 2_048;

/** The incident of what was written outside of any turn, when the store failed. */
const ROWS_LOST = 'rows.lost';

export interface CommitOptions extends TransactionOptions {
  readonly onCommit: ((report: CommitReport) => void) | undefined;
  /** Told when a store that failed is open again, after its trees. */
  readonly onReopen?: () => void;
}

export class Commits implements Batching {
  readonly file: StoreFile;
  /** Told of every commit, after the host: telemetry. */
  readonly reports = new Set<(report: CommitReport) => void>();
  readonly clock: Clock;
  readonly payloads: Payloads;
  readonly rows: TurnRows;
  readonly history: History | undefined;
  readonly versions: Versions;
  readonly #options: CommitOptions;
  readonly #participants = new Map<string, Participant>();
  readonly #transaction: Transaction;
  readonly #reopening: Reopening;
  readonly #isolation: Isolation;
  #batch = new Batch();
  #scheduled: NodeJS.Immediate | undefined;

  constructor(file: StoreFile, options: CommitOptions) {
    this.file = file;
    this.clock = options.clock;
    this.payloads = options.payloads;
    this.history = options.history;
    this.versions = options.versions;
    this.#options = options;
    this.rows = new TurnRows(file.statements, this, options.payloads);
    this.#transaction = new Transaction(file, options);
    this.#reopening = new Reopening(file, {
      reopened: () => this.#reopened(),
      gaveUp: (error) => this.#failStop(new Batch(), error),
    });
    this.#isolation = new Isolation(this, this.#transaction, {
      gathering: () => this.#batch,
      take: () => this.#take(),
      schedule: () => this.#schedule(),
      run: (stimulus) => this.#run(stimulus),
      deliver: (stimulus) => this.#deliver(stimulus),
      write: (batch) => this.#write(batch),
      release: (batch) => this.#release(batch),
      failStop: (batch, error) => this.#failStop(batch, error),
    });
  }

  get path(): string {
    return this.file.path;
  }

  get statements(): Statements {
    return this.file.statements;
  }

  /** The turn that is being built. */
  get turn(): number {
    return this.file.turn;
  }

  get isOpen(): boolean {
    return this.#reopening.isOpen;
  }

  get isClosed(): boolean {
    return this.#reopening.isClosed;
  }

  nextId(): number {
    return this.file.nextId();
  }

  /** The live tree of this name. */
  participant(id: string): Participant | undefined {
    return this.#participants.get(id);
  }

  /** Whether something of the tree waits for the next commit. */
  isPending(participant: Participant): boolean {
    return this.#isolation.isUnderWay || this.#batch.participants.has(participant);
  }

  /** Writes rows of nobody's tree; resolves when they are committed. */
  transact(write: () => void, participant: Participant = NOBODY): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#run({ participant, cause: { kind: 'send' }, deliver: write, resolve, reject });
    });
  }

  /** Runs a turn, or rejects its stimulus. */
  #run(stimulus: Stimulus): void {
    try {
      this.run(stimulus);
    } catch (error) {
      stimulus.reject(error as PerdureError);
    }
  }

  /** Makes the tree this participant's. Throws STORE_OWNED while another has it: two live copies would undo each other. */
  join(participant: Participant): void {
    this.assertOpen();
    if (this.#participants.has(participant.id)) {
      throw new PerdureError(
        'STORE_OWNED',
        `The tree "${participant.id}" of the store ${this.path} is live already: close it first.`,
        { facts: { path: this.path, tree: participant.id }, retryable: true },
      );
    }
    this.#participants.set(participant.id, participant);
  }

  /** The tree is not live any more; what it had not committed is rejected. */
  leave(participant: Participant, reason: PerdureError): void {
    if (this.#participants.get(participant.id) === participant) this.#participants.delete(participant.id);
    const batch = this.#batch;
    if (!batch.participants.delete(participant)) return;
    const isOwn = (stimulus: Stimulus) => stimulus.participant === participant;
    const own = batch.stimuli.filter(isOwn);
    batch.stimuli = batch.stimuli.filter((stimulus) => !isOwn(stimulus));
    for (const stimulus of own) stimulus.reject(reason);
  }

  /** Runs a turn now; its stimulus is settled when it is committed. */
  run(stimulus: Stimulus): void {
    this.assertOpen();
    if (this.#isolation.isUnderWay) return this.#isolation.postpone(stimulus);
    this.#deliver(stimulus);
    if (this.#batch.stimuli.length >= BATCH_LIMIT) this.flush();
  }

  #deliver(stimulus: Stimulus): void {
    const given = this.#isolation.reasonOf(stimulus.participant);
    if (given !== undefined) throw given;
    this.touch(stimulus.participant);
    try {
      // After a refusal every turn of the tree runs again: what the condemned tree says now does not count.
      const { condemned, number } = stimulus.participant;
      if (!condemned && this.#transaction.condemned === undefined && !this.#batch.condemned.has(number)) {
        this.rows.inTurnOf(number, () => stimulus.deliver());
      }
    } catch (error) {
      this.statementThrew(error);
      throw verdictOn(error, this.path);
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
    if (this.#transaction.takesWrites()) return;
    this.assertOpen();
    this.#transaction.begin();
    // Whoever writes, also outside of a turn: an open transaction keeps other processes from leaving commands.
    this.#schedule();
  }

  afterCommit(fn: (commit?: CommitReport) => void, tree: number | undefined): void {
    this.#batch.afterCommit.push({ tree, fn });
  }

  nameTurn(name: TurnName, tree: number | undefined): void {
    if (tree !== undefined) this.#batch.writers.add(tree);
    this.#batch.names.push({ tree, name });
  }

  unnamed(turn: number): void {
    this.versions.unnamed(turn, this.turn);
  }

  /** Writes with the rows of the tree, in the turn that runs: what is undone if the tree cannot be stored, and with no other. */
  alongside(participant: Participant, write: () => void): void {
    const writes = this.#batch.alongside.get(participant);
    if (writes === undefined) this.#batch.alongside.set(participant, [write]);
    else writes.push(write);
  }

  wrote(tree: number | undefined, sql: string, cells: readonly Cell[]): void {
    if (tree === undefined) this.#batch.loose.push([sql, cells]);
    else this.#batch.writers.add(tree);
  }

  /** Counts what is written, for {@link CommitReport}. */
  count(rows: number, bytes: number): void {
    this.#transaction.count(rows, bytes);
  }

  /** Commits what is pending, now. */
  flush(): void {
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    const { participants, incidents } = this.#batch;
    const { isBegun, condemned } = this.#transaction;
    const isEmpty = participants.size === 0 && incidents.length === 0 && !isBegun && condemned === undefined;
    if (!this.isOpen || isEmpty) return;
    const batch = this.#take();
    try {
      this.#write(batch);
    } catch (error) {
      const verdict = verdictOn(error, this.path);
      if (isRefusal(verdict)) this.#isolation.isolateWriters(batch, verdict);
      else {
        this.#transaction.rollback();
        this.#failStop(batch, verdict);
      }
      return;
    }
    if (batch.refused === undefined) this.#release(batch);
    else this.#isolation.releaseOthers(batch, batch.refused);
  }

  /** Ends the batch that gathers now, and begins the next. */
  #take(): Batch {
    const batch = this.#batch;
    this.#batch = new Batch();
    return batch;
  }

  /** A failure of the store is told in our words, and ends the batch even when whoever ran the statement goes on. */
  statementThrew(error: unknown): unknown {
    if (!isStoreFailure(error)) return error;
    this.condemn(error);
    this.#schedule();
    return sqliteError(error, this.path);
  }

  condemn(error: unknown, tree?: number): void {
    const verdict = verdictOn(error, this.path);
    if (tree === undefined || !isRefusal(verdict)) this.#transaction.condemn(verdict);
    else if (!this.#batch.condemned.has(tree)) this.#batch.condemned.set(tree, verdict);
  }

  /** Commits what is pending, and lets go of the file. Throws when that fails, and somebody else is not told. */
  close(): void {
    if (this.isClosed) return;
    this.settle();
    const lost = this.isOpen ? undefined : this.#batch.incidents.find(({ kind }) => kind === ROWS_LOST);
    try {
      if (this.isOpen) this.file.leave();
    } catch (error) {
      this.drop(sqliteError(error, this.path));
      throw sqliteError(error, this.path);
    }
    this.drop(new PerdureError('STORE_CLOSED', `The store ${this.path} was closed.`));
    if (lost !== undefined) throw new PerdureError('STORE_FAILED', lost.detail, { facts: { path: this.path } });
  }

  /** Commits what is pending, and what the trees want noted before the store is closed. */
  settle(): void {
    if (!this.isOpen) return;
    for (const participant of this.#participants.values()) participant.closing();
    this.flush();
  }

  /** Lets go of the file as a killed process would: nothing pending is committed. */
  drop(error: PerdureError): void {
    if (this.isClosed) return;
    if (this.isOpen) this.#transaction.rollback();
    this.#reopening.close();
    clearImmediate(this.#scheduled);
    const batch = this.#take();
    for (const participant of Array.from(this.#participants.values())) participant.failed(error);
    for (const stimulus of batch.stimuli) stimulus.reject(error);
    this.file.close();
  }

  /** Throws unless turns are accepted. */
  assertOpen(): void {
    this.#reopening.assertOpen();
  }

  /** Takes a message id for a tree; false if it was taken before. Ids are kept for `dedupeForMs`. */
  accept(id: string, tree: number): boolean {
    const fresh = this.#transaction.ids.accept(id, tree);
    if (fresh) this.count(1, id.length);
    return fresh;
  }

  /** Whether a tree took this message id before. */
  hasAccepted(id: string, tree: number): boolean {
    return this.#transaction.ids.has(id, tree);
  }

  #write(batch: Batch): void {
    const started = this.#transaction.now();
    if (this.#transaction.condemned !== undefined) throw this.#transaction.condemned;
    this.begin();
    this.#transaction.write(batch, started);
    this.#reopening.proved();
  }

  #release(batch: Batch): void {
    const turn = this.turn - 1;
    const { report } = batch;
    if (report !== undefined) for (const hear of [this.#options.onCommit, ...this.reports]) tell(hear, report);
    for (const stimulus of batch.stimuli) stimulus.resolve(turn);
    for (const { fn } of batch.afterCommit) tell(fn, batch.report);
    for (const participant of batch.participants) {
      this.#isolation.stored(participant);
      participant.committed(turn);
    }
  }

  /** Notes what went wrong and was not told to anybody, with the next commit. */
  incident(incident: Incident): void {
    this.assertOpen();
    this.#batch.incidents.push(incident);
    this.#schedule();
  }

  /** S3. */
  #failStop(batch: Batch, error: PerdureError): void {
    const pending = [...batch.stimuli, ...this.#batch.stimuli];
    // Those of turns are undone with them, or stored with them.
    const incidents = [...batch.incidents, ...this.#batch.incidents].filter(({ isOfTurn }) => isOfTurn !== true);
    const loose = [...batch.loose, ...this.#batch.loose];
    this.#batch = new Batch();
    this.#batch.incidents.push(...incidents, ...loose.map(([sql]) => lost(sql, error)));
    const passing = this.#reopening.fail(error);
    for (const participant of Array.from(this.#participants.values())) {
      if (passing) participant.suspended(error);
      else participant.failed(error);
    }
    for (const stimulus of pending) stimulus.reject(error);
    if (passing) this.#reopening.later();
    else this.file.close();
  }

  #reopened(): void {
    for (const participant of Array.from(this.#participants.values())) {
      if (this.isOpen) this.#isolation.reload(participant);
    }
    try {
      if (this.isOpen) this.#options.onReopen?.();
    } catch (error) {
      if (!isStoreFailure(error)) throw error;
      this.#failStop(new Batch(), sqliteError(error, this.path));
    }
  }
}

/** Who wrote outside of any turn was told that the row is written, and has nobody to be told otherwise. */
function lost(sql: string, { message }: PerdureError): Incident {
  return { kind: ROWS_LOST, detail: `What was written outside of any turn may not be on disk: ${sql}: ${message}` };
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
