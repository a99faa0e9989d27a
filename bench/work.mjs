/** The suite of the queue, the pool and the tracks: what is measured, and what its owner wants to reach. */
import { cpuThroughput, roundtrip } from './pool.mjs';
import {
  claimAmongHeld,
  claimAmongMillion,
  claimAmongPaused,
  memoryOfWaiting,
  submitInBulk,
  submitOneByOne,
} from './queue.mjs';
import { cpuGraph, sideBySide, stepOverhead } from './tracks.mjs';

/** @type {readonly import('./durable.mjs').Measure[]} */
export const work = [
  { key: 'queue.million', aim: 'ratio <= 1.2', run: claimAmongMillion },
  { key: 'queue.million.paused', aim: 'ratio <= 1.2', run: claimAmongPaused },
  { key: 'queue.million.held', aim: 'ratio <= 1.2', run: claimAmongHeld },
  { key: 'queue.submit', aim: '', run: submitOneByOne },
  { key: 'queue.submit.bulk', aim: '', run: submitInBulk },
  { key: 'queue.heap', aim: 'value <= 50', run: memoryOfWaiting },
  { key: 'pool.cpu', aim: 'ratio >= 0.95', run: cpuThroughput },
  { key: 'pool.roundtrip', aim: '', run: roundtrip },
  { key: 'tracks.speedup', aim: 'value >= 2.85', run: sideBySide },
  { key: 'tracks.cpu', aim: 'ratio >= 0.9', run: cpuGraph },
  { key: 'tracks.overhead', aim: '', run: stepOverhead },
];
