/**
 * The ids of the messages that were accepted, by tree: what makes a repeated `send` harmless.
 *
 * I1  An id is accepted in the transaction of the turn that its message began, and forgotten with it if that is undone.
 * I2  An id is kept for at least `dedupeForMs`; forgetting never stalls a turn.
 */
import { PerdureError } from '../errors.ts';
import type { Clock } from './clock.ts';
import type { Statements } from './rows.ts';
import { isStorable } from './xstate-port.ts';

const WEEK_MS = 7 * 86_400_000;
/** Ids looked at in one go, when old ones are forgotten. */
const CHUNK = 1_000;
/** In these, SQLite's order, by bytes, is JavaScript's, by UTF-16 units. */
const ASCII = /^[\x20-\x7e]*$/;

/** What the ids need of their store. */
export interface IdHost {
  readonly turn: number;
  readonly clock: Clock;
  /** Opens the transaction of the batch. */
  begin(): void;
}

export class AcceptedIds {
  readonly #statements: Statements;
  readonly #host: IdHost;
  readonly #dedupeForMs: number;
  /** Accepted in this batch and not yet written, by tree. */
  readonly #unwritten = new Map<number, Set<string>>();
  #highest: string | undefined;
  #sinceForgetting = 0;
  #forgottenUpTo = '';
  #oldestSeen = Number.POSITIVE_INFINITY;
  #nothingToForgetBefore = 0;

  constructor(statements: Statements, host: IdHost, dedupeForMs = WEEK_MS) {
    this.#statements = statements;
    this.#host = host;
    this.#dedupeForMs = dedupeForMs;
  }

  /** Takes a message id for a tree; false if it was taken before. Throws CODEC_REFUSED for an id that is no text. */
  accept(id: string, tree: number): boolean {
    const ascii = ASCII.test(id);
    if (!ascii && !isStorable(id)) {
      throw new PerdureError('CODEC_REFUSED', `The message id ${JSON.stringify(id)} holds half of a surrogate pair.`);
    }
    const fresh = ascii && this.#isHighest(id) ? this.#acceptLater(id, tree) : this.#acceptNow(id, tree);
    if (fresh) this.#sinceForgetting += 1;
    return fresh;
  }

  /** Whether a tree took this message id before. */
  has(id: string, tree: number): boolean {
    if (this.#unwritten.get(tree)?.has(id) === true) return true;
    return this.#statements.of('select 1 from accepted where id = ? and tree = ?').get(id, tree) !== undefined;
  }

  /** Writes what was accepted in this batch: one statement for all of it. */
  write(): void {
    const at = this.#host.clock.now();
    for (const [tree, ids] of this.#unwritten) {
      if (ids.size === 1) {
        this.#statements.of('insert into accepted values (?, ?, ?, ?)').run(...ids, tree, this.#host.turn, at);
      } else {
        this.#statements
          .of('insert into accepted select value, ?, ?, ? from json_each(?)')
          .run(tree, this.#host.turn, at, JSON.stringify([...ids]));
      }
    }
    this.#unwritten.clear();
    // Twice as many are looked at as came in, so that forgetting keeps up.
    if (this.#sinceForgetting < CHUNK / 2) return;
    this.#sinceForgetting = 0;
    this.#forgetOld(at);
  }

  /** The batch was undone. */
  rollback(): void {
    this.#unwritten.clear();
  }

  /** An id of ASCII above all that were ever taken (a UUID v7 mostly is) is new without a look at the table. */
  #isHighest(id: string): boolean {
    this.#highest ??= this.#readHighest();
    if (id <= this.#highest) return false;
    this.#highest = id;
    return true;
  }

  #readHighest(): string {
    return (this.#statements.of('select max(id) as id from accepted').get() as { id: string | null }).id ?? '';
  }

  #acceptLater(id: string, tree: number): true {
    const ids = this.#unwritten.get(tree);
    if (ids === undefined) this.#unwritten.set(tree, new Set([id]));
    else ids.add(id);
    return true;
  }

  #acceptNow(id: string, tree: number): boolean {
    if (this.#unwritten.get(tree)?.has(id) === true) return false;
    this.#host.begin();
    const insert = this.#statements.of('insert into accepted values (?, ?, ?, ?) on conflict(id, tree) do nothing');
    return insert.run(id, tree, this.#host.turn, this.#host.clock.now()).changes === 1;
  }

  /** One chunk of a walk through all ids; the next walk begins when the oldest id that this one left expires. */
  #forgetOld(now: number): void {
    if (now < this.#nothingToForgetBefore) return;
    const oldest = now - this.#dedupeForMs;
    const chunk = this.#statements
      .of('select id, at from accepted where id > ? order by id limit ?')
      .all(this.#forgottenUpTo, CHUNK) as { id: string; at: number }[];
    const forget = this.#statements.of('delete from accepted where id = ? and at < ?');
    for (const { id, at } of chunk) {
      if (at < oldest) forget.run(id, oldest);
      else this.#oldestSeen = Math.min(this.#oldestSeen, at);
    }
    this.#forgottenUpTo = chunk.length < CHUNK ? '' : (chunk.at(-1)?.id ?? '');
    if (this.#forgottenUpTo !== '') return;
    this.#nothingToForgetBefore = Math.min(this.#oldestSeen, now) + this.#dedupeForMs;
    this.#oldestSeen = Number.POSITIVE_INFINITY;
  }
}
