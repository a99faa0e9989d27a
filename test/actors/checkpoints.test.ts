/** Checkpoints of a whole supervisor: taken by themselves and on request, looked at, gone back to, and forked. */
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { forkCheckpoint } from '../../actors/forks.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { epochOf } from '../../actors/restorer.ts';
import { checkpointOf } from '../../actors/standing.ts';
import { postCommand } from '../../persistence/commands.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { Store } from '../../persistence/store.ts';
import { open, SECOND } from '../support/pipeline.ts';
import { quickStore, tempStore } from '../support/temp.ts';
import { settle, until } from '../support/turns.ts';

/** Actions that end when the test says so, and a count of what was done outside. */
function world() {
  const done: string[] = [];
  const gates = new Map<string, () => void>();
  const work = defineAction({
    run: async (name: string, { signal }) => {
      done.push(`${name} began`);
      await new Promise<void>((resolve, reject) => {
        gates.set(name, resolve);
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      });
      done.push(`${name} ended`);
      return name;
    },
  });
  const double = defineAction({ run: (n: number) => n * 2 });
  const release = async (name: string) => {
    await until(() => gates.has(name));
    gates.get(name)?.();
    gates.delete(name);
  };
  return { done, release, actions: { work, double, again: { ...work, onRestore: 'run' as const } } };
}

async function start(options: Partial<Parameters<typeof open>[1]> = {}, actions = world().actions) {
  const supervisor = await open(new SimulatedClock(), { checkpoint: { everyActions: 1_000_000 }, ...options, actions });
  onTestFinished(() => supervisor.close());
  return supervisor;
}

test('S47: a new supervisor knows its store and has no checkpoint', async () => {
  const { actions } = world();
  const store = quickStore();
  const supervisor = await start({ store }, actions);
  expect(supervisor.checkpoints.list()).toEqual([]);
  expect(supervisor.checkpoints.stats).toMatchObject({ kept: 0, pinned: 0, costMs: null });
  expect(supervisor.durable.store.path).toBe(store);
  expect(() => supervisor.checkpoints.show('latest')).toThrow(expect.objectContaining({ code: 'CHECKPOINT_UNKNOWN' }));
});

test('S48: ten thousand checkpoints of one millisecond have ten thousand ids', async () => {
  const supervisor = await start();
  const ids = await Promise.all(Array.from({ length: 10_000 }, () => supervisor.checkpoints.create()));
  expect(new Set(ids).size).toBe(10_000);
  expect(supervisor.checkpoints.list({ limit: 1 })).toMatchObject([{ id: ids.at(-1), reason: 'request' }]);
}, 60_000);

const plan = {
  id: 'release:1',
  name: 'release',
  steps: [
    { id: 'build', action: 'work', input: 'build' },
    { id: 'test', action: 'work', input: 'test', after: ['build'] },
    { id: 'ship', action: 'work', input: 'ship', after: ['test'] },
  ],
};
const variables = { task: 'release', progress: 0.3, when: new Date(0), seen: new Set(['a']), none: undefined };

test('S49, S50: a checkpoint says how far the work is and what the host had set, also in the next life and after a crash', async () => {
  const { actions, release } = world();
  const store = tempStore();
  const options = { store, checkpoint: { everyActions: 1_000_000 }, clock: new SimulatedClock() as never };
  const first = await spawnSupervisor({ ...options, actions });
  await first.plan(plan);
  await release('build');
  await until(() => first.stats().settled === 1);
  await first.checkpoints.set(variables);
  const id = await first.checkpoints.create({ label: 'built' });
  const expected = {
    id,
    label: 'built',
    tasks: [{ id: 'release:1/test', name: 'work', plan: 'release:1' }],
    plans: [
      {
        id: 'release:1',
        name: 'release',
        unsettled: 2,
        completed: ['build'],
        next: ['test', 'ship'],
        total: 3,
        done: 1,
        progress: 1 / 3,
      },
    ],
    variables,
  };
  expect(first.checkpoints.show('built')).toMatchObject(expected);
  await release('test');
  await first.checkpoints.set({ task: 'other' });
  crash(first.durable);
  await using second = await spawnSupervisor({ ...options, actions });
  expect(second.checkpoints.show(id)).toMatchObject(expected);
  expect(second.checkpoints.variables).toEqual({ task: 'other' });
  expect(second.checkpoints.stats.crashes).toBe(1);
});

