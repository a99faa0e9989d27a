/**
 * What `module:` names in a plan: a file, and after its last `#` one of the file's exports. The file is a path, never a
 * package name or a URL, and is not looked at here. To name a file with `#` in its name, spell out `#default`.
 */

import { extname } from 'node:path';

export interface ModuleReference {
  /** As written: relative to the plan's folder, or absolute. */
  readonly path: string;
  readonly export: string;
}

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;
/** Two letters at least, so that the drive of a Windows path is not taken for one. */
const URL_SCHEME = /^[a-z][a-z0-9+.-]+:/i;
const TYPESCRIPT = new Set(['.ts', '.mts', '.cts']);

/** Whether this Node runs TypeScript files by stripping their types; its typings do not know the feature yet. */
function stripsTypes(): boolean {
  return Boolean((process.features as { readonly typescript?: unknown }).typescript);
}

export function parseModuleReference(text: string): ModuleReference {
  const hash = text.lastIndexOf('#');
  return hash < 0 ? { path: text, export: 'default' } : { path: text.slice(0, hash), export: text.slice(hash + 1) };
}

/** Why `text` cannot be run as a module, or undefined if nothing speaks against it. */
export function moduleReferenceProblem(text: string): string | undefined {
  const { path, export: name } = parseModuleReference(text);
  if (path.trim() === '')
    return `expected the path of a module such as ./resize.mjs#resize, got ${JSON.stringify(text)}`;
  if (!URL_SCHEME.test(path) && !isExportName(name))
    return `expected the name of an export after "#", got ${JSON.stringify(text)}`;
  return modulePathProblem(path, text);
}

export function isExportName(text: string): boolean {
  return IDENTIFIER.test(text);
}

/** Why the file at `path`, written as `text`, cannot be a module. */
export function modulePathProblem(path: string, text = path): string | undefined {
  const got = `got ${JSON.stringify(text)}`;
  if (URL_SCHEME.test(path)) return `expected the path of a file, not a URL, ${got}`;
  if (TYPESCRIPT.has(extname(path).toLowerCase()) && !stripsTypes()) {
    return (
      `expected JavaScript, ${got}: Node ${process.versions.node} does not strip types; ` +
      'Node 22.18 and later, and 23.6 and later, do. Compile the file to JavaScript, or write it as .mjs'
    );
  }
  return undefined;
}
