/**
 * Text that is put on disk, sealed and unsealed: as it is, or encrypted with AES-256-GCM. It is synchronous, because it
 * runs inside commits. Stored form: `perdure:aes256gcm:<keyId>:<base64url of nonce, ciphertext, tag>`. No JSON begins
 * with a `p`, so a sealed text is never mistaken for a plain one, nor the other way round.
 *
 * K1  unseal(seal(text, binding), binding) is text. With another binding, another key or one changed bit it is ROW_CORRUPT.
 * K2  What is written is under the current key; what was written under another one can be read as long as `key` gives it.
 * K3  A text that is not sealed is refused unless the host, and not the file, says that there may be some.
 * K4  Neither a key nor a text is ever part of an error.
 */
import { createCipheriv, createDecipheriv, createSecretKey, randomFillSync, type KeyObject } from 'node:crypto';
import { PerdureError } from '../errors.ts';
import { isStorable } from './xstate-port.ts';

/** Seals what goes into a row, and unseals what comes out of it. `binding` says which row it is, and must be the same both times. */
export interface Sealing {
  seal(text: string, binding: string): string;
  unseal(stored: string, binding: string): string;
}

/** Options of {@link encryption}. */
export interface EncryptionOptions {
  /**
   * The key of an id: 32 bytes, or the same as 64 hexadecimal digits or as base64. Asked once per id; the ids of old keys
   * are asked for when a row written under them is read.
   */
  readonly key: (id: string) => Uint8Array | string;
  /** The id of the key that everything is written under: 1 to 64 letters, digits, `.`, `_`, `-`. It is stored in plain. */
  readonly current: string;
  /**
   * Takes rows that are not encrypted, which a store has that was made without encryption. Default: false. While it is true,
   * whoever can write the file can put rows of their own there; so set it for one start, and take it away when everything was
   * written again. The file itself is never believed in this.
   */
  readonly allowPlain?: boolean;
}

/** What begins every sealed text, and no other. */
export const SEALED = 'perdure:';
const HEADER = `${SEALED}aes256gcm:`;
const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID = /^[\w.-]{1,64}$/;

/** Whether a stored text is encrypted, by its looks. */
export function isSealed(stored: string): boolean {
  return stored.startsWith(SEALED);
}

/** No encryption. A store that is encrypted is refused with KEY_UNKNOWN, not read as garbage. */
export const plain: Sealing = {
  seal: (text) => text,
  unseal(stored) {
    if (!isSealed(stored)) return stored;
    throw new PerdureError('KEY_UNKNOWN', 'The store is encrypted: pass the encryption that it was written with.');
  },
};

/**
 * Encrypts with AES-256-GCM, with a random 96-bit nonce for every row. Random nonces are safe for 2^32 rows written under
 * one key (NIST SP 800-38D, 8.3): at 1,000 rows a second that is 49 days, at 10 a second 13 years; change `current` before.
 * Throws OPTIONS_INVALID for a key that is none and KEY_UNKNOWN when `key` does not give the current one.
 *
 * @example
 * const keys = { '2025': process.env.KEY_2025, '2026': process.env.KEY_2026 };
 * const sealing = encryption({ key: (id) => keys[id], current: '2026' });
 */
export function encryption({ key, current, allowPlain = false }: EncryptionOptions): Sealing {
  if (!KEY_ID.test(current)) {
    throw new PerdureError(
      'OPTIONS_INVALID',
      `The id of a key is 1 to 64 letters, digits, ".", "_" or "-"; got ${JSON.stringify(current)}.`,
      { facts: { key: current } },
    );
  }
  const keys = new KeyRing(key);
  const header = `${HEADER}${current}:`;
  const currentKey = keys.of(current);
  return {
    seal: (text, binding) => header + encrypt(text, currentKey, header + binding),
    unseal(stored, binding) {
      if (!isSealed(stored)) {
        if (allowPlain) return stored;
        throw corrupt(
          'is not encrypted. If the store was made without encryption, pass allowPlain for one start; if not, the row was planted',
          binding,
        );
      }
      const { id, start } = parse(stored, binding);
      return decrypt(stored.slice(start), keys.of(id), stored.slice(0, start) + binding, binding);
    },
  };
}

