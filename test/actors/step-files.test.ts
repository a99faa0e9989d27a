import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { actionFolder, outputFileOf } from '../../actors/step-files.ts';

test('the files of a step lie in a folder of its run', () => {
  expect(outputFileOf('work.db.files', 'nightly:1/lint', 2)).toBe('work.db.files/nightly:1/lint/attempt-2/output.log');
});

test.each(['..', '.', '', '../../etc', 'n:1/..', 'a/../../b', '/etc', '\\..\\x', 'n:1/%2E%2E'])(
  'no id leads out of the folder: %j',
  (id) => {
    const folder = resolve('files');
    expect(resolve(actionFolder(folder, id)).startsWith(`${folder}/`)).toBe(true);
  },
);

test('ids that differ have folders that differ', () => {
  const ids = ['a/b', 'a%2Fb', 'a', '.', '..', '%2E', '', '%', 'a b', 'a+b', 'x#2', 'x%232'];
  expect(new Set(ids.map((id) => actionFolder('f', id))).size).toBe(ids.length);
});
