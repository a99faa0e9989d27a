import { expect, test } from 'vitest';
import type { PlanProgress } from '../../actors/plan-progress.ts';
import { progressTree } from '../../bin/progress-tree.ts';
import { NO_PAINT } from '../../bin/terminal.ts';

const part = (id: string, more: Partial<PlanProgress> = {}): PlanProgress => ({
  id,
  state: 'waiting',
  done: 0,
  steps: { waiting: 1, running: 0, succeeded: 0, unsuccessful: 0 },
  etaMs: 0,
  children: [],
  ...more,
});

test('groups are a tree, with what is done of each and how long it will still take', () => {
  const compile = part('build/compile', {
    state: 'ok',
    done: 1,
    steps: { waiting: 0, running: 0, succeeded: 1, unsuccessful: 0 },
  });
  const link = part('build/link', { state: 'running', etaMs: 90_000 });
  const steps = { waiting: 0, running: 1, succeeded: 1, unsuccessful: 0 };
  const build = part('build', { state: 'running', done: 0.257, steps, etaMs: 90_000, children: [compile, link] });
  const plan = part('nightly:1', { state: 'running', done: 0.2, steps, etaMs: 90_000, children: [build] });
  expect(progressTree(plan, NO_PAINT)).toEqual([
    'progress     done  state    steps   left',
    'nightly:1     20%  running  1 of 2  about 1m 30s',
    '  build       25%  running  1 of 2  about 1m 30s',
    '    compile  100%  ok',
    '    link       0%  running          about 1m 30s',
  ]);
});

test('a plan without groups has no tree', () => {
  expect(progressTree(part('p', { children: [part('a'), part('b')] }), NO_PAINT)).toEqual([]);
});
