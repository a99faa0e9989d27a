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

const logs = {
  'was removed': 'rm "$1"',
  'was replaced by a copy': 'cp "$1" "$1.copy" && mv "$1.copy" "$1"',
  'was moved away': 'mv "$1" "$1.away"',
} as const;

const databases = {
  'was removed': 'rm "$1"',
  'was replaced by a copy': 'cp "$1" "$1.copy" && mv "$1.copy" "$1"',
} as const;

async function expectNothingMore(end: string, command: string): Promise<void> {
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
}

test.each(Object.entries(logs))('a store whose log %s accepts nothing more, and says so', (_, command) =>
  expectNothingMore('-wal', command),
);

test.each(Object.entries(databases))('a store whose database file %s accepts nothing more, and says so', (_, command) =>
  expectNothingMore('', command),
);
