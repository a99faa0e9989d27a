/**
 * How well the whole is, from plain facts. Each subsystem has a severity from 0 to 1 and a weight; their product is how much
 * it is felt, and by that it is healthy, degraded or unhealthy.
 *
 * V1  The whole is as well as its worst subsystem.
 * V2  There are issues if and only if it is not healthy, and a fresh supervisor has none.
 * V3  Whether it lives, and whether it takes work, are answers of their own: one that is paused is well.
 */
import type { BudgetTier } from './budget-policy.ts';
import type { ComponentStanding } from './degradation.ts';
import type { PressureLevel, ResourceStanding } from './pressure.ts';
import type { DegradationLevel } from './quality.ts';
import { RESOURCES, type ResourceName } from './resource-policy.ts';
import type { Standings } from './resources.ts';

/** The best first. */
export const HEALTH_STATUSES = ['healthy', 'degraded', 'unhealthy'] as const;
export type HealthStatus = (typeof HEALTH_STATUSES)[number];

const SUBSYSTEMS = ['store', 'executor', 'budget', 'components', 'resources', 'gate', 'debts'] as const;
export type Subsystem = (typeof SUBSYSTEMS)[number];

/** What is known of a supervisor. */
export interface HealthFacts {
  /** Why nothing is committed any more; null while it lives. */
  readonly ended: string | null;
  /** Why nothing is committed for now: the store failed, and is being opened again. */
  readonly suspended: string | null;
  /** Whether new work is admitted. */
  readonly isAdmitting: boolean;
  /** Actions that hold a slot and only wait, for a back-off or a component; and how many slots there are. */
  readonly waiting: number;
  readonly room: number;
  readonly parked: number;
  readonly asking: number;
  readonly tier: BudgetTier;
  /** Which part of the error budget is gone. */
  readonly spent: number;
  readonly level: DegradationLevel;
  readonly components: Readonly<Record<string, Pick<ComponentStanding, 'status' | 'weight'>>>;
  /** Where the resources stand, as far as they are watched. */
  readonly resources: Standings;
  /** Outcomes that the gate's scores were compared with, and how far off they were; null when there are none. */
  readonly scored: number;
  readonly calibrationError: number | null;
  /** What is owed since fallbacks stood in. */
  readonly owed: number;
}

/** A part of the supervisor. */
export interface SubsystemHealth {
  readonly status: HealthStatus;
  readonly reasons: readonly string[];
}

export interface HealthIssue {
  readonly subsystem: Subsystem;
  readonly status: Exclude<HealthStatus, 'healthy'>;
  readonly reason: string;
}

/** How a supervisor is. */
export interface Health {
  /** As its worst subsystem. */
  readonly overall: HealthStatus;
  /** Whether the process is of use; one that is not should be started again. */
  readonly live: boolean;
  /** Whether work that is submitted now is begun. */
  readonly ready: boolean;
  readonly subsystems: Readonly<Record<Subsystem, SubsystemHealth>>;
  /** The worst first. */
  readonly issues: readonly HealthIssue[];
  readonly recommendations: readonly string[];
}

/** How much each counts: when nothing is stored, all is lost; what is owed can wait. */
const WEIGHTS: Readonly<Record<Subsystem, number>> = {
  store: 1,
  components: 1,
  executor: 0.8,
  budget: 0.8,
  resources: 0.8,
  gate: 0.4,
  debts: 0.2,
};

/** From how much on a subsystem is felt to be so. */
const UNHEALTHY = 0.5;
const DEGRADED = 0.1;

const OF_TIER: Readonly<Record<BudgetTier, number>> = { healthy: 0, slowBurn: 0.25, fastBurn: 0.5, exhausted: 1 };
const OF_LEVEL: Readonly<Record<DegradationLevel, number>> = {
  full: 0,
  minor: 0.15,
  moderate: 0.3,
  severe: 0.5,
  minimal: 1,
};

const OF_PRESSURE: Readonly<Record<PressureLevel, number>> = { normal: 0, elevated: 0.25, critical: 1 };

/** Fewer outcomes say nothing of scores. */
const LEAST_SCORED = 50;
const GREATEST_ERROR = 0.15;
/** From so many debts on the quality of what was done is in doubt. */
const MANY_DEBTS = 100;

interface Finding {
  readonly severity: number;
  readonly reason: string;
  readonly advice?: string;
}

const percent = (share: number) => `${Math.round(share * 100)} %`;

/** Judges the facts: see V1 to V3. */
export function healthOf(facts: HealthFacts): Health {
  const found = findings(facts);
  const subsystems = Object.fromEntries(
    SUBSYSTEMS.map((subsystem) => [subsystem, judged(subsystem, found[subsystem])]),
  ) as Record<Subsystem, SubsystemHealth>;
  const issues = SUBSYSTEMS.flatMap((subsystem) => issuesOf(subsystem, subsystems[subsystem])).sort(
    (a, b) => rankOf(b.status) - rankOf(a.status),
  );
  const advised = SUBSYSTEMS.flatMap((subsystem) => found[subsystem].flatMap(({ advice }) => advice ?? []));
  const live = facts.ended === null;
  return {
    overall: issues[0]?.status ?? 'healthy',
    live,
    ready: live && facts.suspended === null && facts.isAdmitting && !isStarved(facts),
    subsystems,
    issues,
    recommendations: [...advised, ...hints(facts)],
  };
}

function rankOf(status: HealthStatus): number {
  return HEALTH_STATUSES.indexOf(status);
}

