import { expect, test } from 'vitest';
import type { ActionContext } from '../../actors/action-context.ts';
import { WorkGate } from '../../bin/work-gate.ts';

function contextOf(signal: AbortSignal): ActionContext {
  return {
    id: 'x',
    key: 'store/tree/1/x',
    attempt: 1,
    signal,
    results: {},
    fix: null,
    fallback: null,
    progress: () => {},
    willUndo: () => Promise.resolve(),
  };
}

test('nothing begins before the gate opens', async () => {
  const gate = new WorkGate();
  const log: string[] = [];
  const { run } = gate.guard({ run: (word: string) => log.push(word) });
  const pending = run('a', contextOf(new AbortController().signal));
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(log).toEqual([]);
  gate.open();
  await pending;
  expect(log).toEqual(['a']);
});

test('what is aborted at the gate never begins, and what an earlier life left of it is ended', async () => {
  const gate = new WorkGate();
  const log: string[] = [];
  const { run } = gate.guard({
    run: (word: string) => log.push(word),
    cleanUp: async (id) => void log.push(`cleaned ${id}`),
  });
  const abort = new AbortController();
  const pending = run('a', contextOf(abort.signal));
  abort.abort(new Error('cancelled'));
  await expect(pending).rejects.toThrow('cancelled');
  gate.open();
  expect(log).toEqual(['cleaned x']);
});

test('the work of a thread is not prepared before the gate opens', async () => {
  const gate = new WorkGate();
  const log: string[] = [];
  const thread = { module: './work.mjs' };
  const { prepare } = gate.guardThread({ thread, prepare: (word: string) => void log.push(word) });
  const pending = prepare?.('a', contextOf(new AbortController().signal));
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(log).toEqual([]);
  gate.open();
  await pending;
  expect(log).toEqual(['a']);
});
