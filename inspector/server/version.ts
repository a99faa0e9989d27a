/** The package that this is, as its package.json has it, wherever in it a bundler has put this code. */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';

const require = createRequire(import.meta.url);
const MANIFEST = 'perdure/package.json';

export const PACKAGE_FOLDER = dirname(require.resolve(MANIFEST));

export const PACKAGE_VERSION = (require(MANIFEST) as { readonly version: string }).version;
