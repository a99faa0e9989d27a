/** What a run that is resumed was doing, as it stands in the store before anything of it goes on. */
import { readAction, readSteps } from '../actors/ledger.ts';
import type { StepRow } from '../actors/plan-tables.ts';
import { isSuccess } from '../machines/outcome.ts';
import { stepState, type StepState } from './plan-report.ts';
import type { StoreReader } from '../persistence/store-reader.ts';

export interface FoundStep {
  readonly row: StepRow;
  readonly state: StepState;
}

export function foundSteps(rows: StoreReader, run: string): FoundStep[] {
  return readSteps(rows, run).map((row) => ({ row, state: stepState(row, readAction(rows, row.action)) }));
}

/** What the run starts from, such as `9 done, 2 running again, 5 waiting`, and below it which steps those are. */
export function foundLines(found: readonly FoundStep[], removed: readonly string[]): [counts: string, ...string[]] {
  const kept = found.filter(({ row }) => !removed.includes(row.step));
  const settled = kept.filter(({ state }) => state === 'settled');
  const done = settled.filter(({ row: { kind } }) => kind !== null && isSuccess(kind)).length;
  const failed = settled.length - done;
  const running = stepsIn(kept, 'running');
  const retrying = stepsIn(kept, 'retrying');
  const asking = stepsIn(kept, 'asking');
  const waiting = kept.length - settled.length - running.length - retrying.length - asking.length;
  const counts = [
    `${done} done`,
    `${running.length} running again`,
    ...(retrying.length === 0 ? [] : [`${retrying.length} waiting to retry`]),
    ...(asking.length === 0 ? [] : [`${asking.length} waiting for an approval`]),
    `${waiting} waiting`,
    ...(failed === 0 ? [] : [`${failed} without success`]),
  ];
  return [
    counts.join(', '),
    ...(running.length === 0 ? [] : [`running again: ${running.join(', ')}`]),
    ...(retrying.length === 0 ? [] : [`waits to retry: ${retrying.join(', ')}`]),
  ];
}

function stepsIn(found: readonly FoundStep[], wanted: StepState): string[] {
  return found.filter(({ state }) => state === wanted).map(({ row }) => row.step);
}
