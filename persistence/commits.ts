/**
 * Collects the turns of the trees of one store into batches, and commits them.
 *
 *   turn ──> #batch ──(setImmediate)──> flush ──> #write ──> #release
 *                                          │         │
 *                                          │         └─ a refusal: #isolate (each turn of that tree again, alone)
 *                                          └─────────── an SQLite error: #failStop ──> #reopen, until it succeeds
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
import { TurnRows, type Batching, type Statements, type TurnName } from './rows.ts';
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
  reload: nothing,
  suspended: nothing,
  failed: nothing,
};

class Batch {
  stimuli: Stimulus[] = [];
  readonly participants = new Set<Participant>();
  afterCommit: { readonly participant: Participant | undefined; readonly fn: () => void }[] = [];
  readonly names: TurnName[] = [];
  report: CommitReport | undefined;
  /** Trees whose turns could not be stored, and why. */
  refused: Map<Participant, PerdureError> | undefined;
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
  /** Why the open batch must not be committed, though XState made an error of some actor of it. */
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

  leave(participant: Participant): void {
    if (this.#participants.get(participant.id) === participant) this.#participants.delete(participant.id);
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

  afterCommit(fn: () => void, participant?: Participant): void {
    this.#batch.afterCommit.push({ participant, fn });
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
      if (isRefusal(verdict)) this.#isolate(batch.participants, batch.stimuli, verdict);
      else this.#failStop(batch, verdict);
      return;
    }
    if (batch.refused === undefined) this.#release(batch);
    else this.#releaseOthers(batch, batch.refused);
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
    if (this.isClosed) return;
    this.flush();
    try {
      if (this.isOpen) this.file.giveBack();
    } catch (error) {
      this.drop(sqliteError(error, this.path));
      throw sqliteError(error, this.path);
    }
    this.drop(new PerdureError('STORE_CLOSED', `The store ${this.path} was closed.`));
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
    if (fresh) this.wrote(1, id.length);
    return fresh;
  }

  /** Whether a tree took this message id before. */
  hasAccepted(id: string, tree: number): boolean {
    return this.#ids.has(id, tree);
  }

  #write(batch: Batch): void {
    const started = this.clock.monotonic?.() ?? this.clock.now();
    if (this.#condemned !== undefined) throw this.#condemned;
    const hasRows = this.#begun;
    this.begin();
    if (batch.participants.size === 1 || hasRows) {
      for (const participant of batch.participants) participant.write(this.turn);
    } else {
      for (const participant of batch.participants) this.#writeApart(batch, participant);
    }
    const stimuli = batch.refused === undefined ? batch.stimuli : batch.stimuli.filter((one) => !isHeld(batch, one));
    this.#ids.write();
    this.history?.write(this.turn, stimuli, this.#written.bytes);
    this.#options.versions.name(this.turn, batch.names);
    this.#options.versions.step(this.clock.now(), this.#written.rows);
    this.file.commit();
    this.#begun = false;
    const ms = (this.clock.monotonic?.() ?? this.clock.now()) - started;
    batch.report = { turn: this.turn - 1, ...this.#written, ms };
    this.#written = { rows: 0, bytes: 0 };
    this.#reopenMs = REOPEN_MS.first;
  }

  /** A tree that cannot be written leaves no trace in the transaction of the others. */
  #writeApart(batch: Batch, participant: Participant): void {
    this.statements.of('savepoint tree').run();
    try {
      participant.write(this.turn);
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
    batch.afterCommit = batch.afterCommit.filter(({ participant }) => !participant || !refused.has(participant));
    for (const participant of refused.keys()) batch.participants.delete(participant);
    const [refusal] = refused.values();
    this.#isolate(new Set(refused.keys()), held, refusal as PerdureError, () => this.#release(batch));
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
    this.leave(participant);
    this.#given.set(participant, reason);
    this.#batch.participants.delete(participant);
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
      this.#rollback();
      this.#batch = new Batch();
      if (isRefusal(verdict)) {
        this.#postponed?.push(...batch.stimuli.filter((other) => other !== stimulus));
        for (const other of batch.participants) if (other === own || written) this.#reload(other);
        for (const other of batch.participants) if (other !== own && !written) this.touch(other);
      } else if (this.isOpen) this.#failStop(batch, verdict);
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
  incident({ kind, detail, tree, actor }: Incident): void {
    this.begin();
    this.statements
      .of('insert into incidents(at, tree, actor, kind, detail) values (?, ?, ?, ?, ?)')
      .run(this.clock.now(), tree ?? null, actor ?? null, kind, this.payloads.shownText(detail));
    this.#schedule();
  }

  #rollback(): void {
    this.#condemned = undefined;
    this.#ids.rollback();
    this.history?.rollback();
    this.#options.versions.rollback();
    if (this.#begun) this.file.rollback();
    this.#begun = false;
    this.#written = { rows: 0, bytes: 0 };
  }

  /** S3. */
  #failStop(batch: Batch, error: PerdureError): void {
    const pending = [...batch.stimuli, ...this.#batch.stimuli];
    const passing = mayPass(error);
    this.#batch = new Batch();
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
