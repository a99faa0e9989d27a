import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BUDGET_TIERS } from '../../machines/budget-policy.ts';
import { HEALTH_STATUSES, healthOf, type HealthFacts } from '../../machines/health.ts';
import { CALM, type ResourceStanding } from '../../machines/pressure.ts';
import { RESOURCES, type ResourceName } from '../../machines/resource-policy.ts';
import { LEVELS } from '../../machines/quality.ts';

const fresh: HealthFacts = {
  ended: null,
  suspended: null,
  isAdmitting: true,
  waiting: 0,
  room: 2,
  parked: 0,
  asking: 0,
  tier: 'healthy',
  spent: 0,
  level: 'full',
  components: {},
  resources: {},
  scored: 0,
  calibrationError: null,
  owed: 0,
};

const standing: fc.Arbitrary<ResourceStanding> = fc.record({
  value: fc.nat(100),
  limit: fc.constant(100),
  level: fc.constantFrom('normal', 'elevated', 'critical'),
  forecast: fc.constantFrom('none', 'watch', 'imminent'),
  etaMs: fc.constant(null),
  earliestMs: fc.constant(null),
  latestMs: fc.constant(null),
});

const facts: fc.Arbitrary<HealthFacts> = fc.record({
  ended: fc.option(fc.constant('it was closed')),
  suspended: fc.option(fc.constant('the disk is full')),
  isAdmitting: fc.boolean(),
  waiting: fc.nat(3),
  room: fc.integer({ min: 1, max: 3 }),
  parked: fc.nat(3),
  asking: fc.nat(3),
  tier: fc.constantFrom(...BUDGET_TIERS),
  spent: fc.double({ min: 0, max: 3, noNaN: true }),
  level: fc.constantFrom(...LEVELS),
  components: fc.dictionary(
    fc.constantFrom('db', 'net'),
    fc.record({
      status: fc.constantFrom('operational', 'degraded', 'down', 'probing', 'bypassed'),
      weight: fc.constantFrom(0, 0.5, 1),
    }),
  ),
  resources: fc.dictionary(fc.constantFrom(...(Object.keys(RESOURCES) as ResourceName[])), standing),
  scored: fc.nat(200),
  calibrationError: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
  owed: fc.nat(300),
});

test('S42: the whole is as well as its worst subsystem, and each issue has its reason and its subsystem', () => {
  fc.assert(
    fc.property(facts, (given) => {
      const { overall, subsystems, issues } = healthOf(given);
      const worst = Math.max(...Object.values(subsystems).map(({ status }) => HEALTH_STATUSES.indexOf(status)));
      expect(overall).toBe(HEALTH_STATUSES[worst]);
      expect(issues.length > 0).toBe(overall !== 'healthy');
      for (const { subsystem, status, reason } of issues) {
        expect(subsystems[subsystem].status).toBe(status);
        expect(subsystems[subsystem].reasons).toContain(reason);
      }
      const bad = Object.values(subsystems).filter(({ status }) => status !== 'healthy');
      expect(issues).toHaveLength(bad.reduce((sum, { reasons }) => sum + reasons.length, 0));
      expect(bad.every(({ reasons }) => reasons.length > 0)).toBe(true);
    }),
  );
});

test('a worse budget or level never makes the whole better', () => {
  const rank = (given: HealthFacts) => HEALTH_STATUSES.indexOf(healthOf(given).overall);
  fc.assert(
    fc.property(facts, fc.nat(3), fc.nat(4), (given, tier, level) => {
      const worse = {
        ...given,
        tier: BUDGET_TIERS[Math.max(tier, BUDGET_TIERS.indexOf(given.tier))] as HealthFacts['tier'],
        level: LEVELS[Math.max(level, LEVELS.indexOf(given.level))] as HealthFacts['level'],
      };
      expect(rank(worse)).toBeGreaterThanOrEqual(rank(given));
    }),
  );
});

