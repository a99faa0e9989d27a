import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  forkCommand,
  forkInputs,
  forkTarget,
  inputText,
  quoted,
  readInput,
  targetProblem,
} from '../../../inspector/page/views/checkpoints/fork-edits.ts';
import type { PastWorkItem } from '../../../inspector/views/past-work.ts';
import { execFileSync } from 'node:child_process';

function item(id: string, input: unknown, more: Partial<PastWorkItem> = {}): PastWorkItem {
  return {
    id,
    kind: 'action',
    name: 'mail',
    plan: null,
    state: 'waiting',
    input,
    isRedacted: false,
    keeps: null,
    ...more,
  };
}

/** Numbers that JSON has: -0 is 0 in it. */
const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown);

describe('an input that is edited', () => {
  test('property: as it was it is the same, in whatever order its keys are', () => {
    fc.assert(
      fc.property(json, (input) => {
        expect(readInput({ input }, inputText(input))).toEqual({ state: 'same' });
        const turned = (value: unknown): unknown =>
          typeof value !== 'object' || value === null
            ? value
            : Array.isArray(value)
              ? value.map(turned)
              : Object.fromEntries(
                  Object.entries(value)
                    .reverse()
                    .map(([key, child]) => [key, turned(child)]),
                );
        expect(readInput({ input }, JSON.stringify(turned(input)))).toEqual({ state: 'same' });
      }),
    );
  });

  test('property: another one is read as what it is', () => {
    fc.assert(
      fc.property(json, json, (before, after) => {
        fc.pre(JSON.stringify(before) !== JSON.stringify(after) && !JSON.stringify(after).includes('[redacted]'));
        const read = readInput({ input: before }, inputText(after));
        if (read.state === 'same') expect(after).toEqual(before);
        else expect(read).toEqual({ state: 'changed', value: after });
      }),
    );
  });

  test('that is no JSON is told with the place', () => {
    const read = readInput({ input: {} }, '{\n  "to": "a",\n  "n": oops\n}');
    expect(read).toMatchObject({ state: 'invalid', line: 3, column: 8 });
    expect(readInput({ input: {} }, '{ "to": ')).toMatchObject({ state: 'invalid', line: 1 });
    expect(readInput({ input: {} }, '  ')).toMatchObject({ state: 'invalid', line: 1, column: 1 });
  });

  test('that still hides a secret is refused, and says where', () => {
    const input = { card: { token: '[redacted]', brand: 'visa' } };
    const read = readInput({ input }, inputText({ card: { token: '[redacted]', brand: 'other' } }));
    expect(read).toMatchObject({ state: 'invalid', line: 3 });
    expect(read).toMatchObject({ message: expect.stringContaining('card.token is a secret') as string });
    expect(readInput({ input }, inputText(input))).toEqual({ state: 'same' });
    expect(readInput({ input }, inputText({ card: { token: 'tok', brand: 'visa' } })).state).toBe('changed');
  });

  test('only what changed is given to the fork, and never what keeps its input', () => {
    const items = [item('a', 1), item('b', { x: 1 }), item('c', 3), item('d', 4, { keeps: 'it is running' })];
    const texts = new Map([
      ['a', '1'],
      ['b', '{"x":2}'],
      ['c', '{'],
      ['d', '5'],
    ]);
    expect(forkInputs(items, texts)).toEqual({ input: { b: { x: 2 } }, changed: ['b'], invalid: ['c'] });
  });

  test('an id such as __proto__ is an id', () => {
    const { input } = forkInputs([item('__proto__', 1)], new Map([['__proto__', '2']]));
    expect(Object.entries(input)).toEqual([['__proto__', 2]]);
  });
});

describe('the file of a fork', () => {
  test.each([
    ['/var/app/store.db', 12, null, '/var/app/store-turn-12.db'],
    ['/var/app/store.db', 12, 'Before the Move!', '/var/app/store-before-the-move.db'],
    ['store', 3, '…', 'store-turn-3.db'],
    ['C:\\data\\my.store.sqlite', 3, null, 'C:\\data\\my.store-turn-3.sqlite'],
    ['/a.b/.db', 1, null, '/a.b/store-turn-1.db'],
  ])('of %s at %d is beside it', (store, turn, label, target) => expect(forkTarget(store, turn, label)).toBe(target));

  test('is another one than the store, and no folder', () => {
    expect(targetProblem('/a/store.db', '/a/store.db')).toMatch(/itself/);
    expect(targetProblem('/a/./store.db ', '/a//store.db')).toMatch(/itself/);
    expect(targetProblem(' ', '/a/store.db')).toMatch(/which file/);
    expect(targetProblem('/a/', '/a/store.db')).toMatch(/folder/);
    expect(targetProblem('/a/other.db', '/a/store.db')).toBeUndefined();
  });
});

describe('the command line of it', () => {
  test('names the turn, the file and the inputs', () => {
    expect(forkCommand(7, 'b.db', { 'mail:1': { to: "o'neil" } })).toBe(
      `perdure fork 7 --to b.db --input 'mail:1={"to":"o'\\''neil"}'`,
    );
  });

  test('a shell reads every word as it was', () => {
    const words = ["o'neil", '$(id)', 'a b', '`x`', '"', '\\', '!', '*', 'é', 'plain.db', "'"];
    for (const word of words) {
      const said = execFileSync('sh', ['-c', `printf %s ${quoted(word)}`], { encoding: 'utf8' });
      expect(said).toBe(word);
    }
  });
});
