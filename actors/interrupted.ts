/**
 * Attempts that were under way when their process ended. One that ends the process itself would do so again at every start, and
 * take all others with it: after so many times it fails, and is a dead letter.
 *
 * Nobody can tell who it was, so every attempt that was under way counts one; but not when the process was closed in order, nor
 * when only its tree was read back from the file.
 */
import { PerdureError } from '../errors.ts';
import { shown } from '../machines/option-keys.ts';
import type { EffectIdentity } from '../persistence/effects.ts';
import type { Rows } from '../persistence/rows.ts';

/** How often an attempt may be interrupted. */
export const MAX_INTERRUPTIONS = 3;
/** Of so many attempts that were aborted in this process it is known that they were. */
const ABORTED_KEPT = 1_000;

/** Throws OPTIONS_INVALID. */
export function checkedInterruptions(max: number = MAX_INTERRUPTIONS): number {
  if (max === Infinity || (Number.isSafeInteger(max) && max >= 1)) return max;
  throw new PerdureError(
    'OPTIONS_INVALID',
    `maxInterruptions must be a whole number from 1, or Infinity, got ${shown(max)}.`,
    { facts: { maxInterruptions: max } },
  );
}

export class Interrupted {
  readonly #rows: Pick<Rows, 'get' | 'run' | 'turn'>;
  readonly #max: number;
  /** What runs in this process, by the id of its action. */
  readonly #running = new Map<string, EffectIdentity>();
  /** What was aborted in it, by key: the tree may have been read back from the file, and not the process have ended. */
  readonly #aborted = new Set<string>();

  constructor(rows: Pick<Rows, 'get' | 'run' | 'turn'>, max: number) {
    this.#rows = rows;
    this.#max = max;
  }

  /** An attempt begins. Gives why it must not, if it has been interrupted too often. */
  began(id: string, identity: EffectIdentity | undefined): PerdureError | undefined {
    if (identity === undefined) return undefined;
    // It runs here already: no process has ended.
    if (this.#running.get(id)?.key === identity.key || this.#aborted.has(identity.key)) this.#forgive(id, identity);
    this.#running.set(id, identity);
    if (identity.attempt <= this.#max) return undefined;
    const times = identity.attempt - 1 - this.#forgiven(id, identity);
    return times < this.#max ? undefined : interruptedError(id, times);
  }

  ended(id: string, identity: EffectIdentity | undefined, wasAborted: boolean): void {
    if (identity === undefined) return;
    if (this.#running.get(id) === identity) this.#running.delete(id);
    if (!wasAborted) return;
    this.#aborted.add(identity.key);
    const [oldest] = this.#aborted;
    if (this.#aborted.size > ABORTED_KEPT) this.#aborted.delete(oldest as string);
  }

  /** The process ends in order: what runs is not to blame. */
  closing(): void {
    for (const [id, identity] of this.#running) this.#forgive(id, identity);
  }

  #forgive(id: string, identity: EffectIdentity): void {
    const times = this.#forgiven(id, identity) + 1;
    this.#rows.run(
      `update actions set forgiven = ?, from_turn = ? where id = ? and state = 'running'`,
      `${identity.key}:${times}`,
      this.#rows.turn,
      id,
    );
  }

  #forgiven(id: string, { key }: EffectIdentity): number {
    const row = this.#rows.get<{ forgiven: string | null }>('select forgiven from actions where id = ?', id);
    const forgiven = row?.forgiven ?? '';
    return forgiven.startsWith(`${key}:`) ? Number(forgiven.slice(key.length + 1)) : 0;
  }
}

function interruptedError(id: string, times: number): PerdureError {
  return new PerdureError(
    'ATTEMPT_INTERRUPTED',
    `An attempt of the action "${id}" was under way ${times} times when its process ended, and is not begun again: find out ` +
      'whether it ends the process, and queue it again with deadLetters.requeue.',
    { facts: { id, times } },
  );
}
