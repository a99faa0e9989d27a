/** Leaves out the lines that say nothing new: what waits for the last of a chain waits for all of it. */

interface Line {
  readonly from: string;
  readonly to: string;
}

/**
 * The lines without those whose end is reached by others too. What lies in a circle keeps all of its lines.
 *
 * R1  What could be reached along the lines still can, and nothing else can.
 */
export function reduced<T extends Line>(lines: readonly T[]): T[] {
  const before = new Map<string, Set<string>>();
  const after = new Map<string, string[]>();
  for (const { from, to } of lines) {
    if (!before.has(from)) before.set(from, new Set());
    before.set(to, (before.get(to) ?? new Set()).add(from));
    after.set(from, [...(after.get(from) ?? []), to]);
  }
  const order = sorted(before, after);
  const number = new Map(order.map((id, index) => [id, index]));
  const words = Math.ceil(order.length / 32);
  /** A bit for each that comes before, however far. */
  const reached = new Uint32Array(words * order.length);
  const isSuperfluous = new Set<string>();
  for (const [index, id] of order.entries()) {
    const own = index * words;
    // The nearest come first: what they reach need not be reached by a line of its own.
    const near = [...before.get(id)!].map((one) => number.get(one)!).toSorted((a, b) => b - a);
    for (const one of near) {
      if ((reached[own + (one >> 5)]! >>> (one & 31)) & 1) isSuperfluous.add(`${order[one]}\n${id}`);
      for (let word = 0; word < words; word++) reached[own + word]! |= reached[one * words + word]!;
      reached[own + (one >> 5)]! |= 1 << (one & 31);
    }
  }
  return lines.filter(({ from, to }) => !isSuperfluous.has(`${from}\n${to}`));
}

/** Everything after what it waits for; what lies in a circle, or behind one, is left out. */
function sorted(before: ReadonlyMap<string, ReadonlySet<string>>, after: ReadonlyMap<string, string[]>): string[] {
  const open = new Map([...before].map(([id, all]) => [id, all.size]));
  const order = [...open].filter(([, count]) => count === 0).map(([id]) => id);
  for (const id of order) {
    for (const next of new Set(after.get(id))) {
      const left = open.get(next)! - 1;
      open.set(next, left);
      if (left === 0) order.push(next);
    }
  }
  return order;
}
