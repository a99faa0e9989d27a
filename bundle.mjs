/**
 * Writes what runs of the published package: `node bundle.mjs [folder]`, by default `dist`. A few files, because each module
 * of its own would cost a third of a millisecond to import. tsc checks the types and writes the declarations.
 */
import { chmodSync } from 'node:fs';
import { dirname, isAbsolute, join, relative } from 'node:path';
import { build } from 'rolldown';

const ROOT = import.meta.dirname;
const [folder = join(ROOT, 'dist')] = process.argv.slice(2);

/**
 * Nothing of a package is copied.
 * @param {string} id
 */
const isPackage = (id) => !id.startsWith('.') && !isAbsolute(id);

/**
 * Code finds what it starts by its path, `new URL('./program.mjs', import.meta.url)`, whatever file that code ends up in.
 * The program is one file that shares nothing with the rest, so it starts fast.
 * @type {import('rolldown').Plugin}
 */
const programs = {
  name: 'programs',
  transform: {
    filter: { code: 'import.meta.url' },
    async handler(code, id) {
      const [url = '', path] = /new URL\('(\.\/[^']+)', import\.meta\.url\)/.exec(code) ?? [];
      if (path === undefined) return null;
      const input = join(dirname(id), path);
      const { output } = await build({ input, platform: 'node', external: isPackage, write: false });
      const reference = this.emitFile({ type: 'asset', fileName: relative(ROOT, input), source: output[0].code });
      // No line moves, so the source map holds.
      return { code: code.replace(url, `new URL(import.meta.ROLLUP_FILE_URL_${reference})`), map: null };
    },
  },
};

await build({
  cwd: ROOT,
  // The doors that package.json names. What two of them need is in a file of its own, and there once.
  input: {
    index: 'index.ts',
    'machines/index': 'machines/index.ts',
    testing: 'testing.ts',
    'bin/perdure': 'bin/perdure.ts',
  },
  platform: 'node',
  external: isPackage,
  plugins: [programs],
  output: {
    dir: folder,
    cleanDir: true,
    chunkFileNames: 'shared/[name].js',
    // Names are those of the sources, also where two modules use the same one.
    keepNames: true,
    // `node --enable-source-maps` names the sources in stack traces; without that option Node does not read the maps.
    sourcemap: true,
    // They would double the package.
    sourcemapExcludeSources: true,
  },
});
chmodSync(join(folder, 'bin/perdure.js'), 0o755);
