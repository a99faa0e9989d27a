/** Of which tree a store tells, when there are several in it. */
import { randomUUID } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { setup } from 'xstate';
import { createDurableActor, defineAction, spawnSupervisor } from '../../../index.ts';
import { deskBeside } from '../../../inspector/commands/commands.ts';
import { storeSource, type StoreSourceOptions } from '../../../inspector/sources/store-source.ts';
import { Store } from '../../../persistence/store.ts';
import { quickStore } from '../../support/temp.ts';

const actions = {
  wait: defineAction({
    run: (_: object, { signal }) =>
      new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
  }),
};

function beside(path: string, options: StoreSourceOptions = {}) {
  const source = storeSource(path, options);
  onTestFinished(() => source.close());
  return (name: string, query: Readonly<Record<string, string>> = {}) => source.view(name, new URLSearchParams(query));
}

const give = (path: string, tree?: string) =>
  deskBeside(path, { tree }).give({ id: randomUUID(), command: 'pause', params: {}, by: 'cli' });

test.each([
  ['main', 'other'],
  ['zed', 'main'],
])(
  'of the supervisors %s and %s in a store the one that was started last is shown, and obeys',
  async (first, second) => {
    const path = quickStore();
    const before = await spawnSupervisor({ store: path, id: first, actions, concurrency: 3, resources: false });
    await before.pause();
    await before.close();
    const now = await spawnSupervisor({ store: path, id: second, actions, concurrency: 7, resources: false });
    onTestFinished(() => now.close());
    await now.submit('wait', {}, { id: 'w' });
    await expect.poll(() => now.stats().queue.running).toBe(1);
    expect(beside(path)('overview')).toMatchObject({ state: 'running', slots: 7, health: { overall: 'healthy' } });
    expect(beside(path)('action', { id: 'w' })).toMatchObject({
      actor: expect.stringMatching(`^${second}/`) as unknown,
    });
    expect(beside(path, { tree: first })('overview')).toMatchObject({ state: 'paused', slots: 3 });
    expect(() => beside(path, { tree: 'nobody' })).toThrow(
      expect.objectContaining({ code: 'TREE_NOT_FOUND', facts: { tree: 'nobody', known: [second, first] } }) as Error,
    );
    expect(await give(path)).toMatchObject({ state: 'applied' });
    expect(now.durable.getSnapshot().value).not.toBe('running');
  },
);

test('a comparison without a tree is of the only one, and of several it says which there are', async () => {
  const path = quickStore();
  const machine = setup({}).createMachine({ id: 'm', initial: 'a', states: { a: { on: { go: 'b' } }, b: {} } });
  const store = Store.open(path, { history: true });
  onTestFinished(() => store.close());
  const only = await createDurableActor(machine, { store, id: 'only' });
  const view = beside(path);
  const { turn } = await only.send({ type: 'go' });
  expect(await view('compare', { a: String(turn - 1) })).toMatchObject({
    differences: [{ kind: 'actor', actor: 'only' }],
  });
  await createDurableActor(machine, { store, id: 'second' });
  await expect((async () => view('compare', { a: String(turn) }))()).rejects.toMatchObject({
    code: 'OPTIONS_INVALID',
    message: expect.stringContaining('there are "only", "second".') as unknown,
  });
  expect(await view('compare', { a: String(turn), tree: 'second' })).toMatchObject({
    differences: [{ actor: 'second', change: 'added' }],
  });
});
