import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { useChromium } from './support/chromium.ts';
import { startHost, type Host } from './support/host.ts';

const AXE = axe.source;
const chromium = useChromium();
let host: Host;

beforeAll(async () => {
  host = await startHost({ services: 4, pace: 3 });
});

/** What each view shows of a night's work once it has begun. */
const VIEWS: readonly (readonly [view: string, shows: RegExp])[] = [
  ['overview', /registry/],
  ['approvals', /Deploy \w+ to production/],
  ['notices', /./],
  ['actors', /executor/],
  ['sequence', /executor/],
  ['events', /executor/],
  ['work', /fetch/],
  ['plan', /upgrade/],
  ['timeline', /ran well/],
  ['schedules', /heartbeat/],
  ['dead-letters', /./],
  ['profile', /examine|fetch/],
  ['resources', /memory/i],
  ['budget', /budget/i],
  ['checkpoints', /turn/i],
  ['audit', /./],
];

async function serious(page: Page): Promise<string[]> {
  // By the protocol of the browser, because the page's policy allows no script but its own.
  await page.evaluate(AXE);
  const found = (await page.evaluate(
    `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations)`,
  )) as { id: string; impact: string; nodes: { target: string[]; failureSummary: string }[] }[];
  return found
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ target, failureSummary }) => `${target.join(' ')} ${failureSummary}`).join('; ')}`,
    );
}

describe.each(['light', 'dark'] as const)('in %s', (colorScheme) => {
  test.each(VIEWS)('the view %s shows a real run, accessibly, and without a complaint', async (view, shows) => {
    const { page, complaints } = await chromium.open({ colorScheme, reducedMotion: 'reduce' });
    await page.goto(`${host.url}#/${view}`);
    const main = page.locator('main');
    await expect.poll(() => main.innerText(), { timeout: 30_000 }).toMatch(shows);
    expect(await page.locator('h1').count()).toBeGreaterThan(0);
    // A picture of something: a page of one colour is some hundred bytes.
    expect((await page.screenshot()).length).toBeGreaterThan(10_000);
    expect(await serious(page)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});

test('on a telephone nothing is wider than the screen', async () => {
  const { page } = await chromium.open({ viewport: { width: 360, height: 740 } });
  for (const [view, shows] of VIEWS) {
    await page.goto(`${host.url}#/${view}`);
    await expect.poll(() => page.locator('main').innerText(), { timeout: 30_000 }).toMatch(shows);
    const width = (await page.evaluate('document.documentElement.scrollWidth')) as number;
    expect(`${view}: ${width}`).toBe(`${view}: 360`);
  }
  await page.context().close();
});
