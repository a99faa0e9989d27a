import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bandOf, decide, scoreOf, wilsonLower, type Band, type Evidence } from '../../machines/gate.ts';
import { checkThresholds, DEFAULT_THRESHOLDS, tightened, type Caution } from '../../machines/thresholds.ts';

const nothing: Evidence = {
  impact: 'low',
  reversible: null,
  hasUndo: false,
  clarity: null,
  confidence: null,
  summary: '',
  successes: 0,
  failures: 0,
  approvals: 0,
  denials: 0,
  approved: false,
};
const given = (evidence: Partial<Evidence>): Evidence => ({ ...nothing, ...evidence });
const CARE: readonly Band[] = ['immediate', 'monitored', 'reversible', 'ask'];

const share = fc.double({ min: 0, max: 1, noNaN: true });
const anyEvidence: fc.Arbitrary<Evidence> = fc.record({
  impact: fc.constantFrom('low' as const, 'medium' as const, 'high' as const, 'critical' as const),
  reversible: fc.constantFrom(true, false, null),
  hasUndo: fc.boolean(),
  clarity: fc.option(share),
  confidence: fc.option(share),
  summary: fc.constantFrom('', 'run tests', 'Fix by deleting table', 'prefix rename', 'dropTable'),
  successes: fc.nat(2_000),
  failures: fc.nat(2_000),
  approvals: fc.nat(5),
  denials: fc.nat(5),
  approved: fc.boolean(),
});
const anyCaution = fc.constantFrom<Caution>(0, 1, 2, 3);

test('S41: a confidence of 0.95 runs at once, 0.75 is watched, 0.55 can be undone, 0.3 asks', () => {
  const bandAt = (confidence: number) => decide(given({ confidence, reversible: true })).band;
  expect([0.95, 0.75, 0.55, 0.3].map(bandAt)).toEqual(['immediate', 'monitored', 'reversible', 'ask']);
});

test('a confidence that would run only because it can be undone asks when nobody said that it can', () => {
  expect(decide(given({ confidence: 0.55 })).band).toBe('ask');
  expect(decide(given({ confidence: 0.55, hasUndo: true })).band).toBe('reversible');
  expect(decide(given({ confidence: 0.55, hasUndo: true, reversible: false })).band).toBe('ask');
});

test('without a word of its own an action of low, medium, high, critical impact runs, is watched, asks, asks', () => {
  const bandFor = (impact: Evidence['impact'], more: Partial<Evidence> = {}) => decide(given({ impact, ...more })).band;
  expect([bandFor('low'), bandFor('medium'), bandFor('high'), bandFor('critical')]).toEqual([
    'immediate',
    'monitored',
    'ask',
    'ask',
  ]);
  expect(bandFor('high', { hasUndo: true })).toBe('reversible');
});

test('the earlier version’s worst case asks: delete the database, critical, at 0.05', () => {
  const evidence = given({ summary: 'delete database', impact: 'critical', confidence: 0.05 });
  expect(decide(evidence)).toMatchObject({ band: 'ask', score: 0.05 });
});

test('H22: "Fix by deleting table" is scored as destructive; "prefix rename" and its like get no bonus', () => {
  expect(scoreOf(given({ summary: 'Fix by deleting table' })).factors['wording']).toBe(-1.5);
  expect(scoreOf(given({ summary: 'fix bug' })).factors['wording']).toBe(0.5);
  for (const summary of ['prefix rename', 'deploy latest build', 'checkout branch']) {
    expect(scoreOf(given({ summary })).factors).not.toHaveProperty('wording');
  }
});

test('H22, property: irreversible and critical always asks, whatever the score, unless this very action was approved', () => {
  fc.assert(
    fc.property(anyEvidence, share, anyCaution, (evidence, score, caution) => {
      const doomed: Evidence = { ...evidence, impact: 'critical', reversible: false, approved: false };
      expect(bandOf(score, doomed, DEFAULT_THRESHOLDS, caution)).toBe('ask');
      expect(decide(doomed, { caution, calibrate: () => 1 }).band).toBe('ask');
    }),
  );
});

test('property: what was approved never asks and never runs unwatched', () => {
  fc.assert(
    fc.property(anyEvidence, share, anyCaution, (evidence, score, caution) => {
      const band = bandOf(score, { ...evidence, approved: true }, DEFAULT_THRESHOLDS, caution);
      expect(['monitored', 'reversible']).toContain(band);
    }),
  );
});

test('property: an exhausted budget lets nothing of medium impact or more run by itself', () => {
  fc.assert(
    fc.property(anyEvidence, share, (evidence, score) => {
      fc.pre(evidence.impact !== 'low' && !evidence.approved);
      expect(bandOf(score, evidence, DEFAULT_THRESHOLDS, 3)).toBe('ask');
    }),
  );
});

