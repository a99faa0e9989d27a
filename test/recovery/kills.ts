/** Kills a worker under load again and again, at random moments, and judges what it left each time. */
import { isDeepStrictEqual } from 'node:util';
import { judge } from './judge.ts';
import { finalOf, live } from './life.ts';
import { randomOf, type Workload } from './workload.ts';

export interface Kills {
  /** Two empty folders: for the run that is killed, and for the one that is not. */
  readonly folder: string;
  readonly calmFolder: string;
  readonly seed: number;
  readonly kills: number;
  /** Told after each kill; a false answer ends the run early. */
  readonly goOn?: (killed: number) => boolean;
}

export interface KillReport {
  readonly kills: number;
  readonly wrong: readonly string[];
}

/** Enough for a life to have something to be killed in: one lets about 40 events of a client through. */
const EVENTS_A_LIFE = 30;
const LAST_EVENTS = 200;

export async function killAtRandom({ folder, calmFolder, seed, kills, goOn = () => true }: Kills): Promise<KillReport> {
  const random = randomOf(seed);
  const workload: Workload = { seed, clients: 4, events: EVENTS_A_LIFE * kills + LAST_EVENTS };
  for (let killed = 1; killed <= kills; killed++) {
    const killAfter =
      random() < 0.2
        ? ({ since: 'start', ms: 40 + random() * 120 } as const)
        : ({ since: 'ready', ms: random() * 250 } as const);
    const { ended } = await live({ workload, window: 3, pauseMs: 8, folder, killAfter });
    if (ended !== 'killed') return { kills: killed, wrong: ['the workload was over before the kills were'] };
    const { wrong } = judge(folder, workload);
    if (wrong.length > 0) return { kills: killed, wrong: wrong.map((problem) => `after kill ${killed}: ${problem}`) };
    if (!goOn(killed)) return { kills: killed, wrong: [] };
  }
  await live({ workload, window: 8, folder });
  await live({ workload, window: 8, folder: calmFolder });
  const { wrong } = judge(folder, workload);
  if (!isDeepStrictEqual(finalOf(folder), finalOf(calmFolder)))
    wrong.push('the end is not that of a run without kills');
  return { kills, wrong };
}
