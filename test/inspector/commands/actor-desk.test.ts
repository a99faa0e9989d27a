import { afterEach, describe, expect, test } from 'vitest';
import { assign, createActor, setup, type AnyActorRef } from 'xstate';
import { deskOfActor } from '../../../inspector/commands/actor-desk.ts';
import { serveInspector, type InspectorServer } from '../../../inspector/server/server.ts';
import { redaction } from '../../../persistence/redaction.ts';

const lamp = setup({ types: { context: {} as { turns: number } } }).createMachine({
  id: 'lamp',
  context: { turns: 0 },
  initial: 'off',
  states: {
    off: { on: { TURN: { target: 'on', actions: assign({ turns: ({ context }) => context.turns + 1 }) } } },
    on: { on: { TURN: 'off', BREAK: 'broken' } },
    broken: { type: 'final' },
  },
});
const house = setup({ actors: { lamp } }).createMachine({
  id: 'house',
  initial: 'lit',
  invoke: { id: 'hall', src: 'lamp', systemId: 'the hall' },
  states: { lit: {} },
});

function start() {
  const actor = createActor(house, { id: 'house' }).start();
  const desk = deskOfActor(actor, 'house', redaction());
  const hall = actor.getSnapshot().children['hall'] as AnyActorRef;
  let next = 0;
  const send = (params: object, { id = `c${(next += 1)}`, command = 'send' } = {}) =>
    desk.give({ id, command, params: { ...params }, by: 'page' });
  return { desk, send, state: () => (hall.getSnapshot() as { value: unknown }).value };
}

describe('the desk of an actor that is not durable', () => {
  test('sends an event to an actor by its id, its path or its systemId, and says that nothing is kept', async () => {
    const { send, state } = start();
    const answers = [];
    for (const actor of ['house/hall', 'hall', 'the hall'])
      answers.push(await send({ actor, event: { type: 'TURN' } }));
    expect(state()).toBe('on');
    expect(answers.map((answer) => answer.state)).toEqual(['applied', 'applied', 'applied']);
    expect(answers[0]?.message).toBe(
      'send TURN to house/hall: delivered; nothing of it is kept, as the actor is not durable',
    );
  });

  test('tells an actor whose name has a slash from one that is inside another', async () => {
    const flat = setup({ actors: { house } }).createMachine({ invoke: { id: 'hall', src: 'house' } });
    const street = setup({ actors: { flat, lamp } }).createMachine({
      invoke: [
        { id: 'no', src: 'flat' },
        { id: 'no/hall', src: 'lamp' },
      ],
    });
    const actor = createActor(street).start();
    const desk = deskOfActor(actor, 'street', redaction());
    const params = { actor: 'street/no%2Fhall', event: 'TURN' };
    expect(await desk.give({ id: 'c', command: 'send', params, by: 'page' })).toMatchObject({ state: 'applied' });
    expect(actor.getSnapshot().children['no/hall']?.getSnapshot()).toMatchObject({ value: 'on' });
  });

  test('delivers a command once, however often it is given, and refuses another one of its id', async () => {
    const { send, state, desk } = start();
    const params = { actor: 'hall', event: 'TURN' };
    const first = await send(params, { id: 'same' });
    expect(await send(params, { id: 'same' })).toEqual(first);
    expect(state()).toBe('on');
    expect(await send({ ...params, event: 'BREAK' }, { id: 'same' })).toMatchObject({ code: 'COMMAND_CONFLICT' });
    expect(desk.audit(10)).toHaveLength(1);
  });

  test('refuses with a code an actor that is not there or has ended, and what only a supervisor does', async () => {
    const { send } = start();
    expect(await send({ actor: 'house/hal', event: 'TURN' })).toMatchObject({
      state: 'refused',
      code: 'ACTOR_NOT_FOUND',
      message: 'There is no actor "house/hal" in "house". Did you mean "house/hall"?',
    });
    expect(await send({}, { command: 'pause' })).toMatchObject({ state: 'refused', code: 'OPTIONS_INVALID' });
    expect(await send({ event: {} })).toMatchObject({ state: 'refused', code: 'OPTIONS_INVALID' });
    await send({ actor: 'hall', event: 'TURN' });
    await send({ actor: 'hall', event: 'BREAK' });
    expect(await send({ actor: 'hall', event: 'TURN' })).toMatchObject({ state: 'refused', code: 'ACTOR_STOPPED' });
  });

  test('tells what was given, the newest first, without secrets, and remembers so many and no more', async () => {
    const { send, desk } = start();
    await send({ actor: 'hall', event: { type: 'TURN', password: 'hunter2' } });
    expect(desk.audit(1)).toMatchObject([{ by: 'page', command: 'send', tree: 'house', actor: 'hall' }]);
    expect(JSON.stringify(desk.audit(1))).not.toContain('hunter2');
    for (let at = 0; at < 1_005; at += 1) await send({ event: 'NOTHING' }, { id: `many-${at}` });
    expect(desk.audit(5_000)).toHaveLength(1_000);
    expect(desk.audit(2, 'many-1004').map(({ id }) => id)).toEqual(['many-1003', 'many-1002']);
    // Nothing is older than what was forgotten, or whoever goes through the pages would begin again.
    expect(desk.audit(2, 'many-0')).toEqual([]);
  });
});

describe('an inspector of an actor that is not durable', () => {
  let server: InspectorServer | undefined;
  afterEach(() => server?.close());

  test.each([true, false])('with commands: %s takes events only when it was asked to', async (commands) => {
    const actor = createActor(lamp, { id: 'lamp' }).start();
    server = await serveInspector(actor, { port: 0, token: 'a-token-that-is-long-enough', commands });
    const { origin } = new URL(server.url);
    const headers = {
      authorization: 'Bearer a-token-that-is-long-enough',
      'content-type': 'application/json',
      origin,
    };
    const hello = (await (await fetch(`${origin}/v1/hello`, { headers })).json()) as {
      capabilities: { commands: boolean };
    };
    expect(hello.capabilities.commands).toBe(commands);
    const request = { type: 'command', id: 'one', command: 'send', params: { event: { type: 'TURN' } } };
    const answer = await fetch(`${origin}/v1/commands`, { method: 'POST', headers, body: JSON.stringify(request) });
    expect(await answer.json()).toMatchObject({ state: commands ? 'applied' : 'refused' });
    expect(actor.getSnapshot().value).toBe(commands ? 'on' : 'off');
  });
});
