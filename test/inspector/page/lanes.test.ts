import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { busySpans, depthsOf, packed, tracksOf } from '../../../inspector/page/views/timeline/lanes.ts';
import { joined } from '../../../inspector/page/views/timeline/time-scale.ts';
import type { TimelineRow } from '../../../inspector/views/timeline.ts';

const span = fc
  .tuple(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 1, max: 300 }))
  .map(([from, length]) => ({ from, to: from + length }));

function row(id: string, changes: Partial<TimelineRow>): TimelineRow {
  return { id, name: id, plan: null, slot: null, kind: null, attempts: 1, parts: [], ...changes };
}

describe('the rows of the timeline', () => {
  test('hold every bar once, none over another, and are as few as can be', () => {
    fc.assert(
      fc.property(fc.array(span, { maxLength: 60 }), (spans) => {
        const rows = packed(spans);
        expect(rows.flat()).toHaveLength(spans.length);
        for (const bars of rows) {
          for (const [index, bar] of bars.entries()) {
            if (index > 0) expect(bar.from).toBeGreaterThanOrEqual(bars[index - 1]!.to);
          }
        }
        const atOnce = Math.max(
          0,
          ...spans.map(({ from }) => spans.filter((other) => other.from <= from && from < other.to).length),
        );
        expect(rows).toHaveLength(atOnce);
      }),
    );
  });

  test('by slot are as many as held a slot at once; what runs now is in its own, with its back-offs', () => {
    const ran = (from: number, to: number | null): TimelineRow['parts'] => [
      { phase: 'queued', from: 0, to: from },
      { phase: 'running', from, to },
    ];
    const tracks = tracksOf(
      {
        rows: [
          row('c', { parts: ran(1, 4) }),
          row('d', { parts: ran(2, 3) }),
          row('e', {
            parts: [...ran(4, 5), { phase: 'asking', from: 5, to: 6 }, { phase: 'running', from: 6, to: 7 }],
          }),
          row('a', {
            slot: 1,
            parts: [...ran(5, 6), { phase: 'back-off', from: 6, to: 7 }, { phase: 'running', from: 7, to: null }],
          }),
          row('b', { slot: 0, parts: [...ran(6, 8), { phase: 'back-off', from: 8, to: null }] }),
        ],
      },
      'slot',
      9,
    );
    expect(tracks.map(({ label, bars }) => [label, bars.map(({ row: { id }, from, to }) => [id, from, to])])).toEqual([
      ['slot 0', [['b', 6, 9]]],
      [
        'slot 1',
        [
          ['c', 1, 4],
          ['e', 4, 5],
          ['a', 5, 9],
        ],
      ],
      [
        'slot 2',
        [
          ['d', 2, 3],
          ['e', 6, 7],
        ],
      ],
    ]);
    expect(tracks[1]?.bars.at(-1)?.parts.map(({ phase }) => phase)).toEqual(['running', 'back-off', 'running']);
  });

  test('by plan come in the order in which the plans began, and what has none last', () => {
    const parts = (from: number): TimelineRow['parts'] => [{ phase: 'running', from, to: from + 1 }];
    const tracks = tracksOf(
      {
        rows: [
          row('x', { parts: parts(0) }),
          row('late', { plan: 'late', parts: parts(5) }),
          row('early', { plan: 'early', parts: parts(1) }),
        ],
      },
      'plan',
      9,
    );
    expect(tracks.map(({ lane }) => lane)).toEqual(['early', 'late', 'no plan']);
  });

  test('by action name each action, and leave out what has not begun to wait', () => {
    const tracks = tracksOf(
      { rows: [row('a', { parts: [{ phase: 'asking', from: 1, to: null }] }), row('b', {})] },
      'action',
      9,
    );
    expect(tracks.map(({ action, bars }) => [action, bars[0]!.parts])).toEqual([
      ['a', [{ phase: 'asking', from: 1, to: 9, isOpen: true }]],
    ]);
  });
});

describe('what is not idle', () => {
  test('is what ran, and the moments at which something else began or ended', () => {
    const spans = busySpans(
      [
        row('a', { parts: [{ phase: 'running', from: 0, to: 4000 }] }),
        row('b', { parts: [{ phase: 'asking', from: 1_000_000, to: 8_000_000 }] }),
      ],
      9_000_000,
    );
    const isBusy = (at: number): boolean => spans.some(({ from, to }) => from <= at && at <= to);
    expect([2000, 1_000_000, 8_000_000].every(isBusy)).toBe(true);
    expect([500_000, 4_000_000].some(isBusy)).toBe(false);
  });
});

test('how many run and wait adds up to nothing after the last has ended', () => {
  const part = fc.tuple(fc.constantFrom('queued', 'running', 'back-off', 'asking'), span);
  fc.assert(
    fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
      const rows = parts.map(([phase, { from, to }], index) =>
        row(String(index), { parts: [{ phase, from, to } as TimelineRow['parts'][number]] }),
      );
      const depths = depthsOf(rows, 2000);
      if (parts.length > 0) expect(depths.at(-1)).toMatchObject({ running: 0, waiting: 0 });
      for (const { at, running, waiting } of depths) {
        const under = parts.filter(([, { from, to }]) => from <= at && at < to);
        expect(running).toBe(under.filter(([phase]) => phase === 'running').length);
        expect(waiting).toBe(under.filter(([phase]) => phase !== 'running').length);
      }
    }),
  );
});

test('give many short moments no more room than what ran, so that idle time between them is idle', () => {
  const minute = 60_000;
  const long = row('long', { parts: [{ phase: 'running', from: 0, to: 20_000 }] });
  const ticks = Array.from({ length: 100 }, (_, n) =>
    row(`tick-${n}`, { parts: [{ phase: 'running', from: (n + 1) * minute, to: (n + 1) * minute + 2 }] }),
  );
  const asks = row('asks', { parts: [{ phase: 'asking', from: 20_000, to: null }] });
  const busy = joined(busySpans([long, ...ticks, asks], 101 * minute));
  expect(busy.reduce((sum, { from, to }) => sum + to - from, 0)).toBeLessThan(2 * 20_000);
  expect(busy.length).toBeGreaterThan(100);
});
