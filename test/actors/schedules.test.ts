/** Actions that are submitted at certain times. Times are in UTC unless a test is about time zones. */
import { randomBytes } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { defineAction, Registry } from '../../actors/actions.ts';
import { NO_LIMITS } from '../../actors/queue-options.ts';
import { scheduleActions } from '../../actors/schedule-rows.ts';
import { OPEN_OCCURRENCE } from '../../actors/schedule-tables.ts';
import { TABLES } from '../../actors/spawn.ts';
import { submissionOf } from '../../actors/submissions.ts';
import type { Supervisor } from '../../actors/supervisor.ts';
import type { SchedulesEvent } from '../../machines/schedules.ts';
import { encryption } from '../../persistence/sealing.ts';
import { crash } from '../../persistence/crash.ts';
import { memoryRows } from '../../persistence/rows.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { HOUR, MINUTE, SECOND, heard, open } from '../support/pipeline.ts';
import { quickStore } from '../support/temp.ts';
import { settle } from '../support/turns.ts';

const KEY = randomBytes(32);
const NOON = Date.UTC(2026, 5, 1, 12);
const at = (ms: number) => new Date(NOON + ms).toISOString();

interface World {
  readonly clock: SimulatedClock;
  readonly store: string;
  readonly ran: string[];
  readonly start: (changed?: object) => Promise<Supervisor<Work>>;
}

type Work = { report: ReturnType<typeof report>; slow: ReturnType<typeof report> };
const report = (ran: string[]) =>
  defineAction({
    run: (input: { n: number }, { id }: { id: string }) => {
      ran.push(id);
      return input.n;
    },
  });

function world(): World {
  const [clock, store, ran] = [new SimulatedClock(NOON), quickStore(), [] as string[]];
  const slow = defineAction({
    run: (input: { n: number }, { id, signal }) => {
      ran.push(id);
      return new Promise<number>((resolve, reject) => {
        const alarm = clock.setTimeout(() => resolve(input.n), 90 * MINUTE);
        signal.addEventListener('abort', () => {
          clock.clearTimeout(alarm);
          reject(signal.reason as Error);
        });
      });
    },
  });
  const start = async (changed: object = {}) => {
    const supervisor = await open(clock, { store, actions: { report: report(ran), slow, ...changed }, concurrency: 4 });
    onTestFinished(() => supervisor.close({ graceMs: 0 }));
    return supervisor as unknown as Supervisor<Work>;
  };
  return { clock, store, ran, start };
}

async function pass({ clock }: World, ms: number, stepMs = 10 * MINUTE): Promise<void> {
  for (let left = ms; left > 0; left -= stepMs) {
    await clock.advance(Math.min(left, stepMs));
    await settle();
  }
}

const hourly = { id: 'hourly', action: 'report', input: { n: 1 }, cron: '0 * * * *' } as const;

test('each occurrence is an action of its own, named by the schedule and its time', async () => {
  const here = world();
  const supervisor = await here.start();
  await supervisor.schedules.put({ ...hourly, impact: 'medium' });
  const told = heard(supervisor);
  await pass(here, 2 * HOUR + MINUTE);
  expect(here.ran).toEqual([`hourly@${at(HOUR)}`, `hourly@${at(2 * HOUR)}`]);
  expect(told.filter(({ type }) => type === 'schedule.fired')).toHaveLength(2);
  expect(supervisor.schedules.list()).toEqual([
    {
      id: 'hourly',
      action: 'report',
      state: 'active',
      timing: { cron: '0 * * * *', timeZone: 'UTC' },
      overlap: 'skip',
      catchUp: 'one',
      until: null,
      next: [NOON + 3 * HOUR, NOON + 4 * HOUR, NOON + 5 * HOUR],
      lastAt: NOON + 2 * HOUR,
      lastAction: `hourly@${at(2 * HOUR)}`,
      problem: null,
    },
  ]);
});

