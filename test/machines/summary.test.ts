import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { summaryOf, type MeasuredStep } from '../../machines/summary.ts';

const RUNS = { numRuns: 500 };

function step(id: string, startedAt: number | null, settledAt: number | null, more: Partial<MeasuredStep> = {}) {
  const workMs = startedAt === null || settledAt === null ? 0 : settledAt - startedAt;
  return { id, after: [], startedAt, settledAt, workMs, attempts: startedAt === null ? 0 : 1, ...more };
}

/** Whole milliseconds, so that sums are exact in any order. */
const ms = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 1_000 }));
const drawnStep = fc.record({
  before: fc.array(fc.nat(1_000), { maxLength: 4 }),
  from: ms,
  held: ms,
  worked: fc.integer({ min: 0, max: 100 }),
  attempts: fc.integer({ min: 1, max: 3 }),
  isTimed: fc.integer({ min: 0, max: 4 }).map((draw) => draw > 0),
});
const slots = fc.integer({ min: 1, max: 6 });

function afterOf(before: readonly number[], index: number): string[] {
  return index === 0 ? [] : [...new Set(before.map((draw) => `s${draw % index}`))];
}

/** Any times at all, also such as no run can have: rounds that came late, and clocks that were put back. */
const anyRun = fc
  .array(drawnStep, { maxLength: 25 })
  .map((drawn) =>
    drawn.map(({ before, from, held, worked, attempts, isTimed }, index): MeasuredStep => {
      const times = isTimed ? step('', from, from + held, { attempts }) : step('', null, null);
      return { ...times, id: `s${index}`, after: afterOf(before, index), workMs: Math.round((held * worked) / 50) };
    }),
  )
  .chain((steps) => fc.shuffledSubarray(steps, { minLength: steps.length }));

/** Runs that a scheduler of so many slots can have: each step begins when its dependencies have ended and a slot is free. */
const scheduledRun = fc.tuple(fc.array(drawnStep, { minLength: 1, maxLength: 25 }), slots).map(([drawn, room]) => {
  const freeAt = Array.from({ length: room }, () => 0);
  const endedAt = new Map<string, number>();
  const steps = drawn.map(({ before, held }, index): MeasuredStep => {
    const after = afterOf(before, index);
    const ready = Math.max(0, ...after.map((id) => endedAt.get(id)!));
    const slot = freeAt.indexOf(Math.min(...freeAt));
    const from = Math.max(ready, freeAt[slot]!);
    freeAt[slot] = from + held;
    endedAt.set(`s${index}`, from + held);
    return step(`s${index}`, from, from + held, { after });
  });
  return { steps, room };
});

/** What the longest chain of a run takes, found by trying every chain. */
function longestChain(steps: readonly MeasuredStep[]): number {
  const byId = new Map(steps.map((one) => [one.id, one]));
  const known = new Map<string, number>();
  const upTo = (id: string): number => {
    const { after, workMs } = byId.get(id)!;
    const found = known.get(id) ?? workMs + Math.max(0, ...after.map(upTo));
    known.set(id, found);
    return found;
  };
  return Math.max(0, ...steps.map(({ id }) => upTo(id)));
}

