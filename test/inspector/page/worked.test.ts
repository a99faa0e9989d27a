import { expect, test } from 'vitest';
import { workedMs } from '../../../inspector/page/views/work/worked.ts';

test('a single try worked for as long as it took, also where nothing was measured', () => {
  const action = { workMs: 0, attempts: 1, startedAt: 1_000, settledAt: 1_002 };
  expect(workedMs(action)).toBe(2);
  expect(workedMs({ ...action, workMs: 1.5 })).toBe(1.5);
  expect(workedMs({ ...action, attempts: 2 })).toBe(0);
  expect(workedMs({ ...action, settledAt: null })).toBe(0);
});
