import fc from 'fast-check';
import { createMachine } from 'xstate';
import { expect, test } from 'vitest';
import { chartOf } from '../../../inspector/charts/chart-of.ts';
import { mermaidOf } from '../../../inspector/charts/mermaid.ts';
import { generatedMachine } from '../../support/generated-machine.ts';

const TEXT = String.raw`(?:[\p{L}\p{N} _.,*/()[\]-]|#\d+;)+`;
const LINES = [
  /^stateDiagram-v2$/,
  /^ {2}direction TB$/,
  new RegExp(`^ +state "${TEXT}" as s\\d+(?:any)?(?: \\{)?$`, 'u'),
  /^ +\[\*\] --> s\d+$/,
  /^ +s\d+ --> \[\*\]$/,
  new RegExp(`^ +s\\d+(?:any)? --> s\\d+ : ${TEXT}$`, 'u'),
  /^ +--$/,
  /^ +\}$/,
  /^ +note right of s\d+$/,
  /^ +end note$/,
];

/** Whether it has only lines that Mermaid takes, with notes and states that end. */
function expectValid(text: string): void {
  let depth = 0;
  let isNote = false;
  for (const line of text.trimEnd().split('\n')) {
    if (isNote && !/^ +end note$/.test(line)) {
      expect(line).toMatch(new RegExp(`^ +${TEXT}$`, 'u'));
      expect(line).not.toMatch(/end note/i);
      continue;
    }
    expect(LINES.filter((known) => known.test(line))).not.toEqual([]);
    isNote = /^ +note /.test(line);
    depth += line.endsWith('{') ? 1 : line.endsWith('}') ? -1 : 0;
  }
  expect({ depth, isNote }).toEqual({ depth: 0, isNote: false });
}

/** Each line of a transition, with the state inside which it is. */
function edges(text: string): { around: string | undefined; from: string; to: string }[] {
  const around: string[] = [];
  const found: { around: string | undefined; from: string; to: string }[] = [];
  for (const line of text.split('\n')) {
    const [, opened] = /as (s\d+) \{$/.exec(line) ?? [];
    if (opened !== undefined) around.push(opened);
    if (/^ +\}$/.test(line)) around.pop();
    const [, from, to] = /^ +(s\d+(?:any)?) --> (s\d+) : /.exec(line) ?? [];
    if (from !== undefined && to !== undefined) found.push({ around: around.at(-1), from, to });
  }
  return found;
}

test('writes what a chart has: nesting, final and history states, guards, delays, notes', () => {
  const machine = createMachine({
    id: 'm',
    initial: 'a',
    on: { reset: '.a', stay: { actions: 'note' } },
    states: {
      a: { entry: ['greet'], tags: ['calm'], after: { 1500: 'b' }, on: { deep: 'b.inner', back: 'b.hist' } },
      b: {
        initial: 'inner',
        states: { inner: { invoke: { src: 'load' } }, hist: { type: 'history' } },
        always: { guard: 'isReady', target: 'end' },
      },
      end: { type: 'final' },
    },
  });
  const text = mermaidOf(chartOf(machine));
  expectValid(text);
  expect(text).toBe(`stateDiagram-v2
  direction TB
  state "m" as s0 {
    state "any state" as s0any
    [*] --> s1
    state "a" as s1
    note right of s1
      #35;calm
      entry / greet
    end note
    state "b" as s2 {
      [*] --> s3
      state "inner" as s3
      note right of s3
        invoke load
      end note
      state "H" as s4
    }
    state "end" as s5
    s5 --> [*]
    s0any --> s1 : reset
    s1 --> s2 : deep #8594; inner
    s1 --> s2 : back #8594; hist
    s1 --> s2 : after 1.5 s
    s2 --> s5 : always [isReady]
  }
  note right of s0
    stay / note
  end note
`);
});

test('writes regions of a parallel state apart, and what goes between them as a note', () => {
  const machine = createMachine({
    id: 'm',
    type: 'parallel',
    states: { l: { on: { go: '#m.r' } }, r: { initial: 'x', states: { x: {} } } },
  });
  const text = mermaidOf(chartOf(machine));
  expectValid(text);
  expect(text).toMatch(/\n {4}--\n/);
  expect(text).toContain('    l#58; go #8594; r\n');
});

test.each([
  '"; } %% end note',
  'end note',
  '<script>',
  'a:b;c',
  '#quot;',
  '',
  ' ',
  '\ud800',
  '-->',
  '[*]',
  'state',
  'a\nb',
])('a name such as %j stays a name', (name) => {
  const machine = createMachine({
    id: name,
    description: name,
    initial: 'b',
    entry: [name],
    states: { [name]: { on: { [name === '' ? 'x' : name]: 'b' } }, b: {} },
  });
  expectValid(mermaidOf(chartOf(machine)));
});

test('of any machine is valid, and its lines connect states that are inside the same one', () => {
  fc.assert(
    fc.property(generatedMachine, (machine) => {
      const chart = chartOf(machine);
      const text = mermaidOf(chart);
      expectValid(text);
      const parents = new Map(
        chart.states.map(({ parent }, at) => [`s${at}`, chart.states.findIndex((s) => s.id === parent)]),
      );
      for (const { around, from, to } of edges(text)) {
        const inside = around === undefined ? -1 : Number(around.slice(1));
        expect(parents.get(to)).toBe(inside);
        expect(from.endsWith('any') ? Number.parseInt(from.slice(1), 10) : parents.get(from)).toBe(inside);
      }
    }),
  );
});
