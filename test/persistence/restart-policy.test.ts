/** What becomes of an effect that was running when its process ended, and how its host hears of it. */
import { assign, fromPromise, setup } from 'xstate';
import { expect, test } from 'vitest';
import { PerdureError } from '../../errors.ts';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { effectOf, type EffectIdentity } from '../../persistence/effects.ts';
import { Store } from '../../persistence/store.ts';
import { onRestart, type RestartPolicy } from '../../persistence/xstate-port.ts';
import { quickStore } from '../support/temp.ts';
import { settle, until } from '../support/turns.ts';

/** A machine that pays, and every start of its effect. */
function paying(policy: RestartPolicy) {
  const starts: EffectIdentity[] = [];
  let finish = () => {};
  const pay = onRestart(
    policy,
    fromPromise(({ self }) => {
      starts.push(effectOf(self) as EffectIdentity);
      return new Promise((resolve) => (finish = () => resolve('paid')));
    }),
  );
  const machine = setup({
    types: {} as { context: { code?: string | undefined; box?: unknown } },
    actors: { pay },
  }).createMachine({
    id: 'paying',
    context: {},
    initial: 'paying',
    on: { bad: { actions: assign({ box: () => () => 1 }) } },
    states: {
      paying: {
        invoke: {
          src: 'pay',
          id: 'pay',
          onDone: 'paid',
          onError: {
            target: 'unclear',
            actions: assign({ code: ({ event }) => (event.error as { code: string }).code }),
          },
        },
        on: { abandon: 'abandoned' },
      },
      paid: {},
      unclear: {},
      abandoned: {},
    },
  });
  return { machine, starts, finish: () => finish() };
}

const incidents = (store: Pick<Store, 'rows' | 'flush'>) => {
  store.flush();
  return store.rows.all<{ kind: string; actor: string; detail: string }>('select kind, actor, detail from incidents');
};

