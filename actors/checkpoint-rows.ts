/**
 * What the checkpoint's actions do: turns get their names, checkpoints are pinned and forgotten, and what each costs is
 * measured: what it takes to say how far the work is, and the commit that it is part of.
 */
import type { CheckpointChange, CheckpointEvent, CheckpointRequest } from '../machines/checkpoint-state.ts';
import type { Clock } from '../persistence/clock.ts';
import type { Rows } from '../persistence/rows.ts';
import { progressNow } from './checkpoint-progress.ts';
import { putVariables } from './checkpoint-tables.ts';

/** What checkpoints need of the world. */
export interface CheckpointWorld {
  readonly rows: Rows;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  /** A turn was named, and is committed. */
  readonly onNamed?: () => void;
}

/** What the actions of a machine are called with. */
type Self = { readonly self: { send(event: CheckpointEvent): void } };

/** How much the newest measurement counts. */
const WEIGHT = 0.2;

/** The checkpoint's actions, on rows. One for each life of the process. */
export function checkpointActions(world: CheckpointWorld) {
  const { rows, clock } = world;
  const cost = new Cost(clock);
  let isFirst = true;
  return {
    nameTurn: ({ self }: Self, { reason, label, pin = false }: CheckpointRequest) => {
      const began = cost.now();
      const at = clock.now();
      const detail = JSON.stringify(progressNow(rows));
      rows.nameTurn({ at, reason, detail, pinned: pin, ...(label === undefined ? {} : { label }) });
      const ownMs = cost.now() - began;
      rows.afterCommit((commit) => {
        cost.note(ownMs + (commit?.ms ?? 0));
        world.onNamed?.();
      });
      self.send({
        type: 'checkpoint.written',
        turn: rows.turn,
        reason,
        label: label ?? null,
        at,
        costMs: cost.meanMs,
      });
    },
    change: (_: Self, { turn, command }: CheckpointChange) => {
      if (command === 'remove') rows.unnameTurn(turn);
      else rows.pinTurn(turn, command === 'pin');
    },
    setVariables: (_: Self, { variables }: { variables: string }) => putVariables(rows, variables),
    look: ({ self }: Self, { isRestored }: { isRestored: boolean }) => {
      self.send({ type: 'checkpoint.found', at: clock.now(), isFirst: isFirst && !isRestored });
      isFirst = false;
    },
  };
}

/** What a checkpoint costs, ms. What commits with it is not told apart, so under load it is rather more than less. */
class Cost {
  readonly #clock: CheckpointWorld['clock'];
  #meanMs: number | null = null;

  constructor(clock: CheckpointWorld['clock']) {
    this.#clock = clock;
  }

  /** Null before the first was measured. */
  get meanMs(): number | null {
    return this.#meanMs;
  }

  note(ms: number): void {
    this.#meanMs = this.#meanMs === null ? ms : this.#meanMs + WEIGHT * (ms - this.#meanMs);
  }

  now(): number {
    return this.#clock.monotonic?.() ?? this.#clock.now();
  }
}
