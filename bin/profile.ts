/** `perdure profile`: where time went, in a store that may be in use; and how much of it is measured. */
import { writeFileSync } from 'node:fs';
import { newestPlan } from '../actors/ledger.ts';
import { noProfile, reportOn, type PlanProfile, type ProfileReport, type Profiled } from '../actors/profile-report.ts';
import { ALL, readProfile, readRun, readTrace } from '../actors/profile-tables.ts';
import { chromeTraceOf, cpuProfileOf, flameOf } from '../machines/profile-exports.ts';
import type { OperationReport, Recommendation } from '../machines/profile-report.ts';
import type { ProfilerMode } from '../machines/profiler.ts';
import { PerdureError } from '../errors.ts';
import { shownDuration } from './duration.ts';
import { EXIT } from './failure.ts';
import { give, type RemoteOptions } from './remote.ts';
import { storeOf } from './named-store.ts';
import { hasSupervisor, hasTable, readStore, type StoreReader } from '../persistence/store-reader.ts';
import { pathLines } from './speed-up.ts';
import { textTable } from './text-table.ts';

export interface ProfileOptions {
  /** A run of a plan, or the name of one, which means its newest run. */
  readonly plan?: string;
  readonly json?: boolean;
  /** Files to write. */
  readonly cpuprofile?: string;
  readonly trace?: string;
  readonly flame?: string;
}

/** Operations that people are shown; --json gives all. */
const SHOWN = 20;

/** Prints where time went. Throws ACTION_NOT_FOUND for a run of which nothing was measured. */
export function printProfile(named: string | undefined, options: ProfileOptions): number {
  const store = storeOf(named);
  const { report, profiled, spans } = readStore(store, (rows) => {
    const found = find(rows, store, options.plan);
    return { profiled: found, report: reportOn(rows, found), spans: readTrace(rows) };
  });
  const files = [
    [options.cpuprofile, () => cpuProfileOf(profiled.profile)],
    [options.trace, () => chromeTraceOf(spans)],
    [options.flame, () => flameOf(profiled.profile)],
  ] as const;
  for (const [file, made] of files) if (file !== undefined) save(file, made());
  process.stdout.write(
    options.json === true ? `${JSON.stringify(report, null, 2)}\n` : `${textOf(report, store).join('\n')}\n`,
  );
  return EXIT.ok;
}

/** Lets more or less be measured. */
export function commandProfiler(mode: ProfilerMode, options: RemoteOptions): Promise<number> {
  return give(options, { command: 'profiler', params: { mode } });
}

function find(rows: StoreReader, store: string, plan: string | undefined): Profiled {
  if (!hasTable(rows, 'profile_runs')) throw noProfile(plan, store);
  const id = plan === undefined ? ALL : planIn(rows, plan);
  const run = readRun(rows, id);
  if (run === undefined) throw noProfile(plan, store);
  return { run, profile: readProfile(rows, id).profile };
}

function planIn(rows: StoreReader, named: string): string {
  if (!hasSupervisor(rows) || readRun(rows, named) !== undefined) return named;
  return newestPlan(rows, named)?.id ?? named;
}

function save(file: string, content: unknown): void {
  try {
    writeFileSync(file, JSON.stringify(content));
  } catch (cause) {
    throw new PerdureError('OPTIONS_INVALID', `${file} cannot be written: ${(cause as Error).message}`, {
      cause,
      facts: { target: file },
    });
  }
}

function textOf(report: ProfileReport, store: string): string[] {
  const { spans, workMs, watchedMs, overhead, plan, dropped } = report;
  const of = plan === undefined ? `all work in ${store}` : `run ${plan.id}`;
  const counts = `${Math.round(spans)} ${Math.round(spans) === 1 ? 'span' : 'spans'}, ${shownDuration(workMs)} of work`;
  const lost = dropped === 0 ? '' : `, ${dropped} lost`;
  return [
    `${of}, since ${new Date(report.since).toISOString()}: ${counts}${lost}`,
    ...(plan === undefined ? [`measured for ${shownDuration(watchedMs)}; that took ${percent(overhead.share)}`] : []),
    ...section('', table(report.operations)),
    ...section("Perdure's own time", table(report.runtime)),
    ...section(
      'hot paths',
      report.hotPaths.map(({ path, share }) => `  ${percent(share)}  ${path.join(' > ')}`),
    ),
    ...section('look at first', report.recommendations.map(cure)),
    ...(plan === undefined ? [] : ofPlan(plan)),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', ...(title === '' ? [] : [title]), ...lines];
}

function table(operations: readonly OperationReport[]): string[] {
  if (operations.length === 0) return [];
  const number = (title: string, of: (operation: OperationReport) => string) => ({
    title,
    of,
    align: 'right' as const,
  });
  const more = operations.length - SHOWN;
  return [
    ...textTable(operations.slice(0, SHOWN), [
      { title: 'operation', of: ({ name }) => name },
      { title: '', of: ({ kind }) => (kind === 'wait' ? 'wait' : '') },
      number('calls', ({ count }) => String(Math.round(count))),
      number('under way', ({ inFlight }) => (inFlight === 0 ? '' : String(inFlight))),
      number('failed', ({ errorRate }) => (errorRate === 0 ? '' : percent(errorRate))),
      number('own', ({ selfMs }) => duration(selfMs)),
      number('share', ({ share }) => percent(share)),
      number('with inner', ({ totalMs }) => duration(totalMs)),
      number('p50', ({ p50Ms }) => duration(p50Ms)),
      number('p95', ({ p95Ms }) => duration(p95Ms)),
      number('p99', ({ p99Ms }) => duration(p99Ms)),
      number('most', ({ maxMs }) => duration(maxMs)),
    ]),
    ...(more > 0 ? [`and ${more} more: --json gives all`] : []),
  ];
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}

/** Also what is shorter than what a plan knows. */
function duration(ms: number): string {
  if (ms >= 100 || ms === 0) return shownDuration(ms);
  return ms >= 0.1 ? `${Number(ms.toPrecision(2))}ms` : `${Math.round(ms * 1_000)}µs`;
}

function cure({ operation, reason, mostSpeedUp }: Recommendation, at: number): string {
  const worth = mostSpeedUp === null ? '' : `; without it at most ${mostSpeedUp.toFixed(1)} times as fast`;
  return `  ${at + 1}. ${operation}: ${reason}${worth}`;
}

function ofPlan({ summary, regressions, earlierRuns }: PlanProfile): string[] {
  const slower = regressions.map(
    ({ path, ratio, medianMs, beforeMs }) =>
      `  ${path.join(' > ')}: ${ratio.toFixed(1)} times as long (${duration(medianMs)}, before ${duration(beforeMs)})`,
  );
  const compared = `compared with ${earlierRuns} earlier ${earlierRuns === 1 ? 'run' : 'runs'}`;
  return [
    ...section('', pathLines(summary)),
    ...section(`slower than before, ${compared}`, slower),
    ...(slower.length === 0 ? section('', [`nothing is slower than before, ${compared}`]) : []),
  ];
}
