/**
 * A YAML or JSON text as a value whose parts can be traced back to line and column. It knows YAML and nothing of plans.
 *
 * D1 The value is plain data: no custom tags, no dates, no merge keys, no YAML 1.1, no circles, no `__proto__`.
 * D2 Keys are text, and each is unique in its mapping.
 * D3 Every problem has a place; there is a value only when there are no problems.
 */

import { isAlias, isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { Alias, Document, Node, Pair, YAMLError, YAMLMap } from 'yaml';

/** Where in a value: keys and, counted from 0, positions in lists. */
export type Path = readonly (string | number)[];

/** What is wrong at a place; lines and columns count from 1. */
export interface PlanProblem {
  readonly line: number;
  readonly column: number;
  /** Such as `steps[3].timeout`; empty for the whole file. */
  readonly path: string;
  readonly message: string;
}

type Read = Document.Parsed;
type Ancestors = readonly (Document | Node | Pair)[];
/** Says that something is wrong with `node`, which belongs to the last of `ancestors`, or to `key` in it. */
type Report = (node: unknown, ancestors: Ancestors, message: string, key?: string) => void;

/** As in YAML's own schema, a key that needs no quotes in a path. */
const PLAIN_KEY = /^[\p{ID_Start}$_][\p{ID_Continue}$-]*$/u;

/** `['steps', 3, 'timeout']` as `steps[3].timeout`. */
export function shownPath(path: Path): string {
  const shown = path.map((part) => {
    if (typeof part === 'number') return `[${part}]`;
    return PLAIN_KEY.test(part) ? `.${part}` : `[${JSON.stringify(part)}]`;
  });
  return shown.join('').replace(/^\./, '');
}

function keyOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
}

function offsetOf(node: unknown): number | undefined {
  return (node as { readonly range?: readonly number[] | null } | null | undefined)?.range?.[0];
}

/** The path of the last of `ancestors`, which begin with the document. */
function pathOf(ancestors: Ancestors): Path {
  return ancestors.flatMap((ancestor, depth): Path => {
    if (isPair(ancestor)) return [keyOf(ancestor)];
    const parent = ancestors[depth - 1];
    return isSeq(parent) ? [parent.items.indexOf(ancestor)] : [];
  });
}

/** What is found once and asked for often: yaml itself would look through everything each time. */
interface Index {
  /** What each alias stands for. */
  readonly sources: ReadonlyMap<Alias, Node>;
  readonly members: ReadonlyMap<YAMLMap, ReadonlyMap<string, Pair>>;
}

/** The members of `map` by key. yaml finds duplicates too, but does not say where the first one is. */
function membersOf(map: YAMLMap, ancestors: Ancestors, lines: LineCounter, report: Report): Map<string, Pair> {
  const members = new Map<string, Pair>();
  for (const pair of map.items) {
    const key = keyOf(pair);
    const first = members.get(key);
    if (key === '__proto__') report(pair.key, [...ancestors, map], '"__proto__" cannot be a key', key);
    else if (first === undefined) members.set(key, pair);
    else {
      const { line } = lines.linePos(offsetOf(first.key) ?? 0);
      report(pair.key, [...ancestors, map], `duplicate key "${key}", first given on line ${line}`, key);
    }
  }
  return members;
}

function checkAlias(alias: Alias, ancestors: Ancestors, source: Node | undefined, report: Report): void {
  const { source: name } = alias;
  const here = [...ancestors, alias];
  if (source === undefined) report(alias, here, `the alias *${name} has no anchor &${name} before it`);
  else if (ancestors.includes(source)) report(alias, here, `the alias *${name} is inside its own anchor`);
}

/** Reports what the parser lets pass, and D1 and D2 do not. */
function indexOf(document: Read, lines: LineCounter, report: Report): Index {
  const anchors = new Map<string, Node>();
  const sources = new Map<Alias, Node>();
  const members = new Map<YAMLMap, Map<string, Pair>>();
  visit(document, {
    Node: (_key, node, ancestors) => {
      if (isAlias(node)) {
        const source = anchors.get(node.source);
        checkAlias(node, ancestors, source, report);
        if (source !== undefined) sources.set(node, source);
      } else if (node.anchor !== undefined) anchors.set(node.anchor, node);
      if (isMap(node)) members.set(node, membersOf(node, ancestors, lines, report));
    },
  });
  return { sources, members };
}

