/**
 * Collects the turns of the trees of one store into batches, and commits them.
 *
 *   turn ──> #batch ──(setImmediate)──> flush ──> #write ──> #release
 *                                          │         │
 *                                          │         └─ a refusal: #isolate (each turn of that tree again, alone)
 *                                          └─────────── an SQLite error: #failStop ──> #reopen, until it succeeds
 *
 * A tree that is refused is undone by a savepoint, and no other is touched. Rows that it wrote directly (rows.ts) cannot be
 * undone alone: then the transaction is, the other trees that wrote rows directly in this batch run their turns again, and
 * those that did not go into the next batch as they are.
 *
 * S1  Nothing is acknowledged, started or announced before the transaction that holds its turn is committed.
 * S2  A turn that cannot be made durable fails alone: the other turns of its batch are committed.
 * S3  After an SQLite error the outcome of the commit is unknown: everything pending is rejected, nothing is accepted,
 *     and only what is read back from the file counts. The file is opened again until it can be written.
 */
import { PerdureError, isPerdureError, messageOf } from '../errors.ts';
import { AcceptedIds } from './accepted-ids.ts';
import type { Clock } from './clock.ts';
import type { Cause, History } from './history.ts';
import { TurnRows, type Batching, type Cell, type Statements, type TurnName } from './rows.ts';
import { isStoreFailure, sqliteError } from './sqlite.ts';
import type { Payloads } from './payloads.ts';
import type { StoreFile } from './store-file.ts';
import type { Versions } from './versions.ts';

/** Turns in one commit; a larger batch is committed at once, so that its age and its size stay bounded. */
const BATCH_LIMIT = 2_048;
/** How often in a row a tree may be unable to be stored before it is given up. */
const STRIKES = 3;
/** The waits between attempts to open a store that failed: the first, and the longest. */
const REOPEN_MS = { first: 20, longest: 500 };

/** What every commit tells. */
export interface CommitReport {
  readonly turn: number;
  readonly rows: number;
  readonly bytes: number;
  readonly ms: number;
}

/** A tree, as the store sees it. */
export interface Participant {
  /** The name of the tree, and its number. */
  readonly id: string;
  readonly number: number;
  /** Something that cannot be stored appeared in it: nothing of its open turns will be committed as it is. */
  readonly condemned: boolean;
  /** Writes what changed. Throws what cannot be made durable. */
  write(turn: number): void;
  /** The turn is on disk. */
  committed(turn: number): void;
  /** The host closes the store: the last chance to write. */
  closing(): void;
  /** Its turns were undone: go back to what is on disk. Throws what a restore throws. */
  reload(): void;
  /** The store failed, and is being opened again: nothing moves until `reload`. */
  suspended(error: PerdureError): void;
  /** Nothing more of it will ever be committed. */
  failed(error: PerdureError): void;
}

/** What begins a turn. */
export interface Stimulus {
  readonly participant: Participant;
  readonly cause: Cause;
  deliver(): void;
  resolve(turn: number): void;
  reject(error: PerdureError): void;
}

const nothing = () => {};

/** Who writes rows that are no tree's. */
const NOBODY: Participant = {
  id: '',
  number: 0,
  condemned: false,
  write: nothing,
  committed: nothing,
  closing: nothing,
  reload: nothing,
  suspended: nothing,
  failed: nothing,
};

class Batch {
  stimuli: Stimulus[] = [];
  readonly participants = new Set<Participant>();
  afterCommit: { readonly tree: number | undefined; readonly fn: () => void }[] = [];
  /** Rows of the outbox that go with the turn of the tree that takes them. */
  readonly alongside = new Map<Participant, (() => void)[]>();
  readonly names: { readonly tree: number | undefined; readonly name: TurnName }[] = [];
  readonly incidents: Incident[] = [];
  /** The trees that wrote rows directly, by number. */
  readonly writers = new Set<number>();
  /** What was written outside of any turn, to be written again if the transaction is undone. */
  readonly loose: (readonly [sql: string, cells: readonly Cell[]])[] = [];
  /** Trees of which XState made an error of what refuses their turn, by number. */
  readonly condemned = new Map<number, PerdureError>();
  /** Trees that wrote no rows directly are being written. */
  isPastWriters = false;
  report: CommitReport | undefined;
  /** Trees whose turns could not be stored, and why. */
  refused: Map<Participant, PerdureError> | undefined;

