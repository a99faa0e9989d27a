/** What the profiler tells: for the owner of a store, and for whoever reads it from beside. */
import { PerdureError } from '../errors.ts';

import { findingsOf, type Findings } from '../machines/profile-report.ts';
import type { Profile } from '../machines/profile.ts';
import { FEWEST_RUNS, regressionsOf, type Regression } from '../machines/regressions.ts';
import { summaryOf, type Summary } from '../machines/summary.ts';
import type { Rows } from '../persistence/rows.ts';
import { measuredSteps, readPlan } from './ledger.ts';
import type { ActionRow } from './queue-tables.ts';
import { MOST_RUNS } from './span-recorder.ts';
import { ALL, RUNS_OF_PLAN, earlierRuns, readProfile, type ProfileRun } from './profile-tables.ts';

/** What the profiler says of all work, or of a run of a plan. */
export interface ProfileReport extends Findings {
  /** Since when, wall-clock ms since 1970, and for how long it was measured, ms. */
  readonly since: number;
  readonly watchedMs: number;
  /** What measuring itself took, of all work: ms, and as a part of the time. Reckoned from some of the calls. */
  readonly overhead: { readonly ms: number; readonly share: number };
  /** Spans that were begun and of which nobody heard how they ended. */
  readonly dropped: number;
  /** The run; absent in a report of all work. */
  readonly plan?: PlanProfile;
}

/** What is said of a run of a plan beside its operations. */
export interface PlanProfile {
  readonly id: string;
  readonly name: string;
  /** Where its time went: the critical path, and how much was done at once. */
  readonly summary: Summary;
  /** Operations that took longer than in earlier runs, the slowest first. */
  readonly regressions: readonly Regression[];
  /** Earlier runs that are kept; with fewer than three nothing is said of what became slower. */
  readonly earlierRuns: number;
}

type Reader = Pick<Rows, 'get' | 'all' | 'unseal'>;

/** A profile with what is known of it. */
export interface Profiled {
  readonly run: ProfileRun;
  readonly profile: Profile;
}

/** What a profile says. Throws ACTION_NOT_FOUND for a run that is not there. */
export function reportOn(rows: Reader, { run, profile }: Profiled): ProfileReport {
  const plan = run.id === ALL ? undefined : planProfile(rows, run, profile);
  const { beganAt: since, watchedMs, ownMs, dropped } = run;
  return {
    since,
    watchedMs,
    overhead: { ms: ownMs, share: watchedMs > 0 ? ownMs / watchedMs : 0 },
    dropped,
    ...(plan === undefined ? {} : { plan }),
    ...findingsOf(profile, watchedMs, plan?.summary),
  };
}

type Times = Pick<ActionRow, 'started_at' | 'settled_at' | 'work_ms' | 'attempts'>;
const TIMES = 'select started_at, settled_at, work_ms, attempts from actions where id = ?';

function planProfile(rows: Reader, run: ProfileRun, profile: Profile): PlanProfile {
  const plan = readPlan(rows, run.id);
  const summary = summaryOf(
    measuredSteps(rows, run.id, (action) => rows.get<Times>(TIMES, action)),
    plan?.slots ?? 0,
  );
  const earlier = earlierRuns(rows, run);
  return {
    id: run.id,
    name: run.plan,
    summary,
    regressions: slowerIn(rows, run, profile),
    earlierRuns: earlier.length,
  };
}

/** What took longer in a run than in those before it. */
export function slowerIn(rows: Pick<Rows, 'get' | 'all'>, run: ProfileRun, profile: Profile): Regression[] {
  const earlier = earlierRuns(rows, run);
  if (earlier.length < FEWEST_RUNS) return [];
  return regressionsOf(
    profile,
    earlier.map(({ id }) => readProfile(rows, id).profile),
  );
}

/** What is thrown for a run of which nothing is kept, or when nothing was ever measured. */
export function noProfile(plan: string | undefined, store: string): PerdureError {
  const why =
    plan === undefined
      ? `Nothing was ever measured in ${store}: no supervisor has run there with its profiler on.`
      : `Nothing is kept of a run "${plan}" in ${store}: it is not there, nothing of it has begun, it was one of more than ` +
        `${MOST_RUNS} at a time, the profiler was off, or ${RUNS_OF_PLAN} later runs of its plan have taken its place.`;
  return new PerdureError('ACTION_NOT_FOUND', why, { facts: { plan } });
}