test('H33: with no help from the host a turn is named after N settled actions, and T after a change that no name holds', async () => {
  const { actions, release } = world();
  const clock = new SimulatedClock();
  const supervisor = await open(clock, { actions, checkpoint: { everyActions: 3, everyMs: 60 * SECOND } });
  onTestFinished(() => supervisor.close());
  const named: string[] = [];
  supervisor.on('checkpoint.named', ({ reason }) => void named.push(reason));
  for (let n = 0; n < 7; n++) await supervisor.execute('double', n);
  await settle();
  expect(named).toEqual(['actions', 'actions']);
  await clock.advance(60 * SECOND);
  await settle();
  expect(named).toEqual(['actions', 'actions', 'interval']);
  // Nothing has changed.
  await clock.advance(600 * SECOND);
  await settle();
  expect(named).toHaveLength(3);
  // Nothing has settled, but an action runs that the newest name does not know.
  const handle = await supervisor.submit('work', 'long');
  await clock.advance(60 * SECOND);
  await settle();
  expect(named).toHaveLength(4);
  await release('long');
  await handle.outcome;
});

test('H33: whatever is changed of the supervisor is a change that a checkpoint holds in time', async () => {
  const { actions } = world();
  const drop = defineAction({ run: (n: number) => n, impact: 'critical', reversible: false });
  const broken = defineAction({
    run: () => {
      throw new Error('broken');
    },
  });
  const clock = new SimulatedClock();
  const checkpoint = { everyActions: 1_000, everyMs: 60 * SECOND };
  const options = { components: { db: {} }, queues: { q: {} }, checkpoint };
  const supervisor = await open(clock, { ...options, actions: { ...actions, drop, broken } });
  onTestFinished(() => supervisor.close());
  const far = { delayMs: 86_400_000 };
  const changes: Record<string, () => Promise<unknown>> = {
    submit: () => supervisor.submit('double', 1, { id: 'later', ...far }),
    reprioritise: () => supervisor.reprioritise('later', { priority: 'high' }),
    cancel: () => supervisor.cancel('later'),
    put: () => supervisor.schedules.put({ id: 's', action: 'double', input: 1, everyMs: 86_400_000 }),
    'pause of a schedule': () => supervisor.schedules.pause('s'),
    remove: () => supervisor.schedules.remove('s'),
    'pause of a queue': () => supervisor.queues.pause('q'),
    'resume of a queue': () => supervisor.queues.resume('q'),
    bypass: () => supervisor.component('db', 'bypass'),
    restore: () => supervisor.component('db', 'restore'),
    reset: () => supervisor.reset(),
    pause: () => supervisor.pause(),
    resume: () => supervisor.resume(),
    ask: () => supervisor.submit('drop', 1, { id: 'asks' }),
    deny: () => supervisor.deny('asks'),
    fail: () => supervisor.execute('broken', undefined as never, { id: 'fails' }),
    discard: () => supervisor.deadLetters.discard('fails'),
  };
  const newest = () => supervisor.checkpoints.list({ limit: 1 })[0]?.id;
  for (const [what, change] of Object.entries(changes)) {
    const before = newest();
    await change();
    await settle();
    await clock.advance(61 * SECOND);
    await settle();
    expect([what, newest() !== before]).toEqual([what, true]);
    const after = newest();
    await clock.advance(61 * SECOND);
    await settle();
    expect([what, newest()]).toEqual([what, after]);
  }
});

test('the interval follows what a checkpoint costs and how often the process crashes, within bounds', async () => {
  const { actions } = world();
  const store = quickStore();
  const clock = new SimulatedClock();
  const lives: number[] = [];
  for (let life = 0; life < 4; life++) {
    const supervisor = await open(clock, { store, actions, checkpoint: { everyMs: { min: 1, max: 300 * SECOND } } });
    lives.push(supervisor.checkpoints.stats.intervalMs);
    await supervisor.execute('double', 1);
    crash(supervisor.durable);
    if (life < 3) await clock.advance(SECOND);
  }
  // As it is reckoned before anything was measured: 1 ms each, and one crash a day.
  expect(lives[0]).toBe(Math.round(Math.sqrt(2 * 86_400_000)));
  expect(lives[3]).toBe(Math.round(Math.sqrt(2 * (86_400_000 / 4))));
  const bounded = await open(clock, { store, actions, checkpoint: { everyMs: { min: 20 * SECOND } } });
  onTestFinished(() => bounded.close());
  expect(bounded.checkpoints.stats.intervalMs).toBe(20 * SECOND);
});

test('a checkpoint that was taken is measured', async () => {
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: world().actions });
  await supervisor.checkpoints.create();
  await supervisor.checkpoints.create();
  expect(supervisor.checkpoints.stats.costMs).toBeGreaterThan(0);
  expect(supervisor.checkpoints.stats.costMs).toBeLessThan(10_000);
});

