import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import { expect, test } from 'vitest';
import { createInspectorServer } from '@statelyai/inspect/server';
import { createWebSocketInspector } from '@statelyai/inspect';
import { createActor, createMachine } from 'xstate';
import { useChromium } from './support/chromium.ts';
import { startHost } from './support/host.ts';

const chromium = useChromium();

const light = createMachine({
  id: 'light',
  initial: 'green',
  states: { green: { on: { next: 'amber' } }, amber: { on: { next: 'red' } }, red: { on: { next: 'green' } } },
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("the page is a viewer of Stately's own unmodified inspector server, in its frame", async () => {
  const host = await startHost();
  const port = await freePort();
  const viewer = new URL('/viewer', host.url);
  const bridge = createInspectorServer({ port, url: viewer.href, autoOpen: false });
  const inspector = createWebSocketInspector({ url: `ws://localhost:${port}` });
  try {
    const { page } = await chromium.open();
    await page.goto(`http://localhost:${port}`);
    const actor = createActor(light, { inspect: inspector.inspect });
    actor.start();
    actor.send({ type: 'next' });
    const frame = page.frameLocator('iframe');
    await expect.poll(() => frame.locator('main').innerText(), { timeout: 30_000 }).toMatch(/light/);
    actor.send({ type: 'next' });
    await expect.poll(() => frame.locator('main').innerText(), { timeout: 30_000 }).toMatch(/red/);
    await page.context().close();
  } finally {
    inspector.stop();
    bridge.stop();
  }
});

test("the page is the window that Stately's unmodified browser inspector opens", async () => {
  const host = await startHost();
  const input = fileURLToPath(new URL('./support/stately-host.mjs', import.meta.url));
  const { output } = await build({ input, platform: 'browser', write: false });
  // A web app, on an origin of its own.
  const server = createServer((req, res) => {
    const isScript = req.url === '/app.js';
    res.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    res.end(
      isScript
        ? output[0].code
        : '<!doctype html><title>a web app</title><script type="module" src="/app.js"></script>',
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { page } = await chromium.open();
  try {
    const viewer = new URL('/viewer', host.url).href;
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/?viewer=${encodeURIComponent(viewer)}`);
    const [popup] = await Promise.all([page.waitForEvent('popup'), page.getByRole('button').click()]);
    await expect.poll(() => popup.locator('main').innerText(), { timeout: 30_000 }).toMatch(/light/);
    await page.getByRole('button').click();
    await page.getByRole('button').click();
    await expect.poll(() => popup.locator('main').innerText(), { timeout: 30_000 }).toMatch(/red/);
  } finally {
    server.close();
    await page.context().close();
  }
});