function judged(subsystem: Subsystem, found: readonly Finding[]): SubsystemHealth {
  const felt = WEIGHTS[subsystem] * Math.max(0, ...found.map(({ severity }) => severity));
  const status = felt >= UNHEALTHY ? 'unhealthy' : felt >= DEGRADED ? 'degraded' : 'healthy';
  return { status, reasons: status === 'healthy' ? [] : found.map(({ reason }) => reason) };
}

function issuesOf(subsystem: Subsystem, { status, reasons }: SubsystemHealth): HealthIssue[] {
  return status === 'healthy' ? [] : reasons.map((reason) => ({ subsystem, status, reason }));
}

function findings(facts: HealthFacts): Readonly<Record<Subsystem, readonly Finding[]>> {
  return {
    store: storeFindings(facts),
    executor: executorFindings(facts),
    budget: budgetFindings(facts),
    components: componentFindings(facts),
    resources: resourceFindings(facts),
    gate: gateFindings(facts),
    debts: debtFindings(facts),
  };
}

function storeFindings({ ended, suspended }: HealthFacts): Finding[] {
  if (ended !== null) return [{ severity: 1, reason: ended, advice: 'Start the supervisor again.' }];
  if (suspended === null) return [];
  return [{ severity: 1, reason: suspended, advice: 'Look at the disk of the store: it is opened again by itself.' }];
}

function executorFindings(facts: HealthFacts): Finding[] {
  return [...starvedFindings(facts), ...parkedFindings(facts)];
}

/** What waits keeps its slot; while all slots are so taken nothing that is submitted is begun. */
function isStarved({ isAdmitting, waiting, room }: HealthFacts): boolean {
  return isAdmitting && room > 0 && waiting >= room;
}

function starvedFindings(facts: HealthFacts): Finding[] {
  if (!isStarved(facts)) return [];
  const reason = `every slot is taken by an action that only waits (${facts.waiting}): nothing else is begun`;
  const advice = 'Allow more concurrency, cancel what waits, or let actions fail while their component is open.';
  return [{ severity: 0.2, reason, advice }];
}

function parkedFindings({ parked }: HealthFacts): Finding[] {
  if (parked === 0) return [];
  const advice = 'Register the actions, in the version that was stored, or cancel what is parked.';
  return [{ severity: 0.4, reason: `${parked} actions are parked: nobody registered what they call`, advice }];
}

function budgetFindings({ tier, spent }: HealthFacts): Finding[] {
  if (tier === 'healthy') return [];
  const words = { slowBurn: 'burns', fastBurn: 'burns fast', exhausted: 'is exhausted' }[tier];
  const advice = 'Look at what fails most often: fewer actions run until the budget has recovered.';
  return [{ severity: OF_TIER[tier], reason: `the error budget ${words}: ${percent(spent)} of it is spent`, advice }];
}

function componentFindings({ level, components }: HealthFacts): Finding[] {
  const lost = Object.entries(components).filter(
    ([, { status, weight }]) => weight > 0 && status !== 'operational' && status !== 'probing',
  );
  const severity = OF_LEVEL[level];
  const named = lost.map(([name, { status }]) => ({
    severity,
    reason: `the component "${name}" is ${status}`,
    ...adviceOn(name, status),
  }));
  if (named.length > 0 || severity === 0) return named;
  return [
    {
      severity,
      reason: `components were lost a short while ago (${level}): it counts as degraded until all has been well for some time`,
    },
  ];
}

function adviceOn(name: string, status: ComponentStanding['status']): Pick<Finding, 'advice'> {
  if (status === 'bypassed') return { advice: `Take the bypass of "${name}" back when it may be called again.` };
  if (status === 'down') return { advice: `Mend "${name}", or give its actions a fallback.` };
  return {};
}

/** A processor that is busy, or what others take, is no fault of this one: only what something is done about counts. */
function resourceFindings({ resources }: HealthFacts): Finding[] {
  const all = Object.entries(resources) as unknown as [ResourceName, ResourceStanding][];
  return all.flatMap(([name, { level, forecast, value, limit }]) => {
    const { throttles, rungs } = RESOURCES[name];
    const severity = Math.max(OF_PRESSURE[level], forecast === 'imminent' ? OF_PRESSURE.elevated : 0);
    if (severity === 0 || (!throttles && rungs.length === 0)) return [];
    const what = level === 'normal' ? 'is going to be used up' : `is ${level}`;
    return [{ severity, reason: `${name} ${what}: ${percent(value / limit)} of its limit is used` }];
  });
}

function gateFindings({ scored, calibrationError }: HealthFacts): Finding[] {
  if (scored < LEAST_SCORED || calibrationError === null || calibrationError <= GREATEST_ERROR) return [];
  const reason = `the scores of the gate miss what came of them by ${percent(calibrationError)}`;
  return [
    {
      severity: 0.5,
      reason,
      advice: 'Let the gate learn anew from the outcomes, or start over when what it learned is no longer true.',
    },
  ];
}

function debtFindings({ owed }: HealthFacts): Finding[] {
  if (owed === 0) return [];
  const advice = 'Work them off when what was down is back.';
  return [{ severity: owed < MANY_DEBTS ? 0 : 0.5, reason: `${owed} debts are open`, advice }];
}

/** What is nobody's fault and waits for somebody all the same. */
function hints({ ended, asking, isAdmitting }: HealthFacts): string[] {
  if (ended !== null) return [];
  return [
    ...(asking > 0
      ? [`Decide on the ${asking === 1 ? 'action that asks' : `${asking} actions that ask`} for approval.`]
      : []),
    ...(isAdmitting ? [] : ['Nothing new is started: resume when it may go on.']),
  ];
}
