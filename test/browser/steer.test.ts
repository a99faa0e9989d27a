import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import type { Overview } from '../../inspector/views/overview.ts';
import type { Approvals } from '../../inspector/views/approvals.ts';
import type { AuditEntry } from '../../inspector/protocol.ts';
import { useChromium } from './support/chromium.ts';
import { startHost, type Host } from './support/host.ts';

const chromium = useChromium();

const overviewOf = (host: Host) => host.get<Overview>('/v1/views/overview');
const approvalsOf = (host: Host) => host.get<Approvals>('/v1/views/approvals');

test('a transition that is clicked in the chart changes the machine', async () => {
  const host = await startHost();
  const { page } = await chromium.open();
  await page.goto(`${host.url}#/actors?actor=main`);
  await page
    .getByRole('button', { name: /supervisor\.pause\b/ })
    .first()
    .click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: /send/i }).click();
  await expect.poll(async () => (await overviewOf(host)).state, { timeout: 20_000 }).toMatch(/paus/);
  await page.context().close();
});

test('of the events of Perdure’s own actors only those that may be sent can be clicked, and the page says why', async () => {
  const host = await startHost();
  const { page } = await chromium.open();
  await page.goto(`${host.url}#/actors?actor=main`);
  const takes = page.getByRole('region', { name: 'Events it takes now' });
  await takes.getByText('Its other events are Perdure’s own').waitFor({ timeout: 30_000 });
  expect(await takes.getByRole('button').allInnerTexts()).toEqual(['supervisor.pause']);
  const drawn = page.getByRole('button', { name: /supervisor\.cancel\b/ }).first();
  await drawn.waitFor();
  expect(await drawn.isDisabled()).toBe(true);
  await drawn.click({ force: true });
  expect(await page.getByRole('dialog').count()).toBe(0);
  await page.context().close();
});

test('an approval that is given in the page lets the action go on, and is audited', async () => {
  const host = await startHost();
  const { page } = await chromium.open();
  await page.goto(`${host.url}#/approvals`);
  await page
    .getByRole('button', { name: /approve/i })
    .first()
    .click({ timeout: 30_000 });
  const confirm = page.getByRole('dialog').getByRole('button', { name: /approve/i });
  if (await confirm.isVisible().catch(() => false)) await confirm.click();
  await expect.poll(async () => (await approvalsOf(host)).decided.length, { timeout: 20_000 }).toBeGreaterThan(0);
  const [decided] = (await approvalsOf(host)).decided;
  expect(decided?.state).toBe('approved');
  const action = decided?.action as string;
  const settled = async () =>
    (await host.get<{ kind: string | null }>(`/v1/views/action?id=${encodeURIComponent(action)}`)).kind;
  await expect.poll(settled, { timeout: 30_000 }).toBe('ok');
  const audit = await host.get<AuditEntry[]>('/v1/commands');
  expect(audit.map(({ event }) => event.type)).toContain('supervisor.decide');
  expect(audit[0]?.by).toMatch(/^page/);
  await page.context().close();
});

test('a fork that is made in the page is a store that goes on from there', async () => {
  const host = await startHost();
  const { page } = await chromium.open();
  const to = join(dirname(host.store), 'fork.db');
  await page.goto(`${host.url}#/checkpoints`);
  await page.getByRole('button', { name: /fork/i }).first().click({ timeout: 60_000 });
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox').first().fill(to);
  await dialog.getByRole('button', { name: 'Fork', exact: true }).click();
  await expect.poll(() => existsSync(to), { timeout: 30_000 }).toBe(true);
  await page.context().close();
});

test('where commands are not allowed the page offers none, and says so', async () => {
  const host = await startHost({ readOnly: true });
  const { page } = await chromium.open();
  await page.goto(`${host.url}#/approvals`);
  await expect.poll(() => page.locator('main').innerText(), { timeout: 30_000 }).toMatch(/Deploy/);
  expect(await page.locator('body').innerText()).toMatch(/read.only/i);
  const buttons = await page.getByRole('button', { name: /^(approve|deny)/i }).all();
  for (const button of buttons) expect(await button.isDisabled()).toBe(true);
  await page.context().close();
});
