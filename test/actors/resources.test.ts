/** What a process runs on, as a supervisor watches it: the real figures of this very process. */
import Database from 'better-sqlite3';
import { afterEach, expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import type { ResourceOptions } from '../../actors/resource-options.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import type { SupervisorEmitted } from '../../machines/supervisor.ts';
import { failStore } from '../../testing/fail-store.ts';
import { tempStore } from '../support/temp.ts';

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

const actions = { note: defineAction({ run: (n: number) => n }) };

async function open(resources?: ResourceOptions | false, store = tempStore(), concurrency = 8) {
  const supervisor = await spawnSupervisor({
    store,
    actions,
    concurrency,
    durability: 'process-crash',
    ...(resources === undefined ? {} : { resources }),
  });
  opened.push(supervisor);
  return supervisor;
}

/** Resolves when something was sampled to be short, and something was done about it. */
function acted({ durable }: Awaited<ReturnType<typeof open>>, ...all: string[]): Promise<void> {
  const left = new Set(all);
  return new Promise((resolve) => {
    durable.on('pressure.acted', (event) => {
      left.delete((event as unknown as { action: string }).action);
      if (left.size === 0) resolve();
    });
  });
}

async function sampled({ resources }: Awaited<ReturnType<typeof open>>, times: number): Promise<void> {
  while (resources.history('heap').length < times) await new Promise((resolve) => setTimeout(resolve, 50));
}

test('S55, S56, S57: what there is can be asked before anything is sampled, and to ask is no sample', async () => {
  const supervisor = await open();
  expect(supervisor.resources.history('memory')).toEqual([]);
  for (let n = 0; n < 50; n++) await supervisor.resources.now();
  const { resources, admission, limit, cost } = await supervisor.resources.now();
  for (const { value, limit: most } of Object.values(resources)) {
    expect(value).toBeGreaterThanOrEqual(0);
    expect(most).toBeGreaterThan(0);
  }
  expect(Object.keys(resources)).toEqual(
    expect.arrayContaining(['memory', 'heap', 'disk', 'wal', 'cpu', 'loopUtilization']),
  );
  expect(resources.heap).toMatchObject({ level: 'normal', forecast: 'none', etaMs: null });
  expect({ admission, limit, samples: cost.samples }).toEqual({ admission: 'open', limit: null, samples: 0 });
  expect(supervisor.resources.history('memory')).toEqual([]);
  expect(supervisor.resources.forecasts()).toEqual([]);
  expect(supervisor.resources.score()).toMatchObject({ precision: null, recall: null });
});

test('a sample is taken by itself, is no turn, and is there in the next life', async () => {
  const store = tempStore();
  const supervisor = await open({ sampleMs: 100 }, store);
  const turnsOfThree = async () => {
    const { turn } = await supervisor.durable.send({ type: 'supervisor.resume' });
    await sampled(supervisor, supervisor.resources.history('heap').length + 3);
    const { turn: after } = await supervisor.durable.send({ type: 'supervisor.resume' });
    return after - turn;
  };
  // That a machine becomes busy is news, and a turn.
  await expect.poll(turnsOfThree, { timeout: 10_000 }).toBe(1);
  expect((await supervisor.resources.now()).cost.meanMs).toBeLessThan(50);
  const before = supervisor.resources.history('heap');
  await supervisor.close();
  const again = await open({}, store);
  expect(again.resources.history('heap').slice(0, before.length)).toEqual(before);
});

test('when nothing is short nothing is done', async () => {
  const supervisor = await open();
  expect(await supervisor.resources.optimize()).toEqual({ actions: [], freedBytes: 0, limit: null });
});

test('what is short is told, throttles, and has room made for it: asked first, then by cleanups', async () => {
  let hoard: Buffer[] = [];
  const asked: string[] = [];
  const supervisor = await open({
    sampleMs: 100,
    coolDownMs: 60_000,
    intervalMs: 60_000,
    limits: { heap: 1_000_000, disk: 1 },
    cleanups: {
      hoard: () => {
        const freed = hoard.reduce((sum, { length }) => sum + length, 0);
        hoard = [];
        return freed;
      },
      broken: () => {
        throw new Error('no room here');
      },
    },
  });
  hoard.push(Buffer.alloc(1 << 20));
  supervisor.resources.onPressure(({ resources }) => void asked.push(...resources.map(({ name }) => name)));
  const heard: SupervisorEmitted[] = [];
  supervisor.durable.on('*', (event) => void heard.push(event as unknown as SupervisorEmitted));
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve));

  await acted(supervisor, 'throttle', 'cleanUp');
  expect(asked).toEqual(['heap', 'disk']);
  expect(await supervisor.resources.optimize()).toMatchObject({ actions: ['prune'], limit: 4 });
  const cleaned = await supervisor.resources.optimize();
  expect(cleaned).toEqual({ actions: ['runCleanups'], freedBytes: 1 << 20, limit: 4 });
  expect(await warned).toMatchObject({ name: 'PerdureWarning', code: 'CLEANUP_FAILED' });
  expect(heard).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ type: 'pressure.changed', resource: 'heap', level: 'critical' }),
      expect.objectContaining({ type: 'pressure.acted', action: 'prune', error: null }),
      expect.objectContaining({
        type: 'pressure.acted',
        action: 'runCleanups',
        relief: { did: ['hoard', 'broken failed: no room here'], freedBytes: 1 << 20 },
      }),
    ]),
  );
  expect(hoard).toEqual([]);
  expect(await supervisor.resources.now()).toMatchObject({ limit: 4, resources: { heap: { level: 'critical' } } });
  expect(supervisor.health().subsystems.resources).toMatchObject({
    status: 'unhealthy',
    reasons: expect.arrayContaining([expect.stringContaining('heap is critical')]) as unknown,
  });
  expect((await supervisor.execute('note', 1)).kind).toBe('ok');
});

