/** Charts are laid out beside the event loop, and only so long. */
import { expect, test } from 'vitest';
import { createMachine } from 'xstate';
import { drawChart } from '../../../inspector/charts/chart-drawing.ts';
import { layOut } from '../../../inspector/charts/chart-layout.ts';
import { chartOf } from '../../../inspector/charts/chart-of.ts';
import { ElkEnded, ElkThread } from '../../../inspector/charts/elk-thread.ts';

/** Of a machine that ELK takes long for. */
function tangled(count: number) {
  const states = Array.from({ length: count }, (_, n) => {
    const on = Object.fromEntries([0, 1].map((k) => [`e${k}`, `s${(n * 7 + k * 13 + 1) % count}`]));
    return [`s${n}`, { on }];
  });
  return chartOf(createMachine({ id: `tangled${count}`, initial: 's0', states: Object.fromEntries(states) }));
}

test('while a chart is laid out, everything else goes on', async () => {
  let ticks = 0;
  const ticking = setInterval(() => (ticks += 1), 5);
  const drawing = await drawChart(tangled(40));
  clearInterval(ticking);
  expect(drawing.states).toHaveLength(41);
  expect(ticks).toBeGreaterThan(20);
});

test('what takes too long is given up at once, in every way of laying out, and the next chart is laid out', async () => {
  const thread = new ElkThread();
  await expect(layOut(tangled(200), thread.within(300))).rejects.toThrow(ElkEnded);
  const { states } = await layOut(tangled(3), thread.within(30_000));
  expect(states).toHaveLength(4);
});
