/**
 * Whether a store accepts turns. One that failed is opened again, with growing waits, until that succeeds or can not
 * succeed any more; one that is closed stays closed.
 */
import { PerdureError } from '../errors.ts';
import type { StoreFile } from './store-file.ts';
import { mayPass } from './verdict.ts';

/** The waits between attempts to open a store that failed: the first, and the longest. */
const REOPEN_MS = { first: 20, longest: 500 };

type Status =
  | { readonly kind: 'open' }
  | { readonly kind: 'failed'; readonly error: PerdureError }
  | { readonly kind: 'closed'; readonly error: PerdureError | undefined };

/** Who is told how it went. */
export interface ReopeningHost {
  /** The file is open again. */
  reopened(): void;
  /** It cannot be opened any more. */
  gaveUp(error: PerdureError): void;
}

export class Reopening {
  readonly #file: StoreFile;
  readonly #host: ReopeningHost;
  #status: Status = { kind: 'open' };
  #timer: NodeJS.Timeout | undefined;
  #waitMs = REOPEN_MS.first;

  constructor(file: StoreFile, host: ReopeningHost) {
    this.#file = file;
    this.#host = host;
  }

  get isOpen(): boolean {
    return this.#status.kind === 'open';
  }

  get isClosed(): boolean {
    return this.#status.kind === 'closed';
  }

  /** Throws unless turns are accepted. */
  assertOpen(): void {
    if (this.#status.kind === 'open') return;
    if (this.#status.error !== undefined) throw this.#status.error;
    throw new PerdureError('STORE_CLOSED', `The store ${this.#file.path} is closed: open it again.`);
  }

  /** Accepts nothing from now on. Says whether the failure may pass; if not, the store is closed. */
  fail(error: PerdureError): boolean {
    const passing = mayPass(error);
    this.#status = passing ? { kind: 'failed', error } : { kind: 'closed', error };
    return passing;
  }

  close(): void {
    this.#status = { kind: 'closed', error: undefined };
    clearTimeout(this.#timer);
  }

  /** Tries again after a while. */
  later(): void {
    this.#timer = setTimeout(() => this.#reopen(), this.#waitMs);
    this.#waitMs = Math.min(2 * this.#waitMs, REOPEN_MS.longest);
  }

  /** A commit succeeded, so the next failure is a new one. */
  proved(): void {
    this.#waitMs = REOPEN_MS.first;
  }

  #reopen(): void {
    if (this.#status.kind !== 'failed') return;
    try {
      this.#file.reconnect();
    } catch (error) {
      const reason = error as PerdureError;
      if (mayPass(reason)) this.later();
      else this.#host.gaveUp(reason);
      return;
    }
    this.#status = { kind: 'open' };
    this.#host.reopened();
  }
}
