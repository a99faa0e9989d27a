/**
 * How values are distributed, in bounded room: counts in buckets whose limits grow by a constant factor, so that every quantile is
 * off by 1 % of itself at most. Source: C. Masson, J. E. Rim and H. K. Lee, "DDSketch: a fast and fully-mergeable quantile sketch
 * with relative-error guarantees", VLDB 2019.
 *
 * Invariants:
 * K1 A quantile is within {@link RELATIVE_ERROR} of a value of that rank, unless it is so small that its bucket was folded (K2).
 * K2 There are at most {@link MOST_BUCKETS}, next to each other: what is below the lowest counts in that. They span 17 powers of ten.
 * K3 A sketch is a function of the values that it holds, in any order: merging two is the same as adding the values of both.
 */
import { PerdureError } from '../errors.ts';

/** How far a quantile may be from the value that it stands for, as a part of it. */
export const RELATIVE_ERROR = 0.01;
/** Buckets that are kept. */
export const MOST_BUCKETS = 2_048;
/** What is smaller counts as 0. */
const SMALLEST = 1e-9;

const GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR);
const LOG_GROWTH = Math.log(GROWTH);

/** A sketch as it is stored: `buckets` holds each index behind its predecessor's distance, and then its count. */
export interface StoredSketch {
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly zeros: number;
  readonly buckets: readonly number[];
}

/** Counts of values from 0 up, each with a weight. */
export class Sketch {
  #count = 0;
  #sum = 0;
  #min = Infinity;
  #max = 0;
  #zeros = 0;
  #highest = -Infinity;
  readonly #buckets = new Map<number, number>();

  /** The sketch that {@link toJSON} gave. Throws ROW_CORRUPT for anything else. */
  static from(stored: unknown): Sketch {
    const { count, sum, min, max, zeros, buckets } = checked(stored);
    const sketch = new Sketch();
    sketch.#count = count;
    sketch.#sum = sum;
    sketch.#min = count === 0 ? Infinity : min;
    sketch.#max = max;
    sketch.#zeros = zeros;
    let index = 0;
    for (let at = 0; at < buckets.length; at += 2) {
      index += buckets[at]!;
      sketch.#buckets.set(index, buckets[at + 1]!);
      sketch.#highest = index;
    }
    return sketch;
  }

  /** The weights of all values. */
  get count(): number {
    return this.#count;
  }

  get sum(): number {
    return this.#sum;
  }

  /** 0 when it is empty. */
  get min(): number {
    return this.#count === 0 ? 0 : this.#min;
  }

  get max(): number {
    return this.#max;
  }

  /** The mean; 0 when it is empty. */
  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count;
  }

  /** How many buckets it takes. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Adds a value from 0 up; anything else counts as 0. */
  add(given: number, weight = 1): void {
    const value = given >= 0 && given < Infinity ? given : 0;
    this.#count += weight;
    this.#sum += value * weight;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
    if (value < SMALLEST) this.#zeros += weight;
    else this.#put(Math.ceil(Math.log(value) / LOG_GROWTH), weight);
  }

  /** Adds what another holds. */
  merge(other: Sketch): void {
    this.#count += other.#count;
    this.#sum += other.#sum;
    this.#min = Math.min(this.#min, other.#min);
    this.#max = Math.max(this.#max, other.#max);
    this.#zeros += other.#zeros;
    for (const [index, weight] of other.#buckets) this.#put(index, weight);
  }

  #put(index: number, weight: number): void {
    if (index > this.#highest) this.#raise(index);
    const kept = Math.max(index, this.#highest - MOST_BUCKETS + 1);
    this.#buckets.set(kept, (this.#buckets.get(kept) ?? 0) + weight);
  }

  /** K2. */
  #raise(highest: number): void {
    this.#highest = highest;
    if (this.#buckets.size === 0) return;
    const lowest = highest - MOST_BUCKETS + 1;
    let folded = 0;
    for (const [index, weight] of this.#buckets) {
      if (index >= lowest) continue;
      folded += weight;
      this.#buckets.delete(index);
    }
    if (folded > 0) this.#buckets.set(lowest, (this.#buckets.get(lowest) ?? 0) + folded);
  }

  /** The value of which this part of all values, from 0 to 1, is not greater; 0 when it is empty. */
  quantile(part: number): number {
    if (this.#count === 0) return 0;
    const rank = Math.max(0, Math.min(1, part)) * (this.#count - 1);
    let below = this.#zeros;
    if (rank < below) return 0;
    for (const [index, weight] of this.#sorted()) {
      below += weight;
      if (rank < below) return this.#within((2 * GROWTH ** index) / (GROWTH + 1));
    }
    return this.#max;
  }

  /** The bucket's middle may lie beyond what was measured. */
  #within(value: number): number {
    return Math.min(this.#max, Math.max(this.#min, value));
  }

  #sorted(): [index: number, weight: number][] {
    return [...this.#buckets].sort(([a], [b]) => a - b);
  }

  toJSON(): StoredSketch {
    const buckets: number[] = [];
    let before = 0;
    for (const [index, weight] of this.#sorted()) {
      buckets.push(index - before, weight);
      before = index;
    }
    return { count: this.#count, sum: this.#sum, min: this.min, max: this.#max, zeros: this.#zeros, buckets };
  }
}

function checked(stored: unknown): StoredSketch {
  const { count, sum, min, max, zeros, buckets } = (stored ?? {}) as Partial<Record<keyof StoredSketch, unknown>>;
  const isSound =
    [count, sum, min, max, zeros].every((value) => Number.isFinite(value) && (value as number) >= 0) &&
    Array.isArray(buckets) &&
    buckets.length % 2 === 0 &&
    buckets.every((value, at) => (at % 2 === 0 ? Number.isSafeInteger(value) : Number.isFinite(value) && value >= 0));
  if (isSound) return stored as StoredSketch;
  throw new PerdureError('ROW_CORRUPT', 'A sketch is numbers from 0 up and a list of buckets; what is stored is not.');
}
