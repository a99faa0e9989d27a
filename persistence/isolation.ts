/**
 * What happens after a tree could not be stored: its turns run again, each alone in a batch of its own, on what is on disk.
 * What is sent meanwhile comes after them.
 *
 * S2  A turn that cannot be made durable fails alone: the other turns of its batch are committed.
 *
 * A tree that is refused is undone by a savepoint, and no other is touched. Rows that it wrote directly (rows.ts) cannot be
 * undone alone: then the transaction is, the other trees that wrote rows directly in this batch run their turns again, and
 * those that did not go into the next batch as they are.
 */
import { messageOf, type PerdureError } from '../errors.ts';
import { Batch, type Incident, type Participant, type Stimulus } from './batch.ts';
import type { TurnRows } from './rows.ts';
import { isStoreFailure, sqliteError } from './sqlite.ts';
import type { Transaction } from './transaction.ts';
import { isRefusal, verdictOn } from './verdict.ts';

/** How often in a row a tree may be unable to be stored before it is given up. */
const STRIKES = 3;

/** What it needs of the commits that everybody may use. */
export interface IsolationHost {
  readonly path: string;
  readonly isOpen: boolean;
  readonly rows: TurnRows;
  assertOpen(): void;
  flush(): void;
  leave(participant: Participant, reason: PerdureError): void;
  incident(incident: Incident): void;
}

/** What it needs of their inside. */
export interface BatchSteps {
  /** The batch that gathers now. */
  gathering(): Batch;
  /** Ends it, and begins the next. */
  take(): Batch;
  schedule(): void;
  /** Runs a turn, or rejects its stimulus. */
  run(stimulus: Stimulus): void;
  deliver(stimulus: Stimulus): void;
  write(batch: Batch): void;
  release(batch: Batch): void;
  failStop(batch: Batch, error: PerdureError): void;
}

export class Isolation {
  readonly #commits: IsolationHost;
  readonly #transaction: Transaction;
  readonly #steps: BatchSteps;
  /** What is sent while turns are run again alone; it comes after them. */
  #postponed: Stimulus[] | undefined;
  /** Trees that were given up, and why. */
  readonly #given = new WeakMap<Participant, PerdureError>();
  /** Trees whose last turn could not be stored, and how often in a row. */
  readonly #strikes = new Map<Participant, number>();

  constructor(commits: IsolationHost, transaction: Transaction, steps: BatchSteps) {
    this.#commits = commits;
    this.#transaction = transaction;
    this.#steps = steps;
  }

  /** Whether turns are being run again alone. */
  get isUnderWay(): boolean {
    return this.#postponed !== undefined;
  }

  /** Keeps for later what is sent meanwhile. */
  postpone(...stimuli: readonly Stimulus[]): void {
    this.#postponed?.push(...stimuli);
  }

  /** Why the tree was given up, if it was. */
  reasonOf(participant: Participant): PerdureError | undefined {
    return this.#given.get(participant);
  }

  /** A turn of the tree was stored. */
  stored(participant: Participant): void {
    this.#strikes.delete(participant);
  }

  /** For a batch of many trees: the others have been committed; the turns of those that were refused come after them. */
  releaseOthers(batch: Batch, refused: ReadonlyMap<Participant, PerdureError>): void {
    const held = batch.stimuli.filter((stimulus) => batch.isRefused(stimulus));
    batch.stimuli = batch.stimuli.filter((stimulus) => !batch.isRefused(stimulus));
    const numbers = new Set<number | undefined>(Array.from(refused.keys(), ({ number }) => number));
    batch.afterCommit = batch.afterCommit.filter(({ tree }) => !numbers.has(tree));
    for (const participant of refused.keys()) batch.participants.delete(participant);
    const [refusal] = refused.values();
    this.#isolate(new Set(refused.keys()), held, refusal as PerdureError, () => this.#steps.release(batch));
  }

  /** When the whole transaction must be undone: only those run their turns again who wrote rows in it. */
  isolateWriters(batch: Batch, refusal: PerdureError): void {
    const suspects = this.#suspectsIn(batch);
    if (batch.participants.size === 0) batch.loose.length = 0;
    this.#undo(batch, suspects);
    const held = batch.stimuli.filter(({ participant }) => suspects.has(participant));
    this.#isolate(suspects, held, refusal);
  }

  /** Those whose rows go with the transaction when it is undone. */
  #suspectsIn(batch: Batch): ReadonlySet<Participant> {
    if (this.#transaction.condemned !== undefined || batch.isPastWriters) return batch.participants;
    const isSuspect = ({ number }: Participant) => batch.writers.has(number) || batch.condemned.has(number);
    return new Set([...batch.participants].filter(isSuspect));
  }

