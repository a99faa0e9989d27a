import fc from 'fast-check';
import { expect, test } from 'vitest';
import { actionKey, generationOf, keyScope, standInKey, undoStepKey, workKey } from '../../actors/action-key.ts';
import { fallbackNamed } from '../../actors/step-files.ts';

const effect = (tree: string, generation: number) => ({ key: `store/${tree}/${generation}/17`, attempt: 1 });
const generation = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const text = fc.string({ unit: 'grapheme', maxLength: 12 });

test('a key is one word of ASCII that tells its generation, whatever tree and action are called', () => {
  fc.assert(
    fc.property(text, generation, text, (tree, number, id) => {
      const key = actionKey(effect(tree, number), id);
      expect(key).toMatch(/^[\x21-\x7E]+$/);
      for (const each of [key, standInKey(key, 'undo'), undoStepKey(standInKey(key, 'undo'), id, 3, 1)]) {
        expect(workKey(each)).toBe(key);
        expect(generationOf({ id, key: each })).toBe(number);
        expect(key.startsWith(keyScope({ id, key: each }))).toBe(true);
      }
    }),
  );
});

test('what an action does, what stands in for it and what undoes it have keys of their own', () => {
  fc.assert(
    fc.property(fc.uniqueArray(text, { minLength: 2, maxLength: 4 }), generation, (ids, number) => {
      const keys = ids.flatMap((id) => {
        const key = actionKey(effect('tree', number), id);
        const undo = standInKey(key, 'undo');
        const steps = ids.map((name) => undoStepKey(undo, name, 3, 1));
        return [key, undo, ...steps, ...ids.map((name) => standInKey(key, fallbackNamed(name)))];
      });
      expect(new Set(keys).size).toBe(keys.length);
    }),
  );
});

test('in a tree that is not durable the key is the id', () => {
  expect(actionKey(undefined, 'nightly:1/lint')).toBe('nightly:1/lint');
  expect(generationOf({ id: 'nightly:1/lint', key: 'nightly:1/lint' })).toBe(1);
  expect(keyScope({ id: 'nightly:1/lint', key: 'nightly:1/lint' })).toBe('');
});
