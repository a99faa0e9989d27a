/** What a start found in the store, in words. */
import type { Resumption } from '../persistence/durable.ts';

/** Null effects and timers are said, too: that nothing was due is news after a crash. */
export function resumptionText({ turn, actors, timersDue, effects, ms }: Resumption): string {
  const many = (n: number, one: string) => `${n} ${one}${n === 1 ? '' : 's'}`;
  const found = [many(actors, 'actor'), `${many(timersDue, 'timer')} due`, `${many(effects, 'effect')} to run again`];
  return `found turn ${turn}: ${found.join(', ')}, in ${Math.round(ms)} ms`;
}
