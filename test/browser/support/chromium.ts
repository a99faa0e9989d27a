/** A real Chromium, Debian's, with nothing of its own to say to the network. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const ARGS = ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--no-first-run'];

function found(): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const paths = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  const path = process.env['PERDURE_CHROMIUM'] ?? paths.find((one) => existsSync(one));
  if (path !== undefined) return path;
  throw new Error('These tests need Chromium: `apt-get install chromium`, or say where it is by PERDURE_CHROMIUM.');
}

/** A page that is watched: what its console said that is an error, and what its policy refused. */
export interface Watched {
  readonly page: Page;
  readonly complaints: string[];
}

export interface Chromium {
  /** A page in a context of its own: no cookies, no storage. */
  open(options?: BrowserContextOptions): Promise<Watched>;
}

/** One browser for the tests of a file. */
export function useChromium(): Chromium {
  let browser: Browser | undefined;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: found(), args: ARGS });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
  });
  return {
    async open(options = {}) {
      if (browser === undefined) throw new Error('The browser has not been started yet.');
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on('console', (message) => {
        if (message.type() === 'error') complaints.push(`${message.text()} ${message.location().url}`);
      });
      page.on('pageerror', (error) => complaints.push(String(error)));
      return { page, complaints };
    },
  };
}