  /** Takes over what does not belong to these trees from a batch that was undone. */
  carry(undone: Batch, trees: ReadonlySet<Participant>): void {
    const numbers = new Set(Array.from(trees, ({ number }) => number));
    const isOthers = ({ tree }: { tree: number | undefined }) => tree === undefined || !numbers.has(tree);
    for (const participant of undone.participants) if (!trees.has(participant)) this.participants.add(participant);
    this.stimuli.push(...undone.stimuli.filter(({ participant }) => !trees.has(participant)));
    for (const [participant, writes] of undone.alongside) {
      if (!trees.has(participant)) this.alongside.set(participant, writes);
    }
    this.afterCommit.push(...undone.afterCommit.filter(isOthers));
    this.names.push(...undone.names.filter(isOthers));
    this.incidents.push(...undone.incidents);
  }
}

type Status =
  | { readonly kind: 'open' }
  | { readonly kind: 'failed'; readonly error: PerdureError }
  | { readonly kind: 'closed'; readonly error: PerdureError | undefined };

export interface CommitOptions {
  readonly clock: Clock;
  readonly payloads: Payloads;
  readonly dedupeForMs: number | undefined;
  readonly onCommit: ((report: CommitReport) => void) | undefined;
  readonly versions: Versions;
  /** Undefined where none is kept. */
  readonly history: History | undefined;
  /** Told when a store that failed is open again, after its trees. */
  readonly onReopen?: () => void;
}

/** Something that went wrong and that nobody was told. */
export interface Incident {
  readonly kind: string;
  readonly detail: string;
  /** The tree's number. */
  readonly tree?: number;
  /** The path of the actor. */
  readonly actor?: string;
  /** Whether the same, word for word, is not noted again. */
  readonly once?: boolean;
}

export class Commits implements Batching {
  readonly file: StoreFile;
  readonly clock: Clock;
  readonly payloads: Payloads;
  readonly rows: TurnRows;
  readonly history: History | undefined;
  readonly #options: CommitOptions;
  readonly #participants = new Map<string, Participant>();
  readonly #ids: AcceptedIds;
  #status: Status = { kind: 'open' };
  #batch = new Batch();
  /** What is sent while turns are run again alone; it comes after them. */
  #postponed: Stimulus[] | undefined;
  #scheduled: NodeJS.Immediate | undefined;
  #reopening: NodeJS.Timeout | undefined;
  #reopenMs = REOPEN_MS.first;
  /** Trees that were given up, and why. */
  readonly #given = new WeakMap<Participant, PerdureError>();
  /** Trees whose last turn could not be stored, and how often in a row. */
  readonly #strikes = new Map<Participant, number>();
  #begun = false;
  #written = { rows: 0, bytes: 0 };
  /** Why nothing of the open batch may be committed. */
  #condemned: PerdureError | undefined;

  constructor(file: StoreFile, options: CommitOptions) {
    this.file = file;
    this.clock = options.clock;
    this.payloads = options.payloads;
    this.history = options.history;
    this.#options = options;
    this.rows = new TurnRows(file.statements, this, options.payloads);
    this.#ids = new AcceptedIds(file.statements, this, options.dedupeForMs);
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
    return this.#status.kind === 'open';
  }

  get isClosed(): boolean {
    return this.#status.kind === 'closed';
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
    return this.#postponed !== undefined || this.#batch.participants.has(participant);
  }

