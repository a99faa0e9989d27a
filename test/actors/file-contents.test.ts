import { chmodSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync, type BigIntStats } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { contentsOf, type ReadFiles } from '../../actors/file-contents.ts';
import { tempFolder } from '../support/temp.ts';

let folder = '';
beforeEach(() => {
  folder = tempFolder();
});

function write(path: string, text = path): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

const count = async (...patterns: string[]) => (await contentsOf(folder, patterns))?.split(' ')[0];

describe('contentsOf', () => {
  test('is equal for equal contents, whatever the times, and for no others', async () => {
    write('a.txt', 'one');
    const before = await contentsOf(folder, ['*.txt']);
    utimesSync(join(folder, 'a.txt'), 1, 1);
    expect(await contentsOf(folder, ['*.txt'])).toBe(before);
    write('a.txt', 'two');
    expect(await contentsOf(folder, ['*.txt'])).not.toBe(before);
    write('a.txt', 'one');
    expect(await contentsOf(folder, ['*.txt'])).toBe(before);
    write('b.txt', '');
    expect(await contentsOf(folder, ['*.txt'])).not.toBe(before);
  });

  test('tells apart what is in one file from what is in two, and a file from one of another name', async () => {
    write('a', 'xy');
    write('b', 'z');
    const before = await contentsOf(folder, ['a', 'b']);
    write('a', 'x');
    write('b', 'yz');
    expect(await contentsOf(folder, ['a', 'b'])).not.toBe(before);
    rmSync(join(folder, 'b'));
    write('c', 'z');
    write('a', 'xy');
    expect(await contentsOf(folder, ['a', 'c'])).not.toBe(before);
  });

  test('meets names with *, ? and **, whole folders, and takes away what ! names', async () => {
    for (const path of ['src/a.ts', 'src/b.ts', 'src/deep/er/c.ts', 'src/a.md', 'README']) write(path);
    expect(await count('src/*.ts')).toBe('2');
    expect(await count('src/**/*.ts')).toBe('3');
    expect(await count('**/*.ts')).toBe('3');
    expect(await count('src/?.md')).toBe('1');
    expect(await count('src')).toBe('4');
    expect(await count('src/**')).toBe('4');
    expect(await count('src', 'src/*.ts')).toBe('4');
    expect(await count('src', '!src/**/*.ts')).toBe('1');
    expect(await count(join(folder, 'src/*.md'))).toBe('1');
    expect(await count()).toBe('0');
  });

  test('leaves out node_modules and what begins with a dot, unless they are named', async () => {
    for (const path of ['a.js', 'node_modules/x/a.js', '.git/a.js', '.hidden.js']) write(path);
    expect(await count('**/*.js')).toBe('1');
    expect(await count('node_modules/**/*.js')).toBe('1');
    expect(await count('.git')).toBe('1');
    expect(await count('.*.js')).toBe('1');
  });

  test('says nothing when a pattern names no file, or a file cannot be read', async () => {
    write('a.js');
    expect(await contentsOf(folder, ['*.js', '*.ts'])).toBeUndefined();
    expect(await contentsOf(folder, ['gone'])).toBeUndefined();
    symlinkSync(join(folder, 'nowhere'), join(folder, 'dangling'));
    expect(await contentsOf(folder, ['dangling'])).toBeUndefined();
    chmodSync(join(folder, 'a.js'), 0o000);
    // Who is root reads everything.
    if (process.getuid?.() !== 0) expect(await contentsOf(folder, ['a.js'])).toBeUndefined();
  });

  test('descends into links to folders, and ends where they lead in a circle', async () => {
    for (const path of ['real/b.txt', 'src/a.txt', 'other/c.txt']) write(path);
    symlinkSync('../real', join(folder, 'src/link'));
    const before = await contentsOf(folder, ['src/**']);
    expect(before?.split(' ')[0]).toBe('2');
    expect([await count('src'), await count('src/**/*.txt'), await count('src', '!src/**/b.txt')]).toEqual([
      '2',
      '2',
      '1',
    ]);
    write('real/b.txt', 'changed');
    expect(await contentsOf(folder, ['src/**'])).not.toBe(before);
    write('real/b.txt');
    symlinkSync('..', join(folder, 'src/up'));
    symlinkSync('.', join(folder, 'src/self'));
    symlinkSync('../other', join(folder, 'real/there'));
    symlinkSync('../src', join(folder, 'other/back'));
    expect(await contentsOf(folder, ['src/**'])).toBeDefined();
    const circles = await contentsOf(folder, ['src/**']);
    write('other/c.txt', 'changed');
    expect(await contentsOf(folder, ['src/**'])).not.toBe(circles);
  });

  test('says nothing where links lead to more links than anybody follows', async () => {
    const names = Array.from({ length: 9 }, (_, n) => `d${n}`);
    for (const name of names) mkdirSync(join(folder, name));
    for (const name of names)
      for (const other of names) if (other !== name) symlinkSync(`../${other}`, join(folder, name, other));
    write('d0/a');
    expect(await contentsOf(folder, ['**'])).toBeUndefined();
  });

  test('a file that was read at this moment is not read again, unless it is another meanwhile', async () => {
    write('a', 'one');
    const known: ReadFiles = new Map();
    const first = await contentsOf(folder, ['a'], known);
    const [path, { stats }] = [...known][0] as [string, { stats: BigIntStats }];
    known.set(path, { stats, digest: 'kept' });
    const kept = await contentsOf(folder, ['a'], known);
    expect(kept).not.toBe(first);
    expect(await contentsOf(folder, ['./a', 'a'], known)).toBe(kept);
    write('a', 'three');
    expect([kept, first]).not.toContain(await contentsOf(folder, ['a'], known));
    write('a', 'one');
    expect(await contentsOf(folder, ['a'], known)).toBe(first);
  });

  test('lets the loop go on while it reads what is large', async () => {
    writeFileSync(join(folder, 'large'), Buffer.alloc(64 * 1024 * 1024));
    let rounds = 0;
    let isRead = false;
    const turn = () => {
      rounds += 1;
      if (!isRead) setImmediate(turn);
    };
    setImmediate(turn);
    expect(await contentsOf(folder, ['large'])).toBeDefined();
    isRead = true;
    expect(rounds).toBeGreaterThan(2);
  });
});
