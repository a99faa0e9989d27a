/**
 * Where time went: a tree of operations by who called whom, with counts, failures, time of their own and a sketch of how long they
 * took. It is told of spans as they begin and end, and owns no clock.
 *
 * Invariants:
 * F1 There are never more than twice {@link MOST_OPERATIONS} nodes: beyond that those that matter least go into one, `other`, so
 *    that nothing that was measured is lost from the sums.
 * F2 Only spans that have ended count, as gone well or failed; those under way are told apart, as in flight.
 * F3 An operation within itself counts as a call, but its time only once: the total is of the outermost.
 */
import { Sketch, type StoredSketch } from './sketch.ts';
import type { EndedSpan } from './spans.ts';

/** Operations that are kept, by the time of their own and of what they called. */
export const MOST_OPERATIONS = 1_000;
/** Where all others go. */
export const OTHER = 'other';
const LONGEST_NAME = 300;
/** Operations in each other that are told apart. Functions that call each other in turns may lie in each other without end. */
const DEEPEST = 64;

/** Work is done; a wait is for a slot, a back-off or a commit; runtime is Perdure's own. */
export const SPAN_KINDS = ['work', 'wait', 'runtime'] as const;
export type SpanKind = (typeof SPAN_KINDS)[number];

/** An operation as it is stored. */
export interface StoredNode {
  /** The names of what called it, the outermost first, and its own. */
  readonly path: readonly string[];
  readonly kind: SpanKind;
  readonly count: number;
  readonly failures: number;
  readonly totalMs: number;
  readonly selfMs: number;
  readonly sketch: StoredSketch;
}

/** An operation at one place of the tree. */
export class ProfileNode {
  readonly name: string;
  readonly kind: SpanKind;
  readonly parent: ProfileNode | undefined;
  readonly children = new Map<string, ProfileNode>();
  /** Calls that have ended, and those that failed. */
  count = 0;
  failures = 0;
  /** Calls under way. */
  inFlight = 0;
  /** Time of its outermost calls, ms. */
  totalMs = 0;
  selfMs = 0;
  /** How long its calls took, ms. */
  sketch = new Sketch();
  /** It has a row where profiles are kept. */
  isKept = false;
  /** It went into `other`, or was forgotten: it is no part of the tree any more. */
  gone: 'folded' | 'forgotten' | undefined;
  /** Something of its name is around it. */
  readonly isNested: boolean;
  /** How many there are from the outermost to it. */
  readonly depth: number;

  constructor(name: string, kind: SpanKind, parent: ProfileNode | undefined) {
    this.name = name;
    this.kind = kind;
    this.parent = parent;
    this.isNested = isAround(parent, name);
    this.depth = parent === undefined ? 0 : parent.depth + 1;
  }

  get path(): string[] {
    const path = [this.name];
    for (let { parent } = this; parent?.parent !== undefined; { parent } = parent) path.push(parent.name);
    return path.reverse();
  }

  toJSON(): StoredNode {
    const { path, kind, count, failures, totalMs, selfMs, sketch } = this;
    return { path, kind, count, failures, totalMs, selfMs, sketch: sketch.toJSON() };
  }
}

function isAround(parent: ProfileNode | undefined, name: string): boolean {
  for (let node = parent; node !== undefined; node = node.parent) if (node.name === name) return true;
  return false;
}

/** The name of an operation, no longer than is kept. */
export function shortName(name: string): string {
  return name.length > LONGEST_NAME ? name.slice(0, LONGEST_NAME) : name;
}

/** Too deep for one of its own: it counts with the nearest of its name that adds nothing to a total (F3), or with its caller. */
function nearest(caller: ProfileNode, name: string): ProfileNode {
  for (let node: ProfileNode | undefined = caller; node !== undefined; node = node.parent)
    if (node.name === name && node.isNested) return node;
  return caller;
}

/** A profile that grows. */
export class Profile {
  readonly root = new ProfileNode('', 'work', undefined);
  readonly #limit: number;
  #size = 0;
  /** What changed since it was taken to be written, the oldest first. */
  readonly #changed = new Set<ProfileNode>();
  /** What has a row and is there no more. What has none is not asked for: there may be any number of those. */
  readonly #removed = new Set<ProfileNode>();

  constructor(limit = MOST_OPERATIONS) {
    this.#limit = limit;
  }

  /** How many operations there are. */
  get size(): number {
    return this.#size;
  }

  /** The operation of this name that is called by another, or by none. One that calls itself stays one. */
  at(parent: ProfileNode | undefined, given: string, kind: SpanKind = 'work'): ProfileNode {
    const name = shortName(given);
    if (parent?.name === name && parent !== this.root) return parent;
    if (parent !== undefined && parent.depth >= DEEPEST && parent.gone === undefined) return nearest(parent, name);
    const around = parent === undefined || parent.gone !== undefined ? this.root : parent;
    const known = around.children.get(name);
    if (known !== undefined) return known;
    if (this.#size >= 2 * this.#limit) {
      this.#fold();
      if (around.gone !== undefined) return this.#other();
    }
    return this.#made(around, name, kind);
  }

