/** Why a checkpoint was made, in words and as a sign. */
import type { IconName } from '../../icons.ts';

export interface ReasonWords {
  readonly id: string;
  readonly title: string;
  readonly help: string;
  readonly icon: IconName;
}

const REASONS: readonly ReasonWords[] = [
  { id: 'request', title: 'Asked for', help: 'Somebody asked for it.', icon: 'person' },
  { id: 'risk', title: 'Before a risk', help: 'Made before an action of high impact began.', icon: 'bolt' },
  {
    id: 'restore',
    title: 'Before a restore',
    help: 'What was there before a restore: going back to it undoes that.',
    icon: 'retry',
  },
  { id: 'actions', title: 'After work', help: 'Made after so many actions had settled.', icon: 'check' },
  { id: 'interval', title: 'Regular', help: 'Made because some time had passed since the last one.', icon: 'clock' },
  { id: 'shutdown', title: 'At the end', help: 'Made when the supervisor was closed.', icon: 'stop' },
];

/** Of a reason that is not known here its own word is shown. */
export function reasonWords(reason: string): ReasonWords {
  return (
    REASONS.find(({ id }) => id === reason) ?? { id: 'other', title: reason, help: `Made for: ${reason}.`, icon: 'dot' }
  );
}

/** The reasons of these checkpoints with how many have each, in a fixed order. */
export function reasonCounts(
  checkpoints: readonly { readonly reason: string }[],
): { readonly reason: string; readonly count: number }[] {
  const counts = new Map<string, number>();
  for (const { reason } of checkpoints) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const order = (reason: string) => REASONS.findIndex(({ id }) => id === reason) >>> 0;
  return [...counts]
    .map(([reason, count]) => ({ reason, count }))
    .sort((a, b) => order(a.reason) - order(b.reason) || a.reason.localeCompare(b.reason));
}
