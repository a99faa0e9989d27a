/** Inputs that somebody edits for a fork: texts until they are JSON, and what is wrong with them until then. */
import type { Shown } from '../../../protocol.ts';
import type { PastWorkItem } from '../../../views/past-work.ts';
import { jsonFault } from '../../../json-fault.ts';

/** What the server shows in the place of a secret. */
const REDACTED = '[redacted]';

/** What a text is: another input, the same one, or none. */
export type ReadInput =
  | { readonly state: 'same' }
  | { readonly state: 'changed'; readonly value: unknown }
  | { readonly state: 'invalid'; readonly message: string; readonly line: number; readonly column: number };

/** How an input is written when it begins to be edited. */
export function inputText(input: Shown): string {
  return JSON.stringify(input ?? null, null, 2);
}

/** What was written for an item. */
export function readInput(item: Pick<PastWorkItem, 'input'>, text: string): ReadInput {
  const fault = jsonFault(text);
  if (fault !== undefined) return { state: 'invalid', ...fault };
  const value: unknown = JSON.parse(text);
  if (canonical(value) === canonical(item.input ?? null)) return { state: 'same' };
  const hidden = pathOfText(value, REDACTED);
  if (hidden === undefined) return { state: 'changed', value };
  const message = `${hidden} is a secret that is not known here: write it out, or leave the whole input as it was`;
  return { state: 'invalid', message, ...lineOf(text, text.indexOf(REDACTED)) };
}

function lineOf(text: string, at: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, Math.max(0, at)).split('\n');
  return { line: before.length, column: (before.at(-1) as string).length + 1 };
}

/** The first place of a text in a value, as people write it; undefined where there is none. */
function pathOfText(value: unknown, sought: string, path = 'the input'): string | undefined {
  if (typeof value === 'string') return value.includes(sought) ? path : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, child] of Object.entries(value)) {
    const inner = path === 'the input' ? key : `${path}.${key}`;
    const found = pathOfText(child, sought, inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The same for values that are the same, in whatever order their keys are. */
function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const record = value as Readonly<Record<string, unknown>>;
  const keys = Object.keys(record).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(record[key])}`).join(',')}}`;
}

/** What is to be forked, of all that was edited. */
export interface ForkInputs {
  readonly input: Readonly<Record<string, unknown>>;
  readonly changed: readonly string[];
  readonly invalid: readonly string[];
}

/** The inputs that differ from those of then; those that were edited and are the same are left as they were. */
export function forkInputs(items: readonly PastWorkItem[], texts: ReadonlyMap<string, string>): ForkInputs {
  const [changed, invalid]: [string[], string[]] = [[], []];
  const entries: [string, unknown][] = [];
  for (const item of items) {
    const text = texts.get(item.id);
    if (text === undefined || item.keeps !== null) continue;
    const read = readInput(item, text);
    if (read.state === 'invalid') invalid.push(item.id);
    if (read.state !== 'changed') continue;
    changed.push(item.id);
    entries.push([item.id, read.value]);
  }
  return { input: Object.fromEntries(entries), changed, invalid };
}

/** Where a fork goes unless somebody says otherwise: beside the store, named after the turn and its label. */
export function forkTarget(store: string, turn: number, label: string | null): string {
  const [, folder = '', name = 'store', end = '.db'] = /^(.*[\\/])?(.*?)(\.[^.\\/]*)?$/s.exec(store) ?? [];
  const words = (label ?? '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 40);
  return `${folder}${name === '' ? 'store' : name}-${words === '' ? `turn-${turn}` : words}${end}`;
}

/** What is wrong with the file of a fork; undefined for nothing that can be seen from here. */
export function targetProblem(target: string, store: string | null): string | undefined {
  if (target.trim() === '') return 'Say which file the new store gets.';
  if (/[\\/]$/.test(target)) return 'This is a folder: give it a file name too.';
  if (store !== null && plain(target) === plain(store)) return 'This is the store itself: a fork is another file.';
  return undefined;
}

function plain(path: string): string {
  return path
    .trim()
    .replaceAll(/[\\/]+(?:\.[\\/]+)*/g, '/')
    .replace(/^\.\//, '');
}

/** The same, as somebody would write it in a shell. */
export function forkCommand(turn: number, target: string, input: Readonly<Record<string, unknown>>): string {
  const inputs = Object.entries(input).map(([id, value]) => ` --input ${quoted(`${id}=${JSON.stringify(value)}`)}`);
  return `perdure fork ${turn} --to ${quoted(target)}${inputs.join('')}`;
}

/** A word of a shell, as it is. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
