/** Keys and rates over restarts, changed limits, closed lanes and clocks that are set back. */
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import type { KeyOptions } from '../../actors/queue-options.ts';
import { crash } from '../../persistence/crash.ts';
import type { Cell } from '../../persistence/rows.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { DAY, HOUR, MINUTE, SECOND, START, failure, inTime, open } from '../support/pipeline.ts';
import { quickStore } from '../support/temp.ts';
import { settle } from '../support/turns.ts';

/** Actions that take 10 ms of the clock, or end never, or lean on what may be down; and what began when. */
function work(clock: SimulatedClock) {
  const began: { readonly id: string; readonly at: number }[] = [];
  const state = { isDown: false };
  const run = async (_: null, { id }: { readonly id: string }) => {
    began.push({ id, at: clock.now() });
    await new Promise<void>((resolve) => void clock.setTimeout(resolve, 10));
    if (state.isDown) throw failure('down', { code: 'ECONNREFUSED' });
  };
  const endless = (_: null, { id, signal }: { readonly id: string; readonly signal: AbortSignal }) => {
    began.push({ id, at: clock.now() });
    return new Promise<void>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  };
  const leaning = { component: 'api', retry: { attempts: 1 }, whenOpen: 'wait' } as const;
  return {
    began,
    state,
    actions: {
      work: defineAction({ run }),
      endless: defineAction({ run: endless }),
      call: defineAction({ run, ...leaning }),
    },
  };
}

type Opened = Awaited<ReturnType<typeof open<ReturnType<typeof work>['actions']>>>;
type Submitted = Parameters<Opened['submit']>[2] & { readonly id: string };

async function submit(to: Opened, name: 'work' | 'endless' | 'call', ...all: readonly Submitted[]): Promise<void> {
  for (const options of all) (await to.submit(name, null, options)).outcome.catch(() => {});
  await settle();
}

const rowsOf = ({ durable }: Opened) => durable.store.rows;
const counts = (supervisor: Opened, name = 'default') => {
  const { waiting, held, running } = supervisor.queues.list().find((queue) => queue.name === name)!;
  return { waiting, held, running };
};

/** Makes as many of each of these rows, which nothing but their ids tells apart, or their keys, in a store that nobody has open. */
function copy(store: string, ids: readonly string[], many: number, key = 'key'): void {
  const db = new Database(store);
  const columns = db
    .prepare('select name from pragma_table_info(?)')
    .pluck()
    .all('actions')
    .filter((name) => !['seq', 'id', 'key'].includes(name as string))
    .join(', ');
  db.exec(
    `with recursive n(i) as (select 2 union all select i + 1 from n where i < ${many})
     insert into actions(id, key, ${columns}) select id || ' ' || i, ${key}, ${columns} from n, actions
     where id in (${ids.map((id) => `'${id}'`).join(', ')})`,
  );
  db.close();
}

/** K1 to K3, and L1, as far as rows say. `carried` of a key may run that ran when it had other limits. */
function checkRows(supervisor: Opened, { concurrency = 1, rate }: KeyOptions, now: number, carried = 0): void {
  const none = (what: string, sql: string, ...cells: Cell[]) =>
    expect(rowsOf(supervisor).all(sql, ...cells), what).toEqual([]);
  const full = `(select count(*) from actions r where r.key = h.key and r.state = 'running') >= ${concurrency}`;
  const spent = `exists (select 1 from spent_keys s where s.key = h.key and s.open_at >= ${now})`;
  none(
    'K1',
    `select key from actions where state = 'running' and key is not null group by key
     having count(*) > ${Math.max(concurrency, carried)}`,
  );
  if (rate !== undefined)
    none(
      'K1',
      `select gate from gate_starts where gate glob 'key *' and at > ? group by gate having count(*) > ?`,
      now - rate.perMs,
      rate.limit,
    );
  none(
    'K2',
    `select id from actions h where state = 'held' and not ${full} and not ${spent} and not exists
       (select 1 from actions w where w.state = 'waiting' and w.key = h.key and w.lane = h.lane)`,
  );
  none(
    'K3',
    `select h.id from actions h join actions w on w.key = h.key and w.lane = h.lane and w.state = 'waiting'
     where h.state = 'held' and (h.optional, -h.rank, h.seq) < (w.optional, -w.rank, w.seq)`,
  );
  none(
    'one of a key waits in a lane',
    `select key from actions where state = 'waiting' and key is not null group by key, lane having count(*) > 1`,
  );
  none(
    'L1',
    `select id from lanes where waiting <> (select count(*) from actions where state = 'waiting' and lane = lanes.id)`,
  );
}

