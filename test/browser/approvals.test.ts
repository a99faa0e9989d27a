import type { Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { decidedApprovals } from '../../actors/approval-ledger.ts';
import { defineAction, spawnSupervisor } from '../../index.ts';

import { tempStore } from '../support/temp.ts';
import { useChromium } from './support/chromium.ts';

const chromium = useChromium();

/** A host where so many irreversible actions ask, the oldest first. */
async function asked(count: number) {
  const deploy = defineAction({
    run: ({ to }: { to: string }) => to,
    impact: 'critical',
    reversible: false,
    summary: ({ to }) => `Deploy ${to} and delete the old version`,
    approval: { silence: 'wait' },
  });
  const supervisor = await spawnSupervisor({
    store: tempStore(),
    actions: { deploy },
    inspector: { port: 0, commands: true },
  });
  for (let n = 1; n <= count; n++) await supervisor.submit('deploy', { to: `site ${n}` }, { id: `deploy-${n}` });
  onTestFinished(() => supervisor.close());
  const { page } = await chromium.open();
  onTestFinished(() => page.context().close());
  const decided = (action: string) =>
    decidedApprovals(supervisor.durable.store.rows, count).find((approval) => approval.action === action);
  await expect.poll(() => supervisor.approvals().length, { timeout: 30_000 }).toBe(count);
  return {
    page,
    url: String(supervisor.inspector?.url),
    decided,
    open: () => supervisor.approvals().map(({ action }) => action),
  };
}

const cardOf = (page: Page, n: number) => page.getByRole('article', { name: `Deploy site ${n} and` });
/** How far the second card is below the first. */
const apart = async (page: Page) =>
  ((await cardOf(page, 2).boundingBox())?.y ?? 0) - ((await cardOf(page, 1).boundingBox())?.y ?? 0);
/** Clicks there in the moment in which something is so, whatever has come under the pointer by then. */
const clickOnce = (isSo: string, [x, y]: readonly [number, number]) => `new Promise((done) => {
  const look = () => {
    if (!(${isSo})) return requestAnimationFrame(look);
    const place = { clientX: ${x}, clientY: ${y}, detail: 1 };
    document.elementFromPoint(${x}, ${y}).dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true, ...place }));
    done();
  };
  look();
})`;
const focused = (page: Page) =>
  page.evaluate<string>(`document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent`);

test.each(['approvals', 'overview'])(
  'Enter in a note decides nothing, and a slow double click decides one thing: in %s',
  async (view) => {
    const { page, url, decided, open } = await asked(3);
    await page.goto(`${url}#/${view}`);
    await cardOf(page, 1).getByLabel('Note').fill('not yet');
    await page.keyboard.press('Enter');

    const box = await cardOf(page, 1).getByRole('button', { name: 'Approve' }).boundingBox();
    const before = await apart(page);
    const at = [(box?.x ?? 0) + 10, (box?.y ?? 0) + 10] as const;
    await page.mouse.click(...at);
    await expect.poll(() => decided('deploy-1')).toMatchObject({ state: 'approved', note: 'not yet' });
    await page.mouse.click(...at);
    // It stays where it was, and says what was decided.
    await cardOf(page, 1).getByText('approved').waitFor();
    expect(await apart(page)).toBe(before);
    await page.mouse.click(...at);
    await page.evaluate(
      clickOnce('document.querySelector(`article[aria-label^="Deploy site 1"]`) === null', [at[0] + 30, at[1]]),
    );

    await cardOf(page, 3).getByRole('button', { name: 'Deny' }).focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => decided('deploy-3')?.state).toBe('denied');
    expect(open()).toEqual(['deploy-2']);
  },
);

test('a double click on a card that is moved by what appears above it decides one thing', async () => {
  const { page, url, open } = await asked(3);
  await page.goto(`${url}#/overview`);
  const box = await cardOf(page, 2).getByRole('button', { name: 'Approve' }).boundingBox();
  const at = [(box?.x ?? 0) + 10, (box?.y ?? 0) + 10] as const;
  await page.mouse.click(...at);
  // The chart of the last hour appears with the first thing that is done.
  await page.evaluate(clickOnce('document.querySelector(".hour") !== null', at));
  await cardOf(page, 3).getByRole('button', { name: 'Approve' }).click();
  await expect.poll(open).toEqual(['deploy-1']);
});

test('whoever decides by the keyboard goes on with the next card, and with the title of the view after the last', async () => {
  const { page, url, decided } = await asked(2);
  await page.goto(`${url}#/approvals`);
  for (const [n, next] of [
    [1, 'Deploy site 2 and delete the old version'],
    [2, 'Approvals'],
  ] as const) {
    await cardOf(page, n).getByRole('button', { name: 'Approve' }).focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => decided(`deploy-${n}`)?.state).toBe('approved');
    await expect.poll(() => focused(page)).toBe(next);
    await cardOf(page, n).waitFor({ state: 'detached' });
    expect(await focused(page)).toBe(next);
  }
});

test('many approvals are drawn in parts, and can be searched', async () => {
  const { page, url } = await asked(120);
  await page.goto(`${url}#/approvals`);
  const cards = page.getByRole('article');
  await expect.poll(() => cards.count()).toBe(50);
  expect(await page.locator('*').count()).toBeLessThan(5_000);
  await page.getByRole('button', { name: 'Show 50 more of 70' }).click();
  await expect.poll(() => cards.count()).toBe(100);
  await page.keyboard.press('/');
  await page.keyboard.type('site 117');
  await expect.poll(() => cards.count()).toBe(1);
  await cardOf(page, 117).waitFor();
});