describe('summaryOf', () => {
  test('H32: never tells of a speed-up beyond min(slots, work / span), whatever was measured', () => {
    fc.assert(
      fc.property(anyRun, slots, (steps, room) => {
        const { speedUp, bound, efficiency, utilisation, spanMs, makespanMs, slots: had } = summaryOf(steps, room);
        expect(speedUp).toBeLessThanOrEqual(bound * (1 + 1e-12));
        expect(bound).toBeLessThanOrEqual(had);
        expect(spanMs).toBeLessThanOrEqual(makespanMs);
        expect(efficiency).toBeLessThanOrEqual(1);
        expect(utilisation).toBeLessThanOrEqual(1);
        expect(had).toBeGreaterThanOrEqual(room);
      }),
      RUNS,
    );
  });

  test('divides the whole makespan among the steps of the critical path, and leaves none of it out', () => {
    fc.assert(
      fc.property(anyRun, slots, (steps, room) => {
        const { criticalPath, makespanMs, dominant } = summaryOf(steps, room);
        const parts = criticalPath.flatMap(({ step: _, ...times }) => Object.values(times));
        const attempts = new Map(steps.map((one) => [one.id, one.attempts]));
        for (const { step: id, backedOffMs, heldUpMs } of criticalPath)
          expect(attempts.get(id)! > 1 ? heldUpMs : backedOffMs).toBe(0);
        expect(parts.reduce((sum, part) => sum + part, 0)).toBe(makespanMs);
        expect(Math.min(0, ...parts)).toBe(0);
        expect(dominant?.ms ?? 0).toBe(Math.max(0, ...parts));
      }),
      RUNS,
    );
  });

  test('measures work and span as they are, in runs that a scheduler can have', () => {
    fc.assert(
      fc.property(scheduledRun, ({ steps, room }) => {
        const { workMs, spanMs, atOnce, slots: had, criticalPath } = summaryOf(steps, room);
        expect(workMs).toBe(steps.reduce((sum, one) => sum + one.workMs, 0));
        expect(spanMs).toBe(longestChain(steps));
        expect(atOnce).toBeLessThanOrEqual(room);
        expect(had).toBe(room);
        const byId = new Map(steps.map((one) => [one.id, one]));
        for (const [index, { step: id }] of criticalPath.slice(1).entries())
          expect(byId.get(id)!.after).toContain(criticalPath[index]!.step);
      }),
      RUNS,
    );
  });

  test('tells of each step on the critical path what it waited, ran, backed off, or was held up', () => {
    const steps = [
      step('a', 100, 400),
      step('other', 100, 200),
      step('b', 450, 1_450, { after: ['a', 'other'], workMs: 300, attempts: 2 }),
      step('c', 1_450, 1_500, { after: ['b'], workMs: 40 }),
    ];
    const summary = summaryOf(steps, 2);
    expect(summary.criticalPath).toEqual([
      { step: 'a', waitedMs: 0, ranMs: 300, backedOffMs: 0, heldUpMs: 0 },
      { step: 'b', waitedMs: 50, ranMs: 300, backedOffMs: 700, heldUpMs: 0 },
      { step: 'c', waitedMs: 0, ranMs: 40, backedOffMs: 0, heldUpMs: 10 },
    ]);
    expect(summary.dominant).toEqual({ step: 'b', what: 'backedOff', ms: 700, share: 0.5 });
    expect(summary).toMatchObject({ workMs: 740, spanMs: 640, makespanMs: 1_400, atOnce: 2, slots: 2 });
  });

  test('passes through what took no time: who comes after it waited for what it waited for', () => {
    const steps = [
      step('a', 0, 10),
      step('same', null, null, { after: ['a'] }),
      step('b', 10, 30, { after: ['same'] }),
    ];
    expect(summaryOf(steps, 1)).toMatchObject({
      spanMs: 30,
      bound: 1,
      criticalPath: [{ step: 'a' }, { step: 'b', waitedMs: 0 }],
    });
  });

  test('says nothing of a run in which nothing ran', () => {
    expect(summaryOf([step('a', null, null)], 4)).toMatchObject({
      workMs: 0,
      makespanMs: 0,
      speedUp: 1,
      utilisation: 0,
      criticalPath: [],
      dominant: null,
    });
  });

  test('takes a chain of 100,000 steps', () => {
    const steps = Array.from({ length: 100_000 }, (_, i) =>
      step(`s${i}`, i, i + 1, { after: i === 0 ? [] : [`s${i - 1}`] }),
    );
    const { spanMs, criticalPath } = summaryOf(steps, 4);
    expect([spanMs, criticalPath.length]).toEqual([100_000, 100_000]);
  });
});
