import { createDecipheriv, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PerdureError } from '../../errors.ts';
import { encryption, isSealed, plain } from '../../persistence/sealing.ts';

const keys: Record<string, Buffer> = { one: randomBytes(32), two: randomBytes(32) };
const sealing = encryption({ key: (id) => keys[id] as Buffer, current: 'one' });
const wellFormed = fc.string({ unit: 'binary' }).filter((text) => !/\p{Surrogate}/u.test(text));

function refusalOf(act: () => unknown): PerdureError {
  try {
    act();
  } catch (error) {
    return error as PerdureError;
  }
  return expect.unreachable('it was not refused');
}

test('property: what was sealed comes back under its binding, and under no other', () => {
  fc.assert(
    fc.property(wellFormed, wellFormed, wellFormed, (text, binding, other) => {
      const stored = sealing.seal(text, binding);
      expect(isSealed(stored)).toBe(true);
      expect(sealing.unseal(stored, binding)).toBe(text);
      if (other !== binding) {
        expect(() => sealing.unseal(stored, other)).toThrow(expect.objectContaining({ code: 'ROW_CORRUPT' }));
      }
    }),
  );
});

test('property: no single changed character of a sealed text is taken for authentic, unless it means the same bytes', () => {
  const stored = sealing.seal('{"context":{"n":1}}', '1/2/3');
  const bytesOf = (text: string) => Buffer.from(text.split(':')[3] ?? '', 'base64url');
  fc.assert(
    fc.property(fc.nat(stored.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, character) => {
      const changed = stored.slice(0, at) + character + stored.slice(at + 1);
      const [head, headBefore] = [changed, stored].map((text) => text.slice(0, text.lastIndexOf(':')));
      fc.pre(head !== headBefore || !bytesOf(changed).equals(bytesOf(stored)));
      expect(refusalOf(() => sealing.unseal(changed, '1/2/3')).code).toMatch(/^(ROW_CORRUPT|KEY_UNKNOWN)$/);
    }),
    { numRuns: 1_000 },
  );
});

test('the stored form is AES-256-GCM as documented, so that another program can read it with the key', () => {
  const stored = sealing.seal('{"n":1}', '1/2/3');
  const [, , id, body] = stored.split(':');
  expect(stored).toMatch(/^perdure:aes256gcm:one:[\w-]+$/);
  const bytes = Buffer.from(body as string, 'base64url');
  const decipher = createDecipheriv('aes-256-gcm', keys[id as string] as Buffer, bytes.subarray(0, 12));
  decipher.setAAD(Buffer.from('perdure:aes256gcm:one:1/2/3')).setAuthTag(bytes.subarray(-16));
  const text = Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString();
  expect(text).toBe('{"n":1}');
});

test('every row has a nonce of its own, also for the same text', () => {
  const nonces = Array.from({ length: 1_000 }, () => sealing.seal('x', 'b').split(':')[3]?.slice(0, 16));
  expect(new Set(nonces).size).toBe(1_000);
});

test('keys are rotated: old rows stay readable while their key is there, and what is written is under the current one', () => {
  const asked: string[] = [];
  const key = (id: string) => {
    asked.push(id);
    return keys[id] as Buffer;
  };
  const before = encryption({ key, current: 'one' }).seal('old', 'b');
  const rotated = encryption({ key, current: 'two' });
  expect(rotated.unseal(before, 'b')).toBe('old');
  expect(rotated.unseal(before, 'b')).toBe('old');
  expect(rotated.seal('new', 'b')).toMatch(/^perdure:aes256gcm:two:/);
  expect(asked).toEqual(['one', 'two', 'one']);
  const forgotten = encryption({ key: (id) => (id === 'two' ? keys['two'] : undefined) as Buffer, current: 'two' });
  expect(() => forgotten.unseal(before, 'b')).toThrow(
    expect.objectContaining({ code: 'KEY_UNKNOWN', facts: { key: 'one' } }),
  );
});

test('a row that names another key than it was sealed under is not authentic', () => {
  const same = encryption({ key: () => keys['one'] as Buffer, current: 'one' });
  const stored = same.seal('x', 'b').replace(':one:', ':two:');
  expect(() => same.unseal(stored, 'b')).toThrow(expect.objectContaining({ code: 'ROW_CORRUPT' }));
});

