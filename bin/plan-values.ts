/** The values that plans are made of: what each kind may be, and how it is said that something else came. */
import * as v from 'valibot';
import { nearest } from '../machines/nearest.ts';
import { parseDuration } from './duration.ts';
import type { Path } from './plan-document.ts';

/** Something wrong with the data, to be placed in its file. */
export interface Finding {
  readonly path: Path;
  readonly message: string;
}

const SHOWN_TEXT = 60;

/** What was found, short enough for a message. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value !== 'string') return `the ${typeof value} ${String(value as number | boolean)}`;
  return value.length > SHOWN_TEXT ? `${JSON.stringify(value.slice(0, SHOWN_TEXT))}…` : JSON.stringify(value);
}

export function expected(what: string): (issue: { readonly input: unknown }) => string {
  return ({ input }) => `expected ${what}, got ${shown(input)}`;
}

export type Mapping = Readonly<Record<string, unknown>>;

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A mapping with these entries; keys that are not among them are for `keyFindings`. */
export function mapping<const E extends v.ObjectEntries>(noun: string, what: string, entries: E) {
  const object = v.object(entries, (issue) => `${noun} needs ${issue.expected?.replaceAll('"', '`')}`);
  return v.pipe(v.custom<v.InferInput<typeof object>>(isMapping, expected(what)), object);
}

/** Operating systems end a text at its first NUL, so a command would not be the one that was written. */
export function text(what: string) {
  const message = expected(what);
  return v.pipe(
    v.string(message),
    v.check((value) => value.trim() !== '', message),
    v.check((value) => !value.includes('\0'), 'expected text without NUL characters'),
  );
}

export function duration(leastMs: 0 | 1) {
  return v.pipe(
    v.unknown(),
    v.rawTransform<unknown, number>(({ dataset, addIssue, NEVER }) => {
      const ms = parseDuration(dataset.value);
      if (ms !== undefined && ms >= leastMs) return ms;
      const range = ms === undefined ? ' (up to 596h)' : ' longer than 0';
      addIssue({ message: `expected a duration such as 90s or 10m${range}, got ${shown(dataset.value)}` });
      return NEVER;
    }),
  );
}

export function count(what: string) {
  const message = expected(`${what}, a whole number from 1`);
  return v.pipe(v.number(message), v.safeInteger(message), v.minValue(1, message));
}

/** A number within bounds; `what` says them. */
export function numberIn(what: string, holds: (value: number) => boolean) {
  const message = expected(what);
  return v.pipe(v.number(message), v.check(holds, message));
}

export const share = numberIn('a number from 0 to 1', (value) => value >= 0 && value <= 1);

export function truth(what: string) {
  return v.boolean(expected(`true or false: ${what}`));
}

/** One of some words, with a hint at the nearest. */
export function word<const W extends string>(words: readonly W[]) {
  return v.picklist(words, ({ input }) => {
    const [meant] = typeof input === 'string' ? nearest(input, words) : [];
    const all = `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
    return `expected ${all}, got ${shown(input)}${meant === undefined ? '' : `; did you mean "${meant}"?`}`;
  });
}

/** Values by name; `name` says what is wrong with a name. */
export function named<const S extends v.GenericSchema>(
  what: string,
  of: S,
  name: (name: string) => string | undefined,
) {
  return v.pipe(
    v.custom<Readonly<Record<string, unknown>>>(isMapping, expected(what)),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      for (const [key, value] of Object.entries(dataset.value)) {
        const message = name(key);
        const path: [v.ObjectPathItem] = [{ type: 'object', origin: 'key', input: dataset.value, key, value }];
        if (message !== undefined) addIssue({ message, path });
      }
    }),
    v.check((value) => Object.keys(value).length > 0, expected(`${what}, at least one`)),
    v.record(v.string(), of),
  );
}

const ID = 'an id of 1 to 100 letters, digits, ".", "_" or "-"';

export function isId(value: string): boolean {
  return /^[A-Za-z0-9._-]{1,100}$/.test(value);
}

export const id = v.pipe(v.string(expected(ID)), v.check(isId, expected(ID)));

/** Which keys a value may have, and those of the values in it: by key, or the same for all of them. */
export interface Shape {
  readonly keys?: readonly string[];
  readonly inside?: Readonly<Record<string, Shape>>;
  readonly each?: Shape;
}

/** Every key that has no business where it is. Valibot would name one in each mapping, and miss `constructor`. */
export function strangers(value: unknown, { keys, inside = {}, each }: Shape, path: Path = []): Finding[] {
  const entries = Array.isArray(value)
    ? [...(value as unknown[]).entries()]
    : isMapping(value)
      ? Object.entries(value)
      : [];
  return entries.flatMap(([key, member]) => {
    if (keys !== undefined && isMapping(value) && !keys.includes(key as string))
      return [stranger(key as string, keys, [...path, key])];
    const shape = each ?? (Object.hasOwn(inside, key) ? inside[key as string] : undefined);
    return shape === undefined ? [] : strangers(member, shape, [...path, key]);
  });
}

function stranger(key: string, allowed: readonly string[], path: Path): Finding {
  const [meant] = nearest(key, allowed);
  const hint = meant === undefined ? `expected one of ${allowed.join(', ')}` : `did you mean "${meant}"?`;
  return { path, message: `unknown key ${shown(key)}; ${hint}` };
}

/** Members that nobody gave are not there. */
export type WithoutGaps<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

export function withoutGaps<T extends object>(value: T): WithoutGaps<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as WithoutGaps<T>;
}