/** The keys that were asked for. */
class KeyRing {
  readonly #ask: (id: string) => unknown;
  readonly #keys = new Map<string, KeyObject>();

  constructor(ask: (id: string) => unknown) {
    this.#ask = ask;
  }

  of(id: string): KeyObject {
    let key = this.#keys.get(id);
    if (key === undefined) this.#keys.set(id, (key = createSecretKey(this.#bytesOf(id))));
    return key;
  }

  #bytesOf(id: string): Uint8Array {
    const facts = { key: id };
    const key = this.#asked(id);
    if (key === undefined || key === null) {
      throw new PerdureError('KEY_UNKNOWN', `encryption.key gave no key for the id "${id}": rows need it.`, { facts });
    }
    const bytes = typeof key === 'string' ? bytesOfText(key) : key;
    if (bytes instanceof Uint8Array && bytes.byteLength === KEY_BYTES) return bytes;
    throw new PerdureError(
      'OPTIONS_INVALID',
      `The key "${id}" must be ${KEY_BYTES} bytes, 64 hexadecimal digits or base64 of ${KEY_BYTES} bytes; ` +
        `got ${sizeOf(key)}.`,
      { facts },
    );
  }

  #asked(id: string): unknown {
    try {
      return this.#ask(id);
    } catch (cause) {
      throw new PerdureError('KEY_UNKNOWN', `encryption.key threw for the id "${id}".`, { cause, facts: { key: id } });
    }
  }
}

function bytesOfText(key: string): Uint8Array | undefined {
  if (/^[\da-f]{64}$/i.test(key)) return Buffer.from(key, 'hex');
  // 43 characters hold 258 bits: the last one must not say more than its four.
  if (/^[\w+/-]{42}[AEIMQUYcgkosw048]=?$/.test(key)) return Buffer.from(key, 'base64');
  return undefined;
}

/** K4: never the key itself. */
function sizeOf(key: unknown): string {
  if (typeof key === 'string') return `a text of ${key.length} characters`;
  return key instanceof Uint8Array ? `${key.byteLength} bytes` : `a value of type ${typeof key}`;
}

/** What a stored text says about its key, which is not to be believed before it is authenticated. */
function parse(stored: string, binding: string): { id: string; start: number } {
  const end = stored.startsWith(HEADER) ? stored.indexOf(':', HEADER.length) : -1;
  const id = stored.slice(HEADER.length, end);
  if (end === -1 || !KEY_ID.test(id)) throw corrupt('has no header that this version of Perdure knows', binding);
  return { id, start: end + 1 };
}

function encrypt(text: string, key: KeyObject, bound: string): string {
  if (!isStorable(text)) {
    throw new PerdureError(
      'CODEC_REFUSED',
      'Cannot encrypt a text with half of a surrogate pair: it would not come back.',
    );
  }
  const nonce = freshNonce();
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(bound));
  return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url');
}

function decrypt(body: string, key: KeyObject, bound: string, binding: string): string {
  const bytes = Buffer.from(body, 'base64url');
  if (bytes.length < NONCE_BYTES + TAG_BYTES) throw corrupt('is too short', binding);
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(bound));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
  try {
    return Buffer.concat([text, decipher.final()]).toString('utf8');
  } catch (cause) {
    throw corrupt(
      'is not authentic: it was changed, belongs to another row, or its key is another one',
      binding,
      cause,
    );
  }
}

function corrupt(what: string, binding: string, cause?: unknown): PerdureError {
  return new PerdureError('ROW_CORRUPT', `The row ${binding} ${what}. Nothing was changed.`, {
    facts: { binding },
    cause,
  });
}

/** A third of the cost of a row is the call for its random bytes, so they are taken for many at once. */
const pool = Buffer.alloc(NONCE_BYTES * 64);
let taken = pool.length;

function freshNonce(): Buffer {
  if (taken === pool.length) {
    randomFillSync(pool);
    taken = 0;
  }
  const nonce = Buffer.from(pool.subarray(taken, taken + NONCE_BYTES));
  taken += NONCE_BYTES;
  return nonce;
}
