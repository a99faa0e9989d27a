import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  marksOf,
  mayBeKept,
  movedTo,
  placeOf,
  scaleOf,
  sliderMove,
  stopAt,
  timeOf,
  turnAt,
  turnTicks,
  type Kept,
  type SliderMove,
} from '../../../inspector/page/views/checkpoints/turn-scale.ts';

/** What the server says of these turns, of which it tells every `nth`. */
function historyOf(told: readonly number[], every = 1): Kept['history'] {
  const scale = told
    .map((turn, i) => ({ turn, at: turn * 1_000, nth: 70 + i }))
    .filter((_, i) => i % every === 0 || i === told.length - 1);
  const [from, to] = [told[0], told.at(-1)];
  return from === undefined || to === undefined ? null : { from, to, turns: told.length, scale };
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

function checkpoint(turn: number, more: Partial<Kept['checkpoints'][number]> = {}): Kept['checkpoints'][number] {
  const id = String(turn);
  return { id, turn, at: turn * 1_000, reason: 'actions', label: null, isPinned: false, tasks: [], plans: [], ...more };
}

const stores = fc
  .record({
    turns: fc.uniqueArray(fc.integer({ min: 1, max: 5_000 }), { maxLength: 40 }),
    pinned: fc.boolean(),
    present: fc.integer({ min: 1, max: 6_000 }),
    told: fc.uniqueArray(fc.integer({ min: 1, max: 6_000 }), { maxLength: 60 }),
    every: fc.integer({ min: 1, max: 9 }),
  })
  .map(({ turns, pinned, present, told, every }): Kept => {
    const turn = Math.max(present, ...turns, ...told);
    return {
      turn,
      checkpoints: turns.sort((a, b) => b - a).map((one, i) => checkpoint(one, { isPinned: pinned && i % 3 === 0 })),
      history: historyOf(
        told.sort((a, b) => a - b),
        every,
      ),
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
        const scale = scaleOf(kept);
        const turn = stopAt(place, kept, scale);
        expect(mayBeKept(turn, kept)).toBe(true);
        expect(turn).toBeGreaterThanOrEqual(scale.from);
        expect(turn).toBeLessThanOrEqual(scale.to);
      }),
    );
  });

  test('property: every key goes to a turn that is kept, in its direction, and comes to the end', () => {
    fc.assert(
      fc.property(stores, places, moves, (kept, place, move) => {
        const from = stopAt(place, kept, scaleOf(kept));
        const to = movedTo(move, from, kept);
        expect(mayBeKept(to, kept)).toBe(true);
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
        const scale = scaleOf({ checkpoints, turn, history: null });
        const marks = marksOf(checkpoints, scale, 0.01);
        expect(marks.reduce((sum, { count }) => sum + count, 0)).toBe(checkpoints.length);
        expect(marks.length).toBeLessThanOrEqual(101);
        expect(marks.some(({ isPinned }) => isPinned)).toBe(checkpoints.some(({ isPinned }) => isPinned));
      }),
    );
  });

  test('property: a turn comes back from its place', () => {
    fc.assert(
      fc.property(stores, places, (kept, place) => {
        const scale = scaleOf(kept);
        const turn = turnAt(place, scale);
        expect(turnAt(placeOf(turn, scale), scale)).toBe(turn);
      }),
    );
  });

  test('property: ticks are in order, on the scale, and not too many', () => {
    fc.assert(
      fc.property(stores, fc.integer({ min: 2, max: 12 }), (kept, most) => {
        const scale = scaleOf(kept);
        const ticks = turnTicks(scale, most);
        expect(ticks.length).toBeLessThanOrEqual(most);
        expect(ticks).toEqual(ticks.toSorted((a, b) => a - b));
        for (const tick of ticks)
          expect(placeOf(turnAt(placeOf(tick, scale), scale), scale)).toBe(placeOf(tick, scale));
      }),
    );
  });

  test('numbers that no turn has take no room', () => {
    const history = historyOf([...numbers(1, 360), ...numbers(1_025, 1_384)]);
    const kept: Kept = { checkpoints: [], history, turn: 1_384 };
    const scale = scaleOf(kept);
    expect(placeOf(1_025, scale) - placeOf(360, scale)).toBeCloseTo(1 / 719, 6);
    expect(turnAt(0.25, scale)).toBe(181);
    expect(turnAt(0.75, scale)).toBe(1_204);
  });
});

describe('of a store with three checkpoints and a short history', () => {
  const kept: Kept = {
    checkpoints: [checkpoint(900), checkpoint(500, { label: 'before the move', isPinned: true }), checkpoint(100)],
    history: historyOf(numbers(800, 1_000), 200),
    turn: 1_000,
  };
  const scale = scaleOf(kept);

  test('before the history it stops only at checkpoints', () => {
    expect(stopAt(placeOf(620, scale), kept, scale)).toBe(500);
    expect(stopAt(placeOf(700, scale), kept, scale)).toBe(800);
    expect(stopAt(placeOf(850, scale), kept, scale)).toBe(850);
    expect(stopAt(placeOf(901, scale), kept, scale)).toBe(900);
  });

  test('arrows go from checkpoint to checkpoint, with Shift from turn to turn', () => {
    expect(movedTo(sliderMove('ArrowLeft', false)!, 1_000, kept)).toBe(900);
    expect(movedTo(sliderMove('ArrowLeft', true)!, 1_000, kept, { previous: 999 })).toBe(999);
    expect(movedTo(sliderMove('ArrowLeft', true)!, 800, kept, { previous: 500 })).toBe(500);
    expect(movedTo(sliderMove('ArrowLeft', true)!, 800, kept)).toBe(800);
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
    const [mark] = marksOf(kept.checkpoints, scale, 1);
    expect(mark).toMatchObject({ count: 3, isPinned: true, checkpoint: { turn: 500 } });
  });

  test('a store without any checkpoint has one place', () => {
    const empty: Kept = { checkpoints: [], history: null, turn: 7 };
    expect(scaleOf(empty)).toMatchObject({ from: 7, to: 7 });
    expect(stopAt(0.3, empty, scaleOf(empty))).toBe(7);
    expect(turnTicks(scaleOf(empty))).toEqual([7]);
  });
});
