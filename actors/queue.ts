/**
 * The queue and the outcomes, as rows: what the executor's actions do. A row is `waiting`, `running` in a slot, `parked`
 * because no handler of its name and version is registered, or `settled` with its one outcome.
 */
import type { ActionPolicy, ActionResult } from '../machines/action.ts';
import type { Claimed, ExecutorEvent, Settled, Submission } from '../machines/executor.ts';
import type { ErrorRecord } from '../machines/outcome.ts';
import type { Clock } from '../persistence/clock.ts';
import type { Rows } from '../persistence/rows.ts';
import type { TableSpec } from '../persistence/schema.ts';
import type { Registry } from './actions.ts';

export type ActionState = 'waiting' | 'running' | 'parked' | 'settled';

/** An action's row. */
export interface ActionRow {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly input: string;
  readonly policy: string;
  readonly rank: number;
  readonly plan: string | null;
  readonly state: ActionState;
  readonly slot: number | null;
  readonly submitted_at: number;
  readonly started_at: number | null;
  readonly settled_at: number | null;
  readonly kind: Settled['kind'] | null;
  readonly value: string | null;
  readonly error: string | null;
  /** Begun so far. */
  readonly attempts: number;
  /** While it backs off: when the next attempt is due. `error` then says what the last one failed of. */
  readonly retry_at: number | null;
  readonly quality_loss: number;
}

export const QUEUE_TABLES: readonly TableSpec[] = [
  {
    name: 'actions',
    key: 'id',
    columns: [
      'seq integer primary key',
      'id text not null unique',
      'name text not null',
      'version text not null',
      'input text not null',
      'policy text not null',
      'rank real not null',
      'plan text',
      'state text not null',
      'slot integer',
      'submitted_at real not null',
      'started_at real',
      'settled_at real',
      'kind text',
      'value text',
      'error text',
      'attempts integer not null',
      'retry_at real',
      'quality_loss real not null',
    ],
    indexes: [
      `create index if not exists actions_waiting on actions(rank desc, seq) where state = 'waiting'`,
      `create index if not exists actions_running on actions(slot) where state = 'running'`,
      `create index if not exists actions_parked on actions(name, version) where state = 'parked'`,
      `create index if not exists actions_plan on actions(plan) where plan is not null`,
    ],
  },
];

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
export function queueActions({ rows, registry, clock }: QueueWorld) {
  const answer = ({ self }: Self, event: ExecutorEvent) => self.send(event);

  function putQueued(_: unknown, { submissions }: { submissions: readonly Submission[] }): void {
    for (const { id, name, version, input, policy, rank, plan, at } of submissions) {
      rows.run(
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
        rows.turn,
      );
    }
  }

  function claim(args: Self, { limit }: { limit: number }): void {
    const free = freeSlots(limit);
    if (free.length === 0) return;
    const claimed: Claimed[] = [];
    for (let next = firstWaiting(); next !== undefined && free.length > 0; next = firstWaiting()) {
      if (registry.find(next.name, next.version) === undefined) park(args, { id: next.id });
      else claimed.push(take(next, free.shift() as number));
    }
    if (claimed.length > 0) answer(args, { type: 'executor.claimed', claimed });
  }

  function freeSlots(limit: number): number[] {
    const used = new Set(
      rows.all<{ slot: number }>(`select slot from actions where state = 'running'`).map(({ slot }) => slot),
    );
    const free: number[] = [];
    for (let slot = 0; used.size + free.length < limit; slot++) if (!used.has(slot)) free.push(slot);
    return free;
  }

  function firstWaiting(): ActionRow | undefined {
    return rows.get<ActionRow>(`select * from actions where state = 'waiting' order by rank desc, seq limit 1`);
  }

  function take({ id, policy }: ActionRow, slot: number): Claimed {
    rows.run(
      `update actions set state = 'running', slot = ?, started_at = ?, from_turn = ? where id = ?`,
      slot,
      clock.now(),
      rows.turn,
      id,
    );
    return { id, slot, policy: JSON.parse(policy) as ActionPolicy };
  }

  function noteAttempt(_: unknown, { id, attempt }: { id: string; attempt: number }): void {
    rows.run(
      `update actions set attempts = ?, retry_at = null, from_turn = ? where id = ? and state = 'running'`,
      attempt,
      rows.turn,
      id,
    );
  }

  function noteBackOff(_: unknown, { id, delayMs, error }: BackOff): void {
    rows.run(
      `update actions set retry_at = ?, error = ?, from_turn = ? where id = ? and state = 'running'`,
      clock.now() + delayMs,
      error === null ? null : JSON.stringify(error),
      rows.turn,
      id,
    );
  }

  function park(_: unknown, { id }: { id: string }): void {
    rows.run(`update actions set state = 'parked', slot = null, from_turn = ? where id = ?`, rows.turn, id);
  }

  function putOutcome(args: Self, { id, at, result }: { id: string; at: number; result: ActionResult }): void {
    const settled = settle(id, at, result);
    if (settled !== undefined) answer(args, { type: 'executor.settled', settled: [settled] });
  }

  function settle(id: string, at: number, result: ActionResult): Settled | undefined {
    const { kind, value, error, attempts, qualityLoss } = result;
    const changed = rows.run(
      `update actions set state = 'settled', slot = null, settled_at = ?, kind = ?, value = ?, error = ?, attempts = ?,
         retry_at = null, quality_loss = ?, from_turn = ? where id = ? and state <> 'settled'`,

      at,
      kind,
      value ?? null,
      error === undefined ? null : JSON.stringify(error),
      attempts,
      qualityLoss,
      rows.turn,
      id,
    );
    if (changed === 0) return undefined;
    const { plan } = rows.get<{ plan: string | null }>('select plan from actions where id = ?', id) ?? { plan: null };
    return { id, kind, plan };
  }

  function cancelQueued(args: Self, { ids, at }: { ids: readonly string[]; at: number }): void {
    const settled: Settled[] = [];
    for (const id of ids) {
      const row = rows.get<ActionRow>('select * from actions where id = ?', id);
      if (row?.state === 'running') answer(args, { type: 'executor.found', slot: row.slot as number, at });
      if (row?.state !== 'waiting' && row?.state !== 'parked') continue;
      const one = settle(id, at, { kind: 'cancelled', attempts: 0, qualityLoss: 1 });
      if (one !== undefined) settled.push(one);
    }
    if (settled.length > 0) answer(args, { type: 'executor.settled', settled });
  }

  return { putQueued, claim, noteAttempt, noteBackOff, park, putOutcome, cancelQueued };
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
