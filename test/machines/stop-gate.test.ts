import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decideStop, isDone, payAgainMs, type StopFacts, type UnfinishedCounts } from '../../machines/stop-gate.ts';

const nothing: UnfinishedCounts = { waiting: 0, running: 0, asking: 0, parked: 0, plan: 0, debt: 0, failed: 0 };
const facts = (more: Partial<StopFacts> = {}, counts: Partial<UnfinishedCounts> = {}): StopFacts => ({
  at: 0,
  endsAt: 1_000,
  isTold: false,
  goal: null,
  hasWork: false,
  counts: () => ({ ...nothing, ...counts }),
  payAt: () => 0,
  ...more,
});
const count = fc.nat(2);
const anyCounts: fc.Arbitrary<UnfinishedCounts> = fc.record({
  waiting: count,
  running: count,
  asking: count,
  parked: count,
  plan: count,
  debt: count,
  failed: count,
});
const anyFacts = fc
  .record({
    at: fc.nat(2_000),
    isTold: fc.boolean(),
    goal: fc.constantFrom(null, true, false),
    hasWork: fc.boolean(),
    payAt: fc.option(fc.nat(2_000)),
    counts: anyCounts,
  })
  .map(({ payAt, counts, ...more }) => facts({ ...more, payAt: () => payAt }, counts));

test('S11: it answers "do not stop" only while work remains; it stops when the goal is met, or when told', () => {
  expect(decideStop(facts({ hasWork: true }))).toEqual({ kind: 'goOn' });
  for (const kind of ['waiting', 'running', 'asking', 'parked', 'plan'] as const)
    expect(decideStop(facts({}, { [kind]: 1 })), kind).toEqual({ kind: 'goOn' });
  expect(decideStop(facts())).toEqual({ kind: 'end', reason: 'goal' });
  expect(decideStop(facts({ goal: true, hasWork: true }))).toEqual({ kind: 'end', reason: 'goal' });
  expect(decideStop(facts({ goal: false }))).toEqual({ kind: 'goOn' });
  expect(decideStop(facts({ hasWork: true, isTold: true }, { running: 1 }))).toEqual({ kind: 'end', reason: 'told' });
});

test('it never goes on when told or beyond the time limit, and otherwise ends only at the goal with nothing pending', () => {
  fc.assert(
    fc.property(anyFacts, (given) => {
      const verdict = decideStop(given);
      const { waiting, running, asking, parked, plan } = given.counts();
      const pending = waiting + running + asking + parked + plan;
      if (given.isTold) expect(verdict).toEqual({ kind: 'end', reason: 'told' });
      else if (given.at >= given.endsAt) expect(verdict).toEqual({ kind: 'end', reason: 'time' });
      else if (verdict.kind !== 'goOn') {
        expect(pending).toBe(0);
        expect(given.goal ?? !given.hasWork).toBe(true);
      }
    }),
  );
});

test('H42: done is said only when all is finished, nothing failed, nothing is owed and the goal is reached', () => {
  fc.assert(
    fc.property(anyFacts, (given) => {
      const left = Object.values(given.counts()).reduce((sum, n) => sum + n, 0);
      expect(isDone(given)).toBe(left === 0 && (given.goal ?? !given.hasWork));
    }),
  );
});

test('what is owed is worked off before the end, again and again while there is hope, less and less often', () => {
  expect(decideStop(facts({}, { debt: 1 }))).toEqual({ kind: 'workOff' });
  expect(decideStop(facts({ payAt: () => 10 }, { debt: 1 }))).toEqual({ kind: 'goOn' });
  expect(decideStop(facts({ payAt: () => null }, { debt: 1 }))).toEqual({ kind: 'end', reason: 'goal' });
  expect([0, 1, 2, 3, 7, 100].map(payAgainMs)).toEqual([0, 10_000, 20_000, 40_000, 600_000, 600_000]);
});
