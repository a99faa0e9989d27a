/** The suite of the inspector: what it costs whoever runs actions, and how soon there is something to see. */
import { idle, viewer } from './inspected.mjs';
import { firstPaint, frames, page } from './page.mjs';

/** @type {readonly import('./durable.mjs').Measure[]} */
export const inspect = [
  { key: 'inspect.idle', aim: 'ratio >= 0.99', run: idle },
  { key: 'inspect.viewer', aim: 'ratio >= 0.9', run: viewer },
  { key: 'inspect.page', aim: 'value <= 80', run: page },
  { key: 'inspect.firstPaint', aim: '', run: firstPaint },
  { key: 'inspect.frames', aim: 'value <= 20', run: frames },
];
