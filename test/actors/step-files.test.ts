import { Buffer } from 'node:buffer';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { actionFolder, actionWord, generationFolder, lastGeneration, outputFileOf } from '../../actors/step-files.ts';
import { tempFolder } from '../support/temp.ts';

test('the files of a step lie in a folder of its run', () => {
  expect(outputFileOf(actionFolder('work.db.files', 'nightly:1/lint'), 2)).toBe(
    'work.db.files/nightly:1/lint/attempt-2/output.log',
  );
});

test.each(['..', '.', '', '../../etc', 'n:1/..', 'a/../../b', '/etc', '\\..\\x', 'n:1/%2E%2E'])(
  'no id leads out of the folder: %j',
  (id) => {
    const folder = resolve('files');
    expect(resolve(actionFolder(folder, id)).startsWith(`${folder}/`)).toBe(true);
  },
);

test('ids that differ have folders that differ', () => {
  const long = 'ü'.repeat(300);
  const nameOf = (id: string) => actionFolder('f', id).slice(2);
  const ids = [
    'a/b',
    'a%2Fb',
    'a',
    '.',
    '..',
    '%2E',
    '',
    '%',
    'a b',
    'a+b',
    'x#2',
    'x%232',
    'é',
    'e\u0301',
    long,
    `${long}b`,
    nameOf(long),
  ];
  expect(new Set(ids.map((id) => actionFolder('f', id))).size).toBe(ids.length);
});

test('a name keeps its letters and digits in any script, and is never longer than file systems allow', () => {
  expect(actionFolder('f', `${'夜間集計'.repeat(7)}:1/lint`)).toBe(`f/${'夜間集計'.repeat(7)}:1/lint`);
  expect(actionFolder('f', 'Größe №7 ٣:1')).toBe('f/Größe%20%E2%84%967%20٣:1');
  const longest = ['夜', '🦉', ' ', 'a\u0301', '\ud800'].map((character) => `${character.repeat(100)}:1`);
  const names = longest.map((id) => actionFolder('f', id).slice(2));
  expect(Math.max(...names.map((name) => Buffer.byteLength(name)))).toBeLessThanOrEqual(200);
  expect(names.filter((name) => name.includes('\ufffd'))).toEqual([]);
});

test('the word for an id is ASCII and differs where ids differ', () => {
  expect(actionWord('nightly:1/lint#2')).toBe('nightly:1/lint%232');
  expect(actionWord('夜 %:1/a')).toBe('%E5%A4%9C%20%25:1/a');
});

test('what an attempt printed is that of the last generation in which it was made, by the time that it is asked for', () => {
  const folder = tempFolder();
  for (const [generation, attempt] of [
    [1, 1],
    [1, 2],
    [50, 1],
    [700, 1],
  ] as const)
    mkdirSync(join(generationFolder(folder, generation), `attempt-${attempt}`), { recursive: true });
  expect(lastGeneration(folder, 1, Infinity)).toBe(join(folder, '@700'));
  expect(lastGeneration(folder, 1, 699)).toBe(join(folder, '@50'));
  expect(lastGeneration(folder, 2, Infinity)).toBe(folder);
  expect(lastGeneration(folder, 1, 49)).toBe(folder);
  expect(lastGeneration(join(folder, 'none'), 1, Infinity)).toBe(join(folder, 'none'));
});
