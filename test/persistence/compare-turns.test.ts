/** What differs between two kept turns. */
import { assign, enqueueActions, setup, stopChild } from 'xstate';
import { expect, test } from 'vitest';
import fc from 'fast-check';
import type { TurnDifference } from '../../persistence/compare-turns.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { at, differences } from '../../persistence/json-difference.ts';
import { redaction } from '../../persistence/redaction.ts';
import { quickStore } from '../support/temp.ts';

async function all(found: AsyncIterable<TurnDifference>): Promise<TurnDifference[]> {
  const differing = [];
  for await (const one of found) differing.push(one);
  return differing;
}

const kid = setup({ types: {} as { context: { n: number } } }).createMachine({
  id: 'kid',
  context: { n: 0 },
  on: { count: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
});

const house = setup({
  types: {} as {
    context: { values: Record<string, unknown> };
    events:
      { type: 'put'; values: Record<string, unknown> } | { type: 'spawn'; id: string } | { type: 'stop'; id: string };
  },
  actors: { kid },
}).createMachine({
  id: 'house',
  context: { values: {} },
  on: {
    put: { actions: assign({ values: ({ context, event }) => ({ ...context.values, ...event.values }) }) },
    spawn: { actions: enqueueActions(({ enqueue, event }) => enqueue.spawnChild('kid', { id: event.id })) },
    stop: { actions: stopChild(({ event }) => event.id) },
  },
});

const open = () => createDurableActor(house, { store: quickStore(), history: true });

test('tells actors that came, went and changed, with the places and both values', async () => {
  await using durable = await open();
  await durable.send({ type: 'spawn', id: 'bart' });
  await durable.send({ type: 'spawn', id: 'lisa' });
  const { turn: a } = await durable.send({ type: 'put', values: { 'a/b~c': [1, { deep: true }], gone: 1 } });
  await durable.send({ type: 'count' } as never, { to: 'lisa' });
  await durable.send({ type: 'stop', id: 'bart' });
  await durable.send({ type: 'spawn', id: 'maggie' });
  const { turn: b } = await durable.send({
    type: 'put',
    values: { 'a/b~c': [1, { deep: false }, 2], gone: undefined },
  });
  const forth = await all(durable.compare(a, b));
  expect(forth).toEqual([
    {
      kind: 'actor',
      change: 'changed',
      actor: 'main',
      more: 0,
      paths: [
        { path: '/context/values/a~1b~0c/1/deep', before: true, after: false },
        { path: '/context/values/a~1b~0c/2', after: 2 },
        { path: '/context/values/gone', before: 1, after: { $perdure: 'undefined', value: null } },
      ],
    },
    { kind: 'actor', change: 'removed', actor: 'bart', paths: [], more: 0 },
    { kind: 'actor', change: 'changed', actor: 'lisa', more: 0, paths: [{ path: '/context/n', before: 0, after: 1 }] },
    { kind: 'actor', change: 'added', actor: 'maggie', paths: [], more: 0 },
  ]);
  const back = await all(durable.compare(b, a));
  expect(back.map((one) => one.kind === 'actor' && [one.actor, one.change])).toEqual([
    ['main', 'changed'],
    ['bart', 'added'],
    ['lisa', 'changed'],
    ['maggie', 'removed'],
  ]);
  expect(await all(durable.compare(a, a))).toEqual([]);
  expect(await all(durable.compare(b))).toEqual([]);
});

test('tells of each table how many rows differ, and the first keys of each', async () => {
  await using durable = await open();
  const { store } = durable;
  store.declare([
    { name: 'notes', key: 'page', columns: ['page text primary key', 'words integer not null'] },
    { name: 'pairs', key: 'a, b', columns: ['a text not null', 'b integer not null', 'c real'] },
    { name: 'learned', key: 'page', columns: ['page text primary key'], rolledBack: false },
  ]);
  const { rows } = store;
  const note = (page: string, words: number) =>
    rows.run(
      'insert into notes values (?, ?, ?) on conflict do update set words = excluded.words, from_turn = excluded.from_turn',
      page,
      words,
      rows.turn,
    );
  for (const page of ['same', 'rewritten', 'changed', 'removed']) note(page, 1);
  rows.run('insert into pairs values (?, ?, ?, ?)', 'x', 1, null, rows.turn);
  const { turn: a } = await durable.send({ type: 'put', values: {} });
  note('rewritten', 1);
  note('changed', 2);
  rows.run(`delete from notes where page = 'removed'`);
  for (let n = 0; n < 150; n++) note(`new ${String(n).padStart(3, '0')}`, n);
  rows.run('update pairs set c = 0.5, from_turn = ?', rows.turn);
  rows.run(`insert into learned values ('a', ?)`, rows.turn);
  const { turn: b } = await durable.send({ type: 'put', values: {} });
  const found = await all(durable.compare(a, b));
  expect(found.map((one) => (one.kind === 'table' ? { ...one, keys: undefined } : one))).toEqual([
    { kind: 'table', table: 'notes', added: 150, removed: 1, changed: 1 },
    { kind: 'table', table: 'pairs', added: 0, removed: 0, changed: 1 },
  ]);
  const [notes, pairs] = found as Extract<TurnDifference, { kind: 'table' }>[];
  expect(notes?.keys.added).toHaveLength(100);
  expect(notes?.keys).toMatchObject({ removed: ['removed'], changed: ['changed'] });
  expect(pairs?.keys.changed).toEqual(['["x",1]']);
});

test('shows no secret, and no more than a little of what is long', async () => {
  await using durable = await open();
  const { turn: a } = await durable.send({ type: 'put', values: { password: 'swordfish' } });
  const many = Object.fromEntries(Array.from({ length: 150 }, (_, n) => [`k${n}`, n]));
  const { turn: b } = await durable.send({
    type: 'put',
    values: { password: 'marlin', long: 'x'.repeat(1e6), ...many },
  });
  const [found] = await all(durable.compare(a, b));
  const text = JSON.stringify(found);
  expect(text).not.toMatch(/swordfish|marlin/);
  expect(text).toContain('/context/values/password');
  expect(text.length).toBeLessThan(20_000);
  expect(found).toMatchObject({ more: 52 });
});

test('shows no secret of maps, errors, sets and lists, nor of what is around them', async () => {
  const state = (n: number) => ({
    map: new Map<string, unknown>([
      ['password', `hush map ${n}`],
      ['n', n],
    ]),
    error: Object.assign(new Error('no way in'), { token: `hush error ${n}`, n }),
    set: new Set([{ secret: `hush set ${n}`, n }]),
    list: [{ apiKey: { deep: `hush list ${n}` } }],
    dictionary: Object.assign(Object.create(null) as object, { authorization: `hush dictionary ${n}`, n }),
    when: new Date(n),
    nothing: n === 1 ? undefined : n,
  });
  await using durable = await open();
  await durable.send({ type: 'spawn', id: 'bart' });
  const { turn: a } = await durable.send({ type: 'put', values: state(1) });
  const { turn: b } = await durable.send({ type: 'put', values: { ...state(2), token: { deep: 'hush' } } });
  const [found] = await all(durable.compare(a, b));
  const text = JSON.stringify(found);
  expect(text).not.toContain('hush');
  const { paths } = found as Extract<TurnDifference, { kind: 'actor' }>;
  const shown = Object.fromEntries(paths.map(({ path, before, after }) => [path.slice(16), [before, after]]));
  expect(shown).toMatchObject({
    'map/value/0/1': ['[redacted]', '[redacted]'],
    'map/value/1/1': [1, 2],
    'error/value/own/0/1': ['[redacted]', '[redacted]'],
    'error/value/own/1/1': [1, 2],
    'set/value/0/secret': ['[redacted]', '[redacted]'],
    'list/0/apiKey/deep': ['[redacted]', '[redacted]'],
    'dictionary/value/0/1': ['[redacted]', '[redacted]'],
    'when/value': [1, 2],
    token: [undefined, '[redacted]'],
  });
});

test('what the rules of a host make of a state is shown in its place, and nothing where they make nothing of it', async () => {
  const path = quickStore();
  const redact = redaction({
    patterns: [/sk_\w+/],
    paths: ['context.values.card.number'],
    replace: ([...at], value) => (at.at(-1) === 'odd' ? () => {} : value),
  });
  await using durable = await createDurableActor(house, { store: path, redact, history: true });
  const values = (n: number) => ({ [`sk_${n}`]: n, card: { number: `${n}` }, text: `is sk_${n}x${n}`, odd: n });
  const { turn: a } = await durable.send({ type: 'put', values: { ...values(1), sk_2: 0 } });
  const { turn: b } = await durable.send({ type: 'put', values: values(2) });
  const [found] = await all(durable.compare(a, b));
  expect(JSON.stringify(found)).not.toMatch(/sk_/);
  expect((found as Extract<TurnDifference, { kind: 'actor' }>).paths).toEqual(
    expect.arrayContaining([
      { path: '/context/values/card/number', before: '[redacted]', after: '[redacted]' },
      { path: '/context/values/text', before: 'is [redacted]', after: 'is [redacted]' },
      { path: '/context/values/odd', before: '[function ]', after: '[function ]' },
    ]),
  );
});

test('of a state of which nothing can be shown nothing is', async () => {
  const store = quickStore();
  await using durable = await createDurableActor(house, { store, redact: () => new WeakMap(), history: true });
  const { turn } = await durable.send({ type: 'put', values: { n: 'one' } });
  await durable.send({ type: 'put', values: { n: 'two' } });
  const hidden = { path: '[redacted]', before: '[redacted]', after: '[redacted]' };
  expect(await all(durable.compare(turn))).toMatchObject([{ paths: [hidden] }]);
});

test('a turn that is not kept is refused', async () => {
  await using durable = await open();
  const { turn } = await durable.send({ type: 'put', values: {} });
  await expect(all(durable.compare(turn, 99))).rejects.toMatchObject({ code: 'CHECKPOINT_UNKNOWN' });
  await expect(all(durable.compare(0, turn))).rejects.toMatchObject({ code: 'CHECKPOINT_UNKNOWN' });
});

test('property: what two values differ in is exactly what has to be put in the one to make it the other', () =>
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (before, after) => {
      const found = [...differences(before, after)];
      for (const one of found) {
        expect(at(before, one.path)).toEqual(one.before);
        expect(at(after, one.path)).toEqual(one.after);
      }
      expect([...differences(before, structuredClone(before))]).toEqual([]);
      if (found.length === 0) expect(JSON.stringify(before)).toBe(JSON.stringify(after));
    }),
  ));
