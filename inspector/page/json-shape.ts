/**
 * How a value is shown: what it is, and what is in it. The tags of the codec (`{"$perdure": "map", …}`) are shown as what they
 * stand for. Pure; nothing of what it is given is trusted.
 */

export interface JsonShape {
  readonly kind: 'text' | 'number' | 'word' | 'hidden' | 'list' | 'record' | 'special';
  /** What is shown of it in a line: all of a text, or a sum of a branch, such as `Map (3)`. */
  readonly text: string;
  /** Of a branch: what is in it, by name. Null for a leaf. */
  readonly entries: (() => readonly (readonly [string, unknown])[]) | null;
  readonly size: number;
}

const TAG = '$perdure';
const REDACTED = '[redacted]';
const PREVIEW = 3;

export function shapeOf(value: unknown): JsonShape {
  if (value === REDACTED) return leaf('hidden', 'redacted');
  switch (typeof value) {
    case 'string':
      return leaf('text', value);
    case 'number':
      return leaf('number', Object.is(value, -0) ? '-0' : String(value));
    case 'boolean':
    case 'undefined':
      return leaf('word', String(value));
    case 'bigint':
      return leaf('number', `${value}n`);
    case 'object':
      if (value === null) return leaf('word', 'null');
      if (Array.isArray(value)) return list(value);
      return taggedShape(value) ?? record(Object.entries(value));
    default:
      return leaf('special', typeof value);
  }
}

function leaf(kind: JsonShape['kind'], text: string): JsonShape {
  return { kind, text, entries: null, size: 0 };
}

function list(items: readonly unknown[], name = ''): JsonShape {
  return {
    kind: 'list',
    text: items.length === 0 ? `${name}[]` : `${name}[${items.length}]`,
    entries: () => items.map((item, i) => [String(i), item]),
    size: items.length,
  };
}

function record(entries: readonly (readonly [string, unknown])[], name?: string): JsonShape {
  const keys = entries.slice(0, PREVIEW).map(([key]) => key);
  const inside = entries.length > PREVIEW ? `${keys.join(', ')}, …` : keys.join(', ');
  return {
    kind: 'record',
    text: name ?? (entries.length === 0 ? '{}' : `{ ${inside} }`),
    entries: () => entries,
    size: entries.length,
  };
}

function taggedShape(value: object): JsonShape | undefined {
  if (!Object.hasOwn(value, TAG)) return undefined;
  const { [TAG]: tag, value: inside } = value as { [TAG]: unknown; value?: unknown };
  switch (tag) {
    case 'undefined':
      return leaf('word', 'undefined');
    case 'number':
      return leaf('number', String(inside));
    case 'bigint':
      return leaf('number', `${String(inside)}n`);
    case 'date':
      return leaf('special', dateText(inside));
    case 'actor':
      return leaf('special', `actor ${textOf(inside)}`);
    case 'secret':
      return leaf('hidden', `secret ${textOf(inside)}`);
    case 'set':
      return Array.isArray(inside) ? list(inside, 'Set ') : undefined;
    case 'map':
      return mapShape(inside);
    case 'record':
    case 'dictionary':
      return isEntries(inside) ? record(inside.map(([key, item]) => [textOf(key), item])) : undefined;
    case 'error':
      return errorShape(inside);
    default:
      return typeof inside === 'string' ? leaf('special', `${textOf(tag)} ${inside}`) : undefined;
  }
}

function mapShape(inside: unknown): JsonShape | undefined {
  if (!isEntries(inside)) return undefined;
  return record(
    inside.map(([key, item]) => [textOf(key), item]),
    `Map (${inside.length})`,
  );
}

function errorShape(inside: unknown): JsonShape | undefined {
  if (typeof inside !== 'object' || inside === null) return undefined;
  const { name, message, stack, own } = inside as Record<string, unknown>;
  const parts: [string, unknown][] = [['message', message]];
  if (isEntries(own)) for (const [key, item] of own) parts.push([textOf(key), item]);
  if (typeof stack === 'string' && stack !== '') parts.push(['stack', stack]);
  return { ...record(parts, `${textOf(name)}: ${textOf(message)}`), kind: 'special' };
}

function isEntries(value: unknown): value is [unknown, unknown][] {
  return Array.isArray(value) && value.every((entry) => Array.isArray(entry) && entry.length === 2);
}

function dateText(ms: unknown): string {
  const date = new Date(typeof ms === 'number' ? ms : NaN);
  return Number.isNaN(date.getTime()) ? 'Invalid Date' : date.toISOString();
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined');
}
