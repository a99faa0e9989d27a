/** An approval in words, for whoever has to decide about it. */
import { isAbsolute, relative } from 'node:path';
import type { Approval } from '../actors/approval-ledger.ts';
import { shownDuration } from './duration.ts';

/** How risky it is, and what that is made of, the strongest first: `ask 0.10 (impact -1.5, reversibility -0.7)`. */
export function riskText({ risk, reason }: Pick<Approval, 'risk' | 'reason'>): string {
  if (reason === 'quality') return `only a quality of ${risk.score.toFixed(2)} can be had, less than its floor`;
  const factors = Object.entries(risk.factors)
    .toSorted(([, a], [, b]) => Math.abs(b) - Math.abs(a))
    .map(([name, offset]) => `${name} ${offset > 0 ? '+' : ''}${offset.toFixed(1)}`);
  return `goes well with ${risk.score.toFixed(2)}${factors.length === 0 ? '' : ` (${factors.join(', ')})`}`;
}

/** What happens when nobody answers: `approved in 3m 07s`. */
export function silenceText(
  { onSilence, expiresAt }: Pick<Approval, 'onSilence' | 'expiresAt'>,
  now = Date.now(),
): string {
  if (onSilence === 'wait' || expiresAt === null) return 'waits until somebody answers';
  const what = onSilence === 'approve' ? 'approved' : 'denied';
  return expiresAt <= now ? `${what} as soon as the run goes on` : `${what} in ${shownDuration(expiresAt - now)}`;
}

/** The command line that decides, to be typed in another terminal of the same folder. */
export function decisionCommand(decision: 'approve' | 'deny', action: string, store: string): string {
  const near = relative(process.cwd(), store);
  const path = near === '' || near.startsWith('..') || isAbsolute(near) ? store : near;
  return `perdure ${decision} ${quoted(action)} --store ${quoted(path)}`;
}

/** As a shell takes it for one word. */
function quoted(word: string): string {
  return /^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
