import { readFileSync } from 'node:fs';
import { createActor } from 'xstate';
import { treeMachine } from '../machines.mjs';
import { liveBytes } from './heap.mjs';

const [blob = ''] = process.argv.slice(2);
const before = liveBytes();
const { ms, actor } = restore(readFileSync(blob, 'utf8'));
console.log(JSON.stringify({ ms, bytes: liveBytes() - before, status: actor.getSnapshot().status }));

/** @param {string} text */
function restore(text) {
  const began = performance.now();
  const restored = createActor(treeMachine, { snapshot: JSON.parse(text), input: { branches: 0, leaves: 0 } });
  restored.start();
  return { ms: performance.now() - began, actor: restored };
}
