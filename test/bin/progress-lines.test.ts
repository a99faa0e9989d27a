import { expect, test } from 'vitest';
import { liveLines, retryLine, settledLine, startedLine, type ActiveRow } from '../../bin/progress-lines.ts';
import { NO_PAINT } from '../../bin/terminal.ts';
import { stepOfAction } from '../../bin/progress.ts';
import type { ActionRow } from '../../actors/queue-tables.ts';

const policy = (attempts: number) => JSON.stringify({ retry: { attempts, delayMs: 1, capMs: 1 } });
const row = (overrides: Partial<ActionRow>) => ({ policy: policy(1), ...overrides }) as ActionRow;

test('a line says which attempt begins only where there may be several', () => {
  expect(startedLine('lint', 1, row({}))).toBe('▸ lint started');
  expect(startedLine('lint', 2, row({ policy: policy(3) }))).toBe('▸ lint started (attempt 2 of 3)');
});

test('a line says what failed and when it is tried again', () => {
  const error = {
    name: 'PerdureError',
    code: 'COMMAND_FAILED',
    message: 'exited with 1\nand more',
    class: 'transient' as const,
    fingerprint: '0',
  };
  expect(retryLine('lint', 1_500, error, NO_PAINT)).toBe('↻ lint exited with 1; next attempt in 1.5s');
});

test('a line says how a step ended, after how many attempts, in what time and why', () => {
  expect(
    settledLine('lint', row({ kind: 'ok', attempts: 1, started_at: 0, settled_at: 400, error: null }), NO_PAINT),
  ).toBe('✔ lint ok in 400ms');
  const error = JSON.stringify({
    name: 'E',
    code: null,
    message: 'exited with 2',
    class: 'transient' as const,
    fingerprint: '0',
  });
  expect(
    settledLine('lint', row({ kind: 'failed', attempts: 3, started_at: 0, settled_at: 61_000, error }), NO_PAINT),
  ).toBe('✖ lint failed after 3 attempts in 1m 01s: exited with 2');
});

test('the live table shows attempt, elapsed time and the next attempt, and never more than the screen holds', () => {
  const active = (step: string, overrides: Partial<ActiveRow> = {}): ActiveRow => ({
    id: `n:1/${step}`,
    step,
    attempts: 1,
    started_at: 1_000,
    retry_at: null,
    error: null,
    policy: policy(3),
    ...overrides,
  });
  const size = { columns: 60, rows: 24 };
  const lines = liveLines(
    'n:1',
    { total: 9, settled: 4, asking: 1 },
    [active('lint'), active('test', { attempts: 2, retry_at: 3_500 })],
    3_000,
    size,
  );
  expect(lines).toEqual([
    'n:1: 4 of 9 done, 2 under way, 1 waiting for an approval',
    '  ▸  lint  2.0s  attempt 1 of 3',
    '  ↻  test  2.0s  attempt 2 of 3 failed, next in 500ms',
  ]);
  const many = Array.from({ length: 50 }, (_, at) => active(`step-${at}-${'x'.repeat(80)}`));
  const cut = liveLines('n:1', { total: 50, settled: 0, asking: 0 }, many, 3_000, { columns: 40, rows: 10 });
  expect(cut).toHaveLength(8);
  expect(cut.at(-1)).toBe('  and 44 more');
  expect(Math.max(...cut.map((line) => line.length))).toBeLessThan(40);
});

test('an action is known as a step of its run, in every round, and not of a run with a longer name', () => {
  expect(stepOfAction('n:1', 'n:1/lint')).toBe('lint');
  expect(stepOfAction('n:1', 'n:1/lint#2')).toBe('lint');
  expect(stepOfAction('n:1', 'n:11/lint')).toBeUndefined();
});
