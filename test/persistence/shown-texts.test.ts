/** What is in texts of JSON is redacted as what is around them. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shownMessageText, shownWithTexts } from '../../persistence/shown-texts.ts';
import { encode } from '../../persistence/codec.ts';
import { Payloads } from '../../persistence/payloads.ts';

const payloads = new Payloads({});
const shown = (value: unknown) => shownWithTexts(payloads, value);
const NO_REFS = { idOf: () => undefined, refOf: () => expect.unreachable() };

test('the input of an action, a text in an event, is shown without its secrets', () => {
  const input = encode({ n: 1, password: 'hunter22', more: new Map([['token', 'tok-123456']]) }, NO_REFS, 'input');
  const event = { type: 'supervisor.submit', submissions: [{ id: 'one', input }] };
  expect(shown(event)).toEqual({
    type: 'supervisor.submit',
    submissions: [
      {
        id: 'one',
        input: '{"n":1,"password":"[redacted]","more":{"$perdure":"map","value":[["token","[redacted]"]]}}',
      },
    ],
  });
  expect(event.submissions[0]?.input).toBe(input);
});

test('texts that are no JSON, or of one value, are shown as they are', () => {
  for (const text of ['', 'plain', '12', '"quoted"', '{not json', '[1, 2', 'null']) expect(shown(text)).toBe(text);
});

test('a message that ends with JSON, however long it is then, is shown without the secrets in it', () => {
  const body = JSON.stringify({ user: 'bob', password: 'hunter22', more: 'x'.repeat(5_000) });
  for (const text of [body, `401 [unauthorized] said ${body}`, `{broken ${body}`])
    expect([shownMessageText(payloads, text).length < 5_000, shownMessageText(payloads, text)]).toEqual([
      true,
      expect.not.stringContaining('hunter22'),
    ]);
  expect(shownMessageText(payloads, body)).toContain('"password":"[redacted]"');
  expect(shownMessageText(payloads, `401 unauthorized: ${body}`)).toMatch(
    /^401 unauthorized: \{"user":"bob","password":"\[redacted\]"/,
  );
  expect(shownMessageText(payloads, 'expected [ and found {')).toBe('expected [ and found {');
});

test('what is too long to be looked into, what is sealed, and what is forged is not shown', () => {
  expect(shown(JSON.stringify(['x'.repeat(300_000), { password: 'hunter22' }]))).toBe('[300028 characters]');
  expect(shown('perdure:aes256gcm:k:abc')).toBe('[encrypted]');
  expect(shown('{"$perdure":"no such tag","value":"hunter22"}')).toBe('[redacted]');
});

test('however deep a text is wrapped in values, its secrets are not shown', () => {
  const secret = fc.stringMatching(/^[a-z]{12}$/);
  const wrap = fc.constantFrom(
    (value: unknown) => [value],
    (value: unknown) => ({ inner: value }),
    (value: unknown) => (typeof value === 'string' ? JSON.stringify({ body: value }) : { value }),
    (value: unknown) => new Map([['inner', value]]),
    (value: unknown) => new Set([value]),
  );
  fc.assert(
    fc.property(secret, fc.array(wrap, { maxLength: 6 }), (word, wraps) => {
      const text = JSON.stringify({ deep: [{ password: word }] });
      const value = wraps.reduce<unknown>((inner, one) => one(inner), text);
      expect(encode(shown(value), NO_REFS, 'shown')).not.toContain(word);
    }),
  );
});
