/** Hostile names and hostile files: what is inside of a text is never SQL, a path or a prototype, and no file is believed. */
import Database from 'better-sqlite3';
import { copyFileSync, readFileSync, truncateSync } from 'node:fs';
import { assign, enqueueActions, setup } from 'xstate';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checksumOf, seedOf, type ActorRow } from '../../persistence/actor-rows.ts';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import type { DurableActor } from '../../persistence/durable.ts';
import { quickStore, tempStore } from '../support/temp.ts';

const kid = setup({
  types: {} as { context: { heard: string[] }; events: { type: string } },
}).createMachine({
  id: 'kid',
  context: { heard: [] },
  on: { '*': { actions: assign({ heard: ({ context, event }) => [...context.heard, event.type] }) } },
});

/** Does with a name whatever can be done with one: a child, a systemId, an event type, a state and a key of the context. */
const house = setup({
  types: {} as {
    context: { heard: string[]; byName: Record<string, string> };
    events: { type: 'spawn'; id: string; systemId: string } | { type: 'key'; key: string } | { type: string };
  },
  actors: { kid },
}).createMachine({
  id: 'house',
  context: { heard: [], byName: {} },
  on: {
    spawn: {
      actions: enqueueActions(({ enqueue, event }) => {
        const { id, systemId } = event as { id: string; systemId: string };
        enqueue.spawnChild('kid', { id, systemId });
      }),
    },
    key: {
      actions: assign({
        byName: ({ context, event }) => {
          const { key } = event as { key: string };
          return Object.fromEntries([...Object.entries(context.byName), [key, key]]);
        },
      }),
    },
    '*': { actions: assign({ heard: ({ context, event }) => [...context.heard, event.type] }) },
  },
});

const HOSTILE = [
  `'; drop table actors; --`,
  `"; delete from trees where 1=1; --`,
  `x' or '1'='1`,
  '%',
  '?1',
  ':name',
  '\0',
  'before\0after',
  '\n\r\t\u2028',
  '../../etc/passwd',
  '$perdure',
  '{"$perdure":"undefined","value":null}',
  'xstate.init',
  'xstate$$type',
  'constructor',
  'toString',
  'hasOwnProperty',
  '#_parent',
  '\ud83d\ude00',
  'e\u0301',
  'x'.repeat(10_000),
  `'"\0`.repeat(3_333),
];

type House = DurableActor<typeof house>;

interface Names {
  readonly tree: string;
  readonly child: string;
  readonly systemId: string;
  readonly type: string;
  readonly message: string;
  readonly key: string;
}

/** Two lives of a tree that is made of these names, the first of which ends at once. */
async function live(store: string, names: Names): Promise<void> {
  const first = await createDurableActor(house, { store, id: names.tree });
  try {
    await begin(first, names);
  } finally {
    crash(first);
  }
  const second = await createDurableActor(house, { store, id: names.tree });
  try {
    expect(second.resumed?.actors).toBe(2);
    await goOn(second, names);
  } finally {
    await second.close();
  }
}

async function begin(durable: House, { child, systemId, type, message, key }: Names): Promise<void> {
  await durable.send({ type: 'spawn', id: child, systemId });
  await durable.send({ type: 'key', key });
  await durable.send({ type }, { id: message });
  await durable.send({ type }, { to: systemId });
}

async function goOn(durable: House, { child, systemId, type, message, key }: Names): Promise<void> {
  expect(await durable.send({ type }, { id: message })).toMatchObject({ applied: false });
  const { children, context } = durable.getSnapshot();
  expect(context.heard).toEqual([type]);
  expect(Object.entries(context.byName)).toEqual([[key, key]]);
  expect(children[child]?.getSnapshot().context.heard).toEqual([type]);
  expect(durable.actor.system.get(systemId)).toBe(children[child]);
}

function tablesOf(path: string): unknown {
  const db = new Database(path, { readonly: true });
  try {
    return db.prepare('select type, name, sql from sqlite_schema order by name').all();
  } finally {
    db.close();
  }
}

test('a hostile name is a name, in every place, also after a crash: tree, child, systemId, event, message, key', async () => {
  const path = quickStore();
  await live(path, { tree: 'm', child: 'c', systemId: 's', type: 't', message: 'm', key: 'k' });
  const tables = tablesOf(path);
  for (const name of HOSTILE) {
    const type = name.startsWith('xstate.') ? 'plain' : name;
    await live(path, { tree: name, child: name, systemId: name, type, message: name, key: name });
  }
  expect(tablesOf(path)).toEqual(tables);
});

test('property: no two names are confused, whatever they are made of', async () => {
  const name = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 8 })
    .filter(
      (text) => !/\p{Surrogate}/u.test(text) && !/^(xstate\.|__proto__|spawn|key|runtime\.|undefined)/.test(text),
    );
  const names = fc.record({ tree: name, child: name, systemId: name, type: name, message: name, key: name });
  await fc.assert(
    fc.asyncProperty(names, (all) => live(quickStore(), all)),
    { numRuns: 60 },
  );
});