test('property: low impact without destructive words, denials or a given confidence never asks', () => {
  fc.assert(
    fc.property(anyEvidence, share, anyCaution, (evidence, score, caution) => {
      const harmless: Evidence = { ...evidence, impact: 'low', confidence: null, denials: 0, summary: 'run tests' };
      expect(bandOf(score, harmless, DEFAULT_THRESHOLDS, caution)).not.toBe('ask');
    }),
  );
});

test('a person’s denial outweighs that the impact is low', () => {
  const failing = given({ failures: 40, denials: 1, summary: 'run tests', clarity: 0 });
  expect(decide({ ...failing, denials: 0 }).band).toBe('monitored');
  expect(decide(failing).band).toBe('ask');
});

test('property: a greater score is never treated with more care', () => {
  fc.assert(
    fc.property(anyEvidence, share, share, anyCaution, (evidence, a, b, caution) => {
      const care = (score: number) => CARE.indexOf(bandOf(score, evidence, DEFAULT_THRESHOLDS, caution));
      expect(care(Math.max(a, b))).toBeLessThanOrEqual(care(Math.min(a, b)));
    }),
    { numRuns: 2_000 },
  );
});

test('property: more caution never means less care', () => {
  fc.assert(
    fc.property(anyEvidence, share, (evidence, score) => {
      const cares = ([0, 1, 2, 3] as const).map((caution) =>
        CARE.indexOf(bandOf(score, evidence, DEFAULT_THRESHOLDS, caution)),
      );
      expect(cares).toEqual([...cares].sort((a, b) => a - b));
    }),
    { numRuns: 2_000 },
  );
});

test('property: the factors add up to the score, in log-odds', () => {
  fc.assert(
    fc.property(anyEvidence, (evidence) => {
      const { score, factors } = scoreOf({ ...evidence, confidence: null });
      const sum = Object.values(factors).reduce((total, factor) => total + factor, 0);
      expect(Math.log(score / (1 - score))).toBeCloseTo(sum, 6);
      expect(Object.values(factors)).not.toContain(0);
    }),
  );
});

test('property: one more success never lowers a score, one more failure never raises it', () => {
  fc.assert(
    fc.property(anyEvidence, ({ ...evidence }) => {
      const scored = (more: Partial<Evidence>) => scoreOf({ ...evidence, confidence: null, ...more }).score;
      const { successes, failures } = evidence;
      expect(scored({ successes: successes + 1 })).toBeGreaterThanOrEqual(scored({}));
      expect(scored({ failures: failures + 1 })).toBeLessThanOrEqual(scored({}));
    }),
  );
});

test('history counts by its lower confidence bound: 98 of 100 is worth more than 1 of 1', () => {
  const historyOf = (successes: number, failures: number) =>
    scoreOf(given({ successes, failures })).factors['history'] ?? 0;
  expect(historyOf(98, 2)).toBeGreaterThan(historyOf(1, 0));
  expect(historyOf(0, 0)).toBe(0);
  expect(historyOf(1_000_000, 0)).toBe(2);
  expect(historyOf(0, 1_000_000)).toBe(-2);
});

test('Wilson’s lower bound is the one of the books', () => {
  expect(wilsonLower(0, 0, 1.96)).toBe(0);
  expect(wilsonLower(1, 10, 1.96)).toBeCloseTo(0.0179, 4);
  expect(wilsonLower(81, 263, 1.96)).toBeCloseTo(0.2553, 4);
  expect(wilsonLower(10, 10, 1.96)).toBeCloseTo(0.7225, 4);
});

test('a score that is no number runs nothing', () => {
  expect(bandOf(Number.NaN, given({ impact: 'medium' }))).toBe('ask');
  expect(decide(given({ confidence: Number.NaN })).band).toBe('ask');
});

test('only computed scores are calibrated', () => {
  const calibrate = () => 0.1;
  expect(decide(given({ confidence: 0.95 }), { calibrate }).score).toBe(0.95);
  expect(decide(given({ impact: 'medium' }), { calibrate })).toMatchObject({ score: 0.1, band: 'ask' });
});

test('thresholds that are out of order, too close or out of range are refused', () => {
  expect(checkThresholds()).toEqual(DEFAULT_THRESHOLDS);
  expect(checkThresholds({ immediate: 0.75 })).toEqual({ immediate: 0.75, monitored: 0.7, reversible: 0.5 });
  for (const bad of [
    { immediate: 0.6 },
    { monitored: 0.9 },
    { reversible: 0.68 },
    { immediate: 1 },
    { reversible: 0.01 },
    { monitored: Number.NaN },
  ]) {
    expect(() => checkThresholds(bad)).toThrow(expect.objectContaining({ code: 'OPTIONS_INVALID' }));
  }
});

test('caution raises every threshold, and certainty stays reachable', () => {
  expect(tightened(DEFAULT_THRESHOLDS, 0)).toEqual(DEFAULT_THRESHOLDS);
  expect(tightened(DEFAULT_THRESHOLDS, 2).monitored).toBeCloseTo(0.76, 9);
  expect(tightened({ immediate: 0.98, monitored: 0.9, reversible: 0.8 }, 3).immediate).toBeLessThan(1);
});
