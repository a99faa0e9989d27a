/** The steps of `upkeep.yaml` that make a package, and look into it. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What every tarball must hold. */
const REQUIRED = [
  'package.json',
  'README.md',
  'LICENSE',
  'dist/index.js',
  'dist/index.d.ts',
  'dist/machines/index.js',
  'dist/testing.js',
  'dist/bin/perdure.js',
  'dist/actors/command-wrapper.mjs',
];
/** What none may. */
const FORBIDDEN = /(^|\/)(test|bench|work|node_modules)\/|(?<!\.d)\.m?ts$|\.db$/;

/** @param {string} path relative to `examples/` */
function here(path) {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

/**
 * Puts beside the built files what belongs into a package.
 * @param {{ input: { package: string } }} step
 */
export function stage({ input }) {
  for (const file of ['package.json', 'README.md', 'LICENSE'])
    copyFileSync(here(`../${file}`), here(`${input.package}/${file}`));
  const { name, version } = JSON.parse(readFileSync(here('../package.json'), 'utf8'));
  return { name, version };
}

/**
 * Compares what is in the tarball with what must and must not be.
 * @param {{ input: { folder: string }, results: Record<string, unknown> }} step
 */
export function checkTarball({ input, results }) {
  const [{ filename, size }] = /** @type {[{ filename: string, size: number }]} */ (results['package/pack']);
  const listing = execFileSync('tar', ['-tzf', here(`${input.folder}/${filename}`)], { encoding: 'utf8' });
  const files = listing
    .trim()
    .split('\n')
    .map((file) => file.replace(/^package\//, ''));
  const missing = REQUIRED.filter((file) => !files.includes(file));
  const stray = files.filter((file) => FORBIDDEN.test(file));
  if (missing.length + stray.length > 0) {
    throw new Error(
      `expected another tarball: missing ${missing.join(', ') || 'nothing'}; stray ${stray.join(', ') || 'nothing'}`,
    );
  }
  return { filename, size, files: files.length };
}