describe('what may not run, because its lane is closed, holds nothing back in another', () => {
  const components = { api: { breaker: { window: 4, minCalls: 2, openMs: HOUR } } };

  test('as its queue is paused, its component out of use, or its queue at its limit', async () => {
    const clock = new SimulatedClock(START);
    const { began, state, actions } = work(clock);
    const queues = { paused: {}, one: { concurrency: 1 } };
    await using supervisor = await open(clock, { actions, queues, components, concurrency: 8 });
    state.isDown = true;
    for (const id of ['down 1', 'down 2']) await inTime(clock, supervisor.execute('call', null, { id }), 10);
    state.isDown = false;
    await supervisor.queues.pause('paused');
    await submit(supervisor, 'endless', { id: 'the one', queue: 'one' });
    await submit(supervisor, 'work', { id: 'paused 1', queue: 'paused', key: 'k' });
    await submit(supervisor, 'call', { id: 'call 1', key: 'k' });
    await submit(supervisor, 'work', { id: 'second', queue: 'one', key: 'k' });
    began.length = 0;
    await submit(
      supervisor,
      'work',
      { id: 'a', key: 'k' },
      { id: 'b', key: 'k' },
      { id: 'c', key: 'k', priority: 'high' },
    );
    expect(began.map(({ id }) => id)).toEqual(['a']);
    checkRows(supervisor, {}, clock.now());
    await clock.advance(10);
    await settle();
    await clock.advance(10);
    await settle();
    expect(began.map(({ id }) => id)).toEqual(['a', 'c', 'b']);
    // A lane that opens while another of the key runs: it comes after that.
    await supervisor.queues.resume('paused');
    await settle();
    expect(began).toHaveLength(3);
    await clock.advance(10);
    await settle();
    expect(began.map(({ id }) => id)).toEqual(['a', 'c', 'b', 'paused 1']);
    await clock.advance(10);
    checkRows(supervisor, {}, clock.now());
    await supervisor.cancel('the one');
    await settle();
    await inTime(clock, supervisor.execute('work', null, { id: 'last', key: 'k', priority: 'low' }), 10);
    expect(began.map(({ id }) => id).slice(4)).toEqual(['second', 'last']);
  });

  test('whatever comes, ends, is paused and resumed, by whatever limits, and over crashes', async () => {
    const item = fc.record({
      name: fc.constantFrom('work' as const, 'call' as const),
      queue: fc.constantFrom('default', 'mail', 'bulk'),
      key: fc.constantFrom('a', 'b'),
      priority: fc.constantFrom('high' as const, 'normal' as const),
      optional: fc.boolean(),
    });
    const limits = fc.record(
      {
        concurrency: fc.constantFrom(1, 2, 3),
        rate: fc.constantFrom({ limit: 1, perMs: 30 }, { limit: 2, perMs: 45 }),
      },
      { requiredKeys: [] },
    );
    const step = fc.oneof(
      fc.record({ what: fc.constant('submit' as const), item }),
      fc.record({
        what: fc.constantFrom('pause' as const, 'resume' as const),
        queue: fc.constantFrom('mail', 'default'),
      }),
      fc.record({ what: fc.constantFrom('wait' as const, 'cancel' as const), n: fc.nat(30) }),
      fc.record({ what: fc.constant('restart' as const), keys: limits }),
    );
    await fc.assert(
      fc.asyncProperty(limits, fc.array(step, { minLength: 5, maxLength: 40 }), async (first, steps) => {
        const clock = new SimulatedClock(START);
        const { actions } = work(clock);
        let keys = first as KeyOptions;
        let carried = 0;
        const options = () => ({
          actions,
          store,
          keys,
          concurrency: 4,
          queues: { mail: { concurrency: 1 }, bulk: {} },
          components: { api: { concurrency: 1 } },
        });
        const store = quickStore();
        let supervisor = await open(clock, options());
        const submitted: (readonly [name: 'work' | 'call', options: Submitted])[] = [];
        for (const one of steps) {
          if ('item' in one) {
            const { name, ...more } = one.item;
            submitted.push([name, { id: `${submitted.length}`, ...more }]);
            await submit(supervisor, ...submitted.at(-1)!);
          } else if ('queue' in one) await supervisor.queues[one.what](one.queue);
          else if (one.what === 'wait') await clock.advance(one.n);
          else if ('n' in one) {
            if (one.n < submitted.length) await supervisor.cancel(`${one.n}`);
          } else {
            crash(supervisor.durable);
            // Starts that were counted by another rate are not what this one promises.
            if (JSON.stringify(keys.rate) !== JSON.stringify(one.keys.rate)) await clock.advance(50);
            keys = one.keys as KeyOptions;
            supervisor = await open(clock, options());
            carried = 3;
          }
          await settle();
          checkRows(supervisor, keys, clock.now(), carried);
        }
        for (const queue of ['mail', 'default']) await supervisor.queues.resume(queue);
        // The same id again gives the outcome.
        const handles = await Promise.all(submitted.map(([name, options]) => supervisor.submit(name, null, options)));
        await inTime(clock, Promise.all(handles.map(({ outcome }) => outcome)), 5);
        await supervisor.close();
      }),
      { numRuns: 25 },
    );
  });
});

