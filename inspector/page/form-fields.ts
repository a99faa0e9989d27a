/** What a form asks, and what was filled in as values. Pure. */
import type { CommandParam } from '../protocol.ts';

export interface Field {
  readonly name: string;
  readonly kind: 'text' | 'number' | 'flag' | 'json' | 'choice';
  readonly isRequired: boolean;
  readonly help: string;
  /** Of a choice. */
  readonly choices: readonly string[];
}

/** The name of the one field of a form whose schema says nothing of its fields: all of the object, as JSON. */
export const WHOLE = 'data';

export function fieldsOfParams(params: readonly CommandParam[]): Field[] {
  return params.map(({ name, kind, required, help }) => ({ name, kind, isRequired: required, help, choices: [] }));
}

/** The fields of a JSON schema of an object; one for JSON where it says nothing of them. `type` is the event's own. */
export function fieldsOfSchema(schema: unknown): Field[] {
  const { properties, required, additionalProperties } = objectOf(schema);
  const names = Object.keys(objectOf(properties)).filter((name) => name !== 'type');
  if (names.length > 0) {
    const isRequired = (name: string): boolean => Array.isArray(required) && required.includes(name);
    return names.map((name) => fieldOf(name, objectOf(objectOf(properties)[name]), isRequired(name)));
  }
  if (properties !== undefined && additionalProperties === false) return [];
  return [
    { name: WHOLE, kind: 'json', isRequired: false, help: 'The rest of the event, as a JSON object.', choices: [] },
  ];
}

function fieldOf(name: string, schema: Record<string, unknown>, isRequired: boolean): Field {
  const help = typeof schema['description'] === 'string' ? schema['description'] : '';
  const options = schema['enum'];
  if (Array.isArray(options) && options.every((option) => typeof option === 'string')) {
    return { name, kind: 'choice', isRequired, help, choices: options };
  }
  const kind = { string: 'text', number: 'number', integer: 'number', boolean: 'flag' }[String(schema['type'])];
  return { name, kind: (kind as Field['kind'] | undefined) ?? 'json', isRequired, help, choices: [] };
}

/** The texts that stand in the fields at first. */
export function initialTexts(
  fields: readonly Field[],
  initial: Readonly<Record<string, unknown>>,
): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const field of fields) {
    const value = Object.hasOwn(initial, field.name) ? initial[field.name] : undefined;
    if (value === undefined)
      texts[field.name] = field.kind === 'choice' && field.isRequired ? (field.choices[0] ?? '') : '';
    else
      texts[field.name] = typeof value === 'string' && field.kind !== 'json' ? value : JSON.stringify(value, null, 2);
  }
  return texts;
}

/** What was filled in, or what is wrong with it. An empty field that is not required is left out. */
export function valuesOf(
  fields: readonly Field[],
  texts: Readonly<Record<string, string>>,
): { readonly values: Record<string, unknown>; readonly problems: Record<string, string> } {
  const values: Record<string, unknown> = {};
  const problems: Record<string, string> = {};
  for (const field of fields) {
    const text = texts[field.name] ?? '';
    if (field.kind === 'flag') {
      if (text === 'true' || field.isRequired) values[field.name] = text === 'true';
    } else if (text.trim() === '') {
      if (field.isRequired) problems[field.name] = 'This is needed.';
    } else if (field.kind === 'number') {
      const value = Number(text);
      if (Number.isFinite(value)) values[field.name] = value;
      else problems[field.name] = `A number is needed; this is "${text}".`;
    } else if (field.kind === 'json') {
      readJson(field.name, text, values, problems);
    } else {
      values[field.name] = text;
    }
  }
  return { values, problems };
}

function readJson(name: string, text: string, values: Record<string, unknown>, problems: Record<string, string>): void {
  try {
    const value: unknown = JSON.parse(text);
    if (name !== WHOLE) values[name] = value;
    else if (typeof value === 'object' && value !== null && !Array.isArray(value)) Object.assign(values, value);
    else problems[name] = 'A JSON object is needed, such as {"amount": 3}.';
  } catch (error) {
    problems[name] = `This is not JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