  #made(parent: ProfileNode, name: string, kind: SpanKind): ProfileNode {
    const node = new ProfileNode(name, kind, parent);
    parent.children.set(name, node);
    this.#size += 1;
    return node;
  }

  #other(): ProfileNode {
    return this.root.children.get(OTHER) ?? this.#made(this.root, OTHER, 'work');
  }

  /** A call begins. */
  begin(node: ProfileNode): void {
    node.inFlight += 1;
  }

  /** Nobody will hear how a call ended. */
  abandon(node: ProfileNode): void {
    this.#countedAs(node).inFlight -= 1;
  }

  #countedAs(node: ProfileNode): ProfileNode {
    return node.gone === 'folded' ? this.#other() : node;
  }

  /** Forgets everything. What is under way counts no more. */
  clear(): void {
    for (const node of this.nodes()) node.gone = 'forgotten';
    this.root.children.clear();
    this.#size = 0;
    this.#changed.clear();
    this.#removed.clear();
  }

  /** A call has ended (F2). One of several that stand for it has a greater `weight`. */
  end(
    node: ProfileNode,
    { inclusiveMs, selfMs }: EndedSpan,
    failed: boolean,
    weight: number,
    within?: ProfileNode,
  ): void {
    const kept = this.#countedAs(node);
    kept.inFlight -= 1;
    if (node.gone === 'forgotten') return;
    kept.count += weight;
    if (failed) kept.failures += weight;
    kept.selfMs += selfMs * weight;
    // F3.
    if (!kept.isNested && within !== node) kept.totalMs += inclusiveMs * weight;
    kept.sketch.add(inclusiveMs, weight);
    this.#changed.add(kept);
  }

  /** Puts back what was stored, beside what is there. */
  restore(stored: readonly StoredNode[]): void {
    for (const { path, kind, count, failures, totalMs, selfMs, sketch } of stored) {
      let node = this.root;
      for (const [depth, name] of path.entries()) {
        const isLast = depth === path.length - 1;
        node = node.children.get(name) ?? this.#made(node, name, isLast ? kind : 'work');
      }
      node.count += count;
      node.failures += failures;
      node.totalMs += totalMs;
      node.selfMs += selfMs;
      node.sketch.merge(Sketch.from(sketch));
      node.isKept = true;
    }
  }

  /** All operations, callers before those that they call. */
  *nodes(): Generator<ProfileNode> {
    const waiting = [...this.root.children.values()];
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      yield node;
      for (const child of node.children.values()) waiting.push(child);
    }
  }

  /** The time of each operation's own and of all that it called, ms. */
  values(): Map<ProfileNode, number> {
    const values = new Map<ProfileNode, number>([[this.root, 0]]);
    for (const node of [...this.nodes()].reverse()) {
      const value = (values.get(node) ?? 0) + node.selfMs;
      values.set(node, value);
      const parent = node.parent as ProfileNode;
      values.set(parent, (values.get(parent) ?? 0) + value);
    }
    return values;
  }

  /** Something changed that was not taken yet. */
  get hasChanged(): boolean {
    return this.#changed.size > 0;
  }

  /** What has changed, to be written: what waits longest first, so that nothing waits for ever. */
  takeChanged(most = Infinity): ProfileNode[] {
    const taken: ProfileNode[] = [];
    for (const node of this.#changed) {
      if (taken.length >= most) break;
      taken.push(node);
      this.#changed.delete(node);
    }
    return taken;
  }

  /** What has a row and is there no more, to be removed. */
  takeRemoved(): ProfileNode[] {
    const removed = [...this.#removed];
    this.#removed.clear();
    return removed;
  }

  /** These have a row now. What went meanwhile is to be removed again. */
  kept(written: readonly ProfileNode[]): void {
    for (const node of written) {
      node.isKept = true;
      if (node.gone === 'folded') this.#removed.add(node);
    }
  }

  /** These were not written and not removed after all. */
  notKept(written: readonly ProfileNode[], removed: readonly ProfileNode[]): void {
    for (const node of written) if (node.gone === undefined) this.#changed.add(node);
    for (const node of removed) this.#removed.add(node);
  }

  /** F1. A caller is worth no less than what it calls, so that whoever stays keeps its callers. */
  #fold(): void {
    const values = this.values();
    const worth = (node: ProfileNode) => values.get(node) ?? 0;
    const all = [...this.nodes()];
    const other = this.#other();
    const leaving = all
      .filter((node) => node !== other)
      .sort((a, b) => worth(b) - worth(a) || a.depth - b.depth)
      .slice(this.#limit - 1);
    for (const node of leaving) this.#foldInto(other, node);
  }

  #foldInto(other: ProfileNode, node: ProfileNode): void {
    if (node.isKept) this.#removed.add(node);
    other.count += node.count;
    other.inFlight += node.inFlight;
    other.failures += node.failures;
    // Within `other` nobody knows who called whom: only the time of their own adds up.
    other.totalMs += node.selfMs;
    other.selfMs += node.selfMs;
    other.sketch.merge(node.sketch);
    this.#changed.add(other);
    this.#changed.delete(node);
    node.gone = 'folded';
    node.sketch = new Sketch();
    (node.parent as ProfileNode).children.delete(node.name);
    this.#size -= 1;
  }
}
