import { chmodSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { contentsOf } from '../../actors/file-contents.ts';
import { tempFolder } from '../support/temp.ts';

let folder = '';
beforeEach(() => {
  folder = tempFolder();
});

function write(path: string, text = path): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

const count = (...patterns: string[]) => contentsOf(folder, patterns)?.split(' ')[0];

describe('contentsOf', () => {
  test('is equal for equal contents, whatever the times, and for no others', () => {
    write('a.txt', 'one');
    const before = contentsOf(folder, ['*.txt']);
    utimesSync(join(folder, 'a.txt'), 1, 1);
    expect(contentsOf(folder, ['*.txt'])).toBe(before);
    write('a.txt', 'two');
    expect(contentsOf(folder, ['*.txt'])).not.toBe(before);
    write('a.txt', 'one');
    expect(contentsOf(folder, ['*.txt'])).toBe(before);
    write('b.txt', '');
    expect(contentsOf(folder, ['*.txt'])).not.toBe(before);
  });

  test('tells apart what is in one file from what is in two, and a file from one of another name', () => {
    write('a', 'xy');
    write('b', 'z');
    const before = contentsOf(folder, ['a', 'b']);
    write('a', 'x');
    write('b', 'yz');
    expect(contentsOf(folder, ['a', 'b'])).not.toBe(before);
    rmSync(join(folder, 'b'));
    write('c', 'z');
    write('a', 'xy');
    expect(contentsOf(folder, ['a', 'c'])).not.toBe(before);
  });

  test('meets names with *, ? and **, whole folders, and takes away what ! names', () => {
    for (const path of ['src/a.ts', 'src/b.ts', 'src/deep/er/c.ts', 'src/a.md', 'README']) write(path);
    expect(count('src/*.ts')).toBe('2');
    expect(count('src/**/*.ts')).toBe('3');
    expect(count('**/*.ts')).toBe('3');
    expect(count('src/?.md')).toBe('1');
    expect(count('src')).toBe('4');
    expect(count('src/**')).toBe('4');
    expect(count('src', 'src/*.ts')).toBe('4');
    expect(count('src', '!src/**/*.ts')).toBe('1');
    expect(count(join(folder, 'src/*.md'))).toBe('1');
    expect(count()).toBe('0');
  });

  test('leaves out node_modules and what begins with a dot, unless they are named', () => {
    for (const path of ['a.js', 'node_modules/x/a.js', '.git/a.js', '.hidden.js']) write(path);
    expect(count('**/*.js')).toBe('1');
    expect(count('node_modules/**/*.js')).toBe('1');
    expect(count('.git')).toBe('1');
    expect(count('.*.js')).toBe('1');
  });

  test('says nothing when a pattern names no file, or a file cannot be read', () => {
    write('a.js');
    expect(contentsOf(folder, ['*.js', '*.ts'])).toBeUndefined();
    expect(contentsOf(folder, ['gone'])).toBeUndefined();
    symlinkSync(join(folder, 'nowhere'), join(folder, 'dangling'));
    expect(contentsOf(folder, ['dangling'])).toBeUndefined();
    chmodSync(join(folder, 'a.js'), 0o000);
    // Who is root reads everything.
    if (process.getuid?.() !== 0) expect(contentsOf(folder, ['a.js'])).toBeUndefined();
  });
});
