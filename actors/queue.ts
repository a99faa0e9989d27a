/**
 * What the executor's actions do: actions wait, run and settle in rows, and every answer is an event to the executor in the
 * same turn.
 */
import type { ActionPolicy, ActionResult } from '../machines/action.ts';
import type { Claimed, ExecutorEvent, Settled, Submission } from '../machines/executor.ts';
import type { ErrorRecord } from '../machines/outcome.ts';
import type { Clock } from '../persistence/clock.ts';
import type { Rows } from '../persistence/rows.ts';
import type { Registry } from './actions.ts';
import type { ActionRow } from './queue-tables.ts';
import { sealed } from './values.ts';

/** What the actions of a machine are called with. */
type Self = { readonly self: { send(event: ExecutorEvent): void } };

type BackOff = { readonly id: string; readonly delayMs: number; readonly error: ErrorRecord | null };

/** What the executor's actions need of the world. */
export interface QueueWorld {
  readonly rows: Rows;
  readonly registry: Registry;
  readonly clock: Clock;
}

/** The executor's actions, on rows. */
export function queueActions(world: QueueWorld) {
  const queue = ({ self }: Self) => new Queue(world, (event) => self.send(event));
  return {
    putQueued: (args: Self, params: Parameters<Queue['putQueued']>[0]) => queue(args).putQueued(params),
    claim: (args: Self, params: Parameters<Queue['claim']>[0]) => queue(args).claim(params),
    noteAttempt: (args: Self, params: Parameters<Queue['noteAttempt']>[0]) => queue(args).noteAttempt(params),
    noteBackOff: (args: Self, params: Parameters<Queue['noteBackOff']>[0]) => queue(args).noteBackOff(params),
    park: (args: Self, params: Parameters<Queue['park']>[0]) => queue(args).park(params),
    putOutcome: (args: Self, params: Parameters<Queue['putOutcome']>[0]) => queue(args).putOutcome(params),
    cancelQueued: (args: Self, params: Parameters<Queue['cancelQueued']>[0]) => queue(args).cancelQueued(params),
  };
}

class Queue {
  readonly #rows: Rows;
  readonly #registry: Registry;
  readonly #clock: Clock;
  readonly #answer: (event: ExecutorEvent) => void;

  constructor({ rows, registry, clock }: QueueWorld, answer: (event: ExecutorEvent) => void) {
    this.#rows = rows;
    this.#registry = registry;
    this.#clock = clock;
    this.#answer = answer;
  }

  putQueued({ submissions }: { submissions: readonly Submission[] }): void {
    for (const { id, name, version, input, policy, rank, plan, at } of submissions) {
      this.#rows.run(
        `insert into actions(id, name, version, input, policy, rank, plan, state, submitted_at, attempts, quality_loss, from_turn)
         values (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, 0, 0, ?) on conflict(id) do nothing`,
        id,
        name,
        version,
        input,
        JSON.stringify(policy),
        rank,
        plan,
        at,
        this.#rows.turn,
      );
    }
  }

  claim({ limit }: { limit: number }): void {
    const free = this.#freeSlots(limit);
    if (free.length === 0) return;
    const claimed: Claimed[] = [];
    for (let next = this.#firstWaiting(); next !== undefined && free.length > 0; next = this.#firstWaiting()) {
      if (this.#registry.find(next.name, next.version) === undefined) this.park({ id: next.id });
      else claimed.push(this.#take(next, free.shift() as number));
    }
    if (claimed.length > 0) this.#answer({ type: 'executor.claimed', claimed });
  }

  #freeSlots(limit: number): number[] {
    const used = new Set(
      this.#rows.all<{ slot: number }>(`select slot from actions where state = 'running'`).map(({ slot }) => slot),
    );
    const free: number[] = [];
    for (let slot = 0; used.size + free.length < limit; slot++) if (!used.has(slot)) free.push(slot);
    return free;
  }

  #firstWaiting(): ActionRow | undefined {
    return this.#rows.get<ActionRow>(`select * from actions where state = 'waiting' order by rank desc, seq limit 1`);
  }

  #take({ id, policy }: ActionRow, slot: number): Claimed {
    this.#rows.run(
      `update actions set state = 'running', slot = ?, started_at = ?, from_turn = ? where id = ?`,
      slot,
      this.#clock.now(),
      this.#rows.turn,
      id,
    );
    return { id, slot, policy: JSON.parse(policy) as ActionPolicy };
  }

  noteAttempt({ id, attempt }: { id: string; attempt: number }): void {
    this.#rows.run(
      `update actions set attempts = ?, retry_at = null, from_turn = ? where id = ? and state = 'running'`,
      attempt,
      this.#rows.turn,
      id,
    );
  }

  noteBackOff({ id, delayMs, error }: BackOff): void {
    this.#rows.run(
      `update actions set retry_at = ?, error = ?, from_turn = ? where id = ? and state = 'running'`,
      this.#clock.now() + delayMs,
      error === null ? null : sealed(this.#rows, JSON.stringify(error)),
      this.#rows.turn,
      id,
    );
  }

  park({ id }: { id: string }): void {
    this.#rows.run(`update actions set state = 'parked', slot = null, from_turn = ? where id = ?`, this.#rows.turn, id);
  }

  putOutcome({ id, at, result }: { id: string; at: number | null; result: ActionResult }): void {
    const settled = this.#settle(id, at ?? this.#clock.now(), result);
    if (settled !== undefined) this.#answer({ type: 'executor.settled', settled: [settled] });
  }

  #settle(id: string, at: number, result: ActionResult): Settled | undefined {
    const { kind, value, error, attempts, qualityLoss } = result;
    const changed = this.#rows.run(
      `update actions set state = 'settled', slot = null, settled_at = ?, kind = ?, value = ?, error = ?, attempts = ?,
         retry_at = null, quality_loss = ?, from_turn = ? where id = ? and state <> 'settled'`,
      at,
      kind,
      value ?? null,
      error === undefined ? null : sealed(this.#rows, JSON.stringify(error)),
      attempts,
      qualityLoss,
      this.#rows.turn,
      id,
    );
    if (changed === 0) return undefined;
    const { plan } = this.#rows.get<{ plan: string | null }>('select plan from actions where id = ?', id) ?? {
      plan: null,
    };
    return { id, kind, plan };
  }

  cancelQueued({ ids, at }: { ids: readonly string[]; at: number }): void {
    const settled: Settled[] = [];
    for (const id of ids) {
      const row = this.#rows.get<ActionRow>('select * from actions where id = ?', id);
      if (row?.state === 'running') this.#answer({ type: 'executor.found', slot: row.slot as number, at });
      if (row?.state !== 'waiting' && row?.state !== 'parked') continue;
      const one = this.#settle(id, at, { kind: 'cancelled', attempts: 0, qualityLoss: 1 });
      if (one !== undefined) settled.push(one);
    }
    if (settled.length > 0) this.#answer({ type: 'executor.settled', settled });
  }
}

/** Lets actions wait again whose handlers have come back. Gives how many. */
export function unpark(rows: Rows, registry: Registry): number {
  return registry.names.reduce(
    (count, [name, version]) =>
      count +
      rows.run(
        `update actions set state = 'waiting', from_turn = ? where state = 'parked' and name = ? and version = ?`,
        rows.turn,
        name,
        version,
      ),
    0,
  );
}
