import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createActor, createMachine, type AnyActorRef } from 'xstate';
import { pack, unpack } from '../../persistence/kept.ts';

const machine = createMachine({});
const inner = ['x', 'y'].map((id) => createActor(machine, { id }) as AnyActorRef);
const successors = ['x', 'y'].map((id) => createActor(machine, { id }) as AnyActorRef);
const stranger = createActor(machine) as AnyActorRef;

const pathOf = (ref: AnyActorRef) => (inner.includes(ref) ? [ref.id] : undefined);
const refAt = ([id]: readonly string[]) => successors.find((ref) => ref.id === id);

/** Data with references in it, and the same with those that have a successor replaced. */
const value = fc.letrec<{ pair: [unknown, unknown] }>((tie) => ({
  pair: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<[unknown, unknown]>([inner[0], successors[0]], [inner[1], successors[1]], [stranger, stranger]),
    fc
      .oneof(fc.string(), fc.integer(), fc.constantFrom(undefined, null, Number.NaN))
      .map((leaf) => [leaf, leaf] as [unknown, unknown]),
    fc.array(tie('pair')).map((items) => [items.map(([a]) => a), items.map(([, b]) => b)] as [unknown, unknown]),
    fc
      .uniqueArray(fc.tuple(fc.constantFrom('$kept', 'record', '__proto__', 'a', 'b'), tie('pair')), {
        selector: ([key]) => key,
      })
      .map(
        (entries) =>
          [
            Object.fromEntries(entries.map(([key, [a]]) => [key, a])),
            Object.fromEntries(entries.map(([key, [, b]]) => [key, b])),
          ] as [unknown, unknown],
      ),
    fc
      .array(tie('pair'))
      .map(
        (items) =>
          [new Map(items.map(([a], at) => [at, a])), new Map(items.map(([, b], at) => [at, b]))] as [unknown, unknown],
      ),
  ),
})).pair;

/** Whether two values are the same but for being copies; actors and all else by identity. */
function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (a instanceof Map && b instanceof Map) return same([...a], [...b]);
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, at) => same(item, b[at]));
  const isPlain = (one: unknown) =>
    typeof one === 'object' && one !== null && Object.getPrototypeOf(one) === Object.prototype;
  return isPlain(a) && isPlain(b) && same(Object.entries(a as object), Object.entries(b as object));
}

test('property: what is unpacked is what was packed, with the successors of the actors in it', () => {
  fc.assert(
    fc.property(value, ([before, after]) => {
      expect(same(unpack(pack(before, pathOf), refAt), after)).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});

test('what holds no reference is not copied, and what refers to itself is left as it is', () => {
  const data: Record<string, unknown> = { list: [1, new Map([[1, new Date(0)]])] };
  data['self'] = data;
  expect(pack(data, pathOf)).toBe(data);
  expect(unpack(data, refAt)).toBe(data);
});
