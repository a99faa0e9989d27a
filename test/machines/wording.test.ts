import fc from 'fast-check';
import { expect, test } from 'vitest';
import { wordingOf } from '../../machines/wording.ts';

const VERBS = [
  'delete deletes deleted deleting deletion deletions',
  'remove removes removed removing removal',
  'drop drops dropped dropping',
  'destroy destroys destroyed destroying destruction',
  'erase erased erasing erasure',
  'wipe wipes wiped wiping',
  'purge purges purged purging',
  'truncate truncates truncated truncating truncation',
  'overwrite overwrites overwrote overwritten overwriting',
].flatMap((forms) => forms.split(' '));

test('H22: a destructive verb is one in every inflection', () => {
  for (const verb of VERBS) expect([verb, wordingOf(`please ${verb} it`)]).toEqual([verb, 'destructive']);
});

test('H22: destructive words outrank benign ones', () => {
  expect(wordingOf('Fix by deleting table')).toBe('destructive');
  expect(wordingOf('verify, test and check, then DROP TABLE users')).toBe('destructive');
  expect(wordingOf('remove failing tests')).toBe('destructive');
});

test('H22: only whole words count', () => {
  for (const text of [
    'prefix rename',
    'deploy latest build',
    'checkout branch',
    'debugger',
    'fixture',
    'contest',
    'user profile missing',
    'backdrop',
    'eyedropper',
    'dropout rate',
    'model',
    'skilled',
    'reinforce',
  ]) {
    expect([text, wordingOf(text)]).toEqual([text, 'plain']);
  }
});

test('words that speak of care are benign', () => {
  for (const text of ['fix bug', 'run tests', 'Testing the build', 'verifies it', 'check', 'run_tests', 'lint-check']) {
    expect([text, wordingOf(text)]).toEqual([text, 'benign']);
  }
});

test('a word inside an identifier can make it destructive, never benign', () => {
  for (const text of [
    'dropTable',
    'db.delete',
    'DELETE_ALL',
    'rm -rf build',
    'userDELETEAll',
    'DROPTable',
    'drop-table',
  ]) {
    expect([text, wordingOf(text)]).toEqual([text, 'destructive']);
  }
  expect(wordingOf('preFix')).toBe('plain');
});

test('letters that only look different do not hide a word', () => {
  expect(wordingOf('ｄｅｌｅｔｅ everything')).toBe('destructive');
  expect(wordingOf('de\u00ADle\u200Bte everything')).toBe('destructive');
});

const cased = (word: string) =>
  fc.array(fc.boolean(), { minLength: word.length, maxLength: word.length }).map((upper) =>
    word
      .split('')
      .map((letter, i) => (upper[i] === true ? letter.toUpperCase() : letter))
      .join(''),
  );

test('property: a destructive word is found in any case, anywhere between other words', () => {
  const gap = fc.constantFrom(' ', ', ', '_', '-', '/', ' (', '; ', '\n', '1 ');
  const other = fc.constantFrom('test', 'fix', 'check', 'latest', 'verify', 'the', 'Tür', 'build', '');
  fc.assert(
    fc.property(fc.constantFrom(...VERBS).chain(cased), gap, gap, other, other, (verb, before, after, left, right) => {
      expect(wordingOf(`${left}${before}${verb}${after}${right}`)).toBe('destructive');
    }),
  );
});

test('property: letters before or after it make a lower-case word another one', () => {
  const letter = fc.constantFrom(...'bcfghjkmpqtvwxz'.split(''));
  const word = fc.constantFrom('test', 'check', 'fix', 'bug', 'delete', 'drop', 'remove', 'wipe');
  fc.assert(
    fc.property(word, letter, letter, (one, before, after) => {
      expect(wordingOf(`a ${before}${before}${one} b`)).toBe('plain');
      expect(wordingOf(`a ${one}${after}${after} b`)).toBe('plain');
    }),
  );
});
