/**
 * Charts laid out in Node, for the SVG of a server or a command: in a thread, so that nobody waits who asks for something else, one at
 * a time, and each only so long. What was drawn is kept.
 */
import { PerdureError } from '../../errors.ts';
import type { Chart } from './chart.ts';
import { layOut, type ChartDrawing } from './chart-layout.ts';
import { svgOf } from './chart-svg.ts';
import { ElkEnded, ElkThread } from './elk-thread.ts';

const MOST_STATES = 300;
const MOST_TRANSITIONS = 1_000;
const MOST_KEPT = 100;
const LAID_OUT_WITHIN_MS = 10_000;

const kept = new Map<string, Promise<ChartDrawing>>();
const thread = new ElkThread();
/** Settles when nothing is being laid out, nor waits for that. */
let before: Promise<unknown> = Promise.resolve();

/** Lays out a chart, within so many ms; default: 10,000. Throws CHART_TOO_LARGE. */
export function drawChart(chart: Chart, withinMs = LAID_OUT_WITHIN_MS): Promise<ChartDrawing> {
  const { id, states, transitions } = chart;
  const known = kept.get(id);
  if (known !== undefined) return known;
  if (states.length > MOST_STATES || transitions.length > MOST_TRANSITIONS) return Promise.reject(tooLarge(chart));
  const drawing = before.then(() => drawnInTime(chart, withinMs));
  before = drawing.catch(() => {});
  kept.set(id, drawing);
  drawing.catch(() => kept.delete(id));
  const [oldest] = kept.keys();
  if (kept.size > MOST_KEPT && oldest !== undefined) kept.delete(oldest);
  return drawing;
}

async function drawnInTime(chart: Chart, withinMs: number): Promise<ChartDrawing> {
  try {
    return await layOut(chart, thread.within(withinMs));
  } catch (error) {
    throw error instanceof ElkEnded ? tooIntricate(chart, withinMs, error) : error;
  }
}

/** A chart as SVG, laid out within so many ms; default: 10,000. Throws CHART_TOO_LARGE. */
export async function drawSvg(chart: Chart, withinMs?: number): Promise<string> {
  return svgOf(chart, await drawChart(chart, withinMs));
}

function tooLarge({ name, states, transitions }: Chart): PerdureError {
  return new PerdureError(
    'CHART_TOO_LARGE',
    `The chart "${name}" has ${states.length} states and ${transitions.length} transitions; up to ${MOST_STATES} and ` +
      `${MOST_TRANSITIONS} are drawn here. The page draws larger ones, and Mermaid has no such limit.`,
    { facts: { chart: name, states: states.length, transitions: transitions.length } },
  );
}

function tooIntricate({ name }: Chart, withinMs: number, cause: ElkEnded): PerdureError {
  return new PerdureError(
    'CHART_TOO_LARGE',
    `The chart "${name}" could not be laid out within ${withinMs / 1_000} s. The page has more time, and Mermaid has no limit.`,
    { cause, facts: { chart: name } },
  );
}
