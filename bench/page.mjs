/** The inspector's page in a real Chromium: what it weighs, how soon it shows something, and whether it stays smooth. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { createActor, createMachine, enqueueActions } from 'xstate';
import { serveInspector } from '../dist/inspector/index.js';
import { median } from './rounds.mjs';

const ACTORS = 200;
const OF_A_KIND = 10;
const PAINTS = 5;
/** KB that the first load should stay below. */
const WEIGHT = 80;
const MANY_ACTORS = 2_000;
const MANY_EVENTS = 20_000;
const EVENTS_A_TICK = 200;
const TICK_MS = 100;
const FRAMES_MS = 12_000;

// What runs in the browser is text: types of a document are not those of Node.
/** Promises when a tree is there, and painted. */
const WHEN_DRAWN = `
  globalThis.drawnAt = new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error('no tree was drawn')), 10_000);
    const look = () => {
      if (document.querySelectorAll('[role="treeitem"]').length < 10) return requestAnimationFrame(look);
      return requestAnimationFrame(() => resolve(performance.now()));
    };
    requestAnimationFrame(look);
  });
`;
/** Scrolls whatever scrolls up and down, and gives the 95th percentile of the time between two frames, ms. */
const SCROLLED = `(async () => {
  const gaps = [];
  let last = performance.now();
  for (const end = last + ${FRAMES_MS}; last < end; ) {
    const now = await new Promise(requestAnimationFrame);
    gaps.push(performance.now() - last);
    last = performance.now();
    for (const list of document.querySelectorAll('main *'))
      if (list.scrollHeight > list.clientHeight + 100) list.scrollBy(0, now % 2000 < 1000 ? 40 : -40);
  }
  return gaps.sort((a, b) => a - b)[Math.floor(gaps.length * 0.95)];
})()`;

/** Kilobytes of the first load, compressed as they came, without what only lays out charts. */
export async function page() {
  return looking(ACTORS, async ({ browser, url }) => {
    const tab = await browser.newPage();
    /** @type {import('playwright-core').Request[]} */
    const requests = [];
    tab.on('requestfinished', (request) => requests.push(request));
    await tab.goto(url, { waitUntil: 'networkidle' });
    const assets = requests.filter((request) => !/\/v1\/|elk/.test(new URL(request.url()).pathname));
    const sizes = await Promise.all(assets.map(async (request) => (await request.sizes()).responseBodySize));
    const value = sizes.reduce((sum, size) => sum + size, 0) / 1_000;
    return { value, unit: 'KB', ratio: value / WEIGHT, against: `${WEIGHT} KB` };
  });
}

/** From the beginning of the navigation until a tree of actors is drawn. */
export async function firstPaint() {
  return looking(ACTORS, async ({ browser, url }) => {
    const [ours, empty] = /** @type {[number[], number[]]} */ ([[], []]);
    for (let round = 0; round < PAINTS; round++) {
      ours.push(await drawn(browser, `${url}#/actors`));
      empty.push(await drawn(browser, `data:text/html,${'<p role="treeitem">actor</p>'.repeat(ACTORS)}`));
    }
    const value = median(ours);
    return {
      value,
      unit: 'ms',
      ratio: value / median(empty),
      against: 'a page of nothing but that list, without a server',
    };
  });
}

/**
 * @param {import('playwright-core').Browser} browser
 * @param {string} url
 */
async function drawn(browser, url) {
  const context = await browser.newContext();
  const tab = await context.newPage();
  await tab.addInitScript(WHEN_DRAWN);
  await tab.goto(url);
  const value = /** @type {number} */ (await tab.evaluate('globalThis.drawnAt'));
  await context.close();
  return value;
}

/** The time between two frames, at its 95th percentile, while 20,000 events of 2,000 actors come in and are scrolled through. */
export async function frames() {
  return looking(MANY_ACTORS, async ({ browser, url, send }) => {
    const tab = await browser.newPage();
    const raw = /** @type {number} */ (await tab.evaluate(SCROLLED));
    await tab.goto(`${url}#/events`, { waitUntil: 'load' });
    await sleep(1_000);
    for (let sent = 0; sent < MANY_EVENTS; sent++) {
      send();
      if (sent % EVENTS_A_TICK === 0) await sleep(10);
    }
    const measuring = /** @type {Promise<number>} */ (tab.evaluate(SCROLLED));
    for (let spent = 0; spent < FRAMES_MS; spent += TICK_MS) {
      for (let n = 0; n < EVENTS_A_TICK / 10; n++) send();
      await sleep(TICK_MS);
    }
    const value = await measuring;
    return { value, unit: 'ms', ratio: value / raw, against: 'an empty page' };
  });
}

/**
 * An inspector over so many actors, and a browser.
 * @template T
 * @param {number} actors
 * @param {(looked: { browser: import('playwright-core').Browser, url: string, send: () => void }) => Promise<T>} measure
 */
async function looking(actors, measure) {
  // Of many kinds: more than a few of one kind are drawn as one.
  const kinds = Array.from({ length: actors / OF_A_KIND }, (_, kind) =>
    createMachine({
      id: `light-${kind}`,
      initial: 'green',
      states: { green: { on: { next: 'amber' } }, amber: { on: { next: 'red' } }, red: { on: { next: 'green' } } },
    }),
  );
  const street = createMachine({
    id: 'street',
    entry: enqueueActions(({ enqueue }) => {
      for (const kind of kinds) for (let n = 0; n < OF_A_KIND; n++) enqueue.spawnChild(kind, { id: `${kind.id}-${n}` });
    }),
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
