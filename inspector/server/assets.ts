/**
 * The files of the built page. Only names of a list that is made once are ever opened, so no path leads out of the folder, however it
 * is written.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
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

/** Shorter ones fit into one packet anyway, bytes. */
const WORTH_COMPRESSING = 1_024;
const compress = promisify(gzip);

/** Where the build puts the page, also for code that runs from its sources. */
const PAGE = join(PACKAGE_FOLDER, 'dist', 'inspector', 'page');

export class Assets {
  readonly #folder: string;
  /** The names that there are, with `/` between folders; none while the page is not built. */
  readonly #names: ReadonlySet<string>;
  readonly #smaller = new Map<string, Promise<Buffer | undefined>>();

  constructor(folder = PAGE) {
    this.#folder = folder;
    this.#names = new Set(existsSync(folder) ? filesIn(folder) : []);
  }

  has(name: string): boolean {
    return this.#names.has(name) && TYPES[extname(name)] !== undefined;
  }

  /** Throws a failure that is told when it is not there. */
  async send(request: IncomingMessage, response: ServerResponse, name: string): Promise<void> {
    if (!this.#names.has('index.html')) throw notBuilt();
    if (!this.has(name)) throw new ReplyFailure(404, 'NOT_FOUND', 'There is no such file.');
    const isHashed = HASHED.test(name);
    response.setHeader('Cache-Control', isHashed ? `public, max-age=${YEAR_S}, immutable` : 'no-cache');
    response.setHeader('Vary', 'Accept-Encoding');
    const compressed = takesGzip(request) ? await this.#compressed(name) : undefined;
    if (compressed !== undefined) response.setHeader('Content-Encoding', 'gzip');
    send(response, 200, compressed ?? this.#read(name), { 'Content-Type': TYPES[extname(name)] });
  }

  #read(name: string): Buffer {
    return readFileSync(join(this.#folder, name));
  }

  /** Made when it is first asked for, beside the event loop, and kept. Undefined where it would not be smaller. */
  async #compressed(name: string): Promise<Buffer | undefined> {
    const known = this.#smaller.get(name);
    if (known !== undefined) return known;
    const made = this.#compress(name);
    this.#smaller.set(name, made);
    // One that failed is read again.
    made.catch(() => this.#smaller.delete(name));
    return made;
  }

  async #compress(name: string): Promise<Buffer | undefined> {
    const plain = this.#read(name);
    if (plain.length < WORTH_COMPRESSING) return undefined;
    const compressed = await compress(plain);
    return compressed.length < plain.length ? compressed : undefined;
  }
}

function takesGzip({ headers }: IncomingMessage): boolean {
  return String(headers['accept-encoding'] ?? '')
    .split(/\s*,\s*/)
    .includes('gzip');
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
