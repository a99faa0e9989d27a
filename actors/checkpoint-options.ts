/** How often checkpoints are taken, as a host says it. */
import { PerdureError } from '../errors.ts';
import type { CheckpointInput, IntervalBounds } from '../machines/checkpoint-state.ts';
import { isObject, shown, unknownKey } from '../machines/option-keys.ts';
import { checkObject, refuse } from './action-options.ts';

/** The option `checkpoint` of a supervisor. */
export interface CheckpointSettings {
  /** A turn is named every so many settled actions. Default: 10. */
  readonly everyActions?: number;
  /**
   * And so many ms after a change that no checkpoint holds: always the same, or within bounds as it pays, from what a checkpoint
   * costs and how often the process crashes. Default: from 10,000 to 300,000.
   */
  readonly everyMs?: number | Partial<IntervalBounds>;
}

const BOUNDS: IntervalBounds = { min: 10_000, max: 300_000 };
const EVERY_ACTIONS = 10;
/** Node's timers know no more. */
const LONGEST_MS = 2 ** 31 - 1;

/** With the defaults filled in. Throws OPTIONS_INVALID. */
export function checkpointSettings(options: CheckpointSettings = {}): CheckpointInput {
  checkObject('checkpoint', options);
  refuse('checkpoint', unknownKey(options, ['everyActions', 'everyMs']), {});
  const { everyActions = EVERY_ACTIONS, everyMs = BOUNDS } = options;
  if (!Number.isSafeInteger(everyActions) || everyActions < 1)
    throw invalid('everyActions', 'a whole number from 1', everyActions);
  if (!isObject(everyMs)) return { everyActions, everyMs: checkedMs('everyMs', everyMs) };
  refuse('checkpoint.everyMs', unknownKey(everyMs, ['min', 'max']), {});
  const min = checkedMs('everyMs.min', everyMs.min ?? Math.min(BOUNDS.min, everyMs.max ?? BOUNDS.max));
  const max = checkedMs('everyMs.max', everyMs.max ?? Math.max(BOUNDS.max, min));
  if (min > max) throw invalid('everyMs', 'from a min to a max that is not less', `${min} to ${max}`);
  return { everyActions, everyMs: { min, max } };
}

function checkedMs(name: string, ms: unknown): number {
  if (typeof ms === 'number' && ms >= 1 && ms <= LONGEST_MS) return Math.round(ms);
  throw invalid(name, `ms, from 1 to ${LONGEST_MS}`, ms);
}

function invalid(name: string, expected: string, got: unknown): PerdureError {
  return new PerdureError('OPTIONS_INVALID', `checkpoint.${name} must be ${expected}, got ${shown(got)}.`, {
    facts: { option: `checkpoint.${name}` },
  });
}
