/**
 * The transaction of the next commit: opened by the first write, filled by the trees of a batch, then committed or undone.
 * What is kept beside the rows (accepted ids, history, versions) is written and undone with it.
 */
import { PerdureError } from '../errors.ts';
import { AcceptedIds } from './accepted-ids.ts';
import { isUndone, NOBODY, type Batch, type Incident, type Participant } from './batch.ts';
import type { Clock } from './clock.ts';
import type { History } from './history.ts';
import type { Payloads } from './payloads.ts';
import type { StoreFile } from './store-file.ts';
import { isRefusal, verdictOn } from './verdict.ts';
import type { Versions } from './versions.ts';

export interface TransactionOptions {
  readonly clock: Clock;
  readonly payloads: Payloads;
  readonly dedupeForMs: number | undefined;
  readonly versions: Versions;
  /** Undefined where none is kept. */
  readonly history: History | undefined;
}

export class Transaction {
  readonly ids: AcceptedIds;
  readonly #file: StoreFile;
  readonly #options: TransactionOptions;
  #isBegun = false;
  #written = { rows: 0, bytes: 0 };
  #condemned: PerdureError | undefined;

  constructor(file: StoreFile, options: TransactionOptions) {
    this.#file = file;
    this.#options = options;
    const { clock, dedupeForMs } = options;
    const host = {
      clock,
      get turn() {
        return file.turn;
      },
    };
    this.ids = new AcceptedIds(file.statements, host, dedupeForMs);
  }

  get isBegun(): boolean {
    return this.#isBegun;
  }

  /** Why nothing of it may be committed. */
  get condemned(): PerdureError | undefined {
    return this.#condemned;
  }

  condemn(verdict: PerdureError): void {
    this.#condemned ??= verdict;
  }

  /** Counts what is written. */
  count(rows: number, bytes: number): void {
    this.#written.rows += rows;
    this.#written.bytes += bytes;
  }

  /** Whether it takes writes already. Throws when it was open and SQLite undid it. */
  takesWrites(): boolean {
    if (!this.#isBegun) return false;
    if (this.#file.inTransaction) return true;
    throw (
      this.#condemned ??
      new PerdureError(
        'STORE_FAILED',
        `The store ${this.#file.path}: SQLite undid the open transaction after an error.`,
        {
          retryable: true,
        },
      )
    );
  }

  begin(): void {
    this.#file.begin();
    this.#isBegun = true;
  }

  /** Writes the batch and commits. Throws what condemns the batch, or what SQLite throws. */
  write(batch: Batch, started: number): void {
    const { history, versions } = this.#options;
    this.#writeTrees(batch);
    this.ids.write();
    if (history !== undefined && !batch.isTelemetry) {
      const caused = batch.stimuli.filter((one) => one.participant !== NOBODY && !batch.isRefused(one));
      history.write(this.#file.turn, caused, this.#written.bytes);
    }
    versions.name(
      this.#file.turn,
      batch.names.map(({ name }) => name),
      this.#options.clock.now(),
    );
    const refused = new Set(Array.from(batch.refused?.keys() ?? [], ({ number }) => number));
    for (const incident of batch.incidents) if (!isUndone(incident, refused)) this.#writeIncident(incident);
    versions.step(this.#options.clock.now(), this.#written.rows);
    this.#file.commit();
    this.#isBegun = false;
    batch.report = { turn: this.#file.turn - 1, ...this.#written, ms: this.now() - started };
    this.#written = { rows: 0, bytes: 0 };
  }

  /** Ms, to measure a commit by. */
  now(): number {
    const { clock } = this.#options;
    return clock.monotonic?.() ?? clock.now();
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
    participant.write(this.#file.turn);
    for (const write of batch.alongside.get(participant) ?? []) write();
  }

  /** A tree that cannot be written leaves no trace in the transaction of the others. */
  #writeApart(batch: Batch, participant: Participant): void {
    const { statements } = this.#file;
    statements.of('savepoint tree').run();
    try {
      this.#writeTree(batch, participant);
    } catch (error) {
      const verdict = verdictOn(error, this.#file.path);
      if (!isRefusal(verdict)) throw error;
      statements.of('rollback to tree').run();
      this.ids.forget(participant.number);
      this.#options.history?.forget(participant.id);
      (batch.refused ??= new Map()).set(participant, verdict);
    }
    statements.of('release tree').run();
  }

  #writeIncident({ kind, detail, tree, actor, once = false }: Incident): void {
    const { statements } = this.#file;
    const cells = [tree ?? null, actor ?? null, kind, this.#options.payloads.shownText(detail)];
    const same = 'select 1 from incidents where tree is ? and actor is ? and kind = ? and detail = ?';
    if (once && statements.of(same).get(...cells) !== undefined) return;
    statements
      .of('insert into incidents(at, tree, actor, kind, detail) values (?, ?, ?, ?, ?)')
      .run(this.#options.clock.now(), ...cells);
  }

  /** Undoes it, and what these trees, or all, had in it. */
  rollback(trees?: ReadonlySet<Participant>): void {
    const { history, versions } = this.#options;
    this.#condemned = undefined;
    if (trees === undefined) {
      this.ids.rollback();
      history?.rollback();
    } else {
      for (const { number } of trees) this.ids.forget(number);
      for (const { id } of trees) history?.forget(id);
    }
    versions.rollback();
    if (this.#isBegun) this.#file.rollback();
    this.#isBegun = false;
    this.#written = { rows: 0, bytes: 0 };
  }
}
