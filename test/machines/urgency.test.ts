import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CLASS_MS,
  HORIZON_MS,
  NOT_URGENT,
  PRIORITIES,
  inherit,
  rankOf,
  urgencyOf,
  type Urgency,
} from '../../machines/urgency.ts';

const at = fc.integer({ min: 0, max: 2_000_000_000_000 });
const estimateMs = fc.integer({ min: 0, max: 2 * HORIZON_MS });
const ahead = fc.integer({ min: 1, max: 3 * HORIZON_MS });
const urgency = (now: number): fc.Arbitrary<Urgency> =>
  fc.record({
    priority: fc.constantFrom(...PRIORITIES),
    dueAt: fc.option(ahead.map((ms) => now + ms)),
    costOfDelay: fc.option(fc.double({ min: 0, max: 1e9, noNaN: true })),
    isAwaited: fc.boolean(),
  });
const classOf = ({ priority, isAwaited }: Urgency) => (isAwaited ? -1 : PRIORITIES.indexOf(priority));

describe('of actions that arrive together', () => {
  test('the class decides, and a person who waits goes before every class', () => {
    fc.assert(
      fc.property(
        at.chain((now) => fc.tuple(fc.constant(now), urgency(now), urgency(now), estimateMs, estimateMs)),
        ([now, a, b, ofA, ofB]) => {
          fc.pre(classOf(a) < classOf(b));
          expect(rankOf(a, { at: now, estimateMs: ofA })).toBeGreaterThanOrEqual(
            rankOf(b, { at: now, estimateMs: ofB }),
          );
        },
      ),
    );
  });

  test('what has a due time goes before what has none', () => {
    fc.assert(
      fc.property(at, ahead, estimateMs, estimateMs, (now, ms, ofDue, ofOther) => {
        const due = rankOf({ ...NOT_URGENT, dueAt: now + ms }, { at: now, estimateMs: ofDue });
        expect(due).toBeGreaterThanOrEqual(rankOf(NOT_URGENT, { at: now, estimateMs: ofOther }));
      }),
    );
  });

  test('the earliest due time within the horizon goes first, and of those with other estimates the least laxity', () => {
    const within = fc.integer({ min: 1, max: HORIZON_MS });
    fc.assert(
      fc.property(at, within, within, within, within, (now, dueA, dueB, ofA, ofB) => {
        fc.pre(dueA - ofA < dueB - ofB);
        const rank = (dueAt: number, estimate: number) =>
          rankOf({ ...NOT_URGENT, dueAt: now + dueAt }, { at: now, estimateMs: estimate });
        expect(rank(dueA, ofA)).toBeGreaterThan(rank(dueB, ofB));
      }),
    );
  });

  test('without due times what gains most for its time goes first', () => {
    const cost = fc.integer({ min: 1, max: 1_000 });
    const ms = fc.integer({ min: 1, max: 100_000 });
    fc.assert(
      fc.property(at, cost, cost, ms, ms, (now, costA, costB, ofA, ofB) => {
        fc.pre(costA / ofA > 1.01 * (costB / ofB));
        const rank = (costOfDelay: number, estimate: number) =>
          rankOf({ ...NOT_URGENT, costOfDelay }, { at: now, estimateMs: estimate });
        expect(rank(costA, ofA)).toBeGreaterThan(rank(costB, ofB));
      }),
    );
  });
});

test('nothing starves: whatever arrives so much later goes after it', () => {
  fc.assert(
    fc.property(
      at.chain((now) => fc.tuple(fc.constant(now), urgency(now), estimateMs)),
      estimateMs,
      ([now, waiting, own], other) => {
        const later = now + (PRIORITIES.length + 1) * CLASS_MS;
        const front: Urgency = { priority: 'critical', dueAt: later + 1, costOfDelay: 1e9, isAwaited: true };
        expect(rankOf(waiting, { at: now, estimateMs: own })).toBeGreaterThanOrEqual(
          rankOf(front, { at: later, estimateMs: other }),
        );
      },
    ),
  );
});

test('what must come before something urgent goes before it', () => {
  fc.assert(
    fc.property(
      fc.double({ noNaN: true, min: -1e13, max: 1e13 }),
      fc.array(fc.integer()),
      estimateMs,
      (own, others, ms) => {
        const rank = inherit(own, others, ms);
        expect(rank).toBeGreaterThanOrEqual(Math.max(own, ...others.map((other) => other + ms)));
        expect([own, ...others.map((other) => other + ms)]).toContain(rank);
      },
    ),
  );
});

test.each([
  [{ priority: 'urgent' }, 'priority must be one of critical, high, normal, low, got "urgent"'],
  [{ dueAt: 999 }, 'dueAt has passed: it is 1 ms ago'],
  [{ dueAt: new Date(Number.NaN) }, 'dueAt must be a Date, or ms since 1970'],
  [{ dueAt: '2026' }, 'dueAt must be a Date, or ms since 1970, got "2026"'],
  [{ dueAt: null }, 'dueAt must be a Date, or ms since 1970, got null'],
  [{ dueAt: {} }, 'dueAt must be a Date, or ms since 1970, got an object'],
  [{ dueAt: 1e300 }, 'dueAt must be a Date, or ms since 1970, got 1e+300'],
  [{ costOfDelay: -1 }, 'costOfDelay must be 0 or more, got -1'],
  [{ isAwaited: 1 }, 'isAwaited must be true or false, got 1'],
])('%j is refused', (options, wrong) => {
  expect(() => urgencyOf('The action "a"', options as never, 1_000)).toThrow(wrong);
});