test.each<[keyof Names, string]>([
  ['child', '\ud800'],
  ['child', '__proto__'],
  ['systemId', 'x\udfff'],
  ['message', '\ud800'],
])('what cannot be kept whole is refused: %s %j', async (place, name) => {
  const names = { tree: 'm', child: 'c', systemId: 's', type: 't', message: 'm', key: 'k' };
  const path = tempStore();
  await expect(live(path, { ...names, [place]: name })).rejects.toMatchObject({
    code: expect.stringMatching(/^[A-Z_]+$/),
  });
  await live(path, { ...names, tree: 'other' });
});

test('half of a surrogate pair, in a key, a value and an event type, comes back as it was', async () => {
  const names = { tree: 'm', child: 'c', systemId: 's', message: 'm' };
  await live(tempStore(), { ...names, type: 'half \ud800', key: '\udfff' });
});

test('an own __proto__ in an event is data in the context, and no prototype, also after a crash', async () => {
  const names = { tree: 'm', child: 'c', systemId: 's', type: 't', message: 'm', key: '__proto__' };
  await live(tempStore(), names);
  expect(({} as { heard?: unknown }).heard).toBeUndefined();
});

test('states named like properties of every object are states', async () => {
  const names = ['constructor', 'toString', 'hasOwnProperty', 'valueOf'];
  const machine = setup({}).createMachine({
    id: 'm',
    initial: 'constructor',
    states: Object.fromEntries(names.map((name, index) => [name, { on: { next: names[(index + 1) % names.length] } }])),
  } as never);
  const path = tempStore();
  for (const [index] of names.entries()) {
    const durable = await createDurableActor(machine, { store: path });
    expect(durable.getSnapshot().value).toBe(names[index]);
    await durable.send({ type: 'next' } as never);
    crash(durable);
  }
});

test('a context of 50 MB refuses its turn with the actor, the size and the limit; the turns beside it are kept', async () => {
  const machine = setup({
    types: {} as { context: { n: number; log: string }; events: { type: 'count' } | { type: 'log'; bytes: number } },
  }).createMachine({
    id: 'm',
    context: { n: 0, log: '' },
    on: {
      count: { actions: assign({ n: ({ context }) => context.n + 1 }) },
      log: { actions: assign({ log: ({ event }) => 'x'.repeat(event.bytes) }) },
    },
  });
  const store = tempStore();
  const first = await createDurableActor(machine, { store });
  const sends = [
    first.send({ type: 'count' }),
    first.send({ type: 'log', bytes: 50_000_000 }),
    first.send({ type: 'count' }),
  ];
  const [, refused] = await Promise.allSettled(sends);
  expect(refused).toMatchObject({
    reason: { code: 'CODEC_REFUSED', facts: { where: 'the actor "main"', maxBytes: 16_777_216 } },
  });
  await first.send({ type: 'log', bytes: 10_000_000 });
  crash(first);
  const second = await createDurableActor(machine, { store });
  expect(second.getSnapshot().context).toEqual({ n: 2, log: 'x'.repeat(10_000_000) });
  await second.close();
});

// Hostile files.

/** A store with one actor that counted, closed. */
async function stored(): Promise<string> {
  const path = tempStore();
  await live(path, { tree: 'main', child: 'c', systemId: 's', type: 't', message: 'm', key: 'k' });
  return path;
}

/** Opens the store, and says with which code it was refused. */
async function refusal(path: string): Promise<unknown> {
  try {
    await (await createDurableActor(house, { store: path })).close();
    return 'opened';
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

test('a store that was cut off, at any page, is refused by name or comes back, and is not changed by being refused', async () => {
  const whole = await stored();
  const size = readFileSync(whole).length;
  let refusals = 0;
  for (let end = size - 4_096; end > 0; end -= 4_096) {
    const path = tempStore();
    copyFileSync(whole, path);
    truncateSync(path, end);
    const before = readFileSync(path);
    const found = await refusal(path);
    if (found === 'opened') continue;
    expect(found).toMatch(/^(STORE_|ROW_CORRUPT)/);
    expect(readFileSync(path).equals(before)).toBe(true);
    refusals += 1;
  }
  expect(refusals).toBeGreaterThan(0);
});

/** Forges the state of the root with a checksum that is right. */
function forge(path: string, snapshot: string): void {
  const db = new Database(path);
  const row = db.prepare('select * from actors where parent is null').get() as ActorRow;
  const checksum = checksumOf(snapshot, seedOf(row), row.attempt, row.from_turn);
  db.prepare('update actors set snapshot = ?, checksum = ? where id = ?').run(snapshot, checksum, row.id);
  db.close();
}

const active = (context: string) => `{"status":"active","value":{},"historyValue":{},"context":${context}}`;

test.each<[string, string]>([
  ['a list', '[]'],
  ['null', 'null'],
  ['a status that is none', '{"status":"constructor","context":{}}'],
  ['an unknown tag', active('{"a":{"$perdure":"eval","value":"1"}}')],
  ['a map that is none', active('{"a":{"$perdure":"map","value":7}}')],
])('a row that was forged with the right checksum is refused by name: %s', async (_, snapshot) => {
  const path = await stored();
  forge(path, snapshot);
  expect(await refusal(path)).toMatch(/^(ROW_CORRUPT|SNAPSHOT_INVALID)$/);
  expect(({} as { map?: unknown }).map).toBeUndefined();
});
