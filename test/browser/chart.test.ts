import { expect, onTestFinished, test } from 'vitest';
import type { Page } from 'playwright-core';
import { createActor, createMachine } from 'xstate';
import { serveInspector } from '../../inspector/server/server.ts';
import { useChromium } from './support/chromium.ts';

const chromium = useChromium();

/** A machine whose chart is far larger than any window. */
const states = 60;
const long = createMachine({
  id: 'long',
  initial: 's0',
  states: Object.fromEntries(
    Array.from({ length: states }, (_, n) => [
      `s${n}`,
      { on: { NEXT: `s${(n + 1) % states}`, [`JUMP_${n}`]: `s${(n * 7) % states}` } },
    ]),
  ),
});

async function isInSight(page: Page, state: string): Promise<boolean> {
  const pane = await page.locator('.chart-pane').boundingBox();
  const active = page.locator(`[data-state="${state}"].is-active > .state-box`);
  const box = (await active.count()) === 0 ? null : await active.boundingBox();
  if (pane === null || box === null) return false;
  const isWithin = (from: number, size: number, start: number, all: number) =>
    from >= start && from + size <= start + all;
  return isWithin(box.x, box.width, pane.x, pane.width) && isWithin(box.y, box.height, pane.y, pane.height);
}

test('a live chart keeps its active state in sight until somebody moves it, and goes back to it when told', async () => {
  const actor = createActor(long).start();
  const server = await serveInspector(actor, { port: 0 });
  onTestFinished(() => server.close());
  const { page } = await chromium.open();
  await page.goto(server.url);
  await page.locator('.chart-pane').waitFor({ timeout: 60_000 });
  const inSight = (state: string) => expect.poll(() => isInSight(page, `long.${state}`), { timeout: 20_000 });
  await inSight('s0').toBe(true);
  for (let n = 0; n < 40; n += 1) actor.send({ type: 'NEXT' });
  await inSight('s40').toBe(true);
  await page.locator('.chart-pane').focus();
  for (let n = 0; n < 60; n += 1) await page.keyboard.press('ArrowRight');
  await inSight('s40').toBe(false);
  actor.send({ type: 'NEXT' });
  await page.locator('[data-state="long.s41"].is-active').waitFor({ state: 'attached' });
  await inSight('s41').toBe(false);
  await page.getByRole('button', { name: 'To the active state' }).click();
  await inSight('s41').toBe(true);
  await page.context().close();
});
