import { expect, test } from 'vitest';
import { stateText, titleText } from '../../../inspector/page/frame/state-text.ts';
import type { Overview } from '../../../inspector/views/overview.ts';

const counts: Overview['counts'] = {
  waiting: 0,
  delayed: 0,
  held: 0,
  running: 0,
  backingOff: 0,
  asking: 0,
  parked: 0,
  deadLetters: 0,
  plansOpen: 0,
};

function overviewOf(rest: Partial<Overview>): Overview {
  return { state: 'running', isOwned: true, slots: 4, health: null, counts, retrying: [], ...rest } as Overview;
}

const retrying = [{ id: 'a', name: 'mail', retryAt: 8_000 }] as unknown as Overview['retrying'];

test('a sentence says how many slots are busy, what waits, and when the next attempt is', () => {
  const overview = overviewOf({ counts: { ...counts, running: 3, backingOff: 1, waiting: 12 }, retrying });
  expect(stateText(overview, 0)).toEqual({
    word: 'Running',
    tone: 'running',
    rest: '3 of 4 slots busy · 12 wait · 1 retrying in 8 s',
  });
});

test('who has nothing to do is idle, who is paused says so, and a store without an owner is run by nobody', () => {
  expect(stateText(overviewOf({}), 0)).toMatchObject({ word: 'Idle', rest: '4 slots free' });
  expect(stateText(overviewOf({ state: 'paused' }), 0)).toMatchObject({ word: 'Paused', tone: 'waiting' });
  expect(stateText(overviewOf({ isOwned: false }), 0).word).toBe('Nobody runs it');
});

test('where all that is left waits, it is said for what', () => {
  const waits = overviewOf({ counts: { ...counts, running: 1, backingOff: 1, asking: 2 }, retrying });
  expect(stateText(waits, 0)).toMatchObject({ word: 'Waits for retries', tone: 'retrying' });
  const asks = overviewOf({ counts: { ...counts, asking: 2 } });
  expect(stateText(asks, 0)).toMatchObject({ word: 'Waits for people', tone: 'asking' });
  expect(stateText(overviewOf({ counts: { ...counts, running: 1, asking: 2 } }), 0).word).toBe('Running');
});

test('the title of the window has what matters: what asks, what runs, what retries, what failed', () => {
  const all = { ...counts, running: 3, backingOff: 1, asking: 2, deadLetters: 1 };
  expect(titleText(overviewOf({ counts: all }), 'Work')).toBe('2 asking · 2 running · 1 retrying · 1 failed — Perdure');
  expect(titleText(overviewOf({}), 'Work')).toBe('Work — Perdure');
  expect(titleText(null, 'Work')).toBe('Work — Perdure');
});
