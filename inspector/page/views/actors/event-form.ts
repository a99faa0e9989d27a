/** The form of an event: what its machine says of it as a JSON schema, as fields; and the event that the filled fields make. */

export interface EventField {
  readonly name: string;
  readonly kind: 'text' | 'number' | 'flag' | 'choice' | 'json';
  readonly required: boolean;
  readonly help: string;
  /** Of a choice: the values, and the texts that they are shown as. */
  readonly choices: readonly { readonly text: string; readonly value: unknown }[];
  readonly initial: string;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value);
}

function fieldOf(name: string, schema: unknown, required: boolean): EventField {
  const said = isRecord(schema) ? schema : {};
  const help = typeof said['description'] === 'string' ? said['description'] : '';
  const initial = textOf(said['default'] ?? said['const']);
  const choices = (Array.isArray(said['enum']) ? said['enum'] : []).map((value: unknown) => ({
    text: textOf(value),
    value,
  }));
  const base = { name, required, help, choices, initial };
  if (choices.length > 0) return { ...base, kind: 'choice' };
  switch (said['type']) {
    case 'string':
      return { ...base, kind: 'text' };
    case 'number':
    case 'integer':
      return { ...base, kind: 'number' };
    case 'boolean':
      return { ...base, kind: 'flag' };
    default:
      return { ...base, kind: 'json' };
  }
}

/** The fields of an event; null where its schema is not known, so that JSON is asked for as a whole. */
export function fieldsOf(schema: unknown): readonly EventField[] | null {
  if (!isRecord(schema)) return null;
  const properties = schema['properties'];
  if (!isRecord(properties)) return null;
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  return Object.entries(properties)
    .filter(([name]) => name !== 'type')
    .map(([name, field]) => fieldOf(name, field, required.includes(name)));
}

export type FilledEvent =
  | { readonly ok: true; readonly event: { readonly type: string; readonly [key: string]: unknown } }
  | { readonly ok: false; readonly field: string; readonly message: string };

type Parsed = { readonly value: unknown } | { readonly message: string };

function parsed(field: EventField, text: string): Parsed {
  switch (field.kind) {
    case 'text':
      return { value: text };
    case 'flag':
      return { value: text === 'true' };
    case 'number': {
      const value = Number(text);
      return Number.isFinite(value) ? { value } : { message: `${field.name} must be a number; ${text} is none.` };
    }
    case 'choice':
      return { value: field.choices.find((choice) => choice.text === text)?.value };
    case 'json':
      return parsedJson(text, field.name);
  }
}

function parsedJson(text: string, name: string): Parsed {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { message: `${name} must be JSON: ${error instanceof Error ? error.message : String(error)}.` };
  }
}

/** The event that filled fields make, or what is wrong with the first that is. */
export function eventOf(type: string, fields: readonly EventField[], filled: ReadonlyMap<string, string>): FilledEvent {
  const event: { type: string; [key: string]: unknown } = { type };
  for (const field of fields) {
    const text = filled.get(field.name) ?? field.initial;
    if (text === '' && field.kind !== 'flag') {
      if (!field.required) continue;
      if (field.kind !== 'text') return { ok: false, field: field.name, message: `${field.name} is required.` };
    }
    if (field.kind === 'flag' && text === '' && !field.required) continue;
    const result = parsed(field, text);
    if ('message' in result) return { ok: false, field: field.name, message: result.message };
    event[field.name] = result.value;
  }
  return { ok: true, event };
}

/** The event of a type with the rest of it as JSON; an empty text is an event without anything else. */
export function eventOfJson(type: string, text: string): FilledEvent {
  if (text.trim() === '') return { ok: true, event: { type } };
  const result = parsedJson(text, 'The event');
  if ('message' in result) return { ok: false, field: 'json', message: result.message };
  if (!isRecord(result.value)) return { ok: false, field: 'json', message: 'The event must be a JSON object: { … }.' };
  return { ok: true, event: { ...result.value, type } };
}
