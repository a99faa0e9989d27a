import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const PAGE = join(import.meta.dirname, '../../../inspector/page');
const VIEWS = readdirSync(join(PAGE, 'views'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

function textOf(folder: string, ending: RegExp): string {
  return readdirSync(join(PAGE, folder), { encoding: 'utf8' })
    .filter((name) => ending.test(name))
    .map((name) => readFileSync(join(PAGE, folder, name), 'utf8'))
    .join('\n');
}

function classesIn(selector: string): string[] {
  return [...selector.matchAll(/\.([a-z][\w-]*)/gi)].map(([, name]) => name!);
}

interface Selectors {
  /** The classes of what a selector begins with, such as `.box.work`: any element of the page that has all of them is meant. */
  readonly leading: ReadonlySet<string>;
  readonly all: ReadonlySet<string>;
}

function selectorsOf(css: string): Selectors {
  const leading = new Set<string>();
  const all = new Set<string>();
  const blocks: boolean[] = [];
  for (const [, text, mark] of css.replace(/\/\*.*?\*\//gs, '').matchAll(/([^{};]*)([{};])/g)) {
    if (mark === '}') blocks.pop();
    if (mark !== '{') continue;
    const isRule = !text!.trim().startsWith('@');
    if (isRule) {
      for (const selector of text!.split(',')) {
        for (const name of classesIn(selector)) all.add(name);
        const [first = ''] = selector.trim().split(/[\s>+~]/);
        if (!blocks.includes(true) && classesIn(first).length > 0) leading.add(classesIn(first).join('.'));
      }
    }
    blocks.push(isRule);
  }
  return { leading, all };
}

/** Words that are given as a class. */
function givenIn(code: string): string[] {
  return [...code.matchAll(/\bclass=(?:"([^"]*)"|\{`([^`]*)`\})/g)].flatMap(([, plain, made]) =>
    (plain ?? made!.replace(/\$\{[^}]*\}/g, ' ')).split(/\s+/),
  );
}

/** Words that may be given as one, where a class is put together from what something is. */
function wordsIn(code: string): string[] {
  return [...code.matchAll(/'([\w-]+)'/g)].map(([, word]) => word!);
}

// The css of a view is loaded when somebody first goes there, and stays: what it says of a name of others, they get.
describe('the style of a view', () => {
  test.each(VIEWS)('of %s means nothing that another part of the page has', (view) => {
    const { leading } = selectorsOf(textOf(`views/${view}`, /\.css$/));
    const others = ['ui', 'frame', ...VIEWS.filter((one) => one !== view).map((one) => `views/${one}`)];
    const taken = others.flatMap((folder) => {
      const code = textOf(folder, /\.tsx?$/);
      const style = textOf(folder, /\.css$/);
      // What is made of the parts of another view looks as that view does.
      if (code.includes(`from '../${view}/`) || style.includes(`@import '../${view}/`)) return [];
      const names = new Set([...givenIn(code), ...selectorsOf(style).all]);
      const words = new Set(wordsIn(code));
      return [...leading]
        .filter((classes) => words.has(classes) || classes.split('.').every((name) => names.has(name)))
        .map((classes) => `.${classes} is of ${folder}, too`);
    });
    expect(taken).toEqual([]);
  });

  test('is read as a browser reads it', () => {
    const { leading, all } = selectorsOf('.a .b, i > .c { .d { x: y } } @media (x) { .e.f { &:hover { x: y } } }');
    expect([...leading]).toEqual(['a', 'e.f']);
    expect([...all]).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  });
});
