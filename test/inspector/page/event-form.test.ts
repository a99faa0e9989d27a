import { expect, test } from 'vitest';
import { eventOf, eventOfJson, fieldsOf } from '../../../inspector/page/views/actors/event-form.ts';

const schema = {
  type: 'object',
  properties: {
    type: { const: 'order.pay' },
    amount: { type: 'number', description: 'In cents.' },
    note: { type: 'string' },
    fast: { type: 'boolean' },
    by: { enum: ['card', '7', 7] },
    items: { type: 'array' },
  },
  required: ['amount', 'items'],
};
const fields = fieldsOf(schema) ?? [];

test('the properties of a schema are fields, without the type', () => {
  expect(fields.map(({ name, kind, required }) => [name, kind, required])).toEqual([
    ['amount', 'number', true],
    ['note', 'text', false],
    ['fast', 'flag', false],
    ['by', 'choice', false],
    ['items', 'json', true],
  ]);
  expect(fields[0]?.help).toBe('In cents.');
});

test('what is no schema of an object asks for JSON', () => {
  for (const none of [null, undefined, 'text', {}, { type: 'string' }]) expect(fieldsOf(none)).toBeNull();
});

test('filled fields make the event; what is empty and not required is left out', () => {
  const filled = new Map([
    ['amount', '12.5'],
    ['items', '[1, {"a": null}]'],
  ]);
  expect(eventOf('order.pay', fields, filled)).toEqual({
    ok: true,
    event: { type: 'order.pay', amount: 12.5, items: [1, { a: null }] },
  });
});

test('a choice gives the value that it stands for, text or number', () => {
  const one = fieldsOf({ properties: { by: { enum: ['card', '7'] } } }) ?? [];
  expect(eventOf('t', one, new Map([['by', '7']]))).toEqual({ ok: true, event: { type: 't', by: '7' } });
});

test('what is wrong is said of the field that it is wrong in', () => {
  const wrong = (filled: Map<string, string>) => eventOf('t', fields, filled);
  expect(wrong(new Map([['amount', 'much']]))).toMatchObject({ ok: false, field: 'amount' });
  expect(wrong(new Map())).toMatchObject({ ok: false, field: 'amount', message: 'amount is required.' });
  expect(wrong(new Map([['amount', '1'], ['items', '[']]))).toMatchObject({ ok: false, field: 'items' }); // prettier-ignore
});

test('an event as JSON keeps the type that was chosen', () => {
  expect(eventOfJson('a', '')).toEqual({ ok: true, event: { type: 'a' } });
  expect(eventOfJson('a', '{"type":"b","x":1}')).toEqual({ ok: true, event: { type: 'a', x: 1 } });
  expect(eventOfJson('a', '[1]')).toMatchObject({ ok: false });
  expect(eventOfJson('a', '{')).toMatchObject({ ok: false });
});