test('a plain row in an encrypted store is refused, unless the host says that there may be some', () => {
  const planted = '{"context":{"admin":true}}';
  expect(() => sealing.unseal(planted, '1/2/3')).toThrow(
    expect.objectContaining({ code: 'ROW_CORRUPT', message: expect.stringContaining('1/2/3') }),
  );
  const switching = encryption({ key: (id) => keys[id] as Buffer, current: 'one', allowPlain: true });
  expect(switching.unseal(planted, '1/2/3')).toBe(planted);
  expect(switching.unseal(switching.seal('x', 'b'), 'b')).toBe('x');
  expect(() => switching.unseal(switching.seal('x', 'b'), 'c')).toThrow(
    expect.objectContaining({ code: 'ROW_CORRUPT' }),
  );
});

test('an encrypted store that is opened without its keys says so', () => {
  expect(plain.unseal(plain.seal('{}', 'b'), 'b')).toBe('{}');
  expect(() => plain.unseal(sealing.seal('{}', 'b'), 'b')).toThrow(expect.objectContaining({ code: 'KEY_UNKNOWN' }));
});

test.each([
  '',
  'perdure:',
  'perdure:aes256gcm:',
  'perdure:aes256gcm:one',
  'perdure:aes256gcm:one:',
  'perdure:aes256gcm:one:AAAA',
  `perdure:aes256gcm:one:${'A'.repeat(38)}`,
  'perdure:aes256gcm:../../etc/passwd:AAAA',
  `perdure:aes256gcm:${'x'.repeat(65)}:AAAA`,
  'perdure:aes512:one:AAAA',
])('a text that it did not write is refused, and no key is asked for by a name that cannot be one: %j', (stored) => {
  const asked: string[] = [];
  const careful = encryption({ key: (id) => (asked.push(id), keys['one'] as Buffer), current: 'one' });
  expect(() => careful.unseal(stored, 'b')).toThrow(expect.objectContaining({ code: 'ROW_CORRUPT' }));
  expect(asked).toEqual(['one']);
});

test('half of a surrogate pair is refused, because it would come back as another character', () => {
  expect(() => sealing.seal('\ud800', 'b')).toThrow(expect.objectContaining({ code: 'CODEC_REFUSED' }));
});

const bytes = randomBytes(32);

test.each<[string, Uint8Array | string]>([
  ['bytes', new Uint8Array(bytes)],
  ['hexadecimal digits', bytes.toString('hex')],
  ['capital hexadecimal digits', bytes.toString('hex').toUpperCase()],
  ['base64', bytes.toString('base64')],
  ['base64 without padding', bytes.toString('base64').slice(0, -1)],
  ['base64url', bytes.toString('base64url')],
])('a key may be given as %s', (_, key) => {
  const stored = encryption({ key: () => key, current: 'k' }).seal('x', 'b');
  expect(encryption({ key: () => bytes, current: 'k' }).unseal(stored, 'b')).toBe('x');
});

const BAD = 'correct horse battery staple';

test.each<[string, unknown]>([
  ['a pass phrase', BAD],
  ['a pass phrase of 43 characters, the last of which says too much', `${BAD.replaceAll(' ', 'x')}${'x'.repeat(14)}B`],
  ['31 bytes', bytes.subarray(1)],
  ['31 bytes as base64', bytes.subarray(1).toString('base64')],
  ['33 bytes', Buffer.concat([bytes, Buffer.alloc(1)])],
  ['63 digits', bytes.toString('hex').slice(1)],
  ['a number', 42],
  ['a promise', Promise.resolve(bytes)],
])('a key that is none is refused at once, and not repeated in the error: %s', (_, key) => {
  const error = refusalOf(() => encryption({ key: () => key as string, current: 'k' }));
  expect(error.code).toBe('OPTIONS_INVALID');
  expect(`${error.message} ${JSON.stringify(error.facts)}`).not.toContain(String(key));
});

test.each(['', 'a:b', 'x'.repeat(65), 'ü', 'a b'])('the key id %j is refused', (current) => {
  expect(() => encryption({ key: () => bytes, current })).toThrow(expect.objectContaining({ code: 'OPTIONS_INVALID' }));
});

test('a current key that is not given, or whose giving fails, is an error at once', () => {
  const failure = new Error('the vault is closed');
  const failing = () => {
    throw failure;
  };
  expect(() => encryption({ key: () => undefined as never, current: 'k' })).toThrow(
    expect.objectContaining({ code: 'KEY_UNKNOWN' }),
  );
  expect(() => encryption({ key: failing, current: 'k' })).toThrow(
    expect.objectContaining({ code: 'KEY_UNKNOWN', cause: failure }),
  );
});
