import { describe, expect, test } from 'vitest';
import { reasonCounts, reasonWords } from '../../../inspector/page/views/checkpoints/reasons.ts';
import type { Kept } from '../../../inspector/page/views/checkpoints/turn-scale.ts';
import {
  chosenOf,
  historyText,
  labelProblem,
  listed,
  turnText,
  turnTimeText,
  workText,
} from '../../../inspector/page/views/checkpoints/turns.ts';
import { checkedLabel } from '../../../actors/checkpoint-label.ts';

type Checkpoint = Kept['checkpoints'][number];

function checkpoint(turn: number, more: Partial<Checkpoint> = {}): Checkpoint {
  const id = String(turn);
  return { id, turn, at: turn * 1_000, reason: 'actions', label: null, isPinned: false, tasks: [], plans: [], ...more };
}

const task = { id: 'mail:7', name: 'mail', plan: null };
const plan = { id: 'nightly:1', name: 'nightly', unsettled: 4, completed: [], next: [] };
const kept: Kept = {
  turn: 90,
  history: { from: 60, to: 90, turns: 31, scale: [60, 90].map((turn) => ({ turn, at: turn * 1_000, nth: turn })) },
  checkpoints: [
    checkpoint(80, { tasks: [task] }),
    checkpoint(40, { reason: 'risk', plans: [plan] }),
    checkpoint(10, { reason: 'request', label: 'before the move', isPinned: true }),
  ],
};

describe('what is looked at', () => {
  test('is what the address says, and else the newest checkpoint, compared with the present', () => {
    expect(chosenOf(kept, '', '')).toMatchObject({ turn: 80, other: null, checkpoint: { turn: 80 } });
    expect(chosenOf(kept, '70', '10')).toMatchObject({ turn: 70, other: 10, checkpoint: undefined });
    expect(chosenOf(kept, '40', '90')).toMatchObject({ turn: 40, other: null });
  });

  test('is the nearest that is kept, when the address names one that is not, and no turn at all', () => {
    expect(chosenOf(kept, '37', '').turn).toBe(40);
    expect(chosenOf(kept, '100000', '').turn).toBe(90);
    expect(chosenOf(kept, 'latest', '1e3')).toMatchObject({ turn: 80, other: null });
  });

  test('without any checkpoint it is the present', () => {
    expect(chosenOf({ turn: 3, checkpoints: [], history: null }, '', '')).toMatchObject({ turn: 3, other: null });
  });

  test('is named by its label', () => {
    expect(turnText(kept, 10)).toBe('turn 10 “before the move”');
    expect(turnText(kept, 40)).toBe('turn 40');
    expect([turnText(kept, null), turnText(kept, 90)]).toEqual(['the present', 'the present']);
  });

  test('a history says how many turns it has, where it leaves numbers out', () => {
    const history = { from: 1, to: 2_227, scale: [] };
    expect(historyText({ ...history, turns: 2_227 })).toMatch(/^every turn from 1 to 2.227$/);
    expect(historyText({ ...history, turns: 460 })).toMatch(/^460 turns between 1 and 2.227$/);
  });

  test('says when it was, and when that is only about so', () => {
    expect(turnTimeText(kept, 40, 100_000)).toMatch(/^\d\d:\d\d:40$/);
    expect(turnTimeText(kept, 25, 100_000)).toMatch(/^about \d\d:\d\d:25$/);
    expect(turnTimeText(kept, 70, 100_000)).toMatch(/^about \d\d:\d\d:10$/);
    expect(turnTimeText({ ...kept, checkpoints: [] }, 50, 100_000)).toBe('');
  });
});

describe('the list', () => {
  const all = { text: '', reason: '', pinnedOnly: false };
  const turns = (filter: Partial<typeof all>) =>
    listed(kept.checkpoints, { ...all, ...filter }).map(({ turn }) => turn);

  test('is searched by label, turn, reason, and what ran', () => {
    expect(turns({})).toEqual([80, 40, 10]);
    expect(turns({ text: ' THE MOVE ' })).toEqual([10]);
    expect(turns({ text: '40' })).toEqual([40]);
    expect(turns({ text: 'mail' })).toEqual([80]);
    expect(turns({ text: 'nightly' })).toEqual([40]);
    expect(turns({ reason: 'risk' })).toEqual([40]);
    expect(turns({ pinnedOnly: true, reason: 'risk' })).toEqual([]);
  });

  test('says what ran, and what was to do', () => {
    expect(kept.checkpoints.map(workText)).toEqual(['1 running', 'nightly: 4 to do', '']);
    expect(workText({ tasks: [task], plans: [{ ...plan, unsettled: null }, plan] })).toBe(
      '1 running · nightly · 1 more',
    );
  });

  test('has the reasons with how many have each, also one that is not known', () => {
    const reasons = [...kept.checkpoints, checkpoint(1, { reason: 'mine' }), checkpoint(2)];
    expect(reasonCounts(reasons)).toEqual([
      { reason: 'request', count: 1 },
      { reason: 'risk', count: 1 },
      { reason: 'actions', count: 2 },
      { reason: 'mine', count: 1 },
    ]);
    expect(reasonWords('mine')).toMatchObject({ id: 'other', title: 'mine' });
  });
});

test('a label is refused exactly where the store would refuse it', () => {
  for (const label of ['a', 'before the move', '7 days', 'latest', '1234', 'latest!']) {
    let isRefused = false;
    try {
      checkedLabel(label);
    } catch {
      isRefused = true;
    }
    expect(labelProblem(label) !== undefined, label).toBe(isRefused);
  }
  expect(labelProblem('  ')).toBeUndefined();
});
