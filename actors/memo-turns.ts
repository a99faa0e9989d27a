/**
 * How many steps are looked up in one turn: the loop does nothing else meanwhile.
 *
 * Invariants:
 * L1 After a `renew` at least one step is looked up, so that a plan comes to its end.
 * L2 No step is looked up after so many, or after so long, until the next turn, or the next `renew`.
 */
import type { Rows } from '../persistence/rows.ts';

/** Steps that are looked up in one turn, and whose files are read at once. */
export const MOST_A_TURN = 100;
const LONGEST_MS = 50;

export class MemoTurns {
  readonly #rows: Pick<Rows, 'turn'>;
  #turn = Number.NaN;
  #left = 0;
  #until = 0;

  constructor(rows: Pick<Rows, 'turn'>) {
    this.#rows = rows;
  }

  /** Turns that are committed together count as one, but for one that begins so. */
  renew(): void {
    this.#turn = this.#rows.turn;
    this.#left = MOST_A_TURN;
    this.#until = performance.now() + LONGEST_MS;
  }

  /** Whether one more step may be looked up in this turn. */
  mayLookUp(): boolean {
    if (this.#rows.turn !== this.#turn) this.renew();
    if (this.#left === 0 || (this.#left < MOST_A_TURN && performance.now() > this.#until)) return false;
    this.#left -= 1;
    return true;
  }
}
