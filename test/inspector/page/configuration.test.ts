import { expect, test } from 'vitest';
import type { Chart, ChartState, ChartTransition } from '../../../inspector/charts/chart.ts';
import {
  activeStates,
  indexed,
  openTransitions,
  takenTransitions,
  takes,
  valueText,
} from '../../../inspector/page/views/actors/configuration.ts';

function state(id: string, more: Partial<ChartState> = {}): ChartState {
  const at = id.lastIndexOf('.');
  return {
    id,
    key: id.slice(at + 1),
    type: 'atomic',
    parent: at < 0 ? null : id.slice(0, at),
    initial: null,
    history: null,
    children: [],
    entry: [],
    exit: [],
    invokes: [],
    tags: [],
    description: null,
    ...more,
  };
}

function go(
  id: string,
  source: string,
  targets: string[],
  event: string,
  more: Partial<ChartTransition> = {},
): ChartTransition {
  return {
    id,
    source,
    targets,
    event,
    eventType: event,
    of: null,
    on: 'event',
    delay: null,
    guard: null,
    actions: [],
    reenter: false,
    description: null,
    ...more,
  };
}

const chart: Chart = {
  id: 'c',
  name: 'm',
  root: 'm',
  states: [
    state('m', { type: 'compound', initial: 'm.off', children: ['m.off', 'm.on', 'm.mid'] }),
    state('m.mid'),
    state('m.off'),
    state('m.on', { type: 'parallel', children: ['m.on.x', 'm.on.y'] }),
    state('m.on.x', { type: 'compound', children: ['m.on.x.a', 'm.on.x.b'] }),
    state('m.on.x.a'),
    state('m.on.x.b'),
    state('m.on.y', { type: 'compound', children: ['m.on.y.c', 'm.on.y.d'] }),
    state('m.on.y.c'),
    state('m.on.y.d'),
  ],
  transitions: [
    go('start', 'm.off', ['m.on'], 'start'),
    go('stop', 'm', ['m.off'], 'stop'),
    go('x', 'm.on.x.a', ['m.on.x.b'], 'step', { guard: 'fits' }),
    go('x2', 'm.on.x.a', [], 'step'),
    go('x3', 'm.on.x.a', ['m.off'], 'step'),
    go('y', 'm.on.y.c', ['m.on.y.d'], 'step'),
    go('hold', 'm.on.x.b', [], 'stop'),
    go('late', 'm.on.y.c', ['m.on.y.d'], 'xstate.after.100.m.on.y.c', { on: 'after', delay: 100 }),
    go('note', 'm', [], 'note'),
    go('via', 'm.off', ['m.mid'], 'begin'),
    go('on', 'm.mid', ['m.on'], '', { on: 'always' }),
  ],
};
const made = indexed(chart);
const both = { on: { x: 'a', y: 'c' } };

test('the states of a value are active, in every region (C1)', () => {
  expect([...activeStates(made, both)]).toEqual(['m', 'm.on', 'm.on.x', 'm.on.x.a', 'm.on.y', 'm.on.y.c']);
  expect([...activeStates(made, 'off')]).toEqual(['m', 'm.off']);
  expect([...activeStates(made, null)]).toEqual([]);
  expect([...activeStates(made, 'unheard of')]).toEqual(['m']);
});

test('a value is one line', () => {
  expect(valueText('idle')).toBe('idle');
  expect(valueText({ a: { b: 'c' } })).toBe('a.b.c');
  expect(valueText(both)).toBe('on.x.a · on.y.c');
  expect(valueText({ jobs: {} })).toBe('jobs');
  expect(valueText(null)).toBe('');
});

test('open is what leaves an active state, unless an unguarded one comes before it (C2)', () => {
  const open = openTransitions(made, activeStates(made, both), 'active');
  expect([...open].toSorted()).toEqual(['late', 'note', 'stop', 'x', 'x2', 'y']);
  // The inner state keeps the event from the outer one.
  const held = openTransitions(made, activeStates(made, { on: { x: 'b', y: 'd' } }), 'active');
  expect([...held].toSorted()).toEqual(['hold', 'note']);
});

test('an actor that has ended takes nothing', () => {
  expect(openTransitions(made, activeStates(made, 'off'), 'done').size).toBe(0);
});

test('wildcards take what they cover', () => {
  expect(takes('work.*', 'work.done')).toBe(true);
  expect(takes('work.*', 'work')).toBe(true);
  expect(takes('work.*', 'workers')).toBe(false);
  expect(takes('*', 'anything')).toBe(true);
  expect(takes('a', 'b')).toBe(false);
});

test('a way through states that are left at once is found', () => {
  expect(takenTransitions(made, { before: 'off', after: both, event: 'begin' })).toEqual(['via', 'on']);
});

test('what was taken is told by the states before and after', () => {
  expect(takenTransitions(made, { before: 'off', after: both, event: 'start' })).toEqual(['start']);
  expect(takenTransitions(made, { before: both, after: 'off', event: 'stop' })).toEqual(['stop']);
  expect(takenTransitions(made, { before: both, after: { on: { x: 'b', y: 'd' } }, event: 'step' })).toEqual([
    'x',
    'y',
  ]);
  expect(
    takenTransitions(made, { before: both, after: { on: { x: 'a', y: 'd' } }, event: 'xstate.after.100.m.on.y.c' }),
  ).toEqual(['late']);
  expect(takenTransitions(made, { before: 'off', after: 'off', event: 'note' })).toEqual(['note']);
  expect(takenTransitions(made, { before: 'off', after: 'off', event: 'unheard.of' })).toEqual([]);
});
