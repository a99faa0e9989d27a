import fc from 'fast-check';
import { and, assign, createMachine, emit, log, not, or, raise, sendTo, setup, stateIn } from 'xstate';
import { describe, expect, test } from 'vitest';
import type { Chart } from '../../../inspector/charts/chart.ts';
import { chartOfConfig } from '../../../inspector/charts/chart-of-config.ts';
import { chartOf } from '../../../inspector/charts/chart-of.ts';
import * as machines from '../../../machines/index.ts';
import { generatedMachine } from '../../support/generated-machine.ts';

const ours = Object.entries(machines).filter((entry): entry is [string, never] => '__xstatenode' in Object(entry[1]));

/** What holds of every chart. */
function expectSound(chart: Chart): void {
  const states = new Map(chart.states.map((state) => [state.id, state]));
  expect(states.size).toBe(chart.states.length);
  expect(new Set(chart.transitions.map(({ id }) => id)).size).toBe(chart.transitions.length);
  expect(chart.root).toBe(chart.states[0]?.id);
  const seen = new Set<string>();
  for (const { id, parent, children, initial, type } of chart.states) {
    if (parent !== null) {
      expect(seen).toContain(parent);
      expect(states.get(parent)?.children).toContain(id);
    }
    for (const child of children) expect(states.get(child)?.parent).toBe(id);
    if (type === 'compound') expect(children).toContain(initial);
    seen.add(id);
  }
  for (const { source, targets } of chart.transitions) {
    expect([source, ...targets].filter((id) => !states.has(id))).toEqual([]);
  }
}

describe('the chart of a machine', () => {
  test.each(ours)('of ours is whole: %s', (_, machine) => {
    const chart = chartOf(machine);
    expectSound(chart);
    expect(chartOf(machine)).toBe(chart);
  });

  test('says what a config says in any of its ways', () => {
    const machine = setup({
      types: {} as { context: object; events: { type: string } },
      guards: { isReady: () => true, has: (_, __: { n: number }) => true },
      actions: { greet: () => {}, tell: (_, __: { n: number }) => {} },
      delays: { later: 100 },
      actors: { load: createMachine({ id: 'load' }) },
    }).createMachine({
      id: 'm',
      description: 'All of it',
      initial: 'a',
      entry: ['greet', { type: 'tell', params: { n: 1 } }, assign({}), () => {}],
      exit: function leave() {},
      on: {
        '*': { actions: raise({ type: 'again' }) },
        again: [
          { guard: 'isReady', target: '.b' },
          { target: '.a', reenter: true, description: 'else' },
        ],
        quiet: {},
      },
      states: {
        a: {
          tags: ['calm', 'new'],
          after: { 1000: 'b', later: { target: 'b', guard: { type: 'has', params: { n: 1 } } } },
        },
        b: {
          always: { guard: and(['isReady', not('isReady'), or([stateIn('#m.a'), () => true])]), target: 'c' },
        },
        c: {
          type: 'parallel',
          onDone: 'end',
          invoke: [
            { id: 'loader', src: 'load', onDone: 'end', onError: { actions: emit({ type: 'failed' }) } },
            { src: 'load' },
          ],
          states: { l: { initial: 'x', states: { x: {}, old: { type: 'history', history: 'deep' } } }, r: {} },
        },
        end: { type: 'final', entry: [sendTo('x', { type: 'bye' }), log('bye')] },
      },
    });
    const chart = chartOf(machine);
    expectSound(chart);
    const state = (id: string) => chart.states.find((one) => one.id === id);
    const from = (id: string) => chart.transitions.filter(({ source }) => source === id);
    expect(state('m')).toMatchObject({
      type: 'compound',
      initial: 'm.a',
      children: ['m.a', 'm.b', 'm.c', 'm.end'],
      entry: ['greet', 'tell', 'assign', 'inline'],
      exit: ['leave'],
      description: 'All of it',
    });
    expect(from('m')).toMatchObject([
      { event: '*', on: 'event', targets: [], actions: ['raise again'] },
      { event: 'again', guard: 'isReady', targets: ['m.b'], reenter: false },
      { event: 'again', guard: null, targets: ['m.a'], reenter: true, description: 'else' },
      { event: 'quiet', targets: [], actions: [] },
    ]);
    expect(state('m.a')).toMatchObject({ tags: ['calm', 'new'], entry: [], exit: [] });
    expect(from('m.a')).toMatchObject([
      { event: 'after', on: 'after', delay: 1000, targets: ['m.b'], eventType: 'xstate.after.1000.m.a' },
      { event: 'after', on: 'after', delay: 'later', guard: 'has' },
    ]);
    expect(from('m.b')).toMatchObject([
      { event: '', on: 'always', guard: 'isReady and not isReady and (in #m.a or inline)', targets: ['m.c'] },
    ]);
    expect(state('m.c')).toMatchObject({
      type: 'parallel',
      initial: null,
      invokes: [
        { id: 'loader', src: 'load' },
        { id: '1.m.c', src: 'load' },
      ],
    });
    expect(from('m.c')).toMatchObject([
      { event: 'done', on: 'done', of: 'm.c', targets: ['m.end'] },
      { event: 'done', on: 'done', of: 'loader', logic: 'load', targets: ['m.end'] },
      { event: 'error', on: 'error', of: 'loader', actions: ['emit failed'] },
    ]);
    expect(state('m.c.l.old')).toMatchObject({ type: 'history', history: 'deep' });
    expect(state('m.end')).toMatchObject({ type: 'final', entry: ['sendTo bye', 'log'] });
  });

  test('has an id that is that of the same config, and of no other', () => {
    const config = { id: 'm', initial: 'a', states: { a: { on: { go: 'b' } }, b: {} } } as const;
    const same = chartOf(createMachine(structuredClone(config)));
    expect(chartOf(createMachine(config)).id).toBe(same.id);
    expect(chartOf(createMachine(config).provide({})).id).toBe(same.id);
    expect(chartOf(createMachine({ ...config, initial: 'b' })).id).not.toBe(same.id);
  });

  test('keeps states apart that have the same id', () => {
    const chart = chartOf(
      createMachine({ id: 'm', initial: 'a', states: { a: { id: 'x' }, b: { id: 'x', on: { go: 'a' } } } }),
    );
    expectSound(chart);
    expect(chart.states.map(({ id }) => id)).toEqual(['m', 'x', 'x~2']);
  });
});