test('putting the same again changes nothing and writes nothing; a period keeps its beat', async () => {
  const here = world();
  const supervisor = await here.start();
  const beat = { id: 'beat', action: 'report', input: { n: 1 }, everyMs: HOUR } as const;
  await supervisor.schedules.put(beat);
  await pass(here, 40 * MINUTE);
  const turn = supervisor.durable.store.rows.turn;
  await supervisor.schedules.put(beat);
  expect(supervisor.durable.store.rows.turn).toBe(turn);
  await supervisor.schedules.put({ ...beat, input: { n: 2 } });
  expect(supervisor.schedules.list()[0]?.next[0]).toBe(NOON + HOUR);
  await supervisor.schedules.put({ ...beat, everyMs: 2 * HOUR });
  expect(supervisor.schedules.list()[0]?.next[0]).toBe(NOON + 40 * MINUTE + 2 * HOUR);
});

test('what was due while the process was dead runs once, as the last occurrence; `all` runs each, `none` none', async () => {
  const here = world();
  const first = await here.start();
  for (const catchUp of ['one', 'all', 'none'] as const) await first.schedules.put({ ...hourly, id: catchUp, catchUp });
  crash(first.durable);
  await here.clock.advance(3 * HOUR + 5 * MINUTE);
  const told = heard(await here.start());
  await settle();
  await pass(here, MINUTE);
  const each = [1, 2, 3].map((n) => `all@${at(n * HOUR)}`);
  expect([...here.ran].sort()).toEqual([...each, `one@${at(3 * HOUR)}`].sort());
  expect(told.filter(({ type }) => type === 'schedule.skipped')).toEqual([
    { type: 'schedule.skipped', id: 'none', at: NOON + 3 * HOUR, why: 'missed' },
  ]);
  await pass(here, HOUR);
  expect(here.ran.filter((id) => id.endsWith(at(4 * HOUR)))).toHaveLength(3);
});

test('a crash at any time neither loses an occurrence nor runs it twice', async () => {
  const here = world();
  let supervisor = await here.start();
  await supervisor.schedules.put({ ...hourly, catchUp: 'all' });
  for (let minute = 0; minute < 6 * 60; minute += 20) {
    await here.clock.advance(20 * MINUTE);
    if (minute % 60 === 40) await new Promise((resolve) => setImmediate(resolve));
    crash(supervisor.durable);
    supervisor = await here.start();
  }
  await settle();
  await pass(here, MINUTE);
  const rows = supervisor.durable.store.rows.all<{ id: string; kind: string }>(
    'select id, kind from actions order by id',
  );
  expect(rows).toEqual([1, 2, 3, 4, 5, 6].map((n) => ({ id: `hourly@${at(n * HOUR)}`, kind: 'ok' })));
});

test('while the one before runs, `skip` leaves an occurrence out and says so, and `queue` queues it', async () => {
  const here = world();
  const supervisor = await here.start();
  const told = heard(supervisor);
  await supervisor.schedules.put({ ...hourly, action: 'slow', id: 'skips' });
  await supervisor.schedules.put({ ...hourly, action: 'slow', id: 'queues', overlap: 'queue' });
  await pass(here, 3 * HOUR + MINUTE);
  expect(here.ran).toEqual([
    `queues@${at(HOUR)}`,
    `skips@${at(HOUR)}`,
    `queues@${at(2 * HOUR)}`,
    `queues@${at(3 * HOUR)}`,
    `skips@${at(3 * HOUR)}`,
  ]);
  expect(told.filter(({ type }) => type === 'schedule.skipped')).toEqual([
    { type: 'schedule.skipped', id: 'skips', at: NOON + 2 * HOUR, why: 'overlap' },
  ]);
});

