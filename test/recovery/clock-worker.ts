/**
 * A process whose clock is bent from outside. It sets the alarms that it is told on its standard input, and says which
 * rang, by committed turns only: how often, and when by the wall clock and by one that never jumps.
 */
import { createInterface } from 'node:readline';
import { assign, raise, setup } from 'xstate';
import { createDurableActor } from '../../persistence/create.ts';

interface Ring {
  readonly times: number;
  readonly wall: number;
  readonly monotonic: number;
}

type AlarmEvent =
  | { readonly type: 'alarm.set'; readonly name: string; readonly delayMs: number }
  | { readonly type: 'alarm.rang'; readonly name: string };

const alarms = setup({
  types: {} as { context: { rings: Readonly<Record<string, Ring>> }; events: AlarmEvent },
}).createMachine({
  id: 'alarms',
  context: { rings: {} },
  on: {
    'alarm.set': {
      actions: raise(({ event }) => ({ type: 'alarm.rang', name: event.name }), {
        delay: ({ event }) => event.delayMs,
      }),
    },
    'alarm.rang': {
      actions: assign({
        rings: ({ context, event }) => ({ ...context.rings, [event.name]: ring(context.rings, event) }),
      }),
    },
  },
});

function ring(rings: Readonly<Record<string, Ring>>, { name }: { name: string }): Ring {
  return { times: (rings[name]?.times ?? 0) + 1, wall: Date.now(), monotonic: performance.now() };
}

const durable = await createDurableActor(alarms, { store: process.env['STORE'] as string });
let told: Readonly<Record<string, Ring>> = {};
const tell = ({ context }: { context: { rings: Readonly<Record<string, Ring>> } }) => {
  for (const [name, { times, wall, monotonic }] of Object.entries(context.rings)) {
    if (told[name]?.times !== times) say('rang', name, String(times), String(wall), String(monotonic));
  }
  told = context.rings;
};
tell(durable.getSnapshot());
durable.subscribe(tell);
say('ready');

for await (const line of createInterface(process.stdin)) {
  const [name, delayMs] = line.split(' ') as [string, string];
  const [wall, monotonic] = [Date.now(), performance.now()];
  await durable.send({ type: 'alarm.set', name, delayMs: Number(delayMs) }, { id: name });
  say('set', name, String(wall), String(monotonic));
}

function say(...words: string[]): void {
  process.stdout.write(`${words.join(' ')}\n`);
}