test('a handler and a cleanup that were taken back are not called any more, and a name can be used once', async () => {
  const supervisor = await open({ sampleMs: 1_000, limits: { heap: 1 }, restMs: 60_000 });
  let calls = 0;
  const count = () => void (calls += 1);
  supervisor.resources.onPressure(count).unsubscribe();
  const registered = supervisor.resources.registerCleanup('cache', count);
  expect(() => supervisor.resources.registerCleanup('cache', count)).toThrow(
    expect.objectContaining({ code: 'OPTIONS_INVALID' }),
  );
  registered.unsubscribe();
  supervisor.resources.registerCleanup('cache', () => {}).unsubscribe();
  // Both of those rungs are climbed, and there is nothing on them.
  await acted(supervisor, 'throttle', 'cleanUp', 'runCleanups', 'shed');
  expect(calls).toBe(0);
});

test('a handler that does not come to an end is called once, and whoever makes room may ask for more to be made', async () => {
  const calls = { hanging: 0, asking: 0 };
  const options = { sampleMs: 100, limits: { heap: 1 }, reliefMs: 300, coolDownMs: 1, intervalMs: 60_000, restMs: 100 };
  const supervisor = await open(options);
  const [nothing, waited] = [[] as unknown[], [] as number[]];
  supervisor.resources.onPressure(() => {
    calls.hanging += 1;
    return new Promise(() => {});
  });
  supervisor.resources.onPressure(async () => {
    calls.asking += 1;
    const began = performance.now();
    nothing.push((await supervisor.resources.optimize()).actions);
    waited.push(performance.now() - began);
  });
  await expect.poll(() => calls.asking, { timeout: 10_000 }).toBe(3);
  expect(calls.hanging).toBe(1);
  expect(nothing).toEqual([[], [], []]);
  expect(Math.max(...waited)).toBeLessThan(options.reliefMs / 2);
});

test('a life that finds nothing short, or that watches nothing, is held back by nothing of before', async () => {
  const store = tempStore();
  const pressed = await open({ sampleMs: 100, limits: { heap: 1 }, intervalMs: 10, coolDownMs: 60_000 }, store);
  await acted(pressed, 'throttle');
  expect((await pressed.resources.now()).limit).not.toBeNull();
  await pressed.close();

  const unwatched = await open(false, store);
  expect(() => unwatched.resources.history('heap')).toThrow(expect.objectContaining({ code: 'OPTIONS_INVALID' }));
  await expect(unwatched.resources.now()).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
  await unwatched.execute('note', 1);
  await unwatched.close();

  const calm = await open({ sampleMs: 60_000 }, store);
  expect(await calm.resources.now()).toMatchObject({ limit: null, admission: 'open' });
});

