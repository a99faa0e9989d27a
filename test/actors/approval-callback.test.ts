import { expect, onTestFinished, test, vi } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import type { OnApproval } from '../../actors/approval-callback.ts';
import type { Approval } from '../../actors/approval-ledger.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { crash } from '../../testing.ts';
import { tempStore } from '../support/temp.ts';

const actions = {
  risky: defineAction({
    run: ({ name }: { name: string }) => `did ${name}`,
    impact: 'critical',
    reversible: false,
    summary: ({ name }) => `Do ${name}`,
  }),
};

const live = (store: string, onApproval?: OnApproval) =>
  spawnSupervisor({ store, actions, ...(onApproval === undefined ? {} : { onApproval }) });

/** The warnings of the process, from now to the end of the test. */
function warnings(): { readonly code: string; readonly message: string }[] {
  const heard: { code: string; message: string }[] = [];
  const listener = (warning: Error & { code?: string }) => {
    if (warning.name === 'PerdureWarning') heard.push({ code: warning.code ?? '', message: warning.message });
  };
  process.on('warning', listener);
  onTestFinished(() => void process.off('warning', listener));
  return heard;
}

test('what the callback answers decides, at once or later, and what it does not answer stays open', async () => {
  const seen: Approval[] = [];
  await using supervisor = await live(tempStore(), async (approval) => {
    seen.push(approval);
    if (approval.summary === 'Do yes') return 'approve';
    await new Promise((resolve) => setTimeout(resolve, 5));
    return approval.summary === 'Do no' ? 'deny' : undefined;
  });
  const [yes, no, perhaps] = await Promise.all(
    ['yes', 'no', 'perhaps'].map((name) => supervisor.submit('risky', { name }, { id: name })),
  );
  expect(await yes!.outcome).toMatchObject({ kind: 'ok', value: 'did yes', band: 'monitored' });
  expect(await no!.outcome).toMatchObject({ kind: 'denied', error: { code: 'APPROVAL_DENIED' } });
  expect(seen.map(({ id }) => id).toSorted()).toEqual(['no?1', 'perhaps?1', 'yes?1']);
  expect(supervisor.approvals().map(({ action }) => action)).toEqual(['perhaps']);
  await supervisor.approve('perhaps', { by: 'ann' });
  expect(await perhaps!.outcome).toMatchObject({ kind: 'ok' });
});

test('it is asked once a life, after the commit, and of approvals of earlier lives too', async () => {
  const store = tempStore();
  const first: string[] = [];
  const one = await live(store, ({ id }) => void first.push(id));
  await one.submit('risky', { name: 'a' }, { id: 'a' });
  await one.submit('risky', { name: 'b' }, { id: 'b' });
  await vi.waitFor(() => expect(first).toEqual(['a?1', 'b?1']));
  crash(one.durable);
  const second: string[] = [];
  await using two = await live(store, ({ id }) => {
    second.push(id);
    return id === 'a?1' ? 'approve' : undefined;
  });
  const a = await two.submit('risky', { name: 'a' }, { id: 'a' });
  expect(await a.outcome).toMatchObject({ kind: 'ok', value: 'did a' });
  expect(second).toEqual(['a?1', 'b?1']);
});

test.each([
  [
    'throws',
    (): never => {
      throw new Error('no idea');
    },
    'no idea',
  ],
  ['rejects', () => Promise.reject(new Error('no line')), 'no line'],
  ['answers what is no answer', () => 'yes' as never, `expected 'approve', 'deny' or undefined, got "yes"`],
] as const)('a callback that %s is told as a warning, and the approval stays open', async (_, onApproval, why) => {
  const heard = warnings();
  await using supervisor = await live(tempStore(), onApproval);
  const handle = await supervisor.submit('risky', { name: 'a' }, { id: 'a' });
  await vi.waitFor(() => expect(heard).toHaveLength(1));
  expect(heard[0]).toEqual({
    code: 'APPROVAL_CALLBACK_FAILED',
    message: `onApproval decided nothing about "a?1", which stays open: ${why}`,
  });
  expect(supervisor.approvals()).toMatchObject([{ id: 'a?1', state: 'open' }]);
  await supervisor.deny('a', { by: 'ann' });
  expect(await handle.outcome).toMatchObject({ kind: 'denied' });
});

test('an answer that comes after somebody else was faster, or after the close, changes nothing and warns of nothing', async () => {
  const heard = warnings();
  const store = tempStore();
  let answer = (_: 'approve'): void => {};
  const supervisor = await live(store, () => new Promise((resolve) => (answer = resolve)));
  const handle = await supervisor.submit('risky', { name: 'a' }, { id: 'a' });
  await vi.waitFor(() => expect(supervisor.approvals()).toHaveLength(1));
  await supervisor.deny('a', { by: 'ann' });
  answer('approve');
  expect(await handle.outcome).toMatchObject({ kind: 'denied' });
  await supervisor.submit('risky', { name: 'b' }, { id: 'b' });
  await vi.waitFor(() => expect(supervisor.approvals()).toHaveLength(1));
  await supervisor.close();
  answer('approve');
  await using next = await live(store);
  expect(next.approvals()).toMatchObject([{ id: 'b?1' }]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(heard).toEqual([]);
});
