/**
 * The modules that threads may load: named by the host at the start, inside one folder, never taken from the store. Nothing
 * of them is loaded here; a thread says what they export.
 */
import { realpathSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { messageOf, PerdureError, type PerdureErrorCode } from '../errors.ts';
import { shown } from '../machines/option-keys.ts';
import { nearest } from '../machines/nearest.ts';
import { thrownIn, type ThrownData } from './thread-error.ts';
import type { ThreadSettings } from './thread-options.ts';
import type { ThreadCall } from './thread-work.ts';

type Place = Pick<ThreadSettings, 'root' | 'packages'>;

/** What a thread said of a module. */
export type Inspection = { readonly functions: readonly string[] } | { readonly threw: ThrownData };

/** The URL of a module. Throws THREAD_MODULE_OUTSIDE, THREAD_MODULE_NOT_FOUND. */
export function moduleUrl(action: string, { module }: ThreadCall, place: Place): string {
  return pathToFileURL(
    module.startsWith('./') || module.startsWith('../')
      ? fileOf(action, module, place)
      : packageOf(action, module, place),
  ).href;
}

function fileOf(action: string, module: string, { root }: Place): string {
  const folder = real(root);
  if (folder === undefined || !statSync(folder).isDirectory())
    throw new PerdureError('OPTIONS_INVALID', `threads.root must be a folder that exists, got ${shown(root)}.`, {
      facts: { root },
    });
  const asked = resolve(folder, module);
  // Before anything is looked at: whether a file outside exists is nobody's business.
  if (!isInside(folder, asked)) throw outside(action, module, folder);
  const found = module.includes('\0') ? undefined : real(asked);
  if (found === undefined || !statSync(found).isFile())
    throw refused('THREAD_MODULE_NOT_FOUND', action, module, `there is no file ${asked}`);
  if (!isInside(folder, found)) throw outside(action, module, folder);
  return found;
}

function real(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function outside(action: string, module: string, root: string): PerdureError {
  return refused('THREAD_MODULE_OUTSIDE', action, module, `it leaves the folder ${root}, which threads.root names`);
}

/** A package by its name, as `require.resolve` finds it from the root. */
function packageOf(action: string, module: string, { root, packages }: Place): string {
  if (isAbsolute(module) || /^[a-z][a-z\d+.-]*:/i.test(module) || module.includes('\\'))
    throw refused(
      'THREAD_MODULE_OUTSIDE',
      action,
      module,
      `it must be a path that begins with ./, relative to threads.root`,
    );
  const name = module.split('/', module.startsWith('@') ? 2 : 1).join('/');
  if (!packages.includes(name)) {
    const why = `it is no path that begins with ./, and threads.packages names no package ${shown(name)}`;
    throw refused('THREAD_MODULE_OUTSIDE', action, module, why);
  }
  try {
    return realpathSync(createRequire(join(resolve(root), 'threads.js')).resolve(module));
  } catch (cause) {
    throw refused(
      'THREAD_MODULE_NOT_FOUND',
      action,
      module,
      `the package was not found: ${messageOf(cause)}`,
      {},
      cause,
    );
  }
}

/** Throws THREAD_MODULE_UNLOADABLE, THREAD_MODULE_EXPORT. */
export function checkInspected(action: string, { module, export: name }: ThreadCall, found: Inspection): void {
  if ('threw' in found) throw unloadable(action, module, thrownIn(found.threw));
  const { functions } = found;
  if (functions.includes(name)) return;
  const [meant] = nearest(name, functions);
  const there = functions.length === 0 ? 'it exports no functions' : `it exports these: ${functions.join(', ')}`;
  const hint = meant === undefined ? '' : ` (did you mean "${meant}"?)`;
  throw refused('THREAD_MODULE_EXPORT', action, module, `it must export a function "${name}"${hint}, but ${there}`, {
    export: name,
    functions,
  });
}

export function unloadable(action: string, module: string, cause: unknown): PerdureError {
  return refused('THREAD_MODULE_UNLOADABLE', action, module, `it could not be loaded: ${messageOf(cause)}`, {}, cause);
}

function refused(
  code: PerdureErrorCode,
  action: string,
  module: string,
  why: string,
  facts: object = {},
  cause?: unknown,
): PerdureError {
  return new PerdureError(code, `The action "${action}": the module ${shown(module)} cannot run in a thread: ${why}.`, {
    facts: { action, module, ...facts },
    ...(cause === undefined ? {} : { cause }),
  });
}
