/**
 * The keys of actions, by which the other side tells a repeat of an effect from another one.
 *
 *   <store>/<tree>/<generation>/<id>               the work: the same for all attempts and over crashes
 *   <store>/<tree>/<generation>/<id>@undo          what undoes it, and @undo:<name>:<turn>:<n> a noted step of that
 *   <store>/<tree>/<generation>/<id>@fallback      what stands in for it; @fallback-<name> if it has a name
 *
 * K1. Nothing else in any store has the key, nor had: a fork, a copy, and a tree that went back to a checkpoint have a
 *     generation of their own. An action that is queued again after it failed keeps its keys, as it keeps its id.
 * K2. It is one word of ASCII, whatever the id is, and `@` stands nowhere else in it.
 */
import type { EffectIdentity } from '../persistence/effects.ts';
import { actionWord, FIRST_GENERATION, type StandIn } from './step-files.ts';

/** The key of the work of an action, for which this effect runs. In a tree that is not durable there is only its id. */
export function actionKey(identity: EffectIdentity | undefined, id: string): string {
  if (identity === undefined) return actionWord(id);
  const { key } = identity;
  return `${actionWord(key.slice(0, key.lastIndexOf('/')))}/${actionWord(id)}`;
}

/** The key of the work of the action whose key, or that of what belongs to it, this is. */
export function workKey(key: string): string {
  return key.split('@', 1)[0] as string;
}

/** The key of what stands in for an action, or undoes it. */
export function standInKey(key: string, standIn: StandIn): string {
  return `${key}@${actionWord(standIn)}`;
}

/** The key of one step that is undone, by where it was noted: the number of a row that was deleted is given again. */
export function undoStepKey(undoKey: string, name: string, turn: number, seq: number): string {
  return `${undoKey}:${actionWord(name)}:${turn}:${seq}`;
}

/** What the keys of all actions of the generation begin with. */
export function keyScope({ id, key }: KeyOfAction): string {
  const work = workKey(key);
  return work.slice(0, work.length - actionWord(id).length);
}

/** The generation of the tree that the key is of. */
export function generationOf(of: KeyOfAction): number {
  return Number(keyScope(of).split('/').at(-2) ?? FIRST_GENERATION);
}

export interface KeyOfAction {
  readonly id: string;
  readonly key: string;
}
