/** What is no text is the id of nothing: every method that takes one says so, in words of its own. */
import { expect, onTestFinished, test } from 'vitest';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { quickStore } from '../support/temp.ts';

const NO_TEXTS: readonly unknown[] = [{}, [], 7, null, Symbol('id'), () => 'id', undefined];

test('what is no text is refused with OPTIONS_INVALID by whatever takes an id', async () => {
  const supervisor = await spawnSupervisor({ store: quickStore(), actions: {}, resources: false });
  onTestFinished(() => supervisor.close());
  const { deadLetters, schedules, checkpoints } = supervisor;
  const methods: readonly ((id: never) => unknown)[] = [
    (id) => supervisor.joinPlan(id),
    (id) => supervisor.progress(id),
    (id) => supervisor.retryPlan(id),
    (id) => supervisor.cancel(id),
    (id) => supervisor.reprioritise(id, { isAwaited: true }),
    (id) => supervisor.retryNow(id),
    (id) => supervisor.runNow(id),
    (id) => supervisor.approve(id),
    (id) => supervisor.deny(id),
    (id) => deadLetters.requeue(id === undefined ? (null as never) : [id]),
    (id) => deadLetters.discard(id === undefined ? (null as never) : [id]),
    (id) => schedules.remove(id),
    (id) => schedules.pause(id),
    (id) => schedules.resume(id),
    (id) => schedules.trigger(id),
    (id) => checkpoints.show(id),
    (id) => checkpoints.pin(id),
    (id) => checkpoints.remove(id),
    (id) => checkpoints.restore(id),
  ];
  for (const method of methods)
    for (const id of NO_TEXTS)
      await expect((async () => method(id as never))(), `${method.toString()} of ${typeof id}`).rejects.toMatchObject({
        code: 'OPTIONS_INVALID',
      });
  const orDefault: readonly ((id: never) => unknown)[] = [
    (id) => deadLetters.list({ after: id }),
    (id) => supervisor.plan({ id, name: 'p', steps: [] }),
    (id) => supervisor.workOff(id),
  ];
  for (const method of orDefault)
    for (const id of [{}, 7, Symbol('id')])
      await expect((async () => method(id as never))(), `${method.toString()} of ${typeof id}`).rejects.toMatchObject({
        code: 'OPTIONS_INVALID',
      });
});
