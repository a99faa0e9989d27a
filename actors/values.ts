/** Inputs and values of actions, as text. They hold no references to actors. */
import { PerdureError } from '../errors.ts';
import type { StoredPolicy } from '../machines/action-policy.ts';
import type { Risk } from '../machines/risk.ts';
import { decode, encode, type Refs } from '../persistence/codec.ts';
import type { Rows } from '../persistence/rows.ts';
import { isSealed } from '../persistence/sealing.ts';

const NO_REFS: Refs = {
  idOf: () => undefined,
  refOf: (id) => {
    throw new PerdureError('ROW_CORRUPT', `A stored value refers to actor ${id}, but values hold no actors.`);
  },
};

/** Throws CODEC_REFUSED for what is not plain data, naming `where`. */
export function toText(value: unknown, where: string): string {
  return encode(value, NO_REFS, where);
}

export function fromText(text: string): unknown {
  return decode(text, NO_REFS);
}

/** What a sealed text of an action is bound to: a step's input becomes its action's, so not to one row. */
const BINDING = 'action';

/** Seals an input, a value or an error as the store's option `sealing` says. */
export function sealed(rows: Pick<Rows, 'seal'>, text: string): string {
  return rows.seal(text, BINDING);
}

/**
 * A policy with its summary sealed, which may be made from the input. In a store that seals nothing, and where the summary is
 * only a name that is a column as well, it stays as it is.
 */
export function sealedPolicy<T extends StoredPolicy>(rows: Pick<Rows, 'seal'>, policy: T, name: string): T {
  const { risk } = policy;
  if (risk.summary === name) return policy;
  const summary = sealed(rows, toText(risk.summary, 'the summary'));
  return isSealed(summary) ? { ...policy, risk: { ...risk, summary, isSealed: true } } : policy;
}

/** The policy as it was before its summary was sealed. */
export function unsealedPolicy<T extends StoredPolicy>(rows: Pick<Rows, 'unseal'>, policy: T): T {
  const { isSealed: wasSealed, ...risk } = policy.risk;
  return wasSealed ? { ...policy, risk: { ...risk, summary: summaryOf(rows, policy.risk) } } : policy;
}

/** What it will do, in words, sealed or not. */
export function summaryOf(rows: Pick<Rows, 'unseal'>, { summary, isSealed: wasSealed }: Risk): string {
  return wasSealed ? (fromText(rows.unseal(summary, BINDING)) as string) : summary;
}

interface Texts {
  readonly input?: string;
  readonly value?: string | null;
  readonly error?: string | null;
  readonly undo?: string | null;
}

/** A row of an action or a step with its texts as they were before they were sealed. */
export function unsealed<TRow extends Texts>(rows: Pick<Rows, 'unseal'>, row: TRow): TRow {
  const { input, value, error, undo } = row;
  if (![input, value, error, undo].some((text) => typeof text === 'string' && isSealed(text))) return row;
  const open = <T>(text: T) => (typeof text === 'string' ? rows.unseal(text, BINDING) : text);
  return {
    ...row,
    input: open(input),
    value: open(value),
    error: open(error),
    ...(undo === undefined ? {} : { undo: open(undo) }),
  };
}

/** A text that was sealed, as it was before. */
export function unsealedText(rows: Pick<Rows, 'unseal'>, text: string): string {
  return isSealed(text) ? rows.unseal(text, BINDING) : text;
}

/** Tells whether two texts are the same value, but for the order of keys. */
export function sameText(a: string, b: string): boolean {
  return a === b || canonical(JSON.parse(a)) === canonical(JSON.parse(b));
}

/** As JSON, with the keys of objects in order. */
export function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
}
