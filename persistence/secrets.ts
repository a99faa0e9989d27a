/**
 * Secrets that a machine names and never holds. A reference stands in input, context and events and is stored as its name;
 * the host turns it into the value, in an effect, when the effect asks.
 *
 * V1  The value of a secret is never written by us: not to a row, not into an error, not into a log.
 * V2  A value that was revealed is known as long as the process lives, so that it can be found where it must not be.
 */
import { inspect } from 'node:util';
import { PerdureError } from '../errors.ts';

const BRAND = Symbol.for('perdure.secret');
const MAX_NAME = 256;
/** What stands where something was taken out. */
export const REDACTED = '[redacted]';

/** A reference to a secret, made by {@link secret}. Whatever shows it, shows its name. */
export class SecretRef {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
    Object.freeze(this);
  }

  get [BRAND](): true {
    return true;
  }

  toString(): string {
    return `secret(${this.name})`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * Names a secret, to stand in input, context and events in place of its value. Throws OPTIONS_INVALID unless the name has 1 to
 * 256 characters.
 *
 * @example
 * const durable = await createDurableActor(machine, { store, input: { key: secret('stripe-key') } });
 */
export function secret(name: string): SecretRef {
  if (typeof name === 'string' && name.length > 0 && name.length <= MAX_NAME) return new SecretRef(name);
  throw new PerdureError('OPTIONS_INVALID', `The name of a secret is a text of 1 to ${MAX_NAME} characters.`);
}

/** Whether the value is a reference to a secret, also one that another copy of the package made. */
export function isSecretRef(value: unknown): value is SecretRef {
  return typeof value === 'object' && value !== null && BRAND in value && 'name' in value;
}

/** Gives the value of a secret, for instance out of the environment or a vault; undefined when there is none of that name. */
export type ResolveSecret = (name: string) => string | undefined | Promise<string | undefined>;

/** Values remembered; the one that was not revealed for longest is forgotten first. */
const MAX_REMEMBERED = 256;
/** Shorter values are in every text. */
const MIN_SCRUBBED = 4;
/** Shorter values may well be there by chance, and a turn is not refused for that. */
const MIN_REFUSED = 8;
/** A part of an encoded value that is shorter is there by chance. */
const MIN_FRAGMENT = 8;

interface Finder {
  /** Every form of every value that is long enough to be scrubbed, and of those long enough to be refused. */
  readonly all: RegExp;
  readonly long: RegExp;
  /** The secret of a form. */
  readonly names: ReadonlyMap<string, string>;
}

/** The secrets of a host: reveals them, and knows those that were revealed. */
export class Secrets {
  readonly #resolve: ResolveSecret | undefined;
  /** The name of each value, that revealed last at the end. */
  readonly #names = new Map<string, string>();
  /** What finds the values, in all their forms; made when it is asked for. */
  #finder: Finder | undefined;

  constructor(resolve: ResolveSecret | undefined) {
    this.#resolve = resolve;
  }

  /** The value of a secret, asked of the host every time, so that one that was changed is the new one. Throws SECRET_UNKNOWN. */
  async reveal({ name }: SecretRef): Promise<string> {
    const value = await this.#ask(name);
    if (typeof value !== 'string') {
      throw new PerdureError('SECRET_UNKNOWN', `The host's secrets() gives no text for "${name}".`, {
        facts: { name },
      });
    }
    this.#remember(name, value);
    return value;
  }

  async #ask(name: string): Promise<unknown> {
    if (this.#resolve === undefined) {
      throw new PerdureError(
        'SECRET_UNKNOWN',
        `"${name}" was asked for, but the host gives no secrets: pass secrets(name).`,
        {
          facts: { name },
        },
      );
    }
    try {
      return await this.#resolve(name);
    } catch (cause) {
      throw new PerdureError('SECRET_UNKNOWN', `The host's secrets() failed for "${name}".`, {
        cause,
        facts: { name },
        retryable: true,
      });
    }
  }

  /** The text without the values that were revealed, of 4 characters or more: plain, or encoded as JSON, base64 or for a URL. */
  redactText(text: string): string {
    if (this.#names.size === 0) return text;
    return text.replace(this.#find().all, REDACTED);
  }

  /**
   * Throws CODEC_REFUSED when the text that is to be stored holds a value, of 8 characters or more, that was revealed. A net and
   * not a wall: a value that was changed by the work, or revealed by an earlier life of the process, passes.
   */
  refuseRevealed(text: string, where: () => string): void {
    if (this.#names.size === 0) return;
    const { long, names } = this.#find();
    const [found] = long.exec(text) ?? [];
    if (found === undefined) return;
    const name = names.get(found) as string;
    throw new PerdureError(
      'CODEC_REFUSED',
      `Cannot persist ${where()}: it holds the value of the secret "${name}". Keep the reference, and reveal it where it is needed.`,
      { facts: { where: where(), secret: name } },
    );
  }

  #remember(name: string, value: string): void {
    if (value.length < MIN_SCRUBBED) return;
    if (!this.#names.delete(value)) this.#finder = undefined;
    this.#names.set(value, name);
    const [oldest] = this.#names.keys();
    // The finder is already to be made anew, because only a new value makes them too many.
    if (this.#names.size > MAX_REMEMBERED) this.#names.delete(oldest as string);
  }

  #find(): Finder {
    if (this.#finder !== undefined) return this.#finder;
    const names = new Map<string, string>();
    const [all, long] = [new Set<string>(), new Set<string>()];
    for (const [value, name] of this.#names) {
      for (const form of formsOf(value)) {
        names.set(form, name);
        all.add(form);
        if (value.length >= MIN_REFUSED) long.add(form);
      }
    }
    return (this.#finder = { all: finderOf(all, 'g'), long: finderOf(long, ''), names });
  }
}

/** One look for all; the longest first, so that a value that begins with another one goes whole. */
function finderOf(forms: ReadonlySet<string>, flags: string): RegExp {
  const texts = [...forms]
    .sort((a, b) => b.length - a.length)
    .map((form) => form.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'));
  return new RegExp(texts.length === 0 ? '(?!)' : texts.join('|'), flags);
}

/** The ways in which a value is usually written. */
function formsOf(value: string): Set<string> {
  const url = new URLSearchParams({ '': value }).toString().slice(1);
  const forms = [value, JSON.stringify(value).slice(1, -1), url, lowered(url)];
  if (!/\p{Surrogate}/u.test(value)) forms.push(encodeURIComponent(value), lowered(encodeURIComponent(value)));
  return new Set([...forms, ...base64FormsOf(value)]);
}

function lowered(url: string): string {
  return url.replace(/%[\dA-F]{2}/g, (escape) => escape.toLowerCase());
}

/** Alone, and inside of something longer (`user:password`), where what comes before decides how the bits fall. */
function base64FormsOf(value: string): string[] {
  const alone = Buffer.from(value).toString('base64').replaceAll('=', '');
  const inside = [0, 1, 2].map((before) => {
    const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(value)]);
    // Only those characters that no neighbour has a bit in.
    return bytes.toString('base64').slice(Math.ceil((before * 8) / 6), Math.floor((bytes.length * 8) / 6));
  });
  const forms = [alone, ...inside.filter((form) => form.length >= MIN_FRAGMENT)];
  return [...forms, ...forms.map((form) => form.replaceAll('+', '-').replaceAll('/', '_'))];
}

const granted = new WeakMap<object, Secrets>();

/** Lets the effect that runs as `self` reveal secrets. */
export function grantSecrets(self: object, secrets: Secrets): void {
  granted.set(self, secrets);
}

/**
 * The value of a secret, inside of an effect. Do not return it and do not put it into an event: what is stored holds references.
 * Throws SECRET_UNKNOWN.
 *
 * @example
 * const charge = fromPromise(async ({ self, input }) => pay(input.amount, await reveal(self, input.key)));
 */
export async function reveal(self: object, ref: SecretRef): Promise<string> {
  const secrets = granted.get(self);
  if (secrets !== undefined && isSecretRef(ref)) return secrets.reveal(ref);
  throw new PerdureError(
    'SECRET_UNKNOWN',
    secrets === undefined
      ? 'reveal(self, ref) works in a running effect of a durable tree; this is none.'
      : 'reveal(self, ref) takes what secret(name) made; what came is something else.',
  );
}
