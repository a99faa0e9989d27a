/** Builds the page into the package: static files with hashed names, which run under a strict CSP and under any path. */
import { join } from 'node:path';
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  // preact instead of react.
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  // Charts of definitions are made in the page by what makes them in the server.
  resolve: { alias: { 'node:crypto': join(import.meta.dirname, 'hash.ts') } },
  build: {
    outDir: join(import.meta.dirname, '../../dist/inspector/page'),
    emptyOutDir: true,
    target: 'es2022',
    sourcemap: false,
    // A data: URL would need a wider CSP than files do.
    assetsInlineLimit: 0,
    // One stylesheet, which comes with the page: a view that is opened while the server is away is not without its styles later.
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
});
