/** A supervisor with something of everything that views show: what runs, waits, failed, asks, backs off, and what was planned. */
import { defineAction } from '../../actors/actions.ts';
import { spawnSupervisor, type SupervisorOptions } from '../../actors/spawn.ts';
import { until } from './turns.ts';

const RARELY = { attempts: 3, delayMs: 3_600_000, capMs: 3_600_000 };

export const inspectedActions = {
  add: defineAction({ run: ({ n }: { n: number; password?: string }) => n + 1 }),
  fail: defineAction({
    run: ({ n }: { n: number }) => {
      throw new Error(`no ${n}`);
    },
    retry: { attempts: 1 },
  }),
  retry: defineAction({
    run: () => {
      throw Object.assign(new Error('later'), { code: 'ECONNRESET' });
    },
    retry: RARELY,
  }),
  ask: defineAction({
    run: (_: { to: string; token?: string }) => 1,
    impact: 'critical',
    reversible: false,
    summary: ({ to }) => `Sends to ${to}`,
  }),
  wait: defineAction({
    run: (_: object, { signal }) =>
      new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
  }),
};

export type Inspected = Awaited<ReturnType<typeof openInspected>>;

/** Starts it, and has it do what it does, up to where nothing goes on by itself. */
export async function openInspected(store: string, options: Partial<SupervisorOptions<typeof inspectedActions>> = {}) {
  const supervisor = await spawnSupervisor({
    store,
    actions: inspectedActions,
    concurrency: 4,
    history: true,
    resources: false,
    queues: { mail: { concurrency: 2 } },
    ...options,
  });
  return supervisor;
}

/** Something of everything. Resolves when it is quiet. */
export async function populate(supervisor: Inspected): Promise<void> {
  await supervisor.execute('add', { n: 1, password: 'hunter22' }, { id: 'one' });
  await supervisor.execute('fail', { n: 7 }, { id: 'dead' });
  await supervisor.checkpoint('before the plan');
  const plan = await supervisor.plan({
    id: 'build:1',
    name: 'build',
    steps: [
      { id: 'a', action: 'add', input: { n: 1 } },
      { id: 'b', action: 'add', input: { n: 2 }, after: ['a'] },
      { id: 'c', action: 'fail', input: { n: 3 }, after: ['a'] },
      { id: 'd', action: 'add', input: { n: 4 }, after: ['c'] },
    ],
  });
  await plan.outcome;
  await supervisor.submit('retry', {} as never, { id: 'backing-off' });
  await supervisor.submit('ask', { to: 'everybody', token: 'tok-123456' }, { id: 'asking' });
  await supervisor.submit('wait', {}, { id: 'runs', queue: 'mail' });
  await supervisor.submit('add', { n: 5 }, { id: 'delayed', delayMs: 3_600_000 });
  await supervisor.queues.pause('mail');
  await supervisor.submit('add', { n: 6 }, { id: 'paused', queue: 'mail' });
  await supervisor.schedules.put({ id: 'yearly', action: 'add', input: { n: 9 }, cron: '0 0 1 1 *' });
  const { rows } = supervisor.durable.store;
  await until(
    () =>
      rows.get(`select 1 from actions where id = 'backing-off' and retry_at is not null`) !== undefined &&
      rows.get(`select 1 from approvals where state = 'open'`) !== undefined &&
      rows.get(`select 1 from actions where id = 'runs' and state = 'running'`) !== undefined,
  );
}
