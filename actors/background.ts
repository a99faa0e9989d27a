/** Between the pool of threads and the machine that decides on it: what happens there is told here, and what was decided is asked. */
import { isDeepStrictEqual } from 'node:util';
import { PerdureError } from '../errors.ts';
import {
  quarantinedUntil,
  type BackgroundCommand,
  type BackgroundContext,
  type BackgroundPolicy,
} from '../machines/background.ts';
import type { Tree } from './standing.ts';
import { checkedSize, type ThreadSettings } from './thread-options.ts';
import type { BackgroundStats, ThreadPool } from './thread-pool.ts';

/** How the machine stands. */
interface BackgroundState {
  readonly value: string;
  readonly context: BackgroundContext;
}

export class Background {
  readonly #durable: Tree;
  readonly #pool: ThreadPool;
  #policy: BackgroundPolicy | undefined;

  constructor(durable: Tree, pool: ThreadPool) {
    this.#durable = durable;
    this.#pool = pool;
  }

  get stats(): BackgroundStats {
    return this.#pool.stats;
  }

  /** The pool of this life is there. */
  begin({ size, intensity, periodMs }: ThreadSettings): void {
    this.#configure({ size, intensity, periodMs });
    this.#pool.attach({
      died: (module, code) => this.#tell({ type: 'background.died', module, code, at: this.#now() }),
      pressed: (isPressed) =>
        this.#tell({ type: isPressed ? 'background.pressed' : 'background.eased', at: this.#now() }),
      quarantineMs: (module) => this.#quarantineMs(module),
    });
  }

  /** Lets another number of threads run, until the next start. */
  resize(size: number): void {
    this.#pool.resize(size);
    if (this.#policy !== undefined) this.#configure({ ...this.#policy, size });
  }

  /** Waits for what runs in threads, at most `graceMs`; nothing more begins. */
  async drain(graceMs: number): Promise<void> {
    const isBusy = this.#pool.stats.busy > 0 && graceMs > 0;
    if (isBusy) this.#tell({ type: 'background.drain', at: this.#now() });
    await this.#pool.drain(graceMs);
    // The last result is on its way to its action.
    await new Promise((resolve) => setImmediate(resolve));
    if (isBusy) this.#tell({ type: 'background.close', at: this.#now() });
  }

  /** Ends the threads, and what still runs in them. */
  close(): Promise<void> {
    return this.#pool.close();
  }

  #configure(policy: BackgroundPolicy): void {
    this.#policy = policy;
    const state = this.#state();
    if (state?.value === 'accepting' && isDeepStrictEqual(state.context.policy, policy)) return;
    this.#tell({ type: 'background.configure', policy, at: this.#now() });
  }

  #quarantineMs(module: string): number {
    const state = this.#state();
    if (state === undefined) return 0;
    const now = this.#now();
    return Math.max(0, quarantinedUntil(state.context, module, now) - now);
  }

  #state(): BackgroundState | undefined {
    const children = this.#durable.getSnapshot().children as Readonly<
      Record<string, { getSnapshot(): unknown } | undefined>
    >;
    return children['background']?.getSnapshot() as BackgroundState | undefined;
  }

  #now(): number {
    return this.#durable.store.clock.now();
  }

  /** That it could not be committed is told as any failure of the store is. */
  #tell(event: BackgroundCommand): void {
    this.#durable.send({ type: 'supervisor.background', event }).catch(() => {});
  }
}

/** Lets another number of threads run. Throws OPTIONS_INVALID. */
export function resized(background: Background | undefined, size: number): void {
  checkedSize(size);
  if (background !== undefined) return background.resize(size);
  throw new PerdureError('OPTIONS_INVALID', 'There are no threads to resize: no action has `thread`.', {
    facts: { size },
  });
}
