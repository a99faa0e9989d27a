import { inspect } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decode, encode, type Refs } from '../../persistence/codec.ts';
import { Secrets, grantSecrets, isSecretRef, reveal, secret } from '../../persistence/secrets.ts';

const noRefs: Refs = { idOf: () => undefined, refOf: () => expect.unreachable() };
const VALUE = 'sk_live_4eC39HqLyjWDarjtT1zdp7dc';

/** Secrets of which one was revealed. */
async function revealed(value: string): Promise<Secrets> {
  const secrets = new Secrets(() => value);
  await secrets.reveal(secret('stripe-key'));
  return secrets;
}

test('a reference shows its name and nothing else, however it is shown', () => {
  const ref = secret('stripe-key');
  expect([String(ref), JSON.stringify({ ref }), inspect({ ref })]).toEqual([
    'secret(stripe-key)',
    '{"ref":"secret(stripe-key)"}',
    '{ ref: secret(stripe-key) }',
  ]);
  expect(isSecretRef(ref)).toBe(true);
  expect(isSecretRef({ name: 'stripe-key' })).toBe(false);
});

test('a reference is stored as its name and comes back as a reference, also out of a map, a set or the cause of an error', () => {
  const ref = secret('stripe-key');
  const value = { ref, map: new Map([[ref, ref]]), list: [new Set([ref])], error: new Error('x', { cause: ref }) };
  const text = encode(value, noRefs, 'the test');
  expect(text).toContain('{"$perdure":"secret","value":"stripe-key"}');
  const back = decode(text, noRefs) as typeof value;
  expect(back).toStrictEqual(value);
  expect(isSecretRef(back.ref)).toBe(true);
});

test('what looks like a stored reference is data', () => {
  const value = { $perdure: 'secret', value: 'stripe-key' };
  expect(decode(encode(value, noRefs, 'the test'), noRefs)).toStrictEqual(value);
});

test.each(['', 'x'.repeat(257), 7 as never])('the name %j is refused', (name) => {
  expect(() => secret(name)).toThrow(expect.objectContaining({ code: 'OPTIONS_INVALID' }));
});

test('an effect reveals what the host gives now, and not what it gave before', async () => {
  const values = ['first value', 'second value'];
  const self = {};
  grantSecrets(self, new Secrets(async () => values.shift()));
  expect(await reveal(self, secret('rotating'))).toBe('first value');
  expect(await reveal(self, secret('rotating'))).toBe('second value');
});

test.each<[string, Secrets | undefined, unknown]>([
  ['a secret that the host does not know', new Secrets(() => undefined), secret('x')],
  ['a host without secrets', new Secrets(undefined), secret('x')],
  ['a vault that is closed', new Secrets(() => Promise.reject(new Error('closed'))), secret('x')],
  ['a place that is no running effect', undefined, secret('x')],
  ['something that is no reference', new Secrets(() => VALUE), VALUE],
])('%s is SECRET_UNKNOWN, and no value is in the error', async (_, secrets, ref) => {
  const self = {};
  if (secrets !== undefined) grantSecrets(self, secrets);
  await expect(reveal(self, ref as never)).rejects.toMatchObject({
    code: 'SECRET_UNKNOWN',
    message: expect.not.stringContaining(VALUE),
  });
});

test.each<[string, (value: string) => string]>([
  ['plain', (value) => value],
  ['twice', (value) => `${value},${value}`],
  ['JSON', (value) => JSON.stringify({ value })],
  ['base64', (value) => Buffer.from(value).toString('base64')],
  ['base64url', (value) => Buffer.from(value).toString('base64url')],
  ['basic authorization', (value) => `Basic ${Buffer.from(`user:${value}`).toString('base64')}`],
  ['basic authorization of another user', (value) => `Basic ${Buffer.from(`users:${value}@`).toString('base64')}`],
  ['a part of a URL', (value) => `https://example.org/?key=${encodeURIComponent(value)}`],
  ['a part of a URL with small escapes', (value) => encodeURIComponent(value).replace(/%../g, (e) => e.toLowerCase())],
  ['a form', (value) => new URLSearchParams({ value }).toString()],
])('a revealed value is scrubbed from a text, written as %s', async (_, write) => {
  for (const value of [VALUE, 'pass word/"quoted"\n+ünï=?', 'a$&\\d(.*)+b']) {
    const text = `before ${write(value)} after`;
    const secrets = await revealed(value);
    const scrubbed = secrets.redactText(text);
    expect(scrubbed).toMatch(/^before .*\[redacted\].* after$/s);
    expect(scrubbed).not.toContain(value);
    expect(() => secrets.refuseRevealed(text, () => 'the actor "x"')).toThrow(
      expect.objectContaining({
        code: 'CODEC_REFUSED',
        message: expect.stringMatching(/^Cannot persist the actor "x".*"stripe-key"/),
        facts: { where: 'the actor "x"', secret: 'stripe-key' },
      }),
    );
  }
});

test('property: no value of four characters or more is left in any text around it', async () => {
  // A value made of what stands in its place would be found again in the place itself.
  const values = fc
    .string({ unit: 'binary', minLength: 4, maxLength: 20 })
    .filter((value) => !/[[\]redact]/.test(value));
  const part = fc.oneof(fc.string({ unit: 'binary' }), fc.nat(2));
  await fc.assert(
    fc.asyncProperty(fc.array(values, { minLength: 1, maxLength: 3 }), fc.array(part), async (all, parts) => {
      let next = 0;
      const secrets = new Secrets(() => all[next++]);
      for (const [index] of all.entries()) await secrets.reveal(secret(`s${index}`));
      const text = parts.map((one) => (typeof one === 'number' ? (all[one] ?? '') : one)).join('');
      const scrubbed = secrets.redactText(text);
      for (const value of all) expect(scrubbed).not.toContain(value);
      if (scrubbed !== text) expect(scrubbed).toContain('[redacted]');
    }),
  );
});

test('values of three characters stay, and values of seven are scrubbed and not refused: they are in too many texts by chance', async () => {
  expect((await revealed('abc')).redactText('abcabc')).toBe('abcabc');
  const seven = await revealed('letmein');
  expect(seven.redactText('"letmein"')).toBe('"[redacted]"');
  seven.refuseRevealed('"letmein"', () => expect.unreachable());
});

test('nothing that was revealed is nothing to look for', () => {
  const secrets = new Secrets(() => VALUE);
  expect(secrets.redactText(VALUE)).toBe(VALUE);
  secrets.refuseRevealed(VALUE, () => expect.unreachable());
});

test('of very many values those that were revealed last are known', async () => {
  const secrets = new Secrets((name) => `value of ${name}.`);
  await secrets.reveal(secret('first'));
  await secrets.reveal(secret('used'));
  for (let index = 0; index < 255; index++) {
    await secrets.reveal(secret(`s${index}`));
    await secrets.reveal(secret('used'));
    secrets.redactText('');
  }
  expect(secrets.redactText('value of used.; value of s254.; value of s0.')).toBe('[redacted]; [redacted]; [redacted]');
  expect(secrets.redactText('value of first.')).toBe('value of first.');
});