test('a resource that is elevated, or is going to be used up, degrades it; one that is critical makes it unhealthy', () => {
  const heap = { ...CALM, value: 90, limit: 100 };
  const of = (resources: HealthFacts['resources']) => healthOf({ ...fresh, resources });
  expect(of({ heap }).overall).toBe('healthy');
  expect(of({ heap: { ...heap, forecast: 'watch' } }).overall).toBe('healthy');
  expect(of({ heap: { ...heap, forecast: 'imminent' } }).issues).toEqual([
    {
      subsystem: 'resources',
      status: 'degraded',
      reason: 'heap is going to be used up: 90 % of its limit is used',
    },
  ]);
  expect(of({ heap: { ...heap, level: 'elevated' } }).subsystems.resources).toEqual({
    status: 'degraded',
    reasons: ['heap is elevated: 90 % of its limit is used'],
  });
  expect(of({ heap, disk: { ...heap, level: 'critical' } })).toMatchObject({ overall: 'unhealthy', live: true });
});

test('a processor that is busy, and what others take of the machine, is no fault of the supervisor', () => {
  const critical = { ...CALM, level: 'critical' as const, value: 99, limit: 100 };
  const busy = { cpu: critical, hostCpu: critical, hostMemory: critical, loopUtilization: critical };
  expect(healthOf({ ...fresh, resources: busy }).overall).toBe('healthy');
});

test('whether it lives and whether it takes work are answers of their own', () => {
  expect(healthOf(fresh)).toMatchObject({
    overall: 'healthy',
    live: true,
    ready: true,
    issues: [],
    recommendations: [],
  });
  expect(healthOf({ ...fresh, isAdmitting: false })).toMatchObject({ overall: 'healthy', live: true, ready: false });
  expect(healthOf({ ...fresh, suspended: 'x' })).toMatchObject({ overall: 'unhealthy', live: true, ready: false });
  expect(healthOf({ ...fresh, ended: 'x' })).toMatchObject({ overall: 'unhealthy', live: false, ready: false });
  expect(healthOf({ ...fresh, tier: 'exhausted' })).toMatchObject({ overall: 'unhealthy', live: true, ready: true });
});

test('what counts little, or is nobody’s fault, makes nothing unhealthy', () => {
  const down = { db: { status: 'down', weight: 0.1 } } as const;
  expect(healthOf({ ...fresh, level: 'minor', components: down }).overall).toBe('degraded');
  expect(healthOf({ ...fresh, parked: 5 })).toMatchObject({ overall: 'degraded', issues: [{ subsystem: 'executor' }] });
  expect(healthOf({ ...fresh, owed: 500 }).overall).toBe('degraded');
  const asked = healthOf({ ...fresh, asking: 2, owed: 3 });
  expect(asked.overall).toBe('healthy');
  expect(asked.recommendations.join(' ')).toMatch(/Work them off.*approval/);
  expect(healthOf({ ...fresh, scored: 49, calibrationError: 0.9 }).overall).toBe('healthy');
  expect(healthOf({ ...fresh, scored: 50, calibrationError: 0.9 }).overall).toBe('degraded');
});

test('it is not ready, and says why, while every slot is taken by what only waits', () => {
  expect(healthOf({ ...fresh, waiting: 1 })).toMatchObject({ overall: 'healthy', ready: true });
  const starved = healthOf({ ...fresh, waiting: 2 });
  expect(starved).toMatchObject({ overall: 'degraded', live: true, ready: false });
  expect(starved.subsystems.executor.reasons).toEqual([
    'every slot is taken by an action that only waits (2): nothing else is begun',
  ]);
  expect(healthOf({ ...fresh, waiting: 2, isAdmitting: false })).toMatchObject({ overall: 'healthy', ready: false });
});

test('that it counts as degraded is no claim that anything is lost', () => {
  const components = { db: { status: 'probing', weight: 1 } } as const;
  expect(healthOf({ ...fresh, level: 'minor', components }).subsystems.components.reasons).toEqual([
    'components were lost a short while ago (minor): it counts as degraded until all has been well for some time',
  ]);
});
