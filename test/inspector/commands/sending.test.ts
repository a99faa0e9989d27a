/** What may be sent to the actors of a supervisor, in the process and from beside, and what only a command does. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { assign, setup, type AnyActorRef } from 'xstate';
import { defineAction } from '../../../actors/actions.ts';
import { spawnSupervisor } from '../../../actors/spawn.ts';
import { deskBeside, deskOf, type CommandDesk } from '../../../inspector/commands/commands.ts';
import { liveSource } from '../../../inspector/sources/live-source.ts';
import { storeSource } from '../../../inspector/sources/store-source.ts';
import { operatorEvents } from '../../../machines/operator-events.ts';
import { postCommand } from '../../../persistence/commands.ts';
import { createDurableActor } from '../../../persistence/create.ts';
import type { AnyEventObject } from '../../../persistence/xstate-port.ts';
import { machineName, type Logic } from '../../../persistence/xstate-port.ts';
import { tempStore } from '../../support/temp.ts';
import { until } from '../../support/turns.ts';

const actions = {
  work: defineAction({ run: (n: unknown) => n, component: 'mail' }),
  deploy: defineAction({ run: () => 'done', impact: 'critical' }),
  long: defineAction({
    run: (_: unknown, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
  }),
};

type Started = Awaited<ReturnType<typeof start>>;

async function start(store = tempStore(), known: Partial<typeof actions> = actions) {
  const supervisor = await spawnSupervisor({ store, actions: known as typeof actions, resources: false });
  onTestFinished(() => supervisor.close({ graceMs: 0 }));
  return supervisor;
}

let made = 0;
function send(desk: CommandDesk, actor: string, event: unknown, tree?: string) {
  const params = { event, ...(actor === '' ? {} : { actor }), ...(tree === undefined ? {} : { tree }) };
  return desk.give({ id: `s${(made += 1)}`, command: 'send', params, by: 'page' });
}

/** Every actor by its path. */
function within(ref: AnyActorRef, path = ''): [string, AnyActorRef][] {
  const { children = {} } = ref.getSnapshot() as { children?: Record<string, AnyActorRef> };
  const inner = Object.entries(children).flatMap(([id, child]) => within(child, path === '' ? id : `${path}/${id}`));
  return [[path, ref], ...inner];
}

const logicOf = (ref: AnyActorRef) => (ref as unknown as { logic: Logic & { events?: readonly string[] } }).logic;

const desks = [
  ['in the process', (supervisor: Started) => deskOf(supervisor)],
  ['from beside', (supervisor: Started) => deskBeside(supervisor.durable.store.path)],
] as const;

describe.each(desks)('to an actor of a supervisor, %s,', (_, deskFor) => {
  test('no event is sent but an operator’s, whatever is in it, and it goes on', async () => {
    const supervisor = await start();
    const desk = deskFor(supervisor);
    await supervisor.submit('long', null, { id: 'runs' });
    const { store, actor } = supervisor.durable;
    await until(() => within(actor).some(([path]) => path.startsWith('executor/')));
    const all = within(actor);
    expect(all.length).toBeGreaterThan(12);
    for (const [path, ref] of all) {
      const allowed = operatorEvents(machineName(logicOf(ref)));
      const own = logicOf(ref).events ?? [];
      for (const type of new Set([...own, 'supervisor.cancel', 'anything'])) {
        if (allowed.includes(type) || type.startsWith('xstate.')) continue;
        expect([path, type, await send(desk, path, { type })]).toMatchObject([path, type, { code: 'EVENT_INTERNAL' }]);
      }
    }
    store.flush();
    expect(store.rows.get('select count(*) as n from commands where answered_at is null')).toEqual({ n: 0 });
    expect(await supervisor.execute('work', 1)).toMatchObject({ kind: 'ok' });
  });

  test('nobody is made to have approved what he has not', async () => {
    const supervisor = await start();
    const desk = deskFor(supervisor);
    await supervisor.submit('deploy', undefined as never, { id: 'deploy' });
    await until(() => supervisor.approvals().length === 1);
    const [asked] = supervisor.approvals();
    const verdict = { id: asked?.id, decision: 'approve', by: 'ceo', note: 'go', at: 0 };
    expect(await send(desk, '', { type: 'supervisor.decide', ...verdict })).toMatchObject({
      state: 'refused',
      message:
        'The actor "main" is Perdure\'s own and takes from outside only supervisor.pause, supervisor.resume: ' +
        'give the command "approve" or "deny".',
    });
    expect(await send(desk, 'approvals', { type: 'approvals.decide', ...verdict })).toMatchObject({
      code: 'EVENT_INTERNAL',
      message: expect.stringContaining('takes no event from outside: give the command "approve" or "deny".'),
    });
    expect(supervisor.approvals()).toHaveLength(1);
  });

  test('what an operator sends does what the function does, at the time when it is sent', async () => {
    const [sent, called] = [await start(), await start()];
    const desk = deskFor(sent);
    const told = [sent, called].map((supervisor) => {
      const events: unknown[] = [];
      supervisor.durable.on('*', ({ at, ...event }: AnyEventObject) => events.push([event, typeof at]));
      return events;
    });
    for (const command of ['bypass', 'bypass', 'restore', 'restore', 'reset', 'bypass', 'reset'] as const) {
      expect(await send(desk, 'component mail', { type: `component.${command}`, at: 'now' })).toMatchObject({
        state: 'applied',
      });
      await called.component('mail', command);
      expect(valuesOf(sent)).toEqual(valuesOf(called));
    }
    for (const command of ['pause', 'resume'] as const) {
      expect(await send(desk, '', `supervisor.${command}`)).toMatchObject({ state: 'applied' });
      await called[command]();
      expect(valuesOf(sent)).toEqual(valuesOf(called));
    }
    expect(told[0]?.length).toBeGreaterThan(5);
    expect(told[0]).toEqual(told[1]);
  });
});

