/** The inspector's page in a real Chromium: what it weighs, how soon it shows something, and whether it stays smooth. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';
import { createActor, createMachine } from 'xstate';
import { serveInspector } from '../dist/inspector/index.js';
import { median } from './rounds.mjs';

const ACTORS = 200;
const PAINTS = 5;
const MANY_ACTORS = 2_000;
const MANY_EVENTS = 20_000;
const EVENTS_A_TICK = 20;

/** Kilobytes of the first load, as compressed as they came, without what only lays out charts. */
export async function page() {
  return looking(200, async ({ browser, url }) => {
    const tab = await browser.newPage();
    /** @type {import('playwright-core').Request[]} */
    const requests = [];
    tab.on('requestfinished', (request) => requests.push(request));
    await tab.goto(url);
    await tab.locator('main').getByRole('heading').first().waitFor();
    await tab.waitForLoadState('networkidle').catch(() => {});
    const assets = requests.filter((request) => !/\/v1\/|elk/.test(new URL(request.url()).pathname));
    const sizes = await Promise.all(assets.map(async (request) => (await request.sizes()).responseBodySize));
    return { value: sizes.reduce((sum, size) => sum + size, 0) / 1_000, unit: 'KB', against: 'nothing' };
  });
}

/** From the beginning of the navigation until a tree of actors is drawn, ms. */
export async function firstPaint() {
  return looking(ACTORS, async ({ browser, url }) => {
    const shown = [];
    for (let round = 0; round < PAINTS; round++) {
      const context = await browser.newContext();
      const tab = await context.newPage();
      await tab.addInitScript(() => {
        const look = () => {
          if (document.querySelectorAll('[role="treeitem"]').length < 10) return requestAnimationFrame(look);
          return requestAnimationFrame(() => Object.assign(globalThis, { drawnAt: performance.now() }));
        };
        requestAnimationFrame(look);
      });
      await tab.goto(`${url}#/actors`);
      const drawn = await tab.waitForFunction(() => /** @type {{ drawnAt?: number }} */ (globalThis).drawnAt);
      shown.push(/** @type {number} */ (await drawn.jsonValue()));
      await context.close();
    }
    return { value: median(shown), unit: 'ms', against: 'nothing' };
  });
}

/** The 95th percentile of the time between two frames while 20,000 events of 2,000 actors come in and are scrolled through, ms. */
export async function frames() {
  return looking(MANY_ACTORS, async ({ browser, url, send }) => {
    const tab = await browser.newPage();
    await tab.goto(`${url}#/events`);
    await tab.locator('main').getByRole('heading').first().waitFor();
    const measuring = tab.evaluate(async () => {
      const gaps = [];
      const list = () => document.querySelector('main [data-scroll]');
      let last = performance.now();
      for (const end = last + 12_000; last < end;) {
        const now = await new Promise(requestAnimationFrame);
        gaps.push(performance.now() - last);
        last = performance.now();
        list()?.scrollBy(0, now % 2_000 < 1_000 ? 40 : -40);
      }
      return gaps.sort((a, b) => a - b)[Math.floor(gaps.length * 0.95)] ?? 0;
    });
    for (let sent = 0; sent < MANY_EVENTS; sent += EVENTS_A_TICK) {
      for (let n = 0; n < EVENTS_A_TICK; n++) send();
      if (sent % (EVENTS_A_TICK * 10) === 0) await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return { value: await measuring, unit: 'ms', against: 'nothing' };
  });
}

/**
 * An inspector over so many actors, and a browser.
 * @template T
 * @param {number} actors
 * @param {(looked: { browser: import('playwright-core').Browser, url: string, send: () => void }) => Promise<T>} measure
 */
async function looking(actors, measure) {
  const light = createMachine({
    id: 'light',
    initial: 'green',
    states: { green: { on: { next: 'amber' } }, amber: { on: { next: 'red' } }, red: { on: { next: 'green' } } },
  });
  const street = createMachine({
    id: 'street',
    entry: ({ spawn }) => {
      for (let n = 0; n < actors; n++) spawn(light, { id: `light-${n}` });
    },
  });
  const actor = createActor(street).start();
  const inspector = await serveInspector(actor, { port: 0 });
  const browser = await chromium.launch({ executablePath: chromiumPath(), args: ['--no-sandbox'] });
  const lights = Object.values(actor.getSnapshot().children);
  let next = 0;
  const send = () => lights[next++ % lights.length]?.send({ type: 'next' });
  try {
    return await measure({ browser, url: inspector.url, send });
  } finally {
    await browser.close();
    await inspector.close();
    actor.stop();
  }
}

function chromiumPath() {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const path =
    process.env['PERDURE_CHROMIUM'] ?? folders.map((one) => join(one, 'chromium')).find((one) => existsSync(one));
  if (path === undefined) throw new Error('These measures need Chromium: `apt-get install chromium`.');
  return path;
}
