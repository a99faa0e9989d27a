/** What is published is not what the other tests import: a bundler made it of the same sources. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import * as perdure from '../index.ts';
import * as inspector from '../inspector/index.ts';
import * as machines from '../machines/index.ts';
import * as testing from '../testing.ts';
import { bundle } from './support/bundle.ts';

let folder: string;
beforeAll(() => {
  folder = bundle();
}, 60_000);

/** What a program of a fresh process prints; `$` stands for the folder of the package. */
function run(program: string, ...options: string[]): string {
  const text = program.replaceAll('$', pathToFileURL(folder).href);
  return execFileSync(process.execPath, [...options, '--input-type=module', '-e', text], { encoding: 'utf8' });
}

/** The packages that are imported with a door, before anything is called. */
function packagesOf(door: string): string[] {
  const files = new Set([join(folder, door)]);
  const packages = new Set<string>();
  for (const file of files) {
    for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(/^(?:import|export) .*?"([^"]+)";$/gm)) {
      if (name.startsWith('.')) files.add(join(dirname(file), name));
      else if (!name.startsWith('node:')) packages.add(name);
    }
  }
  return [...packages].toSorted();
}

test('each door imports the packages that it needs at once, and no others', () => {
  expect(packagesOf('index.js')).toEqual(['better-sqlite3', 'croner', 'uuid', 'xstate']);
  expect(packagesOf('machines/index.js')).toEqual(['xstate']);
  expect(packagesOf('inspector/index.js')).toEqual(['better-sqlite3', 'croner', 'uuid', 'ws', 'xstate']);
  expect(packagesOf('testing.js')).toEqual(['better-sqlite3', 'xstate']);
  expect(packagesOf('bin/perdure.js')).toEqual([
    'better-sqlite3',
    'commander',
    'croner',
    'uuid',
    'valibot',
    'xstate',
    'yaml',
  ]);
});

test('the doors export what their sources do', () => {
  const namesOf = (door: string) =>
    JSON.parse(run(`console.log(JSON.stringify(Object.keys(await import('$/${door}'))))`)) as string[];
  expect(namesOf('index.js').toSorted()).toEqual(Object.keys(perdure).toSorted());
  expect(namesOf('machines/index.js').toSorted()).toEqual(Object.keys(machines).toSorted());
  expect(namesOf('inspector/index.js').toSorted()).toEqual(Object.keys(inspector).toSorted());
  expect(namesOf('testing.js').toSorted()).toEqual(Object.keys(testing).toSorted());
});

test('two doors share their classes', () => {
  const program = `
    import { PerdureError } from '$/index.js';
    import { checkDurable } from '$/testing.js';
    const error = await checkDurable({}, { signal: AbortSignal.abort() }).catch((error) => error);
    console.log(error instanceof PerdureError, error.code);`;
  expect(run(program)).toBe('true ABORTED\n');
});

describe('the stack of an error', () => {
  const FAILURE = `import { Store } from '$/index.js'; try { Store.open('/no/such.db'); } catch (error) { console.log(error.stack); }`;

  test('names functions as the sources do', () => {
    expect(run(FAILURE)).toMatch(
      /^PerdureError: .*at sqliteError .*at acquireLock .*at new StoreFile .*at Store\.open /s,
    );
  });

  test('names the lines of the sources to whoever asks Node for them', () => {
    const [, line] =
      /persistence\/lock\.ts:(\d+):\d+\)\n.*new StoreFile/.exec(run(FAILURE, '--enable-source-maps')) ?? [];
    expect(readFileSync('persistence/lock.ts', 'utf8').split('\n')[Number(line) - 1]).toContain('openLockFile(');
  });
});

test('functions that share a name in one file keep it', () => {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.js'));
  const renamed = files.flatMap((file) => {
    const code = readFileSync(join(folder, file), 'utf8');
    const functions = [...code.matchAll(/^(?:async )?function\*? ((\w+)\$\d+)\(/gm)];
    return functions.map(([, now, name]) => ({ now, isKept: code.includes(`__name(${now}, "${name}")`) }));
  });
  expect(renamed.length).toBeGreaterThan(0);
  expect(renamed.filter(({ isKept }) => !isKept)).toEqual([]);
});

test('what is packed is what runs, with the page of the inspector, and nothing else', () => {
  const text = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { encoding: 'utf8' });
  const [packed] = JSON.parse(text) as [{ readonly files: readonly { readonly path: string }[] }];
  const paths = packed.files.map(({ path }) => path);
  const expected =
    /^(?:LICENSE|README\.md|package\.json|dist\/(?:third-party-licences\.md|inspector\/page\/(?:index\.html|assets\/[\w.-]+\.(?:js|css|svg|txt))|(?!inspector\/page\/)[\w/.-]+\.(?:js|mjs|d\.m?ts|js\.map)))$/;
  expect(paths.filter((path) => !expected.test(path))).toEqual([]);
  expect(paths).toEqual(
    expect.arrayContaining(['dist/index.js', 'dist/inspector/index.js', 'dist/inspector/index.d.ts']),
  );
  expect(paths).toContain('dist/inspector/page/index.html');
});

test('the licences of what is copied into the package are in it', () => {
  const text = readFileSync('dist/third-party-licences.md', 'utf8');
  for (const name of ['elkjs', 'preact', '@preact/signals', 'uplot']) expect(text).toContain(`# ${name} `);
  expect(text).toMatch(/Eclipse Public License/);
});

test('the page asks for nothing that its policy forbids', () => {
  const page = 'dist/inspector/page';
  const html = readFileSync(join(page, 'index.html'), 'utf8');
  expect(html).not.toMatch(/<script(?![^>]*\ssrc="\.\/)/);
  expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|https?:\/\//);
  const sources = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source = '']) => source);
  expect(sources.length).toBeGreaterThan(0);
  for (const source of sources) expect(readFileSync(join(page, source)).length).toBeGreaterThan(0);
});
