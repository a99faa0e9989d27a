import { expect, test } from 'vitest';
import { DEFAULT_BREAKER } from '../../machines/breaker.ts';
import { componentPolicies, componentPolicyOf, type ComponentOptions } from '../../machines/component-policy.ts';
import { DEFAULT_RETRY_BUDGET } from '../../machines/retry-budget.ts';

function refusalOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('expected a refusal');
}

test('a component of which nothing is said is critical, has a breaker and a retry budget, and no fallback', () => {
  expect(componentPolicyOf('api')).toEqual({
    breaker: DEFAULT_BREAKER,
    retryBudget: DEFAULT_RETRY_BUDGET,
    criticality: 'critical',
    weight: 0.5,
    hasFallback: false,
    loss: 1,
  });
});

test('takes the least loss of the fallbacks of those who lean on it', () => {
  const policies = componentPolicies({ api: {}, db: { criticality: 'sheddable' } }, { api: [0.6, 0.4] });
  expect(policies).toMatchObject({
    api: { hasFallback: true, loss: 0.4 },
    db: { hasFallback: false, loss: 1, weight: 0.1 },
  });
});

test('defaults give way to what was said: a small window, and a long first opening', () => {
  const { breaker } = componentPolicyOf('api', { breaker: { window: 3, openMs: 3_600_000 } });
  expect(breaker).toMatchObject({ window: 3, minCalls: 3, openMs: 3_600_000, maxOpenMs: 3_600_000 });
  for (const none of [null, false] as const) {
    expect(componentPolicyOf('api', { breaker: none, retryBudget: none })).toMatchObject({
      breaker: null,
      retryBudget: null,
    });
  }
});

const WRONG: readonly (readonly [string, unknown])[] = [
  ['components.api.criticality', { criticality: 'toString' }],
  ['components.api.weight', { weight: 1.1 }],
  ['components.api.weight', { weight: NaN }],
  ['components.api.breaker.window', { breaker: { window: 0 } }],
  ['components.api.breaker.window', { breaker: { window: 1_001 } }],
  ['components.api.breaker.minCalls', { breaker: { window: 4, minCalls: 5 } }],
  ['components.api.breaker.failureRate', { breaker: { failureRate: 0 } }],
  ['components.api.breaker.slowCallMs', { breaker: { slowCallMs: -1 } }],
  ['components.api.breaker.maxOpenMs', { breaker: { openMs: 10, maxOpenMs: 9 } }],
  ['components.api.breaker.openMs', { breaker: { openMs: Infinity } }],
  ['components.api.breaker.openFactor', { breaker: { openFactor: 0.5 } }],
  ['components.api.breaker.probes', { breaker: { probes: 0 } }],
  ['components.api.breaker.successes', { breaker: { successes: '1' } }],
  ['components.api.retryBudget.ratio', { retryBudget: { ratio: -0.1 } }],
  ['components.api.retryBudget.burst', { retryBudget: { burst: -1 } }],
];

test.each(WRONG)('refuses a wrong %s: %j', (option, options) => {
  expect(refusalOf(() => componentPolicyOf('api', options as ComponentOptions))).toMatchObject({
    code: 'OPTIONS_INVALID',
    facts: { option },
    message: expect.stringContaining(option) as string,
  });
});

test('refuses a loss that is none, names that cannot be addressed, and more components than a context holds', () => {
  expect(refusalOf(() => componentPolicyOf('api', {}, [2]))).toMatchObject({ code: 'OPTIONS_INVALID' });
  for (const name of ['', ' api', '__proto__', 'x'.repeat(41)]) {
    expect(refusalOf(() => componentPolicyOf(name))).toMatchObject({ code: 'OPTIONS_INVALID' });
  }
  const many = Object.fromEntries(Array.from({ length: 41 }, (_, n) => [`c${n}`, {}]));
  expect(refusalOf(() => componentPolicies(many))).toMatchObject({ facts: { got: 41 } });
});
