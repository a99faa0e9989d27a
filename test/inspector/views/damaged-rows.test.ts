/** A row that was damaged hides no other: no view fails of it, here and from beside, and what is sound is still told. */
import Database from 'better-sqlite3';
import { copyFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { liveSource } from '../../../inspector/sources/live-source.ts';
import type { Source } from '../../../inspector/sources/source.ts';
import { storeSource } from '../../../inspector/sources/store-source.ts';
import { openInspected, populate } from '../../support/inspected.ts';
import { quickStore } from '../../support/temp.ts';

/** Columns with a text that something else is made of, and one row of each. */
const PLACES = [
  ['actions', 'error', `id = 'dead'`],
  ['actions', 'error', `id = 'backing-off'`],
  ['actions', 'input', `id = 'asking'`],
  ['actions', 'input', `id = 'delayed'`],
  ['actions', 'value', `id = 'one'`],
  ['actions', 'policy', `id = 'runs'`],
  ['steps', 'after', `id = 'build:1/b'`],
  ['steps', 'input', `id = 'build:1/b'`],
  ['approvals', 'risk', `state = 'open'`],
  ['approvals', 'summary', `state = 'open'`],
  ['schedules', 'template', `id = 'yearly'`],
  ['schedules', 'timing', `id = 'yearly'`],
  ['turns', 'causes', 'turn = (select max(turn) from turns)'],
  ['turns', 'changed', 'turn = (select max(turn) from turns)'],
  ['timers', 'event', 'true'],
  ['actors', 'snapshot', `key like 'slot.%'`],
  ['actors', 'snapshot', `key = 'executor'`],
  ['actors', 'snapshot', `key = 'budget'`],
  ['actors', 'snapshot', `key = 'profiler'`],
  ['actors', 'snapshot', `parent is null`],
] as const;

const TEXTS = ['{bad', 'null', '{"context":{}}', '7', 'x'];

const damages = PLACES.flatMap(([table, column, where]) =>
  TEXTS.map((text) => ({
    what: `${table}.${column} where ${where} is ${text}`,
    sql: `update ${table} set "${column}" = '${text}' where ${where}`,
  })),
);

function queries(turn: string): readonly (readonly [string, Record<string, string>])[] {
  return [
    ['overview', {}],
    ['work', {}],
    ['work', { state: 'failed' }],
    ...['dead', 'backing-off', 'asking', 'delayed', 'one', 'runs'].map((id) => ['action', { id }] as const),
    ['plans', {}],
    ['plan', { id: 'build:1' }],
    ['timeline', {}],
    ['approvals', {}],
    ['checkpoints', {}],
    ['profile', {}],
    ['trace', {}],
    ['resources', {}],
    ['budget', {}],
    ['dead-letters', {}],
    ['schedules', {}],
    ['past', { turn }],
    ['past-work', { turn }],
    ['compare', { a: turn }],
  ];
}

/** How many rows there are of everything: none of them may be lost. */
async function told(source: Source, turn: string): Promise<unknown> {
  const view = async (name: string, query: Record<string, string> = {}) =>
    (await source.view(name, new URLSearchParams(query))) as Record<string, readonly unknown[]>;
  for (const [name, query] of queries(turn)) await view(name, query);
  const turns: number[] = [];
  for await (const record of source.history()) if (record.kind === 'turn') turns.push(record.turn);
  source.subscribe({ records: () => {}, committed: () => {} }).unsubscribe();
  const registry = source.registry();
  for (const id of ['main', 'main/executor', 'main/tracks', 'main/budget']) source.actor(id);
  const [overview, work, plan, approvals] = [
    await view('overview'),
    await view('work'),
    await view('plan', { id: 'build:1' }),
    await view('approvals'),
  ];
  return {
    failed: overview['failed']?.length,
    work: work['items']?.length,
    steps: plan['graph']?.length,
    open: approvals['open']?.length,
    dead: (await view('dead-letters'))['items']?.length,
    schedules: (await view('schedules'))['items']?.length,
    past: (await view('past', { turn }))['actors']?.length,
    pastWork: (await view('past-work', { turn }))['items']?.length,
    turns: source.capabilities.live ? turns.length >= Number(turn) : turns.length,
    actors: registry.length > 0,
  };
}

async function populated() {
  const path = quickStore();
  const supervisor = await openInspected(path);
  await populate(supervisor);
  const turn = await supervisor.checkpoint('all of it');
  return { path, supervisor, turn };
}

test('one damaged row hides nothing else, from beside', async () => {
  const { path, supervisor, turn } = await populated();
  await supervisor.close();
  const sound = storeSource(path);
  const expected = await told(sound, turn);
  await sound.close();
  for (const { what, sql } of damages) {
    const copy = quickStore();
    copyFileSync(path, copy);
    const db = new Database(copy);
    expect(db.prepare(sql).run().changes, what).toBeGreaterThan(0);
    db.close();
    const source = storeSource(copy);
    await expect(told(source, turn), what).resolves.toEqual(expected);
    await source.close();
  }
});

test('damaged rows hide nothing else in the process of their supervisor', async () => {
  const { supervisor, turn } = await populated();
  const { store } = supervisor.durable;
  onTestFinished(() => supervisor.close());
  const source = liveSource(supervisor);
  const expected = await told(source, turn);
  for (const { what, sql } of damages) {
    store.commits.statements.of(sql).run();
    await expect(told(source, turn), what).resolves.toEqual(expected);
  }
  await source.close();
});

test('what cannot be read is said to be unreadable, with its id, and the overview names the subsystems of which it was', async () => {
  const { path, supervisor, turn } = await populated();
  await supervisor.close();
  const db = new Database(path);
  db.exec(`
    update actions set error = '{bad' where id = 'dead';
    update actions set input = '{bad' where id = 'asking';
    update steps set after = '{bad' where id = 'build:1/b';
    update actors set snapshot = '{bad' where key in ('executor', 'checkpoint');
    update turns set causes = '{bad' where turn = (select max(turn) from turns);
  `);
  db.close();
  const source = storeSource(path);
  onTestFinished(() => source.close());
  const view = (name: string, query: Record<string, string> = {}) => source.view(name, new URLSearchParams(query));
  expect(view('overview')).toMatchObject({ unreadable: ['executor'], state: 'unknown', slots: 0 });
  expect(view('dead-letters')).toMatchObject({
    items: [{ id: 'dead', error: { message: '[unreadable]' } }, { error: { message: 'no 3' } }],
  });
  expect(view('action', { id: 'dead' })).toMatchObject({ error: '[unreadable]', errorRecord: '[unreadable]' });
  expect(view('approvals')).toMatchObject({ open: [{ action: 'asking', input: '[unreadable]' }] });
  expect(view('plan', { id: 'build:1' })).toMatchObject({
    graph: [{ id: 'a' }, { id: 'b', after: [], isUnreadable: true }, { id: 'c', after: ['a'] }, { id: 'd' }],
  });
  expect(source.actor('main/executor')).toMatchObject({ value: '[unreadable]', context: '[unreadable]' });
  source.subscribe({ records: () => {}, committed: () => {} }).unsubscribe();
  expect(source.recordsFrom(0).records.at(-1)).toMatchObject({ kind: 'turn', causes: [{ kind: '[unreadable]' }] });
  const unreadable = { kind: 'actor', actor: 'checkpoint', paths: [{ path: '', before: '', after: '[unreadable]' }] };
  expect(await view('compare', { a: turn })).toMatchObject({
    differences: expect.arrayContaining([expect.objectContaining(unreadable)]) as unknown,
  });
});