test('a process that was started because it was advised begins with all that may run at once', async () => {
  const store = tempStore();
  const pressed = await open({ sampleMs: 100, limits: { heap: 1 }, intervalMs: 10, coolDownMs: 60_000 }, store);
  await acted(pressed, 'throttle');
  await pressed.close();
  const still = await open({ sampleMs: 60_000, limits: { heap: 1 } }, store);
  expect((await still.resources.now()).limit).not.toBeNull();
  await still.close();

  const calm = await open({ sampleMs: 60_000 }, store);
  await expect.poll(() => calm.resources.now()).toMatchObject({ limit: null, admission: 'open' });
});

test('the log of the store is moved into it, and gives its disk back', async () => {
  const path = tempStore();
  const supervisor = await open({}, path);
  for (let n = 0; n < 200; n++) await supervisor.execute('note', n);
  const { store } = supervisor.durable;
  expect(store.truncateLog()).toBeGreaterThan(100_000);
  // While somebody reads from it, it stays, and nobody waits.
  const reader = new Database(path, { readonly: true });
  reader.exec('begin');
  reader.prepare('select count(*) from actions').get();
  await supervisor.execute('note', 200);
  const began = performance.now();
  expect(store.truncateLog()).toBe(0);
  expect(performance.now() - began).toBeLessThan(1_000);
  reader.close();
  await supervisor.execute('note', 201);
  expect(store.truncateLog()).toBeGreaterThan(0);
});

test.each([
  [{ sampleMs: 5 }, 'sampleMs'],
  [{ limits: { heap: 0 } }, 'limits.heap'],
  [{ limits: { hep: 1 } }, 'did you mean "heap"'],
  [{ limits: { disk: Infinity } }, 'limits.disk'],
  [{ horizon: 1 }, 'did you mean "horizonMs"'],
  [{ elevated: 0.9, critical: 0.8 }, 'elevated'],
  [{ margin: 0.9 }, 'margin'],
  [{ sampleMs: 100_000 }, 'silenceMs'],
  [{ onPressure: 'clean' }, 'onPressure'],
  [{ cleanups: { cache: 1 } }, 'cleanups.cache'],
  ['all', 'must be an object'],
])('options %j are refused, and nothing is made', async (resources, what) => {
  await expect(open(resources as never)).rejects.toMatchObject({
    code: 'OPTIONS_INVALID',
    message: expect.stringContaining(what) as string,
  });
});

test.each([{}, false as const])('after the end whatever is asked is refused, as elsewhere: %j', async (options) => {
  const supervisor = await open(options);
  const { resources } = supervisor;
  await supervisor.close();
  const refused = await supervisor.execute('note', 1).then(String, ({ code }: { code: string }) => code);
  const asked = [() => resources.now(), () => resources.optimize(), () => resources.history('heap')];
  const more = [() => resources.forecasts(), () => resources.score(), () => resources.onPressure(() => {})];
  for (const ask of [...asked, ...more]) await expect((async () => ask())()).rejects.toMatchObject({ code: refused });
});

test('a resource that there is not is refused by its name', async () => {
  const supervisor = await open();
  expect(() => supervisor.resources.history('memry' as never)).toThrow('did you mean "memory"');
});

test('a tree that was read back from the file is told anew how the resources are', async () => {
  const supervisor = await open({ sampleMs: 100, limits: { heap: 1 }, intervalMs: 60_000, coolDownMs: 60_000 });
  const { durable } = supervisor;
  const reopened = new Promise((resolve) => durable.on('reopened', resolve));
  const throttled = acted(supervisor, 'throttle');
  await sampled(supervisor, 2);
  // What is told of the next is lost.
  failStore(durable.store, 'full', { times: 1 });
  await reopened;
  await throttled;
  expect(await supervisor.resources.now()).toMatchObject({ admission: 'throttled', limit: 4 });
});

test('rows of telemetry that are damaged keep nobody from starting', async () => {
  const store = tempStore();
  const first = await open({ sampleMs: 100 }, store);
  await sampled(first, 2);
  await first.close();
  const db = new Database(store);
  db.function('perdure_turn', () => 0);
  db.exec(`update resource_samples set figures = 'x'; update resource_tallies set tally = '{'`);
  db.close();
  const again = await open({}, store);
  expect(again.resources.history('heap')).toEqual([]);
  expect(again.resources.score().judged).toBe(0);
});
