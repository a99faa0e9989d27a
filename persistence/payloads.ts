/**
 * How values become the texts of rows, and back: encoded, bounded in size, free of secrets that were revealed, sealed. And
 * what of them may be shown.
 */
import { PerdureError } from '../errors.ts';
import { encode, type Refs } from './codec.ts';
import { redaction } from './redaction.ts';
import { plain, type Sealing } from './sealing.ts';
import { REDACTED, Secrets, type ResolveSecret } from './secrets.ts';

/** What the host wants done with payloads. */
export interface PayloadOptions {
  /** How values are written. Default: as they are; see {@link encryption}. */
  readonly sealing?: Sealing;
  /** Gives the value of a secret to an effect that asks for it with {@link reveal}. Default: none. */
  readonly secrets?: ResolveSecret;
  /** Takes secrets out of what is shown and never restored: history and error text. Default: {@link redaction}(). */
  readonly redact?: (value: unknown) => unknown;
  /** The largest text of one state or event, in bytes. Default: 16 MiB. */
  readonly maxValueBytes?: number;
}

/** Characters of a message that are shown. */
const SHOWN_LIMIT = 4_096;

export class Payloads {
  readonly secrets: Secrets;
  readonly #sealing: Sealing;
  readonly #redact: (value: unknown) => unknown;
  readonly #maxValueBytes: number | undefined;

  constructor({ sealing, secrets, redact, maxValueBytes }: PayloadOptions) {
    if (maxValueBytes !== undefined && !(Number.isSafeInteger(maxValueBytes) && maxValueBytes > 0)) {
      throw new PerdureError('OPTIONS_INVALID', `maxValueBytes must be a whole number above 0, got ${maxValueBytes}.`);
    }
    this.secrets = new Secrets(secrets);
    this.#sealing = sealing ?? plain;
    this.#redact = redact ?? redaction();
    this.#maxValueBytes = maxValueBytes;
  }

  /** The text of a row. `binding` says which row it is, and must be the same when it is read. Throws CODEC_REFUSED. */
  write(value: unknown, refs: Refs, where: () => string, binding: () => string): string {
    const text = encode(value, refs, where, this.#maxValueBytes);
    this.secrets.refuseRevealed(text, where);
    return this.seal(text, binding);
  }

  seal(text: string, binding: () => string): string {
    return this.#sealing === plain ? text : this.#sealing.seal(text, binding());
  }

  /** The text that was sealed. Throws ROW_CORRUPT, KEY_UNKNOWN. */
  unseal(text: string, binding: () => string): string {
    return this.#sealing.unseal(text, this.#sealing === plain ? '' : binding());
  }

  /** What of a value may be shown. */
  shown(value: unknown): unknown {
    return this.#redact(value);
  }

  /** What of a text may be shown. */
  shownText(text: string): string {
    const shown = this.#redact(this.secrets.redactText(text));
    if (typeof shown !== 'string') return REDACTED;
    return shown.length <= SHOWN_LIMIT ? shown : `${shown.slice(0, SHOWN_LIMIT)}… (${shown.length} characters)`;
  }
}
