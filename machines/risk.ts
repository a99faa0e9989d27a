/** What is said of an action beforehand, so that the gate can weigh it. Plain data, stored with the action. */
import type { OnSilence } from './approvals.ts';
import type { Impact } from './gate.ts';

export interface Risk {
  /** How bad it is when it goes wrong. */
  readonly impact: Impact;
  /** Whether it can be taken back; null when nothing was said. */
  readonly reversible: boolean | null;
  /** How clear it is what is wanted, from 0 to 1; null when nothing was said. */
  readonly clarity: number | null;
  /** Given by whoever submits it, from 0 to 1: replaces the score. */
  readonly confidence: number | null;
  /** What it will do, in words. */
  readonly summary: string;
  /** Whether the summary is sealed: it may be made from the input. */
  readonly isSealed?: true;
  /** Whose history counts. Default: the action's name. */
  readonly subject?: string;
  readonly silence: OnSilence;
  /** When silence is an answer, ms after the question; null for never. */
  readonly silenceMs: number | null;
}

/** Whether a checkpoint is taken before it begins. */
export function isRisky({ impact }: Pick<Risk, 'impact'>): boolean {
  return impact === 'high' || impact === 'critical';
}
