import { expect, test } from 'vitest';
import { assert, jsonValue, property } from 'fast-check';
import { fieldsOfParams, fieldsOfSchema, initialTexts, valuesOf, WHOLE } from '../../../inspector/page/form-fields.ts';

const schema = {
  type: 'object',
  properties: {
    type: { const: 'order.pay' },
    amount: { type: 'number', description: 'in cents' },
    note: { type: 'string' },
    rush: { type: 'boolean' },
    kind: { enum: ['card', 'cash'] },
    lines: { type: 'array' },
  },
  required: ['type', 'amount', 'kind'],
};

test('a schema becomes fields of the right kinds, without the event’s own type', () => {
  expect(fieldsOfSchema(schema).map(({ name, kind, isRequired }) => [name, kind, isRequired])).toEqual([
    ['amount', 'number', true],
    ['note', 'text', false],
    ['rush', 'flag', false],
    ['kind', 'choice', true],
    ['lines', 'json', false],
  ]);
});

test('what is filled in becomes values of the right types, and what is empty is left out', () => {
  const fields = fieldsOfSchema(schema);
  const texts = { ...initialTexts(fields, {}), amount: '12.5', rush: 'true', lines: '[1]' };
  expect(valuesOf(fields, texts)).toEqual({
    values: { amount: 12.5, rush: true, kind: 'card', lines: [1] },
    problems: {},
  });
});

test('what is missing or wrong is said of its field', () => {
  const { problems } = valuesOf(fieldsOfSchema(schema), { amount: 'many', kind: '', lines: '{' });
  expect(Object.keys(problems).toSorted()).toEqual(['amount', 'kind', 'lines']);
  expect(problems['amount']).toBe('A number is needed; this is "many".');
});

test('an event without a schema takes any JSON object', () => {
  const fields = fieldsOfSchema(undefined);
  expect(fields.map(({ name, kind }) => [name, kind])).toEqual([[WHOLE, 'json']]);
  expect(valuesOf(fields, { [WHOLE]: '{"a":1}' }).values).toEqual({ a: 1 });
  expect(valuesOf(fields, { [WHOLE]: '[1]' }).problems[WHOLE]).toMatch(/object/);
  expect(valuesOf(fields, { [WHOLE]: '' })).toEqual({ values: {}, problems: {} });
});

test('what is filled in at first is what comes out when nothing is changed', () => {
  assert(
    property(jsonValue(), (value) => {
      const fields = fieldsOfParams([{ name: 'input', kind: 'json', required: true, help: '' }]);
      const { values } = valuesOf(fields, initialTexts(fields, { input: value }));
      expect(values['input']).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('any schema at all makes some form', () => {
  assert(
    property(jsonValue(), (any) => {
      const fields = fieldsOfSchema(any);
      expect(() => valuesOf(fields, initialTexts(fields, {}))).not.toThrow();
    }),
  );
});
