import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
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

/** What a web app does that is inspected by Stately's package. It is bundled as any web app is. */
const WEB_APP = resolve('test/browser/web-app.mjs');
const webApp = `
import { createBrowserInspector } from '@statelyai/inspect';
import { createActor, createMachine } from 'xstate';

const light = createMachine({
  id: 'light',
  initial: 'green',
  states: { green: { on: { next: 'amber' } }, amber: { on: { next: 'red' } }, red: { on: { next: 'green' } } },
});

const button = document.createElement('button');
button.textContent = 'inspect';
document.body.append(button);
button.addEventListener('click', () => {
  const url = new URLSearchParams(location.search).get('viewer') ?? '';
  const inspector = createBrowserInspector({ url });
  const actor = createActor(light, { inspect: inspector.inspect }).start();
  button.textContent = 'next';
  button.addEventListener('click', () => actor.send({ type: 'next' }));
});
`;

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
  const { output } = await build({
    input: WEB_APP,
    plugins: [
      {
        name: 'web-app',
        resolveId: (id) => (id === WEB_APP ? id : null),
        load: (id) => (id === WEB_APP ? webApp : null),
      },
    ],
    platform: 'browser',
    write: false,
  });
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