test('a turn is named before what could do harm begins, and when the supervisor is closed in order', async () => {
  const store = quickStore();
  const clock = new SimulatedClock();
  const { actions } = world();
  let named: unknown;
  const ship = defineAction({
    impact: 'high',
    run: () => void (named = first.checkpoints.list().map(({ reason, tasks }) => [reason, tasks[0]?.name])),
  });
  const first = await open(clock, { store, actions: { ...actions, ship }, checkpoint: { everyActions: 100 } });
  await first.execute('ship', null, { confidence: 0.99 });
  expect(named).toEqual([['risk', 'ship']]);
  await first.close();
  const second = await open(clock, { store, actions: { ...actions, ship } });
  onTestFinished(() => second.close());
  expect(second.checkpoints.list().map(({ reason }) => reason)).toEqual(['shutdown', 'risk']);
  expect(second.checkpoints.stats.crashes).toBe(0);
});

test('a checkpoint is found by its id, its label or as the latest, pinned, let go and removed', async () => {
  const supervisor = await start();
  const { checkpoints } = supervisor;
  const a = await checkpoints.create({ label: 'twice', pin: true });
  const b = await checkpoints.create({ label: 'twice' });
  const c = await checkpoints.create();
  expect([a, 'twice', 'latest'].map((id) => checkpoints.show(id).id)).toEqual([a, b, c]);
  expect(checkpoints.list().map(({ id, isPinned }) => [id, isPinned])).toEqual([
    [c, false],
    [b, false],
    [a, true],
  ]);
  expect(checkpoints.list({ limit: 1, before: c }).map(({ id }) => id)).toEqual([b]);
  await checkpoints.unpin(a);
  await checkpoints.pin('latest');
  expect(checkpoints.list().map(({ isPinned }) => isPinned)).toEqual([true, false, false]);
  await checkpoints.remove('twice');
  expect(checkpoints.list().map(({ id }) => id)).toEqual([c, a]);
  await expect(checkpoints.remove(c)).rejects.toMatchObject({ code: 'CHECKPOINT_KEPT' });
  await checkpoints.remove(c, { force: true });
  await expect(checkpoints.remove(a)).rejects.toMatchObject({ code: 'CHECKPOINT_KEPT' });
  expect(checkpoints.list().map(({ id }) => id)).toEqual([a]);
  for (const id of [b, '999999', 'never', '']) {
    expect(() => checkpoints.show(id)).toThrow(expect.objectContaining({ code: 'CHECKPOINT_UNKNOWN' }));
    await expect(checkpoints.restore(id)).rejects.toMatchObject({ code: 'CHECKPOINT_UNKNOWN' });
    await expect(checkpoints.pin(id)).rejects.toMatchObject({ code: 'CHECKPOINT_UNKNOWN' });
  }
});

test('what is damaged of a checkpoint that is only shown keeps nobody from the list, and variables that are tell so', async () => {
  const supervisor = await start();
  const { checkpoints } = supervisor;
  await checkpoints.set({ phase: 1 });
  const a = await checkpoints.create({ label: 'broken' });
  await checkpoints.set({ phase: 2 });
  const b = await checkpoints.create({ label: 'whole' });
  const { rows } = supervisor.durable.store;
  for (const detail of ['{', 'null', '5', '{"tasks":5}']) {
    rows.run('update checkpoints set detail = ?, at = 9000000000000000 where turn = ?', detail, Number(a));
    supervisor.durable.store.flush();
    expect(checkpoints.list()).toMatchObject([{ id: b }, { id: a, tasks: [], plans: [] }]);
  }
  rows.run(`update checkpoint_variables_past set text = 'garbage'`);
  supervisor.durable.store.flush();
  const damage = { code: 'ROW_CORRUPT', message: expect.stringContaining('variables') as string };
  expect(() => checkpoints.show('broken')).toThrow(expect.objectContaining(damage));
  expect(checkpoints.show('whole').variables).toEqual({ phase: 2 });
});

