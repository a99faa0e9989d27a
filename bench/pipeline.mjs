/** The suite of the pipeline: what is measured, and what its owner wants to reach (design.md, "Measures that matter"). */
import { latencyP50, latencyP99, noopsTogether, rejections } from './actions.mjs';

/** @type {readonly import('./durable.mjs').Measure[]} */
export const pipeline = [
  { key: 'pipeline.noop', aim: 'value >= 5,000', run: noopsTogether },
  { key: 'pipeline.latency.p50', aim: 'ratio <= 8', run: latencyP50 },
  { key: 'pipeline.latency.p99', aim: 'ratio <= 40', run: latencyP99 },
  { key: 'pipeline.breaker', aim: '', run: rejections },
];
