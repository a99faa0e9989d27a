/**
 * The process that is killed while it holds secrets in every place that is stored: input, context, a child, an event of the
 * machine's own, a result, an error, a delayed event. In its next life it says what came back.
 */
import { assign, fromPromise, raise, setup } from 'xstate';
import { createDurableActor } from '../../persistence/create.ts';
import { encryption, plain } from '../../persistence/sealing.ts';

const env = process.env as Record<string, string>;
const canary = env['CANARY'] as string;
const key = env['KEY'];

const child = setup({ types: {} as { context: { token: string }; input: { token: string } } }).createMachine({
  id: 'child',
  context: ({ input }) => input,
});

interface Held {
  input: string;
  event?: string;
  result?: string;
  error?: unknown;
}

const machine = setup({
  types: {} as {
    context: Held;
    input: { token: string };
    events: { type: 'hold'; token: string } | { type: 'late'; token: string };
  },
  actors: {
    child,
    succeed: fromPromise<string, string>(async ({ input }) => `result ${input}`),
    fail: fromPromise<string, string>(async ({ input }) => {
      throw new Error(`error ${input}`);
    }),
  },
}).createMachine({
  id: 'holder',
  context: ({ input }) => ({ input: input.token }),
  invoke: [
    { id: 'child', src: 'child', input: ({ context }) => ({ token: context.input }) },
    {
      id: 'succeed',
      src: 'succeed',
      input: ({ context }) => context.input,
      onDone: { actions: assign({ result: ({ event }) => event.output }) },
    },
    {
      id: 'fail',
      src: 'fail',
      input: ({ context }) => context.input,
      onError: { actions: assign({ error: ({ event }) => event.error }) },
    },
  ],
  on: {
    hold: {
      actions: [
        assign({ event: ({ event }) => event.token }),
        raise(({ event }) => ({ type: 'late' as const, token: event.token }), { delay: 1_000_000, id: 'late' }),
      ],
    },
  },
});

const durable = await createDurableActor(machine, {
  store: `${env['FOLDER']}/work.db`,
  input: { token: canary },
  sealing: key === undefined ? plain : encryption({ key: () => key, current: 'test' }),
});
if (durable.resumed !== undefined) {
  const { input, event, result, error } = durable.getSnapshot().context;
  process.stdout.write(JSON.stringify({ input, event, result, error: (error as Error).message }));
  await durable.close();
} else {
  await durable.send({ type: 'hold', token: canary });
  await durable.waitFor(({ context }) => context.result !== undefined && context.error !== undefined);
  process.kill(process.pid, 'SIGKILL');
}