test('a restore takes everything back, what waits runs on from there, and the restore can be undone', async () => {
  const { actions } = world();
  const supervisor = await start({ concurrency: 1 }, actions);
  const { checkpoints } = supervisor;
  await supervisor.execute('double', 1, { id: 'early' });
  await checkpoints.set({ phase: 1 });
  await supervisor.pause();
  const waiting = await supervisor.submit('double', 21, { id: 'waits' });
  const id = await checkpoints.create();
  await supervisor.resume();
  expect(await waiting.outcome).toMatchObject({ kind: 'ok', value: 42 });
  await supervisor.execute('double', 3, { id: 'late' });
  await checkpoints.set({ phase: 2 });
  const events: string[] = [];
  supervisor.on('checkpoint.restored', ({ type }) => void events.push(type));

  const { turn, before } = await checkpoints.restore(id);
  expect(String(turn)).toBe(id);
  expect(events).toEqual(['checkpoint.restored']);
  expect(checkpoints.variables).toEqual({ phase: 1 });
  const states = () => supervisor.durable.store.rows.all('select id, state from actions order by seq');
  expect(states()).toEqual([
    { id: 'early', state: 'settled' },
    { id: 'waits', state: 'waiting' },
  ]);
  expect(supervisor.durable.getSnapshot().value).toBe('paused');
  await supervisor.resume();
  expect(await supervisor.execute('double', 21, { id: 'waits' })).toMatchObject({ value: 42 });
  // What was submitted after the checkpoint can be submitted again.
  expect(await supervisor.execute('double', 3, { id: 'late' })).toMatchObject({ value: 6 });

  expect(checkpoints.show(before)).toMatchObject({ reason: 'restore' });
  await checkpoints.restore(before);
  expect(checkpoints.variables).toEqual({ phase: 2 });
  expect(states()).toHaveLength(3);
  expect(supervisor.durable.getSnapshot().value).toBe('running');
  expect(await supervisor.execute('double', 5)).toMatchObject({ value: 10 });
});

test('a restore is refused while an action is under way, unless it is forced; and then nothing goes on in the dark', async () => {
  const { actions, release, done } = world();
  const supervisor = await start({ concurrency: 1 }, actions);
  const { checkpoints } = supervisor;
  const id = await checkpoints.create();
  const handle = await supervisor.submit('work', 'later', { id: 'later' });
  await until(() => done.includes('later began'));
  await expect(checkpoints.restore(id)).rejects.toMatchObject({ code: 'CHECKPOINT_BUSY', retryable: true });
  const told = `select 1 from incidents where kind = 'checkpoint.refused' and detail like '%CHECKPOINT_BUSY%'`;
  await until(() => supervisor.durable.store.rows.all(told).length === 1);
  expect(done).toEqual(['later began']);

  const lost = expect(handle.outcome).rejects.toMatchObject({ code: 'ACTION_NOT_FOUND' });
  await checkpoints.restore(id, { force: true });
  await lost;
  expect(supervisor.durable.store.rows.all('select id from actions')).toEqual([]);
  const again = await supervisor.submit('work', 'later', { id: 'later' });
  await until(() => done.length === 2);
  await release('later');
  expect(await again.outcome).toMatchObject({ kind: 'ok' });
  expect(done).toEqual(['later began', 'later began', 'later ended']);
});

test('one checkpoint is restored at a time, and who waits for one is told when the supervisor is closed', async () => {
  const supervisor = await start();
  const id = await supervisor.checkpoints.create();
  const both = await Promise.allSettled([supervisor.checkpoints.restore(id), supervisor.checkpoints.restore(id)]);
  expect(both).toMatchObject([{ status: 'fulfilled' }, { status: 'rejected', reason: { code: 'CHECKPOINT_BUSY' } }]);
  const last = expect(supervisor.checkpoints.restore(id)).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  crash(supervisor.durable);
  await last;
});

test('what was under way in the checkpoint asks somebody before it begins again, runs, or fails, as its action says', async () => {
  const { actions, release, done } = world();
  const fails = { ...actions.work, onRestore: 'fail' as const };
  const supervisor = await start({ concurrency: 4 }, { ...actions, fails } as never);
  const { checkpoints } = supervisor;
  const handles = await Promise.all(
    (['work', 'again', 'fails'] as const).map((name) => supervisor.submit(name as 'work', name, { id: name })),
  );
  await until(() => done.length === 3);
  const id = await checkpoints.create();
  for (const name of ['work', 'again', 'fails']) await release(name);
  await Promise.all(handles.map(({ outcome }) => outcome));
  done.length = 0;

  await checkpoints.restore(id);
  await until(() => done.includes('again began'));
  expect(done).toEqual(['again began']);
  expect(supervisor.approvals()).toMatchObject([{ action: 'work', reason: 'restore' }]);
  expect(supervisor.approvals()[0]?.summary).toContain('under way in the checkpoint that was restored');
  expect(await supervisor.execute('fails' as 'work', 'fails', { id: 'fails' })).toMatchObject({
    kind: 'failed',
    error: { code: 'ATTEMPT_INTERRUPTED' },
  });
  // It has its slot back: other work goes on meanwhile.
  expect(await supervisor.execute('double', 4)).toMatchObject({ value: 8 });
  await supervisor.approve('work');
  await until(() => done.includes('work began'));
  await release('work');
  await release('again');
  expect(await supervisor.execute('work', 'work', { id: 'work' })).toMatchObject({ kind: 'ok' });
  expect(await supervisor.execute('again', 'again', { id: 'again' })).toMatchObject({ kind: 'ok' });

  await checkpoints.restore(id);
  await supervisor.deny('work', { by: 'Ann' });
  expect(await supervisor.execute('work', 'work', { id: 'work' })).toMatchObject({ kind: 'denied' });
});

