/** Commands in the process and from beside, on a real store: carried out, audited, repeated, refused. */
import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { assign, setup } from 'xstate';
import { defineAction } from '../../../actors/actions.ts';
import { readAction } from '../../../actors/ledger.ts';
import { spawnSupervisor } from '../../../actors/spawn.ts';
import { epochOf } from '../../../actors/restorer.ts';
import type { Supervisor } from '../../../actors/supervisor.ts';
import { deskBeside, deskOf, knownCommands, type CommandDesk } from '../../../inspector/commands/commands.ts';
import { digestOf } from '../../../inspector/commands/digest.ts';
import type { AuditEntry, CommandAnswer } from '../../../inspector/protocol.ts';
import { storeSource } from '../../../inspector/sources/store-source.ts';
import { postCommand, readCommand } from '../../../persistence/commands.ts';
import { crash } from '../../../persistence/crash.ts';
import { createDurableActor } from '../../../persistence/create.ts';
import { encryption } from '../../../persistence/sealing.ts';
import { Store } from '../../../persistence/store.ts';
import { tempFolder, tempStore } from '../../support/temp.ts';
import { until } from '../../support/turns.ts';

const state = { isBad: false };
const actions = {
  work: defineAction({
    run: (n: unknown) => {
      if (state.isBad) throw Object.assign(new Error('bad'), { retryable: false });
      return n;
    },
  }),
  flaky: defineAction({
    run: () => {
      if (state.isBad) throw new Error('bad');
      return 'good';
    },
    retry: { attempts: 4, delayMs: 3_600_000, capMs: 3_600_000 },
  }),
  long: defineAction({
    run: (_: unknown, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
  }),
};

type Any = Supervisor<typeof actions>;

async function start(store = tempStore(), options: { concurrency?: number } = {}): Promise<Any> {
  state.isBad = false;
  const supervisor = await spawnSupervisor({ store, actions, resources: false, ...options });
  onTestFinished(() => supervisor.close({ graceMs: 0 }));
  return supervisor;
}

let made = 0;
function give(desk: CommandDesk, command: string, params: object = {}, id = `c${(made += 1)}`) {
  return desk.give({ id, command, params: params as Record<string, unknown>, by: 'page' });
}

const row = (supervisor: Any, id: string) => readAction(supervisor.durable.store.rows, id);

/** Both do the same. */
const desks = [
  ['in the process', (supervisor: Any) => deskOf(supervisor)],
  ['from beside', (supervisor: Any) => deskBeside(supervisor.durable.store.path)],
] as const;

describe.each(desks)('a command %s', (_, deskFor) => {
  test('that is refused repeats nothing of what was given', async () => {
    const desk = deskFor(await start());
    const given: [string, object][] = [
      ['cancel', { id: { password: 'hunter22' } }],
      ['cancel', { id: ['hunter22'] }],
      ['cancel', { id: `hunter22${'x'.repeat(5_000)}` }],
      ['restore', { id: '1', force: 'hunter22' }],
      ['requeue', { ids: { password: 'hunter22' } }],
      ['send', { event: { type: { password: 'hunter22' } } }],
      ['send', { event: ['hunter22'] }],
      ['send', { event: '{"type":"login","password":"hunter22"}' }],
      ['send', { event: { type: ' [{"password":"hunter22"}]' } }],
      ['send', { event: `hunter22${'x'.repeat(250)}` }],
    ];
    for (const [command, params] of given) {
      const answer = await give(desk, command, params);
      expect([answer.state, JSON.stringify(answer)]).toEqual(['refused', expect.not.stringContaining('hunter22')]);
    }
    expect(await give(desk, 'send', { event: '{"type":"login"}' })).toMatchObject({
      code: 'OPTIONS_INVALID',
      message: expect.stringMatching(/looks like JSON: give the event itself/),
    });
    expect(JSON.stringify(desk.audit(100))).not.toContain('hunter22');
  });

  test('makes forks beside the store only: none where links lead, none that a store would take for its own', async () => {
    const supervisor = await start();
    const { path } = supervisor.durable.store;
    const desk = deskFor(supervisor);
    await give(desk, 'checkpoint', { label: 'here' });
    const outside = tempFolder();
    symlinkSync(outside, join(dirname(path), 'link'));
    symlinkSync(join(outside, 'made.db'), join(dirname(path), 'dangling.db'));
    mkdirSync(join(dirname(path), 'sub'));
    const refused = [
      'link/x.db',
      'dangling.db',
      'sub/x.db',
      '.',
      '..',
      `${path}-journal`,
      'other.db-WAL',
      'x-shm',
      'x-lock',
      'a\u0000b.db',
      `${'n'.repeat(300)}.db`,
      `${'n'.repeat(300)}/x.db`,
      '.env',
      'a\nb.db',
      ' ',
      'x.db ',
      'x.',
    ];
    for (const to of refused)
      expect([to, await give(desk, 'fork', { id: 'here', to })]).toMatchObject([to, { code: 'OPTIONS_INVALID' }]);
    expect(readdirSync(outside)).toEqual([]);
    expect((await give(desk, 'fork', { id: 'here', to: '.env' })).message).toContain(
      'takes as "to" a name of at most 128 letters of English, digits, ".", "_", "-" and spaces',
    );
    expect(await give(desk, 'fork', { id: 'here', to: 'be side_2.db' })).toMatchObject({ state: 'applied' });
    const anywhere = deskBeside(path, { forksAnywhere: true });
    expect(await give(anywhere, 'fork', { id: 'here', to: 'link/x.db' })).toMatchObject({ state: 'applied' });
    for (const to of [join(outside, 'y.db-wal'), `${'n'.repeat(300)}.db`, 'a\0b.db'])
      expect([to, await give(anywhere, 'fork', { id: 'here', to })]).toMatchObject([to, { code: 'OPTIONS_INVALID' }]);
  });

  test('pauses, resumes, and says who asked, the newest first', async () => {
    const supervisor = await start();
    const desk = deskFor(supervisor);
    const paused = await give(desk, 'pause', {}, 'first');
    expect(paused).toMatchObject({ type: 'answer', id: 'first', state: 'applied', turn: expect.any(Number) });
    expect(paused.message).toBe(`pause: applied in turn ${paused.turn}`);
    expect(supervisor.durable.getSnapshot().value).toBe('paused');
    await give(desk, 'resume', {}, 'second');
    expect(supervisor.durable.getSnapshot().value).toBe('running');
    expect(desk.audit(10)).toMatchObject([
      {
        id: 'second',
        by: 'page',
        command: 'resume',
        event: { type: 'supervisor.resume' },
        answeredAt: expect.any(Number),
      },
      { id: 'first', by: 'page', command: 'pause', tree: 'main', actor: '', answer: paused.message },
    ]);
    expect(desk.audit(10, 'second').map(({ id }) => id)).toEqual(['first']);
    expect(desk.audit(1).map(({ id }) => id)).toEqual(['second']);
  });

  test('that is given again gets the answer that it got, and does nothing', async () => {
    const supervisor = await start();
    const desk = deskFor(supervisor);
    const [first, twin] = await Promise.all([give(desk, 'pause', {}, 'p'), give(desk, 'pause', {}, 'p')]);
    expect(twin).toEqual(first);
    await supervisor.resume();
    expect(await give(desk, 'pause', {}, 'p')).toEqual(first);
    expect(supervisor.durable.getSnapshot().value).toBe('running');
    expect(await give(desk, 'resume', {}, 'p')).toMatchObject({ state: 'refused', code: 'COMMAND_CONFLICT' });
    expect(desk.audit(10)).toHaveLength(1);
    const refused = await give(desk, 'cancel', { id: 'later' }, 'r');
    expect(refused).toMatchObject({ state: 'refused', code: 'ACTION_NOT_FOUND' });
    await supervisor.submit('work', 1, { id: 'later' });
    expect(await give(desk, 'cancel', { id: 'later' }, 'r')).toEqual(refused);
    expect(desk.audit(1)).toMatchObject([
      { id: 'r', command: 'cancel', answer: expect.stringMatching(/^refused: .*\[ACTION_NOT_FOUND\]$/) },
    ]);
  });

  test('that forks is noted before it begins, and given again finds what it made, whenever its process ended', async () => {
    const supervisor = await start();
    const desk = deskFor(supervisor);
    await give(desk, 'checkpoint', { label: 'here' });
    const params = { id: 'here', to: 'once.db' };
    const { signal } = new AbortController();
    let before: AuditEntry | undefined;
    Object.defineProperty(signal, 'throwIfAborted', { value: () => (before ??= desk.audit(1)[0]) });
    const made = await desk.give({ id: 'f', command: 'fork', params, by: 'page', signal });
    expect([before, made]).toMatchObject([{ id: 'f', command: 'fork', answer: 'begun' }, { state: 'applied' }]);
    const { rows, commits } = supervisor.durable.store;
    for (const lost of [`update commands set answer = 'begun' where id = 'f'`, `delete from commands where id = 'f'`]) {
      await commits.transact(() => rows.run(lost));
      expect(await give(desk, 'fork', params, 'f')).toEqual(made);
      expect(desk.audit(1)).toMatchObject([{ id: 'f', answer: made.message }]);
    }
    expect(await give(desk, 'fork', params)).toMatchObject({ code: 'FORK_EXISTS' });
    const fork = deskBeside(join(dirname(supervisor.durable.store.path), 'once.db'));
    expect(fork.audit(10).map(({ command }) => command)).toEqual(['checkpoint']);
  });

  test('with parameters that nobody could mean is refused by their name, and is not remembered', async () => {
    const desk = deskFor(await start());
    const wrong: [string, object, string][] = [
      ['cancel', {}, 'The command "cancel" needs the parameter "id", a text of 1 to 4000 characters.'],
      ['cancel', { id: 7 }, 'The command "cancel" takes as "id" a text of 1 to 4000 characters, got a number.'],
      ['cancel', { di: 'x' }, 'The command "cancel" has no parameter "di": did you mean "id"?'],
      ['pause', { now: true }, 'The command "pause" has no parameter "now": it takes none.'],
      [
        'restore',
        { id: '1', force: 'yes' },
        'The command "restore" takes as "force" true or false, got a text of 3 characters.',
      ],
      [
        'send',
        { event: { kind: 'x' } },
        'The command "send" takes as "event" an object with a `type`, such as {"type":"pay"}, got one whose type is undefined.',
      ],
      ['requeue', { ids: [] }, 'The command "requeue" takes as "ids" an id, or a list of 1 to 1000 ids, got 0.'],
    ];
    for (const [command, params, message] of wrong)
      expect(await give(desk, command, params)).toMatchObject({ state: 'refused', code: 'OPTIONS_INVALID', message });
    expect(await give(desk, 'paus')).toMatchObject({
      code: 'COMMAND_UNKNOWN',
      message: 'There is no command "paus": did you mean "pause"?',
    });
    expect(await give(desk, 'pause', {}, '')).toMatchObject({ state: 'refused', code: 'OPTIONS_INVALID' });
    expect(desk.audit(10)).toEqual([]);
  });

  test('cancels an action and a run, and says so of what has ended already', async () => {
    const supervisor = await start();
    const desk = deskFor(supervisor);
    const { outcome } = await supervisor.submit('long', 1, { id: 'a' });
    expect(await give(desk, 'cancel', { id: 'a' })).toMatchObject({ state: 'applied' });
    expect((await outcome).kind).toBe('cancelled');
    expect((await give(desk, 'cancel', { id: 'a' })).message).toMatch(/; it had ended already: cancelled$/);
    const steps = [
      { id: 'one', action: 'long' },
      { id: 'two', action: 'work', after: ['one'] },
    ];
    const run = await supervisor.plan({ id: 'p:1', steps });
    expect(await give(desk, 'cancel', { id: 'p:1/two' })).toMatchObject({
      state: 'refused',
      code: 'ACTION_CONFLICT',
      message: 'step two of p:1 waits and has no action yet: cancel the run, or wait until it starts',
    });
    expect(await give(desk, 'cancel', { id: 'p:2' })).toMatchObject({
      message: expect.stringContaining('did you mean "p:1"?') as string,
    });
    expect(await give(desk, 'cancel', { id: 'p:1' })).toMatchObject({ state: 'applied' });
    expect((await run.outcome).kind).toBe('cancelled');
  });

  test('retries a run that failed, and an action that backs off; runs what is delayed, and what is scheduled', async () => {
    const supervisor = await start();
    const desk = deskFor(supervisor);
    state.isBad = true;
    const run = await supervisor.plan({ id: 'p:1', steps: [{ id: 'one', action: 'work' }] });
    expect((await run.outcome).kind).toBe('failed');
    const backing = await supervisor.submit('flaky', undefined as never, { id: 'b' });
    await until(() => row(supervisor, 'b')?.retry_at != null);
    state.isBad = false;
    expect(await give(desk, 'retry', { id: 'b' })).toMatchObject({ state: 'applied' });
    expect((await backing.outcome).kind).toBe('recovered');
    expect(await give(desk, 'retry', { id: 'b' })).toMatchObject({ state: 'refused', code: 'ACTION_CONFLICT' });
    expect(await give(desk, 'retry', { id: 'p:1' })).toMatchObject({ state: 'applied' });
    expect((await supervisor.joinPlan('p:1').outcome).kind).toBe('ok');
    expect(await give(desk, 'retry', { id: 'p:1' })).toMatchObject({
      state: 'refused',
      message: 'The run "p:1" went well: there is nothing to be done again.',
    });
    const late = await supervisor.submit('work', 5, { id: 'late', delayMs: 3_600_000 });
    expect(await give(desk, 'run-now', { id: 'late' })).toMatchObject({ state: 'applied' });
    expect(await late.outcome).toMatchObject({ kind: 'ok', value: 5 });
    await supervisor.schedules.put({ id: 'yearly', action: 'work', input: 7, cron: '0 0 1 1 *' });
    const triggered = await give(desk, 'run-now', { id: 'yearly' });
    const action = triggered.data?.['action'] as string;
    expect(action).toMatch(/^yearly@/);
    await until(() => row(supervisor, action)?.kind === 'ok');
    expect(await give(desk, 'pause-schedule', { id: 'yearly' })).toMatchObject({ state: 'applied' });
    expect(supervisor.schedules.list()).toMatchObject([{ state: 'paused' }]);
    expect(await give(desk, 'resume-schedule', { id: 'yearl' })).toMatchObject({ code: 'SCHEDULE_NOT_FOUND' });
  });

  test('answers approvals, once', async () => {
    const supervisor = await start();
    const desk = deskFor(supervisor);
    const [yes, no] = await Promise.all(
      ['yes', 'no'].map((id) => supervisor.submit('work', id, { id, confidence: 0.1 })),
    );
    await until(() => supervisor.approvals().length === 2);
    expect((await give(desk, 'approve', { id: 'yes', note: 'seen' })).message).toMatch(
      / by page: applied in turn \d+$/,
    );
    expect(await yes?.outcome).toMatchObject({ kind: 'ok' });
    expect(await give(desk, 'deny', { id: 'no', by: 'alice' })).toMatchObject({ state: 'applied' });
    expect(await no?.outcome).toMatchObject({ kind: 'denied', error: { message: expect.stringContaining('alice') } });
    expect(await give(desk, 'approve', { id: 'no' })).toMatchObject({ state: 'refused', code: 'APPROVAL_DECIDED' });
    expect(await give(desk, 'approve', { id: 'nobody' })).toMatchObject({ code: 'APPROVAL_NOT_FOUND' });
  });

  test('is decided by whom the login of the host knows, whatever name is given', async () => {
    const supervisor = await start();
    const desk = deskFor(supervisor);
    await Promise.all(['one', 'two'].map((id) => supervisor.submit('work', id, { id, confidence: 0.1 })));
    await until(() => supervisor.approvals().length === 2);
    const deny = (id: string, params: Record<string, unknown>) =>
      desk.give({ id: `by-${id}`, command: 'deny', params: { id, ...params }, by: 'page:alice' });
    expect((await deny('one', {})).message).toMatch(/ by alice: applied in turn \d+$/);
    expect((await deny('two', { by: 'bob' })).message).toMatch(/ by bob \(asked by alice\): applied in turn \d+$/);
  });

  test('queues dead letters again, discards them, and pauses a queue', async () => {
    const supervisor = await start();
    const desk = deskFor(supervisor);
    state.isBad = true;
    for (const id of ['a', 'b', 'c']) await supervisor.execute('work', id, { id });
    state.isBad = false;
    expect(await give(desk, 'requeue', { ids: ['a', 'b'] })).toMatchObject({ state: 'applied' });
    await until(() => supervisor.stats().outcomes.ok === 2);
    expect(await give(desk, 'discard', { ids: 'c' })).toMatchObject({ state: 'applied' });
    expect(supervisor.deadLetters.list()).toEqual([]);
    expect(await give(desk, 'requeue', { ids: 'c' })).toMatchObject({ code: 'DEAD_LETTER_NOT_FOUND' });
    expect(await give(desk, 'pause-queue', { name: 'default' })).toMatchObject({ state: 'applied' });
    expect(supervisor.queues.list()).toMatchObject([{ name: 'default', isPaused: true }]);
    expect(await give(desk, 'resume-queue', { name: 'defualt' })).toMatchObject({ code: 'QUEUE_NOT_FOUND' });
  });

  test('takes a checkpoint, keeps and forgets it, goes back to it, and on from it elsewhere with another input', async () => {
    const supervisor = await start();
    const desk = deskFor(supervisor);
    const late = await supervisor.submit('work', 1, { id: 'late', delayMs: 3_600_000 });
    void late.outcome.catch(() => {});
    const taken = await give(desk, 'checkpoint', { label: 'before', pin: true });
    const id = taken.data?.['id'] as string;
    expect(supervisor.checkpoints.show('before')).toMatchObject({ id, isPinned: true });
    expect(await give(desk, 'unpin', { id })).toMatchObject({ state: 'applied' });
    expect(supervisor.checkpoints.show(id).isPinned).toBe(false);
    await give(desk, 'pin', { id: 'before' });
    const to = `${supervisor.durable.store.path}.fork.db`;
    expect(await give(desk, 'fork', { id, to, input: { late: 9 } })).toMatchObject({
      state: 'applied',
      data: { turn: Number(id), to },
    });
    expect(existsSync(to)).toBe(true);
    expect(await give(desk, 'fork', { id, to })).toMatchObject({ state: 'refused', code: 'FORK_EXISTS' });
    expect(await give(desk, 'fork', { id, to: '../elsewhere.db' })).toMatchObject({ code: 'OPTIONS_INVALID' });
    expect(existsSync(join(dirname(to), '../elsewhere.db'))).toBe(false);
    await supervisor.cancel('late');
    const restored = await give(desk, 'restore', { id }, 'back');
    expect(restored).toMatchObject({ state: 'applied', data: { turn: Number(id) } });
    expect(restored.message).toMatch(/^restored: everything is as it was in turn \d+; /);
    expect(row(supervisor, 'late')).toMatchObject({ state: 'delayed' });
    expect(await give(desk, 'restore', { id }, 'back')).toMatchObject({ state: 'applied', message: restored.message });
    expect(await give(desk, 'restore', { id: 'nowhere' })).toMatchObject({ code: 'CHECKPOINT_UNKNOWN' });
    await supervisor.submit('long', 1, { id: 'long' });
    await until(() => row(supervisor, 'long')?.state === 'running');
    expect(await give(desk, 'restore', { id })).toMatchObject({ state: 'refused', code: 'CHECKPOINT_BUSY' });
    expect(await give(desk, 'remove-checkpoint', { id })).toMatchObject({ code: 'CHECKPOINT_KEPT' });
    expect(await give(desk, 'remove-checkpoint', { id, force: true })).toMatchObject({ state: 'applied' });
    expect(desk.audit(100).map(({ command }) => command)).toEqual(
      expect.arrayContaining(['checkpoint', 'unpin', 'pin', 'fork', 'restore', 'remove-checkpoint']),
    );
    const forked = await start(to);
    expect(JSON.parse(row(forked, 'late')?.input as string)).toBe(9);
    expect(
      deskOf(forked)
        .audit(10)
        .map(({ command }) => command),
    ).not.toContain('fork');
  });
});

const door = setup({
  types: {} as { context: { n: number; from: string }; events: { type: 'open' } | { type: 'knock'; from?: string } },
  actions: { count: assign({ n: ({ context }) => context.n + 1 }) },
}).createMachine({
  id: 'door',
  context: { n: 0, from: '' },
  initial: 'closed',
  states: { closed: { on: { open: 'opened', knock: { actions: 'count' } } }, opened: {} },
});
const house = setup({
  types: {} as { context: { n: number }; events: { type: 'ring' } },
  actors: { door },
}).createMachine({
  id: 'house',
  context: { n: 0 },
  invoke: [
    { id: 'front', src: 'door', systemId: 'the-door' },
    { id: 'back', src: 'door' },
  ],
  on: { ring: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
});

describe.each(['in the process', 'from beside'])('an event that is sent %s', (where) => {
  async function world() {
    const store = tempStore();
    const durable = await createDurableActor(house, { store, id: 'home/1' });
    onTestFinished(() => durable.close());
    const desk = where === 'from beside' ? deskBeside(store) : deskOf(durable);
    const { children } = durable.getSnapshot();
    return { durable, desk, value: (id: string) => (children as never)[id] as { getSnapshot(): typeof shape } };
  }
  const shape = {} as { value: string; context: { n: number } };

  test('reaches the actor of a path, a systemId, or the id that the inspector shows, in any tree', async () => {
    const { durable, desk, value } = await world();
    const knock = { type: 'knock' };
    for (const [params, tree, actor] of [
      [{ event: { type: 'ring' }, actor: 'home/1' }, 'home/1', ''],
      [{ event: { type: 'ring' }, tree: 'home/1' }, 'home/1', ''],
      [{ event: knock, actor: 'home/1/back' }, 'home/1', 'back'],
      [{ event: knock, tree: 'home/1', actor: 'the-door' }, 'home/1', 'the-door'],
      [{ event: 'knock', tree: 'home/1', actor: 'home/1/front' }, 'home/1', 'front'],
    ] as const) {
      expect(await give(desk, 'send', params)).toMatchObject({ state: 'applied' });
      expect(desk.audit(1)).toMatchObject([{ command: 'send', tree, actor }]);
    }
    expect(durable.getSnapshot().context.n).toBe(2);
    expect([value('front').getSnapshot().context.n, value('back').getSnapshot().context.n]).toEqual([2, 1]);
  });

  test('that the machine does not take in its state is sent, and the answer says so', async () => {
    const { desk } = await world();
    const open = { tree: 'home/1', actor: 'front', event: { type: 'open' } };
    expect((await give(desk, 'send', open)).message).toMatch(/^send open to home\/1\/front: applied in turn \d+$/);
    const again = await give(desk, 'send', open, 'again');
    expect(again.message).toMatch(/; no transition: the state of the actor did not change$/);
    expect(await give(desk, 'send', open, 'again')).toEqual(again);
  });

  test('to nobody is refused with what is near', async () => {
    const { desk } = await world();
    const event = { type: 'open' };
    expect(await give(desk, 'send', { tree: 'home/1', actor: 'frnt', event })).toMatchObject({
      state: 'refused',
      code: 'ACTOR_NOT_FOUND',
      message: 'There is no actor "frnt" in the tree "home/1": did you mean "front"?',
    });
    expect(await give(desk, 'send', { tree: 'home', event })).toMatchObject({
      code: 'TREE_NOT_FOUND',
      message: 'There is no tree "home" in this store: there is home/1.',
    });
    expect(await give(desk, 'send', { tree: 'home/1', event: { type: 'xstate.stop' } })).toMatchObject({
      state: 'refused',
      code: 'EVENT_INVALID',
    });
    expect(await give(desk, 'pause')).toMatchObject({ state: 'refused', code: 'OPTIONS_INVALID' });
  });
});

test('what nobody owns waits, and is done once by the next owner; checkpoints are taken and gone back to all the same', async () => {
  const store = tempStore();
  const first = await start(store);
  const id = await first.checkpoint('before');
  await first.execute('work', 1, { id: 'a' });
  await first.close();
  // Somebody looks meanwhile.
  const source = storeSource(store);
  source.subscribe({ records: () => {}, committed: () => {} });
  onTestFinished(() => source.close());
  const desk = deskBeside(store);
  expect(await give(desk, 'checkpoint', { label: 'asleep' }, 'cp')).toMatchObject({ state: 'applied' });
  expect(await give(desk, 'checkpoint', { label: 'asleep' }, 'cp')).toMatchObject({ state: 'applied' });
  expect(await give(desk, 'restore', { id })).toMatchObject({ state: 'applied', data: { turn: Number(id) } });
  const waits = await give(desk, 'pause', {}, 'w');
  expect(waits).toMatchObject({ state: 'waiting', message: expect.stringContaining('waits for the next start') });
  expect(desk.audit(10).map(({ command, answer }) => [command, answer?.split(':')[0] ?? null])).toEqual([
    ['pause', null],
    ['restore', 'restored'],
    ['checkpoint', 'checkpoint'],
  ]);
  const second = await start(store);
  expect(row(second, 'a')).toBeUndefined();
  await until(() => second.durable.getSnapshot().value === 'paused');
  expect(await give(desk, 'pause', {}, 'w')).toMatchObject({ state: 'applied' });
});

test('a restore that the next owner refuses is answered so, and so is one that ended before its owner could say it', async () => {
  const store = tempStore();
  const first = await start(store);
  const id = await first.checkpoint('L');
  await first.execute('work', 1, { id: 'a' });
  const epoch = epochOf(first.durable.store.rows);
  crash(first.durable);
  // As a desk leaves it whose process is killed.
  const given = { id: 'R', command: 'restore', params: { id: 'L' }, by: 'page' };
  const event = { type: 'supervisor.restore', turn: Number(id), force: false, request: 'R', epoch };
  postCommand(store, { ...given, actor: '', event, digest: digestOf(given) }, Date.now());
  const second = await start(store);
  const desk = deskOf(second);
  const answers = [await desk.give(given), await desk.give(given), await deskBeside(store).give(given)];
  for (const answer of answers) expect(answer).toMatchObject({ state: 'refused', code: 'RESTORE_WITHDRAWN' });
  expect(desk.audit(1)).toMatchObject([
    { id: 'R', answer: expect.stringMatching(/^refused: .*\[RESTORE_WITHDRAWN\]$/) },
  ]);
  expect(row(second, 'a')).toBeDefined();
  const restored = await give(desk, 'restore', { id: 'L' }, 'S');
  expect(restored).toMatchObject({ state: 'applied' });
  const { rows, commits } = second.durable.store;
  const unsay = (at: string) =>
    commits.transact(() => rows.run(`update commands set answer = 'applied in turn 9', at = ${at} where id = 'S'`));
  await unsay('at');
  expect(desk.audit(1)).toMatchObject([{ id: 'S', answer: restored.message }]);
  expect(await give(desk, 'restore', { id: 'L' }, 'S')).toMatchObject({ state: 'applied', message: restored.message });
  expect(readCommand(rows, 'S')?.answer).toBe(restored.message);
  // What was restored before was not restored by this.
  await unsay('answered_at + 1000');
  expect(await give(desk, 'restore', { id: 'L' }, 'S')).toMatchObject({ state: 'waiting' });
  expect(desk.audit(1)).toMatchObject([{ id: 'S', answer: null, answeredAt: null }]);
});

test('of two commands that two processes give the same id at the same time one is refused', async () => {
  const supervisor = await start();
  const [here, beside] = [deskOf(supervisor), deskBeside(supervisor.durable.store.path)];
  for (let n = 0; n < 3; n += 1) {
    const both = await Promise.all([
      give(here, 'checkpoint', { label: `one${n}` }, `both${n}`),
      give(beside, 'checkpoint', { label: `two${n}` }, `both${n}`),
    ]);
    expect(both.map(({ code }) => code).filter((code) => code !== undefined)).toEqual(['COMMAND_CONFLICT']);
    const { message } = both.find(({ state: how }) => how === 'applied') as CommandAnswer;
    expect(here.audit(1)).toMatchObject([{ id: `both${n}`, answer: message }]);
  }
  expect(supervisor.checkpoints.list().filter(({ label }) => label !== null)).toHaveLength(3);
  const same = await Promise.all([here, beside].map((desk) => give(desk, 'checkpoint', { label: 'same' }, 'same')));
  for (const { message } of same) expect(message).toMatch(/^checkpoint: applied in turn \d+$/);
  expect(same[0]?.message).toBe(same[1]?.message);
});

test('what is asked twice leaves nothing by which one knows that it was the same', async () => {
  const supervisor = await start();
  const desk = deskOf(supervisor);
  for (const id of ['one', 'two']) await give(desk, 'pause', {}, id);
  const digests = supervisor.durable.store.rows.all<{ digest: string }>('select distinct digest from commands');
  expect(digests).toHaveLength(2);
});

test('a command for a tree that is not open waits, and is obeyed once it is', async () => {
  const store = Store.open(tempStore());
  onTestFinished(() => store.close());
  const open = (id: string) => createDurableActor(house, { store, id });
  const main = await open('main');
  await (await open('other')).close();
  const desk = deskOf(main);
  const ring = { event: 'ring', tree: 'other' };
  expect(await give(desk, 'send', ring, 'r')).toMatchObject({ state: 'waiting' });
  const other = await open('other');
  await other.waitFor(({ context }) => context.n === 1);
  expect(await give(desk, 'send', ring, 'r')).toMatchObject({ state: 'applied' });
  expect(other.getSnapshot().context.n).toBe(1);
});

test('a row that cannot be read hides no other', async () => {
  const durable = await createDurableActor(house, { store: tempStore() });
  onTestFinished(() => durable.close());
  await give(deskOf(durable), 'send', { event: 'ring' }, 'good');
  durable.store.rows.run(
    `insert into commands(id, at, actor, event, answered_at, answer) values ('bad', 0, '', '{', 1, '')`,
  );
  for (const desk of [deskOf(durable), deskBeside(durable.store.path)]) {
    durable.store.flush();
    expect(desk.audit(10)).toMatchObject([
      { id: 'good', event: { type: 'ring' } },
      { id: 'bad', by: 'unknown', event: { type: '[unreadable]' } },
    ]);
  }
});

test('the audit shows no secret, and of an encrypted store nothing from beside', async () => {
  const store = tempStore();
  const sealing = encryption({ key: () => Buffer.alloc(32, 7), current: 'k' });
  const durable = await createDurableActor(house, { store, id: 'main', sealing });
  onTestFinished(() => durable.close());
  const event = { type: 'ring', password: 'hunter2' };
  await give(deskOf(durable), 'send', { event });
  await give(deskBeside(store), 'send', { event });
  await give(deskBeside(store), 'send', { event, actor: 'nobody' });
  const here = deskOf(durable).audit(10);
  expect(JSON.stringify(here)).not.toContain('hunter2');
  expect(here[1]?.event).toEqual({ type: 'ring', password: '[redacted]' });
  expect(
    deskBeside(store)
      .audit(10)
      .map(({ event: { type } }) => type),
  ).toEqual(['send', '[encrypted]', '[encrypted]']);
});

test('every command says what it does, and what it asks for', () => {
  for (const { name, help, params } of knownCommands) {
    expect([name, help]).toEqual([expect.stringMatching(/^[a-z-]+$/), expect.stringMatching(/\.$/)]);
    for (const param of params) expect([name, param.help]).toEqual([name, expect.stringMatching(/./)]);
  }
});
