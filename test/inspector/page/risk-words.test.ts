import { expect, test } from 'vitest';
import { riskWords } from '../../../inspector/page/views/approvals/risk-words.ts';
import { decide } from '../../../machines/gate.ts';

test('a score is shown as the chance to go well, with what it is made of, the strongest first', () => {
  const risk = decide({
    impact: 'critical',
    reversible: false,
    hasUndo: false,
    clarity: null,
    confidence: null,
    summary: 'deploy it',
    successes: 0,
    failures: 0,
    approvals: 1,
    denials: 0,
    approved: false,
  });
  expect(riskWords({ risk, reason: 'gate' })).toEqual({
    label: 'Goes well',
    value: '21\u202f% by the gate',
    factors: ['how much it touches −1.5', 'what was answered before +0.9', 'whether it can be undone −0.7'],
  });
});

test('of a result it is said how good it is; a damaged row says little, and breaks nothing', () => {
  expect(riskWords({ risk: { score: 0.7, factors: {}, band: 'ask' }, reason: 'quality' }).label).toBe('Quality');
  expect(riskWords({ risk: {} as never, reason: 'gate' })).toMatchObject({ value: '– by the gate', factors: [] });
});
