/** What views are read from: the same in the process of a supervisor and beside it. */
import { readStanding, type ReadStanding, type StoredStanding } from '../../actors/stored-standing.ts';
import { UNREADABLE, readable } from '../../actors/unreadable.ts';
import { unsealedText } from '../../actors/values.ts';
import { PerdureError } from '../../errors.ts';
import type { Health } from '../../machines/health.ts';
import { nearest } from '../../machines/nearest.ts';
import { shown } from '../../machines/option-keys.ts';
import type { Payloads } from '../../persistence/payloads.ts';
import type { Rows, Statements } from '../../persistence/rows.ts';
import { shownState } from '../../persistence/shown-state.ts';
import { ENCRYPTED } from '../../persistence/store-reader.ts';
import type { Machines } from '../charts/machines.ts';
import { shownMessageText, withoutSecretTexts } from '../../persistence/shown-texts.ts';

export type Reader = Pick<Rows, 'get' | 'all' | 'unseal'>;

export interface ViewWorld {
  readonly rows: Reader;
  /** Where kept turns are read from. */
  readonly statements: Statements;
  /** Says what may be shown. */
  readonly payloads: Payloads;
  /** Wall-clock ms since 1970. */
  readonly now: number;
  /** The tree of the supervisor. */
  readonly tree: string;
  /** Whether a process owns the store now. */
  readonly isOwned: boolean;
  readonly machines: Machines;
  /** What only the process of the supervisor knows. */
  readonly live?: {
    /** Also when the store does not answer. */
    health(): Health;
    /** How many of a queue may run at once; null: as many as may. */
    limitOf(queue: string): number | null;
  };
}

const standings = new WeakMap<ViewWorld, ReadStanding>();

/** How the subsystems stand; undefined where there is no supervisor, where only its owner can read it, and where its rows were damaged. */
export function standingIn(world: ViewWorld): StoredStanding | undefined {
  return readingOf(world).standing;
}

/** The supervisor's own actors whose rows cannot be read: what they would say is shown as if there were nothing to say. */
export function unreadableIn(world: ViewWorld): readonly string[] {
  return readingOf(world).unreadable;
}

function readingOf(world: ViewWorld): ReadStanding {
  const known = standings.get(world) ?? readStanding(world.rows, world.tree);
  standings.set(world, known);
  return known;
}

/** Characters of JSON of a value that is shown, and of a message. */
const SHOWN_LIMIT = 65_536;
const MESSAGE_LIMIT = 500;

/** What may be shown of a stored value: redacted, and cut when it is long. Null for none. */
export function shownValue({ payloads }: Pick<ViewWorld, 'payloads'>, text: string | null): unknown {
  if (text === null) return null;
  if (text === ENCRYPTED) return '[encrypted]';
  return readable(() => cut(withoutSecretTexts(payloads, shownState(payloads, text))), UNREADABLE);
}

/** The same of a text that may be sealed. */
export function shownText(world: Pick<ViewWorld, 'rows' | 'payloads'>, stored: string | null): unknown {
  if (stored === null) return null;
  return shownValue(
    world,
    readable(() => unsealedText(world.rows, stored), ''),
  );
}

/** A value that is JSON already, cut when it is long. */
export function cut(value: unknown, limit: number = SHOWN_LIMIT): unknown {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined || text.length <= limit) return value;
  return `${text.slice(0, limit)}… (${text.length} characters)`;
}

/** The message of an error as its row has it, redacted. */
export function shownMessage(
  { rows, payloads }: Pick<ViewWorld, 'rows' | 'payloads'>,
  error: string | null,
): string | null {
  if (error === null) return null;
  const message = readable(
    () => (JSON.parse(unsealedText(rows, error)) as { readonly message?: unknown }).message,
    UNREADABLE,
  );
  const text = shownMessageText(payloads, typeof message === 'string' ? message : '');
  return text.length <= MESSAGE_LIMIT ? text : `${text.slice(0, MESSAGE_LIMIT)}…`;
}

/** Checks the parameters of a view. */
export class ViewQuery {
  readonly #view: string;
  readonly #query: URLSearchParams;
  readonly #known = new Set<string>();

  constructor(view: string, query: URLSearchParams) {
    this.#view = view;
    this.#query = query;
  }

  /** Undefined when it is not given, or empty. Throws OPTIONS_INVALID when it is given twice. */
  text(name: string): string | undefined {
    this.#known.add(name);
    const [value, ...others] = this.#query.getAll(name);
    if (others.length > 0) throw this.#invalid(name, 'one value', `${others.length + 1}`);
    return value === undefined || value === '' ? undefined : value;
  }

  needed(name: string): string {
    const text = this.text(name);
    if (text === undefined) throw this.#invalid(name, 'a value', 'none');
    return text;
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T | undefined {
    const text = this.text(name);
    if (text === undefined || (values as readonly string[]).includes(text)) return text as T | undefined;
    throw this.#invalid(name, `one of ${values.join(', ')}`, shown(text));
  }

  number(name: string, least: number, most: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const number = Number(text);
    if (/^-?\d+(\.\d+)?$/.test(text) && number >= least && number <= most) return number;
    throw this.#invalid(name, `a number from ${least} to ${most}`, shown(text));
  }

  whole(name: string, least: number, most: number): number | undefined {
    const number = this.number(name, least, most);
    if (number === undefined || Number.isSafeInteger(number)) return number;
    throw this.#invalid(name, 'a whole number', String(number));
  }

  /** Throws OPTIONS_INVALID for what nobody has asked for. */
  refuseOthers(): void {
    const unknown = [...this.#query.keys()].find((name) => !this.#known.has(name));
    if (unknown === undefined) return;
    const known = [...this.#known];
    const [meant] = nearest(unknown, known);
    const hint = meant === undefined ? '' : ` (did you mean "${meant}"?)`;
    throw this.#invalid(
      unknown,
      known.length === 0 ? 'no parameters' : `one of ${known.join(', ')}`,
      `this one${hint}`,
    );
  }

  #invalid(name: string, expected: string, got: string): PerdureError {
    const message = `The parameter "${name}" of the view "${this.#view}": expected ${expected}, got ${got}.`;
    return new PerdureError('OPTIONS_INVALID', message, { facts: { view: this.#view, parameter: name } });
  }
}