describe('however many of a key are held', () => {
  test('a claim and a settlement have as many statements, and look each row up', async () => {
    const numbers: number[] = [];
    for (const many of [2, 3_000]) {
      const clock = new SimulatedClock(START);
      const { began, actions } = work(clock);
      const store = quickStore();
      const options = { actions, store, queues: { paused: {} }, concurrency: 4 };
      const first = await open(clock, options);
      await first.queues.pause('paused');
      await submit(first, 'endless', { id: 'runs', key: 'k' });
      await submit(first, 'work', { id: 'paused', queue: 'paused', key: 'k' }, { id: 'plain', key: 'k' });
      await submit(first, 'work', { id: 'more', queue: 'paused', key: 'k' }, { id: 'next', key: 'k' });
      crash(first.durable);
      copy(store, ['paused', 'plain'], many);
      const supervisor = await open(clock, options);
      await settle();
      expect(counts(supervisor)).toEqual({ waiting: 0, held: many + 1, running: 1 });
      const rows = rowsOf(supervisor);
      const spies = (['get', 'all', 'run'] as const).map((method) => vi.spyOn(rows, method));
      began.length = 0;
      await supervisor.cancel('runs');
      await settle();
      await clock.advance(10);
      await settle();
      expect(began.map(({ id }) => id)).toEqual(['plain', 'next']);
      const statements = spies.flatMap((spy) => spy.mock.calls as [string, ...Cell[]][]);
      for (const spy of spies) spy.mockRestore();
      numbers.push(statements.length);
      const looks = [...new Map(statements.map(([sql, ...cells]) => [sql, cells]))].flatMap(([sql, cells]) =>
        rows.all<{ detail: string }>(`explain query plan ${sql}`, ...cells).map(({ detail }) => detail),
      );
      expect(looks.filter((look) => look.includes('actions_held_in')).length).toBeGreaterThan(2);
      expect(looks.filter((look) => /^SCAN (a|actions|gate_starts)\b(?!.*actions_running)/.test(look))).toEqual([]);
      crash(supervisor.durable);
    }
    expect(numbers[1]).toBe(numbers[0]);
  });
});

