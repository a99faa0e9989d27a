/** What goes wrong in one action, or in one call, and what must not come of it. */
import { assign, fromObservable, fromPromise, setup } from 'xstate';
import { expect, test, vi } from 'vitest';
import { defineAction, Registry } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { encryption } from '../../persistence/sealing.ts';
import { Store } from '../../persistence/store.ts';
import { tempStore } from '../support/temp.ts';

const echo = defineAction({ run: (input: unknown) => input });

test('a row that cannot be written refuses its turn; the supervisor goes on, also after a restart', async () => {
  const store = tempStore();
  const first = await spawnSupervisor({ store, actions: { echo } });
  const bad = { ...submissionOf('x'), rank: Number.NaN };
  await expect(first.durable.send({ type: 'supervisor.submit', submissions: [bad] })).rejects.toMatchObject({
    code: 'TURN_REFUSED',
  });
  expect(await first.execute('echo', 1)).toMatchObject({ kind: 'ok', value: 1 });
  await first.close();
  await using second = await spawnSupervisor({ store, actions: { echo } });
  expect(await second.execute('echo', 2)).toMatchObject({ kind: 'ok', value: 2 });
});

function submissionOf(id: string) {
  return {
    id,
    name: 'echo',
    version: '1',
    input: 'null',
    policy: new Registry({ echo }).policyOf('echo'),
    optional: false,
    rank: 0,
    plan: null,
    at: 0,
  };
}

test('a disk that is full while an outcome is written stops the store, tells whoever waits, and loses nothing', async () => {
  const store = tempStore();
  const value = 'x'.repeat(2_000_000);
  let go: (() => void) | undefined;
  let calls = 0;
  const big = defineAction({
    run: async (_: null) => {
      calls += 1;
      await new Promise<void>((resolve) => (go = resolve));
      return value;
    },
  });
  const first = await spawnSupervisor({ store, actions: { big } });
  const handle = await first.submit('big', null, { id: 'b' });
  await vi.waitFor(() => expect(go).toBeDefined());
  const pages = first.durable.store.rows.get<{ page_count: number }>('pragma page_count')?.page_count ?? 0;
  first.durable.store.rows.get(`pragma max_page_count = ${pages + 20}`);
  go?.();
  const failed = await new Promise((resolve) => first.durable.on('suspended', ({ error }) => resolve(error)));
  expect(failed).toMatchObject({ code: 'STORE_FAILED', retryable: true });
  await expect(first.submit('big', null)).rejects.toMatchObject({ code: 'STORE_FAILED', retryable: true });
  // Opened again, the connection has lost its limit: the attempt runs a second time.
  await vi.waitFor(() => expect(calls).toBe(2));
  go?.();
  expect(await handle.outcome).toMatchObject({ kind: 'ok', value });
  await first.close();
  await using second = await spawnSupervisor({ store, actions: { big: defineAction({ run: (_: null) => value }) } });
  expect((await second.execute('big', null, { id: 'b' })).value).toBe(value);
});

test('what throws while it is stored refuses its own turn, and not the store', async () => {
  const machine = setup({}).createMachine({
    context: { n: 0, value: null as unknown },
    on: {
      bad: {
        actions: assign({
          value: () => ({
            get boom() {
              throw new Error('boom');
            },
          }),
        }),
      },
      good: { actions: assign({ n: ({ context }) => context.n + 1 }) },
    },
  });
  await using durable = await createDurableActor(machine, { store: tempStore() });
  await expect(durable.send({ type: 'bad' })).rejects.toMatchObject({ code: 'TURN_REFUSED' });
  await durable.send({ type: 'good' });
  expect(durable.getSnapshot().context.n).toBe(1);
});

test.each([null, undefined, 'go', {}, { type: 5 }])('refuses %j as an event, and goes on', async (event) => {
  const machine = setup({}).createMachine({ on: { ok: { actions: () => {} } } });
  await using durable = await createDurableActor(machine, { store: tempStore() });
  await expect(durable.send(event as never, { id: 'm' })).rejects.toMatchObject({ code: 'EVENT_INVALID' });
  expect(await durable.send({ type: 'ok' }, { id: 'm' })).toMatchObject({ applied: true });
});

test.each<[string, unknown]>([
  ['half of a surrogate pair', '\ud800'],
  ['a number', 5],
  ['nothing', ''],
  ['ten thousand characters', 'x'.repeat(10_000)],
])('refuses %s as an id', async (_name, id) => {
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { echo } });
  await expect(supervisor.submit('echo', 1, { id: id as string })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
  const steps = [{ id: 'a', action: 'echo' }];
  await expect(supervisor.plan({ id: id as string, steps })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
  expect(await supervisor.execute('echo', 1)).toMatchObject({ kind: 'ok' });
});

