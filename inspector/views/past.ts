/**
 * Checkpoints and turns of the past: `GET /v1/views/checkpoints`, `/v1/views/compare?a=&b=&tree=`, `/v1/views/past?turn=` (the actors of a
 * kept turn), `/v1/views/past-actor?turn=&id=` (an actor in it, as an {@link ActorDetail}).
 */
import { listCheckpoints, type CheckpointInfo } from '../../actors/checkpoint-ledger.ts';
import { compareTurns, type TurnDifference } from '../../persistence/compare-turns.ts';
import type { ActorInfo } from '../protocol.ts';
import { withoutSecretTexts } from '../../persistence/shown-texts.ts';
import { registryAsOf } from '../sources/stored-actors.ts';
import type { ViewWorld } from '../sources/view-world.ts';
import { keptHistory, type KeptHistory } from './kept-turns.ts';
import { lastTurn } from './overview.ts';

export interface Checkpoints {
  /** The newest first; at most 1,000. */
  readonly checkpoints: readonly CheckpointInfo[];
  /** The turns that the history keeps; null without history. */
  readonly history: KeptHistory | null;
  readonly turn: number;
}

export interface Comparison {
  readonly a: number;
  /** Null: the present. */
  readonly b: number | null;
  /** At most 1,000. */
  readonly differences: readonly TurnDifference[];
  readonly more: boolean;
}

export interface Past {
  readonly turn: number;
  readonly actors: readonly ActorInfo[];
}

const MOST_CHECKPOINTS = 1_000;
const MOST_DIFFERENCES = 1_000;

export function checkpointsView({ rows, payloads }: ViewWorld): Checkpoints {
  const checkpoints = listCheckpoints(rows, { limit: MOST_CHECKPOINTS });
  return {
    checkpoints: checkpoints.map((one) => ({ ...one, label: one.label && payloads.shownText(one.label) })),
    history: keptHistory(rows),
    turn: lastTurn(rows),
  };
}

/** `b`: the present, when it is not given. Throws CHECKPOINT_UNKNOWN, and for a store that is encrypted KEY_UNKNOWN. */
export async function comparison(
  { statements, payloads }: Pick<ViewWorld, 'statements' | 'payloads'>,
  tree: string,
  a: number,
  b?: number,
): Promise<Comparison> {
  const found: TurnDifference[] = [];
  for await (const difference of compareTurns({ statements, payloads }, tree, a, b)) {
    if (found.length === MOST_DIFFERENCES) return { a, b: b ?? null, differences: found, more: true };
    found.push(shownDifference(payloads, difference));
  }
  return { a, b: b ?? null, differences: found, more: false };
}

function shownDifference(payloads: ViewWorld['payloads'], difference: TurnDifference): TurnDifference {
  if (difference.kind === 'table') return difference;
  const paths = difference.paths.map(({ path, before, after }) => ({
    path,
    before: withoutSecretTexts(payloads, before),
    after: withoutSecretTexts(payloads, after),
  }));
  return { ...difference, paths };
}

/** Throws CHECKPOINT_UNKNOWN. */
export function past(world: ViewWorld, turn: number): Past {
  return { turn, actors: registryAsOf(world, turn) };
}