describe('limits are those of the present start', () => {
  test.each<readonly [string, KeyOptions, KeyOptions, number]>([
    ['a rate that is gone', { rate: { limit: 1, perMs: HOUR } }, {}, 1],
    ['a rate of more', { rate: { limit: 1, perMs: HOUR } }, { rate: { limit: 3, perMs: HOUR }, concurrency: 3 }, 2],
    ['a rate of less time', { rate: { limit: 1, perMs: HOUR } }, { rate: { limit: 1, perMs: SECOND } }, 1],
    ['a higher concurrency', { rate: { limit: 1, perMs: HOUR } }, { concurrency: 3 }, 3],
  ])('of keys: %s', async (_, before, after, begin) => {
    const clock = new SimulatedClock(START);
    const { began, actions } = work(clock);
    const store = quickStore();
    const first = await open(clock, { actions, store, keys: before, concurrency: 4 });
    await inTime(clock, first.execute('work', null, { id: 'ran', key: 'k' }), 10);
    await submit(first, 'endless', ...['a', 'b', 'c', 'd'].map((id) => ({ id, key: 'k' })));
    expect(counts(first)).toEqual({ waiting: 0, held: 4, running: 0 });
    crash(first.durable);
    await clock.advance(MINUTE);
    const second = await open(clock, { actions, store, keys: after, concurrency: 4 });
    await settle();
    expect(began.slice(1).map(({ id }) => id)).toEqual(['a', 'b', 'c'].slice(0, begin));
    checkRows(second, after, clock.now());
    crash(second.durable);
  });

  test('of keys: what changed while the whole is paused counts when it goes on', async () => {
    const clock = new SimulatedClock(START);
    const { began, actions } = work(clock);
    const store = quickStore();
    const first = await open(clock, { actions, store, keys: { rate: { limit: 1, perMs: HOUR } } });
    await inTime(clock, first.execute('work', null, { id: 'ran', key: 'k' }), 10);
    await submit(first, 'work', { id: 'a', key: 'k' });
    await first.pause();
    crash(first.durable);
    await using second = await open(clock, { actions, store });
    await settle();
    expect(began).toHaveLength(1);
    await second.resume();
    await settle();
    expect(began.map(({ id }) => id)).toEqual(['ran', 'a']);
    await clock.advance(10);
  });

  test('of very many keys: a thousand a turn, and a crash in between loses none', async () => {
    const clock = new SimulatedClock(START);
    const { actions } = work(clock);
    const store = quickStore();
    const before = { rate: { limit: 1, perMs: HOUR } };
    const options = { actions, store, queues: { paused: {} }, concurrency: 1 };
    const first = await open(clock, { ...options, keys: before });
    await first.queues.pause('paused');
    await inTime(clock, first.execute('work', null, { id: 'ran', key: 'k' }), 10);
    await submit(first, 'work', { id: 'held', key: 'k', queue: 'paused' });
    crash(first.durable);
    copy(store, ['held'], 2_500, `'k ' || i`);
    const waitingIn = (supervisor: Opened) => counts(supervisor, 'paused').waiting;

    const second = await open(clock, options);
    await settle();
    const seen = new Set([waitingIn(second)]);
    expect([...seen]).toEqual([1_000]);
    crash(second.durable);
    const third = await open(clock, options);
    third.durable.on('committed', () => void seen.add(waitingIn(third)));
    for (let n = 0; n < 5; n++) {
      await settle();
      seen.add(waitingIn(third));
      await clock.advance(0);
    }
    expect([...seen]).toEqual([1_000, 2_000, 2_500]);
    expect(rowsOf(third).all('select key from spent_keys')).toEqual([]);
    checkRows(third, {}, clock.now());
    crash(third.durable);
  });

  test.each(['queue', 'key'] as const)(
    'of a rate over a longer time: what started before counts, for a %s',
    async (of) => {
      const clock = new SimulatedClock(START);
      const { began, actions } = work(clock);
      const store = quickStore();
      const limited = (perMs: number) =>
        of === 'queue'
          ? { queues: { mail: { rate: { limit: 2, perMs } } } }
          : { keys: { rate: { limit: 2, perMs }, concurrency: 4 } };
      const more = of === 'queue' ? { queue: 'mail' } : { key: 'k' };
      const first = await open(clock, { actions, store, ...limited(100) });
      for (const id of ['a', 'b', 'c', 'd', 'e']) await inTime(clock, first.execute('work', null, { id, ...more }), 10);
      crash(first.durable);
      await clock.advance(SECOND);
      await using second = await open(clock, { actions, store, ...limited(HOUR) });
      await submit(second, 'work', { id: 'f', ...more }, { id: 'g', ...more });
      expect(began).toHaveLength(5);
      await clock.advance(HOUR - MINUTE);
      expect(began).toHaveLength(5);
      await clock.advance(MINUTE);
      await settle();
      expect(began.map(({ id }) => id).slice(5)).toEqual(['f', 'g']);
    },
  );

  test('no more starts of a queue are kept than its rate looks at, and of keys those that count', async () => {
    const clock = new SimulatedClock(START);
    const { actions } = work(clock);
    const rate = { limit: 3, perMs: 100 };
    await using supervisor = await open(clock, { actions, queues: { mail: { rate } }, keys: { rate } });
    for (let n = 0; n < 30; n++)
      await inTime(clock, supervisor.execute('work', null, { id: `${n}`, queue: 'mail', key: `k${n % 7}` }), 10);
    const kept = rowsOf(supervisor)
      .all<{ gate: string }>('select gate from gate_starts')
      .map(({ gate }) => gate);
    expect(kept.filter((gate) => gate === 'queue mail')).toHaveLength(3);
    expect(kept.length).toBeLessThanOrEqual(3 + 4);
  });
});