test('refuses a plan whose step would take the id of an action, and an action that would take the id of a step', async () => {
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { echo } });
  await supervisor.execute('echo', 1, { id: 'p/a' });
  const steps = [{ id: 'a', action: 'echo' }];
  await expect(supervisor.plan({ id: 'p', steps })).rejects.toMatchObject({ code: 'ACTION_CONFLICT' });
  await supervisor.pause();
  await supervisor.plan({ id: 'q', steps: [...steps, { id: 'b', action: 'echo', after: ['a', 'a'] }] });
  await expect(supervisor.submit('echo', 1, { id: 'q/b' })).rejects.toMatchObject({ code: 'ACTION_CONFLICT' });
  await supervisor.resume();
  expect((await supervisor.joinPlan('q').outcome).kind).toBe('ok');
});

test('refuses a policy and an "after" that are none', async () => {
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { echo } });
  const plan = (over: object) => supervisor.plan({ steps: [{ id: 'a', action: 'echo', ...over }], ...over } as never);
  await expect(plan({ policy: 'never' })).rejects.toMatchObject({ code: 'PLAN_INVALID' });
  await expect(plan({ after: 'a' })).rejects.toMatchObject({ code: 'PLAN_INVALID' });
});

test('an error with a huge name fails its action, and no context of the tree grows with it', async () => {
  const huge = defineAction({
    run: (): null => {
      throw Object.assign(new Error('m'.repeat(50_000)), { name: 'n'.repeat(50_000), code: 'c'.repeat(50_000) });
    },
    retry: { attempts: 2, delayMs: 60_000 },
  });
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { huge } });
  await supervisor.submit('huge', null as never);
  const largest = () =>
    supervisor.durable.store.rows.get<{ n: number }>('select max(length(snapshot)) as n from actors')?.n ?? 0;
  await vi.waitFor(() => expect(largest()).toBeGreaterThan(700));
  expect(largest()).toBeLessThan(4_096);
});

test('a signal that is aborted before the start starts nothing', async () => {
  const store = tempStore();
  await expect(spawnSupervisor({ store, actions: { echo }, signal: AbortSignal.abort() })).rejects.toThrow(/abort/);
  Store.open(store).close();
});

test('a tree whose promise gave what cannot be stored goes on with the error of it', async () => {
  const machine = setup({
    actors: { give: fromPromise(async () => ({ fn: () => 1 })) },
  }).createMachine({
    context: { error: '' },
    invoke: {
      id: 'give',
      src: 'give',
      onDone: { actions: assign({ error: ({ event }) => event.output as never }) },
      onError: { actions: assign({ error: ({ event }) => (event.error as { code: string }).code }) },
    },
  });
  await using durable = await createDurableActor(machine, { store: tempStore() });
  await durable.waitFor(({ context }) => context.error !== '');
  expect(durable.getSnapshot().context.error).toBe('CODEC_REFUSED');
});

test('an observable that gives what cannot be stored fails with the error of it, and is not lost in silence', async () => {
  const values = {
    subscribe(observer: { next(value: unknown): void }) {
      const timer = setTimeout(() => observer.next({ fn: () => 1 }), 5);
      return { unsubscribe: () => clearTimeout(timer) };
    },
  };
  const machine = setup({ actors: { values: fromObservable(() => values as never) } }).createMachine({
    context: { error: '' },
    invoke: {
      id: 'values',
      src: 'values',
      onError: { actions: assign({ error: ({ event }) => (event.error as { code: string }).code }) },
    },
  });
  await using durable = await createDurableActor(machine, { store: tempStore() });
  await durable.waitFor(({ context }) => context.error !== '');
  expect(durable.getSnapshot().context.error).toBe('CODEC_REFUSED');
});

test('in an encrypted store no input, value or error of an action is in plain text, and all of them come back', async () => {
  const store = tempStore();
  const sealing = encryption({ key: () => Buffer.alloc(32, 7), current: 'k' });
  const actions = {
    echo: defineAction({ run: ({ text }: { text: string }) => `heard ${text}` }),
    fail: defineAction({
      run: ({ text }: { text: string }) => {
        throw new Error(`failed at ${text}`);
      },
    }),
  };
  const first = await spawnSupervisor({ store, actions, sealing });
  await first.execute('echo', { text: 'canary' }, { id: 'e' });
  await first.execute('fail', { text: 'canary' }, { id: 'f' });
  const plan = { id: 'p', steps: [{ id: 's', action: 'echo', input: { text: 'canary' } }] } as const;
  expect((await (await first.plan(plan)).outcome).steps['s']?.outcome).toMatchObject({ value: 'heard canary' });
  const tables = ['actions', 'steps', 'actors', 'actors_past', 'actions_past'];
  for (const table of tables)
    expect(JSON.stringify(first.durable.store.rows.all(`select * from ${table}`))).not.toContain('canary');
  await first.close();

  await using second = await spawnSupervisor({ store, actions, sealing });
  expect(await second.execute('echo', { text: 'canary' }, { id: 'e' })).toMatchObject({ value: 'heard canary' });
  expect(await second.execute('fail', { text: 'canary' }, { id: 'f' })).toMatchObject({
    error: { message: 'failed at canary' },
  });
  await expect(second.execute('echo', { text: 'other' }, { id: 'e' })).rejects.toMatchObject({
    code: 'ACTION_CONFLICT',
  });
  expect((await (await second.plan(plan)).outcome).kind).toBe('ok');
});
