/**
 * Where time, resources and the error budget go: `GET /v1/views/profile?plan=`, `/v1/views/resources`, `/v1/views/budget`,
 * `/v1/views/dead-letters`, `/v1/views/schedules`.
 */
import { shownMessageText } from '../../persistence/shown-texts.ts';
import { budgetReport, type BudgetReport } from '../../actors/budget-report.ts';
import { deadActions, type DeadAction } from '../../actors/dead-letter-rows.ts';
import { newestPlan } from '../../actors/ledger.ts';
import { reportOn, type Profiled, type ProfileReport } from '../../actors/profile-report.ts';
import { ALL, newestRuns, readProfile, readRun, readTrace } from '../../actors/profile-tables.ts';
import type { ActionRow } from '../../actors/queue-tables.ts';
import { readSamples } from '../../actors/resource-tables.ts';
import { sampledResources } from '../../actors/sampled-resources.ts';
import { readSchedules, type ScheduleInfo } from '../../actors/schedules.ts';
import { storedByKey } from '../../actors/stored-standing.ts';
import { readable } from '../../actors/unreadable.ts';
import { unsealedText } from '../../actors/values.ts';
import { horizonOf, type BudgetPolicy, type BudgetTier } from '../../machines/budget-policy.ts';
import { spentOf } from '../../machines/burn.ts';
import {
  chromeTraceOf,
  cpuProfileOf,
  flameOf,
  type ChromeTrace,
  type CpuProfile,
  type Flame,
} from '../../machines/profile-exports.ts';
import type { PressureLevel } from '../../machines/pressure.ts';
import type { ResourceName } from '../../machines/resource-policy.ts';
import { PROFILER_MODES, type ProfilerMode } from '../../machines/profiler.ts';
import { shownMessage, standingIn, type Reader, type ViewWorld } from '../sources/view-world.ts';
import { canRetryPlan } from './plan-round.ts';

/** As it was written last: every few seconds while there is something new. */
export interface ProfileView {
  /** Null when nothing was measured. */
  readonly report: ProfileReport | null;
  readonly flame: Flame | null;
  /** Runs of plans that were measured, the newest first. */
  readonly runs: readonly { readonly id: string; readonly name: string; readonly at: number }[];
  /** How much is measured; absent where that is not known. */
  readonly mode?: ProfilerMode;
}

export interface ResourceSeries {
  readonly name: string;
  readonly unit: string;
  readonly level: PressureLevel;
  readonly value: number;
  readonly limit: number;
  /** Of the last hour at most, the oldest first; at most 720. */
  readonly samples: readonly { readonly at: number; readonly value: number }[];
  /** When it is exhausted, as forecast: ms since 1970; null when it is not, or not soon. */
  readonly forecast: { readonly at: number; readonly earliest: number | null; readonly latest: number | null } | null;
}

export interface ResourcesView {
  readonly at: number;
  readonly admission: 'open' | 'throttled' | 'shedding';
  readonly series: readonly ResourceSeries[];
}

export interface BudgetView {
  /** What the newest failure of each fingerprint said and when it was, of the 500 newest. */
  readonly newest: Readonly<Record<string, { readonly text: string; readonly at: number }>>;
  readonly report: BudgetReport | null;
  readonly tier: BudgetTier | null;
  /** Over the period, in at most 240 parts, the oldest first. `spent` is what is gone of the budget up to then, 1 when all. */
  readonly series: readonly {
    readonly at: number;
    readonly good: number;
    readonly bad: number;
    readonly spent: number;
  }[];
}

export interface DeadLettersView {
  /** In the order in which they were submitted. Where to go on is the id of the last, as `after`. */
  readonly items: readonly (DeadAction & {
    /** Whether the plan that it is a step of may be given another round. */
    readonly canRetryPlan: boolean;
  })[];
  readonly more: boolean;
}

export interface SchedulesView {
  readonly items: readonly ScheduleInfo[];
}

const RUNS = 100;

/** `plan`: a run of a plan, or the name of one, which means its newest run. */
export function profileView(world: ViewWorld, plan: string | undefined): ProfileView {
  const profiled = profiledIn(world, plan);
  const mode = modeIn(world);
  return {
    ...(mode === undefined ? {} : { mode }),
    report: profiled === undefined ? null : reportOn(world.rows, profiled),
    flame: profiled === undefined ? null : flameOf(profiled.profile),
    runs: newestRuns(world.rows, RUNS).map(({ id, plan: name, beganAt: at }) => ({ id, name, at })),
  };
}

/** Undefined where only the owner can read it. */
function modeIn({ rows, tree }: ViewWorld): ProfilerMode | undefined {
  const value = storedByKey(rows, ['profiler'], tree).get('profiler')?.value;
  return PROFILER_MODES.find((mode) => mode === value);
}

/** What was measured in V8's format; undefined when nothing was. */
export function cpuProfileView(world: ViewWorld, plan: string | undefined): CpuProfile | undefined {
  const profiled = profiledIn(world, plan);
  return profiled && cpuProfileOf(profiled.profile);
}