test('what was left to a supervisor while nobody owned it is done with the components of its next life', async () => {
  const store = tempStore();
  await (await start(store, { deploy: actions.deploy })).close();
  const event = { type: 'supervisor.component', component: 'mail', command: 'bypass', at: 1 };
  postCommand(store, { id: 'left', actor: '', event }, 1);
  const next = await start(store);
  await until(() => next.durable.store.commands.read('left')?.answer != null);
  expect(next.durable.actor.system.get('component mail')?.getSnapshot()).toMatchObject({ value: 'bypassed' });
});

test.each(['supervisor.cancel', 'supervisor.checkpoint', 'executor.settled'])(
  'a supervisor to which somebody left a %s without anything in it refuses that, and starts, each time',
  async (type) => {
    const store = tempStore();
    const first = await start(store);
    await first.execute('work', 1, { id: 'before' });
    await first.close();
    postCommand(store, { id: 'left', actor: '', event: { type } }, 1);
    const second = await start(store);
    const { commands } = second.durable.store;
    await until(() => commands.read('left')?.answer != null);
    expect(commands.read('left')?.answer).toMatch(/^refused: .*\[TURN_REFUSED\]$/s);
    expect(await second.execute('work', 1, { id: 'after' })).toMatchObject({ kind: 'ok' });
    await second.close();
    const third = await start(store);
    expect(await third.execute('work', 1)).toMatchObject({ kind: 'ok' });
  },
);

function valuesOf({ durable }: Started): unknown {
  const paths = new Set(['', 'executor', 'checkpoint', 'degradation', 'degradation/component mail']);
  return within(durable.actor)
    .filter(([path]) => paths.has(path))
    .map(([path, ref]) => [path, (ref.getSnapshot() as { value?: unknown }).value]);
}

test('an actor of a supervisor says that it takes only what may be sent', async () => {
  const supervisor = await start();
  await supervisor.execute('work', 1);
  const live = liveSource(supervisor);
  const stored = storeSource(supervisor.durable.store.path);
  onTestFinished(async () => {
    await live.close();
    await stored.close();
  });
  for (const source of [live, stored]) {
    const takes = (id: string) => {
      const { accepts, isInternal } = source.actor(id) ?? {};
      return [isInternal, accepts?.map(({ type }) => type).toSorted()];
    };
    expect(takes('main')).toEqual([true, ['supervisor.pause']]);
    expect(takes('main/executor')).toEqual([true, []]);
    expect(takes('main/degradation/component mail')).toEqual([
      true,
      ['component.bypass', 'component.reset', 'component.restore'],
    ]);
  }
});

test('a machine of a host takes any event, whatever its name, also in the store of a supervisor', async () => {
  const machine = setup({ types: {} as { context: { n: number } } }).createMachine({
    id: 'supervisor',
    version: '2',
    context: { n: 0 },
    on: { 'supervisor.cancel': { actions: assign({ n: ({ context }) => context.n + 1 }) } },
  });
  const alone = await createDurableActor(machine, { store: tempStore() });
  const supervisor = await start();
  const beside = await createDurableActor(machine, { store: supervisor.durable.store, id: 'other' });
  onTestFinished(() => Promise.all([alone.close(), beside.close()]).then(() => {}));
  for (const [durable, desk, tree] of [
    [alone, deskOf(alone), 'main'],
    [beside, deskOf(supervisor), 'other'],
  ] as const) {
    expect(await send(desk, '', 'supervisor.cancel', tree)).toMatchObject({ state: 'applied' });
    expect(durable.getSnapshot().context.n).toBe(1);
    const { store } = durable;
    const source = storeSource(store.path, { machines: [machine] });
    expect(source.actor(tree)).toMatchObject({ accepts: [{ type: 'supervisor.cancel' }] });
    expect(source.actor(tree)).not.toHaveProperty('isInternal');
    await source.close();
  }
});
