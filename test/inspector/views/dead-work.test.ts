/** Which actions the list of work calls dead. */
import { expect, onTestFinished, test } from 'vitest';
import { liveSource } from '../../../inspector/sources/live-source.ts';
import type { Work } from '../../../inspector/views/work.ts';
import { openInspected } from '../../support/inspected.ts';
import { quickStore } from '../../support/temp.ts';

test('dead is what has failed until somebody took it off the list; failed stays failed', async () => {
  const supervisor = await openInspected(quickStore());
  onTestFinished(() => supervisor.close());
  await supervisor.execute('fail', { n: 1 }, { id: 'left' });
  await supervisor.execute('fail', { n: 2 }, { id: 'looked-after' });
  await supervisor.execute('add', { n: 3 }, { id: 'fine' });
  await supervisor.deadLetters.discard('looked-after');
  const source = liveSource(supervisor);
  onTestFinished(() => source.close());
  const ids = async (state: string): Promise<string[]> =>
    ((await source.view('work', new URLSearchParams({ state }))) as Work).items.map(({ id }) => id);
  expect(await ids('dead')).toEqual(['left']);
  expect(await ids('failed')).toEqual(['looked-after', 'left']);
});
