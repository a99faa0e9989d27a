/** Supervisors whose actions run in threads: the exports of `threads/work.mjs`. */
import { fileURLToPath } from 'node:url';
import { defineAction, type Actions, type ActionTerms, type ThreadActionDefinition } from '../../actors/actions.ts';
import { spawnSupervisor, type SupervisorOptions } from '../../actors/spawn.ts';
import type { Supervisor } from '../../actors/supervisor.ts';
import type { ThreadWork } from '../../actors/thread-work.ts';
import { tempStore } from './temp.ts';

/** Where the modules are. */
export const ROOT = fileURLToPath(new URL('./threads', import.meta.url));

type More<TInput> = ActionTerms<TInput, unknown> &
  Pick<ThreadActionDefinition<TInput>, 'prepare'> &
  Pick<ThreadWork, 'heartbeatMs' | 'killAfterMs'>;

/** The action that an export of `work.mjs` is. */
export function inThread<TInput>(
  name: string,
  { heartbeatMs, killAfterMs, ...more }: More<TInput> = {},
): ThreadActionDefinition<TInput, unknown> {
  const watched = {
    ...(heartbeatMs === undefined ? {} : { heartbeatMs }),
    ...(killAfterMs === undefined ? {} : { killAfterMs }),
  };
  return defineAction<TInput, unknown>({ ...more, thread: { module: './work.mjs', export: name, ...watched } });
}

/** Starts one with two threads. */
export function withThreads<TActions extends Actions>(
  actions: TActions,
  options: Partial<SupervisorOptions<TActions>> = {},
): Promise<Supervisor<TActions>> {
  return spawnSupervisor<TActions>({
    store: tempStore(),
    concurrency: 4,
    ...options,
    actions,
    threads: { root: ROOT, size: 2, ...options.threads },
  });
}
