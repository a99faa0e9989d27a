/** What people and handlers say in words of an action is as secret as its input: it is in no file of a sealed store. */
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { crash } from '../../persistence/crash.ts';
import { encryption, plain, type Sealing } from '../../persistence/sealing.ts';
import { tempFolder } from '../support/temp.ts';
import { until } from '../support/turns.ts';

const pay = defineAction({
  run: (_: { account: string }) => 'paid',
  summary: ({ account }) => `perdure: pay ${account}`,
  impact: 'critical',
  reversible: false,
});
const note = defineAction({ run: (_: { account: string }) => 'noted', summary: ({ account }) => `Note ${account}` });
const actions = { pay, note };

function filesWith(folder: string, canary: string): string[] {
  return readdirSync(folder).filter((name) => readFileSync(join(folder, name)).includes(canary));
}

/** A life with the canary in every text, up to a crash; then what the next one knows. */
async function lives(folder: string, canary: string, sealing: Sealing) {
  const options = { store: join(folder, 'work.db'), actions, sealing };
  const input = { account: canary };
  const first = await spawnSupervisor(options);
  for (const id of ['open', 'approved', 'denied']) await first.submit('pay', input, { id });
  const plan = await first.plan({ id: 'plan', steps: [{ id: 'step', action: 'note', input }] });
  await plan.outcome;
  await first.submit('note', input, { id: 'given', summary: `given ${canary}` });
  await until(() => first.approvals().length === 3);
  await first.approve('approved', { by: `by ${canary}`, note: `note ${canary}` });
  await first.deny('denied', { by: `by ${canary}`, note: `note ${canary}` });
  expect(await (await first.submit('pay', input, { id: 'approved' })).outcome).toMatchObject({ kind: 'ok' });
  crash(first.durable);
  const found = filesWith(folder, canary);
  await using second = await spawnSupervisor(options);
  const [approval] = second.approvals();
  await expect(second.deny('denied')).rejects.toMatchObject({ facts: { by: `by ${canary}` } });
  const { error } = await (await second.submit('pay', input, { id: 'denied' })).outcome;
  return { found, summary: approval?.summary, message: error?.message };
}

test('summaries, and who answered and with what words, are in no file of a sealed store, and are there in its next life', async () => {
  const canary = `canary-${randomBytes(12).toString('hex')}`;
  const key = randomBytes(32);
  const known = {
    summary: `perdure: pay ${canary}`,
    message: `The action was denied by by ${canary}: note ${canary}.`,
  };
  const open = await lives(tempFolder(), canary, plain);
  expect(open).toMatchObject(known);
  expect(open.found, 'it is found where nothing is sealed').toContain('work.db');
  const sealed = await lives(tempFolder(), canary, encryption({ key: () => key, current: 'test' }));
  expect(sealed).toEqual({ ...known, found: [] });
});

test('a step of a sealed plan that is amended to what it is goes on as it is', async () => {
  const key = randomBytes(32);
  let runs = 0;
  let release = () => {};
  const hold = new Promise<void>((resolve) => (release = resolve));
  const slow = defineAction({
    run: async (_: { n: number }) => {
      runs += 1;
      await hold;
      return runs;
    },
    summary: ({ n }) => `Do it ${n} times`,
  });
  await using supervisor = await spawnSupervisor({
    store: join(tempFolder(), 'work.db'),
    actions: { slow },
    sealing: encryption({ key: () => key, current: 'test' }),
  });
  const options = { id: 'p', steps: [{ id: 's', action: 'slow', input: { n: 1 } }] };
  const { outcome } = await supervisor.plan(options);
  await until(() => runs === 1);
  await supervisor.amendPlan(supervisor.preparePlan(options), []);
  release();
  expect((await outcome).kind).toBe('ok');
  expect(runs).toBe(1);
});
