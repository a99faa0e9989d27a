/**
 * A binary heap: the least item by a given order comes out first, at the cost of a logarithm. It knows nothing of what
 * it holds. Items that compare equal come out in no promised order, so a caller that needs one puts it in the order.
 */

/** A priority queue over `compare`, which is negative when its first argument goes out first. */
export class Heap<T> {
  readonly #items: T[] = [];
  readonly #compare: (a: T, b: T) => number;

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#items.length;
  }

  /** The least item, left where it is. */
  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    const items = this.#items;
    let hole = items.length;
    items.push(item);
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (this.#compare(item, items[parent]!) >= 0) break;
      items[hole] = items[parent]!;
      hole = parent;
    }
    items[hole] = item;
  }

  /** Takes the least item out. */
  pop(): T | undefined {
    const items = this.#items;
    const least = items[0];
    const last = items.pop();
    if (items.length > 0) this.#sink(last!);
    return least;
  }

  /** Lets `item` fall from the root to where it belongs, lifting the lesser child on its way. */
  #sink(item: T): void {
    const items = this.#items;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && this.#compare(items[child + 1]!, items[child]!) < 0) child += 1;
      if (this.#compare(items[child]!, item) >= 0) break;
      items[hole] = items[child]!;
      hole = child;
    }
    items[hole] = item;
  }
}
