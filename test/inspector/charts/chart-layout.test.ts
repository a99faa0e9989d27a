import fc from 'fast-check';
import { createMachine } from 'xstate';
import { describe, expect, test } from 'vitest';
import type { Chart } from '../../../inspector/charts/chart.ts';
import { drawChart } from '../../../inspector/charts/chart-drawing.ts';
import { layOut, type Box, type ChartDrawing, type Point } from '../../../inspector/charts/chart-layout.ts';
import { textWidth } from '../../../inspector/charts/chart-text.ts';
import { chartOf } from '../../../inspector/charts/chart-of.ts';
import * as machines from '../../../machines/index.ts';
import { generatedMachine } from '../../support/generated-machine.ts';

const ours = Object.entries(machines).filter((entry): entry is [string, never] => '__xstatenode' in Object(entry[1]));

const isInside = (box: Box, x: number, y: number) =>
  x >= box.x - 1 && y >= box.y - 1 && x <= box.x + box.width + 1 && y <= box.y + box.height + 1;

/** What holds of every drawing of a chart. */
function expectDrawn(chart: Chart, drawing: ChartDrawing): void {
  const boxes = new Map(drawing.states.map((state) => [state.id, state]));
  expect([...boxes.keys()]).toEqual(chart.states.map(({ id }) => id));
  expect(drawing.transitions.map(({ id }) => id)).toEqual(chart.transitions.map(({ id }) => id));
  const paper: Box = { x: 0, y: 0, width: drawing.width, height: drawing.height };
  for (const { id, parent } of chart.states) {
    const box = boxes.get(id) as Box;
    const around = parent === null ? paper : (boxes.get(parent) as Box);
    expect(isInside(around, box.x, box.y) && isInside(around, box.x + box.width, box.y + box.height)).toBe(true);
  }
  for (const { lines, ...state } of drawing.states) {
    for (const { x, y } of lines) expect(isInside(state, x, y)).toBe(true);
  }
  for (const [at, { targets }] of chart.transitions.entries()) {
    const { paths, label } = drawing.transitions[at] as ChartDrawing['transitions'][number];
    expect(paths).toHaveLength(targets.length);
    for (const path of paths) expect(path.length).toBeGreaterThan(1);
    expect(label === null).toBe(targets.length === 0);
    for (const { x, y } of label?.lines ?? []) expect(isInside(label as Box, x, y)).toBe(true);
  }
}

describe('a drawing', () => {
  test.each(ours)('of ours has every state inside its parent, and every transition: %s', async (_, machine) => {
    const chart = chartOf(machine);
    expectDrawn(chart, await drawChart(chart));
  });

  test('of any machine has all of it', async () => {
    await fc.assert(
      fc.asyncProperty(generatedMachine, async (machine) => {
        const chart = chartOf(machine);
        expectDrawn(chart, await drawChart(chart));
      }),
      { numRuns: 40 },
    );
  });

  test('begins and ends lines at the states that they connect', async () => {
    const chart = chartOf(
      createMachine({ id: 'm', initial: 'a', states: { a: { on: { go: 'b' } }, b: { on: { back: 'a' } } } }),
    );
    const { states, transitions } = await drawChart(chart);
    for (const [at, { source, targets }] of chart.transitions.entries()) {
      const path = transitions[at]?.paths[0] as readonly Point[];
      const [from, to] = [path[0] as Point, path.at(-1) as Point];
      const box = (id: string | undefined) => states.find((state) => state.id === id) as Box;
      expect(isInside(box(source), from.x, from.y)).toBe(true);
      expect(isInside(box(targets[0]), to.x, to.y)).toBe(true);
    }
  });

  test('has transitions between the same states on one line, and those that stay inside the state', async () => {
    const machine = createMachine({
      id: 'm',
      initial: 'a',
      states: { a: { on: { go: 'b', run: 'b', stay: { actions: 'note' } } }, b: {} },
    });
    const { transitions, states } = await drawChart(chartOf(machine));
    const [go, run, stay] = transitions;
    expect(go?.paths).toEqual(run?.paths);
    expect(go?.label?.y).toBeLessThan(run?.label?.y ?? 0);
    expect(stay).toMatchObject({ paths: [], label: null });
    expect(states[1]?.lines.at(-1)).toMatchObject({ kind: 'internal', text: 'stay / note', transition: stay?.id });
  });

  test('is made in another way when ELK fails in the first, and at last fails itself', async () => {
    const chart = chartOf(
      createMachine({ id: 'm', initial: 'a', states: { a: { on: { go: 'b' } }, b: { on: { up: '#m' } } } }),
    );
    const asked: unknown[] = [];
    const failing = {
      layout: (graph: { layoutOptions: Record<string, string> }) => {
        asked.push(graph.layoutOptions['elk.hierarchyHandling']);
        return Promise.reject(new Error(`no ${asked.length}`));
      },
    };
    await expect(layOut(chart, failing as never)).rejects.toThrow('no 3');
    expect(asked).toEqual(['INCLUDE_CHILDREN', 'INCLUDE_CHILDREN', 'SEPARATE_CHILDREN']);
  });

  test('is refused where it would take too long', async () => {
    const states = Object.fromEntries(Array.from({ length: 400 }, (_, at) => [`s${at}`, {}]));
    const chart = chartOf(createMachine({ id: 'large', initial: 's0', states }));
    await expect(drawChart(chart)).rejects.toMatchObject({ code: 'CHART_TOO_LARGE' });
  });
});

test('wide characters are taken for wider than narrow ones', () => {
  expect(textWidth('世界', 10)).toBeGreaterThan(textWidth('ab', 10));
  expect(textWidth('iiii', 10)).toBeLessThan(textWidth('MMMM', 10));
});
