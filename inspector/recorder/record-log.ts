/**
 * The last records of a source that makes them itself, numbered.
 *
 * L1  Numbers count up by one, and none is given twice.
 * L2  It holds so many records and no more; what is gone is told by where the held ones begin, so they have no gap.
 */
import type { InspectionRecord } from '../protocol.ts';
import type { HeldRecords } from '../sources/source.ts';

const HELD = 5_000;

/** A record that has no number yet. */
export type Unnumbered = InspectionRecord extends infer T ? (T extends unknown ? Omit<T, 'seq'> : never) : never;

export class RecordLog {
  #records: InspectionRecord[] = [];
  #next = 1;
  readonly #held: number;

  constructor(held: number = HELD) {
    this.#held = held;
  }

  /** The number of the next record. */
  get next(): number {
    return this.#next;
  }

  /** Gives them their numbers. */
  add(records: readonly Unnumbered[]): InspectionRecord[] {
    const numbered = records.map((record) => ({ ...record, seq: this.#next++ }) as InspectionRecord);
    this.#records.push(...numbered);
    // Now and then, so that it costs nothing to add one.
    if (this.#records.length > 2 * this.#held) this.#records = this.#records.slice(-this.#held);
    return numbered;
  }

  /** Leaves numbers out for what nobody can have, and holds nothing of before (L2). Gives them: from, up to and without. */
  skip(count: number): { readonly from: number; readonly to: number } {
    const from = this.#next;
    this.#next += count;
    this.#records = [];
    return { from, to: this.#next };
  }

  from(seq: number): HeldRecords {
    const held = this.#records.slice(-this.#held);
    const first = this.#next - held.length;
    const from = Math.min(Math.max(seq, first), this.#next);
    return { from, records: held.slice(from - first) };
  }
}