test('`skip` leaves one out while any occurrence runs, also when a later one was triggered and has settled', async () => {
  const here = world();
  const supervisor = await here.start();
  const { schedules } = supervisor;
  await schedules.put({ ...hourly, action: 'slow', id: 'job' });
  await pass(here, 70 * MINUTE);
  await schedules.put({ ...hourly, id: 'job' });
  const { outcome } = await schedules.trigger('job');
  expect((await outcome).kind).toBe('ok');
  const told = heard(supervisor);
  await pass(here, HOUR);
  expect(told.filter(({ type }) => type === 'schedule.skipped')).toEqual([
    { type: 'schedule.skipped', id: 'job', at: NOON + 2 * HOUR, why: 'overlap' },
  ]);
  await pass(here, HOUR);
  expect(here.ran.at(-1)).toBe(`job@${at(3 * HOUR)}`);
});

test('the work of a schedule with a longer name keeps none of its own waiting', async () => {
  const here = world();
  const { schedules } = await here.start();
  const ids = ['job@2026', 'job@x', 'job2'];
  for (const id of ids) await schedules.put({ ...hourly, action: 'slow', id });
  await pass(here, 70 * MINUTE);
  await schedules.put({ ...hourly, id: 'job' });
  await pass(here, HOUR);
  expect(here.ran).toContain(`job@${at(2 * HOUR)}`);
});

test('whether an occurrence runs is asked of one index, in which is no more than what has not settled', async () => {
  const { durable } = await world().start();
  const plan = durable.store.rows.all<{ detail: string }>(
    `explain query plan select 1 from actions where id > 'a@' and id < 'a@:' and ${OPEN_OCCURRENCE} limit 1`,
  );
  expect(plan.map(({ detail }) => detail).join()).toContain('actions_occurring (id>? AND id<?)');
});

test('a schedule that is paused rests, also over restarts, and catches nothing up; a trigger runs it all the same', async () => {
  const here = world();
  const first = await here.start();
  await first.schedules.put(hourly);
  await first.schedules.pause('hourly');
  crash(first.durable);
  const second = await here.start();
  await pass(here, 90 * MINUTE);
  expect(here.ran).toEqual([]);
  const { id, outcome } = await second.schedules.trigger('hourly');
  expect([id, (await outcome).value]).toEqual([`hourly@${at(90 * MINUTE)}`, 1]);
  await second.schedules.resume('hourly');
  expect(second.schedules.list()[0]?.next[0]).toBe(NOON + 2 * HOUR);
  await pass(here, HOUR);
  expect(here.ran).toEqual([id, `hourly@${at(2 * HOUR)}`]);
  await second.schedules.remove('hourly');
  expect(second.schedules.list()).toEqual([]);
  await pass(here, 2 * HOUR);
  expect(here.ran).toHaveLength(2);
});

test('one that is due once, or has an end, ends; it is there to be looked at', async () => {
  const here = world();
  const supervisor = await here.start();
  await supervisor.schedules.put({ id: 'once', action: 'report', input: { n: 7 }, at: new Date(NOON + MINUTE) });
  await supervisor.schedules.put({ ...hourly, until: NOON + 2 * HOUR });
  await pass(here, 5 * HOUR);
  expect(here.ran).toEqual([`once@${at(MINUTE)}`, `hourly@${at(HOUR)}`, `hourly@${at(2 * HOUR)}`]);
  expect(supervisor.schedules.list().map(({ state, next }) => [state, next])).toEqual([
    ['ended', []],
    ['ended', []],
  ]);
  // The same again is what there was, also when its time has passed.
  await supervisor.schedules.put({ id: 'once', action: 'report', input: { n: 7 }, at: NOON + MINUTE });
});

test('when the clock is put back, what has run does not run again, and what is to come comes in time', async () => {
  const here = world();
  const first = await here.start();
  await first.schedules.put(hourly);
  await pass(here, 2 * HOUR + MINUTE);
  crash(first.durable);
  const back = { ...here, clock: new SimulatedClock(NOON + 30 * MINUTE) };
  const second = await open(back.clock, { store: here.store, actions: { report: report(here.ran) } });
  onTestFinished(() => second.close());
  expect(second.schedules.list()[0]?.next[0]).toBe(NOON + HOUR);
  await pass(back, 3 * HOUR);
  expect(here.ran).toEqual([1, 2, 3].map((n) => `hourly@${at(n * HOUR)}`));
});

