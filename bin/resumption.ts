/** What a start found in the store, in words. */
import type { Resumption } from '../persistence/durable.ts';

/** That nothing was due, and nothing has to run again, is news after a crash. */
export function resumptionText({ turn, actors, timersDue, effects, asked, fellBackTo, ms }: Resumption): string {
  const many = (n: number, one: string) => `${n} ${one}${n === 1 ? '' : 's'}`;
  const found = [
    many(actors, 'actor'),
    `${many(timersDue, 'timer')} due`,
    `${many(effects, 'effect')} to run again`,
    ...(asked === 0 ? [] : [`${many(asked, 'effect')} to decide about`]),
  ];
  const damaged = fellBackTo === undefined ? '' : `; what came after the checkpoint ${fellBackTo} was damaged`;
  return `found turn ${turn}: ${found.join(', ')}, in ${Math.round(ms)} ms${damaged}`;
}