describe('the chart of any machine', () => {
  test('is whole', () => {
    fc.assert(
      fc.property(generatedMachine, (machine) => expectSound(chartOf(machine))),
      { numRuns: 200 },
    );
  });

  test('is the same when it is known by its config only', () => {
    fc.assert(
      fc.property(generatedMachine, (machine) => {
        const { states, transitions } = chartOf(machine);
        const text = JSON.stringify(machine.config);
        if (states.length > 1 || transitions.length > 0) expect(chartOfConfig(text)).toEqual(chartOf(machine));
      }),
    );
  });
});

describe('the chart of a config from outside', () => {
  const deep = (depth: number) => `${'{"initial":"a","states":{"a":'.repeat(depth)}{}${'}}'.repeat(depth)}`;
  const wide = JSON.stringify({
    initial: 's0',
    states: Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`s${at}`, {}])),
  });

  test.each([
    ['no JSON', '{'],
    ['no record', '[1]'],
    ['null', 'null'],
    ['only a name', '{"id":"x"}'],
    ['a target that is not there', '{"on":{"go":"nowhere"}}'],
    ['no initial state', '{"states":{"a":{}}}'],
    ['states that are none', '{"initial":"a","states":{"a":null}}'],
    ['a state inside of itself ten thousand times', deep(10_000)],
    ['five thousand states', wide],
    ['megabytes', `{"id":"${'x'.repeat(3_000_000)}","on":{"a":{}}}`],
    ['nothing', undefined],
  ])('of %s is none', (_, given) => {
    expect(chartOfConfig(given)).toBeUndefined();
  });

  test('names what lost its name on the way', () => {
    const chart = chartOfConfig(
      '{"id":"m","entry":[null,{"type":"greet"}],"on":{"go":{"guard":{"n":1},"actions":[null,5]}}}',
    );
    expect(chart?.states[0]?.entry).toEqual(['inline', 'greet']);
    expect(chart?.transitions[0]).toMatchObject({ guard: 'inline', actions: ['inline', 'inline'] });
  });

  test('never throws, and runs nothing', () => {
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 6 }),
        fc.constantFrom('states', 'on', 'invoke', 'always', 'after', 'entry', 'id', 'type'),
        (json, key) => {
          const chart = chartOfConfig(`{"initial":"a","${key}":${json}}`);
          if (chart !== undefined) expectSound(chart);
        },
      ),
      { numRuns: 500 },
    );
  });
});
