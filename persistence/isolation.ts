/**
 * What happens after a tree could not be stored: its turns run again, on what is on disk, in two halves of a commit each, and
 * those of a half that cannot be stored in halves again, down to the one that is to blame. So a refusal costs about log2(n)
 * commits more. What is sent meanwhile comes after them.
 *
 * S2  A turn that cannot be made durable fails alone: the other turns of its batch are committed.
 *
 * A tree that is refused is undone by a savepoint, and no other is touched. Rows that it wrote directly (rows.ts) cannot be
 * undone alone: then the transaction is, the other trees that wrote rows directly in this batch run their turns again, and
 * those that did not go into the next batch as they are.
 */
import { messageOf, type PerdureError } from '../errors.ts';
import { Batch, type Incident, type Participant, type Stimulus } from './batch.ts';
import type { Cell, TurnRows } from './rows.ts';
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
  /** What is sent while turns are run again; it comes after them. */
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

  /** Whether turns are being run again. */
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
    const held = this.#withhold(batch, refused);
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
    for (const [sql, cells] of batch.loose) this.#rewrite(next, sql, cells);
    if (next.participants.size > 0 || next.incidents.length > 0) this.#steps.schedule();
  }

  /** Writes again what was written outside of any turn. */
  #rewrite(next: Batch, sql: string, cells: readonly Cell[]): void {
    try {
      this.#commits.rows.run(sql, ...cells);
    } catch (error) {
      next.incidents.push({ kind: 'rows.refused', detail: `${sql}: ${messageOf(error)}` });
    }
  }

  /** S2: nobody has heard of these turns yet, so they may be run again on what is on disk. */
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
    const refused = this.#runParts(stimuli);
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

  /** Runs turns again that could not be stored together: in halves. Gives how many were refused. */
  #runParts(stimuli: readonly Stimulus[]): number {
    const middle = Math.ceil(stimuli.length / 2);
    return this.#runAgain(stimuli.slice(0, middle)) + this.#runAgain(stimuli.slice(middle));
  }

  /** Runs turns again in one commit; one that is refused alone is rejected. Gives how many were refused. */
  #runAgain(stimuli: readonly Stimulus[]): number {
    if (stimuli.length === 0) return 0;
    // What the release of the turns before began is a batch of its own. What a reload began is not: it is undone with these.
    if (this.#transaction.isBegun || this.#steps.gathering().stimuli.length > 0) this.#commits.flush();
    const batch = this.#steps.gathering();
    let written = false;
    try {
      this.#commits.assertOpen();
      for (const stimulus of stimuli) this.#steps.deliver(stimulus);
      this.#steps.take();
      written = true;
      this.#steps.write(batch);
    } catch (error) {
      const verdict = verdictOn(error, this.#commits.path);
      this.#undoAll(stimuli, batch, written, verdict);
      if (isRefusal(verdict) && stimuli.length > 1) return this.#runParts(stimuli);
      for (const stimulus of stimuli) stimulus.reject(verdict);
      return stimuli.length;
    }
    if (batch.refused === undefined) {
      this.#steps.release(batch);
      return 0;
    }
    return this.#releaseStored(stimuli, batch, batch.refused);
  }

  /** Some trees were stored and others were not: those run their turns again, after the others have been told. */
  #releaseStored(stimuli: readonly Stimulus[], batch: Batch, refused: ReadonlyMap<Participant, PerdureError>): number {
    const held = this.#withhold(batch, refused);
    for (const participant of refused.keys()) this.reload(participant);
    this.#steps.release(batch);
    const own = stimuli.filter((stimulus) => batch.isRefused(stimulus));
    this.postpone(...held.filter((stimulus) => !own.includes(stimulus)));
    if (stimuli.length > 1) return this.#runParts(own);
    for (const stimulus of own) stimulus.reject(refused.get(stimulus.participant) as PerdureError);
    return own.length;
  }

  /** Takes out of a batch that was committed what belongs to the trees that were not; gives their turns. */
  #withhold(batch: Batch, refused: ReadonlyMap<Participant, PerdureError>): readonly Stimulus[] {
    const held = batch.stimuli.filter((stimulus) => batch.isRefused(stimulus));
    batch.stimuli = batch.stimuli.filter((stimulus) => !batch.isRefused(stimulus));
    const numbers = new Set(Array.from(refused.keys(), ({ number }) => number));
    batch.afterCommit = batch.afterCommit.filter(({ tree }) => tree === undefined || !numbers.has(tree));
    for (const participant of refused.keys()) batch.participants.delete(participant);
    return held;
  }

  /** The turns failed. Trees that came with them are read back only if rows of theirs went with them. */
  #undoAll(stimuli: readonly Stimulus[], batch: Batch, written: boolean, verdict: PerdureError): void {
    if (!isRefusal(verdict)) {
      this.#transaction.rollback();
      // What gathers in a store that failed before is told when it is open again.
      if (!this.#commits.isOpen) return;
      if (!written) this.#steps.take();
      return this.#steps.failStop(batch, verdict);
    }
    this.#steps.take();
    const suspects = new Set(written ? this.#suspectsIn(batch) : []);
    for (const { participant } of stimuli) suspects.add(participant);
    this.#undo(batch, suspects);
    const own = new Set(stimuli);
    this.postpone(...batch.stimuli.filter((other) => !own.has(other) && suspects.has(other.participant)));
    for (const suspect of suspects) this.reload(suspect);
  }

  #runPostponed(): void {
    const postponed = this.#postponed ?? [];
    this.#postponed = undefined;
    for (const stimulus of postponed) this.#steps.run(stimulus);
  }
}
