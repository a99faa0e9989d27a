import { expect, test } from 'vitest';
import { useChromium } from './support/chromium.ts';
import { startHost } from './support/host.ts';

const chromium = useChromium();

test('a page that is open when its host is killed goes on with the next one, and misses nothing that was committed', async () => {
  const first = await startHost({ services: 3, pace: 3 });
  const { page } = await chromium.open();
  await page.goto(`${first.url}#/events`);
  await expect.poll(() => page.locator('main').innerText(), { timeout: 30_000 }).toMatch(/executor/);
  await first.kill();
  await expect.poll(() => page.locator('body').innerText(), { timeout: 30_000 }).toMatch(/reconnect|offline|lost/i);
  const second = await startHost({ services: 3, pace: 3, port: first.port, store: first.store });
  await expect.poll(() => page.locator('body').innerText(), { timeout: 60_000 }).not.toMatch(/reconnecting/i);
  // What happened while nobody was connected is in the history, and the page has it.
  const { checkpoints } = await second.get<{ checkpoints: { turn: number }[] }>('/v1/views/checkpoints');
  expect(checkpoints.length).toBeGreaterThan(0);
  await expect.poll(() => page.locator('main').innerText(), { timeout: 30_000 }).toMatch(/runtime\.resumed|resume/);
  await page.context().close();
});
