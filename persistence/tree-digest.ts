/** The checksums of all rows of a tree, folded into one: a row that vanishes, or comes from elsewhere, does not add up. */
import type { Statements } from './rows.ts';

export class TreeDigest {
  readonly #statements: Statements;
  readonly #tree: number;
  /** Of the rows as they will be written. */
  #now = 0;
  /** Of the rows as they were read. */
  #found = 0;
  /** What the tree's own row says; null before the first write. */
  #written: number | null = null;

  constructor(statements: Statements, tree: number) {
    this.#statements = statements;
    this.#tree = tree;
  }

  get isWritten(): boolean {
    return this.#written !== null;
  }

  /** A row comes, or one that was there goes. */
  toggle(checksum: number): void {
    this.#now ^= checksum;
  }

  /** A row was read; `now` differs when it is to be rewritten. */
  read(stored: number, now: number): void {
    this.#found ^= stored;
    this.#now ^= now;
  }

  /** Whether the rows that were read are those that were written. */
  verify(): boolean {
    const find = this.#statements.of('select digest from trees where tree = ?');
    const { digest } = find.get(this.#tree) as { digest: number | null };
    this.#written = digest;
    return digest === null || digest === this.#found;
  }

  write(turn: number): void {
    if (this.#now === this.#written) return;
    this.#statements.of('update trees set digest = ?, from_turn = ? where tree = ?').run(this.#now, turn, this.#tree);
    this.#written = this.#now;
  }
}