  /** Writes rows of nobody's tree; resolves when they are committed. */
  transact(write: () => void): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#run({ participant: NOBODY, cause: { kind: 'send' }, deliver: write, resolve, reject });
    });
  }

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
    if (this.#postponed !== undefined) return void this.#postponed.push(stimulus);
    this.#deliver(stimulus);
    if (this.#batch.stimuli.length >= BATCH_LIMIT) this.flush();
  }

  #deliver(stimulus: Stimulus): void {
    const given = this.#given.get(stimulus.participant);
    if (given !== undefined) throw given;
    this.touch(stimulus.participant);
    try {
      // After a refusal every turn of the tree runs again, alone: what the condemned tree says now does not count.
      const { condemned, number } = stimulus.participant;
      if (!condemned && this.#condemned === undefined && !this.#batch.condemned.has(number)) {
        this.rows.inTurnOf(number, () => stimulus.deliver());
      }
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
    if (this.#begun && this.file.inTransaction) return;
    if (this.#begun) {
      throw (
        this.#condemned ??
        new PerdureError('STORE_FAILED', `The store ${this.path}: SQLite undid the open transaction after an error.`, {
          retryable: true,
        })
      );
    }
    this.assertOpen();
    this.file.begin();
    this.#begun = true;
    // Whoever writes, also outside of a turn: an open transaction keeps other processes from leaving commands.
    this.#schedule();
  }

  afterCommit(fn: () => void, tree: number | undefined): void {
    this.#batch.afterCommit.push({ tree, fn });
  }

  nameTurn(name: TurnName, tree: number | undefined): void {
    if (tree !== undefined) this.#batch.writers.add(tree);
    this.#batch.names.push({ tree, name });
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
    this.#written.rows += rows;
    this.#written.bytes += bytes;
  }

  /** Commits what is pending, now. */
  flush(): void {
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    const batch = this.#batch;
    if (!this.isOpen || (batch.participants.size === 0 && batch.incidents.length === 0 && !this.#begun)) return;
    this.#batch = new Batch();
    try {
      this.#write(batch);
    } catch (error) {
      const verdict = this.#verdictOn(error);
      if (isRefusal(verdict)) this.#isolateWriters(batch, verdict);
      else {
        this.#rollback();
        this.#failStop(batch, verdict);
      }
      return;
    }
    if (batch.refused === undefined) this.#release(batch);
    else this.#releaseOthers(batch, batch.refused);
  }

  statementThrew(error: unknown): void {
    if (isStoreFailure(error)) this.condemn(error);
  }

  condemn(error: unknown, tree?: number): void {
    const verdict = this.#verdictOn(error);
    if (tree === undefined || !isRefusal(verdict)) this.#condemned ??= verdict;
    else if (!this.#batch.condemned.has(tree)) this.#batch.condemned.set(tree, verdict);
  }

  /** A failure of the store is the end of it; everything else condemns the one turn that it came from. */
  #verdictOn(error: unknown): PerdureError {
    if (isPerdureError(error)) return error;
    if (isStoreFailure(error)) return sqliteError(error, this.path);
    return new PerdureError('TURN_REFUSED', `The turn could not be stored: ${messageOf(error)}`, { cause: error });
  }

  /** Commits what is pending, and lets go of the file. */
  close(): void {
    if (this.isClosed) return;
    this.settle();
    try {
      if (this.isOpen) this.file.giveBack();
    } catch (error) {
      this.drop(sqliteError(error, this.path));
      throw sqliteError(error, this.path);
    }
    this.drop(new PerdureError('STORE_CLOSED', `The store ${this.path} was closed.`));
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
    if (this.isOpen) this.#rollback();
    this.#status = { kind: 'closed', error: undefined };
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled);
    clearTimeout(this.#reopening);
    const batch = this.#batch;
    this.#batch = new Batch();
    for (const participant of Array.from(this.#participants.values())) participant.failed(error);
    for (const stimulus of batch.stimuli) stimulus.reject(error);
    this.file.close();
  }

  /** Throws unless turns are accepted. */
  assertOpen(): void {
    if (this.#status.kind === 'open') return;
    if (this.#status.error !== undefined) throw this.#status.error;
    throw new PerdureError('STORE_CLOSED', `The store ${this.path} is closed: open it again.`);
  }

  /** Takes a message id for a tree; false if it was taken before. Ids are kept for `dedupeForMs`. */
  accept(id: string, tree: number): boolean {
    const fresh = this.#ids.accept(id, tree);
    if (fresh) this.count(1, id.length);
    return fresh;
  }

  /** Whether a tree took this message id before. */
  hasAccepted(id: string, tree: number): boolean {
    return this.#ids.has(id, tree);
  }

  #write(batch: Batch): void {
    const started = this.clock.monotonic?.() ?? this.clock.now();
    if (this.#condemned !== undefined) throw this.#condemned;
    this.begin();
    this.#writeTrees(batch);
    this.#ids.write();
    if (this.history !== undefined) {
      const caused = batch.stimuli.filter((one) => one.participant !== NOBODY && !isHeld(batch, one));
      this.history.write(this.turn, caused, this.#written.bytes);
    }
    this.#options.versions.name(
      this.turn,
      batch.names.map(({ name }) => name),
    );
    for (const incident of batch.incidents) this.#writeIncident(incident);
    this.#options.versions.step(this.clock.now(), this.#written.rows);
    this.file.commit();
    this.#begun = false;
    const ms = (this.clock.monotonic?.() ?? this.clock.now()) - started;
    batch.report = { turn: this.turn - 1, ...this.#written, ms };
    this.#written = { rows: 0, bytes: 0 };
    this.#reopenMs = REOPEN_MS.first;
  }

  /** Those that wrote rows directly come first: when one of them is refused, the others have not been written. */
  #writeTrees(batch: Batch): void {
    const { participants, writers, condemned } = batch;
    if (writers.size + condemned.size > 0) {
      for (const participant of participants) {
        const refusal = condemned.get(participant.number);
        if (refusal !== undefined) throw refusal;
        if (writers.has(participant.number)) this.#writeTree(batch, participant);
      }
    }
    batch.isPastWriters = true;
    for (const participant of participants) {
      if (writers.has(participant.number)) continue;
      if (participants.size === 1) this.#writeTree(batch, participant);
      else this.#writeApart(batch, participant);
    }
  }

  #writeTree(batch: Batch, participant: Participant): void {
    participant.write(this.turn);
    for (const write of batch.alongside.get(participant) ?? []) write();
  }

  /** A tree that cannot be written leaves no trace in the transaction of the others. */
  #writeApart(batch: Batch, participant: Participant): void {
    this.statements.of('savepoint tree').run();
    try {
      this.#writeTree(batch, participant);
    } catch (error) {
      const verdict = this.#verdictOn(error);
      if (!isRefusal(verdict)) throw error;
      this.statements.of('rollback to tree').run();
      this.#ids.forget(participant.number);
      this.history?.forget(participant.id);
      (batch.refused ??= new Map()).set(participant, verdict);
    }
    this.statements.of('release tree').run();
  }

  #release(batch: Batch): void {
    const turn = this.turn - 1;
    if (batch.report !== undefined) tell(this.#options.onCommit, batch.report);
    for (const stimulus of batch.stimuli) stimulus.resolve(turn);
    for (const { fn } of batch.afterCommit) fn();
    for (const participant of batch.participants) {
      if (this.#strikes.size > 0) this.#strikes.delete(participant);
      participant.committed(turn);
    }
  }

  /** S2 for a batch of many trees: the others have been committed; the turns of those that were refused come after them. */
  #releaseOthers(batch: Batch, refused: ReadonlyMap<Participant, PerdureError>): void {
    const held = batch.stimuli.filter((stimulus) => isHeld(batch, stimulus));
    batch.stimuli = batch.stimuli.filter((stimulus) => !isHeld(batch, stimulus));
    const numbers = new Set(Array.from(refused.keys(), ({ number }) => number));
    batch.afterCommit = batch.afterCommit.filter(({ tree }) => tree === undefined || !numbers.has(tree));
    for (const participant of refused.keys()) batch.participants.delete(participant);
    const [refusal] = refused.values();
    this.#isolate(new Set(refused.keys()), held, refusal as PerdureError, () => this.#release(batch));
  }

  /** S2 when the whole transaction must be undone: only those run their turns again who wrote rows in it. */
  #isolateWriters(batch: Batch, refusal: PerdureError): void {
    const isNarrow = this.#condemned === undefined && !batch.isPastWriters;
    const isSuspect = ({ number }: Participant) => batch.writers.has(number) || batch.condemned.has(number);
    const suspects = isNarrow ? new Set([...batch.participants].filter(isSuspect)) : batch.participants;
    if (batch.participants.size === 0) batch.loose.length = 0;
    this.#undo(batch, suspects);
    const held = batch.stimuli.filter(({ participant }) => suspects.has(participant));
    this.#isolate(suspects, held, refusal);
  }

  /** Undoes the open transaction; what it held of other trees than these goes into the next batch. */
  #undo(batch: Batch, trees: ReadonlySet<Participant>): void {
    this.#rollback(trees);
    this.#batch.carry(batch, trees);
    try {
      for (const [sql, cells] of batch.loose) this.rows.run(sql, ...cells);
    } catch (error) {
      // A failure of the store has condemned the batch.
      if (!isStoreFailure(error)) this.#batch.incidents.push({ kind: 'rows.refused', detail: messageOf(error) });
    }
    if (this.#batch.participants.size > 0 || this.#batch.incidents.length > 0) this.#schedule();
  }

  /** S2: nobody has heard of these turns yet, so each may be run again, alone, on what is on disk. */
  #isolate(
    participants: ReadonlySet<Participant>,
    stimuli: readonly Stimulus[],
    refusal: PerdureError,
    first = () => {},
  ): void {
    const outer = this.#postponed;
    this.#postponed ??= [];
    for (const participant of participants) this.#strike(participant, refusal);
    first();
    let refused = 0;
    for (const stimulus of stimuli) if (!this.#runAlone(stimulus)) refused += 1;
    // An event that came past `send` (a callback's, or one sent to the live actor) has nobody to be rejected to.
    if (refused === 0 && this.isOpen) this.incident({ kind: 'turn.refused', detail: refusal.message });
    if (outer === undefined) this.#runPostponed();
  }

  /** A tree that cannot be stored even after it was read back, time after time, fails by itself. */
  #strike(participant: Participant, refusal: PerdureError): void {
    const strikes = (this.#strikes.get(participant) ?? 0) + 1;
    this.#strikes.set(participant, strikes);
    if (strikes < STRIKES) this.#reload(participant);
    else this.#give(participant, refusal);
  }

  /** A tree that cannot be read back harms no other. */
  #reload(participant: Participant): void {
    try {
      participant.reload();
    } catch (error) {
      if (!isStoreFailure(error)) this.#give(participant, error as PerdureError);
      else if (this.isOpen) this.#failStop(new Batch(), sqliteError(error, this.path));
    }
  }

  /** Gives a tree up. */
  #give(participant: Participant, reason: PerdureError): void {
    this.#given.set(participant, reason);
    this.leave(participant, reason);
    participant.failed(reason);
    if (!this.isOpen) return;
    const detail = `The tree "${participant.id}" was given up: ${messageOf(reason)}`;
    this.incident({ kind: 'tree.failed', detail, tree: participant.number });
  }

  #runAlone(stimulus: Stimulus): boolean {
    // What the release of the turn before began is a batch of its own. What a reload began is not: it is undone with the turn.
    if (this.#begun || this.#batch.stimuli.length > 0) this.flush();
    const batch = this.#batch;
    const own = stimulus.participant;
    let written = false;
    try {
      this.assertOpen();
      this.#deliver(stimulus);
      this.#batch = new Batch();
      written = true;
      this.#write(batch);
    } catch (error) {
      const verdict = this.#verdictOn(error);
      this.#batch = new Batch();
      if (isRefusal(verdict)) {
        this.#undo(batch, batch.participants);
        this.#postponed?.push(...batch.stimuli.filter((other) => other !== stimulus));
        for (const other of batch.participants) if (other === own || written) this.#reload(other);
        for (const other of batch.participants) if (other !== own && !written) this.touch(other);
      } else {
        this.#rollback();
        if (this.isOpen) this.#failStop(batch, verdict);
      }
      stimulus.reject(verdict);
      return false;
    }
    if (batch.refused === undefined) {
      this.#release(batch);
      return true;
    }
    const refusal = batch.refused.get(own);
    for (const participant of batch.refused.keys()) {
      batch.participants.delete(participant);
      this.#reload(participant);
    }
    if (refusal !== undefined) batch.stimuli = [];
    this.#release(batch);
    if (refusal !== undefined) stimulus.reject(refusal);
    return refusal === undefined;
  }

  #runPostponed(): void {
    const postponed = this.#postponed ?? [];
    this.#postponed = undefined;
    for (const stimulus of postponed) this.#run(stimulus);
  }

  /** Notes what went wrong and was not told to anybody, with the next commit. */
  incident(incident: Incident): void {
    this.assertOpen();
    this.#batch.incidents.push(incident);
    this.#schedule();
  }

  #writeIncident({ kind, detail, tree, actor, once = false }: Incident): void {
    const cells = [tree ?? null, actor ?? null, kind, this.payloads.shownText(detail)];
    const same = 'select 1 from incidents where tree is ? and actor is ? and kind = ? and detail = ?';
    if (once && this.statements.of(same).get(...cells) !== undefined) return;
    this.statements
      .of('insert into incidents(at, tree, actor, kind, detail) values (?, ?, ?, ?, ?)')
      .run(this.clock.now(), ...cells);
  }

  /** Undoes the open transaction, and what these trees, or all, had in it. */
  #rollback(trees?: ReadonlySet<Participant>): void {
    this.#condemned = undefined;
    if (trees === undefined) {
      this.#ids.rollback();
      this.history?.rollback();
    } else {
      for (const { number } of trees) this.#ids.forget(number);
      for (const { id } of trees) this.history?.forget(id);
    }
    this.#options.versions.rollback();
    if (this.#begun) this.file.rollback();
    this.#begun = false;
    this.#written = { rows: 0, bytes: 0 };
  }

  /** S3. */
  #failStop(batch: Batch, error: PerdureError): void {
    const pending = [...batch.stimuli, ...this.#batch.stimuli];
    const incidents = [...batch.incidents, ...this.#batch.incidents];
    const passing = mayPass(error);
    this.#batch = new Batch();
    this.#batch.incidents.push(...incidents);
    this.#status = passing ? { kind: 'failed', error } : { kind: 'closed', error };
    for (const participant of Array.from(this.#participants.values())) {
      if (passing) participant.suspended(error);
      else participant.failed(error);
    }
    for (const stimulus of pending) stimulus.reject(error);
    if (passing) this.#reopenLater();
    else this.file.close();
  }

  #reopenLater(): void {
    this.#reopening = setTimeout(() => this.#reopen(), this.#reopenMs);
    this.#reopenMs = Math.min(2 * this.#reopenMs, REOPEN_MS.longest);
  }

  #reopen(): void {
    if (this.#status.kind !== 'failed') return;
    try {
      this.file.reconnect();
    } catch (error) {
      const reason = error as PerdureError;
      if (mayPass(reason)) this.#reopenLater();
      else this.#failStop(new Batch(), reason);
      return;
    }
    this.#status = { kind: 'open' };
    for (const participant of Array.from(this.#participants.values())) if (this.isOpen) this.#reload(participant);
    this.#options.onReopen?.();
  }
}

const PASSING = new Set(['STORE_FAILED', 'STORE_READ_ONLY', 'STORE_UNOPENABLE']);

/** Whether the disk may become well again; a store that is damaged or somebody else's does not. */
function mayPass({ code }: PerdureError): boolean {
  return PASSING.has(code);
}

/** Whether the error condemns one turn and not the store. */
function isRefusal({ code }: PerdureError): boolean {
  return !code.startsWith('STORE_');
}

function isHeld({ refused }: Batch, { participant }: Stimulus): boolean {
  return refused?.has(participant) === true;
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
