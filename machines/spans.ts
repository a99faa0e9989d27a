/**
 * Spans of time that lie in each other, of code that may wait and do several things at once. They are told of as they begin and
 * end, in the order of time, so that each is a few numbers while it is open and nothing afterwards.
 *
 * Invariants:
 * P1 The time of its own (self) of a span is its length (inclusive) without the union of its children: time that two children
 *    share is taken off once, and a child that outlives its parent is taken off up to the parent's end.
 * P2 Of spans that lie in each other one at a time, the times of their own add up to the length of the outermost.
 * P3 A span that has ended takes no children: what begins in it afterwards belongs to the nearest span around it that is open.
 */

/** A span that has ended. */
export interface EndedSpan {
  readonly inclusiveMs: number;
  readonly selfMs: number;
}

/** A span that is under way. Times are ms of one clock that never goes back. */
export class OpenSpan {
  readonly startedAt: number;
  #parent: OpenSpan | undefined;
  /** Children that are open, since when one at least is, and what was covered by children before that. */
  #open = 0;
  #coveredSince = 0;
  #coveredMs = 0;
  #isOver = false;

  constructor(at: number, around?: OpenSpan) {
    this.startedAt = at;
    this.#parent = openOf(around);
    if (this.#parent !== undefined) this.#parent.#enter(at);
  }

  /** The span around it. */
  get parent(): OpenSpan | undefined {
    return this.#parent;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Ends it; undefined when it has ended before. */
  end(at: number): EndedSpan | undefined {
    if (this.#isOver) return undefined;
    this.#isOver = true;
    if (this.#open > 0) this.#coveredMs += at - this.#coveredSince;
    if (this.#parent !== undefined) this.#parent.#leave(at);
    // A chain in which each hands over to the next must not keep all that ended.
    this.#parent = openOf(this.#parent);
    const inclusiveMs = Math.max(0, at - this.startedAt);
    return { inclusiveMs, selfMs: Math.max(0, inclusiveMs - this.#coveredMs) };
  }

  #enter(at: number): void {
    if (this.#open === 0) this.#coveredSince = at;
    this.#open += 1;
  }

  #leave(at: number): void {
    this.#open -= 1;
    if (this.#open === 0 && !this.#isOver) this.#coveredMs += at - this.#coveredSince;
  }
}

/** P3. */
function openOf(span: OpenSpan | undefined): OpenSpan | undefined {
  let found = span;
  while (found?.isOver === true) found = found.parent;
  return found;
}
