import { expect, onTestFinished, test } from 'vitest';
import { createActor, createMachine } from 'xstate';
import { serveInspector } from '../../inspector/index.ts';
import { useChromium } from './support/chromium.ts';
import { startHost } from './support/host.ts';

const chromium = useChromium();

test('a view that was not opened yet is there when its host is away, because the page fetched it while it had nothing to do', async () => {
  const host = await startHost();
  const { page } = await chromium.open();
  const fetched: string[] = [];
  page.on('requestfinished', (request) => fetched.push(new URL(request.url()).pathname));
  await page.goto(`${host.url}#/overview`);
  // The last one that it fetches.
  await expect.poll(() => fetched.some((path) => path.includes('/help-')), { timeout: 30_000 }).toBe(true);
  await host.kill();
  await expect.poll(() => page.locator('.banners').innerText(), { timeout: 30_000 }).toMatch(/connection broke/i);
  await page.evaluate(`location.hash = '#/sequence'`);
  await page.locator('.sequence-view').waitFor();
  await page.context().close();
});

test('a view that could not be had says so in plain words, and is there, with its styles, once the host is back', async () => {
  const first = await startHost();
  const { page } = await chromium.open();
  await page.route('**/assets/plan-*', (route) => route.abort());
  await page.goto(`${first.url}#/overview`);
  const main = page.locator('main');
  await expect.poll(() => main.innerText(), { timeout: 30_000 }).toMatch(/slots?/);
  await first.kill();
  await expect.poll(() => page.locator('.banners').innerText(), { timeout: 30_000 }).toMatch(/connection broke/i);
  await page.evaluate(`location.hash = '#/plan'`);
  await expect.poll(() => main.innerText()).toBe('This view is loaded when the host is back');

  await page.unroute('**/assets/plan-*');
  await startHost({ port: first.port, store: first.store });
  await page.locator('.plans-view').waitFor({ timeout: 60_000 });
  expect(await page.evaluate(`getComputedStyle(document.querySelector('.plans-view')).display`)).toBe('flex');
  await page.context().close();
});

test('a page that nothing happens in rests: what moves in it costs no styles', async () => {
  const actor = createActor(createMachine({ id: 'still' })).start();
  const inspector = await serveInspector(actor, { port: 0 });
  onTestFinished(() => inspector.close());
  const { page } = await chromium.open({ reducedMotion: 'no-preference' });
  await page.goto(`${inspector.url}#/events`);
  await page.getByText('Live', { exact: true }).waitFor();
  const browser = await page.context().newCDPSession(page);
  await browser.send('Performance.enable');
  const computed = async () => {
    const { metrics } = await browser.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'RecalcStyleCount')?.value ?? NaN;
  };
  expect(await page.evaluate(`document.getAnimations().length`)).toBeGreaterThan(0);
  // While it runs, each frame would compute them: 60 in a second. The first second is that in which the page is made.
  const inASecond = async () => {
    const before = await computed();
    await page.waitForTimeout(1_000);
    return (await computed()) - before;
  };
  await expect.poll(inASecond, { timeout: 30_000 }).toBeLessThan(15);
  await page.context().close();
});
