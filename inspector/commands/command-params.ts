/** What somebody gave as the parameters of a command, checked against what is asked for. */
import { PerdureError } from '../../errors.ts';
import { isObject, shown } from '../../machines/option-keys.ts';
import { nearest } from '../../machines/nearest.ts';
import { isStorable } from '../../persistence/xstate-port.ts';
import type { CommandParam } from '../protocol.ts';

/** Parameters whose kinds are right: what is a text is one, and what is required is there. */
export interface Params {
  text(name: string): string;
  /** Undefined where it was not given. */
  maybe(name: string): string | undefined;
  flag(name: string): boolean;
  json(name: string): unknown;
}

const LONGEST_TEXT = 4_000;

const KINDS: Readonly<Record<CommandParam['kind'], readonly [what: string, holds: (value: unknown) => boolean]>> = {
  text: [
    `a text of 1 to ${LONGEST_TEXT} characters`,
    (value) => typeof value === 'string' && value !== '' && value.length <= LONGEST_TEXT && isStorable(value),
  ],
  json: ['JSON', (value) => value !== undefined],
  flag: ['true or false', (value) => typeof value === 'boolean'],
  number: ['a number', (value) => typeof value === 'number' && Number.isFinite(value)],
};

/** Throws OPTIONS_INVALID, naming the parameter, what was expected and what came. */
export function checkedParams(command: string, known: readonly CommandParam[], given: unknown): Params {
  if (!isObject(given)) throw invalid(command, `takes its parameters as an object by name, got ${shown(given)}`);
  const names = known.map(({ name }) => name);
  const stranger = Object.keys(given).find((name) => !names.includes(name));
  if (stranger !== undefined) throw invalid(command, `has no parameter ${shown(stranger)}${hint(stranger, names)}`);
  for (const { name, kind, required } of known) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    const [what, holds] = KINDS[kind];
    const isThere = value !== undefined && value !== null;
    if (required && !isThere) throw invalid(command, `needs the parameter "${name}", ${what}`);
    if (isThere && !holds(value)) throw invalid(command, `takes as "${name}" ${what}, got ${kindOf(value)}`);
  }
  const maybe = (name: string) => (Object.hasOwn(given, name) ? (given[name] ?? undefined) : undefined);
  return {
    text: (name) => maybe(name) as string,
    maybe: (name) => maybe(name) as string | undefined,
    flag: (name) => maybe(name) === true,
    json: maybe,
  };
}

/** What came, without what it says: that may be a secret. */
export function kindOf(value: unknown): string {
  if (typeof value === 'string') return `a text of ${value.length} character${value.length === 1 ? '' : 's'}`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isObject(value)) return `an object of ${Object.keys(value).length} properties`;
  return value === null || value === undefined ? String(value) : `a ${typeof value}`;
}

function hint(stranger: string, names: readonly string[]): string {
  const [meant] = nearest(stranger, names);
  if (meant !== undefined) return `: did you mean "${meant}"?`;
  return names.length === 0 ? ': it takes none.' : `: it takes ${names.join(', ')}.`;
}

function invalid(command: string, wrong: string): PerdureError {
  const end = /[.?]$/.test(wrong) ? '' : '.';
  return new PerdureError('OPTIONS_INVALID', `The command "${command}" ${wrong}${end}`, { facts: { command } });
}
