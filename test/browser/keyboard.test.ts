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
