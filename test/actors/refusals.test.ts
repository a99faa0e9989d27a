import { expect, test, vi } from 'vitest';
import { defineAction, type Actions } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import type { Supervisor } from '../../actors/supervisor.ts';
import { tempStore } from '../support/temp.ts';

const echo = defineAction({ run: (input: unknown) => input });

type Any = Supervisor<{ echo: typeof echo }>;

test.each<[string, string, RegExp, (supervisor: Any) => Promise<unknown>]>([
  ['an action nobody registered', 'ACTION_UNKNOWN', /"ecko".*echo/, (s) => s.execute('ecko' as 'echo', 1)],
  [
    'an input that is not plain data',
    'CODEC_REFUSED',
    /"f".*input of the action/,
    (s) => s.execute('echo', { f: () => 1 }),
  ],
  [
    'a plan with a cycle',
    'PLAN_CYCLE',
    /a -> b -> a|b -> a -> b/,
    (s) =>
      s.plan({
        steps: [
          { id: 'a', action: 'echo', after: ['b'] },
          { id: 'b', action: 'echo', after: ['a'] },
        ],
      }),
  ],
  [
    'a plan with a dependency that it does not have',
    'PLAN_STEP_UNKNOWN',
    /"?a"?.*"?zz"?/s,
    (s) => s.plan({ steps: [{ id: 'a', action: 'echo', after: ['zz'] }] }),
  ],
  ['a plan without steps', 'PLAN_INVALID', /no steps/, (s) => s.plan({ steps: [] })],
  [
    'a step id that could be taken for a path',
    'PLAN_INVALID',
    /a\/b/,
    (s) => s.plan({ steps: [{ id: 'a/b', action: 'echo' }] }),
  ],
  [
    'a step of an action nobody registered',
    'ACTION_UNKNOWN',
    /"nope"/,
    (s) => s.plan({ steps: [{ id: 'a', action: 'nope' }] }),
  ],
  ['cancelling an action that is not there', 'ACTION_NOT_FOUND', /"x"/, (s) => s.cancel('x')],
  [
    'a retry policy without attempts',
    'OPTIONS_INVALID',
    /attempts.*0/,
    (s) => s.execute('echo', 1, { retry: { attempts: 0 } }),
  ],
])('refuses %s, and goes on', async (_name, code, message, ask) => {
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { echo } });
  const error: unknown = await ask(supervisor).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code });
  expect((error as Error).message).toMatch(message);
  expect(await supervisor.execute('echo', 1)).toMatchObject({ kind: 'ok', value: 1 });
});

test('refuses the same plan id with other steps', async () => {
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { echo } });
  const step = { id: 'a', action: 'echo', input: 1 };
  await supervisor.plan({ id: 'p', steps: [step] });
  await supervisor.plan({ id: 'p', steps: [step] });
  await expect(supervisor.plan({ id: 'p', steps: [{ ...step, input: 2 }] })).rejects.toMatchObject({
    code: 'PLAN_CHANGED',
    facts: { steps: ['a'] },
  });
});

test('a value that is not plain data fails its action, not the supervisor', async () => {
  const bad = defineAction({ run: () => new URL('http://localhost') });
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { bad } });
  expect(await supervisor.execute('bad', undefined)).toMatchObject({
    kind: 'failed',
    error: { code: 'CODEC_REFUSED' },
  });
});

test('refuses an action without work, and a concurrency that is none', async () => {
  const store = tempStore();
  await expect(spawnSupervisor({ store, actions: { x: {} } as unknown as Actions })).rejects.toMatchObject({
    code: 'OPTIONS_INVALID',
  });
  await expect(spawnSupervisor({ store, actions: { echo }, concurrency: 0 })).rejects.toMatchObject({
    code: 'OPTIONS_INVALID',
  });
  await (await spawnSupervisor({ store, actions: { echo } })).close();
});

test('no context of the supervisor exceeds 4 KB under load, and what waits is no actor', async () => {
  await using supervisor = await spawnSupervisor({
    store: tempStore(),
    actions: { echo },
    concurrency: 64,
    durability: 'process-crash',
  });
  const { rows } = supervisor.durable.store;
  let largest = 0;
  let most = 0;
  supervisor.on('action.attempting', () => {
    const { bytes, n } = rows.get<{ bytes: number; n: number }>(
      'select max(length(snapshot)) as bytes, count(*) as n from actors',
    ) as never;
    largest = Math.max(largest, bytes);
    most = Math.max(most, n);
  });
  const handles = await Promise.all(
    Array.from({ length: 1_000 }, (_, n) => supervisor.submit('echo', { n, text: 'x'.repeat(5_000) })),
  );
  const outcomes = await Promise.all(handles.map(({ outcome }) => outcome));
  expect(outcomes.every(({ kind }) => kind === 'ok')).toBe(true);
  expect(most).toBeLessThanOrEqual(11 + 64 * 2);
  expect(largest).toBeLessThan(4_096);
});

test('progress reaches whoever listens, and ends with the action', async () => {
  let go: (() => void) | undefined;
  const told = defineAction({
    run: async (_: null, { progress }) => {
      await new Promise<void>((resolve) => (go = resolve));
      progress(1);
      progress(2);
      return 'done';
    },
  });
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { told } });
  const handle = await supervisor.submit('told', null);
  const heard: unknown[] = [];
  const listening = (async () => {
    for await (const value of handle.progress) heard.push(value);
  })();
  await vi.waitFor(() => expect(go).toBeDefined());
  go?.();
  await handle.outcome;
  await listening;
  expect(heard).toEqual([1, 2]);
});

test('an aborted signal cancels its action, and closes its supervisor', async () => {
  const hang = defineAction({
    run: (_: null, { signal }) =>
      new Promise((_r, reject) => signal.addEventListener('abort', () => reject(new Error('x')))),
  });
  const closing = new AbortController();
  const supervisor = await spawnSupervisor({ store: tempStore(), actions: { hang }, signal: closing.signal });
  const cancelling = new AbortController();
  const outcome = supervisor.execute('hang', null, { signal: cancelling.signal });
  setTimeout(() => cancelling.abort(), 20);
  expect(await outcome).toMatchObject({ kind: 'cancelled' });
  closing.abort();
  await supervisor.durable.ended;
  await expect(supervisor.execute('hang', null)).rejects.toMatchObject({ code: 'STORE_CLOSED' });
});
