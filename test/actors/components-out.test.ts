import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { MINUTE, SECOND, START, failure, inTime, open } from '../support/pipeline.ts';
import { quickStore } from '../support/temp.ts';
import { settle } from '../support/turns.ts';

const components = { api: { breaker: { minCalls: 5, openMs: MINUTE } } };

/** Calls of 10 ms to something that may be down, and work that leans on nothing. */
function leaning(clock: SimulatedClock) {
  const state = { isDown: true, calls: 0, running: 0, most: 0, plain: 0 };
  const call = async () => {
    state.calls += 1;
    state.running += 1;
    state.most = Math.max(state.most, state.running);
    await new Promise<void>((resolve) => void clock.setTimeout(resolve, 10));
    state.running -= 1;
    if (state.isDown) throw failure('down');
  };
  const retry = { attempts: 1 };
  const actions = {
    call: defineAction({ run: call, component: 'api', retry }),
    patient: defineAction({ run: call, component: 'api', retry, whenOpen: 'wait' }),
    plain: defineAction({ run: () => void (state.plain += 1) }),
  };
  return { state, actions };
}

type Opened = Awaited<ReturnType<typeof open<ReturnType<typeof leaning>['actions']>>>;

async function trip(supervisor: Opened, clock: SimulatedClock): Promise<void> {
  for (let n = 0; n < 5; n++) await inTime(clock, supervisor.execute('call', null), 10);
}

const submitted = (supervisor: Opened, name: 'patient' | 'plain', n: number) =>
  Promise.all(Array.from({ length: n }, (_, i) => supervisor.submit(name, null, { id: `${name} ${i}` })));
const ends = (handles: Awaited<ReturnType<typeof submitted>>) => Promise.all(handles.map(({ outcome }) => outcome));

test.each([false, true])(
  'what waits for a component that is open keeps no slot, and runs when it is back (crash in between: %s)',
  async (crashes) => {
    const clock = new SimulatedClock(START);
    const { state, actions } = leaning(clock);
    const options = { actions, components, concurrency: 4, store: quickStore() };
    let supervisor = await open(clock, options);
    await trip(supervisor, clock);
    let patient = await submitted(supervisor, 'patient', 50);
    const plain = await ends(await submitted(supervisor, 'plain', 50));
    expect(plain.every(({ kind }) => kind === 'ok')).toBe(true);
    expect(state.plain).toBe(50);
    if (crashes) {
      crash(supervisor.durable);
      for (const { outcome } of patient) outcome.catch(() => {});
      supervisor = await open(clock, options);
      patient = await submitted(supervisor, 'patient', 50);
      await settle();
    }
    expect(supervisor.queues.list()).toMatchObject([{ name: 'default', waiting: 50, running: 0 }]);
    expect(state.calls).toBe(5);
    // The first probe fails: it is one, and the others wait for the next.
    await clock.advance(MINUTE);
    await settle();
    await clock.advance(10);
    await settle();
    expect([state.calls, supervisor.queues.list()[0]?.waiting]).toEqual([6, 49]);
    await clock.advance(MINUTE);
    expect([state.calls, supervisor.queues.list()[0]?.running]).toEqual([6, 0]);
    [state.isDown, state.most] = [false, 0];
    await clock.advance(MINUTE);
    await settle();
    expect([state.calls, state.most]).toEqual([7, 1]);
    const kinds = (await inTime(clock, ends(patient), 10)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'ok')).toHaveLength(49);
    expect([state.calls, state.most]).toEqual([5 + 50, 4]);
    await supervisor.close();
  },
);

test('what waits for a component that is bypassed rests until it is restored, without a turn', async () => {
  const clock = new SimulatedClock(START);
  const { state, actions } = leaning(clock);
  state.isDown = false;
  await using supervisor = await open(clock, { actions, components, concurrency: 2 });
  await supervisor.component('api', 'bypass');
  const patient = await submitted(supervisor, 'patient', 3);
  await settle();
  const { turn } = supervisor.durable.store.rows;
  await clock.advance(10 * MINUTE);
  await settle();
  // The time of checkpoints comes twice.
  expect(supervisor.durable.store.rows.turn - turn).toBeLessThan(6);
  expect(state.calls).toBe(0);
  await supervisor.component('api', 'restore');
  await inTime(clock, ends(patient), 10);
  expect(state.calls).toBe(3);
});

test('what finds somebody else probing goes on by itself', async () => {
  const clock = new SimulatedClock(START);
  const { state, actions } = leaning(clock);
  const hang = defineAction({
    run: () => new Promise<void>((resolve) => void clock.setTimeout(resolve, 30 * SECOND)),
    component: 'api',
    retry: { attempts: 1 },
  });
  await using supervisor = await open(clock, { actions: { ...actions, hang }, components, concurrency: 4 });
  await trip(supervisor as never, clock);
  state.isDown = false;
  await clock.advance(MINUTE);
  await settle();
  // It probes, and takes its time; it says nothing of those that wait.
  const probe = await supervisor.submit('hang', null);
  const patient = await submitted(supervisor as never, 'patient', 20);
  await settle();
  expect(state.calls).toBe(5);
  expect(supervisor.queues.list()).toMatchObject([{ waiting: 20, running: 1 }]);
  await inTime(clock, Promise.all([probe.outcome, ends(patient)]), SECOND);
  expect(state.calls).toBe(25);
});

