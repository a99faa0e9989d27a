/**
 * Takes the pictures of the README and the guide, of a real run in a real Chromium: `node docs/screenshots.mjs`. They are drawn with
 * the fonts of the machine. Chromium is found by its name, or by PERDURE_CHROMIUM.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';

const IMAGES = join(import.meta.dirname, 'images');
const HOST = join(import.meta.dirname, '../examples/inspector/night.mjs');
/** Until there is something of everything. */
const UNDER_WAY_MS = 9_000;
const DRAWN_MS = 2_500;

/** @type {readonly { name: string, at: string, scheme: 'light' | 'dark' }[]} */
const PICTURES = [
  { name: 'plan', at: 'plan', scheme: 'light' },
  { name: 'actors', at: 'actors?actor=main%2Fdegradation%2Fcomponent+registry', scheme: 'dark' },
  { name: 'overview', at: 'overview', scheme: 'light' },
  { name: 'timeline', at: 'timeline', scheme: 'dark' },
  { name: 'sequence', at: 'sequence', scheme: 'light' },
  { name: 'checkpoints', at: 'checkpoints', scheme: 'light' },
];

const folder = mkdtempSync(join(tmpdir(), 'perdure-night-'));
mkdirSync(IMAGES, { recursive: true });
const token = 'only-for-these-pictures-0123456789';
const args = ['--port', '0', '--store', join(folder, 'night.db'), '--services', '6', '--token', token];
const host = spawn(process.execPath, [HOST, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
const browser = await chromium.launch({ executablePath: chromiumPath(), args: ['--no-sandbox'] });
try {
  const url = await new Promise((resolve) => host.stdout.once('data', (text) => resolve(String(text).trim())));
  const pages = new Map();
  for (const scheme of /** @type {const} */ (['light', 'dark'])) {
    const context = await browser.newContext({ viewport: { width: 1360, height: 850 }, colorScheme: scheme });
    const page = await context.newPage();
    await page.goto(url);
    pages.set(scheme, page);
  }
  await sleep(UNDER_WAY_MS);
  for (const { name, at, scheme } of PICTURES) {
    const page = pages.get(scheme);
    await page.goto(`${new URL(url).origin}/#/${at}`);
    await sleep(DRAWN_MS);
    await page.screenshot({ path: join(IMAGES, `${name}.png`) });
    console.log(`docs/images/${name}.png`);
  }
} finally {
  await browser.close();
  host.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}

function chromiumPath() {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const path =
    process.env['PERDURE_CHROMIUM'] ?? folders.map((one) => join(one, 'chromium')).find((one) => existsSync(one));
  if (path === undefined) throw new Error('The pictures need Chromium: `apt-get install chromium`.');
  return path;
}
