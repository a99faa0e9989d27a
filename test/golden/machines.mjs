/** The machines of the golden databases. They may gain, but what a stored database holds must stay valid for ever. */
import { assign, fromPromise, raise, sendTo, setup } from 'xstate';

const item = setup({}).createMachine({
  id: 'item',
  version: '1',
  context: (/** @type {{ input: any }} */ { input }) => ({ name: input.name, parent: input.parent, picked: 0 }),
  initial: 'listed',
  states: {
    listed: {
      on: { pick: { target: 'picked', actions: assign({ picked: ({ context }) => context.picked + 1 }) } },
      after: { 3_600_000: 'expired' },
    },
    picked: { type: 'final' },
    expired: {},
  },
});

/**
 * An order with children, references, values beyond JSON, a history state, a timer and an effect that never ends.
 * @type {import('xstate').AnyStateMachine}
 */
export const orderMachine = setup({
  actors: { item, wait: fromPromise(() => new Promise(() => {})) },
}).createMachine({
  id: 'order',
  version: '1',
  type: 'parallel',
  context: {
    items: new Map(),
    seen: new Set(),
    placedAt: undefined,
    total: 0n,
    note: new Error('none yet'),
    reminded: 0,
  },
  on: {
    add: {
      actions: assign({
        items: ({ context, event, spawn, self }) =>
          new Map(context.items).set(
            event.name,
            spawn('item', {
              id: event.name,
              systemId: `item-${event.name}`,
              input: { name: event.name, parent: self },
            }),
          ),
        seen: ({ context, event }) => new Set(context.seen).add(event.name),
        total: ({ context, event }) => context.total + BigInt(event.cents),
        placedAt: ({ event }) => new Date(event.at),
      }),
    },
    // To nobody would be to itself, for ever.
    pick: {
      guard: ({ context, event }) => context.items.has(event.name),
      actions: sendTo(({ context, event }) => context.items.get(event.name), { type: 'pick' }),
    },
    remindLater: { actions: raise({ type: 'reminded' }, { delay: ({ event }) => event.delay, id: 'reminder' }) },
    reminded: { actions: assign({ reminded: ({ context }) => context.reminded + 1 }) },
  },
  states: {
    payment: {
      initial: 'open',
      states: { open: { on: { pay: 'paying' } }, paying: { invoke: { id: 'wait', src: 'wait' } } },
    },
    parcel: {
      initial: 'inside',
      states: {
        inside: {
          initial: 'shelf',
          on: { leave: 'outside' },
          states: { shelf: { on: { pack: 'box' } }, box: {}, past: { type: 'history' } },
        },
        outside: { on: { enter: 'inside.past' } },
      },
    },
  },
});
