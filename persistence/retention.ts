/**
 * How long the last owner of a store kept what. Who opens a store to do one thing in it, as the command line does, was not told,
 * and what is forgotten by limits that the host never gave does not come back.
 */
import type { CheckpointLimits } from './checkpoints.ts';
import type { Statements } from './rows.ts';
import { KEEPS_ALL, type RetentionLimits } from './versions.ts';

/** What {@link StoreOptions} say of it. */
export interface Retention {
  /** Undefined where no history is kept. */
  readonly history: RetentionLimits | undefined;
  readonly checkpoints: CheckpointLimits | undefined;
  readonly dedupeForMs: number | undefined;
}

/** What it is called in `meta`, as JSON, in which a limit that is infinite is null. */
const NAME = 'retention';

/** Remembers it, where it is not what was remembered. */
export function rememberRetention(statements: Statements, retention: Retention): void {
  const text = JSON.stringify(retention);
  if (text === stored(statements)) return;
  const put = 'insert into meta values (?, ?) on conflict(key) do update set value = excluded.value';
  statements.of(put).run(NAME, text);
}

/** What was remembered; of a store that an earlier version used nothing is known, so nothing of it is forgotten. */
export function lastRetention(statements: Statements): Retention {
  const text = stored(statements);
  if (text !== undefined) return JSON.parse(text, (_, value: unknown) => value ?? Infinity) as Retention;
  const { turn } = statements.of('select turn from kept').get() as { turn: number };
  return {
    history: turn === KEEPS_ALL ? { maxAgeMs: Infinity, maxTurns: Infinity, maxBytes: Infinity } : undefined,
    checkpoints: { allMs: Infinity, hourlyMs: Infinity, dailyMs: Infinity, keepAtMost: Number.MAX_SAFE_INTEGER },
    dedupeForMs: Infinity,
  };
}

function stored(statements: Statements): string | undefined {
  const row = statements.of('select value from meta where key = ?').get(NAME) as { value: string } | undefined;
  return row?.value;
}
