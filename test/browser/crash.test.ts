import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { useChromium } from './support/chromium.ts';
import { startHost } from './support/host.ts';

const chromium = useChromium();

test('a page that is open when its host is killed goes on with the next one, and is told every turn that was committed', async () => {
  const first = await startHost({ services: 3, pace: 2 });
  const { page } = await chromium.open();
  await page.goto(`${first.url}#/events`);
  const body = page.locator('body');
  await expect.poll(() => body.innerText(), { timeout: 30_000 }).toMatch(/main\/executor/);
  await first.kill();
  const db = new Database(first.store, { readonly: true });
  const committed = db.prepare('select turn from turns order by turn desc limit 50').pluck().all() as number[];
  db.close();
  await expect.poll(() => body.innerText(), { timeout: 30_000 }).toMatch(/connection broke/i);

  const second = await startHost({ services: 3, pace: 2, port: first.port, store: first.store });
  await expect.poll(() => body.innerText(), { timeout: 60_000 }).not.toMatch(/connection broke/i);
  // The last turn before the crash, and the one in which it came back.
  await page.goto(`${new URL(second.url).origin}/#/events?kind=turn&q=resume`);
  await expect.poll(() => body.innerText(), { timeout: 30_000 }).toMatch(/resume/);
  const { records } = await second.get<{ records: { kind: string; turn?: number }[] }>('/v1/records?from=0');
  const turns = records.filter(({ kind }) => kind === 'turn').map(({ turn }) => turn);
  expect(committed.length).toBeGreaterThan(0);
  expect(turns).toEqual(expect.arrayContaining(committed));
  await page.context().close();
});