/** Single spans of late, in Chrome's trace format. */
export function traceView({ rows }: ViewWorld): ChromeTrace {
  return chromeTraceOf(readTrace(rows));
}

function profiledIn({ rows }: ViewWorld, named: string | undefined): Profiled | undefined {
  const isRun = named === undefined || readRun(rows, named) !== undefined;
  const plan = isRun ? named : (newestPlan(rows, named)?.id ?? named);
  const id = plan ?? ALL;
  const run = readRun(rows, id);
  return run && { run, profile: readProfile(rows, id).profile };
}

/** Of what is not here it is a part of 1. */
const UNITS: Readonly<Partial<Record<ResourceName, string>>> = {
  memory: 'bytes',
  heap: 'bytes',
  disk: 'bytes',
  hostMemory: 'bytes',
  wal: 'bytes',
  handles: 'count',
  loopDelay: 'ms',
  cpu: 'cores',
};

export function resourcesView(world: ViewWorld): ResourcesView {
  const { rows, now } = world;
  const state = standingIn(world)?.resources;
  const samples = readSamples(rows);
  const last = samples.at(-1);
  const at = last?.at ?? now;
  const resources = last === undefined ? [] : sampledResources(last, state);
  return {
    at,
    admission: state?.value.admission ?? 'open',
    series: resources.map(({ name, level, value, limit, etaMs, earliestMs, latestMs }) => ({
      name,
      unit: UNITS[name] ?? 'part',
      level,
      value,
      limit,
      samples: samples.flatMap((sample) => {
        const figure = sample.figures[name];
        return figure === undefined ? [] : [{ at: sample.at, value: figure.value }];
      }),
      forecast:
        etaMs === null
          ? null
          : {
              at: at + etaMs,
              earliest: earliestMs === null ? null : at + earliestMs,
              latest: latestMs === null ? null : at + latestMs,
            },
    })),
  };
}

const PARTS = 240;

export function budgetView(world: ViewWorld): BudgetView {
  const { rows, now } = world;
  const standing = standingIn(world);
  if (standing === undefined) return { report: null, tier: null, series: [], newest: {} };
  const { policy } = standing.budget;
  const report = budgetReport(rows, policy, now);
  return { report, tier: standing.tier, series: budgetSeries(rows, policy, now), newest: newestFaults(world) };
}

/** Failures that are looked at for the words of the most frequent ones. */
const LATEST_FAILURES = 500;

function newestFaults(world: ViewWorld): BudgetView['newest'] {
  const newest: Record<string, BudgetView['newest'][string]> = {};
  const failures = world.rows.all<Pick<ActionRow, 'error' | 'settled_at'>>(
    `select error, settled_at from actions where kind = 'failed' order by settled_at desc limit ${LATEST_FAILURES}`,
  );
  for (const row of failures) {
    const { error, settled_at: at } = row;
    if (error === null) continue;
    const fingerprint = readable(
      () => (JSON.parse(unsealedText(world.rows, error)) as { readonly fingerprint?: unknown }).fingerprint,
      undefined,
    );
    if (typeof fingerprint === 'string')
      newest[fingerprint] ??= { text: shownMessage(world, error) ?? '', at: at ?? 0 };
  }
  return newest;
}

interface Part {
  readonly part: number;
  readonly good: number;
  readonly bad: number;
}

function budgetSeries(rows: Reader, policy: BudgetPolicy, now: number): BudgetView['series'] {
  const horizon = horizonOf(policy);
  const widthMs = Math.max(policy.bucketMs, horizon / PARTS);
  const from = now - horizon;
  const parts = rows.all<Part>(
    `select cast((bucket - ?) / ? as integer) as part, total(good) as good, total(bad) as bad from budget_buckets
     where bucket > ? and bucket <= ? group by 1 order by 1`,
    from,
    widthMs,
    from,
    now,
  );
  const period = { good: 0, bad: 0, spanMs: 0 };
  return parts.map(({ part, good, bad }, i) => {
    period.good += good;
    period.bad += bad;
    period.spanMs = (part - (parts[0]?.part ?? 0) + 1) * widthMs;
    const at = from + part * widthMs;
    return { at, good, bad, spent: spentOf(policy, { at: i, windows: [], period }) };
  });
}

const DEFAULT_DEAD = 200;

/** Throws ACTION_NOT_FOUND for an `after` that there is not. */
export function deadLettersView(
  { rows, payloads }: ViewWorld,
  after: string | undefined,
  limit: number = DEFAULT_DEAD,
): DeadLettersView {
  const found = deadActions(rows, limit + 1, after);
  return {
    items: found.slice(0, limit).map((dead) => ({
      ...dead,
      canRetryPlan: canRetryPlan(rows, dead.plan),
      error: dead.error && { ...dead.error, message: shownMessageText(payloads, String(dead.error.message)) },
    })),
    more: found.length > limit,
  };
}

export function schedulesView({ rows, now }: ViewWorld): SchedulesView {
  return { items: readSchedules(rows, now) };
}
