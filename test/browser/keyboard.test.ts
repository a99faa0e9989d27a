import { expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { useChromium } from './support/chromium.ts';
import { startHost } from './support/host.ts';

const chromium = useChromium();

const focused = (page: Page) =>
  page.evaluate<string | null>(`document.activeElement?.getAttribute('aria-label') ?? null`);
const place = (page: Page) => new URL(page.url()).hash;

test('the keyboard is where it was when a dialog, the palette or the help is closed, and Escape closes a detail', async () => {
  const host = await startHost();
  const { page, complaints } = await chromium.open();
  await page.goto(`${host.url}#/work`);
  await page.getByRole('row').nth(2).waitFor({ timeout: 30_000 });
  await page.keyboard.press('j');
  const list = await focused(page);
  expect(list).not.toBeNull();
  for (const keys of ['?', 'Control+k']) {
    await page.keyboard.press(keys);
    await page.locator('dialog[open]').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('dialog[open]').waitFor({ state: 'detached' });
    await expect.poll(() => focused(page)).toBe(list);
  }
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.getByRole('complementary', { name: /^Action/ }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('complementary', { name: /^Action/ }).waitFor({ state: 'detached' });
  expect(place(page)).not.toContain('action=');
  await expect.poll(() => focused(page)).toBe(list);

  await page.goto(`${new URL(host.url).origin}/#/checkpoints`);
  const take = page.getByRole('button', { name: /checkpoint/i }).first();
  await take.focus();
  await page.keyboard.press('Enter');
  await page.locator('dialog[open]').waitFor();
  await page.keyboard.press('Escape');
  await expect.poll(() => take.and(page.locator(':focus')).count()).toBe(1);
  expect(complaints).toEqual([]);
  await page.context().close();
});

test('a view that is opened first while its host is away is there, with its styles, once the host is back', async () => {
  const first = await startHost();
  const { page } = await chromium.open();
  await page.goto(`${first.url}#/overview`);
  const main = page.locator('main');
  await expect.poll(() => main.innerText(), { timeout: 30_000 }).toMatch(/slots?/);
  await first.kill();
  await expect.poll(() => page.locator('.banners').innerText(), { timeout: 30_000 }).toMatch(/connection broke/i);
  await page.evaluate(`location.hash = '#/plan'`);
  await expect.poll(() => main.innerText()).toMatch(/could not be loaded/);
  expect(await main.getByRole('button', { name: 'Try again' }).count()).toBe(1);

  await startHost({ port: first.port, store: first.store });
  await page.locator('.plans-view').waitFor({ timeout: 60_000 });
  expect(await page.evaluate(`getComputedStyle(document.querySelector('.plans-view')).display`)).toBe('flex');
  await page.context().close();
});
