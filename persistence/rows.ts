/**
 * How a subsystem reads and writes rows of its own: in the transaction of the turn that caused them.
 *
 * R1  The first write of a batch opens its transaction; later turns of the batch read what earlier ones wrote.
 * R2  A transition that throws undoes its rows: it runs inside a savepoint, opened by its first write. Those of earlier
 *     transitions stay; those of a transition that an action of its own ran meanwhile go with it.
 * R3  When a transition throws because a statement threw in it, the turn is refused. XState would make the failure of a
 *     row, or of the disk, an error of the actor for ever. An action that catches what its statement threw may go on.
 */
import { createTable, type TableSpec } from './schema.ts';
import Database from 'better-sqlite3';
import { Payloads } from './payloads.ts';
import type { Db, Statement } from './sqlite.ts';

/** A value that SQLite can hold. */
export type Cell = string | number | bigint | null | Buffer;

/** Rows, read and written in the current turn. */
export interface Rows {
  /** The turn that is being built; what is written belongs to it. */
  readonly turn: number;
  get<T>(sql: string, ...cells: Cell[]): T | undefined;
  all<T>(sql: string, ...cells: Cell[]): T[];
  /** Writes, and says how many rows changed. */
  run(sql: string, ...cells: Cell[]): number;
  /** Seals a text as the store's option `sealing` says, bound to what it is of; `unseal` with the same binding gives it back. */
  seal(text: string, binding: string): string;
  unseal(text: string, binding: string): string;
  /** Runs `fn` when the turn is committed; never if it is not. */
  afterCommit(fn: () => void): void;
  /** Names the turn that is being built as a checkpoint, when it is committed. */
  nameTurn(name: TurnName): void;
}

/** Why a committed turn is kept. */
export interface TurnName {
  readonly at: number;
  readonly reason: string;
  readonly label?: string;
  /** JSON. */
  readonly detail?: string;
}

/** Prepared statements, by their text. */
export class Statements {
  #db: Db;
  readonly #prepared = new Map<string, Statement>();

  constructor(db: Db) {
    this.#db = db;
  }

  /** Goes on with another connection. */
  use(db: Db): void {
    this.#db = db;
    this.#prepared.clear();
  }

  of(sql: string): Statement {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) this.#prepared.set(sql, (statement = this.#db.prepare(sql) as Statement));
    return statement;
  }
}

/** What {@link TurnRows} needs of the batch it writes into. */
export interface Batching {
  readonly turn: number;
  begin(): void;
  afterCommit(fn: () => void): void;
  nameTurn(name: TurnName): void;
  /** A statement threw in a transition. */
  statementThrew(error: unknown): void;
  /** The turn must not be committed. */
  condemn(error: unknown): void;
}

/** Rows of a store: see R1 to R3. */
export class TurnRows implements Rows {
  readonly #statements: Statements;
  readonly #batch: Batching;
  readonly #payloads: Payloads;
  /** The transitions that are running, the innermost last: an action may send to an actor that runs at once. */
  readonly #steps: ('clean' | 'saved')[] = [];
  /** What a statement of the running transitions threw. */
  #thrown: unknown;

  constructor(statements: Statements, batch: Batching, payloads: Payloads) {
    this.#statements = statements;
    this.#batch = batch;
    this.#payloads = payloads;
  }

  get turn(): number {
    return this.#batch.turn;
  }

  get<T>(sql: string, ...cells: Cell[]): T | undefined {
    try {
      return this.#statements.of(sql).get(...cells) as T | undefined;
    } catch (error) {
      throw this.#noted(error);
    }
  }

  all<T>(sql: string, ...cells: Cell[]): T[] {
    try {
      return this.#statements.of(sql).all(...cells) as T[];
    } catch (error) {
      throw this.#noted(error);
    }
  }

  run(sql: string, ...cells: Cell[]): number {
    try {
      this.#batch.begin();
      if (this.#steps.at(-1) === 'clean') {
        this.#statements.of('savepoint step').run();
        this.#steps[this.#steps.length - 1] = 'saved';
      }
      return this.#statements.of(sql).run(...cells).changes;
    } catch (error) {
      throw this.#noted(error);
    }
  }

  seal(text: string, binding: string): string {
    return this.#payloads.seal(text, () => binding);
  }

  unseal(text: string, binding: string): string {
    return this.#payloads.unseal(text, () => binding);
  }

  #noted(error: unknown): unknown {
    this.#batch.statementThrew(error);
    if (this.#steps.length > 0) this.#thrown ??= error;
    return error;
  }

  afterCommit(fn: () => void): void {
    this.#batch.afterCommit(fn);
  }

  nameTurn(name: TurnName): void {
    this.#batch.nameTurn(name);
  }

  /** A transition begins. */
  enterStep(): void {
    this.#steps.push('clean');
  }

  /** The transition ended; its rows stay unless it threw. */
  leaveStep(threw: boolean): void {
    const step = this.#steps.pop();
    const thrown = this.#thrown;
    if (this.#steps.length === 0) this.#thrown = undefined;
    if (threw && thrown !== undefined) return this.#batch.condemn(thrown);
    if (step !== 'saved') return;
    if (threw) this.#statements.of('rollback to step').run();
    this.#statements.of('release step').run();
  }
}

/** Rows for a machine that runs in memory, with a plain `createActor` and no store: the same SQL, kept nowhere. */
export function memoryRows(tables: readonly TableSpec[]): Rows {
  const db = new Database(':memory:');
  db.function('perdure_turn', () => 1);
  db.exec('create table kept(turn integer not null)');
  for (const table of tables) createTable(db, table);
  const nothing = () => {};
  const batch: Batching = {
    turn: 1,
    begin: nothing,
    afterCommit: queueMicrotask,
    nameTurn: nothing,
    statementThrew: nothing,
    condemn: nothing,
  };
  return new TurnRows(new Statements(db), batch, new Payloads({}));
}
