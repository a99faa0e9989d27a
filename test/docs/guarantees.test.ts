/** docs/guarantees.md cannot drift: what it cites exists, and no numbered invariant of the engine is left out. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

// A citation may be broken over lines.
const text = readFileSync('docs/guarantees.md', 'utf8').replace(/\s+/g, ' ');

const CITED_TESTS = /`([\w/-]+\.test\.ts)` ›((?:,? “[^”]+”)+)/g;
const CITED_INVARIANTS = /`([\w-]+\.ts)` ([A-Z]\d+(?:, [A-Z]\d+)*)/g;
/** The first argument of a call whose next one is a function or options; its quotes, and the text between them. */
const NAMED_CALL = /\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1,\s*(?:async\s*)?[({]/gs;

/** The names of the tests and groups of a file; what only a run knows of them is `…`. */
function namesIn(file: string): string[] {
  const calls = readFileSync(file, 'utf8').matchAll(NAMED_CALL);
  return [...calls].map(([, , name]) => (name as string).replace(/\$\{[^}]*\}/g, '…').replace(/\\(.)/g, '$1'));
}

const tests = [...text.matchAll(CITED_TESTS)].flatMap(([, file, names]) =>
  [...(names as string).matchAll(/“([^”]+)”/g)].map(([, name]) => ({ file: file as string, name: name as string })),
);
const citedInvariants = new Set(
  [...text.matchAll(CITED_INVARIANTS)].flatMap(([, file, numbers]) =>
    (numbers as string).split(', ').map((number) => `${file} ${number}`),
  ),
);
const invariants = readdirSync('persistence')
  .filter((file) => file.endsWith('.ts'))
  .flatMap((file) => {
    const source = readFileSync(join('persistence', file), 'utf8');
    return [...source.matchAll(/^ \* ([A-Z]\d+) {2}/gm)].map(([, number]) => `${file} ${number}`);
  });

describe('docs/guarantees.md', () => {
  test('cites tests that exist', () => {
    const missing = tests.filter(({ file, name }) => {
      const path = join('test', file);
      return !existsSync(path) || !namesIn(path).some((whole) => whole.startsWith(name));
    });
    expect(missing.map(({ file, name }) => `${file} › ${name}`)).toEqual([]);
  });

  test('cites every test in a form that this test reads', () => {
    expect(tests).toHaveLength([...text.matchAll(/“/g)].length);
    expect([...text.matchAll(/›/g)]).toHaveLength([...text.matchAll(CITED_TESTS)].length);
  });

  test('cites every invariant at the head of a file of persistence/', () => {
    expect(invariants.length).toBeGreaterThan(0);
    expect(invariants.filter((invariant) => !citedInvariants.has(invariant))).toEqual([]);
  });

  test('cites no invariant that is not there', () => {
    expect([...citedInvariants].filter((cited) => !invariants.includes(cited))).toEqual([]);
  });
});
