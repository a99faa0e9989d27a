import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GROUP_ABOVE, treeMove, treeRows } from '../../../inspector/page/views/actors/tree.ts';
import type { ActorInfo } from '../../../inspector/protocol.ts';

function actor(id: string, more: Partial<ActorInfo> = {}): ActorInfo {
  const at = id.lastIndexOf('/');
  return {
    id,
    parent: at < 0 ? null : id.slice(0, at),
    name: id.slice(at + 1),
    systemId: null,
    src: 'job',
    chart: null,
    status: 'active',
    value: 'idle',
    tags: [],
    changedAt: null,
    ...more,
  };
}

const many = (count: number, more: Partial<ActorInfo> = {}) => [
  actor('root', { src: 'root' }),
  ...Array.from({ length: count }, (_, index) => actor(`root/${index}`, more)),
];
const keys = (rows: ReturnType<typeof treeRows>) => rows.map(({ key }) => key);

test('a tree is listed from above to below, with levels and places', () => {
  const rows = treeRows([actor('a'), actor('a/b'), actor('a/b/c'), actor('a/d')]);
  expect(rows.map(({ key, level, place, siblings, isOpen }) => [key, level, place, siblings, isOpen])).toEqual([
    ['a', 1, 1, 1, true],
    ['a/b', 2, 1, 2, true],
    ['a/b/c', 3, 1, 1, null],
    ['a/d', 2, 2, 2, null],
  ]);
});

test('an actor whose parent is not known stands at the top', () => {
  expect(keys(treeRows([actor('gone/b')]))).toEqual(['gone/b']);
});

test('many siblings of the same logic are one group, which opens', () => {
  const registry = many(GROUP_ABOVE + 1);
  const closed = treeRows(registry);
  expect(closed).toHaveLength(2);
  expect(closed[1]).toMatchObject({ kind: 'group', src: 'job', isOpen: false, tally: { active: GROUP_ABOVE + 1 } });
  const open = treeRows(registry, { toggled: new Map([['root\njob', true]]) });
  expect(open).toHaveLength(GROUP_ABOVE + 3);
  expect(open[2]).toMatchObject({ key: 'root/0', level: 3, place: 1, siblings: GROUP_ABOVE + 1 });
});

test('what is selected is shown, in a group and below closed rows (T2)', () => {
  const registry = [...many(GROUP_ABOVE + 1), actor('root/3/x'), actor('root/3/x/y')];
  expect(keys(treeRows(registry))).not.toContain('root/3/x/y');
  expect(keys(treeRows(registry, { selected: 'root/3/x/y' }))).toContain('root/3/x/y');
});

test('every actor that matches is shown with its ancestors (T1)', () => {
  const ids = fc.uniqueArray(
    fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 }).map((path) => path.join('/')),
    { maxLength: 25 },
  );
  const status = fc.constantFrom('active', 'done', 'error') as fc.Arbitrary<ActorInfo['status']>;
  fc.assert(
    fc.property(ids, fc.infiniteStream(status), (paths, statuses) => {
      const registry = paths.map((id) => actor(id, { status: statuses.next().value }));
      const shown = new Set(keys(treeRows(registry, { statuses: new Set(['error']) })));
      const known = new Set(paths);
      for (const info of registry) {
        if (info.status !== 'error') continue;
        expect(shown).toContain(info.id);
        for (let id = info.parent; id !== null && known.has(id); id = actor(id).parent) expect(shown).toContain(id);
      }
      // And nothing is shown that is neither.
      for (const key of shown) {
        const isNeeded = registry.some(
          ({ id, status: is }) => is === 'error' && (id === key || id.startsWith(`${key}/`)),
        );
        expect(isNeeded).toBe(true);
      }
    }),
  );
});

test('ids, states, tags and logic are searched, every word', () => {
  const registry = [
    actor('r', { src: null, value: null }),
    actor('r/a', { value: { run: 'asking' }, tags: ['waiting'] }),
    actor('r/b', { value: 'done' }),
  ];
  expect(keys(treeRows(registry, { text: 'run.asking' }))).toEqual(['r', 'r/a']);
  expect(keys(treeRows(registry, { text: 'WAIT r/a' }))).toEqual(['r', 'r/a']);
  expect(treeRows(registry, { text: 'waiting' })[0]).toMatchObject({ isPath: true });
});

test('keys move as in every tree', () => {
  const rows = treeRows([actor('a'), actor('a/b'), actor('a/b/c'), actor('a/d')]);
  expect(treeMove(rows, null, 'ArrowDown')).toEqual({ focus: 'a' });
  expect(treeMove(rows, 'a', 'ArrowDown')).toEqual({ focus: 'a/b' });
  expect(treeMove(rows, 'a', 'ArrowUp')).toEqual({ focus: 'a' });
  expect(treeMove(rows, 'a/b', 'ArrowRight')).toEqual({ focus: 'a/b/c' });
  expect(treeMove(rows, 'a/b', 'ArrowLeft')).toEqual({ toggle: 'a/b', open: false });
  expect(treeMove(rows, 'a/b/c', 'ArrowLeft')).toEqual({ focus: 'a/b' });
  expect(treeMove(rows, 'a/b/c', 'ArrowRight')).toBeNull();
  expect(treeMove(rows, 'a', 'End')).toEqual({ focus: 'a/d' });
  expect(treeMove(rows, 'a/d', 'Home')).toEqual({ focus: 'a' });
  const closed = treeRows([actor('a'), actor('a/b')], { toggled: new Map([['a', false]]) });
  expect(treeMove(closed, 'a', 'ArrowRight')).toEqual({ toggle: 'a', open: true });
});
