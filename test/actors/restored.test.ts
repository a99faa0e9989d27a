/** A supervisor that is taken back to a kept turn: its plans and actions are as they were, and what it learned stays. */
import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { crash } from '../../persistence/crash.ts';
import { forkStore } from '../../persistence/fork.ts';
import { quickStore } from '../support/temp.ts';
import { settle, until } from '../support/turns.ts';

test('goes on from the state of then, in place and in a fork, with what waited then', async () => {
  let ran: number[] = [];
  const actions = {
    add: defineAction({
      run: async ({ n }: { n: number }) => {
        ran.push(n);
        return n + 1;
      },
    }),
  };
  const store = quickStore();
  const options = { store, actions, concurrency: 2, history: true };
  const supervisor = await spawnSupervisor(options);
  const { durable } = supervisor;
  await supervisor.execute('add', { n: 1 }, { id: 'one' });
  await supervisor.checkpoint('here');
  await settle();
  const { turn } = durable.store.rows.get<{ turn: number }>(`select turn from checkpoints where label = 'here'`) as {
    turn: number;
  };
  await supervisor
    .plan({ id: 'plan', steps: [{ id: 'two', action: 'add', input: { n: 2 } }] })
    .then(() => supervisor.joinPlan('plan').outcome);
  const history = () => durable.store.rows.get<{ ok: number }>(`select ok from action_history where name = 'add'`)?.ok;
  expect([ran, history()]).toEqual([[1, 2], 2]);

  await forkStore(store, turn, `${store}-fork`);
  await durable.restore(turn);
  expect(durable.store.rows.all('select id from actions')).toEqual([{ id: 'one' }]);
  expect(durable.store.rows.all('select id from plans')).toEqual([]);
  expect(history()).toBe(2);
  expect(await supervisor.execute('add', { n: 1 }, { id: 'one' })).toMatchObject({ kind: 'ok', value: 2 });
  expect(await supervisor.execute('add', { n: 3 }, { id: 'three' })).toMatchObject({ kind: 'ok', value: 4 });
  expect(ran).toEqual([1, 2, 3]);
  await supervisor.close();

  ran = [];
  const fork = await spawnSupervisor({ ...options, store: `${store}-fork` });
  expect(await fork.execute('add', { n: 1 }, { id: 'one' })).toMatchObject({ kind: 'ok', value: 2 });
  expect(await fork.execute('add', { n: 4 }, { id: 'four' })).toMatchObject({ kind: 'ok', value: 5 });
  expect(ran).toEqual([4]);
  await fork.close();
});

test('an attempt that was under way then is asked about', async () => {
  const begun: string[] = [];
  const actions = {
    hang: defineAction({
      run: (_: undefined, { id, signal }: { id: string; signal: AbortSignal }) => {
        begun.push(id);
        return new Promise<string>((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(new Error('aborted'))),
        );
      },
    }),
  };
  const supervisor = await spawnSupervisor({ store: quickStore(), actions, concurrency: 2, history: true });
  await supervisor.submit('hang', undefined, { id: 'hung' });
  await until(() => begun.length === 1);
  await supervisor.checkpoint('here');
  await settle();
  const { durable } = supervisor;
  const { turn } = durable.store.rows.get<{ turn: number }>('select max(turn) as turn from checkpoints') as {
    turn: number;
  };
  await durable.restore(turn);
  await settle();
  expect(supervisor.approvals()).toMatchObject([{ action: 'hung', reason: 'restore' }]);
  expect([durable.interrupted, begun.length]).toEqual([[], 1]);
  await supervisor.approve('hung');
  await until(() => begun.length === 2);
  await supervisor.close();
});

test('the key of an action is that of all its attempts and lives, and is another after a restore and in a fork', async () => {
  const keys: Record<string, string[]> = {};
  const note = (what: string, key: string) => (keys[what] ??= []).push(key);
  const actions = {
    pay: defineAction({
      run: async (_: null, { key, attempt, willUndo, signal }) => {
        note('pay', key);
        await willUndo('refund', 1);
        await willUndo('refund', 2);
        if (attempt < 3) throw new Error('again');
        return new Promise<never>((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error)),
        );
      },
      undo: { refund: (_: number, { key }) => note('refund', key) },
      retry: { attempts: 5, delayMs: 1, capMs: 1 },
      onRestore: 'run',
    }),
  };
  const store = quickStore();
  const options = { store, actions, concurrency: 2 };
  const first = await spawnSupervisor(options);
  await first.submit('pay', null, { id: 'a/b' });
  await until(() => keys['pay']?.length === 3);
  crash(first.durable);
  const second = await spawnSupervisor(options);
  await until(() => keys['pay']?.length === 4);
  expect(new Set(keys['pay']).size).toBe(1);
  expect(keys['pay']?.[0]).toMatch(/^[^/]+\/[^/]+\/1\/a\/b$/);
  const turn = Number(await second.checkpoints.create());
  await forkStore(store, turn, `${store}-fork`);
  await second.durable.restore(turn);
  await until(() => keys['pay']?.length === 5);
  await second.cancel('a/b');
  await until(() => (keys['refund']?.length ?? 0) >= 2);
  await second.close();
  const fork = await spawnSupervisor({ ...options, store: `${store}-fork` });
  await until(() => keys['pay']?.length === 6);
  await fork.close();
  const [, , , , restored, forked] = keys['pay'] as string[];
  expect(new Set(keys['pay']).size).toBe(3);
  expect(restored).not.toBe(forked);
  expect(keys['refund']?.every((key) => key.startsWith(`${restored}@undo:refund:`))).toBe(true);
  expect(new Set(keys['refund']).size).toBe(keys['refund']?.length);
});
