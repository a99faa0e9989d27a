/** The newest records, the oldest first, and never more than a bound. */
import type { InspectionRecord } from '../protocol.ts';

/** How many records the page holds. */
export const MAX_RECORDS = 20_000;

export class RecordList {
  /** Do not change it; it grows in place. */
  items: InspectionRecord[] = [];
  #max: number;

  constructor(max: number = MAX_RECORDS) {
    this.#max = max;
  }

  get length(): number {
    return this.items.length;
  }

  /** Adds records that follow; those that are there already are left out. */
  add(records: readonly InspectionRecord[]): void {
    let last = this.items.at(-1)?.seq ?? -Infinity;
    for (const record of records) {
      if (record.seq <= last) continue;
      this.items.push(record);
      last = record.seq;
    }
    // Cut seldom, so that a full list does not copy itself with every record.
    if (this.items.length > this.#max * 1.1) this.items = this.items.slice(-this.#max);
  }

  /** The record of this number, if it is held. */
  find(seq: number): InspectionRecord | undefined {
    let low = 0;
    let high = this.items.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const record = this.items[middle]!;
      if (record.seq === seq) return record;
      if (record.seq < seq) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  /** Changes how many are held. */
  hold(max: number): void {
    this.#max = max;
  }

  clear(): void {
    this.items = [];
  }
}
