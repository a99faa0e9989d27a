import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { actorRows, stateText } from '../../../inspector/page/views/checkpoints/actor-tree.ts';
import type { ActorInfo } from '../../../inspector/protocol.ts';

function actor(id: string, parent: string | null, value: unknown = null): ActorInfo {
  const base = { systemId: null, src: null, chart: null, tags: [], changedAt: null };
  return { ...base, id, parent, name: id, status: 'active', value };
}

const trees = fc
  .array(fc.nat(50), { maxLength: 40 })
  .map((parents) => parents.map((parent, i) => actor(`a${i}`, i === 0 || parent >= i ? null : `a${parent}`)));

describe('the actors of a turn', () => {
  test('property: all are there, each once, below its parent and one deeper', () => {
    fc.assert(
      fc.property(trees, (actors) => {
        const rows = actorRows(actors, '');
        expect(rows.map((row) => row.actor.id).sort()).toEqual(actors.map(({ id }) => id).sort());
        const placeOf = new Map(rows.map((row, place) => [row.actor.id, place]));
        for (const [place, { actor: one, depth }] of rows.entries()) {
          if (one.parent === null) expect(depth).toBe(0);
          else {
            const above = placeOf.get(one.parent)!;
            expect(above).toBeLessThan(place);
            expect(rows[above]!.depth).toBe(depth - 1);
            expect(rows.slice(above + 1, place).every((between) => between.depth >= depth)).toBe(true);
          }
        }
      }),
    );
  });

  test('property: a search shows what has the text, and what that is in, and nothing else', () => {
    fc.assert(
      fc.property(trees, fc.constantFrom('1', '7', 'a2'), (actors, text) => {
        const byId = new Map(actors.map((one) => [one.id, one]));
        const wanted = new Set<string>();
        for (const one of actors.filter(({ id }) => id.includes(text)))
          for (let at: ActorInfo | undefined = one; at !== undefined; at = byId.get(at.parent ?? '')) wanted.add(at.id);
        expect(new Set(actorRows(actors, text).map((row) => row.actor.id))).toEqual(wanted);
      }),
    );
  });

  test('one whose parent is not told is a root', () => {
    expect(actorRows([actor('b', 'gone')], '')).toEqual([{ actor: actor('b', 'gone'), depth: 0 }]);
  });
});

test.each([
  ['idle', 'idle'],
  [{ running: 'trying' }, 'running.trying'],
  [{ running: {} }, 'running'],
  [{ a: 'b', c: { d: 'e' } }, 'a.b | c.d.e'],
  [{ top: { a: 'b', c: 'd' } }, 'top(a.b | c.d)'],
  [null, ''],
])('the value %j is written %s', (value, text) => expect(stateText(value)).toBe(text));