function syntaxMessage({ code, message }: YAMLError): string {
  if (code === 'NON_STRING_KEY') return 'expected a key to be text, got an alias, a list or a mapping';
  if (code === 'RESOURCE_EXHAUSTION') return 'lists and mappings are nested too deeply to be read';
  if (code === 'MULTIPLE_DOCS') return 'expected one document, got a second one after "---"';
  return message;
}

/** Nothing else that the parser says matters once it ran out of stack, and it says it at every level on its way out. */
function syntaxErrors({ errors, warnings }: Read): readonly YAMLError[] {
  const exhausted = errors.find(({ code }) => code === 'RESOURCE_EXHAUSTION');
  return exhausted ? [exhausted] : [...errors, ...warnings];
}

/** A text that was read: its value, or what is wrong with it. */
export class PlanDocument {
  readonly problems: readonly PlanProblem[];
  /** Undefined if there are problems; null for an empty text. */
  readonly value: unknown;
  readonly #document: Read;
  readonly #lines = new LineCounter();
  readonly #index: Index = { sources: new Map(), members: new Map() };

  constructor(text: string) {
    this.#document = parseDocument<Node>(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      logLevel: 'error',
      schema: 'core',
      merge: false,
      resolveKnownTags: false,
      stringKeys: true,
      uniqueKeys: false,
    }) as Read;
    const problems = syntaxErrors(this.#document).map((error) => this.#placed(error.pos[0], [], syntaxMessage(error)));
    if (problems.length === 0) {
      this.#index = indexOf(this.#document, this.#lines, (node, ancestors, message, key) => {
        const path = [...pathOf(ancestors), ...(key === undefined ? [] : [key])];
        problems.push(this.#placed(offsetOf(node) ?? 0, path, message));
      });
    }
    if (problems.length === 0) this.value = this.#plain(problems);
    this.problems = problems;
  }

  /** The problem `message` at `path`, placed at its key, or at the nearest thing around it if it is not there. */
  problem(path: Path, message: string): PlanProblem {
    return this.#placed(this.#find(path).offset, path, message);
  }

  /** How the scalar at `path` is written, if it is a scalar and written without quotes. */
  sourceAt(path: Path): string | undefined {
    const { node } = this.#find(path);
    return isScalar(node) ? node.source : undefined;
  }

  #placed(offset: number, path: Path, message: string): PlanProblem {
    const { line, col } = this.#lines.linePos(offset);
    // An empty text has no line, and its counter says 0.
    return { line: Math.max(line, 1), column: Math.max(col, 1), path: shownPath(path), message };
  }

  /** Aliases are counted only here, where they would be multiplied. */
  #plain(problems: PlanProblem[]): unknown {
    try {
      return this.#document.toJS();
    } catch (cause) {
      if (!(cause instanceof ReferenceError || cause instanceof RangeError)) throw cause;
      const message = 'aliases stand for more than 100 values, or are nested too deeply; write the values out';
      problems.push(this.#placed(0, [], message));
      return undefined;
    }
  }

  #resolved(node: unknown): unknown {
    return isAlias(node) ? this.#index.sources.get(node) : node;
  }

  #find(path: Path): { readonly node: unknown; readonly offset: number } {
    let node: unknown = this.#document.contents;
    let offset = offsetOf(node) ?? 0;
    for (const part of path) {
      const around = this.#resolved(node);
      const pair = isMap(around) ? this.#index.members.get(around)?.get(String(part)) : undefined;
      const item = isSeq(around) && typeof part === 'number' ? around.items[part] : undefined;
      node = pair ? pair.value : item;
      offset = offsetOf(pair ? pair.key : item) ?? offset;
      if (node === undefined || node === null) break;
    }
    return { node: this.#resolved(node), offset };
  }
}
