/**
 * Finds the names somebody probably meant, for messages that refuse a name: edit distance with transpositions
 * (optimal string alignment), upper and lower case alike, and only as many edits as a slip of the hand makes.
 */

const SUGGESTIONS = 3;

/** Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours cost one each. */
function distance(a: string, b: string): number {
  let older: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) least = Math.min(least, older[j - 2]! + 1);
      current.push(least);
    }
    older = previous;
    previous = current;
  }
  return previous[b.length]!;
}

/** A third of the word may be wrong, but at least one letter and at most five. */
function tolerance(word: string): number {
  return Math.min(5, Math.max(1, Math.floor(word.length / 3)));
}

/** Up to three of `candidates` that are a slip away from `word`, the nearest first; empty when none is near. */
export function nearest(word: string, candidates: Iterable<string>): readonly string[] {
  const wanted = word.toLowerCase();
  const edits = tolerance(word);
  const near: { readonly name: string; readonly edits: number }[] = [];
  for (const name of candidates) {
    if (Math.abs(name.length - word.length) > edits) continue;
    const needed = distance(wanted, name.toLowerCase());
    if (needed <= edits) near.push({ name, edits: needed });
  }
  near.sort((a, b) => a.edits - b.edits);
  return near.slice(0, SUGGESTIONS).map(({ name }) => name);
}