test('after a restore the supervisor is as this life wants it, whatever the checkpoint had been told', async () => {
  const store = quickStore();
  const clock = new SimulatedClock();
  const { actions } = world();
  const first = await open(clock, { store, actions, concurrency: 2, checkpoint: { everyActions: 7 } });
  const id = await first.checkpoints.create({ pin: true });
  await first.close();
  const second = await open(clock, { store, actions, concurrency: 5, checkpoint: { everyActions: 9 } });
  onTestFinished(() => second.close());
  await second.checkpoints.restore(id);
  await until(() => second.durable.getSnapshot().context.concurrency === 5);
  await until(() => checkpointOf(second.durable).everyActions === 9);
  await second.configure({ concurrency: 3 });
  await second.checkpoints.restore(id);
  await until(() => second.durable.getSnapshot().context.concurrency === 3);
});

test('silence never begins again what was under way in the checkpoint', async () => {
  const { actions, done } = world();
  const patient = { ...actions.work, approval: { silence: 'approve' as const, afterMs: SECOND } };
  const clock = new SimulatedClock();
  const supervisor = await open(clock, { actions: { ...actions, patient } });
  onTestFinished(() => supervisor.close());
  await supervisor.submit('patient', 'x', { id: 'x' });
  await until(() => done.length === 1);
  await supervisor.checkpoints.restore(await supervisor.checkpoints.create(), { force: true });
  await until(() => supervisor.approvals().length === 1);
  await clock.advance(3_600 * SECOND);
  await settle();
  expect(supervisor.approvals()).toMatchObject([
    { action: 'x', reason: 'restore', expiresAt: null, onSilence: 'wait' },
  ]);
  expect(done).toHaveLength(1);
});

test('a store that two supervisors share is not restored: their rows are in the same tables', async () => {
  const { actions } = world();
  await using store = Store.open(tempStore());
  await using supervisor = await spawnSupervisor({ store, actions });
  const id = await supervisor.checkpoints.create();
  await using _ = await spawnSupervisor({ store, id: 'other', actions });
  await expect(supervisor.checkpoints.restore(id)).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
  expect(supervisor.durable.getSnapshot().value).toBe('running');
});

test('onApproval is asked again about what a restore opens again', async () => {
  const { actions } = world();
  const asked: string[] = [];
  const drop = defineAction({ run: () => 'dropped', impact: 'critical', reversible: false });
  const onApproval = ({ action, state }: { action: string; state: string }) => {
    asked.push(`${action} ${state}`);
    return asked.length === 1 ? ('deny' as const) : undefined;
  };
  const supervisor = await start({ onApproval }, { ...actions, drop } as never);
  await supervisor.pause();
  await supervisor.submit('drop' as 'double', 1, { id: 'drop' });
  const id = await supervisor.checkpoints.create();
  await supervisor.resume();
  expect(await supervisor.execute('drop' as 'double', 1, { id: 'drop' })).toMatchObject({ kind: 'denied' });
  await supervisor.checkpoints.restore(id);
  await supervisor.resume();
  await until(() => asked.length === 2);
  const again = await supervisor.checkpoints.create();
  await supervisor.deny('drop');
  await supervisor.checkpoints.restore(again);
  await until(() => asked.length === 3);
  expect(asked).toEqual(['drop open', 'drop open', 'drop open']);
});

test('actions that were parked in the checkpoint run, when this life knows them', async () => {
  const store = quickStore();
  const clock = new SimulatedClock();
  const { actions } = world();
  const first = await open(clock, { store, actions });
  await first.pause();
  await first.submit('double', 4, { id: 'x' });
  await first.close();
  const without = await open(clock, { store, actions: { work: actions.work } });
  await without.resume();
  await until(() => without.stats().queue.parked === 1);
  const id = await without.checkpoints.create();
  await without.close();
  const third = await open(clock, { store, actions });
  onTestFinished(() => third.close());
  expect(await third.execute('double', 4, { id: 'x' })).toMatchObject({ value: 8 });
  await third.checkpoints.restore(id);
  expect(await third.execute('double', 4, { id: 'x' })).toMatchObject({ value: 8 });
});

