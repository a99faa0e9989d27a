/**
 * The files of the built page. Only names of a list that is made once are ever opened, so no path leads out of the folder, however it
 * is written.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, relative, sep } from 'node:path';
import { ReplyFailure, send } from './reply.ts';
import { PACKAGE_FOLDER } from './version.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.json': 'application/json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
};

/** As Vite names what is never changed. */
const HASHED = /^assets\/.+-[\w-]{8,}\.\w+$/;
const YEAR_S = 31_536_000;

/** The best first. */
const ENCODINGS = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const;

/** Where the build puts the page, also for code that runs from its sources. */
const PAGE = join(PACKAGE_FOLDER, 'dist', 'inspector', 'page');

export class Assets {
  readonly #folder: string;
  /** The names that there are, with `/` between folders; none while the page is not built. */
  readonly #names: ReadonlySet<string>;

  constructor(folder = PAGE) {
    this.#folder = folder;
    this.#names = new Set(existsSync(folder) ? filesIn(folder) : []);
  }

  has(name: string): boolean {
    return this.#names.has(name) && TYPES[extname(name)] !== undefined;
  }

  /** Throws a failure that is told when it is not there. */
  send(request: IncomingMessage, response: ServerResponse, name: string): void {
    if (!this.#names.has('index.html')) throw notBuilt();
    if (!this.has(name)) throw new ReplyFailure(404, 'NOT_FOUND', 'There is no such file.');
    const [encoding, ending] = this.#encodingFor(request, name);
    const file = join(this.#folder, `${name}${ending}`);
    const isHashed = HASHED.test(name);
    response.setHeader('Cache-Control', isHashed ? `public, max-age=${YEAR_S}, immutable` : 'no-cache');
    response.setHeader('Vary', 'Accept-Encoding');
    if (encoding !== undefined) response.setHeader('Content-Encoding', encoding);
    send(response, 200, readFileSync(file), { 'Content-Type': TYPES[extname(name)] });
  }

  #encodingFor({ headers }: IncomingMessage, name: string): [string | undefined, string] {
    const accepted = String(headers['accept-encoding'] ?? '').split(/\s*,\s*/);
    const found = ENCODINGS.find(([encoding, ending]) => accepted.includes(encoding) && this.#names.has(name + ending));
    return found === undefined ? [undefined, ''] : [...found];
  }
}

function notBuilt(): ReplyFailure {
  const message =
    'The page of the inspector is not built: run `npm run build` in the package. The API under v1/ works without it.';
  return new ReplyFailure(503, 'PAGE_NOT_BUILT', message);
}

/** Links are not followed. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'));
}
