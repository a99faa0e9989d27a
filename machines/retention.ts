/** Has outcomes removed that are old enough: it looks when the tree comes back and once an hour, and goes on while there is more. */
import { setup } from 'xstate';
import { notProvided } from './not-provided.ts';

/** How often it looks, ms. */
export const LOOK_EVERY_MS = 3_600_000;
/** How many rows a turn removes. */
export const REMOVED_A_TURN = 1_000;

export type RetentionEvent =
  | { readonly type: 'retention.look' }
  /** Whether there is more to remove. */
  | { readonly type: 'retention.pruned'; readonly more: boolean };

/** Looks, and looks again. */
export const retentionMachine = setup({
  types: {} as { events: RetentionEvent },
  delays: { lookEvery: LOOK_EVERY_MS },
  actions: {
    /** Removes at most so many rows, and answers `retention.pruned`. */
    prune: notProvided('retention', 'prune') as (_: unknown, p: { limit: number }) => void,
  },
}).createMachine({
  id: 'retention',
  version: '1',
  initial: 'resting',
  on: { 'retention.look': '.pruning' },
  states: {
    resting: { after: { lookEvery: 'pruning' } },
    pruning: {
      entry: { type: 'prune', params: { limit: REMOVED_A_TURN } },
      on: {
        'retention.pruned': [{ guard: ({ event }) => event.more, target: 'goingOn' }, { target: 'resting' }],
      },
    },
    // Other turns have their chance.
    goingOn: { after: { 0: 'pruning' } },
  },
});
