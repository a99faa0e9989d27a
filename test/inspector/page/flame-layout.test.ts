import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  drawnBoxes,
  flameBoxes,
  hueOf,
  matchesOf,
  movedTo,
  placeOf,
  withoutKinds,
  type FlameMove,
} from '../../../inspector/page/views/profile/flame-layout.ts';
import type { Flame } from '../../../machines/profile-exports.ts';

function flame(name: string, self: number, children: readonly Flame[] = [], kind: Flame['kind'] = 'work'): Flame {
  const value = children.reduce((sum, child) => sum + child.value, self);
  return { name, kind, self, value, count: 1, failures: 0, children };
}

const ms = fc.oneof(fc.constant(0), fc.double({ min: 0.01, max: 10_000, noNaN: true }));
const { flames } = fc.letrec<{ flames: Flame }>((tie) => ({
  flames: fc
    .record({
      name: fc.constantFrom('read', 'write', 'send', 'wait', 'parse'),
      self: ms,
      kind: fc.constantFrom<Flame['kind']>('work', 'work', 'wait', 'runtime'),
      children: fc.oneof(
        { maxDepth: 5, depthIdentifier: 'flame' },
        fc.constant<Flame[]>([]),
        fc.array(tie('flames'), { maxLength: 4 }),
      ),
    })
    .map(({ name, self, kind, children }) => {
      const unique = children.filter((child, i) => children.findIndex((other) => other.name === child.name) === i);
      return flame(name, self, unique, kind);
    }),
}));
const near = 1e-9;

describe('the boxes of a flame graph', () => {
  test('property: children lie within their parent, side by side, and leave its own time', () => {
    fc.assert(
      fc.property(flames, (root) => {
        const boxes = flameBoxes(root);
        for (const [place, box] of boxes.entries()) {
          const below = boxes.filter(({ parent }) => parent === place);
          expect(box.width).toBeCloseTo(box.flame.value / root.value, 9);
          let at = box.left;
          for (const child of below) {
            expect(child.left).toBeGreaterThanOrEqual(at - near);
            expect(child.depth).toBe(box.depth + 1);
            at = child.left + child.width;
          }
          expect(at).toBeLessThanOrEqual(box.left + box.width + near);
          const own = box.width - below.reduce((sum, { width }) => sum + width, 0);
          expect(own).toBeCloseTo(box.flame.self / root.value, 6);
        }
      }),
    );
  });

  test('property: what is zoomed into is as wide as the whole, with all that called it, and nothing else is drawn', () => {
    fc.assert(
      fc.property(flames, fc.nat(), fc.double({ min: 0, max: 0.2, noNaN: true }), (root, seed, least) => {
        const boxes = flameBoxes(root);
        fc.pre(boxes.length > 0);
        const focus = seed % boxes.length;
        const drawn = drawnBoxes(boxes, focus, least);
        const whole = drawn.filter(({ width }) => Math.abs(width - 1) < near).map(({ place }) => place);
        for (let at: number | null = focus; at !== null; at = boxes[at]!.parent) expect(whole).toContain(at);
        for (const { place, left, width, box, isAround } of drawn) {
          expect(left).toBeGreaterThanOrEqual(-near);
          expect(left + width).toBeLessThanOrEqual(1 + near);
          expect(width).toBeGreaterThanOrEqual(Math.min(1, least));
          const within = JSON.stringify(box.path).startsWith(boxes[focus]!.key.slice(0, -1));
          expect(isAround ? place < focus : within).toBe(true);
        }
      }),
    );
  });

  test('property: without a kind nothing of it is left in any sum', () => {
    fc.assert(
      fc.property(flames, (root) => {
        const sum = (one: Flame, kinds: readonly string[]): number =>
          one.children.reduce((all, child) => all + sum(child, kinds), kinds.includes(one.kind) ? one.self : 0);
        expect(withoutKinds(root, new Set(['wait'])).value).toBeCloseTo(sum(root, ['work', 'runtime']), 6);
        expect(withoutKinds(root, new Set())).toBe(root);
      }),
    );
  });

  test('property: every arrow goes to a box that is drawn', () => {
    fc.assert(
      fc.property(
        flames,
        fc.nat(),
        fc.constantFrom<FlameMove>('up', 'down', 'left', 'right', 'home', 'end'),
        (root, seed, move) => {
          const boxes = flameBoxes(root);
          fc.pre(boxes.length > 0);
          const drawn = drawnBoxes(boxes, seed % boxes.length);
          const { place } = drawn[seed % drawn.length]!;
          expect(drawn.map((one) => one.place)).toContain(movedTo(drawn, place, move));
        },
      ),
    );
  });
});

describe('of a profile of a mail run', () => {
  const root = flame('all', 0, [
    flame('mail', 10, [flame('render', 40), flame('send', 30, [flame('render', 20)])]),
    flame('clean', 0.05),
  ]);
  const boxes = flameBoxes(root);

  test('a search tells which part of all time was found, of what lies in itself once', () => {
    const { places, share } = matchesOf(boxes, ' REND ');
    expect([...places].map((place) => boxes[place]!.path)).toEqual([
      ['mail', 'render'],
      ['mail', 'send', 'render'],
    ]);
    expect(share).toBeCloseTo(60 / 100.05);
    expect(matchesOf(boxes, 'n').share).toBeCloseTo(90.05 / 100.05);
    expect(matchesOf(boxes, ' ')).toEqual({ places: new Set(), share: 0 });
  });

  test('what is too narrow is not drawn until it is zoomed into', () => {
    const clean = placeOf(boxes, JSON.stringify(['clean']));
    expect(drawnBoxes(boxes, 0).map(({ place }) => place)).not.toContain(clean);
    expect(drawnBoxes(boxes, clean).map(({ box, width }) => [box.flame.name, width])).toEqual([
      ['all', 1],
      ['clean', 1],
    ]);
  });

  test('a box that is not there any more is the whole', () => {
    expect(placeOf(boxes, '["gone"]')).toBe(0);
    expect(placeOf(boxes, null)).toBe(0);
  });

  test('arrows go to the caller, and to what took most', () => {
    const drawn = drawnBoxes(boxes, 0);
    const at = (path: string[]) => placeOf(boxes, JSON.stringify(path));
    expect(movedTo(drawn, at(['mail']), 'down')).toBe(at(['mail', 'send']));
    expect(movedTo(drawn, at(['mail', 'send']), 'right')).toBe(at(['mail', 'send']));
    expect(movedTo(drawn, at(['mail', 'send']), 'left')).toBe(at(['mail', 'render']));
    expect(movedTo(drawn, at(['mail', 'render']), 'up')).toBe(at(['mail']));
  });

  test('one family has one hue, which is no red', () => {
    expect(new Set(boxes.filter(({ path }) => path[0] === 'mail').map(({ hue }) => hue)).size).toBe(1);
    for (const name of ['a', 'b', 'mail', 'clean', '']) {
      expect(hueOf(name)).toBeGreaterThanOrEqual(35);
      expect(hueOf(name)).toBeLessThanOrEqual(325);
    }
  });

  test('nothing that took no time has a box', () => {
    expect(flameBoxes(flame('all', 0, [flame('x', 0)]))).toEqual([]);
    expect(drawnBoxes([], 0)).toEqual([]);
  });
});