test('a restore that was asked of a life that has ended is not carried out by the next: new work may have begun', async () => {
  const store = quickStore();
  const clock = new SimulatedClock();
  const { actions } = world();
  const first = await open(clock, { store, actions });
  await first.checkpoints.set({ phase: 1 });
  const id = await first.checkpoints.create();
  await first.checkpoints.set({ phase: 2 });
  const restored = first.checkpoints.restore(id);
  const refused = expect(restored).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  await first.close();
  await refused;
  const second = await open(clock, { store, actions });
  const noted = ({ durable: { store: of } }: typeof second, request: string) =>
    of.rows.get<{ detail: string }>(
      `select detail from incidents where kind = 'checkpoint.refused' and actor = ?`,
      request,
    )?.detail;
  await second.execute('double', 1);
  expect(second.checkpoints.variables['phase']).toBe(2);
  const epoch = epochOf(second.durable.store.rows);
  const asked = { type: 'supervisor.restore', turn: Number(id), force: true, epoch } as const;
  await second.durable.send({ ...asked, request: 'committed' });
  crash(second.durable);
  const third = await open(clock, { store, actions });
  onTestFinished(() => third.close());
  await until(() => noted(third, 'committed') !== undefined);
  await third.submit('double', 1, { id: 'new' });
  postCommand(store, { id: 'late', actor: '', event: { ...asked, request: 'late' } }, 0);
  await until(() => noted(third, 'late') !== undefined);
  for (const request of ['committed', 'late']) expect(noted(third, request)).toContain('[RESTORE_WITHDRAWN]');
  expect(third.checkpoints.variables['phase']).toBe(2);
  expect(await third.execute('double', 1, { id: 'new' })).toMatchObject({ value: 2 });
  await third.checkpoints.restore(id);
  expect(third.checkpoints.variables['phase']).toBe(1);
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** Writes over the state of actors in rows of the past that only the checkpoint sees, as a disk may. */
function damage(path: string, turn: string, after: string): void {
  const db = new Database(path);
  const { changes } = db
    .prepare(
      `update actors_past set snapshot = replace(snapshot, 'a', 'b') where from_turn <= ? and to_turn > ? and from_turn > ?`,
    )
    .run(turn, turn, after);
  db.close();
  expect(changes).toBeGreaterThan(0);
}

test('H34: a damaged checkpoint is refused; in the place of the latest the one before is restored, and an incident tells', async () => {
  const store = tempStore();
  const clock = new SimulatedClock();
  const { actions } = world();
  const checkpoint = { everyActions: 1_000 };
  const first = await open(clock, { store, actions, checkpoint });
  await first.execute('double', 1, { id: 'one' });
  const whole = await first.checkpoints.create();
  await first.execute('double', 2, { id: 'two' });
  const torn = await first.checkpoints.create();
  await first.execute('double', 3, { id: 'three' });
  crash(first.durable);
  damage(store, torn, whole);
  const second = await open(clock, { store, actions, checkpoint });
  onTestFinished(() => second.close());
  const ids = () => second.durable.store.rows.all('select id from actions order by seq').length;
  await expect(second.checkpoints.restore(torn)).rejects.toMatchObject({ code: 'CHECKPOINT_DAMAGED' });
  expect([ids(), second.durable.getSnapshot().value]).toEqual([3, 'running']);
  expect(String((await second.checkpoints.restore('latest')).turn)).toBe(whole);
  expect(ids()).toBe(1);
  const incidents = second.durable.store.rows.all<{ detail: string }>(
    `select detail from incidents where kind = 'checkpoint.refused'`,
  );
  expect(incidents.map(({ detail }) => detail.includes(`cannot go back to turn ${torn}`))).toEqual([true, true]);
  expect(await second.execute('double', 2, { id: 'two' })).toMatchObject({ value: 4 });
});

test('H34: a supervisor whose rows are damaged comes back as of its newest checkpoint, where the host says so', async () => {
  const store = tempStore();
  const clock = new SimulatedClock();
  const { actions, done } = world();
  const checkpoint = { everyActions: 1_000 };
  const first = await open(clock, { store, actions, checkpoint });
  await first.submit('work', 'x', { id: 'x' });
  await until(() => done.length === 1);
  const id = await first.checkpoints.create();
  await first.execute('double', 2, { id: 'lost' });
  crash(first.durable);
  const db = new Database(store);
  db.prepare(`update actors set snapshot = replace(snapshot, 'a', 'b') where key = 'executor'`).run();
  db.close();
  const second = await open(clock, { store, actions, checkpoint, onDamage: 'checkpoint' });
  onTestFinished(() => second.close());
  const [incident] = second.durable.store.rows.all<{ detail: string }>(
    `select detail from incidents where kind = 'checkpoint.restored'`,
  );
  expect(incident?.detail).toContain(`checkpoint of turn ${id}`);
  expect(second.durable.store.rows.all('select id, state from actions')).toEqual([{ id: 'x', state: 'asking' }]);
  expect(done).toEqual(['x began']);
});

test('S50: a checkpoint that was being written when the process died is not there, and the one before is restored', async () => {
  const store = tempStore();
  const clock = new SimulatedClock();
  const { actions } = world();
  const first = await open(clock, { store, actions });
  await first.checkpoints.set({ phase: 1 });
  const id = await first.checkpoints.create();
  await first.checkpoints.set({ phase: 2 });
  const torn = first.durable.send({ type: 'supervisor.checkpoint', reason: 'request', label: 'torn' });
  crash(first.durable);
  await expect(torn).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  const second = await open(clock, { store, actions });
  onTestFinished(() => second.close());
  expect(second.checkpoints.list().map((one) => one.id)).toEqual([id]);
  await second.checkpoints.restore('latest');
  expect(second.checkpoints.variables).toEqual({ phase: 1 });
});

test('compare says which actors and rows changed', async () => {
  const supervisor = await start();
  const { checkpoints } = supervisor;
  const a = await checkpoints.create();
  await supervisor.execute('double', 1, { id: 'one' });
  const b = await checkpoints.create();
  const found = await all(checkpoints.compare(a, b));
  expect(found).toContainEqual(expect.objectContaining({ kind: 'table', table: 'actions', added: 1 }));
  expect(found).toContainEqual(expect.objectContaining({ kind: 'actor', actor: 'executor', change: 'changed' }));
  expect(await all(checkpoints.compare(a, a))).toEqual([]);
});

test('a fork goes on with edited inputs where the checkpoint was, and the original goes on where it is', async () => {
  const { actions } = world();
  const supervisor = await start({ store: tempStore() }, actions);
  const { checkpoints } = supervisor;
  await supervisor.execute('double', 1, { id: 'done' });
  await supervisor.pause();
  await supervisor.submit('double', 2, { id: 'waits' });
  await supervisor.plan({
    id: 'p:1',
    name: 'p',
    steps: [
      { id: 'a', action: 'double', input: 3 },
      { id: 'b', action: 'double', input: 4, after: ['a'] },
    ],
  });
  const id = await checkpoints.create();
  await supervisor.resume();
  expect(await supervisor.execute('double', 2, { id: 'waits' })).toMatchObject({ value: 4 });
  const to = tempStore();
  await checkpoints.fork(id, { to, input: { waits: 100, 'p:1/b': 200 } });
  await expect(checkpoints.fork(id, { to })).rejects.toMatchObject({ code: 'FORK_EXISTS' });
  const other = tempStore();
  const refused = (input: Record<string, unknown>) => checkpoints.fork(id, { to: other, input });
  await expect(refused({ done: 5 })).rejects.toMatchObject({ code: 'ACTION_CONFLICT' });
  await expect(refused({ nobody: 5 })).rejects.toMatchObject({ code: 'ACTION_NOT_FOUND' });
  await expect(refused({ waits: () => 5 })).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
  await checkpoints.fork(id, { to: other });

  await using fork = await spawnSupervisor({ store: to, actions });
  expect(fork.durable.getSnapshot().value).toBe('paused');
  await fork.resume();
  expect(await fork.execute('double', 100, { id: 'waits' })).toMatchObject({ value: 200 });
  const outcome = await fork.joinPlan('p:1').outcome;
  expect(outcome.steps['b']?.outcome?.value).toBe(400);
  expect(await supervisor.execute('double', 2, { id: 'waits' })).toMatchObject({ value: 4 });
});

test('what was approved with one input is not approved with another: in a fork somebody is asked about that one', async () => {
  const ran: string[] = [];
  const run = (table: string) => ran.push(table);
  const risky = { run, impact: 'critical', reversible: false } as const;
  const drop = defineAction({ ...risky, summary: (table: string) => `Drop the table ${table}` });
  const purge = defineAction(risky);
  const actions = { drop, purge };
  const supervisor = await spawnSupervisor({ store: tempStore(), actions });
  onTestFinished(() => supervisor.close());
  const { checkpoints } = supervisor;
  await supervisor.submit('drop', 'scratch', { id: 'a' });
  await supervisor.submit('purge', 'scratch', { id: 'b', summary: 'Purge the scratch' });
  await until(() => supervisor.approvals().length === 2);
  const input = { a: 'orders', b: 'orders' };
  const to = tempStore();
  await checkpoints.create({ label: 'asked' });
  await expect(checkpoints.fork('asked', { to, input })).rejects.toMatchObject({ code: 'ACTION_CONFLICT' });
  await supervisor.pause();
  for (const id of ['a', 'b']) await supervisor.approve(id);
  await checkpoints.create({ label: 'approved' });
  await checkpoints.fork('approved', { to, input });
  const beside = { path: supervisor.durable.store.path, rows: supervisor.durable.store.rows };
  const without = forkCheckpoint(beside, Number(checkpoints.show('approved').id), { to: tempStore(), input });
  await expect(without).rejects.toMatchObject({ code: 'ACTION_UNKNOWN' });
  await supervisor.resume();
  await until(() => ran.length === 2);
  expect(ran).toEqual(['scratch', 'scratch']);

  await using fork = await spawnSupervisor({ store: to, actions });
  await fork.resume();
  await until(() => fork.approvals().length === 2);
  expect(fork.approvals()).toMatchObject([
    { action: 'a', summary: 'Drop the table orders' },
    { action: 'b', summary: 'With another input: Purge the scratch' },
  ]);
  expect(ran).toHaveLength(2);
  await fork.approve('a');
  expect(await fork.execute('drop', 'orders', { id: 'a' })).toMatchObject({ kind: 'ok' });
  expect(ran).toEqual(['scratch', 'scratch', 'orders']);
});

test('what was under way in the checkpoint asks in the fork, and goes on here', async () => {
  const { actions, release, done } = world();
  const supervisor = await start({ store: tempStore() }, actions);
  const handle = await supervisor.submit('work', 'x', { id: 'x' });
  await until(() => done.length === 1);
  const to = tempStore();
  await supervisor.checkpoints.create();
  await supervisor.checkpoints.fork('latest', { to });
  const other = world();
  await using fork = await spawnSupervisor({ store: to, actions: other.actions });
  expect(fork.approvals()).toMatchObject([{ action: 'x', reason: 'restore' }]);
  expect(other.done).toEqual([]);
  await fork.approve('x');
  await other.release('x');
  expect(await fork.execute('work', 'x', { id: 'x' })).toMatchObject({ kind: 'ok', value: 'x' });
  expect(supervisor.approvals()).toEqual([]);
  await release('x');
  expect(await handle.outcome).toMatchObject({ kind: 'ok', attempts: 1 });
});

test('what is wrong with a checkpoint, its variables or its settings is said at once', async () => {
  const { actions } = world();
  const supervisor = await start({}, actions);
  const { checkpoints } = supervisor;
  const invalid = { code: 'OPTIONS_INVALID' };
  for (const label of [
    '',
    ' ',
    ' x',
    'x ',
    '17',
    'latest',
    'a\nb',
    'a\u0007',
    'a\u2028b',
    '\u202eabc',
    7 as never,
    null as never,
  ])
    await expect(checkpoints.create({ label })).rejects.toMatchObject(invalid);
  await checkpoints.create({ label: 'v17 été 🎉' });
  await expect(checkpoints.create({ pin: 1 as never })).rejects.toMatchObject(invalid);
  for (const options of [null, 5, { force: 1 }, { forced: true }]) {
    await expect(checkpoints.restore('latest', options as never)).rejects.toMatchObject(invalid);
    await expect(checkpoints.remove('latest', options as never)).rejects.toMatchObject(invalid);
  }
  for (const options of [{ to: 'x.db', signal: 5 }, { to: 5 }, { to: 'x.db', inputs: {} }, null])
    await expect(checkpoints.fork('latest', options as never)).rejects.toMatchObject(invalid);
  for (const query of [{ x: 1 }, null, { limit: '5' }, { before: 5 }])
    expect(() => checkpoints.list(query as never)).toThrow(expect.objectContaining(invalid));
  for (const id of [5, null, undefined, {}]) {
    expect(() => checkpoints.show(id as never)).toThrow(expect.objectContaining(invalid));
    await expect(checkpoints.pin(id as never)).rejects.toMatchObject(invalid);
  }
  await expect(checkpoints.create({ lable: 'x' } as never)).rejects.toMatchObject(invalid);
  await expect(checkpoints.set('x' as never)).rejects.toMatchObject(invalid);
  await expect(checkpoints.set({ f: () => 1 })).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
  await expect(checkpoints.set({ text: 'x'.repeat(65_536) })).rejects.toMatchObject(invalid);
  await checkpoints.set({ text: 'x'.repeat(65_000) });
  expect(() => checkpoints.list({ limit: 0 })).toThrow(expect.objectContaining(invalid));
  for (const checkpoint of [
    { everyActions: 0 },
    { everyMs: 0 },
    { everyMs: { min: 10, max: 5 } },
    { everyMs: { least: 1 } as never },
    { every: 1 } as never,
  ])
    await expect(spawnSupervisor({ store: tempStore(), actions, checkpoint })).rejects.toMatchObject(invalid);
  await expect(
    spawnSupervisor({ store: tempStore(), actions: { a: { run: () => 1, onRestore: 'rerun' as never } } }),
  ).rejects.toMatchObject(invalid);
});
