/**
 * How a subsystem reads and writes rows of its own: in the transaction of the turn that caused them.
 *
 * R1  The first write of a batch opens its transaction; later turns of the batch read what earlier ones wrote.
 * R2  A transition that throws undoes its rows: it runs inside a savepoint, opened by its first write. Those of earlier
 *     transitions stay; those of a transition that an action of its own ran meanwhile go with it.
 * R3  When a transition throws because a statement threw in it, the turn is refused. XState would make the failure of a
 *     row, or of the disk, an error of the actor for ever. An action that catches what its statement threw may go on.
 * R4  What is written belongs to the tree whose transition, or else whose turn, is running: what is undone with that tree
 *     undoes no other.
 */
import type { CommitReport } from './batch.ts';
import { createTable, type TableSpec } from './schema.ts';
import Database from 'better-sqlite3';
import { PerdureError } from '../errors.ts';
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
  /** Runs `fn` when the turn is committed; never if it is not. It is told what the commit was, where there is one. */
  afterCommit(fn: (commit?: CommitReport) => void): void;
  /** Names the turn that is being built as a checkpoint, when it is committed. Throws OPTIONS_INVALID. */
  nameTurn(name: TurnName): void;
  /** Takes the name of a turn away: it is not kept for it any more. False when it had none. */
  unnameTurn(turn: number): boolean;
  /** Keeps a named turn for ever, or, with false, as long as others. False when it has no name. */
  pinTurn(turn: number, isPinned: boolean): boolean;
}

/** Why a committed turn is kept. */
export interface TurnName {
  /** Wall-clock ms, whole. */
  readonly at: number;
  readonly reason: string;
  readonly label?: string;
  /** JSON. */
  readonly detail?: string;
  /** Whether it is kept for ever. Default: false. */
  readonly pinned?: boolean;
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
  /** A statement of this tree, or of nobody, has written. */
  wrote(tree: number | undefined, sql: string, cells: readonly Cell[]): void;
  afterCommit(fn: (commit?: CommitReport) => void, tree: number | undefined): void;
  nameTurn(name: TurnName, tree: number | undefined): void;
  /** The name of a turn was taken away. */
  unnamed(turn: number): void;
  /** A statement threw. Gives what whoever ran it is told. */
  statementThrew(error: unknown): unknown;
  /** The turn of this tree must not be committed. */
  condemn(error: unknown, tree: number | undefined): void;
}

/** A transition that is running. */
interface Step {
  readonly tree: number;
  isSaved: boolean;
}

/** Rows of a store: see R1 to R4. */
export class TurnRows implements Rows {
  readonly #statements: Statements;
  readonly #batch: Batching;
  readonly #payloads: Payloads;
  /** The transitions that are running, the innermost last: an action may send to an actor that runs at once. */
  readonly #steps: Step[] = [];
  /** Whose turn is running, outside of a transition. */
  #turnOf: number | undefined;
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
      const step = this.#steps.at(-1);
      if (step?.isSaved === false) {
        this.#statements.of('savepoint step').run();
        step.isSaved = true;
      }
      const { changes } = this.#statements.of(sql).run(...cells);
      this.#batch.wrote(this.#owner, sql, cells);
      return changes;
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
    const told = this.#batch.statementThrew(error);
    if (this.#steps.length > 0) this.#thrown ??= told;
    return told;
  }

  afterCommit(fn: (commit?: CommitReport) => void): void {
    this.#batch.afterCommit(fn, this.#owner);
  }

  nameTurn(name: TurnName): void {
    assertName(name);
    this.#batch.nameTurn(name, this.#owner);
  }

  unnameTurn(turn: number): boolean {
    const isGone = this.run('delete from checkpoints where turn = ?', turn) > 0;
    if (isGone) this.#batch.unnamed(turn);
    return isGone;
  }

  pinTurn(turn: number, isPinned: boolean): boolean {
    return this.run('update checkpoints set pinned = ? where turn = ?', isPinned ? 1 : 0, turn) > 0;
  }

  /** R4. */
  get #owner(): number | undefined {
    return this.#steps.at(-1)?.tree ?? this.#turnOf;
  }

  /** Runs what begins a turn of a tree. */
  inTurnOf(tree: number, run: () => void): void {
    const outer = this.#turnOf;
    this.#turnOf = tree;
    try {
      run();
    } finally {
      this.#turnOf = outer;
    }
  }

  /** A transition of an actor of this tree begins. */
  enterStep(tree: number): void {
    this.#steps.push({ tree, isSaved: false });
  }

  /** The transition ended; its rows stay unless it threw. */
  leaveStep(threw: boolean): void {
    const step = this.#steps.pop();
    const thrown = this.#thrown;
    if (this.#steps.length === 0) this.#thrown = undefined;
    if (threw && thrown !== undefined) return this.#batch.condemn(thrown, step?.tree);
    if (step?.isSaved !== true) return;
    if (threw) this.#statements.of('rollback to step').run();
    this.#statements.of('release step').run();
  }
}

/** A name that cannot be stored would keep its whole batch from being stored, and each one that it is carried to. */
function assertName({ at, reason, label = '', detail = '' }: TurnName): void {
  if (Number.isSafeInteger(at) && [reason, label, detail].every((text) => typeof text === 'string')) return;
  throw new PerdureError(
    'OPTIONS_INVALID',
    `A turn is named by \`at\`, whole ms, a text \`reason\`, and texts \`label\` and \`detail\` if any; got ${String(at)}, ` +
      `${[reason, label, detail].map((text) => typeof text).join(', ')}.`,
    { facts: { option: 'nameTurn' } },
  );
}

/** Rows for a machine that runs in memory, with a plain `createActor` and no store: the same SQL, kept nowhere. */
export function memoryRows(tables: readonly TableSpec[]): Rows {
  const db = new Database(':memory:');
  db.function('perdure_turn', () => 1);
  db.exec('create table kept(turn integer not null)');
  db.exec('create table checkpoints(turn integer primary key, pinned integer not null default 0)');
  for (const table of tables) createTable(db, table);
  const nothing = () => {};
  const batch: Batching = {
    turn: 1,
    begin: nothing,
    wrote: nothing,
    afterCommit: (fn) => queueMicrotask(() => fn()),
    nameTurn: nothing,
    unnamed: nothing,
    statementThrew: (error) => error,
    condemn: nothing,
  };
  return new TurnRows(new Statements(db), batch, new Payloads({}));
}
