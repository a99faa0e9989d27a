/** Files of an open store that are removed or replaced under it: nothing is acknowledged that nobody will find. */
import { execFileSync } from 'node:child_process';
import { expect, onTestFinished, test } from 'vitest';
import { assign, setup } from 'xstate';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { tempStore } from '../support/temp.ts';

const counter = setup({ types: {} as { context: { count: number }; events: { type: 'count' } } }).createMachine({
  id: 'counter',
  context: { count: 0 },
  on: { count: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
});

/** By another process: the owner's may not even open these files. */
function shell(command: string, file: string): void {
  execFileSync('sh', ['-c', command, 'sh', file]);
}

const takings = {
  'log was removed': ['-wal', 'rm "$1"'],
  'log was replaced by a copy': ['-wal', 'cp "$1" "$1.copy" && mv "$1.copy" "$1"'],
  'log was moved away': ['-wal', 'mv "$1" "$1.away"'],
  'database file was removed': ['', 'rm "$1"'],
  'database file was replaced by a copy': ['', 'cp "$1" "$1.copy" && mv "$1.copy" "$1"'],
} as const;

test.each(Object.entries(takings))('a store whose %s accepts nothing more, and says so', async (_, [end, command]) => {
  const path = tempStore();
  const durable = await createDurableActor(counter, { store: path });
  onTestFinished(() => crash(durable));
  await durable.send({ type: 'count' });
  shell(command, `${path}${end}`);

  await expect(durable.send({ type: 'count' })).rejects.toMatchObject({
    code: expect.stringMatching(/^STORE_/) as unknown,
    retryable: false,
  });
  expect((await durable.ended).code).toMatch(/^STORE_/);
  await expect(durable.send({ type: 'count' })).rejects.toMatchObject({ retryable: false });
  expect(durable.getSnapshot().context.count).toBe(1);
});
