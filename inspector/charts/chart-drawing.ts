/**
 * Charts laid out in this process, for the SVG of a server or a command. ELK is large, so it is loaded when it is first needed; it
 * blocks while it lays out, so what would take long is refused, and what was drawn is kept.
 */
import { PerdureError } from '../../errors.ts';
import type { Chart } from './chart.ts';
import { layOut, type ChartDrawing, type Elk } from './chart-layout.ts';
import { svgOf } from './chart-svg.ts';

const MOST_STATES = 300;
const MOST_TRANSITIONS = 1_000;
const MOST_KEPT = 100;

const kept = new Map<string, Promise<ChartDrawing>>();
let elk: Promise<Elk> | undefined;

/** Lays out a chart. Throws CHART_TOO_LARGE. */
export function drawChart(chart: Chart): Promise<ChartDrawing> {
  const { id, states, transitions } = chart;
  const before = kept.get(id);
  if (before !== undefined) return before;
  if (states.length > MOST_STATES || transitions.length > MOST_TRANSITIONS) return Promise.reject(tooLarge(chart));
  elk ??= loadElk();
  const drawing = elk.then((loaded) => layOut(chart, loaded));
  kept.set(id, drawing);
  drawing.catch(() => kept.delete(id));
  const [oldest] = kept.keys();
  if (kept.size > MOST_KEPT && oldest !== undefined) kept.delete(oldest);
  return drawing;
}

/** A chart as SVG. Throws CHART_TOO_LARGE. */
export async function drawSvg(chart: Chart): Promise<string> {
  return svgOf(chart, await drawChart(chart));
}

async function loadElk(): Promise<Elk> {
  const { default: loaded } = (await import('elkjs/lib/elk.bundled.js')) as unknown as { default: new () => Elk };
  return new loaded();
}

function tooLarge({ name, states, transitions }: Chart): PerdureError {
  return new PerdureError(
    'CHART_TOO_LARGE',
    `The chart "${name}" has ${states.length} states and ${transitions.length} transitions; up to ${MOST_STATES} and ` +
      `${MOST_TRANSITIONS} are drawn here. The page draws larger ones, and Mermaid has no such limit.`,
    { facts: { chart: name, states: states.length, transitions: transitions.length } },
  );
}
