import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OpenSpan, type EndedSpan } from '../../machines/spans.ts';

test('H37: of spans that lie in each other one at a time, the times of their own add up to the length of the outermost', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(1_000)), { maxLength: 100 }), (steps) => {
      let now = 0;
      const root = new OpenSpan(now);
      const stack = [root];
      let own = 0;
      for (const [opens, ms] of steps) {
        now += ms;
        if (opens) stack.push(new OpenSpan(now, stack.at(-1)));
        else if (stack.length > 1) own += (stack.pop() as OpenSpan).end(now)!.selfMs;
      }
      for (const span of stack.toReversed()) own += span.end((now += 1))!.selfMs;
      expect(own).toBe(now - root.startedAt);
    }),
  );
});

/** A span by its parent's number, and how long after the one before it begins and how long it takes. */
const shape = fc.record({ parent: fc.nat(20), after: fc.nat(10), ms: fc.nat(50) });

interface Drawn {
  readonly parent: number | undefined;
  readonly from: number;
  readonly to: number;
}

/** Spans that overlap as they like, but begin while their parent is open. */
function drawn(shapes: readonly { parent: number; after: number; ms: number }[]): Drawn[] {
  const spans: Drawn[] = [{ parent: undefined, from: 0, to: 100 }];
  let from = 0;
  for (const { parent, after, ms } of shapes) {
    from += after;
    const around = parent % spans.length;
    if ((spans[around] as Drawn).to <= from) continue;
    spans.push({ parent: around, from, to: from + ms });
  }
  return spans;
}

/** The length of a span that no child covers, moment by moment. */
function ownTime(spans: readonly Drawn[], index: number): number {
  const { from, to } = spans[index] as Drawn;
  const children = spans.filter(({ parent }) => parent === index);
  let own = 0;
  for (let at = from; at < to; at += 1) if (!children.some((child) => child.from <= at && at < child.to)) own += 1;
  return own;
}

test('the time of its own is what no child covers, however the children overlap and outlive it', () => {
  fc.assert(
    fc.property(fc.array(shape, { maxLength: 20 }), (shapes) => {
      const spans = drawn(shapes);
      const moments = spans.flatMap(({ from, to }, index) => [
        { at: from, index, begins: true },
        { at: to, index, begins: false },
      ]);
      // What has no length begins before it ends, and whoever begins in another does so before that ends.
      moments.sort((a, b) => a.at - b.at || Number(b.begins) - Number(a.begins));
      const open = new Map<number, OpenSpan>();
      const ended = new Map<number, EndedSpan>();
      for (const { at, index, begins } of moments) {
        const { parent } = spans[index] as Drawn;
        if (begins) open.set(index, new OpenSpan(at, parent === undefined ? undefined : open.get(parent)));
        else ended.set(index, open.get(index)!.end(at) as EndedSpan);
      }
      for (const [index, { from, to }] of spans.entries())
        expect(ended.get(index)).toEqual({ inclusiveMs: to - from, selfMs: ownTime(spans, index) });
    }),
  );
});

test('what begins in a span that has ended belongs to the one around it', () => {
  const outer = new OpenSpan(0);
  const inner = new OpenSpan(1, outer);
  inner.end(2);
  const late = new OpenSpan(5, inner);
  expect(late.parent).toBe(outer);
  late.end(9);
  expect(outer.end(10)).toEqual({ inclusiveMs: 10, selfMs: 5 });
  expect(outer.end(11)).toBeUndefined();
});

test('a chain in which each hands over to the next keeps nothing of what has ended', () => {
  let span = new OpenSpan(0);
  for (let at = 1; at <= 1_000; at += 1) {
    const next = new OpenSpan(at, span);
    span.end(at);
    span = next;
  }
  let length = 0;
  for (let at: OpenSpan | undefined = span; at !== undefined; at = at.parent) length += 1;
  expect(length).toBeLessThan(4);
});
