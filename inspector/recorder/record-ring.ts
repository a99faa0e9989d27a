/** The records of late: numbered, bounded in number and in size. What is put in is kept as it is until somebody has it shown. */
import type { InspectionRecord } from '../protocol.ts';

/** A record that is not shown yet is made when it is asked for. */
export interface Slot {
  readonly seq: number;
  readonly at: number;
  /** The record, once it is shown. */
  shown: InspectionRecord | undefined;
  /** How many characters or bytes it takes, about. */
  size: number;
}

export class RecordRing<TSlot extends Slot> {
  readonly #slots: (TSlot | undefined)[] = [];
  readonly #most: number;
  readonly #mostSize: number;
  /** The number of the oldest that is held. */
  #first = 1;
  #next = 1;
  #size = 0;

  constructor(most: number, mostSize: number) {
    this.#most = most;
    this.#mostSize = mostSize;
  }

  get first(): number {
    return this.#first;
  }

  get next(): number {
    return this.#next;
  }

  at(seq: number): TSlot | undefined {
    if (seq < this.#first || seq >= this.#next) return undefined;
    return this.#slots[seq % this.#most];
  }

  put(slot: TSlot): void {
    if (this.#next - this.#first >= this.#most) this.#drop();
    this.#slots[slot.seq % this.#most] = slot;
    this.#next = slot.seq + 1;
    this.#size += slot.size;
    this.#fit(slot);
  }

  /** What is shown may take more room than what was put in. */
  grown(slot: TSlot, size: number): void {
    this.#size += size - slot.size;
    slot.size = size;
    this.#fit(slot);
  }

  #fit(slot: TSlot): void {
    while (this.#size > this.#mostSize && this.#first < slot.seq) this.#drop();
  }

  /** Leaves a number out: something is missing there. */
  skip(): void {
    if (this.#next - this.#first >= this.#most) this.#drop();
    this.#slots[this.#next % this.#most] = undefined;
    this.#next += 1;
  }

  #drop(): void {
    const place = this.#first % this.#most;
    this.#size -= this.#slots[place]?.size ?? 0;
    this.#slots[place] = undefined;
    this.#first += 1;
  }
}
