/** What the checkpoint, the profiler and the resources have to say at the end of a run, and where there is more of it. */
import type { Actions } from '../actors/actions.ts';
import type { CheckpointStats } from '../actors/checkpoint-stats.ts';
import type { ProfileReport } from '../actors/profile-report.ts';
import type { ResourceReport } from '../actors/resources.ts';
import type { Supervisor } from '../actors/supervisor.ts';
import { shownDuration } from './duration.ts';

/** Operations that are named. */
const NAMED = 3;

/** The lines under the summary of a run. */
export async function watchedLines(supervisor: Supervisor<Actions>, run: string): Promise<string[]> {
  return [
    checkpointsLine(supervisor.checkpoints.stats),
    profileLine(supervisor.profiler.report(), run),
    resourcesLine(await supervisor.resources.now()),
  ];
}

function checkpointsLine({ kept, costMs, intervalMs }: CheckpointStats): string {
  const cost = costMs === null ? '' : `, at ${costMs.toFixed(1)} ms each`;
  return `${kept} checkpoints are kept${cost}, one at least every ${shownDuration(intervalMs)} of work: perdure checkpoints`;
}

function profileLine({ operations, overhead }: ProfileReport, run: string): string {
  const work = operations.filter(({ kind }) => kind !== 'wait');
  const most = work.slice(0, NAMED).map(({ name, share }) => `${name} ${percent(share)}`);
  const what = most.length === 0 ? 'nothing took time' : `most time went into ${most.join(', ')}`;
  return `${what}; measuring took ${percent(overhead.share)}: perdure profile --plan ${run}`;
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