test('when the clock jumps ahead, the last of what was left out runs', async () => {
  const here = world();
  const supervisor = await here.start();
  await supervisor.schedules.put(hourly);
  crash(supervisor.durable);
  await here.clock.advance(1_000 * HOUR);
  const next = await here.start();
  await settle();
  await pass(here, SECOND);
  expect(here.ran).toEqual([`hourly@${at(1_000 * HOUR)}`]);
  expect(next.schedules.list()[0]?.next[0]).toBe(NOON + 1_001 * HOUR);
});

test('occurrences have the policy of the present code; where its action is gone they are parked, and the schedule says why', async () => {
  const here = world();
  const first = await here.start();
  await first.schedules.put(hourly);
  await first.close();
  const { clock, store } = here;
  const second = await open(clock, { store, actions: { other: defineAction({ run: () => 1 }) } });
  await pass(here, HOUR);
  expect(second.stats().queue.parked).toBe(1);
  expect(second.schedules.list()[0]?.problem).toContain('No action "report" is registered');
  await second.close();
  const newer = defineAction({ run: () => 'newer', version: '2' });
  const third = await open(clock, { store, actions: { report: newer } });
  onTestFinished(() => third.close());
  await pass(here, HOUR);
  // The one before is parked, and so has not settled.
  expect(third.schedules.list()[0]).toMatchObject({ lastAt: NOON + HOUR });
  await third.cancel(`hourly@${at(HOUR)}`);
  await pass(here, HOUR);
  expect(third.schedules.list()[0]).toMatchObject({ lastAt: NOON + 3 * HOUR, problem: null });
});

test('of 2,500 occurrences that were missed each runs once', async () => {
  const here = world();
  const first = await here.start();
  await first.schedules.put({ id: 'often', action: 'report', input: { n: 1 }, everyMs: MINUTE, catchUp: 'all' });
  crash(first.durable);
  await here.clock.advance(2_500 * MINUTE);
  await here.start();
  while (here.ran.length < 2_500) {
    await here.clock.advance(1);
    await settle();
  }
  expect(new Set(here.ran).size).toBe(2_500);
}, 60_000);

test('a turn fires at most as many as it is allowed, and the timer goes on at once', async () => {
  const [clock, rows] = [new SimulatedClock(NOON), memoryRows(TABLES)];
  const world = { rows, registry: new Registry({ report: report([]) }), limits: NO_LIMITS };
  const told: SchedulesEvent[] = [];
  const self = { self: { send: (event: SchedulesEvent) => void told.push(event) } };
  const { putSchedule, fire } = scheduleActions({ ...world, clock });
  const timing = { everyMs: MINUTE, from: NOON };
  const template = submissionOf(world, 'report', { n: 1 }, { id: 'x' }, NOON);
  const rest = { until: null, overlap: 'queue', catchUp: 'all', template, options: '{}' } as const;
  for (const id of ['a', 'b']) putSchedule(self, { schedule: { id, timing, ...rest }, at: NOON });
  await clock.advance(30 * MINUTE);
  told.length = 0;
  fire(self, { limit: 40 });
  expect(told).toMatchObject([
    { type: 'schedules.fired', submissions: { length: 40 } },
    { type: 'schedules.due', dueAt: NOON + 11 * MINUTE, waitMs: 0 },
  ]);
});

