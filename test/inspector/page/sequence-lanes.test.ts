import { expect, test } from 'vitest';
import {
  ArrowList,
  OTHERS,
  OUTSIDE,
  arrowMatcher,
  laneIndex,
  lanesOf,
} from '../../../inspector/page/views/sequence/lanes.ts';
import type { InspectionRecord } from '../../../inspector/protocol.ts';

let seq = 0;
function event(from: string | null, actor: string, type: string, more: object = {}): InspectionRecord {
  seq += 1;
  return { seq, at: seq, actor, kind: 'event', event: { type }, from, ...more };
}

function arrowsOf(...records: InspectionRecord[]) {
  const list = new ArrowList();
  for (const record of records) list.add(record);
  return list.arrows;
}

test('what follows from an event from outside is one group, deeper with every hop', () => {
  const first = event(null, 'shop', 'order');
  const arrows = arrowsOf(
    first,
    event('shop', 'till', 'pay'),
    event('till', 'bank', 'charge'),
    event('shop', 'store', 'pick'),
    event(null, 'shop', 'order'),
  );
  expect(arrows.map(({ depth }) => depth)).toEqual([0, 1, 2, 1, 0]);
  expect(arrows.slice(0, 4).every(({ group }) => group === first.seq)).toBe(true);
  expect(arrows[4]?.group).toBe(arrows[4]?.seq);
});

test('a start belongs to what was just before it, and not to what was long ago', () => {
  const first = event(null, 'a', 'go');
  const info = { id: 'a/b', parent: 'a', name: 'b', systemId: null, src: null, chart: null, value: null, tags: [] };
  const started = (at: number): InspectionRecord => {
    seq += 1;
    return { seq, at, actor: 'a/b', kind: 'started', info: { ...info, status: 'active', changedAt: null } };
  };
  const [, soon, late] = arrowsOf(first, started(first.at + 1), started(first.at + 5_000));
  expect(soon).toMatchObject({ group: first.seq, from: 'a', kind: 'started' });
  expect(late?.group).toBe(late?.seq);
});

test('a timer begins a group of its own', () => {
  const arrows = arrowsOf(event(null, 'a', 'go'), event('a', 'a', 'xstate.after.100.a.b'));
  expect(arrows[1]?.group).toBe(arrows[1]?.seq);
});

test('where the turn is known, it is the group', () => {
  const arrows = arrowsOf(
    event(null, 'a', 'x', { turn: 4 }),
    event(null, 'b', 'y', { turn: 4 }),
    event('a', 'b', 'z', { turn: 5 }),
  );
  expect(new Set(arrows.map(({ group }) => group)).size).toBe(2);
  expect(arrows[1]?.group).toBe(arrows[0]?.group);
});

test('a turn of the history is its causes', () => {
  seq += 1;
  const [arrow] = arrowsOf({
    seq,
    at: 1,
    actor: 'root',
    kind: 'turn',
    turn: 9,
    causes: [{ kind: 'event', to: 'root/a', event: { type: 'go' }, id: null }],
    changed: ['root/a'],
  });
  expect(arrow).toMatchObject({ from: OUTSIDE, actor: 'root/a', type: 'go' });
});

test('what is forgotten is gone from the start only', () => {
  const list = new ArrowList();
  const records = [event(null, 'a', 'x'), event(null, 'a', 'y'), event(null, 'a', 'z')];
  for (const record of records) list.add(record);
  list.dropBefore(records[1]?.seq ?? 0);
  expect(list.arrows.map(({ type }) => type)).toEqual(['y', 'z']);
  list.dropBefore(seq + 1);
  expect(list.arrows).toEqual([]);
});

const nameOf = (actor: string) => actor;
const parentOf = (id: string) => (id.includes('/') ? id.slice(0, id.lastIndexOf('/')) : null);

test('the outside world is the first lane, then the busiest by when they came', () => {
  const arrows = arrowsOf(
    event(null, 'a', 'x'),
    event('a', 'b', 'y'),
    event('b', 'c', 'z'),
    event('c', 'b', 'z'),
    event('b', 'c', 'z'),
  );
  expect(lanesOf(arrows, { nameOf, parentOf, most: 2 }).map(({ actor }) => actor)).toEqual([OUTSIDE, 'b', 'c', OTHERS]);
  expect(lanesOf(arrows, { nameOf, parentOf, chosen: ['c', 'a'] }).map(({ actor, events }) => [actor, events])).toEqual(
    [
      [OUTSIDE, 1],
      ['c', 3],
      ['a', 2],
      [OTHERS, 4],
    ],
  );
  // And nobody else has part in anything.
  expect(lanesOf(arrows, { nameOf, parentOf }).map(({ actor }) => actor)).toEqual([OUTSIDE, 'a', 'b', 'c']);
});

test('lanes whose actors are called the same are told apart by the parents, as far as that is needed', () => {
  const ids = ['r/one/x/worker', 'r/two/x/worker', 'r/slot/worker', 'r/log', 'worker'];
  const options = { chosen: ids, parentOf, nameOf: (actor: string) => actor.slice(actor.lastIndexOf('/') + 1) };
  const names = lanesOf([], options).map(({ name }) => name);
  expect(names).toEqual(['outside', 'one/x/worker', 'two/x/worker', 'slot/worker', 'log', 'worker']);
});

test('an actor without a lane is drawn in that of its nearest ancestor (L2)', () => {
  const lanes = new Map([
    ['r', 1],
    ['r/a', 2],
  ]);
  expect(laneIndex(lanes, 'r/a', parentOf)).toEqual({ index: 2, isOwn: true });
  expect(laneIndex(lanes, 'r/a/b/c', parentOf)).toEqual({ index: 2, isOwn: false });
  expect(laneIndex(lanes, 'r/b', parentOf)).toEqual({ index: -1, isOwn: false });
  expect(laneIndex(lanes, 'x', parentOf)).toEqual({ index: -1, isOwn: false });
  expect(laneIndex(new Map([[OTHERS, 3]]), 'x', parentOf)).toEqual({ index: 3, isOwn: false });
});

test('arrows are filtered by type with wildcards, by actor and by text', () => {
  const [arrow] = arrowsOf(event('shop', 'till', 'order.pay'));
  const matches = (filter: Parameters<typeof arrowMatcher>[0]) => arrow !== undefined && arrowMatcher(filter)(arrow);
  expect(matches({ types: 'order.*' })).toBe(true);
  expect(matches({ types: 'order' })).toBe(false);
  expect(matches({ types: 'x, order.pay' })).toBe(true);
  expect(matches({ types: 'order.(' })).toBe(false);
  expect(matches({ actors: new Set(['till']) })).toBe(true);
  expect(matches({ actors: new Set(['bank']) })).toBe(false);
  expect(matches({ text: 'TILL pay' })).toBe(true);
  expect(matches({ text: 'bank' })).toBe(false);
});
