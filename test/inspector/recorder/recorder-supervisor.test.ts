/** A recorder that looks at a supervisor at work: what it tells adds up to what is there. */
import { afterEach, expect, test } from 'vitest';
import { defineAction } from '../../../index.ts';
import type { ActorInfo, InspectionRecord } from '../../../inspector/protocol.ts';
import { Recorder } from '../../../inspector/recorder/recorder.ts';
import { SimulatedClock } from '../../../testing.ts';
import { supervise } from '../../../persistence/supervise.ts';
import { failStore } from '../../../testing/fail-store.ts';
import { START, inTime, open } from '../../support/pipeline.ts';
import { bossMachine, childAt, inMemory } from '../../support/supervised.ts';

const recorders: Recorder[] = [];
afterEach(() => {
  for (const recorder of recorders.splice(0)) recorder.close();
});

type Viewed = Map<string, { readonly status: ActorInfo['status']; readonly value?: unknown }>;

function lookAt(follow: (recorder: Recorder) => void) {
  const recorder = new Recorder({ lingerMs: 0 });
  const beside = new Recorder({ lingerMs: 0 });
  recorders.push(recorder, beside);
  follow(recorder);
  follow(beside);
  const told: InspectionRecord[] = [];
  const viewed: Viewed = new Map();
  recorder.subscribe({ records: (records) => told.push(...records) });
  for (const info of recorder.registry()) viewed.set(info.id, info);
  return { recorder, beside, told, viewed };
}

/** What somebody knows who took the registry at first, and then only the records. */
function view(viewed: Viewed, records: readonly InspectionRecord[]) {
  for (const record of records) {
    const { actor } = record;
    if (record.kind === 'started') viewed.set(actor, record.info);
    else if (record.kind === 'snapshot') viewed.set(actor, record);
    else if (record.kind === 'stopped') viewed.set(actor, { value: viewed.get(actor)?.value, status: record.status });
  }
  return active([...viewed].map(([id, { status, value }]) => ({ id, status, value })));
}

function active(actors: readonly Pick<ActorInfo, 'id' | 'status' | 'value'>[]) {
  return actors
    .filter(({ status }) => status === 'active')
    .map(({ id, value }) => [id, value])
    .toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1));
}

const actions = {
  work: defineAction({ run: async ({ n }: { n: number }) => n }),
  flaky: defineAction({
    run: async (_: null, { attempt }) => {
      if (attempt < 3) throw new Error('not yet');
      return attempt;
    },
    retry: { attempts: 3, delayMs: 1_000 },
  }),
};

test('what is told of a supervisor adds up to who is there, and in which state', async () => {
  const clock = new SimulatedClock(START);
  const supervisor = await open(clock, { actions });
  const { recorder, beside, told, viewed } = lookAt((one) => one.follow(supervisor.durable as never));
  const plan = await supervisor.plan({
    steps: [
      ...Array.from({ length: 6 }, (_, n) => ({ id: `s${n}`, action: 'work' as const, input: { n } })),
      { id: 'last', action: 'flaky' as const, input: null, after: ['s0', 's1'] },
    ],
  } as never);
  expect(await inTime(clock, plan.outcome)).toMatchObject({ kind: 'ok' });
  recorder.flush();
  const present = active(beside.registry());
  expect(view(viewed, told)).toEqual(present);
  expect(active(recorder.registry())).toEqual(present);
  expect(present.map(([id]) => id)).toEqual(expect.arrayContaining(['main', 'main/executor', 'main/executor/slot.0']));
  expect(told.map(({ seq }) => seq)).toEqual(told.map((_, at) => at + 1));
  expect(recorder.failure).toBeUndefined();
  await supervisor.close();
});

test('what is told while the store fails and the tree is read back adds up as well', async () => {
  const clock = new SimulatedClock(START);
  const supervisor = await open(clock, { actions });
  const { recorder, beside, told, viewed } = lookAt((one) => one.follow(supervisor.durable as never));
  const failure = failStore(supervisor.durable.store, 'full');
  await expect(supervisor.submit('work', { n: 1 })).rejects.toMatchObject({ code: 'STORE_FAILED' });
  const reopened = new Promise<void>((resolve) => supervisor.durable.on('reopened', () => resolve()));
  failure.clear();
  await inTime(clock, reopened);
  const handle = await supervisor.submit('work', { n: 2 });
  await inTime(clock, handle.outcome);
  recorder.flush();
  expect(view(viewed, told)).toEqual(active(beside.registry()));
  const begun = told.filter(({ kind, actor }) => kind === 'started' && actor === 'main/executor');
  expect(begun).toHaveLength(1);
  expect(recorder.failure).toBeUndefined();
  await supervisor.close();
});

test('children that a supervision restarts keep their ids', async () => {
  const { root } = await inMemory(
    supervise(bossMachine({ a: 'worker', b: 'worker' }), {
      strategy: 'one_for_one',
      intensity: 3,
      children: { worker: {} },
    }),
  );
  const { recorder, beside, told, viewed } = lookAt((one) => one.watch(root, 'boss'));
  const child = recorder.registry().find(({ parent }) => parent === 'boss');
  childAt(root, (child as ActorInfo).name).send({ type: 'die' });
  recorder.flush();
  const kinds = told.filter(({ actor, kind }) => actor === child?.id && kind !== 'event').map(({ kind }) => kind);
  expect(kinds.slice(0, 3)).toEqual(['snapshot', 'stopped', 'started']);
  expect(view(viewed, told)).toEqual(active(beside.registry()));
});
