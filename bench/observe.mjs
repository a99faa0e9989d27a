/** The suite of what watches and remembers: checkpoints, profiler, resources. */
import { checkpointCost, checkpointRestore } from './checkpoints.mjs';
import { forecastError } from './forecasts.mjs';
import { observed, observedInFull, observedWithHistory, profilerMillion } from './observers.mjs';

/** @type {readonly import('./durable.mjs').Measure[]} */
export const observe = [
  { key: 'observe.overhead', aim: 'ratio >= 0.97', run: observed },
  { key: 'observe.overhead.history', aim: '', run: observedWithHistory },
  { key: 'observe.overhead.full', aim: '', run: observedInFull },
  { key: 'checkpoint.cost', aim: 'ratio <= 1.2', run: checkpointCost },
  { key: 'checkpoint.restore', aim: '', run: checkpointRestore },
  { key: 'profiler.million', aim: 'ratio <= 1.2', run: profilerMillion },
  { key: 'forecast.error', aim: 'value <= 0.1', run: forecastError },
];