test.each(['crash', 'close'] as const)(
  'rerun: runs again after a %s, as another attempt under the same key',
  async (end) => {
    const store = quickStore();
    const { machine, starts, finish } = paying('rerun');
    const a = await createDurableActor(machine, { store });
    await until(() => starts.length === 1);
    if (end === 'crash') crash(a);
    else await a.close();
    await using b = await createDurableActor(machine, { store });
    await until(() => starts.length === 2);
    expect(starts.map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(starts[0]?.key).toBe(starts[1]?.key);
    expect([b.interrupted, incidents(b.store)]).toEqual([[], []]);
    finish();
    await b.waitFor(({ value }) => value === 'paid');
  },
);

test.each(['crash', 'close'] as const)('fail: fails with EFFECT_INTERRUPTED after a %s, and says so', async (end) => {
  const store = quickStore();
  const { machine, starts } = paying('fail');
  const a = await createDurableActor(machine, { store });
  await until(() => starts.length === 1);
  if (end === 'crash') crash(a);
  else await a.close();
  await using b = await createDurableActor(machine, { store });
  expect(b.getSnapshot()).toMatchObject({ value: 'unclear', context: { code: 'EFFECT_INTERRUPTED' } });
  expect(starts).toHaveLength(1);
  expect(incidents(b.store)).toMatchObject([
    { kind: 'effect.interrupted', actor: 'pay', detail: expect.stringMatching(/"main".*attempt 1.*fails/) },
  ]);
});

test.each(['crash', 'close'] as const)(
  'ask: waits for a decision after a %s, however often, and reruns as the next attempt',
  async (end) => {
    const store = quickStore();
    const { machine, starts, finish } = paying('ask');
    let a = await createDurableActor(machine, { store });
    await until(() => starts.length === 1);
    for (let life = 0; life < 3; life++) {
      if (end === 'crash') crash(a);
      else await a.close();
      a = await createDurableActor(machine, { store });
      await settle();
      expect(a.interrupted).toEqual(['pay']);
      expect([starts.length, a.getSnapshot().value]).toEqual([1, 'paying']);
      // The same thing is not told again by every restart.
      expect(incidents(a.store)).toHaveLength(1);
    }
    await expect(a.decide('nobody', 'rerun')).rejects.toMatchObject({ code: 'ACTOR_NOT_FOUND' });
    expect(await a.decide('pay', 'rerun')).toEqual({ turn: expect.any(Number), applied: true });
    await until(() => starts.length === 2);
    expect(starts.map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(starts[0]?.key).toBe(starts[1]?.key);
    expect(a.interrupted).toEqual([]);
    await expect(a.decide('pay', 'fail')).rejects.toMatchObject({ code: 'ACTOR_NOT_FOUND' });
    crash(a);
    a = await createDurableActor(machine, { store });
    expect(a.interrupted).toEqual(['pay']);
    expect(incidents(a.store)).toHaveLength(2);
    await a.decide('pay', 'rerun');
    await until(() => starts.length === 3);
    finish();
    await a.waitFor(({ value }) => value === 'paid');
    await a.close();
  },
);

test('ask: a decision that was not committed before a crash has not been made', async () => {
  const store = quickStore();
  const { machine, starts } = paying('ask');
  crash(await createDurableActor(machine, { store }));
  let a = await createDurableActor(machine, { store });
  // The effect of the first life was committed, whether it began or not.
  expect(a.interrupted).toEqual(['pay']);
  const decided = a.decide('pay', 'rerun');
  crash(a);
  await expect(decided).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  a = await createDurableActor(machine, { store });
  expect(a.interrupted).toEqual(['pay']);
  await a.decide('pay', 'fail');
  expect(a.getSnapshot()).toMatchObject({ value: 'unclear', context: { code: 'EFFECT_INTERRUPTED' } });
  expect(starts.length).toBeLessThanOrEqual(1);
  await a.close();
});

test('ask: leaving the state ends the question', async () => {
  const store = quickStore();
  const { machine } = paying('ask');
  crash(await createDurableActor(machine, { store }));
  const a = await createDurableActor(machine, { store });
  await a.send({ type: 'abandon' });
  expect(a.interrupted).toEqual([]);
  crash(a);
  const b = await createDurableActor(machine, { store });
  expect([b.interrupted, b.getSnapshot().value]).toEqual([[], 'abandoned']);
  await b.close();
});

test('ask: a refused turn of the tree interrupts it too, and its listeners hear it', async () => {
  const { machine, starts } = paying('ask');
  await using a = await createDurableActor(machine, { store: quickStore() });
  await until(() => starts.length === 1);
  const heard: unknown[] = [];
  a.on('interrupted', (event) => heard.push(event));
  await expect(a.send({ type: 'bad' })).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
  await until(() => heard.length > 0);
  expect(heard[0]).toEqual({ type: 'interrupted', actor: 'pay', policy: 'ask' });
  expect(a.interrupted).toEqual(['pay']);
});

test('ask: the trees that a store opens by itself tell it as incidents, and are decided through a handle', async () => {
  const path = quickStore();
  const { machine, starts } = paying('ask');
  const store = Store.open(path, { machines: { paying: machine } });
  for (const id of ['p1', 'p2']) await (await store.open('paying', id)).close();
  await until(() => starts.length === 2);
  store.drop(new PerdureError('STORE_CLOSED', 'crashed'));
  await using next = Store.open(path, { machines: { paying: machine } });
  await settle();
  expect(incidents(next).map(({ kind, actor }) => [kind, actor])).toEqual([
    ['effect.interrupted', 'pay'],
    ['effect.interrupted', 'pay'],
  ]);
  const p1 = await next.open('paying', 'p1');
  expect(p1.interrupted).toEqual(['pay']);
  await p1.decide('pay', 'fail');
  expect(p1.getSnapshot().value).toBe('unclear');
  expect(starts).toHaveLength(2);
});

test('a policy is for logic that works outside', () => {
  expect(() => onRestart('ask', paying('ask').machine)).toThrow(expect.objectContaining({ code: 'OPTIONS_INVALID' }));
});
