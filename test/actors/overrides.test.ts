import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { tempStore } from '../support/temp.ts';

const undone: string[] = [];
const actions = {
  fail: defineAction({
    run: (_: { id: string }): string => {
      throw new Error('no');
    },
    fallback: ({ id }, { fallback }) => {
      if (fallback === 'broken') throw new Error('broken too');
      return `${fallback} of ${id}`;
    },
    undo: ({ id }) => undone.push(id),
  }),
  named: defineAction({
    run: (_: object): string => {
      throw new Error('no');
    },
    fallback: { only: { run: () => 'only' } },
  }),
  risky: defineAction({ run: (_: object) => 'done', impact: 'critical', reversible: false }),
};

test('a submission names its own fallbacks, which one function carries out, the least loss first', async () => {
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions });
  const fallback = { worse: { qualityLoss: 0.7, owes: true }, broken: { qualityLoss: 0.1 }, better: {} };
  expect(await supervisor.execute('fail', { id: 'a' }, { fallback })).toMatchObject({
    kind: 'degraded',
    via: 'better',
    qualityLoss: 0.5,
    value: 'better of a',
  });
  expect(await supervisor.execute('fail', { id: 'b' })).toMatchObject({ via: 'fallback', value: 'fallback of b' });
  expect(await supervisor.execute('fail', { id: 'c' }, { fallback: {} })).toMatchObject({ kind: 'failed' });
});

test('a fallback that nobody could carry out is refused before anything runs', async () => {
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions });
  await expect(supervisor.submit('named', {}, { fallback: { other: {} } })).rejects.toMatchObject({
    code: 'OPTIONS_INVALID',
    message: 'The fallback "other": neither the action nor its component has it.',
  });
  await expect(supervisor.submit('fail', { id: 'a' }, { fallback: { a: { qualityLoss: 2 } } })).rejects.toMatchObject({
    code: 'OPTIONS_INVALID',
    message: 'The fallback "a": qualityLoss must be a number from 0 to 1, got 2.',
  });
});

test('a submission that is not to be undone is not', async () => {
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions });
  undone.length = 0;
  const kept = await supervisor.execute('fail', { id: 'kept' }, { undo: false, fallback: false });
  expect(kept).not.toHaveProperty('undo');
  expect(await supervisor.execute('fail', { id: 'undone' }, { fallback: false })).toMatchObject({ undo: 'done' });
  expect(undone).toEqual(['undone']);
});

test('what people said to one subject is not held against another of the same action', async () => {
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions });
  const ask = async (id: string, subject: string) => {
    const handle = await supervisor.submit('risky', {}, { id, subject });
    await supervisor.pause();
    await supervisor.resume();
    return handle;
  };
  const first = await ask('a1', 'a');
  await supervisor.deny('a1');
  expect(await first.outcome).toMatchObject({ kind: 'denied', startedAt: null, workMs: 0 });
  await ask('a2', 'a');
  await ask('b1', 'b');
  const [again, other] = supervisor.approvals();
  expect(again).toMatchObject({ name: 'a', risk: { factors: { verdicts: expect.any(Number) as number } } });
  expect(other).toMatchObject({ name: 'b' });
  expect(other?.risk.factors).not.toHaveProperty('verdicts');
});

test('an optional step of a plan waits as an optional action', async () => {
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions });
  await supervisor.pause();
  await supervisor.plan({
    id: 'p',
    steps: [
      { id: 'must', action: 'named', input: {} },
      { id: 'may', action: 'named', input: {}, optional: true },
    ],
  });
  const { rows } = supervisor.durable.store;
  expect(rows.all('select id, optional from actions order by id')).toEqual([
    { id: 'p/may', optional: 1 },
    { id: 'p/must', optional: 0 },
  ]);
});

test('a component that only submissions have fallbacks for is degraded, not down, when its circuit opens', async () => {
  await using supervisor = await spawnSupervisor({
    store: tempStore(),
    actions,
    components: { db: { breaker: { window: 1, minCalls: 1 }, fallbackLoss: 0.2 } },
  });
  const changed = new Promise((resolve) => supervisor.on('component.changed', resolve));
  await supervisor.execute('fail', { id: 'a' }, { component: 'db' });
  expect(await changed).toMatchObject({ name: 'db', status: 'degraded', loss: 0.2 });
});
