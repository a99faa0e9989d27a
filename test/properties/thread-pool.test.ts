/** Whatever actions do to their threads, and whenever they are cancelled: each is settled once, and the pool goes on. */
import fc from 'fast-check';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inThread, withThreads } from '../support/threaded.ts';
import { quickStore, tempFolder } from '../support/temp.ts';

const KINDS = ['double', 'rest', 'exit', 'unhandled', 'uncaught', 'polite', 'loop', 'mortal'] as const;

/** What is submitted, after how long it is cancelled, and how many threads there are from then on. */
const work = fc.record({
  kind: fc.constantFrom(...KINDS),
  cancelAfterMs: fc.option(fc.nat(30), { nil: undefined }),
  threads: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
});

test('property: among deaths, cancels and resizes every action is settled once, no attempt begins twice, and the pool works on', async () => {
  const retry = { attempts: 2, delayMs: 1, capMs: 2 };
  const limits = { timeoutMs: 300, killAfterMs: 10 };
  const actions = {
    double: inThread<unknown>('double'),
    rest: inThread<unknown>('rest', limits),
    exit: inThread<unknown>('exit', { retry }),
    unhandled: inThread<unknown>('unhandled'),
    uncaught: inThread<unknown>('uncaught', { ...limits, retry }),
    polite: inThread<unknown>('polite', { ...limits, retry }),
    loop: inThread<unknown>('loop', { ...limits, retry }),
    mortal: inThread<unknown>('mortal', { retry }),
  };
  await using supervisor = await withThreads(actions, {
    store: quickStore(),
    durability: 'process-crash',
    threads: { intensity: false },
  });
  const settled: string[] = [];
  supervisor.on('action.settled', ({ id }) => settled.push(id));
  const notes = join(tempFolder(), 'notes');
  writeFileSync(notes, '');
  await fc.assert(
    fc.asyncProperty(fc.array(work, { minLength: 1, maxLength: 12 }), async (list) => {
      settled.length = 0;
      const input = { n: 3, ms: 5, code: 1, notes, times: 1 };
      const handles = await Promise.all(list.map(({ kind }) => supervisor.submit(kind, input)));
      for (const [i, { cancelAfterMs, threads }] of list.entries()) {
        if (threads !== undefined) await supervisor.configure({ threads });
        if (cancelAfterMs === undefined) continue;
        await new Promise((resolve) => setTimeout(resolve, cancelAfterMs));
        await handles[i]!.cancel();
      }
      const outcomes = await Promise.all(handles.map(({ outcome }) => outcome));
      expect([...settled].sort()).toEqual(handles.map(({ id }) => id).sort());
      for (const [i, { kind, value, error }] of outcomes.entries()) {
        const wanted = list[i]!.kind;
        if (kind === 'cancelled') continue;
        if (wanted === 'double') expect(value).toBe(6);
        if (wanted === 'mortal') expect([kind, value]).toEqual(['recovered', 2]);
        if (wanted === 'exit') expect(error?.code).toBe('THREAD_EXITED');
        if (wanted === 'loop') expect(error?.code).toBe('ATTEMPT_TIMED_OUT');
      }
      expect(supervisor.stats().background).toMatchObject({ busy: 0, queued: 0 });
      expect((await supervisor.execute('double', input)).value).toBe(6);
    }),
    { numRuns: 12 },
  );
  const began = readFileSync(notes, 'utf8')
    .split('\n')
    .filter((line) => / \d$/.test(line));
  expect(new Set(began).size).toBe(began.length);
}, 60_000);
