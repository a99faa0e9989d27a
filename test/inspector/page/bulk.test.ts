import { describe, expect, test } from 'vitest';
import { actionParams } from '../../../inspector/page/views/work/action-commands.ts';
import { bulkCommands, giveAll, summaryText } from '../../../inspector/page/views/work/bulk.ts';
import { errorOf } from '../../../inspector/page/views/work/error-text.ts';
import { knownCommands } from '../../../inspector/commands/known-commands.ts';
import type { CommandAnswer } from '../../../inspector/protocol.ts';
import type { WorkItem } from '../../../inspector/views/work.ts';

const answer = (state: CommandAnswer['state'], message = ''): CommandAnswer => ({
  type: 'answer',
  id: 'x',
  state,
  message,
});

describe('a command for many actions', () => {
  test('is not offered for a step of a plan where only its plan can do it', () => {
    const requeue = bulkCommands.find(({ command }) => command === 'requeue');
    const dead = { state: 'settled', kind: 'failed', plan: null } as WorkItem;
    expect(requeue?.fits(dead)).toBe(true);
    expect(requeue?.fits({ ...dead, plan: 'nightly:1' })).toBe(false);
  });

  test('is given once for each, a few at a time, and its answers are summed up', async () => {
    const ids = Array.from({ length: 30 }, (_, index) => String(index));
    const given: string[] = [];
    const told: number[] = [];
    let underway = 0;
    let most = 0;
    const summary = await giveAll(
      ids,
      async (id) => {
        given.push(id);
        most = Math.max(most, ++underway);
        await Promise.resolve();
        underway--;
        return Number(id) % 10 === 0 ? answer('refused', 'it had ended already') : answer('applied');
      },
      (done) => void told.push(done),
    );
    expect(given.toSorted()).toEqual(ids.toSorted());
    expect(most).toBeLessThanOrEqual(4);
    expect(told.at(-1)).toBe(30);
    expect(summary).toEqual({
      applied: 27,
      waiting: 0,
      refused: 3,
      left: 0,
      reasons: [{ message: 'it had ended already', count: 3 }],
    });
    expect(summaryText(summary)).toBe('27 applied, 3 refused');
  });

  test('stops when somebody stops it, and says how many are left', async () => {
    const stop = { aborted: false };
    const ids = Array.from({ length: 100 }, (_, index) => String(index));
    const summary = await giveAll(
      ids,
      () => Promise.resolve(answer('applied')),
      (done) => void (stop.aborted = done >= 10),
      stop,
    );
    expect(summary.applied + summary.left).toBe(100);
    expect(summary.applied).toBeLessThan(20);
  });

  test('names an action as the command wants it named', () => {
    for (const { command } of bulkCommands) {
      const known = knownCommands.find(({ name }) => name === command)!;
      const params = actionParams(command, 'a:1', knownCommands);
      expect(Object.keys(params)).toEqual(known.params.filter(({ required }) => required).map(({ name }) => name));
    }
  });
});

describe('an error', () => {
  test('shows its first line, and keeps the rest and the stack for whoever asks', () => {
    expect(
      errorOf({
        name: 'TypeError',
        code: 'ROWS',
        message: 'expected 12 rows\nthe body was empty',
        stack: 'TypeError: expected 12 rows\nthe body was empty\n    at run (steps.ts:12:3)',
        class: 'permanent',
        fingerprint: '9f2c',
      }),
    ).toEqual({
      name: 'TypeError',
      code: 'ROWS',
      message: 'expected 12 rows',
      rest: 'the body was empty\n    at run (steps.ts:12:3)',
      lines: 2,
      class: 'permanent',
      fingerprint: '9f2c',
    });
  });

  test('is one too when only its message was kept, and nothing is none', () => {
    expect(errorOf('it broke')).toMatchObject({ name: 'Error', message: 'it broke', lines: 0 });
    for (const nothing of [null, undefined, 5, {}, '']) expect(errorOf(nothing)).toBeNull();
  });
});
