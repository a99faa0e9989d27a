import { expect, test } from 'vitest';
import type { StepRow } from '../../actors/plan-tables.ts';
import { foundLines, type FoundStep } from '../../bin/found-steps.ts';

function found(step: string, state: FoundStep['state'], kind: StepRow['kind'] = null): FoundStep {
  return { row: { step, kind } as StepRow, state };
}

test('a resumed run is told apart by what its steps were doing: a back-off is no run, and what was removed is left out', () => {
  const steps = [
    found('one', 'settled', 'ok'),
    found('two', 'settled', 'failed'),
    found('three', 'running'),
    found('four', 'retrying'),
    found('five', 'queued'),
    found('risky', 'asking'),
    found('six', 'waiting'),
    found('gone', 'running'),
  ];
  expect(foundLines(steps, ['gone'])).toEqual([
    '1 done, 1 running again, 1 waiting to retry, 1 waiting for an approval, 2 waiting, 1 without success',
    'running again: three',
    'waits to retry: four',
  ]);
  expect(foundLines([], [])).toEqual(['0 done, 0 running again, 0 waiting']);
});