  /** Undoes the open transaction; what it held of other trees than these goes into the next batch. */
  #undo(batch: Batch, trees: ReadonlySet<Participant>): void {
    this.#transaction.rollback(trees);
    const next = this.#steps.gathering();
    next.carry(batch, trees);
    try {
      for (const [sql, cells] of batch.loose) this.#commits.rows.run(sql, ...cells);
    } catch (error) {
      // A failure of the store has condemned the batch.
      if (!isStoreFailure(error)) next.incidents.push({ kind: 'rows.refused', detail: messageOf(error) });
    }
    if (next.participants.size > 0 || next.incidents.length > 0) this.#steps.schedule();
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
    const sent = new Set(stimuli.map(({ participant }) => participant));
    for (const participant of participants) {
      // Who sent what could not be stored is told, and that is all.
      if (sent.has(participant)) this.reload(participant);
      else this.#strike(participant, refusal);
    }
    first();
    let refused = 0;
    for (const stimulus of stimuli) if (!this.#runAlone(stimulus)) refused += 1;
    // An event that came past `send` (a callback's, or one sent to the live actor) has nobody to be rejected to.
    if (refused === 0 && this.#commits.isOpen) {
      this.#commits.incident({ kind: 'turn.refused', detail: refusal.message });
    }
    if (outer === undefined) this.#runPostponed();
  }

  /** A tree that cannot be stored even after it was read back, time after time, fails by itself. */
  #strike(participant: Participant, refusal: PerdureError): void {
    const strikes = (this.#strikes.get(participant) ?? 0) + 1;
    this.#strikes.set(participant, strikes);
    if (strikes < STRIKES) this.reload(participant);
    else this.#give(participant, refusal);
  }

  /** Reads a tree back. One that cannot be read back harms no other. */
  reload(participant: Participant): void {
    try {
      participant.reload();
    } catch (error) {
      if (!isStoreFailure(error)) this.#give(participant, error as PerdureError);
      else if (this.#commits.isOpen) this.#steps.failStop(new Batch(), sqliteError(error, this.#commits.path));
    }
  }

  /** Gives a tree up. */
  #give(participant: Participant, reason: PerdureError): void {
    this.#given.set(participant, reason);
    this.#strikes.delete(participant);
    this.#commits.leave(participant, reason);
    participant.failed(reason);
    if (!this.#commits.isOpen) return;
    const detail = `The tree "${participant.id}" was given up: ${messageOf(reason)}`;
    this.#commits.incident({ kind: 'tree.failed', detail, tree: participant.number });
  }

  #runAlone(stimulus: Stimulus): boolean {
    // What the release of the turn before began is a batch of its own. What a reload began is not: it is undone with the turn.
    if (this.#transaction.isBegun || this.#steps.gathering().stimuli.length > 0) this.#commits.flush();
    const batch = this.#steps.gathering();
    const own = stimulus.participant;
    let written = false;
    try {
      this.#commits.assertOpen();
      this.#steps.deliver(stimulus);
      this.#steps.take();
      written = true;
      this.#steps.write(batch);
    } catch (error) {
      this.#undoAlone(stimulus, batch, written, verdictOn(error, this.#commits.path));
      return false;
    }
    if (batch.refused === undefined) {
      this.#steps.release(batch);
      return true;
    }
    const refusal = batch.refused.get(own);
    for (const participant of batch.refused.keys()) {
      batch.participants.delete(participant);
      this.reload(participant);
    }
    if (refusal !== undefined) batch.stimuli = [];
    this.#steps.release(batch);
    if (refusal !== undefined) stimulus.reject(refusal);
    return refusal === undefined;
  }

  /** The turn failed alone. Trees that came with it are read back only if rows of theirs went with it. */
  #undoAlone(stimulus: Stimulus, batch: Batch, written: boolean, verdict: PerdureError): void {
    const own = stimulus.participant;
    this.#steps.take();
    if (isRefusal(verdict)) {
      const suspects = new Set(written ? this.#suspectsIn(batch) : []).add(own);
      this.#undo(batch, suspects);
      this.postpone(...batch.stimuli.filter((other) => other !== stimulus && suspects.has(other.participant)));
      for (const suspect of suspects) this.reload(suspect);
    } else {
      this.#transaction.rollback();
      if (this.#commits.isOpen) this.#steps.failStop(batch, verdict);
    }
    stimulus.reject(verdict);
  }

  #runPostponed(): void {
    const postponed = this.#postponed ?? [];
    this.#postponed = undefined;
    for (const stimulus of postponed) this.#steps.run(stimulus);
  }
}
