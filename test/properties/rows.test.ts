/** After every step of a random walk the rows, read by somebody else, are XState's own snapshot of the whole tree. */
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { beforeAll, expect, test, vi } from 'vitest';
import { decode, type Refs } from '../../persistence/codec.ts';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { isActorRef } from '../../persistence/xstate-port.ts';
import { richEvents, richMachine } from '../support/rich-machine.ts';
import { quickStore } from '../support/temp.ts';

interface Row {
  readonly id: number;
  readonly parent: number | null;
  readonly key: string;
  readonly src: string;
  readonly system_id: string | null;
  readonly synced: number | null;
  readonly snapshot: string;
}

type Persisted = Record<string, unknown>;

/** The rows of a tree as XState nests them. A reference becomes the marker that XState writes, with the actor's id. */
function assemble(reader: Database.Database, tree: string): Persisted {
  const rows = reader
    .prepare('select * from actors where tree = (select tree from trees where name = ?) order by id')
    .all(tree) as Row[];
  const keys = new Map(rows.map(({ id, key }) => [id, key]));
  const refs = { refOf: (id: number) => ({ ref: true, id: keys.get(id) ?? 'gone' }) } as unknown as Refs;
  const nested = new Map<number, Persisted>();
  for (const { id, parent, key, src, system_id, synced, snapshot } of rows) {
    const own = decode(snapshot, refs) as Persisted;
    nested.set(id, own);
    if (parent === null) continue;
    const siblings = ((nested.get(parent) as Persisted)['children'] ??= {}) as Persisted;
    siblings[key] = { snapshot: own, src, systemId: system_id, syncSnapshot: synced === null ? null : synced === 1 };
  }
  return nested.get((rows[0] as Row).id) as Persisted;
}

// The development build warns of every event to an actor that has ended; walks do that all the time.
beforeAll(() => void vi.spyOn(console, 'warn').mockImplementation(() => {}));

/** What XState writes in the place of a reference. The data of the machine that looks like one has the id `looks`. */
function isMarker(value: object): value is { id: string } {
  return 'ref' in value || ('xstate$$type' in value && (value as { id?: string }).id !== 'looks');
}

const OPTIONAL = new Set(['output', 'error', 'input', 'systemId', 'syncSnapshot']);

/**
 * The same shape from either side: what is absent, `undefined` or an empty `children` is the same. `last` may point to an
 * actor that is gone, for which XState writes the id of whoever has it now; the model test looks at that one.
 */
function normal(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date || ArrayBuffer.isView(value)) return value;
  if (isActorRef(value) || isMarker(value)) return { actor: value.id };
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [normal(key), normal(item)]));
  if (value instanceof Set) return new Set([...value].map(normal));
  if (Array.isArray(value)) return value.map(normal);
  const entries = Object.entries(value).filter(
    ([key, item]) =>
      key !== 'last' &&
      !(OPTIONAL.has(key) && (item === undefined || item === null)) &&
      !(key === 'children' && Object.keys(item as object).length === 0),
  );
  return Object.fromEntries(entries.map(([key, item]) => [key, normal(item)]));
}

test(
  'property: the rows of a committed tree are the persisted snapshot of that tree',
  { timeout: 120_000 },
  async () => {
    const store = quickStore();
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...richEvents) },
      { weight: 2, arbitrary: fc.integer({ min: 1, max: 60 }) },
      { weight: 1, arbitrary: fc.constant('crash' as const) },
    );
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 20 }), async (walk) => {
        const id = `run-${(run += 1)}`;
        const clock = new SimulatedClock(1_000_000);
        const open = () => createDurableActor(richMachine, { store, id, clock, durability: 'process-crash' });
        let durable = await open();
        const reader = new Database(store, { readonly: true });
        try {
          for (const one of walk) {
            if (one === 'crash') {
              crash(durable);
              durable = await open();
            } else if (typeof one === 'number') await clock.advance(one);
            else await durable.send(one);
            await new Promise((resolve) => setImmediate(resolve));
            durable.store.flush();
            expect(normal(assemble(reader, id))).toEqual(normal(durable.actor.getPersistedSnapshot()));
          }
        } finally {
          reader.close();
          await durable.close();
        }
      }),
      { numRuns: 400 },
    );
  },
);
