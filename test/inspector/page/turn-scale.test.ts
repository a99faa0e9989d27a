import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isKept,
  marksOf,
  movedTo,
  placeOf,
  rangeOf,
  sliderMove,
  stopAt,
  timeOf,
  turnAt,
  turnTicks,
  type Kept,
  type SliderMove,
} from '../../../inspector/page/views/checkpoints/turn-scale.ts';

function checkpoint(turn: number, more: Partial<Kept['checkpoints'][number]> = {}): Kept['checkpoints'][number] {
  const id = String(turn);
  return { id, turn, at: turn * 1_000, reason: 'actions', label: null, isPinned: false, tasks: [], plans: [], ...more };
}

const stores = fc
  .record({
    turns: fc.uniqueArray(fc.integer({ min: 1, max: 5_000 }), { maxLength: 40 }),
    pinned: fc.boolean(),
    present: fc.integer({ min: 1, max: 6_000 }),
    historyFrom: fc.option(fc.integer({ min: 1, max: 6_000 })),
  })
  .map(({ turns, pinned, present, historyFrom }): Kept => {
    const turn = Math.max(present, ...turns);
    return {
      turn,
      checkpoints: turns.sort((a, b) => b - a).map((one, i) => checkpoint(one, { isPinned: pinned && i % 3 === 0 })),
      history: historyFrom === null || historyFrom > turn ? null : { from: historyFrom, to: turn },
    };
  });
const places = fc.double({ min: 0, max: 1, noNaN: true });
const moves = fc.constantFrom<SliderMove>(
  'next',
  'previous',
  'nextTurn',
  'previousTurn',
  'farNext',
  'farPrevious',
  'first',
  'last',
);

describe('the slider', () => {
  test('property: wherever it is dragged to, it stops at a turn that is kept', () => {
    fc.assert(
      fc.property(stores, places, (kept, place) => {
        const range = rangeOf(kept);
        const turn = stopAt(place, kept, range);
        expect(isKept(turn, kept)).toBe(true);
        expect(turn).toBeGreaterThanOrEqual(range.from);
        expect(turn).toBeLessThanOrEqual(range.to);
      }),
    );
  });

  test('property: every key goes to a turn that is kept, in its direction, and comes to the end', () => {
    fc.assert(
      fc.property(stores, places, moves, (kept, place, move) => {
        const from = stopAt(place, kept, rangeOf(kept));
        const to = movedTo(move, from, kept);
        expect(isKept(to, kept)).toBe(true);
        if (['next', 'nextTurn', 'farNext', 'last'].includes(move)) expect(to).toBeGreaterThanOrEqual(from);
        else expect(to).toBeLessThanOrEqual(from);
        let at = movedTo('first', from, kept);
        for (let i = 0; i <= kept.checkpoints.length + 1; i += 1) at = movedTo('next', at, kept);
        expect(at).toBe(kept.turn);
      }),
    );
  });

  test('property: every checkpoint is in one mark, and marks are apart', () => {
    fc.assert(
      fc.property(stores, ({ checkpoints, turn }) => {
        const range = rangeOf({ checkpoints, turn, history: null });
        const marks = marksOf(checkpoints, range, 0.01);
        expect(marks.reduce((sum, { count }) => sum + count, 0)).toBe(checkpoints.length);
        expect(marks.length).toBeLessThanOrEqual(101);
        expect(marks.some(({ isPinned }) => isPinned)).toBe(checkpoints.some(({ isPinned }) => isPinned));
      }),
    );
  });

  test('property: a turn comes back from its place', () => {
    fc.assert(
      fc.property(stores, places, (kept, place) => {
        const range = rangeOf(kept);
        const turn = turnAt(place, range);
        expect(turnAt(placeOf(turn, range), range)).toBe(turn);
      }),
    );
  });

  test('property: ticks are round, in order, within the range, and not too many', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.nat(1_000_000), fc.integer({ min: 2, max: 12 }), (from, span, most) => {
        const ticks = turnTicks({ from, to: from + span }, most);
        expect(ticks.length).toBeLessThanOrEqual(most + 1);
        for (const [i, tick] of ticks.entries()) {
          expect(tick).toBeGreaterThanOrEqual(from);
          expect(tick).toBeLessThanOrEqual(from + span);
          expect(Number.isInteger(tick)).toBe(true);
          if (i > 0) expect(tick).toBeGreaterThan(ticks[i - 1]!);
        }
      }),
    );
  });
});

describe('of a store with three checkpoints and a short history', () => {
  const kept: Kept = {
    checkpoints: [checkpoint(900), checkpoint(500, { label: 'before the move', isPinned: true }), checkpoint(100)],
    history: { from: 800, to: 1_000 },
    turn: 1_000,
  };
  const range = rangeOf(kept);

  test('before the history it stops only at checkpoints', () => {
    expect(stopAt(placeOf(620, range), kept, range)).toBe(500);
    expect(stopAt(placeOf(700, range), kept, range)).toBe(800);
    expect(stopAt(placeOf(850, range), kept, range)).toBe(850);
    expect(stopAt(placeOf(903, range), kept, range)).toBe(900);
  });

  test('arrows go from checkpoint to checkpoint, with Shift from turn to turn', () => {
    expect(movedTo(sliderMove('ArrowLeft', false)!, 1_000, kept)).toBe(900);
    expect(movedTo(sliderMove('ArrowLeft', true)!, 1_000, kept)).toBe(999);
    expect(movedTo(sliderMove('ArrowLeft', true)!, 800, kept)).toBe(500);
    expect(movedTo(sliderMove('Home', false)!, 1_000, kept)).toBe(100);
    expect(movedTo(sliderMove('End', false)!, 100, kept)).toBe(1_000);
    expect(sliderMove('a', false)).toBeUndefined();
    expect(sliderMove('constructor', false)).toBeUndefined();
  });

  test('when a turn was between two checkpoints is told as about so', () => {
    expect(timeOf(500, kept, 5_000_000)).toEqual({ at: 500_000, isExact: true });
    expect(timeOf(700, kept, 5_000_000)).toEqual({ at: 700_000, isExact: false });
    expect(timeOf(950, kept, 1_000_000)).toEqual({ at: 950_000, isExact: false });
    expect(timeOf(50, kept, 1_000_000)).toBeUndefined();
    expect(timeOf(1_000, kept, 7)).toEqual({ at: 7, isExact: true });
  });

  test('a mark of several stands for the one that is pinned', () => {
    const [mark] = marksOf(kept.checkpoints, range, 1);
    expect(mark).toMatchObject({ count: 3, isPinned: true, checkpoint: { turn: 500 } });
  });

  test('a store without any checkpoint has one place', () => {
    const empty: Kept = { checkpoints: [], history: null, turn: 7 };
    expect(rangeOf(empty)).toEqual({ from: 7, to: 7 });
    expect(stopAt(0.3, empty, rangeOf(empty))).toBe(7);
    expect(turnTicks(rangeOf(empty))).toEqual([7]);
  });
});
