/** What is submitted with the key of an action that there is joins it. */
import { expect, onTestFinished, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { HOUR, MINUTE, START, open } from '../support/pipeline.ts';
import { quickStore } from '../support/temp.ts';
import { settle, until } from '../support/turns.ts';

function world() {
  const ends: (() => void)[] = [];
  const work = defineAction({
    run: (n: number, { signal }) =>
      new Promise<number>((resolve, reject) => {
        ends.push(() => resolve(n));
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      }),
  });
  const fails = defineAction({
    run: (_: number): number => {
      throw new Error('no');
    },
    retry: { attempts: 1 },
  });
  const [clock, store] = [new SimulatedClock(START), quickStore()];
  const start = async () => {
    const supervisor = await open(clock, { store, actions: { work, fails }, concurrency: 2 });
    onTestFinished(() => supervisor.close({ graceMs: 0 }));
    return supervisor;
  };
  return { ends, clock, start };
}

const unique = { key: 'report:7' };

test('submissions of one key are one action until it has settled, also those that come together and after a crash', async () => {
  const { ends, start } = world();
  const first = await start();
  const handles = await Promise.all(Array.from({ length: 20 }, () => first.submit('work', 7, { unique })));
  const ids = new Set(handles.map(({ id }) => id));
  expect(ids.size).toBe(1);
  crash(first.durable);
  const second = await start();
  const joins = await second.submit('work', 7, { unique });
  expect([...ids]).toEqual([joins.id]);
  await until(() => ends.length > 1);
  for (const end of ends) end();
  expect(await joins.outcome).toMatchObject({ kind: 'ok', value: 7 });
  expect((await second.submit('work', 7, { unique })).id).not.toBe(joins.id);
});

test('within a time what has settled is joined too, and gives its outcome; after it, it is new work', async () => {
  const { ends, clock, start } = world();
  const supervisor = await start();
  const within = { key: 'k', scope: { withinMs: HOUR } };
  const first = await supervisor.submit('work', 1, { unique: within });
  await settle();
  ends[0]?.();
  await first.outcome;
  await clock.advance(HOUR - MINUTE);
  const again = await supervisor.submit('work', 1, { unique: within });
  expect([again.id, (await again.outcome).value]).toEqual([first.id, 1]);
  await clock.advance(MINUTE);
  expect((await supervisor.submit('work', 1, { unique: within })).id).not.toBe(first.id);
});

test('the same key with other input or another action is refused, unless it may join', async () => {
  const { start } = world();
  const supervisor = await start();
  const { id } = await supervisor.submit('work', 7, { unique });
  for (const other of [supervisor.submit('work', 8, { unique }), supervisor.submit('fails', 7, { unique })])
    await expect(other).rejects.toMatchObject({ code: 'ACTION_CONFLICT', facts: { key: 'report:7', id } });
  const together = ['work', 'work'].map((name, n) => supervisor.submit(name as 'work', n, { unique: { key: 'race' } }));
  const [one, two] = await Promise.allSettled(together);
  expect([one?.status, two?.status]).toEqual(['fulfilled', 'rejected']);
  expect((await supervisor.submit('work', 8, { unique: { ...unique, onConflict: 'join' } })).id).toBe(id);
  expect(supervisor.durable.store.rows.all('select id from actions')).toHaveLength(2);
});

test('an action that failed is not queued again while another has its key', async () => {
  const { ends, start } = world();
  const supervisor = await start();
  const dead = await supervisor.submit('fails', 7, { id: 'dead', unique });
  await dead.outcome;
  await supervisor.submit('work', 7, { id: 'living', unique });
  await expect(supervisor.deadLetters.requeue('dead')).rejects.toMatchObject({
    code: 'ACTION_CONFLICT',
    message: expect.stringContaining('"living"'),
  });
  await until(() => ends.length > 0);
  ends[0]?.();
  await until(() => supervisor.stats().outcomes.ok === 1);
  await supervisor.deadLetters.requeue('dead');
});

test('looking for a key costs no more when many of it have settled', async () => {
  const { start } = world();
  const { durable } = await start();
  const plan = durable.store.rows.all<{ detail: string }>(
    `explain query plan select id from actions where unique_key = 'x' and state <> 'settled' limit 1`,
  );
  expect(plan.map(({ detail }) => detail).join()).toContain('actions_unique_open (unique_key=?)');
});

test('what is no key is refused', async () => {
  const supervisor = await world().start();
  for (const [wrong, message] of [
    ['x', 'unique must be an object with a key'],
    [{}, 'unique.key must be a text, got undefined'],
    [{ key: '' }, '1 to 300 whole characters'],
    [{ key: 'x', scop: 1 }, 'did you mean "scope"?'],
    [{ key: 'x', scope: 'ever' }, "unique.scope must be 'unsettled', or { withinMs }"],
    [{ key: 'x', scope: { withinMs: -1 } }, 'with ms above 0, got -1'],
    [{ key: 'x', onConflict: 'merge' }, 'unique.onConflict must be one of'],
  ] as const)
    await expect(supervisor.submit('work', 1, { unique: wrong as never })).rejects.toThrow(message);
});
