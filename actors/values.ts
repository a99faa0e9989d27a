/** Inputs and values of actions, as text. They hold no references to actors. */
import { PerdureError } from '../errors.ts';
import { decode, encode, type Refs } from '../persistence/codec.ts';

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

/** Tells whether two texts are the same value, but for the order of keys. */
export function sameText(a: string, b: string): boolean {
  return a === b || canonical(JSON.parse(a)) === canonical(JSON.parse(b));
}

function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
}