test('in a sealed store its input and its words are in no row in clear, and it is the same when it is put again', async () => {
  const [clock, store, sealing] = [
    new SimulatedClock(NOON),
    quickStore(),
    encryption({ key: () => KEY, current: 'a' }),
  ];
  const echo = defineAction({ run: (of: string) => of });
  await using supervisor = await open(clock, { store, actions: { echo }, sealing });
  const secret = {
    id: 'daily',
    action: 'echo',
    input: 'canary',
    summary: 'the canary sings',
    cron: '0 0 * * *',
  } as const;
  await supervisor.schedules.put(secret);
  const { rows } = supervisor.durable.store;
  expect(JSON.stringify(rows.all('select * from schedules'))).not.toContain('canary');
  const turn = rows.turn;
  await supervisor.schedules.put(secret);
  expect(rows.turn).toBe(turn);
  const { outcome } = await supervisor.schedules.trigger('daily');
  expect(await outcome).toMatchObject({ value: 'canary' });
});

test('what is wrong with a schedule is said when it is put, and nothing is stored', async () => {
  const { schedules } = await world().start();
  const cases: readonly [object, string][] = [
    [{ cron: undefined }, 'exactly one of cron, everyMs and at, got 0'],
    [{ everyMs: MINUTE }, 'exactly one of cron, everyMs and at, got 2'],
    [{ cron: '* * *' }, 'cron must be a pattern of 5 fields'],
    [{ cron: '61 * * * *' }, 'is no pattern'],
    [{ cron: '0 0 30 2 *' }, 'cron is never due'],
    [{ timeZone: 'Mars/Olympus' }, 'timeZone must be the name of one'],
    [{ cron: undefined, everyMs: 10 }, 'at least 1000, got 10'],
    [{ cron: undefined, everyMs: MINUTE, timeZone: 'UTC' }, 'timeZone needs cron'],
    [{ cron: undefined, at: NOON - 5 }, 'at has passed: it is 5 ms ago'],
    [{ cron: undefined, at: 'soon' }, 'at must be a Date, or whole ms'],
    [{ cron: undefined, at: new Date(NaN) }, 'at must be a Date'],
    [{ cron: undefined, at: Number.MAX_SAFE_INTEGER }, 'at must be a Date, or whole ms since 1970 of at most 86400'],
    [{ until: Number.MAX_SAFE_INTEGER }, 'until must be a Date'],
    [{ until: -Number.MAX_SAFE_INTEGER }, 'until must be a Date'],
    [{ cron: undefined, everyMs: 8.64e15 }, `everyMs must be at most ${8.64e15 - NOON}`],
    [{ cron: undefined, everyMs: 8.64e15, until: NOON + HOUR }, 'everyMs must be at most'],
    [{ until: NOON + MINUTE }, 'until comes before the first time'],
    [{ overlap: 'both' }, 'overlap must be one of'],
    [{ catchUp: 'al' }, 'catchUp must be one of'],
    [{ catchUp: 'all', overlap: 'skip' }, "give overlap 'queue'"],
    [{ catchup: 'all' }, 'did you mean "catchUp"?'],
    [{ signal: AbortSignal.abort() }, 'has no option "signal"'],
    [{ id: 'x'.repeat(280) }, 'at most 270 characters'],
    [{ input: () => 1 }, 'function'],
  ];
  for (const [wrong, message] of cases)
    await expect(schedules.put({ ...hourly, ...wrong } as never), JSON.stringify(wrong)).rejects.toThrow(message);
  await expect(schedules.put({ ...hourly, action: 'nothing' } as never)).rejects.toThrow('No action "nothing"');
  await expect(schedules.pause('hourli')).rejects.toMatchObject({ code: 'SCHEDULE_NOT_FOUND' });
  expect(schedules.list()).toEqual([]);
});

test('the furthest time that a Date can tell is one to be due at', async () => {
  const { schedules } = await world().start();
  await schedules.put({ id: 'last', action: 'report', input: { n: 1 }, at: 8.64e15 });
  await schedules.put({ id: 'slow', action: 'report', input: { n: 1 }, everyMs: 8.64e15 - NOON, until: 8.64e15 });
  expect(schedules.list().map(({ next: [first] }) => new Date(first as number).toISOString())).toEqual([
    '+275760-09-13T00:00:00.000Z',
    '+275760-09-13T00:00:00.000Z',
  ]);
});
