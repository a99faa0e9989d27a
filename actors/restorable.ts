/** Which checkpoints may be restored in place of the latest, when that one is damaged: the older ones, the newest first. */
import { isPerdureError } from '../errors.ts';
import type { Rows } from '../persistence/rows.ts';
import { LATEST } from './checkpoint-label.ts';
import { checkpointTurn } from './checkpoint-ledger.ts';

const TRIED = 100;

/** The turns that are meant, in the order in which they are tried: one, unless it is the latest. Throws CHECKPOINT_UNKNOWN. */
export function restorableTurns(rows: Pick<Rows, 'get' | 'all'>, id: string): readonly [number, ...number[]] {
  const turn = checkpointTurn(rows, id);
  if (id !== LATEST) return [turn];
  const older = rows.all<{ turn: number }>(
    `select turn from checkpoints where turn < ? order by turn desc limit ${TRIED}`,
    turn,
  );
  return [turn, ...older.map((row) => row.turn)];
}

/** Restores the first that is whole; `skipped` is told of each that is not. Throws CHECKPOINT_DAMAGED of the newest, when none is, and whatever else it is refused for. */
export async function firstWhole<T>(
  turns: readonly [number, ...number[]],
  restore: (turn: number) => Promise<T>,
  skipped: (error: unknown) => void = () => {},
): Promise<T> {
  let damage: unknown;
  for (const turn of turns) {
    try {
      return await restore(turn);
    } catch (error) {
      if (!isPerdureError(error, 'CHECKPOINT_DAMAGED')) throw error;
      damage ??= error;
      if (turn !== turns.at(-1)) skipped(error);
    }
  }
  throw damage;
}