describe('after the clock was set back by a day', () => {
  test.each([true, false])('a key waits no longer than its rate says (after a restart: %s)', async (restarts) => {
    const clock = new SimulatedClock(START);
    const shifted = backwards(clock);
    const { began, actions } = work(clock);
    const options = { actions, store: quickStore(), keys: { rate: { limit: 1, perMs: SECOND } } };
    let supervisor = await open(shifted.clock, options);
    await submit(supervisor, 'work', { id: 'a', key: 'k' }, { id: 'b', key: 'k' });
    await clock.advance(10);
    await settle();
    expect(began.map(({ id }) => id)).toEqual(['a']);
    if (restarts) crash(supervisor.durable);
    shifted.setBack(DAY);
    if (restarts) supervisor = await open(shifted.clock, options);
    await settle();
    await clock.advance(SECOND);
    await settle();
    expect(began.map(({ id }) => id)).toEqual(['a', 'b']);
    await clock.advance(10);
    await supervisor.close();
  });

  test.each([true, false])(
    'a component is probed when its open time is over at the latest (after a restart: %s)',
    async (restarts) => {
      const clock = new SimulatedClock(START);
      const shifted = backwards(clock);
      const { began, state, actions } = work(clock);
      const components = { api: { breaker: { window: 4, minCalls: 2, openMs: MINUTE } } };
      const options = { actions, components, store: quickStore() };
      let supervisor = await open(shifted.clock, options);
      state.isDown = true;
      for (const id of ['down 1', 'down 2']) await inTime(clock, supervisor.execute('call', null, { id }), 10);
      state.isDown = false;
      await submit(supervisor, 'call', { id: 'a' }, { id: 'b' });
      expect(began).toHaveLength(2);
      if (restarts) crash(supervisor.durable);
      shifted.setBack(DAY);
      if (restarts) supervisor = await open(shifted.clock, options);
      await settle();
      for (let ms = 0; ms < MINUTE + SECOND; ms += SECOND) {
        await clock.advance(SECOND);
        await settle();
      }
      expect(began.map(({ id }) => id).slice(2)).toEqual(['a', 'b']);
      await clock.advance(10);
      await supervisor.close();
    },
  );
});

/** A clock whose time can be set back, while its timeouts go on. */
function backwards(clock: SimulatedClock) {
  let back = 0;
  const shifted = {
    now: () => clock.now() - back,
    monotonic: () => clock.now(),
    setTimeout: clock.setTimeout.bind(clock),
    clearTimeout: clock.clearTimeout.bind(clock),
  };
  return { clock: shifted as never as SimulatedClock, setBack: (ms: number) => void (back += ms) };
}

describe('a component that was out of use when the process ended', () => {
  const broken = { window: 4, minCalls: 2, openMs: HOUR, maxOpenMs: HOUR };
  const plain = { run: async (_: null) => {}, whenOpen: 'wait' } as const;

  test.each([
    ['is named by nothing any more', { call: defineAction(plain) }, {}],
    ['has no breaker any more', undefined, { api: { breaker: false } }],
    ['opens for a shorter time now', undefined, { api: { breaker: { ...broken, openMs: 200 } } }],
    [
      'opens for a shorter time at most now',
      undefined,
      { api: { breaker: { ...broken, openMs: 200, maxOpenMs: 200 } } },
    ],
  ] as const)('and %s keeps nothing resting', async (_, changed, components) => {
    const clock = new SimulatedClock(START);
    const { state, actions } = work(clock);
    const store = quickStore();
    const first = await open(clock, { actions, store, components: { api: { breaker: broken } } });
    state.isDown = true;
    for (const id of ['down 1', 'down 2']) await inTime(clock, first.execute('call', null, { id }), 10);
    state.isDown = false;
    await submit(first, 'call', { id: 'a' }, { id: 'b' });
    expect(counts(first)).toMatchObject({ waiting: 2, running: 0 });
    crash(first.durable);
    await using second = await open(clock, { actions: { ...actions, ...changed }, store, components });
    await settle();
    for (let ms = 0; ms < SECOND; ms += 50) {
      await clock.advance(50);
      await settle();
    }
    expect(counts(second)).toMatchObject({ waiting: 0, running: 0 });
    expect(rowsOf(second).all('select component from components_out')).toEqual([]);
  });

  test('as somebody bypassed it, and is named by nothing any more, keeps nothing resting', async () => {
    const clock = new SimulatedClock(START);
    const { actions } = work(clock);
    const store = quickStore();
    const first = await open(clock, { actions, store });
    await first.component('api', 'bypass');
    await submit(first, 'call', { id: 'a' }, { id: 'b' });
    crash(first.durable);
    await using second = await open(clock, { actions: { ...actions, call: defineAction(plain) }, store });
    await settle();
    expect(counts(second)).toMatchObject({ waiting: 0, running: 0 });
  });
});
