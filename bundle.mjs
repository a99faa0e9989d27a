/**
 * Writes what runs of the published package: `node bundle.mjs [folder]`, by default `dist`. A few files, because each module
 * of its own would cost a third of a millisecond to import. tsc checks the types and writes the declarations.
 */
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { build } from 'rolldown';
import { minifySync } from 'rolldown/utils';

const ROOT = import.meta.dirname;
const folder = resolve(process.argv[2] ?? join(ROOT, 'dist'));

/** @type {{ dependencies: object, peerDependencies: object }} */
const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

/** @type {import('rolldown').InputOptions} */
const common = {
  cwd: ROOT,
  platform: 'node',
  // As in tsconfig.json.
  transform: { target: 'es2023' },
  // What is installed beside the package is imported from there, never copied.
  external: Object.keys({ ...dependencies, ...peerDependencies }).map((name) => new RegExp(`^${name}(/|$)`)),
};

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
      let bundled = code;
      for (const [url, path = ''] of code.matchAll(/new URL\('(\.\/[^']+)', import\.meta\.url\)/g)) {
        const input = join(dirname(id), path);
        const { output } = await build({ ...common, input, write: false });
        const reference = this.emitFile({ type: 'asset', fileName: relative(ROOT, input), source: output[0].code });
        bundled = bundled.replace(url, `new URL(import.meta.ROLLUP_FILE_URL_${reference})`);
      }
      // No line moves, so the source map holds.
      return { code: bundled, map: null };
    },
  },
};

await build({
  ...common,
  // The doors that package.json names. What two of them need is in a file of its own, and there once.
  input: {
    index: 'index.ts',
    'machines/index': 'machines/index.ts',
    'inspector/index': 'inspector/index.ts',
    testing: 'testing.ts',
    'bin/perdure': 'bin/perdure.ts',
  },
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

// What lays charts out is a program compiled by somebody else: nobody reads it, and it is as large as all the rest.
const layout = join(folder, 'inspector/charts/elk-program.mjs');
const source = readFileSync(layout, 'utf8').replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n');
writeFileSync(layout, minifySync(layout, source, { module: true }).code);

/** What of others is in the package, here and in the page, and under which terms. */
const copied = ['elkjs', 'preact', '@preact/signals', '@preact/signals-core', 'uplot'];
const notices = copied.map((name) => {
  const home = join(ROOT, 'node_modules', name);
  /** @type {{ version: string, license: string }} */
  const { version, license } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  const terms = readdirSync(home).find((file) => /^licen[cs]e/i.test(file));
  if (terms === undefined) throw new Error(`expected ${name} to bring its licence, found none in ${home}`);
  return `# ${name} ${version}, ${license}\n\n${readFileSync(join(home, terms), 'utf8').trim()}\n`;
});
writeFileSync(join(folder, 'third-party-licences.md'), notices.join('\n'));