test('where several must prove it they come one after the other, without a pause in between', async () => {
  const clock = new SimulatedClock(START);
  const { state, actions } = leaning(clock);
  const proving = { api: { breaker: { ...components.api.breaker, successes: 5 } } };
  await using supervisor = await open(clock, { actions, components: proving, concurrency: 4 });
  await trip(supervisor, clock);
  [state.isDown, state.most] = [false, 0];
  const patient = await submitted(supervisor, 'patient', 20);
  await clock.advance(MINUTE);
  for (let proved = 1; proved <= 5; proved++) {
    await settle();
    expect([state.calls, state.running]).toEqual([5 + proved, 1]);
    await clock.advance(10);
  }
  await settle();
  expect(state.running).toBe(4);
  await inTime(clock, ends(patient), 10);
});

test('a probe that hangs keeps nothing waiting for ever', async () => {
  const clock = new SimulatedClock(START);
  const { state, actions } = leaning(clock);
  const hang = defineAction({ run: () => new Promise(() => {}), component: 'api', whenOpen: 'wait' });
  const short = { api: { breaker: { ...components.api.breaker, maxOpenMs: 2 * MINUTE } } };
  const supervisor = await open(clock, { actions: { ...actions, hang }, components: short, concurrency: 4 });
  await trip(supervisor as never, clock);
  (await supervisor.submit('hang', null)).outcome.catch(() => {});
  const patient = await submitted(supervisor as never, 'patient', 10);
  state.isDown = false;
  await clock.advance(MINUTE);
  await settle();
  expect([state.calls, supervisor.queues.list()[0]?.running]).toEqual([5, 1]);
  await inTime(clock, ends(patient), 10 * SECOND);
  expect(clock.now() - START).toBeLessThan(4 * MINUTE);
  crash(supervisor.durable);
});

test('what is only spared waits without a slot too, and all of it runs when it is spared no more', async () => {
  const clock = new SimulatedClock(START);
  const { state, actions } = leaning(clock);
  const refusing = () => {
    throw failure('refused', { code: 'ECONNREFUSED' });
  };
  const lose = defineAction({ run: refusing, component: 'gone', retry: { attempts: 1 } });
  const browning = {
    gone: { criticality: 'critical-plus', breaker: { window: 2, minCalls: 1, openMs: 200, maxOpenMs: 1_000 } },
    api: { criticality: 'sheddable' },
  } as const;
  await using supervisor = await open(clock, { actions: { ...actions, lose }, components: browning, concurrency: 4 });
  await supervisor.execute('lose', null);
  [state.isDown, state.most] = [false, 0];
  const patient = await submitted(supervisor as never, 'patient', 20);
  await settle();
  expect([state.calls, supervisor.queues.list()[0]?.running]).toEqual([0, 0]);
  await inTime(clock, ends(patient), 100);
  expect([state.calls, state.most]).toEqual([20, 4]);
});

test('one with a deadline asks in time, and makes do with less', async () => {
  const clock = new SimulatedClock(START);
  const { actions } = leaning(clock);
  await using supervisor = await open(clock, { actions, components, concurrency: 2 });
  await trip(supervisor, clock);
  const urgent = await supervisor.submit('patient', null, { deadlineMs: 5 * SECOND });
  expect(await urgent.outcome).toMatchObject({ kind: 'failed', attempts: 0, error: { code: 'CIRCUIT_OPEN' } });
});

test('what rests is cancelled at once', async () => {
  const clock = new SimulatedClock(START);
  const { state, actions } = leaning(clock);
  await using supervisor = await open(clock, { actions, components, concurrency: 2 });
  await trip(supervisor, clock);
  const [first, second] = await submitted(supervisor, 'patient', 2);
  await first!.cancel();
  expect(await first!.outcome).toMatchObject({ kind: 'cancelled', attempts: 0 });
  state.isDown = false;
  await inTime(clock, second!.outcome);
  expect(state.calls).toBe(6);
});

test('what has waited for its component in its slot, and runs, waits no more: a restore would interrupt it', async () => {
  const clock = new SimulatedClock(START);
  const { state, actions } = leaning(clock);
  await using supervisor = await open(clock, { actions, components, concurrency: 2 });
  await trip(supervisor, clock);
  const id = await supervisor.checkpoint();
  const patient = await supervisor.submit('patient', null, { id: 'patient', deadlineMs: 60 * MINUTE });
  const row = () => supervisor.durable.store.rows.get(`select attempts, retry_at from actions where id = 'patient'`);
  await settle();
  expect(row()).toEqual({ attempts: 0, retry_at: START + 10 * 5 + MINUTE });
  state.isDown = false;
  await clock.advance(MINUTE);
  await settle();
  expect([state.running, row()]).toEqual([1, { attempts: 1, retry_at: null }]);
  await expect(supervisor.retryNow('patient')).rejects.toMatchObject({ code: 'ACTION_CONFLICT' });
  await expect(supervisor.checkpoints.restore(id)).rejects.toMatchObject({ code: 'CHECKPOINT_BUSY' });
  expect(await inTime(clock, patient.outcome, 10)).toMatchObject({ kind: 'ok', attempts: 1 });
});
