import { expect, onTestFinished, test } from 'vitest';
import { defineAction, spawnSupervisor } from '../../index.ts';
import { tempStore } from '../support/temp.ts';
import { useChromium } from './support/chromium.ts';

const chromium = useChromium();

test('a dead step of a plan is not offered to be queued again, but to be retried in its plan: which works', async () => {
  let isUp = false;
  const upload = defineAction({
    run: () => {
      if (!isUp) throw new Error('down');
    },
    retry: { attempts: 1 },
  });
  const supervisor = await spawnSupervisor({
    store: tempStore(),
    actions: { upload },
    inspector: { port: 0, commands: true },
  });
  onTestFinished(() => supervisor.close());
  const { page } = await chromium.open();
  onTestFinished(() => page.context().close());
  const plan = await supervisor.plan({ id: 'nightly:1', steps: [{ id: 'upload', action: 'upload', input: null }] });
  expect((await plan.outcome).kind).toBe('failed');
  isUp = true;

  const requeue = page.getByRole('button', { name: /requeue/i });
  const retry = page.getByRole('button', { name: 'Retry in its plan' });
  const url = new URL(String(supervisor.inspector?.url));
  await page.goto(`${url.href}#/overview`);
  await retry.waitFor();
  expect(await requeue.count()).toBe(0);
  await page.goto(`${url.origin}/#/work?action=nightly:1/upload`);
  await page
    .getByRole('complementary')
    .and(page.locator('.work-detail'))
    .getByRole('button', { name: 'Retry in its plan' })
    .waitFor();
  await page.goto(`${url.origin}/#/dead-letters`);
  await page.getByRole('checkbox').click();
  await retry.click();
  await expect.poll(async () => (await supervisor.joinPlan('nightly:1').outcome).kind).toBe('ok');
  // It stays on the list, as what failed once; there is nothing to be retried any more.
  await retry.waitFor({ state: 'detached' });
  await page.getByRole('checkbox').check();
  await expect.poll(() => retry.count()).toBe(0);
  expect(await requeue.count()).toBe(0);
});
