/** Lays charts out in a worker, each once: ELK is large, and would hold up the page. */
import ELK from 'elkjs/lib/elk-api.js';
import workerUrl from 'elkjs/lib/elk-worker.min.js?url';
import type { Chart } from '../../../charts/chart.ts';
import { layOut, type ChartDrawing, type Elk } from '../../../charts/chart-layout.ts';

export type Direction = 'down' | 'right';

/** After so long without a chart to lay out the worker ends: it holds some 50 MB. */
const IDLE_MS = 30_000;

const drawings = new Map<string, Promise<ChartDrawing>>();
let worker: { readonly elk: Elk; end(): void } | null = null;
let pending = 0;
let idle: ReturnType<typeof setTimeout> | undefined;

function begin(): Elk {
  clearTimeout(idle);
  if (worker === null) {
    const elk = new ELK({ workerFactory: () => new Worker(workerUrl) });
    worker = { elk, end: () => elk.terminateWorker() };
  }
  pending += 1;
  return worker.elk;
}

function end(): void {
  pending -= 1;
  if (pending > 0) return;
  idle = setTimeout(() => {
    worker?.end();
    worker = null;
  }, IDLE_MS);
}

/** A chart as shapes. Rejects when it cannot be laid out. */
export async function drawingOfChart(chart: Chart, direction: Direction): Promise<ChartDrawing> {
  const key = `${direction} ${chart.id}`;
  let drawing = drawings.get(key);
  if (drawing === undefined) {
    drawing = layOut(chart, begin(), { direction }).finally(end);
    drawings.set(key, drawing);
    drawing.catch(() => drawings.delete(key));
  }
  return await drawing;
}
