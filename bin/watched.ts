/** What the checkpoint, the profiler and the resources have to say at the end of a run, and where there is more of it. */
import type { Actions } from '../actors/actions.ts';
import type { CheckpointStats } from '../actors/checkpoint-stats.ts';
import type { ProfileReport } from '../actors/profile-report.ts';
import type { SupervisorProfiler } from '../actors/profiler.ts';
import type { ResourceReport } from '../actors/resources.ts';
import type { Supervisor } from '../actors/supervisor.ts';
import { PerdureError } from '../errors.ts';
import { shownDuration } from './duration.ts';

/** Operations that are named. */
const NAMED = 3;

/** The lines under the summary of a run. */
export async function watchedLines(supervisor: Supervisor<Actions>, run: string): Promise<string[]> {
  return [
    checkpointsLine(supervisor.checkpoints.stats),
    ...profileLines(supervisor, run),
    resourcesLine(await supervisor.resources.now()),
  ];
}

function checkpointsLine({ kept, costMs, intervalMs }: CheckpointStats): string {
  const cost = costMs === null ? '' : `, at ${costMs.toFixed(1)} ms each`;
  return `${kept} checkpoints are kept${cost}, one at least every ${shownDuration(intervalMs)} of work: perdure checkpoints`;
}

/** Nothing when nothing was measured of this run, whatever others took. */
function profileLines({ profiler }: Supervisor<Actions>, run: string): string[] {
  const { operations } = measured(profiler, run) ?? { operations: [] };
  const work = operations.filter(({ kind, count }) => kind === 'work' && count > 0);
  if (work.length === 0) return [];
  const most = work.slice(0, NAMED).map(({ name, share }) => `${name} ${percent(share)}`);
  const cost = percent(profiler.report().overhead.share);
  return [`most time went into ${most.join(', ')}; measuring took ${cost} of all time: perdure profile --plan ${run}`];
}

function measured(profiler: SupervisorProfiler, run: string): ProfileReport | undefined {
  try {
    return profiler.report({ plan: run });
  } catch (error) {
    if (error instanceof PerdureError && error.code === 'ACTION_NOT_FOUND') return undefined;
    throw error;
  }
}

function resourcesLine({ resources, admission, cost }: ResourceReport): string {
  const short = Object.entries(resources).filter(
    ([, { level, forecast }]) => level !== 'normal' || forecast !== 'none',
  );
  const told = short.map(([name, { level, etaMs }]) =>
    etaMs === null ? `${name} ${level}` : `${name} ${level}, used up in ${shownDuration(etaMs)}`,
  );
  const all = told.length === 0 ? 'no resource is short' : told.join('; ');
  const less = admission === 'open' ? '' : `, so that less runs (${admission})`;
  return `${all}${less}; watching took ${percent(cost.share)}: perdure resources`;
}

function percent(part: number): string {
  return `${(part * 100).toFixed(part < 0.01 ? 2 : 0)} %`;
}
